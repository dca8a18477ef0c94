/* EndpointSlices of Services with a selector.
 *
 * For each address family the wanted endpoints fall into groups with the same ports.  A slice that
 * is there keeps what is still wanted of its group; what is new fills slices with room, then new
 * slices.  A slice whose group is gone lends its name to a new one, and when nothing is wanted one
 * empty slice stays.  That is upstream's reconciler (k8s.io/endpointslice), which touches as few
 * slices as it can. */
#include "control/controllers.h"
#include "control/service_pods.h"

#define SLICE_MAX    100 /* endpoints */
#define SERVICE_NAME "kubernetes.io/service-name"
#define MANAGED_BY   "endpointslice.kubernetes.io/managed-by"
#define MANAGER	     "endpointslice-controller.k8s.io"

struct group {
	struct pod_ports ports;
	LIST_OF(struct endpoint) wanted;
	bool *is_placed;
};

struct slice {
	const struct object *o; /* NULL: to be made */
	const struct endpoint_slice *view;
	struct group *group; /* NULL: the empty one */
	LIST_OF(struct endpoint) endpoints;
	bool is_touched, is_deleted;
};

struct sync {
	struct plan *p;
	const struct object *o;
	const struct service *service;
	struct object_list pods;
	enum ip_family family;
	struct str address_type;
	LIST_OF(struct group) groups;
	LIST_OF(struct slice) slices;
};

/* --- what is wanted --- */

static struct str node_zone(const struct sync *s, struct str node_name)
{
	const struct object *node =
		node_name.len ? cache_get(s->p->cache, KIND_NODE, STR(""), node_name) : NULL;
	return node ? object_label(node, STR("topology.kubernetes.io/zone")) : (struct str){};
}

static struct endpoint endpoint_of(const struct sync *s, const struct object *o, struct str address)
{
	const struct pod *pod = object_view(o);
	bool serving = pod_is_ready(pod), terminating = o->is_deleting;
	bool ready = s->service->spec.publish_not_ready_addresses || (serving && !terminating);
	struct endpoint e = {.addresses = {arena_copy(s->p->arena, &address, sizeof(address)), 1},
			     .conditions = {bool_of(ready), bool_of(serving), bool_of(terminating)},
			     .hostname = pod_service_hostname(pod, s->o),
			     .target_ref = pod_reference(s->p->arena, o),
			     .node_name = pod->spec.node_name.len ? pod->spec.node_name
								  : (struct str){},
			     .zone = node_zone(s, pod->spec.node_name)};
	return e;
}

static struct group *group_for(struct sync *s, struct pod_ports ports)
{
	for (size_t i = 0; i < s->groups.count; i++)
		if (pod_ports_eq(&s->groups.at[i].ports, &ports))
			return &s->groups.at[i];
	struct group group = {.ports = ports};
	LIST_ADD(s->p->arena, &s->groups, group);
	return &s->groups.at[s->groups.count - 1];
}

static void find_wanted(struct sync *s)
{
	for (size_t i = 0; i < s->pods.count; i++) {
		const struct pod *pod = object_view(s->pods.at[i]);
		struct str address = pod_address(pod, s->family);
		if (!address.len)
			continue;
		struct group *group = group_for(s, pod_service_ports(s->p->arena, s->service, pod));
		struct endpoint e = endpoint_of(s, s->pods.at[i], address);
		LIST_ADD(s->p->arena, &group->wanted, e);
	}
	for (size_t i = 0; i < s->groups.count; i++)
		s->groups.at[i].is_placed =
			ARENA_ARRAY(s->p->arena, bool, s->groups.at[i].wanted.count);
}

/* --- what is there --- */

static bool is_same_target(const struct endpoint *a, const struct endpoint *b)
{
	return a->target_ref && b->target_ref && a->addresses.count && b->addresses.count &&
	       str_eq(a->target_ref->uid, b->target_ref->uid) &&
	       str_eq(a->addresses.at[0], b->addresses.at[0]);
}

static void keep_wanted(struct sync *s, struct slice *slice)
{
	for (uint32_t i = 0; i < slice->view->endpoints.count; i++) {
		struct group *group = slice->group;
		size_t j = 0;
		while (j < group->wanted.count &&
		       (group->is_placed[j] ||
			!is_same_target(&group->wanted.at[j], &slice->view->endpoints.at[i])))
			j++;
		if (j == group->wanted.count)
			continue;
		group->is_placed[j] = true;
		LIST_ADD(s->p->arena, &slice->endpoints, group->wanted.at[j]);
	}
}

