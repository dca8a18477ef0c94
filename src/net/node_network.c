#include "net/node_network.h"

#include "net/machine_network-int.h"
#include "net/sysctl.h"

#define NODE_LINK	  "eth0"
#define NODE_NAME_MAX	  120
#define NODE_ALIAS_FORMAT "skeg node=%.*s " /* the space: no name is the start of another */

/* The work of node_network_up(), done partly in the bridge's namespace, partly in the node's. */
struct node_link {
	struct str node;
	char port[LINK_NAME_MAX]; /* the bridge's end: "n0" */
	int bridge_netns_fd, node_netns_fd;
	struct ipnet addr;
	struct ipaddr host_addr;
	bool has_link;
};

static enum rc node_netns_path(const struct machine_network *net, struct str node,
			       char out[NETNS_PATH_MAX], struct err *err)
{
	char name[NETNS_NAME_MAX];
	TRY(machine_network_check_name(node, NODE_NAME_MAX, true, "node", err));
	snprintf(name, sizeof(name), "skeg-%s.%.*s", net->cluster, STR_FMT(node));
	return netns_path(str_of(name), out, err);
}

static enum rc look_for_link(void *arg, struct err *err)
{
	struct node_link *n = arg;
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	TRY(netlink_open(&nl, err));
	n->has_link = netlink_link_exists(nl, NODE_LINK);
	return RC_OK;
}

/* A port of that name without the node's end belongs to a namespace that is on its way out, or to
 * another node that was given the same index. */
static enum rc remove_stale_port(struct netlink *nl, const struct node_link *n, struct err *err)
{
	char port[LINK_NAME_MAX], found[LINK_ALIAS_MAX], wanted[LINK_ALIAS_MAX];
	if (!netlink_link_exists(nl, n->port))
		return RC_OK;
	snprintf(wanted, sizeof(wanted), NODE_ALIAS_FORMAT, STR_FMT(n->node));
	bool is_ours = netlink_link_by_alias(nl, str_of(wanted), NULL, port, found, NULL) ==
			       RC_OK &&
		       strcmp(port, n->port) == 0 && strcmp(found, wanted) == 0;
	if (!is_ours)
		return err_set(err, RC_ALREADY_EXISTS,
			       "port '%s' of the bridge belongs to another node: give node '%.*s' "
			       "an index of its own",
			       n->port, STR_FMT(n->node));
	return netlink_remove_link(nl, n->port, err);
}

static enum rc make_port(void *arg, struct err *err)
{
	const struct node_link *n = arg;
	char alias[LINK_ALIAS_MAX];
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	TRY(netlink_open(&nl, err));
	if (!n->has_link) {
		TRY(remove_stale_port(nl, n, err));
		TRY(netlink_make_veth(nl, n->port, NODE_LINK, n->node_netns_fd, err));
	}
	snprintf(alias, sizeof(alias), NODE_ALIAS_FORMAT, STR_FMT(n->node));
	return netlink_set_alias(nl, n->port, alias, err);
}

enum rc node_network_enable_forwarding(struct err *err)
{
	TRY(sysctl_set("net/ipv4/ip_forward", 1, err));
	return sysctl_set("net/ipv6/conf/all/forwarding", 1, err);
}

/* Only for a namespace that is ours alone: a pod that reaches itself comes in and goes out by the
 * same link, of which no redirect must tell it; and a packet that connection tracking finds out of
 * window must not be answered by a reset (kubernetes issue 74839). */
static enum rc set_node_sysctls(struct err *err)
{
	TRY(node_network_enable_forwarding(err));
	TRY(sysctl_set("net/ipv4/conf/all/send_redirects", 0, err));
	TRY(sysctl_set("net/ipv4/conf/default/send_redirects", 0, err));
	return sysctl_set("net/netfilter/nf_conntrack_tcp_be_liberal", 1, err);
}

