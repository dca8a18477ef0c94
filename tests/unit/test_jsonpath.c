/* kubectl's templates over trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec/jsonpath.h"

static const char document[] =
	"{\"kind\":\"List\",\"items\":["
	"{\"kind\":\"None\",\"metadata\":{\"name\":\"n1\",\"labels\":{\"a.b/c\":\"x\",\"d\":\"y\"}},"
	"\"status\":{\"capacity\":{\"cpu\":4},\"addresses\":[{\"type\":\"legacy\",\"address\":\"127.0.0.1\"}"
	",{\"type\":\"other\",\"address\":\"10.0.0.1\"}]}},"
	"{\"kind\":\"None\",\"metadata\":{\"name\":\"n2\"},\"status\":{\"capacity\":{\"cpu\":8},"
	"\"ready\":true,\"load\":0.5}}]}";

static struct json *parse_document(struct arena *a)
{
	struct json *tree;
	if (json_parse(a, str_of(document), &tree, NULL, NULL) != RC_OK)
		fail();
	return tree;
}

static void templates_print(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"plain", "plain"},
		{"kind is {.kind}", "kind is List"},
		{"{.items[*].metadata.name}", "n1 n2"},
		{"{..name}", "n1 n2"},
		{"{.items[0].status.addresses[?(@.type==\"other\")].address}", "10.0.0.1"},
		{"{.items[?(@.status.capacity.cpu>4)].metadata.name}", "n2"},
		{"{.items[?(@.status.capacity.cpu!=8)].metadata.name}", "n1"},
		{"{.items[?(@.status.ready==true)].metadata.name}", "n2"},
		{"{.items[?(@.status.ready)].metadata.name}", "n2"},
		{"{.items[-1].metadata.name}", "n2"},
		{"{.items[0:1].metadata.name}", "n1"},
		{"{.items[:].metadata.name}", "n1 n2"},
		{"{.items[0,1].metadata.name}", "n1 n2"},
		{"{.items[::2].metadata.name}", "n1"},
		{"{.items[0].metadata.labels.a\\.b/c}", "x"},
		{"{.items[0].metadata.labels['a.b/c']}", "x"},
		{"{.items[0].metadata.labels['a\\.b/c']}", "x"},
		{"{.items[0].metadata.labels['a.b/c','d']}", "x y"},
		{"{.items[0].metadata.labels['d,e']}", ""},
		{"{.items[0].metadata.labels['d','d,e', 'a.b/c']}", "y x"},
		{"{.items[?(@.metadata.name=='n1')].metadata.labels.*}", "x y"},
		{"{.items[?(@.metadata.name!='\\'>')].metadata.name}", "n1 n2"},
		{"{.items[?('\\'<\\'' != @.metadata.name)].metadata.name}", "n1 n2"},
		{"{.items[?(\"n\\\"=\" == @.metadata.name)].metadata.name}", ""},
		{"{.items[0].metadata.labels.*}", "x y"},
		{"{.items[1].status.load}", "0.5"},
		{"{.items[1].status}", "{\"capacity\":{\"cpu\":8},\"ready\":true,\"load\":0.5}"},
		{"{range .items[*]}{.metadata.name}={.status.capacity.cpu}{\"\\n\"}{end}",
		 "n1=4\nn2=8\n"},
		{"{range .items[*]}[{range .status.addresses[*]}{.type} {end}]{end}",
		 "[legacy other ][]"},
		{"{.nothing.there}", ""},
		{"{\"a\\tb\"}{'c'}", "a\tbc"},
		{"{$.kind}{@.kind}", "ListList"},
		{"", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF out = BUF_INIT(4096);
		struct jsonpath *path;
		struct err err;
		if (jsonpath_parse(&a, str_of(rows[i].text), &path, &err) != RC_OK ||
		    jsonpath_print(path, &a, parse_document(&a), &out, &err) != RC_OK)
			fail_msg("%s: %s", rows[i].text, err.text);
		if (!str_is(buf_str(&out), rows[i].want))
			fail_msg("%s gave '%s'", rows[i].text, out.data);
	}
}

static void faults_are_told(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"{.items[*", "unclosed action"},
		{"{.items[*}", "unterminated array"},
		{"{range .items[*]}{.a}", "unclosed range: {end} is missing"},
		{"{end}", "not in range, nothing to end"},
		{"{.items[x]}", "invalid array index x"},
		{"{.items[7]}", "array index out of bounds: index 7, length 2"},
		{"{.kind[0]}", "a string is not array or slice"},
		{"{#}", "unrecognized character in action: U+0023 '#'"},
		{"{foo}", "unrecognized identifier foo"},
		{"{.items[?(@.kind==1)]}", "incompatible types for comparison"},
		{"{.items[?(@.kind=~1)]}", "unrecognized character in action: U+007E '~'"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF out = BUF_INIT(4096);
		struct jsonpath *path;
		struct err err = {};
		if (jsonpath_parse(&a, str_of(rows[i].text), &path, &err) == RC_OK &&
		    jsonpath_print(path, &a, parse_document(&a), &out, &err) == RC_OK)
			fail_msg("%s gave '%s'", rows[i].text, out.data);
		assert_string_equal(err.text, rows[i].want);
	}
}

static void relaxed_paths(void **state)
{
	static const char *const texts[] = {".kind", "kind", "{.kind}", "{kind}", "$.kind"};
	CLEANUP_ARENA a = {};
	struct jsonpath *path;
	struct err err;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct jsonpath_results found;
		if (jsonpath_parse_relaxed(&a, str_of(texts[i]), &path, &err) != RC_OK ||
		    jsonpath_find(path, &a, parse_document(&a), &found, &err) != RC_OK)
			fail_msg("%s: %s", texts[i], err.text);
		assert_int_equal(found.count, 1);
		assert_true(str_is(json_str(found.items[0]), "List"));
	}
	assert_int_equal(jsonpath_parse_relaxed(&a, STR("{.a}{.b}"), &path, &err), RC_BAD_REQUEST);
	assert_int_equal(jsonpath_parse_relaxed(&a, STR(""), &path, &err), RC_BAD_REQUEST);
}

static void deep_templates_are_refused(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(64 << 10);
	struct jsonpath *path;
	struct err err;
	for (int i = 0; i < JSONPATH_DEPTH_MAX + 2; i++)
		buf_add_cstr(&text, "{range .a}");
	assert_int_equal(jsonpath_parse(&a, buf_str(&text), &path, &err), RC_TOO_LARGE);
	buf_reset(&text);
	buf_add_char(&text, '{');
	for (int i = 0; i < JSONPATH_DEPTH_MAX + 2; i++)
		buf_add_cstr(&text, "[?(@");
	for (int i = 0; i < JSONPATH_DEPTH_MAX + 2; i++)
		buf_add_cstr(&text, ")]");
	buf_add_char(&text, '}');
	assert_int_equal(jsonpath_parse(&a, buf_str(&text), &path, &err), RC_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates_print),
		cmocka_unit_test(faults_are_told),
		cmocka_unit_test(relaxed_paths),
		cmocka_unit_test(deep_templates_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
