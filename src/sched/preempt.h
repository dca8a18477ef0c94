/* preempt: which pods of lower priority have to go so that a pod fits, as upstream's
 * DefaultPreemption.
 *
 * On each node where it may help, all pods of lower priority are taken away; if the pod then fits,
 * as many as possible are let back, the most important first, those last whose disruption budget
 * allows no eviction.  Of the nodes the one is chosen with the fewest violated budgets, then the
 * lowest highest priority among its victims, the lowest sum of priorities, the fewest victims, the
 * latest start of its most important victim.  The cluster is as before when the function returns.
 */
#ifndef SKEG_SCHED_PREEMPT_H
#define SKEG_SCHED_PREEMPT_H

#include "sched/decide.h"

#define PREEMPT_NODES_MAX 100 /* so many candidates are enough */

struct preemption {
	uint32_t node;
	struct pod_info **victims; /* of the cluster; the most important first */
	uint32_t count;
	uint32_t violations; /* of disruption budgets */
};

/* Why the pod may not preempt anybody now, in upstream's words; NULL when it may. */
const char *preempt_not_eligible(const struct cluster *c, const struct pod_info *pod);
bool preempt_find(struct arena *a, struct cluster *c, const struct pod_info *pod,
		  const struct decision *d, struct preemption *ret_preemption);

#endif
