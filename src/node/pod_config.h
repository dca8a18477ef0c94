/* pod_config: the configuration of a container for the runtime, out of the pod's spec. */
#ifndef SKEG_NODE_POD_CONFIG_H
#define SKEG_NODE_POD_CONFIG_H

#include "node/pod_worker.h"

#define POD_ANNOTATION_STOP_SIGNAL "skeg.dev/stop-signal"

/* What it points to is in the arena or in the pod's view, which must both stay.  RC_INVALID and
 * RC_NOT_FOUND with upstream's message: CreateContainerConfigError. */
[[nodiscard]] enum rc pod_config_make(struct arena *a, struct pod_container *c,
				      const struct runtime_image_info *image, int attempt,
				      struct runtime_container_config *ret_config, struct err *err);

#endif
