/* PodTopologySpread: hard constraints as a filter, soft ones and the default ones as a score. */
#include <math.h>

#include "api/api_ids.h"
#include "base/err.h"
#include "base/mem.h"
#include "sched/decide.h"
#include "sync/view_selector.h"

#define HOSTNAME "kubernetes.io/hostname"
#define ZONE	 "topology.kubernetes.io/zone"

/* --- which constraints --- */

static bool is_hard(const struct topology_spread_constraint *t)
{
	return str_is(t->when_unsatisfiable, "DoNotSchedule");
}

static struct selector constraint_selector(struct cycle *y,
					   const struct topology_spread_constraint *t)
{
	struct selector selector = selector_from_view(y->a, t->label_selector);
	for (uint32_t i = 0; i < t->match_label_keys.count; i++) {
		struct str value = object_label(y->pod->object, t->match_label_keys.at[i]);
		if (value.at)
			selector = selector_with(y->a, &selector, t->match_label_keys.at[i],
						 SELECTOR_IN, value);
	}
	return selector;
}

static void add_requirements(struct cycle *y, struct selector *to, const struct str_map *labels)
{
	for (uint32_t i = 0; i < labels->count; i++)
		*to = selector_with(y->a, to, labels->at[i].key, SELECTOR_IN, labels->at[i].value);
}

static void add_services(struct cycle *y, struct selector *to)
{
	const struct object *o;
	struct cache_iter it = cache_iterate(y->c->cache, KIND_SERVICE, y->namespace);
	while ((o = cache_next(&it))) {
		const struct service *service = object_view(o);
		struct selector selector = selector_from_map(y->a, &service->spec.selector);
		if (service->spec.selector.count &&
		    selector_matches_object(&selector, y->pod->object))
			add_requirements(y, to, &service->spec.selector);
	}
}

static const struct label_selector *owner_selector(const struct object *o)
{
	if (o->stored_id == KIND_REPLICA_SET)
		return ((const struct replica_set *)object_view(o))->spec.selector;
	return ((const struct stateful_set *)object_view(o))->spec.selector;
}

static void add_owner(struct cycle *y, struct selector *to)
{
	static const struct {
		uint16_t kind;
		const char *name;
	} owners[] = {{KIND_REPLICA_SET, "ReplicaSet"},
		      {KIND_STATEFUL_SET, "StatefulSet"},
		      {KIND_REPLICATION_CONTROLLER, "ReplicationController"}};
	const struct owner_reference *ref = object_controller(y->pod->object);
	for (size_t i = 0; ref && i < ARRAY_LEN(owners); i++) {
		if (!str_is(ref->kind, owners[i].name))
			continue;
		const struct object *o =
			cache_get(y->c->cache, owners[i].kind, y->namespace, ref->name);
		if (!o || !str_eq(o->uid, ref->uid))
			return;
		if (owners[i].kind == KIND_REPLICATION_CONTROLLER) {
			const struct replication_controller *rc = object_view(o);
			add_requirements(y, to, &rc->spec.selector);
			return;
		}
		struct selector more = selector_from_view(y->a, owner_selector(o));
		for (size_t j = 0; j < more.count; j++) {
			struct selector_requirement *rows =
				ARENA_ARRAY(y->a, struct selector_requirement, to->count + 1);
			if (to->count)
				memcpy(rows, to->requirements, to->count * sizeof(*rows));
			rows[to->count++] = more.requirements[j];
			to->requirements = rows;
		}
	}
}

/* --- counting --- */

static bool counts_node(const struct cycle *y, const struct topology_spread_constraint *t,
			uint32_t node)
{
	bool honors_taints = str_is(t->node_taints_policy, "Honor");
	if (!str_is(t->node_affinity_policy, "Ignore") &&
	    !pod_wants_node(&y->pod->pod->spec, y->c->nodes[node]))
		return false;
	const struct taint_array *taints = &y->c->views[node]->spec.taints;
	for (uint32_t i = 0; honors_taints && i < taints->count; i++)
		if (!str_is(taints->at[i].effect, "PreferNoSchedule") &&
		    !tolerates(&y->pod->pod->spec.tolerations, &taints->at[i]))
			return false;
	return true;
}

