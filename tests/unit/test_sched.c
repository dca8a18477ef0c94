#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "literal.h"
#include "little_server.h"
#include "sched/preempt.h"
#include "sched/sched.h"

#define NODE(name, more)                                                                           \
	"---\n"                                                                                    \
	"kind: Node\n"                                                                             \
	"apiVersion: v1\n"                                                                         \
	"metadata: {name: " name ", labels: {kubernetes.io/hostname: " name ", zone: z-" name      \
	", shared: same}}\n"                                                                       \
	"status: {allocatable: {cpu: '4', memory: 8Gi, pods: '10'}}\n" more
#define POD(name, meta, spec)                                                                      \
	"---\n"                                                                                    \
	"kind: Pod\n"                                                                              \
	"apiVersion: v1\n"                                                                         \
	"metadata: {name: " name meta "}\n"                                                        \
	"spec: {containers: [{name: c, image: i}]" spec "}\n"
#define ASKS(name, meta, cpu, memory, spec)                                                        \
	"---\n"                                                                                    \
	"kind: Pod\n"                                                                              \
	"apiVersion: v1\n"                                                                         \
	"metadata: {name: " name meta "}\n"                                                        \
	"spec: {containers: [{name: c, image: i, resources: {requests: {cpu: " cpu                 \
	", memory: " memory "}}}]" spec "}\n"
#define LABELS(text) ", labels: {" text "}"

struct row {
	const char *what, *cluster, *want; /* a node's name, or the message */
};

/* Where the pod "p" goes. */
static const char *outcome(struct arena *a, const char *cluster_text)
{
	struct cache *cache = literal_cache(cluster_text);
	struct cluster c;
	struct object *o;
	cluster_init(&c, cache);
	for (struct cache_iter it = cache_iterate(cache, KIND_NODE, STR(""));
	     (o = cache_next(&it));)
		cluster_node_put(&c, o);
	o = cache_get(cache, KIND_POD, STR("default"), STR("p"));
	assert_non_null(o);
	struct pod_info *info = pod_info_new(&c.resources, o);
	struct decision d = decide(a, &c, info, 0, 0);
	const char *text = arena_cstr(
		a, d.node == NODE_NONE
			   ? decision_message(a, &d, preempt_not_eligible(&c, info), false)
			   : c.nodes[d.node]->name);
	pod_info_free(info);
	cluster_done(&c);
	cache_free(cache);
	return text;
}

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		CLEANUP_ARENA a = {};
		const char *got = outcome(&a, rows[i].cluster);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: wanted\n%s\ngot\n%s", rows[i].what, rows[i].want, got);
	}
}

#define HELPLESS(n)                                                                                \
	" no new claims to deallocate, preemption: 0/" n " nodes are available: " n                \
	" Preemption is not helpful for scheduling."
#define NO_VICTIMS(n)                                                                              \
	" no new claims to deallocate, preemption: 0/" n " nodes are available: " n                \
	" No preemption victims found for incoming pod."
#define ON(node)	 ", nodeName: " node
#define ANTI(kind, term) ", affinity: {podAntiAffinity: {" kind ": [" term "]}}"
#define REQUIRED	 "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED	 "preferredDuringSchedulingIgnoredDuringExecution"
#define TERM(key)	 "{topologyKey: " key ", labelSelector: {matchLabels: {app: web}}}"

