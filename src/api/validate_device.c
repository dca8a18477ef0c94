/* The resource group: classes, claims and templates of claims; the table has slices, too. */
#include "api/validate-cel.h"

#define CLAIM_LIST_MAX	 32 /* requests, constraints, configurations, selectors */
#define ALTERNATIVES_MAX 8
#define PARAMETERS_MAX	 (10 << 10) /* bytes */
#define IDENTIFIER_MAX	 32

static void check_selectors(struct check *v, const struct path *at, const struct json *selectors)
{
	if (!check_count(v, at, selectors, CLAIM_LIST_MAX))
		return;
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

void check_raw_object(struct check *v, const struct path *at, const struct json *value)
{
	CLEANUP_BUF text = BUF_INIT(JSON_MAX_BYTES);
	if (value)
		json_write(&text, value);
	if (!value)
		required(v, at, "%s", "");
	else if (text.len > PARAMETERS_MAX)
		too_long(v, at, PARAMETERS_MAX);
	else if (value->type != JSON_OBJECT)
		bad_text(v, at, STR("<value omitted>"), "must be a valid JSON object");
}

static void check_opaque(struct check *v, const struct path *at, const struct json *opaque)
{
	if (!opaque) {
		required(v, at, "%s", "");
		return;
	}
	check_driver_name(v, MEMBER(at, "driver"), TEXT(opaque, "driver"));
	check_raw_object(v, MEMBER(at, "parameters"), GET(opaque, "parameters"));
}

static void class_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	check_selectors(v, MEMBER(at, "selectors"), GET(spec, "selectors"));
	if (!check_count(v, MEMBER(at, "config"), GET(spec, "config"), CLAIM_LIST_MAX))
		return;
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
}

void check_named_once(struct check *v, const struct path *at, const struct json *list)
{
	FOR_ITEMS(i, item, list)
	{
		if (is_text_repeated(v, list, i, "name"))
			duplicate(v, ITEM(at, i), TEXT(item, "name"));
	}
}

static void check_alternatives(struct check *v, const struct path *at, const struct json *list)
{
	if (!check_count(v, at, list, ALTERNATIVES_MAX))
		return;
	FOR_ITEMS(i, request, list)
	{
		check_name(v, MEMBER(ITEM(at, i), "name"), NAME_DNS_LABEL, TEXT(request, "name"));
		check_exact(v, ITEM(at, i), request);
	}
	check_named_once(v, at, list);
}

static void check_request(struct check *v, const struct path *at, const struct json *request,
			  const struct json *requests)
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
		if (item_named(GET(request, "firstAvailable"), "name", tail))
			return true;
	}
	return false;
}

void check_request_name(struct check *v, const struct path *at, struct str name,
			const struct json *requests)
{
	struct str part, rest = name;
	size_t slashes = 0;
	for (size_t i = 0; i < name.len; i++)
		slashes += name.at[i] == '/';
	for (bool more = slashes <= 1; more;) {
		struct faults f;
		more = str_cut(rest, '/', &part, &rest);
		name_check(&f, NAME_DNS_LABEL, part);
		for (size_t k = 0; k < f.count; k++)
			bad_text(v, at, part, "%s", f.at[k]);
	}
	if (slashes > 1 || !has_request(requests, name))
		bad_text(v, at, name,
			 "must be the name of a request in the claim or the name of a request "
			 "and a subrequest separated by '/'");
}

static void check_request_names(struct check *v, const struct path *at, const struct json *names,
				const struct json *requests)
{
	if (!check_count(v, at, names, CLAIM_LIST_MAX))
		return;
	FOR_ITEMS(i, name, names)
	{
		check_request_name(v, ITEM(at, i), json_str(name), requests);
	}
	check_no_duplicates(v, at, names);
}

static void check_identifier(struct check *v, const struct path *at, struct str id)
{
	if (id.len > IDENTIFIER_MAX)
		too_long(v, at, IDENTIFIER_MAX);
	check_name(v, at, NAME_C_IDENTIFIER, id);
}

void check_device_attribute_name(struct check *v, const struct path *at, struct str name)
{
	struct str domain, id, rest;
	if (!str_cut(name, '/', &domain, &id)) {
		check_identifier(v, at, name);
		return;
	}
	if (str_cut(id, '/', &rest, &rest))
		return;
	if (domain.len == 0)
		bad_text(v, at, STR(""), "the domain must not be empty");
	else
		check_driver_name(v, at, domain);
	if (id.len == 0)
		bad_text(v, at, STR(""), "the name must not be empty");
	else
		check_identifier(v, at, id);
}

