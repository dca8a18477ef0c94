/* dns_message: queries and replies on the wire (RFC 1035, RFC 6891), by libldns.
 *
 * Limits: DNS_MESSAGE_MAX; a query has one question.  A reply that doesn't fit is cut to its head
 * with the TC bit set, so that the client asks again by TCP.  Threads: pure functions. */
#ifndef SKEG_NET_DNS_MESSAGE_H
#define SKEG_NET_DNS_MESSAGE_H

#include "base/buf.h"
#include "net/dns_lookup.h"

#define DNS_MESSAGE_MAX	  65535
#define DNS_UDP_PLAIN_MAX 512  /* without EDNS */
#define DNS_UDP_EDNS_MAX  1232 /* that we send, whatever is offered (DNS flag day 2020) */
#define DNS_TTL_S	  5    /* as CoreDNS */
#define DNS_HEADER_BYTES  12

struct dns_query {
	uint16_t id;
	struct dns_name name;
	enum dns_type type; /* any number */
	bool is_recursion_desired;
	bool has_edns;
	uint16_t udp_max; /* of a reply by UDP */
	enum dns_rcode
		fault; /* DNS_NOERROR, or what is wrong with it; then nothing but id is set */
};

/* false: not even an answer is due (too short, or itself a reply). */
bool dns_query_parse(struct arena *a, struct str packet, struct dns_query *ret_query);

/* The reply to packet, at most max_bytes; upstream: the reply to what answer->follow asked, whose
 * answers follow ours; may be absent.  Appends nothing when even the head doesn't fit. */
void dns_reply_write(struct buf *out, struct str packet, const struct dns_query *query,
		     const struct dns_answer *answer, struct str zone_domain, struct str upstream,
		     size_t max_bytes);

/* A query of our own for name (no last dot) and type. */
void dns_ask_write(struct buf *out, uint16_t id, struct str name, enum dns_type type);

uint16_t dns_message_id(struct str packet); /* 0 when it is too short */
bool dns_message_is_cut(struct str packet); /* the TC bit */
/* Whether reply answers the question of query: same id and same question, letter by letter. */
bool dns_message_answers(struct str reply, struct str query);

#endif
