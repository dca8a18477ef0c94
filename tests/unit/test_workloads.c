/* DaemonSets, StatefulSets, Jobs and CronJobs, with the real scheduler and a little server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "control/control.h"
#include "control/controllers.h"
#include "control/cron_schedule.h"
#include "literal.h"
#include "little_server.h"
#include "sched/sched.h"

struct world {
	struct little_server s;
	struct control_settings settings;
	struct reconciler *r;
	struct sched *sched;
};

static void begin(struct world *w)
{
	*w = (struct world){};
	little_start(&w->s);
	w->r = reconciler_new(w->s.cache, little_client, &w->s, controllers, controllers_count,
			      &w->settings);
	w->sched = sched_new(&w->s.client, w->s.cache, NULL);
}

static void end(struct world *w)
{
	sched_free(w->sched);
	reconciler_free(w->r);
	little_stop(&w->s);
}

static void settle(struct world *w)
{
	for (int i = 0; i < 12; i++) {
		little_settle(&w->s, w->r);
		for (int j = 0; j < 20; j++)
			loop_run_once(w->s.client.loop, 0);
		little_kubelet_on(&w->s, false);
	}
	little_settle(&w->s, w->r);
}

static const void *get(struct world *w, uint16_t kind, const char *name)
{
	struct object *o = cache_get(w->s.cache, kind, STR("default"), str_of(name));
	return o ? object_view(o) : NULL;
}

static size_t pods_alive(struct world *w)
{
	size_t count = 0;
	struct object *o;
	for (struct cache_iter it = cache_iterate(w->s.cache, KIND_POD, STR(""));
	     (o = cache_next(&it));)
		count += !o->is_deleting;
	return count;
}

static bool has_event(struct world *w, const char *message)
{
	struct object *o;
	for (struct cache_iter it = cache_iterate(w->s.cache, KIND_EVENT, STR(""));
	     (o = cache_next(&it));)
		if (str_is(((const struct event *)object_view(o))->message, message))
			return true;
	return false;
}

/* Ends all running pods of the world in a phase. */
static void finish_pods(struct world *w, const char *phase)
{
	struct object *pods[100], *o;
	size_t count = 0;
	for (struct cache_iter it = cache_iterate(w->s.cache, KIND_POD, STR(""));
	     (o = cache_next(&it));)
		if (str_is(((const struct pod *)object_view(o))->status.phase, "Running"))
			pods[count++] = object_ref(o);
	for (size_t i = 0; i < count; i++) {
		little_run_pod(&w->s, pods[i], false, phase);
		object_unref(pods[i]);
	}
}

#define NODE(name, spec)                                                                           \
	"---\nkind: Node\napiVersion: v1\nmetadata: {name: " name                                  \
	", labels: {disk: ssd}}\nspec: {" spec                                                     \
	"}\nstatus: {allocatable: {cpu: '4', memory: 8Gi, pods: '50'}, conditions: [{type: "       \
	"Ready, status: 'True'}]}\n"
#define TEMPLATE(image)                                                                            \
	"  template: {metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: " image   \
	"}]}}\n"

#define DAEMON(image)                                                                              \
	"kind: DaemonSet\napiVersion: apps/v1\nmetadata: {name: ds, generation: 1}\nspec:\n"       \
	"  selector: {matchLabels: {app: x}}\n" TEMPLATE(image)

static void daemon_sets(void **state)
{
	struct world w;
	begin(&w);
	literal_put(w.s.cache, NODE("n1", "") NODE("n2", "")
				       NODE("n3", "taints: [{key: k, effect: NoSchedule}]"));
	little_apply(&w.s, DAEMON("a:1"));
	settle(&w);
	const struct daemon_set *ds = get(&w, KIND_DAEMON_SET, "ds");
	assert_int_equal(ds->status.desired_number_scheduled, 2);
	assert_int_equal(ds->status.number_ready, 2);
	assert_int_equal(ds->status.updated_number_scheduled, 2);
	assert_int_equal(ds->status.number_unavailable, 0);
	assert_int_equal(pods_alive(&w), 2);
	assert_int_equal(cache_count(w.s.cache, KIND_CONTROLLER_REVISION), 1);
	/* A node more, a pod more; a cordoned node keeps its own. */
	literal_put(w.s.cache, NODE("n4", "") NODE("n1", "unschedulable: true"));
	settle(&w);
	assert_int_equal(pods_alive(&w), 3);
	/* An update goes one by one and ends with all. */
	little_apply(&w.s, DAEMON("a:2"));
	settle(&w);
	settle(&w);
	ds = get(&w, KIND_DAEMON_SET, "ds");
	assert_int_equal(ds->status.updated_number_scheduled, 3);
	assert_int_equal(ds->status.number_available, 3);
	assert_int_equal(cache_count(w.s.cache, KIND_CONTROLLER_REVISION), 2);
	/* A node that must not have it any more. */
	literal_put(w.s.cache, NODE("n4", "taints: [{key: k, effect: NoExecute}]"));
	settle(&w);
	assert_int_equal(pods_alive(&w), 2);
	end(&w);
}

