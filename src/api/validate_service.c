/* Service, Endpoints, EndpointSlice. */
#include "api/validate-int.h"
#include "base/ipaddr.h"

static const char balancer_only[] = "may only be used when `type` is 'LoadBalancer'";

/* ---- Service ---- */

static bool is_headless(const struct json *spec)
{
	return COUNT(spec, "clusterIPs") == 1 &&
	       str_is(json_str(json_at(GET(spec, "clusterIPs"), 0)), "None");
}

static void check_type_rules(struct check *v, const struct path *at, const struct json *spec)
{
	static const char message[] = "may not be set for ExternalName services";
	struct str type = TEXT(spec, "type"), name = TEXT(spec, "externalName");
	if (text_in(type, "LoadBalancer,NodePort") && is_headless(spec))
		bad_text(v, ITEM(MEMBER(at, "clusterIPs"), 0), STR("None"),
			 "may not be set to 'None' for %.*s services", STR_FMT(type));
	if (!str_is(type, "ExternalName"))
		return;
	if (COUNT(spec, "clusterIPs") > 0)
		forbidden(v, MEMBER(at, "clusterIPs"), "%s", message);
	if (COUNT(spec, "ipFamilies") > 0)
		forbidden(v, MEMBER(at, "ipFamilies"), "%s", message);
	if (GET(spec, "ipFamilyPolicy"))
		forbidden(v, MEMBER(at, "ipFamilyPolicy"), "%s", message);
	if (str_has_suffix(name, STR(".")))
		name.len--;
	check_required_name(v, MEMBER(at, "externalName"), NAME_DNS_SUBDOMAIN, name);
}

static void check_port_name(struct check *v, const struct path *at, const struct json *ports,
			    size_t i, const char *key)
{
	struct str name = json_str(json_get(json_at(ports, i), str_of(key)));
	check_name(v, at, NAME_DNS_LABEL, name);
	for (size_t k = 0; k < i; k++)
		if (str_eq(json_str(json_get(json_at(ports, k), str_of(key))), name)) {
			duplicate(v, at, name);
			return;
		}
}

static void check_service_ports(struct check *v, const struct path *at, const struct json *ports)
{
	FOR_ITEMS(i, port, ports)
	{
		const struct path *here = ITEM(at, i);
		struct str name = TEXT(port, "name");
		if (name.len > 0)
			check_port_name(v, MEMBER(here, "name"), ports, i, "name");
		else if (json_count(ports) > 1)
			required(v, MEMBER(here, "name"), "%s", "");
		check_port(v, MEMBER(here, "port"), GET(port, "port"));
		check_required_enum(v, MEMBER(here, "protocol"), TEXT(port, "protocol"),
				    "SCTP,TCP,UDP");
		check_port_or_name(v, MEMBER(here, "targetPort"), GET(port, "targetPort"));
		if (GET(port, "appProtocol"))
			check_name(v, MEMBER(here, "appProtocol"), NAME_QUALIFIED,
				   TEXT(port, "appProtocol"));
	}
}

static void check_session(struct check *v, const struct path *at, const struct json *spec)
{
	struct str affinity = TEXT(spec, "sessionAffinity");
	const struct json *config = GET(spec, "sessionAffinityConfig");
	const struct path *config_at = MEMBER(at, "sessionAffinityConfig");
	check_required_enum(v, MEMBER(at, "sessionAffinity"), affinity, "ClientIP,None");
	if (str_is(affinity, "None") && config)
		forbidden(v, config_at, "must not be set when session affinity is None");
	if (!str_is(affinity, "ClientIP"))
		return;
	int64_t seconds = INT(GET(config, "clientIP"), "timeoutSeconds");
	if (seconds <= 0 || seconds > 86400)
		bad(v, MEMBER(MEMBER(config_at, "clientIP"), "timeoutSeconds"),
		    json_int(v->arena, seconds), "must be greater than 0 and less than 86400");
}

