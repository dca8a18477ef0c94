/* Job and CronJob. */
#include "api/validate-int.h"

#define ACTIONS "Count,FailIndex,FailJob,Ignore"

static bool has_container(const struct json *template, struct str name)
{
	static const char *const lists[] = {"containers", "initContainers"};
	for (size_t l = 0; l < ARRAY_LEN(lists); l++)
		FOR_ITEMS(i, c, json_get(GET(template, "spec"), str_of(lists[l])))
		{
			if (str_eq(TEXT(c, "name"), name))
				return true;
		}
	return false;
}

static void check_exit_codes(struct check *v, const struct path *at, const struct json *codes,
			     const struct json *template)
{
	const struct json *values = GET(codes, "values"), *container = GET(codes, "containerName");
	const struct path *values_at = MEMBER(at, "values");
	if (TEXT(codes, "operator").len == 0)
		required(v, MEMBER(at, "operator"), "valid values: [\"In\" \"NotIn\"]");
	else
		check_enum(v, MEMBER(at, "operator"), TEXT(codes, "operator"), "In,NotIn");
	if (container && !has_container(template, json_str(container)))
		bad(v, MEMBER(at, "containerName"), container,
		    "must be one of the container or initContainer names in the pod template");
	if (json_count(values) == 0)
		bad(v, values_at, values, "at least one value is required");
	else if (json_count(values) > 255)
		too_many(v, values_at, json_count(values), 255);
	bool is_ordered = true;
	FOR_ITEMS(i, value, values)
	{
		if (str_is(TEXT(codes, "operator"), "In") && json_i64(value) == 0)
			bad(v, ITEM(values_at, i), value, "must not be 0 for the In operator");
		for (size_t k = 0; k < i; k++)
			if (json_i64(json_at(values, k)) == json_i64(value)) {
				duplicate_value(v, ITEM(values_at, i), value);
				break;
			}
		is_ordered &= i == 0 || json_i64(json_at(values, i - 1)) <= json_i64(value);
	}
	if (!is_ordered)
		bad(v, values_at, values, "must be ordered");
}

static void check_pod_patterns(struct check *v, const struct path *at, const struct json *patterns)
{
	if (json_count(patterns) > 20)
		too_many(v, at, json_count(patterns), 20);
	FOR_ITEMS(i, pattern, patterns)
	{
		const struct path *here = ITEM(at, i);
		struct str status = TEXT(pattern, "status");
		check_name(v, MEMBER(here, "type"), NAME_QUALIFIED, TEXT(pattern, "type"));
		if (status.len == 0)
			required(v, MEMBER(here, "status"),
				 "valid values: [\"False\" \"True\" \"Unknown\"]");
		else
			check_enum(v, MEMBER(here, "status"), status, "False,True,Unknown");
	}
}

static void check_failure_rule(struct check *v, const struct path *at, const struct json *rule,
			       const struct json *spec)
{
	struct str action = TEXT(rule, "action");
	const struct json *codes = GET(rule, "onExitCodes"),
			  *conditions = GET(rule, "onPodConditions");
	if (action.len == 0)
		required(v, MEMBER(at, "action"),
			 "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]");
	else if (check_enum(v, MEMBER(at, "action"), action, ACTIONS) &&
		 str_is(action, "FailIndex") && !GET(spec, "backoffLimitPerIndex"))
		bad_text(v, MEMBER(at, "action"), action,
			 "requires the backoffLimitPerIndex to be set");
	if (codes)
		check_exit_codes(v, MEMBER(at, "onExitCodes"), codes, GET(spec, "template"));
	check_pod_patterns(v, MEMBER(at, "onPodConditions"), conditions);
	if (codes && json_count(conditions) > 0)
		field_error_add(v->errors, FIELD_ERROR_INVALID, path_text(v, at), NULL,
				"specifying both OnExitCodes and OnPodConditions is not supported");
	if (!codes && json_count(conditions) == 0)
		field_error_add(v->errors, FIELD_ERROR_INVALID, path_text(v, at), NULL,
				"specifying one of OnExitCodes and OnPodConditions is required");
}

static void check_failure_policy(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *rules = GET(GET(spec, "podFailurePolicy"), "rules");
	const struct path *rules_at = MEMBER(at, "rules");
	if (json_count(rules) > 20)
		too_many(v, rules_at, json_count(rules), 20);
	FOR_ITEMS(i, rule, rules)
	{
		check_failure_rule(v, ITEM(rules_at, i), rule, spec);
	}
}

