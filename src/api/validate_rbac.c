/* Roles and bindings. */
#include "api/validate-int.h"

#define RBAC "rbac.authorization.k8s.io"

static void check_rule(struct check *v, const struct path *at, const struct json *rule,
		       bool is_namespaced)
{
	const struct json *urls = GET(rule, "nonResourceURLs");
	bool has_resources = COUNT(rule, "apiGroups") > 0 || COUNT(rule, "resources") > 0 ||
			     COUNT(rule, "resourceNames") > 0;
	if (COUNT(rule, "verbs") == 0)
		required(v, MEMBER(at, "verbs"), "verbs must contain at least one value");
	if (json_count(urls) > 0) {
		if (is_namespaced)
			bad(v, MEMBER(at, "nonResourceURLs"), urls,
			    "namespaced rules cannot apply to non-resource URLs");
		if (has_resources)
			bad(v, MEMBER(at, "nonResourceURLs"), urls,
			    "rules cannot apply to both regular resources and non-resource URLs");
		return;
	}
	if (COUNT(rule, "apiGroups") == 0)
		required(v, MEMBER(at, "apiGroups"),
			 "resource rules must supply at least one api group");
	if (COUNT(rule, "resources") == 0)
		required(v, MEMBER(at, "resources"),
			 "resource rules must supply at least one resource");
}

static void role_rules(struct check *v, const struct json *tree)
{
	FOR_ITEMS(i, rule, GET(tree, "rules"))
	{
		check_rule(v, ITEM(ROOT("rules"), i), rule, v->kind->is_namespaced);
	}
	const struct json *aggregation = GET(tree, "aggregationRule");
	const struct path *at = MEMBER(ROOT("aggregationRule"), "clusterRoleSelectors");
	if (!aggregation)
		return;
	if (COUNT(aggregation, "clusterRoleSelectors") == 0)
		required(v, at,
			 "at least one clusterRoleSelector required if aggregationRule is non-nil");
	FOR_ITEMS(k, selector, GET(aggregation, "clusterRoleSelectors"))
	{
		size_t before = v->errors->count;
		check_label_selector(v, ITEM(at, k), selector);
		if (v->errors->count > before)
			bad(v, ITEM(at, k), NULL, "invalid label selector.");
	}
}

static void check_subject(struct check *v, const struct path *at, const struct json *subject,
			  bool is_namespaced)
{
	struct str kind = TEXT(subject, "kind"), name = TEXT(subject, "name");
	struct str group = TEXT(subject, "apiGroup");
	const struct path *group_at = MEMBER(at, "apiGroup");
	check_required(v, MEMBER(at, "name"), name);
	if (str_is(kind, "ServiceAccount")) {
		if (name.len > 0)
			check_name(v, MEMBER(at, "name"), NAME_DNS_SUBDOMAIN, name);
		if (group.len > 0)
			unsupported(v, group_at, group, "");
		if (!is_namespaced && TEXT(subject, "namespace").len == 0)
			required(v, MEMBER(at, "namespace"), "%s", "");
	} else if (text_in(kind, "User,Group")) {
		if (!str_is(group, RBAC))
			unsupported(v, group_at, group, RBAC);
	} else {
		unsupported(v, MEMBER(at, "kind"), kind, "ServiceAccount,User,Group");
	}
}

static void binding_rules(struct check *v, const struct json *tree)
{
	const struct json *ref = GET(tree, "roleRef");
	const struct path *at = ROOT("roleRef");
	bool is_namespaced = v->kind->is_namespaced;
	if (!str_is(TEXT(ref, "apiGroup"), RBAC))
		unsupported(v, MEMBER(at, "apiGroup"), TEXT(ref, "apiGroup"), RBAC);
	check_enum(v, MEMBER(at, "kind"), TEXT(ref, "kind"),
		   is_namespaced ? "Role,ClusterRole" : "ClusterRole");
	check_required_name(v, MEMBER(at, "name"), NAME_PATH_SEGMENT, TEXT(ref, "name"));
	FOR_ITEMS(i, subject, GET(tree, "subjects"))
	{
		check_subject(v, ITEM(ROOT("subjects"), i), subject, is_namespaced);
	}
}

static void binding_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	binding_rules(v, tree);
	if (!value_equal(GET(old, "roleRef"), GET(tree, "roleRef")))
		bad(v, ROOT("roleRef"), go_struct(v, "RoleRef", GET(tree, "roleRef")),
		    "cannot change roleRef");
}

const struct kind_rules validate_rbac[] = {
	{RBAC, "Role", NAME_PATH_SEGMENT, role_rules, NULL, NULL},
	{RBAC, "ClusterRole", NAME_PATH_SEGMENT, role_rules, NULL, NULL},
	{RBAC, "RoleBinding", NAME_PATH_SEGMENT, binding_rules, binding_update_rules, NULL},
	{RBAC, "ClusterRoleBinding", NAME_PATH_SEGMENT, binding_rules, binding_update_rules, NULL},
	{},
};