#define STATEFUL(replicas, image, more)                                                            \
	"kind: StatefulSet\napiVersion: apps/v1\nmetadata: {name: db, generation: 1}\nspec:\n"     \
	"  replicas: " replicas "\n  serviceName: db\n" more                                       \
	"  selector: {matchLabels: {app: x}}\n" TEMPLATE(                                          \
		image) "  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: "    \
		       "[ReadWriteOnce], "                                                         \
		       "storageClassName: fast, resources: {requests: {storage: 1Gi}}}}]\n"
#define FAST                                                                                       \
	"---\nkind: StorageClass\napiVersion: storage.k8s.io/v1\nmetadata: {name: fast}\n"         \
	"provisioner: p\nvolumeBindingMode: WaitForFirstConsumer\n"

static void stateful_sets(void **state)
{
	struct world w;
	begin(&w);
	literal_put(w.s.cache, NODE("n1", "") FAST);
	little_apply(&w.s, STATEFUL("3", "a:1", ""));
	little_settle(&w.s, w.r);
	assert_non_null(get(&w, KIND_POD, "db-0")); /* the next comes when it stands */
	assert_null(get(&w, KIND_POD, "db-1"));
	settle(&w);
	const struct stateful_set *set = get(&w, KIND_STATEFUL_SET, "db");
	assert_int_equal(set->status.ready_replicas, 3);
	assert_int_equal(set->status.available_replicas, 3);
	assert_true(str_eq(set->status.current_revision, set->status.update_revision));
	const struct pod *pod = get(&w, KIND_POD, "db-2");
	assert_true(str_is(pod->spec.hostname, "db-2") && str_is(pod->spec.subdomain, "db"));
	assert_true(
		str_is(str_map_cget(&pod->metadata.labels, "apps.kubernetes.io/pod-index"), "2"));
	assert_true(str_eq(str_map_cget(&pod->metadata.labels, "controller-revision-hash"),
			   set->status.update_revision));
	assert_true(
		str_is(pod->spec.volumes.at[0].persistent_volume_claim->claim_name, "data-db-2"));
	assert_non_null(get(&w, KIND_PERSISTENT_VOLUME_CLAIM, "data-db-2"));
	assert_true(has_event(&w, "create Pod db-0 in StatefulSet db successful"));
	assert_true(has_event(&w, "create Claim data-db-0 Pod db-0 in StatefulSet db success"));
	/* A partition: only db-2 is updated. */
	little_apply(&w.s,
		     STATEFUL("3", "a:2", "  updateStrategy: {rollingUpdate: {partition: 2}}\n"));
	settle(&w);
	pod = get(&w, KIND_POD, "db-2");
	assert_true(str_is(pod->spec.containers.at[0].image, "a:2"));
	pod = get(&w, KIND_POD, "db-1");
	assert_true(str_is(pod->spec.containers.at[0].image, "a:1"));
	set = get(&w, KIND_STATEFUL_SET, "db");
	assert_int_equal(set->status.updated_replicas, 1);
	assert_int_equal(set->status.current_replicas, 2);
	/* All, then fewer: the highest goes first, claims stay. */
	little_apply(&w.s, STATEFUL("3", "a:2", ""));
	settle(&w);
	set = get(&w, KIND_STATEFUL_SET, "db");
	assert_int_equal(set->status.updated_replicas, 3);
	assert_true(str_eq(set->status.current_revision, set->status.update_revision));
	little_apply(&w.s, STATEFUL("1", "a:2", ""));
	settle(&w);
	assert_int_equal(pods_alive(&w), 1);
	assert_non_null(get(&w, KIND_POD, "db-0"));
	assert_int_equal(cache_count(w.s.cache, KIND_PERSISTENT_VOLUME_CLAIM), 3);
	end(&w);
}

#define JOB(more)                                                                                  \
	"kind: Job\napiVersion: batch/v1\nmetadata: {name: job, generation: 1}\nspec: {" more      \
	"selector: {matchLabels: {app: x}}, manualSelector: true, template: {metadata: {labels: "  \
	"{app: x}}, spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}\n"

static bool job_is(struct world *w, const char *type, const char *reason)
{
	const struct job *job = get(w, KIND_JOB, "job");
	for (uint32_t i = 0; i < job->status.conditions.count; i++)
		if (str_is(job->status.conditions.at[i].type, type))
			return str_is(job->status.conditions.at[i].status, "True") &&
			       str_is(job->status.conditions.at[i].reason, reason);
	return false;
}

