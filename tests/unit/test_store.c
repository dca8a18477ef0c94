/* The conformance suite of the store: every test runs on every backend. */
#include "store_fixture.h"

#include <pthread.h>
#include <sqlite3.h>

/* --- preconditions and the overlay --- */

static void test_preconditions_are_judged_in_upstreams_words(void **state)
{
	struct fixture *f = *state;
	int64_t first = put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ABSENT);
	assert_int_equal(put(f, KIND_POD, "n", "a", 2, EXPECT_ABSENT, NULL), RC_ALREADY_EXISTS);
	assert_string_equal(f->err.text, "pods \"a\" already exists");
	int64_t second = put_wait(f, KIND_POD, "n", "a", 2, first);
	assert_true(second > first);
	assert_int_equal(put(f, KIND_POD, "n", "a", 3, first, NULL), RC_CONFLICT);
	assert_string_equal(f->err.text,
			    "Operation cannot be fulfilled on pods \"a\": the object has been "
			    "modified; please apply your changes to the latest version and try "
			    "again");
	assert_int_equal(put(f, KIND_DEPLOYMENT, "n", "b", 3, 7, NULL), RC_NOT_FOUND);
	assert_string_equal(f->err.text, "deployments.apps \"b\" not found");
	assert_int_equal(drop(f, KIND_POD, "n", "b", EXPECT_ANY, NULL), RC_NOT_FOUND);
	assert_int_equal(drop(f, KIND_POD, "n", "a", first, NULL), RC_CONFLICT);
	assert_int_equal(get(f, KIND_POD, "n", "a"), 2);
	drop_wait(f, KIND_POD, "n", "a", second);
	put_wait(f, KIND_POD, "n", "a", 4, EXPECT_ANY);
	assert_int_equal(get(f, KIND_POD, "n", "a"), 4);
}

static void test_owner_sees_what_waits_and_others_do_not(void **state)
{
	struct fixture *f = *state;
	struct waiter w = waiter_make(), w2 = waiter_make();
	int64_t before = revision(f);
	assert_int_equal(put(f, KIND_POD, "n", "a", 1, EXPECT_ABSENT, &w), RC_OK);
	assert_int_equal(w.ticket.revision, before + 1);
	assert_int_equal(store_pending_revision(f->store), before + 1);
	assert_int_equal(object_value(store_pending_get(f->store, KIND_POD, STR("n"), STR("a"))),
			 1);
	assert_int_equal(get(f, KIND_POD, "n", "a"), -1);
	assert_int_equal(revision(f), before);
	assert_int_equal(put(f, KIND_POD, "n", "a", 2, EXPECT_ABSENT, NULL), RC_ALREADY_EXISTS);
	assert_int_equal(drop(f, KIND_POD, "n", "a", w.ticket.revision, &w2), RC_OK);
	assert_null(store_pending_get(f->store, KIND_POD, STR("n"), STR("a")));
	assert_false(w.is_done);
	assert_int_equal(waiter_wait(f, &w2), RC_OK);
	assert_true(w.is_done);
	assert_int_equal(w.ticket.rc, RC_OK);
	assert_int_equal(get(f, KIND_POD, "n", "a"), -1);
	assert_int_equal(revision(f), before + 2);
}

static void test_commit_is_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	struct waiter w = waiter_make();
	struct store_write writes[3] = {
		write_make(KIND_POD, "n", "a", 1, EXPECT_ABSENT),
		write_make(KIND_CONFIG_MAP, "n", "a", 2, EXPECT_ABSENT),
		write_make(KIND_NODE, NULL, "a", 3, EXPECT_ABSENT),
	};
	assert_int_equal(store_commit(f->store, writes, 3, &w.ticket, &f->err), RC_OK);
	assert_int_equal(waiter_wait(f, &w), RC_OK);
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(f->store);
	assert_int_equal(snapshot_get(s, KIND_POD, STR("n"), STR("a"))->revision,
			 w.ticket.revision);
	assert_int_equal(snapshot_get(s, KIND_NODE, (struct str){}, STR("a"))->revision,
			 w.ticket.revision);
	struct store_write again[2] = {
		write_make(KIND_POD, "n", "b", 1, EXPECT_ABSENT),
		write_make(KIND_CONFIG_MAP, "n", "a", 2, EXPECT_ABSENT),
	};
	assert_int_equal(store_commit(f->store, again, 2, NULL, &f->err), RC_ALREADY_EXISTS);
	assert_null(store_pending_get(f->store, KIND_POD, STR("n"), STR("b")));
	struct store_write twice[2] = {
		write_make(KIND_POD, "n", "c", 1, EXPECT_ANY),
		write_make(KIND_POD, "n", "c", 2, EXPECT_ANY),
	};
	assert_int_equal(store_commit(f->store, twice, 2, NULL, &f->err), RC_INTERNAL);
}

