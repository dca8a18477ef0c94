/* Endpoints of Services with a selector: the older form of EndpointSlices, one object a Service. */
#include "control/controllers.h"
#include "control/service_pods.h"

#define MANAGED_BY    "endpoints.kubernetes.io/managed-by"
#define MANAGER	      "endpoint-controller"
#define OVER_CAPACITY "endpoints.kubernetes.io/over-capacity"
#define ADDRESSES_MAX 1000

struct subset {
	struct pod_ports ports;
	LIST_OF(struct endpoint_address) ready, not_ready;
};

struct subsets {
	struct subset *at;
	size_t count, cap;
	size_t addresses;
	bool is_cut;
};

static struct subset *subset_for(struct plan *p, struct subsets *list, struct pod_ports ports)
{
	for (size_t i = 0; i < list->count; i++)
		if (pod_ports_eq(&list->at[i].ports, &ports))
			return &list->at[i];
	struct subset fresh = {.ports = ports};
	LIST_ADD(p->arena, list, fresh);
	return &list->at[list->count - 1];
}

static void add_pod(struct plan *p, const struct object *o, const struct object *pod_object,
		    enum ip_family family, struct subsets *list)
{
	const struct service *service = object_view(o);
	const struct pod *pod = object_view(pod_object);
	struct str ip = pod_address(pod, family);
	bool publish_all = service->spec.publish_not_ready_addresses;
	struct pod_ports ports = pod_service_ports(p->arena, service, pod);
	/* Without any port only a headless Service that names none has something to publish. */
	if (!ip.len || (pod_object->is_deleting && !publish_all) ||
	    (ports.count == 0 && service->spec.ports.count > 0))
		return;
	if (list->addresses >= ADDRESSES_MAX) {
		list->is_cut = true;
		return;
	}
	struct endpoint_address address = {
		.ip = ip,
		.hostname = pod_service_hostname(pod, o),
		.node_name = pod->spec.node_name.len ? pod->spec.node_name : (struct str){},
		.target_ref = pod_reference(p->arena, pod_object)};
	struct subset *subset = subset_for(p, list, ports);
	list->addresses++;
	if (publish_all || pod_is_ready(pod))
		LIST_ADD(p->arena, &subset->ready, address);
	else
		LIST_ADD(p->arena, &subset->not_ready, address);
}

/* --- the object --- */

static int by_ip(const void *a, const void *b)
{
	const struct endpoint_address *left = a, *right = b;
	int order = str_cmp(left->ip, right->ip);
	return order ? order : str_cmp(left->target_ref->uid, right->target_ref->uid);
}

static struct endpoint_port_array old_ports(struct plan *p, const struct pod_ports *ports)
{
	struct endpoint_port *out = ARENA_ARRAY(p->arena, struct endpoint_port, ports->count);
	for (uint32_t i = 0; i < ports->count; i++)
		out[i] = (struct endpoint_port){.name = ports->at[i].name,
						.port = *ports->at[i].port,
						.protocol = ports->at[i].protocol,
						.app_protocol = ports->at[i].app_protocol};
	return (struct endpoint_port_array){out, ports->count};
}

static struct endpoint_subset_array subset_views(struct plan *p, struct subsets *list)
{
	struct endpoint_subset *out = ARENA_ARRAY(p->arena, struct endpoint_subset, list->count);
	for (size_t i = 0; i < list->count; i++) {
		struct subset *s = &list->at[i];
		if (s->ready.count > 1)
			qsort(s->ready.at, s->ready.count, sizeof(*s->ready.at), by_ip);
		if (s->not_ready.count > 1)
			qsort(s->not_ready.at, s->not_ready.count, sizeof(*s->not_ready.at), by_ip);
		out[i] = (struct endpoint_subset){
			.addresses = {s->ready.at, (uint32_t)s->ready.count},
			.not_ready_addresses = {s->not_ready.at, (uint32_t)s->not_ready.count},
			.ports = old_ports(p, &s->ports)};
	}
	return (struct endpoint_subset_array){out, (uint32_t)list->count};
}

