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

static bool has_phase(struct bench *b, const void *name, const char *phase)
{
	const struct pod *p = pod(b, name);
	return p && str_is(p->status.phase, phase);
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
	return has_phase(b, name, phase);
}

static bool waits_for(struct bench *b, const char *name, const char *reason)
{
	const struct pod *p = pod(b, name);
	const struct container_state_waiting *w =
		p && p->status.container_statuses.count
			? p->status.container_statuses.at[0].state.waiting
			: NULL;
	return w && str_is(w->reason, reason);
}

static bool is_gone(struct bench *b, const char *name, const char *unused)
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

static void assert_condition(const struct pod *p, const char *type, const char *status,
			     const char *reason)
{
	struct str got_reason = {};
	struct str got = condition(p, type, &got_reason);
	if (!str_is(got, status) || !str_is(got_reason, reason))
		fail_msg("%s is %.*s (%.*s)", type, STR_FMT(got), STR_FMT(got_reason));
}

#define POD(name, rest)                                                                            \
	"kind: Pod\napiVersion: v1\nmetadata: {name: " name "}\n"                                  \
	"spec: {nodeName: n1, " rest "}\n"

/* ---- the node ---- */

static void node_registers(void **state)
{
	struct bench b;
	setup(&b, false);
	until(&b, node_is_ready, "n1", "Ready");
	struct object *o = memory_get(&b.api, KIND_NODE, "", "n1");
	const struct node *n = object_view(o);
	assert_true(str_is(object_label(o, STR("kubernetes.io/hostname")), "n1"));
	assert_true(str_is(object_label(o, STR("disk")), "fast"));
	assert_true(str_is(str_map_cget(&n->status.capacity, "cpu"), "4"));
	assert_true(str_is(n->status.addresses.at[0].address, "172.30.0.2"));
	/* Nothing changes: nothing is written. */
	int before = b.api.requests;
	for (int i = 0; i < 20; i++)
		loop_run_once(b.loop, 5);
	assert_int_equal(b.api.requests, before);
	teardown(&b);
}

static void node_is_adopted(void **state)
{
	struct bench b;
	setup(&b, false);
	memory_apply(&b.api, "kind: Node\napiVersion: v1\n"
			     "metadata: {name: n1, labels: {mine: \"1\"}}\n");
	until(&b, node_is_ready, "n1", "Ready");
	struct object *o = memory_get(&b.api, KIND_NODE, "", "n1");
	assert_true(str_is(object_label(o, STR("mine")), "1"));
	assert_true(str_is(object_label(o, STR("disk")), "fast"));
	teardown(&b);
}

/* ---- pods ---- */

static void pod_runs(void **state)
{
	struct bench b;
	setup(&b, false);
	memory_apply(&b.api, POD("web", "containers: [{name: a, image: x}]"));
	until(&b, phase_is, "web", "Running");
	const struct pod *p = pod(&b, "web");
	const struct container_status *s = &p->status.container_statuses.at[0];
	assert_true(s->ready && s->started && *s->started && s->state.running);
	assert_true(str_has_prefix(s->container_id, STR("skeg://")));
	assert_int_equal(s->restart_count, 0);
	assert_true(str_is(p->status.pod_ip, "10.9.0.2"));
	assert_true(str_is(p->status.host_ip, "172.30.0.2"));
	assert_true(p->status.start_time > 0);
	static const char *const types[] = {"PodReadyToStartContainers", "Initialized", "Ready",
					    "ContainersReady", "PodScheduled"};
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		assert_condition(p, types[i], "True", "");
	teardown(&b);
}

