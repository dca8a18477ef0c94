#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/log.h"
#include "control/control.h"
#include "control/controllers.h"
#include "literal.h"
#include "little_server.h"

#define DEPLOYMENT(replicas, image, more)                                                          \
	"kind: Deployment\n"                                                                       \
	"apiVersion: apps/v1\n"                                                                    \
	"metadata: {name: web, generation: 1, annotations: {note: x}}\n"                           \
	"spec:\n"                                                                                  \
	"  replicas: " replicas "\n" more "  selector: {matchLabels: {app: web}}\n"                \
	"  template:\n"                                                                            \
	"    metadata: {labels: {app: web}}\n"                                                     \
	"    spec: {containers: [{name: c, image: " image "}]}\n"

static struct reconciler *run_all(struct little_server *s)
{
	little_start(s);
	return reconciler_new(s->cache, little_client, s, controllers, controllers_count,
			      &(struct control_settings){});
}

static const struct deployment *the_deployment(struct little_server *s)
{
	return object_view(cache_get(s->cache, KIND_DEPLOYMENT, STR("default"), STR("web")));
}

static const struct deployment_condition *condition(const struct deployment *d, const char *type)
{
	for (uint32_t i = 0; i < d->status.conditions.count; i++)
		if (str_is(d->status.conditions.at[i].type, type))
			return &d->status.conditions.at[i];
	fail_msg("no condition '%s'", type);
	return NULL;
}

static void run_until_complete(struct little_server *s, struct reconciler *r)
{
	for (int i = 0; i < 20; i++) {
		little_settle(s, r);
		little_kubelet(s);
	}
	little_settle(s, r);
}

static size_t active_pods(struct little_server *s)
{
	size_t count = 0;
	struct object *o;
	for (struct cache_iter it = cache_iterate(s->cache, KIND_POD, (struct str){});
	     (o = cache_next(&it));)
		count += !o->is_deleting;
	return count;
}

static bool has_event(struct little_server *s, const char *message)
{
	struct object *o;
	for (struct cache_iter it = cache_iterate(s->cache, KIND_EVENT, (struct str){});
	     (o = cache_next(&it));)
		if (str_is(((const struct event *)object_view(o))->message, message))
			return true;
	return false;
}

static const struct replica_set *set_with_replicas(struct little_server *s, int32_t replicas)
{
	struct object *o;
	for (struct cache_iter it = cache_iterate(s->cache, KIND_REPLICA_SET, (struct str){});
	     (o = cache_next(&it));) {
		const struct replica_set *rs = object_view(o);
		if (*rs->spec.replicas == replicas)
			return rs;
	}
	fail_msg("no ReplicaSet has %d replicas", replicas);
	return NULL;
}

