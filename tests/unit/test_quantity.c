#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/quantity.h"
#include "base/mem.h"

static const struct {
	const char *text, *canonical;
	int64_t value, milli;
} good[] = {
	{"0", "0", 0, 0},
	{"1", "1", 1, 1000},
	{"0.5", "500m", 1, 500},
	{"-0.5", "-500m", -1, -500},
	{"1.5Gi", "1536Mi", 1610612736, 1610612736000},
	{"2000m", "2", 2, 2000},
	{"1024", "1024", 1024, 1024000},
	{"1024Ki", "1Mi", 1048576, 1048576000},
	{"0.5Ki", "512", 512, 512000},
	{"100M", "100M", 100000000, 100000000000},
	{"1e3", "1e3", 1000, 1000000},
	{"12E2", "1200", 1200, 1200000},
	{"1E", "1E", 1000000000000000000, INT64_MAX},
	{"1n", "1n", 1, 1},
	{"0.1n", "1n", 1, 1},
	{"100u", "100u", 1, 1},
	{".5", "500m", 1, 500},
	{"5.", "5", 5, 5000},
	{"+3", "3", 3, 3000},
	{"9223372036854775808", "9223372036854775807", INT64_MAX, INT64_MAX},
	{"00012Mi", "12Mi", 12582912, 12582912000},
};

static void test_good_text_becomes_canonical(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct quantity q;
		char text[QUANTITY_TEXT_MAX];
		assert_int_equal(quantity_parse(str_of(good[i].text), &q, NULL), RC_OK);
		size_t len = quantity_format(q, text);
		assert_string_equal(text, good[i].canonical);
		assert_int_equal(len, strlen(text));
		assert_true(quantity_value(q) == good[i].value);
		assert_true(quantity_milli(q) == good[i].milli);
	}
}

static void test_bad_text_is_refused_in_upstreams_words(void **state)
{
	static const char wrong[] = "quantities must match the regular expression "
				    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
	static const char suffix[] = "unable to parse quantity's suffix";
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"", wrong},	{"abc", wrong},	 {"1.2.3", wrong}, {"1 Gi", wrong}, {"1Gib", wrong},
		{"1gi", wrong}, {"1kk", suffix}, {"1Mk", suffix},  {".", wrong},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct quantity q;
		struct err err;
		assert_int_equal(quantity_parse(str_of(bad[i].text), &q, &err), RC_BAD_REQUEST);
		assert_string_equal(err.text, bad[i].message);
	}
}

static void test_arithmetic(void **state)
{
	struct quantity a, b;
	char text[QUANTITY_TEXT_MAX];
	assert_int_equal(quantity_parse(STR("1Gi"), &a, NULL), RC_OK);
	assert_int_equal(quantity_parse(STR("512Mi"), &b, NULL), RC_OK);
	quantity_format(quantity_add(a, b), text);
	assert_string_equal(text, "1536Mi");
	quantity_format(quantity_sub(b, a), text);
	assert_string_equal(text, "-512Mi");
	assert_int_equal(quantity_cmp(a, b), 1);
	assert_true(quantity_is_whole(a));
	quantity_format(quantity_round_milli((struct quantity){.nano = 1}), text);
	assert_string_equal(text, "1m");
	quantity_format(quantity_add(quantity_of(0, QUANTITY_DECIMAL), b), text);
	assert_string_equal(text, "512Mi");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_text_becomes_canonical),
		cmocka_unit_test(test_bad_text_is_refused_in_upstreams_words),
		cmocka_unit_test(test_arithmetic),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
