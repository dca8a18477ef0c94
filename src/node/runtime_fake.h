/* runtime_fake: containers of simulated nodes: states and times without processes.
 *
 * Every image is there, every container starts after start_delay_ms and runs until it is killed:
 * SIGTERM ends it with 143, SIGKILL with 137.  Two annotations of a container change that, so that
 * a simulation can have jobs and crashes: sim.skeg.dev/run-ms: "1500"    it ends by itself after so
 * long; sim.skeg.dev/exit-code: "3"    with this code (0 when not given). Probes by exec succeed,
 * exec prints nothing, statistics are the container's requests. Owns: its records.  Threads and
 * errors: as runtime.h.  Limits: FAKE_CONTAINERS_MAX a node. */
#ifndef SKEG_NODE_RUNTIME_FAKE_H
#define SKEG_NODE_RUNTIME_FAKE_H

#include "node/runtime.h"

#define FAKE_CONTAINERS_MAX 4096

#define FAKE_ANNOTATION_RUN_MS	  "sim.skeg.dev/run-ms"
#define FAKE_ANNOTATION_EXIT_CODE "sim.skeg.dev/exit-code"

/* listener may be NULL and set later in the result. */
[[nodiscard]] struct runtime *runtime_fake_new(struct loop *loop, int64_t start_delay_ms,
					       struct runtime_listener *listener);

#endif
