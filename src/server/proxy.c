/* <pods|services|nodes>/<[scheme:]name[:port]>/proxy: which server is meant, or why it cannot be
 * reached.  Source: upstream's ResourceLocation of the three registries.
 *
 * Pods are dialled at their own addresses, so the machine of the control plane needs a route to
 * them, which every node keeps (docs/network.md); nodes through their agents' servers. */
#include "server/proxy.h"

#include "api/api_ids.h"
#include "api/views.h"
#include "server/pipeline.h"
#include "server/server.h"

/* name, name:port, scheme:name:port; scheme "", "http" or "https". */
struct proxy_name {
	struct str scheme, name, port;
};

static bool name_parse(struct str text, struct proxy_name *ret_name)
{
	struct str first, second, third;
	*ret_name = (struct proxy_name){.name = text, .scheme = STR(""), .port = STR("")};
	if (!str_cut(text, ':', &first, &second))
		return text.len > 0;
	if (!str_cut(second, ':', &second, &third)) {
		ret_name->name = first;
		ret_name->port = second;
		return first.len > 0;
	}
	bool is_known = first.len == 0 || str_is(first, "http") || str_is(first, "https");
	*ret_name = (struct proxy_name){first, second, third};
	return is_known && second.len > 0 && !memchr(third.at, ':', third.len);
}

static struct object *get(struct request *r, uint16_t kind, struct str name)
{
	return snapshot_get(request_snapshot(r), kind,
			    kind == KIND_NODE ? (struct str){} : r->route.namespace, name);
}

/* Names of ports are the kubelet's business, not the network's. */
static enum step take_port(struct request *r, struct str text, struct proxy_server *ret_server)
{
	int64_t port = ret_server->is_tls ? 443 : 80;
	if (text.len && (!str_to_i64(text, &port) || port < 1 || port > UINT16_MAX))
		return request_fail(
			r, RC_UNAVAILABLE,
			"error trying to reach service: dial tcp: lookup tcp/%.*s: unknown port",
			STR_FMT(text));
	ret_server->port = (uint16_t)port;
	return STEP_NEXT;
}

/* ---- services ---- */

/* The address must be that of a pod of the same namespace: whoever may write Endpoints must not
 * choose what the control plane dials. */
static bool is_pods_own(struct request *r, const struct endpoint_address *a)
{
	const struct object_reference *to = a->target_ref;
	if (!to || !str_eq(to->namespace, r->route.namespace))
		return false;
	struct object *o = get(r, KIND_POD, to->name);
	if (!o)
		return false;
	const struct pod_ip_array *ips = &((const struct pod *)object_view(o))->status.pod_ips;
	for (uint32_t i = 0; i < ips->count; i++)
		if (str_eq(ips->at[i].ip, a->ip))
			return true;
	return false;
}

static bool choose_address(struct request *r, const struct endpoint_subset *subset, struct str port,
			   struct proxy_server *ret_server)
{
	uint32_t count = subset->addresses.count;
	for (uint32_t p = 0; p < subset->ports.count; p++) {
		if (!str_eq(subset->ports.at[p].name, port))
			continue;
		uint32_t seed = count ? (uint32_t)world_random_u64() % count : 0;
		for (uint32_t i = 0; i < count; i++) {
			const struct endpoint_address *a =
				&subset->addresses.at[(seed + i) % count];
			if (!is_pods_own(r, a))
				continue;
			ret_server->address = a->ip;
			ret_server->port = (uint16_t)subset->ports.at[p].port;
			return true;
		}
	}
	return false;
}

/* A number stands for the port of that number, by its name. */
static enum step port_name(struct request *r, const struct proxy_name *n, struct str *ret_port)
{
	int64_t number;
	*ret_port = n->port;
	if (!str_to_i64(n->port, &number))
		return STEP_NEXT;
	struct object *o = get(r, KIND_SERVICE, n->name);
	if (!o)
		return request_not_found(r, r->route.kind, n->name);
	const struct service_port_array *ports =
		&((const struct service *)object_view(o))->spec.ports;
	for (uint32_t i = 0; i < ports->count; i++) {
		if (ports->at[i].port != number)
			continue;
		*ret_port = ports->at[i].name;
		return STEP_NEXT;
	}
	return request_fail(r, RC_UNAVAILABLE, "no service port %lld found for service \"%.*s\"",
			    (long long)number, STR_FMT(n->name));
}

