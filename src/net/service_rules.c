#include "net/service_rules.h"

#include "net/nft.h"
#include "net/service_rules-int.h"

#define CHAIN_TEXT_MAX (1u << 20)
#define HASH_TEXT_LEN  16

/* Everything that one service port needs while its rules are written. */
struct port_work {
	struct service_rules_work *work;
	const struct proxy_service *service;
	const struct proxy_port *port;
	char hash[HASH_TEXT_LEN + 1];
};

/* Endpoints of one family that take connections now. */
struct endpoint_list {
	const struct proxy_endpoint **items;
	size_t count;
};

static const char *const protocol_names[] = {
	[PROXY_TCP] = "tcp", [PROXY_UDP] = "udp", [PROXY_SCTP] = "sctp"};

/* --- collecting rules --- */

static void add_rule(struct service_rules_work *w, enum packet_rule_kind kind,
		     const char *container, struct str key, struct str value)
{
	w->items = arena_grow(w->arena, w->items, w->count, &w->cap, sizeof(*w->items));
	w->items[w->count++] = (struct packet_rule){kind, str_of(container), key, value};
}

static struct str take_text(struct service_rules_work *w, struct buf *text)
{
	struct str s = arena_str(w->arena, buf_str(text));
	buf_reset(text);
	return s;
}

static void hash_part(uint64_t *hash, struct str part)
{
	for (size_t i = 0; i < part.len; i++)
		*hash = (*hash ^ (unsigned char)part.at[i]) * UINT64_C(1099511628211);
	*hash = (*hash ^ 0xff) * UINT64_C(1099511628211); /* no byte of UTF-8: keeps parts apart */
}

static void hash_format(uint64_t hash, char out[HASH_TEXT_LEN + 1])
{
	snprintf(out, HASH_TEXT_LEN + 1, "%016llx", (unsigned long long)hash);
}

static void hash_port(struct port_work *pw)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	hash_part(&hash, pw->service->namespace);
	hash_part(&hash, pw->service->name);
	hash_part(&hash, pw->port->name);
	hash_part(&hash, str_of(protocol_names[pw->port->protocol]));
	hash_format(hash, pw->hash);
}

static const char *family_suffix(unsigned family)
{
	return family == IP_V6 ? "6" : "4";
}

static const char *family_word(unsigned family)
{
	return family == IP_V6 ? "ip6" : "ip";
}

/* --- endpoints --- */

static bool is_reachable(struct ipaddr addr)
{
	return addr.family != IP_NONE && !ipaddr_is_loopback(addr) && !ipaddr_is_link_local(addr) &&
	       !ipaddr_is_multicast(addr) && !ipaddr_is_unspecified(addr);
}

static bool fits(const struct proxy_endpoint *e, unsigned family, bool local_only)
{
	return e->addr.family == family && e->port != 0 && (!local_only || e->is_local) &&
	       is_reachable(e->addr);
}

static int endpoint_cmp(const void *a, const void *b)
{
	const struct proxy_endpoint *const *x = a, *const *y = b;
	int by_addr = ipaddr_cmp((*x)->addr, (*y)->addr);
	return by_addr ? by_addr : (int)(*x)->port - (int)(*y)->port;
}

/* Sorted, so that the order in which slices arrive changes nothing; each once. */
static void sort_unique(struct endpoint_list *list)
{
	size_t kept = 0;
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), endpoint_cmp);
	for (size_t i = 0; i < list->count; i++)
		if (kept == 0 || endpoint_cmp(&list->items[i], &list->items[kept - 1]) != 0)
			list->items[kept++] = list->items[i];
	list->count = kept;
}

