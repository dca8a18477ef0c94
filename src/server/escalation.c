#include "server/escalation.h"

#include "api/api_ids.h"
#include "api/views.h"
#include "server/server.h"
#include "server/write.h"

/* One verb on one resource (of one name) of one group, or on one path. */
struct right {
	struct str verb, group, resource, name, path;
	bool is_path, has_name, is_held;
};

struct rights {
	struct arena *a;
	struct right *at;
	size_t count;
	bool is_full;
};

static void add_right(struct rights *list, struct right right)
{
	if (list->count == ESCALATION_RIGHTS_MAX) {
		list->is_full = true;
		return;
	}
	list->at[list->count++] = right;
}

static void add_resource_rights(struct rights *list, const struct json *rule, struct right right)
{
	struct json *verbs = json_get(rule, STR("verbs")),
		    *names = json_get(rule, STR("resourceNames"));
	for (size_t v = 0; v < json_count(verbs) && !list->is_full; v++) {
		right.verb = json_str(json_at(verbs, v));
		right.has_name = json_count(names) > 0;
		if (!right.has_name)
			add_right(list, right);
		for (size_t n = 0; n < json_count(names) && !list->is_full; n++) {
			right.name = json_str(json_at(names, n));
			add_right(list, right);
		}
	}
}

static void add_path_rights(struct rights *list, const struct json *rule)
{
	struct json *verbs = json_get(rule, STR("verbs")),
		    *paths = json_get(rule, STR("nonResourceURLs"));
	for (size_t p = 0; p < json_count(paths); p++)
		for (size_t v = 0; v < json_count(verbs) && !list->is_full; v++)
			add_right(list, (struct right){.is_path = true,
						       .path = json_str(json_at(paths, p)),
						       .verb = json_str(json_at(verbs, v))});
}

/* Rules taken apart into single rights. */
static void add_rules(struct rights *list, const struct json *rules)
{
	for (size_t i = 0; i < json_count(rules); i++) {
		const struct json *rule = json_at(rules, i),
				  *groups = json_get(rule, STR("apiGroups")),
				  *resources = json_get(rule, STR("resources"));
		for (size_t g = 0; g < json_count(groups) && !list->is_full; g++)
			for (size_t k = 0; k < json_count(resources) && !list->is_full; k++)
				add_resource_rights(
					list, rule,
					(struct right){
						.group = json_str(json_at(groups, g)),
						.resource = json_str(json_at(resources, k))});
		add_path_rights(list, rule);
	}
}

/* ---- what the user holds ---- */

static bool has(const struct str_array *list, struct str value)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (str_eq(list->at[i], value))
			return true;
	return false;
}

static bool has_or_all(const struct str_array *list, struct str value)
{
	return has(list, STR("*")) || has(list, value);
}

static bool covers_resource(const struct str_array *list, struct str resource)
{
	if (has_or_all(list, resource))
		return true;
	for (uint32_t i = 0; i < list->count; i++) {
		struct str any, subresource, head, tail;
		if (str_cut(list->at[i], '/', &any, &subresource) && str_is(any, "*") &&
		    str_cut(resource, '/', &head, &tail) && str_eq(subresource, tail))
			return true;
	}
	return false;
}

static bool covers_path(const struct str_array *list, struct str path)
{
	for (uint32_t i = 0; i < list->count; i++) {
		struct str p = list->at[i];
		if (str_eq(p, path) || (p.len && p.at[p.len - 1] == '*' &&
					str_has_prefix(path, str_n(p.at, p.len - 1))))
			return true;
	}
	return false;
}

static bool covers(const struct policy_rule *rule, const struct right *right)
{
	if (!has_or_all(&rule->verbs, right->verb))
		return false;
	if (right->is_path)
		return covers_path(&rule->non_resource_urls, right->path);
	bool has_names = rule->resource_names.count > 0;
	return has_or_all(&rule->api_groups, right->group) &&
	       covers_resource(&rule->resources, right->resource) &&
	       (!has_names || (right->has_name && has(&rule->resource_names, right->name)));
}

