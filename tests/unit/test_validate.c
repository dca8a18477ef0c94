#include "rules.h"

#include "api/defaults.h"
#include "api/validate.h"

#define META		"\"metadata\":{\"name\":\"x\",\"namespace\":\"n\",\"uid\":\"u\"}"
#define CLUSTER_META	"\"metadata\":{\"name\":\"x\",\"uid\":\"u\"}"
#define POD(spec)	"{" META ",\"spec\":{" spec "}}"
#define CONTAINER(text) POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\"" text "}]")
#define TEMPLATE                                                                                   \
	"\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{"        \
	"\"name\":\"c\","                                                                          \
	"\"image\":\"i\"}]}}"

static struct json *prepared(struct arena *a, const struct api_kind *kind, const char *text)
{
	struct json *tree = normal(a, kind, parsed(a, text));
	api_default(a, kind, tree);
	api_prepare_create(a, kind, tree, NOW_US);
	return normal(a, kind, tree);
}

static void assert_message(const struct field_errors *errors, const char *expected)
{
	CLEANUP_BUF text = BUF_INIT(1u << 16);
	for (size_t i = 0; i < errors->count; i++) {
		if (i)
			buf_add_char(&text, '\n');
		field_error_write(&text, &errors->items[i]);
	}
	assert_string_equal(text.data ? text.data : "", expected);
}

