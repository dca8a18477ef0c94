/* How many replicas each ReplicaSet of a Deployment gets; the arithmetic is upstream's
 * (pkg/controller/deployment: rolling.go, recreate.go, sync.go, util/deployment_util.go). */
#include <math.h>

#include "control/deployment-int.h"

bool rollout_scale_set(struct rollout *r, struct set *set, int32_t replicas)
{
	if (set->replicas == replicas)
		return false;
	set->replicas = replicas;
	return true;
}

int32_t rollout_sum(const struct rollout *r, bool has_new)
{
	int32_t sum = 0;
	for (size_t i = 0; i < r->count; i++)
		if (has_new || &r->sets[i] != r->new_set)
			sum += r->sets[i].replicas;
	return sum;
}

int32_t rollout_new_size(const struct rollout *r, const struct set *new_set)
{
	if (!r->is_rolling)
		return r->replicas;
	int32_t room = r->replicas + r->max_surge - rollout_sum(r, true);
	if (room <= 0)
		return new_set->replicas;
	return new_set->replicas + MIN(room, r->replicas - new_set->replicas);
}

/* --- rolling update --- */

static bool grow_new(struct rollout *r)
{
	struct set *set = r->new_set;
	if (set->replicas == r->replicas)
		return false;
	int32_t size = set->replicas > r->replicas ? r->replicas : rollout_new_size(r, set);
	return rollout_scale_set(r, set, size);
}

/* Pods that are not available cost nothing to take away, so they go first. */
static int32_t shrink_unhealthy(struct rollout *r, int32_t most)
{
	int32_t total = 0;
	for (size_t i = 0; i < r->count && total < most; i++) {
		struct set *set = &r->sets[i];
		if (set == r->new_set || set->replicas == 0 || set->replicas <= set->available)
			continue;
		int32_t count = MIN(most - total, set->replicas - set->available);
		total += count;
		rollout_scale_set(r, set, set->replicas - count);
	}
	return total;
}

static int32_t shrink_available(struct rollout *r)
{
	int32_t available = 0, total = 0;
	for (size_t i = 0; i < r->count; i++)
		available += r->sets[i].available;
	int32_t most = available - (r->replicas - r->max_unavailable);
	for (size_t i = 0; i < r->count && total < most; i++) {
		struct set *set = &r->sets[i];
		if (set == r->new_set || set->replicas == 0)
			continue;
		int32_t count = MIN(set->replicas, most - total);
		total += count;
		rollout_scale_set(r, set, set->replicas - count);
	}
	return total;
}

static bool shrink_old(struct rollout *r)
{
	if (rollout_sum(r, false) == 0)
		return false;
	int32_t min_available = r->replicas - r->max_unavailable;
	int32_t new_unavailable = r->new_set->replicas - r->new_set->available;
	int32_t most = rollout_sum(r, true) - min_available - new_unavailable;
	if (most <= 0)
		return false;
	int32_t unhealthy = shrink_unhealthy(r, most);
	return unhealthy + shrink_available(r) > 0;
}

void rollout_rolling(struct rollout *r)
{
	if (!r->new_set)
		return;
	if (!grow_new(r) && !shrink_old(r) && rollout_is_complete(r, &r->d->status))
		rollout_clean_up(r);
}

/* --- recreate --- */

static bool has_old_pods(const struct rollout *r)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct set *set = &r->sets[i];
		if (set == r->new_set || !set->o)
			continue;
		if (set->rs->status.replicas > 0)
			return true;
		const struct object *o;
		struct cache_iter it =
			cache_owned(r->p->cache, KIND_POD, r->o->namespace, set->o->uid);
		while ((o = cache_next(&it)))
			if (!pod_is_terminal(object_view(o)))
				return true;
	}
	return false;
}

void rollout_recreate(struct rollout *r)
{
	bool was_scaled = false;
	for (size_t i = 0; i < r->count; i++)
		if (&r->sets[i] != r->new_set)
			was_scaled |= rollout_scale_set(r, &r->sets[i], 0);
	if (was_scaled || has_old_pods(r))
		return;
	if (!r->new_set)
		rollout_need_new_set(r, true);
	if (r->new_set)
		rollout_scale_set(r, r->new_set, r->replicas);
	if (rollout_is_complete(r, &r->d->status))
		rollout_clean_up(r);
}

/* --- scaling: spec.replicas changed, or the deployment is paused --- */

