/* The pure parts of the client verbs: types and targets, paths, refusals, durations, mounts, pods.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/duration.h"
#include "cli/mounts.h"
#include "client/api_error.h"
#include "client/api_path.h"
#include "client/logs_pod.h"
#include "client/resource_types.h"
#include "rules.h"

#define WORDS_MAX 8

static void assert_text(struct str got, const char *want)
{
	if (!str_is(got, want))
		fail_msg("got '%.*s', want '%s'", STR_FMT(got), want);
}

/* ---- types ---- */

static void types_have_many_names(void **state)
{
	static const struct {
		const char *word, *want; /* "": none */
	} rows[] = {
		{"po", "v1 Pod"},
		{"pod", "v1 Pod"},
		{"PODS", "v1 Pod"},
		{"Pod", "v1 Pod"},
		{"pods.v1", "v1 Pod"},
		{"deploy", "apps/v1 Deployment"},
		{"deployments.apps", "apps/v1 Deployment"},
		{"deployment.v1.apps", "apps/v1 Deployment"},
		{"deployments.v2.apps", ""},
		{"deployments.batch", ""},
		{"hpa", "autoscaling/v2 HorizontalPodAutoscaler"},
		{"hpa.v1.autoscaling", "autoscaling/v1 HorizontalPodAutoscaler"},
		{"netpol", "networking.k8s.io/v1 NetworkPolicy"},
		{"networkpolicies.networking", "networking.k8s.io/v1 NetworkPolicy"},
		{"nodes", "v1 Node"},
		{"events", "v1 Event"},
		{"events.events.k8s.io", "events.k8s.io/v1 Event"},
		{"", ""},
		{"podsx", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		const struct api_kind *kind = resource_type_find(str_of(rows[i].word));
		struct str got = STR("");
		if (kind)
			got = arena_printf(&a, "%.*s %.*s", STR_FMT(kind->api_version),
					   STR_FMT(kind->kind));
		assert_text(got, rows[i].want);
	}
}

static struct text_list words_of(const char *const *words)
{
	struct text_list list = {.at = (const char **)words};
	while (list.count < WORDS_MAX && words[list.count])
		list.count++;
	return list;
}

static void targets_are_read(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *want; /* kind/name …, or the error */
	} rows[] = {
		{{"pods"}, "Pod/ "},
		{{"pods,svc"}, "Pod/ Service/ "},
		{{"pods,po"}, "Pod/ "},
		{{"pod", "a", "b"}, "Pod/a Pod/b "},
		{{"pod,svc", "a"}, "Pod/a Service/a "},
		{{"pod/a", "svc/b"}, "Pod/a Service/b "},
		{{"deploy/a,b"}, "Deployment/a,b "},
		{{NULL}, "name a type of resource, for example pods, or TYPE/NAME"},
		{{"pod/a", "b"},
		 "'b' has no type while others have; write TYPE/NAME for each, or TYPE NAME…"},
		{{"pod", "svc/b"}, "'svc/b' names its type itself; leave out the separate 'pod'"},
		{{"pod/"}, "'pod/' is not of the form TYPE/NAME; an example is pod/web"},
		{{"pod/a/b"}, "'pod/a/b' is not of the form TYPE/NAME; an example is pod/web"},
		{{"pdos"},
		 "the server doesn't have a resource type \"pdos\"; did you mean \"pods\"?"},
		{{"pods,"}, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF got = BUF_INIT(4096);
		struct resource_targets t;
		struct err err;
		struct text_list words = words_of(rows[i].words);
		if (resource_targets_parse(&a, &words, &t, &err) != RC_OK)
			buf_add_cstr(&got, err.text);
		else
			for (size_t k = 0; k < t.count; k++)
				buf_printf(&got, "%.*s/%.*s ", STR_FMT(t.items[k].kind->kind),
					   STR_FMT(t.items[k].name));
		if (rows[i].want)
			assert_text(buf_str(&got), rows[i].want);
		else
			assert_int_equal(err.rc, RC_NOT_FOUND);
	}
}

static void all_is_a_category(void **state)
{
	CLEANUP_ARENA a = {};
	struct resource_targets t;
	static const char *const names[] = {"all", NULL};
	struct text_list words = words_of(names);
	assert_int_equal(resource_targets_parse(&a, &words, &t, NULL), RC_OK);
	assert_int_equal(t.count, 10); /* one version of the autoscaler */
}

/* ---- paths ---- */

static void paths_and_queries(void **state)
{
	static const struct {
		const char *type, *namespace, *name, *subresource, *want;
	} rows[] = {
		{"pods", "default", NULL, NULL, "/api/v1/namespaces/default/pods"},
		{"pods", NULL, NULL, NULL, "/api/v1/pods"},
		{"pods", "a", "web", "log", "/api/v1/namespaces/a/pods/web/log"},
		{"deploy", "a", "web", NULL, "/apis/apps/v1/namespaces/a/deployments/web"},
		{"nodes", "a", "n1", NULL, "/api/v1/nodes/n1"},
		{"clusterroles", NULL, "system:node", NULL,
		 "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node"},
		{"pods", "a/b", "../x?y", NULL, "/api/v1/namespaces/a%2Fb/pods/..%2Fx%3Fy"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		assert_text(api_path(&a, resource_type_find(str_of(rows[i].type)),
				     str_of(rows[i].namespace), str_of(rows[i].name),
				     rows[i].subresource),
			    rows[i].want);
	}
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	buf_add_cstr(&url, "/api/v1/pods");
	query_add(&url, "labelSelector", STR("app=web,tier in (a)"));
	query_add(&url, "continue", STR(""));
	query_add(&url, "limit", STR("500"));
	assert_text(buf_str(&url),
		    "/api/v1/pods?labelSelector=app%3Dweb%2Ctier%20in%20%28a%29&limit=500");
}

/* ---- refusals ---- */

static void refusals_read_as_kubectls(void **state)
{
	static const struct {
		int status;
		const char *body, *want;
		enum rc rc;
	} rows[] = {
		{404, "{\"reason\":\"NotFound\",\"message\":\"pods \\\"x\\\" not found\"}",
		 "Error from server (NotFound): pods \"x\" not found", RC_NOT_FOUND},
		{409, "{\"reason\":\"AlreadyExists\",\"message\":\"m\"}",
		 "Error from server (AlreadyExists): m", RC_ALREADY_EXISTS},
		{403, "{\"message\":\"no\"}", "Error from server: no", RC_FORBIDDEN},
		{502, "{}", "Error from server: status 502 without a message", RC_INTERNAL},
		{422,
		 "{\"reason\":\"Invalid\",\"details\":{\"kind\":\"Deployment\",\"name\":\"web\","
		 "\"causes\":[{\"field\":\"spec.a\",\"message\":\"bad\"}]}}",
		 "The Deployment \"web\" is invalid: spec.a: bad", RC_INVALID},
		{422,
		 "{\"reason\":\"Invalid\",\"details\":{\"kind\":\"Pod\",\"name\":\"w\",\"causes\":"
		 "[{\"field\":\"a\",\"message\":\"b\"},{\"field\":\"c\",\"message\":\"d\"}]}}",
		 "The Pod \"w\" is invalid: \n* a: b\n* c: d", RC_INVALID},
		{422, "{\"reason\":\"Invalid\",\"message\":\"odd\"}", "The request is invalid: odd",
		 RC_INVALID},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct err err;
		assert_int_equal(api_error_set(&err, rows[i].status, parsed(&a, rows[i].body)),
				 rows[i].rc);
		assert_string_equal(err.text, rows[i].want);
	}
}

static void a_long_refusal_is_cut_not_lost(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF body = BUF_INIT(1u << 20);
	struct err err;
	buf_add_cstr(&body, "{\"reason\":\"Invalid\",\"message\":\"many\",\"details\":{\"kind\":"
			    "\"Pod\",\"name\":\"w\",\"causes\":[");
	for (int i = 0; i < 500; i++)
		buf_printf(&body, "%s{\"field\":\"f%d\",\"message\":\"m\"}", i ? "," : "", i);
	buf_add_cstr(&body, "]}}");
	assert_int_equal(api_error_set(&err, 422, parsed(&a, body.data)), RC_INVALID);
	assert_string_equal(err.text, "many");
}

/* ---- durations ---- */

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: none */
	} rows[] = {
		{"5s", 5}, {"2m", 120},	 {"1h30m", 5400}, {"1.5h", 5400},
		{"0", 0},  {"100ms", 1}, {"1m1ms", 61},	  {"1000ms", 1},
		{"", -1},  {"5", -1},	 {"-5s", -1},	  {"5x", -1},
		{"s", -1}, {".s", -1},	 {"1s ", -1},	  {"99999999h", -1},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t got = -1;
		bool is_fine = duration_parse(str_of(rows[i].text), &got);
		if (is_fine != (rows[i].want >= 0) || (is_fine && got != rows[i].want))
			fail_msg("'%s': %lld", rows[i].text, (long long)got);
	}
}

