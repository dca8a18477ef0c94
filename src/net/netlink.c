#include "net/netlink.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

struct netlink {
	struct nl_sock *sock;
};

DEFINE_CLEANUP(struct rtnl_link *, rtnl_link_put)
DEFINE_CLEANUP(struct rtnl_addr *, rtnl_addr_put)
DEFINE_CLEANUP(struct rtnl_route *, rtnl_route_put)
DEFINE_CLEANUP(struct nl_addr *, nl_addr_put)
DEFINE_CLEANUP(struct nl_cache *, nl_cache_free)

/* code is libnl's, negative; the text is "what 'subject': cause". */
static enum rc err_netlink(struct err *err, int code, const char *what, const char *subject)
{
	if (code == -NLE_PERM)
		return err_set(err, RC_FORBIDDEN, "%s '%s' needs root (CAP_NET_ADMIN)", what,
			       subject);
	return err_set(err, RC_IO, "%s '%s': %s", what, subject, nl_geterror(code));
}

enum rc netlink_open(struct netlink **ret_nl, struct err *err)
{
	struct netlink *nl = NEW(struct netlink);
	nl->sock = nl_socket_alloc();
	ASSERT(nl->sock);
	int code = nl_connect(nl->sock, NETLINK_ROUTE);
	if (code < 0) {
		netlink_close(nl);
		return err_netlink(err, code, "open", "netlink");
	}
	*ret_nl = nl;
	return RC_OK;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sock);
	free(nl);
}

/* --- links --- */

static struct rtnl_link *find_link(struct netlink *nl, const char *link)
{
	struct rtnl_link *found = NULL;
	return rtnl_link_get_kernel(nl->sock, 0, link, &found) == 0 ? found : NULL;
}

static enum rc need_link(struct netlink *nl, const char *link, struct rtnl_link **ret_link,
			 struct err *err)
{
	struct rtnl_link *found = find_link(nl, link);
	if (!found)
		return err_set(err, RC_NOT_FOUND, "link '%s' isn't there", link);
	*ret_link = found;
	return RC_OK;
}

bool netlink_link_exists(struct netlink *nl, const char *link)
{
	CLEANUP(rtnl_link_put_p) struct rtnl_link *found = find_link(nl, link);
	return found != NULL;
}

enum rc netlink_link_by_alias(struct netlink *nl, struct str prefix, const char *except,
			      char ret_link[LINK_NAME_MAX], char ret_alias[LINK_ALIAS_MAX],
			      struct err *err)
{
	CLEANUP(nl_cache_free_p) struct nl_cache *links = NULL;
	int code = rtnl_link_alloc_cache(nl->sock, AF_UNSPEC, &links);
	if (code < 0)
		return err_netlink(err, code, "list", "links");
	for (struct nl_object *o = nl_cache_get_first(links); o; o = nl_cache_get_next(o)) {
		struct rtnl_link *link = (struct rtnl_link *)o;
		const char *alias = rtnl_link_get_ifalias(link);
		if (!alias || !str_has_prefix(str_of(alias), prefix) ||
		    (except && strcmp(except, rtnl_link_get_name(link)) == 0))
			continue;
		snprintf(ret_link, LINK_NAME_MAX, "%s", rtnl_link_get_name(link));
		snprintf(ret_alias, LINK_ALIAS_MAX, "%s", alias);
		return RC_OK;
	}
	return err_set(err, RC_NOT_FOUND, "no link has an alias '%.*s'", STR_FMT(prefix));
}

static enum rc add_link(struct netlink *nl, struct rtnl_link *link, struct err *err)
{
	int code = rtnl_link_add(nl->sock, link, NLM_F_CREATE | NLM_F_EXCL);
	if (code < 0 && code != -NLE_EXIST)
		return err_netlink(err, code, "make link", rtnl_link_get_name(link));
	return RC_OK;
}

