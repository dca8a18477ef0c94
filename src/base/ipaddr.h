/* ipaddr: IP addresses and prefixes of both families as values.
 *
 * Text is as strict as Go's net/netip: no leading zeros, no short IPv4 forms, no zone; it is
 * written as RFC 5952 says.  An IPv4-mapped IPv6 address stays an IPv6 one.  A zeroed struct is "no
 * address". Pure functions; all accept "no address" and then return false or 0. */
#ifndef SKEG_BASE_IPADDR_H
#define SKEG_BASE_IPADDR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define IPADDR_TEXT_MAX 46 /* with the NUL */
#define IPNET_TEXT_MAX	50

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

struct ipaddr {
	uint8_t family;	   /* enum ip_family */
	uint8_t bytes[16]; /* network order; 4 or 16 of them, the rest zero */
};

/* A prefix as in "10.42.1.0/24".  The address may have host bits set ("10.42.1.5/24"). */
struct ipnet {
	struct ipaddr addr;
	uint8_t prefix_bits;
};

static inline unsigned ip_family_bits(unsigned family)
{
	return family == IP_V4 ? 32 : family == IP_V6 ? 128 : 0;
}

struct ipaddr ipaddr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
bool ipaddr_parse(struct str text, struct ipaddr *ret_addr);
size_t ipaddr_format(struct ipaddr addr, char out[IPADDR_TEXT_MAX]); /* "" for no address; length */
int ipaddr_cmp(struct ipaddr a, struct ipaddr b);		     /* by family, then by number */

static inline bool ipaddr_eq(struct ipaddr a, struct ipaddr b)
{
	return ipaddr_cmp(a, b) == 0;
}

/* ::ffff:1.2.3.4 becomes 1.2.3.4; false, and nothing changes, when it is no such address. */
bool ipaddr_unmap(struct ipaddr *addr);
bool ipaddr_is_unspecified(struct ipaddr addr); /* 0.0.0.0, :: */
bool ipaddr_is_loopback(struct ipaddr addr);	/* 127.0.0.0/8, ::1 */
bool ipaddr_is_link_local(struct ipaddr addr);	/* unicast: 169.254.0.0/16, fe80::/10 */
bool ipaddr_is_multicast(struct ipaddr addr);	/* 224.0.0.0/4, ff00::/8 */

/* The address count further on; false when it would leave the family's range. */
bool ipaddr_add(struct ipaddr addr, uint64_t count, struct ipaddr *ret_addr);

/* "address/bits"; bits without sign or leading zero. */
bool ipnet_parse(struct str text, struct ipnet *ret_net);
size_t ipnet_format(struct ipnet net, char out[IPNET_TEXT_MAX]);
bool ipnet_eq(struct ipnet a, struct ipnet b);
struct ipnet ipnet_masked(struct ipnet net); /* host bits cleared */
struct ipnet ipnet_of(struct ipaddr addr);   /* the /32 or /128 of one address */
bool ipnet_contains(struct ipnet net, struct ipaddr addr);
bool ipnet_overlaps(struct ipnet a, struct ipnet b);

/* Number of addresses, UINT64_MAX when it is larger than that. */
uint64_t ipnet_size(struct ipnet net);
/* Address number n (0 is the network's own); false outside the prefix. */
bool ipnet_nth(struct ipnet net, uint64_t n, struct ipaddr *ret_addr);
/* The inverse: which number addr has; false when it is not inside, or beyond 2^64. */
bool ipnet_index(struct ipnet net, struct ipaddr addr, uint64_t *ret_n);
/* Prefix number n of prefix_bits within net: 10.42.0.0/16 by 24 → 10.42.n.0/24. */
bool ipnet_nth_subnet(struct ipnet net, unsigned prefix_bits, uint64_t n, struct ipnet *ret_net);

#endif
