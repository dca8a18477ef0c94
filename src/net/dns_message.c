#include "net/dns_message.h"

#include <ldns/ldns.h>

#define SOA_TIMES     7200, 1800, 86400, DNS_TTL_S /* refresh, retry, expire, negative */
#define TXT_MAX_BYTES 255

DEFINE_CLEANUP(ldns_pkt *, ldns_pkt_free)

static uint16_t u16_at(struct str packet, size_t at)
{
	return (uint16_t)((uint8_t)packet.at[at] << 8 | (uint8_t)packet.at[at + 1]);
}

uint16_t dns_message_id(struct str packet)
{
	return packet.len >= DNS_HEADER_BYTES ? u16_at(packet, 0) : 0;
}

bool dns_message_is_cut(struct str packet)
{
	return packet.len >= DNS_HEADER_BYTES && (u16_at(packet, 2) & 0x0200);
}

/* Bytes of the one question, which a query never compresses; 0: there is none. */
static size_t question_bytes(struct str packet)
{
	size_t at = DNS_HEADER_BYTES;
	while (at < packet.len && packet.at[at] != 0) {
		uint8_t len = (uint8_t)packet.at[at];
		if (len > 63)
			return 0;
		at += len + 1u;
	}
	return at + 5 <= packet.len ? at + 5 - DNS_HEADER_BYTES : 0;
}

bool dns_message_answers(struct str reply, struct str query)
{
	size_t len = question_bytes(query);
	return len > 0 && reply.len >= DNS_HEADER_BYTES + len && (u16_at(reply, 2) & 0x8000) &&
	       u16_at(reply, 0) == u16_at(query, 0) && u16_at(reply, 4) == 1 &&
	       memcmp(reply.at + DNS_HEADER_BYTES, query.at + DNS_HEADER_BYTES, len) == 0;
}

/* --- reading --- */

/* From wire labels, which may hold any byte. */
static bool name_from_rdf(struct arena *a, const ldns_rdf *rdf, struct dns_name *ret_name)
{
	char *bytes = arena_copy(a, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
	size_t size = ldns_rdf_size(rdf), at = 0;
	ret_name->count = 0;
	while (at < size && bytes[at] != 0) {
		size_t len = (uint8_t)bytes[at];
		if (at + 1 + len > size || ret_name->count == DNS_MAX_LABELS)
			return false;
		for (size_t i = at + 1; i <= at + len; i++)
			if (bytes[i] >= 'A' && bytes[i] <= 'Z')
				bytes[i] = (char)(bytes[i] - 'A' + 'a');
		ret_name->labels[ret_name->count++] = str_n(bytes + at + 1, len);
		at += len + 1;
	}
	return true;
}

static enum dns_rcode read_question(struct arena *a, ldns_pkt *pkt, struct dns_query *q)
{
	if (ldns_pkt_get_opcode(pkt) != LDNS_PACKET_QUERY)
		return DNS_NOTIMP;
	if (ldns_pkt_qdcount(pkt) != 1)
		return DNS_FORMERR;
	ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(pkt), 0);
	if (ldns_rr_get_class(question) != LDNS_RR_CLASS_IN)
		return DNS_REFUSED;
	q->type = (enum dns_type)ldns_rr_get_type(question);
	return name_from_rdf(a, ldns_rr_owner(question), &q->name) ? DNS_NOERROR : DNS_FORMERR;
}

bool dns_query_parse(struct arena *a, struct str packet, struct dns_query *ret_query)
{
	CLEANUP(ldns_pkt_free_p) ldns_pkt *pkt = NULL;
	if (packet.len < DNS_HEADER_BYTES || packet.len > DNS_MESSAGE_MAX ||
	    (u16_at(packet, 2) & 0x8000))
		return false;
	*ret_query = (struct dns_query){.id = u16_at(packet, 0), .udp_max = DNS_UDP_PLAIN_MAX};
	if (question_bytes(packet) == 0 ||
	    ldns_wire2pkt(&pkt, (const uint8_t *)packet.at, packet.len) != LDNS_STATUS_OK) {
		ret_query->fault = DNS_FORMERR;
		return true;
	}
	ret_query->fault = read_question(a, pkt, ret_query);
	ret_query->is_recursion_desired = ldns_pkt_rd(pkt);
	ret_query->has_edns = ldns_pkt_edns(pkt);
	if (ret_query->has_edns)
		ret_query->udp_max =
			MIN(MAX(ldns_pkt_edns_udp_size(pkt), DNS_UDP_PLAIN_MAX), DNS_UDP_EDNS_MAX);
	return true;
}

