#include "server/bootstrap_reconcile.h"

#include "server/escalation.h"

static bool add_missing(struct arena *a, struct json *tree, const char *key,
			const struct json *wanted)
{
	size_t added = 0;
	for (size_t i = 0; i < json_count(wanted); i++) {
		struct json *list = json_need_array(a, tree, str_of(key));
		if (json_find(list, json_at(wanted, i)) < json_count(list))
			continue;
		json_append(a, list, json_copy(a, json_at(wanted, i)));
		added++;
	}
	return added > 0;
}

/* Values that are there win. */
static bool add_members(struct arena *a, struct json *tree, const struct json *wanted_tree,
			const char *path_key)
{
	const struct json *wanted =
		json_get(json_get(wanted_tree, STR("metadata")), str_of(path_key));
	bool is_changed = false;
	if (json_count(wanted) == 0)
		return false;
	struct json *own =
		json_need_object(a, json_need_object(a, tree, STR("metadata")), str_of(path_key));
	for (size_t i = 0; i < json_count(wanted); i++) {
		struct str key = wanted->object.members[i].key;
		if (json_get(own, key))
			continue;
		json_set(a, own, key, json_copy(a, wanted->object.members[i].value));
		is_changed = true;
	}
	return is_changed;
}

static bool is_said_no(const struct json *tree, const char *annotation)
{
	return str_is(
		json_str(json_get(json_path(tree, "metadata.annotations"), str_of(annotation))),
		"false");
}

static bool add_metadata(struct arena *a, struct json *tree, const struct json *wanted)
{
	bool has_labels = add_members(a, tree, wanted, "labels");
	return add_members(a, tree, wanted, "annotations") || has_labels;
}

static enum reconciled role(struct arena *a, struct json *tree, const struct json *wanted)
{
	const struct json *rules = json_get(wanted, STR("rules")),
			  *selectors = json_path(wanted, "aggregationRule.clusterRoleSelectors");
	bool is_changed = add_metadata(a, tree, wanted);
	if (json_count(selectors)) /* its rules are the controller's business */
		return add_missing(a, json_need_object(a, tree, STR("aggregationRule")),
				   "clusterRoleSelectors", selectors) ||
				       is_changed
			       ? RECONCILE_UPDATE
			       : RECONCILE_NOTHING;
	for (size_t i = 0; i < json_count(rules); i++) {
		struct json *own = json_need_array(a, tree, STR("rules")),
			    *rule = json_at(rules, i);
		if (json_find(own, rule) < json_count(own) || rules_cover(a, own, rule))
			continue;
		json_append(a, own, json_copy(a, rule));
		is_changed = true;
	}
	return is_changed ? RECONCILE_UPDATE : RECONCILE_NOTHING;
}

static enum reconciled binding(struct arena *a, struct json *tree, const struct json *wanted)
{
	if (!json_equal(json_get(tree, STR("roleRef")), json_get(wanted, STR("roleRef"))))
		return RECONCILE_REPLACE;
	bool is_changed = add_metadata(a, tree, wanted);
	return add_missing(a, tree, "subjects", json_get(wanted, STR("subjects"))) || is_changed
		       ? RECONCILE_UPDATE
		       : RECONCILE_NOTHING;
}

static const char rbac[] = "rbac.authorization.kubernetes.io/autoupdate",
		  fairness[] = "apf.kubernetes.io/autoupdate-spec";

static enum reconciled spec(struct arena *a, struct json *tree, const struct json *wanted)
{
	/* Only what the data name: the rest is defaults. */
	const struct json *of = json_get(wanted, STR("spec"));
	struct json *own = json_need_object(a, tree, STR("spec"));
	bool is_changed = false;
	for (size_t i = 0; i < json_count(of); i++) {
		struct str key = of->object.members[i].key;
		const struct json *value = of->object.members[i].value, *there = json_get(own, key);
		if (there && json_equal(there, value))
			continue;
		json_set(a, own, key, json_copy(a, value));
		is_changed = true;
	}
	return is_changed ? RECONCILE_UPDATE : RECONCILE_NOTHING;
}

static const struct {
	const char *kind, *annotation;
	enum reconciled (*run)(struct arena *a, struct json *tree, const struct json *wanted);
} rows[] = {
	{"ClusterRole", rbac, role},	       {"Role", rbac, role},
	{"ClusterRoleBinding", rbac, binding}, {"RoleBinding", rbac, binding},
	{"FlowSchema", fairness, spec},	       {"PriorityLevelConfiguration", fairness, spec},
};

enum reconciled bootstrap_reconcile(struct arena *a, const struct json *there,
				    const struct json *wanted, struct json **ret_tree)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_is(json_path_str(wanted, "kind"), rows[i].kind))
			continue;
		if (is_said_no(there, rows[i].annotation))
			return RECONCILE_NOTHING;
		*ret_tree = json_copy(a, there);
		return rows[i].run(a, *ret_tree, wanted);
	}
	return RECONCILE_NOTHING;
}