static void check_constraint(struct check *v, const struct path *at, const struct json *constraint,
			     const struct json *requests)
{
	const struct json *attribute = GET(constraint, "matchAttribute");
	const struct path *attribute_at = MEMBER(at, "matchAttribute");
	struct str name = json_str(attribute);
	check_request_names(v, MEMBER(at, "requests"), GET(constraint, "requests"), requests);
	if (!attribute) {
		required(v, attribute_at, "%s", "");
		return;
	}
	check_device_attribute_name(v, attribute_at, name);
	if (!memchr(name.at, '/', name.len))
		bad_text(v, attribute_at, name,
			 "a fully qualified name must be a domain and a name separated by a slash");
}

static void check_claim_config(struct check *v, const struct path *at, const struct json *config,
			       const struct json *requests)
{
	check_request_names(v, MEMBER(at, "requests"), GET(config, "requests"), requests);
	check_opaque(v, MEMBER(at, "opaque"), GET(config, "opaque"));
}

/* Each item of a list that is not too long. */
static void check_each(struct check *v, const struct path *at, const struct json *list,
		       const struct json *requests,
		       void (*check)(struct check *v, const struct path *at,
				     const struct json *item, const struct json *requests))
{
	if (!check_count(v, at, list, CLAIM_LIST_MAX))
		return;
	FOR_ITEMS(i, item, list)
	{
		check(v, ITEM(at, i), item, requests);
	}
}

static void check_device_claim(struct check *v, const struct path *at, const struct json *devices)
{
	const struct json *requests = GET(devices, "requests");
	check_each(v, MEMBER(at, "requests"), requests, requests, check_request);
	if (json_count(requests) <= CLAIM_LIST_MAX)
		check_named_once(v, MEMBER(at, "requests"), requests);
	check_each(v, MEMBER(at, "constraints"), GET(devices, "constraints"), requests,
		   check_constraint);
	check_each(v, MEMBER(at, "config"), GET(devices, "config"), requests, check_claim_config);
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
}

/* "" and 0 are as good as nothing; an empty list is not. */
static bool is_chosen(const struct json *value)
{
	if (value && value->type == JSON_STRING)
		return value->string.len > 0;
	return value && (value->type != JSON_INT || json_i64(value) != 0);
}

static void template_rules(struct check *v, const struct json *tree)
{
	/* and what upstream's message calls it */
	static const char *const barred[][2] = {
		{"name", "name"},
		{"generateName", "generateName"},
		{"namespace", "namespace"},
		{"selfLink", "selfLink"},
		{"uid", "uID"},
		{"resourceVersion", "resourceVersion"},
		{"generation", "generation"},
		{"creationTimestamp", "creationTimestamp"},
		{"deletionTimestamp", "deletionTimestamp"},
		{"deletionGracePeriodSeconds", "deletionGracePeriodSeconds"},
		{"ownerReferences", "ownerReferences"},
		{"finalizers", "finalizers"},
		{"managedFields", "managedFields"},
	};
	const struct json *spec = GET(tree, "spec"), *meta = GET(spec, "metadata");
	const struct path *at = ROOT("spec"), *meta_at = MEMBER(at, "metadata");
	check_labels(v, MEMBER(meta_at, "labels"), GET(meta, "labels"));
	check_annotations(v, MEMBER(meta_at, "annotations"), GET(meta, "annotations"));
	for (size_t i = 0; i < ARRAY_LEN(barred); i++)
		if (is_chosen(member_of(meta, str_of(barred[i][0]))))
			forbidden(v, MEMBER(meta_at, barred[i][1]), "cannot be set");
	check_device_claim(v, MEMBER(MEMBER(at, "spec"), "devices"),
			   GET(GET(spec, "spec"), "devices"));
}

static void template_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	template_rules(v, tree);
	if (!value_equal(GET(old, "spec"), GET(tree, "spec")))
		bad(v, ROOT("spec"), go_struct(v, "ResourceClaimTemplateSpec", GET(tree, "spec")),
		    "field is immutable");
}

void check_allocated_config(struct check *v, const struct path *at, const struct json *config,
			    const struct json *requests)
{
	check_required_enum(v, MEMBER(at, "source"), TEXT(config, "source"), "FromClaim,FromClass");
	check_claim_config(v, at, config, requests);
}

#define RESOURCE "resource.k8s.io"

const struct kind_rules validate_device[] = {
	{RESOURCE, "DeviceClass", NAME_LONG, class_rules, NULL, NULL, .steps = "uus"},
	{RESOURCE, "ResourceClaim", NAME_DNS_SUBDOMAIN, claim_rules_of_devices,
	 claim_update_rules_of_devices, device_claim_part_rules, .steps = "csu"},
	{RESOURCE, "ResourceClaimTemplate", NAME_DNS_SUBDOMAIN, template_rules,
	 template_update_rules, NULL, .steps = "csu"},
	{RESOURCE, "ResourceSlice", NAME_DNS_SUBDOMAIN, device_slice_rules,
	 device_slice_update_rules, NULL, .steps = "us"},
	{},
};
