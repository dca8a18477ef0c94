/* Jobs: pods until enough of them have succeeded. */
#include "control/controllers.h"
#include "control/job-int.h"

#define BACKOFF_FIRST_US (10 * SECOND_US)
#define BACKOFF_MOST_US	 (600 * SECOND_US)

/* --- conditions --- */

static const struct job_condition *condition(const struct job_status *status, const char *type)
{
	for (uint32_t i = 0; i < status->conditions.count; i++)
		if (str_is(status->conditions.at[i].type, type))
			return &status->conditions.at[i];
	return NULL;
}

static bool is_true(const struct job_status *status, const char *type)
{
	const struct job_condition *c = condition(status, type);
	return c && str_is(c->status, "True");
}

static void set_condition(struct job_sync *s, const char *type, bool value, struct str reason,
			  struct str message)
{
	uint32_t count = s->status.conditions.count, i = 0;
	struct job_condition *at = ARENA_ARRAY(s->p->arena, struct job_condition, count + 1);
	if (count)
		memcpy(at, s->status.conditions.at, count * sizeof(*at));
	while (i < count && !str_is(at[i].type, type))
		i++;
	at[i] = (struct job_condition){.type = str_of(type),
				       .status = value ? STR("True") : STR("False"),
				       .last_probe_time = now_s(s->p),
				       .last_transition_time = now_s(s->p),
				       .reason = reason,
				       .message = message};
	s->status.conditions = (struct job_condition_array){at, MAX(count, i + 1)};
}

static bool is_finished(const struct job_status *status)
{
	return is_true(status, "Complete") || is_true(status, "Failed");
}

/* --- verdicts --- */

static int32_t restarts(const struct job_sync *s)
{
	int32_t sum = 0;
	for (size_t i = 0; i < s->active.count; i++) {
		const struct container_status_array *all =
			&((const struct pod *)object_view(s->active.at[i]))
				 ->status.container_statuses;
		for (uint32_t j = 0; j < all->count; j++)
			sum += all->at[j].restart_count;
	}
	return sum;
}

static bool is_over_limit(const struct job_sync *s)
{
	int32_t limit = i32_or(s->job->spec.backoff_limit, 6);
	bool restarts_in_place = str_is(s->job->spec.template.spec.restart_policy, "OnFailure");
	return s->failed > limit || (restarts_in_place && limit > 0 && restarts(s) >= limit);
}

/* True when the deadline has passed; else the key runs again when it does. */
static bool is_over_deadline(struct job_sync *s)
{
	if (!s->job->spec.active_deadline_seconds || !s->status.start_time || s->is_suspended)
		return false;
	int64_t end_us = s->status.start_time + *s->job->spec.active_deadline_seconds * SECOND_US;
	if (end_us > s->p->now_us)
		plan_again_at(s->p, end_us);
	return end_us <= s->p->now_us;
}

static bool has_enough(const struct job_sync *s)
{
	if (s->completions == INT32_MAX)
		return s->succeeded > 0 && s->active.count == 0;
	return s->succeeded >= s->completions;
}

static void judge(struct job_sync *s)
{
	if (is_true(&s->status, "FailureTarget") || is_true(&s->status, "SuccessCriteriaMet"))
		return;
	if (is_over_limit(s))
		set_condition(s, "FailureTarget", true, STR("BackoffLimitExceeded"),
			      STR("Job has reached the specified backoff limit"));
	else if (is_over_deadline(s))
		set_condition(s, "FailureTarget", true, STR("DeadlineExceeded"),
			      STR("Job was active longer than specified deadline"));
	else if (has_enough(s))
		set_condition(s, "SuccessCriteriaMet", true, STR("CompletionsReached"),
			      STR("Reached expected number of succeeded pods"));
}

