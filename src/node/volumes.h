/* volumes: the folders that a pod's containers see.
 * A simulated node has none. */
#ifndef SKEG_NODE_VOLUMES_H
#define SKEG_NODE_VOLUMES_H

#include "node/pod_worker.h"

/* Everything a pod mounts is there. */
bool pod_volumes_ready(struct pod_worker *w);
/* Everything is taken away again. */
bool pod_volumes_release(struct pod_worker *w);

#endif
