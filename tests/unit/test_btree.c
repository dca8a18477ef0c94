#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/btree.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/mem.h"

/* --- values that count their references, and a plain model to compare with --- */

struct value {
	int refs;
	int number;
	struct str major, minor;
	char bytes[64];
};

static int alive; /* values not freed yet */

static struct btree_key value_key(const void *value)
{
	const struct value *v = value;
	return (struct btree_key){v->major, v->minor};
}

static void value_ref(void *value)
{
	((struct value *)value)->refs++;
}

static void value_unref(void *value)
{
	struct value *v = value;
	assert_true(v->refs > 0);
	if (--v->refs == 0) {
		alive--;
		free(v);
	}
}

static const struct btree_type type = {value_key, value_ref, value_unref};

static struct value *value_new(const char *major, const char *minor, int number)
{
	struct value *v = NEW(struct value);
	int cut = snprintf(v->bytes, sizeof(v->bytes), "%s", major);
	snprintf(v->bytes + cut, sizeof(v->bytes) - (size_t)cut, "%s", minor);
	v->major = str_n(v->bytes, (size_t)cut);
	v->minor = str_of(v->bytes + cut);
	v->refs = 1;
	v->number = number;
	alive++;
	return v;
}

static struct btree_key key_of(const char *major, const char *minor)
{
	return (struct btree_key){str_of(major), str_of(minor)};
}

static uint64_t seed;