static void test_bad_keys_and_floods_are_refused(void **state)
{
	struct fixture *f = *state;
	char name[STORE_KEY_MAX + 2];
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	assert_int_equal(put(f, KIND_POD, "", name, 1, EXPECT_ANY, NULL), RC_INVALID);
	assert_int_equal(put(f, KIND_POD, "n", "", 1, EXPECT_ANY, NULL), RC_INVALID);
	struct snapshot *s = store_snapshot(f->store);
	assert_null(snapshot_get(s, KIND_POD, str_n("a\0b", 3), str_n("\0", 1)));
	assert_null(store_pending_get(f->store, KIND_POD, str_n("a\0b", 3), str_n("\0", 1)));
	snapshot_unref(s);
	struct waiter w = waiter_make();
	int accepted = 0;
	for (enum rc rc = RC_OK; rc == RC_OK; accepted++) {
		snprintf(name, sizeof(name), "p%d", accepted);
		struct store_write write = write_make(KIND_POD, "n", name, 1, EXPECT_ABSENT);
		rc = store_commit(f->store, &write, 1, NULL, &f->err);
		if (rc != RC_OK)
			assert_int_equal(rc, RC_TOO_MANY_REQUESTS);
	}
	assert_int_equal(accepted - 1, STORE_PENDING_MAX);
	for (int i = 0; i < 1000 && put(f, KIND_POD, "n", "last", 1, EXPECT_ANY, &w) != RC_OK; i++)
		loop_run_once(f->loop, 10);
	assert_int_equal(waiter_wait(f, &w), RC_OK);
	assert_int_equal(get(f, KIND_POD, "n", "p8191"), 1);
}

/* --- snapshots --- */

static void test_snapshot_never_changes(void **state)
{
	struct fixture *f = *state;
	put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ANY);
	struct snapshot *s = store_snapshot(f->store);
	int64_t then = snapshot_revision(s);
	put_wait(f, KIND_POD, "n", "a", 2, EXPECT_ANY);
	put_wait(f, KIND_POD, "n", "b", 2, EXPECT_ANY);
	drop_wait(f, KIND_POD, "n", "a", EXPECT_ANY);
	assert_int_equal(snapshot_revision(s), then);
	assert_int_equal(object_value(snapshot_get(s, KIND_POD, STR("n"), STR("a"))), 1);
	assert_null(snapshot_get(s, KIND_POD, STR("n"), STR("b")));
	assert_int_equal(snapshot_count(s, KIND_POD), 1);
	snapshot_unref(s);
	assert_int_equal(get(f, KIND_POD, "n", "a"), -1);
	assert_int_equal(get(f, KIND_POD, "n", "b"), 2);
}

static void test_past_of_a_kind_comes_back(void **state)
{
	struct fixture *f = *state;
	struct snapshot *then;
	put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ANY);
	put_wait(f, KIND_POD, "n", "gone", 1, EXPECT_ANY);
	int64_t at = revision(f);
	put_wait(f, KIND_POD, "n", "a", 2, EXPECT_ANY);
	put_wait(f, KIND_POD, "n", "a", 3, EXPECT_ANY);
	put_wait(f, KIND_POD, "n", "new", 4, EXPECT_ANY);
	drop_wait(f, KIND_POD, "n", "gone", EXPECT_ANY);
	assert_int_equal(store_snapshot_at(f->store, KIND_POD, at, &then, &f->err), RC_OK);
	assert_int_equal(snapshot_revision(then), at);
	assert_int_equal(snapshot_count(then, KIND_POD), 2);
	assert_int_equal(object_value(snapshot_get(then, KIND_POD, STR("n"), STR("a"))), 1);
	assert_int_equal(object_value(snapshot_get(then, KIND_POD, STR("n"), STR("gone"))), 1);
	snapshot_unref(then);
	assert_int_equal(get(f, KIND_POD, "n", "a"), 3);
	assert_int_equal(store_snapshot_at(f->store, KIND_POD, 1 << 30, &then, &f->err),
			 RC_TIMEOUT);
}

static int list_names(const struct snapshot *s, struct str namespace, struct str after_namespace,
		      struct str after_name, char *out, size_t size)
{
	struct snapshot_iter it;
	int count = 0;
	size_t len = 0;
	out[0] = 0;
	snapshot_iter_init(&it, s, KIND_POD, namespace, after_namespace, after_name);
	for (struct object *o; (o = snapshot_next(&it)); count++)
		len += (size_t)snprintf(out + len, size - len, "%.*s/%.*s ", STR_FMT(o->namespace),
					STR_FMT(o->name));
	assert_null(snapshot_next(&it));
	return count;
}

static void test_iteration_is_ordered_and_continues(void **state)
{
	static const char *const keys[][2] = {
		{"b", "x"}, {"a-b", "m"}, {"a", "z"}, {"a", "b"},
		{"c", "a"}, {"a", "a"},	  {"b", "y"},
	};
	static const struct {
		const char *namespace, *after_namespace, *after_name, *expect;
	} rows[] = {
		{NULL, NULL, NULL, "a/a a/b a/z a-b/m b/x b/y c/a "},
		{"a", NULL, NULL, "a/a a/b a/z "},
		{"b", NULL, NULL, "b/x b/y "},
		{"d", NULL, NULL, ""},
		{"", NULL, NULL, ""},
		{NULL, "a", "z", "a-b/m b/x b/y c/a "},
		{NULL, "a", "c", "a/z a-b/m b/x b/y c/a "},
		{"a", "a", "a", "a/b a/z "},
		{"b", "a", "z", "b/x b/y "},
		{"b", "c", "a", ""},
		{NULL, "z", "z", ""},
	};
	struct fixture *f = *state;
	char names[256];
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		put_wait(f, KIND_POD, keys[i][0], keys[i][1], 1, EXPECT_ABSENT);
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(f->store);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		list_names(s, str_of(rows[i].namespace), str_of(rows[i].after_namespace),
			   str_of(rows[i].after_name), names, sizeof(names));
		assert_string_equal(names, rows[i].expect);
	}
}

