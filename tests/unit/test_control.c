#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "control/control.h"
#include "control/controllers.h"
#include "literal.h"

static const struct control_settings no_settings;

struct row {
	const char *what, *cluster;
	const char *namespace, *name; /* the key */
	const char *want;	      /* literal_text() */
};

static void check_rows(const struct controller *controller, const struct control_settings *settings,
		       const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		CLEANUP_ARENA a = {};
		struct cache *c = literal_cache(rows[i].cluster);
		struct plan p = literal_plan(&a, c, controller, settings ? settings : &no_settings,
					     rows[i].namespace, rows[i].name);
		if (strcmp(literal_text(&p), rows[i].want) != 0)
			fail_msg("%s: wanted\n%sgot\n%s", rows[i].what, rows[i].want,
				 literal_text(&p));
		cache_free(c);
	}
}

/* --- ReplicaSet --- */

#define SET(replicas, more)                                                                        \
	"---\nkind: ReplicaSet\napiVersion: apps/v1\nmetadata: {name: web, generation: 1" more     \
	"}\nspec: {replicas: " replicas                                                            \
	", selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, "       \
	"spec: {containers: [{name: c, image: i}]}}}\n"
#define OWNED                                                                                      \
	", ownerReferences: [{kind: ReplicaSet, apiVersion: apps/v1, name: web, uid: uid-web, "    \
	"controller: true}]"
#define POD(name, meta, spec, status)                                                              \
	"---\nkind: Pod\napiVersion: v1\nmetadata: {name: " name ", labels: {app: web}" meta       \
	"}\nspec: {containers: [{name: c, image: i}]" spec "}\nstatus: {" status "}\n"
#define READY                                                                                      \
	"phase: Running, conditions: [{type: Ready, status: 'True', lastTransitionTime: "          \
	"2025-12-31T00:00:00Z}]"

static void replica_sets(void **state)
{
	static const struct row rows[] = {
		{"gone", POD("a", OWNED, "", ""), "default", "web", ""},
		{"creates what is missing", SET("2", ""), "default", "web",
		 "create Pod default/web-\ncreate Pod default/web-\nupdate ReplicaSet default/web "
		 "status\n"
		 "event Normal SuccessfulCreate Created pod: \nevent Normal SuccessfulCreate "
		 "Created pod: \n"},
		{"ended and deleted pods do not count",
		 SET("1", "") POD("a", OWNED, "", "phase: Failed")
			 POD("b", OWNED ", deletionTimestamp: 2026-01-01T00:00:00Z", "", READY),
		 "default", "web",
		 "create Pod default/web-\nupdate ReplicaSet default/web status\nevent Normal "
		 "SuccessfulCreate "
		 "Created pod: \n"},
		{"adopts", SET("1", "") POD("a", "", "", READY), "default", "web",
		 "strategic Pod default/a\nupdate ReplicaSet default/web status\n"},
		{"does not adopt others' pods",
		 SET("0", "") POD("a",
				  ", ownerReferences: [{kind: X, apiVersion: v1, name: x, uid: x, "
				  "controller: true}]",
				  "", READY),
		 "default", "web", "update ReplicaSet default/web status\n"},
		{"releases",
		 SET("0", "") "---\nkind: Pod\napiVersion: v1\nmetadata: {name: a, labels: {app: "
			      "other}" OWNED "}\nspec: {containers: [{name: c, image: i}]}\n",
		 "default", "web",
		 "strategic Pod default/a\nupdate ReplicaSet default/web status\n"},
		{"the unassigned go first",
		 SET("1", "") POD("a", OWNED, ", nodeName: n1", READY)
			 POD("b", OWNED, "", "phase: Pending"),
		 "default", "web",
		 "delete Pod default/b\nupdate ReplicaSet default/web status\nevent Normal "
		 "SuccessfulDelete Deleted pod: \n"},
		{"then the pending",
		 SET("1", "") POD("a", OWNED, ", nodeName: n1", "phase: Pending")
			 POD("b", OWNED, ", nodeName: n1", "phase: Running"),
		 "default", "web",
		 "delete Pod default/a\nupdate ReplicaSet default/web status\nevent Normal "
		 "SuccessfulDelete Deleted pod: \n"},
		{"then those not ready",
		 SET("1", "") POD("a", OWNED, ", nodeName: n1", READY)
			 POD("b", OWNED, ", nodeName: n1", "phase: Running"),
		 "default", "web",
		 "delete Pod default/b\nupdate ReplicaSet default/web status\nevent Normal "
		 "SuccessfulDelete Deleted pod: \n"},
		{"then the cheap",
		 SET("1", "") POD(
			 "a",
			 OWNED ", annotations: {controller.kubernetes.io/pod-deletion-cost: '5'}",
			 ", nodeName: n1", READY) POD("b", OWNED, ", nodeName: n1", READY),
		 "default", "web",
		 "delete Pod default/b\nupdate ReplicaSet default/web status\nevent Normal "
		 "SuccessfulDelete Deleted pod: \n"},
		{"then those with company",
		 SET("2", "") POD("a", OWNED, ", nodeName: n1", READY)
			 POD("b", OWNED, ", nodeName: n2", READY)
				 POD("c", OWNED, ", nodeName: n2", READY),
		 "default", "web",
		 "delete Pod default/b\nupdate ReplicaSet default/web status\nevent Normal "
		 "SuccessfulDelete Deleted pod: \n"},
		{"deleting: only status", SET("2", ", deletionTimestamp: 2026-01-01T00:00:00Z"),
		 "default", "web", "update ReplicaSet default/web status\n"},
	};
	check_rows(&replica_set_controller, NULL, rows, ARRAY_LEN(rows));
}

