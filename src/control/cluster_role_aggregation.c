/* ClusterRoles with an aggregationRule: their rules are those of the roles it selects, by name,
 * each rule once.  Source: upstream's pkg/controller/clusterroleaggregation. */
#include "control/common.h"
#include "control/controllers.h"

#define MANAGER "clusterrole-aggregation-controller"

static bool is_same_list(const struct str_array *a, const struct str_array *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!str_eq(a->at[i], b->at[i]))
			return false;
	return true;
}

static bool is_same_rule(const struct policy_rule *a, const struct policy_rule *b)
{
	return is_same_list(&a->verbs, &b->verbs) && is_same_list(&a->api_groups, &b->api_groups) &&
	       is_same_list(&a->resources, &b->resources) &&
	       is_same_list(&a->resource_names, &b->resource_names) &&
	       is_same_list(&a->non_resource_urls, &b->non_resource_urls);
}

struct rules {
	struct policy_rule *at;
	size_t count, cap;
};

static void add_rule(struct arena *a, struct rules *rules, const struct policy_rule *rule)
{
	for (size_t i = 0; i < rules->count; i++)
		if (is_same_rule(&rules->at[i], rule))
			return;
	LIST_ADD(a, rules, *rule);
}

static bool is_selected(const struct cluster_role *by, const struct object *o, struct arena *a)
{
	const struct label_selector_array *list = &by->aggregation_rule->cluster_role_selectors;
	for (uint32_t i = 0; i < list->count; i++) {
		struct selector selector = selector_from_view(a, &list->at[i]);
		if (selector_matches_object(&selector, o))
			return true;
	}
	return false;
}

static struct rules gather(struct plan *p, const struct object *owner)
{
	const struct cluster_role *role = object_view(owner);
	struct rules rules = {};
	struct cache_iter it = cache_iterate(p->cache, KIND_CLUSTER_ROLE, (struct str){});
	for (struct object *o; (o = cache_next(&it));) {
		if (o == owner || !is_selected(role, o, p->arena))
			continue;
		const struct policy_rule_array *its =
			&((const struct cluster_role *)object_view(o))->rules;
		for (uint32_t i = 0; i < its->count; i++)
			add_rule(p->arena, &rules, &its->at[i]);
	}
	return rules;
}

static bool is_same(const struct policy_rule_array *now, const struct rules *wanted)
{
	if (now->count != wanted->count)
		return false;
	for (uint32_t i = 0; i < now->count; i++)
		if (!is_same_rule(&now->at[i], &wanted->at[i]))
			return false;
	return true;
}

/* Keys are ("", name). */
static void plan_aggregation(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_CLUSTER_ROLE, STR(""), name);
	const struct cluster_role *role = o ? object_view(o) : NULL;
	if (!role || !role->aggregation_rule || o->is_deleting)
		return;
	struct rules rules = gather(p, o);
	if (is_same(&role->rules, &rules))
		return;
	struct cluster_role copy = *role;
	copy.rules = (struct policy_rule_array){rules.at, (uint32_t)rules.count};
	plan_update(p, KIND_CLUSTER_ROLE, STR(""), name, &copy);
	p->requests[p->count - 1].field_manager = STR(MANAGER);
}

/* Any role may be selected by any rule: few have one. */
static void map_role(struct keys *keys, const struct cache *cache, const struct object *old,
		     const struct object *new)
{
	struct cache_iter it = cache_iterate(cache, KIND_CLUSTER_ROLE, (struct str){});
	for (struct object *o; (o = cache_next(&it));)
		if (((const struct cluster_role *)object_view(o))->aggregation_rule)
			keys_add(keys, STR(""), o->name);
}

static const struct controller_watch watches[] = {{KIND_CLUSTER_ROLE, map_role}};

const struct controller cluster_role_aggregation_controller = {
	.name = "clusterrole-aggregation",
	.service_account = "clusterrole-aggregation-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_aggregation,
};
