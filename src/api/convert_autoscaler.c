/* HorizontalPodAutoscaler v1 and v2.  What v1 has no field for travels in annotations, as upstream
 * writes them: metrics in the form of v1, behavior in that of upstream's internal type. */
#include "api/convert-int.h"

#define PREFIX	     "autoscaling.alpha.kubernetes.io/"
#define BEHAVIOR     PREFIX "behavior"
#define CONDITIONS   PREFIX "conditions"
#define CURRENT	     PREFIX "current-metrics"
#define METRICS	     PREFIX "metrics"
#define TEXT_MAX     (1u << 20)
#define UTILIZATION  "targetCPUUtilizationPercentage"
#define NOW_UTILIZED "currentCPUUtilizationPercentage"

/* ---- metrics: flat in v1, nested in v2; '@' stands for target, or in a status for current ---- */

struct metric_row {
	const char *source, *flat, *nested;
	enum { IF_SET, ALWAYS, IN_STATUS } when; /* it is in v1, as nothing when not set */
};

static const struct metric_row metric_rows[] = {
	{"object", "target", "describedObject", ALWAYS},
	{"object", "metricName", "metric.name", ALWAYS},
	{"object", "@Value", "@.value", ALWAYS},
	{"object", "selector", "metric.selector", IF_SET},
	{"object", "averageValue", "@.averageValue", IF_SET},
	{"pods", "metricName", "metric.name", ALWAYS},
	{"pods", "@AverageValue", "@.averageValue", ALWAYS},
	{"pods", "selector", "metric.selector", IF_SET},
	{"resource", "name", "name", ALWAYS},
	{"resource", "@AverageUtilization", "@.averageUtilization", IF_SET},
	{"resource", "@AverageValue", "@.averageValue", IN_STATUS},
	{"containerResource", "name", "name", ALWAYS},
	{"containerResource", "@AverageUtilization", "@.averageUtilization", IF_SET},
	{"containerResource", "@AverageValue", "@.averageValue", IN_STATUS},
	{"containerResource", "container", "container", ALWAYS},
	{"external", "metricName", "metric.name", ALWAYS},
	{"external", "metricSelector", "metric.selector", IF_SET},
	{"external", "@Value", "@.value", IN_STATUS},
	{"external", "@AverageValue", "@.averageValue", IF_SET},
};

static const char *filled_in(struct arena *a, const char *pattern, bool is_status)
{
	if (pattern[0] != '@')
		return pattern;
	return arena_cstr(a,
			  arena_printf(a, "%s%s", is_status ? "current" : "target", pattern + 1));
}

static void set_nested(struct arena *a, struct json *object, const char *path, struct json *value)
{
	struct str outer, inner;
	if (!str_cut(str_of(path), '.', &outer, &inner)) {
		json_set(a, object, str_of(path), value);
		return;
	}
	json_set(a, json_need_object(a, object, outer), inner, value);
}

static struct json *zero_of(struct arena *a, const struct metric_row *row)
{
	if (!strcmp(row->nested, "describedObject"))
		return json_object(a);
	return json_cstring(a, row->flat[0] == '@' ? "0" : "");
}

/* How a target is meant, which v1 does not say. */
static const char *target_type(const char *source, const struct json *flat)
{
	if (!strcmp(source, "object"))
		return json_get(flat, STR("averageValue")) ? "AverageValue" : "Value";
	if (!strcmp(source, "external"))
		return json_get(flat, STR("targetValue")) ? "Value" : "AverageValue";
	if (json_get(flat, STR("targetAverageUtilization")))
		return "Utilization";
	return "AverageValue";
}

