/* Node life cycle: nodes that no longer speak become Unknown, conditions become taints, and pods on
 * nodes that are not ready are no longer Ready themselves.
 *
 * A node speaks by its Lease in kube-node-lease and by its conditions' heartbeats.  After a start
 * nobody is late before a whole grace period has passed, for nodes could not speak while nobody
 * listened. When not a single node is ready, it is more likely that we are cut off than that all
 * nodes failed: then none gets a NoExecute taint, as upstream's "full disruption". */
#include "control/common.h"
#include "control/controllers.h"

#define COMPONENT     "node-controller"
#define GRACE_S	      40
#define LEASES	      "kube-node-lease"
#define NOT_READY     "node.kubernetes.io/not-ready"
#define UNREACHABLE   "node.kubernetes.io/unreachable"
#define UNSCHEDULABLE "node.kubernetes.io/unschedulable"

/* Conditions that a silent node loses. */
static const char *const watched[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};

/* Conditions that mean a NoSchedule taint. */
static const struct {
	const char *condition, *status, *taint;
} rules[] = {
	{"Ready", "False", NOT_READY},
	{"Ready", "Unknown", UNREACHABLE},
	{"MemoryPressure", "True", "node.kubernetes.io/memory-pressure"},
	{"DiskPressure", "True", "node.kubernetes.io/disk-pressure"},
	{"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"},
	{"PIDPressure", "True", "node.kubernetes.io/pid-pressure"},
};

static const struct node_condition *condition(const struct node_status *status, const char *type)
{
	for (uint32_t i = 0; i < status->conditions.count; i++)
		if (str_is(status->conditions.at[i].type, type))
			return &status->conditions.at[i];
	return NULL;
}

static bool has_status(const struct node_status *status, const char *type, const char *value)
{
	const struct node_condition *c = condition(status, type);
	return c && str_is(c->status, value);
}

/* --- silence --- */

static int64_t grace_us(const struct plan *p)
{
	int64_t grace_s = plan_settings(p)->node_grace_s;
	return (grace_s ? grace_s : GRACE_S) * SECOND_US;
}

static int64_t last_heard_us(const struct plan *p, const struct object *o)
{
	const struct node *node = object_view(o);
	const struct node_condition *ready = condition(&node->status, "Ready");
	const struct object *lease = cache_get(p->cache, KIND_LEASE, STR(LEASES), o->name);
	int64_t heard_us = p->started_us;
	if (lease)
		heard_us =
			MAX(heard_us, ((const struct lease *)object_view(lease))->spec.renew_time);
	if (ready)
		heard_us = MAX(heard_us, ready->last_heartbeat_time);
	return MAX(heard_us, node->metadata.creation_timestamp);
}

static struct node_condition unknown_condition(const struct plan *p, const struct node *node,
					       const char *type)
{
	const struct node_condition *now = condition(&node->status, type);
	if (!now)
		return (struct node_condition){
			.type = str_of(type),
			.status = STR("Unknown"),
			.last_heartbeat_time = node->metadata.creation_timestamp,
			.last_transition_time = now_s(p),
			.reason = STR("NodeStatusNeverUpdated"),
			.message = STR("Kubelet never posted node status.")};
	struct node_condition c = *now;
	if (str_is(c.status, "Unknown"))
		return c;
	c.status = STR("Unknown");
	c.reason = STR("NodeStatusUnknown");
	c.message = STR("Kubelet stopped posting node status.");
	c.last_transition_time = now_s(p);
	return c;
}

static bool is_unknown(const struct node *node)
{
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		if (!has_status(&node->status, watched[i], "Unknown"))
			return false;
	return true;
}

