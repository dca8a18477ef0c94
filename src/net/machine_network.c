/* The shared part of node_network.h: one link of the host, one namespace with the bridge, and the
 *way out.  What has to be restored at the end is written to the alias of the host's link before the
 *change is made, so that a killed process leaves enough behind for the next one to undo it:
 *
 *	skeg cluster=C uplink=eth0 forwarding=0
 */
#include "net/node_network.h"

#include "base/buf.h"
#include "io/file.h"
#include "net/machine_network-int.h"
#include "net/nft.h"
#include "net/sysctl.h"

#define ALIAS_PREFIX "skeg cluster="
#define MAX_LINKS    64
#define NFT_TEXT_MAX 8192
#define SUBNET_BITS  24

/* Freely chosen subnets lie in 172.31.0.0/16, then 172.30.0.0/16 and so on down to 172.16.0.0/16.
 */
#define FIRST_SECOND_BYTE 31
#define LAST_SECOND_BYTE  16

struct uplink {
	char link[LINK_NAME_MAX]; /* "": no default route, no way out */
	int64_t was_forwarding;
};

/* --- names --- */

static bool is_label_char(char c, bool with_dot)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       (with_dot && c == '.');
}

enum rc machine_network_check_name(struct str name, size_t max_len, bool with_dot, const char *what,
				   struct err *err)
{
	bool is_fine = name.len > 0 && name.len <= max_len;
	for (size_t i = 0; is_fine && i < name.len; i++)
		is_fine = is_label_char(name.at[i], with_dot);
	if (!is_fine)
		return err_set(err, RC_INVALID,
			       "'%.*s' can't name a %s: use 1 to %zu of a-z, 0-9, '-'%s",
			       STR_FMT(name), what, max_len, with_dot ? ", '.'" : "");
	return RC_OK;
}

static enum rc name_parts(struct str cluster, struct machine_network *net, struct err *err)
{
	char name[NETNS_NAME_MAX];
	TRY(machine_network_check_name(cluster, sizeof(net->cluster) - 1, false, "cluster", err));
	snprintf(net->cluster, sizeof(net->cluster), "%.*s", STR_FMT(cluster));
	snprintf(name, sizeof(name), "skeg-%s", net->cluster);
	return netns_path(str_of(name), net->netns_path, err);
}

/* Link names come from the kernel and may hold nearly anything; only plain ones become rule text.
 */
static bool is_plain_link(const char *link)
{
	for (const char *c = link; *c; c++)
		if (!is_label_char(*c, true) && !(*c >= 'A' && *c <= 'Z') && *c != '_' && *c != '@')
			return false;
	return *link != 0;
}

/* --- the alias --- */

static void write_alias(char out[LINK_ALIAS_MAX], const struct machine_network *net,
			const struct uplink *uplink)
{
	snprintf(out, LINK_ALIAS_MAX, ALIAS_PREFIX "%s uplink=%s forwarding=%lld", net->cluster,
		 uplink->link, (long long)uplink->was_forwarding);
}

static struct str alias_value(struct str alias, const char *key)
{
	struct str word, rest;
	for (bool more = true; more; alias = rest) {
		more = str_cut(alias, ' ', &word, &rest);
		struct str name, value;
		if (str_cut(word, '=', &name, &value) && str_is(name, key))
			return value;
	}
	return (struct str){};
}

static void read_alias(const char *alias, struct uplink *ret_uplink)
{
	struct str link = alias_value(str_of(alias), "uplink");
	*ret_uplink = (struct uplink){};
	if (link.len > 0 && link.len < LINK_NAME_MAX &&
	    str_to_i64(alias_value(str_of(alias), "forwarding"), &ret_uplink->was_forwarding))
		snprintf(ret_uplink->link, LINK_NAME_MAX, "%.*s", STR_FMT(link));
}

static enum rc find_by_alias(struct netlink *nl, struct machine_network *net,
			     struct uplink *ret_uplink, struct err *err)
{
	char alias[LINK_ALIAS_MAX], prefix[LINK_ALIAS_MAX];
	snprintf(prefix, sizeof(prefix), ALIAS_PREFIX "%s ", net->cluster);
	TRY(netlink_link_by_alias(nl, str_of(prefix), NULL, net->link, alias, err));
	read_alias(alias, ret_uplink);
	return RC_OK;
}

/* --- choosing --- */

static bool is_free(struct ipnet subnet, const struct ipnet *addrs, size_t addr_count,
		    const struct netlink_route *routes, size_t route_count)
{
	for (size_t i = 0; i < addr_count; i++)
		if (ipnet_overlaps(subnet, addrs[i]))
			return false;
	for (size_t i = 0; i < route_count; i++)
		if (routes[i].dst.prefix_bits > 0 && ipnet_overlaps(subnet, routes[i].dst))
			return false;
	return true;
}

