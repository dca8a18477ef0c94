#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/json.h"

static struct json *parse(struct arena *a, const char *text)
{
	struct json *tree = NULL;
	struct err err;
	if (json_parse(a, str_of(text), &tree, NULL, &err) != RC_OK)
		fail_msg("%s: %s", text, err.text);
	return tree;
}

static void assert_writes(const struct json *tree, const char *expect)
{
	CLEANUP_BUF out = BUF_INIT(1 << 20);
	json_write(&out, tree);
	assert_string_equal(buf_str(&out).at, expect);
}

static void test_values_round_trip(void **state)
{
	static const struct {
		const char *text, *written; /* NULL: the same */
	} rows[] = {
		{"null", NULL},
		{" true\n", "true"},
		{"[false ]", "[false]"},
		{"{}", NULL},
		{"[]", NULL},
		{"[ 1 , 2,3 ]", "[1,2,3]"},
		{"{\"b\":1,\"a\":{\"c\":[{}]}}", NULL},
		{"\"\"", NULL},
		{"\"plain text of more than eight bytes\"", NULL},
		{"\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"", "\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\""},
		{"\"\\u0041\\u00e9\\u4e2d\\ud83d\\ude00\"", "\"Aé中😀\""},
		{"\"\\ud800\"", "\"\xef\xbf\xbd\""},
		{"\"\\ud800\\u0041\"", "\"\xef\xbf\xbd"
				       "A\""},
		{"\"\\udc00x\"", "\"\xef\xbf\xbdx\""},
		{"\"\\u0000\\u001f\\u000b\\u007f\"", "\"\\u0000\\u001f\\u000b\x7f\""},
		{"\"<a&b>\\u2028\\u2029\"", "\"\\u003ca\\u0026b\\u003e\\u2028\\u2029\""},
		{"\"\xe2\x80\xa7\xe2\x80\xaa\"", NULL},
		{"0", NULL},
		{"-0", "0"},
		{"-0.0", "-0"},
		{"9223372036854775807", NULL},
		{"-9223372036854775808", NULL},
		{"9223372036854775808", "9223372036854776000"},
		{"123456789012345678901234567890", "1.2345678901234568e+29"},
		{"1.0", "1"},
		{"1e3", "1000"},
		{"1E+2", "100"},
		{"0.1", NULL},
		{"-12.50", "-12.5"},
		{"0.000001", "0.000001"},
		{"0.0000001", "1e-7"},
		{"1.5e-9", "1.5e-9"},
		{"1e20", "100000000000000000000"},
		{"1e21", "1e+21"},
		{"123456.789", NULL},
		{"0.30000000000000004", NULL},
		{"5e-324", NULL},
		{"1.7976931348623157e308", "1.7976931348623157e+308"},
		{"1e999", NULL},
		{"-1e999", NULL},
		{"1e-999", "0"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		assert_writes(parse(&a, rows[i].text),
			      rows[i].written ? rows[i].written : rows[i].text);
	}
}

static void test_numbers_keep_their_type(void **state)
{
	static const struct {
		const char *text;
		enum json_type type;
		int64_t integer;
	} rows[] = {
		{"-0", JSON_INT, 0},
		{"12", JSON_INT, 12},
		{"-9223372036854775808", JSON_INT, INT64_MIN},
		{"9223372036854775808", JSON_DOUBLE, 0},
		{"12.0", JSON_DOUBLE, 12},
		{"1e2", JSON_DOUBLE, 100},
		{"1.5", JSON_DOUBLE, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		const struct json *value = parse(&a, rows[i].text);
		assert_int_equal(value->type, rows[i].type);
		assert_true(json_i64(value) == rows[i].integer);
	}
}

static void test_errors_read_like_go(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"", "unexpected end of JSON input"},
		{"  ", "unexpected end of JSON input"},
		{"{", "unexpected end of JSON input"},
		{"{\"a\":1", "unexpected end of JSON input"},
		{"\"abc", "unexpected end of JSON input"},
		{"\"abc\\", "unexpected end of JSON input"},
		{"tru", "unexpected end of JSON input"},
		{"-", "unexpected end of JSON input"},
		{"1.", "unexpected end of JSON input"},
		{"x", "invalid character 'x' looking for beginning of value"},
		{"[1,]", "invalid character ']' looking for beginning of value"},
		{"[,1]", "invalid character ',' looking for beginning of value"},
		{"+1", "invalid character '+' looking for beginning of value"},
		{".5", "invalid character '.' looking for beginning of value"},
		{"{'a':1}", "invalid character '\\'' looking for beginning of object key string"},
		{"{a:1}", "invalid character 'a' looking for beginning of object key string"},
		{"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
		{"{\"a\" 1}", "invalid character '1' after object key"},
		{"{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"},
		{"{\"a\":01}", "invalid character '1' after object key:value pair"},
		{"[1 2]", "invalid character '2' after array element"},
		{"{}x", "invalid character 'x' after top-level value"},
		{"{}}", "invalid character '}' after top-level value"},
		{"{}{}", "invalid character '{' after top-level value"},
		{"tru!", "invalid character '!' in literal true (expecting 'e')"},
		{"nul1", "invalid character '1' in literal null (expecting 'l')"},
		{"-x", "invalid character 'x' in numeric literal"},
		{"1.x", "invalid character 'x' after decimal point in numeric literal"},
		{"1ex", "invalid character 'x' in exponent of numeric literal"},
		{"\"\\x\"", "invalid character 'x' in string escape code"},
		{"\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"},
		{"\"a\nb\"", "invalid character '\\n' in string literal"},
		{"\"a\x01\"", "invalid character '\\x01' in string literal"},
		{"\x80", "invalid character '\\u0080' looking for beginning of value"},
		{"\xe9", "invalid character 'é' looking for beginning of value"},
		{"\xef\xbb\xbf{}", "invalid character 'ï' looking for beginning of value"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct json *tree = NULL;
		struct err err;
		assert_int_equal(json_parse(&a, str_of(rows[i].text), &tree, NULL, &err),
				 RC_BAD_REQUEST);
		assert_string_equal(err.text, rows[i].error);
		assert_null(tree);
		assert_int_equal(json_parse(&a, str_of(rows[i].text), &tree, NULL, NULL),
				 RC_BAD_REQUEST);
	}
}

static void test_invalid_utf8_is_refused(void **state)
{
	static const char *const rows[] = {
		"\"\x80\"",
		"\"\xc0\x80\"",
		"\"\xc1\xbf\"",
		"\"\xe0\x80\x80\"",
		"\"\xed\xa0\x80\"",
		"\"\xf0\x80\x80\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\xf5\x80\x80\x80\"",
		"\"\xff\"",
		"\"\xc3\"",
		"\"abcdefghij\xe2\x82\"",
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct json *tree;
		struct err err;
		assert_int_equal(json_parse(&a, str_of(rows[i]), &tree, NULL, &err),
				 RC_BAD_REQUEST);
		assert_non_null(strstr(err.text, "UTF-8"));
	}
	CLEANUP_ARENA a = {};
	assert_writes(json_string(&a, STR("a\xff\xe2\x82")), "\"a\\ufffd\\ufffd\\ufffd\"");
}

/* Every position of every special byte within the words that the scan takes at once. */
static void test_scan_finds_special_bytes_everywhere(void **state)
{
	static const char specials[] = "\"\\\n<>&\x1f";
	for (size_t len = 1; len < 40; len++)
		for (size_t at = 0; at < len; at++)
			for (const char *c = specials; *c; c++) {
				CLEANUP_ARENA a = {};
				CLEANUP_BUF out = BUF_INIT(4096);
				char text[40];
				memset(text, 'a' + (int)(at % 20), len);
				text[at] = *c;
				json_write_string(&out, str_n(text, len));
				struct json *back;
				assert_int_equal(json_parse(&a, buf_str(&out), &back, NULL, NULL),
						 RC_OK);
				assert_true(str_eq(json_str(back), str_n(text, len)));
			}
}

static void test_truncation_never_parses(void **state)
{
	static const char text[] =
		"{\"a\":[1,-2.5e3,true,false,null,\"x\\n\\u00e9\xc3\xa9\"],\"b\":{\"c\":{}}}";
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		CLEANUP_ARENA a = {};
		struct json *tree;
		/* A copy of exactly this size, so that sanitizers see a read behind its end. */
		char *copy = mem_strndup(text, len);
		copy = mem_resize(copy, len ? len : 1);
		struct err err;
		assert_int_equal(json_parse(&a, str_n(copy, len), &tree, NULL, &err),
				 RC_BAD_REQUEST);
		free(copy);
	}
}

static char *nested(size_t levels)
{
	char *text = mem_alloc(2 * levels + 1);
	memset(text, '[', levels);
	memset(text + levels, ']', levels);
	return text;
}

static void test_depth_is_limited(void **state)
{
	CLEANUP_ARENA a = {};
	struct json *tree;
	struct err err;
	CLEANUP(free_p) char *most = nested(JSON_MAX_DEPTH);
	CLEANUP(free_p) char *more = nested(JSON_MAX_DEPTH + 1);
	CLEANUP(free_p) char *far_more = nested(1000000);
	assert_int_equal(json_parse(&a, str_of(most), &tree, NULL, &err), RC_OK);
	assert_writes(tree, most);
	assert_int_equal(json_parse(&a, str_of(more), &tree, NULL, &err), RC_BAD_REQUEST);
	assert_string_equal(err.text, "exceeded max depth of 512 levels");
	assert_int_equal(json_parse(&a, str_of(far_more), &tree, NULL, &err), RC_BAD_REQUEST);
}

static void test_sizes_are_limited(void **state)
{
	CLEANUP_ARENA a = {};
	struct json *tree;
	struct err err;
	CLEANUP(free_p) char *text = mem_alloc(JSON_MAX_BYTES + 2);
	memset(text, ' ', JSON_MAX_BYTES + 1);
	assert_int_equal(json_parse(&a, str_of(text), &tree, NULL, &err), RC_TOO_LARGE);
	assert_string_equal(err.text,
			    "JSON of 16777217 bytes is larger than the limit of 16777216 bytes");
	text[0] = '[';
	for (size_t i = 1; i + 1 < JSON_MAX_BYTES; i += 2)
		memcpy(text + i, "0,", 2);
	memcpy(text + JSON_MAX_BYTES - 3, "00]", 4);
	assert_int_equal(json_parse(&a, str_of(text), &tree, NULL, &err), RC_TOO_LARGE);
	assert_string_equal(err.text, "JSON has more than the limit of 4194304 values");
}

static void test_large_body(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(8 << 20);
	struct json *tree;
	buf_add_cstr(&text, "{\"data\":{");
	for (int i = 0; text.len < (4 << 20); i++)
		buf_printf(&text, "%s\"key-%d\":\"some value <&> of \\\"usual\\\" length\"",
			   i ? "," : "", i);
	buf_add_cstr(&text, "}}");
	assert_int_equal(json_parse(&a, buf_str(&text), &tree, NULL, NULL), RC_OK);
	CLEANUP_BUF out = BUF_INIT(16 << 20);
	json_write(&out, tree);
	struct json *back;
	assert_int_equal(json_parse(&a, buf_str(&out), &back, NULL, NULL), RC_OK);
	assert_true(json_equal(tree, back));
}

static void test_duplicates_are_named(void **state)
{
	static const struct {
		const char *text, *paths, *written;
	} rows[] = {
		{"{\"a\":1,\"b\":2}", "", "{\"a\":1,\"b\":2}"},
		{"{\"a\":1,\"b\":2,\"a\":3}", "a", "{\"a\":3,\"b\":2}"},
		{"{\"a\":1,\"a\":2,\"a\":3}", "a", "{\"a\":3}"},
		{"{\"data\":{\"a\":\"1\"},\"data\":{\"b\":\"2\"}}", "data",
		 "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}"},
		{"{\"data\":{\"a\":\"1\"},\"data\":{\"a\":\"2\"}}", "data",
		 "{\"data\":{\"a\":\"2\"}}"},
		{"{\"data\":{\"a\":1},\"data\":null,\"data\":{\"b\":1}}", "data",
		 "{\"data\":{\"b\":1}}"},
		{"{\"data\":{\"a\":1},\"data\":null}", "data", "{\"data\":null}"},
		{"{\"l\":[{\"x\":1}],\"l\":[{\"y\":1}]}", "l", "{\"l\":[{\"y\":1}]}"},
		{"{\"spec\":{\"containers\":[{},{\"name\":\"a\",\"name\":\"b\"}]}}",
		 "spec.containers[1].name", "{\"spec\":{\"containers\":[{},{\"name\":\"b\"}]}}"},
		{"[[{\"a\":1,\"a\":1}]]", "[0][0].a", "[[{\"a\":1}]]"},
		{"{\"s\":{\"c\":[{\"i\":1,\"i\":2}],\"h\":1,\"h\":2},\"\\u0061\":0,\"a\":1}",
		 "s.c[0].i s.h a", "{\"s\":{\"c\":[{\"i\":2}],\"h\":2},\"a\":1}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF paths = BUF_INIT(1000);
		struct json_duplicates duplicates = {};
		struct json *tree;
		assert_int_equal(json_parse(&a, str_of(rows[i].text), &tree, &duplicates, NULL),
				 RC_OK);
		for (size_t d = 0; d < duplicates.count; d++)
			buf_printf(&paths, "%s%.*s", d ? " " : "", STR_FMT(duplicates.paths[d]));
		assert_string_equal(buf_str(&paths).at, rows[i].paths);
		assert_writes(tree, rows[i].written);
		assert_writes(parse(&a, rows[i].text), rows[i].written);
	}
}

static void test_many_duplicates_stay_fast(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(8 << 20);
	struct json_duplicates duplicates = {};
	struct json *tree;
	buf_add_char(&text, '{');
	for (int i = 0; i < 200000; i++)
		buf_printf(&text, "%s\"%d\":%d", i ? "," : "", i * 7919 % 100000, i);
	buf_add_char(&text, '}');
	assert_int_equal(json_parse(&a, buf_str(&text), &tree, &duplicates, NULL), RC_OK);
	assert_int_equal(json_count(tree), 100000);
	assert_int_equal(duplicates.count, JSON_MAX_DUPLICATES);
	assert_int_equal(json_i64(json_get(tree, STR("0"))), 100000);
}

static void test_reading_accepts_anything(void **state)
{
	CLEANUP_ARENA a = {};
	const struct json *pod =
		parse(&a, "{\"spec\":{\"nodeName\":\"n1\",\"list\":[1,2.5],\"on\":true}}");
	assert_true(str_is(json_path_str(pod, "spec.nodeName"), "n1"));
	assert_null(json_path(pod, "spec.absent.deeper"));
	assert_null(json_path(pod, "spec.nodeName.deeper"));
	assert_null(json_path_str(NULL, "a").at);
	assert_int_equal(json_i64(json_at(json_path(pod, "spec.list"), 0)), 1);
	assert_int_equal(json_i64(json_at(json_path(pod, "spec.list"), 1)), 0);
	assert_null(json_at(json_path(pod, "spec.list"), 2));
	assert_null(json_at(pod, 0));
	assert_int_equal(json_count(json_path(pod, "spec.list")), 2);
	assert_int_equal(json_count(NULL), 0);
	assert_true(json_is_true(json_path(pod, "spec.on")));
	assert_false(json_is_true(NULL));
	assert_null(json_get(json_path(pod, "spec.list"), STR("a")));
	assert_int_equal(json_i64(NULL), 0);
}

static void test_editing(void **state)
{
	CLEANUP_ARENA a = {};
	struct json *tree = parse(&a, "{\"a\":1,\"b\":2,\"c\":3}");
	json_set(&a, tree, STR("b"), json_cstring(&a, "x"));
	json_set_str(&a, tree, STR("d"), STR("y"));
	assert_true(json_remove(tree, STR("a")));
	assert_false(json_remove(tree, STR("a")));
	struct json *list = json_array(&a);
	for (int i = 0; i < 9; i++)
		json_append(&a, list, json_int(&a, i));
	json_remove_at(list, 8);
	json_remove_at(list, 0);
	json_set(&a, json_need_object(&a, tree, STR("c")), STR("list"), list);
	assert_ptr_equal(json_get(json_need_object(&a, tree, STR("c")), STR("list")), list);
	json_append(&a, list, json_printf(&a, "%d%%", 7));
	assert_writes(tree, "{\"b\":\"x\",\"c\":{\"list\":[1,2,3,4,5,6,7,\"7%\"]},\"d\":\"y\"}");
	struct json *copy;
	{
		CLEANUP_BUF out = BUF_INIT(1000);
		json_write(&out, tree);
		struct json *short_lived;
		assert_int_equal(json_parse(&a, buf_str(&out), &short_lived, NULL, NULL), RC_OK);
		copy = json_copy(&a, short_lived);
	}
	assert_true(json_equal(copy, tree));
	assert_null(json_copy(&a, NULL));
}

static void test_equality(void **state)
{
	static const struct {
		const char *a, *b;
		bool is_equal;
	} rows[] = {
		{"1", "1.0", true},
		{"1", "1.5", false},
		{"922337203685477600", "922337203685477580.0", true},
		{"1", "\"1\"", false},
		{"null", "false", false},
		{"{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", true},
		{"{\"a\":1}", "{\"b\":1}", false},
		{"{\"a\":1}", "{\"a\":1,\"b\":1}", false},
		{"[1,2]", "[2,1]", false},
		{"[]", "{}", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		assert_int_equal(json_equal(parse(&a, rows[i].a), parse(&a, rows[i].b)),
				 rows[i].is_equal);
		assert_int_equal(json_equal(parse(&a, rows[i].b), parse(&a, rows[i].a)),
				 rows[i].is_equal);
	}
	assert_true(json_equal(NULL, NULL));
}

static void test_indent_like_kubectl(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(1000);
	json_write_indent(&out, parse(&a, "{\"a\":{},\"b\":[],\"c\":[1,{\"d\":null}]}"), 4);
	assert_string_equal(out.data,
			    "{\n    \"a\": {},\n    \"b\": [],\n    \"c\": [\n        1,\n"
			    "        {\n            \"d\": null\n        }\n    ]\n}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_round_trip),
		cmocka_unit_test(test_numbers_keep_their_type),
		cmocka_unit_test(test_errors_read_like_go),
		cmocka_unit_test(test_invalid_utf8_is_refused),
		cmocka_unit_test(test_scan_finds_special_bytes_everywhere),
		cmocka_unit_test(test_truncation_never_parses),
		cmocka_unit_test(test_depth_is_limited),
		cmocka_unit_test(test_sizes_are_limited),
		cmocka_unit_test(test_large_body),
		cmocka_unit_test(test_duplicates_are_named),
		cmocka_unit_test(test_many_duplicates_stay_fast),
		cmocka_unit_test(test_reading_accepts_anything),
		cmocka_unit_test(test_editing),
		cmocka_unit_test(test_equality),
		cmocka_unit_test(test_indent_like_kubectl),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
