#include "api/convert.h"

#define V1_METRICS "autoscaling.alpha.kubernetes.io/metrics"

/* Members that only change their name. */
struct rename {
	const char *core, *events; /* dotted within one level: the last part is the new key */
};

static const struct rename event_names[] = {
	{"involvedObject", "regarding"},
	{"message", "note"},
	{"source", "deprecatedSource"},
	{"firstTimestamp", "deprecatedFirstTimestamp"},
	{"lastTimestamp", "deprecatedLastTimestamp"},
	{"count", "deprecatedCount"},
	{"reportingComponent", "reportingController"},
};

static struct json *convert_event(struct arena *a, bool is_to_core, struct json *tree)
{
	struct json *out = json_object(a);
	for (size_t i = 0; i < json_count(tree); i++) {
		struct str key = tree->object.members[i].key;
		for (size_t k = 0; k < ARRAY_LEN(event_names); k++) {
			const char *from = is_to_core ? event_names[k].events : event_names[k].core;
			if (str_is(key, from))
				key = str_of(is_to_core ? event_names[k].core
							: event_names[k].events);
		}
		json_set(a, out, key, tree->object.members[i].value);
	}
	return out;
}

/* ---- HorizontalPodAutoscaler ---- */

static struct json *cpu_metric(struct arena *a, const char *inner, const char *field,
			       struct json *value)
{
	struct json *metric = json_object(a), *resource = json_object(a), *target = json_object(a);
	if (strcmp(inner, "target") == 0)
		json_set_str(a, target, STR("type"), STR("Utilization"));
	json_set(a, target, str_of(field), value);
	json_set_str(a, resource, STR("name"), STR("cpu"));
	json_set(a, resource, str_of(inner), target);
	json_set_str(a, metric, STR("type"), STR("Resource"));
	json_set(a, metric, STR("resource"), resource);
	return metric;
}

static bool is_cpu_utilization(const struct json *metric)
{
	return str_is(json_path_str(metric, "type"), "Resource") &&
	       str_is(json_path_str(metric, "resource.name"), "cpu") &&
	       json_path(metric, "resource.target.averageUtilization");
}

static void annotate(struct arena *a, struct json *tree, struct json *metrics)
{
	CLEANUP_BUF text = BUF_INIT(1u << 20);
	json_write(&text, metrics);
	struct json *meta = json_copy(a, json_get(tree, STR("metadata")));
	json_set(a, tree, STR("metadata"), meta);
	json_set_str(a, json_need_object(a, meta, STR("annotations")), STR(V1_METRICS),
		     arena_str(a, buf_str(&text)));
}

static struct json *shallow_copy(struct arena *a, const struct json *object)
{
	struct json *out = json_object(a);
	for (size_t i = 0; i < json_count(object); i++)
		json_set(a, out, object->object.members[i].key, object->object.members[i].value);
	return out;
}

static struct json *hpa_to_v1(struct arena *a, struct json *tree)
{
	struct json *out = shallow_copy(a, tree),
		    *spec = shallow_copy(a, json_get(tree, STR("spec")));
	struct json *metrics = json_get(spec, STR("metrics")), *others = json_array(a);
	for (size_t i = 0; i < json_count(metrics); i++) {
		struct json *m = json_at(metrics, i);
		if (is_cpu_utilization(m))
			json_set(a, spec, STR("targetCPUUtilizationPercentage"),
				 json_path(m, "resource.target.averageUtilization"));
		else
			json_append(a, others, m);
	}
	json_remove(spec, STR("metrics"));
	json_remove(spec, STR("behavior"));
	json_set(a, out, STR("spec"), spec);
	if (json_count(others))
		annotate(a, out, others);
	struct json *status = json_get(tree, STR("status"));
	if (!status)
		return out;
	struct json *old = shallow_copy(a, status),
		    *current = json_get(status, STR("currentMetrics"));
	for (size_t i = 0; i < json_count(current); i++) {
		struct json *value =
			json_path(json_at(current, i), "resource.current.averageUtilization");
		if (value && str_is(json_path_str(json_at(current, i), "resource.name"), "cpu"))
			json_set(a, old, STR("currentCPUUtilizationPercentage"), value);
	}
	static const char *const newer[] = {"currentMetrics", "conditions"};
	for (size_t i = 0; i < ARRAY_LEN(newer); i++)
		json_remove(old, str_of(newer[i]));
	if (!json_get(old, STR("currentReplicas")))
		json_set(a, old, STR("currentReplicas"), json_int(a, 0));
	if (!json_get(old, STR("desiredReplicas")))
		json_set(a, old, STR("desiredReplicas"), json_int(a, 0));
	json_set(a, out, STR("status"), old);
	return out;
}

static struct json *annotated_metrics(struct arena *a, struct json *out)
{
	struct json *metrics = json_array(a), *parsed;
	struct json *annotations = json_path(out, "metadata.annotations");
	struct str text = json_str(json_get(annotations, STR(V1_METRICS)));
	if (!text.len || json_parse(a, text, &parsed, NULL, NULL) != RC_OK ||
	    parsed->type != JSON_ARRAY)
		return metrics;
	struct json *meta = shallow_copy(a, json_get(out, STR("metadata"))),
		    *kept = shallow_copy(a, annotations);
	json_remove(kept, STR(V1_METRICS));
	if (json_count(kept))
		json_set(a, meta, STR("annotations"), kept);
	else
		json_remove(meta, STR("annotations"));
	json_set(a, out, STR("metadata"), meta);
	return parsed;
}

static struct json *hpa_to_v2(struct arena *a, struct json *tree)
{
	struct json *out = shallow_copy(a, tree),
		    *spec = shallow_copy(a, json_get(tree, STR("spec")));
	struct json *metrics = annotated_metrics(a, out),
		    *target = json_get(spec, STR("targetCPUUtilizationPercentage"));
	if (target)
		json_append(a, metrics, cpu_metric(a, "target", "averageUtilization", target));
	json_remove(spec, STR("targetCPUUtilizationPercentage"));
	if (json_count(metrics))
		json_set(a, spec, STR("metrics"), metrics);
	json_set(a, out, STR("spec"), spec);
	struct json *status = json_get(tree, STR("status")),
		    *current = json_get(status, STR("currentCPUUtilizationPercentage"));
	if (!status || !current)
		return out;
	struct json *newer = shallow_copy(a, status), *list = json_array(a);
	json_append(a, list, cpu_metric(a, "current", "averageUtilization", current));
	json_remove(newer, STR("currentCPUUtilizationPercentage"));
	json_set(a, newer, STR("currentMetrics"), list);
	json_set(a, out, STR("status"), newer);
	return out;
}

struct json *convert_tree(struct arena *a, const struct api_kind *from, const struct api_kind *to,
			  struct json *tree)
{
	struct json *out = tree;
	if (from == to)
		return tree;
	if (str_is(to->kind, "Event"))
		out = convert_event(a, to->group.len == 0, tree);
	else if (str_is(to->kind, "HorizontalPodAutoscaler"))
		out = str_is(to->version, "v1") ? hpa_to_v1(a, tree) : hpa_to_v2(a, tree);
	if (json_get(out, STR("apiVersion")))
		json_set_str(a, out, STR("apiVersion"), to->api_version);
	return out;
}
