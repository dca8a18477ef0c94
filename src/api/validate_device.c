/* The resource group: classes, claims and slices of devices. */
#include "api/validate-cel.h"

static void check_selectors(struct check *v, const struct path *at, const struct json *selectors)
{
	FOR_ITEMS(i, selector, selectors)
	{
		const struct json *cel = GET(selector, "cel");
		const struct path *here = MEMBER(ITEM(at, i), "cel");
		if (!cel)
			required(v, here, "%s", "");
		else
			check_device_expression(v, MEMBER(here, "expression"),
						TEXT(cel, "expression"));
	}
}

static void check_opaque(struct check *v, const struct path *at, const struct json *opaque)
{
	const struct json *parameters = GET(opaque, "parameters");
	if (!opaque) {
		required(v, at, "%s", "");
		return;
	}
	if (TEXT(opaque, "driver").len == 0)
		required(v, MEMBER(at, "driver"), "%s", "");
	else
		check_name(v, MEMBER(at, "driver"), NAME_DNS_SUBDOMAIN, TEXT(opaque, "driver"));
	if (!parameters)
		required(v, MEMBER(at, "parameters"), "%s", "");
	else if (parameters->type != JSON_OBJECT)
		bad_text(v, MEMBER(at, "parameters"), STR("<value omitted>"),
			 "must be a valid JSON object");
}

static void class_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	check_selectors(v, MEMBER(at, "selectors"), GET(spec, "selectors"));
	FOR_ITEMS(i, config, GET(spec, "config"))
	{
		check_opaque(v, MEMBER(ITEM(MEMBER(at, "config"), i), "opaque"),
			     GET(config, "opaque"));
	}
}

/* ---- claims ---- */

/* exactly, or one of firstAvailable */
static void check_exact(struct check *v, const struct path *at, const struct json *request)
{
	struct str mode = TEXT(request, "allocationMode");
	const struct json *count = GET(request, "count");
	if (TEXT(request, "deviceClassName").len == 0)
		required(v, MEMBER(at, "deviceClassName"), "%s", "");
	else
		check_name(v, MEMBER(at, "deviceClassName"), NAME_DNS_SUBDOMAIN,
			   TEXT(request, "deviceClassName"));
	check_selectors(v, MEMBER(at, "selectors"), GET(request, "selectors"));
	if (str_is(mode, "All")) {
		if (json_i64(count) != 0)
			bad(v, MEMBER(at, "count"), count,
			    "must not be specified when allocationMode is 'All'");
	} else if (str_is(mode, "ExactCount")) {
		if (json_i64(count) <= 0)
			bad(v, MEMBER(at, "count"), json_int(v->arena, json_i64(count)),
			    "must be greater than zero");
	} else {
		unsupported(v, MEMBER(at, "allocationMode"), mode, "All,ExactCount");
	}
	check_tolerations(v, MEMBER(at, "tolerations"), GET(request, "tolerations"));
}

static void check_alternatives(struct check *v, const struct path *at, const struct json *list)
{
	FOR_ITEMS(i, request, list)
	{
		const struct path *here = ITEM(at, i);
		struct str name = TEXT(request, "name");
		check_name(v, MEMBER(here, "name"), NAME_DNS_LABEL, name);
		check_exact(v, here, request);
		for (size_t k = 0; k < i; k++)
			if (str_eq(TEXT(json_at(list, k), "name"), name)) {
				duplicate(v, here, name);
				break;
			}
	}
}

static void check_request(struct check *v, const struct path *at, const struct json *request)
{
	static const char one[] = "exactly one of `exactly` or `firstAvailable` is required";
	const struct json *exactly = GET(request, "exactly");
	size_t alternatives = COUNT(request, "firstAvailable");
	check_name(v, MEMBER(at, "name"), NAME_DNS_LABEL, TEXT(request, "name"));
	if (exactly && alternatives)
		bad(v, at, NULL, "%s, but multiple fields are set", one);
	else if (!exactly && !alternatives)
		required(v, at, "%s", one);
	else if (exactly)
		check_exact(v, MEMBER(at, "exactly"), exactly);
	else
		check_alternatives(v, MEMBER(at, "firstAvailable"), GET(request, "firstAvailable"));
}

