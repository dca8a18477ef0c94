#include "server/audit_policy.h"

#include <string.h>

#include "codec/yaml.h"
#include "server/rule_match.h"

const char *const audit_level_names[] = {"None", "Metadata", "Request", "RequestResponse"};
const char *const audit_stage_names[] = {"RequestReceived", "ResponseStarted", "ResponseComplete",
					 "Panic"};

/* Resources of one API group. */
struct group_rule {
	struct str group;
	struct str_array resources, names;
};

struct audit_rule {
	struct audit_decision decision;
	struct str_array users, groups, verbs, namespaces, paths;
	struct group_rule *resources;
	size_t resource_count;
};

struct audit_policy {
	struct arena arena;
	struct audit_rule *rules;
	size_t count;
};

/* --- reading --- */

static const char *const policy_keys[] = {"apiVersion",	       "kind",	"metadata", "omitStages",
					  "omitManagedFields", "rules", NULL};
static const char *const rule_keys[] = {
	"level",	   "users",	 "userGroups",	      "verbs", "resources", "namespaces",
	"nonResourceURLs", "omitStages", "omitManagedFields", NULL};
static const char *const resource_keys[] = {"group", "resources", "resourceNames", NULL};

static enum rc check_keys(const struct json *object, const char *const *known, const char *where,
			  struct err *err)
{
	if (!object || object->type != JSON_OBJECT)
		return err_set(err, RC_INVALID, "audit policy: %s: want an object", where);
	for (size_t i = 0; i < object->object.count; i++) {
		const char *const *key = known;
		while (*key && !str_is(object->object.members[i].key, *key))
			key++;
		if (!*key)
			return err_set(err, RC_INVALID, "audit policy: %s: unknown field \"%.*s\"",
				       where, STR_FMT(object->object.members[i].key));
	}
	return RC_OK;
}

static int name_index(const char *const *names, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_is(name, names[i]))
			return (int)i;
	return -1;
}

static enum rc read_stages(const struct json *list, const char *where, uint32_t *ret_stages,
			   struct err *err)
{
	for (size_t i = 0; i < json_count(list); i++) {
		struct str name = json_str(json_at(list, i));
		int stage = name_index(audit_stage_names, AUDIT_PANIC + 1, name);
		if (stage < 0)
			return err_set(
				err, RC_INVALID,
				"audit policy: %s[%zu]: no stage \"%.*s\"; there are RequestReceived, "
				"ResponseStarted, ResponseComplete and Panic",
				where, i, STR_FMT(name));
		*ret_stages |= 1u << stage;
	}
	return RC_OK;
}

static struct str_array read_list(struct arena *a, const struct json *rule, const char *key)
{
	const struct json *list = json_get(rule, str_of(key));
	uint32_t count = (uint32_t)json_count(list);
	struct str *at = ARENA_ARRAY(a, struct str, count);
	for (uint32_t i = 0; i < count; i++)
		at[i] = json_str(json_at(list, i));
	return (struct str_array){at, count};
}

static enum rc read_resources(struct arena *a, const struct json *list, const char *where,
			      struct audit_rule *ret_rule, struct err *err)
{
	size_t count = json_count(list);
	struct group_rule *groups = ARENA_ARRAY(a, struct group_rule, count);
	for (size_t i = 0; i < count; i++) {
		const struct json *group = json_at(list, i);
		TRY(check_keys(group, resource_keys, where, err));
		groups[i] = (struct group_rule){json_str(json_get(group, STR("group"))),
						read_list(a, group, "resources"),
						read_list(a, group, "resourceNames")};
	}
	ret_rule->resources = groups;
	ret_rule->resource_count = count;
	return RC_OK;
}

static enum rc read_decision(const struct json *rule, const char *where,
			     struct audit_decision *decision, struct err *err)
{
	struct str name = json_str(json_get(rule, STR("level")));
	int level = name_index(audit_level_names, AUDIT_REQUEST_RESPONSE + 1, name);
	if (level < 0)
		return err_set(
			err, RC_INVALID,
			"audit policy: %s.level: no level \"%.*s\"; there are None, Metadata, "
			"Request and RequestResponse",
			where, STR_FMT(name));
	decision->level = (enum audit_level)level;
	const struct json *omits = json_get(rule, STR("omitManagedFields"));
	if (omits)
		decision->omits_managed_fields = json_is_true(omits);
	return read_stages(json_get(rule, STR("omitStages")), where, &decision->omitted_stages,
			   err);
}

/* *ret_rule begins with what the whole policy omits. */
static enum rc read_rule(struct arena *a, const struct json *rule, size_t at,
			 struct audit_rule *ret_rule, struct err *err)
{
	char where[64];
	snprintf(where, sizeof(where), "rules[%zu]", at);
	TRY(check_keys(rule, rule_keys, where, err));
	TRY(read_decision(rule, where, &ret_rule->decision, err));
	TRY(read_resources(a, json_get(rule, STR("resources")), where, ret_rule, err));
	ret_rule->users = read_list(a, rule, "users");
	ret_rule->groups = read_list(a, rule, "userGroups");
	ret_rule->verbs = read_list(a, rule, "verbs");
	ret_rule->namespaces = read_list(a, rule, "namespaces");
	ret_rule->paths = read_list(a, rule, "nonResourceURLs");
	if ((ret_rule->resource_count || ret_rule->namespaces.count) && ret_rule->paths.count)
		return err_set(
			err, RC_INVALID,
			"audit policy: %s.nonResourceURLs: a rule is about resources or about "
			"other paths, not both",
			where);
	return RC_OK;
}

