#include "net/dns_lookup.h"

#include "api/api_ids.h"
#include "api/views.h"

#define LABEL_SERVICE	"kubernetes.io/service-name"
#define DNS_VERSION	"1.1.0" /* of the specification */
#define MAX_LABEL_BYTES 63
#define SRV_WEIGHT_SUM	100
#define MAX_CNAME_CHAIN 8

struct lookup {
	const struct dns_zone *zone;
	struct arena *arena;
	enum dns_type type;
	struct dns_answer *out;
	size_t answer_cap, extra_cap;
	int depth; /* of ExternalName services that name each other */
};

static void look_in_zone(struct lookup *l, const struct dns_name *name);

/* --- names --- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool dns_name_parse(struct arena *a, struct str text, struct dns_name *ret_name)
{
	char *copy = arena_cstr(a, text);
	struct str label, rest = str_n(copy, text.len);
	ret_name->count = 0;
	for (size_t i = 0; i < text.len; i++)
		copy[i] = lower(copy[i]);
	if (str_has_suffix(rest, STR(".")))
		rest.len--;
	for (bool more = rest.len > 0; more;) {
		more = str_cut(rest, '.', &label, &rest);
		if (label.len == 0 || label.len > MAX_LABEL_BYTES ||
		    ret_name->count == DNS_MAX_LABELS)
			return false;
		ret_name->labels[ret_name->count++] = label;
	}
	return true;
}

/* The labels before the suffix; false when name doesn't end in it. */
static bool cut_suffix(const struct dns_name *name, const struct dns_name *suffix,
		       size_t *ret_count)
{
	if (name->count < suffix->count)
		return false;
	size_t head = name->count - suffix->count;
	for (size_t i = 0; i < suffix->count; i++)
		if (!str_eq(name->labels[head + i], suffix->labels[i]))
			return false;
	*ret_count = head;
	return true;
}

static struct str service_name(struct lookup *l, const struct object *service)
{
	return arena_printf(l->arena, "%.*s.%.*s.svc.%.*s", STR_FMT(service->name),
			    STR_FMT(service->namespace), STR_FMT(l->zone->domain_text));
}

/* --- records --- */

static struct dns_record *add_record(struct lookup *l, struct dns_record **list, size_t *count,
				     size_t *cap, enum dns_type type)
{
	static struct dns_record surplus;
	if (*count == DNS_MAX_RECORDS)
		return &surplus;
	*list = arena_grow(l->arena, *list, *count, cap, sizeof(**list));
	struct dns_record *r = &(*list)[(*count)++];
	*r = (struct dns_record){.type = type};
	return r;
}

static struct dns_record *add_answer(struct lookup *l, enum dns_type type)
{
	return add_record(l, &l->out->answers, &l->out->answer_count, &l->answer_cap, type);
}

static struct dns_record *add_extra(struct lookup *l, enum dns_type type)
{
	return add_record(l, &l->out->extras, &l->out->extra_count, &l->extra_cap, type);
}

static enum dns_type addr_type(struct ipaddr addr)
{
	return addr.family == IP_V6 ? DNS_AAAA : DNS_A;
}

static bool wants(const struct lookup *l, enum dns_type type)
{
	return l->type == type || l->type == DNS_ANY;
}

static void answer_addr(struct lookup *l, struct ipaddr addr)
{
	if (wants(l, addr_type(addr)))
		add_answer(l, addr_type(addr))->addr = addr;
}

static void nothing(struct lookup *l)
{
	l->out->rcode = DNS_NXDOMAIN;
}

/* --- services --- */

static bool is_headless(const struct service *s)
{
	return str_is(s->spec.cluster_ip, "None");
}

/* Cluster IPs as the API lists them. */
static size_t cluster_ip(const struct service *s, size_t index, struct ipaddr *ret_addr)
{
	struct str_array ips = s->spec.cluster_ips;
	if (ips.count == 0)
		ips = (struct str_array){&s->spec.cluster_ip, 1};
	if (index < ips.count && !ipaddr_parse(ips.at[index], ret_addr))
		*ret_addr = (struct ipaddr){};
	return ips.count;
}

/* One ready endpoint of a headless service. */
struct member {
	const struct endpoint_slice *slice;
	struct ipaddr addr;
	struct str host; /* hostname or dashed address, lower case */
};

static struct str dashed(struct arena *a, struct ipaddr addr)
{
	char text[IPADDR_TEXT_MAX];
	size_t len = ipaddr_format(addr, text);
	char *copy = arena_cstr(a, str_n(text, len));
	for (char *c = copy; *c; c++)
		*c = *c == '.' || *c == ':' ? '-' : *c;
	return str_n(copy, len);
}