static void filters_refuse_in_upstreams_words(void **state)
{
	static const struct row rows[] = {
		{"no node at all", POD("p", "", ""), "no nodes available to schedule pods"},
		{"unschedulable", NODE("n1", "spec: {unschedulable: true}\n") POD("p", "", ""),
		 "0/1 nodes are available: 1 node(s) were unschedulable." HELPLESS("1")},
		{"unschedulable tolerated",
		 NODE("n1", "spec: {unschedulable: true}\n")
			 POD("p", "", ", tolerations: [{operator: Exists}]"),
		 "n1"},
		{"taint",
		 NODE("n1", "spec: {taints: [{key: k, value: v, effect: NoSchedule}]}\n") NODE(
			 "n2", "spec: {taints: [{key: k, effect: NoExecute}]}\n") POD("p", "", ""),
		 "0/2 nodes are available: 2 node(s) had untolerated taint(s)." HELPLESS("2")},
		{"taint tolerated by value",
		 NODE("n1", "spec: {taints: [{key: k, value: v, effect: NoSchedule}]}\n")
			 NODE("n2", "spec: {taints: [{key: k, value: w, effect: NoSchedule}]}\n")
				 POD("p", "", ", tolerations: [{key: k, value: v}]"),
		 "n1"},
		{"taint that is only preferred",
		 NODE("n1", "spec: {taints: [{key: k, effect: PreferNoSchedule}]}\n") NODE("n2", "")
			 POD("p", "", ""),
		 "n2"},
		{"node selector",
		 NODE("n1", "") NODE("n2", "") POD("p", "", ", nodeSelector: {zone: z-n2}"), "n2"},
		{"node selector without a node",
		 NODE("n1", "") POD("p", "", ", nodeSelector: {zone: none}"),
		 "0/1 nodes are available: 1 node(s) didn't match Pod's node "
		 "affinity/selector." HELPLESS("1")},
		{"required node affinity, terms are alternatives",
		 NODE("n1", "") NODE("n2", "") POD(
			 "p", "",
			 ", affinity: {nodeAffinity: {" REQUIRED
			 ": {nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, "
			 "values: [none]}]}, "
			 "{matchExpressions: [{key: zone, operator: NotIn, values: [z-n1]}]}]}}}"),
		 "n2"},
		{"node affinity by name",
		 NODE("n1", "") NODE("n2", "spec: {unschedulable: true}\n") NODE("n3", "")
			 POD("p", "",
			     ", affinity: {nodeAffinity: {" REQUIRED
			     ": {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: "
			     "In, values: [n2]}]}]}}}"),
		 "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't satisfy "
		 "plugin(s) "
		 "[NodeAffinity]." HELPLESS("3")},
		{"host port",
		 NODE("n1",
		      "") "---\nkind: Pod\napiVersion: v1\nmetadata: {name: q}\nspec: {nodeName: "
			  "n1, containers: "
			  "[{name: c, image: i, ports: [{containerPort: 80, hostPort: 80}]}]}\n"
			  "---\nkind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec: {containers: "
			  "[{name: c, image: i, ports: [{containerPort: 81, hostPort: 80}]}]}\n",
		 "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod "
		 "ports." NO_VICTIMS("1")},
		{"too much for any node",
		 NODE("n1", "") NODE("n2", "") ASKS("p", "", "5", "9Gi", ""),
		 "0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient memory." HELPLESS(
			 "2")},
		{"too much beside others",
		 NODE("n1", "") NODE("n2", "") ASKS("a", "", "3", "1Gi", ON("n1"))
			 ASKS("b", "", "2", "1Gi", ON("n2")) ASKS("p", "", "2500m", "1Gi", ""),
		 "0/2 nodes are available: 2 Insufficient cpu." NO_VICTIMS("2")},
		{"fits beside others",
		 NODE("n1", "") NODE("n2", "") ASKS("a", "", "3", "1Gi", ON("n1"))
			 ASKS("p", "", "2500m", "1Gi", ""),
		 "n2"},
		{"unknown resource",
		 NODE("n1", "") "---\nkind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec: "
				"{containers: [{name: c, image: i, "
				"resources: {limits: {example.com/gpu: 1}, requests: "
				"{example.com/gpu: 1}}}]}\n",
		 "0/1 nodes are available: 1 Insufficient example.com/gpu." HELPLESS("1")},
		{"reasons are sorted as text; mixed preemption",
		 NODE("n1", "spec: {taints: [{key: k, effect: NoSchedule}]}\n") NODE("n2", "")
			 NODE("n3", "") ASKS("a", "", "3", "1Gi", ON("n2"))
				 ASKS("b", "", "3", "1Gi", ON("n3")) ASKS("p", "", "2", "1Gi", ""),
		 "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. "
		 "no new claims to "
		 "deallocate, preemption: 0/3 nodes are available: 1 Preemption is not helpful for "
		 "scheduling, 2 No "
		 "preemption victims found for incoming pod."},
		{"preemption is not wanted",
		 NODE("n1", "") POD("p", "", ", preemptionPolicy: Never, nodeSelector: {a: b}"),
		 "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no "
		 "new claims to "
		 "deallocate, preemption: not eligible due to preemptionPolicy=Never."},
		{"a claim that is not there",
		 NODE("n1", "")
			 POD("p", "",
			     ", volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]"),
		 "0/1 nodes are available: persistentvolumeclaim \"data\" not found." HELPLESS(
			 "1")},
		{"init containers count for their moment",
		 NODE("n1", "") "---\nkind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec: "
				"{initContainers: [{name: i, image: i, "
				"resources: {requests: {cpu: '5'}}}], containers: [{name: c, "
				"image: i}]}\n",
		 "0/1 nodes are available: 1 Insufficient cpu." HELPLESS("1")},
	};
	check_rows(rows, ARRAY_LEN(rows));
}

