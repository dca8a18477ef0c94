/* ResourceSlice: the pool, the nodes that reach it, and its devices. */
#include "api/validate-int.h"

#define DEVICES_MAX   128
#define FEATURES_MAX  32 /* attributes and capacities of one device */
#define VALUE_MAX     64 /* of an attribute, bytes */
#define POOL_NAME_MAX 253

static bool is_semver(struct str s)
{
	struct str core, rest, part;
	size_t numbers = 0;
	str_cut(s, '+', &core, &rest);
	str_cut(core, '-', &core, &rest);
	for (bool more = true; more; numbers++) {
		int64_t number;
		more = str_cut(core, '.', &part, &core);
		if (!str_to_i64(part, &number) || number < 0 || (part.len > 1 && part.at[0] == '0'))
			return false;
	}
	return numbers == 3;
}

/* What an attribute may be, and what upstream's struct calls it. */
static const struct {
	const char *json, *go;
} value_forms[] = {{"int", "IntValue"},
		   {"bool", "BoolValue"},
		   {"string", "StringValue"},
		   {"version", "VersionValue"}};

static struct json *shown_attribute(struct check *v, const struct json *value)
{
	struct json *shown = json_object(v->arena);
	for (size_t i = 0; i < ARRAY_LEN(value_forms); i++) {
		struct json *given = member_of(value, str_of(value_forms[i].json));
		json_set(v->arena, shown, str_of(value_forms[i].go),
			 given ? given : json_null(v->arena));
	}
	return shown;
}

static void check_attribute(struct check *v, const struct path *at, const struct json *value)
{
	const struct json *version = GET(value, "version");
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(value_forms); i++)
		count += member_of(value, str_of(value_forms[i].json)) != NULL;
	if (TEXT(value, "string").len > VALUE_MAX)
		too_long(v, MEMBER(at, "string"), VALUE_MAX);
	if (version && !is_semver(json_str(version)))
		bad(v, MEMBER(at, "version"), version,
		    "must be a string compatible with semver.org spec 2.0.0");
	if (json_str(version).len > VALUE_MAX)
		too_long(v, MEMBER(at, "version"), VALUE_MAX);
	if (count == 0)
		bad_text(v, at, STR(""), "exactly one value must be specified");
	else if (count > 1)
		bad(v, at, shown_attribute(v, value), "exactly one value must be specified");
}

static void check_device(struct check *v, const struct path *at, const struct json *device)
{
	const struct json *attributes = GET(device, "attributes");
	const struct json *capacity = GET(device, "capacity");
	size_t total = json_count(attributes) + json_count(capacity);
	check_name(v, MEMBER(at, "name"), NAME_DNS_LABEL, TEXT(device, "name"));
	if (total > FEATURES_MAX)
		bad(v, at, json_int(v->arena, (int64_t)total),
		    "the total number of attributes and capacities must not exceed %d",
		    FEATURES_MAX);
	for (size_t i = 0; i < json_count(attributes); i++) {
		struct json_member m = attributes->object.members[i];
		const struct path *here = KEY(MEMBER(at, "attributes"), m.key);
		check_device_attribute_name(v, here, m.key);
		check_attribute(v, here, m.value);
	}
	for (size_t i = 0; i < json_count(capacity); i++) {
		struct str key = capacity->object.members[i].key;
		check_device_attribute_name(v, KEY(MEMBER(at, "capacity"), key), key);
	}
}

static void check_slice_devices(struct check *v, const struct path *at, const struct json *devices)
{
	if (!check_count(v, at, devices, DEVICES_MAX))
		return;
	FOR_ITEMS(i, device, devices)
	{
		check_device(v, ITEM(at, i), device);
	}
	check_named_once(v, at, devices);
}