static bool member_of(struct lookup *l, const struct endpoint_slice *slice,
		      const struct endpoint *e, struct member *ret_member)
{
	if ((e->conditions.ready && !*e->conditions.ready) || e->addresses.count == 0 ||
	    !ipaddr_parse(e->addresses.at[0], &ret_member->addr))
		return false;
	ret_member->slice = slice;
	ret_member->host = e->hostname.len ? e->hostname : dashed(l->arena, ret_member->addr);
	return true;
}

/* fn for each ready endpoint of the service. */
static void for_each_member(struct lookup *l, const struct object *service,
			    void (*fn)(struct lookup *l, const struct object *service,
				       const struct member *m, void *arg),
			    void *arg)
{
	struct cache_iter it =
		cache_iterate(l->zone->cache, KIND_ENDPOINT_SLICE, service->namespace);
	for (struct object *o; (o = cache_next(&it));) {
		if (!str_eq(object_label(o, STR(LABEL_SERVICE)), service->name))
			continue;
		const struct endpoint_slice *slice = object_view(o);
		for (uint32_t i = 0; i < slice->endpoints.count; i++) {
			struct member m;
			if (member_of(l, slice, &slice->endpoints.at[i], &m))
				fn(l, service, &m, arg);
		}
	}
}

static void answer_member(struct lookup *l, const struct object *service, const struct member *m,
			  void *arg)
{
	answer_addr(l, m->addr);
}

/* HOST.SVC…: *arg is the host, emptied when it was found. */
static void answer_host(struct lookup *l, const struct object *service, const struct member *m,
			void *arg)
{
	struct str *host = arg;
	if (!str_eq_nocase(m->host, *host))
		return;
	answer_addr(l, m->addr);
	l->out->rcode = DNS_NOERROR;
}

/* --- SRV --- */

/* Which ports are asked for; absent name: all of them. */
struct port_query {
	struct str name, protocol;
	bool is_found;
	bool is_dry; /* only looks whether there is one */
};

static bool is_port(const struct port_query *q, struct str name, struct str protocol)
{
	if (!q->name.at)
		return name.len > 0;
	return str_eq_nocase(name, q->name) &&
	       str_eq_nocase(protocol.len ? protocol : STR("TCP"), q->protocol);
}

static void add_srv(struct lookup *l, struct str target, uint16_t port)
{
	struct dns_record *r = add_answer(l, DNS_SRV);
	r->target = target;
	r->port = port;
}

static void extra_addr(struct lookup *l, struct str owner, struct ipaddr addr)
{
	struct dns_record *r = add_extra(l, addr_type(addr));
	r->owner = owner;
	r->addr = addr;
}

static void srv_of_member(struct lookup *l, const struct object *service, const struct member *m,
			  void *arg)
{
	struct port_query *q = arg;
	struct str target = arena_printf(l->arena, "%.*s.%.*s", STR_FMT(m->host),
					 STR_FMT(service_name(l, service)));
	bool has_any = false;
	for (uint32_t i = 0; i < m->slice->ports.count; i++) {
		const struct discovery_endpoint_port *p = &m->slice->ports.at[i];
		if (!p->port || !is_port(q, p->name, p->protocol))
			continue;
		q->is_found = has_any = true;
		if (!q->is_dry)
			add_srv(l, target, (uint16_t)*p->port);
	}
	if (has_any && !q->is_dry)
		extra_addr(l, target, m->addr);
}

static void srv_of_cluster_ip(struct lookup *l, const struct object *o, struct port_query *q)
{
	const struct service *s = object_view(o);
	struct str target = service_name(l, o);
	for (uint32_t i = 0; i < s->spec.ports.count; i++) {
		const struct service_port *p = &s->spec.ports.at[i];
		if (!is_port(q, p->name, p->protocol))
			continue;
		q->is_found = true;
		if (!q->is_dry)
			add_srv(l, target, (uint16_t)p->port);
	}
	struct ipaddr addr;
	for (size_t i = 0; q->is_found && !q->is_dry && i < cluster_ip(s, i, &addr); i++)
		if (addr.family != IP_NONE)
			extra_addr(l, target, addr);
}

static void answer_srv(struct lookup *l, const struct object *o, struct port_query *q)
{
	q->is_dry = !wants(l, DNS_SRV);
	if (is_headless(object_view(o)))
		for_each_member(l, o, srv_of_member, q);
	else
		srv_of_cluster_ip(l, o, q);
	size_t count = l->out->answer_count;
	for (size_t i = 0; i < count; i++)
		l->out->answers[i].weight = (uint16_t)MAX(SRV_WEIGHT_SUM / count, (size_t)1);
}

