#include "sched/decide.h"

#include "api/api_ids.h"
#include "base/err.h"
#include "base/mem.h"

#define SCORE_ALL_NODES 100 /* up to so many nodes all are looked at */

static const struct {
	const char *name;
	enum verdict (*filter)(struct cycle *y, uint32_t node);
} filters[] = {
	{"NodeUnschedulable", unschedulable_filter},
	{"NodeName", name_filter},
	{"TaintToleration", taint_filter},
	{"NodeAffinity", node_affinity_filter},
	{"NodePorts", ports_filter},
	{"NodeResourcesFit", fit_filter},
	{"VolumeBinding", volumes_filter},
	{"PodTopologySpread", spread_filter},
	{"InterPodAffinity", affinity_filter},
};

/* A score leaves out the plugin by returning false. */
static const struct {
	const char *name;
	int64_t weight;
	bool (*score)(struct cycle *y, int64_t *scores);
} scores[] = {
	{"TaintToleration", 3, taint_score},
	{"NodeAffinity", 2, node_affinity_score},
	{"PodTopologySpread", 2, spread_score},
	{"InterPodAffinity", 2, affinity_score},
	{"NodeResourcesFit", 1, fit_score},
	{"NodeResourcesBalancedAllocation", 1, balance_score},
};

/* --- what plugins use --- */

void cycle_reason(struct cycle *y, struct str text)
{
	size_t i = 0;
	while (i < y->reason_count && !str_eq(y->reasons[i].text, text))
		i++;
	if (i == y->reason_count) {
		if (i == y->reason_cap)
			y->reasons = arena_grow(y->a, y->reasons, i, &y->reason_cap,
						sizeof(*y->reasons));
		y->reasons[y->reason_count++] = (struct reason_count){.text = text};
	}
	y->reasons[i].nodes++;
}

const uint32_t *cycle_domains(struct cycle *y, struct str key, uint32_t *ret_count)
{
	for (size_t i = 0; i < y->topology_count; i++)
		if (str_eq(y->topologies[i].key, key)) {
			*ret_count = y->topologies[i].count;
			return y->topologies[i].domain;
		}
	if (y->topology_count == y->topology_cap)
		y->topologies = arena_grow(y->a, y->topologies, y->topology_count, &y->topology_cap,
					   sizeof(*y->topologies));
	const struct topology *t = cluster_topology(y->c, key);
	const uint32_t *domain =
		arena_copy(y->a, t->domain, MAX(y->c->node_count, 1u) * sizeof(uint32_t));
	y->topologies[y->topology_count++] = (struct cycle_topology){key, domain, t->domain_count};
	*ret_count = t->domain_count;
	return domain;
}

const struct object *cycle_namespace(const struct cycle *y, struct str name)
{
	return cache_get(y->c->cache, KIND_NAMESPACE, STR(""), name);
}

/* --- filtering --- */

static uint32_t nodes_to_find(uint32_t nodes)
{
	if (nodes < SCORE_ALL_NODES)
		return nodes;
	uint32_t percent = 50 - MIN(nodes / 125, 45u);
	return MAX(nodes * percent / 100, SCORE_ALL_NODES);
}

static enum verdict filter_node(struct cycle *y, uint32_t node, const char **ret_name)
{
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		enum verdict verdict = filters[i].filter(y, node);
		if (verdict != FITS) {
			*ret_name = filters[i].name;
			return verdict;
		}
	}
	return FITS;
}

/* A required term that names nodes leaves out all others before any filter sees them. */
static const struct str_array *named_nodes(const struct pod *pod)
{
	const struct affinity *affinity = pod->spec.affinity;
	if (!affinity || !affinity->node_affinity)
		return NULL;
	const struct node_selector *required =
		affinity->node_affinity->required_during_scheduling_ignored_during_execution;
	if (!required || required->node_selector_terms.count != 1)
		return NULL;
	const struct node_selector_term *term = &required->node_selector_terms.at[0];
	for (uint32_t i = 0; i < term->match_fields.count; i++)
		if (str_is(term->match_fields.at[i].key, "metadata.name") &&
		    str_is(term->match_fields.at[i].operator, "In"))
			return &term->match_fields.at[i].values;
	return NULL;
}

static bool is_named(const struct str_array *names, struct str name)
{
	for (uint32_t i = 0; names && i < names->count; i++)
		if (str_eq(names->at[i], name))
			return true;
	return !names;
}

static void filter_all(struct cycle *y, uint32_t start, struct decision *d)
{
	uint32_t nodes = y->c->node_count, wanted = nodes_to_find(nodes), looked_at = 0;
	const struct str_array *names = named_nodes(y->pod->pod);
	uint32_t *fitting = ARENA_ARRAY(y->a, uint32_t, nodes);
	const char **refused_by = ARENA_ARRAY(y->a, const char *, nodes);
	bool *is_hopeless = ARENA_ARRAY(y->a, bool, nodes);
	for (; looked_at < nodes && y->fitting_count < wanted; looked_at++) {
		uint32_t n = (start + looked_at) % nodes;
		enum verdict verdict = UNRESOLVABLE;
		if (is_named(names, y->c->nodes[n]->name)) {
			verdict = filter_node(y, n, &refused_by[n]);
		} else {
			refused_by[n] = "NodeAffinity";
			cycle_reason(y, STR("node(s) didn't satisfy plugin(s) [NodeAffinity]"));
		}
		if (verdict == FITS)
			fitting[y->fitting_count++] = n;
		is_hopeless[n] = verdict == UNRESOLVABLE;
		d->unresolvable += verdict == UNRESOLVABLE;
	}
	y->fitting = fitting;
	d->refused_by = y->fitting_count ? NULL : refused_by;
	d->is_hopeless = is_hopeless;
	d->next_start = (start + looked_at) % nodes;
}