/* Ready ones, or else those that serve while they terminate (KEP 1669). */
static struct endpoint_list choose(struct arena *a, const struct proxy_port *port, unsigned family,
				   bool local_only)
{
	struct endpoint_list list = {
		.items = ARENA_ARRAY(a, const struct proxy_endpoint *, port->endpoint_count + 1)};
	for (int pass = 0; pass < 2 && list.count == 0; pass++) {
		for (size_t i = 0; i < port->endpoint_count; i++) {
			const struct proxy_endpoint *e = &port->endpoints[i];
			bool is_wanted = pass == 0 ? e->is_ready
						   : e->is_serving && e->is_terminating;
			if (is_wanted && fits(e, family, local_only))
				list.items[list.count++] = e;
		}
	}
	sort_unique(&list);
	return list;
}

/* --- chains --- */

static void add_endpoint_text(struct buf *out, const struct proxy_endpoint *e)
{
	nft_add_addr(out, e->addr);
	buf_printf(out, " . %u", e->port);
}

static void add_chain_head(struct port_work *pw, struct buf *out, const char *what)
{
	char text[NFT_COMMENT_MAX];
	snprintf(text, sizeof(text), "%.*s/%.*s:%.*s%s", STR_FMT(pw->service->namespace),
		 STR_FMT(pw->service->name), STR_FMT(pw->port->name), what);
	buf_add_cstr(out, "\t\t");
	buf_add_cstr(out, "counter ");
	nft_add_comment(out, str_of(text));
	buf_add_char(out, '\n');
}

/* dnat to one of them, each as likely. */
static void add_balance(struct port_work *pw, struct buf *out, unsigned family,
			const struct endpoint_list *list)
{
	buf_printf(out, "\t\tmeta l4proto %s dnat %s to ", protocol_names[pw->port->protocol],
		   family_word(family));
	if (list->count == 1) {
		char addr[IPADDR_TEXT_MAX];
		ipaddr_format(list->items[0]->addr, addr);
		buf_printf(out, family == IP_V6 ? "[%s]:%u\n" : "%s:%u\n", addr,
			   list->items[0]->port);
		return;
	}
	buf_printf(out, "numgen random mod %zu map { ", list->count);
	for (size_t i = 0; i < list->count; i++) {
		buf_printf(out, "%s%zu : ", i ? ", " : "", i);
		add_endpoint_text(out, list->items[i]);
	}
	buf_add_cstr(out, " }\n");
}

/* With affinity each endpoint has a chain that remembers the client in a set of its own, which goes
 * when the endpoint goes. */
static void endpoint_hash(const struct port_work *pw, const struct proxy_endpoint *e,
			  char out[HASH_TEXT_LEN + 1])
{
	char text[IPADDR_TEXT_MAX + 48];
	char addr[IPADDR_TEXT_MAX];
	uint64_t hash = UINT64_C(14695981039346656037);
	ipaddr_format(e->addr, addr);
	snprintf(text, sizeof(text), "%s %u %u", addr, e->port, pw->service->affinity_timeout_s);
	hash_part(&hash, str_of(pw->hash));
	hash_part(&hash, str_of(text));
	hash_format(hash, out);
}

static void add_affinity_endpoint(struct port_work *pw, unsigned family,
				  const struct proxy_endpoint *e)
{
	struct service_rules_work *w = pw->work;
	char hash[HASH_TEXT_LEN + 1];
	const char *ip = family_word(family);
	CLEANUP_BUF text = BUF_INIT(CHAIN_TEXT_MAX);
	struct endpoint_list one = {.items = &e, .count = 1};
	endpoint_hash(pw, e, hash);
	add_rule(w, RULE_SET, "", arena_printf(w->arena, "aff-%s", hash),
		 arena_printf(w->arena,
			      "{ type %s; size 65536; flags dynamic,timeout; timeout %us; }",
			      family == IP_V6 ? "ipv6_addr" : "ipv4_addr",
			      pw->service->affinity_timeout_s));
	buf_printf(&text, "\t\tupdate @aff-%s { %s saddr }\n", hash, ip);
	add_balance(pw, &text, family, &one);
	add_rule(w, RULE_CHAIN, "", arena_printf(w->arena, "ep-%s", hash), take_text(w, &text));
}

