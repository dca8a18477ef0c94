/* Entries of managedFields that clients write, and those that travel between forms of an object. */
#include "rules.h"

#include "api/convert.h"
#include "api/managed_fields.h"

#define CONFIG(text)                                                                               \
	"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"" text
#define ENTRY(text) "{\"manager\":\"hand\"," text "}"
#define FIELDS	    "\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\"f:a\":{}}}"
#define WHOLE	    ENTRY("\"operation\":\"Update\",\"apiVersion\":\"v1\"," FIELDS)

static struct json *applied(struct arena *a, const struct api_kind *kind, const struct json *live,
			    const char *config, const char *manager)
{
	struct json *tree = NULL;
	struct err err = {};
	if (managed_apply(a, kind, live, parsed(a, config), str_of(manager), false, (struct str){},
			  NOW_US, &tree, NULL, &err) != RC_OK)
		fail_msg("%s", err.text);
	return tree;
}

static struct str managers(struct arena *a, const struct json *tree)
{
	const struct json *list = json_path(tree, "metadata.managedFields");
	CLEANUP_BUF text = BUF_INIT(4096);
	for (size_t i = 0; i < json_count(list); i++)
		buf_printf(&text, "%s%.*s", i ? " " : "",
			   STR_FMT(json_path_str(json_at(list, i), "manager")));
	return arena_str(a, buf_str(&text));
}

/* What an update with these entries leaves of those that were there. */
static void clients_write_entries(void **state)
{
	static const struct {
		const char *entries, *managers;
	} rows[] = {
		{"null", "one"},
		{"[]", ""},
		{"[{}]", ""},
		{"[" WHOLE "]", "hand"},
		{"[" ENTRY("\"apiVersion\":\"v1\"," FIELDS) "]", "one"},
		{"[" ENTRY("\"operation\":\"Update\"," FIELDS) "]", "one"},
		{"[" ENTRY("\"operation\":\"Create\",\"apiVersion\":\"v1\"," FIELDS) "]", "one"},
		{"[" ENTRY("\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsV1\":{}") "]",
		 "one"},
		{"[" ENTRY("\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":"
			   "\"FieldsV1\"") "]",
		 ""},
		{"[" ENTRY("\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":"
			   "\"FieldsV1\",\"fieldsV1\":{\"k:{\":{}}") "]",
		 "one"},
		{"[" ENTRY("\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":"
			   "\"FieldsV1\",\"fieldsV1\":{\"x\":{}}") "]",
		 "one"},
		{"[" ENTRY("\"operation\":\"Update\",\"apiVersion\":\"v9\"," FIELDS) "]", ""},
		{"[" WHOLE
		 "," ENTRY("\"operation\":\"Apply\",\"apiVersion\":\"a/b/c\"," FIELDS) "]",
		 ""},
		{"[" ENTRY("\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":"
			   "\"FieldsV1\",\"fieldsV1\":{\"f:foo\":{}}") "]",
		 ""},
		{"[" ENTRY("\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":"
			   "\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\"f:foo\":{}}}") "]",
		 "hand"},
	};
	const struct api_kind *kind = kind_named("v1", "ConfigMap");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct json *live =
			applied(&a, kind, NULL, CONFIG("},\"data\":{\"a\":\"1\"}}"), "one");
		struct json *tree = json_copy(&a, live);
		json_set(&a, json_get(tree, STR("metadata")), STR("managedFields"),
			 parsed(&a, rows[i].entries));
		managed_update(&a, kind, live, tree, STR("editor"), (struct str){}, NOW_US);
		assert_string_equal(arena_cstr(&a, managers(&a, tree)), rows[i].managers);
	}
}

