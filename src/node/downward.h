/* downward: what a container may learn of its own pod: fieldRef and resourceFieldRef.
 * Pure functions of the worker.  Errors: RC_INVALID in upstream's words.
 * Source: https://kubernetes.io/docs/concepts/workloads/pods/downward-api/ */
#ifndef SKEG_NODE_DOWNWARD_H
#define SKEG_NODE_DOWNWARD_H

#include "node/pod_worker.h"

/* "metadata.labels" and "metadata.annotations" as a whole give key="value" lines, for volumes. */
[[nodiscard]] enum rc downward_field(struct arena *a, const struct pod_worker *w, struct str path,
				     struct str *ret_value, struct err *err);
/* spec: the container that the reference names.  Rounded up to the divisor; limits that are not set
 * are what the node can give. */
[[nodiscard]] enum rc downward_resource(struct arena *a, const struct pod_worker *w,
					const struct container *spec,
					const struct resource_field_selector *ref,
					struct str *ret_value, struct err *err);

#endif