static enum rc set_up_node(void *arg, struct err *err)
{
	const struct node_link *n = arg;
	struct netlink_route out = {
		.dst.addr.family = IP_V4, .gateway = n->host_addr, .link = NODE_LINK};
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	TRY(netlink_open(&nl, err));
	TRY(netlink_add_addr(nl, NODE_LINK, n->addr, err));
	TRY(netlink_set_up(nl, NODE_LINK, err));
	TRY(netlink_set_route(nl, &out, err));
	return set_node_sysctls(err);
}

static enum rc build(struct node_link *n, struct err *err)
{
	TRY(netns_call(n->node_netns_fd, look_for_link, n, err));
	TRY(netns_call(n->bridge_netns_fd, make_port, n, err));
	TRY(netns_call(n->node_netns_fd, set_up_node, n, err));
	return machine_network_join_bridge(n->bridge_netns_fd, n->port, err);
}

enum rc node_network_up(const struct machine_network *net, struct str node, unsigned index,
			struct node_network *ret_net, struct err *err)
{
	CLEANUP(close_fd_p) int bridge_netns_fd = -1;
	CLEANUP(close_fd_p) int node_netns_fd = -1;
	struct node_network ready = {.host_addr = net->host_addr};
	if (index >= MACHINE_NETWORK_MAX_NODES)
		return err_set(err, RC_TOO_LARGE, "one machine holds at most %d nodes",
			       MACHINE_NETWORK_MAX_NODES);
	TRY(node_netns_path(net, node, ready.netns_path, err));
	ASSERT(ipnet_nth(net->subnet, MACHINE_NETWORK_FIRST_NODE + index, &ready.addr));
	TRY(netns_open(net->netns_path, &bridge_netns_fd, err));
	TRY(netns_keep(ready.netns_path, NULL, err));
	TRY(netns_open(ready.netns_path, &node_netns_fd, err));
	struct node_link n = {.node = node,
			      .bridge_netns_fd = bridge_netns_fd,
			      .node_netns_fd = node_netns_fd,
			      .addr = {ready.addr, net->subnet.prefix_bits},
			      .host_addr = net->host_addr};
	snprintf(n.port, sizeof(n.port), "n%u", index);
	enum rc rc = build(&n, err);
	if (rc != RC_OK)
		return err_wrap(err, "network of node '%.*s'", STR_FMT(node));
	*ret_net = ready;
	return RC_OK;
}

enum rc node_network_down(const struct machine_network *net, struct str node, struct err *err)
{
	char path[NETNS_PATH_MAX];
	TRY(node_netns_path(net, node, path, err));
	return netns_release(path, err);
}

/* --- routes to other nodes' pods --- */

static bool is_same_route(const struct netlink_route *have, const struct node_route *want)
{
	return ipnet_eq(have->dst, ipnet_masked(want->pod_cidr)) &&
	       ipaddr_eq(have->gateway, want->node_addr);
}

static bool has_route(const struct netlink_route *have, size_t have_count,
		      const struct node_route *want)
{
	for (size_t i = 0; i < have_count; i++)
		if (is_same_route(&have[i], want))
			return true;
	return false;
}

static bool is_wanted_dst(const struct netlink_route *have, const struct node_route *routes,
			  size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ipnet_eq(have->dst, ipnet_masked(routes[i].pod_cidr)))
			return true;
	return have->dst.prefix_bits == 0; /* the way out, set by node_network_up() */
}

enum rc node_network_set_routes(const struct node_route *routes, size_t count, struct err *err)
{
	CLEANUP_ARENA a = {};
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	struct netlink_route *have;
	size_t have_count;
	TRY(netlink_open(&nl, err));
	TRY(netlink_routes(nl, &a, NETLINK_ROUTE_PROTOCOL, &have, &have_count, err));
	for (size_t i = 0; i < count; i++) {
		struct netlink_route route = {.dst = routes[i].pod_cidr,
					      .gateway = routes[i].node_addr};
		if (!has_route(have, have_count, &routes[i]))
			TRY(netlink_set_route(nl, &route, err));
	}
	for (size_t i = 0; i < have_count; i++)
		if (!is_wanted_dst(&have[i], routes, count))
			TRY(netlink_remove_route(nl, &have[i], err));
	return RC_OK;
}
