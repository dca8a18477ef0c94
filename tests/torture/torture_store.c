/* The store under faults of the disk: for every n, the n-th write or sync fails, or the machine
 * stops there; afterwards the disk must hold what was acknowledged, and nothing that was refused.
 * And no reply and no event may come before the sync that covers it. */
#include "base/log.h"
#include "fault_vfs.h"
#include "store_fixture.h"

#define KEYS  6
#define STEPS 40

/* --- a workload that remembers what it was told --- */

struct step {
	struct waiter waiter;
	int key, value; /* -1: a delete */
	bool is_accepted;
};

struct work {
	struct fixture f;
	struct step steps[STEPS];
	int step_count;
	int64_t revision_max; /* seen by anybody */
	struct cursor cursor;
	int first_value; /* markers are never used again */
};

static void step_done(struct store_ticket *ticket)
{
	struct step *s = CONTAINER_OF(ticket, struct step, waiter.ticket);
	waiter_done(ticket);
	if (ticket->rc == RC_OK && s->value >= 0)
		assert_true(fault_is_durable(s->value));
}

static void read_events(struct work *w)
{
	struct store_event e[4];
	size_t count;
	do {
		if (store_cursor_read(w->f.store, &w->cursor, e, 4, &count, NULL) != RC_OK)
			return;
		for (size_t i = 0; i < count; i++) {
			if (e[i].new)
				assert_true(fault_is_durable(object_value(e[i].new)));
			w->revision_max = MAX(w->revision_max, e[i].revision);
			store_event_done(&e[i]);
		}
	} while (count > 0);
}

/* Several steps a turn of the loop, so that groups and dependent writes occur. */
static void submit(struct work *w, int i)
{
	static const char *const names[KEYS] = {"a", "b", "c", "d", "e", "f"};
	struct step *s = &w->steps[w->step_count++];
	const char *name = names[(i * 7) % KEYS];
	bool is_delete = i % 5 == 4;
	*s = (struct step){.waiter.ticket.done = step_done,
			   .key = (i * 7) % KEYS,
			   .value = is_delete ? -1 : w->first_value + i};
	s->is_accepted = (is_delete ? drop(&w->f, KIND_POD, "n", name, EXPECT_ANY, &s->waiter)
				    : put(&w->f, KIND_POD, "n", name, s->value, EXPECT_ANY,
					  &s->waiter)) == RC_OK;
}

static void run(struct work *w)
{
	assert_int_equal(store_cursor_open(w->f.store, KIND_POD, revision(&w->f), &w->cursor, NULL),
			 RC_OK);
	for (int i = 0; i < STEPS; i++) {
		submit(w, i);
		if (i % 3 != 2)
			continue;
		for (int wait = 0; wait < 100 && !w->steps[i].waiter.is_done; wait++) {
			if (!w->steps[i].is_accepted)
				break;
			loop_run_once(w->f.loop, i % 2 ? 10 : 0);
			read_events(w);
		}
	}
	w->revision_max = MAX(w->revision_max, revision(&w->f));
}

/* --- what the disk must hold afterwards --- */

/* The value that a key had when everything acknowledged was done; later ones whose outcome nobody
 * knows are allowed too. */
static bool is_allowed(const struct work *w, int key, int value)
{
	int sure = -1;
	for (int i = 0; i < w->step_count; i++)
		if (w->steps[i].key == key && w->steps[i].is_accepted &&
		    w->steps[i].waiter.is_done && w->steps[i].waiter.ticket.rc == RC_OK)
			sure = i;
	if (value == (sure < 0 ? -1 : w->steps[sure].value))
		return true;
	if (w->f.fatal_count == 0)
		return false; /* an error other than a fatal one means: not kept */
	for (int i = sure + 1; i < w->step_count; i++)
		if (w->steps[i].key == key && w->steps[i].is_accepted && w->steps[i].value == value)
			return true;
	return false;
}

static void check(struct work *w, enum fault fault, int n)
{
	static const char *const names[KEYS] = {"a", "b", "c", "d", "e", "f"};
	fixture_open(&w->f);
	if (revision(&w->f) < w->revision_max)
		fail_msg("fault %d at %d: revision went back", fault, n);
	for (int key = 0; key < KEYS; key++) {
		int value = get(&w->f, KIND_POD, "n", names[key]);
		if (!is_allowed(w, key, value))
			fail_msg("fault %d at %d: '%s' is %d", fault, n, names[key], value);
	}
	int64_t after = put_wait(&w->f, KIND_SECRET, "n", "after", 1, EXPECT_ANY);
	assert_true(after > w->revision_max);
	fixture_close(&w->f);
}