enum rc netlink_make_bridge(struct netlink *nl, const char *link, struct err *err)
{
	CLEANUP(rtnl_link_put_p) struct rtnl_link *bridge = rtnl_link_bridge_alloc();
	ASSERT(bridge);
	rtnl_link_set_name(bridge, link);
	return add_link(nl, bridge, err);
}

enum rc netlink_make_veth(struct netlink *nl, const char *link, const char *peer, int peer_netns_fd,
			  struct err *err)
{
	CLEANUP(rtnl_link_put_p) struct rtnl_link *near = rtnl_link_veth_alloc();
	ASSERT(near);
	CLEANUP(rtnl_link_put_p) struct rtnl_link *far = rtnl_link_veth_get_peer(near);
	rtnl_link_set_name(near, link);
	rtnl_link_set_name(far, peer);
	rtnl_link_set_ns_fd(far, peer_netns_fd);
	return add_link(nl, near, err);
}

enum rc netlink_remove_link(struct netlink *nl, const char *link, struct err *err)
{
	CLEANUP(rtnl_link_put_p) struct rtnl_link *found = find_link(nl, link);
	int code = found ? rtnl_link_delete(nl->sock, found) : 0;
	if (code < 0 && code != -NLE_NODEV && code != -NLE_OBJ_NOTFOUND)
		return err_netlink(err, code, "remove link", link);
	return RC_OK;
}

static enum rc change_link(struct netlink *nl, const char *name, struct rtnl_link *change,
			   struct err *err)
{
	CLEANUP(rtnl_link_put_p) struct rtnl_link *link = NULL;
	TRY(need_link(nl, name, &link, err));
	int code = rtnl_link_change(nl->sock, link, change, 0);
	return code < 0 ? err_netlink(err, code, "change link", name) : RC_OK;
}

enum rc netlink_set_up(struct netlink *nl, const char *link, struct err *err)
{
	CLEANUP(rtnl_link_put_p) struct rtnl_link *change = rtnl_link_alloc();
	ASSERT(change);
	rtnl_link_set_flags(change, IFF_UP);
	return change_link(nl, link, change, err);
}

enum rc netlink_set_master(struct netlink *nl, const char *link, const char *bridge,
			   struct err *err)
{
	CLEANUP(rtnl_link_put_p) struct rtnl_link *master = NULL;
	CLEANUP(rtnl_link_put_p) struct rtnl_link *change = rtnl_link_alloc();
	ASSERT(change);
	TRY(need_link(nl, bridge, &master, err));
	rtnl_link_set_master(change, rtnl_link_get_ifindex(master));
	return change_link(nl, link, change, err);
}

enum rc netlink_set_alias(struct netlink *nl, const char *link, const char *alias, struct err *err)
{
	CLEANUP(rtnl_link_put_p) struct rtnl_link *change = rtnl_link_alloc();
	ASSERT(change && strlen(alias) < LINK_ALIAS_MAX);
	rtnl_link_set_ifalias(change, alias);
	return change_link(nl, link, change, err);
}

/* --- addresses --- */

static int family_of(struct ipaddr addr)
{
	return addr.family == IP_V6 ? AF_INET6 : AF_INET;
}

static struct nl_addr *addr_to_nl(struct ipnet net)
{
	struct nl_addr *addr = nl_addr_build(family_of(net.addr), net.addr.bytes,
					     ip_family_bits(net.addr.family) / 8);
	ASSERT(addr);
	nl_addr_set_prefixlen(addr, net.prefix_bits);
	return addr;
}

/* A default route comes without any bytes, so its family is told apart. */
static struct ipnet addr_from_nl(struct nl_addr *addr, int family)
{
	struct ipnet net = {.addr.family = family == AF_INET6 ? IP_V6 : IP_V4};
	if (!addr)
		return net;
	net.prefix_bits = (uint8_t)nl_addr_get_prefixlen(addr);
	memcpy(net.addr.bytes, nl_addr_get_binary_addr(addr),
	       MIN((size_t)nl_addr_get_len(addr), sizeof(net.addr.bytes)));
	return net;
}