static enum rc choose_subnet(struct netlink *nl, struct ipnet *ret_subnet, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct ipnet *addrs;
	struct netlink_route *routes;
	size_t addr_count, route_count;
	TRY(netlink_addrs(nl, &a, "", &addrs, &addr_count, err));
	TRY(netlink_routes(nl, &a, 0, &routes, &route_count, err));
	for (unsigned second = FIRST_SECOND_BYTE; second >= LAST_SECOND_BYTE; second--) {
		for (unsigned third = 0; third < 256; third++) {
			struct ipnet subnet = {ipaddr_v4(172, (uint8_t)second, (uint8_t)third, 0),
					       SUBNET_BITS};
			if (!is_free(subnet, addrs, addr_count, routes, route_count))
				continue;
			*ret_subnet = subnet;
			return RC_OK;
		}
	}
	return err_set(err, RC_CONFLICT,
		       "no /24 of 172.16.0.0/12 is free for the nodes: name one that is");
}

static enum rc choose_link(struct netlink *nl, char ret_link[LINK_NAME_MAX], struct err *err)
{
	for (int i = 0; i < MAX_LINKS; i++) {
		snprintf(ret_link, LINK_NAME_MAX, "skeg%d", i);
		if (!netlink_link_exists(nl, ret_link))
			return RC_OK;
	}
	return err_set(err, RC_CONFLICT, "links skeg0 to skeg%d all exist", MAX_LINKS - 1);
}

/* The uplink's own value, not the one that another cluster has set. */
static void ask_sibling(struct netlink *nl, struct uplink *uplink)
{
	char link[LINK_NAME_MAX], alias[LINK_ALIAS_MAX];
	struct uplink its;
	if (netlink_link_by_alias(nl, STR(ALIAS_PREFIX), NULL, link, alias, NULL) != RC_OK)
		return;
	read_alias(alias, &its);
	if (strcmp(its.link, uplink->link) == 0)
		*uplink = its;
}

static void find_uplink(struct netlink *nl, struct uplink *ret_uplink)
{
	CLEANUP_ARENA a = {};
	struct netlink_route *routes;
	size_t count;
	*ret_uplink = (struct uplink){};
	if (netlink_routes(nl, &a, 0, &routes, &count, NULL) != RC_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		char name[64];
		int64_t value;
		if (routes[i].dst.prefix_bits != 0 || routes[i].dst.addr.family != IP_V4 ||
		    !is_plain_link(routes[i].link))
			continue;
		snprintf(name, sizeof(name), "net/ipv4/conf/%s/forwarding", routes[i].link);
		if (sysctl_get(name, &value, NULL) != RC_OK)
			continue;
		snprintf(ret_uplink->link, LINK_NAME_MAX, "%s", routes[i].link);
		ret_uplink->was_forwarding = value;
		ask_sibling(nl, ret_uplink);
		return;
	}
}

/* --- making --- */

static enum rc make_bridge(void *arg, struct err *err)
{
	static const char *const bridge_filters[] = {"net/bridge/bridge-nf-call-iptables",
						     "net/bridge/bridge-nf-call-ip6tables",
						     "net/bridge/bridge-nf-call-arptables"};
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	TRY(netlink_open(&nl, err));
	for (size_t i = 0; i < ARRAY_LEN(bridge_filters); i++)
		TRY(sysctl_set(bridge_filters[i], 0, err));
	TRY(netlink_make_bridge(nl, MACHINE_BRIDGE, err));
	TRY(netlink_set_up(nl, MACHINE_BRIDGE, err));
	/* half of a pair that lost its name on the host's side */
	return *(bool *)arg ? netlink_remove_link(nl, MACHINE_HOST_PEER, err) : RC_OK;
}

static enum rc join_bridge(void *arg, struct err *err)
{
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	TRY(netlink_open(&nl, err));
	TRY(netlink_set_master(nl, arg, MACHINE_BRIDGE, err));
	return netlink_set_up(nl, arg, err);
}

enum rc machine_network_join_bridge(int netns_fd, const char *link, struct err *err)
{
	return netns_call(netns_fd, join_bridge, (void *)link, err);
}

static enum rc make_host_link(struct netlink *nl, struct machine_network *net,
			      const struct uplink *uplink, bool is_new, int netns_fd,
			      struct err *err)
{
	char alias[LINK_ALIAS_MAX];
	struct ipnet addr = {net->host_addr, net->subnet.prefix_bits};
	if (is_new)
		TRY(netlink_make_veth(nl, net->link, MACHINE_HOST_PEER, netns_fd, err));
	write_alias(alias, net, uplink);
	TRY(netlink_set_alias(nl, net->link, alias, err));
	TRY(netlink_add_addr(nl, net->link, addr, err));
	TRY(netlink_set_up(nl, net->link, err));
	return machine_network_join_bridge(netns_fd, MACHINE_HOST_PEER, err);
}