static void pods_ask_of_pods(void **state)
{
	static const struct row rows[] = {
		{"required anti-affinity",
		 NODE("n1", "") NODE("n2", "") POD("a", LABELS("app: web"), ON("n1")) POD(
			 "p", LABELS("app: web"), ANTI(REQUIRED, TERM("kubernetes.io/hostname"))),
		 "n2"},
		{"required anti-affinity everywhere",
		 NODE("n1", "") NODE("n2", "") POD("a", LABELS("app: web"), ON("n1"))
			 POD("p", LABELS("app: web"), ANTI(REQUIRED, TERM("shared"))),
		 "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity "
		 "rules." NO_VICTIMS("2")},
		{"others' anti-affinity",
		 NODE("n1", "") POD("a", LABELS("app: db"),
				    ON("n1") ANTI(REQUIRED, TERM("kubernetes.io/hostname")))
			 POD("p", LABELS("app: web"), ""),
		 "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity "
		 "rules." NO_VICTIMS("1")},
		{"others' anti-affinity is of another namespace",
		 NODE("n1", "") POD("a", ", namespace: other",
				    ON("n1") ANTI(REQUIRED, TERM("kubernetes.io/hostname")))
			 POD("p", LABELS("app: web"), ""),
		 "n1"},
		{"required affinity",
		 NODE("n1", "") NODE("n2", "") POD("a", LABELS("app: web"), ON("n2")) POD(
			 "p", "", ", affinity: {podAffinity: {" REQUIRED ": [" TERM("zone") "]}}"),
		 "n2"},
		{"required affinity to nobody",
		 NODE("n1", "") POD(
			 "p", "", ", affinity: {podAffinity: {" REQUIRED ": [" TERM("zone") "]}}"),
		 "0/1 nodes are available: 1 node(s) didn't match pod affinity rules." HELPLESS(
			 "1")},
		{"the first of its kind",
		 NODE("n1", "")
			 POD("p", LABELS("app: web"),
			     ", affinity: {podAffinity: {" REQUIRED ": [" TERM("zone") "]}}"),
		 "n1"},
		{"preferred anti-affinity",
		 NODE("n1", "") NODE("n2", "") NODE("n3", "") POD("a", LABELS("app: web"), ON("n1"))
			 POD("b", LABELS("app: web"), ON("n2"))
				 POD("p", LABELS("app: web"),
				     ANTI(PREFERRED, "{weight: 100, podAffinityTerm: " TERM(
							     "kubernetes.io/hostname") "}")),
		 "n3"},
		{"preferred affinity",
		 NODE("n1", "") NODE("n2", "") POD("a", LABELS("app: web"), ON("n2")) POD(
			 "p", "",
			 ", affinity: {podAffinity: {" PREFERRED
			 ": [{weight: 50, podAffinityTerm: " TERM("kubernetes.io/hostname") "}]}}"),
		 "n2"},
		{"preferred node affinity",
		 NODE("n1", "") NODE("n2", "") POD("p", "",
						   ", affinity: {nodeAffinity: {" PREFERRED
						   ": [{weight: 10, preference: {matchExpressions: "
						   "[{key: zone, operator: In, values: "
						   "[z-n2]}]}}]}}"),
		 "n2"},
	};
	check_rows(rows, ARRAY_LEN(rows));
}

#define SPREAD(key, when)                                                                          \
	", topologySpreadConstraints: [{maxSkew: 1, topologyKey: " key                             \
	", whenUnsatisfiable: " when ", labelSelector: {matchLabels: {app: web}}}]"