static void check_families(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *families = GET(spec, "ipFamilies");
	FOR_ITEMS(i, family, families)
	{
		const struct path *here = ITEM(MEMBER(at, "ipFamilies"), i);
		check_enum(v, here, json_str(family), "IPv4,IPv6");
		for (size_t k = 0; k < i; k++)
			if (str_eq(json_str(json_at(families, k)), json_str(family))) {
				duplicate(v, here, json_str(family));
				break;
			}
	}
	check_optional_enum(v, MEMBER(at, "ipFamilyPolicy"), GET(spec, "ipFamilyPolicy"),
			    "PreferDualStack,RequireDualStack,SingleStack");
}

static void check_ip_family(struct check *v, const struct path *at, struct str text,
			    struct str family, size_t i)
{
	struct ipaddr addr;
	if (api_parse_ip(text, &addr) && (addr.family == IP_V4) != str_is(family, "IPv4"))
		bad_text(v, at, text, "expected an %.*s value as indicated by `ipFamilies[%zu]`",
			 STR_FMT(family), i);
}

/* One address a family, in the order of the families. */
static void check_ip_pair(struct check *v, const struct path *at, const struct json *ips,
			  const struct json *families, size_t before)
{
	struct ipaddr a, b;
	if (json_count(ips) > 1 && (!api_parse_ip(json_str(json_at(ips, 0)), &a) ||
				    !api_parse_ip(json_str(json_at(ips, 1)), &b) ||
				    a.family == b.family || json_count(ips) > 2))
		bad(v, at, ips, "may specify no more than one IP for each IP family");
	if (v->errors->count > before)
		return;
	for (size_t i = 0; i < MIN(json_count(ips), json_count(families)); i++)
		check_ip_family(v, ITEM(at, i), json_str(json_at(ips, i)),
				json_str(json_at(families, i)), i);
}

static void check_cluster_ips(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *ips = GET(spec, "clusterIPs");
	struct str ip = TEXT(spec, "clusterIP");
	const struct path *ips_at = MEMBER(at, "clusterIPs");
	size_t before = v->errors->count;
	if (str_is(TEXT(spec, "type"), "ExternalName"))
		return;
	if (ip.len > 0 && json_count(ips) == 0)
		required(v, ips_at, "%s", "");
	else if (ip.len > 0 && !str_eq(json_str(json_at(ips, 0)), ip))
		bad(v, ips_at, ips, "first value must match `clusterIP`");
	else if (ip.len == 0 && json_count(ips) > 0)
		bad(v, ips_at, ips, "must be empty when `clusterIP` is not specified");
	check_families(v, at, spec);
	bool has_bad = false;
	FOR_ITEMS(i, item, ips)
	{
		bool is_none = i == 0 && str_is(json_str(item), "None");
		has_bad |= is_none ? json_count(ips) > 1 : !is_ip(json_str(item));
		if (!is_none)
			check_ip(v, ITEM(ips_at, i), json_str(item));
		else if (json_count(ips) > 1)
			bad(v, ips_at, ips, "'None' must be the first and only value");
	}
	if (json_count(ips) > 2)
		bad(v, ips_at, ips, "may only hold up to 2 values");
	if (!has_bad)
		check_ip_pair(v, ips_at, ips, is_headless(spec) ? NULL : GET(spec, "ipFamilies"),
			      before);
}

void api_validate_service_addresses(const struct json *tree, struct field_errors *errors)
{
	struct check v = {.errors = errors, .arena = errors->arena};
	check_cluster_ips(&v, ROOT("spec"), GET(tree, "spec"));
}

/* Addresses that can be no endpoint and no external address. */
static void check_plain_ip(struct check *v, const struct path *at, struct str text)
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

static void check_node_ports(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *ports = GET(spec, "ports");
	bool is_cluster = str_is(TEXT(spec, "type"), "ClusterIP");
	FOR_ITEMS(i, port, ports)
	{
		if (is_cluster && INT(port, "nodePort") != 0)
			forbidden(v, MEMBER(ITEM(at, i), "nodePort"),
				  "may not be used when `type` is 'ClusterIP'");
	}
	FOR_ITEMS(k, port, ports)
	{
		for (size_t m = 0; INT(port, "nodePort") != 0 && m < k; m++)
			if (INT(json_at(ports, m), "nodePort") == INT(port, "nodePort") &&
			    str_eq(TEXT(json_at(ports, m), "protocol"), TEXT(port, "protocol"))) {
				duplicate_value(v, MEMBER(ITEM(at, k), "nodePort"),
						GET(port, "nodePort"));
				break;
			}
	}
}

