/* Node: taints, networks of its pods, amounts, addresses, and the old dynamic configuration. */
#include "api/validate-int.h"
#include "base/ipaddr.h"

static void check_taints(struct check *v, const struct path *at, const struct json *taints)
{
	FOR_ITEMS(i, taint, taints)
	{
		const struct path *here = ITEM(at, i);
		check_name(v, MEMBER(here, "key"), NAME_QUALIFIED, TEXT(taint, "key"));
		check_name(v, MEMBER(here, "value"), NAME_LABEL_VALUE, TEXT(taint, "value"));
		check_required_enum(v, MEMBER(here, "effect"), TEXT(taint, "effect"),
				    "NoSchedule,PreferNoSchedule,NoExecute");
		for (size_t k = 0; k < i; k++)
			if (str_eq(TEXT(json_at(taints, k), "key"), TEXT(taint, "key")) &&
			    str_eq(TEXT(json_at(taints, k), "effect"), TEXT(taint, "effect"))) {
				duplicate_value(v, here, go_struct(v, "Taint", taint));
				v->errors->items[v->errors->count - 1].detail =
					STR("taints must be unique by key and effect pair");
				break;
			}
	}
}

static void check_cidrs(struct check *v, const struct json *cidrs)
{
	const struct path *at = MEMBER(ROOT("spec"), "podCIDRs");
	size_t families[2] = {};
	FOR_ITEMS(i, item, cidrs)
	{
		struct ipnet net;
		check_cidr(v, ITEM(at, i), json_str(item));
		if (ipnet_parse(json_str(item), &net))
			families[net.addr.family == IP_V6]++;
	}
	if (families[0] > 1 || families[1] > 1)
		bad(v, at, cidrs, "may specify no more than one CIDR for each IP family");
}

static void check_amounts(struct check *v, const char *name, const struct json *amounts)
{
	for (size_t i = 0; i < json_count(amounts); i++) {
		struct json_member m = amounts->object.members[i];
		check_resource_amount(
			v, MEMBER(MEMBER(ROOT("status"), name), arena_cstr(v->arena, m.key)), m.key,
			m.value);
	}
}

static void check_all_amounts(struct check *v, const struct json *status)
{
	check_amounts(v, "capacity", GET(status, "capacity"));
	check_amounts(v, "allocatable", GET(status, "allocatable"));
}

void node_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	check_taints(v, MEMBER(ROOT("metadata"), "taints"), GET(spec, "taints"));
	check_all_amounts(v, GET(tree, "status"));
	check_cidrs(v, GET(spec, "podCIDRs"));
}

/* ---- where a kubelet once took its configuration from ---- */

static const struct {
	const char *name;
	enum name_rule rule;
} config_names[] = {
	{"namespace", NAME_DNS_LABEL},
	{"name", NAME_DNS_SUBDOMAIN},
	{"kubeletConfigKey", NAME_CONFIG_KEY},
};

/* is_status: the reference is to one object as it once was, else to one of that name. */
static void check_config_source(struct check *v, const struct path *at, const struct json *source,
				bool is_status)
{
	static const char *const exact[] = {"uid", "resourceVersion"};
	const struct json *map = GET(source, "configMap");
	const struct path *map_at = MEMBER(at, "configMap");
	if (!source)
		return;
	if (!map) {
		bad(v, at, go_struct(v, "NodeConfigSource", source),
		    "exactly one reference subfield must be non-nil");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(exact); i++) {
		bool is_set = json_str(json_get(map, str_of(exact[i]))).len > 0;
		if (is_status && !is_set)
			required(v, MEMBER(map_at, exact[i]), "%s must be set in status", exact[i]);
		else if (!is_status && is_set)
			forbidden(v, MEMBER(map_at, exact[i]), "%s must not be set in spec",
				  exact[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(config_names); i++) {
		const char *name = config_names[i].name;
		struct str text = json_str(json_get(map, str_of(name)));
		if (text.len == 0)
			required(v, MEMBER(map_at, name), "%s must be set", name);
		else
			check_name(v, MEMBER(map_at, name), config_names[i].rule, text);
	}
}

/* ---- updates, of the status as well ---- */

static void check_addresses(struct check *v, const struct json *addresses)
{
	const struct path *at = MEMBER(ROOT("status"), "addresses");
	FOR_ITEMS(i, address, addresses)
	{
		if (is_repeated(v, addresses, i))
			duplicate_value(v, ITEM(at, i), go_struct(v, "NodeAddress", address));
	}
}

static void check_kept(struct check *v, const struct json *was, const struct json *is)
{
	const struct path *at = MEMBER(ROOT("spec"), "podCIDRs");
	const struct json *before = GET(was, "podCIDRs"), *now = GET(is, "podCIDRs");
	bool is_resized = json_count(before) != json_count(now);
	for (size_t i = 0; i < json_count(before); i++)
		if (is_resized || !value_equal(json_at(before, i), json_at(now, i))) {
			forbidden(v, at,
				  "node updates may not change podCIDR except from \"\" to valid");
			if (is_resized)
				break;
		}
	if (TEXT(was, "providerID").len > 0 &&
	    !value_equal(GET(was, "providerID"), GET(is, "providerID")))
		forbidden(v, MEMBER(ROOT("spec"), "providerID"),
			  "node updates may not change providerID except from \"\" to valid");
}

void node_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	static const char *const sources[] = {"assigned", "active", "lastKnownGood"};
	const struct json *was = GET(old, "spec"), *is = GET(tree, "spec");
	const struct json *status = GET(tree, "status"), *config = GET(status, "config");
	const struct path *config_at = MEMBER(ROOT("status"), "config");
	check_all_amounts(v, status);
	check_addresses(v, GET(status, "addresses"));
	check_kept(v, was, is);
	check_config_source(v, MEMBER(ROOT("spec"), "configSource"), GET(is, "configSource"),
			    false);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		check_config_source(v, MEMBER(config_at, sources[i]),
				    member_of(config, str_of(sources[i])), true);
	check_taints(v, MEMBER(ROOT("metadata"), "taints"), GET(is, "taints"));
	if (!value_equal(GET(was, "externalID"), GET(is, "externalID")))
		forbidden(v, MEMBER(ROOT("spec"), "externalID"), "may not be updated");
}

void node_part_rules(struct check *v, const struct json *old, const struct json *tree,
		     const char *subresource)
{
	node_update_rules(v, old, tree);
}
