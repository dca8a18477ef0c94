/* Endpoints and EndpointSlice. */
#include "api/validate-int.h"
#include "base/ipaddr.h"

#define HINTS_MAX 8 /* zones or nodes of one endpoint */

/* Addresses that can be no endpoint and no external address. */
void check_plain_ip(struct check *v, const struct path *at, struct str text)
{
	struct ipaddr addr;
	if (!api_parse_ip(text, &addr)) {
		check_ip(v, at, text);
		return;
	}
	if (ipaddr_is_unspecified(addr))
		bad_text(v, at, text, "may not be unspecified (%.*s)", STR_FMT(text));
	if (ipaddr_is_loopback(addr))
		bad_text(v, at, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
	if (ipaddr_is_link_local(addr))
		bad_text(v, at, text,
			 "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
	if (ipaddr_is_multicast(addr))
		bad_text(v, at, text,
			 "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

/* ---- Endpoints ---- */

static void check_address(struct check *v, const struct path *at, const struct json *address)
{
	struct str ip = TEXT(address, "ip");
	check_ip(v, MEMBER(at, "ip"), ip);
	if (TEXT(address, "hostname").len > 0)
		check_name(v, MEMBER(at, "hostname"), NAME_DNS_LABEL, TEXT(address, "hostname"));
	if (GET(address, "nodeName"))
		check_name(v, MEMBER(at, "nodeName"), NAME_DNS_SUBDOMAIN,
			   TEXT(address, "nodeName"));
	if (is_ip(ip))
		check_plain_ip(v, MEMBER(at, "ip"), ip);
	else
		bad_text(v, MEMBER(at, "ip"), ip.at ? ip : STR(""), "must be a valid IP address");
}

static void check_endpoint_port(struct check *v, const struct path *at, const struct json *port,
				bool needs_name)
{
	struct str name = TEXT(port, "name");
	if (name.len > 0)
		check_name(v, MEMBER(at, "name"), NAME_DNS_LABEL, name);
	else if (needs_name)
		required(v, MEMBER(at, "name"), "%s", "");
	check_port(v, MEMBER(at, "port"), GET(port, "port"));
	check_required_enum(v, MEMBER(at, "protocol"), TEXT(port, "protocol"), "SCTP,TCP,UDP");
	if (GET(port, "appProtocol"))
		check_name(v, MEMBER(at, "appProtocol"), NAME_QUALIFIED, TEXT(port, "appProtocol"));
}

void endpoints_rules(struct check *v, const struct json *tree)
{
	FOR_ITEMS(i, subset, GET(tree, "subsets"))
	{
		const struct path *at = ITEM(ROOT("subsets"), i);
		const struct json *ports = GET(subset, "ports");
		if (COUNT(subset, "addresses") == 0 && COUNT(subset, "notReadyAddresses") == 0)
			required(v, at, "must specify `addresses` or `notReadyAddresses`");
		FOR_ITEMS(k, address, GET(subset, "addresses"))
		{
			check_address(v, ITEM(MEMBER(at, "addresses"), k), address);
		}
		FOR_ITEMS(m, address, GET(subset, "notReadyAddresses"))
		{
			check_address(v, ITEM(MEMBER(at, "notReadyAddresses"), m), address);
		}
		FOR_ITEMS(p, port, ports)
		{
			check_endpoint_port(v, ITEM(MEMBER(at, "ports"), p), port,
					    json_count(ports) > 1);
		}
	}
}

/* ---- EndpointSlice ---- */

static void check_slice_address(struct check *v, const struct path *list_at, size_t i,
				struct str type, struct str text)
{
	const struct path *at = ITEM(list_at, i);
	struct ipaddr addr;
	if (str_is(type, "FQDN")) {
		check_required_name(v, at, NAME_DNS_SUBDOMAIN, text);
		return;
	}
	if (!text_in(type, "IPv4,IPv6"))
		return;
	check_plain_ip(v, at, text);
	if (api_parse_ip(text, &addr) && (addr.family == IP_V4) != str_is(type, "IPv4"))
		bad_text(v, list_at, text, "must be an %.*s address", STR_FMT(type));
}

static void check_hints(struct check *v, const struct path *at, const struct json *hints,
			enum name_rule rule)
{
	if (!check_count(v, at, hints, HINTS_MAX))
		return;
	FOR_ITEMS(i, hint, hints)
	{
		const struct path *here = MEMBER(ITEM(at, i), "name");
		if (is_text_repeated(v, hints, i, "name"))
			duplicate(v, here, TEXT(hint, "name"));
		check_name(v, here, rule, TEXT(hint, "name"));
	}
}

static void check_endpoint(struct check *v, const struct path *at, const struct json *endpoint,
			   struct str type)
{
	const struct json *addresses = GET(endpoint, "addresses");
	const struct path *addresses_at = MEMBER(at, "addresses");
	if (json_count(addresses) == 0)
		required(v, addresses_at, "must contain at least 1 address");
	else if (json_count(addresses) > 100)
		too_many(v, addresses_at, json_count(addresses), 100);
	FOR_ITEMS(i, address, addresses)
	{
		if (json_count(addresses) <= 100)
			check_slice_address(v, addresses_at, i, type, json_str(address));
	}
	if (GET(endpoint, "nodeName"))
		check_name(v, MEMBER(at, "nodeName"), NAME_DNS_SUBDOMAIN,
			   TEXT(endpoint, "nodeName"));
	if (GET(endpoint, "hostname"))
		check_name(v, MEMBER(at, "hostname"), NAME_DNS_LABEL, TEXT(endpoint, "hostname"));
	const struct json *hints = GET(endpoint, "hints");
	check_hints(v, MEMBER(MEMBER(at, "hints"), "forZones"), GET(hints, "forZones"),
		    NAME_LABEL_VALUE);
	check_hints(v, MEMBER(MEMBER(at, "hints"), "forNodes"), GET(hints, "forNodes"),
		    NAME_DNS_SUBDOMAIN);
}

static void check_slice_port(struct check *v, const struct path *at, const struct json *ports,
			     size_t i)
{
	const struct json *port = json_at(ports, i);
	struct str name = TEXT(port, "name");
	if (name.len > 0)
		check_name(v, MEMBER(at, "name"), NAME_DNS_LABEL, name);
	if (is_text_repeated(v, ports, i, "name"))
		duplicate(v, MEMBER(at, "name"), name);
	check_required_enum(v, MEMBER(at, "protocol"), TEXT(port, "protocol"), "SCTP,TCP,UDP");
	if (GET(port, "appProtocol"))
		check_name(v, MEMBER(at, "appProtocol"), NAME_QUALIFIED, TEXT(port, "appProtocol"));
}

void slice_rules(struct check *v, const struct json *tree)
{
	struct str type = TEXT(tree, "addressType");
	const struct json *ports = GET(tree, "ports");
	check_required_enum(v, ROOT("addressType"), type, "FQDN,IPv4,IPv6");
	if (COUNT(tree, "endpoints") > 1000)
		too_many(v, ROOT("endpoints"), COUNT(tree, "endpoints"), 1000);
	FOR_ITEMS(i, endpoint, GET(tree, "endpoints"))
	{
		check_endpoint(v, ITEM(ROOT("endpoints"), i), endpoint, type);
	}
	if (json_count(ports) > 20000)
		too_many(v, ROOT("ports"), json_count(ports), 20000);
	for (size_t i = 0; i < json_count(ports); i++)
		check_slice_port(v, ITEM(ROOT("ports"), i), ports, i);
}

void slice_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	slice_rules(v, tree);
	check_immutable(v, ROOT("addressType"), GET(tree, "addressType"), GET(old, "addressType"));
}
