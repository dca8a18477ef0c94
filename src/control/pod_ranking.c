#include "control/pod_ranking.h"

#define DELETION_COST "controller.kubernetes.io/pod-deletion-cost"

static int phase_order(const struct pod *pod)
{
	if (str_is(pod->status.phase, "Running"))
		return 2;
	return str_is(pod->status.phase, "Unknown") ? 1 : 0;
}

static int64_t deletion_cost(const struct pod *pod)
{
	int64_t cost = 0;
	(void)str_to_i64(str_map_cget(&pod->metadata.annotations, DELETION_COST), &cost);
	return cost;
}

static int32_t most_restarts(const struct pod *pod)
{
	int32_t most = 0;
	for (uint32_t i = 0; i < pod->status.container_statuses.count; i++)
		most = MAX(most, pod->status.container_statuses.at[i].restart_count);
	return most;
}

/* Binary logarithm of an age in nanoseconds, -1 for none: pods of about the same age are equals. */
static int age_class(int64_t since_us, int64_t now_us)
{
	int64_t age_us = now_us - since_us;
	if (age_us <= 0)
		return -1;
	return 63 - __builtin_clzll((unsigned long long)MIN(age_us, INT64_MAX / 1000) * 1000);
}

/* No time comes first, then the younger class; equals are told apart by their uid. */
static int compare_times(const struct ranked_pod *a, const struct ranked_pod *b, int64_t time_a,
			 int64_t time_b)
{
	if (time_a == time_b)
		return 0;
	if (!time_a || !time_b)
		return time_a ? 1 : -1;
	int difference = age_class(time_a, a->now_us) - age_class(time_b, a->now_us);
	return difference ? difference : str_cmp(a->object->uid, b->object->uid);
}

static int64_t ready_since(const struct pod *pod)
{
	return pod_is_ready(pod) ? pod_condition(pod, "Ready")->last_transition_time : 0;
}

static int compare_pods(const void *left, const void *right)
{
	const struct ranked_pod *a = left, *b = right;
	const int64_t keys[][2] = {
		{a->pod->spec.node_name.len > 0, b->pod->spec.node_name.len > 0},
		{phase_order(a->pod), phase_order(b->pod)},
		{pod_is_ready(a->pod), pod_is_ready(b->pod)},
		{deletion_cost(a->pod), deletion_cost(b->pod)},
		{b->rank, a->rank},
	};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? -1 : 1;
	int order = compare_times(a, b, ready_since(a->pod), ready_since(b->pod));
	if (order)
		return order;
	int32_t restarts_a = most_restarts(a->pod), restarts_b = most_restarts(b->pod);
	if (restarts_a != restarts_b)
		return restarts_a > restarts_b ? -1 : 1;
	order = compare_times(a, b, a->pod->metadata.creation_timestamp,
			      b->pod->metadata.creation_timestamp);
	return order ? order : str_cmp(a->object->name, b->object->name);
}

void pods_rank(struct ranked_pod *pods, size_t count)
{
	if (count > 1)
		qsort(pods, count, sizeof(*pods), compare_pods);
}
