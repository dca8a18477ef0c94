/* simulated: nodes n1, n2, … whose containers are states without processes.
 * Threads: the loop of the client. */
#ifndef SKEG_NODE_SIMULATED_H
#define SKEG_NODE_SIMULATED_H

#include "sync/client.h"

struct simulated_nodes;

/* labels: "key=value" for each of them. */
[[nodiscard]] struct simulated_nodes *simulated_nodes_new(struct client *client, size_t count,
							  const char *const *labels,
							  size_t label_count);
void simulated_nodes_free(struct simulated_nodes *s);

#endif
