/* Deployment, ReplicaSet, StatefulSet, DaemonSet, ControllerRevision, PodDisruptionBudget. */
#include "api/validate-int.h"

static void check_int_or_percent(struct check *v, const struct path *at, const struct json *value)
{
	struct faults f;
	if (!value || value->type == JSON_NULL)
		return;
	if (value->type != JSON_STRING) {
		check_not_negative(v, at, value);
		return;
	}
	name_check(&f, NAME_PERCENT, value->string);
	for (size_t i = 0; i < f.count; i++)
		bad(v, at, value, "%s", f.at[i]);
}

/* A text that is no percentage counts as the number it is, or as 0. */
int64_t int_or_percent(const struct json *value)
{
	struct str text = json_str(value);
	int64_t number = 0;
	if (!text.at)
		return json_i64(value);
	if (name_is(NAME_PERCENT, text))
		text.len--;
	return str_to_i64(text, &number) ? number : 0;
}

static void check_not_over_100(struct check *v, const struct path *at, const struct json *value)
{
	if (value && value->type == JSON_STRING && name_is(NAME_PERCENT, value->string) &&
	    int_or_percent(value) > 100)
		bad(v, at, value, "must not be greater than 100%%");
}

static bool is_selector_empty(const struct json *selector)
{
	return COUNT(selector, "matchLabels") == 0 && COUNT(selector, "matchExpressions") == 0;
}

/* Can it be turned into a selector at all? */
static size_t selector_faults(struct check *v, const struct path *at, const struct json *selector)
{
	size_t before = v->errors->count;
	check_label_selector(v, at, selector);
	return v->errors->count - before;
}

static void check_long_running(struct check *v, const struct path *at, const struct json *template,
			       const char *kind)
{
	const struct path *spec_at = MEMBER(at, "spec");
	const struct json *spec = GET(template, "spec");
	if (!str_is(TEXT(spec, "restartPolicy"), "Always"))
		unsupported(v, MEMBER(spec_at, "restartPolicy"), TEXT(spec, "restartPolicy"),
			    "Always");
	if (GET(spec, "activeDeadlineSeconds"))
		forbidden(v, MEMBER(spec_at, "activeDeadlineSeconds"),
			  "activeDeadlineSeconds in %s is not Supported", kind);
}

static void check_template_fits(struct check *v, const struct path *at, const struct json *selector,
				const struct json *template)
{
	const struct json *labels = GET(GET(template, "metadata"), "labels");
	if (!selector_fits(v, selector, labels))
		bad(v, MEMBER(MEMBER(at, "metadata"), "labels"), labels,
		    "`selector` does not match template `labels`");
}

/* selector and template of Deployment and ReplicaSet */
static void check_replicated(struct check *v, const struct json *spec)
{
	const struct path *at = ROOT("spec"), *selector_at = MEMBER(at, "selector");
	const struct path *template_at = MEMBER(at, "template");
	const struct json *selector = GET(spec, "selector"), *template = GET(spec, "template");
	size_t faults = 0;
	if (!selector) {
		required(v, selector_at, "%s", "");
	} else {
		faults = selector_faults(v, selector_at, selector);
		if (is_selector_empty(selector))
			bad(v, selector_at, selector, "empty selector is invalid for deployment");
	}
	if (faults > 0) {
		bad(v, selector_at, selector, "invalid label selector");
		return;
	}
	check_template_fits(v, template_at, selector, template);
	check_pod_template(v, template_at, template);
	if (TEXT(GET(template, "spec"), "restartPolicy").len > 0)
		check_long_running(v, template_at, template, "ReplicaSet");
}

static void check_rolling_deployment(struct check *v, const struct path *at,
				     const struct json *rolling)
{
	const struct json *unavailable = GET(rolling, "maxUnavailable"),
			  *surge = GET(rolling, "maxSurge");
	check_int_or_percent(v, MEMBER(at, "maxUnavailable"), unavailable);
	check_int_or_percent(v, MEMBER(at, "maxSurge"), surge);
	if (int_or_percent(unavailable) == 0 && int_or_percent(surge) == 0)
		bad(v, MEMBER(at, "maxUnavailable"), unavailable,
		    "may not be 0 when `maxSurge` is 0");
	check_not_over_100(v, MEMBER(at, "maxUnavailable"), unavailable);
}

