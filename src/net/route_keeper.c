#include "net/route_keeper.h"

#include "api/api_ids.h"
#include "api/views.h"
#include "base/log.h"
#include "net/netns.h"

struct route_keeper {
	struct route_keeper_config config;
	struct loop *loop;
	struct cache_listener listener;
	struct loop_timer timer;
	bool is_dirty, is_working, is_freed;

	/* the pool's thread reads these meanwhile */
	struct loop_work work;
	struct arena arena;
	struct route_plan plan;
	enum rc rc;
	struct err err;
};

/* --- planning --- */

/* The first InternalIP of that family. */
static struct ipaddr internal_ip(const struct node *node, unsigned family)
{
	for (uint32_t i = 0; i < node->status.addresses.count; i++) {
		const struct node_address *a = &node->status.addresses.at[i];
		struct ipaddr addr;
		if (str_is(a->type, "InternalIP") && ipaddr_parse(a->address, &addr) &&
		    addr.family == family)
			return addr;
	}
	return (struct ipaddr){};
}

struct routes {
	struct arena *arena;
	struct node_route *items;
	size_t count, cap;
};

static void add_routes(struct routes *r, const struct node *node)
{
	struct str_array cidrs = node->spec.pod_cidrs;
	if (cidrs.count == 0 && node->spec.pod_cidr.len > 0)
		cidrs = (struct str_array){&node->spec.pod_cidr, 1};
	for (uint32_t i = 0; i < cidrs.count && r->count < ROUTE_KEEPER_MAX; i++) {
		struct node_route route;
		if (!ipnet_parse(cidrs.at[i], &route.pod_cidr))
			continue;
		route.node_addr = internal_ip(node, route.pod_cidr.addr.family);
		if (route.node_addr.family == IP_NONE)
			continue;
		r->items = arena_grow(r->arena, r->items, r->count, &r->cap, sizeof(*r->items));
		r->items[r->count++] = route;
	}
}

static bool overlaps_any(struct ipnet cidr, const struct routes *own)
{
	for (size_t i = 0; i < own->count; i++)
		if (ipnet_overlaps(cidr, own->items[i].pod_cidr))
			return true;
	return false;
}

void route_plan_make(struct arena *a, const struct cache *cache, struct str node_name,
		     struct route_plan *ret_plan)
{
	struct routes own = {.arena = a}, others = {.arena = a};
	size_t kept = 0;
	struct cache_iter it = cache_iterate(cache, KIND_NODE, (struct str){});
	for (struct object *o; (o = cache_next(&it));)
		add_routes(str_eq(o->name, node_name) ? &own : &others, object_view(o));
	for (size_t i = 0; i < others.count; i++)
		if (!overlaps_any(others.items[i].pod_cidr, &own))
			others.items[kept++] = others.items[i];
	*ret_plan = (struct route_plan){others.items, kept, own.items, own.count};
}

/* --- applying --- */

static enum rc set_others(void *arg, struct err *err)
{
	const struct route_plan *plan = arg;
	return node_network_set_routes(plan->others, plan->other_count, err);
}

/* Only adds: the host may hold routes of other clusters, and its link takes ours along when it
 * goes. */
static enum rc set_own(void *arg, struct err *err)
{
	const struct route_plan *plan = arg;
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	TRY(netlink_open(&nl, err));
	for (size_t i = 0; i < plan->own_count; i++) {
		struct netlink_route route = {.dst = plan->own[i].pod_cidr,
					      .gateway = plan->own[i].node_addr};
		TRY(netlink_set_route(nl, &route, err));
	}
	return RC_OK;
}

static void keeper_work(struct loop_work *work)
{
	struct route_keeper *k = CONTAINER_OF(work, struct route_keeper, work);
	k->rc = netns_call(k->config.netns_fd, set_others, &k->plan, &k->err);
	if (k->rc == RC_OK && k->config.host_netns_fd >= 0)
		k->rc = netns_call(k->config.host_netns_fd, set_own, &k->plan, &k->err);
}

static void timer_on(struct loop_timer *timer);

static void schedule(struct route_keeper *k, int64_t delay_ms)
{
	if (!k->is_working && !k->timer.loop)
		loop_timer_start(k->loop, &k->timer, delay_ms, timer_on);
}

static void free_now(struct route_keeper *k)
{
	arena_done(&k->arena);
	free(k);
}

static void keeper_done(struct loop_work *work)
{
	struct route_keeper *k = CONTAINER_OF(work, struct route_keeper, work);
	k->is_working = false;
	if (k->is_freed) {
		free_now(k);
	} else if (k->rc != RC_OK) {
		log_warn("net", "routes to other nodes: %s", k->err.text);
		k->is_dirty = true;
		schedule(k, ROUTE_KEEPER_RETRY_MS);
	} else if (k->is_dirty) {
		schedule(k, ROUTE_KEEPER_DELAY_MS);
	}
}

static void timer_on(struct loop_timer *timer)
{
	struct route_keeper *k = CONTAINER_OF(timer, struct route_keeper, timer);
	arena_reset(&k->arena);
	route_plan_make(&k->arena, k->config.cache, k->config.node_name, &k->plan);
	k->is_dirty = false;
	k->is_working = true;
	k->work.work = keeper_work;
	k->work.done = keeper_done;
	loop_work_start(k->loop, &k->work);
}

/* --- events --- */

static void changed(struct route_keeper *k)
{
	k->is_dirty = true;
	schedule(k, ROUTE_KEEPER_DELAY_MS);
}

/* Nodes change every few minutes for reasons that are none of ours. */
static bool is_same_network(const struct object *old, const struct object *new)
{
	CLEANUP_ARENA a = {};
	struct routes before = {.arena = &a}, after = {.arena = &a};
	add_routes(&before, object_view(old));
	add_routes(&after, object_view(new));
	if (before.count != after.count)
		return false;
	for (size_t i = 0; i < before.count; i++)
		if (!ipnet_eq(before.items[i].pod_cidr, after.items[i].pod_cidr) ||
		    !ipaddr_eq(before.items[i].node_addr, after.items[i].node_addr))
			return false;
	return true;
}

static void event_on(struct cache_listener *l, uint16_t stored_id, struct object *old,
		     struct object *new)
{
	struct route_keeper *k = CONTAINER_OF(l, struct route_keeper, listener);
	if (stored_id != KIND_NODE || !cache_is_synced(k->config.cache))
		return;
	if (!old || !new || !is_same_network(old, new))
		changed(k);
}

static void synced_on(void *ctx)
{
	changed(ctx);
}

struct route_keeper *route_keeper_new(const struct route_keeper_config *config, struct loop *loop)
{
	struct route_keeper *k = NEW(struct route_keeper);
	k->config = *config;
	k->loop = loop;
	k->listener = (struct cache_listener){.on_event = event_on};
	cache_listen(config->cache, &k->listener);
	cache_when_synced(config->cache, synced_on, k);
	return k;
}

void route_keeper_free(struct route_keeper *k)
{
	if (!k)
		return;
	cache_unlisten(k->config.cache, &k->listener);
	cache_forget_waiter(k->config.cache, k);
	loop_timer_stop(&k->timer);
	k->is_freed = true;
	if (!k->is_working)
		free_now(k);
}