static void jobs_complete(void **state)
{
	struct world w;
	begin(&w);
	literal_put(w.s.cache, NODE("n1", ""));
	literal_put(w.s.cache, JOB("completions: 3, parallelism: 2, "));
	settle(&w);
	const struct job *job = get(&w, KIND_JOB, "job");
	assert_int_equal(job->status.active, 2);
	assert_int_equal(*job->status.ready, 2);
	assert_true(job->status.start_time > 0);
	finish_pods(&w, "Succeeded");
	settle(&w);
	job = get(&w, KIND_JOB, "job");
	assert_int_equal(job->status.succeeded, 2);
	assert_int_equal(job->status.active, 1);
	finish_pods(&w, "Succeeded");
	settle(&w);
	job = get(&w, KIND_JOB, "job");
	assert_int_equal(job->status.succeeded, 3);
	assert_int_equal(job->status.active, 0);
	assert_true(job->status.completion_time > 0);
	assert_true(job_is(&w, "SuccessCriteriaMet", "CompletionsReached"));
	assert_true(job_is(&w, "Complete", "CompletionsReached"));
	assert_true(has_event(&w, "Job completed"));
	struct object *o;
	for (struct cache_iter it = cache_iterate(w.s.cache, KIND_POD, STR(""));
	     (o = cache_next(&it));)
		assert_int_equal(object_meta(o)->finalizers.count, 0);
	end(&w);
}

static void jobs_fail(void **state)
{
	struct world w;
	begin(&w);
	literal_put(w.s.cache, NODE("n1", ""));
	literal_put(w.s.cache, JOB("backoffLimit: 0, "));
	settle(&w);
	finish_pods(&w, "Failed");
	settle(&w);
	const struct job *job = get(&w, KIND_JOB, "job");
	assert_int_equal(job->status.failed, 1);
	assert_true(job_is(&w, "Failed", "BackoffLimitExceeded"));
	assert_true(has_event(&w, "Job has reached the specified backoff limit"));
	end(&w);
}

static void jobs_have_indexes(void **state)
{
	struct world w;
	begin(&w);
	literal_put(w.s.cache, NODE("n1", ""));
	literal_put(w.s.cache, JOB("completions: 3, parallelism: 3, completionMode: Indexed, "));
	settle(&w);
	assert_int_equal(pods_alive(&w), 3);
	struct object *o;
	for (struct cache_iter it = cache_iterate(w.s.cache, KIND_POD, STR(""));
	     (o = cache_next(&it));) {
		const struct pod *pod = object_view(o);
		assert_true(str_has_prefix(pod->spec.hostname, STR("job-")));
		assert_true(
			str_is(pod->spec.containers.at[0].env.at[0].name, "JOB_COMPLETION_INDEX"));
	}
	finish_pods(&w, "Succeeded");
	settle(&w);
	const struct job *job = get(&w, KIND_JOB, "job");
	assert_true(str_is(job->status.completed_indexes, "0-2"));
	assert_int_equal(job->status.succeeded, 3);
	assert_true(job_is(&w, "Complete", "CompletionsReached"));
	end(&w);
}

static void jobs_are_suspended(void **state)
{
	struct world w;
	begin(&w);
	literal_put(w.s.cache, NODE("n1", ""));
	literal_put(w.s.cache, JOB("suspend: true, "));
	settle(&w);
	assert_int_equal(pods_alive(&w), 0);
	assert_true(job_is(&w, "Suspended", "JobSuspended"));
	end(&w);
}

/* --- cron --- */