static unsigned chance(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

/* Few distinct long prefixes, so that hints tie and prefixes of nodes shrink and grow. */
static void random_key(char major[16], char minor[40], unsigned spread)
{
	static const char *const majors[] = {"", "default", "default-2", "kube-system", "a"};
	static const char *const stems[] = {"web-7d9f6c", "web", "a", "database-primary-", ""};
	snprintf(major, 16, "%s", majors[chance(ARRAY_LEN(majors))]);
	snprintf(minor, 40, "%s%u", stems[chance(ARRAY_LEN(stems))], chance(spread));
}

#define MODEL_MAX 4096

struct model {
	int count;
	struct {
		char major[16], minor[40];
		int number;
	} rows[MODEL_MAX];
};

static int model_place(const struct model *m, struct btree_key key, bool *ret_is_equal)
{
	int at = 0;
	*ret_is_equal = false;
	for (; at < m->count; at++) {
		int cmp = str_cmp(str_of(m->rows[at].major), key.major);
		if (cmp == 0)
			cmp = str_cmp(str_of(m->rows[at].minor), key.minor);
		*ret_is_equal = cmp == 0;
		if (cmp >= 0)
			break;
	}
	return at;
}

static void model_set(struct model *m, const char *major, const char *minor, int number)
{
	bool is_equal;
	int at = model_place(m, key_of(major, minor), &is_equal);
	if (!is_equal) {
		assert_true(m->count < MODEL_MAX);
		memmove(&m->rows[at + 1], &m->rows[at],
			(size_t)(m->count - at) * sizeof(m->rows[0]));
		m->count++;
		snprintf(m->rows[at].major, sizeof(m->rows[at].major), "%s", major);
		snprintf(m->rows[at].minor, sizeof(m->rows[at].minor), "%s", minor);
	}
	m->rows[at].number = number;
}

static bool model_remove(struct model *m, const char *major, const char *minor)
{
	bool is_equal;
	int at = model_place(m, key_of(major, minor), &is_equal);
	if (!is_equal)
		return false;
	m->count--;
	memmove(&m->rows[at], &m->rows[at + 1], (size_t)(m->count - at) * sizeof(m->rows[0]));
	return true;
}

static void assert_same(const struct btree *t, const struct model *m)
{
	struct btree_iter it;
	assert_int_equal(t->count, m->count);
	btree_check(t);
	btree_first(&it, t);
	for (int i = 0; i < m->count; i++) {
		struct value *v = btree_next(&it);
		assert_non_null(v);
		assert_int_equal(v->number, m->rows[i].number);
	}
	assert_null(btree_next(&it));
}

static void assert_seek(const struct btree *t, const struct model *m, struct btree_key key)
{
	bool is_equal;
	int at = model_place(m, key, &is_equal);
	struct value *found = btree_get(t, key);
	assert_int_equal(found ? found->number : -1, is_equal ? m->rows[at].number : -1);
	for (int is_after = 0; is_after < 2; is_after++) {
		struct btree_iter it;
		btree_seek(&it, t, key, is_after);
		for (int i = at + (is_after && is_equal); i < MIN(m->count, at + 40); i++)
			assert_int_equal(((struct value *)btree_next(&it))->number,
					 m->rows[i].number);
	}
}

static void change(struct btree *t, struct model *m, int number, unsigned removal_percent)
{
	char major[16], minor[40];
	random_key(major, minor, 200);
	if (chance(100) < removal_percent) {
		struct value *v = btree_remove(t, key_of(major, minor));
		assert_int_equal(v != NULL, model_remove(m, major, minor));
		if (v)
			value_unref(v);
		return;
	}
	model_set(m, major, minor, number);
	struct value *former = btree_set(t, value_new(major, minor, number));
	if (former)
		value_unref(former);
}

static void test_random_changes_match_a_model(void **state)
{
	static struct model m;
	static const unsigned removals[] = {10, 50, 90, 30, 97};
	struct btree t = {.type = &type};
	seed = 1;
	for (int i = 0; i < 20000; i++) {
		change(&t, &m, i, removals[i / 2000 % ARRAY_LEN(removals)]);
		if (i % 101 == 0) {
			char major[16], minor[40];
			random_key(major, minor, 300);
			assert_same(&t, &m);
			assert_seek(&t, &m, key_of(major, minor));
		}
	}
	btree_done(&t);
	assert_int_equal(alive, 0);
}

static void test_versions_do_not_change(void **state)
{
	enum { VERSIONS = 12 };
	static struct model now, models[VERSIONS];
	struct btree t = {.type = &type}, versions[VERSIONS];
	seed = 7;
	for (int v = 0; v < VERSIONS; v++) {
		for (int i = 0; i < 300; i++)
			change(&t, &now, v * 1000 + i, v < 8 ? 15 : 70);
		versions[v] = btree_copy(&t);
		models[v] = now;
	}
	btree_done(&t);
	for (int v = 0; v < VERSIONS; v++) { /* dropped in an order unlike that of birth */
		int at = (v * 5) % VERSIONS;
		assert_same(&versions[at], &models[at]);
		btree_done(&versions[at]);
	}
	assert_int_equal(alive, 0);
}

static void test_emptied_tree_is_empty(void **state)
{
	struct btree t = {.type = &type};
	char minor[16];
	for (int i = 0; i < 1000; i++) {
		snprintf(minor, sizeof(minor), "%d", i);
		assert_null(btree_set(&t, value_new("n", minor, i)));
	}
	for (int i = 999; i >= 0; i--) {
		snprintf(minor, sizeof(minor), "%d", i);
		value_unref(btree_remove(&t, key_of("n", minor)));
	}
	assert_null(t.root);
	assert_null(btree_remove(&t, key_of("n", "1")));
	assert_null(btree_get(&t, key_of("", "")));
	assert_int_equal(alive, 0);
}

static void test_keys_order_by_part(void **state)
{
	static const struct {
		const char *a_major, *a_minor, *b_major, *b_minor;
		int sign;
	} rows[] = {
		{"", "", "", "", 0},
		{"a", "z", "a-b", "a", -1},
		{"a", "", "a", "a", -1},
		{"ab", "a", "a", "b", 1},
		{"default", "web-123456789", "default", "web-123456788", 1},
		{"x", "12345678", "x", "123456789", -1},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int cmp = btree_key_cmp(key_of(rows[i].a_major, rows[i].a_minor),
					key_of(rows[i].b_major, rows[i].b_minor));
		assert_int_equal((cmp > 0) - (cmp < 0), rows[i].sign);
	}
}

/* --- heap --- */

struct waiter {
	struct heap_node node;
	unsigned due;
};

static bool waiter_is_before(const struct heap_node *a, const struct heap_node *b)
{
	return CONTAINER_OF(a, struct waiter, node)->due <
	       CONTAINER_OF(b, struct waiter, node)->due;
}

static void test_heap_leaves_in_order(void **state)
{
	struct heap h = {.is_before = waiter_is_before};
	struct waiter waiters[500] = {};
	seed = 3;
	for (size_t i = 0; i < ARRAY_LEN(waiters); i++) {
		waiters[i].due = chance(1000);
		heap_add(&h, &waiters[i].node);
	}
	for (size_t i = 0; i < ARRAY_LEN(waiters); i += 3)
		heap_remove(&h, &waiters[i].node);
	for (size_t i = 1; i < ARRAY_LEN(waiters); i += 3) {
		waiters[i].due = chance(1000);
		heap_moved(&h, &waiters[i].node);
	}
	unsigned last = 0, count = 0;
	for (struct heap_node *n; (n = heap_take(&h)); count++) {
		assert_false(heap_has(n));
		assert_true(CONTAINER_OF(n, struct waiter, node)->due >= last);
		last = CONTAINER_OF(n, struct waiter, node)->due;
	}
	assert_int_equal(count, 333);
	heap_remove(&h, &waiters[0].node);
	heap_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_changes_match_a_model),
		cmocka_unit_test(test_versions_do_not_change),
		cmocka_unit_test(test_emptied_tree_is_empty),
		cmocka_unit_test(test_keys_order_by_part),
		cmocka_unit_test(test_heap_leaves_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
