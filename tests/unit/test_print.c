#include "rules.h"

#include "api/print.h"
#include "api/view.h"

#define OBJECT(rest)                                                                               \
	"{\"metadata\":{\"name\":\"x\",\"creationTimestamp\":\"2025-12-31T23:55:00Z\"}," rest "}"
#define POD(status)                                                                                \
	OBJECT("\"spec\":{\"nodeName\":\"n1\",\"initContainers\":[{\"name\":\"i\"}],"              \
	       "\"containers\":[{"                                                                 \
	       "\"name\":\"c\"}]},\"status\":{" status "}")
#define WIDE ",\"5m\",\"<none>\",\"n1\",\"<none>\",\"<none>\"]"

static void test_rows(void **state)
{
	static const struct {
		const char *api_version, *kind, *given, *cells;
	} rows[] = {
		{"v1", "Pod",
		 POD("\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\",\"ready\":true,"
		     "\"restartCount\":2,\"state\":{\"running\":{}},\"lastState\":{\"terminated\":{"
		     "\"finishedAt\":\"2025-12-31T23:59:00Z\"}}}]"),
		 "[\"x\",\"1/1\",\"Running\",\"2 (60s ago)\"" WIDE},
		{"v1", "Pod",
		 POD("\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"i\",\"state\":{"
		     "\"waiting\":{\"reason\":\"PodInitializing\"}}}]"),
		 "[\"x\",\"0/1\",\"Init:0/1\",\"0\"" WIDE},
		{"v1", "Pod",
		 POD("\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\","
		     "\"restartCount\":3,"
		     "\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}}]"),
		 "[\"x\",\"0/1\",\"CrashLoopBackOff\",\"3\"" WIDE},
		{"v1", "Pod",
		 POD("\"phase\":\"Succeeded\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{"
		     "\"terminated\":{\"exitCode\":0,\"reason\":\"Completed\"}}}]"),
		 "[\"x\",\"0/1\",\"Completed\",\"0\"" WIDE},
		{"v1", "Pod",
		 "{\"metadata\":{\"name\":\"x\",\"creationTimestamp\":\"2025-12-31T23:55:00Z\","
		 "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"},\"spec\":{\"nodeName\":\"n1\","
		 "\"containers\":[{\"name\":\"c\"}]},\"status\":{\"phase\":\"Running\"}}",
		 "[\"x\",\"0/1\",\"Terminating\",\"0\"" WIDE},
		{"v1", "Node",
		 OBJECT("\"spec\":{\"unschedulable\":true},\"status\":{\"conditions\":[{\"type\":"
			"\"Ready\","
			"\"status\":\"True\"}],\"addresses\":[{\"type\":\"InternalIP\",\"address\":"
			"\"192.0.2."
			"1\"}],\"nodeInfo\":{\"kubeletVersion\":\"v1.35.0\"}}"),
		 "[\"x\",\"Ready,SchedulingDisabled\",\"<none>\",\"5m\",\"v1.35.0\",\"192.0.2.1\","
		 "\"<none>\","
		 "\"<unknown>\",\"<unknown>\",\"<unknown>\"]"},
		{"v1", "Service",
		 OBJECT("\"spec\":{\"type\":\"LoadBalancer\",\"clusterIP\":\"192.0.2.9\",\"ports\":"
			"[{\"port\":"
			"80,\"nodePort\":30080,\"protocol\":\"TCP\"}],\"selector\":{\"b\":\"2\","
			"\"a\":\"1\"}},"
			"\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"198.51.100.1\"}]}}"),
		 "[\"x\",\"LoadBalancer\",\"192.0.2.9\",\"198.51.100.1\",\"80:30080/"
		 "TCP\",\"5m\",\"a=1,b=2\"]"},
		{"apps/v1", "Deployment",
		 OBJECT("\"spec\":{\"replicas\":3,\"selector\":{\"matchLabels\":{\"a\":\"b\"},"
			"\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"In\",\"values\":["
			"\"e\",\"d\"]}]},"
			"\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}"
			"}},"
			"\"status\":{\"readyReplicas\":1,\"updatedReplicas\":2,"
			"\"availableReplicas\":1}"),
		 "[\"x\",\"1/3\",2,1,\"5m\",\"c\",\"i\",\"a=b,c in (d,e)\"]"},
		{"batch/v1", "Job",
		 OBJECT("\"spec\":{\"completions\":2,\"template\":{}},\"status\":{\"succeeded\":1,"
			"\"startTime\":\"2025-12-31T23:59:50Z\"}"),
		 "[\"x\",\"Running\",\"1/2\",\"10s\",\"5m\",\"\",\"\",\"<none>\"]"},
		{"v1", "ConfigMap", OBJECT("\"data\":{\"a\":\"b\"}"), "[\"x\",1,\"5m\"]"},
		{"v1", "LimitRange", OBJECT("\"spec\":{}"), "[\"x\",\"2025-12-31T23:55:00Z\"]"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF text = BUF_INIT(1u << 16);
		const struct api_kind *kind = kind_named(rows[i].api_version, rows[i].kind);
		const void *view = view_from_tree(&a, api_type(api_builtin(), kind->type),
						  parsed(&a, rows[i].given));
		api_print_cells(&text, kind, view, NOW_US);
		struct json *cells = parsed(&a, text.data), *expected = parsed(&a, rows[i].cells);
		assert_covers(cells, expected);
	}
}

