/* The filters and scores that look at one node by itself. */
#include "base/err.h"
#include "base/mem.h"
#include "sched/decide.h"

static bool has_effect(const struct taint *taint, const char *effect)
{
	return str_is(taint->effect, effect);
}

enum verdict unschedulable_filter(struct cycle *y, uint32_t node)
{
	static const struct taint unschedulable = {
		.key = STR_INIT("node.kubernetes.io/unschedulable"),
		.effect = STR_INIT("NoSchedule")};
	if (!y->c->views[node]->spec.unschedulable ||
	    tolerates(&y->pod->pod->spec.tolerations, &unschedulable))
		return FITS;
	cycle_reason(y, STR("node(s) were unschedulable"));
	return UNRESOLVABLE;
}

enum verdict name_filter(struct cycle *y, uint32_t node)
{
	struct str name = y->pod->pod->spec.node_name;
	if (!name.len || str_eq(name, y->c->nodes[node]->name))
		return FITS;
	cycle_reason(y, STR("node(s) didn't match the requested node name"));
	return UNRESOLVABLE;
}

enum verdict taint_filter(struct cycle *y, uint32_t node)
{
	const struct taint_array *taints = &y->c->views[node]->spec.taints;
	for (uint32_t i = 0; i < taints->count; i++) {
		const struct taint *taint = &taints->at[i];
		if (!has_effect(taint, "NoSchedule") && !has_effect(taint, "NoExecute"))
			continue;
		if (tolerates(&y->pod->pod->spec.tolerations, taint))
			continue;
		cycle_reason(y, STR("node(s) had untolerated taint(s)"));
		return UNRESOLVABLE;
	}
	return FITS;
}

enum verdict node_affinity_filter(struct cycle *y, uint32_t node)
{
	if (pod_wants_node(&y->pod->pod->spec, y->c->nodes[node]))
		return FITS;
	cycle_reason(y, STR("node(s) didn't match Pod's node affinity/selector"));
	return UNRESOLVABLE;
}

static bool uses_port(const struct pod_info *info, const struct host_port *port)
{
	for (uint32_t i = 0; i < info->port_count; i++)
		if (host_ports_conflict(&info->ports[i], port))
			return true;
	return false;
}

enum verdict ports_filter(struct cycle *y, uint32_t node)
{
	const struct node_pods *pods = &y->c->pods[node];
	if (!y->pod->port_count || !pods->with_ports)
		return FITS;
	for (uint32_t i = 0; i < pods->count; i++)
		for (uint32_t j = 0; j < y->pod->port_count; j++)
			if (uses_port(pods->at[i], &y->pod->ports[j])) {
				cycle_reason(y, STR("node(s) didn't have free ports for the "
						    "requested pod ports"));
				return UNSCHEDULABLE;
			}
	return FITS;
}

/* --- scores --- */

void scores_normalize(int64_t *scores, uint32_t count, bool is_reversed)
{
	int64_t most = 0;
	for (uint32_t i = 0; i < count; i++)
		most = MAX(most, scores[i]);
	for (uint32_t i = 0; i < count; i++) {
		int64_t score = most ? scores[i] * SCORE_MOST / most : 0;
		scores[i] = is_reversed ? SCORE_MOST - score : score;
	}
}

bool taint_score(struct cycle *y, int64_t *scores)
{
	for (uint32_t i = 0; i < y->fitting_count; i++) {
		const struct taint_array *taints = &y->c->views[y->fitting[i]]->spec.taints;
		for (uint32_t j = 0; j < taints->count; j++)
			scores[i] += has_effect(&taints->at[j], "PreferNoSchedule") &&
				     !tolerates(&y->pod->pod->spec.tolerations, &taints->at[j]);
	}
	scores_normalize(scores, y->fitting_count, true);
	return true;
}

bool node_affinity_score(struct cycle *y, int64_t *scores)
{
	const struct affinity *affinity = y->pod->pod->spec.affinity;
	if (!affinity || !affinity->node_affinity)
		return false;
	const struct preferred_scheduling_term_array *terms =
		&affinity->node_affinity->preferred_during_scheduling_ignored_during_execution;
	for (uint32_t i = 0; i < y->fitting_count; i++)
		for (uint32_t j = 0; j < terms->count; j++)
			if (node_matches(&terms->at[j].preference, y->c->nodes[y->fitting[i]]))
				scores[i] += terms->at[j].weight;
	scores_normalize(scores, y->fitting_count, false);
	return terms->count > 0;
}
