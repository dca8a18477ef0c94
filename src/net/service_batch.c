/* Batches for nft from desired states (service_rules.h).  Within a batch the order is: what is new
 * is declared, what changes is emptied, bodies are written, map entries are switched, and only then
 * what nothing refers to any more goes.  The kernel applies all of it at once. */
#include "net/nft.h"
#include "net/service_rules-int.h"

#define TABLE "inet skeg"

/* --- the frame: what is there whatever the services are --- */

static const char frame_maps[] =
	"\tmap service-ports4 { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
	"\tmap service-ports6 { type ipv6_addr . inet_proto . inet_service : verdict; }\n"
	"\tmap node-ports4 { type inet_proto . inet_service : verdict; }\n"
	"\tmap node-ports6 { type inet_proto . inet_service : verdict; }\n"
	"\tmap unserved-ports4 { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
	"\tmap unserved-ports6 { type ipv6_addr . inet_proto . inet_service : verdict; }\n"
	"\tmap unserved-node-ports4 { type inet_proto . inet_service : verdict; }\n"
	"\tmap unserved-node-ports6 { type inet_proto . inet_service : verdict; }\n"
	"\tset hairpins4 { type ipv4_addr . ipv4_addr; }\n"
	"\tset hairpins6 { type ipv6_addr . ipv6_addr; }\n";

static const char frame_chains[] =
	"\tchain mark-masquerade {\n"
	"\t\tmeta mark set meta mark or 0x4000\n"
	"\t}\n"
	"\tchain refuse {\n"
	"\t\tmeta l4proto tcp reject with tcp reset\n"
	"\t\treject with icmpx port-unreachable\n"
	"\t}\n"
	"\tchain services {\n"
	"\t\tip daddr . meta l4proto . th dport vmap @service-ports4\n"
	"\t\tip6 daddr . meta l4proto . th dport vmap @service-ports6\n"
	"\t\tfib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap "
	"@node-ports4\n"
	"\t\tfib daddr type local ip6 daddr != ::1 meta l4proto . th dport vmap @node-ports6\n"
	"\t}\n"
	"\tchain unserved {\n"
	"\t\tct status dnat return\n"
	"\t\tip daddr @own-addrs4 return\n"
	"\t\tip6 daddr @own-addrs6 return\n"
	"\t\tip daddr . meta l4proto . th dport vmap @unserved-ports4\n"
	"\t\tip6 daddr . meta l4proto . th dport vmap @unserved-ports6\n"
	"\t\tfib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap "
	"@unserved-node-ports4\n"
	"\t\tfib daddr type local ip6 daddr != ::1 meta l4proto . th dport vmap "
	"@unserved-node-ports6\n"
	"\t\tip daddr @service-cidrs4 goto refuse\n"
	"\t\tip6 daddr @service-cidrs6 goto refuse\n"
	"\t}\n"
	"\tchain nat-prerouting {\n"
	"\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
	"\t\tip daddr @service-cidrs4 ip saddr != @pod-cidrs4 jump mark-masquerade\n"
	"\t\tip6 daddr @service-cidrs6 ip6 saddr != @pod-cidrs6 jump mark-masquerade\n"
	"\t\tjump services\n"
	"\t}\n"
	"\tchain nat-output {\n"
	"\t\ttype nat hook output priority -100; policy accept;\n"
	"\t\tjump services\n"
	"\t}\n"
	"\tchain nat-postrouting {\n"
	"\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
	"\t\tmeta mark and 0x4000 != 0 jump masquerade-marked\n"
	"\t\tct status dnat ip saddr . ip daddr @hairpins4 masquerade fully-random\n"
	"\t\tct status dnat ip6 saddr . ip6 daddr @hairpins6 masquerade fully-random\n"
	"\t\tip saddr @pod-cidrs4 ip daddr != @pod-cidrs4 masquerade fully-random\n"
	"\t\tip6 saddr @pod-cidrs6 ip6 daddr != @pod-cidrs6 masquerade fully-random\n"
	"\t}\n"
	"\tchain masquerade-marked {\n"
	"\t\tmeta mark set meta mark xor 0x4000\n"
	"\t\tmasquerade fully-random\n"
	"\t}\n"
	"\tchain filter-input {\n"
	"\t\ttype filter hook input priority filter; policy accept;\n"
	"\t\tct state new jump unserved\n"
	"\t}\n"
	"\tchain filter-forward {\n"
	"\t\ttype filter hook forward priority filter; policy accept;\n"
	"\t\tct state new jump unserved\n"
	"\t}\n"
	"\tchain filter-output {\n"
	"\t\ttype filter hook output priority filter; policy accept;\n"
	"\t\tct state new jump unserved\n"
	"\t}\n";

