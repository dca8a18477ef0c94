/* HorizontalPodAutoscaler, in version 2 as it is stored. */
#include "api/validate-int.h"

#define TYPES "ContainerResource,External,Object,Pods,Resource"

static void check_reference(struct check *v, const struct path *at, const struct json *ref)
{
	check_required_name(v, MEMBER(at, "kind"), NAME_PATH_SEGMENT, TEXT(ref, "kind"));
	check_required_name(v, MEMBER(at, "name"), NAME_PATH_SEGMENT, TEXT(ref, "name"));
}

/* "group/version", or "version" where the core group will do */
static void check_api_version(struct check *v, const struct path *at, struct str version,
			      bool needs_group)
{
	struct str group, tail, rest;
	bool has_group = str_cut(version, '/', &group, &tail);
	if (has_group && str_cut(tail, '/', &rest, &rest))
		bad_text(v, at, version, "unexpected GroupVersion string: %.*s", STR_FMT(version));
	else if (needs_group && (!has_group || group.len == 0))
		bad_text(v, at, version.at ? version : STR(""),
			 "apiVersion must specify API group");
}

/* Autoscalers that point where they pointed before are not judged again. */
static bool is_same_target(const struct json *old, const struct json *ref)
{
	return old && value_equal(GET(old, "kind"), GET(ref, "kind")) &&
	       value_equal(GET(old, "apiVersion"), GET(ref, "apiVersion"));
}

static void check_target_ref(struct check *v, const struct path *at, const struct json *ref,
			     const struct json *old)
{
	check_reference(v, at, ref);
	if (!is_same_target(old, ref))
		check_api_version(v, MEMBER(at, "apiVersion"), TEXT(ref, "apiVersion"),
				  !str_is(TEXT(ref, "kind"), "ReplicationController"));
}

static void check_amount(struct check *v, const struct path *at, const struct json *value)
{
	struct quantity q;
	if (value && quantity_parse(json_str(value), &q, NULL) == RC_OK && quantity_sign(q) <= 0)
		bad_text(v, at, quantity_text(v, value), "must be positive");
}

static void check_target(struct check *v, const struct path *at, const struct json *target)
{
	const struct json *use = GET(target, "averageUtilization");
	struct str type = TEXT(target, "type");
	if (type.len == 0)
		required(v, MEMBER(at, "type"), "must specify a metric target type");
	if (!text_in(type, "Utilization,Value,AverageValue"))
		bad_text(v, MEMBER(at, "type"), type,
			 "must be either Utilization, Value, or AverageValue");
	check_amount(v, MEMBER(at, "value"), GET(target, "value"));
	check_amount(v, MEMBER(at, "averageValue"), GET(target, "averageValue"));
	if (use && json_i64(use) < 1)
		bad(v, MEMBER(at, "averageUtilization"), use, "must be greater than 0");
}

static void check_identifier(struct check *v, const struct path *at, const struct json *metric)
{
	if (TEXT(metric, "name").len == 0)
		required(v, MEMBER(at, "name"), "must specify a metric name");
	else
		check_name(v, MEMBER(at, "name"), NAME_PATH_SEGMENT, TEXT(metric, "name"));
}

static void check_object(struct check *v, const struct path *at, const struct json *source)
{
	const struct json *target = GET(source, "target");
	const struct json *described = GET(source, "describedObject");
	const struct path *target_at = MEMBER(at, "target");
	check_reference(v, MEMBER(at, "describedObject"), described);
	check_api_version(v, MEMBER(MEMBER(at, "describedObject"), "apiVersion"),
			  TEXT(described, "apiVersion"), false);
	check_identifier(v, MEMBER(at, "metric"), GET(source, "metric"));
	check_target(v, target_at, target);
	if (!GET(target, "value") && !GET(target, "averageValue"))
		required(v, MEMBER(target_at, "averageValue"),
			 "must set either a target value or averageValue");
}

