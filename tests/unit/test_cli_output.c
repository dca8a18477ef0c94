/* Tables as kubectl lays them out, and objects as it prints them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "client/output.h"
#include "client/table_view.h"
#include "rules.h"

static void columns_line_up(void **state)
{
	static const struct str rows[][3] = {
		{STR_INIT("NAME"), STR_INIT("A"), STR_INIT("AGE")},
		{STR_INIT("web"), STR_INIT("µs"), STR_INIT("1s")},
		{STR_INIT("a-long-name"), STR_INIT(""), STR_INIT("a very long last cell")},
	};
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(4096);
	struct text_table t = {};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		text_table_add(&t, &a, rows[i], 3);
	text_table_write(&t, &out);
	assert_string_equal(out.data, "NAME          A     AGE\n"
				      "web           µs    1s\n"
				      "a-long-name         a very long last cell\n");
}

static void widths_are_kept_for_later_rows(void **state)
{
	static const struct str first[] = {STR_INIT("a-long-name"), STR_INIT("x")};
	static const struct str second[] = {STR_INIT("b"), STR_INIT("y")};
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(4096);
	struct text_table t = {};
	text_table_add(&t, &a, first, 2);
	text_table_write(&t, &out);
	buf_reset(&out);
	text_table_add(&t, &a, second, 2);
	text_table_write(&t, &out);
	assert_string_equal(out.data, "b             y\n");
}

static void cells_command_no_terminal(void **state)
{
	static const struct str row[] = {STR_INIT("a\033[31mb"), STR_INIT("one\ntwo")};
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(4096);
	struct text_table t = {};
	text_table_add(&t, &a, row, 2);
	text_table_write(&t, &out);
	assert_string_equal(out.data, "a^[[31mb   one...\n");
}

static void more_columns_than_the_limit(void **state)
{
	struct str row[TEXT_TABLE_COLUMNS_MAX + 10];
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(65536);
	struct text_table t = {};
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		row[i] = STR("c");
	text_table_add(&t, &a, row, ARRAY_LEN(row));
	text_table_write(&t, &out);
	assert_int_equal(out.len, (TEXT_TABLE_COLUMNS_MAX - 1) * 6 + 2);
}

#define TABLE                                                                                      \
	"{\"kind\":\"Table\",\"columnDefinitions\":["                                              \
	"{\"name\":\"Name\",\"format\":\"name\",\"priority\":0},"                                  \
	"{\"name\":\"Count\",\"priority\":0},{\"name\":\"Node\",\"priority\":1}],\"rows\":["       \
	"{\"cells\":[\"web\",3,\"n1\"],\"object\":{\"metadata\":{\"namespace\":\"default\","       \
	"\"labels\":{\"b\":\"2\",\"a\":\"1\"}}}},"                                                 \
	"{\"cells\":[\"db\",null,\"n2\"],\"object\":{\"metadata\":{\"namespace\":\"data\"}}}]}"

static void views_choose_columns(void **state)
{
	static const struct {
		struct table_view view;
		const char *want;
	} rows[] = {
		{{}, "NAME   COUNT\nweb    3\ndb     \n"},
		{{.is_wide = true}, "NAME   COUNT   NODE\nweb    3       n1\ndb             n2\n"},
		{{.has_no_heads = true}, "web   3\ndb    \n"},
		{{.has_namespace = true},
		 "NAMESPACE   NAME   COUNT\ndefault     web    3\ndata        db     \n"},
		{{.has_labels = true},
		 "NAME   COUNT   LABELS\nweb    3       a=1,b=2\ndb             <none>\n"},
		{{.type = STR_INIT("service")},
		 "NAME          COUNT\nservice/web   3\nservice/db    \n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF out = BUF_INIT(4096);
		struct table_view v = rows[i].view;
		assert_int_equal(table_view_add(&v, &a, parsed(&a, TABLE), NULL), RC_OK);
		text_table_write(&v.text, &out);
		assert_string_equal(out.data, rows[i].want);
	}
}

static void a_watch_goes_on_below(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(4096);
	struct table_view v = {};
	const struct json *event = parsed(
		&a, "{\"kind\":\"Table\",\"columnDefinitions\":null,\"rows\":[{\"cells\":[\"x\",1,"
		    "\"n\"],\"object\":{}}]}");
	assert_int_equal(table_view_add(&v, &a, parsed(&a, TABLE), NULL), RC_OK);
	text_table_write(&v.text, &out);
	buf_reset(&out);
	assert_int_equal(table_view_add(&v, &a, event, NULL), RC_OK);
	text_table_write(&v.text, &out);
	assert_string_equal(out.data, "x      1\n");
	assert_int_equal(table_view_add(&v, &a, parsed(&a, "{\"kind\":\"PodList\"}"), NULL),
			 RC_INVALID);
}

static void keys_are_sorted_at_all_levels(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(4096);
	struct json *tree = parsed(&a, "{\"b\":[{\"d\":1,\"c\":2}],\"a\":{}}");
	json_sort_keys(tree);
	json_write(&out, tree);
	assert_string_equal(out.data, "{\"a\":{},\"b\":[{\"c\":2,\"d\":1}]}");
}

static void forms_of_output(void **state)
{
	static const struct {
		const char *text;
		enum output_form form;
	} rows[] = {
		{NULL, OUTPUT_TABLE},
		{"wide", OUTPUT_WIDE},
		{"yaml", OUTPUT_YAML},
		{"name", OUTPUT_NAME},
		{"jsonpath={.kind}", OUTPUT_JSONPATH},
		{"custom-columns=A:.a,B:.b[?(@.c==1)].d", OUTPUT_COLUMNS},
	};
	static const char *const wrong[] = {"xml", "jsonpath", "jsonpath={.a", "custom-columns=A",
					    "go-template={{.a}}"};
	CLEANUP_ARENA a = {};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct output output;
		struct err err;
		if (output_parse(&a, rows[i].text, &output, &err) != RC_OK)
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_int_equal(output.form, rows[i].form);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct output output;
		struct err err;
		assert_int_equal(output_parse(&a, wrong[i], &output, &err), RC_BAD_REQUEST);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_line_up),
		cmocka_unit_test(widths_are_kept_for_later_rows),
		cmocka_unit_test(cells_command_no_terminal),
		cmocka_unit_test(more_columns_than_the_limit),
		cmocka_unit_test(views_choose_columns),
		cmocka_unit_test(a_watch_goes_on_below),
		cmocka_unit_test(keys_are_sorted_at_all_levels),
		cmocka_unit_test(forms_of_output),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