/* --- cursors --- */

static void expect_event(struct fixture *f, struct cursor *c, int64_t at, int old, int new,
			 int last)
{
	struct store_event e;
	size_t count;
	assert_int_equal(store_cursor_read(f->store, c, &e, 1, &count, &f->err), RC_OK);
	assert_int_equal(count, 1);
	assert_int_equal(e.revision, at);
	assert_int_equal(object_value(e.old), old);
	assert_int_equal(object_value(e.new), new);
	assert_int_equal(object_value(e.last), last);
	assert_int_equal(c->after, at);
	if (e.last)
		assert_int_equal(e.last->revision, at);
	store_event_done(&e);
}

static void expect_nothing(struct fixture *f, struct cursor *c)
{
	struct store_event e;
	size_t count;
	assert_int_equal(store_cursor_read(f->store, c, &e, 1, &count, &f->err), RC_OK);
	assert_int_equal(count, 0);
	assert_int_equal(c->after, revision(f));
}

static void test_cursor_reads_in_order_from_where_it_was_opened(void **state)
{
	struct fixture *f = *state;
	struct cursor c, later, other;
	int64_t start = revision(f);
	assert_int_equal(store_cursor_open(f->store, KIND_POD, start, &c, &f->err), RC_OK);
	expect_nothing(f, &c);
	int64_t added = put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ANY);
	put_wait(f, KIND_CONFIG_MAP, "n", "a", 9, EXPECT_ANY);
	int64_t changed = put_wait(f, KIND_POD, "n", "a", 2, EXPECT_ANY);
	int64_t deleted = drop_wait(f, KIND_POD, "n", "a", EXPECT_ANY);
	int64_t again = put_wait(f, KIND_POD, "n", "a", 3, EXPECT_ANY);
	expect_event(f, &c, added, -1, 1, -1);
	expect_event(f, &c, changed, 1, 2, -1);
	assert_int_equal(store_cursor_open(f->store, KIND_POD, changed, &later, &f->err), RC_OK);
	expect_event(f, &later, deleted, 2, -1, -2);
	expect_event(f, &later, again, -1, 3, -1);
	expect_nothing(f, &later);
	assert_int_equal(store_cursor_open(f->store, KIND_CONFIG_MAP, changed, &other, &f->err),
			 RC_OK);
	expect_nothing(f, &other);
	assert_int_equal(store_cursor_open(f->store, KIND_POD, again + 1, &c, &f->err), RC_TIMEOUT);
	char expect[96];
	snprintf(expect, sizeof(expect), "Too large resource version: %lld, current: %lld",
		 (long long)again + 1, (long long)again);
	assert_string_equal(f->err.text, expect);
}

static void test_events_of_one_revision_are_all_delivered(void **state)
{
	struct fixture *f = *state;
	struct waiter w = waiter_make();
	struct cursor c;
	assert_int_equal(store_cursor_open(f->store, KIND_POD, revision(f), &c, &f->err), RC_OK);
	struct store_write writes[3] = {
		write_make(KIND_POD, "n", "a", 1, EXPECT_ANY),
		write_make(KIND_POD, "n", "b", 2, EXPECT_ANY),
		write_make(KIND_POD, "n", "c", 3, EXPECT_ANY),
	};
	assert_int_equal(store_commit(f->store, writes, 3, &w.ticket, &f->err), RC_OK);
	assert_int_equal(waiter_wait(f, &w), RC_OK);
	for (int i = 1; i <= 3; i++)
		expect_event(f, &c, w.ticket.revision, -1, i, -1);
	expect_nothing(f, &c);
}

static void write_many(struct fixture *f, int count)
{
	struct waiter w = waiter_make();
	for (int i = 0; i < count; i++) {
		while (put(f, KIND_POD, "n", "many", i, EXPECT_ANY, NULL) != RC_OK)
			loop_run_once(f->loop, 10);
	}
	assert_int_equal(put(f, KIND_POD, "n", "many", count, EXPECT_ANY, &w), RC_OK);
	assert_int_equal(waiter_wait(f, &w), RC_OK);
}

