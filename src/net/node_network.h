/* node_network: the network of a cluster whose nodes all live on this machine, and a node's routes.
 *
 *	host                    namespace skeg-C         namespace skeg-C-N (one a node)
 *	skeg0 172.31.0.1/24 ──── host ─┐
 *	(routes to pods)               br0 ── n0 ──────── eth0 172.31.0.10/24, default via
 *172.31.0.1 └──── n1 ── …    pods: one veth each, routed, 10.42.N.0/24
 *
 * The bridge has a namespace of its own so that no firewall and no bridge-nf-call-iptables of the
 *host sees what nodes say to each other, and so that removing namespaces removes everything.  On
 *the host there is one link, one nftables table (`ip skeg0`, named as the link: masquerade to the
 *outside) and, when the host doesn't forward already, net.ipv4.conf.<link>.forwarding = 1 on skeg0
 *and on the uplink.  The uplink's former value is kept in the alias of skeg0 and restored at the
 *end; the table refuses to forward anything else that the uplink would newly pass on.
 *
 * All calls block (tens of ms), need CAP_NET_ADMIN and CAP_SYS_ADMIN, and are idempotent: what
 *exists and is ours (by name and by the alias "skeg cluster=C") is adopted, half-built things are
 *completed. Errors name what is in the way.  Threads: one call at a time for one cluster. */
#ifndef SKEG_NET_NODE_NETWORK_H
#define SKEG_NET_NODE_NETWORK_H

#include "base/err.h"
#include "base/ipaddr.h"
#include "base/str.h"
#include "net/netlink.h"
#include "net/netns.h"

#define MACHINE_NETWORK_FIRST_NODE 10 /* node 0 has address number 10 of the subnet */
#define MACHINE_NETWORK_MAX_NODES  200

struct machine_network {
	char cluster[64];
	char link[LINK_NAME_MAX]; /* on the host: "skeg0" */
	char netns_path[NETNS_PATH_MAX];
	struct ipnet subnet;	 /* 172.31.x.0/24 */
	struct ipaddr host_addr; /* of the host on it: where nodes reach the API server */
};

struct node_network {
	char netns_path[NETNS_PATH_MAX]; /* the agent enters it before it starts threads */
	struct ipaddr addr;		 /* the node's InternalIP */
	struct ipaddr host_addr;
};

/* cluster: a DNS label.  subnet: where to put it; no address: the first free 172.31.x.0/24, else
 * 172.30.x.0/24 … 172.16.x.0/24.  Free means: no address and no route of the host in it. */
[[nodiscard]] enum rc machine_network_up(struct str cluster, struct ipnet subnet,
					 struct machine_network *ret_net, struct err *err);
/* The one that is up; RC_NOT_FOUND. */
[[nodiscard]] enum rc machine_network_find(struct str cluster, struct machine_network *ret_net,
					   struct err *err);
/* Removes everything of the cluster, nodes included; goes on after an error and returns the first.
 */
[[nodiscard]] enum rc machine_network_down(struct str cluster, struct err *err);
/* The host's way to a node's pods; call it in the host's namespace. */
[[nodiscard]] enum rc machine_network_route(const struct machine_network *net,
					    struct ipnet pod_cidr, struct ipaddr node_addr,
					    struct err *err);

/* node: a DNS subdomain; index: 0 … MACHINE_NETWORK_MAX_NODES - 1, stable for the node's life. */
[[nodiscard]] enum rc node_network_up(const struct machine_network *net, struct str node,
				      unsigned index, struct node_network *ret_net,
				      struct err *err);
[[nodiscard]] enum rc node_network_down(const struct machine_network *net, struct str node,
					struct err *err);

/* What a node's namespace needs to route for pods: forwarding and tolerant connection tracking.
 * Part of node_network_up(); a real node calls it for the host's namespace, where it changes
 * net.ipv4.ip_forward and net.ipv6.conf.all.forwarding to 1 as every Kubernetes node does. */
[[nodiscard]] enum rc node_network_enable_forwarding(struct err *err);

/* Makes the routes to other nodes' pods exactly these (among those of NETLINK_ROUTE_PROTOCOL), in
 * the calling thread's namespace. */
struct node_route {
	struct ipnet pod_cidr;
	struct ipaddr node_addr;
};
[[nodiscard]] enum rc node_network_set_routes(const struct node_route *routes, size_t count,
					      struct err *err);

#endif