static void rolls_out_and_updates(void **state)
{
	struct little_server s;
	struct reconciler *r = run_all(&s);
	little_apply(&s, DEPLOYMENT("3", "a:1", ""));
	little_settle(&s, r);
	const struct deployment *d = the_deployment(&s);
	assert_int_equal(d->status.observed_generation, 1);
	assert_int_equal(d->status.unavailable_replicas, 3);
	assert_true(str_is(condition(d, "Progressing")->reason, "ReplicaSetUpdated"));
	assert_true(str_is(condition(d, "Available")->reason, "MinimumReplicasUnavailable"));
	run_until_complete(&s, r);
	d = the_deployment(&s);
	assert_int_equal(d->status.available_replicas, 3);
	assert_int_equal(d->status.unavailable_replicas, 0);
	assert_true(str_is(condition(d, "Progressing")->reason, "NewReplicaSetAvailable"));
	assert_true(str_is(condition(d, "Available")->status, "True"));
	assert_true(str_is(
		str_map_cget(&d->metadata.annotations, "deployment.kubernetes.io/revision"), "1"));
	const struct replica_set *rs = set_with_replicas(&s, 3);
	assert_true(str_is(
		str_map_cget(&rs->metadata.annotations, "deployment.kubernetes.io/max-replicas"),
		"4"));
	assert_true(str_is(str_map_cget(&rs->metadata.annotations, "note"), "x"));
	CLEANUP_ARENA a = {};
	struct str first = arena_str(&a, rs->metadata.name);
	assert_true(has_event(
		&s, arena_cstr(&a, arena_printf(&a, "Scaled up replica set %.*s from 0 to 3",
						STR_FMT(first)))));

	little_apply(&s, DEPLOYMENT("3", "a:2", ""));
	run_until_complete(&s, r);
	d = the_deployment(&s);
	assert_int_equal(d->status.updated_replicas, 3);
	assert_int_equal(d->status.replicas, 3);
	assert_true(str_is(
		str_map_cget(&d->metadata.annotations, "deployment.kubernetes.io/revision"), "2"));
	assert_int_equal(cache_count(s.cache, KIND_REPLICA_SET), 2);
	assert_true(str_eq(set_with_replicas(&s, 0)->metadata.name, first));
	assert_int_equal(active_pods(&s), 3);
	assert_true(has_event(
		&s, arena_cstr(&a, arena_printf(&a, "Scaled down replica set %.*s from 1 to 0",
						STR_FMT(first)))));

	/* Back to the first template: its set comes back with a new revision. */
	little_apply(&s, DEPLOYMENT("3", "a:1", ""));
	run_until_complete(&s, r);
	assert_int_equal(cache_count(s.cache, KIND_REPLICA_SET), 2);
	rs = set_with_replicas(&s, 3);
	assert_true(str_eq(rs->metadata.name, first));
	assert_true(str_is(
		str_map_cget(&rs->metadata.annotations, "deployment.kubernetes.io/revision"), "3"));
	assert_true(str_is(str_map_cget(&rs->metadata.annotations,
					"deployment.kubernetes.io/revision-history"),
			   "1"));
	unsigned requests = s.requests;
	run_until_complete(&s, r);
	assert_int_equal(s.requests, requests); /* at rest nothing is written */
	reconciler_free(r);
	little_stop(&s);
}

static void scales(void **state)
{
	struct little_server s;
	struct reconciler *r = run_all(&s);
	little_apply(&s, DEPLOYMENT("3", "a:1", ""));
	run_until_complete(&s, r);
	little_apply(&s, DEPLOYMENT("10", "a:1", ""));
	run_until_complete(&s, r);
	assert_int_equal(active_pods(&s), 10);
	assert_int_equal(the_deployment(&s)->status.available_replicas, 10);
	const struct replica_set *rs = set_with_replicas(&s, 10);
	assert_true(str_is(str_map_cget(&rs->metadata.annotations,
					"deployment.kubernetes.io/desired-replicas"),
			   "10"));
	little_apply(&s, DEPLOYMENT("0", "a:1", ""));
	run_until_complete(&s, r);
	assert_int_equal(active_pods(&s), 0);
	reconciler_free(r);
	little_stop(&s);
}

static void recreates(void **state)
{
	struct little_server s;
	struct reconciler *r = run_all(&s);
	little_apply(&s, DEPLOYMENT("2", "a:1", "  strategy: {type: Recreate}\n"));
	run_until_complete(&s, r);
	assert_int_equal(active_pods(&s), 2);
	little_apply(&s, DEPLOYMENT("2", "a:2", "  strategy: {type: Recreate}\n"));
	little_settle(&s, r);
	assert_int_equal(active_pods(&s), 0); /* the old ones are on their way out */
	assert_int_equal(cache_count(s.cache, KIND_REPLICA_SET), 1);
	run_until_complete(&s, r);
	assert_int_equal(active_pods(&s), 2);
	assert_int_equal(cache_count(s.cache, KIND_REPLICA_SET), 2);
	reconciler_free(r);
	little_stop(&s);
}

