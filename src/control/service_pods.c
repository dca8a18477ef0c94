#include "control/service_pods.h"

#include "base/timefmt.h"

/* --- ports --- */

static int32_t named_port(const struct container_array *containers, const struct service_port *port)
{
	for (uint32_t i = 0; i < containers->count; i++) {
		const struct container_port_array *ports = &containers->at[i].ports;
		for (uint32_t j = 0; j < ports->count; j++)
			if (str_eq(ports->at[j].name, port->target_port.text) &&
			    str_eq(ports->at[j].protocol, port->protocol))
				return ports->at[j].container_port;
	}
	return 0;
}

/* 0: the pod has no port of that name. */
static int32_t target_port(const struct service_port *port, const struct pod *pod)
{
	if (!port->target_port.is_string)
		return port->target_port.number ? port->target_port.number : port->port;
	int32_t number = named_port(&pod->spec.containers, port);
	return number ? number : named_port(&pod->spec.init_containers, port);
}

struct pod_ports pod_service_ports(struct arena *a, const struct service *service,
				   const struct pod *pod)
{
	const struct service_port_array *ports = &service->spec.ports;
	struct discovery_endpoint_port *out =
		ARENA_ARRAY(a, struct discovery_endpoint_port, ports->count);
	uint32_t count = 0;
	for (uint32_t i = 0; i < ports->count; i++) {
		int32_t number = target_port(&ports->at[i], pod);
		if (!number)
			continue;
		struct str name = ports->at[i].name;
		out[count++] =
			(struct discovery_endpoint_port){.name = name.at ? name : STR(""),
							 .protocol = ports->at[i].protocol,
							 .port = i32_new(a, number),
							 .app_protocol = ports->at[i].app_protocol};
	}
	return (struct pod_ports){out, count};
}

bool pod_ports_eq(const struct pod_ports *a, const struct pod_ports *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!str_eq(a->at[i].name, b->at[i].name) ||
		    !str_eq(a->at[i].protocol, b->at[i].protocol) ||
		    !str_eq(a->at[i].app_protocol, b->at[i].app_protocol) ||
		    i32_or(a->at[i].port, 0) != i32_or(b->at[i].port, 0))
			return false;
	return true;
}

/* --- pods --- */

bool pod_may_serve(const struct pod *pod)
{
	return !pod_is_terminal(pod) && (pod->status.pod_ip.len || pod->status.pod_ips.count);
}

static bool is_of_family(struct str text, enum ip_family family)
{
	struct ipaddr addr;
	return ipaddr_parse(text, &addr) && addr.family == family;
}

struct str pod_address(const struct pod *pod, enum ip_family family)
{
	for (uint32_t i = 0; i < pod->status.pod_ips.count; i++)
		if (is_of_family(pod->status.pod_ips.at[i].ip, family))
			return pod->status.pod_ips.at[i].ip;
	return is_of_family(pod->status.pod_ip, family) ? pod->status.pod_ip : (struct str){};
}

struct str pod_service_hostname(const struct pod *pod, const struct object *service)
{
	bool is_named = pod->spec.hostname.len && str_eq(pod->spec.subdomain, service->name);
	return is_named ? pod->spec.hostname : (struct str){};
}

const struct object_reference *pod_reference(struct arena *a, const struct object *pod)
{
	struct object_reference *ref = ARENA_NEW(a, struct object_reference);
	*ref = (struct object_reference){.kind = STR("Pod"),
					 .namespace = pod->namespace,
					 .name = pod->name,
					 .uid = pod->uid};
	return ref;
}

/* --- services --- */

bool service_is_headless(const struct service *service)
{
	return str_is(service->spec.cluster_ip, "None");
}

size_t service_families(const struct service *service, enum ip_family ret_families[2])
{
	const struct str_array *families = &service->spec.ip_families;
	size_t count = 0;
	for (uint32_t i = 0; i < families->count && count < 2; i++)
		ret_families[count++] = str_is(families->at[i], "IPv6") ? IP_V6 : IP_V4;
	if (count == 0)
		ret_families[count++] = is_of_family(service->spec.cluster_ip, IP_V6) ? IP_V6
										      : IP_V4;
	return count;
}

bool service_pods(struct plan *p, const struct object *o, struct object_list *ret_pods)
{
	const struct service *service = object_view(o);
	if (service->spec.selector.count == 0 || str_is(service->spec.type, "ExternalName"))
		return false;
	struct selector selector = selector_from_map(p->arena, &service->spec.selector);
	const struct object *pod;
	struct cache_iter it = cache_iterate(p->cache, KIND_POD, o->namespace);
	while ((pod = cache_next(&it)))
		if (selector_matches_object(&selector, pod) && pod_may_serve(object_view(pod)))
			LIST_ADD(p->arena, ret_pods, pod);
	return true;
}

struct str service_trigger_time(struct plan *p, const struct object *service,
				const struct object_list *pods, struct str former)
{
	int64_t since_us = 0, first_us = 0;
	(void)time_parse(former, &since_us);
	for (size_t i = 0; i < pods->count; i++) {
		const struct pod_condition *ready =
			pod_condition(object_view(pods->at[i]), "Ready");
		int64_t time_us = ready ? ready->last_transition_time : 0;
		if (time_us > since_us && (!first_us || time_us < first_us))
			first_us = time_us;
	}
	if (!first_us && !since_us)
		first_us = object_meta(service)->creation_timestamp;
	return first_us ? time_text(p->arena, first_us) : former;
}

/* --- what wakes them --- */

static bool serves_alike(const struct object *a, const struct object *b)
{
	const struct pod *left = object_view(a), *right = object_view(b);
	return a->is_deleting == b->is_deleting && pod_is_ready(left) == pod_is_ready(right) &&
	       pod_may_serve(left) == pod_may_serve(right) &&
	       str_eq(left->status.pod_ip, right->status.pod_ip) &&
	       left->status.pod_ips.count == right->status.pod_ips.count &&
	       str_eq(left->spec.node_name, right->spec.node_name) &&
	       str_map_eq(&left->metadata.labels, &right->metadata.labels);
}

static bool selects(const struct service *service, const struct object *pod)
{
	const struct str_map *selector = &service->spec.selector;
	for (uint32_t i = 0; i < selector->count; i++) {
		struct str value = object_label(pod, selector->at[i].key);
		if (!value.at || !str_eq(value, selector->at[i].value))
			return false;
	}
	return selector->count > 0;
}

void map_pod_to_services(struct keys *keys, const struct cache *cache, const struct object *old,
			 const struct object *new)
{
	if (old && new &&serves_alike(old, new))
		return;
	const struct object *o, *any = new ? new : old;
	struct cache_iter it = cache_iterate(cache, KIND_SERVICE, any->namespace);
	while ((o = cache_next(&it))) {
		const struct service *service = object_view(o);
		if ((new &&selects(service, new)) || (old && selects(service, old)))
			keys_add(keys, o->namespace, o->name);
	}
}
