/* stop: ending a cluster on this machine. */
#ifndef SKEG_CLI_STOP_H
#define SKEG_CLI_STOP_H

#include <stdbool.h>

#include "base/err.h"

/* RC_NOT_FOUND: none runs.  Blocks until its processes are gone. */
[[nodiscard]] enum rc cluster_stop(const char *data, bool with_pods, struct err *err);

#endif