/* --- writing --- */

static ldns_rdf *name_to_rdf(struct str name)
{
	CLEANUP(free_p) char *text = mem_printf("%.*s.", STR_FMT(name));
	return ldns_dname_new_frm_str(text); /* NULL: too long or malformed */
}

static void push_u16(ldns_rr *rr, uint16_t value)
{
	ldns_rr_push_rdf(rr, ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, value));
}

static bool push_name(ldns_rr *rr, struct str name)
{
	ldns_rdf *rdf = name_to_rdf(name);
	return rdf && ldns_rr_push_rdf(rr, rdf);
}

static bool push_text(ldns_rr *rr, struct str text)
{
	uint8_t bytes[TXT_MAX_BYTES + 1];
	size_t len = MIN(text.len, (size_t)TXT_MAX_BYTES);
	bytes[0] = (uint8_t)len;
	memcpy(bytes + 1, text.at, len);
	return ldns_rr_push_rdf(rr, ldns_rdf_new_frm_data(LDNS_RDF_TYPE_STR, len + 1, bytes));
}

static bool push_addr(ldns_rr *rr, struct ipaddr addr)
{
	ldns_rdf_type type = addr.family == IP_V6 ? LDNS_RDF_TYPE_AAAA : LDNS_RDF_TYPE_A;
	return ldns_rr_push_rdf(
		rr, ldns_rdf_new_frm_data(type, ip_family_bits(addr.family) / 8, addr.bytes));
}

static bool push_data(ldns_rr *rr, const struct dns_record *r)
{
	switch (r->type) {
	case DNS_A:
	case DNS_AAAA:
		return push_addr(rr, r->addr);
	case DNS_SRV:
		push_u16(rr, 0); /* priority */
		push_u16(rr, r->weight);
		push_u16(rr, r->port);
		return push_name(rr, r->target);
	case DNS_TXT:
		return push_text(rr, r->target);
	default:
		return push_name(rr, r->target);
	}
}

/* NULL when a name in it can't be written; takes own_owner. */
static ldns_rr *rr_of(ldns_rdf *own_owner, enum dns_type type)
{
	if (!own_owner)
		return NULL;
	ldns_rr *rr = ldns_rr_new();
	ASSERT(rr);
	ldns_rr_set_owner(rr, own_owner);
	ldns_rr_set_type(rr, (ldns_rr_type)type);
	ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
	ldns_rr_set_ttl(rr, DNS_TTL_S);
	return rr;
}

static void push_record(ldns_pkt *pkt, ldns_pkt_section section, const ldns_rdf *asked,
			const struct dns_record *r)
{
	ldns_rr *rr = rr_of(r->owner.at ? name_to_rdf(r->owner) : ldns_rdf_clone(asked), r->type);
	if (rr && push_data(rr, r))
		ldns_pkt_push_rr(pkt, section, rr);
	else if (rr)
		ldns_rr_free(rr);
}

/* With every "no": how long that may be remembered (RFC 2308). */
static void push_soa(ldns_pkt *pkt, struct str domain)
{
	static const uint32_t times[] = {SOA_TIMES};
	CLEANUP(free_p) char *ns = mem_printf("ns.dns.%.*s", STR_FMT(domain));
	CLEANUP(free_p) char *mail = mem_printf("hostmaster.%.*s", STR_FMT(domain));
	ldns_rr *rr = rr_of(name_to_rdf(domain), DNS_SOA);
	if (!rr)
		return;
	if (!push_name(rr, str_of(ns)) || !push_name(rr, str_of(mail))) {
		ldns_rr_free(rr);
		return;
	}
	ldns_rr_push_rdf(rr, ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, 1)); /* serial */
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		ldns_rr_push_rdf(rr, ldns_native2rdf_int32(LDNS_RDF_TYPE_PERIOD, times[i]));
	ldns_pkt_push_rr(pkt, LDNS_SECTION_AUTHORITY, rr);
}

static void push_upstream(ldns_pkt *pkt, struct str upstream)
{
	CLEANUP(ldns_pkt_free_p) ldns_pkt *reply = NULL;
	if (!upstream.at ||
	    ldns_wire2pkt(&reply, (const uint8_t *)upstream.at, upstream.len) != LDNS_STATUS_OK)
		return;
	ldns_rr_list *answers = ldns_pkt_answer(reply);
	for (size_t i = 0; i < ldns_rr_list_rr_count(answers); i++)
		ldns_pkt_push_rr(pkt, LDNS_SECTION_ANSWER,
				 ldns_rr_clone(ldns_rr_list_rr(answers, i)));
	if (ldns_rr_list_rr_count(answers) == 0)
		ldns_pkt_set_rcode(pkt, ldns_pkt_get_rcode(reply));
}

