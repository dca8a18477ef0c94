/* pod_probes: the probes of one running container: when they look, what follows.
 *
 * The startup probe comes first and holds the other two; readiness begins as failed,
 * liveness as well.  A result counts after so many of the same in a row as the threshold says.
 * After a restart of the agent readiness and start go on as the API has them, so nothing flips.
 * Owns: timers and the check under way.  Threads: the agent's loop. */
#ifndef SKEG_NODE_POD_PROBES_H
#define SKEG_NODE_POD_PROBES_H

#include "node/pod_worker.h"

struct pod_probes;

/* Sets c->is_started and c->is_ready to begin with; is_adopted: what they are counts. */
void pod_probes_start(struct pod_container *c, bool is_adopted);
void pod_probes_stop(struct pod_container *c);

#endif
