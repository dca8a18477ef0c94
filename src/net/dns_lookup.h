/* dns_lookup: what the cluster's zone answers, a pure function of a cache.
 *
 * Source: the Kubernetes DNS specification 1.1.0
 * (https://github.com/kubernetes/dns/blob/master/docs/specification.md); where it is silent, as
 *CoreDNS' plugin kubernetes does with `pods insecure`:
 *
 *	SVC.NS.svc.ZONE			A AAAA: cluster IPs, or of a headless service its ready
 *endpoints; CNAME: ExternalName HOST.SVC.NS.svc.ZONE		A AAAA: one endpoint of a headless
 *service; HOST is its hostname, or its address with dashes _PORT._PROTO.SVC.NS.svc.ZONE	SRV;
 *SVC.NS.svc.ZONE gives all ports 1-2-3-4.NS.pod.ZONE		A AAAA: the address itself
 *	dns-version.ZONE		TXT
 *	….in-addr.arpa, ….ip6.arpa	PTR: cluster IPs and endpoints of headless services
 *
 * Names are compared without case.  Threads: the loop of the cache. */
#ifndef SKEG_NET_DNS_LOOKUP_H
#define SKEG_NET_DNS_LOOKUP_H

#include "base/arena.h"
#include "base/ipaddr.h"
#include "sync/cache.h"

#define DNS_MAX_LABELS	128
#define DNS_MAX_RECORDS 4096 /* of one answer; endpoints beyond are left out */

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
};

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_ANY = 255,
};

struct dns_name {
	struct str labels[DNS_MAX_LABELS]; /* lower case, from the left, without the root */
	size_t count;
};

struct dns_record {
	enum dns_type type;
	struct str owner;      /* absent: the name that was asked for */
	struct ipaddr addr;    /* A, AAAA */
	struct str target;     /* CNAME, PTR, SRV: a name without the last dot; TXT: the text */
	uint16_t weight, port; /* SRV */
};

struct dns_answer {
	bool is_ours; /* else: ask upstream */
	enum dns_rcode rcode;
	struct dns_record *answers, *extras;
	size_t answer_count, extra_count;
	struct str follow; /* a CNAME's target outside the zone, to be resolved upstream; else
			      absent */
};

struct dns_zone {
	const struct cache *cache; /* with KIND_SERVICE, KIND_ENDPOINT_SLICE, KIND_NAMESPACE */
	struct dns_name domain;	   /* cluster.local */
	struct str domain_text;
	const struct ipnet *own_nets; /* pods and services: their reverse names never go upstream */
	size_t own_net_count;
};

/* Lower-cases into a; labels are separated by dots; false when a label is empty or longer than 63,
 * or there are too many. */
bool dns_name_parse(struct arena *a, struct str text, struct dns_name *ret_name);

/* Everything in the answer lives in a or in the cache's objects (the loop's turn). */
void dns_lookup(const struct dns_zone *zone, struct arena *a, const struct dns_name *name,
		enum dns_type type, struct dns_answer *ret_answer);

#endif