static void add_cidr_set(struct buf *out, const char *name, unsigned family,
			 const struct ipnet *cidrs, size_t count)
{
	size_t added = 0;
	buf_printf(out, "\tset %s%u { type %s; flags interval; auto-merge; ", name, family,
		   family == IP_V6 ? "ipv6_addr" : "ipv4_addr");
	for (size_t i = 0; i < count; i++) {
		if (cidrs[i].addr.family != family)
			continue;
		buf_add_cstr(out, added++ ? ", " : "elements = { ");
		nft_add_net(out, cidrs[i]);
	}
	buf_add_cstr(out, added ? " } ; }\n" : "}\n");
}

static void add_own_set(struct buf *out, unsigned family, const struct service_rules_config *config)
{
	size_t added = 0;
	buf_printf(out, "\tset own-addrs%u { type %s; ", family,
		   family == IP_V6 ? "ipv6_addr" : "ipv4_addr");
	for (size_t i = 0; i < config->own_addr_count; i++) {
		if (config->own_addrs[i].family != family)
			continue;
		buf_add_cstr(out, added++ ? ", " : "elements = { ");
		nft_add_addr(out, config->own_addrs[i]);
	}
	buf_add_cstr(out, added ? " } ; }\n" : "}\n");
}

static void add_frame(struct buf *out, const struct service_rules_config *config)
{
	static const unsigned families[] = {IP_V4, IP_V6};
	buf_add_cstr(out, "table " TABLE " {\n");
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		add_cidr_set(out, "pod-cidrs", families[i], config->pod_cidrs,
			     config->pod_cidr_count);
		add_cidr_set(out, "service-cidrs", families[i], config->service_cidrs,
			     config->service_cidr_count);
		add_own_set(out, families[i], config);
	}
	buf_add_cstr(out, frame_maps);
	buf_add_cstr(out, frame_chains);
	buf_add_cstr(out, "}\n");
}

/* --- differences --- */

/* One step of walking two sorted states side by side: either or both sides are there. */
struct pair {
	const struct packet_rule *from, *to;
};

struct walk {
	const struct service_rules *from, *to;
	size_t from_next, to_next;
};

static bool walk_next(struct walk *w, struct pair *ret_pair)
{
	const struct packet_rule *from =
		w->from_next < w->from->count ? &w->from->items[w->from_next] : NULL;
	const struct packet_rule *to = w->to_next < w->to->count ? &w->to->items[w->to_next] : NULL;
	if (!from && !to)
		return false;
	int order = !from ? 1 : !to ? -1 : service_rule_cmp(from, to);
	ret_pair->from = order <= 0 ? from : NULL;
	ret_pair->to = order >= 0 ? to : NULL;
	w->from_next += order <= 0;
	w->to_next += order >= 0;
	return true;
}

static bool is_new(const struct pair *p)
{
	return !p->from;
}

static bool is_gone(const struct pair *p)
{
	return !p->to;
}

static bool is_changed(const struct pair *p)
{
	return p->from && p->to && !str_eq(p->from->value, p->to->value);
}

static enum packet_rule_kind kind_of(const struct pair *p)
{
	return p->from ? p->from->kind : p->to->kind;
}