static void replica_set_status(void **state)
{
	CLEANUP_ARENA a = {};
	struct cache *c = literal_cache(SET("2", "") POD("a", OWNED, ", nodeName: n1", READY) POD(
		"b", OWNED, ", nodeName: n1", "phase: Running"));
	struct plan p = literal_plan(&a, c, &replica_set_controller, NULL, "default", "web");
	assert_string_equal(literal_at(&p, 0, "status"),
			    "{\"replicas\":2,\"fullyLabeledReplicas\":2,\"readyReplicas\":1,"
			    "\"availableReplicas\":1,"
			    "\"observedGeneration\":1}");
	cache_free(c);
	c = literal_cache("kind: ReplicationController\napiVersion: v1\nmetadata: {name: web, "
			  "generation: 1}\nspec: {replicas: 1, "
			  "selector: {app: web}, template: {metadata: {labels: {app: web}}, spec: "
			  "{containers: [{name: c, "
			  "image: i}]}}}\n");
	p = literal_plan(&a, c, &replication_controller_controller, NULL, "default", "web");
	assert_string_equal(
		literal_text(&p),
		"create Pod default/web-\nupdate ReplicationController default/web status\n"
		"event Normal SuccessfulCreate Created pod: \n");
	assert_string_equal(literal_at(&p, 0, "metadata.ownerReferences"),
			    "[{\"apiVersion\":\"v1\",\"kind\":\"ReplicationController\",\"name\":"
			    "\"web\",\"uid\":\"uid-web\","
			    "\"controller\":true,\"blockOwnerDeletion\":true}]");
	cache_free(c);
}

/* --- EndpointSlice and Endpoints --- */

#define SERVICE(spec)                                                                              \
	"---\nkind: Service\napiVersion: v1\nmetadata: {name: web, creationTimestamp: "            \
	"2025-12-30T00:00:00Z, labels: {team: t}}\nspec: {clusterIP: 10.43.0.9, selector: {app: "  \
	"web}, ports: [{name: http, port: 80, targetPort: named}]" spec "}\n"
#define SERVER(name, meta, ip, status)                                                             \
	"---\nkind: Pod\napiVersion: v1\nmetadata: {name: " name ", labels: {app: web}" meta       \
	"}\nspec: {nodeName: n1, containers: [{name: c, image: i, ports: [{name: named, "          \
	"containerPort: 8080}]}]}\nstatus: {podIP: " ip ", podIPs: [{ip: " ip "}], " status "}\n"

static void endpoint_slices(void **state)
{
	static const struct row rows[] = {
		{"no selector",
		 "kind: Service\napiVersion: v1\nmetadata: {name: web}\nspec: {ports: [{port: "
		 "80}]}\n",
		 "default", "web", ""},
		{"an empty one without pods", SERVICE(""), "default", "web",
		 "create EndpointSlice default/web-\n"},
		{"one with pods", SERVICE("") SERVER("a", "", "10.0.0.1", READY), "default", "web",
		 "create EndpointSlice default/web-\n"},
		{"one a family",
		 SERVICE(", ipFamilies: [IPv4, IPv6]") SERVER("a", "", "10.0.0.1", READY),
		 "default", "web",
		 "create EndpointSlice default/web-\ncreate EndpointSlice default/web-\n"},
	};
	check_rows(&endpoint_slice_controller, NULL, rows, ARRAY_LEN(rows));
}

static void endpoint_slice_contents(void **state)
{
	static const struct {
		const char *what, *cluster, *endpoints, *ports;
	} rows[] = {
		{"ready", SERVICE("") SERVER("a", "", "10.0.0.1", READY),
		 "[{\"addresses\":[\"10.0.0.1\"],\"conditions\":{\"ready\":true,\"serving\":true,"
		 "\"terminating\":false},"
		 "\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"default\",\"name\":\"a\",\"uid\":"
		 "\"uid-a\"},\"nodeName\":\"n1\"}]",
		 "[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":8080}]"},
		{"not ready", SERVICE("") SERVER("a", "", "10.0.0.1", "phase: Running"),
		 "[{\"addresses\":[\"10.0.0.1\"],\"conditions\":{\"ready\":false,\"serving\":false,"
		 "\"terminating\":false},"
		 "\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"default\",\"name\":\"a\",\"uid\":"
		 "\"uid-a\"},\"nodeName\":\"n1\"}]",
		 "[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":8080}]"},
		{"published although not ready",
		 SERVICE(", publishNotReadyAddresses: true")
			 SERVER("a", "", "10.0.0.1", "phase: Running"),
		 "[{\"addresses\":[\"10.0.0.1\"],\"conditions\":{\"ready\":true,\"serving\":false,"
		 "\"terminating\":false},"
		 "\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"default\",\"name\":\"a\",\"uid\":"
		 "\"uid-a\"},\"nodeName\":\"n1\"}]",
		 "[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":8080}]"},
		{"terminating but serving",
		 SERVICE("") SERVER("a", ", deletionTimestamp: 2026-01-01T00:00:00Z", "10.0.0.1",
				    READY),
		 "[{\"addresses\":[\"10.0.0.1\"],\"conditions\":{\"ready\":false,\"serving\":true,"
		 "\"terminating\":true},"
		 "\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"default\",\"name\":\"a\",\"uid\":"
		 "\"uid-a\"},\"nodeName\":\"n1\"}]",
		 "[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":8080}]"},
		{"ended pods and pods without address",
		 SERVICE("") SERVER("a", "", "10.0.0.1", "phase: Failed") POD("b", "", "", READY),
		 "null", "null"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct cache *c = literal_cache(rows[i].cluster);
		struct plan p = literal_plan(&a, c, &endpoint_slice_controller, &no_settings,
					     "default", "web");
		if (strcmp(literal_at(&p, 0, "endpoints"), rows[i].endpoints) ||
		    strcmp(literal_at(&p, 0, "ports"), rows[i].ports))
			fail_msg("%s: %s", rows[i].what, literal_body(&p, 0));
		assert_string_equal(literal_at(&p, 0, "addressType"), "\"IPv4\"");
		assert_string_equal(literal_at(&p, 0, "metadata.labels"),
				    "{\"team\":\"t\",\"endpointslice.kubernetes.io/"
				    "managed-by\":\"endpointslice-controller.k8s.io\","
				    "\"kubernetes.io/service-name\":\"web\"}");
		cache_free(c);
	}
}

