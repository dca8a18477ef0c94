#include "server/audit_policy.h"

#include <string.h>

#include "codec/yaml.h"

const char *const audit_level_names[] = {"None", "Metadata", "Request", "RequestResponse"};
const char *const audit_stage_names[] = {"RequestReceived", "ResponseStarted", "ResponseComplete",
					 "Panic"};

struct audit_policy {
	struct arena arena;
	const struct json *rules;
	uint32_t omitted_stages;
	bool omits_managed_fields;
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

static enum rc check_rule(const struct json *rule, size_t at, struct err *err)
{
	char where[64];
	uint32_t stages = 0;
	snprintf(where, sizeof(where), "rules[%zu]", at);
	TRY(check_keys(rule, rule_keys, where, err));
	struct str level = json_str(json_get(rule, STR("level")));
	if (name_index(audit_level_names, AUDIT_REQUEST_RESPONSE + 1, level) < 0)
		return err_set(
			err, RC_INVALID,
			"audit policy: %s.level: no level \"%.*s\"; there are None, Metadata, "
			"Request and RequestResponse",
			where, STR_FMT(level));
	const struct json *resources = json_get(rule, STR("resources"));
	for (size_t i = 0; i < json_count(resources); i++)
		TRY(check_keys(json_at(resources, i), resource_keys, where, err));
	bool names_resources = json_count(resources) ||
			       json_count(json_get(rule, STR("namespaces")));
	if (names_resources && json_count(json_get(rule, STR("nonResourceURLs"))))
		return err_set(
			err, RC_INVALID,
			"audit policy: %s.nonResourceURLs: a rule is about resources or about "
			"other paths, not both",
			where);
	return read_stages(json_get(rule, STR("omitStages")), where, &stages, err);
}

static enum rc read_policy(struct audit_policy *p, const struct json *tree, struct err *err)
{
	TRY(check_keys(tree, policy_keys, "file", err));
	if (!str_is(json_str(json_get(tree, STR("apiVersion"))), "audit.k8s.io/v1") ||
	    !str_is(json_str(json_get(tree, STR("kind"))), "Policy"))
		return err_set(err, RC_INVALID,
			       "audit policy: want apiVersion audit.k8s.io/v1 and kind Policy");
	p->rules = json_get(tree, STR("rules"));
	p->omits_managed_fields = json_is_true(json_get(tree, STR("omitManagedFields")));
	if (json_count(p->rules) == 0)
		return err_set(
			err, RC_INVALID,
			"audit policy: rules: loaded illegal policy with 0 rules; give one at least");
	for (size_t i = 0; i < json_count(p->rules); i++)
		TRY(check_rule(json_at(p->rules, i), i, err));
	return read_stages(json_get(tree, STR("omitStages")), "omitStages", &p->omitted_stages,
			   err);
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

static bool lists(const struct json *list, struct str value)
{
	for (size_t i = 0; i < json_count(list); i++)
		if (str_eq(json_str(json_at(list, i)), value))
			return true;
	return false;
}

static bool lists_or_empty(const struct json *rule, struct str key, struct str value)
{
	const struct json *list = json_get(rule, key);
	return json_count(list) == 0 || lists(list, value);
}

static bool lists_group(const struct json *rule, const struct user *user)
{
	const struct json *list = json_get(rule, STR("userGroups"));
	for (size_t i = 0; i < json_count(list); i++)
		if (user_is_in(user, json_str(json_at(list, i))))
			return true;
	return json_count(list) == 0;
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

static bool is_among_resources(const struct json *group, const struct route *route)
{
	const struct json *resources = json_get(group, STR("resources"));
	if (!str_eq(json_str(json_get(group, STR("group"))), route->group))
		return false;
	if (json_count(resources) == 0)
		return true;
	if (!lists_or_empty(group, STR("resourceNames"), route->name))
		return false;
	for (size_t i = 0; i < json_count(resources); i++)
		if (is_resource(json_str(json_at(resources, i)), route))
			return true;
	return false;
}

static bool matches_resources(const struct json *rule, const struct route *route)
{
	const struct json *groups = json_get(rule, STR("resources"));
	if (!route->is_resource || !lists_or_empty(rule, STR("namespaces"), route->namespace))
		return false;
	for (size_t i = 0; i < json_count(groups); i++)
		if (is_among_resources(json_at(groups, i), route))
			return true;
	return json_count(groups) == 0;
}

static bool matches_path(const struct json *urls, const struct request *r)
{
	for (size_t i = 0; i < json_count(urls) && !r->route.is_resource; i++) {
		struct str url = json_str(json_at(urls, i));
		if (str_eq(url, r->path) || (str_has_suffix(url, STR("*")) &&
					     str_has_prefix(r->path, str_n(url.at, url.len - 1))))
			return true;
	}
	return false;
}

static bool rule_matches(const struct json *rule, const struct request *r)
{
	const struct json *urls = json_get(rule, STR("nonResourceURLs"));
	if (!lists_or_empty(rule, STR("users"), r->user.name) || !lists_group(rule, &r->user) ||
	    !lists_or_empty(rule, STR("verbs"), r->route.authz_verb))
		return false;
	if (json_count(json_get(rule, STR("resources"))) ||
	    json_count(json_get(rule, STR("namespaces"))))
		return matches_resources(rule, &r->route);
	return json_count(urls) == 0 || matches_path(urls, r);
}

static struct audit_decision decision_of(const struct audit_policy *p, const struct json *rule)
{
	const struct json *omits = json_get(rule, STR("omitManagedFields"));
	struct audit_decision d = {
		.omitted_stages = p->omitted_stages,
		.omits_managed_fields = omits ? json_is_true(omits) : p->omits_managed_fields,
	};
	struct str level = json_str(json_get(rule, STR("level")));
	d.level =
		(enum audit_level)name_index(audit_level_names, AUDIT_REQUEST_RESPONSE + 1, level);
	struct err unused; /* checked when it was read */
	(void)!read_stages(json_get(rule, STR("omitStages")), "", &d.omitted_stages, &unused);
	return d;
}

struct audit_decision audit_policy_decide(const struct audit_policy *p, const struct request *r)
{
	for (size_t i = 0; i < json_count(p->rules); i++)
		if (rule_matches(json_at(p->rules, i), r))
			return decision_of(p, json_at(p->rules, i));
	return (struct audit_decision){};
}