/* {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0} */
static struct json *port_key(struct check *v, const struct json *port)
{
	struct json *key = json_object(v->arena);
	json_set_str(v->arena, key, STR("Name"), STR(""));
	json_set_str(v->arena, key, STR("Protocol"), TEXT(port, "protocol"));
	json_set(v->arena, key, STR("AppProtocol"), json_null(v->arena));
	json_set(v->arena, key, STR("Port"), json_int(v->arena, INT(port, "port")));
	json_set(v->arena, key, STR("TargetPort"), json_int(v->arena, 0));
	json_set(v->arena, key, STR("NodePort"), json_int(v->arena, 0));
	return key;
}

static void check_same_ports(struct check *v, const struct path *at, const struct json *ports)
{
	FOR_ITEMS(i, port, ports)
	{
		for (size_t k = 0; k < i; k++)
			if (INT(json_at(ports, k), "port") == INT(port, "port") &&
			    str_eq(TEXT(json_at(ports, k), "protocol"), TEXT(port, "protocol"))) {
				duplicate_value(v, ITEM(at, i), port_key(v, port));
				break;
			}
	}
}

static void check_balancer(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *ranges = GET(spec, "loadBalancerSourceRanges");
	const struct json *class = GET(spec, "loadBalancerClass");
	const struct path *ranges_at = MEMBER(at, "LoadBalancerSourceRanges");
	bool is_balancer = str_is(TEXT(spec, "type"), "LoadBalancer");
	if (json_count(ranges) > 0 && !is_balancer)
		forbidden(v, ranges_at, "%s", balancer_only);
	FOR_ITEMS(i, range, ranges)
	{
		check_cidr(v, ITEM(ranges_at, i), json_str(range));
	}
	if (!is_balancer && GET(spec, "allocateLoadBalancerNodePorts"))
		forbidden(v, MEMBER(at, "allocateLoadBalancerNodePorts"), "%s", balancer_only);
	if (!class)
		return;
	if (!is_balancer)
		forbidden(v, MEMBER(at, "loadBalancerClass"), "%s", balancer_only);
	check_name(v, MEMBER(at, "loadBalancerClass"), NAME_QUALIFIED, json_str(class));
}

static void check_traffic(struct check *v, const struct path *at, const struct json *spec)
{
	struct str type = TEXT(spec, "type"), external = TEXT(spec, "externalTrafficPolicy");
	const struct json *internal = GET(spec, "internalTrafficPolicy");
	const struct json *health = GET(spec, "healthCheckNodePort");
	bool is_external = text_in(type, "LoadBalancer,NodePort") ||
			   (str_is(type, "ClusterIP") && COUNT(spec, "externalIPs") > 0);
	bool is_checked = str_is(type, "LoadBalancer") && str_is(external, "Local");
	check_optional_enum(v, MEMBER(at, "internalTrafficPolicy"), internal, "Cluster,Local");
	if (is_external)
		check_required_enum(v, MEMBER(at, "externalTrafficPolicy"), external,
				    "Cluster,Local");
	else if (external.len > 0)
		bad_text(v, MEMBER(at, "externalTrafficPolicy"), external,
			 "may only be set for externally-accessible services");
	if (json_i64(health) != 0 && is_checked)
		check_port(v, MEMBER(at, "healthCheckNodePort"), health);
	else if (json_i64(health) != 0)
		bad(v, MEMBER(at, "healthCheckNodePort"), health,
		    "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is "
		    "'Local'");
	check_optional_enum(v, MEMBER(at, "trafficDistribution"), GET(spec, "trafficDistribution"),
			    "PreferClose,PreferSameZone,PreferSameNode");
}