static void add_affinity(struct port_work *pw, struct buf *out, unsigned family,
			 const struct endpoint_list *list)
{
	char hash[HASH_TEXT_LEN + 1];
	for (size_t i = 0; i < list->count; i++) {
		endpoint_hash(pw, list->items[i], hash);
		buf_printf(out, "\t\t%s saddr @aff-%s goto ep-%s\n", family_word(family), hash,
			   hash);
	}
	buf_printf(out, "\t\tnumgen random mod %zu vmap { ", list->count);
	for (size_t i = 0; i < list->count; i++) {
		endpoint_hash(pw, list->items[i], hash);
		buf_printf(out, "%s%zu : goto ep-%s", i ? ", " : "", i, hash);
	}
	buf_add_cstr(out, " }\n");
}

/* prefix-HASH-FAMILY: where connections to list go. */
static void add_balance_chain(struct port_work *pw, const char *prefix, const char *what,
			      unsigned family, const struct endpoint_list *list)
{
	struct service_rules_work *w = pw->work;
	CLEANUP_BUF text = BUF_INIT(CHAIN_TEXT_MAX);
	add_chain_head(pw, &text, what);
	if (list->count == 0)
		buf_add_cstr(&text, "\t\tdrop\n");
	else if (pw->service->affinity_timeout_s)
		add_affinity(pw, &text, family, list);
	else
		add_balance(pw, &text, family, list);
	add_rule(w, RULE_CHAIN, "",
		 arena_printf(w->arena, "%s-%s-%s", prefix, pw->hash, family_suffix(family)),
		 take_text(w, &text));
}

/* How packets from outside the cluster come in; ranges only for load balancer addresses. */
static void add_external_chain(struct port_work *pw, const char *prefix, unsigned family,
			       bool with_ranges)
{
	struct service_rules_work *w = pw->work;
	const struct proxy_service *s = pw->service;
	const char *ip = family_word(family), *suffix = family_suffix(family);
	CLEANUP_BUF text = BUF_INIT(CHAIN_TEXT_MAX);
	size_t ranges = 0;
	add_chain_head(pw, &text, " from outside");
	for (size_t i = 0; with_ranges && i < s->source_range_count; i++) {
		if (s->source_ranges[i].addr.family != family)
			continue;
		buf_add_cstr(&text, ranges++ ? ", " : "\t\t");
		if (ranges == 1)
			buf_printf(&text, "%s saddr != { ", ip);
		nft_add_net(&text, s->source_ranges[i]);
	}
	if (ranges)
		buf_add_cstr(&text, " } drop\n");
	else if (with_ranges && s->source_range_count)
		buf_add_cstr(&text, "\t\tdrop\n"); /* only ranges of the other family */
	if (s->is_external_local) {
		/* a pod's or the node's own packet is no outside client: policy Cluster */
		buf_printf(&text, "\t\t%s saddr @pod-cidrs%s goto svc-%s-%s\n", ip, suffix,
			   pw->hash, suffix);
		buf_printf(&text, "\t\tfib saddr type local jump mark-masquerade\n");
		buf_printf(&text, "\t\tfib saddr type local goto svc-%s-%s\n", pw->hash, suffix);
		buf_printf(&text, "\t\tgoto local-%s-%s\n", pw->hash, suffix);
	} else {
		buf_printf(&text, "\t\tjump mark-masquerade\n\t\tgoto svc-%s-%s\n", pw->hash,
			   suffix);
	}
	add_rule(w, RULE_CHAIN, "", arena_printf(w->arena, "%s-%s-%s", prefix, pw->hash, suffix),
		 take_text(w, &text));
}

/* --- map entries --- */

static struct str addr_key(struct service_rules_work *w, struct ipaddr addr,
			   const struct proxy_port *port)
{
	char text[IPADDR_TEXT_MAX];
	ipaddr_format(addr, text);
	return arena_printf(w->arena, "%s . %s . %u", text, protocol_names[port->protocol],
			    port->port);
}