static void schedules(void **state)
{
	static const struct {
		const char *schedule, *next, *last; /* of 2026-01-01T00:00:00Z, a Thursday */
	} rows[] = {
		{"* * * * *", "2026-01-01T00:01:00Z", "2026-01-01T00:00:00Z"},
		{"*/15 * * * *", "2026-01-01T00:15:00Z", "2026-01-01T00:00:00Z"},
		{"5 4 * * *", "2026-01-01T04:05:00Z", "2025-12-31T04:05:00Z"},
		{"0 0 29 2 *", "2028-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
		{"0 12 * * mon-wed", "2026-01-05T12:00:00Z", "2025-12-31T12:00:00Z"},
		{"30 1,13 1 JAN ?", "2026-01-01T01:30:00Z", "2025-01-01T13:30:00Z"},
		{"0 0 13 * 5", "2026-01-02T00:00:00Z", "2025-12-26T00:00:00Z"},
		{"@weekly", "2026-01-04T00:00:00Z", "2025-12-28T00:00:00Z"},
	};
	static const char *const bad[] = {"",	       "* * * *",     "60 * * * *", "* * * * * *",
					  "a * * * *", "*/0 * * * *", "5-1 * * * *"};
	struct cron_schedule s;
	char text[TIME_TEXT_MAX];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(cron_parse(str_of(rows[i].schedule), &s));
		time_format(cron_next(&s, LITERAL_NOW_US), text);
		assert_string_equal(text, rows[i].next);
		time_format(cron_last(&s, LITERAL_NOW_US), text);
		assert_string_equal(text, rows[i].last);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(cron_parse(str_of(bad[i]), &s));
}

#define CRON(more)                                                                                 \
	"---\nkind: CronJob\napiVersion: batch/v1\nmetadata: {name: cj, creationTimestamp: "       \
	"2025-12-31T23:58:30Z}\nspec: {schedule: '* * * * *', " more                               \
	"jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, "     \
	"image: i}]}}}}}\n"
#define CRON_JOB_OF(name, status)                                                                  \
	"---\nkind: Job\napiVersion: batch/v1\nmetadata: {name: " name                             \
	", ownerReferences: [{kind: "                                                              \
	"CronJob, apiVersion: batch/v1, name: cj, uid: uid-cj, controller: true}]}\n"              \
	"spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}\n"    \
	"status: {" status "}\n"

static void cron_jobs(void **state)
{
	static const struct {
		const char *what, *cluster, *want;
	} rows[] = {
		{"it is time", CRON(""),
		 "create Job default/cj-29453760\nupdate CronJob default/cj status\nevent Normal "
		 "SuccessfulCreate Created job \n"},
		{"suspended", CRON("suspend: true, "), ""},
		{"too late", CRON("startingDeadlineSeconds: 0, "),
		 "create Job default/cj-29453760\nupdate CronJob default/cj status\nevent Normal "
		 "SuccessfulCreate Created job \n"},
		{"not beside another", CRON("concurrencyPolicy: Forbid, ") CRON_JOB_OF("j", ""),
		 "update CronJob default/cj status\nevent Normal JobAlreadyActive Not starting job "
		 "because prior execution is running and concurrency policy is Forbid\n"},
		{"instead of another", CRON("concurrencyPolicy: Replace, ") CRON_JOB_OF("j", ""),
		 "delete Job default/j Background\ncreate Job default/cj-29453760\nupdate CronJob "
		 "default/cj status\n"
		 "event Normal SuccessfulDelete Deleted job \nevent Normal SuccessfulCreate "
		 "Created job \n"},
		{"old ones go",
		 CRON("suspend: true, failedJobsHistoryLimit: 0, ")
			 CRON_JOB_OF("j", "conditions: [{type: Failed, status: 'True'}]"),
		 "delete Job default/j Background\nevent Normal SuccessfulDelete Deleted job \n"},
		{"a zone we do not know", CRON("timeZone: Europe/Berlin, "),
		 "event Warning UnknownTimeZone invalid timeZone: \"Europe/Berlin\": only UTC is "
		 "supported\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct cache *c = literal_cache(rows[i].cluster);
		struct plan p = literal_plan(&a, c, &cron_job_controller, NULL, "default", "cj");
		if (strcmp(literal_text(&p), rows[i].want) != 0)
			fail_msg("%s: wanted\n%sgot\n%s", rows[i].what, rows[i].want,
				 literal_text(&p));
		cache_free(c);
	}
}

static void finished_jobs_go(void **state)
{
	CLEANUP_ARENA a = {};
	struct cache *c =
		literal_cache("kind: Job\napiVersion: batch/v1\nmetadata: {name: j}\nspec: "
			      "{ttlSecondsAfterFinished: 60, template: {spec: "
			      "{restartPolicy: Never, containers: [{name: c, image: "
			      "i}]}}}\nstatus: {conditions: [{type: Complete, status: 'True', "
			      "lastTransitionTime: 2025-12-31T23:59:30Z}]}\n");
	struct plan p = literal_plan(&a, c, &ttl_after_finished_controller, NULL, "default", "j");
	assert_string_equal(literal_text(&p), "");
	assert_int_equal(p.requeue_ms, 30001);
	p.now_us += 31000000;
	ttl_after_finished_controller.plan(&p, STR("default"), STR("j"));
	assert_string_equal(literal_text(&p), "delete Job default/j Foreground\n");
	cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(daemon_sets),	     cmocka_unit_test(stateful_sets),
		cmocka_unit_test(jobs_complete),     cmocka_unit_test(jobs_fail),
		cmocka_unit_test(jobs_have_indexes), cmocka_unit_test(jobs_are_suspended),
		cmocka_unit_test(schedules),	     cmocka_unit_test(cron_jobs),
		cmocka_unit_test(finished_jobs_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
