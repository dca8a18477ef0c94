/* netlink: links, addresses and routes by libnl-route-3, in the namespace of the calling thread.
 *
 * Every call is idempotent: what is already as asked is success.  All block shortly.
 * Threads: a struct netlink belongs to the thread that opened it.
 * Routes that skeg adds carry NETLINK_ROUTE_PROTOCOL, by which it finds exactly its own again. */
#ifndef SKEG_NET_NETLINK_H
#define SKEG_NET_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/ipaddr.h"

#define NETLINK_ROUTE_PROTOCOL 201
#define LINK_NAME_MAX	       16 /* IFNAMSIZ, with the NUL */
#define LINK_ALIAS_MAX	       256

struct netlink;

struct netlink_route {
	struct ipnet dst;
	struct ipaddr gateway;	  /* none: directly on the link */
	char link[LINK_NAME_MAX]; /* "": found by the gateway */
	uint8_t protocol;	  /* filled by netlink_routes() */
};

[[nodiscard]] enum rc netlink_open(struct netlink **ret_nl, struct err *err);
void netlink_close(struct netlink *nl);
static inline void netlink_close_p(struct netlink **nl)
{
	netlink_close(*nl);
}

bool netlink_link_exists(struct netlink *nl, const char *link);
/* The first link but except (NULL: any) whose alias begins with prefix: its name and whole alias;
 * RC_NOT_FOUND. */
[[nodiscard]] enum rc netlink_link_by_alias(struct netlink *nl, struct str prefix,
					    const char *except, char ret_link[LINK_NAME_MAX],
					    char ret_alias[LINK_ALIAS_MAX], struct err *err);
[[nodiscard]] enum rc netlink_make_bridge(struct netlink *nl, const char *link, struct err *err);
/* One end here, the other named peer in the namespace peer_netns_fd. */
[[nodiscard]] enum rc netlink_make_veth(struct netlink *nl, const char *link, const char *peer,
					int peer_netns_fd, struct err *err);
[[nodiscard]] enum rc netlink_remove_link(struct netlink *nl, const char *link, struct err *err);
[[nodiscard]] enum rc netlink_set_up(struct netlink *nl, const char *link, struct err *err);
[[nodiscard]] enum rc netlink_set_master(struct netlink *nl, const char *link, const char *bridge,
					 struct err *err);
[[nodiscard]] enum rc netlink_set_alias(struct netlink *nl, const char *link, const char *alias,
					struct err *err);
[[nodiscard]] enum rc netlink_add_addr(struct netlink *nl, const char *link, struct ipnet addr,
				       struct err *err);
/* Gone already is no error. */
[[nodiscard]] enum rc netlink_remove_addr(struct netlink *nl, const char *link, struct ipnet addr,
					  struct err *err);

[[nodiscard]] enum rc netlink_set_route(struct netlink *nl, const struct netlink_route *route,
					struct err *err); /* adds or replaces */
[[nodiscard]] enum rc netlink_remove_route(struct netlink *nl, const struct netlink_route *route,
					   struct err *err);
/* All routes of the main table, protocol 0: of any protocol. */
[[nodiscard]] enum rc netlink_routes(struct netlink *nl, struct arena *a, uint8_t protocol,
				     struct netlink_route **ret_routes, size_t *ret_count,
				     struct err *err);
/* All addresses of all links; with link "" or one link's only. */
[[nodiscard]] enum rc netlink_addrs(struct netlink *nl, struct arena *a, const char *link,
				    struct ipnet **ret_addrs, size_t *ret_count, struct err *err);

#endif