/* The node with what silence makes of its conditions. */
static void write_silence(struct plan *p, const struct object *o, struct node *node)
{
	struct node_condition *conditions =
		ARENA_ARRAY(p->arena, struct node_condition,
			    node->status.conditions.count + ARRAY_LEN(watched));
	uint32_t count = 0;
	for (uint32_t i = 0; i < node->status.conditions.count; i++) {
		bool is_watched = false;
		for (size_t j = 0; j < ARRAY_LEN(watched); j++)
			is_watched |= str_is(node->status.conditions.at[i].type, watched[j]);
		if (!is_watched)
			conditions[count++] = node->status.conditions.at[i];
	}
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		conditions[count++] = unknown_condition(p, node, watched[i]);
	bool was_ready = has_status(&node->status, "Ready", "True");
	node->status.conditions = (struct node_condition_array){conditions, count};
	plan_update_status(p, KIND_NODE, (struct str){}, o->name, node);
	if (was_ready)
		plan_event(p, o, COMPONENT, "Normal", "NodeNotReady",
			   "Node %.*s status is now: NodeNotReady", STR_FMT(o->name));
}

/* --- taints --- */

static bool has_taint(const struct taint_array *taints, const char *key, const char *effect)
{
	for (uint32_t i = 0; i < taints->count; i++)
		if (str_is(taints->at[i].key, key) && str_is(taints->at[i].effect, effect))
			return true;
	return false;
}

static bool is_any_ready(const struct plan *p)
{
	const struct object *o;
	struct cache_iter it = cache_iterate(p->cache, KIND_NODE, STR(""));
	while ((o = cache_next(&it)))
		if (has_status(&((const struct node *)object_view(o))->status, "Ready", "True"))
			return true;
	return false;
}

static bool is_ours(const struct taint *taint)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (str_is(taint->key, rules[i].taint))
			return true;
	return str_is(taint->key, UNSCHEDULABLE);
}

struct taints {
	struct arena *a;
	const struct taint_array *now;
	LIST_OF(struct taint) wanted;
};

/* Keeps the time of one that is there. */
static void want(struct taints *t, const struct plan *p, const char *key, const char *effect)
{
	struct taint taint = {.key = str_of(key), .effect = str_of(effect), .time_added = now_s(p)};
	for (uint32_t i = 0; i < t->now->count; i++)
		if (str_is(t->now->at[i].key, key) && str_is(t->now->at[i].effect, effect))
			taint = t->now->at[i];
	LIST_ADD(t->a, &t->wanted, taint);
}