static enum rc addr_request(struct netlink *nl, const char *link, struct ipnet addr,
			    struct rtnl_addr **ret_request, struct err *err)
{
	CLEANUP(rtnl_link_put_p) struct rtnl_link *found = NULL;
	CLEANUP(nl_addr_put_p) struct nl_addr *local = addr_to_nl(addr);
	TRY(need_link(nl, link, &found, err));
	*ret_request = rtnl_addr_alloc();
	ASSERT(*ret_request);
	rtnl_addr_set_ifindex(*ret_request, rtnl_link_get_ifindex(found));
	rtnl_addr_set_local(*ret_request, local);
	return RC_OK;
}

enum rc netlink_add_addr(struct netlink *nl, const char *link, struct ipnet addr, struct err *err)
{
	CLEANUP(rtnl_addr_put_p) struct rtnl_addr *request = NULL;
	TRY(addr_request(nl, link, addr, &request, err));
	if (addr.addr.family == IP_V6)
		rtnl_addr_set_flags(request, IFA_F_NODAD);
	int code = rtnl_addr_add(nl->sock, request, NLM_F_CREATE | NLM_F_EXCL);
	if (code < 0 && code != -NLE_EXIST)
		return err_netlink(err, code, "add an address to link", link);
	return RC_OK;
}

enum rc netlink_remove_addr(struct netlink *nl, const char *link, struct ipnet addr,
			    struct err *err)
{
	CLEANUP(rtnl_addr_put_p) struct rtnl_addr *request = NULL;
	TRY(addr_request(nl, link, addr, &request, err));
	int code = rtnl_addr_delete(nl->sock, request, 0);
	if (code < 0 && code != -NLE_NOADDR && code != -NLE_OBJ_NOTFOUND)
		return err_netlink(err, code, "remove an address from link", link);
	return RC_OK;
}

enum rc netlink_addrs(struct netlink *nl, struct arena *a, const char *link,
		      struct ipnet **ret_addrs, size_t *ret_count, struct err *err)
{
	CLEANUP(rtnl_link_put_p) struct rtnl_link *only = NULL;
	CLEANUP(nl_cache_free_p) struct nl_cache *cache = NULL;
	struct ipnet *addrs = NULL;
	size_t count = 0, cap = 0;
	if (*link)
		TRY(need_link(nl, link, &only, err));
	int code = rtnl_addr_alloc_cache(nl->sock, &cache);
	if (code < 0)
		return err_netlink(err, code, "list", "addresses");
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *addr = (struct rtnl_addr *)o;
		int family = rtnl_addr_get_family(addr);
		if (only && rtnl_addr_get_ifindex(addr) != rtnl_link_get_ifindex(only))
			continue;
		if (family != AF_INET && family != AF_INET6)
			continue;
		addrs = arena_grow(a, addrs, count, &cap, sizeof(*addrs));
		addrs[count++] = addr_from_nl(rtnl_addr_get_local(addr), family);
	}
	*ret_addrs = addrs;
	*ret_count = count;
	return RC_OK;
}

/* --- routes --- */

static enum rc route_to_nl(struct netlink *nl, const struct netlink_route *route,
			   struct rtnl_route **ret_route, struct err *err)
{
	CLEANUP(rtnl_route_put_p) struct rtnl_route *request = rtnl_route_alloc();
	CLEANUP(nl_addr_put_p) struct nl_addr *dst = addr_to_nl(ipnet_masked(route->dst));
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	ASSERT(request && hop);
	rtnl_route_add_nexthop(request, hop); /* owns it from here */
	rtnl_route_set_family(request, (uint8_t)family_of(route->dst.addr));
	rtnl_route_set_dst(request, dst);
	rtnl_route_set_protocol(request, NETLINK_ROUTE_PROTOCOL);
	if (route->gateway.family != IP_NONE) {
		CLEANUP(nl_addr_put_p) struct nl_addr *via = addr_to_nl(ipnet_of(route->gateway));
		rtnl_route_nh_set_gateway(hop, via);
	}
	if (route->link[0]) {
		CLEANUP(rtnl_link_put_p) struct rtnl_link *link = NULL;
		TRY(need_link(nl, route->link, &link, err));
		rtnl_route_nh_set_ifindex(hop, rtnl_link_get_ifindex(link));
	}
	rtnl_route_set_scope(request, (uint8_t)rtnl_route_guess_scope(request));
	*ret_route = TAKE_PTR(request);
	return RC_OK;
}

