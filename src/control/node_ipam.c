/* Pod CIDRs: each node gets the first free part of every cluster CIDR.
 *
 * All nodes are one key, so that two nodes can never be given the same part. */
#include "control/common.h"
#include "control/controllers.h"

/* Nodes come in crowds; one run serves all that came within this time. */
#define CROWD_MS 100

#define NODE_MASK_V4 24
#define NODE_MASK_V6 64
#define PARTS_MAX    65536 /* of one cluster CIDR */

struct pool {
	struct ipnet net;
	unsigned prefix_bits;
	uint64_t parts;
	uint8_t *used; /* a bit a part */
	uint64_t next;
};

static void pool_init(struct plan *p, struct pool *pool, const struct ipnet *net)
{
	const struct control_settings *settings = plan_settings(p);
	bool is_v6 = net->addr.family == IP_V6;
	unsigned mask = is_v6 ? settings->node_mask_v6 : settings->node_mask_v4;
	if (!mask)
		mask = is_v6 ? NODE_MASK_V6 : NODE_MASK_V4;
	mask = MAX(mask, (unsigned)net->prefix_bits);
	unsigned bits = mask - net->prefix_bits;
	*pool = (struct pool){.net = ipnet_masked(*net), .prefix_bits = mask};
	pool->parts = bits >= 16 ? PARTS_MAX : UINT64_C(1) << bits;
	pool->used = ARENA_ARRAY(p->arena, uint8_t, pool->parts / 8 + 1);
}

static void pool_mark(struct pool *pool, struct str text)
{
	struct ipnet net;
	if (!ipnet_parse(text, &net) || !ipnet_overlaps(net, pool->net))
		return;
	for (uint64_t i = 0; i < pool->parts; i++) {
		struct ipnet part;
		if (!ipnet_nth_subnet(pool->net, pool->prefix_bits, i, &part))
			return;
		if (ipnet_overlaps(part, net))
			pool->used[i / 8] |= (uint8_t)(1u << (i % 8));
		else if (ipaddr_cmp(part.addr, net.addr) > 0)
			return;
	}
}

static bool pool_take(struct plan *p, struct pool *pool, struct str *ret_text)
{
	struct ipnet part;
	char text[IPNET_TEXT_MAX];
	while (pool->next < pool->parts && (pool->used[pool->next / 8] & (1u << (pool->next % 8))))
		pool->next++;
	if (pool->next == pool->parts ||
	    !ipnet_nth_subnet(pool->net, pool->prefix_bits, pool->next, &part))
		return false;
	pool->next++;
	*ret_text = arena_str(p->arena, str_n(text, ipnet_format(part, text)));
	return true;
}

static void mark_all(struct plan *p, struct pool *pools, size_t count)
{
	const struct object *o;
	struct cache_iter it = cache_iterate(p->cache, KIND_NODE, STR(""));
	while ((o = cache_next(&it))) {
		const struct node *node = object_view(o);
		for (size_t i = 0; i < count; i++) {
			pool_mark(&pools[i], node->spec.pod_cidr);
			for (uint32_t j = 0; j < node->spec.pod_cidrs.count; j++)
				pool_mark(&pools[i], node->spec.pod_cidrs.at[j]);
		}
	}
}

static void give(struct plan *p, const struct object *o, struct pool *pools, size_t count)
{
	struct arena *a = p->arena;
	struct json *patch = json_object(a), *list = json_array(a);
	struct json *spec = json_need_object(a, patch, STR("spec"));
	for (size_t i = 0; i < count; i++) {
		struct str text;
		if (!pool_take(p, &pools[i], &text)) {
			plan_event(p, o, "cidrAllocator", "Normal", "CIDRNotAvailable",
				   "Node %.*s status is now: CIDRNotAvailable", STR_FMT(o->name));
			return;
		}
		if (i == 0)
			json_set_str(a, spec, STR("podCIDR"), text);
		json_append(a, list, json_string(a, text));
	}
	json_set(a, spec, STR("podCIDRs"), list);
	plan_patch(p, KIND_NODE, (struct str){}, o->name, (struct str){}, patch);
}

static void plan_ipam(struct plan *p, struct str unused, struct str name)
{
	const struct control_settings *settings = plan_settings(p);
	size_t count = settings->cluster_cidr_count;
	struct pool *pools = ARENA_ARRAY(p->arena, struct pool, count);
	if (!count)
		return;
	for (size_t i = 0; i < count; i++)
		pool_init(p, &pools[i], &settings->cluster_cidrs[i]);
	mark_all(p, pools, count);
	const struct object *o;
	struct cache_iter it = cache_iterate(p->cache, KIND_NODE, STR(""));
	while ((o = cache_next(&it))) {
		const struct node *node = object_view(o);
		if (!node->spec.pod_cidr.len && !o->is_deleting)
			give(p, o, pools, count);
	}
}

static void map_node(struct keys *keys, const struct cache *cache, const struct object *old,
		     const struct object *new)
{
	if (new && !((const struct node *)object_view(new))->spec.pod_cidr.len)
		keys_add_after(keys, STR(""), STR("nodes"), CROWD_MS);
}

static const struct controller_watch watches[] = {{KIND_NODE, map_node}};

const struct controller node_ipam_controller = {
	.name = "nodeipam",
	.service_account = "node-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_ipam,
};