static void want_all(struct taints *t, const struct plan *p, const struct node *node)
{
	for (uint32_t i = 0; i < t->now->count; i++) {
		bool is_preferred = str_is(t->now->at[i].effect, "PreferNoSchedule");
		if (!is_ours(&t->now->at[i]) || is_preferred)
			LIST_ADD(t->a, &t->wanted, t->now->at[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (has_status(&node->status, rules[i].condition, rules[i].status))
			want(t, p, rules[i].taint, "NoSchedule");
	if (node->spec.unschedulable)
		want(t, p, UNSCHEDULABLE, "NoSchedule");
	if (!is_any_ready(p))
		return;
	if (has_status(&node->status, "Ready", "False"))
		want(t, p, NOT_READY, "NoExecute");
	if (has_status(&node->status, "Ready", "Unknown"))
		want(t, p, UNREACHABLE, "NoExecute");
}

static bool taints_differ(const struct taints *t)
{
	if (t->wanted.count != t->now->count)
		return true;
	for (size_t i = 0; i < t->wanted.count; i++) {
		CLEANUP_ARENA a = {};
		if (!has_taint(t->now, arena_cstr(&a, t->wanted.at[i].key),
			       arena_cstr(&a, t->wanted.at[i].effect)))
			return true;
	}
	return false;
}

static void write_taints(struct plan *p, const struct object *o, const struct node *node)
{
	struct arena *a = p->arena;
	struct taints t = {.a = a, .now = &node->spec.taints};
	want_all(&t, p, node);
	if (!taints_differ(&t))
		return;
	struct json *patch = json_object(a), *list = json_array(a);
	for (size_t i = 0; i < t.wanted.count; i++) {
		const struct taint *taint = &t.wanted.at[i];
		struct json *one = json_object(a);
		json_set_str(a, one, STR("key"), taint->key);
		if (taint->value.len)
			json_set_str(a, one, STR("value"), taint->value);
		json_set_str(a, one, STR("effect"), taint->effect);
		if (taint->time_added)
			json_set_str(a, one, STR("timeAdded"), time_text(a, taint->time_added));
		json_append(a, list, one);
	}
	struct json *spec = json_need_object(a, patch, STR("spec"));
	json_set(a, spec, STR("taints"), t.wanted.count ? list : json_null(a));
	plan_patch(p, KIND_NODE, (struct str){}, o->name, (struct str){}, patch);
}

/* --- pods --- */

/* Those that became ready before their node was not: a node that still speaks may know better. */
static void pods_not_ready(struct plan *p, const struct object *node, int64_t since_us)
{
	const struct object *o;
	struct cache_iter it = cache_on_node(p->cache, node->name);
	while ((o = cache_next(&it))) {
		const struct pod *pod = object_view(o);
		if (!pod_is_ready(pod) || pod_is_terminal(pod) ||
		    pod_condition(pod, "Ready")->last_transition_time > since_us)
			continue;
		struct pod copy = *pod;
		struct pod_condition *conditions =
			arena_copy(p->arena, pod->status.conditions.at,
				   pod->status.conditions.count * sizeof(*conditions));
		for (uint32_t i = 0; i < pod->status.conditions.count; i++)
			if (str_is(conditions[i].type, "Ready")) {
				conditions[i].status = STR("False");
				conditions[i].last_transition_time = now_s(p);
			}
		copy.status.conditions.at = conditions;
		plan_update_status(p, KIND_POD, o->namespace, o->name, &copy);
		plan_event(p, o, COMPONENT, "Warning", "NodeNotReady", "Node is not ready");
	}
}

/* Keys are ("", node); each runs again when the node would be late. */
static void plan_node(struct plan *p, struct str unused, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_NODE, STR(""), name);
	if (!o || o->is_deleting)
		return;
	struct node node = *(const struct node *)object_view(o);
	/* The taints are patched after it, on what the status update left. */
	node.metadata.resource_version = (struct str){};
	int64_t late_us = last_heard_us(p, o) + grace_us(p);
	if (late_us > p->now_us)
		plan_again_at(p, late_us + SECOND_US);
	else if (!is_unknown(&node))
		write_silence(p, o, &node);
	write_taints(p, o, &node);
	const struct node_condition *ready = condition(&node.status, "Ready");
	if (ready && !str_is(ready->status, "True"))
		pods_not_ready(p, o, ready->last_transition_time);
}

static bool is_like(const struct node *a, const struct node *b)
{
	if (a->spec.unschedulable != b->spec.unschedulable ||
	    a->spec.taints.count != b->spec.taints.count)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (has_status(&a->status, rules[i].condition, rules[i].status) !=
		    has_status(&b->status, rules[i].condition, rules[i].status))
			return false;
	return has_status(&a->status, "Ready", "True") == has_status(&b->status, "Ready", "True");
}

/* A heartbeat changes nothing.  When one node's readiness changes, others may get or lose
 * NoExecute. */
static void map_node(struct keys *keys, const struct cache *cache, const struct object *old,
		     const struct object *new)
{
	if (!new || (old && is_like(object_view(old), object_view(new))))
		return;
	const struct object *o;
	struct cache_iter it = cache_iterate(cache, KIND_NODE, STR(""));
	keys_add(keys, STR(""), new->name);
	while ((o = cache_next(&it)))
		if (!has_status(&((const struct node *)object_view(o))->status, "Ready", "True"))
			keys_add(keys, STR(""), o->name);
}

static const struct controller_watch watches[] = {{KIND_NODE, map_node}};

const struct controller node_lifecycle_controller = {
	.name = "nodelifecycle",
	.service_account = "node-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_node,
};