static void check_strategy(struct check *v, const struct path *at, const struct json *strategy)
{
	struct str type = TEXT(strategy, "type");
	const struct json *rolling = GET(strategy, "rollingUpdate");
	const struct path *rolling_at = MEMBER(at, "rollingUpdate");
	if (str_is(type, "Recreate")) {
		if (rolling)
			forbidden(v, rolling_at,
				  "may not be specified when strategy `type` is 'Recreate'");
	} else if (!str_is(type, "RollingUpdate")) {
		field_error_not_supported(v->errors, path_text(v, at),
					  go_struct(v, "DeploymentStrategy", strategy),
					  STR("Recreate,RollingUpdate"));
	} else if (!rolling) {
		required(v, rolling_at, "this should be defaulted and never be nil");
	} else {
		check_rolling_deployment(v, rolling_at, rolling);
	}
}

static void deployment_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct json *deadline = GET(spec, "progressDeadlineSeconds");
	const struct path *at = ROOT("spec"), *deadline_at = MEMBER(at, "progressDeadlineSeconds");
	check_not_negative(v, MEMBER(at, "replicas"), GET(spec, "replicas"));
	check_replicated(v, spec);
	check_strategy(v, MEMBER(at, "strategy"), GET(spec, "strategy"));
	check_not_negative(v, MEMBER(at, "minReadySeconds"), GET(spec, "minReadySeconds"));
	check_not_negative(v, MEMBER(at, "revisionHistoryLimit"),
			   GET(spec, "revisionHistoryLimit"));
	check_not_negative(v, deadline_at, deadline);
	if (deadline && json_i64(deadline) <= INT(spec, "minReadySeconds"))
		bad(v, deadline_at, deadline, "must be greater than minReadySeconds");
}

static void fixed_selector(struct check *v, const struct json *old, const struct json *tree)
{
	check_immutable(v, MEMBER(ROOT("spec"), "selector"), GET(GET(tree, "spec"), "selector"),
			GET(GET(old, "spec"), "selector"));
}

static void deployment_update_rules(struct check *v, const struct json *old,
				    const struct json *tree)
{
	deployment_rules(v, tree);
	if (!value_equal(GET(GET(old, "spec"), "selector"), GET(GET(tree, "spec"), "selector")))
		fixed_selector(v, old, tree);
}

static void replica_set_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	check_not_negative(v, MEMBER(ROOT("spec"), "replicas"), GET(spec, "replicas"));
	check_not_negative(v, MEMBER(ROOT("spec"), "minReadySeconds"),
			   GET(spec, "minReadySeconds"));
	check_replicated(v, spec);
}

static void replica_set_update_rules(struct check *v, const struct json *old,
				     const struct json *tree)
{
	replica_set_rules(v, tree);
	fixed_selector(v, old, tree);
}

/* ---- DaemonSet ---- */

static void check_rolling_daemon(struct check *v, const struct path *at, const struct json *rolling)
{
	const struct json *unavailable = GET(rolling, "maxUnavailable"),
			  *surge = GET(rolling, "maxSurge");
	check_int_or_percent(v, MEMBER(at, "maxUnavailable"), unavailable);
	check_int_or_percent(v, MEMBER(at, "maxSurge"), surge);
	check_not_over_100(v, MEMBER(at, "maxUnavailable"), unavailable);
	check_not_over_100(v, MEMBER(at, "maxSurge"), surge);
	bool has_unavailable = int_or_percent(unavailable) != 0,
	     has_surge = int_or_percent(surge) != 0;
	if (has_unavailable && has_surge)
		bad(v, MEMBER(at, "maxSurge"), surge,
		    "may not be set when maxUnavailable is non-zero");
	else if (!has_unavailable && !has_surge)
		required(v, MEMBER(at, "maxUnavailable"), "cannot be 0 when maxSurge is 0");
}