static void add_addr_element(struct port_work *pw, struct ipaddr addr, const char *prefix,
			     bool is_served)
{
	struct service_rules_work *w = pw->work;
	bool is_v6 = addr.family == IP_V6;
	struct str key = addr_key(w, addr, pw->port);
	if (is_served)
		add_rule(w, RULE_ELEMENT, is_v6 ? "service-ports6" : "service-ports4", key,
			 arena_printf(w->arena, "goto %s-%s-%s", prefix, pw->hash,
				      family_suffix(addr.family)));
	else
		add_rule(w, RULE_ELEMENT, is_v6 ? "unserved-ports6" : "unserved-ports4", key,
			 STR("goto refuse"));
}

static void add_node_port_element(struct port_work *pw, unsigned family, bool is_served)
{
	struct service_rules_work *w = pw->work;
	bool is_v6 = family == IP_V6;
	struct str key = arena_printf(w->arena, "%s . %u", protocol_names[pw->port->protocol],
				      pw->port->node_port);
	if (is_served)
		add_rule(w, RULE_ELEMENT, is_v6 ? "node-ports6" : "node-ports4", key,
			 arena_printf(w->arena, "goto ext-%s-%s", pw->hash, family_suffix(family)));
	else
		add_rule(w, RULE_ELEMENT, is_v6 ? "unserved-node-ports6" : "unserved-node-ports4",
			 key, STR("goto refuse"));
}

static bool is_in_cluster(const struct service_rules_config *config, struct ipaddr addr)
{
	for (size_t i = 0; i < config->pod_cidr_count; i++)
		if (ipnet_contains(config->pod_cidrs[i], addr))
			return true;
	for (size_t i = 0; i < config->service_cidr_count; i++)
		if (ipnet_contains(config->service_cidrs[i], addr))
			return true;
	return false;
}

/* An address that a user may write must never take over another service's or a pod's. */
static bool is_external_addr(const struct port_work *pw, struct ipaddr addr, unsigned family)
{
	return addr.family == family && is_reachable(addr) &&
	       !is_in_cluster(pw->work->config, addr);
}

static bool add_external_elements(struct port_work *pw, const struct ipaddr *addrs, size_t count,
				  const char *prefix, unsigned family, bool is_served)
{
	bool has_any = false;
	for (size_t i = 0; i < count; i++) {
		if (!is_external_addr(pw, addrs[i], family))
			continue;
		add_addr_element(pw, addrs[i], prefix, is_served);
		has_any = true;
	}
	return has_any;
}

static bool is_own_addr(const struct service_rules_config *config, struct ipaddr addr)
{
	for (size_t i = 0; i < config->own_addr_count; i++)
		if (ipaddr_eq(config->own_addrs[i], addr))
			return true;
	return false;
}

static bool add_cluster_elements(struct port_work *pw, unsigned family, bool is_served)
{
	const struct service_rules_work *w = pw->work;
	const struct proxy_service *s = pw->service;
	bool has_any = false;
	for (size_t i = 0; i < s->cluster_ip_count; i++) {
		if (s->cluster_ips[i].family != family || !is_reachable(s->cluster_ips[i]) ||
		    is_own_addr(w->config, s->cluster_ips[i]))
			continue;
		add_addr_element(pw, s->cluster_ips[i], s->is_internal_local ? "local" : "svc",
				 is_served);
		has_any = true;
	}
	return has_any;
}

/* --- one service port, one family --- */

/* A pod that reaches itself through a service must see another source than itself. */
static void add_hairpins(struct port_work *pw, const struct endpoint_list *list)
{
	struct service_rules_work *w = pw->work;
	for (size_t i = 0; i < list->count; i++) {
		char addr[IPADDR_TEXT_MAX];
		if (!list->items[i]->is_local)
			continue;
		ipaddr_format(list->items[i]->addr, addr);
		add_rule(w, RULE_ELEMENT,
			 list->items[i]->addr.family == IP_V6 ? "hairpins6" : "hairpins4",
			 arena_printf(w->arena, "%s . %s", addr, addr), STR(""));
	}
}