static enum rc read_policy(struct audit_policy *p, const struct json *tree, struct err *err)
{
	struct audit_decision all = {};
	TRY(check_keys(tree, policy_keys, "file", err));
	if (!str_is(json_str(json_get(tree, STR("apiVersion"))), "audit.k8s.io/v1") ||
	    !str_is(json_str(json_get(tree, STR("kind"))), "Policy"))
		return err_set(err, RC_INVALID,
			       "audit policy: want apiVersion audit.k8s.io/v1 and kind Policy");
	const struct json *rules = json_get(tree, STR("rules"));
	if (json_count(rules) == 0)
		return err_set(
			err, RC_INVALID,
			"audit policy: rules: loaded illegal policy with 0 rules; give one at least");
	all.omits_managed_fields = json_is_true(json_get(tree, STR("omitManagedFields")));
	TRY(read_stages(json_get(tree, STR("omitStages")), "omitStages", &all.omitted_stages, err));
	p->count = json_count(rules);
	p->rules = ARENA_ARRAY(&p->arena, struct audit_rule, p->count);
	for (size_t i = 0; i < p->count; i++) {
		p->rules[i] = (struct audit_rule){.decision = all};
		TRY(read_rule(&p->arena, json_at(rules, i), i, &p->rules[i], err));
	}
	return RC_OK;
}

static enum rc parse(struct audit_policy *p, struct str text, struct err *err)
{
	struct yaml_document *documents;
	size_t count;
	TRY(yaml_parse(&p->arena, arena_str(&p->arena, text), &documents, &count, NULL, err));
	if (count != 1)
		return err_set(err, RC_INVALID, "audit policy: want one document, got %zu", count);
	return read_policy(p, documents[0].tree, err);
}

enum rc audit_policy_parse(struct str text, struct audit_policy **ret_policy, struct err *err)
{
	struct audit_policy *p = NEW(struct audit_policy);
	enum rc rc = parse(p, text, err);
	if (rc != RC_OK) {
		audit_policy_free(p);
		return rc;
	}
	*ret_policy = p;
	return RC_OK;
}

void audit_policy_free(struct audit_policy *p)
{
	if (!p)
		return;
	arena_done(&p->arena);
	free(p);
}

/* --- deciding --- */

static bool lists(const struct str_array *list, struct str value)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (str_eq(list->at[i], value))
			return true;
	return false;
}

/* An empty list says nothing. */
static bool admits(const struct str_array *list, struct str value)
{
	return list->count == 0 || lists(list, value);
}

static bool admits_groups(const struct str_array *list, const struct user *user)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (user_is_in(user, list->at[i]))
			return true;
	return list->count == 0;
}

/* "pods", "pods/log", "pods" + "/" + "*", "*" + "/scale", "*" */
static bool is_resource(struct str pattern, const struct route *route)
{
	struct str resource, subresource;
	if (str_is(pattern, "*"))
		return true;
	bool has_sub = str_cut(pattern, '/', &resource, &subresource);
	bool is_sub = has_sub ? str_eq(subresource, route->subresource) ||
					(str_is(subresource, "*") && !str_is(resource, "*"))
			      : route->subresource.len == 0;
	return is_sub && (str_eq(resource, route->resource) || (has_sub && str_is(resource, "*")));
}

static bool is_in_group(const struct group_rule *g, const struct route *route)
{
	if (!str_eq(g->group, route->group))
		return false;
	if (g->resources.count == 0)
		return true;
	if (!admits(&g->names, route->name))
		return false;
	for (uint32_t i = 0; i < g->resources.count; i++)
		if (is_resource(g->resources.at[i], route))
			return true;
	return false;
}

static bool matches_resources(const struct audit_rule *rule, const struct route *route)
{
	if (!route->is_resource || !admits(&rule->namespaces, route->namespace))
		return false;
	for (size_t i = 0; i < rule->resource_count; i++)
		if (is_in_group(&rule->resources[i], route))
			return true;
	return rule->resource_count == 0;
}

static bool rule_matches(const struct audit_rule *rule, const struct request *r)
{
	if (!admits(&rule->users, r->user.name) || !admits_groups(&rule->groups, &r->user) ||
	    !admits(&rule->verbs, r->route.authz_verb))
		return false;
	if (rule->resource_count || rule->namespaces.count)
		return matches_resources(rule, &r->route);
	return rule->paths.count == 0 ||
	       (!r->route.is_resource && rule_lists_path(&rule->paths, r->path));
}

struct audit_decision audit_policy_decide(const struct audit_policy *p, const struct request *r)
{
	for (size_t i = 0; i < p->count; i++)
		if (rule_matches(&p->rules[i], r))
			return p->rules[i].decision;
	return (struct audit_decision){};
}
