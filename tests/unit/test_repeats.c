/* repeats: what it says of each item is what looking back from each would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/repeats.h"

#define LISTS 12 /* more than it holds tables for */
#define ITEMS 60

static struct arena arena;

static struct json *value_of(unsigned n)
{
	struct json *object = json_object(&arena);
	switch (n % 5) {
	case 0:
		return json_int(&arena, n / 5);
	case 1:
		return json_string(&arena, arena_printf(&arena, "%u", n / 5));
	case 2:
		json_set(&arena, object, STR("b"), json_int(&arena, n / 5));
		json_set(&arena, object, STR("a"), json_null(&arena));
		return object;
	case 3:
		json_set(&arena, object, STR("a"), json_null(&arena));
		json_set(&arena, object, STR("b"), json_int(&arena, n / 5));
		return object;
	default:
		return n % 2 ? json_null(&arena) : json_string(&arena, STR(""));
	}
}

static struct json *list_of(unsigned seed, bool is_named)
{
	struct json *list = json_array(&arena);
	for (unsigned i = 0; i < ITEMS; i++) {
		seed = seed * 1103515245 + 12345;
		struct json *item = value_of(seed >> 16 & 63);
		if (is_named) {
			struct str text = arena_printf(&arena, "%u", seed >> 16 & 63);
			item = json_object(&arena);
			json_set_str(&arena, item, STR("name"), text);
		}
		json_append(&arena, list, item);
	}
	return list;
}

/* "", null and no value are the same here. */
static bool is_same(const struct json *a, const struct json *b)
{
	bool is_empty_a = a->type == JSON_NULL || (a->type == JSON_STRING && !a->string.len);
	bool is_empty_b = b->type == JSON_NULL || (b->type == JSON_STRING && !b->string.len);
	return is_empty_a || is_empty_b ? is_empty_a && is_empty_b : json_equal(a, b);
}

static bool has_before(const struct json *list, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (is_same(json_at(list, k), json_at(list, i)))
			return true;
	return false;
}

static void test_many_lists_by_turns(void **state)
{
	struct json *lists[LISTS];
	struct repeats seen = {};
	for (unsigned l = 0; l < LISTS; l++)
		lists[l] = list_of(l + 1, l % 2);
	for (size_t i = 0; i < ITEMS; i++)
		for (size_t l = 0; l < LISTS; l++)
			assert_int_equal(
				repeats_has(&seen, &arena, lists[l], i, l % 2 ? "name" : NULL),
				has_before(lists[l], i));
}

static void test_items_may_be_left_out_and_asked_again(void **state)
{
	struct json *list = list_of(7, false);
	struct repeats seen = {};
	for (int round = 0; round < 2; round++)
		for (size_t i = (size_t)round; i < ITEMS; i += 3)
			assert_int_equal(repeats_has(&seen, &arena, list, i, NULL),
					 has_before(list, i));
}

static int teardown(void **state)
{
	arena_done(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_lists_by_turns),
		cmocka_unit_test(test_items_may_be_left_out_and_asked_again),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