/* kubectl takes over what it applied on the client, and nothing that has changed since. */
static void kubectl_moves_on(void **state)
{
	static const char last[] = "{\\\"apiVersion\\\":\\\"v1\\\",\\\"kind\\\":\\\"ConfigMap\\\","
				   "\\\"metadata\\\":{\\\"name\\\":\\\"c\\\"},\\\"data\\\":{"
				   "\\\"a\\\":\\\"1\\\",\\\"b\\\":\\\"1\\\"}}";
	CLEANUP_ARENA a = {};
	const struct api_kind *kind = kind_named("v1", "ConfigMap");
	struct str text = arena_printf(&a,
				       CONFIG(",\"annotations\":{\"kubectl.kubernetes.io/"
					      "last-applied-configuration\":\"%s\"}},\"data\":{"
					      "\"a\":\"1\",\"b\":\"2\"}}"),
				       last);
	struct json *live = normal(&a, kind, parsed(&a, arena_cstr(&a, text))), *tree;
	struct managed_conflicts conflicts = {};
	struct err err = {};
	managed_update(&a, kind, NULL, live, STR("kubectl-client-side-apply"), (struct str){},
		       NOW_US);
	tree = applied(&a, kind, live, CONFIG("},\"data\":{\"a\":\"5\"}}"), "kubectl");
	assert_true(str_is(json_path_str(tree, "data.a"), "5"));
	assert_int_equal(managed_apply(&a, kind, live,
				       parsed(&a, CONFIG("},\"data\":{\"a\":\"5\",\"b\":\"5\"}}")),
				       STR("kubectl"), false, (struct str){}, NOW_US, &tree,
				       &conflicts, &err),
			 RC_CONFLICT);
	assert_string_equal(err.text, "Apply failed with 1 conflict: conflict with "
				      "\"kubectl-client-side-apply\" using v1: .data.b");
	assert_int_equal(conflicts.count, 1);
}

/* ---- scale ---- */

static const char deployment[] =
	"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\"},\"spec\":"
	"{\"replicas\":2,\"paused\":true}}";

static void a_scale_has_the_managers_of_the_replicas(void **state)
{
	CLEANUP_ARENA a = {};
	const struct api_kind *kind = kind_named("apps/v1", "Deployment");
	struct json *tree = applied(&a, kind, NULL, deployment, "one");
	struct json *scale = parsed(&a, "{\"metadata\":{}}");
	managed_to_scale(&a, kind, tree, scale);
	assert_covers(json_at(json_path(scale, "metadata.managedFields"), 0),
		      parsed(&a,
			     "{\"manager\":\"one\",\"operation\":\"Apply\",\"apiVersion\":"
			     "\"autoscaling/v1\",\"fieldsV1\":{\"f:spec\":{\"f:replicas\":{}}}}"));
	managed_from_scale(&a, kind, scale, tree);
	assert_non_null(json_path(json_at(json_path(tree, "metadata.managedFields"), 0),
				  "fieldsV1.f:spec.f:replicas"));
	struct json *taken = parsed(
		&a,
		"{\"metadata\":{\"managedFields\":[{\"manager\":\"two\",\"operation\":\"Update\","
		"\"apiVersion\":\"autoscaling/v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{"
		"\"f:spec\":{\"f:replicas\":{}}},\"subresource\":\"scale\"}]}}");
	managed_from_scale(&a, kind, taken, tree);
	const struct json *list = json_path(tree, "metadata.managedFields");
	assert_int_equal(json_count(list), 2);
	assert_covers(json_at(list, 0), parsed(&a, "{\"manager\":\"one\",\"fieldsV1\":{\"f:spec\":{"
						   "\"f:paused\":{}}}}"));
	assert_covers(json_at(list, 1),
		      parsed(&a, "{\"manager\":\"two\",\"apiVersion\":\"apps/v1\",\"subresource\":"
				 "\"scale\",\"fieldsV1\":{\"f:spec\":{\"f:replicas\":{}}}}"));
}

/* ---- what a way in cannot change ---- */

static void nobody_owns_what_a_way_in_resets(void **state)
{
	static const struct {
		const char *subresource, *gone, *kept;
	} rows[] = {
		{"", "f:status", "f:metadata.f:labels"},
		{"status", "f:spec", "f:status"},
		{"status", "f:metadata.f:labels", "f:status"},
	};
	const struct api_kind *kind = kind_named("apps/v1", "Deployment");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct json *live = applied(&a, kind, NULL, deployment, "one");
		struct json *tree = json_copy(&a, live);
		json_set(&a, tree, STR("status"), parsed(&a, "{\"replicas\":1}"));
		json_set(&a, json_get(tree, STR("metadata")), STR("labels"),
			 parsed(&a, "{\"x\":\"1\"}"));
		json_set(&a, json_get(tree, STR("spec")), STR("replicas"), json_int(&a, 3));
		managed_update(&a, kind, live, tree, STR("editor"), str_of(rows[i].subresource),
			       NOW_US);
		const struct json *list = json_path(tree, "metadata.managedFields");
		const struct json *mine =
			json_get(json_at(list, json_count(list) - 1), STR("fieldsV1"));
		assert_null(json_path(mine, rows[i].gone));
		assert_non_null(json_path(mine, rows[i].kept));
	}
}

