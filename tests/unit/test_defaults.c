#include "rules.h"

#include "api/defaults.h"

#define POD(spec, containers)                                                                      \
	"{\"metadata\":{\"name\":\"x\"},\"spec\":{" spec "\"containers\":[" containers "]}}"

static void test_defaults_of_kinds(void **state)
{
	static const struct {
		const char *api_version, *kind, *given, *expected;
	} rows[] = {
		{"v1", "Pod", POD("", "{\"name\":\"c\",\"image\":\"i\"}"),
		 "{\"spec\":{\"restartPolicy\":\"Always\",\"dnsPolicy\":\"ClusterFirst\","
		 "\"terminationGracePeriodSeconds\":30,\"enableServiceLinks\":true,"
		 "\"securityContext\":{},"
		 "\"schedulerName\":\"default-scheduler\"}}"},
		{"v1", "Pod",
		 POD("\"hostUsers\":true,\"serviceAccount\":\"s\",", "{\"name\":\"c\"}"),
		 "{\"spec\":{\"serviceAccountName\":\"s\"}}"},
		{"v1", "Service", "{\"spec\":{\"ports\":[{\"port\":80}]}}",
		 "{\"spec\":{\"type\":\"ClusterIP\",\"sessionAffinity\":\"None\","
		 "\"internalTrafficPolicy\":\"Cluster\","
		 "\"ports\":[{\"port\":80,\"targetPort\":80,\"protocol\":\"TCP\"}]}}"},
		{"v1", "Service",
		 "{\"spec\":{\"type\":\"LoadBalancer\",\"sessionAffinity\":\"ClientIP\"}}",
		 "{\"spec\":{\"externalTrafficPolicy\":\"Cluster\","
		 "\"allocateLoadBalancerNodePorts\":true,"
		 "\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":10800}}}}"},
		{"v1", "Secret", "{\"stringData\":{\"a\":\"b\"}}",
		 "{\"type\":\"Opaque\",\"data\":{\"a\":\"Yg==\"}}"},
		{"v1", "Namespace", "{\"metadata\":{\"name\":\"n\"}}",
		 "{\"metadata\":{\"labels\":{\"kubernetes.io/metadata.name\":\"n\"}}}"},
		{"v1", "LimitRange",
		 "{\"spec\":{\"limits\":[{\"type\":\"Container\",\"max\":{\"cpu\":\"2\"}}]}}",
		 "{\"spec\":{\"limits\":[{\"type\":\"Container\",\"max\":{\"cpu\":\"2\"},"
		 "\"default\":{\"cpu\":\"2\"},\"defaultRequest\":{\"cpu\":\"2\"}}]}}"},
		{"apps/v1", "Deployment",
		 "{\"spec\":{\"template\":{\"spec\":{\"containers\":[]}}}}",
		 "{\"spec\":{\"replicas\":1,\"revisionHistoryLimit\":10,"
		 "\"progressDeadlineSeconds\":600,"
		 "\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxUnavailable\":"
		 "\"25%\","
		 "\"maxSurge\":\"25%\"}},\"template\":{\"spec\":{\"restartPolicy\":\"Always\"}}}}"},
		{"apps/v1", "Deployment", "{\"spec\":{\"strategy\":{\"type\":\"Recreate\"}}}",
		 "{\"spec\":{\"strategy\":{\"type\":\"Recreate\"}}}"},
		{"batch/v1", "Job", "{\"spec\":{}}",
		 "{\"spec\":{\"completions\":1,\"parallelism\":1,\"backoffLimit\":6,\"suspend\":"
		 "false,"
		 "\"completionMode\":\"NonIndexed\",\"podReplacementPolicy\":"
		 "\"TerminatingOrFailed\"}}"},
		{"autoscaling/v2", "HorizontalPodAutoscaler",
		 "{\"spec\":{\"behavior\":{\"scaleDown\":{}}}}",
		 "{\"spec\":{\"minReplicas\":1,\"behavior\":{\"scaleDown\":{\"selectPolicy\":"
		 "\"Max\","
		 "\"policies\":[{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]}}}}"},
		{"networking.k8s.io/v1", "NetworkPolicy", "{\"spec\":{\"egress\":[{}]}}",
		 "{\"spec\":{\"policyTypes\":[\"Ingress\",\"Egress\"]}}"},
		{"rbac.authorization.k8s.io/v1", "RoleBinding",
		 "{\"roleRef\":{\"apiGroup\":\"\"},\"subjects\":[{\"kind\":\"User\",\"name\":\"u\"}"
		 "]}",
		 "{\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\"},\"subjects\":[{"
		 "\"kind\":\"User\","
		 "\"name\":\"u\",\"apiGroup\":\"rbac.authorization.k8s.io\"}]}"},
		{"apiextensions.k8s.io/v1", "CustomResourceDefinition",
		 "{\"spec\":{\"names\":{\"kind\":\"Thing\",\"plural\":\"things\"}}}",
		 "{\"spec\":{\"names\":{\"singular\":\"thing\",\"listKind\":\"ThingList\"},"
		 "\"conversion\":{\"strategy\":\"None\"}}}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct json *tree = parsed(&a, rows[i].given);
		api_default(&a, kind_named(rows[i].api_version, rows[i].kind), tree);
		assert_covers(tree, parsed(&a, rows[i].expected));
		api_default(&a, kind_named(rows[i].api_version, rows[i].kind), tree);
		assert_covers(tree, parsed(&a, rows[i].expected));
	}
}

