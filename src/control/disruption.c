/* PodDisruptionBudgets: how many of their pods may be evicted now.
 *
 * A number of pods to keep counts the pods; a percentage, or a number that may be missing, needs to
 * know how many there should be: the replicas that the pods' controllers ask for. */
#include "base/timefmt.h"
#include "control/common.h"
#include "control/controllers.h"

#define COMPONENT   "controllermanager"
#define EVICTION_US (120 * SECOND_US) /* an eviction that came to nothing is forgotten after it */

struct sync {
	struct plan *p;
	const struct object *o;
	const struct pod_disruption_budget *budget;
	struct object_list pods;
	int32_t expected, desired;
	const char *problem; /* why nothing may be evicted, as a reason of the event */
};

/* --- how many there should be --- */

static bool scale_of(const struct object *o, int32_t *ret_replicas)
{
	switch (o->stored_id) {
	case KIND_REPLICA_SET:
		*ret_replicas =
			i32_or(((const struct replica_set *)object_view(o))->spec.replicas, 1);
		return true;
	case KIND_DEPLOYMENT:
		*ret_replicas =
			i32_or(((const struct deployment *)object_view(o))->spec.replicas, 1);
		return true;
	case KIND_STATEFUL_SET:
		*ret_replicas =
			i32_or(((const struct stateful_set *)object_view(o))->spec.replicas, 1);
		return true;
	case KIND_REPLICATION_CONTROLLER:
		*ret_replicas = i32_or(
			((const struct replication_controller *)object_view(o))->spec.replicas, 1);
		return true;
	default:
		return false;
	}
}

static const struct object *scaled_owner(const struct plan *p, const struct object *pod)
{
	static const uint16_t kinds[] = {KIND_REPLICA_SET, KIND_STATEFUL_SET,
					 KIND_REPLICATION_CONTROLLER};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct object *o = controller_of(p->cache, pod, kinds[i]);
		const struct object *above = controller_of(p->cache, o, KIND_DEPLOYMENT);
		if (o)
			return above ? above : o;
	}
	return NULL;
}

static bool has_object(const struct object_list *list, const struct object *o)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->at[i] == o)
			return true;
	return false;
}

static bool sum_of_scales(struct sync *s, int32_t *ret_sum)
{
	struct object_list owners = {};
	*ret_sum = 0;
	for (size_t i = 0; i < s->pods.count; i++) {
		const struct object *owner = scaled_owner(s->p, s->pods.at[i]);
		int32_t replicas;
		if (!owner || !scale_of(owner, &replicas))
			return false;
		if (has_object(&owners, owner))
			continue;
		LIST_ADD(s->p->arena, &owners, owner);
		*ret_sum += replicas;
	}
	return true;
}

static void count_expected(struct sync *s)
{
	const struct int_or_string *most = s->budget->spec.max_unavailable;
	const struct int_or_string *least = s->budget->spec.min_available;
	s->expected = (int32_t)s->pods.count;
	if (!most && least && !least->is_string) {
		s->desired = least->number;
		return;
	}
	if (!sum_of_scales(s, &s->expected)) {
		s->problem = "CalculateExpectedPodCountFailed";
		return;
	}
	if (most)
		s->desired = MAX(s->expected - scaled_value(most, s->expected, true), 0);
	else if (least)
		s->desired = scaled_value(least, s->expected, true);
}

/* --- what is there --- */

static void find_pods(struct sync *s)
{
	struct selector selector = selector_from_view(s->p->arena, s->budget->spec.selector);
	const struct object *o;
	struct cache_iter it = cache_iterate(s->p->cache, KIND_POD, s->o->namespace);
	while ((o = cache_next(&it)))
		if (selector_matches_object(&selector, o) && !pod_is_terminal(object_view(o)))
			LIST_ADD(s->p->arena, &s->pods, o);
}

/* Evictions that were granted and are not seen yet. */
static struct int64_map pending_evictions(struct sync *s)
{
	const struct int64_map *all = &s->budget->status.disrupted_pods;
	struct int64_pair *kept = ARENA_ARRAY(s->p->arena, struct int64_pair, all->count);
	uint32_t count = 0;
	for (uint32_t i = 0; i < all->count; i++) {
		const struct object *o =
			cache_get(s->p->cache, KIND_POD, s->o->namespace, all->at[i].key);
		int64_t end_us = all->at[i].value + EVICTION_US;
		if (!o || o->is_deleting || end_us <= s->p->now_us)
			continue;
		plan_again_at(s->p, end_us);
		kept[count++] = all->at[i];
	}
	return (struct int64_map){kept, count};
}

static bool is_disrupted(const struct int64_map *map, struct str name)
{
	for (uint32_t i = 0; i < map->count; i++)
		if (str_eq(map->at[i].key, name))
			return true;
	return false;
}

/* --- status --- */