/* --- kinds of names --- */

/* ExternalName: the alias, and what it leads to when that is in the zone as well. */
static void answer_external(struct lookup *l, const struct service *s)
{
	struct dns_name target;
	size_t head;
	struct str name = s->spec.external_name;
	if (!dns_name_parse(l->arena, name, &target)) {
		l->out->rcode = DNS_SERVFAIL;
		return;
	}
	add_answer(l, DNS_CNAME)->target = name;
	if (l->type == DNS_CNAME)
		return;
	if (!cut_suffix(&target, &l->zone->domain, &head)) {
		l->out->follow = name;
		return;
	}
	if (++l->depth > MAX_CNAME_CHAIN) {
		l->out->rcode = DNS_SERVFAIL;
		return;
	}
	size_t before = l->out->answer_count;
	target.count = head;
	look_in_zone(l, &target);
	for (size_t i = before; i < l->out->answer_count; i++)
		if (!l->out->answers[i].owner.at)
			l->out->answers[i].owner = name;
}

static void answer_service(struct lookup *l, const struct object *o)
{
	const struct service *s = object_view(o);
	struct port_query all = {};
	struct ipaddr addr;
	if (str_is(s->spec.type, "ExternalName")) {
		answer_external(l, s);
	} else if (l->type == DNS_SRV) {
		answer_srv(l, o, &all);
	} else if (is_headless(s)) {
		for_each_member(l, o, answer_member, NULL);
	} else {
		for (size_t i = 0; i < cluster_ip(s, i, &addr); i++)
			if (addr.family != IP_NONE)
				answer_addr(l, addr);
	}
}

static bool is_underscored(struct str label)
{
	return label.len > 1 && label.at[0] == '_';
}

/* labels … SVC NS, "svc" and the domain cut off. */
static void look_in_services(struct lookup *l, const struct dns_name *name)
{
	size_t n = name->count;
	if (n == 0)
		return; /* exists, holds nothing */
	if (n == 1) {
		if (!cache_get(l->zone->cache, KIND_NAMESPACE, (struct str){}, name->labels[0]))
			nothing(l);
		return;
	}
	struct object *o =
		cache_get(l->zone->cache, KIND_SERVICE, name->labels[n - 1], name->labels[n - 2]);
	if (!o) {
		nothing(l);
	} else if (n == 2) {
		answer_service(l, o);
	} else if (n == 3 && is_headless(object_view(o)) && !is_underscored(name->labels[0])) {
		struct str host = name->labels[0];
		nothing(l);
		for_each_member(l, o, answer_host, &host);
	} else if (n == 4 && is_underscored(name->labels[0]) && is_underscored(name->labels[1])) {
		struct port_query q = {.name = str_skip(name->labels[0], 1),
				       .protocol = str_skip(name->labels[1], 1)};
		answer_srv(l, o, &q);
		if (!q.is_found)
			nothing(l);
	} else {
		nothing(l);
	}
}

/* IP.NS: what is written there is the answer; the namespace has to exist. */
static void look_in_pods(struct lookup *l, const struct dns_name *name)
{
	struct ipaddr addr;
	if (name->count == 0)
		return;
	if (!cache_get(l->zone->cache, KIND_NAMESPACE, (struct str){},
		       name->labels[name->count - 1]) ||
	    name->count > 2) {
		nothing(l);
		return;
	}
	if (name->count == 1)
		return;
	char *text = arena_cstr(l->arena, name->labels[0]);
	for (int pass = 0; pass < 2; pass++) {
		for (char *c = text; *c; c++)
			if (*c == (pass ? '.' : '-'))
				*c = pass ? ':' : '.';
		if (ipaddr_parse(str_of(text), &addr)) {
			answer_addr(l, addr);
			return;
		}
	}
	nothing(l);
}

/* The domain is cut off. */
static void look_in_zone(struct lookup *l, const struct dns_name *name)
{
	struct dns_name head = *name;
	if (name->count == 0)
		return;
	struct str last = name->labels[name->count - 1];
	head.count--;
	if (str_is(last, "svc")) {
		look_in_services(l, &head);
	} else if (str_is(last, "pod")) {
		look_in_pods(l, &head);
	} else if (str_is(last, "dns-version") && head.count == 0) {
		if (wants(l, DNS_TXT))
			add_answer(l, DNS_TXT)->target = STR(DNS_VERSION);
	} else {
		nothing(l);
	}
}

/* --- reverse names --- */