static void pauses(void **state)
{
	struct little_server s;
	struct reconciler *r = run_all(&s);
	little_apply(&s, DEPLOYMENT("2", "a:1", ""));
	run_until_complete(&s, r);
	little_apply(&s, DEPLOYMENT("2", "a:2", "  paused: true\n"));
	run_until_complete(&s, r);
	assert_int_equal(cache_count(s.cache, KIND_REPLICA_SET), 1);
	little_apply(&s, DEPLOYMENT("4", "a:2", "  paused: true\n"));
	run_until_complete(&s, r);
	assert_int_equal(active_pods(&s), 4);
	assert_int_equal(cache_count(s.cache, KIND_REPLICA_SET), 1);
	little_apply(&s, DEPLOYMENT("4", "a:2", ""));
	run_until_complete(&s, r);
	assert_int_equal(cache_count(s.cache, KIND_REPLICA_SET), 2);
	assert_int_equal(the_deployment(&s)->status.updated_replicas, 4);
	reconciler_free(r);
	little_stop(&s);
}

static void forgets_old_revisions(void **state)
{
	struct little_server s;
	struct reconciler *r = run_all(&s);
	little_apply(&s, DEPLOYMENT("1", "a:1", "  revisionHistoryLimit: 1\n"));
	run_until_complete(&s, r);
	little_apply(&s, DEPLOYMENT("1", "a:2", "  revisionHistoryLimit: 1\n"));
	run_until_complete(&s, r);
	little_apply(&s, DEPLOYMENT("1", "a:3", "  revisionHistoryLimit: 1\n"));
	run_until_complete(&s, r);
	assert_int_equal(cache_count(s.cache, KIND_REPLICA_SET), 2);
	reconciler_free(r);
	little_stop(&s);
}

static void reports_failing_pods(void **state)
{
	struct little_server s;
	struct reconciler *r = run_all(&s);
	log_setup(LOG_LEVEL_ERROR, false);
	s.fail_create = RC_INVALID;
	s.fail_kind = KIND_POD;
	little_apply(&s, DEPLOYMENT("1", "a:1", ""));
	for (int i = 0; i < 50; i++)
		loop_run_once(s.client.loop, 5);
	little_settle(&s, r);
	assert_true(has_event(&s, "Error creating: refused by the test"));
	const struct deployment *d = the_deployment(&s);
	assert_true(str_is(condition(d, "ReplicaFailure")->reason, "FailedCreate"));
	assert_true(str_is(condition(d, "ReplicaFailure")->message, "refused by the test"));
	s.fail_create = RC_OK;
	for (int i = 0; i < 200 && active_pods(&s) < 1; i++)
		loop_run_once(s.client.loop, 20);
	run_until_complete(&s, r);
	assert_int_equal(active_pods(&s), 1);
	assert_true(str_is(condition(the_deployment(&s), "Available")->status, "True"));
	for (uint32_t i = 0; i < the_deployment(&s)->status.conditions.count; i++)
		assert_false(
			str_is(the_deployment(&s)->status.conditions.at[i].type, "ReplicaFailure"));
	reconciler_free(r);
	little_stop(&s);
}

/* --- plans on literal caches --- */

#define SET(name, replicas, ready, image, revision, more)                                          \
	"---\n"                                                                                    \
	"kind: ReplicaSet\n"                                                                       \
	"apiVersion: apps/v1\n"                                                                    \
	"metadata:\n"                                                                              \
	"  name: " name "\n"                                                                       \
	"  labels: {app: web, pod-template-hash: " name "}\n"                                      \
	"  creationTimestamp: 2025-12-0" revision "T00:00:00Z\n"                                   \
	"  annotations: {deployment.kubernetes.io/revision: '" revision "'" more "}\n"             \
	"  ownerReferences: [{kind: Deployment, apiVersion: apps/v1, name: web, uid: uid-web, "    \
	"controller: true}]\n"                                                                     \
	"spec:\n"                                                                                  \
	"  replicas: " replicas "\n"                                                               \
	"  selector: {matchLabels: {app: web, pod-template-hash: " name "}}\n"                     \
	"  template:\n"                                                                            \
	"    metadata: {labels: {app: web, pod-template-hash: " name "}}\n"                        \
	"    spec: {containers: [{name: c, image: " image "}]}\n"                                  \
	"status: {replicas: " replicas ", readyReplicas: " ready ", availableReplicas: " ready     \
	"}\n"

#define DESIRED(n, max)                                                                            \
	", deployment.kubernetes.io/desired-replicas: '" n                                         \
	"', deployment.kubernetes.io/max-replicas: '" max "'"

