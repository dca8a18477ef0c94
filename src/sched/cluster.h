/* cluster: the nodes as columns, one array a resource, and the pods on them.
 *
 * Kept current by its user: cluster_node_*() and cluster_pod_*() are called with what a cache
 * shows. Nodes have indexes without gaps; removing one gives its index to the last.
 *
 * Owns: references to nodes and pods.  Threads: one at a time. */
#ifndef SKEG_SCHED_CLUSTER_H
#define SKEG_SCHED_CLUSTER_H

#include "base/map.h"
#include "sched/pod_info.h"
#include "sync/cache.h"

struct node_pods {
	struct pod_info **at;
	uint32_t count, cap;
	uint32_t with_ports;
};

/* For one label key: which nodes have the same value. */
struct topology {
	char *key;
	uint32_t *domain; /* by node; DOMAIN_NONE: the node has no such label */
	uint32_t domain_count;
	uint64_t generation; /* of the nodes it was made for */
};
#define DOMAIN_NONE    UINT32_MAX
#define TOPOLOGIES_MAX 64 /* keys remembered; beyond that the first is made anew */

struct cluster {
	const struct cache *cache;
	struct resources resources;
	uint32_t node_count, node_cap;
	uint64_t node_generation; /* changes with labels and the set of nodes */
	struct object **nodes;
	const struct node **views;
	int64_t *allocatable[RESOURCES_MAX], *requested[RESOURCES_MAX];
	int64_t *assumed_cpu, *assumed_memory;
	struct node_pods *pods;
	struct map node_index; /* name -> index + 1 */
	struct map infos;      /* uid -> struct pod_info */
	/* Pods with required anti-affinity, and with any affinity: those that others must ask. */
	struct pod_info **with_anti, **with_affinity;
	uint32_t with_anti_count, with_anti_cap, with_affinity_count, with_affinity_cap;
	struct topology topologies[TOPOLOGIES_MAX];
	uint32_t topology_count;
};

void cluster_init(struct cluster *c, const struct cache *cache);
void cluster_done(struct cluster *c);

/* Adds or changes; pods of the cache that are on it are taken along when it is new.  True when the
 * change may make room for somebody. */
bool cluster_node_put(struct cluster *c, struct object *node);
void cluster_node_drop(struct cluster *c, struct str name);
uint32_t cluster_node_find(const struct cluster *c, struct str name); /* NODE_NONE */

/* A pod that is on a node (spec.nodeName set, not ended): counts it, once by uid. */
void cluster_pod_put(struct cluster *c, struct object *pod);
void cluster_pod_drop(struct cluster *c, struct str uid);
/* Counts a pod on a node although it is not bound yet; takes over info. */
void cluster_assume(struct cluster *c, struct pod_info *own_info, uint32_t node);
/* Takes a pod off its node and puts it back, to see what would be without it. */
void cluster_lift(struct cluster *c, struct pod_info *info);
void cluster_lower(struct cluster *c, struct pod_info *info, uint32_t node);
struct pod_info *cluster_pod(const struct cluster *c, struct str uid);

const struct topology *cluster_topology(struct cluster *c, struct str key);

#endif