enum rc netlink_set_route(struct netlink *nl, const struct netlink_route *route, struct err *err)
{
	CLEANUP(rtnl_route_put_p) struct rtnl_route *request = NULL;
	char text[IPNET_TEXT_MAX];
	TRY(route_to_nl(nl, route, &request, err));
	int code = rtnl_route_add(nl->sock, request, NLM_F_CREATE | NLM_F_REPLACE);
	ipnet_format(route->dst, text);
	return code < 0 ? err_netlink(err, code, "set route to", text) : RC_OK;
}

enum rc netlink_remove_route(struct netlink *nl, const struct netlink_route *route, struct err *err)
{
	CLEANUP(rtnl_route_put_p) struct rtnl_route *request = NULL;
	char text[IPNET_TEXT_MAX];
	TRY(route_to_nl(nl, route, &request, err));
	int code = rtnl_route_delete(nl->sock, request, 0);
	ipnet_format(route->dst, text);
	if (code < 0 && code != -NLE_OBJ_NOTFOUND && code != -NLE_RANGE)
		return err_netlink(err, code, "remove route to", text);
	return RC_OK;
}

static struct netlink_route route_from_nl(struct rtnl_route *found)
{
	int family = rtnl_route_get_family(found);
	struct netlink_route route = {.dst = addr_from_nl(rtnl_route_get_dst(found), family),
				      .protocol = rtnl_route_get_protocol(found)};
	struct rtnl_nexthop *hop =
		rtnl_route_get_nnexthops(found) > 0 ? rtnl_route_nexthop_n(found, 0) : NULL;
	if (!hop)
		return route;
	struct nl_addr *gateway = rtnl_route_nh_get_gateway(hop);
	if (gateway)
		route.gateway = addr_from_nl(gateway, nl_addr_get_family(gateway)).addr;
	if (!if_indextoname((unsigned)rtnl_route_nh_get_ifindex(hop), route.link))
		route.link[0] = 0;
	return route;
}

static bool is_wanted(struct rtnl_route *found, uint8_t protocol)
{
	int family = rtnl_route_get_family(found);
	return (family == AF_INET || family == AF_INET6) &&
	       rtnl_route_get_table(found) == RT_TABLE_MAIN &&
	       rtnl_route_get_type(found) == RTN_UNICAST &&
	       (!protocol || rtnl_route_get_protocol(found) == protocol);
}

enum rc netlink_routes(struct netlink *nl, struct arena *a, uint8_t protocol,
		       struct netlink_route **ret_routes, size_t *ret_count, struct err *err)
{
	CLEANUP(nl_cache_free_p) struct nl_cache *cache = NULL;
	struct netlink_route *routes = NULL;
	size_t count = 0, cap = 0;
	int code = rtnl_route_alloc_cache(nl->sock, AF_UNSPEC, 0, &cache);
	if (code < 0)
		return err_netlink(err, code, "list", "routes");
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_route *found = (struct rtnl_route *)o;
		if (!is_wanted(found, protocol))
			continue;
		routes = arena_grow(a, routes, count, &cap, sizeof(*routes));
		routes[count++] = route_from_nl(found);
	}
	*ret_routes = routes;
	*ret_count = count;
	return RC_OK;
}