struct row {
	const char *what, *cluster, *want;
};

/* Lines of the events only, as they say most. */
static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		CLEANUP_ARENA a = {};
		struct cache *c = literal_cache(rows[i].cluster);
		struct plan p = literal_plan(&a, c, &deployment_controller, NULL, "default", "web");
		const char *events = strstr(literal_text(&p), "event ");
		events = events ? events : "";
		if (strcmp(events, rows[i].want) != 0)
			fail_msg("%s: wanted\n%sgot\n%s", rows[i].what, rows[i].want,
				 literal_text(&p));
		cache_free(c);
	}
}

#define UP(name, from, to)                                                                         \
	"event Normal ScalingReplicaSet Scaled up replica set " name " from " from " to " to "\n"
#define DOWN(name, from, to)                                                                       \
	"event Normal ScalingReplicaSet Scaled down replica set " name " from " from " to " to "\n"
#define ROLLING(surge, unavailable)                                                                \
	"  strategy: {rollingUpdate: {maxSurge: " surge ", maxUnavailable: " unavailable "}}\n"

static void sizes_follow_upstream(void **state)
{
	static const struct row rows[] = {
		{"surge first",
		 DEPLOYMENT("4", "a:2", "") SET("old", "4", "4", "a:1", "1", DESIRED("4", "5"))
			 SET("new", "0", "0", "a:2", "2", DESIRED("4", "5")),
		 UP("new", "0", "1")},
		{"then as many old ones as may be missing",
		 DEPLOYMENT("4", "a:2", "") SET("old", "4", "4", "a:1", "1", DESIRED("4", "5"))
			 SET("new", "1", "0", "a:2", "2", DESIRED("4", "5")),
		 DOWN("old", "4", "3")},
		{"new ones that are not available hold it up",
		 DEPLOYMENT("4", "a:2", "") SET("old", "3", "3", "a:1", "1", DESIRED("4", "5"))
			 SET("new", "2", "0", "a:2", "2", DESIRED("4", "5")),
		 ""},
		{"no surge: old ones go first",
		 DEPLOYMENT("4", "a:2", ROLLING("0", "2"))
			 SET("old", "4", "4", "a:1", "1", DESIRED("4", "4"))
				 SET("new", "0", "0", "a:2", "2", DESIRED("4", "4")),
		 DOWN("old", "4", "2")},
		{"unhealthy old ones cost nothing",
		 DEPLOYMENT("10", "a:2", ROLLING("0", "2"))
			 SET("old", "10", "8", "a:1", "1", DESIRED("10", "10"))
				 SET("new", "0", "0", "a:2", "2", DESIRED("10", "10")),
		 DOWN("old", "10", "8")},
		{"percentages: surge up, unavailable down",
		 DEPLOYMENT("10", "a:2", ROLLING("25%", "25%"))
			 SET("old", "10", "10", "a:1", "1", DESIRED("10", "13"))
				 SET("new", "0", "0", "a:2", "2", DESIRED("10", "13")),
		 UP("new", "0", "3")},
		{"proportional scaling",
		 DEPLOYMENT("20", "a:2", ROLLING("5", "0"))
			 SET("old", "10", "10", "a:1", "1", DESIRED("10", "15"))
				 SET("new", "5", "5", "a:2", "2", DESIRED("10", "15")),
		 UP("old", "10", "17") UP("new", "5", "8")},
		{"scaling when all are new empties the others",
		 DEPLOYMENT("5", "a:2", "") SET("old", "1", "0", "a:1", "1", DESIRED("4", "5"))
			 SET("new", "5", "5", "a:2", "2", DESIRED("5", "7")),
		 DOWN("old", "1", "0")},
		{"the only active set takes the size",
		 DEPLOYMENT("7", "a:2", "") SET("new", "5", "5", "a:2", "2", DESIRED("5", "7")),
		 UP("new", "5", "7")},
		{"recreate empties the old first",
		 DEPLOYMENT("2", "a:2", "  strategy: {type: Recreate}\n")
			 SET("old", "2", "2", "a:1", "1", DESIRED("2", "2")),
		 DOWN("old", "2", "0")},
		{"a selector for everything is refused",
		 "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: web}\nspec: {selector: "
		 "{}}\n",
		 "event Warning SelectingAll This deployment is selecting all pods. A non-empty "
		 "selector is required.\n"},
	};
	check_rows(rows, ARRAY_LEN(rows));
}