/* succeededIndexes as it is read; *ret_fault says what stops it. */
struct index_reader {
	struct check *v;
	int64_t completions;
	struct str fault;
};

static bool read_index(struct index_reader *r, struct str text, int64_t *ret_index)
{
	if (!str_to_i64(text, ret_index))
		r->fault = arena_printf(r->v->arena,
					"cannot convert string to integer for index: \"%.*s\"",
					STR_FMT(text));
	else if (*ret_index >= r->completions)
		r->fault = arena_printf(r->v->arena, "too large index: \"%.*s\"", STR_FMT(text));
	return !r->fault.at;
}

static bool is_growing(struct index_reader *r, int64_t before, int64_t now)
{
	if (before < now)
		return true;
	r->fault = arena_printf(r->v->arena, "non-increasing order, previous: %lld, current: %lld",
				(long long)before, (long long)now);
	return false;
}

/* "3" or "3-5" */
static bool read_interval(struct index_reader *r, struct str text, int64_t *ret_first,
			  int64_t *ret_last)
{
	struct str first, last;
	bool is_range = str_cut(text, '-', &first, &last);
	if (is_range && memchr(last.at, '-', last.len)) {
		r->fault = arena_printf(r->v->arena,
					"the fragment \"%.*s\" violates the requirement that an "
					"index interval can have at most two parts separated by "
					"'-'",
					STR_FMT(text));
		return false;
	}
	if (!read_index(r, first, ret_first))
		return false;
	*ret_last = *ret_first;
	return !is_range || (read_index(r, last, ret_last) && is_growing(r, *ret_first, *ret_last));
}

/* How many indexes the text names; none once it is at fault, which is reported. */
static int64_t check_indexes(struct check *v, const struct path *at, struct str all,
			     int64_t completions)
{
	struct index_reader r = {.v = v, .completions = completions};
	struct str part, rest = all;
	int64_t first, last, before = 0, count = 0;
	for (bool more = all.len > 0; more && !r.fault.at;) {
		bool is_first = rest.at == all.at;
		more = str_cut(rest, ',', &part, &rest);
		if (!read_interval(&r, part, &first, &last))
			break;
		if (!is_first && !is_growing(&r, before, first))
			break;
		before = last;
		count += last - first + 1;
	}
	if (!r.fault.at)
		return count;
	bad_text(v, at, all, "error parsing succeededIndexes: %.*s", STR_FMT(r.fault));
	return 0;
}

static void check_success_rule(struct check *v, const struct path *at, const struct json *rule,
			       int64_t completions)
{
	const struct json *count = GET(rule, "succeededCount");
	const struct json *indexes = GET(rule, "succeededIndexes");
	const struct path *count_at = MEMBER(at, "succeededCount");
	int64_t named = 0;
	if (!count && !indexes)
		required(v, at,
			 "at least one of succeededCount or succeededIndexes must be specified");
	if (indexes && json_str(indexes).len > 65536)
		too_long(v, MEMBER(at, "succeededIndexes"), 65536);
	if (indexes)
		named = check_indexes(v, MEMBER(at, "succeededIndexes"), json_str(indexes),
				      completions);
	check_not_negative(v, count_at, count);
	if (count && json_i64(count) > completions)
		bad(v, count_at, count,
		    "must be less than or equal to %lld (the number of specified completions)",
		    (long long)completions);
	if (count && indexes && json_i64(count) > named)
		bad(v, count_at, count,
		    "must be less than or equal to %lld (the number of indexes in the specified "
		    "succeededIndexes field)",
		    (long long)named);
}

static void check_success_policy(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *rules = GET(GET(spec, "successPolicy"), "rules");
	const struct path *rules_at = MEMBER(at, "rules");
	if (json_count(rules) == 0)
		required(
			v, rules_at,
			"at least one rules must be specified when the successPolicy is specified");
	if (json_count(rules) > 20)
		too_many(v, rules_at, json_count(rules), 20);
	FOR_ITEMS(i, rule, rules)
	{
		check_success_rule(v, ITEM(rules_at, i), rule, INT(spec, "completions"));
	}
}

/* A limit that an Indexed job has; above HIGH_COMPLETIONS there are more. */
#define INDEXED_MAX	 100000
#define HIGH_COMPLETIONS 100000
#define HIGH_LIMIT	 10000