static enum step find_service(struct request *r, const struct proxy_name *n,
			      struct proxy_server *ret_server)
{
	struct str port;
	if (port_name(r, n, &port) == STEP_DONE)
		return STEP_DONE;
	struct object *o = get(r, KIND_ENDPOINTS, n->name);
	if (!o)
		return request_not_found(r, r->route.kind, n->name);
	const struct endpoint_subset_array *subsets =
		&((const struct endpoints *)object_view(o))->subsets;
	uint32_t count = subsets->count, seed = count ? (uint32_t)world_random_u64() % count : 0;
	for (uint32_t i = 0; i < count; i++)
		if (choose_address(r, &subsets->at[(seed + i) % count], port, ret_server))
			return STEP_NEXT;
	struct str asked = count ? r->route.name : n->name; /* as upstream names it */
	return request_fail(r, RC_UNAVAILABLE, "no endpoints available for service \"%.*s\"",
			    STR_FMT(asked));
}

/* ---- pods and nodes ---- */

static struct str first_port(struct request *r, const struct pod *pod)
{
	for (uint32_t i = 0; i < pod->spec.containers.count; i++) {
		const struct container *c = &pod->spec.containers.at[i];
		if (c->ports.count)
			return arena_printf(&r->arena, "%d", c->ports.at[0].container_port);
	}
	return STR("");
}

static enum step find_pod(struct request *r, const struct proxy_name *n,
			  struct proxy_server *ret_server)
{
	struct object *o = get(r, KIND_POD, n->name);
	if (!o)
		return request_not_found(r, r->route.kind, n->name);
	const struct pod *pod = object_view(o);
	ret_server->address = pod->status.pod_ip;
	return take_port(r, n->port.len ? n->port : first_port(r, pod), ret_server);
}

/* Another port than the agent's is a server beside it. */
static enum step find_node(struct request *r, const struct proxy_name *n,
			   struct proxy_server *ret_server)
{
	uint16_t agent = 0;
	if (!get(r, KIND_NODE, n->name))
		return request_not_found(r, r->route.kind, n->name);
	if (connect_find_node(r, n->name, &ret_server->address, &agent) == STEP_DONE)
		return STEP_DONE;
	if (n->port.len && take_port(r, n->port, ret_server) == STEP_DONE)
		return STEP_DONE;
	ret_server->is_agent = !n->port.len || ret_server->port == agent;
	if (ret_server->is_agent)
		ret_server->port = agent;
	return STEP_NEXT;
}

enum step proxy_connect(struct request *r)
{
	static const struct {
		uint16_t kind;
		const char *word;
		enum step (*find)(struct request *r, const struct proxy_name *n,
				  struct proxy_server *ret_server);
	} rows[] = {{KIND_POD, "pod", find_pod},
		    {KIND_SERVICE, "service", find_service},
		    {KIND_NODE, "node", find_node}};
	struct proxy_server server = {};
	struct proxy_name name;
	size_t row = 0;
	while (row < ARRAY_LEN(rows) && rows[row].kind != r->route.kind->stored_id)
		row++;
	ASSERT(row < ARRAY_LEN(rows));
	if (!name_parse(r->route.name, &name))
		return request_fail(r, RC_BAD_REQUEST, "invalid %s request \"%.*s\"",
				    rows[row].word, STR_FMT(r->route.name));
	server.is_tls = str_is(name.scheme, "https");
	if (rows[row].find(r, &name, &server) == STEP_DONE)
		return STEP_DONE;
	if (!connect_is_fit(server.address))
		return request_fail(r, RC_BAD_REQUEST, "address not allowed");
	return proxy_pass(r, &server);
}