static void check_external(struct check *v, const struct path *at, const struct json *source)
{
	const struct json *target = GET(source, "target");
	const struct path *target_at = MEMBER(at, "target");
	check_identifier(v, MEMBER(at, "metric"), GET(source, "metric"));
	check_target(v, target_at, target);
	if (!GET(target, "value") && !GET(target, "averageValue"))
		required(v, MEMBER(target_at, "averageValue"),
			 "must set either a target value for metric or a per-pod target");
	if (GET(target, "value") && GET(target, "averageValue"))
		forbidden(v, MEMBER(target_at, "value"),
			  "may not set both a target value for metric and a per-pod target");
}

static void check_pods(struct check *v, const struct path *at, const struct json *source)
{
	const struct path *target_at = MEMBER(at, "target");
	check_identifier(v, MEMBER(at, "metric"), GET(source, "metric"));
	check_target(v, target_at, GET(source, "target"));
	if (!GET(GET(source, "target"), "averageValue"))
		required(v, MEMBER(target_at, "averageValue"),
			 "must specify a positive target averageValue");
}

static void check_resource(struct check *v, const struct path *at, const struct json *source,
			   bool is_container)
{
	const struct json *target = GET(source, "target");
	const struct path *target_at = MEMBER(at, "target");
	struct str name = TEXT(source, "name"), container = TEXT(source, "container");
	if (name.len == 0)
		required(v, MEMBER(at, "name"), "must specify a resource name");
	else if (is_container)
		check_container_resource_name(v, MEMBER(at, "name"), name);
	if (is_container && container.len == 0)
		required(v, MEMBER(at, "container"), "must specify a container");
	else if (is_container)
		check_name(v, MEMBER(at, "container"), NAME_DNS_LABEL, container);
	check_target(v, target_at, target);
	if (!GET(target, "averageUtilization") && !GET(target, "averageValue"))
		required(v, MEMBER(target_at, "averageUtilization"),
			 "must set either a target raw value or a target utilization");
	if (GET(target, "averageUtilization") && GET(target, "averageValue"))
		forbidden(v, MEMBER(target_at, "averageValue"),
			  "may not set both a target raw value and a target utilization");
}

static void check_container_resource(struct check *v, const struct path *at,
				     const struct json *source)
{
	check_resource(v, at, source, true);
}

static void check_pod_resource(struct check *v, const struct path *at, const struct json *source)
{
	check_resource(v, at, source, false);
}

static const struct metric {
	const char *type, *member;
	void (*check)(struct check *v, const struct path *at, const struct json *source);
} metrics[] = {
	{"Object", "object", check_object},
	{"External", "external", check_external},
	{"Pods", "pods", check_pods},
	{"Resource", "resource", check_pod_resource},
	{"ContainerResource", "containerResource", check_container_resource},
};

static const struct metric *metric_of(struct str type)
{
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
		if (str_is(type, metrics[i].type))
			return &metrics[i];
	return NULL;
}

/* The first source is judged, meant or not; all but the one that is meant are too many. */
static void check_metric(struct check *v, const struct path *at, const struct json *spec)
{
	struct str type = TEXT(spec, "type");
	const struct metric *meant = metric_of(type);
	size_t count = 0;
	if (type.len == 0)
		required(v, MEMBER(at, "type"), "must specify a metric source type");
	check_enum(v, MEMBER(at, "type"), type, TYPES);
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
		const struct json *source = member_of(spec, str_of(metrics[i].member));
		if (source && count++ == 0)
			metrics[i].check(v, MEMBER(at, metrics[i].member), source);
	}
	if (!meant)
		check_enum(v, MEMBER(at, "type"), type, TYPES);
	else if (!member_of(spec, str_of(meant->member)))
		required(v, MEMBER(at, meant->member),
			 "must populate information for the given metric source");
	for (size_t i = 0; count > 1 && i < ARRAY_LEN(metrics); i++)
		if (&metrics[i] != meant && member_of(spec, str_of(metrics[i].member)))
			forbidden(v, MEMBER(at, metrics[i].member),
				  "must populate the given metric source only");
}

