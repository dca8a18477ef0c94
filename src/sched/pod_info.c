#include "sched/pod_info.h"

#include "api/quantity.h"
#include "base/mem.h"
#include "sync/view_selector.h"

/* --- resources --- */

static const struct str fixed[RESOURCES_FIXED] = {
	[RESOURCE_CPU] = STR_INIT("cpu"),
	[RESOURCE_MEMORY] = STR_INIT("memory"),
	[RESOURCE_STORAGE] = STR_INIT("ephemeral-storage"),
	[RESOURCE_PODS] = STR_INIT("pods"),
};

void resources_init(struct resources *r)
{
	*r = (struct resources){.count = RESOURCES_FIXED};
	memcpy(r->names, fixed, sizeof(fixed));
}

void resources_done(struct resources *r)
{
	for (uint32_t i = RESOURCES_FIXED; i < r->count; i++)
		free((char *)r->names[i].at);
}

uint32_t resources_index(struct resources *r, struct str name)
{
	uint32_t i = 0;
	while (i < r->count && !str_eq(r->names[i], name))
		i++;
	if (i < r->count)
		return i;
	if (i == RESOURCES_MAX)
		return RESOURCE_NONE;
	r->names[i] = str_of(mem_strndup(name.at, name.len));
	r->count++;
	return i;
}

int64_t resource_amount(uint32_t index, struct str quantity)
{
	return index == RESOURCE_CPU ? quantity_text_milli(quantity)
				     : quantity_text_value(quantity);
}

/* --- requests --- */

struct amounts {
	int64_t at[RESOURCES_MAX];
};

static struct amounts amounts_of(struct resources *r, struct pod_info *info,
				 const struct str_map *map)
{
	struct amounts out = {};
	for (uint32_t i = 0; i < map->count; i++) {
		uint32_t index = resources_index(r, map->at[i].key);
		if (index == RESOURCE_NONE)
			info->lacks_resource = true;
		else
			out.at[index] = resource_amount(index, map->at[i].value);
	}
	return out;
}

static void add(struct amounts *to, const struct amounts *more)
{
	for (int i = 0; i < RESOURCES_MAX; i++)
		to->at[i] += more->at[i];
}

static void raise_to(struct amounts *to, const struct amounts *other)
{
	for (int i = 0; i < RESOURCES_MAX; i++)
		to->at[i] = MAX(to->at[i], other->at[i]);
}

/* The containers together, and each init container with the sidecars started before it: the most of
 * all moments of the pod's life.  assumed: cpu and memory of a container that asks for none. */
static struct amounts pod_amounts(struct resources *r, struct pod_info *info, bool has_assumed)
{
	const struct pod_spec *spec = &info->pod->spec;
	struct amounts sum = {}, sidecars = {}, most = {};
	for (uint32_t i = 0; i < spec->containers.count + spec->init_containers.count; i++) {
		bool is_init = i < spec->init_containers.count;
		const struct container *c =
			is_init ? &spec->init_containers.at[i]
				: &spec->containers.at[i - spec->init_containers.count];
		struct amounts one = amounts_of(r, info, &c->resources.requests);
		if (has_assumed && !str_map_cget(&c->resources.requests, "cpu").at)
			one.at[RESOURCE_CPU] = ASSUMED_CPU_MILLI;
		if (has_assumed && !str_map_cget(&c->resources.requests, "memory").at)
			one.at[RESOURCE_MEMORY] = ASSUMED_MEMORY_BYTES;
		if (!is_init) {
			add(&sum, &one);
		} else if (str_is(c->restart_policy, "Always")) {
			add(&sidecars, &one);
			raise_to(&most, &sidecars);
		} else {
			add(&one, &sidecars);
			raise_to(&most, &one);
		}
	}
	add(&sum, &sidecars);
	raise_to(&sum, &most);
	struct amounts overhead = amounts_of(r, info, &spec->overhead);
	add(&sum, &overhead);
	return sum;
}

static void pod_level(struct resources *r, struct pod_info *info, struct amounts *amounts)
{
	const struct resource_requirements *whole = info->pod->spec.resources;
	if (!whole)
		return;
	struct amounts asked = amounts_of(r, info, &whole->requests);
	for (int i = 0; i < RESOURCES_MAX; i++)
		if (asked.at[i])
			amounts->at[i] = asked.at[i];
}

static void count_requests(struct resources *r, struct pod_info *info)
{
	struct amounts amounts = pod_amounts(r, info, false);
	struct amounts assumed = pod_amounts(r, info, true);
	pod_level(r, info, &amounts);
	pod_level(r, info, &assumed);
	memcpy(info->requests, amounts.at, sizeof(info->requests));
	info->requests[RESOURCE_PODS] = 1;
	info->assumed_cpu = assumed.at[RESOURCE_CPU];
	info->assumed_memory = assumed.at[RESOURCE_MEMORY];
}

/* --- ports --- */

