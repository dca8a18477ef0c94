/* Ingress, IngressClass, NetworkPolicy, IPAddress, ServiceCIDR, Lease, EndpointSlice. */
#include "api/validate-int.h"
#include "base/ipaddr.h"

/* ---- Ingress ---- */

static void check_backend(struct check *v, const struct path *at, const struct json *backend)
{
	const struct json *service = GET(backend, "service"), *resource = GET(backend, "resource");
	const struct path *service_at = MEMBER(at, "service"),
			  *resource_at = MEMBER(at, "resource");
	const struct json *port = GET(service, "port");
	if (service && resource) {
		bad_text(v, at, STR(""), "cannot set both resource and service backends");
	} else if (resource) {
		if (GET(resource, "apiGroup"))
			check_name(v, MEMBER(resource_at, "apiGroup"), NAME_DNS_SUBDOMAIN,
				   TEXT(resource, "apiGroup"));
		check_required_name(v, MEMBER(resource_at, "kind"), NAME_PATH_SEGMENT,
				    TEXT(resource, "kind"));
		check_required_name(v, MEMBER(resource_at, "name"), NAME_PATH_SEGMENT,
				    TEXT(resource, "name"));
	} else if (!service) {
		bad_text(v, at, STR(""), "resource or service backend is required");
	} else {
		bool has_name = TEXT(port, "name").len > 0, has_number = INT(port, "number") != 0;
		check_required_name(v, MEMBER(service_at, "name"), NAME_DNS_1035,
				    TEXT(service, "name"));
		if (has_name && has_number)
			bad_text(v, at, STR(""), "cannot set both port name & port number");
		else if (has_name)
			check_name(v, MEMBER(MEMBER(service_at, "port"), "name"), NAME_PORT,
				   TEXT(port, "name"));
		else if (has_number)
			check_port(v, MEMBER(MEMBER(service_at, "port"), "number"),
				   GET(port, "number"));
		else
			required(v, at, "port name or number is required");
	}
}

static bool contains(struct str text, const char *part)
{
	return text.len > 0 && memmem(text.at, text.len, part, strlen(part)) != NULL;
}

static void check_http_path(struct check *v, const struct path *at, const struct json *path)
{
	static const char *const inner[] = {"//", "/./", "/../", "%2f", "%2F"};
	static const char *const ends[] = {"/..", "/."};
	struct str text = TEXT(path, "path"), type = TEXT(path, "pathType");
	const struct path *path_at = MEMBER(at, "path");
	if (!GET(path, "pathType")) {
		required(v, MEMBER(at, "pathType"), "pathType must be specified");
		return;
	}
	if (text_in(type, "Exact,Prefix")) {
		if (!str_has_prefix(text, STR("/")))
			bad_text(v, path_at, text, "must be an absolute path");
		for (size_t i = 0; text.len > 0 && i < ARRAY_LEN(inner); i++)
			if (contains(text, inner[i]))
				bad_text(v, path_at, text, "must not contain '%s'", inner[i]);
		for (size_t i = 0; text.len > 0 && i < ARRAY_LEN(ends); i++)
			if (str_has_suffix(text, str_of(ends[i])))
				bad_text(v, path_at, text, "cannot end with '%s'", ends[i]);
	} else if (str_is(type, "ImplementationSpecific")) {
		if (text.len > 0 && !str_has_prefix(text, STR("/")))
			bad_text(v, path_at, text, "must be an absolute path");
	} else {
		unsupported(v, MEMBER(at, "pathType"), type, "Exact,ImplementationSpecific,Prefix");
	}
	check_backend(v, MEMBER(at, "backend"), GET(path, "backend"));
}

static void check_host(struct check *v, const struct path *at, struct str host)
{
	if (host.len > 0 && is_ip(host))
		bad_text(v, at, host, "must be a DNS name, not an IP address");
	if (host.len > 0)
		check_name(v, at,
			   memchr(host.at, '*', host.len) ? NAME_WILDCARD_SUBDOMAIN
							  : NAME_DNS_SUBDOMAIN,
			   host);
}

