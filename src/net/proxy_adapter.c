#include "net/proxy_adapter.h"

#include "api/api_ids.h"
#include "api/views.h"
#include "base/map.h"

#define LABEL_SERVICE	   "kubernetes.io/service-name"
#define LABEL_OTHER_PROXY  "service.kubernetes.io/service-proxy-name"
#define AFFINITY_DEFAULT_S 10800

/* The slices of one service, in order of their names. */
struct slice_list {
	const struct endpoint_slice **items;
	size_t count, cap;
};

struct collect {
	struct arena *arena;
	const struct proxy_adapter *adapter;
	struct map slices; /* "namespace/service" → struct slice_list */
};

/* --- slices by service --- */

static struct str service_key(struct arena *a, struct str namespace, struct str name)
{
	return arena_printf(a, "%.*s/%.*s", STR_FMT(namespace), STR_FMT(name));
}

static void collect_slices(struct collect *c)
{
	struct cache_iter it =
		cache_iterate(c->adapter->cache, KIND_ENDPOINT_SLICE, (struct str){});
	for (struct object *o; (o = cache_next(&it));) {
		struct str service = object_label(o, STR(LABEL_SERVICE));
		if (service.len == 0)
			continue;
		struct str key = service_key(c->arena, o->namespace, service);
		struct slice_list *list = map_get(&c->slices, key);
		if (!list) {
			list = ARENA_NEW(c->arena, struct slice_list);
			(void)map_set(&c->slices, key, list);
		}
		list->items = arena_grow(c->arena, list->items, list->count, &list->cap,
					 sizeof(*list->items));
		list->items[list->count++] = object_view(o);
	}
}

/* --- endpoints of a port --- */

static bool protocol_of(struct str text, enum proxy_protocol *ret_protocol)
{
	if (text.len == 0 || str_is(text, "TCP"))
		*ret_protocol = PROXY_TCP;
	else if (str_is(text, "UDP"))
		*ret_protocol = PROXY_UDP;
	else if (str_is(text, "SCTP"))
		*ret_protocol = PROXY_SCTP;
	else
		return false;
	return true;
}

/* The port number that a slice gives to the service's port, 0: it doesn't have that port. */
static uint16_t slice_port(const struct endpoint_slice *slice, const struct proxy_port *port)
{
	for (uint32_t i = 0; i < slice->ports.count; i++) {
		const struct discovery_endpoint_port *p = &slice->ports.at[i];
		enum proxy_protocol protocol;
		if (str_eq(p->name, port->name) && protocol_of(p->protocol, &protocol) &&
		    protocol == port->protocol && p->port && *p->port > 0 && *p->port <= UINT16_MAX)
			return (uint16_t)*p->port;
	}
	return 0;
}

static void add_endpoint(const struct collect *c, struct proxy_port *port, const struct endpoint *e,
			 uint16_t number)
{
	struct ipaddr addr;
	if (e->addresses.count == 0 || !ipaddr_parse(e->addresses.at[0], &addr))
		return;
	const struct endpoint_conditions *is = &e->conditions;
	bool is_ready = !is->ready || *is->ready;
	port->endpoints[port->endpoint_count++] = (struct proxy_endpoint){
		.addr = addr,
		.port = number,
		.is_ready = is_ready,
		.is_serving = is->serving ? *is->serving : is_ready,
		.is_terminating = is->terminating && *is->terminating,
		.is_local = e->node_name.len > 0 && str_eq(e->node_name, c->adapter->node_name),
	};
}

static void collect_endpoints(const struct collect *c, const struct slice_list *slices,
			      struct proxy_port *port)
{
	size_t most = 0;
	for (size_t i = 0; slices && i < slices->count; i++)
		most += slices->items[i]->endpoints.count;
	port->endpoints = ARENA_ARRAY(c->arena, struct proxy_endpoint, most + 1);
	for (size_t i = 0; slices && i < slices->count; i++) {
		const struct endpoint_slice *slice = slices->items[i];
		uint16_t number = slice_port(slice, port);
		for (uint32_t j = 0; number && j < slice->endpoints.count; j++)
			add_endpoint(c, port, &slice->endpoints.at[j], number);
	}
}

/* --- services --- */

static struct ipaddr *parse_addrs(struct arena *a, const struct str_array *texts, size_t *ret_count)
{
	struct ipaddr *addrs = ARENA_ARRAY(a, struct ipaddr, texts->count + 1);
	*ret_count = 0;
	for (uint32_t i = 0; i < texts->count; i++)
		if (ipaddr_parse(texts->at[i], &addrs[*ret_count]))
			++*ret_count;
	return addrs;
}

/* Ranges that nobody can read must not open the service to everybody: false. */
static bool collect_ranges(struct arena *a, const struct service *view, struct proxy_service *s)
{
	const struct str_array *texts = &view->spec.load_balancer_source_ranges;
	s->source_ranges = ARENA_ARRAY(a, struct ipnet, texts->count + 1);
	for (uint32_t i = 0; i < texts->count; i++)
		if (ipnet_parse(str_trim(texts->at[i]), &s->source_ranges[s->source_range_count]))
			s->source_range_count++;
	return texts->count == 0 || s->source_range_count > 0;
}