static void test_creates(void **state)
{
	static const struct {
		const char *api_version, *kind, *given, *expected;
	} rows[] = {
		{"v1", "Pod", CONTAINER(""), ""},
		{"v1", "Pod", POD(""), "spec.containers: Required value"},
		{"v1", "Pod",
		 "{\"metadata\":{\"namespace\":\"n\"},\"spec\":{\"containers\":[{\"name\":\"c\","
		 "\"image\":\"i\"}]}}",
		 "metadata.name: Required value: name or generateName is required"},
		{"v1", "Pod", CONTAINER(",\"ports\":[{\"containerPort\":65536}]"),
		 "spec.containers[0].ports[0].containerPort: Invalid value: 65536: must be between "
		 "1 and "
		 "65535, inclusive"},
		{"v1", "Pod",
		 CONTAINER(",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}]"),
		 "spec.containers[0].volumeMounts[0].name: Not found: \"v\""},
		{"v1", "Pod", CONTAINER(",\"livenessProbe\":{}"),
		 "spec.containers[0].livenessProbe: Required value: must specify a handler type"},
		{"v1", "Pod",
		 CONTAINER(",\"resources\":{\"limits\":{\"cpu\":\"1\"},\"requests\":{\"cpu\":\"2\"}"
			   "}"),
		 "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than "
		 "or equal "
		 "to cpu limit of 1"},
		{"v1", "Pod", CONTAINER(",\"env\":[{\"name\":\"a=b\"}]"),
		 "spec.containers[0].env[0].name: Invalid value: \"a=b\": a valid environment "
		 "variable name "
		 "must consist only of printable ASCII characters other than '='"},
		{"v1", "Pod",
		 POD("\"restartPolicy\":\"x\",\"dnsPolicy\":\"y\",\"containers\":[{\"name\":\"c\","
		     "\"image\":\"i\"}]"),
		 "spec.restartPolicy: Unsupported value: \"x\": supported values: \"Always\", "
		 "\"OnFailure\", "
		 "\"Never\"\nspec.dnsPolicy: Unsupported value: \"y\": supported values: "
		 "\"ClusterFirstWithHostNet\", \"ClusterFirst\", \"Default\", \"None\""},
		{"v1", "ConfigMap", "{" META ",\"data\":{\"a/b\":\"\"}}",
		 "data[a/b]: Invalid value: \"a/b\": a valid config key must consist of "
		 "alphanumeric "
		 "characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
		 "regex used "
		 "for validation is '[-._a-zA-Z0-9]+')"},
		{"v1", "Secret", "{" META ",\"type\":\"kubernetes.io/tls\"}",
		 "data[tls.crt]: Required value\ndata[tls.key]: Required value"},
		{"v1", "Service", "{" META ",\"spec\":{\"ports\":[{\"port\":1},{\"port\":2}]}}",
		 "spec.ports[0].name: Required value\nspec.ports[1].name: Required value"},
		{"apps/v1", "Deployment",
		 "{" META
		 ",\"spec\":{\"replicas\":-1,\"selector\":{\"matchLabels\":{\"a\":\"c\"}}," TEMPLATE
		 "}}",
		 "spec.replicas: Invalid value: -1: must be greater than or equal to 0\n"
		 "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not "
		 "match "
		 "template `labels`"},
		{"batch/v1", "CronJob",
		 "{" META
		 ",\"spec\":{\"schedule\":\"60 * * * *\",\"jobTemplate\":{\"spec\":{\"template\":{"
		 "\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":"
		 "\"i\"}]}}}}}}",
		 "spec.schedule: Invalid value: \"60 * * * *\": end of range (60) above maximum "
		 "(59): 60"},
		{"autoscaling/v2", "HorizontalPodAutoscaler",
		 "{" META ",\"spec\":{\"minReplicas\":5,\"maxReplicas\":3,\"scaleTargetRef\":{"
		 "\"apiVersion\":"
		 "\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"d\"}}}",
		 "spec.maxReplicas: Invalid value: 3: must be greater than or equal to "
		 "`minReplicas`"},
		{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding",
		 "{" CLUSTER_META ",\"roleRef\":{\"kind\":\"Role\",\"name\":\"r\"}}",
		 "roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\""},
		{"networking.k8s.io/v1", "Ingress", "{" META ",\"spec\":{}}",
		 "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"},
		{"storage.k8s.io/v1", "StorageClass", "{" CLUSTER_META "}",
		 "provisioner: Required value"},
		{"scheduling.k8s.io/v1", "PriorityClass", "{" CLUSTER_META ",\"value\":1000000001}",
		 "value: Forbidden: maximum allowed value of a user defined priority is "
		 "1000000000"},
		{"policy/v1", "PodDisruptionBudget",
		 "{" META ",\"spec\":{\"minAvailable\":\"101%\"}}",
		 "spec.minAvailable: Invalid value: \"101%\": must not be greater than 100%"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct field_errors errors = {.arena = &a};
		const struct api_kind *kind = kind_named(rows[i].api_version, rows[i].kind);
		api_validate_create(kind, prepared(&a, kind, rows[i].given), &errors);
		assert_message(&errors, rows[i].expected);
	}
}

static void test_updates(void **state)
{
	static const struct {
		const char *api_version, *kind, *old, *given, *expected;
	} rows[] = {
		{"v1", "Secret", "{" META ",\"type\":\"a/b\"}", "{" META ",\"type\":\"c/d\"}",
		 "type: Invalid value: \"c/d\": field is immutable"},
		{"v1", "ConfigMap", "{" META ",\"immutable\":true}",
		 "{" META ",\"immutable\":true,\"data\":{\"a\":\"b\"}}",
		 "data: Forbidden: field is immutable when `immutable` is set"},
		{"v1", "Pod", CONTAINER(""), CONTAINER(""), ""},
		{"v1", "Pod", CONTAINER(""),
		 POD("\"activeDeadlineSeconds\":0,\"containers\":[{\"name\":\"c\",\"image\":\"j\"}"
		     "]"),
		 "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, "
		 "inclusive"},
		{"v1", "Pod", CONTAINER(""),
		 POD("\"nodeName\":\"n1\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]"),
		 "spec: Forbidden: pod updates may not change fields other than "
		 "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec."
		 "activeDeadlineSeconds`,"
		 "`spec.tolerations` (only additions to existing tolerations),"
		 "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
		 "previously "
		 "negative)\n@@ -42,7 +42,7 @@\n  \"NodeSelector\": null,\n  "
		 "\"ServiceAccountName\": \"\",\n"
		 "  \"AutomountServiceAccountToken\": null,\n- \"NodeName\": \"\",\n+ "
		 "\"NodeName\": \"n1\",\n"
		 "  \"SecurityContext\": {\n   \"HostNetwork\": false,\n   \"HostPID\": false,\n"},
		{"apps/v1", "Deployment",
		 "{" META ",\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}}," TEMPLATE "}}",
		 "{" META
		 ",\"spec\":{\"selector\":{\"matchExpressions\":[{\"key\":\"a\",\"operator\":"
		 "\"Exists\"}]}," TEMPLATE "}}",
		 "spec.selector: Invalid value: "
		 "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\"}]}: field is "
		 "immutable"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct field_errors errors = {.arena = &a};
		const struct api_kind *kind = kind_named(rows[i].api_version, rows[i].kind);
		struct json *old = prepared(&a, kind, rows[i].old);
		struct json *tree = prepared(&a, kind, rows[i].given);
		api_prepare_update(&a, kind, old, tree, "", NOW_US);
		api_validate_update(kind, old, tree, "", &errors);
		assert_message(&errors, rows[i].expected);
	}
}

static void test_status(void **state)
{
	static const struct {
		const char *api_version, *kind, *spec, *status, *expected;
	} rows[] = {
		{"batch/v1", "Job", TEMPLATE,
		 "{\"conditions\":[{\"type\":\"Complete\",\"status\":\"True\"}]}",
		 "status.completionTime: Required value: completionTime is required for Complete "
		 "jobs\nstatus.conditions: Invalid value: cannot set Complete=True condition "
		 "without the SuccessCriteriaMet=true condition\nstatus.startTime: Required value: "
		 "startTime is required for finished job"},
		{"batch/v1", "Job", TEMPLATE, "{\"active\":1,\"ready\":2}",
		 "status.ready: Invalid value: 2: cannot set more ready pods than active"},
		{"batch/v1", "Job", TEMPLATE, "{\"completionTime\":\"2026-01-01T00:00:00Z\"}",
		 "status.completionTime: Invalid value: \"2026-01-01T00:00:00Z\": cannot set "
		 "completionTime when there is no Complete=True condition"},
		{"apps/v1", "DaemonSet", "\"selector\":{\"matchLabels\":{\"a\":\"b\"}}," TEMPLATE,
		 "{\"numberReady\":-1}",
		 "status.numberReady: Invalid value: -1: must be greater than or equal to 0"},
		{"policy/v1", "PodDisruptionBudget", "\"minAvailable\":1",
		 "{\"currentHealthy\":-1}",
		 "status.currentHealthy: Invalid value: -1: must be greater than or equal to 0"},
		{"v1", "ReplicationController", "\"selector\":{\"a\":\"b\"}," TEMPLATE,
		 "{\"replicas\":1,\"readyReplicas\":2}",
		 "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct field_errors errors = {.arena = &a};
		const struct api_kind *kind = kind_named(rows[i].api_version, rows[i].kind);
		struct str text = arena_printf(&a, "{" META ",\"spec\":{%s}}", rows[i].spec);
		struct json *old = prepared(&a, kind, arena_cstr(&a, text));
		struct json *tree = json_copy(&a, old);
		json_set(&a, tree, STR("status"), parsed(&a, rows[i].status));
		tree = normal(&a, kind, tree);
		api_validate_update(kind, old, tree, "status", &errors);
		assert_message(&errors, rows[i].expected);
	}
}

#define SCHEMA "spec.validation.openAPIV3Schema.properties[spec]"

/* The schema of `spec` in the only version of a CustomResourceDefinition. */
static void test_schemas(void **state)
{
	static const struct {
		const char *schema, *expected;
	} rows[] = {
		{"{\"type\":\"integer\",\"default\":1}", ""},
		{"{\"type\":\"integer\",\"default\":\"x\"}",
		 SCHEMA ".default: Invalid value: \"string\":  in body must be of type integer: "
			"\"string\""},
		{"{\"type\":\"integer\",\"default\":1,\"minimum\":2}", SCHEMA
		 ".default: Invalid value: 1:  in body should be greater than or equal to 2"},
		{"{\"type\":\"string\",\"enum\":[\"a\"],\"default\":\"x\"}",
		 SCHEMA ".default: Unsupported value: \"x\": supported values: \"a\""},
		{"{\"type\":\"string\",\"maxLength\":1,\"default\":\"xy\"}",
		 SCHEMA ".default: Too long: may not be more than 1 byte"},
		{"{\"type\":\"object\",\"required\":[\"b\"],\"properties\":{\"b\":{\"type\":"
		 "\"string\"}},\"default\":{}}",
		 SCHEMA ".default.b: Required value"},
		{"{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"string\"}},"
		 "\"default\":{\"b\":1}}",
		 SCHEMA ".default.b: Invalid value: \"integer\": b in body must be of type string: "
			"\"integer\""},
		{"{\"type\":\"array\",\"x-kubernetes-list-type\":\"map\","
		 "\"x-kubernetes-list-map-keys\":[\"k\"],\"items\":{\"type\":\"object\","
		 "\"properties\":{\"k\":{\"type\":\"string\"}}}}",
		 SCHEMA ".items.properties[k].default: Required value: this property is in "
			"x-kubernetes-list-map-keys, so it must have a default or be a required "
			"property"},
		{"{\"type\":\"object\",\"default\":{\"b\":1}}",
		 SCHEMA ".default: Invalid value: {\"b\":1}: must not have unknown fields"},
		{"{}",
		 SCHEMA ".type: Required value: must not be empty for specified object fields"},
		{"{\"$ref\":\"x\"}", SCHEMA ".$ref: Forbidden: $ref is not supported"},
		{"{\"type\":\"array\"}", SCHEMA ".items: Required value: must be specified"},
		{"{\"type\":\"array\",\"items\":{\"type\":\"object\"},"
		 "\"x-kubernetes-list-type\":\"set\"}",
		 SCHEMA ".items.x-kubernetes-map-type: Invalid value: null: must be atomic as item "
			"of a list with x-kubernetes-list-type=set"},
		{"{\"type\":\"string\",\"x-kubernetes-list-map-keys\":[\"a\"]}",
		 SCHEMA ".x-kubernetes-list-type: Required value: must be map if "
			"x-kubernetes-list-map-keys is non-empty"},
		{"{\"x-kubernetes-embedded-resource\":true}", SCHEMA
		 ".properties: Required value: must not be empty if "
		 "x-kubernetes-embedded-resource is true without "
		 "x-kubernetes-preserve-unknown-fields\n" SCHEMA
		 ".type: Required value: must be object if x-kubernetes-embedded-resource is "
		 "true"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct field_errors errors = {.arena = &a};
		const struct api_kind *kind =
			kind_named("apiextensions.k8s.io/v1", "CustomResourceDefinition");
		struct str text = arena_printf(
			&a,
			"{\"metadata\":{\"name\":\"things.a.test\",\"uid\":\"u\"},\"spec\":{\"group\":"
			"\"a.test\",\"scope\":\"Cluster\",\"names\":{\"plural\":\"things\",\"kind\":"
			"\"Thing\"},\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,"
			"\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"spec\":"
			"%s}}}}]}}",
			rows[i].schema);
		api_validate_create(kind, prepared(&a, kind, arena_cstr(&a, text)), &errors);
		assert_message(&errors, rows[i].expected);
	}
}

static void test_the_sentence_says_things_once(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(1000);
	struct field_errors errors = {.arena = &a};
	field_error_add(&errors, FIELD_ERROR_REQUIRED, STR("a"), NULL, "%s", "");
	field_error_add(&errors, FIELD_ERROR_REQUIRED, STR("a"), NULL, "%s", "");
	api_invalid_message(&text, STR("Pod"), STR("x"), &errors);
	assert_string_equal(text.data, "Pod \"x\" is invalid: a: Required value");
	field_error_add(&errors, FIELD_ERROR_REQUIRED, STR("b"), NULL, "%s", "");
	buf_reset(&text);
	api_invalid_message(&text, STR("Pod"), STR("x"), &errors);
	assert_string_equal(text.data,
			    "Pod \"x\" is invalid: [a: Required value, b: Required value]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_creates),
		cmocka_unit_test(test_updates),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_schemas),
		cmocka_unit_test(test_the_sentence_says_things_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