/* --- scoring --- */

static void score_all(struct cycle *y, int64_t *totals)
{
	int64_t *one = ARENA_ARRAY(y->a, int64_t, y->fitting_count);
	for (size_t i = 0; i < ARRAY_LEN(scores); i++) {
		memset(one, 0, y->fitting_count * sizeof(*one));
		if (!scores[i].score(y, one))
			continue;
		for (uint32_t j = 0; j < y->fitting_count; j++)
			totals[j] += scores[i].weight * one[j];
	}
}

static void choose(struct cycle *y, uint32_t turn, struct decision *d)
{
	int64_t *totals = ARENA_ARRAY(y->a, int64_t, y->fitting_count);
	uint32_t best = turn % y->fitting_count;
	if (y->fitting_count > 1)
		score_all(y, totals);
	for (uint32_t i = 1; i < y->fitting_count; i++) {
		uint32_t at = (turn + i) % y->fitting_count;
		if (totals[at] > totals[best])
			best = at;
	}
	d->node = y->fitting[best];
	d->score = totals[best];
}

/* --- the decision --- */

static int compare_reasons(const void *a, const void *b)
{
	const struct reason_count *left = a, *right = b;
	char left_count[16], right_count[16];
	/* Upstream sorts the printed lines, so "10 x" comes before "2 y". */
	snprintf(left_count, sizeof(left_count), "%u ", left->nodes);
	snprintf(right_count, sizeof(right_count), "%u ", right->nodes);
	int order = strcmp(left_count, right_count);
	return order ? order : str_cmp(left->text, right->text);
}

struct decision decide(struct arena *a, struct cluster *c, const struct pod_info *pod,
		       uint32_t start, uint32_t turn)
{
	struct cycle y = {.a = a, .c = c, .pod = pod, .namespace = pod->object->namespace};
	struct decision d = {.node = NODE_NONE, .nodes = c->node_count};
	if (c->node_count == 0)
		return d;
	ASSERT(start < c->node_count);
	volumes_prepare(&y);
	if (y.prefilter.len) {
		d.prefilter = y.prefilter;
		d.unresolvable = c->node_count;
		d.next_start = start;
		return d;
	}
	spread_prepare(&y);
	affinity_prepare(&y);
	filter_all(&y, start, &d);
	if (y.fitting_count) {
		choose(&y, turn, &d);
		return d;
	}
	if (y.reason_count > 1)
		qsort(y.reasons, y.reason_count, sizeof(*y.reasons), compare_reasons);
	d.reasons = y.reasons;
	d.reason_count = (uint32_t)y.reason_count;
	return d;
}

bool decide_fits(struct arena *a, struct cluster *c, const struct pod_info *pod, uint32_t node)
{
	struct cycle y = {.a = a, .c = c, .pod = pod, .namespace = pod->object->namespace};
	const char *refused_by;
	volumes_prepare(&y);
	if (y.prefilter.len)
		return false;
	spread_prepare(&y);
	affinity_prepare(&y);
	return filter_node(&y, node, &refused_by) == FITS;
}

/* --- words --- */

static struct str preemption_text(struct arena *a, const struct decision *d)
{
	uint32_t others = d->nodes - d->unresolvable;
	struct str helpless =
		arena_printf(a, "%u Preemption is not helpful for scheduling", d->unresolvable);
	struct str no_victims =
		arena_printf(a, "%u No preemption victims found for incoming pod", others);
	if (!others)
		return helpless;
	if (!d->unresolvable)
		return no_victims;
	bool is_first = str_cmp(helpless, no_victims) < 0;
	return arena_printf(a, "%.*s, %.*s", STR_FMT(is_first ? helpless : no_victims),
			    STR_FMT(is_first ? no_victims : helpless));
}

struct str decision_message(struct arena *a, const struct decision *d, const char *not_eligible,
			    bool has_victims)
{
	if (d->nodes == 0)
		return STR("no nodes available to schedule pods");
	struct str why = d->prefilter;
	for (uint32_t i = 0; i < d->reason_count; i++)
		why = arena_printf(a, "%.*s%s%u %.*s", STR_FMT(why), i ? ", " : "",
				   d->reasons[i].nodes, STR_FMT(d->reasons[i].text));
	if (has_victims)
		return arena_printf(a, "0/%u nodes are available: %.*s.", d->nodes, STR_FMT(why));
	struct str preemption = str_of(not_eligible);
	if (!not_eligible)
		preemption = arena_printf(a, "0/%u nodes are available: %.*s.", d->nodes,
					  STR_FMT(preemption_text(a, d)));
	return arena_printf(a,
			    "0/%u nodes are available: %.*s. no new claims to deallocate, "
			    "preemption: %.*s",
			    d->nodes, STR_FMT(why), STR_FMT(preemption));
}
