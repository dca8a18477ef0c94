/* route_keeper: keeps a node's routes to the other nodes' pods in step with the Node objects.
 *
 * Within ROUTE_KEEPER_DELAY_MS of an event it reads spec.podCIDRs and the InternalIPs of all nodes
 * and applies the difference on a pool thread; a failure is tried again every
 * ROUTE_KEEPER_RETRY_MS. Nodes whose pod range or address is not known yet, or whose range overlaps
 * this node's, have no route.  Where all nodes share a machine the host gets a route to this node's
 * pods as well. Threads: the loop of the cache. */
#ifndef SKEG_NET_ROUTE_KEEPER_H
#define SKEG_NET_ROUTE_KEEPER_H

#include "net/node_network.h"
#include "sync/cache.h"

#define ROUTE_KEEPER_DELAY_MS 100
#define ROUTE_KEEPER_RETRY_MS 5000
#define ROUTE_KEEPER_MAX      10000 /* routes; what exceeds them is left out */

struct route_keeper_config {
	struct cache *cache;  /* with KIND_NODE */
	struct str node_name; /* this one; must stay */
	int netns_fd;	      /* where the routes go, -1: the process's; not owned */
	int host_netns_fd; /* of the machine whose pods' way back is wanted, -1: none; not owned */
};

struct route_keeper;

[[nodiscard]] struct route_keeper *route_keeper_new(const struct route_keeper_config *config,
						    struct loop *loop);
/* At once, but for work on its way: the loop has to run until that is done. */
void route_keeper_free(struct route_keeper *keeper);

/* What the routes should be: a pure function of the cache. */
struct route_plan {
	struct node_route *others; /* to the other nodes */
	size_t other_count;
	struct node_route *own; /* the host's way to this one */
	size_t own_count;
};
void route_plan_make(struct arena *a, const struct cache *cache, struct str node_name,
		     struct route_plan *ret_plan);

#endif