static void pods_complete(void **state)
{
	static const struct {
		const char *name, *policy, *code, *phase, *reason, *condition;
	} rows[] = {
		{"good", "Never", "0", "Succeeded", "Completed", "PodCompleted"},
		{"bad", "Never", "3", "Failed", "Error", "PodFailed"},
		{"once", "OnFailure", "0", "Succeeded", "Completed", "PodCompleted"},
	};
	struct bench b;
	setup(&b, false);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_p)
		char *text = mem_printf(
			"kind: Pod\napiVersion: v1\nmetadata: {name: %s, annotations: "
			"{sim.skeg.dev/run-ms: \"5\", sim.skeg.dev/exit-code: \"%s\"}}\n"
			"spec: {nodeName: n1, restartPolicy: %s, containers: [{name: a, image: "
			"x}]}\n",
			rows[i].name, rows[i].code, rows[i].policy);
		memory_apply(&b.api, text);
		until(&b, phase_is, rows[i].name, rows[i].phase);
		const struct pod *p = pod(&b, rows[i].name);
		const struct container_state_terminated *t =
			p->status.container_statuses.at[0].state.terminated;
		assert_non_null(t);
		assert_true(str_is(t->reason, rows[i].reason));
		assert_condition(p, "Ready", "False", rows[i].condition);
		assert_condition(p, "ContainersReady", "False", rows[i].condition);
		assert_true(p->status.pod_ip.len > 0); /* kept */
	}
	teardown(&b);
}

static void init_containers_come_first(void **state)
{
	struct bench b;
	setup(&b, false);
	memory_apply(
		&b.api,
		"kind: Pod\napiVersion: v1\nmetadata: {name: p, annotations: "
		"{sim.skeg.dev/run-ms: \"40\"}}\n"
		"spec: {nodeName: n1, restartPolicy: Never, containers: [{name: a, image: x}], "
		"initContainers: [{name: i, image: x}, {name: j, image: x}]}\n");
	until(&b, waits_for, "p", "PodInitializing");
	const struct pod *p = pod(&b, "p");
	assert_condition(p, "Initialized", "False", "ContainersNotInitialized");
	assert_true(str_is(p->status.phase, "Pending"));
	until(&b, phase_is, "p", "Succeeded");
	p = pod(&b, "p");
	const struct container_status_array *init = &p->status.init_container_statuses;
	assert_int_equal(init->count, 2);
	assert_true(init->at[0].ready && init->at[1].ready);
	assert_true(init->at[0].state.terminated->finished_at <=
		    init->at[1].state.terminated->started_at);
	assert_condition(p, "Initialized", "True", "PodCompleted");
	teardown(&b);
}

static const struct container_status *ephemeral(struct bench *b, const char *name)
{
	const struct pod *p = pod(b, "p");
	const struct container_status_array *list = &p->status.ephemeral_container_statuses;
	for (uint32_t i = 0; i < list->count; i++)
		if (str_is(list->at[i].name, name))
			return &list->at[i];
	return NULL;
}

static bool ephemeral_waits(struct bench *b, const char *name, const char *reason)
{
	const struct container_status *s = ephemeral(b, name);
	return s && s->state.waiting && str_is(s->state.waiting->reason, reason);
}

static bool ephemeral_runs(struct bench *b, const char *name, const char *unused)
{
	const struct container_status *s = ephemeral(b, name);
	return s && s->state.running;
}

static bool ephemeral_ended(struct bench *b, const char *name, const char *reason)
{
	const struct container_status *s = ephemeral(b, name);
	return s && s->state.terminated && str_is(s->state.terminated->reason, reason);
}

static void ephemeral_containers_join(void **state)
{
	struct bench b;
	setup(&b, false);
	memory_apply(&b.api, POD("p", "containers: [{name: a, image: x}]"));
	until(&b, phase_is, "p", "Running");
	memory_edit(&b.api, KIND_POD, "default", "p",
		    "spec: {ephemeralContainers: [{name: d, image: x, targetContainerName: a}, "
		    "{name: lost, image: x, targetContainerName: nobody}]}");
	until(&b, ephemeral_runs, "d", "running");
	until(&b, ephemeral_waits, "lost", "CreateContainerConfigError");
	const struct pod *p = pod(&b, "p");
	assert_int_equal(p->status.ephemeral_container_statuses.count, 2);
	assert_int_equal(p->status.container_statuses.count, 1);
	const struct container_status *s = ephemeral(&b, "d");
	assert_false(s->ready);
	assert_null(s->started);
	assert_true(str_has_prefix(s->container_id, STR("skeg://")));
	assert_true(str_is(ephemeral(&b, "lost")->state.waiting->message,
			   "unable to find target container nobody"));
	assert_condition(p, "Ready", "True", "");
	teardown(&b);
}

