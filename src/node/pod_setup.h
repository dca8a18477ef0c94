/* pod_setup: what a pod needs before its containers, and its undoing: volumes, sandbox, network.
 * One call at a time; every failure is told by an Event and tried again after POD_RETRY_MS, doubled
 * up to POD_RETRY_LAST_MS.  Everything may be done again on what is there already. */
#ifndef SKEG_NODE_POD_SETUP_H
#define SKEG_NODE_POD_SETUP_H

#include "node/pod_worker.h"

#define POD_RETRY_LAST_MS 30000

/* Starts the next call when none is under way; true: all is there. */
bool pod_setup_step(struct pod_worker *w);
/* Backwards, once no container runs: network and volumes; true: they are gone.  Ended containers
 * stay, so that their logs can be asked for. */
bool pod_release_step(struct pod_worker *w);
/* Those and the sandbox; true: nothing is left. */
bool pod_remove_step(struct pod_worker *w);
/* Removes a container of this pod that has no record. */
void pod_setup_leftover(struct pod_worker *w, struct str id);

void pod_setup_retry_later(struct pod_worker *w);
struct str pod_hostname(const struct pod_worker *w);

#endif
