#include "sched/cluster.h"

#include "api/api_ids.h"
#include "base/err.h"
#include "base/mem.h"

void cluster_init(struct cluster *c, const struct cache *cache)
{
	*c = (struct cluster){.cache = cache, .node_generation = 1};
	resources_init(&c->resources);
}

void cluster_done(struct cluster *c)
{
	for (struct map_entry *e = map_next(&c->infos, NULL); e; e = map_next(&c->infos, e))
		pod_info_free(e->value);
	map_done(&c->infos);
	map_done(&c->node_index);
	for (uint32_t i = 0; i < c->node_count; i++) {
		object_unref(c->nodes[i]);
		free(c->pods[i].at);
	}
	for (uint32_t i = 0; i < RESOURCES_MAX; i++) {
		free(c->allocatable[i]);
		free(c->requested[i]);
	}
	for (uint32_t i = 0; i < c->topology_count; i++) {
		free(c->topologies[i].key);
		free(c->topologies[i].domain);
	}
	free(c->nodes);
	free(c->views);
	free(c->assumed_cpu);
	free(c->assumed_memory);
	free(c->pods);
	free(c->with_anti);
	free(c->with_affinity);
	resources_done(&c->resources);
}

/* --- columns --- */

static void columns_grow(struct cluster *c)
{
	uint32_t cap = MAX(16u, c->node_cap * 2);
	c->nodes = mem_resize(c->nodes, cap * sizeof(struct object *));
	c->views = mem_resize(c->views, cap * sizeof(struct node *));
	c->pods = mem_resize(c->pods, cap * sizeof(*c->pods));
	c->assumed_cpu = mem_resize(c->assumed_cpu, cap * sizeof(int64_t));
	c->assumed_memory = mem_resize(c->assumed_memory, cap * sizeof(int64_t));
	for (uint32_t i = 0; i < RESOURCES_MAX; i++) {
		c->allocatable[i] = mem_resize(c->allocatable[i], cap * sizeof(int64_t));
		c->requested[i] = mem_resize(c->requested[i], cap * sizeof(int64_t));
	}
	c->node_cap = cap;
}

static void node_clear(struct cluster *c, uint32_t n)
{
	c->pods[n] = (struct node_pods){};
	c->assumed_cpu[n] = c->assumed_memory[n] = 0;
	for (uint32_t i = 0; i < RESOURCES_MAX; i++)
		c->allocatable[i][n] = c->requested[i][n] = 0;
}

static void node_move(struct cluster *c, uint32_t to, uint32_t from)
{
	c->nodes[to] = c->nodes[from];
	c->views[to] = c->views[from];
	c->pods[to] = c->pods[from];
	c->assumed_cpu[to] = c->assumed_cpu[from];
	c->assumed_memory[to] = c->assumed_memory[from];
	for (uint32_t i = 0; i < RESOURCES_MAX; i++) {
		c->allocatable[i][to] = c->allocatable[i][from];
		c->requested[i][to] = c->requested[i][from];
	}
	for (uint32_t i = 0; i < c->pods[to].count; i++)
		c->pods[to].at[i]->node = to;
	map_set(&c->node_index, c->nodes[to]->name, (void *)(uintptr_t)(to + 1));
}

static void node_capacity(struct cluster *c, uint32_t n)
{
	const struct str_map *map = &c->views[n]->status.allocatable;
	for (uint32_t i = 0; i < RESOURCES_MAX; i++)
		c->allocatable[i][n] = 0;
	for (uint32_t i = 0; i < map->count; i++) {
		uint32_t index = resources_index(&c->resources, map->at[i].key);
		if (index != RESOURCE_NONE)
			c->allocatable[index][n] = resource_amount(index, map->at[i].value);
	}
}

/* --- pods on nodes --- */

static void info_list_add(struct pod_info ***list, uint32_t *count, uint32_t *cap,
			  struct pod_info *info)
{
	if (*count == *cap) {
		*cap = MAX(8u, *cap * 2);
		*list = mem_resize(*list, *cap * sizeof(struct pod_info *));
	}
	(*list)[(*count)++] = info;
}

