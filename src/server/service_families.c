#include "server/service_families.h"

#include "base/ipaddr.h"

#define POLICY	 STR("ipFamilyPolicy")
#define FAMILIES STR("ipFamilies")
#define IPS	 STR("clusterIPs")

static bool is_single(const struct json *spec)
{
	return str_is(json_str(json_get(spec, POLICY)), "SingleStack");
}

static bool is_external(const struct json *spec)
{
	return str_is(json_path_str(spec, "type"), "ExternalName");
}

static bool is_headless_alone(const struct json *spec)
{
	return str_is(json_path_str(spec, "clusterIP"), "None") &&
	       json_count(json_get(spec, STR("selector"))) == 0;
}

static bool is_same(const struct json *old, const struct json *spec, struct str name)
{
	const struct json *was = json_get(old, name), *is = json_get(spec, name);
	return was == is || (was && is && json_equal(was, is));
}

static struct str other_family(struct str family)
{
	return str_is(family, "IPv4") ? STR("IPv6") : STR("IPv4");
}

static void refuse_policy(struct field_errors *errors, const struct json *spec, const char *why)
{
	field_error_add(errors, FIELD_ERROR_INVALID, STR("spec.ipFamilyPolicy"),
			json_get(spec, POLICY), "%s", why);
}

/* Prefers both, and nothing that decides it has changed: stays what it is. */
static bool is_settled(const struct json *old, const struct json *spec)
{
	return old && !is_external(old) && is_same(old, spec, POLICY) &&
	       str_is(json_str(json_get(spec, POLICY)), "PreferDualStack") &&
	       is_same(old, spec, IPS) && is_same(old, spec, FAMILIES);
}

static void settle_policy(struct arena *a, const struct json *old, struct json *spec)
{
	struct str policy = json_str(json_get(old, POLICY));
	if (json_get(spec, POLICY))
		return;
	if (policy.len == 0)
		policy = is_headless_alone(spec) ? STR("RequireDualStack") : STR("SingleStack");
	json_set_str(a, spec, POLICY, policy);
}

/* An update may share its lists with the old object. */
static void own_list(struct arena *a, struct json *spec, struct str name)
{
	if (json_get(spec, name))
		json_set(a, spec, name, json_copy(a, json_get(spec, name)));
}

static void keep_first(struct json *spec, struct str name)
{
	struct json *list = json_get(spec, name);
	if (json_count(list) > 1)
		list->array.count = 1;
}

static void check_reduced(const struct json *old, struct json *spec, struct field_errors *errors)
{
	if (is_single(spec)) {
		if (is_same(old, spec, IPS))
			keep_first(spec, IPS);
		if (is_same(old, spec, FAMILIES))
			keep_first(spec, FAMILIES);
		return;
	}
	if (json_count(json_get(old, IPS)) == 2 && json_count(json_get(spec, IPS)) == 1)
		refuse_policy(errors, spec,
			      "must be 'SingleStack' to release the secondary cluster IP");
	if (json_count(json_get(old, FAMILIES)) == 2 && json_count(json_get(spec, FAMILIES)) == 1)
		refuse_policy(errors, spec,
			      "must be 'SingleStack' to release the secondary IP family");
}

static void check_single(const struct json *spec, struct field_errors *errors)
{
	if (!is_single(spec))
		return;
	if (json_count(json_get(spec, IPS)) == 2)
		refuse_policy(errors, spec,
			      "must be 'RequireDualStack' or 'PreferDualStack' when multiple "
			      "cluster IPs are specified");
	if (json_count(json_get(spec, FAMILIES)) == 2)
		refuse_policy(errors, spec,
			      "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP "
			      "families are specified");
}

static struct json *need_families(struct arena *a, struct json *spec)
{
	struct json *families = json_get(spec, FAMILIES);
	if (families && families->type == JSON_ARRAY)
		return families;
	families = json_array(a);
	json_set(a, spec, FAMILIES, families);
	return families;
}

/* Wished addresses say of which family they are. */
static void infer_families(struct arena *a, struct json *spec, const char *family,
			   struct field_errors *errors)
{
	const struct json *ips = json_get(spec, IPS);
	for (size_t i = 0; i < json_count(ips); i++) {
		struct ipaddr addr;
		if (!ipaddr_parse(json_str(json_at(ips, i)), &addr))
			return;
		const char *its = addr.family == IP_V4 ? "IPv4" : "IPv6";
		if (i < json_count(json_get(spec, FAMILIES)))
			continue;
		if (!strcmp(its, family))
			json_append(a, need_families(a, spec), json_cstring(a, its));
		else
			field_error_add(errors, FIELD_ERROR_INVALID,
					FIELD_PATH(errors, "spec.clusterIPs[%zu]", i), ips,
					"%s is not configured on this cluster", its);
	}
}

static void check_configured(const struct json *spec, const char *family,
			     struct field_errors *errors)
{
	const struct json *families = json_get(spec, FAMILIES);
	if (str_is(json_str(json_get(spec, POLICY)), "RequireDualStack"))
		refuse_policy(errors, spec,
			      "this cluster is not configured for dual-stack services");
	for (size_t i = 0; i < json_count(families); i++)
		if (!str_is(json_str(json_at(families, i)), family))
			field_error_add(errors, FIELD_ERROR_INVALID,
					FIELD_PATH(errors, "spec.ipFamilies[%zu]", i),
					json_at(families, i), "not configured on this cluster");
}

void service_families_settle(struct arena *a, const struct json *old, struct json *spec,
			     const char *family, struct field_errors *errors)
{
	size_t before = errors->count;
	if (is_external(spec) || is_settled(old, spec))
		return;
	settle_policy(a, old, spec);
	if (old) {
		own_list(a, spec, IPS);
		own_list(a, spec, FAMILIES);
		check_reduced(old, spec, errors);
	}
	check_single(spec, errors);
	infer_families(a, spec, family, errors);
	if (errors->count > before)
		return;
	if (!is_headless_alone(spec))
		check_configured(spec, family, errors);
	if (errors->count > before)
		return;
	struct json *families = need_families(a, spec);
	if (json_count(families) == 0)
		json_append(a, families, json_cstring(a, family));
	if (is_headless_alone(spec) && json_count(families) == 1 && !is_single(spec))
		json_append(a, families,
			    json_string(a, other_family(json_str(json_at(families, 0)))));
}
