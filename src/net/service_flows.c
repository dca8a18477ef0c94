#include "net/service_flows.h"

struct flows_work {
	struct arena *arena;
	struct conntrack_service *items;
	size_t count, cap;
};

/* Ready or at least serving: a terminating endpoint may still finish what it began. */
static void collect_targets(struct flows_work *w, const struct proxy_port *port, unsigned family,
			    struct conntrack_service *s)
{
	struct conntrack_target *targets =
		ARENA_ARRAY(w->arena, struct conntrack_target, port->endpoint_count + 1);
	for (size_t i = 0; i < port->endpoint_count; i++) {
		const struct proxy_endpoint *e = &port->endpoints[i];
		if (e->addr.family == family && (e->is_ready || e->is_serving))
			targets[s->target_count++] = (struct conntrack_target){e->addr, e->port};
	}
	s->targets = targets;
}

static void add_flow(struct flows_work *w, const struct proxy_port *port, struct ipaddr addr,
		     unsigned family, uint16_t number)
{
	struct conntrack_service s = {.addr = addr, .family = family, .port = number};
	collect_targets(w, port, family, &s);
	w->items = arena_grow(w->arena, w->items, w->count, &w->cap, sizeof(*w->items));
	w->items[w->count++] = s;
}

static void add_addrs(struct flows_work *w, const struct proxy_port *port,
		      const struct ipaddr *addrs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (addrs[i].family != IP_NONE)
			add_flow(w, port, addrs[i], addrs[i].family, port->port);
}

static void add_service(struct flows_work *w, const struct proxy_service *s)
{
	for (size_t i = 0; i < s->port_count; i++) {
		const struct proxy_port *port = &s->ports[i];
		if (port->protocol != PROXY_UDP)
			continue;
		add_addrs(w, port, s->cluster_ips, s->cluster_ip_count);
		add_addrs(w, port, s->load_balancer_ips, s->load_balancer_ip_count);
		add_addrs(w, port, s->external_ips, s->external_ip_count);
		for (size_t j = 0; port->node_port && j < s->cluster_ip_count; j++)
			if (s->cluster_ips[j].family != IP_NONE)
				add_flow(w, port, (struct ipaddr){}, s->cluster_ips[j].family,
					 port->node_port);
	}
}

void service_flows_make(struct arena *a, const struct proxy_snapshot *snapshot,
			struct service_flows *ret_flows)
{
	struct flows_work w = {.arena = a};
	for (size_t i = 0; i < snapshot->service_count; i++)
		add_service(&w, &snapshot->services[i]);
	*ret_flows = (struct service_flows){.items = w.items, .count = w.count};
}

static bool is_same_flow(const struct conntrack_service *a, const struct conntrack_service *b)
{
	if (!ipaddr_eq(a->addr, b->addr) || a->family != b->family || a->port != b->port ||
	    a->target_count != b->target_count)
		return false;
	for (size_t i = 0; i < a->target_count; i++)
		if (a->targets[i].port != b->targets[i].port ||
		    !ipaddr_eq(a->targets[i].addr, b->targets[i].addr))
			return false;
	return true;
}

bool service_flows_equal(const struct service_flows *a, const struct service_flows *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!is_same_flow(&a->items[i], &b->items[i]))
			return false;
	return true;
}