static void check_ingress_rule(struct check *v, const struct path *at, const struct json *rule)
{
	const struct json *http = GET(rule, "http");
	const struct path *paths_at = MEMBER(MEMBER(at, "http"), "paths");
	check_host(v, MEMBER(at, "host"), TEXT(rule, "host"));
	if (http && COUNT(http, "paths") == 0)
		required(v, paths_at, "%s", "");
	FOR_ITEMS(i, path, GET(http, "paths"))
	{
		check_http_path(v, ITEM(paths_at, i), path);
	}
}

static void check_tls(struct check *v, const struct path *at, const struct json *tls)
{
	FOR_ITEMS(i, host, GET(tls, "hosts"))
	{
		struct str text = json_str(host);
		bool is_wildcard = text.len > 0 && memchr(text.at, '*', text.len);
		check_name(v, ITEM(MEMBER(at, "hosts"), i),
			   is_wildcard ? NAME_WILDCARD_SUBDOMAIN : NAME_DNS_SUBDOMAIN, text);
	}
	if (TEXT(tls, "secretName").len > 0)
		check_name(v, MEMBER(at, "secretName"), NAME_DNS_SUBDOMAIN,
			   TEXT(tls, "secretName"));
}

static void ingress_parts(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *class = GET(spec, "ingressClassName");
	const struct path *at = ROOT("spec");
	if (COUNT(spec, "rules") == 0 && !GET(spec, "defaultBackend"))
		bad(v, at, GET(spec, "rules"),
		    "either `defaultBackend` or `rules` must be specified");
	if (GET(spec, "defaultBackend"))
		check_backend(v, MEMBER(at, "defaultBackend"), GET(spec, "defaultBackend"));
	FOR_ITEMS(i, rule, GET(spec, "rules"))
	{
		check_ingress_rule(v, ITEM(MEMBER(at, "rules"), i), rule);
	}
	FOR_ITEMS(k, tls, GET(spec, "tls"))
	{
		check_tls(v, ITEM(MEMBER(at, "tls"), k), tls);
	}
	if (class)
		check_name(v, MEMBER(at, "ingressClassName"), NAME_DNS_SUBDOMAIN, json_str(class));
}

#define INGRESS_CLASS "kubernetes.io/ingress.class"

static void ingress_rules(struct check *v, const struct json *tree)
{
	const struct json *notes = GET(GET(tree, "metadata"), "annotations");
	const struct json *class = GET(GET(tree, "spec"), "ingressClassName");
	const struct json *note = GET(notes, INGRESS_CLASS);
	ingress_parts(v, tree);
	if (note && class && !str_eq(json_str(note), json_str(class)))
		bad(v, MEMBER(ROOT("annotations"), INGRESS_CLASS), note,
		    "must match `ingressClassName` when both are specified");
}

static void ingress_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	ingress_parts(v, tree);
}

/* Each half is reported with what it says itself. */
static void check_controller(struct check *v, const struct path *at, struct str text)
{
	struct str domain, path;
	bool has_both = str_cut(text, '/', &domain, &path) && domain.len > 0 && path.len > 0;
	if (text.len == 0 || !has_both || name_is(NAME_DNS_SUBDOMAIN, domain)) {
		check_required_name(v, at, NAME_DOMAIN_PREFIXED, text);
		return;
	}
	check_name(v, at, NAME_DNS_SUBDOMAIN, domain);
	struct str good = arena_printf(v->arena, "a/%.*s", STR_FMT(path));
	struct faults f;
	name_check(&f, NAME_DOMAIN_PREFIXED, good);
	for (size_t i = 0; i < f.count; i++)
		bad_text(v, at, path, "%s", f.at[i]);
}

