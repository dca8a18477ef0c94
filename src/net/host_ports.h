/* host_ports: ports of the node that lead to pods of it (hostPort, hostIP).
 *
 * A pod's ports are rules like those of a node port with one endpoint and without masquerade of
 * clients from outside: on every address of the node, or on hostIP only.  Not on loopback
 * addresses, as for node ports.  Of two that claim the same port the scheduler lets one onto a node
 * only.
 *
 * Owns: copies of what it is told.  Threads: one. */
#ifndef SKEG_NET_HOST_PORTS_H
#define SKEG_NET_HOST_PORTS_H

#include "net/service_rules.h"

struct host_ports;

struct host_port_wish {
	enum proxy_protocol protocol;
	uint16_t host_port, container_port;
	struct ipaddr host_addr; /* family IP_NONE or unspecified: every address of the node */
};

[[nodiscard]] struct host_ports *host_ports_new(void);
void host_ports_free(struct host_ports *h);
/* In place of what the pod had; addrs: the pod's, at most one a family is used.  True when anything
 * changed. */
bool host_ports_set(struct host_ports *h, struct str namespace, struct str name, struct str uid,
		    const struct host_port_wish *wishes, size_t wish_count,
		    const struct ipaddr *addrs, size_t addr_count);
bool host_ports_remove(struct host_ports *h, struct str uid);
/* Appends to the services of a snapshot, in a; strings live until the next change. */
void host_ports_collect(const struct host_ports *h, struct arena *a,
			struct proxy_snapshot *snapshot);

#endif