static void test_slow_cursor_expires(void **state)
{
	struct fixture *f = *state;
	struct cursor slow, quick, other;
	struct store_event e;
	size_t count;
	int64_t start = revision(f);
	assert_int_equal(store_cursor_open(f->store, KIND_POD, start, &slow, &f->err), RC_OK);
	assert_int_equal(store_cursor_open(f->store, KIND_SECRET, start, &other, &f->err), RC_OK);
	write_many(f, STORE_RING_EVENTS / 2);
	assert_int_equal(store_cursor_open(f->store, KIND_POD, revision(f), &quick, &f->err),
			 RC_OK);
	write_many(f, STORE_RING_EVENTS - 100);
	assert_int_equal(store_cursor_read(f->store, &slow, &e, 1, &count, &f->err), RC_EXPIRED);
	char expect[64];
	int len = snprintf(expect, sizeof(expect), "too old resource version: %lld (",
			   (long long)start);
	assert_memory_equal(f->err.text, expect, len);
	assert_int_equal(store_cursor_open(f->store, KIND_POD, start, &slow, &f->err), RC_EXPIRED);
	for (int i = 0; i < STORE_RING_EVENTS - 99; i++) {
		assert_int_equal(store_cursor_read(f->store, &quick, &e, 1, &count, &f->err),
				 RC_OK);
		assert_int_equal(object_value(e.new), i);
		store_event_done(&e);
	}
	expect_nothing(f, &quick);
	expect_nothing(f, &other);
}

/* --- listeners --- */

struct counter {
	struct store_listener listener;
	struct store *store;
	int count;
	int64_t revision;
};

static void counter_on(struct store_listener *l)
{
	struct counter *c = CONTAINER_OF(l, struct counter, listener);
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(c->store);
	c->count++;
	c->revision = snapshot_revision(s);
}

static void test_listener_is_woken_until_it_leaves(void **state)
{
	struct fixture *f = *state;
	struct counter *c = NEW(struct counter);
	c->listener.loop = f->loop;
	c->listener.fn = counter_on;
	c->store = f->store;
	store_listen(f->store, &c->listener);
	int64_t at = put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ANY);
	for (int i = 0; i < 100 && c->revision < at; i++)
		loop_run_once(f->loop, 10);
	assert_int_equal(c->revision, at);
	assert_int_equal(c->count, 1);
	put_wait(f, KIND_POD, "n", "a", 2, EXPECT_ANY); /* perhaps posted and not yet run */
	store_unlisten(f->store, &c->listener);
	free(c);
	put_wait(f, KIND_POD, "n", "a", 3, EXPECT_ANY);
	loop_run_once(f->loop, 0);
}

struct follower { /* another thread that must see each value once, in order */
	pthread_t thread;
	struct loop *loop;
	struct store *store;
	struct store_listener listener;
	struct cursor cursor;
	int next, last;
};

static void follower_on(struct store_listener *l)
{
	struct follower *me = CONTAINER_OF(l, struct follower, listener);
	struct store_event events[7];
	struct err err;
	size_t count;
	do {
		CLEANUP(snapshot_unref_p) struct snapshot *s = NULL;
		if (store_cursor_read(me->store, &me->cursor, events, 7, &count, &err) != RC_OK)
			break;
		s = store_snapshot(me->store);
		for (size_t i = 0; i < count; i++) {
			ASSERT(events[i].revision <= snapshot_revision(s));
			ASSERT(object_value(events[i].new) == me->next);
			me->next++;
			store_event_done(&events[i]);
		}
		ASSERT(me->cursor.after <= snapshot_revision(s));
	} while (count > 0);
	if (me->next > me->last) {
		store_unlisten(me->store, &me->listener);
		loop_stop(me->loop);
	}
}

static void *follower_run(void *arg)
{
	struct follower *me = arg;
	store_listen(me->store, &me->listener);
	follower_on(&me->listener);
	loop_run(me->loop);
	return NULL;
}

static void test_other_threads_follow_without_gap(void **state)
{
	enum { COUNT = 2000, THREADS = 3 };
	struct fixture *f = *state;
	struct follower followers[THREADS] = {};
	for (int i = 0; i < THREADS; i++) {
		struct follower *me = &followers[i];
		*me = (struct follower){.loop = loop_new(), .store = f->store, .last = COUNT};
		me->listener.loop = me->loop;
		me->listener.fn = follower_on;
		assert_int_equal(
			store_cursor_open(f->store, KIND_POD, revision(f), &me->cursor, &f->err),
			RC_OK);
		pthread_create(&me->thread, NULL, follower_run, me);
	}
	for (int i = 0; i <= COUNT; i++) {
		assert_int_equal(put(f, KIND_POD, "n", "a", i, EXPECT_ANY, NULL), RC_OK);
		if (i % 7 == 0)
			loop_run_once(f->loop, i % 3);
	}
	put_wait(f, KIND_SECRET, "n", "end", 0, EXPECT_ANY);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(followers[i].thread, NULL);
		assert_int_equal(followers[i].next, COUNT + 1);
		loop_free(followers[i].loop);
	}
}

struct reader { /* on the owner's own loop */
	struct store_listener listener;
	struct store *store;
	struct cursor cursor;
	int count;
	enum rc rc;
};