static void ingress_class_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *p = GET(spec, "parameters");
	const struct path *at = ROOT("spec"), *p_at = MEMBER(at, "parameters");
	struct str controller = TEXT(spec, "controller"), scope = TEXT(p, "scope");
	if (controller.len > 250)
		too_long(v, MEMBER(at, "controller"), 250);
	check_controller(v, MEMBER(at, "controller"), controller);
	if (!p)
		return;
	if (GET(p, "apiGroup"))
		check_name(v, MEMBER(p_at, "apiGroup"), NAME_DNS_SUBDOMAIN, TEXT(p, "apiGroup"));
	check_required_name(v, MEMBER(p_at, "kind"), NAME_PATH_SEGMENT, TEXT(p, "kind"));
	check_required_name(v, MEMBER(p_at, "name"), NAME_PATH_SEGMENT, TEXT(p, "name"));
	if (!GET(p, "scope"))
		required(v, MEMBER(p_at, "scope"), "%s", "");
	else
		check_enum(v, MEMBER(p_at, "scope"), scope, "Cluster,Namespace");
	if (str_is(scope, "Namespace") && !GET(p, "namespace"))
		required(v, MEMBER(p_at, "namespace"), "`parameters.scope` is set to 'Namespace'");
	else if (str_is(scope, "Namespace"))
		check_name(v, MEMBER(p_at, "namespace"), NAME_DNS_LABEL, TEXT(p, "namespace"));
	else if (str_is(scope, "Cluster") && GET(p, "namespace"))
		forbidden(v, MEMBER(p_at, "namespace"), "`parameters.scope` is set to 'Cluster'");
}

static void ingress_class_update_rules(struct check *v, const struct json *old,
				       const struct json *tree)
{
	check_text_immutable(v, ROOT("spec"), GET(tree, "spec"), GET(old, "spec"), "controller");
	ingress_class_rules(v, tree);
}

/* ---- NetworkPolicy ---- */

static void check_policy_port(struct check *v, const struct path *at, const struct json *port)
{
	const struct json *number = GET(port, "port"), *end = GET(port, "endPort");
	const struct path *end_at = MEMBER(at, "endPort");
	check_optional_enum(v, MEMBER(at, "protocol"), GET(port, "protocol"), "TCP,UDP,SCTP");
	if (end && number && number->type == JSON_STRING)
		bad(v, end_at, end, "may not be specified when `port` is non-numeric");
	if (number)
		check_port_or_name(v, MEMBER(at, "port"), number);
	if (!end)
		return;
	if (!number)
		bad(v, end_at, end, "may not be specified when `port` is not specified");
	else if (number->type != JSON_STRING && json_i64(end) < json_i64(number))
		bad(v, end_at, number, "must be greater than or equal to `port`");
	if (number && number->type != JSON_STRING)
		check_port(v, end_at, end);
}

static void check_ip_block(struct check *v, const struct path *at, const struct json *block)
{
	struct str cidr = TEXT(block, "cidr");
	struct ipnet net, part;
	if (cidr.len == 0) {
		required(v, MEMBER(at, "cidr"), "%s", "");
		return;
	}
	check_cidr(v, MEMBER(at, "cidr"), cidr);
	if (!ipnet_parse(cidr, &net))
		return;
	FOR_ITEMS(i, except, GET(block, "except"))
	{
		const struct path *here = ITEM(MEMBER(at, "except"), i);
		check_cidr(v, here, json_str(except));
		if (ipnet_parse(json_str(except), &part) &&
		    (!ipnet_contains(net, part.addr) || part.prefix_bits <= net.prefix_bits))
			bad(v, here, except, "must be a strict subset of `cidr`");
	}
}

static void check_peer(struct check *v, const struct path *at, const struct json *peer)
{
	const struct json *pods = GET(peer, "podSelector"),
			  *spaces = GET(peer, "namespaceSelector");
	const struct json *block = GET(peer, "ipBlock");
	check_label_selector(v, MEMBER(at, "podSelector"), pods);
	check_label_selector(v, MEMBER(at, "namespaceSelector"), spaces);
	if (block)
		check_ip_block(v, MEMBER(at, "ipBlock"), block);
	if (!pods && !spaces && !block)
		required(v, at, "must specify a peer");
	else if (block && (pods || spaces))
		forbidden(v, at, "may not specify both ipBlock and another peer");
}