/* It is started once, and its end is nobody's business. */
static void ephemeral_containers_end_once(void **state)
{
	static const char text[] =
		"kind: Pod\napiVersion: v1\nmetadata: {name: p, annotations: {"
		"sim.skeg.dev/run-ms: \"5\", sim.skeg.dev/exit-code: \"3\"}}\n"
		"spec: {nodeName: n1, containers: [{name: a, image: x}], ephemeralContainers: "
		"[{name: d, image: x}]}\n";
	struct bench b;
	setup(&b, false);
	memory_apply(&b.api, text);
	until(&b, waits_for, "p", "CrashLoopBackOff");
	until(&b, ephemeral_ended, "d", "Error");
	assert_int_equal(ephemeral(&b, "d")->restart_count, 0);
	assert_int_equal(ephemeral(&b, "d")->state.terminated->exit_code, 3);
	node_agent_free(b.agent); /* another agent remembers it */
	agent_start(&b);
	until(&b, waits_for, "p", "CrashLoopBackOff");
	assert_true(ephemeral_ended(&b, "d", "Error"));
	teardown(&b);
}

/* ---- resize ---- */

static const struct container_status *first(struct bench *b, const char *name)
{
	const struct pod *p = pod(b, name);
	return p && p->status.container_statuses.count ? &p->status.container_statuses.at[0] : NULL;
}

static bool has_cpu(struct bench *b, const char *name, const char *cpu)
{
	const struct container_status *s = first(b, name);
	return s && s->state.running && s->resources &&
	       str_is(str_map_cget(&s->resources->requests, "cpu"), cpu) &&
	       str_is(str_map_cget(&s->allocated_resources, "cpu"), cpu);
}

static bool resize_waits(struct bench *b, const char *name, const char *reason)
{
	struct str is = {};
	const struct pod *p = pod(b, name);
	return p && str_is(condition(p, "PodResizePending", &is), "True") && str_is(is, reason);
}

static void cpu_edit(struct bench *b, const char *name, const char *cpu)
{
	CLEANUP(free_p)
	char *text = mem_printf("spec: {containers: [{name: a, image: x, resizePolicy: "
				"[{resourceName: memory, restartPolicy: RestartContainer}], "
				"resources: {requests: {cpu: %s}}}]}",
				cpu);
	memory_edit(&b->api, KIND_POD, "default", name, text);
}

static bool has_no_condition(struct bench *b, const char *name, const char *type)
{
	struct str reason;
	return !condition(pod(b, name), type, &reason).len;
}

#define ASKS(cpu) "containers: [{name: a, image: x, resources: {requests: {cpu: " cpu "}}}]"

static void pods_are_resized(void **state)
{
	struct bench b;
	setup(&b, false);
	until(&b, node_is_ready, "n1", "Ready");
	memory_apply(&b.api, POD("p", ASKS("\"1\"")));
	until(&b, has_cpu, "p", "1");
	cpu_edit(&b, "p", "1500m");
	until(&b, has_cpu, "p", "1500m");
	until(&b, has_no_condition, "p", "PodResizeInProgress");
	assert_int_equal(first(&b, "p")->restart_count, 0);
	cpu_edit(&b, "p", "64");
	until(&b, resize_waits, "p", "Infeasible");
	assert_true(has_cpu(&b, "p", "1500m"));
	cpu_edit(&b, "p", "2");
	until(&b, has_cpu, "p", "2");
	until(&b, has_no_condition, "p", "PodResizePending");
	teardown(&b);
}

static void resizes_wait_for_room(void **state)
{
	struct bench b;
	struct str reason;
	setup(&b, false);
	until(&b, node_is_ready, "n1", "Ready");
	memory_apply(&b.api, POD("big", ASKS("\"3\"")));
	memory_apply(&b.api, POD("p", ASKS("\"1\"")));
	until(&b, has_cpu, "p", "1");
	until(&b, has_cpu, "big", "3");
	cpu_edit(&b, "p", "2");
	until(&b, resize_waits, "p", "Deferred");
	for (uint32_t i = 0; i < pod(&b, "p")->status.conditions.count; i++)
		if (str_is(pod(&b, "p")->status.conditions.at[i].type, "PodResizePending"))
			assert_true(str_is(pod(&b, "p")->status.conditions.at[i].message,
					   "Node didn't have enough resource: cpu, requested: "
					   "2000, used: 3000, capacity: 4000"));
	cpu_edit(&b, "big", "1");
	until(&b, has_cpu, "p", "2");
	assert_int_equal(condition(pod(&b, "p"), "PodResizePending", &reason).len, 0);
	teardown(&b);
}