static void check_daemon_strategy(struct check *v, const struct path *at,
				  const struct json *strategy)
{
	struct str type = TEXT(strategy, "type");
	const struct json *rolling = GET(strategy, "rollingUpdate");
	if (str_is(type, "OnDelete"))
		return;
	if (!str_is(type, "RollingUpdate"))
		field_error_not_supported(v->errors, path_text(v, at),
					  go_struct(v, "DaemonSetUpdateStrategy", strategy),
					  STR("RollingUpdate,OnDelete"));
	else if (!rolling)
		required(v, MEMBER(at, "rollingUpdate"), "%s", "");
	else
		check_rolling_daemon(v, MEMBER(at, "rollingUpdate"), rolling);
}

static void daemon_set_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *selector = GET(spec, "selector");
	const struct path *at = ROOT("spec"), *template_at = MEMBER(at, "template");
	const struct json *template = GET(spec, "template");
	if (selector_faults(v, MEMBER(at, "selector"), selector) == 0)
		check_template_fits(v, template_at, selector, template);
	if (selector && is_selector_empty(selector))
		bad(v, MEMBER(at, "selector"), selector, "empty selector is invalid for daemonset");
	check_pod_template(v, template_at, template);
	if (TEXT(GET(template, "spec"), "restartPolicy").len > 0)
		check_long_running(v, template_at, template, "DaemonSet");
	check_not_negative(v, MEMBER(at, "minReadySeconds"), GET(spec, "minReadySeconds"));
	check_daemon_strategy(v, MEMBER(at, "updateStrategy"), GET(spec, "updateStrategy"));
	check_not_negative(v, MEMBER(at, "revisionHistoryLimit"),
			   GET(spec, "revisionHistoryLimit"));
}

static void daemon_set_update_rules(struct check *v, const struct json *old,
				    const struct json *tree)
{
	daemon_set_rules(v, tree);
	fixed_selector(v, old, tree);
}

/* ---- StatefulSet ---- */

static void check_stateful_strategy(struct check *v, const struct path *at,
				    const struct json *strategy)
{
	struct str type = TEXT(strategy, "type");
	const struct json *rolling = GET(strategy, "rollingUpdate");
	const struct path *rolling_at = MEMBER(at, "rollingUpdate");
	if (type.len == 0) {
		required(v, at, "%s", "");
	} else if (str_is(type, "OnDelete")) {
		if (rolling)
			bad(v, rolling_at,
			    go_struct(v, "RollingUpdateStatefulSetStrategy", rolling),
			    "only allowed for updateStrategy 'RollingUpdate'");
	} else if (str_is(type, "RollingUpdate")) {
		check_not_negative(v, MEMBER(rolling_at, "partition"), GET(rolling, "partition"));
		check_int_or_percent(v, MEMBER(rolling_at, "maxUnavailable"),
				     GET(rolling, "maxUnavailable"));
	} else {
		bad(v, at, go_struct(v, "StatefulSetUpdateStrategy", strategy),
		    "must be 'RollingUpdate' or 'OnDelete'");
	}
}

/* A claim's volume; of claims with one name there is one. */
static void add_claim_volume(struct check *v, struct json *volumes, struct str name)
{
	struct arena *a = v->arena;
	struct json *volume = json_object(a), *source = json_object(a);
	if (item_named(volumes, "name", name))
		return;
	json_set_str(a, source, STR("claimName"), name);
	json_set_str(a, volume, STR("name"), name);
	json_set(a, volume, STR("persistentVolumeClaim"), source);
	json_append(a, volumes, volume);
}

/* The volumes of the claims, which hide the template's of the same names, and the template's. */
static struct json *volumes_with_claims(struct check *v, const struct json *own,
					const struct json *claims)
{
	struct json *volumes = json_array(v->arena), *hiding;
	FOR_ITEMS(i, claim, claims)
	{
		struct str name = TEXT(GET(claim, "metadata"), "name");
		add_claim_volume(v, volumes, name.at ? name : STR(""));
	}
	hiding = json_copy(v->arena, volumes);
	FOR_ITEMS(k, volume, own)
	{
		struct str name = TEXT(volume, "name");
		if (!item_named(hiding, "name", name.at ? name : STR("")))
			json_append(v->arena, volumes, (struct json *)volume);
	}
	return volumes;
}