/* Nobody outside may start a connection into the cluster by way of this machine, and what the host
 * did not forward before it does not forward now. */
static void write_host_table(struct buf *out, const struct machine_network *net,
			     const struct uplink *uplink)
{
	buf_printf(out, "add table ip %s\ndelete table ip %s\ntable ip %s {\n", net->link,
		   net->link, net->link);
	buf_add_cstr(out, "\tchain postrouting {\n"
			  "\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t\t"
			  "ip saddr ");
	nft_add_net(out, net->subnet);
	buf_printf(out, " oifname != \"%s\" masquerade\n\t}\n", net->link);
	buf_add_cstr(out, "\tchain forward {\n"
			  "\t\ttype filter hook forward priority filter; policy accept;\n");
	buf_printf(out, "\t\toifname \"%s\" ct state new drop\n", net->link);
	if (!uplink->was_forwarding)
		buf_printf(out, "\t\tiifname \"%s\" oifname != \"skeg*\" drop\n", uplink->link);
	buf_add_cstr(out, "\t}\n}\n");
}

static enum rc open_way_out(const struct machine_network *net, const struct uplink *uplink,
			    struct err *err)
{
	char name[64];
	CLEANUP_BUF text = BUF_INIT(NFT_TEXT_MAX);
	if (!uplink->link[0])
		return RC_OK;
	struct nft *nft = nft_program_new(-1);
	write_host_table(&text, net, uplink);
	enum rc rc = nft_apply(nft, buf_str(&text), err);
	nft_free(nft);
	TRY(rc);
	snprintf(name, sizeof(name), "net/ipv4/conf/%s/forwarding", net->link);
	TRY(sysctl_set(name, 1, err));
	snprintf(name, sizeof(name), "net/ipv4/conf/%s/forwarding", uplink->link);
	return sysctl_set(name, 1, err);
}

/* The address of the link is the truth; without one (killed just before it was set) choose again.
 */
static enum rc read_subnet(struct netlink *nl, struct machine_network *net, struct ipnet wanted,
			   struct err *err)
{
	CLEANUP_ARENA a = {};
	struct ipnet *addrs;
	size_t count;
	TRY(netlink_addrs(nl, &a, net->link, &addrs, &count, err));
	net->subnet = wanted;
	for (size_t i = 0; i < count; i++)
		if (addrs[i].addr.family == IP_V4)
			net->subnet = ipnet_masked(addrs[i]);
	return RC_OK;
}

static enum rc check_subnet(struct ipnet subnet, struct err *err)
{
	if (subnet.addr.family == IP_NONE ||
	    (subnet.addr.family == IP_V4 && subnet.prefix_bits <= SUBNET_BITS))
		return RC_OK;
	return err_set(err, RC_INVALID, "the nodes' subnet must be IPv4 and at least a /%d",
		       SUBNET_BITS);
}

enum rc machine_network_up(struct str cluster, struct ipnet subnet, struct machine_network *ret_net,
			   struct err *err)
{
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	CLEANUP(close_fd_p) int netns_fd = -1;
	struct machine_network net = {};
	struct uplink uplink;
	TRY(name_parts(cluster, &net, err));
	TRY(check_subnet(subnet, err));
	TRY(netlink_open(&nl, err));
	enum rc found = find_by_alias(nl, &net, &uplink, err);
	bool is_new = found == RC_NOT_FOUND;
	if (is_new)
		TRY(choose_link(nl, net.link, err));
	else
		TRY(found);
	net.subnet = ipnet_masked(subnet);
	if (!is_new)
		TRY(read_subnet(nl, &net, net.subnet, err));
	if (net.subnet.addr.family == IP_NONE)
		TRY(choose_subnet(nl, &net.subnet, err));
	if (!uplink.link[0] || is_new)
		find_uplink(nl, &uplink);
	ASSERT(ipnet_nth(net.subnet, 1, &net.host_addr));
	TRY(netns_keep(net.netns_path, NULL, err));
	TRY(netns_open(net.netns_path, &netns_fd, err));
	TRY(netns_call(netns_fd, make_bridge, &is_new, err));
	TRY(make_host_link(nl, &net, &uplink, is_new, netns_fd, err));
	TRY(open_way_out(&net, &uplink, err));
	*ret_net = net;
	return RC_OK;
}