static void check_policy_rules(struct check *v, const struct path *at, const struct json *rules,
			       const char *peers)
{
	FOR_ITEMS(i, rule, rules)
	{
		const struct path *here = ITEM(at, i);
		FOR_ITEMS(k, port, GET(rule, "ports"))
		{
			check_policy_port(v, ITEM(MEMBER(here, "ports"), k), port);
		}
		FOR_ITEMS(m, peer, json_get(rule, str_of(peers)))
		{
			check_peer(v, ITEM(MEMBER(here, peers), m), peer);
		}
	}
}

static void network_policy_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *types = GET(spec, "policyTypes");
	const struct path *at = ROOT("spec");
	check_label_selector(v, MEMBER(at, "podSelector"), GET(spec, "podSelector"));
	check_policy_rules(v, MEMBER(at, "ingress"), GET(spec, "ingress"), "from");
	check_policy_rules(v, MEMBER(at, "egress"), GET(spec, "egress"), "to");
	if (json_count(types) > 2) {
		bad(v, MEMBER(at, "policyTypes"), types,
		    "may not specify more than two policyTypes");
		return;
	}
	FOR_ITEMS(i, type, types)
	{
		check_enum(v, ITEM(MEMBER(at, "policyTypes"), i), json_str(type), "Ingress,Egress");
	}
}

static void network_policy_update_rules(struct check *v, const struct json *old,
					const struct json *tree)
{
	network_policy_rules(v, tree);
	network_policy_rules(v, tree);
}

/* ---- IPAddress, ServiceCIDR ---- */

static bool has_leading_zero(struct str text)
{
	for (size_t i = 0; i + 1 < text.len; i++) {
		bool is_start = i == 0 || text.at[i - 1] == '.' || text.at[i - 1] == '/';
		if (is_start && text.at[i] == '0' && text.at[i + 1] >= '0' && text.at[i + 1] <= '9')
			return memchr(text.at, '.', text.len) != NULL;
	}
	return false;
}

static void ip_address_rules(struct check *v, const struct json *tree)
{
	const struct json *parent = GET(GET(tree, "spec"), "parentRef");
	const struct path *at = MEMBER(ROOT("spec"), "parentRef");
	const struct path *name_at = MEMBER(ROOT("metadata"), "name");
	struct str name = TEXT(GET(tree, "metadata"), "name");
	struct ipaddr addr;
	if (name.len > 0 && has_leading_zero(name)) {
		bad_text(v, name_at, name, "must not have leading 0s");
	} else if (name.len > 0 && !ipaddr_parse(name, &addr)) {
		check_ip(v, name_at, name);
	} else if (name.len > 0 && ipaddr_unmap(&addr)) {
		bad_text(v, name_at, name, "must not be an IPv4-mapped IPv6 address");
	} else if (name.len > 0) {
		char text[IPADDR_TEXT_MAX];
		ipaddr_format(addr, text);
		if (!str_is(name, text))
			bad_text(v, name_at, name, "must be in canonical form (\"%s\")", text);
	}
	if (!parent) {
		required(v, at, "%s", "");
		return;
	}
	if (TEXT(parent, "group").len > 0)
		check_name(v, MEMBER(at, "group"), NAME_DNS_SUBDOMAIN, TEXT(parent, "group"));
	check_required_name(v, MEMBER(at, "resource"), NAME_PATH_SEGMENT, TEXT(parent, "resource"));
	check_required_name(v, MEMBER(at, "name"), NAME_PATH_SEGMENT, TEXT(parent, "name"));
	if (TEXT(parent, "namespace").len > 0)
		check_name(v, MEMBER(at, "namespace"), NAME_PATH_SEGMENT,
			   TEXT(parent, "namespace"));
}

static void ip_address_update_rules(struct check *v, const struct json *old,
				    const struct json *tree)
{
	const struct json *was = GET(GET(old, "spec"), "parentRef");
	const struct json *is = GET(GET(tree, "spec"), "parentRef");
	ip_address_rules(v, tree);
	if (!value_equal(was, is))
		bad(v, MEMBER(ROOT("spec"), "parentRef"),
		    is ? go_struct(v, "ParentReference", is) : NULL, "field is immutable");
}

