#include "sched/preempt.h"

#include "api/api_ids.h"
#include "base/mem.h"
#include "sync/view_selector.h"

const char *preempt_not_eligible(const struct cluster *c, const struct pod_info *pod)
{
	if (str_is(pod->pod->spec.preemption_policy, "Never"))
		return "not eligible due to preemptionPolicy=Never.";
	uint32_t n = cluster_node_find(c, pod->pod->status.nominated_node_name);
	if (n == NODE_NONE)
		return NULL;
	/* What it waits for is already on its way out. */
	for (uint32_t i = 0; i < c->pods[n].count; i++)
		if (c->pods[n].at[i]->object->is_deleting &&
		    pod_priority(c->pods[n].at[i]) < pod_priority(pod))
			return "not eligible due to a terminating pod on the nominated node.";
	return NULL;
}

/* --- order among pods --- */

static int64_t start_us(const struct pod_info *info)
{
	return info->pod->status.start_time ? info->pod->status.start_time
					    : info->pod->metadata.creation_timestamp;
}

/* The higher priority first, then the longer running. */
static int most_important_first(const void *a, const void *b)
{
	const struct pod_info *left = *(struct pod_info *const *)a;
	const struct pod_info *right = *(struct pod_info *const *)b;
	if (pod_priority(left) != pod_priority(right))
		return pod_priority(left) > pod_priority(right) ? -1 : 1;
	if (start_us(left) != start_us(right))
		return start_us(left) < start_us(right) ? -1 : 1;
	return str_cmp(left->object->uid, right->object->uid);
}

/* --- budgets --- */

static bool violates_budget(struct arena *a, const struct cluster *c, const struct pod_info *info)
{
	const struct object *o;
	struct cache_iter it =
		cache_iterate(c->cache, KIND_POD_DISRUPTION_BUDGET, info->object->namespace);
	while ((o = cache_next(&it))) {
		const struct pod_disruption_budget *budget = object_view(o);
		struct selector selector = selector_from_view(a, budget->spec.selector);
		if (budget->status.disruptions_allowed <= 0 && selector.count &&
		    selector_matches_object(&selector, info->object))
			return true;
	}
	return false;
}

/* --- one node --- */

struct attempt {
	struct arena *a;
	struct cluster *c;
	const struct pod_info *pod;
	uint32_t node;
	struct pod_info **lower; /* those that may go */
	bool *is_violation;
	uint32_t count;
	struct preemption result;
};

static bool fits_now(struct attempt *t)
{
	CLEANUP_ARENA scratch = {};
	return decide_fits(&scratch, t->c, t->pod, t->node);
}

static void find_lower(struct attempt *t)
{
	const struct node_pods *pods = &t->c->pods[t->node];
	t->lower = ARENA_ARRAY(t->a, struct pod_info *, pods->count);
	t->is_violation = ARENA_ARRAY(t->a, bool, pods->count);
	for (uint32_t i = 0; i < pods->count; i++)
		if (pod_priority(pods->at[i]) < pod_priority(t->pod))
			t->lower[t->count++] = pods->at[i];
	if (t->count > 1)
		qsort(t->lower, t->count, sizeof(struct pod_info *), most_important_first);
	for (uint32_t i = 0; i < t->count; i++)
		t->is_violation[i] = violates_budget(t->a, t->c, t->lower[i]);
}

/* Lets pods back while the pod still fits; those that can not come back are victims. */
static void reprieve(struct attempt *t, bool violations)
{
	for (uint32_t i = 0; i < t->count; i++) {
		if (t->is_violation[i] != violations)
			continue;
		cluster_lower(t->c, t->lower[i], t->node);
		if (fits_now(t))
			continue;
		cluster_lift(t->c, t->lower[i]);
		t->result.victims[t->result.count++] = t->lower[i];
		t->result.violations += violations;
	}
}

static bool try_node(struct attempt *t)
{
	find_lower(t);
	if (t->count == 0)
		return false;
	for (uint32_t i = 0; i < t->count; i++)
		cluster_lift(t->c, t->lower[i]);
	bool fits = fits_now(t);
	t->result.node = t->node;
	t->result.victims = ARENA_ARRAY(t->a, struct pod_info *, t->count);
	if (fits) {
		reprieve(t, true);
		reprieve(t, false);
	}
	for (uint32_t i = 0; i < t->count; i++)
		if (t->lower[i]->node == NODE_NONE)
			cluster_lower(t->c, t->lower[i], t->node);
	if (t->result.count > 1)
		qsort(t->result.victims, t->result.count, sizeof(struct pod_info *),
		      most_important_first);
	return fits && t->result.count > 0;
}

/* --- all nodes --- */

static int64_t sum_of_priorities(const struct preemption *p)
{
	int64_t sum = 0;
	/* Shifted so that none is negative: more victims are never cheaper. */
	for (uint32_t i = 0; i < p->count; i++)
		sum += (int64_t)pod_priority(p->victims[i]) + INT32_MAX + 1;
	return sum;
}

static bool is_better(const struct preemption *a, const struct preemption *b)
{
	const int64_t keys[][2] = {
		{a->violations, b->violations},
		{pod_priority(a->victims[0]), pod_priority(b->victims[0])},
		{sum_of_priorities(a), sum_of_priorities(b)},
		{a->count, b->count},
		{-start_us(a->victims[0]), -start_us(b->victims[0])},
	};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1];
	return false;
}

bool preempt_find(struct arena *a, struct cluster *c, const struct pod_info *pod,
		  const struct decision *d, struct preemption *ret_preemption)
{
	uint32_t found = 0;
	for (uint32_t n = 0; n < d->nodes && d->is_hopeless && found < PREEMPT_NODES_MAX; n++) {
		struct attempt t = {.a = a, .c = c, .pod = pod, .node = n};
		if (d->is_hopeless[n] || !try_node(&t))
			continue;
		if (found++ == 0 || is_better(&t.result, ret_preemption))
			*ret_preemption = t.result;
	}
	return found > 0;
}
