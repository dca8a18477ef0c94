#include "node/agent.h"

#include "api/api_ids.h"
#include "base/log.h"
#include "http/client.h"
#include "io/file.h"
#include "node/agent-int.h"
#include "node/pod_worker.h"
#include "node/volumes.h"

/* ---- small things ---- */

const char *agent_node_name(const struct node_agent *agent)
{
	return agent->config.node_name;
}

struct object *agent_node_object(const struct node_agent *agent)
{
	return cache_get(agent->cache, KIND_NODE, (struct str){}, str_of(agent_node_name(agent)));
}

void agent_event(struct node_agent *agent, const struct object *pod, const char *field_path,
		 const char *type, const char *reason, const char *fmt, ...)
{
	CLEANUP_ARENA a = {};
	va_list ap;
	if (!pod || agent->config.is_simulated)
		return;
	va_start(ap, fmt);
	struct event_note note = {
		.field_path = str_of(field_path),
		.component = STR(KUBELET_COMPONENT),
		.host = str_of(agent_node_name(agent)),
		.type = str_of(type),
		.reason = str_of(reason),
		.message = arena_vprintf(&a, fmt, ap),
	};
	va_end(ap);
	event_note_about(&note, pod);
	event_record(agent->events, agent->config.client, &note);
}

/* ---- addresses of simulated pods ---- */

static bool is_address_used(const struct node_agent *agent, struct ipaddr addr)
{
	for (struct map_entry *e = map_next(&agent->workers, NULL); e;
	     e = map_next(&agent->workers, e)) {
		const struct pod_worker *w = e->value;
		if (w->address_count && ipaddr_eq(w->addresses[0], addr))
			return true;
	}
	return false;
}

size_t agent_simulated_address(struct node_agent *agent, struct ipaddr *ret_addr)
{
	struct ipnet net = agent->config.pod_cidr;
	struct object *o = agent_node_object(agent);
	const struct node *node = o ? object_view(o) : NULL;
	if (node && node->spec.pod_cidr.len)
		(void)ipnet_parse(node->spec.pod_cidr, &net);
	uint64_t room = ipnet_size(net);
	if (room < 4)
		return 0;
	for (uint64_t tries = 0; tries < room; tries++) {
		uint64_t n = 2 + agent->next_address++ % (room - 3);
		if (ipnet_nth(ipnet_masked(net), n, ret_addr) && !is_address_used(agent, *ret_addr))
			return 1;
	}
	return 0;
}

/* ---- pods come and go ---- */

static void adopt_into(struct node_agent *agent, struct pod_worker *w)
{
	for (size_t i = 0; i < agent->adopt_sandbox_count; i++)
		if (str_eq(agent->adopt_sandboxes[i], w->uid))
			pod_worker_adopt_sandbox(w);
	for (size_t i = 0; i < agent->adopt_containers.count; i++)
		if (str_eq(agent->adopt_containers.items[i].pod_uid, w->uid))
			pod_worker_adopt(w, &agent->adopt_containers.items[i]);
}

static struct pod_worker *worker_begin(struct node_agent *agent, struct str uid, struct object *pod)
{
	struct pod_worker *w = pod_worker_new(agent, uid, pod);
	map_set(&agent->workers, uid, w);
	if (!agent->is_adopted)
		adopt_into(agent, w);
	pod_worker_wake(w);
	return w;
}

static void pod_event(struct node_agent *agent, struct object *old, struct object *new)
{
	struct pod_worker *w;
	if (old && (!new || !str_eq(old->uid, new->uid))) {
		w = map_get(&agent->workers, old->uid);
		if (w)
			pod_worker_saw(w, NULL);
	}
	if (!new || agent->is_stopping)
		return;
	w = map_get(&agent->workers, new->uid);
	if (w)
		pod_worker_saw(w, new);
	else
		worker_begin(agent, new->uid, new);
}

static void on_event(struct cache_listener *l, uint16_t stored_id, struct object *old,
		     struct object *new)
{
	struct node_agent *agent = CONTAINER_OF(l, struct node_agent, listener);
	if (stored_id == KIND_POD)
		pod_event(agent, old, new);
	else if (stored_id == KIND_NODE && agent->registration)
		node_registration_saw(agent->registration, new);
}