/* The last condition comes when nothing runs any more and all is counted. */
static void finish(struct job_sync *s)
{
	const struct uncounted_terminated_pods *left = s->status.uncounted_terminated_pods;
	const struct job_condition *failure = condition(&s->status, "FailureTarget");
	const struct job_condition *success = condition(&s->status, "SuccessCriteriaMet");
	if (left->succeeded.count || left->failed.count || s->active.count)
		return;
	if (failure && str_is(failure->status, "True")) {
		set_condition(s, "Failed", true, failure->reason, failure->message);
		plan_event(s->p, s->o, JOB_COMPONENT, "Warning",
			   arena_cstr(s->p->arena, failure->reason), "%.*s",
			   STR_FMT(failure->message));
	} else if (success && str_is(success->status, "True")) {
		set_condition(s, "Complete", true, success->reason, success->message);
		s->status.completion_time = now_s(s->p);
		plan_event(s->p, s->o, JOB_COMPONENT, "Normal", "Completed", "Job completed");
	}
}

/* --- pods --- */

static int32_t wanted_active(const struct job_sync *s)
{
	int32_t parallelism = i32_or(s->job->spec.parallelism, 1);
	if (s->is_suspended || is_true(&s->status, "FailureTarget") ||
	    is_true(&s->status, "SuccessCriteriaMet"))
		return 0;
	if (s->completions == INT32_MAX)
		return s->succeeded > 0 ? MIN((int32_t)s->active.count, parallelism) : parallelism;
	return MIN(parallelism, MAX(s->completions - s->succeeded, 0));
}

/* After failures new pods wait, longer each time. */
static bool is_backing_off(struct job_sync *s)
{
	if (s->recent_failures == 0)
		return false;
	int64_t delay_us = BACKOFF_MOST_US;
	if (s->recent_failures < 8)
		delay_us = MIN(BACKOFF_FIRST_US << (s->recent_failures - 1), BACKOFF_MOST_US);
	int64_t end_us = s->last_failure_us + delay_us;
	if (end_us > s->p->now_us)
		plan_again_at(s->p, end_us);
	return end_us > s->p->now_us;
}

static void manage(struct job_sync *s)
{
	int32_t wanted = wanted_active(s), active = (int32_t)s->active.count;
	if (active > wanted)
		job_delete_pods(s, active - wanted);
	else if (active < wanted && !is_backing_off(s))
		job_create_pods(s, wanted - active);
}

/* --- suspending --- */

static void note_suspension(struct job_sync *s)
{
	const struct job_condition *c = condition(&s->status, "Suspended");
	bool was_suspended = c && str_is(c->status, "True");
	if (s->is_suspended && !was_suspended) {
		set_condition(s, "Suspended", true, STR("JobSuspended"), STR("Job suspended"));
		s->status.start_time = 0;
		plan_event(s->p, s->o, JOB_COMPONENT, "Normal", "Suspended", "Job suspended");
	} else if (!s->is_suspended && was_suspended) {
		set_condition(s, "Suspended", false, STR("JobResumed"), STR("Job resumed"));
		s->status.start_time = now_s(s->p);
		plan_event(s->p, s->o, JOB_COMPONENT, "Normal", "Resumed", "Job resumed");
	}
	if (!s->is_suspended && !s->status.start_time)
		s->status.start_time = now_s(s->p);
}

/* --- status --- */

static bool uncounted_differ(const struct uncounted_terminated_pods *a,
			     const struct uncounted_terminated_pods *b)
{
	static const struct uncounted_terminated_pods none;
	a = a ? a : &none;
	b = b ? b : &none;
	if (a->succeeded.count != b->succeeded.count || a->failed.count != b->failed.count)
		return true;
	for (uint32_t i = 0; i < a->succeeded.count; i++)
		if (!str_array_has(&b->succeeded, a->succeeded.at[i]))
			return true;
	for (uint32_t i = 0; i < a->failed.count; i++)
		if (!str_array_has(&b->failed, a->failed.at[i]))
			return true;
	return false;
}

