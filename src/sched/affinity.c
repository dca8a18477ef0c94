/* InterPodAffinity: what a pod asks of the pods around a node, and what they ask of it. */
#include "api/api_ids.h"
#include "base/err.h"
#include "base/mem.h"
#include "sched/decide.h"

/* What upstream adds for a required affinity term of a pod that is there. */
#define HARD_AFFINITY_WEIGHT 1

static bool matches(const struct cycle *y, const struct pod_term *term, const struct object *owner,
		    const struct object *other)
{
	const struct object *namespace = NULL;
	if (term->has_namespace_selector)
	namespace = cycle_namespace(y, other->namespace);
	return pod_term_matches(term, owner->namespace, other, namespace);
}

/* --- required --- */

static struct affinity_count *counts_new(struct cycle *y, const struct pod_terms *terms)
{
	struct affinity_count *counts = ARENA_ARRAY(y->a, struct affinity_count, terms->count + 1);
	for (uint32_t i = 0; i < terms->count; i++) {
		uint32_t domains;
		counts[i].term = &terms->at[i];
		counts[i].domain = cycle_domains(y, terms->at[i].topology_key, &domains);
		counts[i].pods = ARENA_ARRAY(y->a, uint32_t, domains + 1);
	}
	return counts;
}

static void count_up(struct affinity_count *count, uint32_t node)
{
	count->total++;
	if (count->domain[node] != DOMAIN_NONE)
		count->pods[count->domain[node]]++;
}

/* For affinity a pod counts only when it matches all terms, for anti-affinity each term by itself.
 */
static void count_pod(struct cycle *y, const struct pod_info *other)
{
	const struct object *self = y->pod->object;
	bool matches_all = y->pod->affinity.count > 0;
	for (uint32_t i = 0; i < y->pod->affinity.count && matches_all; i++)
		matches_all = matches(y, y->affinity[i].term, self, other->object);
	for (uint32_t i = 0; i < y->pod->affinity.count && matches_all; i++)
		count_up(&y->affinity[i], other->node);
	for (uint32_t i = 0; i < y->pod->anti_affinity.count; i++)
		if (matches(y, y->anti_affinity[i].term, self, other->object))
			count_up(&y->anti_affinity[i], other->node);
}

static void refuse_around(struct cycle *y, const struct pod_info *other,
			  const struct pod_term *term)
{
	uint32_t count;
	const uint32_t *domain = cycle_domains(y, term->topology_key, &count);
	if (domain[other->node] == DOMAIN_NONE)
		return;
	if (!y->is_refused)
		y->is_refused = ARENA_ARRAY(y->a, bool, y->c->node_count);
	for (uint32_t n = 0; n < y->c->node_count; n++)
		if (domain[n] == domain[other->node])
			y->is_refused[n] = true;
}

static void ask_others(struct cycle *y)
{
	for (uint32_t i = 0; i < y->c->with_anti_count; i++) {
		const struct pod_info *other = y->c->with_anti[i];
		for (uint32_t j = 0; j < other->anti_affinity.count; j++)
			if (matches(y, &other->anti_affinity.at[j], other->object, y->pod->object))
				refuse_around(y, other, &other->anti_affinity.at[j]);
	}
}

static bool matches_itself(const struct cycle *y)
{
	for (uint32_t i = 0; i < y->pod->affinity.count; i++)
		if (!matches(y, &y->pod->affinity.at[i], y->pod->object, y->pod->object))
			return false;
	return true;
}

void affinity_prepare(struct cycle *y)
{
	ask_others(y);
	if (!y->pod->affinity.count && !y->pod->anti_affinity.count)
		return;
	y->affinity = counts_new(y, &y->pod->affinity);
	y->anti_affinity = counts_new(y, &y->pod->anti_affinity);
	for (uint32_t n = 0; n < y->c->node_count; n++)
		for (uint32_t i = 0; i < y->c->pods[n].count; i++)
			count_pod(y, y->c->pods[n].at[i]);
	bool has_none = true;
	for (uint32_t i = 0; i < y->pod->affinity.count; i++)
		has_none &= y->affinity[i].total == 0;
	y->is_first_of_its_kind = has_none && matches_itself(y);
}

static bool affinity_holds(const struct cycle *y, uint32_t node)
{
	bool has_pods = true;
	for (uint32_t i = 0; i < y->pod->affinity.count; i++) {
		uint32_t domain = y->affinity[i].domain[node];
		if (domain == DOMAIN_NONE)
			return false;
		has_pods &= y->affinity[i].pods[domain] > 0;
	}
	return has_pods || y->is_first_of_its_kind;
}