static void find_slices(struct sync *s)
{
	const struct object *o;
	struct cache_iter it =
		cache_owned(s->p->cache, KIND_ENDPOINT_SLICE, s->o->namespace, s->o->uid);
	while ((o = cache_next(&it))) {
		const struct endpoint_slice *view = object_view(o);
		if (o->is_deleting || !str_is(object_label(o, STR(MANAGED_BY)), MANAGER) ||
		    !str_eq(view->address_type, s->address_type))
			continue;
		struct slice slice = {.o = o, .view = view};
		struct pod_ports ports = {view->ports.at, view->ports.count};
		for (size_t i = 0; i < s->groups.count; i++)
			if (pod_ports_eq(&s->groups.at[i].ports, &ports))
				slice.group = &s->groups.at[i];
		slice.is_deleted = !slice.group;
		if (slice.group)
			keep_wanted(s, &slice);
		LIST_ADD(s->p->arena, &s->slices, slice);
	}
}

/* --- placing --- */

/* One that changes anyway, else the fullest with room, else a new one. */
static struct slice *slice_with_room(struct sync *s, struct group *group)
{
	struct slice *best = NULL;
	for (size_t i = 0; i < s->slices.count; i++) {
		struct slice *slice = &s->slices.at[i];
		if (slice->group != group || slice->endpoints.count >= SLICE_MAX)
			continue;
		if (!best || slice->is_touched > best->is_touched ||
		    (slice->is_touched == best->is_touched &&
		     slice->endpoints.count > best->endpoints.count))
			best = slice;
	}
	if (best)
		return best;
	struct slice fresh = {.group = group};
	LIST_ADD(s->p->arena, &s->slices, fresh);
	return &s->slices.at[s->slices.count - 1];
}

static void place_rest(struct sync *s, struct group *group)
{
	for (size_t i = 0; i < group->wanted.count; i++) {
		if (group->is_placed[i])
			continue;
		struct slice *slice = slice_with_room(s, group);
		LIST_ADD(s->p->arena, &slice->endpoints, group->wanted.at[i]);
		slice->is_touched = true;
	}
}

/* A new slice takes over the name of one that would be deleted. */
static void recycle(struct sync *s)
{
	size_t used = 0;
	for (size_t i = 0; i < s->slices.count; i++) {
		struct slice *fresh = &s->slices.at[i];
		if (fresh->o || fresh->is_deleted)
			continue;
		while (used < s->slices.count &&
		       !(s->slices.at[used].is_deleted && s->slices.at[used].o))
			used++;
		if (used == s->slices.count)
			return;
		fresh->o = s->slices.at[used].o;
		fresh->view = s->slices.at[used].view;
		s->slices.at[used].o = NULL;
	}
}

static void place(struct sync *s)
{
	size_t alive = 0;
	for (size_t i = 0; i < s->slices.count; i++)
		s->slices.at[i].is_touched = s->slices.at[i].view->endpoints.count !=
					     s->slices.at[i].endpoints.count;
	for (size_t i = 0; i < s->groups.count; i++)
		place_rest(s, &s->groups.at[i]);
	for (size_t i = 0; i < s->slices.count; i++) {
		s->slices.at[i].is_deleted |= s->slices.at[i].endpoints.count == 0;
		alive += !s->slices.at[i].is_deleted;
	}
	if (alive == 0) {
		struct slice empty = {};
		LIST_ADD(s->p->arena, &s->slices, empty);
	}
	recycle(s);
}

/* --- writing --- */

static struct str_map slice_labels(const struct sync *s)
{
	struct arena *a = s->p->arena;
	struct str_map labels = s->service->metadata.labels;
	labels = str_map_without(a, &labels, STR(HEADLESS_LABEL));
	if (service_is_headless(s->service))
		labels = str_map_with(a, &labels, STR(HEADLESS_LABEL), STR(""));
	labels = str_map_with(a, &labels, STR(MANAGED_BY), STR(MANAGER));
	return str_map_with(a, &labels, STR(SERVICE_NAME), s->o->name);
}

static bool condition_eq(const bool *a, const bool *b)
{
	return a && b ? *a == *b : a == b;
}

static bool endpoint_eq(const struct endpoint *a, const struct endpoint *b)
{
	return is_same_target(a, b) && condition_eq(a->conditions.ready, b->conditions.ready) &&
	       condition_eq(a->conditions.serving, b->conditions.serving) &&
	       condition_eq(a->conditions.terminating, b->conditions.terminating) &&
	       str_eq(a->hostname, b->hostname) && str_eq(a->node_name, b->node_name) &&
	       str_eq(a->zone, b->zone);
}

