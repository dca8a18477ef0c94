/* pod_paths: where a node keeps what of its pods, as kubelet lays it out.
 *
 *   <folder>/pods/<uid>/volumes/kubernetes.io~<plugin>/<volume>
 *                      /volume-subpaths/<volume>/<container>/<index>
 *                      /etc-hosts, resolv.conf
 *                      /containers/<container>/<attempt>          termination message
 *   <folder>/logs/pods/<namespace>_<name>_<uid>/<container>/<attempt>.log
 *
 * Paths end with a NUL and live in the arena. */
#ifndef SKEG_NODE_POD_PATHS_H
#define SKEG_NODE_POD_PATHS_H

#include "node/pod_worker.h"

const char *pod_path(struct arena *a, const struct pod_worker *w); /* of the pod's own folder */
[[gnu::format(printf, 3, 4)]] const char *pod_path_below(struct arena *a,
							 const struct pod_worker *w,
							 const char *fmt, ...);
const char *pod_log_folder(struct arena *a, const struct pod_worker *w);
const char *container_log_path(struct arena *a, const struct pod_container *c, int attempt);
const char *container_message_path(struct arena *a, const struct pod_container *c, int attempt);

#endif
