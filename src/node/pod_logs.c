#include "node/pod_logs.h"

#include <sys/stat.h>

#include "base/log.h"
#include "node/agent-int.h"
#include "node/pod_paths.h"
#include "node/pod_worker.h"

struct rotation {
	struct runtime_call call;
	char id[RUNTIME_ID_MAX];
};

static void rotated(struct runtime_call *call)
{
	struct rotation *r = CONTAINER_OF(call, struct rotation, call);
	if (call->rc != RC_OK)
		log_warn("node", "log of container %.12s: %s", r->id, call->err.text);
	free(r);
}

static void rotate(struct node_agent *agent, const struct pod_container *c)
{
	CLEANUP_ARENA a = {};
	struct runtime *runtime = agent->config.runtime;
	struct stat st;
	if (c->stage != CONTAINER_RUNNING ||
	    stat(container_log_path(&a, c, c->attempt), &st) != 0 || st.st_size < POD_LOG_MAX_BYTES)
		return;
	struct rotation *r = NEW(struct rotation);
	memcpy(r->id, c->id, sizeof(r->id));
	r->call.done = rotated;
	runtime->ops->log_rotate(runtime, str_of(r->id), POD_LOG_MAX_BYTES, POD_LOG_MAX_FILES,
				 &r->call);
}

void pod_logs_rotate(struct node_agent *agent)
{
	if (agent->config.is_simulated)
		return;
	for (struct map_entry *e = map_next(&agent->workers, NULL); e;
	     e = map_next(&agent->workers, e)) {
		const struct pod_worker *w = e->value;
		for (size_t i = 0; i < w->count; i++)
			rotate(agent, w->containers[i]);
	}
}
