/* Documents of `skeg apply -f`: what is taken, and what is refused in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "client/manifest.h"

#define CONFIG_MAP "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"

static void objects_are_taken(void **state)
{
	static const struct {
		const char *text, *want; /* kind namespace/name @document:line … */
	} rows[] = {
		{CONFIG_MAP, "ConfigMap /a @1:1 "},
		{CONFIG_MAP "---\n" CONFIG_MAP "  namespace: x\n",
		 "ConfigMap /a @1:1 ConfigMap x/a @2:6 "},
		{"# only words\n---\n" CONFIG_MAP "---\n", "ConfigMap /a @1:3 "},
		{"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"n\"}}",
		 "Namespace /n @1:1 "},
		{"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n"
		 "  metadata: {name: s}\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: p}\n",
		 "Secret /s @1:1 Pod /p @1:1 "},
		{"apiVersion: v1\nkind: ConfigMapList\nitems: []\n", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF got = BUF_INIT(4096);
		struct manifest m = {};
		struct err err;
		if (manifest_add_text(&m, &a, "f.yaml", str_of(rows[i].text), &err) != RC_OK)
			fail_msg("%zu: %s", i, err.text);
		for (size_t k = 0; k < m.count; k++)
			buf_printf(&got, "%.*s %.*s/%.*s @%zu:%u ", STR_FMT(m.items[k].kind->kind),
				   STR_FMT(m.items[k].namespace), STR_FMT(m.items[k].name),
				   m.items[k].document, m.items[k].line);
		assert_string_equal(buf_str(&got).at, rows[i].want);
	}
}

static void faults_name_place_and_remedy(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{CONFIG_MAP CONFIG_MAP,
		 "f.yaml: line 5: a second document begins here, but there is no '---' before it; "
		 "put a line '---' above line 5 and between all other documents"},
		{CONFIG_MAP "data:\n  k: 1\n  k: 2\n",
		 "f.yaml, document 1: line 7: duplicate field \"data.k\": it was given before; "
		 "remove one of the two"},
		{CONFIG_MAP "---\n" CONFIG_MAP "data: {k: a, k: b}\n",
		 "f.yaml, document 2: line 10: duplicate field \"data.k\": it was given before; "
		 "remove one of the two"},
		{"a: [1\nb: 2\n",
		 "f.yaml: line 2, column 2: this is neither YAML nor JSON: did not find expected "
		 "',' or ']'; correct it there or just above"},
		{"just words\n",
		 "f.yaml, document 1 (line 1): an object with apiVersion and kind is expected, "
		 "this is a string"},
		{"kind: Pod\nmetadata: {name: x}\n",
		 "f.yaml, document 1 (line 1): apiVersion is missing; every object needs it"},
		{"apiVersion: v1\nmetadata: {name: x}\n",
		 "f.yaml, document 1 (line 1): kind is missing; every object needs it"},
		{CONFIG_MAP "---\napiVersion: v1\nkind: Pod\n",
		 "f.yaml, document 2 (line 6): metadata.name is missing; every object needs it"},
		{"apiVersion: apps/v1\nkind: Pod\nmetadata: {name: x}\n",
		 "f.yaml, document 1 (line 1): no matches for kind \"Pod\" in version "
		 "\"apps/v1\"; Kubernetes v1.35 has no such kind there, correct one of them"},
		{CONFIG_MAP "date: {}\n",
		 "f.yaml, document 1 (line 1), ConfigMap \"a\": strict decoding error: unknown "
		 "field \"date\"; correct or remove what the API does not have"},
		{CONFIG_MAP "immutable: 'yes'\n",
		 "f.yaml, document 1 (line 1), ConfigMap \"a\": json: cannot unmarshal string into "
		 "Go struct field ConfigMap.immutable of type bool; give a value of that type"},
		{"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items: []\n",
		 "f.yaml, document 1 (line 1): a list within a list; put its items into the outer "
		 "one"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct manifest m = {.is_strict = true};
		struct err err;
		assert_int_not_equal(
			manifest_add_text(&m, &a, "f.yaml", str_of(rows[i].text), &err), RC_OK);
		assert_string_equal(err.text, rows[i].want);
	}
}

static void a_loose_reader_minds_no_fields(void **state)
{
	CLEANUP_ARENA a = {};
	struct manifest m = {};
	assert_int_equal(manifest_add_text(&m, &a, "f", STR(CONFIG_MAP "date: {}\n"), NULL), RC_OK);
	assert_int_equal(m.count, 1);
}

static void namespaces_must_agree(void **state)
{
	static const struct {
		const char *document, *asked, *want; /* NULL: refused */
		bool is_given;
	} rows[] = {
		{"", "default", "default", false},
		{"x", "default", "x", false},
		{"x", "x", "x", true},
		{"", "y", "y", true},
		{"x", "y", NULL, true},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct manifest_object o = {
			.kind = api_by_kind(api_builtin(), STR(""), STR("v1"), STR("Pod")),
			.namespace = str_of(rows[i].document)};
		struct str got;
		enum rc rc =
			manifest_namespace(&o, str_of(rows[i].asked), rows[i].is_given, &got, NULL);
		assert_int_equal(rc, rows[i].want ? RC_OK : RC_BAD_REQUEST);
		if (rows[i].want)
			assert_true(str_is(got, rows[i].want));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_taken),
		cmocka_unit_test(faults_name_place_and_remedy),
		cmocka_unit_test(a_loose_reader_minds_no_fields),
		cmocka_unit_test(namespaces_must_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