void service_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec"), *ports_at = MEMBER(at, "ports");
	if (COUNT(spec, "ports") == 0 && !is_headless(spec) &&
	    !str_is(TEXT(spec, "type"), "ExternalName"))
		required(v, ports_at, "%s", "");
	check_type_rules(v, at, spec);
	check_service_ports(v, ports_at, GET(spec, "ports"));
	check_labels(v, MEMBER(at, "selector"), GET(spec, "selector"));
	check_session(v, at, spec);
	check_cluster_ips(v, at, spec);
	FOR_ITEMS(i, ip, GET(spec, "externalIPs"))
	{
		check_plain_ip(v, ITEM(MEMBER(at, "externalIPs"), i), json_str(ip));
	}
	check_required_enum(v, MEMBER(at, "type"), TEXT(spec, "type"),
			    "ClusterIP,ExternalName,LoadBalancer,NodePort");
	check_node_ports(v, ports_at, spec);
	check_same_ports(v, ports_at, GET(spec, "ports"));
	check_balancer(v, at, spec);
	check_traffic(v, at, spec);
}

void service_update_rules(struct check *v, const struct json *old_tree, const struct json *tree)
{
	const struct json *old = GET(old_tree, "spec"), *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	const struct json *was = json_at(GET(old, "clusterIPs"), 0);
	const struct json *is = json_at(GET(spec, "clusterIPs"), 0);
	bool keeps = !str_is(TEXT(old, "type"), "ExternalName") &&
		     !str_is(TEXT(spec, "type"), "ExternalName");
	if (keeps && json_str(was).len > 0 && !value_equal(was, is))
		bad(v, ITEM(MEMBER(at, "clusterIPs"), 0), GET(spec, "clusterIPs"),
		    "may not change once set");
	if (str_is(TEXT(old, "type"), "LoadBalancer") &&
	    str_is(TEXT(spec, "type"), "LoadBalancer") &&
	    !value_equal(GET(old, "loadBalancerClass"), GET(spec, "loadBalancerClass")))
		bad(v, MEMBER(at, "loadBalancerClass"), GET(spec, "loadBalancerClass"),
		    "may not change once set");
	service_rules(v, tree);
}

/* ---- Endpoints ---- */

static void check_address(struct check *v, const struct path *at, const struct json *address)
{
	check_plain_ip(v, MEMBER(at, "ip"), TEXT(address, "ip"));
	if (TEXT(address, "hostname").len > 0)
		check_name(v, MEMBER(at, "hostname"), NAME_DNS_LABEL, TEXT(address, "hostname"));
	if (GET(address, "nodeName"))
		check_name(v, MEMBER(at, "nodeName"), NAME_DNS_SUBDOMAIN,
			   TEXT(address, "nodeName"));
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

static void check_hints(struct check *v, const struct path *at, const struct json *zones)
{
	if (json_count(zones) > 8) {
		too_many(v, at, json_count(zones), 8);
		return;
	}
	FOR_ITEMS(i, zone, zones)
	{
		const struct path *here = MEMBER(ITEM(at, i), "name");
		for (size_t k = 0; k < i; k++)
			if (str_eq(TEXT(json_at(zones, k), "name"), TEXT(zone, "name")))
				duplicate(v, here, TEXT(zone, "name"));
		check_name(v, here, NAME_LABEL_VALUE, TEXT(zone, "name"));
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
	check_hints(v, MEMBER(MEMBER(at, "hints"), "forZones"),
		    GET(GET(endpoint, "hints"), "forZones"));
}

static void check_slice_port(struct check *v, const struct path *at, const struct json *ports,
			     size_t i)
{
	const struct json *port = json_at(ports, i);
	struct str name = TEXT(port, "name");
	bool is_twice = false;
	for (size_t k = 0; k < i; k++)
		is_twice |= str_eq(TEXT(json_at(ports, k), "name"), name);
	if (name.len > 0)
		check_name(v, MEMBER(at, "name"), NAME_DNS_LABEL, name);
	if (is_twice)
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
