/* pod_ranking: which pods go first when there are too many, as upstream's ActivePodsWithRanks
 * sorts. Pure functions. */
#ifndef SKEG_CONTROL_POD_RANKING_H
#define SKEG_CONTROL_POD_RANKING_H

#include "control/common.h"

struct ranked_pod {
	const struct object *object;
	const struct pod *pod;
	int32_t rank; /* active pods of the same owner on the same node */
	int64_t now_us;
};

/* The first is to be deleted first. */
void pods_rank(struct ranked_pod *pods, size_t count);

#endif
