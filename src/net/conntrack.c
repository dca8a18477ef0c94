#include "net/conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "base/arena.h"
#include "base/mem.h"

#define MAX_DELETES 65536 /* a batch; the rest goes with the next change or by its timeout */

/* One direction of a tracked connection. */
struct tuple {
	struct ipaddr src, dst;
	uint16_t src_port, dst_port;
	uint8_t protocol;
};

struct prune {
	const struct conntrack_service *services;
	size_t service_count;
	struct arena arena;
	struct tuple *stale;
	size_t stale_count, stale_cap;
};

/* --- reading --- */

static struct ipaddr addr_of(struct nlattr *v4, struct nlattr *v6)
{
	struct ipaddr addr = {};
	if (v4 && nla_len(v4) == 4)
		addr.family = IP_V4;
	else if (v6 && nla_len(v6) == 16)
		addr.family = IP_V6;
	if (addr.family != IP_NONE)
		memcpy(addr.bytes, nla_data(addr.family == IP_V4 ? v4 : v6),
		       ip_family_bits(addr.family) / 8);
	return addr;
}

static uint16_t port_of(struct nlattr *attr)
{
	uint8_t bytes[2] = {};
	if (attr && nla_len(attr) == 2)
		memcpy(bytes, nla_data(attr), 2);
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static bool read_tuple(struct nlattr *attr, struct tuple *ret_tuple)
{
	struct nlattr *parts[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1], *proto[CTA_PROTO_MAX + 1];
	if (!attr || nla_parse_nested(parts, CTA_TUPLE_MAX, attr, NULL) < 0 ||
	    !parts[CTA_TUPLE_IP] || !parts[CTA_TUPLE_PROTO] ||
	    nla_parse_nested(ip, CTA_IP_MAX, parts[CTA_TUPLE_IP], NULL) < 0 ||
	    nla_parse_nested(proto, CTA_PROTO_MAX, parts[CTA_TUPLE_PROTO], NULL) < 0 ||
	    !proto[CTA_PROTO_NUM])
		return false;
	*ret_tuple = (struct tuple){
		.src = addr_of(ip[CTA_IP_V4_SRC], ip[CTA_IP_V6_SRC]),
		.dst = addr_of(ip[CTA_IP_V4_DST], ip[CTA_IP_V6_DST]),
		.src_port = port_of(proto[CTA_PROTO_SRC_PORT]),
		.dst_port = port_of(proto[CTA_PROTO_DST_PORT]),
		.protocol = nla_get_u8(proto[CTA_PROTO_NUM]),
	};
	return true;
}

/* --- deciding --- */

static bool is_to_service(const struct tuple *original, const struct conntrack_service *s)
{
	if (original->dst_port != s->port)
		return false;
	return s->addr.family == IP_NONE ? original->dst.family == s->family
					 : ipaddr_eq(original->dst, s->addr);
}

static bool has_target(const struct conntrack_service *s, const struct tuple *reply)
{
	for (size_t i = 0; i < s->target_count; i++)
		if (s->targets[i].port == reply->src_port &&
		    ipaddr_eq(s->targets[i].addr, reply->src))
			return true;
	return false;
}

static bool is_stale(const struct prune *p, const struct tuple *original, const struct tuple *reply)
{
	for (size_t i = 0; i < p->service_count; i++)
		if (is_to_service(original, &p->services[i]))
			return !has_target(&p->services[i], reply);
	return false;
}

static int on_entry(struct nl_msg *msg, void *arg)
{
	struct prune *p = arg;
	struct nlattr *attrs[CTA_MAX + 1];
	struct tuple original, reply;
	if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct nfgenmsg), attrs, CTA_MAX, NULL) < 0 ||
	    !read_tuple(attrs[CTA_TUPLE_ORIG], &original) ||
	    !read_tuple(attrs[CTA_TUPLE_REPLY], &reply) || original.protocol != IPPROTO_UDP ||
	    p->stale_count == MAX_DELETES || !is_stale(p, &original, &reply))
		return NL_OK;
	p->stale =
		arena_grow(&p->arena, p->stale, p->stale_count, &p->stale_cap, sizeof(*p->stale));
	p->stale[p->stale_count++] = original;
	return NL_OK;
}

