/* CronJobs: a Job at each time of a schedule.  Schedules are in UTC; another timeZone is refused
 * with an event, as upstream refuses one it does not know. */
#include "base/timefmt.h"
#include "control/common.h"
#include "control/controllers.h"
#include "control/cron_schedule.h"

#define COMPONENT "cronjob-controller"
#define SCHEDULED "batch.kubernetes.io/cronjob-scheduled-timestamp"
#define SKEW_US	  100000

struct sync {
	struct plan *p;
	const struct object *o;
	const struct cron_job *cj;
	struct cron_job_status status;
	struct object_list active, succeeded, failed; /* its jobs */
};

static bool is_true(const struct job *job, const char *type)
{
	for (uint32_t i = 0; i < job->status.conditions.count; i++)
		if (str_is(job->status.conditions.at[i].type, type))
			return str_is(job->status.conditions.at[i].status, "True");
	return false;
}

static bool was_active(const struct sync *s, const struct object *o)
{
	for (uint32_t i = 0; i < s->cj->status.active.count; i++)
		if (str_eq(s->cj->status.active.at[i].uid, o->uid))
			return true;
	return false;
}

static void find_jobs(struct sync *s)
{
	const struct object *o;
	struct cache_iter it = cache_owned(s->p->cache, KIND_JOB, s->o->namespace, s->o->uid);
	while ((o = cache_next(&it))) {
		const struct job *job = object_view(o);
		bool is_complete = is_true(job, "Complete"), has_failed = is_true(job, "Failed");
		if (is_complete)
			LIST_ADD(s->p->arena, &s->succeeded, o);
		else if (has_failed)
			LIST_ADD(s->p->arena, &s->failed, o);
		else
			LIST_ADD(s->p->arena, &s->active, o);
		if (is_complete)
			s->status.last_successful_time =
				MAX(s->status.last_successful_time, job->status.completion_time);
		if ((is_complete || has_failed) && was_active(s, o))
			plan_event(s->p, s->o, COMPONENT, "Normal", "SawCompletedJob",
				   "Saw completed job: %.*s, condition: %s", STR_FMT(o->name),
				   is_complete ? "Complete" : "Failed");
	}
	struct object_reference *refs =
		ARENA_ARRAY(s->p->arena, struct object_reference, s->active.count);
	for (size_t i = 0; i < s->active.count; i++)
		refs[i] = (struct object_reference){
			.kind = STR("Job"),
			.namespace = s->active.at[i]->namespace,
			.name = s->active.at[i]->name,
			.uid = s->active.at[i]->uid,
			.api_version = STR("batch/v1"),
			.resource_version = object_meta(s->active.at[i])->resource_version};
	s->status.active = (struct object_reference_array){refs, (uint32_t)s->active.count};
}

/* --- history --- */

static int oldest_first(const void *a, const void *b)
{
	const struct object *left = *(const struct object *const *)a;
	const struct object *right = *(const struct object *const *)b;
	int64_t left_us = ((const struct job *)object_view(left))->status.start_time;
	int64_t right_us = ((const struct job *)object_view(right))->status.start_time;
	if (left_us != right_us)
		return left_us < right_us ? -1 : 1;
	return str_cmp(left->name, right->name);
}

static void delete_job(struct sync *s, const struct object *o)
{
	plan_delete(s->p, KIND_JOB, o, STR("Background"));
	plan_event_when(s->p, PLAN_NOTE_NAMED, s->o, COMPONENT, "Normal", "SuccessfulDelete",
			"Deleted job ");
}

static void drop_oldest(struct sync *s, struct object_list *jobs, const int32_t *limit)
{
	size_t most = (size_t)MAX(i32_or(limit, INT32_MAX), 0);
	if (jobs->count <= most)
		return;
	qsort(jobs->at, jobs->count, sizeof(*jobs->at), oldest_first);
	for (size_t i = 0; i < jobs->count - most; i++)
		if (!jobs->at[i]->is_deleting)
			delete_job(s, jobs->at[i]);
}

/* --- starting --- */

static void start_job(struct sync *s, int64_t time_us)
{
	struct arena *a = s->p->arena;
	const struct job_template_spec *template = &s->cj->spec.job_template;
	struct job job = {.spec = template->spec};
	job.metadata.name = arena_printf(a, "%.*s-%lld", STR_FMT(s->o->name),
					 (long long)(time_us / SECOND_US / 60));
	job.metadata.namespace = s->o->namespace;
	job.metadata.labels = template->metadata.labels;
	job.metadata.annotations = str_map_with(a, &template->metadata.annotations, STR(SCHEDULED),
						time_text(a, time_us));
	job.metadata.owner_references = owner_controller(s->p, s->o);
	if (cache_get(s->p->cache, KIND_JOB, s->o->namespace, job.metadata.name))
		return;
	plan_create(s->p, KIND_JOB, s->o->namespace, &job);
	plan_event_when(s->p, PLAN_NOTE_NAMED, s->o, COMPONENT, "Normal", "SuccessfulCreate",
			"Created job ");
	plan_event_when(s->p, PLAN_NOTE_FAILED, s->o, COMPONENT, "Warning", "FailedCreate",
			"Error creating job: ");
}

