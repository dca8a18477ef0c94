/* pod_resources: what the containers of a pod may use, as three parties see it: the spec asks, the
 * node has granted (allocated), and a container runs with (actual).  They differ while a pod is
 * resized in place.  Amounts are CPU and memory; other resources never change.
 * Threads: the agent's loop. */
#ifndef SKEG_NODE_POD_RESOURCES_H
#define SKEG_NODE_POD_RESOURCES_H

#include "api/views.h"
#include "node/runtime.h"

struct object;
struct pod_container;
struct pod_worker;

/* Requirements in an object that is kept for them. */
struct allotment {
	struct object *owner; /* a reference; NULL: none */
	const struct resource_requirements *amounts;
};

void allotment_set(struct allotment *a, struct object *owner,
		   const struct resource_requirements *amounts);
/* The same amounts in a newer object, so that the older one can go; others stay. */
void allotment_renew(struct allotment *a, struct object *owner,
		     const struct resource_requirements *amounts);
void allotment_done(struct allotment *a);
bool requirements_equal(const struct resource_requirements *a,
			const struct resource_requirements *b);

enum pod_amounts { POD_WANTED, POD_ALLOCATED, POD_ACTUAL };

/* Never NULL. Actual of a container that never ran: the allocated. */
const struct resource_requirements *container_requirements(const struct pod_container *c,
							   enum pod_amounts which);
struct runtime_resources runtime_resources_of(const struct resource_requirements *r);
/* Of the pod's group: limited as a whole only when every container is. */
struct runtime_resources pod_group_resources(const struct pod_worker *w, enum pod_amounts which);
/* What the pod asks of a node: its containers together, or its largest init container. */
void pod_requests(const struct pod_worker *w, enum pod_amounts which, int64_t *ret_cpu_milli,
		  int64_t *ret_memory_bytes);

#endif
