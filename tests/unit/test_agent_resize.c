/* agent: pods that are resized while they run. */
#include "agent_bench.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pods_are_resized),
		cmocka_unit_test(resizes_wait_for_room),
		cmocka_unit_test(resizes_may_restart),
		cmocka_unit_test(resizes_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