/* Every fourth run has the store's own thread; how many operations it makes depends on how many
 * writes its transactions happen to take along.  The others are the same each time. */
static bool is_inline(int n)
{
	return n % 4 != 0;
}

/* Was the n-th operation reached?  base: a folder to begin with, NULL: a new database. */
static bool strike_once(enum fault fault, int n, const char *base)
{
	static int run_count;
	struct work w = {.f = {.is_sqlite = true, .is_inline = is_inline(n), .vfs = FAULT_VFS}};
	w.first_value = run_count++ % 1000 * STEPS;
	if (base)
		folder_copy(base, w.f.folder);
	else
		folder_make(w.f.folder);
	fault_plan(fault, n);
	w.f.loop = loop_new();
	if (fixture_try_open(&w.f) == RC_OK) {
		run(&w);
		store_close(TAKE_PTR(w.f.store));
	}
	loop_run_once(w.f.loop, 0);
	loop_free(TAKE_PTR(w.f.loop));
	bool has_struck = fault_has_struck();
	fault_settle((unsigned)n);
	check(&w, fault, n);
	folder_remove(w.f.folder);
	return has_struck;
}

/* Ends at the first operation that a run without a thread does not reach. */
static void strike_from(enum fault fault, int n, int stride, const char *base)
{
	int places = 0;
	for (;; n += stride) {
		bool has_struck = strike_once(fault, n, base);
		if (!has_struck && is_inline(n))
			break;
		places += has_struck;
		assert_true(places < 5000);
	}
	print_message("             %d places\n", places);
	assert_true(places > 15); /* it did reach the work */
}

static void strike_all(enum fault fault)
{
	strike_from(fault, 1, 1, NULL);
}

static void test_disk_full_at_every_write(void **state)
{
	strike_all(FAULT_FULL_ONCE);
}

static void test_disk_full_from_every_write_on(void **state)
{
	strike_all(FAULT_FULL_FOREVER);
}

static void test_write_error_at_every_write(void **state)
{
	strike_all(FAULT_WRITE_EIO);
}

static void test_sync_error_at_every_sync(void **state)
{
	strike_all(FAULT_SYNC_EIO);
}

static void test_crash_at_every_operation(void **state)
{
	strike_all(FAULT_CRASH);
}

static void test_torn_crash_at_every_operation(void **state)
{
	strike_all(FAULT_CRASH_TORN);
}

/* A full ring and large objects, so that each commit compacts and checkpoints come. */
static void make_long_history(char folder[64])
{
	struct fixture f = {.is_sqlite = true};
	folder_make(folder);
	snprintf(f.folder, sizeof(f.folder), "%s", folder);
	fixture_open(&f);
	for (int i = 0; i < STORE_RING_EVENTS + 100; i++)
		while (put(&f, KIND_SECRET, "n", i % 2 ? "x" : "y", 1, EXPECT_ANY, NULL) != RC_OK)
			loop_run_once(f.loop, 1);
	fixture_close(&f);
}

static void test_faults_during_compaction_and_checkpoints(void **state)
{
	static const enum fault faults[] = {FAULT_FULL_ONCE, FAULT_CRASH, FAULT_CRASH_TORN};
	char base[64];
	make_long_history(base);
	object_padding = 150000;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		strike_from(faults[i], 1 + (int)i, 173, base);
	strike_from(FAULT_SYNC_EIO, 1, 1, base);
	object_padding = 0;
	folder_remove(base);
}

/* --- the barrier --- */

static void spin(struct fixture *f, int rounds)
{
	for (int i = 0; i < rounds; i++)
		loop_run_once(f->loop, 1);
}