/* ---- mounts ---- */

static void mounts_of_a_folder_newest_first(void **state)
{
	static const char text[] =
		"22 1 0:1 / / rw - ext4 /dev/sda rw\n"
		"30 22 0:5 / /var/lib/skeg rw - ext4 /dev/sdb rw\n"
		"31 22 0:6 / /var/lib/skeg/nodes/n1/runtime/a\\040b rw shared:1 - overlay o rw\n"
		"32 22 0:7 / /var/lib/skegs rw - tmpfs t rw\n"
		"33 22 0:8 / /var/lib/skeg/x\\04 rw - tmpfs t rw\n"
		"short line\n";
	static const char *const want[] = {"/var/lib/skeg/x\\04",
					   "/var/lib/skeg/nodes/n1/runtime/a b", "/var/lib/skeg"};
	CLEANUP_ARENA a = {};
	struct str *points;
	size_t count;
	mounts_below(&a, str_of(text), STR("/var/lib/skeg"), &points, &count);
	assert_int_equal(count, ARRAY_LEN(want));
	for (size_t i = 0; i < count; i++)
		assert_text(points[i], want[i]);
}

/* ---- pods of logs ---- */

static void selectors_of_workloads(void **state)
{
	static const struct {
		const char *workload, *want; /* NULL: none */
	} rows[] = {
		{"{\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\",\"c\":\"d\"}}}}",
		 "a=b,c=d"},
		{"{\"spec\":{\"selector\":{\"app\":\"web\"}}}", "app=web"},
		{"{\"spec\":{\"selector\":{\"matchExpressions\":["
		 "{\"key\":\"k\",\"operator\":\"In\",\"values\":[\"x\",\"y\"]},"
		 "{\"key\":\"l\",\"operator\":\"NotIn\",\"values\":[\"z\"]},"
		 "{\"key\":\"m\",\"operator\":\"Exists\"},"
		 "{\"key\":\"n\",\"operator\":\"DoesNotExist\"}]}}}",
		 "k in (x,y),l notin (z),m,!n"},
		{"{\"spec\":{}}", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct str got;
		enum rc rc = logs_selector(&a, parsed(&a, rows[i].workload), &got, NULL);
		assert_int_equal(rc, rows[i].want ? RC_OK : RC_BAD_REQUEST);
		if (rows[i].want)
			assert_text(got, rows[i].want);
	}
}

static void the_pod_with_most_to_say(void **state)
{
	static const char text[] =
		"[{\"metadata\":{\"name\":\"pending\",\"creationTimestamp\":\"2026-01-01\"},"
		"\"status\":{\"phase\":\"Pending\"}},"
		"{\"metadata\":{\"name\":\"running\",\"creationTimestamp\":\"2026-01-02\"},"
		"\"status\":{\"phase\":\"Running\"}},"
		"{\"metadata\":{\"name\":\"young\",\"creationTimestamp\":\"2026-01-04\"},"
		"\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\","
		"\"status\":\"True\"}]}},"
		"{\"metadata\":{\"name\":\"old\",\"creationTimestamp\":\"2026-01-03\"},"
		"\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\","
		"\"status\":\"True\"}]}}]";
	CLEANUP_ARENA a = {};
	assert_text(json_path_str(logs_best_pod(parsed(&a, text)), "metadata.name"), "old");
	assert_null(logs_best_pod(json_array(&a)));
}

static void the_container_that_is_meant(void **state)
{
	static const struct {
		const char *pod, *want;
		bool is_guess;
	} rows[] = {
		{"{\"spec\":{\"containers\":[{\"name\":\"a\"}]}}", "a", false},
		{"{\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}", "a", true},
		{"{\"spec\":{\"initContainers\":[{\"name\":\"i\"}],\"containers\":[{\"name\":"
		 "\"a\"}]}}",
		 "a", true},
		{"{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/default-container\":"
		 "\"b\"}},\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}",
		 "b", false},
		{"{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/default-container\":"
		 "\"c\"}},\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}",
		 "a", true},
		{"{}", "", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		bool is_guess;
		assert_text(logs_default_container(parsed(&a, rows[i].pod), &is_guess),
			    rows[i].want);
		assert_int_equal(is_guess, rows[i].is_guess);
	}
	CLEANUP_ARENA a = {};
	assert_text(logs_container_names(&a, parsed(&a, rows[2].pod)), "a, i (init)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_have_many_names),
		cmocka_unit_test(targets_are_read),
		cmocka_unit_test(all_is_a_category),
		cmocka_unit_test(paths_and_queries),
		cmocka_unit_test(refusals_read_as_kubectls),
		cmocka_unit_test(a_long_refusal_is_cut_not_lost),
		cmocka_unit_test(durations),
		cmocka_unit_test(mounts_of_a_folder_newest_first),
		cmocka_unit_test(selectors_of_workloads),
		cmocka_unit_test(the_pod_with_most_to_say),
		cmocka_unit_test(the_container_that_is_meant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