/* A key that is always written has a value where the configuration leaves it out. */
static void keys_have_zero_values(void **state)
{
	CLEANUP_ARENA a = {};
	const struct api_kind *kind = kind_named("v1", "ConfigMap");
	struct json *tree =
		applied(&a, kind, NULL,
			CONFIG(",\"ownerReferences\":[{\"kind\":\"K\",\"name\":\"n\"}]}}"), "one");
	assert_non_null(json_get(json_path(json_at(json_path(tree, "metadata.managedFields"), 0),
					   "fieldsV1.f:metadata.f:ownerReferences"),
				 STR("k:{\"uid\":\"\"}")));
}

/* ---- autoscalers ---- */

static void version_1_keeps_the_rest_in_annotations(void **state)
{
	static const char v2_text[] =
		"{\"metadata\":{\"name\":\"h\"},\"spec\":{\"maxReplicas\":3,\"metrics\":["
		"{\"type\":\"Pods\",\"pods\":{\"metric\":{\"name\":\"m\"},\"target\":{\"type\":"
		"\"AverageValue\",\"averageValue\":\"1k\"}}},"
		"{\"type\":\"External\",\"external\":{\"metric\":{\"name\":\"e\",\"selector\":{}},"
		"\"target\":{\"type\":\"Value\",\"value\":\"2\"}}},"
		"{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":"
		"\"Utilization\",\"averageUtilization\":50}}}],"
		"\"behavior\":{\"scaleDown\":{\"policies\":[{\"type\":\"Pods\",\"value\":4,"
		"\"periodSeconds\":15}]}}},"
		"\"status\":{\"currentReplicas\":1,\"desiredReplicas\":2,\"conditions\":[{\"type\":"
		"\"AbleToScale\",\"status\":\"True\"}]}}";
	static const char prefix[] = "autoscaling.alpha.kubernetes.io/";
	static const struct {
		const char *name, *text;
	} rows[] = {
		{"metrics", "[{\"type\":\"Pods\",\"pods\":{\"metricName\":\"m\","
			    "\"targetAverageValue\":\"1k\"}},{\"type\":\"External\",\"external\":{"
			    "\"metricName\":\"e\",\"metricSelector\":{},\"targetValue\":\"2\"}}]"},
		{"behavior", "{\"ScaleUp\":null,\"ScaleDown\":{\"StabilizationWindowSeconds\":null,"
			     "\"SelectPolicy\":null,\"Policies\":[{\"Type\":\"Pods\",\"Value\":4,"
			     "\"PeriodSeconds\":15}],\"Tolerance\":null}}"},
		{"conditions", "[{\"type\":\"AbleToScale\",\"status\":\"True\"}]"},
	};
	CLEANUP_ARENA a = {};
	const struct api_kind *v1 = kind_named("autoscaling/v1", "HorizontalPodAutoscaler");
	const struct api_kind *v2 = kind_named("autoscaling/v2", "HorizontalPodAutoscaler");
	struct json *tree = parsed(&a, v2_text), *old = convert_tree(&a, v2, v1, tree);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str key = arena_printf(&a, "%s%s", prefix, rows[i].name);
		struct str got = json_str(json_get(json_path(old, "metadata.annotations"), key));
		assert_string_equal(arena_cstr(&a, got), rows[i].text);
	}
	assert_int_equal(json_i64(json_path(old, "spec.targetCPUUtilizationPercentage")), 50);
	struct json *again = convert_tree(&a, v1, v2, old);
	assert_true(json_equal(again, tree));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_write_entries),
		cmocka_unit_test(kubectl_moves_on),
		cmocka_unit_test(a_scale_has_the_managers_of_the_replicas),
		cmocka_unit_test(nobody_owns_what_a_way_in_resets),
		cmocka_unit_test(keys_have_zero_values),
		cmocka_unit_test(version_1_keeps_the_rest_in_annotations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
