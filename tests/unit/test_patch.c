#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/patch.h"

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
	assert_string_equal(out.data, expect);
}

static void test_json_patch(void **state)
{
	static const struct {
		const char *doc, *patch, *result;
	} rows[] = {
		{"{\"a\":1}", "[]", "{\"a\":1}"},
		{"{\"a\":1}", "null", "{\"a\":1}"},
		{"{}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":[1]}]", "{\"a\":[1]}"},
		{"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":2}]", "{\"a\":2}"},
		{"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\"}]", "{\"a\":1,\"b\":null}"},
		{"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/\",\"value\":2}]", "{\"\":2,\"a\":1}"},
		{"{}", "[{\"op\":\"add\",\"path\":\"/x~1y~0z\",\"value\":2}]", "{\"x/y~z\":2}"},
		{"{}", "[{\"op\":\"add\",\"path\":\"/~01\",\"value\":2}]", "{\"~1\":2}"},
		{"{\"l\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/l/-\",\"value\":3}]",
		 "{\"l\":[1,2,3]}"},
		{"{\"l\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/l/0\",\"value\":3}]",
		 "{\"l\":[3,1,2]}"},
		{"{\"l\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/l/2\",\"value\":3}]",
		 "{\"l\":[1,2,3]}"},
		{"{\"l\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/l/-1\",\"value\":3}]",
		 "{\"l\":[1,2,3]}"},
		{"{\"l\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/l/01\",\"value\":3}]",
		 "{\"l\":[1,3,2]}"},
		{"{\"l\":[{\"n\":1}]}", "[{\"op\":\"add\",\"path\":\"/l/0/m\",\"value\":3}]",
		 "{\"l\":[{\"m\":3,\"n\":1}]}"},
		{"{\"a\":1,\"b\":2}", "[{\"op\":\"remove\",\"path\":\"/a\"}]", "{\"b\":2}"},
		{"{\"l\":[1,2]}", "[{\"op\":\"remove\",\"path\":\"/l/-1\"}]", "{\"l\":[1]}"},
		{"{\"l\":[1,2]}", "[{\"op\":\"remove\",\"path\":\"/l/0\"}]", "{\"l\":[2]}"},
		{"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":\"x\"}]",
		 "{\"a\":\"x\"}"},
		{"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/zz\",\"value\":9}]",
		 "{\"a\":1,\"zz\":9}"},
		{"{\"l\":[1,2]}", "[{\"op\":\"replace\",\"path\":\"/l/1\",\"value\":9}]",
		 "{\"l\":[1,9]}"},
		{"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"b\":1}}]",
		 "{\"b\":1}"},
		{"{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"}]", "{\"b\":1}"},
		{"{\"l\":[1,2,3]}", "[{\"op\":\"move\",\"from\":\"/l/0\",\"path\":\"/l/-\"}]",
		 "{\"l\":[2,3,1]}"},
		{"{\"a\":{\"x\":1}}",
		 "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"},"
		 "{\"op\":\"add\",\"path\":\"/b/x\",\"value\":2}]",
		 "{\"a\":{\"x\":1},\"b\":{\"x\":2}}"},
		{"{\"a\":1}", "[{\"op\":\"copy\",\"from\":\"/zz\",\"path\":\"/b\"}]",
		 "{\"a\":1,\"b\":null}"},
		{"{\"a\":\"1\"}",
		 "[{\"op\":\"test\",\"path\":\"/a\",\"value\":\"1\"},"
		 "{\"op\":\"remove\",\"path\":\"/a\"}]",
		 "{}"},
		{"{\"a\":{\"x\":1,\"y\":[2]}}",
		 "[{\"op\":\"test\",\"path\":\"/a\",\"value\":{\"y\":[2],\"x\":1}}]",
		 "{\"a\":{\"x\":1,\"y\":[2]}}"},
		{"{}", "[{\"op\":\"test\",\"path\":\"/zz\",\"value\":null}]", "{}"},
		{"{\"a\":null}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":null}]",
		 "{\"a\":null}"},
		{"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"\",\"value\":{\"a\":1}}]", "{\"a\":1}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct json *doc = parse(&a, rows[i].doc), *patch = parse(&a, rows[i].patch);
		struct err err;
		if (json_patch_apply(&a, &doc, patch, &err) != RC_OK)
			fail_msg("%s: %s", rows[i].patch, err.text);
		assert_writes(doc, rows[i].result);
		assert_true(json_equal(patch, parse(&a, rows[i].patch)));
	}
}