enum rc machine_network_find(struct str cluster, struct machine_network *ret_net, struct err *err)
{
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	struct machine_network net = {};
	struct uplink uplink;
	TRY(name_parts(cluster, &net, err));
	TRY(netlink_open(&nl, err));
	TRY(find_by_alias(nl, &net, &uplink, err));
	TRY(read_subnet(nl, &net, (struct ipnet){}, err));
	if (!ipnet_nth(net.subnet, 1, &net.host_addr))
		return err_set(err, RC_NOT_FOUND, "link '%s' has no address", net.link);
	*ret_net = net;
	return RC_OK;
}

enum rc machine_network_route(const struct machine_network *net, struct ipnet pod_cidr,
			      struct ipaddr node_addr, struct err *err)
{
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	struct netlink_route route = {.dst = pod_cidr, .gateway = node_addr};
	snprintf(route.link, sizeof(route.link), "%s", net->link);
	TRY(netlink_open(&nl, err));
	return netlink_set_route(nl, &route, err);
}

/* --- removing --- */

static void keep_first(enum rc rc, const struct err *err, enum rc *first, struct err *ret_err)
{
	if (rc == RC_OK || *first != RC_OK)
		return;
	*first = rc;
	if (ret_err)
		*ret_err = *err;
}

static enum rc remove_host_table(const struct machine_network *net, struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(NFT_TEXT_MAX);
	struct nft *nft = nft_program_new(-1);
	buf_printf(&text, "add table ip %s\ndelete table ip %s\n", net->link, net->link);
	enum rc rc = nft_apply(nft, buf_str(&text), err);
	nft_free(nft);
	return rc;
}

/* Another cluster that goes out by the same uplink takes over what has to be restored at the end.
 */
static enum rc hand_over(struct netlink *nl, const struct machine_network *net,
			 const struct uplink *uplink, bool *ret_is_taken, struct err *err)
{
	struct machine_network other = {};
	struct uplink its;
	char alias[LINK_ALIAS_MAX];
	enum rc rc =
		netlink_link_by_alias(nl, STR(ALIAS_PREFIX), net->link, other.link, alias, err);
	*ret_is_taken = false;
	if (rc == RC_NOT_FOUND)
		return RC_OK;
	TRY(rc);
	read_alias(alias, &its);
	if (strcmp(its.link, uplink->link) != 0)
		return RC_OK;
	TRY(name_parts(alias_value(str_of(alias), "cluster"), &other, err));
	TRY(read_subnet(nl, &other, (struct ipnet){}, err));
	write_alias(alias, &other, uplink);
	TRY(netlink_set_alias(nl, other.link, alias, err));
	*ret_is_taken = true;
	return open_way_out(&other, uplink, err);
}

static enum rc close_way_out(struct netlink *nl, const struct machine_network *net,
			     const struct uplink *uplink, struct err *err)
{
	char name[64];
	bool is_taken = false;
	if (!uplink->link[0])
		return RC_OK;
	TRY(hand_over(nl, net, uplink, &is_taken, err));
	snprintf(name, sizeof(name), "net/ipv4/conf/%s/forwarding", uplink->link);
	if (!is_taken)
		TRY(sysctl_set(name, uplink->was_forwarding, err));
	return remove_host_table(net, err);
}

/* The nodes' namespaces are named skeg-C.NODE; a cluster's name holds no dot. */
static enum rc release_namespaces(const struct machine_network *net, struct err *err)
{
	CLEANUP_ARENA a = {};
	char path[NETNS_PATH_MAX];
	const char **names;
	size_t count;
	enum rc first = RC_OK;
	struct err one;
	struct str prefix = arena_printf(&a, "skeg-%s.", net->cluster);
	enum rc rc = dir_list(NETNS_FOLDER, &a, &names, &count, err);
	if (rc != RC_OK)
		return rc == RC_NOT_FOUND ? RC_OK : rc;
	for (size_t i = 0; i < count; i++)
		if (str_has_prefix(str_of(names[i]), prefix) &&
		    netns_path(str_of(names[i]), path, NULL) == RC_OK)
			keep_first(netns_release(path, &one), &one, &first, err);
	keep_first(netns_release(net->netns_path, &one), &one, &first, err);
	return first;
}

enum rc machine_network_down(struct str cluster, struct err *err)
{
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	struct machine_network net = {};
	struct uplink uplink = {};
	enum rc first = RC_OK;
	struct err one;
	TRY(name_parts(cluster, &net, err));
	TRY(netlink_open(&nl, err));
	enum rc found = find_by_alias(nl, &net, &uplink, &one);
	if (found == RC_OK) {
		keep_first(close_way_out(nl, &net, &uplink, &one), &one, &first, err);
		keep_first(netlink_remove_link(nl, net.link, &one), &one, &first, err);
	} else if (found != RC_NOT_FOUND) {
		keep_first(found, &one, &first, err);
	}
	keep_first(release_namespaces(&net, &one), &one, &first, err);
	return first;
}
