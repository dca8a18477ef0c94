#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/fair_queue.h"

#define REQUESTS 64

static struct fair_levels all;
static struct fair_request requests[REQUESTS];
static int order[REQUESTS], ran;

static void note_run(struct fair_request *q)
{
	order[ran++] = (int)(q - requests);
}

static void begin_test(uint32_t seats)
{
	fair_levels_init(&all, seats);
	ran = 0;
	for (int i = 0; i < REQUESTS; i++)
		requests[i] = (struct fair_request){.on_run = note_run};
}

static struct fair_level *level(const char *name, struct fair_limits limits)
{
	fair_level_set(&all, str_of(name), &limits);
	return fair_level_find(&all, str_of(name));
}

static enum fair_place begin(struct fair_level *l, int i, uint64_t flow, uint32_t seats)
{
	return fair_begin(&all, l, &requests[i], flow, seats);
}

static struct fair_counts counts_of(const char *name)
{
	struct fair_counts counts[8];
	size_t count = fair_counts(&all, counts, 8);
	for (size_t i = 0; i < count; i++)
		if (str_is(counts[i].name, name))
			return counts[i];
	fail_msg("no level %s", name);
	return counts[0];
}

static const struct fair_limits queued = {
	.shares = 10, .borrowing_percent = UINT32_MAX, .queues = 8, .hand = 2, .queue_length = 3};

static void test_shares_become_seats(void **state)
{
	begin_test(600);
	level("low", (struct fair_limits){.shares = 100});
	level("high", (struct fair_limits){.shares = 40});
	level("rest", (struct fair_limits){.shares = 5});
	level("exempt", (struct fair_limits){.is_exempt = true});
	fair_levels_settle(&all);
	assert_int_equal(counts_of("low").seats, 414); /* rounded up, as upstream does */
	assert_int_equal(counts_of("high").seats, 166);
	assert_int_equal(counts_of("rest").seats, 21);
	assert_int_equal(counts_of("exempt").seats, 0);
	fair_levels_done(&all);
}

static void test_who_finds_no_seat_waits_and_then_runs(void **state)
{
	begin_test(2);
	struct fair_level *l = level("a", queued);
	fair_levels_settle(&all);
	assert_int_equal(begin(l, 0, 1, 1), FAIR_RUNS);
	assert_int_equal(begin(l, 1, 1, 1), FAIR_RUNS);
	assert_int_equal(begin(l, 2, 1, 1), FAIR_WAITS);
	assert_int_equal(begin(l, 3, 1, 2), FAIR_WAITS); /* two seats */
	fair_end(&all, &requests[0]);
	assert_int_equal(requests[2].place, FAIR_RUNS);
	fair_end(&all, &requests[1]);
	assert_int_equal(requests[3].place, FAIR_WAITS); /* one seat is not enough */
	fair_end(&all, &requests[2]);
	assert_int_equal(requests[3].place, FAIR_RUNS);
	assert_int_equal(counts_of("a").seats_in_use, 2);
	fair_end(&all, &requests[3]);
	assert_int_equal(counts_of("a").running, 0);
	fair_levels_done(&all);
}

static void test_full_hands_refuse(void **state)
{
	begin_test(1);
	struct fair_level *l = level("a", queued),
			  *reject = level("b", (struct fair_limits){.shares = 0});
	fair_levels_settle(&all);
	int waits = 0, refused = 0;
	for (int i = 0; i < 12; i++) {
		enum fair_place place = begin(l, i, 77, 1);
		waits += place == FAIR_WAITS;
		refused += place == FAIR_NOWHERE;
	}
	assert_int_equal(waits, 2 * 3); /* a hand of two queues of three */
	assert_int_equal(refused, 12 - 6 - 1);
	assert_int_equal(begin(l, 20, 1234567, 1), FAIR_WAITS); /* another flow has its own hand */
	assert_int_equal(begin(reject, 30, 1, 1), FAIR_RUNS);	/* the first always runs */
	assert_int_equal(begin(reject, 31, 1, 1), FAIR_NOWHERE);
	assert_int_equal(counts_of("b").rejected, 1);
	for (int i = 0; i < REQUESTS; i++)
		if (requests[i].level)
			fair_end(&all, &requests[i]);
	fair_levels_done(&all);
}

