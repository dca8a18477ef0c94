#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/api_ids.h"
#include "api/views.h"
#include "wire_objects.h"

static struct json *parse(struct arena *a, const char *text)
{
	struct json *tree = NULL;
	struct err err;
	if (json_parse(a, str_of(text), &tree, NULL, &err) != RC_OK)
		fail_msg("%s", err.text);
	return tree;
}

static void a_pod_is_read(void **state)
{
	static const char text[] =
		"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"labels\":{"
		"\"k\":\"v\"},"
		"\"creationTimestamp\":\"2026-01-02T03:04:05Z\",\"deletionGracePeriodSeconds\":0},"
		"\"spec\":{\"terminationGracePeriodSeconds\":30,\"volumes\":[{\"name\":\"v\","
		"\"hostPath\":"
		"{\"path\":\"/"
		"x\",\"type\":\"\"}}],\"containers\":[{\"name\":\"c\",\"args\":[\"x\",\"y\"],"
		"\"resources\":{\"limits\":{\"cpu\":\"500m\"}},\"livenessProbe\":{\"httpGet\":"
		"{\"port\":\"http\"}},\"readinessProbe\":{\"tcpSocket\":{\"port\":80}}}]}}";
	CLEANUP_ARENA a = {};
	const struct api_type *type = api_type(api_builtin(), TYPE_CORE_V1_POD);
	const struct pod *pod = view_from_tree(&a, type, parse(&a, text));
	assert_true(str_is(pod->kind, "Pod"));
	assert_true(str_is(pod->metadata.name, "a"));
	assert_true(str_is(str_map_cget(&pod->metadata.labels, "k"), "v"));
	assert_null(str_map_cget(&pod->metadata.labels, "x").at);
	assert_true(pod->metadata.creation_timestamp == 1767323045000000);
	assert_true(pod->metadata.deletion_timestamp == 0);
	assert_int_equal(*pod->metadata.deletion_grace_period_seconds, 0);
	assert_int_equal(*pod->spec.termination_grace_period_seconds, 30);
	assert_null(pod->spec.active_deadline_seconds);
	assert_int_equal(pod->spec.volumes.count, 1);
	assert_true(str_is(pod->spec.volumes.at[0].host_path->path, "/x"));
	assert_non_null(pod->spec.volumes.at[0].host_path->type.at);
	assert_null(pod->spec.volumes.at[0].secret);
	const struct container *c = pod->spec.containers.at;
	assert_int_equal(c->args.count, 2);
	assert_true(str_is(c->args.at[1], "y"));
	assert_true(str_is(str_map_cget(&c->resources.limits, "cpu"), "500m"));
	assert_true(c->liveness_probe->http_get->port.is_string);
	assert_int_equal(c->readiness_probe->tcp_socket->port.number, 80);
	assert_null(c->lifecycle);
}

static void a_view_outlives_its_tree(void **state)
{
	static const char text[] =
		"{\"metadata\":{\"name\":\"plain\",\"labels\":{\"k\":\"v\"},\"annotations\":"
		"{\"a\\n\":\"x\\ty\"},\"managedFields\":[{\"fieldsV1\":{\"f:a\":{}}}]}}";
	CLEANUP_ARENA a = {};
	struct arena parsing = {};
	const struct api_type *type = api_type(api_builtin(), TYPE_CORE_V1_POD);
	const struct pod *pod = view_from_text(&a, type, parse(&parsing, text), str_of(text));
	arena_done(&parsing);
	assert_true(str_is(pod->metadata.name, "plain"));
	assert_in_range((uintptr_t)pod->metadata.name.at, (uintptr_t)text,
			(uintptr_t)text + sizeof(text));
	assert_true(str_is(str_map_cget(&pod->metadata.annotations, "a\n"), "x\ty"));
	assert_int_equal(
		json_count(json_get(pod->metadata.managed_fields.at[0].fields_v1, STR("f:a"))), 0);
}

static void wrong_types_stay_zero(void **state)
{
	static const char *const rows[] = {
		"{\"spec\":7}",
		"{\"spec\":{\"containers\":{}}}",
		"{\"spec\":{\"containers\":[null,3,\"x\"]}}",
		"{\"metadata\":{\"labels\":[],\"generation\":\"x\",\"creationTimestamp\":5}}",
		"{\"spec\":{\"nodeSelector\":{\"a\":1}}}",
		"[]",
		"null",
	};
	CLEANUP_ARENA a = {};
	const struct api_type *type = api_type(api_builtin(), TYPE_CORE_V1_POD);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct pod *pod = view_from_tree(&a, type, parse(&a, rows[i]));
		assert_int_equal(pod->metadata.generation, 0);
		for (uint32_t j = 0; j < pod->spec.containers.count; j++)
			assert_null(pod->spec.containers.at[j].name.at);
	}
}

/* From the tree and back gives the same text for everything an API server wrote. */
static void views_lose_nothing(void **state)
{
	struct wire_objects all;
	wire_objects_load(&all);
	for (size_t i = 0; i < all.count; i++) {
		const struct wire_object *o = &all.items[i];
		assert_non_null(o->type);
		void *view = view_from_tree(&all.arena, o->type, o->json);
		wire_assert_same(o->path, view_to_tree(&all.arena, o->type, view), o->json);
	}
	wire_objects_done(&all);
}

static void zero_values_follow_go(void **state)
{
	static const struct {
		int type;
		const char *want;
	} rows[] = {
		{TYPE_META_V1_OBJECT_META, "{}"},
		{TYPE_APPS_V1_DEPLOYMENT_SPEC,
		 "{\"selector\":null,\"template\":{\"metadata\":{},\"spec\":{\"containers\":null}},"
		 "\"strategy\":{}}"},
		{TYPE_CORE_V1_EVENT,
		 "{\"metadata\":{},\"involvedObject\":{},\"source\":{},\"firstTimestamp\":null,"
		 "\"lastTimestamp\":null,\"eventTime\":null,\"reportingComponent\":\"\","
		 "\"reportingInstance\":\"\"}"},
		{TYPE_APPS_V1_CONTROLLER_REVISION,
		 "{\"metadata\":{},\"data\":null,\"revision\":0}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		const struct api_type *type = api_type(api_builtin(), rows[i].type);
		void *zero = arena_alloc(&a, type->view_size);
		wire_assert_same(type->name, view_to_tree(&a, type, zero), parse(&a, rows[i].want));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pod_is_read),	 cmocka_unit_test(a_view_outlives_its_tree),
		cmocka_unit_test(wrong_types_stay_zero), cmocka_unit_test(views_lose_nothing),
		cmocka_unit_test(zero_values_follow_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
