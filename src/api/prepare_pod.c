/* Before a pod is created: its first status, old annotations as fields, label keys as
 * requirements. */
#include "api/prepare-int.h"
#include "base/timefmt.h"

#define PROFILE_NAME_MAX 4095

/* "runtime/default", "unconfined" or "localhost/<profile>" as a profile; NULL for text that
 * is not good for a field. */
static struct json *app_armor_profile(struct arena *a, struct str text)
{
	struct json *profile = json_object(a);
	if (str_is(text, "runtime/default")) {
		json_set_str(a, profile, STR("type"), STR("RuntimeDefault"));
	} else if (str_is(text, "unconfined")) {
		json_set_str(a, profile, STR("type"), STR("Unconfined"));
	} else if (str_has_prefix(text, STR("localhost/"))) {
		struct str name = str_skip(text, strlen("localhost/"));
		if (name.len == 0 || name.len > PROFILE_NAME_MAX || str_trim(name).len != name.len)
			return NULL;
		json_set_str(a, profile, STR("type"), STR("Localhost"));
		json_set_str(a, profile, STR("localhostProfile"), name);
	} else {
		return NULL;
	}
	return profile;
}

/* The annotations that came before the field fill it where it is absent and the pod's own says
 * something else. */
static void app_armor_from_annotations(struct arena *a, struct json *tree, const char *list_name)
{
	const struct json *annotations = json_path(tree, "metadata.annotations");
	const struct json *list = json_get(json_get(tree, STR("spec")), str_of(list_name));
	const struct json *own = json_path(tree, "spec.securityContext.appArmorProfile");
	if (!annotations || str_is(json_path_str(tree, "spec.os.name"), "windows"))
		return;
	for (size_t i = 0; i < json_count(list); i++) {
		struct json *c = json_at(list, i);
		struct str key = arena_printf(a,
					      "container.apparmor.security.beta.kubernetes.io/%.*s",
					      STR_FMT(json_path_str(c, "name")));
		struct json *profile = app_armor_profile(a, json_str(json_get(annotations, key)));
		if (!profile || json_path(c, "securityContext.appArmorProfile") ||
		    (own && json_equal(profile, own)))
			continue;
		json_set(a, json_need_object(a, c, STR("securityContext")), STR("appArmorProfile"),
			 profile);
	}
}

/* Pods with the value that this one has under each of the keys (operator In), or another one. */
static void add_requirements(struct arena *a, struct json *selector, const struct json *keys,
			     const struct json *labels, const char *operator_name)
{
	for (size_t i = 0; selector && i < json_count(keys); i++) {
		struct str key = json_str(json_at(keys, i));
		struct str value = json_str(json_get(labels, key));
		struct json *requirement = json_object(a), *values = json_array(a);
		if (!value.at)
			continue;
		json_append(a, values, json_string(a, value));
		json_set_str(a, requirement, STR("key"), key);
		json_set_str(a, requirement, STR("operator"), str_of(operator_name));
		json_set(a, requirement, STR("values"), values);
		json_append(a, json_need_array(a, selector, STR("matchExpressions")), requirement);
	}
}

static void merge_term_keys(struct arena *a, struct json *term, const struct json *labels)
{
	struct json *selector = json_get(term, STR("labelSelector"));
	add_requirements(a, selector, json_get(term, STR("matchLabelKeys")), labels, "In");
	add_requirements(a, selector, json_get(term, STR("mismatchLabelKeys")), labels, "NotIn");
}

/* What upstream's strategy does: keys of labels become requirements of the selectors. */
static void merge_label_keys(struct arena *a, struct json *tree)
{
	static const char *const kinds[] = {"podAffinity", "podAntiAffinity"};
	const struct json *labels = json_path(tree, "metadata.labels");
	const struct json *spread = json_path(tree, "spec.topologySpreadConstraints");
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		const struct json *part =
			json_get(json_path(tree, "spec.affinity"), str_of(kinds[k]));
		const struct json *needed =
			json_get(part, STR("requiredDuringSchedulingIgnoredDuringExecution"));
		const struct json *liked =
			json_get(part, STR("preferredDuringSchedulingIgnoredDuringExecution"));
		for (size_t i = 0; i < json_count(needed); i++)
			merge_term_keys(a, json_at(needed, i), labels);
		for (size_t i = 0; i < json_count(liked); i++)
			merge_term_keys(a, json_get(json_at(liked, i), STR("podAffinityTerm")),
					labels);
	}
	for (size_t i = 0; i < json_count(spread); i++)
		merge_term_keys(a, json_at(spread, i), labels);
}

void prepare_pod_grace(struct arena *a, struct json *spec)
{
	if (json_i64(json_get(spec, STR("terminationGracePeriodSeconds"))) < 0)
		json_set(a, spec, STR("terminationGracePeriodSeconds"), json_int(a, 1));
}

void prepare_pod_create(struct arena *a, struct json *tree, int64_t now_us)
{
	merge_label_keys(a, tree);
	app_armor_from_annotations(a, tree, "initContainers");
	app_armor_from_annotations(a, tree, "containers");
	struct json *status = json_need_object(a, tree, STR("status"));
	struct json *spec = json_get(tree, STR("spec"));
	prepare_pod_grace(a, spec);
	json_set_str(a, status, STR("phase"), STR("Pending"));
	json_set_str(a, status, STR("qosClass"), str_of(api_pod_qos(spec)));
	if (json_count(json_get(spec, STR("schedulingGates"))) == 0)
		return;
	struct json *condition = json_object(a), *conditions = json_array(a);
	json_set_str(a, condition, STR("type"), STR("PodScheduled"));
	json_set_str(a, condition, STR("status"), STR("False"));
	json_set(a, condition, STR("lastProbeTime"), json_null(a));
	char now[TIME_TEXT_MAX];
	json_set_str(a, condition, STR("lastTransitionTime"),
		     arena_str(a, str_n(now, time_format(now_us, now))));
	json_set_str(a, condition, STR("reason"), STR("SchedulingGated"));
	json_set_str(a, condition, STR("message"),
		     STR("Scheduling is blocked due to non-empty scheduling gates"));
	json_append(a, conditions, condition);
	json_set(a, status, STR("conditions"), conditions);
}