/* The one set that has all replicas, when there is only one with any; else the newest if none has.
 */
static struct set *active_or_latest(struct rollout *r, size_t *active)
{
	struct set *found = NULL;
	*active = 0;
	for (size_t i = 0; i < r->count; i++)
		if (r->sets[i].replicas > 0) {
			found = &r->sets[i];
			(*active)++;
		}
	if (*active == 1)
		return found;
	if (*active > 1 || r->count == 0)
		return NULL;
	return r->new_set ? r->new_set : &r->sets[r->count - 1];
}

static bool is_saturated(const struct rollout *r)
{
	const struct set *set = r->new_set;
	bool found;
	if (!set)
		return false;
	int64_t desired = set_annotation_number(set, DESIRED_REPLICAS, &found);
	return found && set->replicas == r->replicas && desired == r->replicas &&
	       set->available == r->replicas;
}

/* By how much a set changes when the deployment's size does, in proportion to its own. */
static int32_t set_fraction(const struct rollout *r, const struct set *set)
{
	if (r->replicas == 0)
		return -set->replicas;
	bool found;
	int64_t before = set_annotation_number(set, MAX_REPLICAS, &found);
	if (!found || before == 0)
		before = r->d->status.replicas;
	if (before == 0)
		return 0;
	double size = (double)set->replicas * (r->replicas + r->max_surge) / (double)before;
	return (int32_t)(size < 0 ? ceil(size - 0.5) : floor(size + 0.5)) - set->replicas;
}

static int32_t set_share(const struct rollout *r, const struct set *set, int32_t to_add,
			 int32_t added)
{
	if (set->replicas == 0 || to_add == 0 || to_add == added)
		return 0;
	int32_t fraction = set_fraction(r, set), allowed = to_add - added;
	return to_add > 0 ? MIN(fraction, allowed) : MAX(fraction, allowed);
}

static int larger_then_newer(const void *a, const void *b)
{
	const struct set *left = *(struct set *const *)a, *right = *(struct set *const *)b;
	if (left->replicas != right->replicas)
		return left->replicas > right->replicas ? -1 : 1;
	if (left->created_us != right->created_us)
		return left->created_us > right->created_us ? -1 : 1;
	return 0;
}

static int larger_then_older(const void *a, const void *b)
{
	const struct set *left = *(struct set *const *)a, *right = *(struct set *const *)b;
	if (left->replicas != right->replicas)
		return left->replicas > right->replicas ? -1 : 1;
	if (left->created_us != right->created_us)
		return left->created_us < right->created_us ? -1 : 1;
	return 0;
}

static void scale_in_proportion(struct rollout *r)
{
	struct set **active = ARENA_ARRAY(r->p->arena, struct set *, r->count);
	size_t count = 0;
	for (size_t i = 0; i < r->count; i++)
		if (r->sets[i].replicas > 0)
			active[count++] = &r->sets[i];
	int32_t allowed = r->replicas > 0 ? r->replicas + r->max_surge : 0;
	int32_t to_add = allowed - rollout_sum(r, true), added = 0;
	qsort(active, count, sizeof(struct set *),
	      to_add > 0 ? larger_then_newer : larger_then_older);
	int32_t *sizes = ARENA_ARRAY(r->p->arena, int32_t, count);
	for (size_t i = 0; i < count; i++) {
		int32_t share = set_share(r, active[i], to_add, added);
		sizes[i] = active[i]->replicas + share;
		added += share;
	}
	/* What rounding left over goes to the largest. */
	sizes[0] = MAX(sizes[0] + to_add - added, 0);
	for (size_t i = 0; i < count; i++)
		rollout_scale_set(r, active[i], sizes[i]);
}

void rollout_scale(struct rollout *r)
{
	size_t active;
	struct set *only = active_or_latest(r, &active);
	if (only) {
		rollout_scale_set(r, only, r->replicas);
	} else if (is_saturated(r)) {
		for (size_t i = 0; i < r->count; i++)
			if (&r->sets[i] != r->new_set)
				rollout_scale_set(r, &r->sets[i], 0);
	} else if (r->is_rolling && active > 0) {
		scale_in_proportion(r);
	}
	/* So that the next run does not take it for a change of size again. */
	for (size_t i = 0; i < r->count; i++)
		if (r->sets[i].replicas > 0)
			rollout_annotate_replicas(r, &r->sets[i]);
}