static void pods_are_spread(void **state)
{
	static const struct row rows[] = {
		{"hard",
		 NODE("n1", "") NODE("n2", "") POD("a", LABELS("app: web"), ON("n1"))
			 POD("p", LABELS("app: web"), SPREAD("zone", "DoNotSchedule")),
		 "n2"},
		{"hard and nowhere",
		 NODE("n1", "") NODE("n2", "spec: {unschedulable: true}\n")
			 POD("a", LABELS("app: web"), ON("n1"))
				 POD("p", LABELS("app: web"), SPREAD("zone", "DoNotSchedule")),
		 "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, "
		 "1 node(s) were "
		 "unschedulable. no new claims to deallocate, preemption: 0/2 nodes are available: "
		 "1 No preemption "
		 "victims found for incoming pod, 1 Preemption is not helpful for scheduling."},
		{"no such label",
		 NODE("n1", "") POD("p", LABELS("app: web"), SPREAD("rack", "DoNotSchedule")),
		 "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints "
		 "(missing required "
		 "label)." HELPLESS("1")},
		{"soft",
		 NODE("n1", "") NODE("n2", "") POD("a", LABELS("app: web"), ON("n1"))
			 POD("p", LABELS("app: web"), SPREAD("zone", "ScheduleAnyway")),
		 "n2"},
		{"by default, for the pods of a service",
		 NODE("n1", "") NODE("n2", "") "---\nkind: Service\napiVersion: v1\nmetadata: "
					       "{name: web}\nspec: {selector: {app: web}}\n" POD(
						       "a", LABELS("app: web"), ON("n1"))
						       POD("b", LABELS("app: other"), ON("n2"))
							       POD("p", LABELS("app: web"), ""),
		 "n2"},
		{"least allocated",
		 NODE("n1", "") NODE("n2", "") ASKS("a", "", "1", "1Gi", ON("n1"))
			 ASKS("p", "", "1", "1Gi", ""),
		 "n2"},
	};
	check_rows(rows, ARRAY_LEN(rows));
}

/* --- preemption --- */

/* "n1: a b" for the node and the victims of the pod "p"; "" for nobody. */
static const char *victims(struct arena *a, const char *cluster_text)
{
	struct cache *cache = literal_cache(cluster_text);
	struct cluster c;
	struct object *o;
	struct str text = STR("");
	struct preemption found;
	cluster_init(&c, cache);
	for (struct cache_iter it = cache_iterate(cache, KIND_NODE, STR(""));
	     (o = cache_next(&it));)
		cluster_node_put(&c, o);
	o = cache_get(cache, KIND_POD, STR("default"), STR("p"));
	struct pod_info *info = pod_info_new(&c.resources, o);
	struct decision d = decide(a, &c, info, 0, 0);
	assert_int_equal(d.node, NODE_NONE);
	if (preempt_find(a, &c, info, &d, &found)) {
		text = arena_printf(a, "%.*s:", STR_FMT(c.nodes[found.node]->name));
		for (uint32_t i = 0; i < found.count; i++)
			text = arena_printf(a, "%.*s %.*s", STR_FMT(text),
					    STR_FMT(found.victims[i]->object->name));
	}
	/* The cluster is as before. */
	assert_int_equal(decide(a, &c, info, 0, 0).node, NODE_NONE);
	text = arena_str(a, text);
	pod_info_free(info);
	cluster_done(&c);
	cache_free(cache);
	return text.at;
}