/* A row that has more or fewer cells than there are columns would shift what clients show. */
static void test_every_kind_fills_its_columns(void **state)
{
	const struct api *api = api_builtin();
	for (uint32_t i = 0; i < api->kind_count; i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF text = BUF_INIT(1u << 16);
		const struct api_kind *kind = &api->kinds[i];
		const struct api_kind *stored = api_by_stored(api, kind->stored_id);
		if (!stored || kind->column_count == 0 || str_is(kind->kind, "IPAddress"))
			continue;
		const struct api_type *type = api_type(api, stored->type);
		api_print_cells(&text, kind, arena_alloc(&a, type->view_size), NOW_US);
		if (json_count(parsed(&a, text.data)) != kind->column_count)
			fail_msg("%.*s has %u columns, its row is %s", STR_FMT(kind->kind),
				 kind->column_count, text.data);
	}
}

/* ---- what upstream's columns are: tests/data/columns.tsv ---- */

static const struct api_kind *kind_of_resource(struct str version, struct str plural)
{
	const struct api *api = api_builtin();
	for (uint32_t i = 0; i < api->kind_count; i++)
		if (str_eq(api->kinds[i].api_version, version) &&
		    str_eq(api->kinds[i].plural, plural))
			return &api->kinds[i];
	fail_msg("no kind %.*s %.*s", STR_FMT(version), STR_FMT(plural));
	return NULL;
}

static void assert_cell(struct str line, struct str want, struct str got)
{
	if (str_is(want, "-"))
		want = STR("");
	if (!str_eq(want, got))
		fail_msg("%.*s: '%.*s'", STR_FMT(line), STR_FMT(got));
}

/* version, resource, name, type, format, priority; in the order of the columns. */
static const struct api_kind *check_column(struct str line, const struct api_kind *last,
					   uint32_t *at)
{
	struct str cells[6], rest = line;
	for (size_t i = 0; i < ARRAY_LEN(cells); i++)
		str_cut(rest, '\t', &cells[i], &rest);
	const struct api_kind *kind = kind_of_resource(cells[0], cells[1]);
	if (kind != last && last && *at != last->column_count)
		fail_msg("%.*s has more columns", STR_FMT(last->kind));
	*at = kind == last ? *at : 0;
	if (*at == kind->column_count)
		fail_msg("%.*s: missing", STR_FMT(line));
	const struct api_column *c = &kind->columns[(*at)++];
	assert_cell(line, cells[2], c->name);
	assert_cell(line, cells[3], c->type);
	assert_cell(line, cells[4], c->format);
	assert_int_equal(c->priority, cells[5].at[0] - '0');
	assert_true(c->description.len > 0);
	return kind;
}

static void test_columns_are_upstreams(void **state)
{
	CLEANUP_BUF text = BUF_INIT(1u << 20);
	FILE *f = fopen(TEST_DATA "/columns.tsv", "re");
	assert_non_null(f);
	for (size_t n = 1; n > 0; buf_grew(&text, n))
		n = fread(buf_reserve(&text, 1u << 16), 1, 1u << 16, f);
	fclose(f);
	struct str line, rest = buf_str(&text);
	const struct api_kind *kind = NULL;
	uint32_t at = 0, kinds = 0;
	str_cut(rest, '\n', &line, &rest); /* the head */
	while (rest.len) {
		str_cut(rest, '\n', &line, &rest);
		const struct api_kind *next = check_column(line, kind, &at);
		kinds += next != kind;
		kind = next;
	}
	assert_int_equal(at, kind->column_count);
	assert_int_equal(kinds, 58);
}

static void test_ended_pods_have_a_condition(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(1000);
	const struct api_kind *kind = kind_named("v1", "Pod");
	const struct api_type *type = api_type(api_builtin(), kind->type);
	const void *running =
		view_from_tree(&a, type, parsed(&a, "{\"status\":{\"phase\":\"Running\"}}"));
	const void *failed =
		view_from_tree(&a, type, parsed(&a, "{\"status\":{\"phase\":\"Failed\"}}"));
	assert_false(api_print_conditions(&text, kind, running));
	assert_true(api_print_conditions(&text, kind, failed));
	assert_string_equal(text.data,
			    "[{\"type\":\"Completed\",\"status\":\"True\",\"reason\":\"Failed\","
			    "\"message\":\"The pod failed.\"}]");
}

/* A row made once and kept gives the same text as one made anew, now and later. */
static void test_kept_rows_age(void **state)
{
	static const char *const given[] = {
		OBJECT("\"status\":{\"phase\":\"Failed\"}"),
		OBJECT("\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"a\","
		       "\"restartCount\":2,\"lastState\":{\"terminated\":{\"finishedAt\":"
		       "\"2025-12-31T23:59:50Z\"}}}]}"),
	};
	const struct api_kind *kind = kind_named("v1", "Pod");
	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		CLEANUP_ARENA a = {};
		struct object *o = NULL;
		assert_int_equal(object_new(kind, parsed(&a, given[i]), 1, &o, NULL), RC_OK);
		for (int64_t later = -300; later < 4000; later += 1000) {
			CLEANUP_BUF kept = BUF_INIT(1000);
			CLEANUP_BUF anew = BUF_INIT(1000);
			int64_t now_us = NOW_US + later * 1000000;
			api_print_row(&kept, kind, o, now_us);
			buf_add_cstr(&anew, "\"cells\":");
			api_print_cells(&anew, kind, object_view(o), now_us);
			assert_memory_equal(kept.data, anew.data, anew.len);
			assert_int_equal(strstr(kept.data, "\"conditions\":[{") != NULL, i == 0);
		}
		object_unref(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_every_kind_fills_its_columns),
		cmocka_unit_test(test_columns_are_upstreams),
		cmocka_unit_test(test_ended_pods_have_a_condition),
		cmocka_unit_test(test_kept_rows_age),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