static void info_list_remove(struct pod_info **list, uint32_t *count, const struct pod_info *info)
{
	for (uint32_t i = 0; i < *count; i++)
		if (list[i] == info) {
			list[i] = list[--*count];
			return;
		}
}

static bool has_any_affinity(const struct pod_info *info)
{
	return info->affinity.count || info->preferred_affinity.count ||
	       info->preferred_anti_affinity.count;
}

static void account(struct cluster *c, const struct pod_info *info, int64_t sign)
{
	uint32_t n = info->node;
	for (uint32_t i = 0; i < c->resources.count; i++)
		c->requested[i][n] += sign * info->requests[i];
	c->assumed_cpu[n] += sign * info->assumed_cpu;
	c->assumed_memory[n] += sign * info->assumed_memory;
}

static void attach(struct cluster *c, struct pod_info *info, uint32_t node)
{
	ASSERT(info->node == NODE_NONE && node < c->node_count);
	struct node_pods *pods = &c->pods[node];
	info->node = node;
	info->position = pods->count;
	info_list_add(&pods->at, &pods->count, &pods->cap, info);
	pods->with_ports += info->port_count > 0;
	account(c, info, 1);
	if (info->anti_affinity.count)
		info_list_add(&c->with_anti, &c->with_anti_count, &c->with_anti_cap, info);
	if (has_any_affinity(info))
		info_list_add(&c->with_affinity, &c->with_affinity_count, &c->with_affinity_cap,
			      info);
}

static void detach(struct cluster *c, struct pod_info *info)
{
	if (info->node == NODE_NONE)
		return;
	struct node_pods *pods = &c->pods[info->node];
	account(c, info, -1);
	pods->with_ports -= info->port_count > 0;
	struct pod_info *last = pods->at[--pods->count];
	pods->at[info->position] = last;
	last->position = info->position;
	if (info->anti_affinity.count)
		info_list_remove(c->with_anti, &c->with_anti_count, info);
	if (has_any_affinity(info))
		info_list_remove(c->with_affinity, &c->with_affinity_count, info);
	info->node = NODE_NONE;
}

/* --- nodes --- */

uint32_t cluster_node_find(const struct cluster *c, struct str name)
{
	uintptr_t index = (uintptr_t)map_get(&c->node_index, name);
	return index ? (uint32_t)(index - 1) : NODE_NONE;
}

static void attach_known(struct cluster *c, uint32_t n)
{
	struct object *o;
	for (struct cache_iter it = cache_on_node(c->cache, c->nodes[n]->name);
	     (o = cache_next(&it));)
		cluster_pod_put(c, o);
}

static bool labels_eq(const struct object *a, const struct object *b)
{
	if (a->label_count != b->label_count)
		return false;
	for (uint16_t i = 0; i < a->label_count; i++) {
		struct str other = object_label(b, a->labels[i].key);
		if (!other.at || !str_eq(other, a->labels[i].value))
			return false;
	}
	return true;
}

static bool quantities_eq(const struct str_map *a, const struct str_map *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!str_eq(str_map_get(b, a->at[i].key), a->at[i].value))
			return false;
	return true;
}

static bool taints_eq(const struct taint_array *a, const struct taint_array *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!str_eq(a->at[i].key, b->at[i].key) ||
		    !str_eq(a->at[i].value, b->at[i].value) ||
		    !str_eq(a->at[i].effect, b->at[i].effect))
			return false;
	return true;
}

static bool node_add(struct cluster *c, struct object *node)
{
	if (c->node_count == c->node_cap)
		columns_grow(c);
	uint32_t n = c->node_count++;
	node_clear(c, n);
	c->nodes[n] = object_ref(node);
	c->views[n] = object_view(node);
	map_set(&c->node_index, node->name, (void *)(uintptr_t)(n + 1));
	node_capacity(c, n);
	c->node_generation++;
	attach_known(c, n);
	return true;
}

