/* The status of a Job: what its conditions, times and counts must have in common.  A rule holds
 * when a write brings about what it forbids, so that older objects stay writable.
 * Source: upstream's pkg/apis/batch/validation and pkg/registry/batch/job. */
#include "api/validate-int.h"

/* One state of the status, as the rules ask about it. */
struct job_state {
	const struct json *status;
	bool is_complete, is_failed, has_target, has_criteria;
};

static bool is_true(const struct json *status, const char *type)
{
	FOR_ITEMS(i, c, GET(status, "conditions"))
	{
		if (str_is(TEXT(c, "type"), type))
			return str_is(TEXT(c, "status"), "True");
	}
	return false;
}

static struct job_state state_of(const struct json *tree)
{
	const struct json *status = GET(tree, "status");
	return (struct job_state){
		.status = status,
		.is_complete = is_true(status, "Complete"),
		.is_failed = is_true(status, "Failed"),
		.has_target = is_true(status, "FailureTarget"),
		.has_criteria = is_true(status, "SuccessCriteriaMet"),
	};
}

static void check_job_counts(struct check *v, const struct json *status)
{
	static const char *const counts[] = {"active", "succeeded", "failed", "ready",
					     "terminating"};
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		check_not_negative(v, MEMBER(ROOT("status"), counts[i]),
				   json_get(status, str_of(counts[i])));
}

static void check_uncounted(struct check *v, const struct json *status)
{
	static const char *const lists[] = {"succeeded", "failed"};
	const struct json *uncounted = GET(status, "uncountedTerminatedPods");
	const struct path *at = MEMBER(ROOT("status"), "uncountedTerminatedPods");
	const struct json *first = json_get(uncounted, str_of(lists[0]));
	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct json *list = json_get(uncounted, str_of(lists[l]));
		FOR_ITEMS(i, uid, list)
		{
			const struct path *here = ITEM(MEMBER(at, lists[l]), i);
			if (json_str(uid).len == 0)
				bad_text(v, here, json_str(uid), "must not be empty");
			else if (is_repeated(v, list, i) ||
				 (l > 0 && json_has_text(first, json_str(uid))))
				duplicate(v, here, json_str(uid));
		}
	}
}

static void check_completion_time(struct check *v, const struct job_state *s)
{
	const struct path *at = MEMBER(ROOT("status"), "completionTime");
	const struct json *time = GET(s->status, "completionTime");
	struct str start = TEXT(s->status, "startTime");
	if (s->is_complete && !time)
		required(v, at, "completionTime is required for Complete jobs");
	if (!s->is_complete && time)
		bad(v, at, time,
		    "cannot set completionTime when there is no Complete=True condition");
	/* both are RFC 3339 in UTC, so the texts have the order of the times */
	if (time && start.len > 0 && str_cmp(json_str(time), start) < 0)
		bad(v, at, time, "completionTime cannot be set before startTime");
}

/* They are not shown. */
static void bad_conditions(struct check *v, const char *text)
{
	field_error_add(v->errors, FIELD_ERROR_INVALID,
			path_text(v, MEMBER(ROOT("status"), "conditions")), NULL, "%s", text);
}

static void check_condition_pairs(struct check *v, const struct job_state *s)
{
	const struct {
		bool is_broken;
		const char *text;
	} rules[] = {
		{s->is_complete && s->is_failed,
		 "cannot set Complete=True and Failed=true conditions"},
		{s->is_complete && s->has_target,
		 "cannot set Complete=True and FailureTarget=true conditions"},
		{s->is_failed && !s->has_target,
		 "cannot set Failed=True condition without the FailureTarget=true condition"},
		{s->is_complete && !s->has_criteria,
		 "cannot set Complete=True condition without the SuccessCriteriaMet=true "
		 "condition"},
		{s->has_criteria && s->is_failed,
		 "cannot set SuccessCriteriaMet=True and Failed=true conditions"},
		{s->has_criteria && s->has_target,
		 "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].is_broken)
			bad_conditions(v, rules[i].text);
}

static void check_finished(struct check *v, const struct job_state *s)
{
	const struct path *at = ROOT("status");
	const struct json *uncounted = GET(s->status, "uncountedTerminatedPods");
	if (!s->is_complete && !s->is_failed)
		return;
	if (INT(s->status, "active") > 0)
		bad(v, MEMBER(at, "active"), GET(s->status, "active"),
		    "active>0 is invalid for finished job");
	if (INT(s->status, "terminating") > 0)
		bad(v, MEMBER(at, "terminating"), GET(s->status, "terminating"),
		    "terminating>0 is invalid for finished job");
	if (TEXT(s->status, "startTime").len == 0)
		required(v, MEMBER(at, "startTime"), "startTime is required for finished job");
	if (COUNT(uncounted, "succeeded") > 0 || COUNT(uncounted, "failed") > 0)
		bad(v, MEMBER(at, "uncountedTerminatedPods"), uncounted,
		    "uncountedTerminatedPods needs to be empty for finished job");
}

static void check_indexes(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *status = GET(tree, "status");
	const struct path *at = ROOT("status");
	if (TEXT(status, "completedIndexes").len > 0 &&
	    !str_is(TEXT(spec, "completionMode"), "Indexed"))
		bad(v, MEMBER(at, "completedIndexes"), GET(status, "completedIndexes"),
		    "cannot set non-empty completedIndexes when non-indexed completion mode");
	if (GET(status, "failedIndexes") && !GET(spec, "backoffLimitPerIndex"))
		bad(v, MEMBER(at, "failedIndexes"), GET(status, "failedIndexes"),
		    "cannot set non-null failedIndexes when backoffLimitPerIndex is null");
	if (INT(status, "ready") > INT(status, "active"))
		bad(v, MEMBER(at, "ready"), GET(status, "ready"),
		    "cannot set more ready pods than active");
}

static void check_kept_conditions(struct check *v, const struct job_state *was,
				  const struct job_state *is)
{
	const struct {
		bool is_lost;
		const char *text;
	} rules[] = {
		{was->is_failed && !is->is_failed,
		 "cannot disable the terminal Failed=True condition"},
		{was->is_complete && !is->is_complete,
		 "cannot disable the terminal Complete=True condition"},
		{was->has_target && !is->has_target,
		 "cannot disable the FailureTarget=True condition"},
		{was->has_criteria && !is->has_criteria,
		 "cannot disable the SuccessCriteriaMet=True condition"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].is_lost)
			bad_conditions(v, rules[i].text);
}

void job_part_rules(struct check *v, const struct json *old, const struct json *tree,
		    const char *subresource)
{
	struct job_state was = state_of(old), is = state_of(tree);
	const struct json *time = GET(was.status, "completionTime");
	if (strcmp(subresource, "status") || value_equal(was.status, is.status))
		return;
	check_job_counts(v, is.status);
	check_uncounted(v, is.status);
	check_completion_time(v, &is);
	check_condition_pairs(v, &is);
	check_finished(v, &is);
	check_indexes(v, tree);
	check_kept_conditions(v, &was, &is);
	if (time && !value_equal(time, GET(is.status, "completionTime")))
		bad(v, MEMBER(ROOT("status"), "completionTime"), GET(is.status, "completionTime"),
		    "completionTime cannot be mutated");
	if (INT(is.status, "failed") < INT(was.status, "failed"))
		bad(v, MEMBER(ROOT("status"), "failed"),
		    json_int(v->arena, INT(is.status, "failed")),
		    "cannot decrease the failed counter");
}
