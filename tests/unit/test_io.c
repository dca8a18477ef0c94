/* io: the loop's queues and timers, the world's seams. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"

struct note {
	struct loop_msg msg;
	struct loop *loop;
	int value;
};

static int seen[4000];
static int seen_count;

static void note_on(struct loop_msg *msg)
{
	struct note *n = CONTAINER_OF(msg, struct note, msg);
	seen[seen_count++] = n->value;
	if (n->value < 0)
		loop_stop(n->loop);
}

static void *post_many(void *arg)
{
	struct note *notes = arg;
	for (int i = 0; i < 1000; i++)
		loop_post(notes[i].loop, &notes[i].msg);
	return NULL;
}

static void test_post_keeps_order(void **state)
{
	struct loop *loop = loop_new();
	static struct note notes[1000];
	for (int i = 0; i < 1000; i++)
		notes[i] = (struct note){{.fn = note_on}, loop, i == 999 ? -1 : i};
	seen_count = 0;
	pthread_t thread;
	pthread_create(&thread, NULL, post_many, notes);
	loop_run(loop);
	pthread_join(thread, NULL);
	assert_int_equal(seen_count, 1000);
	for (int i = 0; i < 999; i++)
		assert_int_equal(seen[i], i);
	loop_free(loop);
}

static void test_what_has_no_owner_ends_with_the_loop(void **state)
{
	struct loop *loop = loop_new();
	struct note kept = {{.fn = note_on}, loop, 7}, gone = {{.fn = note_on}, loop, 8};
	seen_count = 0;
	loop_at_end(loop, &kept.msg);
	loop_at_end(loop, &gone.msg);
	loop_run_once(loop, 0);
	assert_int_equal(seen_count, 0);
	loop_defer_cancel(&gone.msg);
	loop_free(loop);
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0], 7);
}

struct tick {
	struct loop_timer timer;
	struct loop *loop;
	int value;
};

static void tick_on(struct loop_timer *timer)
{
	struct tick *t = CONTAINER_OF(timer, struct tick, timer);
	seen[seen_count++] = t->value;
	if (t->value < 0)
		loop_stop(t->loop);
}

static int64_t stopped_us;

static int64_t stopped_clock(void)
{
	return stopped_us;
}

static void no_random(void *out, size_t len)
{
	memset(out, 0, len);
}

static void test_timers_by_due_time(void **state)
{
	struct loop *loop = loop_new();
	struct tick ticks[40] = {};
	static const struct world_ops stopped = {stopped_clock, stopped_clock, no_random};
	seen_count = 0;
	/* All start at one moment: what a busy machine does between two starts is not the subject.
	 */
	stopped_us = world_mono_us();
	world_set(&stopped);
	for (int i = 0; i < 40; i++) {
		int delay = (i * 7) % 40;
		ticks[i].loop = loop;
		ticks[i].value = delay == 39 ? -1 : delay;
		loop_timer_start(loop, &ticks[i].timer, delay, tick_on);
	}
	for (int i = 0; i < 40; i += 2) /* every even delay goes again, most come back later */
		if (ticks[i].value % 4 == 0)
			loop_timer_stop(&ticks[i].timer);
	loop_timer_stop(&ticks[0].timer);
	world_set(NULL);
	loop_run(loop);
	for (int i = 1; i < seen_count - 1; i++)
		assert_true(seen[i - 1] < seen[i]);
	for (int i = 0; i < seen_count - 1; i++)
		assert_int_not_equal(seen[i] % 4, 0);
	assert_int_equal(seen_count, 30);
	loop_free(loop);
}

static void again_on(struct loop_msg *msg)
{
	struct note *n = CONTAINER_OF(msg, struct note, msg);
	seen[seen_count++] = n->value;
	if (++n->value < 3)
		loop_defer(n->loop, &n->msg);
	else
		loop_stop(n->loop);
}

static void test_defer_may_defer(void **state)
{
	struct loop *loop = loop_new();
	struct note n = {{.fn = again_on}, loop, 0};
	seen_count = 0;
	loop_defer(loop, &n.msg);
	loop_defer(loop, &n.msg);
	loop_run(loop);
	assert_int_equal(seen_count, 3);
	loop_defer(loop, &n.msg);
	loop_defer_cancel(&n.msg);
	loop_run_once(loop, 0);
	assert_int_equal(seen_count, 3);
	loop_free(loop);
}

static pthread_t worker;

static void work_on(struct loop_work *work)
{
	worker = pthread_self();
}

static struct loop *work_loop;

static void work_done_on(struct loop_work *work)
{
	assert_true(loop_is_current(work_loop));
	loop_stop(work_loop);
}

static void test_work_runs_elsewhere(void **state)
{
	work_loop = loop_new();
	struct loop_work work = {.work = work_on, .done = work_done_on};
	loop_work_start(work_loop, &work);
	loop_run(work_loop);
	assert_false(pthread_equal(worker, pthread_self()));
	assert_false(loop_is_current(work_loop));
	loop_free(work_loop);
}

static int64_t fixed_us(void)
{
	return 42;
}

static void fixed_random(void *out, size_t len)
{
	memset(out, 0xff, len);
}

static void test_world_can_be_replaced(void **state)
{
	static const struct world_ops fake = {fixed_us, fixed_us, fixed_random};
	char a[37], b[37];
	world_uuid(a);
	world_uuid(b);
	assert_string_not_equal(a, b);
	assert_int_equal(a[14], '4');
	world_set(&fake);
	world_uuid(a);
	assert_string_equal(a, "ffffffff-ffff-4fff-bfff-ffffffffffff");
	assert_int_equal(world_mono_us(), 42);
	world_set(NULL);
	assert_true(world_wall_us() > 1600000000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_post_keeps_order),
		cmocka_unit_test(test_what_has_no_owner_ends_with_the_loop),
		cmocka_unit_test(test_timers_by_due_time),
		cmocka_unit_test(test_defer_may_defer),
		cmocka_unit_test(test_work_runs_elsewhere),
		cmocka_unit_test(test_world_can_be_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