static void check_high_completions(struct check *v, const struct path *at, const struct json *spec)
{
	static const char *const limited[] = {"parallelism", "maxFailedIndexes"};
	if (!GET(spec, "maxFailedIndexes"))
		required(v, MEMBER(at, "maxFailedIndexes"),
			 "must be specified when completions is above %d", HIGH_COMPLETIONS);
	for (size_t i = 0; i < ARRAY_LEN(limited); i++) {
		const struct json *value = member_of(spec, str_of(limited[i]));
		if (json_i64(value) > HIGH_LIMIT)
			bad(v, MEMBER(at, limited[i]), value,
			    "must be less than or equal to %d when completions are above %d and "
			    "used with backoff limit per index",
			    HIGH_LIMIT, HIGH_COMPLETIONS);
	}
}

static void check_indexed(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *completions = GET(spec, "completions");
	const struct json *parallelism = GET(spec, "parallelism");
	const struct json *most = GET(spec, "maxFailedIndexes");
	if (!completions)
		required(v, MEMBER(at, "completions"), "when completion mode is Indexed");
	if (json_i64(parallelism) > INDEXED_MAX)
		bad(v, MEMBER(at, "parallelism"), parallelism,
		    "must be less than or equal to %d when completion mode is Indexed",
		    INDEXED_MAX);
	if (completions && most && json_i64(most) > json_i64(completions))
		bad(v, MEMBER(at, "maxFailedIndexes"), most,
		    "must be less than or equal to completions");
	if (json_i64(most) > INDEXED_MAX)
		bad(v, MEMBER(at, "maxFailedIndexes"), most, "must be less than or equal to %d",
		    INDEXED_MAX);
	if (json_i64(completions) > HIGH_COMPLETIONS && GET(spec, "backoffLimitPerIndex"))
		check_high_completions(v, at, spec);
}

static void check_not_indexed(struct check *v, const struct path *at, const struct json *spec)
{
	static const char *const limits[] = {"backoffLimitPerIndex", "maxFailedIndexes"};
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		const struct json *value = member_of(spec, str_of(limits[i]));
		if (value)
			bad(v, MEMBER(at, limits[i]), value, "requires indexed completion mode");
	}
}

static void check_completion_mode(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *mode = GET(spec, "completionMode");
	if (mode)
		check_enum(v, MEMBER(at, "completionMode"), json_str(mode), "NonIndexed,Indexed");
	if (str_is(json_str(mode), "Indexed"))
		check_indexed(v, at, spec);
	if (!mode || str_is(json_str(mode), "NonIndexed"))
		check_not_indexed(v, at, spec);
}

static void check_indexed_limits(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *per_index = GET(spec, "backoffLimitPerIndex");
	const struct json *most = GET(spec, "maxFailedIndexes");
	check_not_negative(v, MEMBER(at, "backoffLimitPerIndex"), per_index);
	check_not_negative(v, MEMBER(at, "maxFailedIndexes"), most);
	if (most && !per_index)
		required(v, MEMBER(at, "backoffLimitPerIndex"),
			 "when maxFailedIndexes is specified");
}

static void check_managed_by(struct check *v, const struct path *at, const struct json *manager)
{
	if (!manager)
		return;
	struct str text = json_str(manager);
	if (text.len == 0)
		required(v, at, "%s", "");
	else
		check_name(v, at, NAME_DOMAIN_PREFIXED, text);
	if (text.len > 63)
		too_long(v, at, 63);
}

static void check_job_template(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *template = GET(spec, "template");
	struct str restart = TEXT(GET(template, "spec"), "restartPolicy");
	const struct path *here = MEMBER(MEMBER(at, "spec"), "restartPolicy");
	check_pod_template(v, at, template);
	if (restart.len == 0 || str_is(restart, "Always"))
		required(v, here, "valid values: \"OnFailure\", \"Never\"");
	else if (!text_in(restart, "OnFailure,Never"))
		unsupported(v, here, restart, "OnFailure,Never");
	else if (GET(spec, "podFailurePolicy") && !str_is(restart, "Never"))
		bad_text(v, here, restart,
			 "only \"Never\" is supported when podFailurePolicy is specified");
}

