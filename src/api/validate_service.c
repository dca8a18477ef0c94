/* Service: types, ports, families and addresses, and what may change of them. */
#include "api/validate-int.h"
#include "base/ipaddr.h"

#define KUBELET_PORT 10250
#define RANGES_KEY   "service.beta.kubernetes.io/load-balancer-source-ranges"
#define HINTS_KEY    "service.kubernetes.io/topology-aware-hints"
#define TOPOLOGY_KEY "service.kubernetes.io/topology-mode"

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
	FOR_ITEMS(i, port, str_is(type, "LoadBalancer") ? GET(spec, "ports") : NULL)
	{
		if (INT(port, "port") == KUBELET_PORT)
			bad(v, ITEM(MEMBER(at, "ports"), i), GET(port, "port"),
			    "may not expose port %d externally since it is used by kubelet",
			    KUBELET_PORT);
	}
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
	if (is_text_repeated(v, ports, i, key))
		duplicate(v, at, name);
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
		if (is_repeated(v, families, i))
			duplicate(v, here, json_str(family));
	}
	check_optional_enum(v, MEMBER(at, "ipFamilyPolicy"), GET(spec, "ipFamilyPolicy"),
			    "PreferDualStack,RequireDualStack,SingleStack");
}

static void check_ip_family(struct check *v, const struct path *at, struct str text,
			    struct str family, size_t i)
{
	struct ipaddr addr;
	if (text_in(family, "IPv4,IPv6") && api_parse_ip(text, &addr) &&
	    (addr.family == IP_V4) != str_is(family, "IPv4"))
		bad_text(v, at, text, "expected an %.*s value as indicated by `ipFamilies[%zu]`",
			 STR_FMT(family), i);
}

/* One address a family, in the order of the families. */
static void check_ip_pair(struct check *v, const struct path *at, const struct json *ips,
			  const struct json *families)
{
	struct ipaddr a, b;
	if (json_count(ips) > 1 && (!api_parse_ip(json_str(json_at(ips, 0)), &a) ||
				    !api_parse_ip(json_str(json_at(ips, 1)), &b) ||
				    a.family == b.family || json_count(ips) > 2))
		bad(v, at, ips, "may specify no more than one IP for each IP family");
	for (size_t i = 0; i < MIN(json_count(ips), json_count(families)); i++)
		check_ip_family(v, ITEM(at, i), json_str(json_at(ips, i)),
				json_str(json_at(families, i)), i);
}

static void check_cluster_ips(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *ips = GET(spec, "clusterIPs");
	struct str ip = TEXT(spec, "clusterIP");
	const struct path *ips_at = MEMBER(at, "clusterIPs");
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
		check_ip_pair(v, ips_at, ips, is_headless(spec) ? NULL : GET(spec, "ipFamilies"));
}

void api_validate_service_addresses(const struct json *tree, struct field_errors *errors)
{
	struct check v = {.errors = errors, .arena = errors->arena};
	check_cluster_ips(&v, ROOT("spec"), GET(tree, "spec"));
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
	struct json *keys = json_array(v->arena);
	FOR_ITEMS(i, port, ports)
	{
		json_append(v->arena, keys, port_key(v, port));
	}
	check_no_duplicates(v, at, keys);
}

/* The list of the field, else what an annotation has of it. */
static void check_ranges(struct check *v, const struct path *at, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *list = GET(spec, "loadBalancerSourceRanges");
	struct str text = TEXT(GET(GET(tree, "metadata"), "annotations"), RANGES_KEY), range;
	const struct path *list_at = MEMBER(at, "LoadBalancerSourceRanges");
	const struct path *text_at = KEY(MEMBER(ROOT("metadata"), "annotations"), STR(RANGES_KEY));
	bool has_list = json_count(list) > 0;
	if ((has_list || text.at) && !str_is(TEXT(spec, "type"), "LoadBalancer"))
		forbidden(v, has_list ? list_at : text_at, "%s", balancer_only);
	FOR_ITEMS(i, item, list)
	{
		check_cidr(v, ITEM(list_at, i), str_trim(json_str(item)));
	}
	for (bool more = !has_list && str_trim(text).len > 0; more;) {
		more = str_cut(text, ',', &range, &text);
		check_cidr(v, text_at, str_trim(range));
	}
}

static void check_balancer_class(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *class = GET(spec, "loadBalancerClass");
	if (!class)
		return;
	if (str_is(TEXT(spec, "type"), "LoadBalancer"))
		check_name(v, MEMBER(at, "loadBalancerClass"), NAME_QUALIFIED, json_str(class));
	else
		forbidden(v, MEMBER(at, "loadBalancerClass"), "%s", balancer_only);
}

static void check_balancer(struct check *v, const struct path *at, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	check_ranges(v, at, tree);
	if (!str_is(TEXT(spec, "type"), "LoadBalancer") &&
	    GET(spec, "allocateLoadBalancerNodePorts"))
		forbidden(v, MEMBER(at, "allocateLoadBalancerNodePorts"), "%s", balancer_only);
	check_balancer_class(v, at, spec);
}

