/* dns_forward: asks the machine's own name servers what the cluster's zone doesn't know.
 *
 * By UDP each query has a socket and an id of its own, connected to the server, and a reply counts
 * only with that id and that question (RFC 5452).  Servers are tried in turn, DNS_FORWARD_TRY_MS
 * each, all of them twice.  By TCP a pool thread does it.  The servers are read from a file in the
 * form of resolv.conf(5), again when it has changed.
 *
 * Limits: DNS_FORWARD_MAX queries at once, DNS_FORWARD_TCP_MAX of them by TCP, DNS_FORWARD_SERVERS
 * servers. Threads: its loop. */
#ifndef SKEG_NET_DNS_FORWARD_H
#define SKEG_NET_DNS_FORWARD_H

#include "base/ipaddr.h"
#include "base/str.h"
#include "io/loop.h"

#define DNS_FORWARD_MAX	    1000
#define DNS_FORWARD_TCP_MAX 2
#define DNS_FORWARD_SERVERS 3
#define DNS_FORWARD_TRY_MS  2000
#define DNS_PORT	    53

struct dns_forward_config {
	const char *resolv_conf; /* NULL: /etc/resolv.conf; must stay */
	struct ipaddr skip;	 /* our own address, never asked; no address: none */
	int netns_fd;		 /* where the servers are reached from, -1: here; not owned */
	uint16_t port;		 /* 0: DNS_PORT */
};

struct dns_forward;

[[nodiscard]] struct dns_forward *dns_forward_new(struct loop *loop,
						  const struct dns_forward_config *config);
/* Queries on their way are dropped: their done is called no more.  TCP ones end on the pool first.
 */
void dns_forward_free(struct dns_forward *f);

/* done runs once, never from within: reply is borrowed, absent when nobody answered. query is
 * copied, and the reply bears its id. */
typedef void dns_forward_done_fn(void *ctx, struct str reply);
void dns_forward_ask(struct dns_forward *f, struct str query, bool by_tcp,
		     dns_forward_done_fn *done, void *ctx);

#endif
