/* Parts of the client verbs without a server: wrapped prose, rows of rules, kubeconfigs as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "client/kubeconfig_set.h"
#include "client/policy_rules.h"
#include "client/text_wrap.h"
#include "io/file.h"

static char top[] = "/tmp/skeg-test-XXXXXX";

static int setup(void **state)
{
	return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state)
{
	return dir_remove(top, NULL) == RC_OK ? 0 : -1;
}

static void prose_is_wrapped(void **state)
{
	static const struct {
		const char *text;
		size_t width;
		const char *want;
	} rows[] = {
		{"", 10, ""},
		{"one two three", 7, "one two\nthree"},
		{"one two three", 8, "one two\nthree"},
		{"a verylongwordindeed b", 6, "a\nverylongwordindeed\nb"},
		{"one\ntwo", 10, "one\ntwo"},
		{"one\n\n  two", 10, "one\n\n  two"},
		{"\xc3\xa9\xc3\xa9 \xc3\xa9\xc3\xa9", 5, "\xc3\xa9\xc3\xa9 \xc3\xa9\xc3\xa9"},
		{"ends \n", 10, "ends \n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF out = BUF_INIT(4096);
		text_wrap(&out, str_of(rows[i].text), rows[i].width);
		assert_string_equal(out.data ? out.data : "", rows[i].want);
	}
	CLEANUP_BUF out = BUF_INIT(4096);
	text_indent(&out, STR("a\n\nb\n"), 2);
	assert_string_equal(out.data, "  a\n  \n  b\n  ");
}

static void rules_become_rows(void **state)
{
	static const char text[] =
		"[{\"apiGroups\":[\"\",\"apps\"],\"resources\":[\"pods/log\",\"pods\"],\"verbs\":[\"get\"]},"
		"{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"list\",\"get\"]},"
		"{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"resourceNames\":[\"x\"],\"verbs\":[\"get\"]},"
		"{\"nonResourceURLs\":[\"/a\",\"/b\"],\"verbs\":[\"get\",\"post\"]}]";
	static const char *const want[] = {
		"pods|[]|[]|[get list]", "|[/a]|[]|[get]",    "|[/b]|[]|[get]",
		"pods/log|[]|[]|[get]",	 "pods|[]|[x]|[get]", "pods.apps/log|[]|[]|[get]",
		"pods.apps|[]|[]|[get]", "|[/a]|[]|[post]",   "|[/b]|[]|[post]",
	};
	CLEANUP_ARENA a = {};
	struct json *rules;
	size_t count;
	assert_int_equal(json_parse(&a, str_of(text), &rules, NULL, NULL), RC_OK);
	const struct json *const lists[] = {rules};
	const struct policy_row *rows = policy_rows(&a, lists, 1, &count);
	assert_int_equal(count, ARRAY_LEN(want));
	for (size_t i = 0; i < count; i++) {
		struct str got = arena_printf(&a, "%.*s|%.*s|%.*s|%.*s", STR_FMT(rows[i].resource),
					      STR_FMT(policy_list_text(&a, rows[i].urls)),
					      STR_FMT(policy_list_text(&a, rows[i].names)),
					      STR_FMT(policy_list_text(&a, rows[i].verbs)));
		assert_string_equal(arena_cstr(&a, got), want[i]);
	}
}

static const char *file(struct arena *a, const char *name, const char *text)
{
	const char *path = arena_cstr(a, arena_printf(a, "%s/%s", top, name));
	assert_int_equal(file_write_volatile(path, str_of(text), 0600, NULL), RC_OK);
	return path;
}

static void kubeconfigs_are_one(void **state)
{
	CLEANUP_ARENA a = {};
	struct kubeconfig_set s;
	struct err err;
	size_t count;
	const char *first = file(&a, "first",
				 "clusters: [{name: c, cluster: {server: one, "
				 "certificate-authority: ca.pem}}]\n");
	const char *second =
		file(&a, "second",
		     "clusters: [{name: c, cluster: {server: two}}, {name: b, cluster: "
		     "{server: b}}]\ncurrent-context: there\n");
	setenv("KUBECONFIG",
	       arena_cstr(&a, arena_printf(&a, "%s/absent:%s:%s", top, first, second)), 1);
	assert_int_equal(kubeconfig_set_load(&a, NULL, &s, &err), RC_OK);
	assert_string_equal(s.path, first);
	assert_true(str_is(kubeconfig_set_current(&s), "there"));
	const struct str *names = kubeconfig_set_names(&s, KUBECONFIG_CLUSTERS, &count);
	assert_int_equal(count, 2);
	assert_true(str_is(names[0], "b") && str_is(names[1], "c"));
	const struct json *c = kubeconfig_set_get(&s, KUBECONFIG_CLUSTERS, STR("c"));
	assert_true(str_is(json_path_str(c, "server"), "one"));

	const struct json *merged = kubeconfig_set_merged(&s);
	struct str ca = json_path_str(
		json_get(json_at(json_get(merged, STR("clusters")), 1), STR("cluster")),
		"certificate-authority");
	assert_string_equal(arena_cstr(&a, ca), arena_cstr(&a, arena_printf(&a, "%s/ca.pem", top)));

	/* A change goes where the entry is, a new entry to the first file that is there. */
	struct json *b = kubeconfig_set_need(&s, KUBECONFIG_CLUSTERS, STR("b"));
	json_set_str(&a, b, STR("server"), STR("changed"));
	json_set_str(&a, kubeconfig_set_need(&s, KUBECONFIG_USERS, STR("u")), STR("token"),
		     STR("t"));
	assert_int_equal(kubeconfig_set_save(&s, &err), RC_OK);
	assert_int_equal(kubeconfig_set_load(&a, second, &s, &err), RC_OK);
	assert_true(str_is(
		json_path_str(kubeconfig_set_get(&s, KUBECONFIG_CLUSTERS, STR("b")), "server"),
		"changed"));
	assert_null(kubeconfig_set_get(&s, KUBECONFIG_USERS, STR("u")));
	assert_int_equal(kubeconfig_set_load(&a, first, &s, &err), RC_OK);
	assert_non_null(kubeconfig_set_get(&s, KUBECONFIG_USERS, STR("u")));
	assert_true(kubeconfig_set_drop(&s, KUBECONFIG_USERS, STR("u")));
	assert_false(kubeconfig_set_drop(&s, KUBECONFIG_USERS, STR("u")));
	unsetenv("KUBECONFIG");
}