static void check_job_spec(struct check *v, const struct path *at, const struct json *spec)
{
	static const char *const counts[] = {"parallelism", "completions", "activeDeadlineSeconds",
					     "backoffLimit", "ttlSecondsAfterFinished"};
	const struct json *success = GET(spec, "successPolicy");
	struct str mode = TEXT(spec, "completionMode");
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		check_not_negative(v, MEMBER(at, counts[i]), json_get(spec, str_of(counts[i])));
	check_indexed_limits(v, at, spec);
	check_managed_by(v, MEMBER(at, "managedBy"), GET(spec, "managedBy"));
	check_completion_mode(v, at, spec);
	if (GET(spec, "podFailurePolicy"))
		check_failure_policy(v, MEMBER(at, "podFailurePolicy"), spec);
	if (success && !str_is(mode, "Indexed"))
		bad(v, MEMBER(at, "successPolicy"), go_struct(v, "SuccessPolicy", success),
		    "requires indexed completion mode");
	else if (success)
		check_success_policy(v, MEMBER(at, "successPolicy"), spec);
	check_optional_enum(
		v, MEMBER(at, "podReplacementPolicy"), GET(spec, "podReplacementPolicy"),
		GET(spec, "podFailurePolicy") ? "Failed" : "Failed,TerminatingOrFailed");
	check_job_template(v, MEMBER(at, "template"), spec);
}

static void check_own_label(struct check *v, const struct json *labels, const char *key,
			    struct str value)
{
	const struct path *at =
		KEY(MEMBER(MEMBER(MEMBER(ROOT("spec"), "template"), "metadata"), "labels"),
		    str_of(key));
	const struct json *found = json_get(labels, str_of(key));
	if (!found)
		required(v, at, "must be '%.*s'", STR_FMT(value));
	else if (!str_eq(json_str(found), value))
		bad(v, at, labels, "must be '%.*s'", STR_FMT(value));
}

/* The labels and the selector that come from the uid, unless the user manages them. */
static void check_generated_selector(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *selector = GET(spec, "selector");
	const struct json *labels = GET(GET(GET(spec, "template"), "metadata"), "labels");
	struct str uid = TEXT(GET(tree, "metadata"), "uid");
	struct str name = TEXT(GET(tree, "metadata"), "name");
	const struct {
		const char *key;
		struct str value;
	} own[] = {{"controller-uid", uid},
		   {"job-name", name},
		   {"batch.kubernetes.io/controller-uid", uid},
		   {"batch.kubernetes.io/job-name", name}};
	struct json *expected = json_object(v->arena);
	if (IS(spec, "manualSelector") || !selector)
		return;
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		check_own_label(v, labels, own[i].key, own[i].value);
		json_set_str(v->arena, expected, str_of(own[i].key), own[i].value);
	}
	if (selector_is_sound(v, selector) && !selector_fits(v, selector, expected))
		bad(v, MEMBER(ROOT("spec"), "selector"), selector, "`selector` not auto-generated");
}

static void check_whole_spec(struct check *v, const struct json *spec)
{
	const struct path *at = ROOT("spec");
	const struct json *selector = GET(spec, "selector");
	const struct json *labels = GET(GET(GET(spec, "template"), "metadata"), "labels");
	check_job_spec(v, at, spec);
	if (!selector)
		required(v, MEMBER(at, "selector"), "%s", "");
	else
		check_label_selector(v, MEMBER(at, "selector"), selector);
	if (selector_is_sound(v, selector) && !selector_fits(v, selector, labels))
		bad(v, MEMBER(MEMBER(MEMBER(at, "template"), "metadata"), "labels"), labels,
		    "`selector` does not match template `labels`");
}

/* Pods of an Indexed job are named after it and their index. */
static void check_indexed_name(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	struct str name = TEXT(GET(tree, "metadata"), "name");
	int64_t completions = INT(spec, "completions");
	if (!str_is(TEXT(spec, "completionMode"), "Indexed") || completions <= 0)
		return;
	struct str pod =
		arena_printf(v->arena, "%.*s-%lld", STR_FMT(name), (long long)(completions - 1));
	if (!name_is(NAME_DNS_LABEL, pod))
		bad_text(v, MEMBER(ROOT("metadata"), "name"), name,
			 "will not able to create pod with invalid DNS label: %.*s", STR_FMT(pod));
}

void job_rules(struct check *v, const struct json *tree)
{
	check_generated_selector(v, tree);
	check_whole_spec(v, GET(tree, "spec"));
	check_indexed_name(v, tree);
}

/* Elastic: an Indexed job may grow and shrink, with all its pods running at once. */
static void check_completions_update(struct check *v, const struct json *old,
				     const struct json *spec)
{
	const struct path *at = MEMBER(ROOT("spec"), "completions");
	const struct json *is = GET(spec, "completions"), *was = GET(old, "completions");
	if (value_equal(is, was))
		return;
	if (!str_is(TEXT(spec, "completionMode"), "Indexed"))
		check_immutable(v, at, is, was);
	else if (!value_equal(is, GET(spec, "parallelism")) ||
		 !value_equal(was, GET(old, "parallelism")))
		bad(v, at, is, "may only be modified in tandem with spec.parallelism");
}