static bool has_restarted(struct bench *b, const char *name, const char *memory)
{
	const struct container_status *s = first(b, name);
	return s && s->restart_count == 1 && s->state.running && s->resources &&
	       str_is(str_map_cget(&s->resources->limits, "memory"), memory);
}

static void resizes_may_restart(void **state)
{
	struct bench b;
	setup(&b, false);
	until(&b, node_is_ready, "n1", "Ready");
	memory_apply(&b.api, POD("p", "containers: [{name: a, image: x, resizePolicy: "
				      "[{resourceName: memory, restartPolicy: RestartContainer}], "
				      "resources: {limits: {memory: 1Mi}}}]"));
	until(&b, phase_is, "p", "Running");
	memory_edit(&b.api, KIND_POD, "default", "p",
		    "spec: {containers: [{name: a, image: x, resizePolicy: [{resourceName: memory, "
		    "restartPolicy: RestartContainer}], resources: {limits: {memory: 2Mi}}}]}");
	until(&b, has_restarted, "p", "2Mi");
	until(&b, has_no_condition, "p", "PodResizeInProgress");
	teardown(&b);
}

static enum rc resize_rc;

static void refuse_resize(struct runtime *r, const struct runtime_resize *config,
			  struct runtime_call *call)
{
	runtime_call_finish(r->loop, call, err_set(&call->err, resize_rc, "it is too small"));
}

static bool resize_fails(struct bench *b, const char *name, const char *reason)
{
	struct str is = {};
	const struct pod *p = pod(b, name);
	return str_is(condition(p, "PodResizeInProgress", &is), "True") && str_is(is, reason);
}

/* The next agent begins again. */
static void resizes_may_fail(void **state)
{
	static struct runtime_ops ops;
	struct bench b;
	setup(&b, false);
	const struct runtime_ops *good = b.runtime->ops;
	ops = *good;
	ops.resize = refuse_resize;
	resize_rc = RC_CONFLICT;
	b.runtime->ops = &ops;
	until(&b, node_is_ready, "n1", "Ready");
	memory_apply(&b.api, POD("p", ASKS("\"1\"")));
	until(&b, has_cpu, "p", "1");
	cpu_edit(&b, "p", "2");
	until(&b, resize_fails, "p", "Error");
	const struct container_status *s = first(&b, "p");
	assert_true(str_is(str_map_cget(&s->resources->requests, "cpu"), "1"));
	assert_true(str_is(str_map_cget(&s->allocated_resources, "cpu"), "2"));
	node_agent_free(b.agent);
	b.runtime->ops = good;
	agent_start(&b);
	until(&b, has_cpu, "p", "2");
	until(&b, has_no_condition, "p", "PodResizeInProgress");
	teardown(&b);
}

static void crashes_back_off(void **state)
{
	struct bench b;
	setup(&b, false);
	memory_apply(&b.api, "kind: Pod\napiVersion: v1\nmetadata: {name: p, annotations: "
			     "{sim.skeg.dev/run-ms: \"5\", sim.skeg.dev/exit-code: \"1\"}}\n"
			     "spec: {nodeName: n1, containers: [{name: a, image: x}]}\n");
	until(&b, waits_for, "p", "CrashLoopBackOff");
	const struct pod *p = pod(&b, "p");
	const struct container_status *s = &p->status.container_statuses.at[0];
	assert_int_equal(s->restart_count, 1); /* the first restart is made at once */
	assert_int_equal(s->last_state.terminated->exit_code, 1);
	assert_true(str_is(s->state.waiting->message,
			   "back-off 10s restarting failed container=a pod=p_default(uid-p)"));
	assert_true(str_is(p->status.phase, "Running"));
	assert_condition(p, "Ready", "False", "ContainersNotReady");
	teardown(&b);
}