static void find_ports(struct pod_info *info)
{
	const struct container_array *containers = &info->pod->spec.containers;
	uint32_t most = 0, count = 0;
	for (uint32_t i = 0; i < containers->count; i++)
		for (uint32_t j = 0; j < containers->at[i].ports.count; j++)
			most += containers->at[i].ports.at[j].host_port > 0;
	if (most == 0)
		return;
	struct host_port *ports = ARENA_ARRAY(&info->arena, struct host_port, most);
	for (uint32_t i = 0; i < containers->count; i++)
		for (uint32_t j = 0; j < containers->at[i].ports.count; j++) {
			const struct container_port *port = &containers->at[i].ports.at[j];
			if (port->host_port > 0)
				ports[count++] = (struct host_port){
					port->host_ip,
					port->protocol.len ? port->protocol : STR("TCP"),
					port->host_port};
		}
	info->ports = ports;
	info->port_count = count;
}

static bool is_any_address(struct str ip)
{
	return !ip.len || str_is(ip, "0.0.0.0") || str_is(ip, "::");
}

bool host_ports_conflict(const struct host_port *a, const struct host_port *b)
{
	return a->port == b->port && str_eq(a->protocol, b->protocol) &&
	       (is_any_address(a->ip) || is_any_address(b->ip) || str_eq(a->ip, b->ip));
}

/* --- affinity --- */

static void term_init(struct arena *a, struct pod_term *out, const struct pod_affinity_term *term,
		      int32_t weight)
{
	*out = (struct pod_term){.selector = selector_from_view(a, term->label_selector),
				 .topology_key = term->topology_key,
				 .namespaces = term->namespaces,
				 .has_namespace_selector = term->namespace_selector != NULL,
				 .weight = weight};
	if (term->namespace_selector)
		out->namespace_selector = selector_from_view(a, term->namespace_selector);
}

static struct pod_terms required_terms(struct arena *a, const struct pod_affinity_term_array *terms)
{
	if (!terms->count)
		return (struct pod_terms){};
	struct pod_term *out = ARENA_ARRAY(a, struct pod_term, terms->count);
	for (uint32_t i = 0; i < terms->count; i++)
		term_init(a, &out[i], &terms->at[i], 0);
	return (struct pod_terms){out, terms->count};
}

static struct pod_terms preferred_terms(struct arena *a,
					const struct weighted_pod_affinity_term_array *terms)
{
	if (!terms->count)
		return (struct pod_terms){};
	struct pod_term *out = ARENA_ARRAY(a, struct pod_term, terms->count);
	for (uint32_t i = 0; i < terms->count; i++)
		term_init(a, &out[i], &terms->at[i].pod_affinity_term, terms->at[i].weight);
	return (struct pod_terms){out, terms->count};
}

static void find_terms(struct pod_info *info)
{
	const struct affinity *affinity = info->pod->spec.affinity;
	struct arena *a = &info->arena;
	if (affinity && affinity->pod_affinity) {
		const struct pod_affinity *pods = affinity->pod_affinity;
		info->affinity = required_terms(
			a, &pods->required_during_scheduling_ignored_during_execution);
		info->preferred_affinity = preferred_terms(
			a, &pods->preferred_during_scheduling_ignored_during_execution);
	}
	if (affinity && affinity->pod_anti_affinity) {
		const struct pod_anti_affinity *pods = affinity->pod_anti_affinity;
		info->anti_affinity = required_terms(
			a, &pods->required_during_scheduling_ignored_during_execution);
		info->preferred_anti_affinity = preferred_terms(
			a, &pods->preferred_during_scheduling_ignored_during_execution);
	}
}

bool pod_term_matches(const struct pod_term *term, struct str own_namespace,
		      const struct object *other, const struct object *other_namespace)
{
	bool in_namespace = false;
	for (uint32_t i = 0; i < term->namespaces.count; i++)
		in_namespace |= str_eq(term->namespaces.at[i], other->namespace);
	if (!term->namespaces.count && !term->has_namespace_selector)
		in_namespace = str_eq(own_namespace, other->namespace);
	if (!in_namespace && term->has_namespace_selector)
		in_namespace =
			selector_is_everything(&term->namespace_selector) ||
			(other_namespace &&
			 selector_matches_object(&term->namespace_selector, other_namespace));
	return in_namespace && selector_matches_object(&term->selector, other);
}

/* --- construction --- */

struct pod_info *pod_info_new(struct resources *r, struct object *object)
{
	struct pod_info *info = NEW(struct pod_info);
	info->object = object_ref(object);
	info->pod = object_view(object);
	info->node = NODE_NONE;
	count_requests(r, info);
	find_ports(info);
	find_terms(info);
	return info;
}

int32_t pod_priority(const struct pod_info *info)
{
	return info->pod->spec.priority ? *info->pod->spec.priority : 0;
}

void pod_info_free(struct pod_info *info)
{
	if (!info)
		return;
	arena_done(&info->arena);
	object_unref(info->object);
	free(info);
}
