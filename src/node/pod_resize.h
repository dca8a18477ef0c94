/* pod_resize: changes what running containers may use.
 *
 *   the spec asks ──▶ the node grants (allocated) ──▶ control groups are written, or the container
 *                     or says why not               is restarted (actual)
 *
 *   condition PodResizePending      Infeasible: never on this node
 *                                   Deferred: not while others need it
 *   condition PodResizeInProgress   granted, not in force yet; reason Error: it is tried again
 *
 * A resize is granted as a whole.  A restarted agent takes for granted what the containers ran with
 * and decides anew.  Events ResizeStarted, ResizeCompleted, ResizeDeferred, ResizeInfeasible,
 * ResizeError tell the amounts.
 * Source: kubelet's pkg/kubelet/allocation and
 * https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/ */
#ifndef SKEG_NODE_POD_RESIZE_H
#define SKEG_NODE_POD_RESIZE_H

#include "base/err.h"
#include "node/runtime.h"

#define POD_RESIZE_RETRY_MS 5000

struct node_agent;
struct pod_worker;

struct pod_resize {
	const char *pending;   /* "Deferred", "Infeasible"; NULL: nothing is */
	char *pending_message; /* owned */
	int64_t pending_generation;
	bool is_in_progress;
	int64_t generation; /* of the spec that was granted */
	char *problem;	    /* owned; of the last attempt; NULL: none */
	int64_t retry_at_ms;
	struct loop_timer retry_timer;
	struct runtime_resources group; /* what the pod's group was given last */
	struct runtime_call call;
	struct resize_job *job; /* under way */
};

/* What can be done now; called from the worker's step while containers run or will. */
void pod_resize_step(struct pod_worker *w);
/* Room became free: deferred ones are looked at again. */
void pod_resizes_retry(struct node_agent *agent);
void pod_resize_done(struct pod_worker *w);

#endif
