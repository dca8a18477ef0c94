/* What machine_network.c and node_network.c share. */
#ifndef SKEG_NET_MACHINE_NETWORK_INT_H
#define SKEG_NET_MACHINE_NETWORK_INT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define MACHINE_BRIDGE	  "br0"
#define MACHINE_HOST_PEER "host" /* the host's end on the bridge */

[[nodiscard]] enum rc machine_network_check_name(struct str name, size_t max_len, bool with_dot,
						 const char *what, struct err *err);
/* Makes link a port of the bridge in netns_fd and sets it up. */
[[nodiscard]] enum rc machine_network_join_bridge(int netns_fd, const char *link, struct err *err);

#endif