static void test_nothing_leaves_before_its_sync(void **state)
{
	struct fixture f = {.is_sqlite = true, .vfs = FAULT_VFS};
	struct waiter first = waiter_make(), second = waiter_make(), lazy = waiter_make();
	struct cursor c;
	struct store_event e;
	size_t count;
	folder_make(f.folder);
	fault_plan(FAULT_NONE, 0);
	fixture_open(&f);
	put_wait(&f, KIND_LEASE, "n", "l", 1, EXPECT_ANY);
	int64_t before = revision(&f);
	assert_int_equal(store_cursor_open(f.store, KIND_POD, before, &c, &f.err), RC_OK);
	fault_gate(true);
	assert_int_equal(put(&f, KIND_POD, "n", "a", 70, EXPECT_ANY, &first), RC_OK);
	while (fault_gate_waiting() == 0)
		loop_run_once(f.loop, 1);
	assert_int_equal(put(&f, KIND_POD, "n", "b", 71, EXPECT_ANY, &second), RC_OK);
	struct store_write renewal = write_make(KIND_LEASE, "n", "l", 72, EXPECT_ANY);
	renewal.is_lazy = true;
	assert_int_equal(store_commit(f.store, &renewal, 1, &lazy.ticket, &f.err), RC_OK);
	spin(&f, 20);
	assert_false(first.is_done || second.is_done || lazy.is_done);
	assert_false(fault_is_durable(70));
	assert_int_equal(revision(&f), before);
	assert_int_equal(get(&f, KIND_POD, "n", "a"), -1);
	assert_int_equal(get(&f, KIND_LEASE, "n", "l"), 1);
	assert_int_equal(store_cursor_read(f.store, &c, &e, 1, &count, &f.err), RC_OK);
	assert_int_equal(count, 0);
	assert_int_equal(c.after, before);
	fault_gate(false);
	assert_int_equal(waiter_wait(&f, &lazy), RC_OK);
	assert_true(first.is_done && second.is_done);
	assert_true(fault_is_durable(70) && fault_is_durable(71));
	fixture_close(&f);
	folder_remove(f.folder);
	fault_plan(FAULT_NONE, 0);
}

static void test_failure_drops_what_was_built_on_it(void **state)
{
	struct fixture f = {.is_sqlite = true, .vfs = FAULT_VFS};
	struct waiter first = waiter_make(), second = waiter_make();
	folder_make(f.folder);
	fault_plan(FAULT_NONE, 0);
	fixture_open(&f);
	put_wait(&f, KIND_POD, "n", "a", 1, EXPECT_ANY);
	fault_gate(true);
	fault_plan(FAULT_FULL_ONCE, 1);
	assert_int_equal(put(&f, KIND_POD, "n", "a", 2, EXPECT_ANY, &first), RC_OK);
	assert_int_equal(put(&f, KIND_POD, "n", "a", 3, first.ticket.revision, &second), RC_OK);
	fault_gate(false);
	assert_int_equal(waiter_wait(&f, &first), RC_INTERNAL);
	assert_int_equal(waiter_wait(&f, &second), RC_INTERNAL);
	assert_non_null(strstr(first.error, "the disk is full; free space"));
	assert_int_equal(f.fatal_count, 0);
	assert_int_equal(get(&f, KIND_POD, "n", "a"), 1);
	assert_int_equal(object_value(store_pending_get(f.store, KIND_POD, STR("n"), STR("a"))), 1);
	assert_int_equal(revision(&f), second.ticket.revision); /* nobody waits for it in vain */
	assert_true(put_wait(&f, KIND_POD, "n", "a", 4, EXPECT_ANY) > second.ticket.revision);
	fixture_close(&f);
	folder_remove(f.folder);
	fault_plan(FAULT_NONE, 0);
}

static void test_sync_error_ends_the_process(void **state)
{
	struct fixture f = {.is_sqlite = true, .vfs = FAULT_VFS};
	struct waiter w = waiter_make();
	folder_make(f.folder);
	fault_plan(FAULT_NONE, 0);
	fixture_open(&f);
	fault_plan(FAULT_SYNC_EIO, 1);
	assert_int_equal(put(&f, KIND_POD, "n", "a", 2, EXPECT_ANY, &w), RC_OK);
	assert_int_equal(waiter_wait(&f, &w), RC_IO);
	assert_int_equal(f.fatal_count, 1);
	assert_int_equal(put(&f, KIND_POD, "n", "a", 3, EXPECT_ANY, NULL), RC_UNAVAILABLE);
	assert_int_equal(get(&f, KIND_POD, "n", "a"), -1);
	fixture_close(&f);
	folder_remove(f.folder);
	fault_plan(FAULT_NONE, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_leaves_before_its_sync),
		cmocka_unit_test(test_failure_drops_what_was_built_on_it),
		cmocka_unit_test(test_sync_error_ends_the_process),
		cmocka_unit_test(test_disk_full_at_every_write),
		cmocka_unit_test(test_disk_full_from_every_write_on),
		cmocka_unit_test(test_write_error_at_every_write),
		cmocka_unit_test(test_sync_error_at_every_sync),
		cmocka_unit_test(test_crash_at_every_operation),
		cmocka_unit_test(test_torn_crash_at_every_operation),
		cmocka_unit_test(test_faults_during_compaction_and_checkpoints),
	};
	fault_register();
	log_setup((enum log_level)(LOG_LEVEL_ERROR + 1), false); /* hundreds of faults */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