/* The template as its pods get it, each with a name and a domain of its own. */
static struct json *stateful_template(struct check *v, const struct json *template,
				      const struct json *claims)
{
	struct arena *a = v->arena;
	struct json *copy = template ? json_copy(a, template) : json_object(a);
	struct json *spec = json_need_object(a, copy, STR("spec"));
	json_remove(spec, STR("hostname"));
	json_remove(spec, STR("subdomain"));
	if (json_count(claims) > 0)
		json_set(a, spec, STR("volumes"),
			 volumes_with_claims(v, GET(spec, "volumes"), claims));
	return copy;
}

/* Labels and annotations of the template are judged twice. */
static void check_template_meta(struct check *v, const struct path *at, const struct json *template)
{
	const struct json *meta = GET(template, "metadata");
	check_labels(v, MEMBER(at, "labels"), GET(meta, "labels"));
	check_annotations(v, MEMBER(at, "annotations"), GET(meta, "annotations"));
	check_pod_annotations(v, MEMBER(at, "annotations"), GET(meta, "annotations"),
			      GET(template, "spec"));
}

static void check_stateful_template(struct check *v, const struct json *spec)
{
	const struct path *at = ROOT("spec"), *selector_at = MEMBER(at, "selector");
	const struct path *template_at = MEMBER(at, "template");
	const struct json *selector = GET(spec, "selector");
	struct json *template =
		stateful_template(v, GET(spec, "template"), GET(spec, "volumeClaimTemplates"));
	size_t faults = 0;
	if (!selector) {
		required(v, selector_at, "%s", "");
	} else {
		faults = selector_faults(v, selector_at, selector);
		if (is_selector_empty(selector))
			bad(v, selector_at, selector, "empty selector is invalid for statefulset");
	}
	if (faults > 0) {
		bad(v, selector_at, selector, "%s", "");
	} else {
		check_template_fits(v, template_at, selector, template);
		check_pod_template(v, template_at, template);
		check_template_meta(v, template_at, template);
	}
	if (TEXT(GET(template, "spec"), "restartPolicy").len > 0)
		check_long_running(v, template_at, template, "StatefulSet");
}

/* What cannot change later and was once allowed to be worse. */
static void check_new_stateful(struct check *v, const struct path *at, const struct json *spec)
{
	if (TEXT(spec, "serviceName").len > 0)
		check_name(v, MEMBER(at, "serviceName"), NAME_DNS_LABEL, TEXT(spec, "serviceName"));
	FOR_ITEMS(i, claim, GET(spec, "volumeClaimTemplates"))
	{
		const struct path *here = ITEM(MEMBER(at, "volumeClaimTemplates"), i);
		check_claim_spec(v, MEMBER(here, "spec"), GET(claim, "spec"));
	}
}

static void stateful_set_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct json *retention = GET(spec, "persistentVolumeClaimRetentionPolicy");
	const struct path *at = ROOT("spec");
	const struct path *retention_at = MEMBER(at, "persistentVolumeClaimRetentionPolicy");
	struct str management = TEXT(spec, "podManagementPolicy");
	if (management.len == 0)
		required(v, MEMBER(at, "podManagementPolicy"), "%s", "");
	else if (!text_in(management, "OrderedReady,Parallel"))
		bad_text(v, MEMBER(at, "podManagementPolicy"), management,
			 "must be 'OrderedReady' or 'Parallel'");
	check_stateful_strategy(v, MEMBER(at, "updateStrategy"), GET(spec, "updateStrategy"));
	check_optional_enum(v, MEMBER(retention_at, "whenDeleted"), GET(retention, "whenDeleted"),
			    "Retain,Delete");
	check_optional_enum(v, MEMBER(retention_at, "whenScaled"), GET(retention, "whenScaled"),
			    "Retain,Delete");
	check_not_negative(v, MEMBER(at, "replicas"), GET(spec, "replicas"));
	check_not_negative(v, MEMBER(at, "minReadySeconds"), GET(spec, "minReadySeconds"));
	check_not_negative(v, MEMBER(MEMBER(at, "ordinals"), "start"),
			   GET(GET(spec, "ordinals"), "start"));
	if (!v->is_update)
		check_new_stateful(v, at, spec);
	check_stateful_template(v, spec);
}

