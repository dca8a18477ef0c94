/* What the programs that test the agent share: a node on the fake runtime, its pods, waiting. */
#ifndef SKEG_TESTS_AGENT_BENCH_H
#define SKEG_TESTS_AGENT_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "io/file.h"
#include "memory_client.h"
#include "node/agent.h"
#include "node/runtime_fake.h"

#define WAIT_MS 5000

/* A node on the fake runtime; with a folder it behaves as a real one but for its containers. */
struct bench {
	struct loop *loop;
	struct memory_client api;
	struct runtime *runtime;
	struct node_agent *agent;
	char folder[64];
};

static void agent_start(struct bench *b)
{
	static const struct str label = STR_INIT("disk=fast");
	struct err err;
	struct node_agent_config config = {
		.node_name = "n1",
		.labels = &label,
		.label_count = 1,
		.client = &b->api.client,
		.runtime = b->runtime,
		.capacity = {.cpu_milli = 4000, .memory_bytes = 8 << 20, .pods = 110},
		.folder = b->folder[0] ? b->folder : NULL,
		.address = ipaddr_v4(172, 30, 0, 2),
		.is_simulated = !b->folder[0],
	};
	(void)ipnet_parse(STR("10.9.0.0/24"), &config.pod_cidr);
	assert_int_equal(node_agent_new(&config, &b->agent, &err), RC_OK);
}

static void setup(struct bench *b, bool is_real)
{
	*b = (struct bench){.loop = loop_new()};
	if (is_real) {
		strcpy(b->folder, "/tmp/skeg-test-agent-XXXXXX");
		assert_non_null(mkdtemp(b->folder));
	}
	memory_client_init(&b->api, b->loop);
	b->runtime = runtime_fake_new(b->loop, 0, NULL);
	agent_start(b);
}

static void teardown(struct bench *b)
{
	b->runtime->ops->free(b->runtime);
	node_agent_free(b->agent);
	memory_client_done(&b->api);
	for (int i = 0; i < 50; i++)
		loop_run_once(b->loop, 1);
	loop_free(b->loop);
	if (b->folder[0])
		assert_int_equal(dir_remove(b->folder, NULL), RC_OK);
}

static const struct pod *pod(struct bench *b, const char *name)
{
	struct object *o = memory_get(&b->api, KIND_POD, "default", name);
	return o ? object_view(o) : NULL;
}

static void until(struct bench *b, bool (*is_true)(struct bench *, const char *, const char *),
		  const char *name, const char *value)
{
	int64_t end_ms = world_mono_ms() + WAIT_MS;
	while (!is_true(b, name, value)) {
		if (world_mono_ms() > end_ms)
			fail_msg("pod '%s' never got to '%s'", name, value);
		loop_run_once(b->loop, 20);
	}
}

static bool phase_is(struct bench *b, const char *name, const char *phase)
{
	const struct pod *p = pod(b, name);
	return p && str_is(p->status.phase, phase);
}

[[maybe_unused]] static bool waits_for(struct bench *b, const char *name, const char *reason)
{
	const struct pod *p = pod(b, name);
	const struct container_state_waiting *w =
		p && p->status.container_statuses.count
			? p->status.container_statuses.at[0].state.waiting
			: NULL;
	return w && str_is(w->reason, reason);
}

[[maybe_unused]] static bool is_gone(struct bench *b, const char *name, const char *unused)
{
	return !pod(b, name);
}

static bool node_is_ready(struct bench *b, const char *name, const char *unused)
{
	struct object *o = memory_get(&b->api, KIND_NODE, "", name);
	const struct node *n = o ? object_view(o) : NULL;
	return n && n->status.conditions.count == 4 &&
	       str_is(n->status.conditions.at[3].reason, "KubeletReady") &&
	       memory_get(&b->api, KIND_LEASE, "kube-node-lease", name);
}

static struct str condition(const struct pod *p, const char *type, struct str *ret_reason)
{
	for (uint32_t i = 0; i < p->status.conditions.count; i++) {
		const struct pod_condition *c = &p->status.conditions.at[i];
		if (str_is(c->type, type)) {
			*ret_reason = c->reason;
			return c->status;
		}
	}
	return (struct str){};
}

[[maybe_unused]] static void assert_condition(const struct pod *p, const char *type,
					      const char *status, const char *reason)
{
	struct str got_reason = {};
	struct str got = condition(p, type, &got_reason);
	if (!str_is(got, status) || !str_is(got_reason, reason))
		fail_msg("%s is %.*s (%.*s)", type, STR_FMT(got), STR_FMT(got_reason));
}

[[maybe_unused]] static const struct container_status *first(struct bench *b, const char *name)
{
	const struct pod *p = pod(b, name);
	return p && p->status.container_statuses.count ? &p->status.container_statuses.at[0] : NULL;
}

#define POD(name, rest)                                                                            \
	"kind: Pod\napiVersion: v1\nmetadata: {name: " name "}\n"                                  \
	"spec: {nodeName: n1, " rest "}\n"

#endif