/* A flood of one flow must not delay the single request of another by more than one turn. */
static void test_flows_take_turns(void **state)
{
	begin_test(1);
	struct fair_limits wide = queued;
	wide.hand = 1;
	wide.queue_length = 50;
	struct fair_level *l = level("a", wide);
	fair_levels_settle(&all);
	assert_int_equal(begin(l, 0, 0, 1), FAIR_RUNS);
	for (int i = 1; i <= 20; i++)
		assert_int_equal(begin(l, i, 0, 1), FAIR_WAITS);
	assert_int_equal(begin(l, 21, 1, 1), FAIR_WAITS);
	for (int next = 0, i = 0; i < 3; i++) {
		fair_end(&all, &requests[next]);
		next = order[ran - 1];
	}
	assert_true(order[0] == 21 || order[1] == 21 || order[2] == 21);
	while (ran < 21)
		fair_end(&all, &requests[order[ran - 1]]);
	fair_end(&all, &requests[order[ran - 1]]);
	fair_levels_done(&all);
}

static void test_seats_are_lent_and_taken_back(void **state)
{
	begin_test(20);
	struct fair_limits generous = queued, lender = queued;
	lender.lendable_percent = 50;
	generous.borrowing_percent = 30;
	struct fair_level *a = level("borrower", generous), *b = level("lender", lender);
	fair_levels_settle(&all);
	for (int i = 0; i < 13; i++)
		assert_int_equal(begin(a, i, 5, 1), FAIR_RUNS); /* ten own, three borrowed */
	assert_int_equal(begin(a, 13, 5, 1), FAIR_WAITS);	/* its limit is 30 percent */
	for (int i = 20; i < 30; i++)
		assert_int_equal(begin(b, i, 6, 1), FAIR_RUNS); /* its own at once */
	fair_end(&all, &requests[0]);
	assert_int_equal(requests[13].place, FAIR_WAITS); /* nothing is lent now */
	for (int i = 20; i < 25; i++)
		fair_end(&all, &requests[i]);
	assert_int_equal(requests[13].place, FAIR_RUNS);
	for (int i = 0; i < REQUESTS; i++)
		if (requests[i].place == FAIR_RUNS)
			fair_end(&all, &requests[i]);
	fair_levels_done(&all);
}

static void test_a_removed_level_goes_with_its_last_request(void **state)
{
	begin_test(2);
	struct fair_level *a = level("a", queued);
	level("b", queued);
	fair_levels_settle(&all);
	assert_int_equal(begin(a, 0, 1, 1), FAIR_RUNS);
	assert_int_equal(begin(a, 1, 1, 1), FAIR_WAITS);
	level("b", queued);
	fair_levels_settle(&all);
	assert_non_null(fair_level_find(&all, STR("a")));
	fair_end(&all, &requests[0]);
	assert_int_equal(requests[1].place, FAIR_RUNS);
	fair_end(&all, &requests[1]);
	assert_null(fair_level_find(&all, STR("a")));
	fair_levels_done(&all);
}

static void test_who_waits_survives_other_queues_and_may_leave(void **state)
{
	begin_test(1);
	struct fair_level *a = level("a", queued);
	fair_levels_settle(&all);
	for (int i = 0; i < 5; i++)
		begin(a, i, 9, 1);
	struct fair_limits fewer = queued;
	fewer.queues = 0;
	level("a", fewer);
	fair_levels_settle(&all);
	assert_int_equal(counts_of("a").waiting, 4);
	fair_end(&all, &requests[3]); /* gives up */
	assert_int_equal(counts_of("a").waiting, 3);
	fair_end(&all, &requests[0]);
	for (int i = 0; i < 3; i++)
		fair_end(&all, &requests[order[i]]);
	assert_int_equal(ran, 3);
	fair_levels_done(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_become_seats),
		cmocka_unit_test(test_who_finds_no_seat_waits_and_then_runs),
		cmocka_unit_test(test_full_hands_refuse),
		cmocka_unit_test(test_flows_take_turns),
		cmocka_unit_test(test_seats_are_lent_and_taken_back),
		cmocka_unit_test(test_a_removed_level_goes_with_its_last_request),
		cmocka_unit_test(test_who_waits_survives_other_queues_and_may_leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
