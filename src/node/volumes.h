/* volumes: the folders that a pod's containers see, made before them and removed after them.
 *
 * emptyDir (disk or memory), hostPath, configMap, secret, projected, downwardAPI; others are
 * refused with an Event.  The four that hold files follow their sources while the pod lives;
 * service-account tokens are renewed at 80 % of their life.  A pod of a simulated node has none.
 *
 * Owns: the pod's folder and its mounts.  Threads: the agent's loop; removal works on the pool.
 * Limits: those of the API's validation.  Errors: Events FailedMount, tried again. */
#ifndef SKEG_NODE_VOLUMES_H
#define SKEG_NODE_VOLUMES_H

#include "node/pod_worker.h"

struct pod_volumes;

/* Everything a pod mounts is there; else it is being made and the worker is woken later. */
bool pod_volumes_ready(struct pod_worker *w);
/* Everything is taken away again, but for logs. */
bool pod_volumes_release(struct pod_worker *w);
/* Removes a folder with all below it on the pool; what fails is logged. */
void folder_remove_later(struct loop *loop, const char *path);
void pod_logs_remove(const struct pod_worker *w); /* later, on the pool */
void pod_volumes_free(struct pod_volumes *v);
/* The pod changed in the API: downward volumes may differ. */
void pod_volumes_refresh(struct pod_worker *w);

/* Where a mount's source is, its subPath resolved beneath the volume (and made when it is not
 * there). index: of the mount in the container. */
[[nodiscard]] enum rc pod_volume_source(struct arena *a, struct pod_container *c,
					const struct volume_mount *mount, struct str sub_path,
					uint32_t index, struct str *ret_path, struct err *err);

#endif