static void stateful_set_update_rules(struct check *v, const struct json *old,
				      const struct json *tree)
{
	static const char *const free_members[] = {"replicas",
						   "ordinals",
						   "template",
						   "updateStrategy",
						   "revisionHistoryLimit",
						   "persistentVolumeClaimRetentionPolicy",
						   "minReadySeconds"};
	struct json *was = json_copy(v->arena, GET(old, "spec"));
	struct json *is = json_copy(v->arena, GET(tree, "spec"));
	stateful_set_rules(v, tree);
	for (size_t i = 0; i < ARRAY_LEN(free_members); i++) {
		json_remove(was, str_of(free_members[i]));
		json_remove(is, str_of(free_members[i]));
	}
	if (!value_equal(was, is))
		forbidden(
			v, ROOT("spec"),
			"updates to statefulset spec for fields other than 'replicas', 'ordinals', "
			"'template', 'updateStrategy', 'revisionHistoryLimit', "
			"'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
			"forbidden");
}

/* ---- ControllerRevision, PodDisruptionBudget ---- */

static void revision_rules(struct check *v, const struct json *tree)
{
	const struct json *data = GET(tree, "data");
	check_not_negative(v, ROOT("revision"), GET(tree, "revision"));
	if (!data)
		required(v, ROOT("data"), "data is mandatory");
	else if (data->type != JSON_OBJECT)
		required(v, ROOT("data"), "data must be a valid JSON object");
}

static void revision_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	check_not_negative(v, ROOT("revision"), GET(tree, "revision"));
	check_immutable(v, ROOT("data"), GET(tree, "data"), GET(old, "data"));
}

static void budget_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct json *least = GET(spec, "minAvailable"), *most = GET(spec, "maxUnavailable");
	const struct path *at = ROOT("spec");
	if (least && most)
		bad(v, at, go_struct(v, "PodDisruptionBudgetSpec", spec),
		    "minAvailable and maxUnavailable cannot be both set");
	check_int_or_percent(v, MEMBER(at, "minAvailable"), least);
	check_not_over_100(v, MEMBER(at, "minAvailable"), least);
	check_int_or_percent(v, MEMBER(at, "maxUnavailable"), most);
	check_not_over_100(v, MEMBER(at, "maxUnavailable"), most);
	check_label_selector(v, MEMBER(at, "selector"), GET(spec, "selector"));
	check_optional_enum(v, MEMBER(at, "unhealthyPodEvictionPolicy"),
			    GET(spec, "unhealthyPodEvictionPolicy"), "AlwaysAllow,IfHealthyBudget");
}

const struct kind_rules validate_apps[] = {
	{"apps", "Deployment", NAME_DNS_SUBDOMAIN, deployment_rules, deployment_update_rules,
	 deployment_part_rules, .steps = "us"},
	{"apps", "ReplicaSet", NAME_DNS_SUBDOMAIN, replica_set_rules, replica_set_update_rules,
	 replica_set_part_rules, .steps = "us"},
	{"apps", "DaemonSet", NAME_DNS_SUBDOMAIN, daemon_set_rules, daemon_set_update_rules,
	 daemon_set_part_rules, .steps = "us"},
	{"apps", "StatefulSet", NAME_DNS_LABEL, stateful_set_rules, stateful_set_update_rules,
	 stateful_set_part_rules, .steps = "us"},
	{"apps", "ControllerRevision", NAME_DNS_SUBDOMAIN, revision_rules, revision_update_rules,
	 NULL},
	{"batch", "Job", NAME_DNS_SUBDOMAIN, job_rules, job_update_rules, job_part_rules,
	 .steps = "us"},
	{"batch", "CronJob", NAME_DNS_SUBDOMAIN, cron_job_rules, NULL, NULL, .steps = "us",
	 .part_steps = "s"},
	{"autoscaling", "HorizontalPodAutoscaler", NAME_DNS_SUBDOMAIN, autoscaler_rules,
	 autoscaler_update_rules, autoscaler_part_rules, .steps = "us"},
	{"policy", "PodDisruptionBudget", NAME_GENERIC, budget_rules, NULL, budget_part_rules,
	 .steps = "s", .part_steps = "s"},
	{},
};