#define SLICE(name, endpoints, ports)                                                              \
	"---\nkind: EndpointSlice\napiVersion: discovery.k8s.io/v1\nmetadata: {name: " name        \
	", labels: {team: t, kubernetes.io/service-name: web, "                                    \
	"endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io}, "               \
	"ownerReferences: [{kind: Service, apiVersion: v1, name: web, uid: uid-web, controller: "  \
	"true}]}\naddressType: IPv4\nendpoints: " endpoints "\nports: " ports "\n"
#define HTTP "[{name: http, protocol: TCP, port: 8080}]"
#define ENDPOINT(name, ip)                                                                         \
	"{addresses: [" ip "], conditions: {ready: true, serving: true, terminating: false}, "     \
	"targetRef: {kind: Pod, namespace: default, name: " name ", uid: uid-" name                \
	"}, nodeName: n1}"

static void endpoint_slices_change_little(void **state)
{
	static const struct row rows[] = {
		{"nothing to do",
		 SERVICE("") SERVER("a", "", "10.0.0.1", READY)
			 SLICE("s", "[" ENDPOINT("a", "10.0.0.1") "]", HTTP),
		 "default", "web", ""},
		{"a placeholder stays", SERVICE("") SLICE("s", "[]", "[]"), "default", "web", ""},
		{"a placeholder is used",
		 SERVICE("") SERVER("a", "", "10.0.0.1", READY) SLICE("s", "[]", "[]"), "default",
		 "web", "update EndpointSlice default/s\n"},
		{"an address changed",
		 SERVICE("") SERVER("a", "", "10.0.0.2", READY)
			 SLICE("s", "[" ENDPOINT("a", "10.0.0.1") "]", HTTP),
		 "default", "web", "update EndpointSlice default/s\n"},
		{"the last one leaves",
		 SERVICE("") SLICE("s", "[" ENDPOINT("a", "10.0.0.1") "]", HTTP), "default", "web",
		 "update EndpointSlice default/s\n"},
		{"one too many",
		 SERVICE("") SERVER("a", "", "10.0.0.1", READY)
			 SLICE("s", "[" ENDPOINT("a", "10.0.0.1") "]", HTTP)
				 SLICE("t", "[" ENDPOINT("b", "10.0.0.2") "]", HTTP),
		 "default", "web", "delete EndpointSlice default/t\n"},
	};
	check_rows(&endpoint_slice_controller, NULL, rows, ARRAY_LEN(rows));
}

static void endpoint_slices_hold_a_hundred(void **state)
{
	CLEANUP_ARENA a = {};
	struct cache *c = literal_cache(SERVICE(""));
	for (int i = 0; i < 250; i++)
		literal_put(c,
			    arena_printf(&a, SERVER("p%03d", "", "10.0.1.%d", READY), i, i, i).at);
	struct plan p =
		literal_plan(&a, c, &endpoint_slice_controller, &no_settings, "default", "web");
	assert_int_equal(p.count, 3);
	assert_int_equal(json_count(json_get(p.requests[0].body, STR("endpoints"))), 100);
	assert_int_equal(json_count(json_get(p.requests[2].body, STR("endpoints"))), 50);
	cache_free(c);
}

static void endpoints(void **state)
{
	static const struct row rows[] = {
		{"made", SERVICE(""), "default", "web", "create Endpoints default/web\n"},
		{"gone with its service",
		 "kind: Endpoints\napiVersion: v1\nmetadata: {name: web, labels: "
		 "{endpoints.kubernetes.io/managed-by: endpoint-controller}}\n",
		 "default", "web", "delete Endpoints default/web\n"},
		{"somebody else's stays",
		 "kind: Endpoints\napiVersion: v1\nmetadata: {name: web}\n", "default", "web", ""},
	};
	check_rows(&endpoints_controller, NULL, rows, ARRAY_LEN(rows));
	CLEANUP_ARENA a = {};
	struct cache *c = literal_cache(SERVICE("") SERVER("b", "", "10.0.0.2", READY) SERVER(
		"a", "", "10.0.0.1", READY) SERVER("d", "", "10.0.0.3", "phase: Running"));
	struct plan p = literal_plan(&a, c, &endpoints_controller, &no_settings, "default", "web");
#define ADDRESS(name, ip)                                                                          \
	"{\"ip\":\"" ip "\",\"nodeName\":\"n1\",\"targetRef\":{\"kind\":\"Pod\",\"namespace\":"    \
	"\"default\",\"name\":\"" name "\",\"uid\":\"uid-" name "\"}}"
	assert_string_equal(
		literal_at(&p, 0, "subsets"),
		"[{\"addresses\":[" ADDRESS("a", "10.0.0.1") "," ADDRESS(
			"b",
			"10.0.0.2") "],\"notReadyAddresses\":[" ADDRESS("d",
									"10.0.0.3") "],\"ports\":[{"
										    "\"name\":"
										    "\"http\","
										    "\"port\":8080,"
										    "\"protocol\":"
										    "\"TCP\"}]}]");
	cache_free(c);
}