static uint32_t pods_on(const struct cycle *y, const struct selector *selector, uint32_t node)
{
	uint32_t count = 0;
	const struct node_pods *pods = &y->c->pods[node];
	for (uint32_t i = 0; i < pods->count; i++) {
		const struct object *o = pods->at[i]->object;
		count += !o->is_deleting && str_eq(o->namespace, y->namespace) &&
			 selector_matches_object(selector, o);
	}
	return count;
}

static void count_init(struct cycle *y, struct spread_count *s,
		       const struct topology_spread_constraint *t, struct selector selector)
{
	*s = (struct spread_count){.constraint = t, .selector = selector};
	s->domain = cycle_domains(y, t->topology_key, &s->domain_count);
	s->pods = ARENA_ARRAY(y->a, uint32_t, s->domain_count + 1);
	s->is_used = ARENA_ARRAY(y->a, bool, s->domain_count + 1);
	s->matches_self = selector_matches_object(&selector, y->pod->object);
}

static bool has_all_keys(const struct spread_count *counts, uint32_t count, uint32_t node)
{
	for (uint32_t i = 0; i < count; i++)
		if (counts[i].domain[node] == DOMAIN_NONE)
			return false;
	return true;
}

/* --- hard --- */

static void find_least(struct spread_count *s)
{
	uint32_t used = 0;
	s->least = INT64_MAX;
	for (uint32_t d = 0; d < s->domain_count; d++) {
		if (!s->is_used[d])
			continue;
		used++;
		s->least = MIN(s->least, s->pods[d]);
	}
	int32_t wanted = s->constraint->min_domains ? *s->constraint->min_domains : 1;
	if ((int64_t)used < wanted)
		s->least = 0;
}

void spread_prepare(struct cycle *y)
{
	const struct topology_spread_constraint_array *all =
		&y->pod->pod->spec.topology_spread_constraints;
	if (!all->count)
		return;
	y->spread = ARENA_ARRAY(y->a, struct spread_count, all->count);
	for (uint32_t i = 0; i < all->count; i++)
		if (is_hard(&all->at[i]))
			count_init(y, &y->spread[y->spread_count++], &all->at[i],
				   constraint_selector(y, &all->at[i]));
	for (uint32_t n = 0; n < y->c->node_count && y->spread_count; n++) {
		if (!has_all_keys(y->spread, y->spread_count, n))
			continue;
		for (uint32_t i = 0; i < y->spread_count; i++) {
			struct spread_count *s = &y->spread[i];
			if (!counts_node(y, s->constraint, n))
				continue;
			s->is_used[s->domain[n]] = true;
			s->pods[s->domain[n]] += pods_on(y, &s->selector, n);
		}
	}
	for (uint32_t i = 0; i < y->spread_count; i++)
		find_least(&y->spread[i]);
}

enum verdict spread_filter(struct cycle *y, uint32_t node)
{
	for (uint32_t i = 0; i < y->spread_count; i++) {
		const struct spread_count *s = &y->spread[i];
		if (s->domain[node] == DOMAIN_NONE) {
			cycle_reason(y, STR("node(s) didn't match pod topology spread constraints "
					    "(missing required label)"));
			return UNRESOLVABLE;
		}
		int64_t skew = (int64_t)s->pods[s->domain[node]] + s->matches_self - s->least;
		if (skew > s->constraint->max_skew) {
			cycle_reason(y,
				     STR("node(s) didn't match pod topology spread constraints"));
			return UNSCHEDULABLE;
		}
	}
	return FITS;
}

/* --- soft --- */

static const struct topology_spread_constraint defaults[] = {
	{.max_skew = 3,
	 .topology_key = STR_INIT(HOSTNAME),
	 .when_unsatisfiable = STR_INIT("ScheduleAnyway")},
	{.max_skew = 5,
	 .topology_key = STR_INIT(ZONE),
	 .when_unsatisfiable = STR_INIT("ScheduleAnyway")},
};