static struct json *nested_source(struct arena *a, const char *source, const struct json *flat,
				  bool is_status)
{
	struct json *out = json_object(a);
	if (!is_status)
		json_set(a, json_need_object(a, out, STR("target")), STR("type"),
			 json_cstring(a, target_type(source, flat)));
	for (size_t i = 0; i < ARRAY_LEN(metric_rows); i++) {
		const struct metric_row *row = &metric_rows[i];
		if (strcmp(row->source, source))
			continue;
		struct json *value = json_get(flat, str_of(filled_in(a, row->flat, is_status)));
		if (value)
			set_nested(a, out, filled_in(a, row->nested, is_status), value);
	}
	return out;
}

static struct json *flat_source(struct arena *a, const char *source, const struct json *nested,
				bool is_status)
{
	struct json *out = json_object(a);
	for (size_t i = 0; i < ARRAY_LEN(metric_rows); i++) {
		const struct metric_row *row = &metric_rows[i];
		if (strcmp(row->source, source))
			continue;
		struct json *value = json_path(nested, filled_in(a, row->nested, is_status));
		if (!value && row->when != ALWAYS && !(row->when == IN_STATUS && is_status))
			continue;
		json_add(a, out, str_of(filled_in(a, row->flat, is_status)),
			 value ? value : zero_of(a, row));
	}
	return out;
}

static struct json *metric_in(struct arena *a, const struct json *metric, bool is_nested,
			      bool is_status)
{
	static const char *const sources[] = {"object", "pods", "resource", "containerResource",
					      "external"};
	struct json *out = json_object(a), *type = json_get(metric, STR("type"));
	json_add(a, out, STR("type"), type ? type : json_cstring(a, ""));
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		const struct json *source = json_get(metric, str_of(sources[i]));
		if (source && source->type == JSON_OBJECT)
			json_add(a, out, str_of(sources[i]),
				 is_nested ? nested_source(a, sources[i], source, is_status)
					   : flat_source(a, sources[i], source, is_status));
	}
	return out;
}

static struct json *metrics_in(struct arena *a, const struct json *list, bool is_nested,
			       bool is_status)
{
	struct json *out = json_array(a);
	for (size_t i = 0; i < json_count(list); i++)
		json_append(a, out, metric_in(a, json_at(list, i), is_nested, is_status));
	return out;
}

/* ---- behavior ---- */

struct rename {
	const char *outer, *inner; /* JSON name, Go name */
};

static const struct rename behavior_names[] = {
	{"scaleUp", "ScaleUp"},
	{"scaleDown", "ScaleDown"},
	{"stabilizationWindowSeconds", "StabilizationWindowSeconds"},
	{"selectPolicy", "SelectPolicy"},
	{"policies", "Policies"},
	{"type", "Type"},
	{"value", "Value"},
	{"periodSeconds", "PeriodSeconds"},
	{"tolerance", "Tolerance"},
};

static struct json *renamed(struct arena *a, const struct json *v, bool is_to_go);

static struct json *renamed_list(struct arena *a, const struct json *v, bool is_to_go)
{
	struct json *out = json_array(a);
	for (size_t i = 0; i < json_count(v); i++)
		json_append(a, out, renamed(a, json_at(v, i), is_to_go));
	return out;
}

static struct json *renamed(struct arena *a, const struct json *v, bool is_to_go)
{
	struct json *out = json_object(a);
	if (v->type == JSON_ARRAY)
		return renamed_list(a, v, is_to_go);
	if (v->type != JSON_OBJECT)
		return (struct json *)v;
	for (size_t i = 0; i < ARRAY_LEN(behavior_names); i++) {
		const struct rename *n = &behavior_names[i];
		const struct json *value = json_get(v, str_of(is_to_go ? n->outer : n->inner));
		if (value && value->type != JSON_NULL)
			json_add(a, out, str_of(is_to_go ? n->inner : n->outer),
				 renamed(a, value, is_to_go));
	}
	return out;
}

