#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/map.h"
#include "base/timefmt.h"

static void test_map_keeps_order_and_survives_removal(void **state)
{
	struct map m = {};
	char key[16];
	for (intptr_t i = 0; i < 1000; i++) {
		int len = snprintf(key, sizeof(key), "k%d", (int)i);
		assert_null(map_set(&m, str_n(key, (size_t)len), (void *)(i + 1)));
	}
	for (int i = 0; i < 1000; i += 2) {
		int len = snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal((intptr_t)map_remove(&m, str_n(key, (size_t)len)), i + 1);
	}
	assert_int_equal(m.count, 500);
	intptr_t expect = 2;
	for (struct map_entry *e = map_next(&m, NULL); e; e = map_next(&m, e), expect += 2)
		assert_int_equal((intptr_t)e->value, expect);
	assert_null(map_get(&m, STR("k0")));
	assert_non_null(map_get(&m, STR("k999")));
	map_done(&m);
}

static void test_buf_stops_at_its_maximum(void **state)
{
	CLEANUP_BUF b = BUF_INIT(5);
	struct err err;
	buf_add_cstr(&b, "hello");
	assert_int_equal(buf_check(&b, "greeting", &err), RC_OK);
	buf_add_char(&b, '!');
	assert_int_equal(buf_check(&b, "greeting", &err), RC_TOO_LARGE);
	assert_string_equal(err.text, "greeting is larger than the limit of 5 bytes");
	assert_string_equal(b.data, "hello");
}

static void test_errors_are_wrapped_and_cut(void **state)
{
	struct err err;
	assert_int_equal(err_sys(&err, RC_IO, 2, "open '%s'", "x"), RC_IO);
	assert_int_equal(err_wrap(&err, "start"), RC_IO);
	assert_string_equal(err.text, "start: open 'x': No such file or directory");
	char wide[2000] = {};
	memset(wide, 'a', sizeof(wide) - 1);
	assert_int_equal(err_set(&err, RC_INVALID, "%s", wide), RC_INVALID);
	assert_string_equal(err.text + ERR_TEXT_MAX - 6, "aa...");
}

static void test_i64_range(void **state)
{
	static const struct {
		const char *text;
		bool is_valid;
		int64_t value;
	} rows[] = {
		{"0", true, 0},
		{"-1", true, -1},
		{"9223372036854775807", true, INT64_MAX},
		{"9223372036854775808", false, 0},
		{"-9223372036854775808", true, INT64_MIN},
		{"", false, 0},
		{"-", false, 0},
		{"1x", false, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t value = 0;
		assert_int_equal(str_to_i64(str_of(rows[i].text), &value), rows[i].is_valid);
		assert_true(value == rows[i].value);
	}
}

static void test_times_round_trip(void **state)
{
	static const struct {
		const char *text, *canonical;
	} rows[] = {
		{"2026-02-28T23:59:59Z", "2026-02-28T23:59:59.000000Z"},
		{"2024-02-29T12:00:00.123456789+02:00", "2024-02-29T10:00:00.123456Z"},
		{"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000Z"},
	};
	char out[TIME_TEXT_MAX];
	int64_t us;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(time_parse(str_of(rows[i].text), &us));
		time_format_micro(us, out);
		assert_string_equal(out, rows[i].canonical);
	}
	assert_false(time_parse(STR("2026-02-30T00:00:00Z"), &us));
	assert_false(time_parse(STR("2026-02-03 00:00:00Z"), &us));
	assert_false(time_parse(STR(""), &us));
}

static void test_ages_read_like_kubectl(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{0, "0s"},
		{119, "119s"},
		{120, "2m"},
		{185, "3m5s"},
		{600, "10m"},
		{3 * 3600, "3h"},
		{7500, "125m"},
		{11100, "3h5m"},
		{90000, "25h"},
		{180000, "2d2h"},
		{86400 * 8, "8d"},
		{86400 * 400, "400d"},
		{86400 * 800, "2y70d"},
	};
	char out[TIME_TEXT_MAX];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		time_format_age(rows[i].seconds * 1000000, out);
		assert_string_equal(out, rows[i].text);
	}
}

static void test_base64(void **state)
{
	CLEANUP_ARENA a = {};
	struct str out;
	CLEANUP_BUF b = BUF_INIT(100);
	base64_add(&b, STR("any carnal pleas"));
	assert_string_equal(b.data, "YW55IGNhcm5hbCBwbGVhcw==");
	assert_true(base64_decode(&a, buf_str(&b), &out));
	assert_true(str_is(out, "any carnal pleas"));
	assert_false(base64_decode(&a, STR("YW5"), &out));
	assert_false(base64_decode(&a, STR("YW5*"), &out));
	assert_true(base64url_decode(&a, STR("_-8"), &out));
	assert_int_equal(out.len, 2);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map_keeps_order_and_survives_removal),
		cmocka_unit_test(test_buf_stops_at_its_maximum),
		cmocka_unit_test(test_errors_are_wrapped_and_cut),
		cmocka_unit_test(test_i64_range),
		cmocka_unit_test(test_times_round_trip),
		cmocka_unit_test(test_ages_read_like_kubectl),
		cmocka_unit_test(test_base64),
	};
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
