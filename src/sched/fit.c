/* NodeResourcesFit and NodeResourcesBalancedAllocation. */
#include <math.h>

#include "base/err.h"
#include "base/mem.h"
#include "sched/decide.h"

static struct str insufficient(struct cycle *y, uint32_t resource)
{
	if (resource == RESOURCE_PODS)
		return STR("Too many pods");
	return arena_printf(y->a, "Insufficient %.*s", STR_FMT(y->c->resources.names[resource]));
}

enum verdict fit_filter(struct cycle *y, uint32_t node)
{
	static const uint32_t order[] = {RESOURCE_PODS, RESOURCE_CPU, RESOURCE_MEMORY,
					 RESOURCE_STORAGE};
	enum verdict verdict = FITS;
	for (uint32_t i = 0; i < y->c->resources.count; i++) {
		uint32_t r = i < ARRAY_LEN(order) ? order[i] : i;
		int64_t wanted = y->pod->requests[r], whole = y->c->allocatable[r][node];
		if (wanted == 0 || wanted <= whole - y->c->requested[r][node])
			continue;
		cycle_reason(y, insufficient(y, r));
		verdict = MAX(verdict, wanted > whole ? UNRESOLVABLE : UNSCHEDULABLE);
	}
	if (verdict == FITS && y->pod->lacks_resource) {
		cycle_reason(y, STR("Insufficient resources of a kind no node has"));
		return UNRESOLVABLE;
	}
	return verdict;
}

static int64_t least_allocated(int64_t wanted, int64_t whole)
{
	return whole <= 0 || wanted > whole ? 0 : (whole - wanted) * SCORE_MOST / whole;
}

bool fit_score(struct cycle *y, int64_t *scores)
{
	for (uint32_t i = 0; i < y->fitting_count; i++) {
		uint32_t n = y->fitting[i];
		int64_t cpu = y->c->allocatable[RESOURCE_CPU][n];
		int64_t memory = y->c->allocatable[RESOURCE_MEMORY][n];
		int64_t sum = 0, weights = (cpu > 0) + (memory > 0);
		sum += least_allocated(y->c->assumed_cpu[n] + y->pod->assumed_cpu, cpu);
		sum += least_allocated(y->c->assumed_memory[n] + y->pod->assumed_memory, memory);
		scores[i] = weights ? sum / weights : 0;
	}
	return true;
}

static double fraction(const struct cycle *y, uint32_t resource, uint32_t node)
{
	int64_t wanted = y->c->requested[resource][node] + y->pod->requests[resource];
	return fmin((double)wanted / (double)y->c->allocatable[resource][node], 1);
}

bool balance_score(struct cycle *y, int64_t *scores)
{
	/* A pod that asks for nothing balances nothing. */
	if (!y->pod->requests[RESOURCE_CPU] && !y->pod->requests[RESOURCE_MEMORY])
		return false;
	for (uint32_t i = 0; i < y->fitting_count; i++) {
		uint32_t n = y->fitting[i];
		double deviation = 0;
		if (y->c->allocatable[RESOURCE_CPU][n] > 0 &&
		    y->c->allocatable[RESOURCE_MEMORY][n] > 0)
			deviation = fabs(fraction(y, RESOURCE_CPU, n) -
					 fraction(y, RESOURCE_MEMORY, n)) /
				    2;
		scores[i] = (int64_t)((1 - deviation) * SCORE_MOST);
	}
	return true;
}
