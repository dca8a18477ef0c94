/* pod_status: the status of a pod as its worker knows it, in kubelet's words.
 * Pure function of the worker and the time; conditions keep their transition times, conditions and
 * fields of others stay.  Source: kubelet's pkg/kubelet/status and kubelet_pods.go. */
#ifndef SKEG_NODE_POD_STATUS_H
#define SKEG_NODE_POD_STATUS_H

#include "node/pod_worker.h"

#define CONTAINER_ID_SCHEME "skeg://"

struct pod_status *pod_status_make(struct arena *a, const struct pod_worker *w, int64_t now_us);

#endif