#define PRIORITY(n) ", priority: " n
static void the_least_important_go(void **state)
{
	static const struct row rows[] = {
		{"nobody is less important",
		 NODE("n1", "") ASKS("a", "", "4", "1Gi", ON("n1")) ASKS("p", "", "1", "1Gi", ""),
		 ""},
		{"one is",
		 NODE("n1", "") ASKS("a", "", "4", "1Gi", ON("n1"))
			 ASKS("p", "", "1", "1Gi", PRIORITY("5")),
		 "n1: a"},
		{"no more than needed",
		 NODE("n1", "") ASKS("a", "", "2", "1Gi", ON("n1") PRIORITY("2"))
			 ASKS("b", "", "2", "1Gi", ON("n1") PRIORITY("1"))
				 ASKS("p", "", "2", "1Gi", PRIORITY("5")),
		 "n1: b"},
		{"where the victims matter least",
		 NODE("n1", "") NODE("n2", "") ASKS("a", "", "4", "1Gi", ON("n1") PRIORITY("3"))
			 ASKS("b", "", "4", "1Gi", ON("n2") PRIORITY("2"))
				 ASKS("p", "", "2", "1Gi", PRIORITY("5")),
		 "n2: b"},
		{"where they are fewest",
		 NODE("n1", "") NODE("n2", "") ASKS("a", "", "2", "1Gi", ON("n1"))
			 ASKS("b", "", "2", "1Gi", ON("n1")) ASKS("c", "", "4", "1Gi", ON("n2"))
				 ASKS("p", "", "4", "1Gi", PRIORITY("5")),
		 "n2: c"},
		{"budgets are kept where possible",
		 NODE("n1", "") NODE(
			 "n2",
			 "") "---\nkind: PodDisruptionBudget\napiVersion: policy/v1\nmetadata: {name: b}\nspec: {minAvailable: 1, selector: "
			     "{matchLabels: {app: web}}}\n" ASKS("a", LABELS("app: web"), "4",
								 "1Gi", ON("n1"))
				     ASKS("b", "", "4", "1Gi", ON("n2") PRIORITY("1"))
					     ASKS("p", "", "2", "1Gi", PRIORITY("5")),
		 "n2: b"},
		{"not where it would not help",
		 NODE("n1", "spec: {unschedulable: true}\n") ASKS("a", "", "4", "1Gi", ON("n1"))
			 ASKS("p", "", "1", "1Gi", PRIORITY("5")),
		 ""},
		{"anti-affinity",
		 NODE("n1", "") POD("a", LABELS("app: web"), ON("n1"))
			 POD("p", LABELS("app: web"), PRIORITY("5") ANTI(REQUIRED, TERM("zone"))),
		 "n1: a"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		const char *got = victims(&a, rows[i].cluster);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: wanted '%s', got '%s'", rows[i].what, rows[i].want, got);
	}
}

/* --- the whole scheduler --- */

static void settle(struct little_server *s, const struct sched *sched)
{
	int64_t end_ms = world_mono_ms() + 20000;
	do {
		if (world_mono_ms() > end_ms)
			fail_msg("the scheduler does not come to rest");
		loop_run_once(s->client.loop, 1);
	} while (!sched_is_idle(sched));
}

static const struct pod *pod_named(struct little_server *s, const char *name)
{
	return object_view(cache_get(s->cache, KIND_POD, STR("default"), str_of(name)));
}

static const struct event *event_with(struct little_server *s, const char *reason)
{
	struct object *o;
	for (struct cache_iter it = cache_iterate(s->cache, KIND_EVENT, STR(""));
	     (o = cache_next(&it));)
		if (str_is(((const struct event *)object_view(o))->reason, reason))
			return object_view(o);
	fail_msg("no event '%s'", reason);
	return NULL;
}

static void binds_and_wakes(void **state)
{
	struct little_server s;
	little_start(&s);
	struct sched *sched = sched_new(&s.client, s.cache, NULL);
	literal_put(s.cache, NODE("n1", "") ASKS("a", "", "3", "1Gi", ""));
	settle(&s, sched);
	assert_true(str_is(pod_named(&s, "a")->spec.node_name, "n1"));
	const struct event *e = event_with(&s, "Scheduled");
	assert_true(str_is(e->message, "Successfully assigned default/a to n1"));
	assert_true(str_is(e->action, "Binding"));
	assert_true(str_is(e->reporting_component, "default-scheduler"));
	literal_put(s.cache, ASKS("b", "", "2", "1Gi", ""));
	settle(&s, sched);
	const struct pod *b = pod_named(&s, "b");
	assert_int_equal(b->status.conditions.count, 1);
	assert_true(str_is(b->status.conditions.at[0].type, "PodScheduled"));
	assert_true(str_is(b->status.conditions.at[0].status, "False"));
	assert_true(str_is(b->status.conditions.at[0].reason, "Unschedulable"));
	assert_true(str_has_prefix(b->status.conditions.at[0].message,
				   STR("0/1 nodes are available: 1 Insufficient cpu.")));
	assert_true(str_is(event_with(&s, "FailedScheduling")->type, "Warning"));
	/* A new node makes room, once the backoff is over. */
	literal_put(s.cache, NODE("n2", ""));
	settle(&s, sched);
	assert_true(str_is(pod_named(&s, "b")->spec.node_name, "n2"));
	/* Others' pods, gated pods and deleted pods are left alone. */
	literal_put(s.cache, POD("c", "", ", schedulerName: mine")
				     POD("d", "", ", schedulingGates: [{name: g}]"));
	settle(&s, sched);
	assert_int_equal(pod_named(&s, "c")->spec.node_name.len, 0);
	assert_int_equal(pod_named(&s, "d")->spec.node_name.len, 0);
	assert_true(str_is(pod_named(&s, "d")->status.conditions.at[0].reason, "SchedulingGated"));
	sched_free(sched);
	little_stop(&s);
}

static void preempts(void **state)
{
	struct little_server s;
	little_start(&s);
	struct sched *sched = sched_new(&s.client, s.cache, NULL);
	literal_put(s.cache, NODE("n1", "") ASKS("a", "", "3", "1Gi", ""));
	settle(&s, sched);
	little_kubelet_on(&s, false);
	literal_put(s.cache, ASKS("b", "", "3", "1Gi", PRIORITY("10")));
	settle(&s, sched);
	assert_true(cache_get(s.cache, KIND_POD, STR("default"), STR("a"))->is_deleting);
	assert_true(str_is(event_with(&s, "Preempted")->involved_object.name, "a"));
	assert_true(str_is(event_with(&s, "FailedScheduling")->message,
			   "0/1 nodes are available: 1 Insufficient cpu."));
	assert_true(str_is(pod_named(&s, "b")->status.nominated_node_name, "n1"));
	/* The place is kept: nobody of lower priority slips in. */
	literal_put(s.cache, ASKS("c", "", "3", "1Gi", ""));
	little_kubelet_on(&s, false);
	settle(&s, sched);
	assert_true(str_is(pod_named(&s, "b")->spec.node_name, "n1"));
	assert_int_equal(pod_named(&s, "c")->spec.node_name.len, 0);
	sched_free(sched);
	little_stop(&s);
}

static void many_pods_on_many_nodes(void **state)
{
	struct little_server s;
	CLEANUP_ARENA a = {};
	little_start(&s);
	for (int i = 0; i < 100; i++)
		literal_put(s.cache,
			    arena_printf(
				    &a,
				    "kind: Node\napiVersion: v1\nmetadata: {name: n%02d, labels: "
				    "{kubernetes.io/hostname: n%02d, topology.kubernetes.io/zone: "
				    "z%d}}\n"
				    "status: {allocatable: {cpu: '4', memory: 8Gi, pods: '110'}}\n",
				    i, i, i % 3)
				    .at);
	for (int i = 0; i < 1000; i++)
		literal_put(s.cache, arena_printf(&a,
						  ASKS("p%04d", LABELS("app: web"), "100m", "128Mi",
						       ANTI(PREFERRED,
							    "{weight: 100, podAffinityTerm: " TERM(
								    "kubernetes.io/hostname") "}")),
						  i)
					     .at);
	struct sched *sched = sched_new(&s.client, s.cache, NULL);
	int64_t start_us = world_wall_us();
	settle(&s, sched);
	int64_t took_us = world_wall_us() - start_us;
	print_message("1000 pods on 100 nodes: %lld ms\n", (long long)(took_us / 1000));
	struct object *o;
	int counts[100] = {};
	for (struct cache_iter it = cache_iterate(s.cache, KIND_POD, STR(""));
	     (o = cache_next(&it));) {
		struct str name = ((const struct pod *)object_view(o))->spec.node_name;
		assert_int_equal(name.len, 3);
		counts[(name.at[1] - '0') * 10 + name.at[2] - '0']++;
	}
	for (int i = 0; i < 100; i++)
		assert_in_range(counts[i], 8, 12);
	sched_free(sched);
	little_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_refuse_in_upstreams_words),
		cmocka_unit_test(pods_ask_of_pods),
		cmocka_unit_test(pods_are_spread),
		cmocka_unit_test(the_least_important_go),
		cmocka_unit_test(binds_and_wakes),
		cmocka_unit_test(preempts),
		cmocka_unit_test(many_pods_on_many_nodes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