static void check_policy(struct check *v, const struct path *at, const struct json *policy)
{
	int64_t period = INT(policy, "periodSeconds");
	check_enum(v, MEMBER(at, "type"), TEXT(policy, "type"), "Percent,Pods");
	if (INT(policy, "value") <= 0)
		bad(v, MEMBER(at, "value"), json_int(v->arena, INT(policy, "value")),
		    "must be greater than zero");
	if (period <= 0)
		bad(v, MEMBER(at, "periodSeconds"), json_int(v->arena, period),
		    "must be greater than zero");
	if (period > 1800)
		bad(v, MEMBER(at, "periodSeconds"), json_int(v->arena, period),
		    "must be less than or equal to 1800");
}

static void check_scaling(struct check *v, const struct path *at, const struct json *rules)
{
	const struct json *window = GET(rules, "stabilizationWindowSeconds");
	const struct path *window_at = MEMBER(at, "stabilizationWindowSeconds");
	if (!rules)
		return;
	if (window && json_i64(window) < 0)
		bad(v, window_at, window, "must be greater than or equal to zero");
	if (json_i64(window) > 3600)
		bad(v, window_at, window, "must be less than or equal to 3600");
	check_optional_enum(v, MEMBER(at, "selectPolicy"), GET(rules, "selectPolicy"),
			    "Disabled,Max,Min");
	if (COUNT(rules, "policies") == 0)
		required(v, MEMBER(at, "policies"), "must specify at least one Policy");
	if (GET(rules, "tolerance"))
		check_quantity_not_negative(v, MEMBER(at, "tolerance"), GET(rules, "tolerance"));
	FOR_ITEMS(i, policy, GET(rules, "policies"))
	{
		check_policy(v, ITEM(MEMBER(at, "policies"), i), policy);
	}
}

static bool scales_from_zero(const struct json *list)
{
	FOR_ITEMS(i, metric, list)
	{
		if (text_in(TEXT(metric, "type"), "Object,External"))
			return true;
	}
	return false;
}

/* old_spec NULL: a new one.  One that scales to zero may go on. */
static void check_spec(struct check *v, const struct json *spec, const struct json *old_spec)
{
	const struct json *least = GET(spec, "minReplicas"), *had = GET(old_spec, "minReplicas");
	const struct path *at = ROOT("spec"), *metrics_at = MEMBER(at, "metrics");
	int64_t most = INT(spec, "maxReplicas");
	int64_t lowest = had && json_i64(had) == 0 ? 0 : 1;
	if (least && json_i64(least) < lowest)
		bad(v, MEMBER(at, "minReplicas"), least, "must be greater than or equal to %d",
		    (int)lowest);
	if (most < 1)
		bad(v, MEMBER(at, "maxReplicas"), json_int(v->arena, most),
		    "must be greater than 0");
	if (least && most < json_i64(least))
		bad(v, MEMBER(at, "maxReplicas"), json_int(v->arena, most),
		    "must be greater than or equal to `minReplicas`");
	check_target_ref(v, MEMBER(at, "scaleTargetRef"), GET(spec, "scaleTargetRef"),
			 GET(old_spec, "scaleTargetRef"));
	FOR_ITEMS(i, metric, GET(spec, "metrics"))
	{
		check_metric(v, ITEM(metrics_at, i), metric);
	}
	if (least && json_i64(least) == 0 && !scales_from_zero(GET(spec, "metrics")))
		forbidden(
			v, metrics_at,
			"must specify at least one Object or External metric to support scaling to "
			"zero replicas");
	check_scaling(v, MEMBER(MEMBER(at, "behavior"), "scaleUp"),
		      GET(GET(spec, "behavior"), "scaleUp"));
	check_scaling(v, MEMBER(MEMBER(at, "behavior"), "scaleDown"),
		      GET(GET(spec, "behavior"), "scaleDown"));
}

void autoscaler_rules(struct check *v, const struct json *tree)
{
	check_spec(v, GET(tree, "spec"), NULL);
}

void autoscaler_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	check_spec(v, GET(tree, "spec"), GET(old, "spec"));
}
