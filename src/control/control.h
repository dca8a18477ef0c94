/* control: the controllers of the control plane, one row each, for sync/reconcile.h.
 *
 * Semantics, names, conditions, reasons, events and messages are upstream's kube-controller-manager
 * v1.35. All of them are pure: they see the cache, a key and the clock, and give back a plan. */
#ifndef SKEG_CONTROL_CONTROL_H
#define SKEG_CONTROL_CONTROL_H

#include "base/ipaddr.h"
#include "sync/reconcile.h"

/* Handed to reconciler_new() as its state; constant while the reconciler lives. */
struct control_settings {
	const struct ipnet
		*cluster_cidrs; /* of pods, one a family; none: podCIDRs are not given out */
	size_t cluster_cidr_count;
	unsigned node_mask_v4, node_mask_v6; /* size of a node's part; 0: 24 and 64 */
	struct str ca_pem; /* of the API server, for kube-root-ca.crt; absent: none is published */
	int64_t node_grace_s;	     /* a lease older than this: the node is unknown; 0: 40 */
	int64_t terminated_pods_max; /* beyond it the oldest are deleted; 0: 12500 */
	bool has_own_load_balancer;  /* give Services of type LoadBalancer the nodes' addresses */
};

extern const struct controller *const controllers[];
extern const size_t controllers_count;

/* The kinds that the cache of the controllers has to hold: all that are stored, ordered.
 * ret_kinds has room for api->stored_count; returns how many. */
size_t control_kinds(const struct api *api, uint16_t *ret_kinds);

#endif