/* What becomes of a container that exits with 3, by rules, own policy and the pod's. */
static void restarts_follow_the_container(void **state)
{
	static const struct {
		const char *pod, *own;
		bool restarts;
	} rows[] = {
		{"Never", "restartPolicy: OnFailure", true},
		{"Always", "restartPolicy: Never", false},
		{"Never",
		 "restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: "
		 "{operator: In, values: [1, 3]}}]",
		 true},
		{"Never",
		 "restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: "
		 "{operator: NotIn, values: [3]}}]",
		 false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		setup(&b, false);
		CLEANUP(free_p)
		char *text =
			mem_printf("kind: Pod\napiVersion: v1\nmetadata: {name: p, "
				   "annotations: {sim.skeg.dev/run-ms: \"5\", "
				   "sim.skeg.dev/exit-code: \"3\"}}\nspec: {nodeName: n1, "
				   "restartPolicy: %s, containers: [{name: a, image: x, %s}]}\n",
				   rows[i].pod, rows[i].own);
		memory_apply(&b.api, text);
		if (rows[i].restarts)
			until(&b, waits_for, "p", "CrashLoopBackOff");
		else
			until(&b, phase_is, "p", "Failed");
		teardown(&b);
	}
}

/* ---- hooks ---- */

static bool is_ready(struct bench *b, const char *name, const char *unused)
{
	const struct container_status *s = first(b, name);
	return s && s->ready;
}

static int64_t gone_after_ms(struct bench *b, const char *lifecycle, int64_t grace_s)
{
	CLEANUP(free_p)
	char *text = mem_printf("kind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec: {nodeName: "
				"n1, containers: [{name: a, image: x, lifecycle: %s}]}\n",
				lifecycle);
	memory_apply(&b->api, text);
	until(b, is_ready, "p", "ready");
	memory_delete(&b->api, memory_find(&b->api, KIND_POD, STR("default"), STR("p")), grace_s);
	int64_t began_ms = world_mono_ms();
	until(b, is_gone, "p", "gone");
	return world_mono_ms() - began_ms;
}

static void hooks_come_before_the_end(void **state)
{
	static const struct {
		const char *lifecycle;
		int64_t grace_s, least_ms, most_ms;
	} rows[] = {
		{"{preStop: {exec: {command: [x]}}}", 30, 0, 1500},
		{"{preStop: {sleep: {seconds: 1}}}", 30, 1000, 2500},
		{"{preStop: {sleep: {seconds: 20}}}", 1, 1000, 2500}, /* it is over: SIGTERM */
		{"{preStop: {httpGet: {host: 127.0.0.1, port: 1}}}", 30, 0, 1500},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		setup(&b, true);
		int64_t took_ms = gone_after_ms(&b, rows[i].lifecycle, rows[i].grace_s);
		assert_in_range(took_ms, rows[i].least_ms, rows[i].most_ms);
		teardown(&b);
	}
}

/* A postStart hook that fails ends the container, which starts again. */
static void failed_start_hook_restarts(void **state)
{
	struct bench b;
	setup(&b, true);
	memory_apply(&b.api,
		     POD("p", "containers: [{name: a, image: x, lifecycle: {postStart: {tcpSocket: "
			      "{host: 127.0.0.1, port: 1}}}}]"));
	until(&b, waits_for, "p", "CrashLoopBackOff");
	assert_int_equal(first(&b, "p")->last_state.terminated->exit_code, 143);
	teardown(&b);
}

static bool sidecar_runs(struct bench *b, const char *name, const char *unused)
{
	const struct pod *p = pod(b, name);
	const struct container_status_array *list = &p->status.init_container_statuses;
	return list->count && list->at[0].state.running && list->at[0].started &&
	       *list->at[0].started;
}

/* It stays while the others run, and goes after them. */
static void sidecars_stay(void **state)
{
	struct bench b;
	setup(&b, true);
	memory_apply(&b.api, POD("p", "initContainers: [{name: s, image: x, restartPolicy: Always, "
				      "startupProbe: {exec: {command: [x]}, periodSeconds: 1}}], "
				      "containers: [{name: a, image: x}]"));
	until(&b, is_ready, "p", "ready");
	assert_true(sidecar_runs(&b, "p", NULL));
	const struct pod *p = pod(&b, "p");
	assert_true(p->status.init_container_statuses.at[0].state.running->started_at <=
		    p->status.container_statuses.at[0].state.running->started_at);
	assert_condition(p, "Initialized", "True", "");
	assert_condition(p, "Ready", "True", "");
	teardown(&b);
}

static void deadline_ends_a_pod(void **state)
{
	struct bench b;
	setup(&b, false);
	memory_apply(&b.api,
		     POD("p", "activeDeadlineSeconds: 1, containers: [{name: a, image: x}]"));
	until(&b, phase_is, "p", "Failed");
	assert_true(str_is(pod(&b, "p")->status.reason, "DeadlineExceeded"));
	teardown(&b);
}

/* ---- ends ---- */

static void deletion_is_completed(void **state)
{
	struct bench b;
	setup(&b, false);
	memory_apply(&b.api, POD("p", "containers: [{name: a, image: x}]"));
	until(&b, phase_is, "p", "Running");
	memory_delete(&b.api, memory_find(&b.api, KIND_POD, STR("default"), STR("p")), 30);
	until(&b, is_gone, "p", "gone");
	teardown(&b);
}

static void same_name_comes_back(void **state)
{
	struct bench b;
	setup(&b, false);
	memory_apply(&b.api, POD("p", "containers: [{name: a, image: x}]"));
	until(&b, phase_is, "p", "Running");
	memory_delete(&b.api, memory_find(&b.api, KIND_POD, STR("default"), STR("p")), 0);
	memory_apply(&b.api, "kind: Pod\napiVersion: v1\nmetadata: {name: p, uid: second}\n"
			     "spec: {nodeName: n1, containers: [{name: a, image: x}]}\n");
	until(&b, phase_is, "p", "Running");
	assert_true(str_is(pod(&b, "p")->metadata.uid, "second"));
	teardown(&b);
}

static void second_agent_changes_nothing(void **state)
{
	struct bench b;
	setup(&b, false);
	memory_apply(&b.api, POD("p", "containers: [{name: a, image: x}]"));
	until(&b, phase_is, "p", "Running");
	struct object *before = object_ref(memory_get(&b.api, KIND_POD, "default", "p"));
	node_agent_free(b.agent);
	agent_start(&b);
	until(&b, node_is_ready, "n1", "Ready");
	for (int i = 0; i < 30; i++)
		loop_run_once(b.loop, 5);
	assert_int_equal(memory_get(&b.api, KIND_POD, "default", "p")->revision, before->revision);
	object_unref(before);
	teardown(&b);
}

struct sandbox_count {
	struct runtime_call call;
	bool is_done;
};

static void counted(struct runtime_call *call)
{
	CONTAINER_OF(call, struct sandbox_count, call)->is_done = true;
}

static size_t sandboxes(struct bench *b)
{
	CLEANUP_ARENA a = {};
	struct sandbox_count k = {.call = {.done = counted}};
	struct str *uids;
	size_t count;
	b->runtime->ops->sandbox_list(b->runtime, &a, &uids, &count, &k.call);
	while (!k.is_done)
		loop_run_once(b->loop, 20);
	return count;
}

/* The agent is killed while a pod ends: the next one leaves nothing of it. */
static void end_is_completed_by_the_next(void **state)
{
	struct bench b;
	setup(&b, false);
	memory_apply(&b.api, POD("p", "containers: [{name: a, image: x}]"));
	until(&b, phase_is, "p", "Running");
	assert_int_equal(sandboxes(&b), 1);
	node_agent_free(b.agent);
	memory_delete(&b.api, memory_find(&b.api, KIND_POD, STR("default"), STR("p")), 30);
	agent_start(&b);
	until(&b, is_gone, "p", "gone");
	assert_int_equal(sandboxes(&b), 0);
	teardown(&b);
}

static void orphans_are_ended(void **state)
{
	struct bench b;
	setup(&b, false);
	memory_apply(&b.api, POD("p", "containers: [{name: a, image: x}]"));
	until(&b, phase_is, "p", "Running");
	node_agent_free(b.agent);
	memory_delete(&b.api, memory_find(&b.api, KIND_POD, STR("default"), STR("p")), 0);
	agent_start(&b);
	until(&b, node_is_ready, "n1", "Ready");
	for (int i = 0; i < 100 && sandboxes(&b); i++)
		loop_run_once(b.loop, 5);
	assert_int_equal(sandboxes(&b), 0);
	teardown(&b);
}

/* ---- as on a real node ---- */

static void secret_may_come_late(void **state)
{
	struct bench b;
	setup(&b, true);
	memory_apply(&b.api, POD("p", "containers: [{name: a, image: x, env: [{name: K, valueFrom: "
				      "{secretKeyRef: {name: late, key: k}}}]}]"));
	until(&b, waits_for, "p", "CreateContainerConfigError");
	assert_true(str_is(pod(&b, "p")->status.container_statuses.at[0].state.waiting->message,
			   "secret \"late\" not found"));
	memory_apply(&b.api, "kind: Secret\napiVersion: v1\nmetadata: {name: late}\n"
			     "data: {k: dg==}\n");
	until(&b, phase_is, "p", "Running");
	teardown(&b);
}

static void root_is_refused(void **state)
{
	struct bench b;
	setup(&b, true);
	memory_apply(&b.api, POD("p", "securityContext: {runAsNonRoot: true, runAsUser: 0}, "
				      "containers: [{name: a, image: x}]"));
	until(&b, waits_for, "p", "CreateContainerConfigError");
	assert_true(str_is(pod(&b, "p")->status.container_statuses.at[0].state.waiting->message,
			   "container's runAsUser breaks non-root policy (pod: "
			   "\"p_default(uid-p)\", container: a)"));
	teardown(&b);
}

static bool file_says(struct bench *b, const char *path, const char *text)
{
	CLEANUP_ARENA a = {};
	struct str bytes;
	return file_read(path, 4096, &a, &bytes, NULL) == RC_OK && str_is(bytes, text);
}

static void config_map_is_followed(void **state)
{
	struct bench b;
	setup(&b, true);
	memory_apply(&b.api, "kind: ConfigMap\napiVersion: v1\nmetadata: {name: cm}\n"
			     "data: {color: red}\n---\n" POD(
				     "p", "containers: [{name: a, image: x}], volumes: [{name: v, "
					  "configMap: {name: cm}}]"));
	until(&b, phase_is, "p", "Running");
	CLEANUP(free_p)
	char *path = mem_printf("%s/pods/uid-p/volumes/kubernetes.io~configmap/v/color", b.folder);
	until(&b, file_says, path, "red");
	CLEANUP_ARENA a = {};
	struct client_reply reply = {};
	struct json *patch;
	assert_int_equal(json_parse(&a, STR("{\"data\":{\"color\":\"blue\"}}"), &patch, NULL, NULL),
			 RC_OK);
	memory_patch(&b.api, memory_find(&b.api, KIND_CONFIG_MAP, STR("default"), STR("cm")), patch,
		     &reply);
	until(&b, file_says, path, "blue");
	memory_delete(&b.api, memory_find(&b.api, KIND_POD, STR("default"), STR("p")), 1);
	until(&b, is_gone, "p", "gone");
	assert_false(file_exists(path));
	teardown(&b);
}

static void probes_decide(void **state)
{
	struct bench b;
	setup(&b, true);
	/* The fake's exec always succeeds; nobody listens on this port. */
	memory_apply(&b.api,
		     POD("p",
			 "containers: [{name: good, image: x, readinessProbe: {exec: {command: "
			 "[x]}, periodSeconds: 1}}, {name: bad, image: x, readinessProbe: "
			 "{tcpSocket: {host: 127.0.0.1, port: 1}, periodSeconds: 1}}]"));
	until(&b, phase_is, "p", "Running");
	for (int i = 0; i < 100 && !pod(&b, "p")->status.container_statuses.at[0].ready; i++)
		loop_run_once(b.loop, 20);
	const struct pod *p = pod(&b, "p");
	assert_true(p->status.container_statuses.at[0].ready);
	assert_false(p->status.container_statuses.at[1].ready);
	assert_condition(p, "Ready", "False", "ContainersNotReady");
	teardown(&b);
}

/* ---- the end of an agent while a pod is busy ---- */

static struct runtime_ops held_ops;
static struct runtime_call *held;

static void hold_pull(struct runtime *r, const struct runtime_pull_config *config, struct arena *a,
		      struct runtime_pull_result *ret_result, struct runtime_call *call)
{
	held = call;
}

static void hold_create(struct runtime *r, const struct runtime_container_config *config,
			char ret_id[RUNTIME_ID_MAX], struct runtime_call *call)
{
	held = call;
}

static bool is_held(struct bench *b, const char *name, const char *unused)
{
	return held != NULL;
}

static void held_setup(struct bench *b, const char *policy)
{
	setup(b, false);
	held = NULL;
	held_ops = *b->runtime->ops;
	held_ops.image_pull = hold_pull;
	held_ops.create = hold_create;
	b->runtime->ops = &held_ops;
	CLEANUP(free_p)
	char *text = mem_printf("kind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec: {nodeName: "
				"n1, containers: [{name: a, image: x, imagePullPolicy: %s}]}\n",
				policy);
	memory_apply(&b->api, text);
	until(b, is_held, "p", "busy");
}

static void on_stopped(void *ctx)
{
	*(bool *)ctx = true;
}

static bool is_let_go(struct bench *b, const char *is_stopped, const char *unused)
{
	return *(const bool *)is_stopped;
}

/* A pull is left alone; what is short is waited for, and nothing follows it. */
static void stopping_waits_for_what_ends(void **state)
{
	static const struct {
		const char *policy;
		bool waits;
	} rows[] = {{"Always", false}, {"IfNotPresent", true}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;
		bool is_stopped = false;
		held_setup(&b, rows[i].policy);
		node_agent_stop(b.agent, true, on_stopped, &is_stopped);
		for (int k = 0; k < 10; k++)
			loop_run_once(b.loop, 5);
		assert_int_equal(is_stopped, !rows[i].waits);
		runtime_call_finish(b.loop, held, err_set(&held->err, RC_IO, "it fails"));
		until(&b, is_let_go, (const char *)&is_stopped, "stopped");
		for (int k = 0; k < 10; k++)
			loop_run_once(b.loop, 5);
		assert_true(phase_is(&b, "p", "Pending"));
		teardown(&b);
	}
}

static void deletion_does_not_wait_for_a_pull(void **state)
{
	struct bench b;
	held_setup(&b, "Always");
	size_t at = memory_find(&b.api, KIND_POD, STR("default"), STR("p"));
	memory_delete(&b.api, at, 30);
	until(&b, is_gone, "p", "gone");
	runtime_call_finish(b.loop, held, RC_OK);
	for (int k = 0; k < 10; k++)
		loop_run_once(b.loop, 5);
	teardown(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(node_registers),
		cmocka_unit_test(node_is_adopted),
		cmocka_unit_test(pod_runs),
		cmocka_unit_test(pods_complete),
		cmocka_unit_test(init_containers_come_first),
		cmocka_unit_test(ephemeral_containers_join),
		cmocka_unit_test(ephemeral_containers_end_once),
		cmocka_unit_test(stopping_waits_for_what_ends),
		cmocka_unit_test(deletion_does_not_wait_for_a_pull),
		cmocka_unit_test(pods_are_resized),
		cmocka_unit_test(resizes_wait_for_room),
		cmocka_unit_test(resizes_may_restart),
		cmocka_unit_test(resizes_may_fail),
		cmocka_unit_test(crashes_back_off),
		cmocka_unit_test(restarts_follow_the_container),
		cmocka_unit_test(hooks_come_before_the_end),
		cmocka_unit_test(failed_start_hook_restarts),
		cmocka_unit_test(sidecars_stay),
		cmocka_unit_test(deadline_ends_a_pod),
		cmocka_unit_test(deletion_is_completed),
		cmocka_unit_test(same_name_comes_back),
		cmocka_unit_test(second_agent_changes_nothing),
		cmocka_unit_test(end_is_completed_by_the_next),
		cmocka_unit_test(orphans_are_ended),
		cmocka_unit_test(secret_may_come_late),
		cmocka_unit_test(root_is_refused),
		cmocka_unit_test(config_map_is_followed),
		cmocka_unit_test(probes_decide),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