static void strike_out(void *ctx, const struct policy_rule *rule)
{
	struct rights *list = ctx;
	for (size_t i = 0; i < list->count; i++)
		list->at[i].is_held = list->at[i].is_held || covers(rule, &list->at[i]);
}

static bool is_empty(const struct rights *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!list->at[i].is_held)
			return false;
	return true;
}

static const struct policy_rule *rule_view(struct arena *a, const struct json *rule)
{
	const struct api_type *type = api_type(api_builtin(), TYPE_RBAC_V1_POLICY_RULE);
	return view_from_tree(a, type, rule);
}

bool rules_cover(struct arena *a, const struct json *held, const struct json *rule)
{
	struct json *wanted = json_array(a);
	struct rights list = {.a = a, .at = ARENA_ARRAY(a, struct right, ESCALATION_RIGHTS_MAX)};
	json_append(a, wanted, json_copy(a, rule));
	add_rules(&list, wanted);
	for (size_t i = 0; i < json_count(held); i++)
		strike_out(&list, rule_view(a, json_at(held, i)));
	return !list.is_full && is_empty(&list);
}

/* ---- the refusal ---- */

static bool is_same_target(const struct right *a, const struct right *b)
{
	return !a->is_path && !b->is_path && str_eq(a->group, b->group) &&
	       str_eq(a->resource, b->resource) && a->has_name == b->has_name &&
	       str_eq(a->name, b->name);
}

static void write_list(struct buf *out, const char *label, struct str value)
{
	buf_printf(out, "%s[", label);
	json_write_string(out, value);
	buf_add_char(out, ']');
}

