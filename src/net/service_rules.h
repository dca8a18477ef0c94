/* service_rules: from services and their endpoints to packet rules, as pure functions.
 *
 * service_rules_make() computes the whole desired state of the table `inet skeg` for one node;
 * service_rules_diff() the batch that leads from one state to another, service_rules_replace() the
 *one that puts a state in place of whatever is there.  Names of chains are hashes of what they
 *stand for, so an unchanged service never appears in a batch.
 *
 *	prerouting, output	address . protocol . port → chain of the service port (verdict maps)
 *	svc-H			one random endpoint: dnat by a numgen map; with affinity: by ep-H-E
 *and aff-H-E local-H			the same among this node's endpoints (traffic policy Local)
 *	ext-H			entry from outside: source ranges, mark for masquerade, then svc-H
 *or
 *local-H postrouting		masquerade: marked, hairpin (a pod that reaches itself), pods to the
 *outside input, forward, output	refuse what no endpoint serves (tcp reset, icmp port
 *unreachable)
 *
 * Endpoint choice is upstream's: ready ones; if there are none, those that are serving while
 * terminating.  Addresses that must never be reached through a service (loopback, link-local,
 * multicast, unspecified) are left out, as are external IPs unless allowed (CVE-2020-8554). */
#ifndef SKEG_NET_SERVICE_RULES_H
#define SKEG_NET_SERVICE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ipaddr.h"
#include "base/str.h"

#define SERVICE_RULES_MARK 0x4000 /* bit of the packet mark: masquerade at postrouting */

enum proxy_protocol { PROXY_TCP, PROXY_UDP, PROXY_SCTP };

struct proxy_endpoint {
	struct ipaddr addr;
	uint16_t port;
	bool is_ready, is_serving, is_terminating;
	bool is_local; /* on this node */
};

struct proxy_port {
	struct str name; /* may be empty */
	enum proxy_protocol protocol;
	uint16_t port;
	uint16_t node_port;		  /* 0: none */
	struct proxy_endpoint *endpoints; /* of both families */
	size_t endpoint_count;
};

struct proxy_service {
	struct str namespace, name;
	struct ipaddr *cluster_ips;
	size_t cluster_ip_count;
	struct ipaddr *load_balancer_ips; /* ipMode VIP only */
	size_t load_balancer_ip_count;
	struct ipaddr *external_ips;
	size_t external_ip_count;
	struct ipnet *source_ranges; /* of load balancer addresses; none: everybody */
	size_t source_range_count;
	struct proxy_port *ports;
	size_t port_count;
	uint32_t affinity_timeout_s;		   /* sessionAffinity ClientIP; 0: none */
	bool is_external_local, is_internal_local; /* traffic policies */
	bool is_host_port; /* of a pod (host_ports.h): node ports without cluster addresses */
};

struct proxy_snapshot {
	struct proxy_service *services;
	size_t service_count;
};

struct service_rules_config {
	const struct ipnet *pod_cidrs; /* of the cluster */
	size_t pod_cidr_count;
	const struct ipnet *service_cidrs;
	size_t service_cidr_count;
	/* Addresses of the service range that the node answers itself (its name server): no rules,
	 * even if a service has one of them. */
	const struct ipaddr *own_addrs;
	size_t own_addr_count;
	bool allows_external_ips;
};

/* One thing in the table; key and container are names in it, value is text of nft. */
enum packet_rule_kind { RULE_SET, RULE_CHAIN, RULE_ELEMENT };

struct packet_rule {
	enum packet_rule_kind kind;
	struct str container; /* RULE_ELEMENT: the map or set it is in */
	struct str key;
	struct str value; /* definition, body, or verdict ("" in a plain set) */
};

struct service_rules { /* sorted by kind, container, key; each once */
	struct packet_rule *items;
	size_t count;
};

/* ret_rules lives in a. */
void service_rules_make(struct arena *a, const struct service_rules_config *config,
			const struct proxy_snapshot *snapshot, struct service_rules *ret_rules);

/* Appends nothing when both are equal. */
void service_rules_diff(struct buf *out, const struct service_rules *from,
			const struct service_rules *to);
void service_rules_replace(struct buf *out, const struct service_rules_config *config,
			   const struct service_rules *to);
void service_rules_remove(struct buf *out); /* the table and all in it */

#endif