/* Go writes in its order, and what is not set as null. */
static struct json *behavior_to_go(struct arena *a, const struct json *behavior)
{
	static const char *const rules[] = {"ScaleUp", "ScaleDown"};
	static const char *const members[] = {"StabilizationWindowSeconds", "SelectPolicy",
					      "Policies", "Tolerance"};
	const struct json *named = renamed(a, behavior, true);
	struct json *out = json_object(a);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const struct json *rule = json_get(named, str_of(rules[i]));
		struct json *whole = rule ? json_object(a) : json_null(a);
		for (size_t k = 0; rule && k < ARRAY_LEN(members); k++) {
			struct json *value = json_get(rule, str_of(members[k]));
			json_add(a, whole, str_of(members[k]), value ? value : json_null(a));
		}
		json_add(a, out, str_of(rules[i]), whole);
	}
	return out;
}

/* ---- annotations ---- */

static const char *const annotation_names[] = {BEHAVIOR, CONDITIONS, CURRENT, METRICS};

static void annotate(struct arena *a, struct json *tree, const char *key, const struct json *value)
{
	CLEANUP_BUF text = BUF_INIT(TEXT_MAX);
	struct json *meta = json_need_object(a, tree, STR("metadata"));
	json_write(&text, value);
	json_set_str(a, json_need_object(a, meta, STR("annotations")), str_of(key),
		     arena_str(a, buf_str(&text)));
}

/* NULL when it is absent or no JSON of that shape. */
static struct json *annotated(struct arena *a, const struct json *tree, const char *key,
			      enum json_type type)
{
	struct str text = json_str(json_get(json_path(tree, "metadata.annotations"), str_of(key)));
	struct json *value;
	if (!text.len || json_parse(a, text, &value, NULL, NULL) != RC_OK || value->type != type)
		return NULL;
	return json_count(value) ? value : NULL;
}

/* out gets metadata and annotations of its own, without those of a round trip. */
static void own_annotations(struct arena *a, struct json *out)
{
	struct json *meta = convert_shallow_copy(a, json_get(out, STR("metadata")));
	struct json *annotations = json_get(meta, STR("annotations"));
	json_set(a, out, STR("metadata"), meta);
	if (!annotations)
		return;
	annotations = convert_shallow_copy(a, annotations);
	for (size_t i = 0; i < ARRAY_LEN(annotation_names); i++)
		json_remove(annotations, str_of(annotation_names[i]));
	if (json_count(annotations))
		json_set(a, meta, STR("annotations"), annotations);
	else
		json_remove(meta, STR("annotations"));
}

/* ---- both ways ---- */

/* tree: what is converted, with its annotations; out: gets those of the other version; part: a copy
 * of tree's, to be changed. */
typedef void convert_part(struct arena *a, const struct json *tree, struct json *out,
			  struct json *part);

static struct json *converted(struct arena *a, const struct json *tree, convert_part *to_spec,
			      convert_part *to_status)
{
	struct json *out = convert_shallow_copy(a, tree);
	struct json *spec = convert_shallow_copy(a, json_get(tree, STR("spec"))),
		    *status = json_get(tree, STR("status"));
	own_annotations(a, out);
	to_spec(a, tree, out, spec);
	json_set(a, out, STR("spec"), spec);
	if (!status)
		return out;
	status = convert_shallow_copy(a, status);
	to_status(a, tree, out, status);
	json_set(a, out, STR("status"), status);
	return out;
}

static bool is_cpu_utilization(const struct json *metric)
{
	return str_is(json_path_str(metric, "type"), "Resource") &&
	       str_is(json_path_str(metric, "resource.name"), "cpu") &&
	       json_path(metric, "resource.target.averageUtilization");
}