static bool may_start(struct sync *s, int64_t time_us)
{
	const int64_t *deadline_s = s->cj->spec.starting_deadline_seconds;
	if (deadline_s && time_us + *deadline_s * SECOND_US < s->p->now_us) {
		plan_event(s->p, s->o, COMPONENT, "Warning", "MissSchedule",
			   "Missed scheduled time to start a job: %.*s",
			   STR_FMT(time_text(s->p->arena, time_us)));
		return false;
	}
	if (!s->active.count)
		return true;
	if (str_is(s->cj->spec.concurrency_policy, "Forbid")) {
		plan_event(s->p, s->o, COMPONENT, "Normal", "JobAlreadyActive",
			   "Not starting job because prior execution is running and concurrency "
			   "policy is Forbid");
		return false;
	}
	if (str_is(s->cj->spec.concurrency_policy, "Replace"))
		for (size_t i = 0; i < s->active.count; i++)
			if (!s->active.at[i]->is_deleting)
				delete_job(s, s->active.at[i]);
	return true;
}

static void follow_schedule(struct sync *s, const struct cron_schedule *schedule)
{
	int64_t next_us = cron_next(schedule, s->p->now_us);
	int64_t last_us = cron_last(schedule, s->p->now_us);
	int64_t since_us = s->cj->status.last_schedule_time ? s->cj->status.last_schedule_time
							    : s->cj->metadata.creation_timestamp;
	if (next_us)
		plan_again_at(s->p, next_us + SKEW_US);
	if (!last_us || last_us <= since_us || !may_start(s, last_us))
		return;
	start_job(s, last_us);
	/* A time whose job could not be made is not over. */
	plan_barrier(s->p);
	s->status.last_schedule_time = last_us;
}

/* --- the plan --- */

static bool status_differs(const struct cron_job_status *a, const struct cron_job_status *b)
{
	if (a->last_schedule_time != b->last_schedule_time ||
	    a->last_successful_time != b->last_successful_time ||
	    a->active.count != b->active.count)
		return true;
	for (uint32_t i = 0; i < a->active.count; i++)
		if (!str_eq(a->active.at[i].uid, b->active.at[i].uid))
			return true;
	return false;
}

static void sync_schedule(struct sync *s)
{
	struct cron_schedule schedule;
	struct str zone = s->cj->spec.time_zone;
	if (s->cj->spec.suspend && *s->cj->spec.suspend)
		return;
	if (zone.len && !str_is(zone, "UTC") && !str_is(zone, "Etc/UTC"))
		plan_event(s->p, s->o, COMPONENT, "Warning", "UnknownTimeZone",
			   "invalid timeZone: \"%.*s\": only UTC is supported", STR_FMT(zone));
	else if (!cron_parse(s->cj->spec.schedule, &schedule))
		plan_event(s->p, s->o, COMPONENT, "Warning", "UnparseableSchedule",
			   "unparseable schedule: %.*s", STR_FMT(s->cj->spec.schedule));
	else
		follow_schedule(s, &schedule);
}

static void plan_cron_job(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_CRON_JOB, namespace, name);
	if (!o || o->is_deleting)
		return;
	struct sync s = {.p = p, .o = o, .cj = object_view(o)};
	s.status = s.cj->status;
	find_jobs(&s);
	drop_oldest(&s, &s.succeeded, s.cj->spec.successful_jobs_history_limit);
	drop_oldest(&s, &s.failed, s.cj->spec.failed_jobs_history_limit);
	sync_schedule(&s);
	if (!status_differs(&s.status, &s.cj->status))
		return;
	struct cron_job copy = *s.cj;
	copy.status = s.status;
	plan_update_status(p, KIND_CRON_JOB, namespace, name, &copy);
}

static void map_job(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new)
{
	keys_add_controller(keys, cache, new ? new : old, KIND_CRON_JOB);
}

static const struct controller_watch watches[] = {{KIND_CRON_JOB, NULL}, {KIND_JOB, map_job}};

const struct controller cron_job_controller = {
	.name = "cronjob",
	.service_account = "cronjob-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_cron_job,
};
