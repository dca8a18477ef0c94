#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/selector.h"

static void test_labels_match(void **state)
{
	static const struct {
		const char *selector;
		bool matches;
	} rows[] = {
		{"", true},
		{"app=web", true},
		{"app==web,tier!=db", true},
		{"app!=web", false},
		{"app in (a, web)", true},
		{"app in (a,b)", false},
		{"tier notin (x)", true},
		{"app", true},
		{"!app", false},
		{"! tier", true},
		{"n>4,n<6", true},
		{"n>5", false},
		{"empty=", true},
		{"empty in (,x)", true},
		{"in in (in)", false},
		{"app=", false},
	};
	CLEANUP_ARENA a = {};
	struct json *labels = NULL;
	assert_int_equal(json_parse(&a, STR("{\"app\":\"web\",\"n\":\"5\",\"empty\":\"\"}"),
				    &labels, NULL, NULL),
			 RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct selector s;
		assert_int_equal(selector_parse(&a, str_of(rows[i].selector), &s, NULL), RC_OK);
		assert_int_equal(selector_matches_tree(&s, labels), rows[i].matches);
	}
}

static void test_bad_label_selectors(void **state)
{
	static const struct {
		const char *selector, *message;
	} rows[] = {
		{"app=a b", "found 'b', expected: ',' or 'end of string'"},
		{"set=s,=x", "found '=', expected: identifier after ','"},
		{"a,", "found '', expected: identifier after ','"},
		{"app in x", "unable to parse requirement: found 'x' expected: '('"},
		{"app in (x", "unable to parse requirement: found '', expected: ',' or ')'"},
		{"=x", "found '=', expected: !, identifier, or 'end of string'"},
		{"a>x",
		 "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' "
		 "operators, the value must be an integer"},
		{"app~x",
		 "unable to parse requirement: <nil>: Invalid value: \"app~x\": name part must "
		 "consist of alphanumeric characters, '-', '_' or '.', and must start and end "
		 "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
		 "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"},
	};
	CLEANUP_ARENA a = {};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct selector s;
		struct err err;
		assert_int_equal(selector_parse(&a, str_of(rows[i].selector), &s, &err),
				 RC_BAD_REQUEST);
		assert_string_equal(err.text, rows[i].message);
	}
}

static void test_label_selector_trees(void **state)
{
	CLEANUP_ARENA a = {};
	struct json *tree = NULL, *labels = NULL;
	struct selector s;
	assert_int_equal(
		json_parse(
			&a,
			STR("{\"matchLabels\":{\"a\":\"b\"},\"matchExpressions\":[{\"key\":\"c\","
			    "\"operator\":\"NotIn\",\"values\":[\"d\"]}]}"),
			&tree, NULL, NULL),
		RC_OK);
	assert_int_equal(json_parse(&a, STR("{\"a\":\"b\",\"c\":\"e\"}"), &labels, NULL, NULL),
			 RC_OK);
	assert_int_equal(selector_from_tree(&a, tree, &s, NULL), RC_OK);
	assert_true(selector_matches_tree(&s, labels));
	assert_false(selector_matches_tree(&s, NULL));
	assert_int_equal(selector_from_tree(&a, NULL, &s, NULL), RC_OK);
	assert_false(selector_matches_tree(&s, labels));
	assert_int_equal(selector_from_tree(&a, json_object(&a), &s, NULL), RC_OK);
	assert_true(selector_matches_tree(&s, labels));
}

static void test_field_selectors(void **state)
{
	static const struct {
		const char *selector;
		bool matches;
	} rows[] = {
		{"", true},
		{"spec.nodeName=n1", true},
		{"spec.nodeName!=n1", false},
		{"spec.nodeName==n1,status.phase=", true},
		{"spec.unschedulable=false", true},
		{"spec.hostNetwork=true", true},
		{"status.successful=3", true},
		{"metadata.name=a\\,b", true},
	};
	CLEANUP_ARENA a = {};
	struct json *tree = NULL;
	struct field_selector s;
	struct err err;
	assert_int_equal(
		json_parse(&a,
			   STR("{\"metadata\":{\"name\":\"a,b\"},\"spec\":{\"nodeName\":\"n1\","
			       "\"hostNetwork\":true},\"status\":{\"succeeded\":3}}"),
			   &tree, NULL, NULL),
		RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(field_selector_parse(&a, str_of(rows[i].selector), &s, NULL),
				 RC_OK);
		assert_int_equal(field_selector_matches_tree(&s, tree), rows[i].matches);
	}
	assert_int_equal(field_selector_parse(&a, STR("x"), &s, &err), RC_BAD_REQUEST);
	assert_string_equal(err.text, "invalid selector: 'x'; can't understand 'x'");
}

static void test_field_selectors_know_their_kind(void **state)
{
	static const struct {
		struct api_kind kind;
		const char *message;
	} rows[] = {
		{{.kind = STR_INIT("ConfigMap")},
		 "\"a.b\" is not a known field selector: only \"metadata.name\", "
		 "\"metadata.namespace\""},
		{{.kind = STR_INIT("Pod"),
		  .selectable_fields = STR_INIT("spec.nodeName,status.phase")},
		 "field label not supported: a.b"},
		{{.kind = STR_INIT("Job"), .selectable_fields = STR_INIT("status.successful")},
		 "field label \"a.b\" not supported for Job"},
	};
	CLEANUP_ARENA a = {};
	struct field_selector bad, good;
	assert_int_equal(field_selector_parse(&a, STR("a.b=c"), &bad, NULL), RC_OK);
	assert_int_equal(field_selector_parse(&a, STR("status.phase=c"), &good, NULL), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err;
		assert_int_equal(field_selector_check(&bad, &rows[i].kind, &err), RC_BAD_REQUEST);
		assert_string_equal(err.text, rows[i].message);
	}
	assert_int_equal(field_selector_check(&good, &rows[1].kind, NULL), RC_OK);
	assert_true(str_is(field_selector_exact(&good, "status.phase"), "c"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels_match),
		cmocka_unit_test(test_bad_label_selectors),
		cmocka_unit_test(test_label_selector_trees),
		cmocka_unit_test(test_field_selectors),
		cmocka_unit_test(test_field_selectors_know_their_kind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