/* The line of one target with all the verbs that are missing for it; marks them as told. */
static struct str line_of(struct rights *list, size_t first)
{
	CLEANUP_BUF out = BUF_INIT(1u << 20);
	const struct right *head = &list->at[first];
	if (head->is_path) {
		write_list(&out, "{NonResourceURLs:", head->path);
	} else {
		write_list(&out, "{APIGroups:", head->group);
		write_list(&out, ", Resources:", head->resource);
		if (head->has_name)
			write_list(&out, ", ResourceNames:", head->name);
	}
	buf_add_cstr(&out, ", Verbs:[");
	for (size_t i = first; i < list->count; i++) {
		struct right *other = &list->at[i];
		if (other->is_held || (i != first && !is_same_target(head, other)))
			continue;
		buf_add_cstr(&out, i == first ? "" : " ");
		json_write_string(&out, other->verb);
		other->is_held = true;
	}
	buf_add_cstr(&out, "]}");
	return arena_str(list->a, buf_str(&out));
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

#define LINES_SHOWN 200

static struct str missing_rights(struct rights *list)
{
	CLEANUP_BUF out = BUF_INIT(1u << 20);
	struct str lines[LINES_SHOWN];
	size_t count = 0;
	for (size_t i = 0; i < list->count && count < LINES_SHOWN; i++)
		if (!list->at[i].is_held)
			lines[count++] = line_of(list, i);
	qsort(lines, count, sizeof(lines[0]), by_text);
	for (size_t i = 0; i < count; i++)
		buf_printf(&out, "\n%.*s", STR_FMT(lines[i]));
	return arena_str(list->a, buf_str(&out));
}

static struct str quoted_groups(struct request *r)
{
	CLEANUP_BUF out = BUF_INIT(1u << 20);
	for (size_t i = 0; i < r->user.group_count; i++) {
		buf_add_cstr(&out, i ? " " : "");
		json_write_string(&out, r->user.groups[i]);
	}
	return arena_str(&r->arena, buf_str(&out));
}

static enum step check_rules(struct request *r, const struct json *rules, struct str name)
{
	struct rights list = {.a = &r->arena};
	list.at = ARENA_ARRAY(&r->arena, struct right, ESCALATION_RIGHTS_MAX);
	add_rules(&list, rules);
	if (list.is_full)
		return request_forbid(r, name,
				      "the role grants more than %d single rights; split it into "
				      "several",
				      ESCALATION_RIGHTS_MAX);
	authorizer_rules(r->server->authorizer, &r->user, r->route.namespace, strike_out, &list);
	if (is_empty(&list))
		return STEP_NEXT;
	struct str groups = quoted_groups(r), rights = missing_rights(&list);
	return request_forbid(r, name,
			      "user \"%.*s\" (groups=[%.*s]) is attempting to grant RBAC "
			      "permissions not currently held:%.*s",
			      STR_FMT(r->user.name), STR_FMT(groups), STR_FMT(rights));
}

/* ---- the two checks ---- */

static bool may(struct request *r, const char *verb, struct str resource, struct str name)
{
	struct attributes what = {.verb = str_of(verb),
				  .is_resource = true,
				  .group = STR("rbac.authorization.k8s.io"),
				  .resource = resource,
				  .namespace = r->route.namespace,
				  .name = name};
	return authorizer_allows(r->server->authorizer, &r->user, &what);
}

static bool is_above_rbac(const struct request *r)
{
	return !r->exchange || user_is_in(&r->user, STR("system:masters"));
}

static bool is_none(const struct json *value)
{
	return !value || value->type == JSON_NULL;
}

static bool is_same_member(const struct json *old, const struct json *tree, const char *key)
{
	const struct json *before = json_get(old, str_of(key)), *now = json_get(tree, str_of(key));
	return (is_none(before) && is_none(now)) || (before && now && json_equal(before, now));
}

/* Rights that are gathered from other roles can be any. */
static const struct json *every_right(struct arena *a)
{
	static const char text[] =
		"[{\"apiGroups\":[\"*\"],\"resources\":[\"*\"],\"verbs\":[\"*\"]},"
		"{\"nonResourceURLs\":[\"*\"],\"verbs\":[\"*\"]}]";
	struct json *tree = NULL;
	enum rc rc = json_parse(a, arena_str(a, str_of(text)), &tree, NULL, NULL);
	ASSERT(rc == RC_OK);
	return tree;
}

enum step escalation_by_role(struct request *r, const struct json *old, struct json *tree)
{
	struct str name = json_path_str(tree, "metadata.name");
	bool is_same = old && is_same_member(old, tree, "rules") &&
		       is_same_member(old, tree, "aggregationRule");
	if (is_same || is_above_rbac(r) || may(r, "escalate", r->route.resource, name))
		return STEP_NEXT;
	if (check_rules(r, json_get(tree, STR("rules")), name) == STEP_DONE)
		return STEP_DONE;
	if (is_none(json_get(tree, STR("aggregationRule"))))
		return STEP_NEXT;
	if (check_rules(r, every_right(&r->arena), name) == STEP_NEXT)
		return STEP_NEXT;
	return request_forbid(r, name,
			      "must have cluster-admin privileges to use the aggregationRule");
}

static struct object *referenced_role(struct request *r, const struct json *ref)
{
	bool is_cluster = str_is(json_path_str(ref, "kind"), "ClusterRole");
	return store_pending_get(r->server->store, is_cluster ? KIND_CLUSTER_ROLE : KIND_ROLE,
				 is_cluster ? (struct str){} : r->route.namespace,
				 json_path_str(ref, "name"));
}

enum step escalation_by_binding(struct request *r, const struct json *old, struct json *tree)
{
	const struct json *ref = json_get(tree, STR("roleRef"));
	struct str role = json_path_str(ref, "name");
	bool is_cluster = str_is(json_path_str(ref, "kind"), "ClusterRole");
	if (is_above_rbac(r) ||
	    may(r, "bind", is_cluster ? STR("clusterroles") : STR("roles"), role))
		return STEP_NEXT;
	struct object *o = referenced_role(r, ref);
	if (!o)
		return request_not_found(r, r->route.kind, role);
	return check_rules(r, json_get(object_tree(&r->arena, o), STR("rules")),
			   json_path_str(tree, "metadata.name"));
}