/* A patch is a map, in which the last of repeated members counts, whatever it is. */
static void test_repeated_members(void **state)
{
	static const char text[] = "{\"a\":{\"b\":1},\"a\":{\"c\":2}}";
	CLEANUP_ARENA a = {};
	struct json_duplicates duplicates = {.keeps_last = true};
	struct json *tree;
	assert_int_equal(json_parse(&a, str_of(text), &tree, &duplicates, NULL), RC_OK);
	assert_writes(tree, "{\"a\":{\"c\":2}}");
	assert_int_equal(duplicates.count, 1);
	assert_writes(parse(&a, text), "{\"a\":{\"b\":1,\"c\":2}}");
}

static void test_json_patch_errors(void **state)
{
	static const char doc_text[] =
		"{\"a\":\"1\",\"n\":80,\"l\":[1,2],\"s\":{\"t\":{}},\"z\":null}";
	static const struct {
		const char *patch;
		enum rc rc;
		const char *error;
	} rows[] = {
		{"{\"op\":\"add\"}", RC_BAD_REQUEST,
		 "error decoding patch: json: cannot unmarshal object into Go value of type "
		 "[]handlers.jsonPatchOp"},
		{"\"x\"", RC_BAD_REQUEST,
		 "error decoding patch: json: cannot unmarshal string into Go value of type "
		 "[]handlers.jsonPatchOp"},
		{"[1]", RC_BAD_REQUEST,
		 "error decoding patch: json: cannot unmarshal number into Go value of type "
		 "handlers.jsonPatchOp"},
		{"[{\"op\":1}]", RC_BAD_REQUEST,
		 "error decoding patch: json: cannot unmarshal number into Go struct field "
		 "jsonPatchOp.op of type string"},
		{"[{\"op\":\"foo\",\"path\":\"/a\"}]", RC_INVALID,
		 "operation 0: Unexpected kind: foo"},
		{"[{\"path\":\"/a\"}]", RC_INVALID, "operation 0: Unexpected kind: "},
		{"[{\"op\":\"add\",\"value\":1}]", RC_INVALID,
		 "operation 0: add operation has no path or from: missing value"},
		{"[{\"op\":\"move\",\"path\":\"/a\"}]", RC_INVALID,
		 "operation 0: move operation has no path or from: missing value"},
		{"[{\"op\":\"add\",\"path\":\"/x/y\",\"value\":1}]", RC_INVALID,
		 "operation 0: add operation does not apply: doc is missing path: \"/x/y\": "
		 "missing value"},
		{"[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", RC_INVALID,
		 "operation 0: add operation does not apply: doc is missing path: \"a\": missing "
		 "value"},
		{"[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]", RC_INVALID,
		 "operation 0: add operation does not apply: doc is missing path: \"/a/b\": "
		 "missing value"},
		{"[{\"op\":\"add\",\"path\":\"/z/b\",\"value\":1}]", RC_INVALID,
		 "operation 0: add operation does not apply: doc is missing path: \"/z/b\": "
		 "missing value"},
		{"[{\"op\":\"add\",\"path\":\"/l/3\",\"value\":1}]", RC_INVALID,
		 "operation 0: error in add for path: '/l/3': Unable to access invalid index: 3: "
		 "invalid "
		 "index referenced"},
		{"[{\"op\":\"add\",\"path\":\"/l/-4\",\"value\":1}]", RC_INVALID,
		 "operation 0: error in add for path: '/l/-4': Unable to access invalid index: -4: "
		 "invalid index referenced"},
		{"[{\"op\":\"add\",\"path\":\"/l/x\",\"value\":1}]", RC_INVALID,
		 "operation 0: error in add for path: '/l/x': value 'x' is not an index of a list"},
		{"[{\"op\":\"remove\",\"path\":\"/zz\"}]", RC_INVALID,
		 "operation 0: error in remove for path: '/zz': Unable to remove nonexistent key: "
		 "zz: "
		 "missing value"},
		{"[{\"op\":\"remove\",\"path\":\"\"}]", RC_INVALID,
		 "operation 0: remove operation does not apply: doc is missing path: \"\": missing "
		 "value"},
		{"[{\"op\":\"remove\",\"path\":\"/l/-\"}]", RC_INVALID,
		 "operation 0: error in remove for path: '/l/-': value '-' is not an index of a "
		 "list"},
		{"[{\"op\":\"replace\",\"path\":\"/l/2\",\"value\":1}]", RC_INVALID,
		 "operation 0: replace operation does not apply: doc is missing key: /l/2: Unable "
		 "to "
		 "access invalid index: 2: invalid index referenced"},
		{"[{\"op\":\"test\",\"path\":\"/a\",\"value\":\"2\"}]", RC_INVALID,
		 "operation 0: testing value /a failed: test failed"},
		{"[{\"op\":\"test\",\"path\":\"/a\"}]", RC_INVALID,
		 "operation 0: testing value /a failed: test failed"},
		{"[{\"op\":\"test\",\"path\":\"/n\",\"value\":80.0}]", RC_INVALID,
		 "operation 0: testing value /n failed: test failed"},
		{"[{\"op\":\"test\",\"path\":\"/zz\",\"value\":1}]", RC_INVALID,
		 "operation 0: testing value /zz failed: test failed"},
		{"[{\"op\":\"move\",\"from\":\"/zz\",\"path\":\"/b\"}]", RC_INVALID,
		 "operation 0: error in move for path: '/zz': Unable to remove nonexistent key: "
		 "zz: "
		 "missing value"},
		{"[{\"op\":\"move\",\"from\":\"/s\",\"path\":\"/s/t\"}]", RC_INVALID,
		 "operation 0: move operation does not apply: doc is missing destination path: "
		 "/s/t: "
		 "missing value"},
		{"[{\"op\":\"add\",\"path\":\"/b\",\"value\":1},{\"op\":\"test\",\"path\":\"/"
		 "b\",\"value\":2}]",
		 RC_INVALID, "operation 1: testing value /b failed: test failed"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct json *doc = parse(&a, doc_text);
		struct err err;
		assert_int_equal(json_patch_apply(&a, &doc, parse(&a, rows[i].patch), &err),
				 rows[i].rc);
		assert_string_equal(err.text, rows[i].error);
		assert_int_equal(err.rc, rows[i].rc);
		doc = parse(&a, doc_text);
		assert_int_equal(json_patch_apply(&a, &doc, parse(&a, rows[i].patch), NULL),
				 rows[i].rc);
	}
}

/* n times text, where %d stands for the number of the round. */
static struct json *many(struct arena *a, const char *text, int n)
{
	CLEANUP_BUF out = BUF_INIT(16 << 20);
	buf_add_char(&out, '[');
	for (int i = 0; i < n; i++) {
		buf_add_cstr(&out, i ? "," : "");
		buf_printf(&out, text, i, i + 1);
	}
	buf_add_char(&out, ']');
	return parse(a, arena_str(a, buf_str(&out)).at);
}

static void assert_refused(struct arena *a, struct json *doc, const struct json *patch, enum rc rc,
			   const char *message)
{
	struct err err;
	assert_int_equal(json_patch_apply(a, &doc, patch, &err), rc);
	if (!strstr(err.text, message))
		fail_msg("'%s' lacks '%s'", err.text, message);
}

static struct json *wide_object(struct arena *a, int count, int step, int value)
{
	CLEANUP_BUF out = BUF_INIT(16 << 20);
	buf_add_char(&out, '{');
	for (int i = 0; i < count; i++)
		buf_printf(&out, "%s\"key-%d\":%d", i ? "," : "", i * step, value);
	buf_add_char(&out, '}');
	return parse(a, arena_str(a, buf_str(&out)).at);
}

static void test_json_patch_limits(void **state)
{
	CLEANUP_ARENA a = {};
	assert_refused(&a, parse(&a, "{}"),
		       many(&a, "{\"op\":\"add\",\"path\":\"/a\",\"value\":%d}", 10001),
		       RC_TOO_LARGE,
		       "Request entity too large: The allowed maximum operations in a JSON patch "
		       "is 10000, got 10001");
	assert_refused(&a, parse(&a, "{\"a\":[\"0123456789\"]}"),
		       many(&a, "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}", 100),
		       RC_INVALID,
		       "the accumulated size increase of copy exceeds the limit 3145728");
	/* Every move puts the document one level deeper. */
	CLEANUP_BUF deep = BUF_INIT(32 << 20);
	CLEANUP_BUF path = BUF_INIT(1 << 20);
	buf_add_char(&deep, '[');
	for (int i = 0; i < 600; i++) {
		buf_add_cstr(&path, "/a");
		buf_printf(&deep, "%s{\"op\":\"add\",\"path\":\"%s\",\"value\":{}}", i ? "," : "",
			   path.data);
	}
	buf_add_char(&deep, ']');
	assert_refused(&a, parse(&a, "{}"), parse(&a, deep.data), RC_INVALID,
		       "exceeds the depth of 512 levels");
	assert_refused(&a, wide_object(&a, 20000, 1, 1),
		       many(&a, "{\"op\":\"add\",\"path\":\"/a%d\",\"value\":%d}", 10000),
		       RC_TOO_LARGE, "more than the limit of 52428800 steps");
}

static void test_ten_thousand_operations(void **state)
{
	CLEANUP_ARENA a = {};
	struct json *doc = parse(&a, "{\"l\":[]}");
	struct err err;
	const struct json *patch =
		many(&a, "{\"op\":\"add\",\"path\":\"/l/0\",\"value\":%d}", 10000);
	assert_int_equal(json_patch_apply(&a, &doc, patch, &err), RC_OK);
	assert_int_equal(json_count(json_get(doc, STR("l"))), 10000);
	assert_int_equal(json_i64(json_at(json_get(doc, STR("l")), 0)), 9999);
}

static const struct {
	const char *doc, *patch, *result;
} merges[] = {
	{"{\"a\":1}", "{}", "{\"a\":1}"},
	{"{\"a\":1}", "{\"b\":2}", "{\"a\":1,\"b\":2}"},
	{"{\"a\":1,\"b\":2}", "{\"a\":null}", "{\"b\":2}"},
	{"{\"a\":1}", "{\"zz\":null}", "{\"a\":1}"},
	{"{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"x\":null,\"z\":3}}", "{\"a\":{\"y\":2,\"z\":3}}"},
	{"{\"a\":[1,2]}", "{\"a\":[3]}", "{\"a\":[3]}"},
	{"{\"a\":[1]}", "{\"a\":{\"b\":1,\"c\":null}}", "{\"a\":{\"b\":1}}"},
	{"{\"a\":{\"b\":1}}", "{\"a\":\"x\"}", "{\"a\":\"x\"}"},
	{"{}", "{\"a\":{\"b\":{\"c\":null}}}", "{\"a\":{\"b\":{}}}"},
	{"{\"a\":null}", "{\"a\":{\"b\":null,\"c\":1}}", "{\"a\":{\"c\":1}}"},
	{"{\"l\":[]}", "{\"l\":[{\"a\":1,\"b\":null},null]}", "{\"l\":[{\"a\":1},null]}"},
	{"[1]", "{\"a\":1}", "{\"a\":1}"},
};

static void test_merge_patch(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(merges); i++) {
		CLEANUP_ARENA a = {};
		struct json *doc = parse(&a, merges[i].doc), *patch = parse(&a, merges[i].patch);
		assert_int_equal(merge_patch_apply(&a, &doc, patch, NULL), RC_OK);
		assert_writes(doc, merges[i].result);
		assert_true(json_equal(patch, parse(&a, merges[i].patch)));
	}
}