static void spec_to_v1(struct arena *a, const struct json *tree, struct json *out,
		       struct json *spec)
{
	struct json *metrics = json_get(spec, STR("metrics")), *others = json_array(a),
		    *behavior = json_get(spec, STR("behavior"));
	for (size_t i = 0; i < json_count(metrics); i++) {
		struct json *m = json_at(metrics, i);
		if (is_cpu_utilization(m))
			json_set(a, spec, STR(UTILIZATION),
				 json_path(m, "resource.target.averageUtilization"));
		else
			json_append(a, others, m);
	}
	if (json_count(others))
		annotate(a, out, METRICS, metrics_in(a, others, false, false));
	if (behavior)
		annotate(a, out, BEHAVIOR, behavior_to_go(a, behavior));
	json_remove(spec, STR("metrics"));
	json_remove(spec, STR("behavior"));
}

static void status_to_v1(struct arena *a, const struct json *tree, struct json *out,
			 struct json *status)
{
	static const char *const always[] = {"currentReplicas", "desiredReplicas"};
	struct json *current = json_get(status, STR("currentMetrics")),
		    *conditions = json_get(status, STR("conditions"));
	for (size_t i = 0; i < json_count(current); i++) {
		struct json *m = json_at(current, i),
			    *value = json_path(m, "resource.current.averageUtilization");
		if (value && str_is(json_path_str(m, "resource.name"), "cpu"))
			json_set(a, status, STR(NOW_UTILIZED), value);
	}
	if (json_count(current))
		annotate(a, out, CURRENT, metrics_in(a, current, false, true));
	if (json_count(conditions))
		annotate(a, out, CONDITIONS, conditions);
	json_remove(status, STR("currentMetrics"));
	json_remove(status, STR("conditions"));
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (!json_get(status, str_of(always[i])))
			json_set(a, status, str_of(always[i]), json_int(a, 0));
}

struct json *convert_autoscaler_to_v1(struct arena *a, const struct json *tree)
{
	return converted(a, tree, spec_to_v1, status_to_v1);
}

static struct json *cpu_metric(struct arena *a, const char *inner, struct json *value)
{
	struct json *metric = json_object(a), *resource = json_object(a), *target = json_object(a);
	if (strcmp(inner, "target") == 0)
		json_set_str(a, target, STR("type"), STR("Utilization"));
	json_set(a, target, STR("averageUtilization"), value);
	json_set_str(a, resource, STR("name"), STR("cpu"));
	json_set(a, resource, str_of(inner), target);
	json_set_str(a, metric, STR("type"), STR("Resource"));
	json_set(a, metric, STR("resource"), resource);
	return metric;
}

static void spec_to_v2(struct arena *a, const struct json *tree, struct json *out,
		       struct json *spec)
{
	struct json *metrics = metrics_in(a, annotated(a, tree, METRICS, JSON_ARRAY), true, false);
	struct json *behavior = annotated(a, tree, BEHAVIOR, JSON_OBJECT);
	struct json *target = json_get(spec, STR(UTILIZATION));
	if (target)
		json_append(a, metrics, cpu_metric(a, "target", target));
	if (json_count(metrics))
		json_set(a, spec, STR("metrics"), metrics);
	if (behavior)
		json_set(a, spec, STR("behavior"), renamed(a, behavior, false));
	json_remove(spec, STR(UTILIZATION));
}

static void status_to_v2(struct arena *a, const struct json *tree, struct json *out,
			 struct json *status)
{
	struct json *current = annotated(a, tree, CURRENT, JSON_ARRAY),
		    *conditions = annotated(a, tree, CONDITIONS, JSON_ARRAY);
	struct json *utilized = json_get(status, STR(NOW_UTILIZED)), *list = json_array(a);
	if (current) {
		list = metrics_in(a, current, true, true);
	} else if (utilized) {
		json_append(a, list, cpu_metric(a, "current", utilized));
	}
	if (json_count(list))
		json_set(a, status, STR("currentMetrics"), list);
	if (conditions)
		json_set(a, status, STR("conditions"), conditions);
	json_remove(status, STR(NOW_UTILIZED));
}

struct json *convert_autoscaler_to_v2(struct arena *a, const struct json *tree)
{
	return converted(a, tree, spec_to_v2, status_to_v2);
}