bool cluster_node_put(struct cluster *c, struct object *node)
{
	uint32_t n = cluster_node_find(c, node->name);
	if (n == NODE_NONE)
		return node_add(c, node);
	const struct node *before = c->views[n], *after = object_view(node);
	bool has_labels = labels_eq(c->nodes[n], node);
	bool is_same = has_labels && before->spec.unschedulable == after->spec.unschedulable &&
		       taints_eq(&before->spec.taints, &after->spec.taints) &&
		       quantities_eq(&before->status.allocatable, &after->status.allocatable);
	struct object *old = c->nodes[n];
	c->nodes[n] = object_ref(node);
	c->views[n] = after;
	object_unref(old);
	if (!is_same)
		node_capacity(c, n);
	if (!has_labels)
		c->node_generation++;
	return !is_same;
}

void cluster_node_drop(struct cluster *c, struct str name)
{
	uint32_t n = cluster_node_find(c, name);
	if (n == NODE_NONE)
		return;
	while (c->pods[n].count)
		detach(c, c->pods[n].at[c->pods[n].count - 1]);
	free(c->pods[n].at);
	map_remove(&c->node_index, name);
	object_unref(c->nodes[n]);
	uint32_t last = --c->node_count;
	if (n != last)
		node_move(c, n, last);
	c->node_generation++;
}

/* --- pods --- */

struct pod_info *cluster_pod(const struct cluster *c, struct str uid)
{
	return map_get(&c->infos, uid);
}

void cluster_pod_put(struct cluster *c, struct object *pod)
{
	const struct pod *view = object_view(pod);
	uint32_t n = cluster_node_find(c, view->spec.node_name);
	struct pod_info *info = cluster_pod(c, pod->uid);
	if (info) {
		detach(c, info);
		pod_info_free(info);
	}
	info = pod_info_new(&c->resources, pod);
	map_set(&c->infos, pod->uid, info);
	if (n != NODE_NONE)
		attach(c, info, n);
}

void cluster_pod_drop(struct cluster *c, struct str uid)
{
	struct pod_info *info = map_remove(&c->infos, uid);
	if (!info)
		return;
	detach(c, info);
	pod_info_free(info);
}

void cluster_assume(struct cluster *c, struct pod_info *own_info, uint32_t node)
{
	ASSERT(!cluster_pod(c, own_info->object->uid));
	own_info->is_assumed = true;
	map_set(&c->infos, own_info->object->uid, own_info);
	attach(c, own_info, node);
}

void cluster_lift(struct cluster *c, struct pod_info *info)
{
	detach(c, info);
}

void cluster_lower(struct cluster *c, struct pod_info *info, uint32_t node)
{
	attach(c, info, node);
}

/* --- topologies --- */

static void topology_fill(struct cluster *c, struct topology *t)
{
	struct map domains = {};
	t->domain = mem_resize(t->domain, MAX(c->node_count, 1u) * sizeof(uint32_t));
	t->domain_count = 0;
	for (uint32_t n = 0; n < c->node_count; n++) {
		struct str value = object_label(c->nodes[n], str_of(t->key));
		t->domain[n] = DOMAIN_NONE;
		if (!value.at)
			continue;
		uintptr_t known = (uintptr_t)map_get(&domains, value);
		if (!known) {
			known = ++t->domain_count;
			map_set(&domains, value, (void *)known);
		}
		t->domain[n] = (uint32_t)(known - 1);
	}
	t->generation = c->node_generation;
	map_done(&domains);
}

const struct topology *cluster_topology(struct cluster *c, struct str key)
{
	struct topology *t = c->topologies;
	while (t < c->topologies + c->topology_count && !str_is(key, t->key))
		t++;
	if (t == c->topologies + TOPOLOGIES_MAX) {
		t = c->topologies;
		free(t->key);
		t->key = NULL;
		t->generation = 0;
	}
	if (!t->key) {
		t->key = mem_strndup(key.at ? key.at : "", key.len);
		c->topology_count = MAX(c->topology_count, (uint32_t)(t - c->topologies) + 1);
	}
	if (t->generation != c->node_generation)
		topology_fill(c, t);
	return t;
}