static void check_topology(struct check *v, const struct json *tree)
{
	const struct json *annotations = GET(GET(tree, "metadata"), "annotations");
	const struct json *mode = GET(annotations, TOPOLOGY_KEY);
	const struct json *hints = GET(annotations, HINTS_KEY);
	if (mode && hints && !json_equal(mode, hints))
		bad(v, KEY(MEMBER(ROOT("metadata"), "annotations"), STR(TOPOLOGY_KEY)), mode,
		    "must match annotations[%s] when both are specified", HINTS_KEY);
}

/* Is its health asked at a port of the node? */
static bool needs_health_check(const struct json *spec)
{
	return str_is(TEXT(spec, "type"), "LoadBalancer") &&
	       str_is(TEXT(spec, "externalTrafficPolicy"), "Local");
}

static void check_traffic(struct check *v, const struct path *at, const struct json *spec)
{
	struct str type = TEXT(spec, "type"), external = TEXT(spec, "externalTrafficPolicy");
	const struct json *internal = GET(spec, "internalTrafficPolicy");
	const struct json *health = GET(spec, "healthCheckNodePort");
	bool is_external = text_in(type, "LoadBalancer,NodePort") ||
			   (str_is(type, "ClusterIP") && COUNT(spec, "externalIPs") > 0);
	bool is_checked = needs_health_check(spec);
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
	check_optional_enum(v, MEMBER(at, "internalTrafficPolicy"), internal, "Cluster,Local");
	check_optional_enum(v, MEMBER(at, "trafficDistribution"), GET(spec, "trafficDistribution"),
			    "PreferClose,PreferSameZone,PreferSameNode");
}

void service_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec"), *ports_at = MEMBER(at, "ports");
	check_topology(v, tree);
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
	check_balancer(v, at, tree);
	check_traffic(v, at, spec);
}

/* ---- updates ---- */

static bool is_external_name(const struct json *spec)
{
	return str_is(TEXT(spec, "type"), "ExternalName");
}

/* A list that has one item a family: the first stays, the second may come, and goes only when the
 * policy says so. */
struct pair_rule {
	const char *member, *unset, *released;
};

static const struct pair_rule address_pair = {
	"clusterIPs", "primary clusterIP can not be unset",
	"must be set to 'SingleStack' when releasing the secondary clusterIP"};
static const struct pair_rule family_pair = {
	"ipFamilies", "primary ipFamily can not be unset",
	"must be set to 'SingleStack' when releasing the secondary ipFamily"};

static void check_pair_change(struct check *v, const struct json *old, const struct json *spec,
			      const struct pair_rule *rule)
{
	const struct json *was = member_of(old, str_of(rule->member));
	const struct json *is = member_of(spec, str_of(rule->member));
	const struct json *ips = GET(spec, "clusterIPs");
	const struct path *at = MEMBER(ROOT("spec"), rule->member);
	const struct path *policy_at = MEMBER(ROOT("spec"), "ipFamilyPolicy");
	size_t before = json_count(was), now = json_count(is);
	bool is_family = rule == &family_pair;
	if (before == now) {
		for (size_t i = 0; i < before; i++)
			if (!value_equal(json_at(was, i), json_at(is, i)))
				bad(v, ITEM(at, is_family ? 0 : i), is, "may not change once set");
		return;
	}
	if (before > now && json_count(ips) == 0)
		bad(v, ITEM(at, 0), is, "%s", rule->unset);
	if (before > 0 && now > 0 && !value_equal(json_at(was, 0), json_at(is, 0)))
		bad(v, ITEM(at, 0), ips, "may not change once set");
	if (before > now && now == 1 && !str_is(TEXT(spec, "ipFamilyPolicy"), "SingleStack"))
		bad(v, policy_at, GET(spec, "ipFamilyPolicy"), "%s", rule->released);
}

static void check_address_changes(struct check *v, const struct json *old, const struct json *spec)
{
	bool was_headless = is_headless(old), is_now = is_headless(spec);
	if (is_external_name(old) || is_external_name(spec) || (was_headless && is_now))
		return;
	check_pair_change(v, old, spec, &address_pair);
	if (!was_headless && !is_now)
		check_pair_change(v, old, spec, &family_pair);
}

void service_update_rules(struct check *v, const struct json *old_tree, const struct json *tree)
{
	const struct json *old = GET(old_tree, "spec"), *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	check_address_changes(v, old, spec);
	if (str_is(TEXT(old, "type"), "LoadBalancer") &&
	    str_is(TEXT(spec, "type"), "LoadBalancer") &&
	    !value_equal(GET(old, "loadBalancerClass"), GET(spec, "loadBalancerClass")))
		bad(v, MEMBER(at, "loadBalancerClass"), GET(spec, "loadBalancerClass"),
		    "may not change once set");
	check_balancer_class(v, at, spec);
	if (needs_health_check(old) && needs_health_check(spec) &&
	    INT(old, "healthCheckNodePort") != INT(spec, "healthCheckNodePort"))
		forbidden(v, MEMBER(at, "healthCheckNodePort"), "field is immutable");
	service_rules(v, tree);
}
