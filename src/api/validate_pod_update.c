/* Updates of pods: what of a spec may change once it is there. */
#include "api/validate-int.h"

/* The images of both; false: the rest can not be compared. */
static bool check_container_updates(struct check *v, const char *name, const struct json *old,
				    const struct json *spec)
{
	const struct path *at = MEMBER(ROOT("spec"), name);
	const struct json *was = json_get(old, str_of(name)), *is = json_get(spec, str_of(name));
	if (json_count(was) != json_count(is)) {
		forbidden(v, at, "pod updates may not add or remove containers");
		return false;
	}
	FOR_ITEMS(i, c, is)
	{
		check_required(v, MEMBER(ITEM(at, i), "image"), TEXT(c, "image"));
	}
	check_image_spaces(v, at, is);
	return true;
}

/* It may be set and come nearer; false: the rest is not compared. */
static bool check_deadline_update(struct check *v, const struct json *old, const struct json *spec)
{
	const struct path *at = MEMBER(ROOT("spec"), "activeDeadlineSeconds");
	const struct json *was = GET(old, "activeDeadlineSeconds");
	const struct json *is = GET(spec, "activeDeadlineSeconds");
	if (is && (json_i64(is) < 0 || json_i64(is) > INT32_MAX)) {
		bad(v, at, is, "must be between 0 and 2147483647, inclusive");
		return false;
	}
	if (is && was && json_i64(was) < json_i64(is)) {
		bad(v, at, is, "must be less than or equal to previous value");
		return false;
	}
	if (!is && was)
		bad(v, at, NULL, "must not update from a positive integer to nil value");
	return true;
}

static void check_gate_updates(struct check *v, const struct json *old, const struct json *spec)
{
	const struct path *at = MEMBER(ROOT("spec"), "schedulingGates");
	FOR_ITEMS(i, gate, GET(spec, "schedulingGates"))
	{
		bool is_old = false;
		FOR_ITEMS(k, before, GET(old, "schedulingGates"))
		{
			is_old |= str_eq(TEXT(before, "name"), TEXT(gate, "name"));
		}
		if (!is_old)
			forbidden(v, MEMBER(ITEM(at, i), "name"),
				  "only deletion is allowed, but found new scheduling gate '%.*s'",
				  STR_FMT(TEXT(gate, "name")));
	}
}

static bool same_toleration(const struct json *a, const struct json *b)
{
	static const char *const parts[] = {"key", "operator", "value", "effect"};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!value_equal(json_get(a, str_of(parts[i])), json_get(b, str_of(parts[i]))))
			return false;
	return true;
}

static void check_toleration_updates(struct check *v, const struct json *old,
				     const struct json *spec)
{
	FOR_ITEMS(i, before, GET(old, "tolerations"))
	{
		bool is_kept = false;
		FOR_ITEMS(k, now, GET(spec, "tolerations"))
		{
			is_kept |= same_toleration(before, now);
		}
		if (is_kept)
			continue;
		forbidden(v, MEMBER(ROOT("spec"), "tolerations"),
			  "existing toleration can not be modified except its tolerationSeconds");
		return;
	}
	check_tolerations(v, MEMBER(ROOT("spec"), "tolerations"), GET(spec, "tolerations"));
}

static void keep_images(struct check *v, struct json *spec, const struct json *old,
			const char *name)
{
	struct json *list = json_get(spec, str_of(name));
	const struct json *old_list = json_get(old, str_of(name));
	for (size_t i = 0; i < json_count(list); i++)
		keep_member(v, json_at(list, i), json_at(old_list, i), "image");
}

/* Each requirement of the old term is in the new one; an old one without any stays so. */
static bool has_only_additions(const struct json *old, const struct json *term)
{
	static const char *const members[] = {"matchExpressions", "matchFields"};
	size_t before = 0, now = 0;
	for (size_t m = 0; m < ARRAY_LEN(members); m++) {
		const struct json *was = member_of(old, str_of(members[m]));
		const struct json *is = member_of(term, str_of(members[m]));
		before += json_count(was);
		now += json_count(is);
		FOR_ITEMS(i, requirement, was)
		{
			bool is_kept = false;
			for (size_t k = 0; k < json_count(is); k++)
				is_kept |= value_equal(json_at(is, k), requirement);
			if (!is_kept)
				return false;
		}
	}
	return before > 0 || now == 0;
}