/* --- writing --- */

static struct nl_msg *message_of(int type, int flags, unsigned family)
{
	struct nl_msg *msg = nlmsg_alloc();
	struct nfgenmsg head = {.nfgen_family = family == IP_V6	  ? AF_INET6
						: family == IP_V4 ? AF_INET
								  : AF_UNSPEC};
	struct nlmsghdr *header = nlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ,
					    NFNL_SUBSYS_CTNETLINK << 8 | type, 0,
					    NLM_F_REQUEST | flags);
	ASSERT(header && nlmsg_append(msg, &head, sizeof(head), NLMSG_ALIGNTO) == 0);
	return msg;
}

static void put_port(struct nl_msg *msg, int type, uint16_t port)
{
	uint8_t bytes[2] = {(uint8_t)(port >> 8), (uint8_t)port};
	ASSERT(nla_put(msg, type, sizeof(bytes), bytes) == 0);
}

static void put_tuple(struct nl_msg *msg, const struct tuple *t)
{
	bool is_v6 = t->src.family == IP_V6;
	int len = (int)ip_family_bits(t->src.family) / 8;
	struct nlattr *tuple = nla_nest_start(msg, CTA_TUPLE_ORIG | NLA_F_NESTED);
	struct nlattr *ip = nla_nest_start(msg, CTA_TUPLE_IP | NLA_F_NESTED);
	ASSERT(nla_put(msg, is_v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, len, t->src.bytes) == 0);
	ASSERT(nla_put(msg, is_v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, len, t->dst.bytes) == 0);
	nla_nest_end(msg, ip);
	struct nlattr *proto = nla_nest_start(msg, CTA_TUPLE_PROTO | NLA_F_NESTED);
	ASSERT(nla_put_u8(msg, CTA_PROTO_NUM, t->protocol) == 0);
	put_port(msg, CTA_PROTO_SRC_PORT, t->src_port);
	put_port(msg, CTA_PROTO_DST_PORT, t->dst_port);
	nla_nest_end(msg, proto);
	nla_nest_end(msg, tuple);
}

/* Frees msg and waits for the answer. */
static int send_and_wait(struct nl_sock *sock, struct nl_msg *own_msg, bool is_dump)
{
	int code = nl_send_auto(sock, own_msg);
	nlmsg_free(own_msg);
	if (code < 0)
		return code;
	return is_dump ? nl_recvmsgs_default(sock) : nl_wait_for_ack(sock);
}

static int delete_stale(struct nl_sock *sock, const struct prune *p, size_t *ret_deleted)
{
	*ret_deleted = 0;
	for (size_t i = 0; i < p->stale_count; i++) {
		const struct tuple *t = &p->stale[i];
		struct nl_msg *msg = message_of(IPCTNL_MSG_CT_DELETE, NLM_F_ACK, t->src.family);
		put_tuple(msg, t);
		int code = send_and_wait(sock, msg, false);
		if (code < 0 && code != -NLE_OBJ_NOTFOUND) /* it may have ended meanwhile */
			return code;
		*ret_deleted += code >= 0;
	}
	return 0;
}

static int run_prune(struct nl_sock *sock, struct prune *p, size_t *ret_deleted)
{
	int code = nl_connect(sock, NETLINK_NETFILTER);
	if (code < 0)
		return code;
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_entry, p);
	code = send_and_wait(sock, message_of(IPCTNL_MSG_CT_GET, NLM_F_DUMP, IP_NONE), true);
	return code < 0 ? code : delete_stale(sock, p, ret_deleted);
}

enum rc conntrack_prune_udp(const struct conntrack_service *services, size_t count,
			    size_t *ret_deleted, struct err *err)
{
	struct prune p = {.services = services, .service_count = count};
	struct nl_sock *sock = nl_socket_alloc();
	size_t deleted = 0;
	ASSERT(sock);
	int code = run_prune(sock, &p, &deleted);
	nl_socket_free(sock);
	arena_done(&p.arena);
	if (code < 0)
		return err_set(err, RC_IO, "forget UDP connections: %s", nl_geterror(code));
	*ret_deleted = deleted;
	return RC_OK;
}