static void collect_balancer(struct arena *a, const struct service *view, struct proxy_service *s)
{
	const struct load_balancer_ingress_array *ingress = &view->status.load_balancer.ingress;
	s->load_balancer_ips = ARENA_ARRAY(a, struct ipaddr, ingress->count + 1);
	if (!str_is(view->spec.type, "LoadBalancer") || !collect_ranges(a, view, s))
		return;
	for (uint32_t i = 0; i < ingress->count; i++) {
		struct str mode = ingress->at[i].ip_mode;
		if ((mode.len == 0 || str_is(mode, "VIP")) &&
		    ipaddr_parse(ingress->at[i].ip,
				 &s->load_balancer_ips[s->load_balancer_ip_count]))
			s->load_balancer_ip_count++;
	}
}

static void collect_ports(const struct collect *c, const struct service *view,
			  struct proxy_service *s)
{
	struct str key = service_key(c->arena, s->namespace, s->name);
	const struct slice_list *slices = map_get(&c->slices, key);
	const struct service_port_array *ports = &view->spec.ports;
	s->ports = ARENA_ARRAY(c->arena, struct proxy_port, ports->count + 1);
	for (uint32_t i = 0; i < ports->count; i++) {
		const struct service_port *p = &ports->at[i];
		struct proxy_port port = {.name = p->name};
		if (p->port <= 0 || p->port > UINT16_MAX ||
		    !protocol_of(p->protocol, &port.protocol))
			continue;
		port.port = (uint16_t)p->port;
		port.node_port =
			p->node_port > 0 && p->node_port <= UINT16_MAX ? (uint16_t)p->node_port : 0;
		collect_endpoints(c, slices, &port);
		s->ports[s->port_count++] = port;
	}
}

static uint32_t affinity_of(const struct service_spec *spec)
{
	const struct session_affinity_config *config = spec->session_affinity_config;
	if (!str_is(spec->session_affinity, "ClientIP"))
		return 0;
	if (config && config->client_ip && config->client_ip->timeout_seconds &&
	    *config->client_ip->timeout_seconds > 0)
		return (uint32_t)*config->client_ip->timeout_seconds;
	return AFFINITY_DEFAULT_S;
}

static bool is_proxied(const struct object *o, const struct service_spec *spec)
{
	return !str_is(spec->type, "ExternalName") && spec->cluster_ip.len > 0 &&
	       !str_is(spec->cluster_ip, "None") && !object_label(o, STR(LABEL_OTHER_PROXY)).at;
}

static void collect_service(const struct collect *c, const struct object *o,
			    const struct service *view, struct proxy_service *s)
{
	const struct service_spec *spec = &view->spec;
	struct str_array cluster_ips = spec->cluster_ips;
	if (cluster_ips.count == 0)
		cluster_ips = (struct str_array){&spec->cluster_ip, 1};
	s->namespace = o->namespace;
	s->name = o->name;
	s->cluster_ips = parse_addrs(c->arena, &cluster_ips, &s->cluster_ip_count);
	s->external_ips = parse_addrs(c->arena, &spec->external_ips, &s->external_ip_count);
	s->affinity_timeout_s = affinity_of(spec);
	s->is_external_local = str_is(spec->external_traffic_policy, "Local");
	s->is_internal_local = str_is(spec->internal_traffic_policy, "Local");
	collect_balancer(c->arena, view, s);
	collect_ports(c, view, s);
}

void proxy_adapter_collect(void *ctx, struct arena *a, struct proxy_snapshot *ret_snapshot)
{
	struct collect c = {.arena = a, .adapter = ctx};
	struct proxy_service *services = NULL;
	size_t count = 0, cap = 0;
	collect_slices(&c);
	struct cache_iter it = cache_iterate(c.adapter->cache, KIND_SERVICE, (struct str){});
	for (struct object *o; (o = cache_next(&it));) {
		const struct service *view = object_view(o);
		if (!is_proxied(o, &view->spec))
			continue;
		services = arena_grow(a, services, count, &cap, sizeof(*services));
		services[count] = (struct proxy_service){};
		collect_service(&c, o, view, &services[count++]);
	}
	map_done(&c.slices);
	*ret_snapshot = (struct proxy_snapshot){.services = services, .service_count = count};
	if (c.adapter->host_ports)
		host_ports_collect(c.adapter->host_ports, a, ret_snapshot);
}

/* --- events --- */

static void event_on(struct cache_listener *l, uint16_t stored_id, struct object *old,
		     struct object *new)
{
	struct proxy_adapter *adapter = CONTAINER_OF(l, struct proxy_adapter, listener);
	if ((stored_id == KIND_SERVICE || stored_id == KIND_ENDPOINT_SLICE) &&
	    cache_is_synced(adapter->cache))
		service_proxy_changed(adapter->proxy);
}

/* Before everything is known, rules would cut connections that are fine. */
static void synced_on(void *ctx)
{
	struct proxy_adapter *adapter = ctx;
	service_proxy_changed(adapter->proxy);
}

void proxy_adapter_attach(struct proxy_adapter *adapter, struct service_proxy *proxy)
{
	adapter->proxy = proxy;
	adapter->listener = (struct cache_listener){.on_event = event_on};
	cache_listen(adapter->cache, &adapter->listener);
	cache_when_synced(adapter->cache, synced_on, adapter);
}

void proxy_adapter_detach(struct proxy_adapter *adapter)
{
	cache_unlisten(adapter->cache, &adapter->listener);
	cache_forget_waiter(adapter->cache, adapter);
}