static void test_merge_patch_errors(void **state)
{
	static const struct {
		const char *patch, *error;
	} rows[] = {
		{"null", "Invalid JSON Patch"},
		{"[]", "error decoding patch: json: cannot unmarshal array into Go value of type "
		       "map[string]interface {}"},
		{"\"x\"",
		 "error decoding patch: json: cannot unmarshal string into Go value of type "
		 "map[string]interface {}"},
		{"5", "error decoding patch: json: cannot unmarshal number into Go value of type "
		      "map[string]interface {}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct json *doc = parse(&a, "{}");
		struct err err;
		assert_int_equal(merge_patch_apply(&a, &doc, parse(&a, rows[i].patch), &err),
				 RC_BAD_REQUEST);
		assert_string_equal(err.text, rows[i].error);
	}
}

static void test_wide_objects_stay_fast(void **state)
{
	CLEANUP_ARENA a = {};
	struct json *doc = wide_object(&a, 200000, 1, 1), *to = wide_object(&a, 200000, 2, 2);
	const struct json *patch = merge_patch_diff(&a, doc, to);
	assert_int_equal(json_count(patch), 300000);
	assert_int_equal(merge_patch_apply(&a, &doc, patch, NULL), RC_OK);
	assert_true(json_equal(doc, to));
}

static void test_diff(void **state)
{
	static const struct {
		const char *from, *to, *patch;
	} rows[] = {
		{"{\"a\":1}", "{\"a\":1}", "{}"},
		{"{\"a\":1}", "{\"a\":2}", "{\"a\":2}"},
		{"{\"a\":1}", "{}", "{\"a\":null}"},
		{"{}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"},
		{"{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1}}", "{\"a\":{\"c\":null}}"},
		{"{\"a\":[1]}", "{\"a\":[2]}", "{\"a\":[2]}"},
		{"{\"a\":{\"b\":1}}", "{\"a\":[]}", "{\"a\":[]}"},
		{"{\"a\":1}", "{\"a\":null}", "{\"a\":null}"},
		{"{}", "{\"a\":null}", "{}"},
		{"{\"a\":null}", "{}", "{}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		assert_writes(merge_patch_diff(&a, parse(&a, rows[i].from), parse(&a, rows[i].to)),
			      rows[i].patch);
	}
}

static void test_three_way(void **state)
{
	static const struct {
		const char *original, *modified, *current, *patch;
	} rows[] = {
		{NULL, "{\"a\":1}", "{\"a\":1,\"s\":2}", "{}"},
		{NULL, "{\"a\":2}", "{\"a\":1,\"s\":2}", "{\"a\":2}"},
		{"{\"a\":1,\"b\":1}", "{\"a\":1}", "{\"a\":1,\"b\":1,\"s\":2}", "{\"b\":null}"},
		{"{\"m\":{\"x\":1,\"y\":1}}", "{\"m\":{\"y\":2,\"z\":3}}",
		 "{\"m\":{\"x\":1,\"y\":1,\"s\":0}}", "{\"m\":{\"x\":null,\"y\":2,\"z\":3}}"},
		{"{\"m\":{\"x\":1}}", "{}", "{\"m\":{\"x\":1}}", "{\"m\":null}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		const struct json *original = rows[i].original ? parse(&a, rows[i].original) : NULL;
		assert_writes(merge_patch_three_way(&a, original, parse(&a, rows[i].modified),
						    parse(&a, rows[i].current)),
			      rows[i].patch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repeated_members),
		cmocka_unit_test(test_json_patch),
		cmocka_unit_test(test_json_patch_errors),
		cmocka_unit_test(test_json_patch_limits),
		cmocka_unit_test(test_ten_thousand_operations),
		cmocka_unit_test(test_merge_patch),
		cmocka_unit_test(test_merge_patch_errors),
		cmocka_unit_test(test_wide_objects_stay_fast),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_three_way),
	};
	return cmocka_run_group_tests_name("patch", tests, NULL, NULL);
}