static void add_wire(struct buf *out, ldns_pkt *pkt, size_t max_bytes)
{
	uint8_t *wire = NULL;
	size_t size = 0;
	if (ldns_pkt2wire(&wire, pkt, &size) != LDNS_STATUS_OK || size > max_bytes) {
		free(wire);
		wire = NULL;
		ldns_pkt_set_tc(pkt, true);
		ldns_pkt_set_ancount(pkt, 0);
		ldns_pkt_set_nscount(pkt, 0);
		ldns_pkt_set_arcount(pkt, 0);
		ldns_rr_list_deep_free(ldns_pkt_answer(pkt));
		ldns_rr_list_deep_free(ldns_pkt_authority(pkt));
		ldns_rr_list_deep_free(ldns_pkt_additional(pkt));
		ldns_pkt_set_answer(pkt, ldns_rr_list_new());
		ldns_pkt_set_authority(pkt, ldns_rr_list_new());
		ldns_pkt_set_additional(pkt, ldns_rr_list_new());
		if (ldns_pkt2wire(&wire, pkt, &size) != LDNS_STATUS_OK || size > max_bytes)
			size = 0;
	}
	buf_add(out, wire, size);
	free(wire);
}

static ldns_pkt *head_of(const struct dns_query *query)
{
	ldns_pkt *pkt = ldns_pkt_new();
	ASSERT(pkt);
	ldns_pkt_set_id(pkt, query->id);
	ldns_pkt_set_qr(pkt, true);
	ldns_pkt_set_rd(pkt, query->is_recursion_desired);
	ldns_pkt_set_ra(pkt, true);
	if (query->has_edns)
		ldns_pkt_set_edns_udp_size(pkt, DNS_UDP_EDNS_MAX);
	return pkt;
}

/* The question comes back letter by letter, as resolvers that mix case expect. */
static ldns_rdf *copy_question(ldns_pkt *pkt, struct str packet)
{
	CLEANUP(ldns_pkt_free_p) ldns_pkt *asked = NULL;
	if (ldns_wire2pkt(&asked, (const uint8_t *)packet.at, packet.len) != LDNS_STATUS_OK ||
	    ldns_pkt_qdcount(asked) != 1)
		return NULL;
	ldns_rr *question = ldns_rr_clone(ldns_rr_list_rr(ldns_pkt_question(asked), 0));
	ldns_pkt_push_rr(pkt, LDNS_SECTION_QUESTION, question);
	return ldns_rr_owner(question);
}

void dns_reply_write(struct buf *out, struct str packet, const struct dns_query *query,
		     const struct dns_answer *answer, struct str zone_domain, struct str upstream,
		     size_t max_bytes)
{
	CLEANUP(ldns_pkt_free_p) ldns_pkt *pkt = head_of(query);
	ldns_rdf *asked = copy_question(pkt, packet);
	ldns_pkt_set_aa(pkt, answer->is_ours);
	ldns_pkt_set_rcode(pkt, (uint8_t)answer->rcode);
	for (size_t i = 0; asked && i < answer->answer_count; i++)
		push_record(pkt, LDNS_SECTION_ANSWER, asked, &answer->answers[i]);
	for (size_t i = 0; asked && i < answer->extra_count; i++)
		push_record(pkt, LDNS_SECTION_ADDITIONAL, asked, &answer->extras[i]);
	push_upstream(pkt, upstream);
	if (answer->is_ours && answer->answer_count == 0)
		push_soa(pkt, zone_domain);
	add_wire(out, pkt, max_bytes);
}

void dns_ask_write(struct buf *out, uint16_t id, struct str name, enum dns_type type)
{
	CLEANUP(ldns_pkt_free_p) ldns_pkt *pkt = NULL;
	ldns_rdf *owner = name_to_rdf(name);
	if (!owner)
		return;
	pkt = ldns_pkt_query_new(owner, (ldns_rr_type)type, LDNS_RR_CLASS_IN, LDNS_RD);
	ASSERT(pkt);
	ldns_pkt_set_id(pkt, id);
	add_wire(out, pkt, DNS_UDP_PLAIN_MAX);
}
