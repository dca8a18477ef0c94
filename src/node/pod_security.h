/* pod_security: securityContext of pod and container as the runtime takes it; runAsNonRoot.
 * Pure functions.  Source:
 * https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
 */
#ifndef SKEG_NODE_POD_SECURITY_H
#define SKEG_NODE_POD_SECURITY_H

#include "node/pod_worker.h"

[[nodiscard]] enum rc pod_security_make(struct arena *a, const struct pod_container *c,
					const struct runtime_image_info *image,
					struct runtime_security *ret_security, struct err *err);
/* How eager the kernel is to end it when memory runs out, by the pod's QoS class. */
int pod_oom_score_adj(const struct pod_container *c, int64_t node_memory_bytes);

#endif