void agent_check_stopped(struct node_agent *agent)
{
	if (!agent->is_stopping || !agent->on_stopped)
		return;
	for (struct map_entry *e = map_next(&agent->workers, NULL); e;
	     e = map_next(&agent->workers, e))
		if (!agent->keeps_pods || !pod_worker_is_quiet(e->value))
			return;
	void (*done)(void *ctx) = agent->on_stopped;
	agent->on_stopped = NULL;
	done(agent->stop_ctx);
}

void agent_worker_gone(struct node_agent *agent, struct pod_worker *own_worker)
{
	map_remove(&agent->workers, own_worker->uid);
	requests_drop(&agent->requests, own_worker);
	pod_worker_free(own_worker);
	agent_check_stopped(agent);
}

static void on_exited(struct runtime_listener *listener,
		      const struct runtime_container_status *status)
{
	struct node_agent *agent = CONTAINER_OF(listener, struct node_agent, exits);
	struct pod_worker *w = map_get(&agent->workers, status->pod_uid);
	if (w)
		pod_worker_exited(w, status);
}

/* ---- start: what the runtime has, then what the API wants ---- */

static void adopt_orphan(struct node_agent *agent, struct str uid)
{
	if (uid.len && !map_get(&agent->workers, uid)) {
		log_info("node", "pod %.*s is not wanted any more: ending it", STR_FMT(uid));
		worker_begin(agent, uid, NULL);
	}
}

/* Calls fn with each name in <folder>/<below>. */
static void each_name(struct node_agent *agent, const char *below,
		      void (*fn)(struct node_agent *agent, struct str name))
{
	CLEANUP_ARENA a = {};
	const char **names;
	size_t count;
	struct err err;
	const char *path = arena_printf(&a, "%s/%s", agent->config.folder, below).at;
	if (dir_list(path, &a, &names, &count, &err) != RC_OK)
		return;
	for (size_t i = 0; i < count; i++)
		if (names[i][0] != '.')
			fn(agent, str_of(names[i]));
}

/* "<namespace>_<name>_<uid>" */
static void drop_old_log(struct node_agent *agent, struct str name)
{
	CLEANUP(free_p)
	char *path = mem_printf("%s/logs/pods/%.*s", agent->config.folder, STR_FMT(name));
	struct str head, uid;
	if (str_cut_last(name, '_', &head, &uid) && !map_get(&agent->workers, uid))
		folder_remove_later(agent->loop, path);
}

static void on_synced(void *ctx)
{
	struct node_agent *agent = ctx;
	for (size_t i = 0; i < agent->adopt_sandbox_count; i++)
		adopt_orphan(agent, agent->adopt_sandboxes[i]);
	for (size_t i = 0; i < agent->adopt_containers.count; i++)
		adopt_orphan(agent, agent->adopt_containers.items[i].pod_uid);
	if (!agent->config.is_simulated) {
		each_name(agent, "pods", adopt_orphan);
		each_name(agent, "logs/pods", drop_old_log);
	}
	agent->is_adopted = true;
	agent->adopt_containers = (struct runtime_container_list){};
	agent->adopt_sandbox_count = 0;
	arena_done(&agent->adopt_arena);
}

static void watch_api(struct node_agent *agent)
{
	static const uint16_t kinds[] = {KIND_NODE, KIND_POD};
	const struct str selectors[] = {
		arena_printf(&agent->adopt_arena, "metadata.name=%s", agent_node_name(agent)),
		arena_printf(&agent->adopt_arena, "spec.nodeName=%s", agent_node_name(agent)),
	};
	agent->cache = cache_new(agent->config.client, kinds, ARRAY_LEN(kinds), selectors);
	agent->listener.on_event = on_event;
	cache_listen(agent->cache, &agent->listener);
	agent->registration = node_registration_new(agent);
	if (!agent->config.is_simulated)
		agent->images = node_images_new(agent);
	cache_when_synced(agent->cache, on_synced, agent);
}