static bool anti_affinity_holds(const struct cycle *y, uint32_t node)
{
	for (uint32_t i = 0; i < y->pod->anti_affinity.count; i++) {
		uint32_t domain = y->anti_affinity[i].domain[node];
		if (domain != DOMAIN_NONE && y->anti_affinity[i].pods[domain] > 0)
			return false;
	}
	return true;
}

enum verdict affinity_filter(struct cycle *y, uint32_t node)
{
	if (!affinity_holds(y, node)) {
		cycle_reason(y, STR("node(s) didn't match pod affinity rules"));
		return UNRESOLVABLE;
	}
	if (!anti_affinity_holds(y, node)) {
		cycle_reason(y, STR("node(s) didn't match pod anti-affinity rules"));
		return UNSCHEDULABLE;
	}
	if (y->is_refused && y->is_refused[node]) {
		cycle_reason(y, STR("node(s) didn't satisfy existing pods anti-affinity rules"));
		return UNSCHEDULABLE;
	}
	return FITS;
}

/* --- preferred --- */

/* What the terms add, by the domains of one topology key. */
struct weight_sum {
	struct str key;
	const uint32_t *domain; /* by node */
	int64_t *by_domain;
};

struct weighing {
	struct cycle *y;
	struct weight_sum *sums;
	size_t count, cap;
};

static struct weight_sum *sum_for(struct weighing *w, struct str key)
{
	for (size_t i = 0; i < w->count; i++)
		if (str_eq(w->sums[i].key, key))
			return &w->sums[i];
	if (w->count == w->cap)
		w->sums = arena_grow(w->y->a, w->sums, w->count, &w->cap, sizeof(*w->sums));
	struct weight_sum *sum = &w->sums[w->count++];
	uint32_t domains;
	sum->key = key;
	sum->domain = cycle_domains(w->y, key, &domains);
	sum->by_domain = ARENA_ARRAY(w->y->a, int64_t, domains + 1);
	return sum;
}

static void weigh(struct weighing *w, struct str key, uint32_t node, int64_t weight)
{
	struct weight_sum *sum = sum_for(w, key);
	if (sum->domain[node] != DOMAIN_NONE)
		sum->by_domain[sum->domain[node]] += weight;
}

static void weigh_own(struct weighing *w, const struct pod_terms *terms, int64_t sign)
{
	struct cycle *y = w->y;
	for (uint32_t i = 0; i < terms->count; i++)
		for (uint32_t n = 0; n < y->c->node_count; n++)
			for (uint32_t j = 0; j < y->c->pods[n].count; j++)
				if (matches(y, &terms->at[i], y->pod->object,
					    y->c->pods[n].at[j]->object))
					weigh(w, terms->at[i].topology_key, n,
					      sign * terms->at[i].weight);
}

static void weigh_theirs(struct weighing *w, const struct pod_info *other,
			 const struct pod_terms *terms, int64_t sign, bool is_required)
{
	for (uint32_t i = 0; i < terms->count; i++)
		if (matches(w->y, &terms->at[i], other->object, w->y->pod->object))
			weigh(w, terms->at[i].topology_key, other->node,
			      sign * (is_required ? HARD_AFFINITY_WEIGHT : terms->at[i].weight));
}

static int64_t weight_of_node(const struct weighing *w, uint32_t node)
{
	int64_t weight = 0;
	for (size_t i = 0; i < w->count; i++)
		if (w->sums[i].domain[node] != DOMAIN_NONE)
			weight += w->sums[i].by_domain[w->sums[i].domain[node]];
	return weight;
}

bool affinity_score(struct cycle *y, int64_t *scores)
{
	struct weighing w = {.y = y};
	weigh_own(&w, &y->pod->preferred_affinity, 1);
	weigh_own(&w, &y->pod->preferred_anti_affinity, -1);
	for (uint32_t i = 0; i < y->c->with_affinity_count; i++) {
		const struct pod_info *other = y->c->with_affinity[i];
		weigh_theirs(&w, other, &other->affinity, 1, true);
		weigh_theirs(&w, other, &other->preferred_affinity, 1, false);
		weigh_theirs(&w, other, &other->preferred_anti_affinity, -1, false);
	}
	if (w.count == 0)
		return false;
	int64_t least = INT64_MAX, most = INT64_MIN;
	for (uint32_t i = 0; i < y->fitting_count; i++) {
		scores[i] = weight_of_node(&w, y->fitting[i]);
		least = MIN(least, scores[i]);
		most = MAX(most, scores[i]);
	}
	for (uint32_t i = 0; i < y->fitting_count; i++)
		scores[i] = most > least ? (scores[i] - least) * SCORE_MOST / (most - least) : 0;
	return true;
}