static void declare_new(struct buf *out, const struct pair *p)
{
	if (kind_of(p) == RULE_SET && is_new(p))
		buf_printf(out, "add set " TABLE " %.*s %.*s\n", STR_FMT(p->to->key),
			   STR_FMT(p->to->value));
	else if (kind_of(p) == RULE_CHAIN && is_new(p))
		buf_printf(out, "add chain " TABLE " %.*s\n", STR_FMT(p->to->key));
}

/* A set's definition is part of its name's hash, so sets never change. */
static void empty_changed(struct buf *out, const struct pair *p)
{
	if (kind_of(p) == RULE_CHAIN && is_changed(p))
		buf_printf(out, "flush chain " TABLE " %.*s\n", STR_FMT(p->to->key));
}

static void write_body(struct buf *out, const struct pair *p)
{
	if (kind_of(p) == RULE_CHAIN && (is_new(p) || is_changed(p)))
		buf_printf(out, "\tchain %.*s {\n%.*s\t}\n", STR_FMT(p->to->key),
			   STR_FMT(p->to->value));
}

static void delete_entry(struct buf *out, const struct pair *p)
{
	if (kind_of(p) == RULE_ELEMENT && (is_gone(p) || is_changed(p)))
		buf_printf(out, "delete element " TABLE " %.*s { %.*s }\n",
			   STR_FMT(p->from->container), STR_FMT(p->from->key));
}

static void add_entry(struct buf *out, const struct pair *p)
{
	if (kind_of(p) != RULE_ELEMENT || !(is_new(p) || is_changed(p)))
		return;
	buf_printf(out, "add element " TABLE " %.*s { %.*s%s%.*s }\n", STR_FMT(p->to->container),
		   STR_FMT(p->to->key), p->to->value.len ? " : " : "", STR_FMT(p->to->value));
}

static void empty_gone(struct buf *out, const struct pair *p)
{
	if (kind_of(p) == RULE_CHAIN && is_gone(p))
		buf_printf(out, "flush chain " TABLE " %.*s\n", STR_FMT(p->from->key));
}

static void delete_gone_chain(struct buf *out, const struct pair *p)
{
	if (kind_of(p) == RULE_CHAIN && is_gone(p))
		buf_printf(out, "delete chain " TABLE " %.*s\n", STR_FMT(p->from->key));
}

static void delete_gone_set(struct buf *out, const struct pair *p)
{
	if (kind_of(p) == RULE_SET && is_gone(p))
		buf_printf(out, "delete set " TABLE " %.*s\n", STR_FMT(p->from->key));
}

static void for_each_pair(struct buf *out, const struct service_rules *from,
			  const struct service_rules *to,
			  void (*step)(struct buf *out, const struct pair *p))
{
	struct walk walk = {.from = from, .to = to};
	struct pair pair;
	while (walk_next(&walk, &pair))
		step(out, &pair);
}

static void write_bodies(struct buf *out, const struct service_rules *from,
			 const struct service_rules *to)
{
	static const char head[] = "table " TABLE " {\n";
	size_t start = out->len;
	buf_add_cstr(out, head);
	for_each_pair(out, from, to, write_body);
	if (out->len == start + sizeof(head) - 1) {
		out->len = start;
		out->data[start] = 0;
	} else {
		buf_add_cstr(out, "}\n");
	}
}

void service_rules_diff(struct buf *out, const struct service_rules *from,
			const struct service_rules *to)
{
	for_each_pair(out, from, to, declare_new);
	for_each_pair(out, from, to, empty_changed);
	write_bodies(out, from, to);
	for_each_pair(out, from, to, delete_entry);
	for_each_pair(out, from, to, add_entry);
	for_each_pair(out, from, to, empty_gone);
	for_each_pair(out, from, to, delete_gone_chain);
	for_each_pair(out, from, to, delete_gone_set);
}

void service_rules_replace(struct buf *out, const struct service_rules_config *config,
			   const struct service_rules *to)
{
	static const struct service_rules none;
	service_rules_remove(out);
	add_frame(out, config);
	service_rules_diff(out, &none, to);
}

void service_rules_remove(struct buf *out)
{
	buf_add_cstr(out, "add table " TABLE "\ndelete table " TABLE "\n");
}