static void check_service_prefix(struct check *v, const struct path *at, struct str text)
{
	struct ipnet net;
	if (has_leading_zero(text) && api_parse_cidr(text, &net))
		bad_text(v, at, text, "must not have leading 0s in IP or prefix length");
	else if (ipnet_parse(text, &net) && ipaddr_unmap(&net.addr))
		bad_text(v, at, text, "must not have an IPv4-mapped IPv6 address");
	else
		check_cidr_strictly(v, at, text);
}

static bool has_family_twice(const struct json *cidrs)
{
	size_t families[2] = {};
	FOR_ITEMS(i, item, cidrs)
	{
		struct ipnet net;
		if (ipnet_parse(json_str(item), &net))
			families[net.addr.family == IP_V6]++;
	}
	return families[0] > 1 || families[1] > 1;
}

static void service_cidr_rules(struct check *v, const struct json *tree)
{
	const struct json *cidrs = GET(GET(tree, "spec"), "cidrs");
	const struct path *at = MEMBER(ROOT("spec"), "cidrs");
	if (json_count(cidrs) == 0) {
		required(v, at, "at least one CIDR required");
		return;
	}
	if (json_count(cidrs) > 2) {
		struct json *shown = json_object(v->arena);
		json_set(v->arena, shown, STR("CIDRs"), (struct json *)cidrs);
		bad(v, at, shown, "may only hold up to 2 values");
		return;
	}
	FOR_ITEMS(i, item, cidrs)
	{
		check_service_prefix(v, ITEM(at, i), json_str(item));
	}
	if (has_family_twice(cidrs))
		bad(v, at, cidrs,
		    "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and "
		    "2001:db8::/64");
}

/* One may become two; otherwise they stay. */
static void service_cidr_update_rules(struct check *v, const struct json *old,
				      const struct json *tree)
{
	const struct json *was = GET(GET(old, "spec"), "cidrs"),
			  *is = GET(GET(tree, "spec"), "cidrs");
	const struct path *at = MEMBER(ROOT("spec"), "cidrs");
	bool is_second = json_count(was) == 1 && json_count(is) == 2;
	if (json_count(was) != json_count(is) && !is_second) {
		bad(v, at, is ? is : json_array(v->arena), "field is immutable");
		return;
	}
	FOR_ITEMS(i, item, was)
	{
		if (!value_equal(item, json_at(is, i)))
			bad(v, ITEM(at, i), json_at(is, i), "field is immutable");
	}
	if (is_second)
		service_cidr_rules(v, tree);
}

/* ---- Lease ---- */

static void lease_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *duration = GET(spec, "leaseDurationSeconds");
	const struct path *at = ROOT("spec");
	if (duration && json_i64(duration) <= 0)
		bad(v, MEMBER(at, "leaseDurationSeconds"), duration, "must be greater than 0");
	check_not_negative(v, MEMBER(at, "leaseTransitions"), GET(spec, "leaseTransitions"));
}

#define NETWORKING "networking.k8s.io"

const struct kind_rules validate_net[] = {
	{NETWORKING, "Ingress", NAME_DNS_SUBDOMAIN, ingress_rules, ingress_update_rules,
	 ingress_part_rules},
	{NETWORKING, "IngressClass", NAME_DNS_SUBDOMAIN, ingress_class_rules,
	 ingress_class_update_rules, NULL},
	{NETWORKING, "NetworkPolicy", NAME_DNS_SUBDOMAIN, network_policy_rules,
	 network_policy_update_rules, NULL, .steps = "csu"},
	{NETWORKING, "IPAddress", NAME_NONE, ip_address_rules, ip_address_update_rules, NULL,
	 .steps = "csu"},
	{NETWORKING, "ServiceCIDR", NAME_DNS_SUBDOMAIN, service_cidr_rules,
	 service_cidr_update_rules, NULL, .steps = "us"},
	{"discovery.k8s.io", "EndpointSlice", NAME_DNS_SUBDOMAIN, slice_rules, slice_update_rules,
	 NULL, .steps = "cs"},
	{"coordination.k8s.io", "Lease", NAME_DNS_SUBDOMAIN, lease_rules, NULL, NULL,
	 .steps = "us"},
	{},
};