static void first_plan_in_full(void **state)
{
	CLEANUP_ARENA a = {};
	struct cache *c = literal_cache(DEPLOYMENT("3", "a:1", ""));
	struct plan p = literal_plan(&a, c, &deployment_controller, NULL, "default", "web");
	assert_int_equal(p.count, 2);
	const char *name = arena_cstr(&a, p.requests[0].name);
	assert_string_equal(literal_text(&p),
			    arena_cstr(&a, arena_printf(&a,
							"create ReplicaSet default/%s\n"

							"update Deployment default/web status\n"
							"event Normal ScalingReplicaSet Scaled up "
							"replica set %s from 0 to 3\n",
							name, name)));
	assert_true(str_has_prefix(str_of(name), STR("web-")));
	assert_string_equal(literal_at(&p, 0, "spec.replicas"), "3");
	const char *labels = arena_cstr(
		&a, arena_printf(&a, "{\"app\":\"web\",\"pod-template-hash\":\"%s\"}", name + 4));
	assert_string_equal(literal_at(&p, 0, "metadata.labels"), labels);
	assert_string_equal(literal_at(&p, 0, "spec.selector.matchLabels"), labels);
	assert_string_equal(literal_at(&p, 0, "spec.template.metadata.labels"), labels);
	assert_string_equal(literal_at(&p, 0, "metadata.annotations"),
			    "{\"note\":\"x\",\"deployment.kubernetes.io/revision\":\"1\","
			    "\"deployment.kubernetes.io/desired-replicas\":\"3\","
			    "\"deployment.kubernetes.io/max-replicas\":\"4\"}");
	assert_string_equal(
		literal_at(&p, 0, "metadata.ownerReferences"),
		"[{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"web\","
		"\"uid\":\"uid-web\",\"controller\":true,\"blockOwnerDeletion\":true}]");
	assert_string_equal(literal_at(&p, 1, "metadata.annotations"),
			    "{\"note\":\"x\",\"deployment.kubernetes.io/revision\":\"1\"}");
	cache_free(c);
}

static void deadline_passes(void **state)
{
	static const char progressing[] =
		"status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, "
		"unavailableReplicas: 1, conditions: [{type: Available, status: 'False', reason: "
		"MinimumReplicasUnavailable}, {type: Progressing, status: 'True', reason: "
		"ReplicaSetUpdated, lastUpdateTime: 2025-12-31T23:%s}]}\n";
	static const struct {
		const char *since, *reason;
		int64_t again_ms;
	} rows[] = {
		{"49:00Z", "ProgressDeadlineExceeded", 0},
		{"59:00Z", "ReplicaSetUpdated", 541001},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct str status = arena_printf(&a, progressing, rows[i].since);
		struct str text = arena_printf(&a, "%s%.*s%s", DEPLOYMENT("1", "a:1", ""),
					       STR_FMT(status),
					       SET("new", "1", "0", "a:1", "1", DESIRED("1", "2")));
		struct cache *c = literal_cache(text.at);
		struct plan p = literal_plan(&a, c, &deployment_controller, NULL, "default", "web");
		assert_int_equal(p.requeue_ms, rows[i].again_ms);
		const char *body = literal_body(&p, p.count - 1);
		assert_non_null(strstr(body, rows[i].reason));
		cache_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_plan_in_full),
		cmocka_unit_test(sizes_follow_upstream),
		cmocka_unit_test(deadline_passes),
		cmocka_unit_test(rolls_out_and_updates),
		cmocka_unit_test(scales),
		cmocka_unit_test(recreates),
		cmocka_unit_test(pauses),
		cmocka_unit_test(forgets_old_revisions),
		cmocka_unit_test(reports_failing_pods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