static void reader_on(struct store_listener *l)
{
	struct reader *me = CONTAINER_OF(l, struct reader, listener);
	struct store_event events[64];
	size_t count = ARRAY_LEN(events);
	while (me->rc == RC_OK && count == ARRAY_LEN(events)) {
		me->rc = store_cursor_read(me->store, &me->cursor, events, ARRAY_LEN(events),
					   &count, NULL);
		for (size_t i = 0; me->rc == RC_OK && i < count; i++, me->count++)
			store_event_done(&events[i]);
	}
}

static void test_flood_does_not_overrun_readers_on_the_same_loop(void **state)
{
	struct fixture *f = *state;
	struct waiter w = waiter_make();
	struct reader me = {.store = f->store, .listener = {.loop = f->loop, .fn = reader_on}};
	assert_int_equal(store_cursor_open(f->store, KIND_POD, revision(f), &me.cursor, &f->err),
			 RC_OK);
	store_listen(f->store, &me.listener);
	for (int i = 1; i < STORE_PENDING_MAX; i++)
		assert_int_equal(put(f, KIND_POD, "n", "a", i, EXPECT_ANY, NULL), RC_OK);
	assert_int_equal(put(f, KIND_POD, "n", "a", 0, EXPECT_ANY, &w), RC_OK);
	assert_int_equal(waiter_wait(f, &w), RC_OK);
	for (int i = 0; i < 100 && me.rc == RC_OK && me.count < STORE_PENDING_MAX; i++)
		loop_run_once(f->loop, 10);
	store_unlisten(f->store, &me.listener);
	assert_int_equal(me.rc, RC_OK);
	assert_int_equal(me.count, STORE_PENDING_MAX);
}

static void test_numbers_add_up(void **state)
{
	struct fixture *f = *state;
	struct store_stats before, after;
	store_stats(f->store, &before);
	put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ANY);
	put_wait(f, KIND_POD, "n", "b", 1, EXPECT_ANY);
	put_wait(f, KIND_POD, "n", "a", 2, EXPECT_ANY);
	drop_wait(f, KIND_POD, "n", "b", EXPECT_ANY);
	store_stats(f->store, &after);
	assert_int_equal(after.commits - before.commits, 4);
	assert_int_equal(after.objects - before.objects, 1);
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(f->store);
	assert_int_equal(after.object_bytes - before.object_bytes,
			 object_size(snapshot_get(s, KIND_POD, STR("n"), STR("a"))));
	assert_int_equal(after.revision, snapshot_revision(s));
}

/* --- lazy writes --- */

static enum rc put_lazy(struct fixture *f, uint16_t kind, const char *name, int value,
			struct waiter *w)
{
	struct store_write write = write_make(kind, "n", name, value, EXPECT_ANY);
	write.is_lazy = true;
	return store_commit(f->store, &write, 1, w ? &w->ticket : NULL, &f->err);
}

static void test_lazy_writes_wait_for_their_turn(void **state)
{
	struct fixture *f = *state;
	struct waiter first = waiter_make(), second = waiter_make();
	put_lazy(f, KIND_LEASE, "l", 0, &first);
	waiter_wait(f, &first);
	first = waiter_make();
	assert_int_equal(put(f, KIND_POD, "n", "a", 1, EXPECT_ANY, &first), RC_OK);
	assert_int_equal(put_lazy(f, KIND_LEASE, "l", 1, &second), RC_OK);
	assert_int_equal(waiter_wait(f, &second), RC_OK);
	assert_true(first.is_done);
	assert_int_equal(get(f, KIND_LEASE, "n", "l"), 1);
	assert_int_equal(revision(f), second.ticket.revision);
}

/* --- restarts; backends that keep something --- */

static void test_restart_keeps_everything(void **state)
{
	struct fixture *f = *state;
	struct cursor c;
	put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ANY);
	int64_t from = put_wait(f, KIND_NODE, NULL, "m", 5, EXPECT_ANY);
	int64_t changed = put_wait(f, KIND_POD, "n", "a", 2, EXPECT_ANY);
	int64_t added = put_wait(f, KIND_POD, "n", "b", 3, EXPECT_ANY);
	int64_t deleted = drop_wait(f, KIND_POD, "n", "a", EXPECT_ANY);
	for (int i = 0; i < 2; i++) {
		fixture_restart(f);
		assert_int_equal(revision(f), deleted);
		assert_int_equal(get(f, KIND_POD, "n", "a"), -1);
		assert_int_equal(get(f, KIND_POD, "n", "b"), 3);
		assert_int_equal(get(f, KIND_NODE, NULL, "m"), 5);
		assert_int_equal(store_cursor_open(f->store, KIND_POD, from, &c, &f->err), RC_OK);
		expect_event(f, &c, changed, 1, 2, -1);
		expect_event(f, &c, added, -1, 3, -1);
		expect_event(f, &c, deleted, 2, -1, -2);
		expect_nothing(f, &c);
	}
	assert_true(put_wait(f, KIND_POD, "n", "c", 1, EXPECT_ABSENT) > deleted);
}

/* Opens a copy of the files as they are now, which is what a crash would leave. */
static void crash(struct fixture *f, struct fixture *ret_after)
{
	*ret_after = (struct fixture){.is_sqlite = true};
	folder_copy(f->folder, ret_after->folder);
	fixture_open(ret_after);
}