/* --- namespaces --- */

#define NAMESPACE(more)                                                                            \
	"---\nkind: Namespace\napiVersion: v1\nmetadata: {name: ns" more                           \
	"}\nspec: {finalizers: [kubernetes]}\n"
#define DELETING ", deletionTimestamp: 2026-01-01T00:00:00Z"

static void namespaces(void **state)
{
	static const struct row rows[] = {
		{"alive", NAMESPACE(""), "", "ns", ""},
		{"pods first",
		 NAMESPACE(DELETING) POD("a", ", namespace: ns", "",
					 "") "---\nkind: Secret\napiVersion: v1\nmetadata: {name: "
					     "s, namespace: ns}\n",
		 "", "ns", "update Namespace /ns status\ndelete Pod ns/a\n"},
		{"then the rest",
		 NAMESPACE(DELETING) "---\nkind: Secret\napiVersion: v1\nmetadata: {name: s, "
				     "namespace: ns}\n"
				     "---\nkind: Secret\napiVersion: v1\nmetadata: {name: t, "
				     "namespace: other}\n",
		 "", "ns", "update Namespace /ns status\ndelete Secret ns/s Background\n"},
		{"then its finalizer", NAMESPACE(DELETING), "", "ns",
		 "update Namespace /ns status\nupdate Namespace /ns finalize\n"},
	};
	check_rows(&namespace_controller, NULL, rows, ARRAY_LEN(rows));
	CLEANUP_ARENA a = {};
	struct cache *c = literal_cache(NAMESPACE(DELETING) POD(
		"a", ", namespace: ns, finalizers: [x/y]" DELETING, "", ""));
	struct plan p = literal_plan(&a, c, &namespace_controller, &no_settings, "", "ns");
	const char *body = literal_at(&p, 0, "status");
	assert_non_null(strstr(body, "\"phase\":\"Terminating\""));
	assert_non_null(
		strstr(body, "Some resources are remaining: pods. has 1 resource instances"));
	assert_non_null(strstr(body, "Some content in the namespace has finalizers remaining: x/y "
				     "in 1 resource instances"));
	cache_free(c);
	c = literal_cache(NAMESPACE(DELETING));
	p = literal_plan(&a, c, &namespace_controller, &no_settings, "", "ns");
	assert_string_equal(literal_at(&p, 1, "spec"), "{}");
	cache_free(c);
}

static void accounts_and_root_ca(void **state)
{
	static const struct control_settings settings = {.ca_pem = STR_INIT("PEM\n")};
	static const struct row accounts[] = {
		{"made", NAMESPACE(""), "", "ns", "create ServiceAccount ns/default\n"},
		{"there",
		 NAMESPACE("") "---\nkind: ServiceAccount\napiVersion: v1\nmetadata: {name: "
			       "default, namespace: ns}\n",
		 "", "ns", ""},
		{"not in one that goes", NAMESPACE(DELETING), "", "ns", ""},
	};
	static const struct row maps[] = {
		{"made", NAMESPACE(""), "", "ns", "create ConfigMap ns/kube-root-ca.crt\n"},
		{"mended",
		 NAMESPACE("") "---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: "
			       "kube-root-ca.crt, namespace: ns}\ndata: {ca.crt: bad}\n",
		 "", "ns", "update ConfigMap ns/kube-root-ca.crt\n"},
	};
	check_rows(&service_account_controller, NULL, accounts, ARRAY_LEN(accounts));
	check_rows(&root_ca_controller, &settings, maps, ARRAY_LEN(maps));
	check_rows(&root_ca_controller, NULL, maps, 0);
	CLEANUP_ARENA a = {};
	struct cache *c = literal_cache(NAMESPACE(""));
	struct plan p = literal_plan(&a, c, &root_ca_controller, &settings, "", "ns");
	assert_string_equal(literal_at(&p, 0, "data"), "{\"ca.crt\":\"PEM\\n\"}");
	cache_free(c);
}

/* --- aggregated roles --- */

#define CLUSTER_ROLE(name, label, rest)                                                            \
	"---\nkind: ClusterRole\napiVersion: rbac.authorization.k8s.io/v1\nmetadata: {name: " name \
	", labels: {part: " label "}}\n" rest
#define AGGREGATED                                                                                 \
	CLUSTER_ROLE("sum", "none",                                                                \
		     "aggregationRule: {clusterRoleSelectors: [{matchLabels: "                     \
		     "{part: a}}, {matchLabels: {part: b}}]}\n")
#define ONE_RULE(verb) "{verbs: [" verb "], apiGroups: [''], resources: [pods]}"

