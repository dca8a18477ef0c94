/* agent: pods that end, and agents that end before them. */
#include "agent_bench.h"

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
		cmocka_unit_test(deletion_is_completed),
		cmocka_unit_test(same_name_comes_back),
		cmocka_unit_test(second_agent_changes_nothing),
		cmocka_unit_test(end_is_completed_by_the_next),
		cmocka_unit_test(orphans_are_ended),
		cmocka_unit_test(stopping_waits_for_what_ends),
		cmocka_unit_test(deletion_does_not_wait_for_a_pull),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