static void test_containers(void **state)
{
	static const struct {
		const char *given, *expected;
	} rows[] = {
		{"{\"image\":\"i\"}", "{\"imagePullPolicy\":\"Always\","
				      "\"terminationMessagePath\":\"/dev/termination-log\","
				      "\"terminationMessagePolicy\":\"File\"}"},
		{"{\"image\":\"r:5000/i:1\"}", "{\"imagePullPolicy\":\"IfNotPresent\"}"},
		{"{\"image\":\"r:5000/i\"}", "{\"imagePullPolicy\":\"Always\"}"},
		{"{\"image\":\"Nginx\"}", "{\"imagePullPolicy\":\"IfNotPresent\"}"},
		{"{\"image\":\"R/a__b--c\"}", "{\"imagePullPolicy\":\"Always\"}"},
		{"{\"image\":\"i@sha256:0\"}", "{\"imagePullPolicy\":\"IfNotPresent\"}"},
		{"{\"image\":\"MyImage\"}", "{\"imagePullPolicy\":\"IfNotPresent\"}"},
		{"{\"image\":\"r.io/Image\"}", "{\"imagePullPolicy\":\"IfNotPresent\"}"},
		{"{\"image\":\"Registry/image\"}", "{\"imagePullPolicy\":\"Always\"}"},
		{"{\"image\":\"i:1\",\"livenessProbe\":{\"httpGet\":{\"port\":80}}}",
		 "{\"livenessProbe\":{\"httpGet\":{\"port\":80,\"path\":\"/\",\"scheme\":\"HTTP\"},"
		 "\"timeoutSeconds\":1,\"periodSeconds\":10,\"successThreshold\":1,"
		 "\"failureThreshold\":3}}"},
		{"{\"image\":\"i:1\",\"resources\":{\"limits\":{\"cpu\":\"0.5\",\"memory\":\"1Gi\"}"
		 ","
		 "\"requests\":{\"cpu\":\"100m\"}}}",
		 "{\"resources\":{\"limits\":{\"cpu\":\"500m\"},\"requests\":{\"cpu\":\"100m\","
		 "\"memory\":\"1Gi\"}}}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct json *pod = parsed(&a, "{\"spec\":{\"containers\":[]}}");
		struct json *container = parsed(&a, rows[i].given);
		json_append(&a, json_path(pod, "spec.containers"), container);
		api_default(&a, kind_named("v1", "Pod"), pod);
		assert_covers(container, parsed(&a, rows[i].expected));
	}
}

static void test_quality_of_service(void **state)
{
	static const struct {
		const char *resources, *class;
	} rows[] = {
		{"{}", "BestEffort"},
		{"{\"requests\":{\"cpu\":\"1\"}}", "Burstable"},
		{"{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},"
		 "\"requests\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}",
		 "Guaranteed"},
		{"{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},"
		 "\"requests\":{\"cpu\":\"500m\",\"memory\":\"1Gi\"}}",
		 "Burstable"},
		{"{\"limits\":{\"example.test/gpu\":\"1\"}}", "BestEffort"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct json *spec = parsed(&a, "{\"containers\":[{}]}");
		json_set(&a, json_at(json_path(spec, "containers"), 0), STR("resources"),
			 parsed(&a, rows[i].resources));
		assert_string_equal(api_pod_qos(spec), rows[i].class);
	}
}

static void test_creates_are_prepared(void **state)
{
	static const struct {
		const char *api_version, *kind, *given, *expected;
	} rows[] = {
		{"v1", "Pod", POD("", "{\"name\":\"c\"}"),
		 "{\"metadata\":{\"generation\":1},\"status\":{\"phase\":\"Pending\","
		 "\"qosClass\":\"BestEffort\"}}"},
		{"v1", "Namespace",
		 "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"finalizers\":[\"a/b\"]}}",
		 "{\"spec\":{\"finalizers\":[\"a/"
		 "b\",\"kubernetes\"]},\"status\":{\"phase\":\"Active\"}}"},
		{"apps/v1", "Deployment",
		 "{\"metadata\":{\"generation\":9},\"status\":{\"replicas\":3}}",
		 "{\"metadata\":{\"generation\":1},\"status\":{}}"},
		{"v1", "PersistentVolumeClaim", "{\"spec\":{}}",
		 "{\"metadata\":{\"finalizers\":[\"kubernetes.io/pvc-protection\"]},"
		 "\"status\":{\"phase\":\"Pending\"}}"},
		{"v1", "Node", "{\"metadata\":{\"name\":\"n\"}}",
		 "{\"spec\":{\"taints\":[{\"key\":\"node.kubernetes.io/not-ready\","
		 "\"effect\":\"NoSchedule\"}]}}"},
		{"batch/v1", "Job", "{\"metadata\":{\"name\":\"j\",\"uid\":\"u\"},\"spec\":{}}",
		 "{\"metadata\":{\"labels\":{\"job-name\":\"j\"}},\"spec\":{\"selector\":{"
		 "\"matchLabels\":"
		 "{\"batch.kubernetes.io/"
		 "controller-uid\":\"u\"}},\"template\":{\"metadata\":{\"labels\":"
		 "{\"controller-uid\":\"u\",\"batch.kubernetes.io/job-name\":\"j\"}}}}}"},
		{"v1", "Service", "{\"spec\":{\"clusterIP\":\"None\"}}",
		 "{\"spec\":{\"clusterIPs\":[\"None\"]}}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct json *tree = parsed(&a, rows[i].given);
		api_prepare_create(&a, kind_named(rows[i].api_version, rows[i].kind), tree, NOW_US);
		assert_covers(tree, parsed(&a, rows[i].expected));
	}
}

static void test_writers_change_only_their_part(void **state)
{
	static const char old[] = "{\"metadata\":{\"name\":\"d\",\"uid\":\"u\",\"generation\":4,"
				  "\"labels\":{\"a\":\"b\"}},"
				  "\"spec\":{\"replicas\":1},\"status\":{\"replicas\":1}}";
	static const struct {
		const char *subresource, *given, *expected;
	} rows[] = {
		{"", "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":1}}",
		 "{\"metadata\":{\"generation\":4,\"uid\":\"u\"},\"status\":{\"replicas\":1}}"},
		{"",
		 "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":2},\"status\":{"
		 "\"replicas\":7}}",
		 "{\"metadata\":{\"generation\":5},\"spec\":{\"replicas\":2},\"status\":{"
		 "\"replicas\":1}}"},
		{"status",
		 "{\"metadata\":{\"name\":\"d\",\"generation\":9},\"spec\":{\"replicas\":2},"
		 "\"status\":{\"replicas\":7}}",
		 "{\"metadata\":{\"generation\":4,\"labels\":{\"a\":\"b\"}},\"spec\":{\"replicas\":"
		 "1},"
		 "\"status\":{\"replicas\":7}}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct json *tree = parsed(&a, rows[i].given);
		api_prepare_update(&a, kind_named("apps/v1", "Deployment"), parsed(&a, old), tree,
				   rows[i].subresource, NOW_US);
		assert_covers(tree, parsed(&a, rows[i].expected));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_of_kinds),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_quality_of_service),
		cmocka_unit_test(test_creates_are_prepared),
		cmocka_unit_test(test_writers_change_only_their_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
