#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>

#include "node/runtime_fake.h"

static struct loop *loop;
static struct runtime *runtime;
static struct runtime_listener listener;
static int exits, exit_code;
static bool is_done;

static void exited_on(struct runtime_listener *l, const struct runtime_container_status *status)
{
	exits++;
	exit_code = status->exit_code;
	assert_int_equal(status->state, RUNTIME_EXITED);
	assert_true(status->finished_us >= status->started_us);
}

static void call_done(struct runtime_call *call)
{
	is_done = true;
}

static struct runtime_call call = {.done = call_done};

static enum rc await(void)
{
	assert_false(is_done); /* never from inside the call */
	while (!is_done)
		loop_run_once(loop, 100);
	is_done = false;
	return call.rc;
}

static void container_start(const struct runtime_container_config *config, char *id)
{
	int64_t started_us = 0;
	runtime->ops->create(runtime, config, id, &call);
	assert_int_equal(await(), RC_OK);
	assert_int_equal(strlen(id), 64);
	runtime->ops->start(runtime, str_of(id), &started_us, &call);
	assert_int_equal(await(), RC_OK);
	assert_true(started_us > 0);
}

static void until_exits(int count)
{
	while (exits < count)
		loop_run_once(loop, 100);
}

static const struct runtime_container_config plain = {
	.pod_uid = STR_INIT("u"),
	.name = STR_INIT("app"),
	.resources = {.memory_request_bytes = 1000},
};

static void test_killed(void **state)
{
	char id[RUNTIME_ID_MAX];
	struct arena arena = {};
	struct runtime_container_list list;
	struct runtime_stats stats;
	struct runtime_exec_result *result = NEW(struct runtime_exec_result);
	const struct str argv[] = {STR("x")};
	container_start(&plain, id);
	runtime->ops->list(runtime, &arena, &list, &call);
	assert_int_equal(await(), RC_OK);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].state, RUNTIME_RUNNING);
	runtime->ops->stats(runtime, str_of(id), &stats, &call);
	assert_int_equal(await(), RC_OK);
	assert_int_equal(stats.memory_working_set_bytes, 1000);
	runtime->ops->exec_sync(runtime, str_of(id), argv, 1, 1000, result, &call);
	assert_int_equal(await(), RC_OK);
	assert_int_equal(result->exit_code, 0);
	runtime->ops->kill(runtime, str_of(id), SIGTERM, &call);
	assert_int_equal(await(), RC_OK);
	until_exits(1);
	assert_int_equal(exit_code, 143);
	runtime->ops->remove(runtime, str_of(id), &call);
	assert_int_equal(await(), RC_OK);
	runtime->ops->start(runtime, str_of(id), &stats.time_us, &call);
	assert_int_equal(await(), RC_NOT_FOUND);
	free(result);
	arena_done(&arena);
}

static void test_ends_by_itself(void **state)
{
	char id[RUNTIME_ID_MAX];
	const struct runtime_name_value notes[] = {
		{STR_INIT(FAKE_ANNOTATION_RUN_MS), STR_INIT("5")},
		{STR_INIT(FAKE_ANNOTATION_EXIT_CODE), STR_INIT("3")},
	};
	struct runtime_container_config config = plain;
	config.annotations = notes;
	config.annotation_count = 2;
	int before = exits;
	container_start(&config, id);
	until_exits(before + 1);
	assert_int_equal(exit_code, 3);
}

static void test_sandboxes(void **state)
{
	struct runtime_sandbox sandbox;
	struct runtime_sandbox_config config = {.pod_uid = STR("one")};
	struct arena arena = {};
	struct str *uids;
	size_t count;
	runtime->ops->sandbox_create(runtime, &config, &sandbox, &call);
	assert_int_equal(await(), RC_OK);
	assert_false(sandbox.was_there);
	runtime->ops->sandbox_create(runtime, &config, &sandbox, &call);
	assert_int_equal(await(), RC_OK);
	assert_true(sandbox.was_there);
	runtime->ops->sandbox_list(runtime, &arena, &uids, &count, &call);
	assert_int_equal(await(), RC_OK);
	assert_int_equal(count, 1);
	assert_true(str_is(uids[0], "one"));
	runtime->ops->sandbox_remove(runtime, STR("one"), &call);
	assert_int_equal(await(), RC_OK);
	runtime->ops->sandbox_list(runtime, &arena, &uids, &count, &call);
	assert_int_equal(await(), RC_OK);
	assert_int_equal(count, 0);
	arena_done(&arena);
}

/* A start that is under way when the container goes is answered. */
static void test_removed_while_starting(void **state)
{
	char id[RUNTIME_ID_MAX];
	int64_t started_us = 0;
	struct runtime_call start = {.done = call_done};
	runtime->ops->create(runtime, &plain, id, &call);
	assert_int_equal(await(), RC_OK);
	runtime->ops->start(runtime, str_of(id), &started_us, &start);
	runtime->ops->remove(runtime, str_of(id), &call);
	assert_int_equal(await(), RC_OK);
	loop_run_once(loop, 10);
	assert_int_equal(start.rc, RC_NOT_FOUND);
	is_done = false;
}

static int setup(void **state)
{
	loop = loop_new();
	listener.exited = exited_on;
	runtime = runtime_fake_new(loop, 2, &listener);
	return 0;
}

static int teardown(void **state)
{
	runtime->ops->free(runtime);
	loop_free(loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_ends_by_itself),
		cmocka_unit_test(test_sandboxes),
		cmocka_unit_test(test_removed_while_starting),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
