#include "net/host_ports.h"

#include "base/map.h"

struct pod_ports {
	struct arena arena;
	struct str namespace, name, uid;
	struct host_port_wish *wishes;
	size_t wish_count;
	struct ipaddr *addrs;
	size_t addr_count;
};

struct host_ports {
	struct map pods; /* uid → struct pod_ports */
};

struct host_ports *host_ports_new(void)
{
	return NEW(struct host_ports);
}

static void pod_free(struct pod_ports *p)
{
	if (!p)
		return;
	arena_done(&p->arena);
	free(p);
}

void host_ports_free(struct host_ports *h)
{
	if (!h)
		return;
	for (struct map_entry *e = map_next(&h->pods, NULL); e; e = map_next(&h->pods, e))
		pod_free(e->value);
	map_done(&h->pods);
	free(h);
}

static bool is_same(const struct pod_ports *p, const struct host_port_wish *wishes,
		    size_t wish_count, const struct ipaddr *addrs, size_t addr_count)
{
	if (p->wish_count != wish_count || p->addr_count != addr_count)
		return false;
	for (size_t i = 0; i < addr_count; i++)
		if (!ipaddr_eq(p->addrs[i], addrs[i]))
			return false;
	for (size_t i = 0; i < wish_count; i++)
		if (p->wishes[i].protocol != wishes[i].protocol ||
		    p->wishes[i].host_port != wishes[i].host_port ||
		    p->wishes[i].container_port != wishes[i].container_port ||
		    !ipaddr_eq(p->wishes[i].host_addr, wishes[i].host_addr))
			return false;
	return true;
}

bool host_ports_remove(struct host_ports *h, struct str uid)
{
	struct pod_ports *p = map_remove(&h->pods, uid);
	pod_free(p);
	return p != NULL;
}

bool host_ports_set(struct host_ports *h, struct str namespace, struct str name, struct str uid,
		    const struct host_port_wish *wishes, size_t wish_count,
		    const struct ipaddr *addrs, size_t addr_count)
{
	const struct pod_ports *old = map_get(&h->pods, uid);
	if (old && is_same(old, wishes, wish_count, addrs, addr_count))
		return false;
	if (wish_count == 0)
		return host_ports_remove(h, uid);
	(void)host_ports_remove(h, uid);
	struct pod_ports *p = NEW(struct pod_ports);
	p->namespace = arena_str(&p->arena, namespace);
	p->name = arena_str(&p->arena, name);
	p->uid = arena_str(&p->arena, uid);
	p->wishes = ARENA_ARRAY(&p->arena, struct host_port_wish, wish_count);
	p->addrs = ARENA_ARRAY(&p->arena, struct ipaddr, addr_count + 1);
	for (p->wish_count = 0; p->wish_count < wish_count; p->wish_count++)
		p->wishes[p->wish_count] = wishes[p->wish_count];
	for (p->addr_count = 0; p->addr_count < addr_count; p->addr_count++)
		p->addrs[p->addr_count] = addrs[p->addr_count];
	(void)map_set(&h->pods, p->uid, p);
	return true;
}

/* ---- as services ---- */

static bool is_for_all(const struct host_port_wish *wish)
{
	return wish->host_addr.family == IP_NONE || ipaddr_is_unspecified(wish->host_addr);
}

static void add_endpoints(struct arena *a, const struct pod_ports *p, uint16_t number,
			  struct proxy_port *port)
{
	port->endpoints = ARENA_ARRAY(a, struct proxy_endpoint, p->addr_count);
	for (size_t i = 0; i < p->addr_count; i++)
		port->endpoints[port->endpoint_count++] = (struct proxy_endpoint){
			.addr = p->addrs[i],
			.port = number,
			.is_ready = true,
			.is_serving = true,
			.is_local = true,
		};
}

/* One service a port: each may have an address of its own. */
static struct proxy_service service_of(struct arena *a, const struct pod_ports *p,
				       const struct host_port_wish *wish)
{
	struct proxy_service s = {.namespace = p->namespace,
				  .name = p->name,
				  .is_host_port = true,
				  .is_external_local = true,
				  .port_count = 1};
	s.ports = ARENA_NEW(a, struct proxy_port);
	/* The name tells the ports of a pod, and of pods of one name, apart. */
	*s.ports = (struct proxy_port){
		.name = arena_printf(a, "host port %u of %.*s", wish->host_port, STR_FMT(p->uid)),
		.protocol = wish->protocol,
		.port = wish->host_port,
	};
	add_endpoints(a, p, wish->container_port, s.ports);
	if (is_for_all(wish)) {
		s.ports->node_port = wish->host_port;
		return s;
	}
	struct ipaddr *addr = ARENA_NEW(a, struct ipaddr);
	*addr = wish->host_addr;
	s.load_balancer_ips = addr;
	s.load_balancer_ip_count = 1;
	s.ports->name = arena_printf(a, "%.*s at %u.%zu", STR_FMT(s.ports->name),
				     wish->container_port, (size_t)(wish - p->wishes));
	return s;
}

void host_ports_collect(const struct host_ports *h, struct arena *a,
			struct proxy_snapshot *snapshot)
{
	size_t cap = 0, most = snapshot->service_count;
	for (struct map_entry *e = map_next(&h->pods, NULL); e; e = map_next(&h->pods, e))
		cap += ((const struct pod_ports *)e->value)->wish_count;
	struct proxy_service *all = ARENA_ARRAY(a, struct proxy_service, most + cap + 1);
	for (size_t i = 0; i < most; i++)
		all[i] = snapshot->services[i];
	for (struct map_entry *e = map_next(&h->pods, NULL); e; e = map_next(&h->pods, e)) {
		const struct pod_ports *p = e->value;
		for (size_t i = 0; i < p->wish_count; i++)
			all[snapshot->service_count++] = service_of(a, p, &p->wishes[i]);
	}
	snapshot->services = all;
}