static void aggregated_roles(void **state)
{
	static const struct row rows[] = {
		{"gathered", AGGREGATED CLUSTER_ROLE("x", "a", "rules: [" ONE_RULE("get") "]\n"),
		 "", "sum", "update ClusterRole /sum\n"},
		{"as it should be",
		 AGGREGATED "rules: [" ONE_RULE("get") "]\n" CLUSTER_ROLE(
			 "x", "a", "rules: [" ONE_RULE("get") "]\n"),
		 "", "sum", ""},
		{"nothing is selected any more", AGGREGATED "rules: [" ONE_RULE("get") "]\n", "",
		 "sum", "update ClusterRole /sum\n"},
		{"no aggregation", CLUSTER_ROLE("x", "a", "rules: [" ONE_RULE("get") "]\n"), "",
		 "x", ""},
	};
	check_rows(&cluster_role_aggregation_controller, NULL, rows, ARRAY_LEN(rows));
	CLEANUP_ARENA a = {};
	struct cache *c = literal_cache(
		AGGREGATED CLUSTER_ROLE("z", "a",
					"rules: [" ONE_RULE("list") ", " ONE_RULE("get") "]\n")
			CLUSTER_ROLE("x", "b", "rules: [" ONE_RULE("get") "]\n"));
	struct plan p = literal_plan(&a, c, &cluster_role_aggregation_controller, NULL, "", "sum");
	assert_string_equal(
		literal_at(&p, 0, "rules"),
		"[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]},"
		"{\"verbs\":[\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]");
	cache_free(c);
}

/* --- definitions of custom resources --- */

#define DEFINITION(status)                                                                         \
	"---\nkind: CustomResourceDefinition\napiVersion: apiextensions.k8s.io/v1\n"               \
	"metadata: {name: buoys.harbour.example}\nspec: {group: harbour.example}\n" status

static void custom_definitions(void **state)
{
	static const struct row rows[] = {
		{"new", DEFINITION(""), "", "buoys.harbour.example",
		 "update CustomResourceDefinition /buoys.harbour.example status\n"},
		{"established by another cluster",
		 DEFINITION("status: {conditions: [{type: NamesAccepted, status: 'True'}]}\n"), "",
		 "buoys.harbour.example",
		 "update CustomResourceDefinition /buoys.harbour.example status\n"},
		{"answered",
		 DEFINITION("status: {conditions: [{type: NamesAccepted, status: 'False'}, "
			    "{type: Established, status: 'False'}]}\n"),
		 "", "buoys.harbour.example", ""},
		{"gone", "", "", "buoys.harbour.example", ""},
	};
	check_rows(&custom_resources_controller, NULL, rows, ARRAY_LEN(rows));
}

/* --- flow schemas --- */

#define FLOW_KIND(kind, name, rest)                                                                \
	"---\nkind: " kind "\napiVersion: flowcontrol.apiserver.k8s.io/v1\n"                       \
	"metadata: {name: " name "}\n" rest
#define FLOW_SCHEMA(status)                                                                        \
	FLOW_KIND("FlowSchema", "f", "spec: {priorityLevelConfiguration: {name: p}}\n" status)
#define LEVEL FLOW_KIND("PriorityLevelConfiguration", "p", "")

static void flow_schemas_that_dangle(void **state)
{
	static const struct row rows[] = {
		{"the level is there", FLOW_SCHEMA("") LEVEL, "", "f",
		 "update FlowSchema /f status\n"},
		{"it is missing", FLOW_SCHEMA(""), "", "f", "update FlowSchema /f status\n"},
		{"said",
		 FLOW_SCHEMA("status: {conditions: [{type: Dangling, status: 'True', reason: "
			     "NotFound, message: 'This FlowSchema references the "
			     "PriorityLevelConfiguration object named \"p\" but there is no such "
			     "object'}]}\n"),
		 "", "f", ""},
		{"gone", "", "", "f", ""},
	};
	check_rows(&flow_schema_controller, NULL, rows, ARRAY_LEN(rows));
	CLEANUP_ARENA a = {};
	struct cache *c = literal_cache(FLOW_SCHEMA(
		"status: {conditions: [{type: Other}, {type: Dangling, status: 'False'}]}\n"));
	struct plan p = literal_plan(&a, c, &flow_schema_controller, NULL, "", "f");
	const char *conditions = literal_at(&p, 0, "status.conditions");
	assert_non_null(strstr(conditions, "\"type\":\"Other\""));
	assert_non_null(strstr(conditions, "\"reason\":\"NotFound\""));
	cache_free(c);
}

/* --- garbage --- */

#define MAP(name, meta) "---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: " name meta "}\n"
#define OWNER(name, more)                                                                          \
	"{kind: ConfigMap, apiVersion: v1, name: " name ", uid: uid-" name more "}"
#define OWNERS(list) ", ownerReferences: [" list "]"

static const char *garbage_key(struct arena *a, const char *name)
{
	return arena_printf(a, "%d %s", KIND_CONFIG_MAP, name).at;
}