static void add_chains(struct port_work *pw, unsigned family, const struct endpoint_list *all,
		       bool has_external, bool has_balancer)
{
	const struct proxy_service *s = pw->service;
	struct endpoint_list local = {};
	bool needs_local = s->is_internal_local ||
			   (s->is_external_local && (has_external || has_balancer));
	if (needs_local)
		local = choose(pw->work->arena, pw->port, family, true);
	add_balance_chain(pw, "svc", "", family, all);
	if (needs_local)
		add_balance_chain(pw, "local", " on this node", family, &local);
	if (has_external)
		add_external_chain(pw, "ext", family, false);
	if (has_balancer)
		add_external_chain(pw, "lb", family, true);
	add_hairpins(pw, all);
	add_hairpins(pw, &local);
	if (!s->affinity_timeout_s)
		return;
	for (size_t i = 0; i < all->count; i++)
		add_affinity_endpoint(pw, family, all->items[i]);
	for (size_t i = 0; i < local.count; i++)
		add_affinity_endpoint(pw, family, local.items[i]);
}

static void add_port(struct port_work *pw, unsigned family)
{
	struct service_rules_work *w = pw->work;
	const struct proxy_service *s = pw->service;
	struct endpoint_list all = choose(w->arena, pw->port, family, false);
	bool is_served = all.count > 0;
	bool has_cluster = add_cluster_elements(pw, family, is_served);
	bool has_balancer = add_external_elements(
		pw, s->load_balancer_ips, s->load_balancer_ip_count, "lb", family, is_served);
	bool has_external = w->config->allows_external_ips &&
			    add_external_elements(pw, s->external_ips, s->external_ip_count, "ext",
						  family, is_served);
	/* node ports are of the families of the cluster addresses */
	if (pw->port->node_port && (has_cluster || (s->is_host_port && is_served))) {
		add_node_port_element(pw, family, is_served);
		has_external = true;
	}
	if (is_served && (has_cluster || has_external || has_balancer))
		add_chains(pw, family, &all, has_external, has_balancer);
}

/* --- the whole --- */

static int rule_cmp(const void *a, const void *b)
{
	const struct packet_rule *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	int by_container = str_cmp(x->container, y->container);
	return by_container ? by_container : str_cmp(x->key, y->key);
}

int service_rule_cmp(const struct packet_rule *a, const struct packet_rule *b)
{
	return rule_cmp(a, b);
}

/* Two services that claim one address and port (load balancer and external addresses can): the one
 * whose text comes first keeps it, whatever the order in which they were seen. */
static int rule_cmp_full(const void *a, const void *b)
{
	const struct packet_rule *x = a, *y = b;
	int by_name = rule_cmp(a, b);
	return by_name ? by_name : str_cmp(x->value, y->value);
}

void service_rules_make(struct arena *a, const struct service_rules_config *config,
			const struct proxy_snapshot *snapshot, struct service_rules *ret_rules)
{
	struct service_rules_work w = {.arena = a, .config = config};
	size_t kept = 0;
	for (size_t i = 0; i < snapshot->service_count; i++) {
		const struct proxy_service *s = &snapshot->services[i];
		for (size_t j = 0; j < s->port_count; j++) {
			struct port_work pw = {.work = &w, .service = s, .port = &s->ports[j]};
			hash_port(&pw);
			add_port(&pw, IP_V4);
			add_port(&pw, IP_V6);
		}
	}
	if (w.count > 1)
		qsort(w.items, w.count, sizeof(*w.items), rule_cmp_full);
	for (size_t i = 0; i < w.count; i++)
		if (kept == 0 || rule_cmp(&w.items[i], &w.items[kept - 1]) != 0)
			w.items[kept++] = w.items[i];
	*ret_rules = (struct service_rules){.items = w.items, .count = kept};
}