static bool parse_reverse_v4(const struct dns_name *name, size_t head, struct ipaddr *ret_addr)
{
	char text[IPADDR_TEXT_MAX];
	if (head != 4)
		return false;
	int len = snprintf(text, sizeof(text), "%.*s.%.*s.%.*s.%.*s", STR_FMT(name->labels[3]),
			   STR_FMT(name->labels[2]), STR_FMT(name->labels[1]),
			   STR_FMT(name->labels[0]));
	return len < (int)sizeof(text) && ipaddr_parse(str_n(text, (size_t)len), ret_addr);
}

static int hex_digit(struct str label)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = label.len == 1 && label.at[0] ? strchr(digits, label.at[0]) : NULL;
	return at ? (int)(at - digits) : -1;
}

static bool parse_reverse_v6(const struct dns_name *name, size_t head, struct ipaddr *ret_addr)
{
	struct ipaddr addr = {.family = IP_V6};
	if (head != 32)
		return false;
	for (size_t i = 0; i < 32; i++) {
		int digit = hex_digit(name->labels[31 - i]);
		if (digit < 0)
			return false;
		addr.bytes[i / 2] |= (uint8_t)(i % 2 ? digit : digit << 4);
	}
	*ret_addr = addr;
	return true;
}

static bool parse_reverse(struct arena *a, const struct dns_name *name, struct ipaddr *ret_addr)
{
	struct dns_name v4, v6;
	size_t head;
	ASSERT(dns_name_parse(a, STR("in-addr.arpa"), &v4));
	ASSERT(dns_name_parse(a, STR("ip6.arpa"), &v6));
	if (cut_suffix(name, &v4, &head))
		return parse_reverse_v4(name, head, ret_addr);
	return cut_suffix(name, &v6, &head) && parse_reverse_v6(name, head, ret_addr);
}

static bool has_cluster_ip(const struct service *s, struct ipaddr wanted)
{
	struct ipaddr addr;
	for (size_t i = 0; i < cluster_ip(s, i, &addr); i++)
		if (ipaddr_eq(addr, wanted))
			return true;
	return false;
}

static void ptr_of_slice(struct lookup *l, const struct object *o, struct ipaddr wanted)
{
	const struct endpoint_slice *slice = object_view(o);
	const struct object *service = NULL;
	for (uint32_t i = 0; i < slice->endpoints.count; i++) {
		struct member m;
		if (!member_of(l, slice, &slice->endpoints.at[i], &m) || !ipaddr_eq(m.addr, wanted))
			continue;
		if (!service)
			service = cache_get(l->zone->cache, KIND_SERVICE, o->namespace,
					    object_label(o, STR(LABEL_SERVICE)));
		if (!service || !is_headless(object_view(service)))
			return;
		add_answer(l, DNS_PTR)->target = arena_printf(
			l->arena, "%.*s.%.*s", STR_FMT(m.host), STR_FMT(service_name(l, service)));
	}
}

static bool is_own_addr(const struct dns_zone *zone, struct ipaddr addr)
{
	for (size_t i = 0; i < zone->own_net_count; i++)
		if (ipnet_contains(zone->own_nets[i], addr))
			return true;
	return false;
}

static void look_in_reverse(struct lookup *l, struct ipaddr addr)
{
	struct cache_iter it = cache_iterate(l->zone->cache, KIND_SERVICE, (struct str){});
	for (struct object *o; (o = cache_next(&it));)
		if (has_cluster_ip(object_view(o), addr))
			add_answer(l, DNS_PTR)->target = service_name(l, o);
	it = cache_iterate(l->zone->cache, KIND_ENDPOINT_SLICE, (struct str){});
	for (struct object *o; (o = cache_next(&it));)
		ptr_of_slice(l, o, addr);
	bool exists = l->out->answer_count > 0;
	if (!wants(l, DNS_PTR))
		l->out->answer_count = 0;
	l->out->is_ours = exists || is_own_addr(l->zone, addr);
	if (!exists)
		nothing(l);
}

void dns_lookup(const struct dns_zone *zone, struct arena *a, const struct dns_name *name,
		enum dns_type type, struct dns_answer *ret_answer)
{
	struct lookup l = {.zone = zone, .arena = a, .type = type, .out = ret_answer};
	struct dns_name head = *name;
	struct ipaddr addr;
	*ret_answer = (struct dns_answer){.rcode = DNS_NOERROR};
	if (cut_suffix(name, &zone->domain, &head.count)) {
		ret_answer->is_ours = true;
		look_in_zone(&l, &head);
	} else if (parse_reverse(a, name, &addr)) {
		look_in_reverse(&l, addr);
	}
}