static void check_affinity_change(struct check *v, const struct json *old, const struct json *is)
{
	static const char required_list[] = "requiredDuringSchedulingIgnoredDuringExecution";
	const struct path *at = MEMBER(MEMBER(ROOT("spec"), "affinity"), "nodeAffinity");
	const struct path *terms_at = MEMBER(MEMBER(at, required_list), "nodeSelectorTerms");
	const struct json *was_terms =
		GET(json_get(old, str_of(required_list)), "nodeSelectorTerms");
	const struct json *terms = GET(json_get(is, str_of(required_list)), "nodeSelectorTerms");
	if (json_count(was_terms) > 0 && json_count(was_terms) != json_count(terms)) {
		bad(v, terms_at, terms,
		    "no additions/deletions to non-empty NodeSelectorTerms list are allowed");
		return;
	}
	FOR_ITEMS(i, term, was_terms)
	{
		if (!has_only_additions(term, json_at(terms, i)))
			bad(v, ITEM(terms_at, i),
			    go_struct(v, "NodeSelectorTerm", json_at(terms, i)),
			    "only additions are allowed (no mutations or deletions)");
	}
}

/* Takes the node affinity of old, and only that. */
static void keep_node_affinity(struct check *v, struct json *munged, const struct json *old)
{
	const struct json *was = GET(old, "affinity");
	struct json *affinity = GET(munged, "affinity");
	if (!affinity && !GET(was, "nodeAffinity"))
		return;
	affinity = json_need_object(v->arena, munged, STR("affinity"));
	keep_member(v, affinity, was, "nodeAffinity");
	if (!was && json_count(affinity) == 0)
		json_remove(munged, STR("affinity"));
}

/* A gated pod may still narrow where it runs. */
static void check_gated_places(struct check *v, struct json *munged, const struct json *old,
			       const struct json *spec)
{
	const struct json *was = GET(old, "nodeSelector"), *is = GET(spec, "nodeSelector");
	const struct json *affinity = GET(GET(spec, "affinity"), "nodeAffinity");
	const struct json *had = GET(GET(old, "affinity"), "nodeAffinity");
	if (COUNT(old, "schedulingGates") == 0)
		return;
	for (size_t i = 0; i < json_count(was); i++) {
		struct json_member m = was->object.members[i];
		if (!json_get(is, m.key) || !value_equal(json_get(is, m.key), m.value)) {
			bad(v, MEMBER(ROOT("spec"), "nodeSelector"), is,
			    "only additions to spec.nodeSelector are allowed (no mutations or "
			    "deletions)");
			break;
		}
	}
	keep_member(v, munged, old, "nodeSelector");
	if (value_equal(affinity, had))
		return;
	if (had)
		check_affinity_change(v, had, affinity);
	keep_node_affinity(v, munged, old);
}

static void check_rest(struct check *v, const struct json *old, const struct json *spec)
{
	struct json *munged = json_copy(v->arena, spec);
	keep_images(v, munged, old, "containers");
	keep_images(v, munged, old, "initContainers");
	keep_member(v, munged, old, "activeDeadlineSeconds");
	keep_member(v, munged, old, "schedulingGates");
	keep_member(v, munged, old, "tolerations");
	if (INT(old, "terminationGracePeriodSeconds") < 0 &&
	    INT(spec, "terminationGracePeriodSeconds") == 1)
		keep_member(v, munged, old, "terminationGracePeriodSeconds");
	check_gated_places(v, munged, old, spec);
	if (json_equal(munged, old))
		return;
	struct str diff = go_diff(v, "PodSpec", old, munged);
	forbidden(v, ROOT("spec"),
		  "pod updates may not change fields other than `spec.containers[*].image`,"
		  "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
		  "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
		  "(allow it to be set to 1 if it was previously negative)\n%.*s",
		  STR_FMT(diff));
}

void pod_update_rules(struct check *v, const struct json *old_tree, const struct json *tree)
{
	const struct json *old = GET(old_tree, "spec"), *spec = GET(tree, "spec");
	pod_parts(v, tree);
	check_pod_annotation_updates(v, old_tree, tree);
	if (!check_container_updates(v, "containers", old, spec) ||
	    !check_container_updates(v, "initContainers", old, spec) ||
	    !check_deadline_update(v, old, spec))
		return;
	check_toleration_updates(v, old, spec);
	check_gate_updates(v, old, spec);
	check_rest(v, old, spec);
}