static void crash_done(struct fixture *after)
{
	fixture_close(after);
	folder_remove(after->folder);
}

static void test_revision_never_goes_back(void **state)
{
	struct fixture *f = *state, after, third;
	struct cursor c;
	int64_t durable = put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ANY);
	crash(f, &after);
	assert_true(revision(&after) > durable + 1000);
	assert_int_equal(get(&after, KIND_POD, "n", "a"), 1);
	assert_int_equal(store_cursor_open(after.store, KIND_POD, durable, &c, &after.err), RC_OK);
	expect_nothing(&after, &c);
	/* No pod can have been lost, whatever revision a lazy write elsewhere has shown. */
	assert_int_equal(store_cursor_open(after.store, KIND_POD, durable + 1, &c, &after.err),
			 RC_OK);
	expect_nothing(&after, &c);
	assert_int_equal(store_cursor_open(after.store, KIND_POD, revision(&after), &c, &after.err),
			 RC_OK);
	int64_t next = put_wait(&after, KIND_POD, "n", "a", 2, EXPECT_ANY);
	assert_int_equal(next, revision(&after));
	expect_event(&after, &c, next, 1, 2, -1);
	crash(&after, &third);
	assert_true(revision(&third) > next);
	assert_int_equal(get(&third, KIND_POD, "n", "a"), 2);
	crash_done(&third);
	crash_done(&after);
}

static void test_lazy_writes_reach_the_disk_at_a_clean_stop(void **state)
{
	struct fixture *f = *state, after;
	struct waiter w = waiter_make();
	struct cursor c;
	int64_t first = put_wait(f, KIND_LEASE, "n", "l", 1, EXPECT_ANY);
	put_lazy(f, KIND_LEASE, "l", 2, NULL); /* the first lazy one of its kind is durable */
	int64_t durable = put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ANY);
	put_lazy(f, KIND_LEASE, "l", 3, &w);
	assert_int_equal(waiter_wait(f, &w), RC_OK);
	assert_int_equal(get(f, KIND_LEASE, "n", "l"), 3);

	crash(f, &after);
	assert_int_equal(get(&after, KIND_LEASE, "n", "l"), 2);
	assert_true(revision(&after) > w.ticket.revision);
	assert_int_equal(store_cursor_open(after.store, KIND_LEASE, first, &c, &after.err),
			 RC_EXPIRED);
	assert_int_equal(store_cursor_open(after.store, KIND_POD, first, &c, &after.err), RC_OK);
	expect_event(&after, &c, durable, -1, 1, -1);
	crash_done(&after);

	fixture_restart(f);
	assert_int_equal(get(f, KIND_LEASE, "n", "l"), 3);
	assert_int_equal(revision(f), w.ticket.revision);
	assert_int_equal(store_cursor_open(f->store, KIND_LEASE, durable, &c, &f->err), RC_OK);
	expect_event(f, &c, w.ticket.revision, 2, 3, -1);
}

static void test_durable_write_overtakes_a_lazy_one(void **state)
{
	struct fixture *f = *state;
	struct cursor c;
	put_lazy(f, KIND_EVENT, "e", 1, NULL);
	put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ANY);
	put_lazy(f, KIND_EVENT, "e", 2, NULL);
	put_lazy(f, KIND_EVENT, "gone", 2, NULL);
	loop_run_once(f->loop, 0);
	int64_t seen = revision(f);
	int64_t changed = put_wait(f, KIND_EVENT, "n", "e", 3, EXPECT_ANY);
	int64_t gone = drop_wait(f, KIND_EVENT, "n", "gone", EXPECT_ANY);
	fixture_restart(f);
	assert_int_equal(get(f, KIND_EVENT, "n", "e"), 3);
	assert_int_equal(get(f, KIND_EVENT, "n", "gone"), -1);
	/* Who saw it come, though it never reached the disk, is told that it went. */
	assert_int_equal(store_cursor_open(f->store, KIND_EVENT, seen, &c, &f->err), RC_OK);
	expect_event(f, &c, changed, 1, 3, -1);
	expect_event(f, &c, gone, -2, -1, -2);
	expect_nothing(f, &c);
}

static void test_lazy_write_does_not_outlast_a_delete(void **state)
{
	struct fixture *f = *state;
	char name[16];
	put_lazy(f, KIND_EVENT, "e", 1, NULL); /* the first lazy one of its kind is durable */
	put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ANY);
	for (int i = 0; i < 1024; i++) {
		snprintf(name, sizeof(name), "e%d", i);
		put_lazy(f, KIND_EVENT, name, i, NULL);
	}
	while (get(f, KIND_EVENT, "n", "e1023") < 0)
		loop_run_once(f->loop, 0);
	put_lazy(f, KIND_EVENT, "one-too-many", 1, NULL); /* the next turn writes them */
	loop_run_once(f->loop, 0);
	drop_wait(f, KIND_EVENT, "n", "e0", EXPECT_ANY);
	write_many(f, STORE_RING_EVENTS + 200); /* the delete leaves the disk's history */
	fixture_restart(f);
	assert_int_equal(get(f, KIND_EVENT, "n", "e0"), -1);
	assert_int_equal(get(f, KIND_EVENT, "n", "e1"), 1);
}

