/* LoadBalancer addresses: a Service of that type is reached at the nodes' own addresses, as k3s'
 * servicelb has it.  With externalTrafficPolicy Local only nodes with a ready endpoint count. */
#include "control/controllers.h"
#include "control/service_pods.h"

#define EXCLUDE "node.kubernetes.io/exclude-from-external-load-balancers"
#define SERVICE "kubernetes.io/service-name"

static bool node_is_ready(const struct node *node)
{
	for (uint32_t i = 0; i < node->status.conditions.count; i++)
		if (str_is(node->status.conditions.at[i].type, "Ready"))
			return str_is(node->status.conditions.at[i].status, "True");
	return false;
}

static bool has_local_endpoint(const struct plan *p, const struct object *service,
			       struct str node_name)
{
	const struct object *o;
	struct cache_iter it =
		cache_owned(p->cache, KIND_ENDPOINT_SLICE, service->namespace, service->uid);
	while ((o = cache_next(&it))) {
		const struct endpoint_array *all =
			&((const struct endpoint_slice *)object_view(o))->endpoints;
		for (uint32_t i = 0; i < all->count; i++)
			if (str_eq(all->at[i].node_name, node_name) &&
			    (!all->at[i].conditions.ready || *all->at[i].conditions.ready))
				return true;
	}
	return false;
}

static bool serves(const struct plan *p, const struct object *service, const struct object *o)
{
	const struct service *view = object_view(service);
	if (o->is_deleting || object_label(o, STR(EXCLUDE)).at || !node_is_ready(object_view(o)))
		return false;
	return !str_is(view->spec.external_traffic_policy, "Local") ||
	       has_local_endpoint(p, service, o->name);
}

struct address_list {
	struct load_balancer_ingress *at;
	size_t count, cap;
};

static void add_addresses(struct plan *p, const struct node *node, enum ip_family family,
			  struct address_list *list)
{
	for (uint32_t i = 0; i < node->status.addresses.count; i++) {
		const struct node_address *a = &node->status.addresses.at[i];
		struct ipaddr addr;
		if (!str_is(a->type, "InternalIP") || !ipaddr_parse(a->address, &addr) ||
		    addr.family != family)
			continue;
		struct load_balancer_ingress ingress = {.ip = a->address, .ip_mode = STR("VIP")};
		LIST_ADD(p->arena, list, ingress);
		return;
	}
}

static void find_addresses(struct plan *p, const struct object *o, struct address_list *list)
{
	enum ip_family families[2];
	size_t count = service_families(object_view(o), families);
	for (size_t i = 0; i < count; i++) {
		const struct object *node;
		struct cache_iter it = cache_iterate(p->cache, KIND_NODE, STR(""));
		while ((node = cache_next(&it)))
			if (serves(p, o, node))
				add_addresses(p, object_view(node), families[i], list);
	}
}

static bool is_current(const struct load_balancer_ingress_array *now,
		       const struct address_list *wanted)
{
	if (now->count != wanted->count)
		return false;
	for (size_t i = 0; i < wanted->count; i++)
		if (!str_eq(now->at[i].ip, wanted->at[i].ip))
			return false;
	return true;
}

static void plan_load_balancer(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_SERVICE, namespace, name);
	if (!o || o->is_deleting || !plan_settings(p)->has_own_load_balancer)
		return;
	struct service copy = *(const struct service *)object_view(o);
	struct address_list list = {};
	bool is_balanced = str_is(copy.spec.type, "LoadBalancer");
	/* A class names somebody else to do it. */
	if (is_balanced && copy.spec.load_balancer_class.len)
		return;
	if (is_balanced)
		find_addresses(p, o, &list);
	if (is_current(&copy.status.load_balancer.ingress, &list))
		return;
	bool is_first = list.count && !copy.status.load_balancer.ingress.count;
	copy.status.load_balancer.ingress =
		(struct load_balancer_ingress_array){list.at, (uint32_t)list.count};
	plan_update_status(p, KIND_SERVICE, namespace, name, &copy);
	if (is_first)
		plan_event_when(p, PLAN_NOTE_DONE, o, "service-controller", "Normal",
				"EnsuredLoadBalancer", "Ensured load balancer");
}

static void map_node(struct keys *keys, const struct cache *cache, const struct object *old,
		     const struct object *new)
{
	const struct node *before = old ? object_view(old) : NULL;
	const struct node *after = new ? object_view(new) : NULL;
	if (before && after && node_is_ready(before) == node_is_ready(after) &&
	    before->status.addresses.count == after->status.addresses.count &&
	    !object_label(old, STR(EXCLUDE)).at == !object_label(new, STR(EXCLUDE)).at)
		return;
	const struct object *o;
	struct cache_iter it = cache_iterate(cache, KIND_SERVICE, STR(""));
	while ((o = cache_next(&it)))
		if (str_is(((const struct service *)object_view(o))->spec.type, "LoadBalancer"))
			keys_add(keys, o->namespace, o->name);
}

static void map_slice(struct keys *keys, const struct cache *cache, const struct object *old,
		      const struct object *new)
{
	const struct object *slice = new ? new : old;
	const struct object *o =
		cache_get(cache, KIND_SERVICE, slice->namespace, object_label(slice, STR(SERVICE)));
	if (o &&
	    str_is(((const struct service *)object_view(o))->spec.external_traffic_policy, "Local"))
		keys_add(keys, o->namespace, o->name);
}

static const struct controller_watch watches[] = {
	{KIND_SERVICE, NULL}, {KIND_NODE, map_node}, {KIND_ENDPOINT_SLICE, map_slice}};

const struct controller load_balancer_controller = {
	.name = "service-lb",
	.service_account = "service-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_load_balancer,
};
