#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/field_error.h"
#include "api/names.h"

static void test_rules(void **state)
{
	static const struct {
		enum name_rule rule;
		const char *text;
		size_t faults;
	} rows[] = {
		{NAME_DNS_LABEL, "a-b", 0},
		{NAME_DNS_LABEL, "a.b", 1},
		{NAME_DNS_LABEL, "", 1},
		{NAME_DNS_SUBDOMAIN, "a.b-c.d", 0},
		{NAME_DNS_SUBDOMAIN, "a..b", 1},
		{NAME_DNS_SUBDOMAIN, "A", 1},
		{NAME_DNS_1035, "a1", 0},
		{NAME_DNS_1035, "1a", 1},
		{NAME_WILDCARD_SUBDOMAIN, "*.example.com", 0},
		{NAME_WILDCARD_SUBDOMAIN, "*", 1},
		{NAME_QUALIFIED, "example.com/a_b.c", 0},
		{NAME_QUALIFIED, "/a", 1},
		{NAME_QUALIFIED, "", 2},
		{NAME_QUALIFIED, "a/b/c", 1},
		{NAME_LABEL_VALUE, "", 0},
		{NAME_LABEL_VALUE, "a_", 1},
		{NAME_ENV_VAR, "a b", 0},
		{NAME_ENV_VAR, "a=b", 1},
		{NAME_CONFIG_KEY, "..data", 1},
		{NAME_CONFIG_KEY, "a.b", 0},
		{NAME_PORT, "http-1", 0},
		{NAME_PORT, "123", 1},
		{NAME_PORT, "a--b", 1},
		{NAME_PORT, "", 2},
		{NAME_PATH_SEGMENT, "system:node", 0},
		{NAME_PATH_SEGMENT, "a/b%", 2},
		{NAME_PERCENT, "25%", 0},
		{NAME_PERCENT, "%", 1},
		{NAME_FULLY_QUALIFIED, "a", 1},
		{NAME_DOMAIN_PREFIXED, "acme.io/foo", 0},
		{NAME_DOMAIN_PREFIXED, "foo", 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct faults f;
		name_check(&f, rows[i].rule, str_of(rows[i].text));
		assert_int_equal(f.count, rows[i].faults);
	}
}

static void test_generated_names(void **state)
{
	static const uint8_t random[NAME_SUFFIX_LEN] = {0, 1, 26, 27, 255};
	CLEANUP_ARENA a = {};
	char base[100];
	memset(base, 'a', sizeof(base));
	assert_true(str_is(name_generate(&a, STR("web-"), random), "web-bc9bq"));
	assert_int_equal(name_generate(&a, str_n(base, sizeof(base)), random).len, 63);
	struct faults f;
	name_check_prefix(&f, NAME_DNS_SUBDOMAIN, STR("web-"));
	assert_int_equal(f.count, 0);
}

static void test_field_errors_read_as_upstreams(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(1000);
	struct field_errors list = {.arena = &a};
	field_error_add(&list, FIELD_ERROR_INVALID, STR("spec.replicas"), json_int(&a, -1),
			"must be greater than or equal to %d", 0);
	field_error_add(&list, FIELD_ERROR_REQUIRED, STR("metadata.name"), NULL, "%s", "");
	field_error_not_supported(&list, STR("type"), json_cstring(&a, "a\"b"), STR("X,Y"));
	for (size_t i = 0; i < list.count; i++) {
		field_error_write(&text, &list.items[i]);
		buf_add_char(&text, '\n');
	}
	assert_string_equal(
		text.data, "spec.replicas: Invalid value: -1: must be greater than or equal to 0\n"
			   "metadata.name: Required value\n"
			   "type: Unsupported value: \"a\\\"b\": supported values: \"X\", \"Y\"\n");
	assert_string_equal(field_error_reason(list.items[0].type), "FieldValueInvalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_generated_names),
		cmocka_unit_test(test_field_errors_read_as_upstreams),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