static void test_events_are_written_soon(void **state)
{
	struct fixture *f = *state, after;
	struct waiter w = waiter_make();
	put_lazy(f, KIND_EVENT, "e", 1, NULL); /* the first lazy one of its kind is durable */
	put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ANY);
	put_lazy(f, KIND_EVENT, "e", 2, NULL);
	put_lazy(f, KIND_EVENT, "e2", 3, &w);
	assert_int_equal(waiter_wait(f, &w), RC_OK);
	crash(f, &after);
	assert_int_equal(get(&after, KIND_EVENT, "n", "e"), 1);
	crash_done(&after);
	struct store_stats before, now;
	store_stats(f->store, &before);
	now = before;
	for (int i = 0; i < 2000 && now.transactions == before.transactions; i++) {
		loop_run_once(f->loop, 10);
		store_stats(f->store, &now);
	}
	crash(f, &after);
	assert_int_equal(get(&after, KIND_EVENT, "n", "e"), 2);
	assert_int_equal(get(&after, KIND_EVENT, "n", "e2"), 3);
	crash_done(&after);
}

static void test_ring_on_disk_is_compacted(void **state)
{
	struct fixture *f = *state;
	struct cursor c;
	char path[128];
	struct stat st;
	int64_t kept = put_wait(f, KIND_SECRET, "n", "kept", 7, EXPECT_ANY);
	put_wait(f, KIND_SECRET, "n", "deleted", 8, EXPECT_ANY);
	drop_wait(f, KIND_SECRET, "n", "deleted", EXPECT_ANY);
	for (int i = 0; i < 6; i++)
		write_many(f, STORE_RING_EVENTS);
	int64_t recent = revision(f);
	write_many(f, 5);
	fixture_restart(f);
	assert_int_equal(get(f, KIND_SECRET, "n", "kept"), 7);
	assert_int_equal(get(f, KIND_SECRET, "n", "deleted"), -1);
	assert_int_equal(store_cursor_open(f->store, KIND_SECRET, kept, &c, &f->err), RC_EXPIRED);
	assert_int_equal(store_cursor_open(f->store, KIND_POD, recent, &c, &f->err), RC_OK);
	expect_event(f, &c, recent + 1, STORE_RING_EVENTS, 0, -1);
	snprintf(path, sizeof(path), "%s/state.db", f->folder);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 3 << 20); /* 4096 rows of some 250 bytes, not 25,000 */
	fixture_restart(f);
	assert_int_equal(get(f, KIND_SECRET, "n", "kept"), 7);
}

/* --- the folder --- */

static void test_folder_errors_name_the_remedy(void **state)
{
	struct fixture *f = *state;
	struct fixture other = {.is_sqlite = true};
	char pid[32];
	other.loop = f->loop;
	snprintf(other.folder, sizeof(other.folder), "%s", f->folder);
	assert_int_equal(fixture_try_open(&other), RC_CONFLICT);
	snprintf(pid, sizeof(pid), "in use by process %d;", (int)getpid());
	assert_non_null(strstr(other.err.text, pid));
	snprintf(other.folder, sizeof(other.folder), "/proc/none/x");
	assert_int_equal(fixture_try_open(&other), RC_UNAVAILABLE);
	assert_non_null(strstr(other.err.text, "/proc/none"));
	assert_non_null(strstr(other.err.text, "--data-dir"));
	snprintf(other.folder, sizeof(other.folder), "%.40s/state.db", f->folder);
	assert_int_equal(fixture_try_open(&other), RC_UNAVAILABLE);
}

static void overwrite(const char *folder, const char *name, off_t at, const char *bytes, size_t len)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	CLEANUP(close_fd_p) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
}

static void reopen_damaged(struct fixture *f, const char *name, off_t at, const char *bytes,
			   size_t len, const char *expect)
{
	struct fixture other = {.is_sqlite = true, .loop = f->loop};
	folder_copy(f->folder, other.folder);
	overwrite(other.folder, name, at, bytes, len);
	assert_true(fixture_try_open(&other) != RC_OK);
	if (!strstr(other.err.text, expect))
		fail_msg("'%s' lacks '%s'", other.err.text, expect);
	folder_remove(other.folder);
}

