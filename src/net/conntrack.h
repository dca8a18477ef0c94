/* conntrack: forgets UDP connections whose service has moved on.
 *
 * A datagram of a known connection never meets the rules again, so a client that keeps sending to a
 * service would reach an endpoint that is gone for ever.  conntrack_prune_udp() looks at each
 * tracked UDP connection to one of the given services and deletes those that end anywhere else than
 * at one of its endpoints (also those that began before the service had any).
 *
 * Blocks; works in the calling thread's network namespace.  Needs CAP_NET_ADMIN.
 * Source: linux/netfilter/nfnetlink_conntrack.h. */
#ifndef SKEG_NET_CONNTRACK_H
#define SKEG_NET_CONNTRACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ipaddr.h"

struct conntrack_target {
	struct ipaddr addr;
	uint16_t port;
};

struct conntrack_service {
	struct ipaddr addr; /* no address: a node port, on whatever address */
	unsigned family;    /* of a node port */
	uint16_t port;
	const struct conntrack_target *targets;
	size_t target_count;
};

[[nodiscard]] enum rc conntrack_prune_udp(const struct conntrack_service *services, size_t count,
					  size_t *ret_deleted, struct err *err);

#endif