struct soft {
	struct spread_count *counts;
	uint32_t count;
	bool needs_all_keys;
	bool *is_ignored; /* by place in y->fitting */
};

static void find_soft(struct cycle *y, struct soft *soft)
{
	const struct topology_spread_constraint_array *all =
		&y->pod->pod->spec.topology_spread_constraints;
	soft->counts = ARENA_ARRAY(y->a, struct spread_count, all->count + ARRAY_LEN(defaults));
	soft->needs_all_keys = all->count > 0;
	for (uint32_t i = 0; i < all->count; i++)
		if (!is_hard(&all->at[i]))
			count_init(y, &soft->counts[soft->count++], &all->at[i],
				   constraint_selector(y, &all->at[i]));
	if (all->count)
		return;
	struct selector selector = {};
	add_services(y, &selector);
	add_owner(y, &selector);
	for (size_t i = 0; selector.count && i < ARRAY_LEN(defaults); i++)
		count_init(y, &soft->counts[soft->count++], &defaults[i], selector);
}

static uint32_t domains_of_fitting(const struct cycle *y, const struct soft *soft,
				   struct spread_count *s)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < y->fitting_count; i++) {
		uint32_t d = s->domain[y->fitting[i]];
		if (soft->is_ignored[i] || d == DOMAIN_NONE || s->is_used[d])
			continue;
		s->is_used[d] = true;
		count++;
	}
	return count;
}

/* Pods by domain, over all nodes that count, for the domains of the nodes that fit. */
static void count_soft(struct cycle *y, const struct soft *soft, struct spread_count *s)
{
	for (uint32_t n = 0; n < y->c->node_count; n++) {
		uint32_t d = s->domain[n];
		if (d == DOMAIN_NONE || !s->is_used[d] || !counts_node(y, s->constraint, n) ||
		    (soft->needs_all_keys && !has_all_keys(soft->counts, soft->count, n)))
			continue;
		s->pods[d] += pods_on(y, &s->selector, n);
	}
}

static void prepare_soft(struct cycle *y, struct soft *soft)
{
	soft->is_ignored = ARENA_ARRAY(y->a, bool, y->fitting_count);
	for (uint32_t i = 0; i < y->fitting_count; i++)
		soft->is_ignored[i] = soft->needs_all_keys &&
				      !has_all_keys(soft->counts, soft->count, y->fitting[i]);
	for (uint32_t i = 0; i < soft->count; i++) {
		struct spread_count *s = &soft->counts[i];
		s->weight = log((double)domains_of_fitting(y, soft, s) + 2);
		count_soft(y, soft, s);
	}
}

static double node_spread(const struct soft *soft, uint32_t node)
{
	double score = 0;
	for (uint32_t i = 0; i < soft->count; i++) {
		const struct spread_count *s = &soft->counts[i];
		if (s->domain[node] != DOMAIN_NONE)
			score += s->pods[s->domain[node]] * s->weight + s->constraint->max_skew - 1;
	}
	return score;
}

bool spread_score(struct cycle *y, int64_t *scores)
{
	struct soft soft = {};
	find_soft(y, &soft);
	if (!soft.count)
		return false;
	prepare_soft(y, &soft);
	int64_t least = INT64_MAX, most = 0;
	for (uint32_t i = 0; i < y->fitting_count; i++) {
		if (soft.is_ignored[i])
			continue;
		scores[i] = llround(node_spread(&soft, y->fitting[i]));
		least = MIN(least, scores[i]);
		most = MAX(most, scores[i]);
	}
	for (uint32_t i = 0; i < y->fitting_count; i++) {
		if (soft.is_ignored[i])
			scores[i] = 0;
		else if (most == 0)
			scores[i] = SCORE_MOST;
		else
			scores[i] = SCORE_MOST * (most + least - scores[i]) / most;
	}
	return true;
}
