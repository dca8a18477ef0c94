/* pod_info: a pod as the scheduler sees it: what it asks for, parsed once.
 *
 * Owns: a reference to its object and the memory of its parsed selectors.  Threads: the
 * scheduler's. */
#ifndef SKEG_SCHED_POD_INFO_H
#define SKEG_SCHED_POD_INFO_H

#include "api/selector.h"
#include "api/views.h"
#include "base/arena.h"
#include "sync/placement.h"

/* Kinds of resources at once; the first four are always there. */
#define RESOURCES_MAX 32
enum { RESOURCE_CPU, RESOURCE_MEMORY, RESOURCE_STORAGE, RESOURCE_PODS, RESOURCES_FIXED };

/* Names of resources by index.  A name beyond RESOURCES_MAX gets none, and no node has any of it.
 */
struct resources {
	struct str names[RESOURCES_MAX]; /* own copies beyond the fixed ones */
	uint32_t count;
};
#define RESOURCE_NONE UINT32_MAX

void resources_init(struct resources *r);
void resources_done(struct resources *r);
uint32_t resources_index(struct resources *r, struct str name); /* adds it; RESOURCE_NONE: full */
/* CPU in thousandths, everything else in units. */
int64_t resource_amount(uint32_t index, struct str quantity);

/* What upstream assumes of a pod that does not say, for scores only. */
#define ASSUMED_CPU_MILLI    100
#define ASSUMED_MEMORY_BYTES (200ll << 20)

struct pod_term { /* of pod affinity or anti-affinity */
	struct selector selector;
	struct str topology_key;
	struct str_array namespaces; /* none: the pod's own, unless has_namespace_selector */
	struct selector namespace_selector;
	bool has_namespace_selector;
	int32_t weight; /* of a preferred one */
};

struct pod_terms {
	const struct pod_term *at;
	uint32_t count;
};

struct host_port {
	struct str ip, protocol; /* ip "": all addresses */
	int32_t port;
};

struct pod_info {
	struct object *object;
	const struct pod *pod;
	uint32_t node;	   /* index of its node, NODE_NONE */
	uint32_t position; /* among the pods of that node */
	bool is_assumed;   /* bound by us, not yet seen to be */
	bool is_nominated; /* only keeps the place that preemption makes for it */
	int64_t requests[RESOURCES_MAX];
	int64_t assumed_cpu, assumed_memory; /* with what is assumed where nothing is asked for */
	const struct host_port *ports;
	uint32_t port_count;
	struct pod_terms affinity, anti_affinity; /* required */
	struct pod_terms preferred_affinity, preferred_anti_affinity;
	bool lacks_resource; /* asks for one that has no index */
	struct arena arena;
};
#define NODE_NONE UINT32_MAX

[[nodiscard]] struct pod_info *pod_info_new(struct resources *r, struct object *object);
void pod_info_free(struct pod_info *info);

int32_t pod_priority(const struct pod_info *info);
bool host_ports_conflict(const struct host_port *a, const struct host_port *b);
/* Does the term of a pod in that namespace look at other?  namespace_labels: of other's namespace.
 */
bool pod_term_matches(const struct pod_term *term, struct str own_namespace,
		      const struct object *other, const struct object *other_namespace);

#endif