static bool status_differs(const struct job_status *a, const struct job_status *b)
{
	if (a->active != b->active || a->succeeded != b->succeeded || a->failed != b->failed ||
	    i32_or(a->ready, -1) != i32_or(b->ready, -1) || a->start_time != b->start_time ||
	    a->completion_time != b->completion_time ||
	    a->conditions.count != b->conditions.count ||
	    !str_eq(a->completed_indexes, b->completed_indexes))
		return true;
	for (uint32_t i = 0; i < a->conditions.count; i++)
		if (!str_eq(a->conditions.at[i].status, b->conditions.at[i].status))
			return true;
	return uncounted_differ(a->uncounted_terminated_pods, b->uncounted_terminated_pods);
}

static void write_status(struct job_sync *s)
{
	int32_t ready = 0;
	for (size_t i = 0; i < s->active.count; i++)
		ready += pod_is_ready(object_view(s->active.at[i]));
	s->status.active = (int32_t)s->active.count;
	s->status.ready = i32_new(s->p->arena, ready);
	if (!status_differs(&s->status, &s->job->status))
		return;
	struct job copy = *s->job;
	copy.status = s->status;
	plan_update_status(s->p, KIND_JOB, s->o->namespace, s->o->name, &copy);
}

/* --- the plan --- */

static void plan_job(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_JOB, namespace, name);
	if (!o)
		return;
	struct job_sync s = {.p = p, .o = o, .job = object_view(o)};
	s.status = s.job->status;
	if (s.job->spec.managed_by.len &&
	    !str_is(s.job->spec.managed_by, "kubernetes.io/job-controller"))
		return;
	s.completions = i32_or(s.job->spec.completions, INT32_MAX);
	s.is_indexed = str_is(s.job->spec.completion_mode, "Indexed") &&
		       s.completions <= JOB_INDEXES_MAX;
	s.is_suspended = s.job->spec.suspend && *s.job->spec.suspend;
	job_find_pods(&s);
	job_release_pods(&s);
	if (is_finished(&s.job->status)) {
		write_status(&s);
		return;
	}
	if (!o->is_deleting) {
		note_suspension(&s);
		judge(&s);
		finish(&s);
		manage(&s);
	}
	write_status(&s);
}

static void map_pod(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new)
{
	if (old)
		keys_add_controller(keys, cache, old, KIND_JOB);
	if (new)
		keys_add_controller(keys, cache, new, KIND_JOB);
}

static const struct controller_watch watches[] = {{KIND_JOB, NULL}, {KIND_POD, map_pod}};

const struct controller job_controller = {
	.name = "job",
	.service_account = "job-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_job,
};

/* --- ttlSecondsAfterFinished --- */

static int64_t finish_time(const struct job *job)
{
	const struct job_condition *c = condition(&job->status, "Complete");
	if (!c || !str_is(c->status, "True"))
		c = condition(&job->status, "Failed");
	return c && str_is(c->status, "True") ? c->last_transition_time : 0;
}

static void plan_ttl(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_JOB, namespace, name);
	const struct job *job = o ? object_view(o) : NULL;
	if (!job || o->is_deleting || !job->spec.ttl_seconds_after_finished)
		return;
	int64_t end_us = finish_time(job);
	if (!end_us)
		return;
	end_us += *job->spec.ttl_seconds_after_finished * SECOND_US;
	if (end_us <= p->now_us)
		plan_delete(p, KIND_JOB, o, STR("Foreground"));
	else
		plan_again_at(p, end_us);
}

static const struct controller_watch ttl_watches[] = {{KIND_JOB, NULL}};

const struct controller ttl_after_finished_controller = {
	.name = "ttl-after-finished",
	.service_account = "ttl-after-finished-controller",
	.watches = ttl_watches,
	.watch_count = ARRAY_LEN(ttl_watches),
	.plan = plan_ttl,
};
