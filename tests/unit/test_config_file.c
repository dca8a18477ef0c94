/* Options of a command from a configuration file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/config_file.h"
#include "cli/verbs.h"

struct values {
	const char *name, *config;
	int64_t port;
	struct text_list labels;
	bool is_memory;
};

static const struct option options[] = {
	{"name", 0, OPTION_TEXT, offsetof(struct values, name), "NAME", ""},
	{"config", 0, OPTION_TEXT, offsetof(struct values, config), "FILE", ""},
	{"port", 0, OPTION_NUMBER, offsetof(struct values, port), "N", "", .most = 65535},
	{"label", 0, OPTION_LIST, offsetof(struct values, labels), "K=V", ""},
	{"memory", 0, OPTION_FLAG, offsetof(struct values, is_memory), NULL, ""},
};

static const struct command command = {
	.name = "server",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct values),
};

struct given {
	struct command_line line;
	struct values values;
};

static void give(struct given *g, char **argv, int argc)
{
	struct err err;
	*g = (struct given){.line.command = &command};
	g->line.values = &g->values;
	if (command_parse(&g->line, argc, argv, &err) != RC_OK)
		fail_msg("%s", err.text);
}

static void keys_are_options(void **state)
{
	struct given g;
	struct err err;
	give(&g, NULL, 0);
	if (config_file_apply_text(&g.line, "c.yaml",
				   STR("# comment\nname: alpha\nport: 7443\nlabel:\n- a=b\n- c=d\n"
				       "memory: true\n"),
				   &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_string_equal(g.values.name, "alpha");
	assert_int_equal(g.values.port, 7443);
	assert_true(g.values.is_memory);
	assert_int_equal(g.values.labels.count, 2);
	assert_string_equal(g.values.labels.at[1], "c=d");
	arena_done(&g.line.arena);
}

static void the_command_line_wins(void **state)
{
	char port[] = "--port=1", label[] = "--label", value[] = "x=y";
	char *argv[] = {port, label, value};
	struct given g;
	struct err err;
	give(&g, argv, ARRAY_LEN(argv));
	if (config_file_apply_text(&g.line, "c.yaml", STR("port: 7443\nlabel: [a=b]\nname: beta\n"),
				   &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_int_equal(g.values.port, 1);
	assert_int_equal(g.values.labels.count, 1);
	assert_string_equal(g.values.labels.at[0], "x=y");
	assert_string_equal(g.values.name, "beta");
	arena_done(&g.line.arena);
}

static void faults_name_line_and_remedy(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"name: a\nprot: 1\n",
		 "c.yaml: line 2: unknown key 'prot'; did you mean 'port'; the "
		 "keys are the options of 'skeg server --help'"},
		{"port: many\n",
		 "c.yaml: line 1: option '--port' needs a whole number, not 'many'"},
		{"port: 70000\n", "c.yaml: line 1: option '--port' needs a number from 0 to 65535, "
				  "not '70000'"},
		{"name: a\nname: b\n", "c.yaml: line 2: 'name' was given before; keep one"},
		{"name:\n  first: a\n",
		 "c.yaml: line 1: give a text, a number, true or false here"},
		{"config: other.yaml\n",
		 "c.yaml: line 1: a configuration file can't name another one"},
		{"- name\n", "c.yaml: one document of lines 'option: value' is expected, such as "
			     "'port: 6443'"},
		{"a: [\n", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct given g;
		struct err err = {};
		give(&g, NULL, 0);
		if (config_file_apply_text(&g.line, "c.yaml", str_of(rows[i].text), &err) == RC_OK)
			fail_msg("'%s' was taken", rows[i].text);
		if (rows[i].want)
			assert_string_equal(err.text, rows[i].want);
		arena_done(&g.line.arena);
	}
}

static void an_absent_default_file_is_fine(void **state)
{
	struct given g;
	struct err err;
	give(&g, NULL, 0);
	assert_int_equal(config_file_apply(&g.line, "/nonexistent/skeg.yaml", &err), RC_NOT_FOUND);
	assert_int_equal(config_file_apply_text(&g.line, "c.yaml", STR("# nothing\n"), &err),
			 RC_OK);
	arena_done(&g.line.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_options),
		cmocka_unit_test(the_command_line_wins),
		cmocka_unit_test(faults_name_line_and_remedy),
		cmocka_unit_test(an_absent_default_file_is_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