static void set_condition(struct sync *s, struct pod_disruption_budget_status *status)
{
	bool allowed = status->disruptions_allowed > 0;
	struct condition c = {.type = STR("DisruptionAllowed"),
			      .status = allowed ? STR("True") : STR("False"),
			      .observed_generation = status->observed_generation,
			      .last_transition_time = now_s(s->p),
			      .reason = allowed ? STR("SufficientPods") : STR("InsufficientPods"),
			      .message = STR("")};
	const struct condition_array *was = &s->budget->status.conditions;
	if (s->problem) {
		c.reason = STR("SyncFailed");
		c.message = STR("found no controllers with a scale for the pods of the budget");
	}
	for (uint32_t i = 0; i < was->count; i++)
		if (str_eq(was->at[i].type, c.type) && str_eq(was->at[i].status, c.status))
			c.last_transition_time = was->at[i].last_transition_time;
	status->conditions = (struct condition_array){arena_copy(s->p->arena, &c, sizeof(c)), 1};
}

static bool status_differs(const struct pod_disruption_budget_status *a,
			   const struct pod_disruption_budget_status *b)
{
	return a->observed_generation != b->observed_generation ||
	       a->disruptions_allowed != b->disruptions_allowed ||
	       a->current_healthy != b->current_healthy ||
	       a->desired_healthy != b->desired_healthy || a->expected_pods != b->expected_pods ||
	       a->disrupted_pods.count != b->disrupted_pods.count ||
	       a->conditions.count != b->conditions.count ||
	       (b->conditions.count &&
		!str_eq(a->conditions.at[0].reason, b->conditions.at[0].reason));
}

static void write_status(struct sync *s)
{
	struct pod_disruption_budget copy = *s->budget;
	struct pod_disruption_budget_status *now = &copy.status;
	*now = (struct pod_disruption_budget_status){
		.observed_generation = s->budget->metadata.generation,
		.desired_healthy = s->desired,
		.expected_pods = s->expected,
		.disrupted_pods = pending_evictions(s)};
	for (size_t i = 0; i < s->pods.count; i++)
		now->current_healthy += pod_is_ready(object_view(s->pods.at[i])) &&
					!s->pods.at[i]->is_deleting &&
					!is_disrupted(&now->disrupted_pods, s->pods.at[i]->name);
	/* To be on the safe side nothing may go, and the last numbers stand. */
	if (s->problem) {
		*now = s->budget->status;
		now->disruptions_allowed = 0;
	} else if (s->expected > 0) {
		now->disruptions_allowed = MAX(now->current_healthy - now->desired_healthy, 0);
	}
	set_condition(s, now);
	if (status_differs(now, &s->budget->status))
		plan_update_status(s->p, KIND_POD_DISRUPTION_BUDGET, s->o->namespace, s->o->name,
				   &copy);
}

static void plan_budget(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_POD_DISRUPTION_BUDGET, namespace, name);
	if (!o || o->is_deleting)
		return;
	struct sync s = {.p = p, .o = o, .budget = object_view(o)};
	find_pods(&s);
	if (s.pods.count == 0)
		plan_event(p, o, COMPONENT, "Normal", "NoPods", "No matching pods found");
	count_expected(&s);
	if (s.problem)
		plan_event(p, o, COMPONENT, "Warning", s.problem,
			   "Failed to calculate the number of expected pods: found no "
			   "controllers for pods");
	write_status(&s);
}

static void map_pod(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new)
{
	CLEANUP_ARENA a = {};
	const struct object *o, *any = new ? new : old;
	if (old && new && old->is_deleting == new->is_deleting &&
	    pod_is_ready(object_view(old)) == pod_is_ready(object_view(new)) &&
	    pod_is_terminal(object_view(old)) == pod_is_terminal(object_view(new)) &&
	    str_map_eq(&object_meta(old)->labels, &object_meta(new)->labels))
		return;
	struct cache_iter it = cache_iterate(cache, KIND_POD_DISRUPTION_BUDGET, any->namespace);
	while ((o = cache_next(&it))) {
		const struct pod_disruption_budget *budget = object_view(o);
		struct selector selector = selector_from_view(&a, budget->spec.selector);
		if (selector_matches_object(&selector, any) ||
		    (old && selector_matches_object(&selector, old)))
			keys_add(keys, o->namespace, o->name);
	}
}

/* The size of something changed; which budgets care is for them to find out. */
static void map_scale(struct keys *keys, const struct cache *cache, const struct object *old,
		      const struct object *new)
{
	int32_t before, after;
	const struct object *o, *any = new ? new : old;
	if (old && new &&scale_of(old, &before) && scale_of(new, &after) && before == after)
		return;
	struct cache_iter it = cache_iterate(cache, KIND_POD_DISRUPTION_BUDGET, any->namespace);
	while ((o = cache_next(&it)))
		keys_add(keys, o->namespace, o->name);
}

static const struct controller_watch watches[] = {
	{KIND_POD_DISRUPTION_BUDGET, NULL}, {KIND_POD, map_pod},
	{KIND_DEPLOYMENT, map_scale},	    {KIND_REPLICA_SET, map_scale},
	{KIND_STATEFUL_SET, map_scale},	    {KIND_REPLICATION_CONTROLLER, map_scale}};

const struct controller disruption_controller = {
	.name = "disruption",
	.service_account = "disruption-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_budget,
};