/* Where text first stands in the database file. */
static off_t place_of(const char *folder, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/state.db", folder);
	CLEANUP(close_fd_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(free_p) char *bytes = mem_alloc(1 << 20);
	ssize_t len = read(fd, bytes, 1 << 20);
	char *found = memmem(bytes, (size_t)len, text, strlen(text));
	assert_non_null(found);
	return found - bytes;
}

static void test_foreign_newer_and_damaged_files_are_refused(void **state)
{
	struct fixture *f = *state;
	put_wait(f, KIND_POD, "n", "victim", 123456, EXPECT_ANY);
	store_close(TAKE_PTR(f->store));
	/* https://www.sqlite.org/fileformat.html: user version at 60, application id at 68. */
	reopen_damaged(f, "state.db", 60, "\0\0\0\7", 4, "has format 7, this skeg (" SKEG_VERSION);
	reopen_damaged(f, "state.db", 68, "none", 4, "database of another program");
	reopen_damaged(f, "state.db", 0, "not a database at all", 21, "not a database");
	reopen_damaged(f, "state.db", place_of(f->folder, "v123456v"), "v9", 2,
		       "of 'n/victim' has a wrong checksum; restore a backup");
	if (fixture_try_open(f) != RC_OK)
		fail_msg("%s", f->err.text);
	assert_int_equal(get(f, KIND_POD, "n", "victim"), 123456);
}

/* The file as format 1 had it, with a table of what exists. */
static void make_format_1(const char *folder)
{
	char path[128];
	sqlite3 *db;
	snprintf(path, sizeof(path), "%s/state.db", folder);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	int code = sqlite3_exec(
		db,
		"CREATE TABLE current(kind INTEGER NOT NULL, key BLOB NOT NULL, id INTEGER NOT "
		"NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID;"
		"INSERT INTO current SELECT kind, key, max(id) FROM log GROUP BY kind, key;"
		"PRAGMA user_version = 1",
		NULL, NULL, NULL);
	assert_int_equal(code, SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_format_1_is_read_and_brought_up(void **state)
{
	struct fixture *f = *state;
	put_wait(f, KIND_POD, "n", "a", 1, EXPECT_ABSENT);
	put_wait(f, KIND_POD, "n", "a", 2, EXPECT_ANY);
	put_wait(f, KIND_POD, "n", "gone", 3, EXPECT_ABSENT);
	drop_wait(f, KIND_POD, "n", "gone", EXPECT_ANY);
	store_close(TAKE_PTR(f->store));
	make_format_1(f->folder);
	for (int value = 4; value <= 5; value++) {
		if (fixture_try_open(f) != RC_OK)
			fail_msg("%s", f->err.text);
		assert_int_equal(get(f, KIND_POD, "n", "a"), value == 4 ? 2 : 4);
		assert_int_equal(get(f, KIND_POD, "n", "gone"), -1);
		put_wait(f, KIND_POD, "n", "a", value, EXPECT_ANY);
		if (value == 4)
			store_close(TAKE_PTR(f->store));
	}
	assert_int_equal(get(f, KIND_POD, "n", "a"), 5);
}

/* --- */

static int set_up(void **state, bool is_sqlite, bool is_inline)
{
	struct fixture *f = NEW(struct fixture);
	f->is_sqlite = is_sqlite;
	f->is_inline = is_inline;
	if (is_sqlite)
		folder_make(f->folder);
	fixture_open(f);
	*state = f;
	return 0;
}

static int set_up_memory(void **state)
{
	return set_up(state, false, false);
}

static int set_up_sqlite(void **state)
{
	return set_up(state, true, false);
}

static int set_up_inline(void **state)
{
	return set_up(state, true, true);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	if (f->is_sqlite)
		folder_remove(f->folder);
	free(f);
	return 0;
}

/* clang-format off */
#define ON(test, where, set_up_where) {#test " (" where ")", test, set_up_where, tear_down, NULL}
#define ON_DISK(test) ON(test, "sqlite", set_up_sqlite), ON(test, "sqlite, inline", set_up_inline)
#define ON_ALL(test) ON(test, "memory", set_up_memory), ON_DISK(test)
/* clang-format on */

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ALL(test_preconditions_are_judged_in_upstreams_words),
		ON_ALL(test_owner_sees_what_waits_and_others_do_not),
		ON_ALL(test_commit_is_all_or_nothing),
		ON_ALL(test_bad_keys_and_floods_are_refused),
		ON_ALL(test_snapshot_never_changes),
		ON_ALL(test_past_of_a_kind_comes_back),
		ON_ALL(test_iteration_is_ordered_and_continues),
		ON_ALL(test_cursor_reads_in_order_from_where_it_was_opened),
		ON_ALL(test_events_of_one_revision_are_all_delivered),
		ON_ALL(test_slow_cursor_expires),
		ON_ALL(test_listener_is_woken_until_it_leaves),
		ON_ALL(test_other_threads_follow_without_gap),
		ON_ALL(test_flood_does_not_overrun_readers_on_the_same_loop),
		ON_ALL(test_numbers_add_up),
		ON_ALL(test_lazy_writes_wait_for_their_turn),
		ON_DISK(test_restart_keeps_everything),
		ON_DISK(test_revision_never_goes_back),
		ON_DISK(test_lazy_writes_reach_the_disk_at_a_clean_stop),
		ON_DISK(test_durable_write_overtakes_a_lazy_one),
		ON_DISK(test_lazy_write_does_not_outlast_a_delete),
		cmocka_unit_test_setup_teardown(test_events_are_written_soon, set_up_sqlite,
						tear_down),
		ON_DISK(test_ring_on_disk_is_compacted),
		ON_DISK(test_folder_errors_name_the_remedy),
		ON_DISK(test_foreign_newer_and_damaged_files_are_refused),
		ON_DISK(test_format_1_is_read_and_brought_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