static void garbage(void **state)
{
	static const struct row rows[] = {
		{"no owner", MAP("m", ""), "default", "m", ""},
		{"its owner lives", MAP("o", "") MAP("m", OWNERS(OWNER("o", ""))), "default", "m",
		 ""},
		{"its owner is gone", MAP("m", OWNERS(OWNER("o", ""))), "default", "m",
		 "delete ConfigMap default/m Background\n"},
		{"another has its owner's name",
		 MAP("o", ", uid: other") MAP("m", OWNERS(OWNER("o", ""))), "default", "m",
		 "delete ConfigMap default/m Background\n"},
		{"one of two owners is gone",
		 MAP("o", "") MAP("m", OWNERS(OWNER("o", "") ", " OWNER("x", ""))), "default", "m",
		 "patch ConfigMap default/m\n"},
		{"an owner of a kind nobody knows",
		 MAP("m", OWNERS("{kind: Foo, apiVersion: a/v1, name: f, uid: f}")), "default", "m",
		 ""},
		{"orphan wanted", MAP("m", ", finalizers: [orphan]" OWNERS(OWNER("o", ""))),
		 "default", "m", "delete ConfigMap default/m Orphan\n"},
		{"foreground: its dependents block it",
		 MAP("o", ", finalizers: [foregroundDeletion]" DELETING)
			 MAP("m", OWNERS(OWNER("o", ", blockOwnerDeletion: true"))),
		 "default", "o", ""},
		{"foreground: they do not block it",
		 MAP("o", ", finalizers: [foregroundDeletion]" DELETING)
			 MAP("m", OWNERS(OWNER("o", ""))),
		 "default", "o", "patch ConfigMap default/o\n"},
		{"foreground: dependents go",
		 MAP("o", ", finalizers: [foregroundDeletion]" DELETING)
			 MAP("m", OWNERS(OWNER("o", ", blockOwnerDeletion: true"))),
		 "default", "m", "delete ConfigMap default/m Background\n"},
		{"foreground: and theirs before them",
		 MAP("o", ", finalizers: [foregroundDeletion]" DELETING)
			 MAP("m", OWNERS(OWNER("o", ", blockOwnerDeletion: true")))
				 MAP("q", OWNERS(OWNER("m", ", blockOwnerDeletion: true"))),
		 "default", "m", "delete ConfigMap default/m Foreground\n"},
		{"orphan: dependents are let go",
		 MAP("o", ", finalizers: [orphan]" DELETING) MAP("m", OWNERS(OWNER("o", ""))),
		 "default", "o", "patch ConfigMap default/m\n"},
		{"orphan: then the owner", MAP("o", ", finalizers: [orphan]" DELETING), "default",
		 "o", "patch ConfigMap default/o\n"},
		{"deleted already", MAP("m", ", finalizers: [x/y]" DELETING OWNERS(OWNER("o", ""))),
		 "default", "m", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct row row = rows[i];
		row.name = garbage_key(&a, rows[i].name);
		check_rows(&garbage_controller, NULL, &row, 1);
	}
}

/* --- nodes --- */

#define NODE(name, meta, spec, ready, heard)                                                       \
	"---\nkind: Node\napiVersion: v1\nmetadata: {name: " name meta "}\nspec: {" spec           \
	"}\nstatus: {conditions: [{type: Ready, status: '" ready "', lastHeartbeatTime: " heard    \
	", lastTransitionTime: 2025-12-31T12:00:00Z}], addresses: [{type: InternalIP, address: "   \
	"10.1.0.1}]}\n"
#define FRESH "2025-12-31T23:59:50Z"
#define STALE "2025-12-31T23:00:00Z"
#define UNREACHABLE(effect)                                                                        \
	"{key: node.kubernetes.io/unreachable, effect: " effect ", timeAdded: "                    \
	"2025-12-31T23:59:00Z}"

static void pod_cidrs(void **state)
{
	struct ipnet nets[2];
	assert_true(ipnet_parse(STR("10.42.0.0/16"), &nets[0]) &&
		    ipnet_parse(STR("fd00::/56"), &nets[1]));
	struct control_settings settings = {.cluster_cidrs = nets, .cluster_cidr_count = 2};
	CLEANUP_ARENA a = {};
	struct cache *c = literal_cache(NODE("a", "", "", "True", FRESH) NODE(
		"b", "", "podCIDR: 10.42.0.0/24, podCIDRs: [10.42.0.0/24, 'fd00::/64']", "True",
		FRESH) NODE("c", "", "", "True", FRESH));
	struct plan p = literal_plan(&a, c, &node_ipam_controller, &settings, "", "nodes");
	assert_int_equal(p.count, 2);
	assert_string_equal(literal_at(&p, 0, "spec"),
			    "{\"podCIDR\":\"10.42.1.0/24\",\"podCIDRs\":[\"10.42.1.0/"
			    "24\",\"fd00:0:0:1::/64\"]}");
	assert_string_equal(literal_at(&p, 1, "spec"),
			    "{\"podCIDR\":\"10.42.2.0/24\",\"podCIDRs\":[\"10.42.2.0/"
			    "24\",\"fd00:0:0:2::/64\"]}");
	cache_free(c);
	settings.node_mask_v4 = 17;
	settings.cluster_cidr_count = 1;
	c = literal_cache(NODE("a", "", "podCIDR: 10.42.0.0/17", "True", FRESH)
				  NODE("b", "", "podCIDR: 10.42.128.0/17", "True", FRESH)
					  NODE("c", "", "", "True", FRESH));
	p = literal_plan(&a, c, &node_ipam_controller, &settings, "", "nodes");
	assert_string_equal(
		literal_text(&p),
		"event Normal CIDRNotAvailable Node c status is now: CIDRNotAvailable\n");
	cache_free(c);
}

static void node_life_cycle(void **state)
{
	static const struct row rows[] = {
		{"speaks", NODE("a", "", "", "True", FRESH), "", "a", ""},
		{"speaks by its lease",
		 NODE("a", "", "", "True",
		      STALE) "---\nkind: Lease\napiVersion: coordination.k8s.io/v1\nmetadata: "
			     "{name: a, namespace: kube-node-lease}\n"
			     "spec: {renewTime: 2025-12-31T23:59:45.000000Z}\n",
		 "", "a", ""},
		{"silent",
		 NODE("a", "", "", "True", STALE) NODE("b", "", "", "True", FRESH)
			 POD("p", "", ", nodeName: a", READY),
		 "", "a",
		 "update Node /a status\npatch Node /a\nupdate Pod default/p status\n"
		 "event Normal NodeNotReady Node a status is now: NodeNotReady\nevent Warning "
		 "NodeNotReady Node is not ready\n"},
		{"silent alone: no NoExecute",
		 NODE("a", "", "taints: [" UNREACHABLE("NoSchedule") "]", "Unknown", STALE), "",
		 "a", "update Node /a status\n"},
		{"not ready", NODE("a", "", "", "False", FRESH) NODE("b", "", "", "True", FRESH),
		 "", "a", "patch Node /a\n"},
		{"ready again: taints go, others stay",
		 NODE("a", "",
		      "taints: [{key: mine, effect: NoSchedule}, " UNREACHABLE(
			      "NoSchedule") ", " UNREACHABLE("NoExecute") "]",
		      "True", FRESH),
		 "", "a", "patch Node /a\n"},
		{"cordoned", NODE("a", "", "unschedulable: true", "True", FRESH), "", "a",
		 "patch Node /a\n"},
	};
	check_rows(&node_lifecycle_controller, NULL, rows, ARRAY_LEN(rows));
	CLEANUP_ARENA a = {};
	struct cache *c = literal_cache(rows[2].cluster);
	struct plan p = literal_plan(&a, c, &node_lifecycle_controller, &no_settings, "", "a");
	assert_non_null(strstr(literal_body(&p, 0), "\"reason\":\"NodeStatusUnknown\",\"message\":"
						    "\"Kubelet stopped posting node status.\""));
	assert_string_equal(
		literal_at(&p, 1, "spec.taints"),
		"[{\"key\":\"node.kubernetes.io/"
		"unreachable\",\"effect\":\"NoSchedule\",\"timeAdded\":\"2026-01-01T00:00:00Z\"},"
		"{\"key\":\"node.kubernetes.io/"
		"unreachable\",\"effect\":\"NoExecute\",\"timeAdded\":\"2026-01-01T00:00:00Z\"}]");
	cache_free(c);
	c = literal_cache(rows[5].cluster);
	p = literal_plan(&a, c, &node_lifecycle_controller, &no_settings, "", "a");
	assert_string_equal(literal_at(&p, 0, "spec.taints"),
			    "[{\"key\":\"mine\",\"effect\":\"NoSchedule\"}]");
	assert_int_equal(p.requeue_ms, 31001);
	cache_free(c);
}

static void evictions(void **state)
{
#define TAINTED NODE("a", "", "taints: [" UNREACHABLE("NoExecute") "]", "Unknown", STALE)
#define TOLERATES(seconds)                                                                         \
	", nodeName: a, tolerations: [{key: node.kubernetes.io/unreachable, operator: Exists, "    \
	"effect: NoExecute" seconds "}]"
	static const struct row rows[] = {
		{"not tolerated", TAINTED POD("p", "", ", nodeName: a", READY), "", "a",
		 "strategic Pod default/p status\ndelete Pod default/p\nevent Normal "
		 "TaintManagerEviction Marking for deletion Pod default/p\n"},
		{"tolerated for ever", TAINTED POD("p", "", TOLERATES(""), READY), "", "a", ""},
		{"tolerated for a while",
		 TAINTED POD("p", "", TOLERATES(", tolerationSeconds: 300"), READY), "", "a", ""},
		{"that is over", TAINTED POD("p", "", TOLERATES(", tolerationSeconds: 30"), READY),
		 "", "a",
		 "strategic Pod default/p status\ndelete Pod default/p\nevent Normal "
		 "TaintManagerEviction Marking for deletion Pod default/p\n"},
	};
	check_rows(&taint_eviction_controller, NULL, rows, ARRAY_LEN(rows));
	CLEANUP_ARENA a = {};
	struct cache *c = literal_cache(rows[2].cluster);
	struct plan p = literal_plan(&a, c, &taint_eviction_controller, &no_settings, "", "a");
	assert_int_equal(p.requeue_ms, 240001);
	cache_free(c);
}

static void pod_garbage(void **state)
{
	static const struct control_settings settings = {.terminated_pods_max = 1};
	static const struct row rows[] = {
		{"its node is gone", POD("p", "", ", nodeName: a", READY), "", "a",
		 "strategic Pod default/p status\ndelete Pod default/p\n"},
		{"its node came back",
		 NODE("a", "", "", "True", FRESH) POD("p", "", ", nodeName: a", READY), "", "a",
		 ""},
		{"never had one", POD("p", DELETING, "", "") POD("q", "", "", ""), "", "",
		 "delete Pod default/p\n"},
		{"too many have ended",
		 POD("p", ", creationTimestamp: 2025-12-02T00:00:00Z", "", "phase: Failed") POD(
			 "q", ", creationTimestamp: 2025-12-01T00:00:00Z", "", "phase: Succeeded"),
		 "", "", "delete Pod default/q\n"},
	};
	check_rows(&pod_garbage_controller, &settings, rows, ARRAY_LEN(rows));
}

static void load_balancers(void **state)
{
	static const struct control_settings settings = {.has_own_load_balancer = true};
	static const struct row rows[] = {
		{"gets the nodes' addresses",
		 SERVICE(", type: LoadBalancer") NODE("a", "", "", "True", FRESH), "default", "web",
		 "update Service default/web status\nevent Normal EnsuredLoadBalancer Ensured load "
		 "balancer\n"},
		{"no node is ready",
		 SERVICE(", type: LoadBalancer") NODE("a", "", "", "False", FRESH), "default",
		 "web", ""},
		{"another class",
		 SERVICE(", type: LoadBalancer, loadBalancerClass: x/y")
			 NODE("a", "", "", "True", FRESH),
		 "default", "web", ""},
		{"another type", SERVICE("") NODE("a", "", "", "True", FRESH), "default", "web",
		 ""},
	};
	check_rows(&load_balancer_controller, &settings, rows, ARRAY_LEN(rows));
	CLEANUP_ARENA a = {};
	struct cache *c = literal_cache(rows[0].cluster);
	struct plan p = literal_plan(&a, c, &load_balancer_controller, &settings, "default", "web");
	assert_string_equal(
		literal_at(&p, 0, "status"),
		"{\"loadBalancer\":{\"ingress\":[{\"ip\":\"10.1.0.1\",\"ipMode\":\"VIP\"}]}}");
	cache_free(c);
}

/* --- budgets and volumes --- */

#define BUDGET(spec)                                                                               \
	"---\nkind: PodDisruptionBudget\napiVersion: policy/v1\nmetadata: {name: b, generation: "  \
	"1}\nspec: {selector: {matchLabels: {app: web}}, " spec "}\n"
#define HEALTHY(name) POD(name, OWNED, ", nodeName: n1", READY)

static void budgets(void **state)
{
	static const struct {
		const char *what, *cluster;
		int64_t allowed, healthy, desired, expected;
	} rows[] = {
		{"no pods", BUDGET("minAvailable: 1"), 0, 0, 1, 0},
		{"a number to keep", BUDGET("minAvailable: 1") HEALTHY("a") HEALTHY("b"), 1, 2, 1,
		 2},
		{"a share to keep",
		 BUDGET("minAvailable: 50%") SET("3", "") HEALTHY("a") HEALTHY("b"), 0, 2, 2, 3},
		{"a number that may be missing",
		 BUDGET("maxUnavailable: 1") SET("2", "") HEALTHY("a") HEALTHY("b"), 1, 2, 1, 2},
		{"one is missing already",
		 BUDGET("maxUnavailable: 1") SET("2", "") HEALTHY("a") POD("b", OWNED, "", ""), 0,
		 1, 1, 2},
		{"nobody knows how many there should be",
		 BUDGET("maxUnavailable: 1") POD("a", "", "", READY), 0, 0, 0, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct cache *c = literal_cache(rows[i].cluster);
		struct plan p = literal_plan(&a, c, &disruption_controller, NULL, "default", "b");
		const struct json *status = json_get(p.requests[0].body, STR("status"));
		if (json_i64(json_get(status, STR("disruptionsAllowed"))) != rows[i].allowed ||
		    json_i64(json_get(status, STR("currentHealthy"))) != rows[i].healthy ||
		    json_i64(json_get(status, STR("desiredHealthy"))) != rows[i].desired ||
		    json_i64(json_get(status, STR("expectedPods"))) != rows[i].expected)
			fail_msg("%s: %s", rows[i].what, literal_at(&p, 0, "status"));
		cache_free(c);
	}
}

#define CLAIM(meta)                                                                                \
	"---\nkind: PersistentVolumeClaim\napiVersion: v1\nmetadata: {name: data" meta "}\n"
#define USES ", volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]"

static void volumes_in_use(void **state)
{
	static const struct row rows[] = {
		{"gets its finalizer", CLAIM(""), "default", "data",
		 "patch PersistentVolumeClaim default/data\n"},
		{"has it", CLAIM(", finalizers: [kubernetes.io/pvc-protection]"), "default", "data",
		 ""},
		{"is used",
		 CLAIM(", finalizers: [kubernetes.io/pvc-protection]" DELETING)
			 POD("p", "", USES, READY),
		 "default", "data", ""},
		{"was used",
		 CLAIM(", finalizers: [kubernetes.io/pvc-protection]" DELETING)
			 POD("p", "", USES, "phase: Failed"),
		 "default", "data", "patch PersistentVolumeClaim default/data\n"},
	};
	check_rows(&claim_protection_controller, NULL, rows, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replica_sets),
		cmocka_unit_test(replica_set_status),
		cmocka_unit_test(endpoint_slices),
		cmocka_unit_test(endpoint_slice_contents),
		cmocka_unit_test(endpoint_slices_change_little),
		cmocka_unit_test(endpoint_slices_hold_a_hundred),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(namespaces),
		cmocka_unit_test(accounts_and_root_ca),
		cmocka_unit_test(aggregated_roles),
		cmocka_unit_test(custom_definitions),
		cmocka_unit_test(flow_schemas_that_dangle),
		cmocka_unit_test(garbage),
		cmocka_unit_test(pod_cidrs),
		cmocka_unit_test(node_life_cycle),
		cmocka_unit_test(evictions),
		cmocka_unit_test(pod_garbage),
		cmocka_unit_test(load_balancers),
		cmocka_unit_test(budgets),
		cmocka_unit_test(volumes_in_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