static void damaged_kubeconfigs_are_refused(void **state)
{
	static const char *const texts[] = {"- list\n", "a: b: c\n", "\x01"};
	CLEANUP_ARENA a = {};
	struct kubeconfig_set s;
	struct err err;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_not_equal(kubeconfig_set_load(&a, file(&a, "bad", texts[i]), &s, &err),
				     RC_OK);
	/* Sections that are none are as empty ones. */
	const char *odd = file(&a, "odd", "clusters: text\nusers: [1, {name: 2}]\ncontexts: {}\n");
	size_t count;
	assert_int_equal(kubeconfig_set_load(&a, odd, &s, &err), RC_OK);
	for (int section = KUBECONFIG_CLUSTERS; section <= KUBECONFIG_CONTEXTS; section++)
		(void)kubeconfig_set_names(&s, section, &count);
	assert_non_null(kubeconfig_set_merged(&s));
	kubeconfig_set_need(&s, KUBECONFIG_CLUSTERS, STR("c"));
	assert_int_equal(kubeconfig_set_save(&s, &err), RC_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prose_is_wrapped),
		cmocka_unit_test(rules_become_rows),
		cmocka_unit_test(kubeconfigs_are_one),
		cmocka_unit_test(damaged_kubeconfigs_are_refused),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
