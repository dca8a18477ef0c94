/* agent: the node, pods and their containers, hooks, volumes, probes. */
#include "agent_bench.h"

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

static bool has_told(struct bench *b, const char *arg, const char *text)
{
	return strcmp(b->api.event, text) == 0;
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
	until(&b, has_told, "",
	      "Unhealthy: Readiness probe failed: dial tcp 127.0.0.1:1: connect: connection "
	      "refused");
	for (int i = 0; i < 100 && !pod(&b, "p")->status.container_statuses.at[0].ready; i++)
		loop_run_once(b.loop, 20);
	const struct pod *p = pod(&b, "p");
	assert_true(p->status.container_statuses.at[0].ready);
	assert_false(p->status.container_statuses.at[1].ready);
	assert_condition(p, "Ready", "False", "ContainersNotReady");
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
		cmocka_unit_test(crashes_back_off),
		cmocka_unit_test(restarts_follow_the_container),
		cmocka_unit_test(hooks_come_before_the_end),
		cmocka_unit_test(failed_start_hook_restarts),
		cmocka_unit_test(sidecars_stay),
		cmocka_unit_test(deadline_ends_a_pod),
		cmocka_unit_test(secret_may_come_late),
		cmocka_unit_test(root_is_refused),
		cmocka_unit_test(config_map_is_followed),
		cmocka_unit_test(probes_decide),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