static bool has_request(const struct json *requests, struct str name)
{
	struct str head, tail;
	bool is_part = str_cut(name, '/', &head, &tail);
	FOR_ITEMS(i, request, requests)
	{
		if (!str_eq(TEXT(request, "name"), head))
			continue;
		if (!is_part)
			return true;
		FOR_ITEMS(k, sub, GET(request, "firstAvailable"))
		{
			if (str_eq(TEXT(sub, "name"), tail))
				return true;
		}
	}
	return false;
}

static void check_request_names(struct check *v, const struct path *at, const struct json *names,
				const struct json *requests)
{
	FOR_ITEMS(i, name, names)
	{
		struct str part, rest = json_str(name);
		for (bool more = true; more;) {
			more = str_cut(rest, '/', &part, &rest);
			struct faults f;
			name_check(&f, NAME_DNS_LABEL, part);
			for (size_t k = 0; k < f.count; k++)
				bad_text(v, ITEM(at, i), part, "%s", f.at[k]);
		}
		if (!has_request(requests, json_str(name)))
			bad(v, ITEM(at, i), name,
			    "must be the name of a request in the claim or the name of a request "
			    "and a "
			    "subrequest separated by '/'");
	}
}

/* "domain/identifier"; the domain may be left out where it is the driver's. */
static void check_attribute_name(struct check *v, const struct path *at, struct str name,
				 bool needs_domain)
{
	struct str domain, id;
	bool has_domain = str_cut_last(name, '/', &domain, &id);
	if (needs_domain && !has_domain) {
		check_name(v, at, NAME_C_IDENTIFIER, name);
		bad_text(v, at, name,
			 "a fully qualified name must be a domain and a name separated by a slash");
		return;
	}
	if (has_domain)
		check_name(v, at, NAME_DNS_SUBDOMAIN, domain);
	check_name(v, at, NAME_C_IDENTIFIER, id);
}

static void check_device_claim(struct check *v, const struct path *at, const struct json *devices)
{
	const struct json *requests = GET(devices, "requests");
	FOR_ITEMS(i, request, requests)
	{
		const struct path *here = ITEM(MEMBER(at, "requests"), i);
		check_request(v, here, request);
		for (size_t k = 0; k < i; k++)
			if (str_eq(TEXT(json_at(requests, k), "name"), TEXT(request, "name"))) {
				duplicate(v, here, TEXT(request, "name"));
				break;
			}
	}
	FOR_ITEMS(m, constraint, GET(devices, "constraints"))
	{
		const struct path *here = ITEM(MEMBER(at, "constraints"), m);
		const struct json *attribute = GET(constraint, "matchAttribute");
		check_request_names(v, MEMBER(here, "requests"), GET(constraint, "requests"),
				    requests);
		if (!attribute)
			required(v, MEMBER(here, "matchAttribute"), "%s", "");
		else
			check_attribute_name(v, MEMBER(here, "matchAttribute"), json_str(attribute),
					     true);
	}
	FOR_ITEMS(n, config, GET(devices, "config"))
	{
		const struct path *here = ITEM(MEMBER(at, "config"), n);
		check_request_names(v, MEMBER(here, "requests"), GET(config, "requests"), requests);
		check_opaque(v, MEMBER(here, "opaque"), GET(config, "opaque"));
	}
}

static void claim_rules_of_devices(struct check *v, const struct json *tree)
{
	check_device_claim(v, MEMBER(ROOT("spec"), "devices"), GET(GET(tree, "spec"), "devices"));
}

static void claim_update_rules_of_devices(struct check *v, const struct json *old,
					  const struct json *tree)
{
	if (!value_equal(GET(old, "spec"), GET(tree, "spec")))
		bad(v, ROOT("spec"), go_struct(v, "ResourceClaimSpec", GET(tree, "spec")),
		    "field is immutable");
	claim_rules_of_devices(v, tree);
}

static void template_rules(struct check *v, const struct json *tree)
{
	static const char *const barred[] = {"name", "namespace",  "generateName",
					     "uid",  "finalizers", "ownerReferences"};
	const struct json *spec = GET(tree, "spec"), *meta = GET(spec, "metadata");
	const struct path *at = ROOT("spec"), *meta_at = MEMBER(at, "metadata");
	check_labels(v, MEMBER(meta_at, "labels"), GET(meta, "labels"));
	check_annotations(v, MEMBER(meta_at, "annotations"), GET(meta, "annotations"));
	for (size_t i = 0; i < ARRAY_LEN(barred); i++)
		if (json_get(meta, str_of(barred[i])))
			forbidden(v, MEMBER(meta_at, barred[i]), "cannot be set");
	check_device_claim(v, MEMBER(MEMBER(at, "spec"), "devices"),
			   GET(GET(spec, "spec"), "devices"));
}

