/* dns: the cluster's name server, one on every node, beside its pods.
 *
 * Answers the cluster's zone from a cache (dns_lookup.h), everything else by asking the machine's
 * own name servers (dns_forward.h); an ExternalName gets both.  By UDP and TCP on the given
 * addresses.
 *
 * The DNS address of the services (10.43.0.10) becomes an address of lo in the node's namespace
 * (netlink_add_addr), so a pod's query is answered by its own node; service_rules_config.own_addrs
 * keeps the packet rules from touching it.
 *
 * Until the cache is synced the answer is SERVFAIL, so that a resolver tries again instead of
 * remembering a "no".
 * Limits: DNS_TCP_CONNECTIONS, each closed after DNS_TCP_IDLE_MS without a query; a query on a
 * connection waits for the answer to the one before.  Threads: the loop of the cache. */
#ifndef SKEG_NET_DNS_H
#define SKEG_NET_DNS_H

#include "net/dns_forward.h"
#include "net/dns_lookup.h"

#define DNS_TCP_CONNECTIONS 128
#define DNS_TCP_IDLE_MS	    10000
#define DNS_MAX_ADDRS	    4

struct dns_config {
	struct cache *cache;	    /* with KIND_SERVICE, KIND_ENDPOINT_SLICE, KIND_NAMESPACE */
	struct str domain;	    /* "cluster.local" */
	const struct ipaddr *addrs; /* to listen on; they need not exist yet */
	size_t addr_count;
	uint16_t port;		      /* 0: DNS_PORT */
	int netns_fd;		      /* where to listen, -1: here; not owned */
	const struct ipnet *own_nets; /* of pods and services */
	size_t own_net_count;
	struct dns_forward_config forward;
};

struct dns;

/* Everything in config is copied.  RC_CONFLICT when an address and port is taken. */
[[nodiscard]] enum rc dns_new(struct loop *loop, const struct dns_config *config,
			      struct dns **ret_dns, struct err *err);
void dns_free(struct dns *dns);

#endif