static bool slice_is_current(const struct slice *slice, const struct endpoint_slice *wanted)
{
	const struct endpoint_slice *now = slice->view;
	struct pod_ports before = {now->ports.at, now->ports.count};
	struct pod_ports after = {wanted->ports.at, wanted->ports.count};
	if (now->endpoints.count != wanted->endpoints.count || !pod_ports_eq(&before, &after) ||
	    !str_map_eq(&now->metadata.labels, &wanted->metadata.labels))
		return false;
	for (uint32_t i = 0; i < now->endpoints.count; i++)
		if (!endpoint_eq(&now->endpoints.at[i], &wanted->endpoints.at[i]))
			return false;
	return true;
}

static void write_slice(struct sync *s, const struct slice *slice)
{
	struct endpoint_slice out = {.address_type = s->address_type};
	struct str former = {};
	if (slice->view) {
		out.metadata = slice->view->metadata;
		former = str_map_cget(&out.metadata.annotations, LAST_CHANGE_TRIGGER_TIME);
	} else {
		out.metadata.generate_name =
			arena_printf(s->p->arena, "%.*s-", STR_FMT(s->o->name));
		out.metadata.namespace = s->o->namespace;
		out.metadata.owner_references = owner_controller(s->p, s->o);
	}
	out.metadata.labels = slice_labels(s);
	out.endpoints =
		(struct endpoint_array){slice->endpoints.at, (uint32_t)slice->endpoints.count};
	if (slice->group)
		out.ports = (struct discovery_endpoint_port_array){slice->group->ports.at,
								   slice->group->ports.count};
	if (slice->view && slice_is_current(slice, &out))
		return;
	struct str trigger = service_trigger_time(s->p, s->o, &s->pods, former);
	if (trigger.len)
		out.metadata.annotations = str_map_with(s->p->arena, &out.metadata.annotations,
							STR(LAST_CHANGE_TRIGGER_TIME), trigger);
	if (slice->view)
		plan_update(s->p, KIND_ENDPOINT_SLICE, s->o->namespace, slice->o->name, &out);
	else
		plan_create(s->p, KIND_ENDPOINT_SLICE, s->o->namespace, &out);
}

static void sync_family(struct sync *s)
{
	find_wanted(s);
	find_slices(s);
	place(s);
	for (size_t i = 0; i < s->slices.count; i++) {
		const struct slice *slice = &s->slices.at[i];
		if (!slice->is_deleted)
			write_slice(s, slice);
		else if (slice->o)
			plan_delete(s->p, KIND_ENDPOINT_SLICE, slice->o, (struct str){});
	}
}

/* Slices of a family that the Service no longer has. */
static void drop_other_families(struct plan *p, const struct object *o,
				const enum ip_family *families, size_t count)
{
	const struct object *slice;
	struct cache_iter it = cache_owned(p->cache, KIND_ENDPOINT_SLICE, o->namespace, o->uid);
	while ((slice = cache_next(&it))) {
		const struct endpoint_slice *view = object_view(slice);
		enum ip_family family = str_is(view->address_type, "IPv6") ? IP_V6 : IP_V4;
		bool is_used = family == families[0] || (count > 1 && family == families[1]);
		if (!is_used && !slice->is_deleting &&
		    str_is(object_label(slice, STR(MANAGED_BY)), MANAGER))
			plan_delete(p, KIND_ENDPOINT_SLICE, slice, (struct str){});
	}
}

static void plan_endpoint_slice(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_SERVICE, namespace, name);
	struct object_list pods = {};
	if (!o || o->is_deleting || !service_pods(p, o, &pods))
		return;
	enum ip_family families[2];
	size_t count = service_families(object_view(o), families);
	for (size_t i = 0; i < count; i++) {
		struct sync s = {.p = p, .o = o, .service = object_view(o), .pods = pods};
		s.family = families[i];
		s.address_type = families[i] == IP_V6 ? STR("IPv6") : STR("IPv4");
		sync_family(&s);
	}
	drop_other_families(p, o, families, count);
}

static void map_slice(struct keys *keys, const struct cache *cache, const struct object *old,
		      const struct object *new)
{
	const struct object *o = new ? new : old;
	struct str service = object_label(o, STR(SERVICE_NAME));
	if (service.len && str_is(object_label(o, STR(MANAGED_BY)), MANAGER))
		keys_add(keys, o->namespace, service);
}

static const struct controller_watch watches[] = {
	{KIND_SERVICE, NULL}, {KIND_POD, map_pod_to_services}, {KIND_ENDPOINT_SLICE, map_slice}};

const struct controller endpoint_slice_controller = {
	.name = "endpointslice",
	.service_account = "endpointslice-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_endpoint_slice,
};