static void containers_listed(struct runtime_call *call)
{
	struct node_agent *agent = CONTAINER_OF(call, struct node_agent, adopt_call);
	if (call->rc != RC_OK)
		log_error("node", "the runtime cannot list its containers: %s", call->err.text);
	watch_api(agent);
}

static void sandboxes_listed(struct runtime_call *call)
{
	struct node_agent *agent = CONTAINER_OF(call, struct node_agent, adopt_call);
	struct runtime *r = agent->config.runtime;
	if (call->rc != RC_OK)
		log_error("node", "the runtime cannot list its sandboxes: %s", call->err.text);
	call->done = containers_listed;
	r->ops->list(r, &agent->adopt_arena, &agent->adopt_containers, call);
}

enum rc node_agent_new(const struct node_agent_config *config, struct node_agent **ret_agent,
		       struct err *err)
{
	static const struct http_client_opts probe_opts = {.skip_verify = true, .http1_only = true};
	struct runtime *r = config->runtime;
	static const struct http_client_opts grpc_opts = {.http2_only = true};
	CLEANUP(http_client_free_p) struct http_client *probe_http = NULL;
	CLEANUP(http_client_free_p) struct http_client *probe_http2 = NULL;
	if (!config->is_simulated) {
		TRY(http_client_new(config->client->loop, &probe_opts, &probe_http, err));
		TRY(http_client_new(config->client->loop, &grpc_opts, &probe_http2, err));
	}
	struct node_agent *agent = NEW(struct node_agent);
	agent->probe_http = TAKE_PTR(probe_http);
	agent->probe_http2 = TAKE_PTR(probe_http2);
	agent->magic = AGENT_MAGIC;
	agent->config = *config;
	agent->loop = config->client->loop;
	agent->network_problem = config->network ? "cni plugin not initialized" : NULL;
	agent->events = event_recorder_new();
	requests_init(&agent->requests, config->client);
	object_watches_init(&agent->objects, config->client);
	agent->exits.exited = on_exited;
	r->listener = &agent->exits;
	agent->adopt_call.done = sandboxes_listed;
	r->ops->sandbox_list(r, &agent->adopt_arena, &agent->adopt_sandboxes,
			     &agent->adopt_sandbox_count, &agent->adopt_call);
	*ret_agent = agent;
	return RC_OK;
}

void node_agent_set_network(struct node_agent *agent, const char *problem)
{
	agent->network_problem = problem;
	if (agent->registration)
		node_registration_wake(agent->registration);
}

const struct cache *node_agent_cache(const struct node_agent *agent)
{
	return agent->cache;
}

/* ---- end ---- */

void node_agent_stop(struct node_agent *agent, bool keep_pods, void (*done)(void *ctx), void *ctx)
{
	ASSERT(agent->magic == AGENT_MAGIC);
	agent->is_stopping = true;
	agent->keeps_pods = keep_pods;
	agent->on_stopped = done;
	agent->stop_ctx = ctx;
	for (struct map_entry *e = map_next(&agent->workers, NULL); e;
	     e = map_next(&agent->workers, e)) {
		if (keep_pods)
			pod_worker_leave(e->value);
		else
			pod_worker_shut_down(e->value);
	}
	agent_check_stopped(agent);
}

void node_agent_free(struct node_agent *agent)
{
	if (!agent)
		return;
	node_registration_free(agent->registration);
	node_images_free(agent->images);
	if (agent->cache)
		cache_free(agent->cache);
	for (struct map_entry *e = map_next(&agent->workers, NULL); e;
	     e = map_next(&agent->workers, e))
		pod_worker_free(e->value);
	loop_defer_cancel(&agent->adopt_call.msg);
	map_done(&agent->workers);
	requests_done(&agent->requests);
	object_watches_done(&agent->objects);
	http_client_free(agent->probe_http);
	http_client_free(agent->probe_http2);
	event_recorder_free(agent->events);
	arena_done(&agent->adopt_arena);
	free(agent);
}