static void template_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	if (!value_equal(GET(old, "spec"), GET(tree, "spec")))
		bad(v, ROOT("spec"), go_struct(v, "ResourceClaimTemplateSpec", GET(tree, "spec")),
		    "field is immutable");
}

/* ---- slices ---- */

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

static void check_attribute(struct check *v, const struct path *at, const struct json *value)
{
	static const char *const forms[] = {"int", "bool", "string", "version"};
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		count += json_get(value, str_of(forms[i])) != NULL;
	if (count == 0)
		required(v, at, "exactly one value must be specified");
	else if (count > 1)
		bad(v, at, value, "exactly one value must be specified");
	if (TEXT(value, "string").len > 64)
		too_long(v, MEMBER(at, "string"), 64);
	if (GET(value, "version") && TEXT(value, "version").len > 64)
		too_long(v, MEMBER(at, "version"), 64);
	else if (GET(value, "version") && !is_semver(TEXT(value, "version")))
		bad(v, MEMBER(at, "version"), GET(value, "version"),
		    "must be a string compatible with semver.org spec 2.0.0");
}

static void check_slice_devices(struct check *v, const struct path *at, const struct json *devices)
{
	FOR_ITEMS(i, device, devices)
	{
		const struct path *here = ITEM(at, i);
		const struct json *attributes = GET(device, "attributes");
		struct str name = TEXT(device, "name");
		bool is_twice = false;
		check_name(v, MEMBER(here, "name"), NAME_DNS_LABEL, name);
		for (size_t k = 0; k < json_count(attributes); k++) {
			struct json_member m = attributes->object.members[k];
			const struct path *there = KEY(MEMBER(here, "attributes"), m.key);
			check_attribute_name(v, there, m.key, false);
			check_attribute(v, there, m.value);
		}
		for (size_t k = 0; k < i; k++)
			is_twice |= str_eq(TEXT(json_at(devices, k), "name"), name);
		if (is_twice)
			duplicate(v, here, name);
	}
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

static void slice_rules_of_devices(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *pool = GET(spec, "pool");
	const struct path *at = ROOT("spec"), *pool_at = MEMBER(at, "pool");
	check_required_name(v, MEMBER(at, "driver"), NAME_DNS_SUBDOMAIN, TEXT(spec, "driver"));
	if (TEXT(pool, "name").len == 0)
		required(v, MEMBER(pool_at, "name"), "%s", "");
	if (INT(pool, "resourceSliceCount") <= 0)
		bad(v, MEMBER(pool_at, "resourceSliceCount"),
		    json_int(v->arena, INT(pool, "resourceSliceCount")),
		    "must be greater than zero");
	if (INT(pool, "generation") < 0)
		bad(v, MEMBER(pool_at, "generation"), GET(pool, "generation"),
		    "must be greater than or equal to zero");
	check_slice_node(v, at, spec);
	check_slice_devices(v, MEMBER(at, "devices"), GET(spec, "devices"));
}

static void slice_update_rules_of_devices(struct check *v, const struct json *old_tree,
					  const struct json *tree)
{
	const struct json *old = GET(old_tree, "spec"), *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	slice_rules_of_devices(v, tree);
	check_immutable(v, MEMBER(MEMBER(at, "pool"), "name"), GET(GET(spec, "pool"), "name"),
			GET(GET(old, "pool"), "name"));
	check_immutable(v, MEMBER(at, "driver"), GET(spec, "driver"), GET(old, "driver"));
	check_immutable(v, MEMBER(at, "nodeName"), GET(spec, "nodeName"), GET(old, "nodeName"));
}

#define RESOURCE "resource.k8s.io"

const struct kind_rules validate_device[] = {
	{RESOURCE, "DeviceClass", NAME_LONG, class_rules, NULL, false, NULL},
	{RESOURCE, "ResourceClaim", NAME_DNS_SUBDOMAIN, claim_rules_of_devices,
	 claim_update_rules_of_devices, false, NULL},
	{RESOURCE, "ResourceClaimTemplate", NAME_DNS_SUBDOMAIN, template_rules,
	 template_update_rules, true, NULL},
	{RESOURCE, "ResourceSlice", NAME_DNS_SUBDOMAIN, slice_rules_of_devices,
	 slice_update_rules_of_devices, false, NULL},
	{},
};
