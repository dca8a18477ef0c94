#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/stat.h>

#include "io/file.h"
#include "server/audit_event.h"
#include "server/audit_file.h"
#include "server/audit_policy.h"

#define HEAD "apiVersion: audit.k8s.io/v1\nkind: Policy\n"

static const char policy_text[] = HEAD
	"omitStages: [RequestReceived]\n"
	"omitManagedFields: true\n"
	"rules:\n"
	"- {level: None, users: [probe], verbs: [get]}\n"
	"- {level: None, nonResourceURLs: ['/healthz*', /version]}\n"
	"- {level: RequestResponse, resources: [{group: apps, resources: [deployments, '*/scale']}],\n"
	"   omitStages: [ResponseStarted], omitManagedFields: false}\n"
	"- {level: Request, namespaces: [secret-place]}\n"
	"- {level: Metadata, userGroups: [ops], resources: [{group: '', resources: [pods], "
	"resourceNames: [web]}]}\n"
	"- {level: Metadata, resources: [{group: ''}], verbs: [delete]}\n";

static void test_the_first_matching_rule_decides(void **state)
{
	static const struct {
		const char *user, *group_of_user, *verb, *group, *resource, *subresource,
			*namespace, *name, *path;
		enum audit_level level;
	} rows[] = {
		{"probe", "", "get", "", "pods", "", "a", "x", "/", AUDIT_NONE},
		{"probe", "", "list", "", "pods", "", "secret-place", "", "/", AUDIT_REQUEST},
		{"joe", "", "get", NULL, "", "", "", "", "/healthz/ping", AUDIT_NONE},
		{"joe", "", "get", NULL, "", "", "", "", "/versions", AUDIT_NONE},
		{"joe", "", "get", "apps", "deployments", "", "a", "d", "/",
		 AUDIT_REQUEST_RESPONSE},
		{"joe", "", "get", "apps", "deployments", "status", "a", "d", "/", AUDIT_NONE},
		{"joe", "", "get", "apps", "statefulsets", "scale", "a", "d", "/",
		 AUDIT_REQUEST_RESPONSE},
		{"joe", "", "get", "apps", "statefulsets", "", "secret-place", "d", "/",
		 AUDIT_REQUEST},
		{"joe", "ops", "get", "", "pods", "", "a", "web", "/", AUDIT_METADATA},
		{"joe", "ops", "get", "", "pods", "", "a", "other", "/", AUDIT_NONE},
		{"joe", "dev", "get", "", "pods", "", "a", "web", "/", AUDIT_NONE},
		{"joe", "dev", "delete", "", "secrets", "", "a", "s", "/", AUDIT_METADATA},
		{"joe", "dev", "delete", "batch", "jobs", "", "a", "s", "/", AUDIT_NONE},
	};
	struct audit_policy *policy;
	assert_int_equal(audit_policy_parse(str_of(policy_text), &policy, NULL), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request r = {
			.path = str_of(rows[i].path),
			.route = {.is_resource = rows[i].group != NULL,
				  .authz_verb = str_of(rows[i].verb),
				  .group = str_of(rows[i].group ? rows[i].group : ""),
				  .resource = str_of(rows[i].resource),
				  .subresource = str_of(rows[i].subresource),
				  .namespace = str_of(rows[i].namespace),
				  .name = str_of(rows[i].name)},
			.user = {.name = str_of(rows[i].user),
				 .groups = {str_of(rows[i].group_of_user)},
				 .group_count = 1},
		};
		struct audit_decision d = audit_policy_decide(policy, &r);
		if (d.level != rows[i].level)
			fail_msg("row %zu: level %s", i, audit_level_names[d.level]);
		bool is_scale = d.level == AUDIT_REQUEST_RESPONSE;
		if (d.level == AUDIT_NONE)
			continue;
		assert_int_equal(d.omitted_stages,
				 1u << AUDIT_RECEIVED | (is_scale ? 1u << AUDIT_STARTED : 0));
		assert_int_equal(d.omits_managed_fields, !is_scale);
	}
	audit_policy_free(policy);
}

static void test_wrong_policies_are_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"kind: Policy\n", "want apiVersion audit.k8s.io/v1 and kind Policy"},
		{HEAD, "rules: loaded illegal policy with 0 rules"},
		{HEAD "rules: [{level: Much}]\n", "rules[0].level: no level \"Much\""},
		{HEAD "rules: [{level: None, verb: [get]}]\n", "rules[0]: unknown field \"verb\""},
		{HEAD "omitStages: [Never]\nrules: [{level: None}]\n", "no stage \"Never\""},
		{HEAD "rules: [{level: None, namespaces: [a], nonResourceURLs: [/x]}]\n",
		 "rules[0].nonResourceURLs: a rule is about resources or about other paths"},
		{HEAD "rules: [3]\n", "rules[0]: want an object"},
		{HEAD "rules: [{level: None}]\n---\n" HEAD, "want one document, got 2"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct audit_policy *policy = NULL;
		struct err err = {};
		assert_int_not_equal(audit_policy_parse(str_of(rows[i].text), &policy, &err),
				     RC_OK);
		if (!strstr(err.text, rows[i].error))
			fail_msg("row %zu: %s", i, err.text);
	}
}

static int count_files(const char *folder)
{
	DIR *d = opendir(folder);
	int count = -2;
	assert_non_null(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

static void test_a_full_file_is_closed_and_the_oldest_go(void **state)
{
	char folder[] = "/tmp/skeg-audit-XXXXXX";
	assert_non_null(mkdtemp(folder));
	CLEANUP(free_p) char *path = mem_printf("%s/audit.log", folder);
	struct audit_file f = {.path = path, .bytes_max = 100, .backups_max = 2, .fd = -1};
	struct err err;
	CLEANUP(free_p) char *notes = mem_printf("%s/audit-notes.log", folder);
	assert_int_equal(file_write(notes, STR("mine"), 0600, &err), RC_OK);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(audit_file_write(&f,
						  STR("0123456789012345678901234567890123456789\n"),
						  &err),
				 RC_OK);
		if (i % 2)
			usleep(2000); /* a name of its own */
	}
	assert_int_equal(count_files(folder), 4);
	assert_true(file_exists(notes)); /* not one of ours */
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 82);
	audit_file_close(&f);
	assert_int_equal(audit_file_open(&f, &err), RC_OK); /* goes on where it was */
	assert_int_equal(f.bytes, 82);
	audit_file_close(&f);
	assert_int_equal(dir_remove(folder, &err), RC_OK);
}

static void test_managed_fields_are_left_out(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(1000);
	struct json *tree;
	assert_int_equal(
		json_parse(&a,
			   STR("{\"metadata\":{\"name\":\"x\",\"managedFields\":[]},\"data\":{}}"),
			   &tree, NULL, NULL),
		RC_OK);
	audit_object_write(&out, &a, tree, true);
	assert_true(str_is(buf_str(&out), "{\"metadata\":{\"name\":\"x\"},\"data\":{}}"));
	buf_reset(&out);
	audit_object_write(&out, &a, tree, false);
	assert_true(str_is(buf_str(&out),
			   "{\"metadata\":{\"name\":\"x\",\"managedFields\":[]},\"data\":{}}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_matching_rule_decides),
		cmocka_unit_test(test_wrong_policies_are_refused),
		cmocka_unit_test(test_a_full_file_is_closed_and_the_oldest_go),
		cmocka_unit_test(test_managed_fields_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