static bool addresses_eq(const struct endpoint_address_array *a,
			 const struct endpoint_address_array *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		const struct object_reference *left = a->at[i].target_ref,
					      *right = b->at[i].target_ref;
		if (!str_eq(a->at[i].ip, b->at[i].ip) ||
		    !str_eq(a->at[i].hostname, b->at[i].hostname) ||
		    !str_eq(a->at[i].node_name, b->at[i].node_name) || !left != !right ||
		    (left && !str_eq(left->uid, right->uid)))
			return false;
	}
	return true;
}

static bool ports_eq(const struct endpoint_port_array *a, const struct endpoint_port_array *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (a->at[i].port != b->at[i].port || !str_eq(a->at[i].name, b->at[i].name) ||
		    !str_eq(a->at[i].protocol, b->at[i].protocol) ||
		    !str_eq(a->at[i].app_protocol, b->at[i].app_protocol))
			return false;
	return true;
}

static bool subsets_eq(const struct endpoint_subset_array *a, const struct endpoint_subset_array *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!addresses_eq(&a->at[i].addresses, &b->at[i].addresses) ||
		    !addresses_eq(&a->at[i].not_ready_addresses, &b->at[i].not_ready_addresses) ||
		    !ports_eq(&a->at[i].ports, &b->at[i].ports))
			return false;
	return true;
}

static struct str_map endpoints_labels(struct plan *p, const struct service *service)
{
	struct str_map labels =
		str_map_without(p->arena, &service->metadata.labels, STR(HEADLESS_LABEL));
	if (service_is_headless(service))
		labels = str_map_with(p->arena, &labels, STR(HEADLESS_LABEL), STR(""));
	return str_map_with(p->arena, &labels, STR(MANAGED_BY), STR(MANAGER));
}

static void write_endpoints(struct plan *p, const struct object *o, const struct object_list *pods,
			    struct subsets *list)
{
	const struct object *now = cache_get(p->cache, KIND_ENDPOINTS, o->namespace, o->name);
	struct endpoints out = {.metadata = {.name = o->name, .namespace = o->namespace}};
	if (now)
		out = *(const struct endpoints *)object_view(now);
	struct endpoint_subset_array subsets = subset_views(p, list);
	struct str_map labels = endpoints_labels(p, object_view(o));
	if (now && subsets_eq(&out.subsets, &subsets) && str_map_eq(&out.metadata.labels, &labels))
		return;
	struct str_map *annotations = &out.metadata.annotations;
	struct str trigger = service_trigger_time(
		p, o, pods, str_map_cget(annotations, LAST_CHANGE_TRIGGER_TIME));
	if (trigger.len)
		*annotations =
			str_map_with(p->arena, annotations, STR(LAST_CHANGE_TRIGGER_TIME), trigger);
	*annotations = str_map_without(p->arena, annotations, STR(OVER_CAPACITY));
	if (list->is_cut)
		*annotations =
			str_map_with(p->arena, annotations, STR(OVER_CAPACITY), STR("truncated"));
	out.metadata.labels = labels;
	out.subsets = subsets;
	if (now)
		plan_update(p, KIND_ENDPOINTS, o->namespace, o->name, &out);
	else
		plan_create(p, KIND_ENDPOINTS, o->namespace, &out);
}

static void plan_endpoints(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_SERVICE, namespace, name);
	struct object_list pods = {};
	struct subsets list = {};
	if (!o) {
		const struct object *left = cache_get(p->cache, KIND_ENDPOINTS, namespace, name);
		if (left && str_is(object_label(left, STR(MANAGED_BY)), MANAGER))
			plan_delete(p, KIND_ENDPOINTS, left, (struct str){});
		return;
	}
	if (o->is_deleting || !service_pods(p, o, &pods))
		return;
	enum ip_family families[2];
	(void)service_families(object_view(o), families);
	for (size_t i = 0; i < pods.count; i++)
		add_pod(p, o, pods.at[i], families[0], &list);
	write_endpoints(p, o, &pods, &list);
}

static const struct controller_watch watches[] = {
	{KIND_SERVICE, NULL}, {KIND_POD, map_pod_to_services}, {KIND_ENDPOINTS, NULL}};

const struct controller endpoints_controller = {
	.name = "endpoints",
	.service_account = "endpoint-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_endpoints,
};
