#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "codec/yaml.h"

/* All documents as JSON, one a line. */
static void to_json(struct buf *out, struct str text, struct json_duplicates *duplicates)
{
	CLEANUP_ARENA a = {};
	struct yaml_document *documents;
	size_t count;
	struct err err;
	if (yaml_parse(&a, text, &documents, &count, duplicates, &err) != RC_OK)
		fail_msg("%.*s: %s", STR_FMT(text), err.text);
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_add_char(out, '\n');
		json_write(out, documents[i].tree);
	}
}

static void test_reading(void **state)
{
	static const struct {
		const char *yaml, *json;
	} rows[] = {
		{"", ""},
		{"\n# only a comment\n", ""},
		{"---\n", "null"},
		{"x", "\"x\""},
		{"a: b\n", "{\"a\":\"b\"}"},
		{"{\"a\": [1, true, null, \"x\"]}", "{\"a\":[1,true,null,\"x\"]}"},
		{"- a\n- - b\n  - c\n- d: e\n  f: g\n",
		 "[\"a\",[\"b\",\"c\"],{\"d\":\"e\",\"f\":\"g\"}]"},
		{"a:\n- b\nc:\n  - d\n", "{\"a\":[\"b\"],\"c\":[\"d\"]}"},
		{"a: []\nb: {}\nc:\n", "{\"a\":[],\"b\":{},\"c\":null}"},
		{"a: |\n  x\n   y\n\nb: |-\n  x\nc: |+\n  x\n\nd: >\n  x\n  y\n\n  z\n",
		 "{\"a\":\"x\\n y\\n\",\"b\":\"x\",\"c\":\"x\\n\\n\",\"d\":\"x y\\nz\\n\"}"},
		{"a: 'it''s'\nb: \"\\x41\\u00e9\\n\"\nc: x\n  y\n",
		 "{\"a\":\"it's\",\"b\":\"Aé\\n\",\"c\":\"x y\"}"},
		{"a: b\n---\nc: d\n...\n---\n", "{\"a\":\"b\"}\n{\"c\":\"d\"}\nnull"},
		{"1: a\n2.5: b\ntrue: c\nno: d\n'x': e\n0x10: f\n",
		 "{\"1\":\"a\",\"2.5\":\"b\",\"true\":\"c\",\"false\":\"d\",\"x\":\"e\",\"16\":"
		 "\"f\"}"},
		{"a: &x {p: 1}\nb: *x\nc: &y z\nd: *y\n",
		 "{\"a\":{\"p\":1},\"b\":{\"p\":1},\"c\":\"z\",\"d\":\"z\"}"},
		{"&k a: b\nc: *k\n", "{\"a\":\"b\",\"c\":\"a\"}"},
		{"a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}"},
		{"<<: {a: b}\nc: d\n", "{\"a\":\"b\",\"c\":\"d\"}"},
		{"a: 1\n<<: {a: 2, b: 3}\n", "{\"a\":1,\"b\":3}"},
		{"<<: [{a: 1}, {a: 2, b: 2}]\n", "{\"a\":1,\"b\":2}"},
		{"x: &x {a: 1}\nz: {<<: *x, b: 2}\n", "{\"x\":{\"a\":1},\"z\":{\"a\":1,\"b\":2}}"},
		{"'<<': a\n", "{\"\\u003c\\u003c\":\"a\"}"},
		{"a: !!binary aGk=\n", "{\"a\":\"hi\"}"},
		{"a: !!str 1\nb: !foo 2\nc: ! 3\nd: !!float 1\ne: !!int 5\n",
		 "{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\",\"d\":1,\"e\":5}"},
		{"a: é中😀\n", "{\"a\":\"é中😀\"}"},
		{"\xef\xbb\xbf"
		 "a: b\n",
		 "{\"a\":\"b\"}"},
		{"a: \"\\0\"\n", "{\"a\":\"\\u0000\"}"},
		{"a: b\r\nc: d\r\n", "{\"a\":\"b\",\"c\":\"d\"}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF out = BUF_INIT(10000);
		to_json(&out, str_of(rows[i].yaml), NULL);
		assert_string_equal(buf_str(&out).at, rows[i].json);
	}
}

/* Compared with kubectl 1.33. */
static void test_scalars(void **state)
{
	static const struct {
		const char *yaml, *json;
	} rows[] = {
		{"y, Y, yes, Yes, YES, on, On, ON, true, True, TRUE", "true"},
		{"n, N, no, No, NO, off, Off, OFF, false, False, FALSE", "false"},
		{"~, null, Null, NULL", "null"},
		{"10, 0xa, 0Xa, 0xA, 0o12, 012, 0b1010, +10, 1_0, 10.0, 1e1, 1.0e+1, 100e-1, 10.",
		 "10"},
		{"-15, -0xf, -017, -0o17, -0b1111, -15.0, -1.5e1", "-15"},
		{"0.5, .5, 5e-1, +.5", "0.5"},
		{"8, 08, 8.", "8"},
		{"0, -0, -0.0, 00, +0", "0"},
		{"9223372036854775807", "9223372036854775807"},
		{"9223372036854775808", "9223372036854776000"},
		{"18446744073709551616", "18446744073709552000"},
		{"1e21", "1e+21"},
		{"1e400", "\"1e400\""},
		{"0x", "\"0x\""},
		{"0b2", "\"0b2\""},
		{"0xffffffffffffffffff", "\"0xffffffffffffffffff\""},
		{"1:30", "\"1:30\""},
		{"1e", "\"1e\""},
		{".", "\".\""},
		{"-", "\"-\""},
		{"yEs", "\"yEs\""},
		{"2001-01-01", "\"2001-01-01\""},
		{"2001-1-1T1:1:1Z", "\"2001-1-1T1:1:1Z\""},
		{"=", "\"=\""},
		{"1.2.3", "\"1.2.3\""},
		{"10.0.0.0/8", "\"10.0.0.0/8\""},
		{"500m", "\"500m\""},
		{"1Gi", "\"1Gi\""},
		{"'', \"\"", "\"\""},
		{"'1', \"1\"", "\"1\""},
		{"'yes'", "\"yes\""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str rest = str_of(rows[i].yaml), one;
		while (rest.at) {
			CLEANUP_BUF out = BUF_INIT(1000), yaml = BUF_INIT(1000);
			str_cut(rest, ',', &one, &rest);
			buf_printf(&yaml, "a: %.*s\n", STR_FMT(str_trim(one)));
			if (str_is(str_trim(one), "-"))
				continue; /* begins a list here */
			to_json(&out, buf_str(&yaml), NULL);
			CLEANUP(free_p) char *expect = mem_printf("{\"a\":%s}", rows[i].json);
			assert_string_equal(out.data, expect);
		}
	}
}

/* Recorded from kube-apiserver and kubectl; the place is ours. */
static void test_errors(void **state)
{
	static const struct {
		const char *yaml, *error;
		uint32_t line, column;
	} rows[] = {
		{"a: v1\nb: c\nd:\n  e: x\n f: b\n", "yaml: line 4: did not find expected key", 5,
		 2},
		{"a: v1\nb: c\nd: {e: x\n", "yaml: line 3: did not find expected ',' or '}'", 4, 1},
		{"a: v1\nd: *nope\n", "yaml: unknown anchor 'nope' referenced", 2, 4},
		{"a: &x [*x]\n", "yaml: anchor 'x' value contains itself", 1, 8},
		{"z: 1\na: b: c\n", "yaml: line 2: mapping values are not allowed in this context",
		 2, 5},
		{"z: 1\na: @b\n", "yaml: line 2: found character that cannot start any token", 2,
		 4},
		{"z: 1\na: \"\\q\"\n", "yaml: line 2: found unknown escape character", 2, 5},
		{"a: \"\x01\"\n", "yaml: control characters are not allowed", 1, 5},
		{"z: 1\na: \"\xff\"\n", "yaml: invalid leading UTF-8 octet", 2, 5},
		{"a: \"b\n", "yaml: line 2: found unexpected end of stream", 2, 1},
		{"a: !!int x\n", "yaml: cannot decode !!str `x` as a !!int", 1, 4},
		{"a: .nan\n", "json: unsupported value: NaN", 1, 4},
		{"a: -.inf\n", "json: unsupported value: -Inf", 1, 4},
		{"a: {<<: b}\n", "yaml: map merge requires map or sequence of maps as the value", 1,
		 10},
		{"~: b\n",
		 "yaml: line 1: unsupported map key: null; keys are strings, numbers or booleans",
		 1, 1},
		{"{a: b}: c\n",
		 "yaml: line 1: unsupported map key: a list or map; keys are strings, numbers or "
		 "booleans",
		 1, 6},
		{"a: !!binary '@'\n", "yaml: line 1: !!binary value is not base64 of UTF-8 text", 1,
		 4},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct yaml_document *documents;
		size_t count;
		struct err err;
		struct yaml_place place;
		struct str text = str_of(rows[i].yaml);
		assert_int_equal(yaml_parse(&a, text, &documents, &count, NULL, &err),
				 RC_BAD_REQUEST);
		assert_string_equal(err.text, rows[i].error);
		assert_true(yaml_find_error(text, &place));
		assert_int_equal(place.line, rows[i].line);
		assert_int_equal(place.column, rows[i].column);
	}
	struct yaml_place place;
	assert_false(yaml_find_error(STR("a: b\n"), &place));
}

static void test_duplicates_have_lines(void **state)
{
	static const struct {
		const char *yaml, *json, *found;
	} rows[] = {
		{"a: b\nc: d\n", "{\"a\":\"b\",\"c\":\"d\"}", ""},
		{"data:\n  a: b\n  a: c\n  a: d\n", "{\"data\":{\"a\":\"d\"}}",
		 "data.a:3 data.a:4 "},
		{"data: {a: b}\ndata: {c: d}\n", "{\"data\":{\"c\":\"d\"}}", "data:2 "},
		{"l:\n- x: 1\n  x: 2\nb: 1\nb: 2\na: 1\na: 2\n",
		 "{\"l\":[{\"x\":2}],\"b\":2,\"a\":2}", "l[0].x:3 b:5 a:7 "},
		{"1: a\n'1': b\n", "{\"1\":\"b\"}", "1:2 "},
		{"<<: {a: b}\na: c\n", "{\"a\":\"c\"}", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF found = BUF_INIT(1000), json = BUF_INIT(1000);
		struct json_duplicates duplicates = {};
		struct yaml_document *documents;
		size_t count;
		assert_int_equal(
			yaml_parse(&a, str_of(rows[i].yaml), &documents, &count, &duplicates, NULL),
			RC_OK);
		for (size_t d = 0; d < duplicates.count; d++)
			buf_printf(&found, "%.*s:%u ", STR_FMT(duplicates.paths[d]),
				   duplicates.lines[d]);
		assert_string_equal(buf_str(&found).at, rows[i].found);
		json_write(&json, documents[0].tree);
		assert_string_equal(json.data, rows[i].json);
	}
}

static void test_a_second_document_is_found(void **state)
{
	CLEANUP_ARENA a = {};
	struct json_duplicates duplicates = {};
	struct yaml_document *documents;
	size_t count;
	struct str text = STR("apiVersion: v1\nkind: A\nmetadata:\n  name: x\n"
			      "apiVersion: v1\nkind: B\nmetadata:\n  name: y\n"
			      "kind: C\nmetadata:\n  name: z\n");
	assert_int_equal(yaml_parse(&a, text, &documents, &count, &duplicates, NULL), RC_OK);
	assert_int_equal(count, 1);
	assert_int_equal(yaml_second_document_line(&duplicates), 5);
	duplicates = (struct json_duplicates){};
	text = STR(
		"# c\n\n---\n# d\napiVersion: v1\n---\n\napiVersion: v1\nmetadata: {a: 1, a: 2}\n");
	assert_int_equal(yaml_parse(&a, text, &documents, &count, &duplicates, NULL), RC_OK);
	assert_int_equal(count, 2);
	assert_int_equal(documents[0].line, 5);
	assert_int_equal(documents[1].line, 8);
	assert_int_equal(yaml_second_document_line(&duplicates), 0);
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Parses a text that is to be refused without much time or memory; the first bound is far above
 * what a release build takes, for sanitizers. */
static void assert_refused(struct str text, enum rc expect, const char *message)
{
	CLEANUP_ARENA a = {};
	struct yaml_document *documents;
	size_t count;
	struct err err;
	double start = seconds();
	assert_int_equal(yaml_parse(&a, text, &documents, &count, NULL, &err), expect);
	assert_true(seconds() - start < 2);
	assert_true(a.used_bytes < 16 << 20);
	if (!strstr(err.text, message))
		fail_msg("'%s' lacks '%s'", err.text, message);
}

static void test_alias_bomb(void **state)
{
	CLEANUP_BUF text = BUF_INIT(10000);
	buf_add_cstr(&text, "a: &a [l,l,l,l,l,l,l,l,l]\n");
	for (int level = 1; level < 9; level++) {
		char name = (char)('a' + level), inner = (char)('a' + level - 1);
		buf_printf(&text, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", name, name,
			   inner, inner, inner, inner, inner, inner, inner, inner, inner);
	}
	assert_refused(buf_str(&text), RC_BAD_REQUEST, "excessive aliasing");
}

static void repeat(struct buf *out, const char *text, int times)
{
	for (int i = 0; i < times; i++)
		buf_add_cstr(out, text);
}

static void test_hostile_shapes(void **state)
{
	static const struct {
		const char *prefix, *repeated;
		int times;
		enum rc rc;
		const char *message;
	} rows[] = {
		{"", "[", 100000, RC_BAD_REQUEST, "more than the limit of 64 levels"},
		{"", "{a: ", 100000, RC_BAD_REQUEST, "more than the limit of 64 levels"},
		{"", "[[],", 100000, RC_BAD_REQUEST, "more than the limit of 64 levels"},
		{"", "{? ", 100000, RC_BAD_REQUEST, "more than the limit of 64 levels"},
		{"", "- ", 100000, RC_BAD_REQUEST, "exceeded max depth of 512 levels"},
		{"", "? ", 100000, RC_BAD_REQUEST, "exceeded max depth of 512 levels"},
		{"- &a x\n", "- *a\n", 150000, RC_BAD_REQUEST, "excessive aliasing"},
		{"- &a \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
		 "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
		 "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"\n",
		 "- *a\n", 99000, RC_BAD_REQUEST, "excessive aliasing"},
		{"", "\n%TAG !a! tag:x", 100000, RC_BAD_REQUEST, "limit of 100 %TAG directives"},
		{"", "\"", 99999, RC_BAD_REQUEST, "yaml: "},
		{"", "!", 100000, RC_OK, ""},
		{"", ": ", 100000, RC_BAD_REQUEST, "yaml: "},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF text = BUF_INIT(YAML_MAX_BYTES);
		buf_add_cstr(&text, rows[i].prefix);
		repeat(&text, rows[i].repeated, rows[i].times);
		if (rows[i].rc != RC_OK)
			assert_refused(buf_str(&text), rows[i].rc, rows[i].message);
	}
	CLEANUP_BUF anchors = BUF_INIT(1 << 20);
	for (int i = 0; i <= YAML_MAX_ANCHORS; i++)
		buf_printf(&anchors, "- &a%d x\n", i);
	assert_refused(buf_str(&anchors), RC_BAD_REQUEST, "limit of 10000 anchors");
	CLEANUP(free_p) char *huge = mem_alloc(YAML_MAX_BYTES + 1);
	assert_refused(str_n(huge, YAML_MAX_BYTES + 1), RC_TOO_LARGE, "larger than the limit");
}

static void test_large_body(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(8 << 20);
	struct yaml_document *documents;
	size_t count;
	buf_add_cstr(&text, "data:\n");
	for (int i = 0; text.len < (4 << 20); i++)
		buf_printf(&text, "  key-%d: some value of usual length\n", i);
	assert_int_equal(yaml_parse(&a, buf_str(&text), &documents, &count, NULL, NULL), RC_OK);
	CLEANUP_BUF out = BUF_INIT(8 << 20);
	yaml_write(&out, documents[0].tree);
	assert_true(str_eq(buf_str(&out), buf_str(&text)));
}

static void test_truncation(void **state)
{
	static const char text[] =
		"a: &x {b: [1, \"x\\n\", 'y'], c: *x2}\n? z\n: |+\n  q\n\n--- !!str\n<<: 1";
	for (size_t len = 0; len < sizeof(text); len++) {
		CLEANUP_ARENA a = {};
		struct yaml_document *documents;
		size_t count;
		char *copy = mem_resize(NULL, len + 1);
		memcpy(copy, text, len);
		(void)!yaml_parse(&a, str_n(copy, len), &documents, &count, NULL, NULL);
		free(copy);
	}
}

/* Written by kubectl 1.33 from the same values. */
static void test_writing(void **state)
{
	static const struct {
		const char *json, *yaml;
	} rows[] = {
		{"{}", "{}\n"},
		{"[]", "[]\n"},
		{"null", "null\n"},
		{"\"x\"", "x\n"},
		{"{\"b\":1,\"a\":[]}", "b: 1\na: []\n"},
		{"{\"a\":[{\"b\":1,\"c\":[2,3]},\"x\",[4,[5]]]}",
		 "a:\n- b: 1\n  c:\n  - 2\n  - 3\n- x\n- - 4\n  - - 5\n"},
		{"{\"a\":{\"b\":{\"c\":null}}}", "a:\n  b:\n    c: null\n"},
		{"[true,false,1,-1,1.5,1e21,1234567.5,0.00001,100,1e20]",
		 "- true\n- false\n- 1\n- -1\n- 1.5\n- 1e+21\n- 1.2345675e+06\n- 1e-05\n- 100\n- "
		 "1e+20\n"},
		{"[\"yes\",\"no\",\"y\",\"true\",\"null\",\"~\",\"\",\"123\",\"0x1f\",\"1e3\",\"1:"
		 "30\"]",
		 "- \"yes\"\n- \"no\"\n- \"y\"\n- \"true\"\n- \"null\"\n- \"~\"\n- \"\"\n- "
		 "\"123\"\n- "
		 "\"0x1f\"\n- \"1e3\"\n- \"1:30\"\n"},
		{"[\"2001-01-01\",\"2001-01-01T00:00:00Z\",\"1_000\",\".inf\",\"+1\",\"017\"]",
		 "- \"2001-01-01\"\n- \"2001-01-01T00:00:00Z\"\n- \"1_000\"\n- \".inf\"\n- "
		 "\"+1\"\n- "
		 "\"017\"\n"},
		{"[\"a: b\",\"a #b\",\" a\",\"a \",\"- "
		 "a\",\"*a\",\"&a\",\"!a\",\"%a\",\"@a\",\"`a\",\"[a\","
		 "\"{a\",\",a\",\"? a\",\"|\",\">\",\"'\",\"\\\"\",\"---\"]",
		 "- 'a: b'\n- 'a #b'\n- ' a'\n- 'a '\n- '- a'\n- '*a'\n- '&a'\n- '!a'\n- '%a'\n- "
		 "'@a'\n- "
		 "'`a'\n- '[a'\n- '{a'\n- ',a'\n- '? a'\n- '|'\n- '>'\n- ''''\n- '\"'\n- '---'\n"},
		{"[\"it's\",\"a\\\\b\",\"a\\u0001b\",\"a\\tb\",\"😀\",\"é中\",\"500m\",\"10.0.0.0/"
		 "8\",\"=\"]",
		 "- it's\n- a\\b\n- \"a\\x01b\"\n- \"a\\tb\"\n- \"\\U0001F600\"\n- é中\n- 500m\n- "
		 "10.0.0.0/8\n- =\n"},
		{"{\"a\":\"x\\ny\\n\",\"b\":\"x\\ny\",\"c\":\"x\\n\\n\\n\",\"d\":\" "
		 "x\\ny\",\"e\":\"x \\ny\"}",
		 "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: |+\n  x\n\n\nd: |2-\n   x\n  y\ne: \"x "
		 "\\ny\"\n"},
		{"{\"a\":\"x\\n\\n\"}", "a: |+\n  x\n\n"},
		{"{\"<<\":\"<<\"}", "\"<<\": <<\n"},
		{"{\"yes\":1,\"1\":2,\"a: b\":3,\"\":4}",
		 "\"yes\": 1\n\"1\": 2\n'a: b': 3\n\"\": 4\n"},
		{"{\"long\":\"the quick brown fox jumps over the lazy dog the quick brown fox "
		 "jumps over "
		 "the lazy dog\"}",
		 "long: the quick brown fox jumps over the lazy dog the quick brown fox jumps "
		 "over the\n"
		 "  lazy dog\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF out = BUF_INIT(10000), back = BUF_INIT(10000), again = BUF_INIT(10000);
		struct json *tree;
		assert_int_equal(json_parse(&a, str_of(rows[i].json), &tree, NULL, NULL), RC_OK);
		yaml_write(&out, tree);
		assert_string_equal(out.data, rows[i].yaml);
		json_write(&back, tree);
		to_json(&again, buf_str(&out), NULL);
		assert_string_equal(back.data, again.data);
	}
}

static void test_writing_odd_bytes_and_full_buffers(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(100);
	yaml_write(&out, json_string(&a, STR("\xffhi")));
	assert_string_equal(out.data, "!!binary /2hp\n");
	struct json *list = json_array(&a);
	for (int i = 0; i < 100; i++)
		json_append(&a, list, json_cstring(&a, "some text"));
	for (size_t max = 0; max < 40; max++) {
		CLEANUP_BUF small = BUF_INIT(max);
		yaml_write(&small, list);
		assert_int_equal(buf_check(&small, "x", NULL), RC_TOO_LARGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_duplicates_have_lines),
		cmocka_unit_test(test_a_second_document_is_found),
		cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test(test_hostile_shapes),
		cmocka_unit_test(test_large_body),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_writing),
		cmocka_unit_test(test_writing_odd_bytes_and_full_buffers),
	};
	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