static void copy_member(struct check *v, struct json *to, const struct json *from, const char *name)
{
	struct json *value = json_get(from, str_of(name));
	if (value)
		json_set(v->arena, to, str_of(name), value);
	else
		json_remove(to, str_of(name));
}

/* Where pods go may change as long as none has been made. */
static struct json *with_directives(struct check *v, const struct json *old,
				    const struct json *template)
{
	static const char *const of_spec[] = {"nodeSelector", "tolerations", "schedulingGates"};
	static const char *const of_meta[] = {"annotations", "labels"};
	struct json *out = json_copy(v->arena, old);
	struct json *spec = json_need_object(v->arena, out, STR("spec"));
	struct json *meta = json_need_object(v->arena, out, STR("metadata"));
	const struct json *new_affinity = GET(GET(template, "spec"), "affinity");
	for (size_t i = 0; i < ARRAY_LEN(of_spec); i++)
		copy_member(v, spec, GET(template, "spec"), of_spec[i]);
	for (size_t i = 0; i < ARRAY_LEN(of_meta); i++)
		copy_member(v, meta, GET(template, "metadata"), of_meta[i]);
	if (new_affinity || GET(spec, "affinity")) {
		struct json *affinity = json_need_object(v->arena, spec, STR("affinity"));
		copy_member(v, affinity, new_affinity, "nodeAffinity");
		if (!new_affinity && json_count(affinity) == 0)
			json_remove(spec, STR("affinity"));
	}
	return out;
}

void job_update_rules(struct check *v, const struct json *old_tree, const struct json *tree)
{
	static const char *const fixed[] = {"completionMode", "podFailurePolicy",
					    "backoffLimitPerIndex", "managedBy", "successPolicy"};
	const struct json *old = GET(old_tree, "spec"), *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec"), *template_at = MEMBER(at, "template");
	const struct json *was = GET(old, "template"), *is = GET(spec, "template");
	job_rules(v, tree);
	check_whole_spec(v, spec);
	check_completions_update(v, old, spec);
	check_immutable(v, MEMBER(at, "selector"), GET(spec, "selector"), GET(old, "selector"));
	if (IS(old, "suspend") && TEXT(GET(old_tree, "status"), "startTime").len == 0)
		was = with_directives(v, was, is);
	if (!value_equal(is, was))
		bad(v, template_at, go_struct(v, "PodTemplateSpec", is), "field is immutable");
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		check_immutable(v, MEMBER(at, fixed[i]), json_get(spec, str_of(fixed[i])),
				json_get(old, str_of(fixed[i])));
}

void cron_job_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct json *template = GET(spec, "jobTemplate"), *job = GET(template, "spec");
	const struct path *at = ROOT("spec"), *template_at = MEMBER(at, "jobTemplate");
	if (TEXT(GET(tree, "metadata"), "name").len > 52)
		bad_text(v, MEMBER(ROOT("metadata"), "name"), TEXT(GET(tree, "metadata"), "name"),
			 "must be no more than 52 characters");
	if (TEXT(spec, "schedule").len == 0)
		required(v, MEMBER(at, "schedule"), "%s", "");
	else
		check_schedule(v, MEMBER(at, "schedule"), TEXT(spec, "schedule"));
	check_not_negative(v, MEMBER(at, "startingDeadlineSeconds"),
			   GET(spec, "startingDeadlineSeconds"));
	check_time_zone(v, MEMBER(at, "timeZone"), GET(spec, "timeZone"));
	check_required_enum(v, MEMBER(at, "concurrencyPolicy"), TEXT(spec, "concurrencyPolicy"),
			    "Allow,Forbid,Replace");
	check_job_spec(v, MEMBER(template_at, "spec"), job);
	if (GET(job, "selector"))
		bad(v, MEMBER(MEMBER(template_at, "spec"), "selector"), GET(job, "selector"),
		    "`selector` will be auto-generated");
	if (IS(job, "manualSelector"))
		field_error_not_supported(
			v->errors,
			path_text(v, MEMBER(MEMBER(template_at, "spec"), "manualSelector")),
			GET(job, "manualSelector"), STR("nil,false"));
	check_not_negative(v, MEMBER(at, "successfulJobsHistoryLimit"),
			   GET(spec, "successfulJobsHistoryLimit"));
	check_not_negative(v, MEMBER(at, "failedJobsHistoryLimit"),
			   GET(spec, "failedJobsHistoryLimit"));
}
