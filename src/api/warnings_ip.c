/* Addresses and prefixes in another form than the one that everybody reads alike. */
#include "api/validate.h"
#include "api/warnings.h"
#include "base/ipaddr.h"

/* What one value of an object says, and where it stands. */
typedef void look_at(const struct warnings *w, struct str at, const struct json *value);

/* pattern: members by name, "[]" every item of a list */
static void walk(const struct warnings *w, struct str at, const struct json *node,
		 struct str pattern, look_at *look)
{
	struct str part, rest;
	bool more = str_cut(pattern, '.', &part, &rest);
	bool is_list = str_has_suffix(part, STR("[]"));
	struct str name = str_n(part.at, part.len - (is_list ? 2 : 0));
	const struct json *value = json_get(node, name);
	struct str here =
		arena_printf(w->arena, "%.*s%s%.*s", STR_FMT(at), at.len ? "." : "", STR_FMT(name));
	if (!value || value->type == JSON_NULL)
		return;
	for (size_t i = 0; i < (is_list ? json_count(value) : 1); i++) {
		const struct json *item = is_list ? json_at(value, i) : value;
		struct str item_at = is_list ? arena_printf(w->arena, "%.*s[%zu]", STR_FMT(here), i)
					     : here;
		if (more)
			walk(w, item_at, item, rest, look);
		else
			look(w, item_at, item);
	}
}

static void address(const struct warnings *w, struct str at, const struct json *value)
{
	struct str text = json_str(value);
	char plain[IPADDR_TEXT_MAX];
	struct ipaddr addr;
	if (!api_parse_ip(text, &addr))
		return;
	bool is_mapped = ipaddr_unmap(&addr);
	size_t len = ipaddr_format(addr, plain);
	if (str_eq(text, str_n(plain, len)))
		return;
	if (addr.family == IP_V4 || is_mapped)
		warn(w,
		     "%.*s: non-standard IP address \"%.*s\" will be considered invalid in a "
		     "future Kubernetes release: use \"%s\"",
		     STR_FMT(at), STR_FMT(text), plain);
	else
		warn(w,
		     "%.*s: IPv6 address \"%.*s\" should be in RFC 5952 canonical format (\"%s\")",
		     STR_FMT(at), STR_FMT(text), plain);
}

/* Masked, and an IPv4 one where it is mapped as a whole. */
static void network_text(struct ipnet net, char out[IPNET_TEXT_MAX])
{
	net = ipnet_masked(net);
	if (net.prefix_bits >= 96 && ipaddr_unmap(&net.addr))
		net.prefix_bits -= 96;
	ipnet_format(net, out);
}

/* "10.0.0.5/8": of the net, or of the one address? */
static bool has_host_bits(const struct warnings *w, struct str at, struct str text,
			  struct ipnet net)
{
	char of_net[IPNET_TEXT_MAX], of_addr[IPADDR_TEXT_MAX];
	unsigned address_bits = ip_family_bits(net.addr.family);
	if (ipnet_eq(ipnet_masked(net), net))
		return false;
	network_text(net, of_net);
	ipaddr_unmap(&net.addr);
	ipaddr_format(net.addr, of_addr);
	warn(w,
	     "%.*s: CIDR value \"%.*s\" is ambiguous in this context (should be \"%s\" or "
	     "\"%s/%u\"?)",
	     STR_FMT(at), STR_FMT(text), of_net, of_addr, address_bits);
	return true;
}

static void prefix(const struct warnings *w, struct str at, const struct json *value)
{
	struct str text = json_str(value);
	struct ipnet net, strict;
	char plain[IPNET_TEXT_MAX];
	if (!api_parse_cidr(text, &net))
		return;
	bool is_told = has_host_bits(w, at, text, net);
	bool is_standard = ipnet_parse(text, &strict) && !ipaddr_unmap(&strict.addr);
	network_text(net, plain);
	if (!is_standard)
		warn(w,
		     "%.*s: non-standard CIDR value \"%.*s\" will be considered invalid in a "
		     "future Kubernetes release: use \"%s\"",
		     STR_FMT(at), STR_FMT(text), plain);
	else if (!is_told && net.addr.family == IP_V6 && !str_is(text, plain))
		warn(w,
		     "%.*s: IPv6 CIDR value \"%.*s\" should be in RFC 5952 canonical format "
		     "(\"%s\")",
		     STR_FMT(at), STR_FMT(text), plain);
}

static void ip_block(const struct warnings *w, struct str at, const struct json *block)
{
	walk(w, at, block, STR("cidr"), prefix);
	walk(w, at, block, STR("except[]"), prefix);
}

/* The address of a point stands for the point. */
static void point(const struct warnings *w, struct str at, const struct json *value)
{
	address(w, at, json_get(value, STR("ip")));
}

void warnings_of_ips_at(const struct warnings *w, const char *at, const struct json *node,
			const char *pattern)
{
	walk(w, str_of(at), node, str_of(pattern), address);
}

void warnings_of_ips(const struct warnings *w, const struct json *tree, const char *pattern)
{
	walk(w, STR(""), tree, str_of(pattern), address);
}

void warnings_of_prefixes(const struct warnings *w, const struct json *tree, const char *pattern)
{
	walk(w, STR(""), tree, str_of(pattern), prefix);
}

void warnings_of_ip_blocks(const struct warnings *w, const struct json *tree, const char *peers)
{
	struct str pattern = arena_printf(w->arena, "%s.ipBlock", peers);
	walk(w, STR(""), tree, pattern, ip_block);
}

void warnings_of_points(const struct warnings *w, const struct json *tree)
{
	walk(w, STR(""), tree, STR("status.loadBalancer.ingress[]"), point);
}