void check_pool_name(struct check *v, const struct path *at, struct str name)
{
	struct str part, rest = name;
	if (name.len == 0) {
		required(v, at, "%s", "");
		return;
	}
	if (name.len > POOL_NAME_MAX)
		too_long(v, at, POOL_NAME_MAX);
	for (bool more = true; more;) {
		more = str_cut(rest, '/', &part, &rest);
		check_name(v, at, NAME_DNS_SUBDOMAIN, part);
	}
}

static void check_pool(struct check *v, const struct path *at, const struct json *pool)
{
	check_pool_name(v, MEMBER(at, "name"), TEXT(pool, "name"));
	if (INT(pool, "resourceSliceCount") <= 0)
		bad(v, MEMBER(at, "resourceSliceCount"),
		    json_int(v->arena, INT(pool, "resourceSliceCount")),
		    "must be greater than zero");
	if (INT(pool, "generation") < 0)
		bad(v, MEMBER(at, "generation"), GET(pool, "generation"),
		    "must be greater than or equal to zero");
}

static void check_slice_node(struct check *v, const struct path *at, const struct json *spec)
{
	static const char one[] = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, "
				  "`perDeviceNodeSelection` is required";
	static const char *const forms[] = {"nodeName", "nodeSelector", "allNodes",
					    "perDeviceNodeSelection"};
	CLEANUP_BUF set = BUF_INIT(256);
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const struct json *value = json_get(spec, str_of(forms[i]));
		if (!value)
			continue;
		if (value->type == JSON_BOOL && !value->boolean) {
			bad(v, MEMBER(at, forms[i]), value, "must be either unset or set to true");
			continue;
		}
		if (value->type == JSON_STRING && value->string.len == 0) {
			bad(v, MEMBER(at, forms[i]), value,
			    "must be either unset or set to a non-empty string");
			continue;
		}
		if (value->type == JSON_STRING)
			check_name(v, MEMBER(at, forms[i]), NAME_DNS_SUBDOMAIN, json_str(value));
		buf_printf(&set, "%s`%s`", count++ ? ", " : "", forms[i]);
	}
	const struct json *selector = GET(spec, "nodeSelector");
	const struct path *terms_at = MEMBER(MEMBER(at, "nodeSelector"), "nodeSelectorTerms");
	if (selector) {
		check_node_selector(v, MEMBER(at, "nodeSelector"), selector);
		if (COUNT(selector, "nodeSelectorTerms") != 1)
			bad(v, terms_at,
			    GET(selector, "nodeSelectorTerms") ? GET(selector, "nodeSelectorTerms")
							       : json_array(v->arena),
			    "must have exactly one node selector term");
	}
	if (count == 0)
		required(v, at, "%s", one);
	else if (count > 1)
		bad_text(v, at, arena_printf(v->arena, "{%s}", set.data),
			 "%s, but multiple fields are set", one);
}

static void check_fixed(struct check *v, const struct json *old, const struct json *spec)
{
	const struct path *at = ROOT("spec");
	check_immutable(v, MEMBER(MEMBER(at, "pool"), "name"), GET(GET(spec, "pool"), "name"),
			GET(GET(old, "pool"), "name"));
	check_immutable(v, MEMBER(at, "driver"), GET(spec, "driver"), GET(old, "driver"));
	check_immutable(v, MEMBER(at, "nodeName"), GET(spec, "nodeName"), GET(old, "nodeName"));
}

/* old NULL: a new one */
static void check_slice(struct check *v, const struct json *spec, const struct json *old)
{
	const struct path *at = ROOT("spec");
	check_driver_name(v, MEMBER(at, "driver"), TEXT(spec, "driver"));
	check_pool(v, MEMBER(at, "pool"), GET(spec, "pool"));
	if (old)
		check_fixed(v, old, spec);
	check_slice_node(v, at, spec);
	check_slice_devices(v, MEMBER(at, "devices"), GET(spec, "devices"));
}

void device_slice_rules(struct check *v, const struct json *tree)
{
	check_slice(v, GET(tree, "spec"), NULL);
}

void device_slice_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	check_slice(v, GET(tree, "spec"), GET(old, "spec"));
}
