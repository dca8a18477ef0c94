/* Affinity, node selectors, tolerations, topology spread. */
#include "api/validate-int.h"

/* What is only preferred may have any value: a warning tells of it. */
static void check_node_requirement(struct check *v, const struct path *at, const struct json *r,
				   bool is_preferred)
{
	struct str op = TEXT(r, "operator");
	size_t values = COUNT(r, "values");
	const struct path *values_at = MEMBER(at, "values");
	if (text_in(op, "In,NotIn")) {
		if (values == 0)
			required(v, values_at,
				 "must be specified when `operator` is 'In' or 'NotIn'");
	} else if (text_in(op, "Exists,DoesNotExist")) {
		if (values > 0)
			forbidden(v, values_at,
				  "may not be specified when `operator` is 'Exists' or "
				  "'DoesNotExist'");
	} else if (text_in(op, "Gt,Lt")) {
		if (values != 1)
			required(v, values_at,
				 "must be specified single value when `operator` is 'Lt' or 'Gt'");
	} else {
		bad_text(v, MEMBER(at, "operator"), op, "not a valid selector operator");
	}
	check_name(v, MEMBER(at, "key"), NAME_QUALIFIED, TEXT(r, "key"));
	FOR_ITEMS(i, item, is_preferred ? NULL : GET(r, "values"))
	{
		check_name(v, ITEM(values_at, i), NAME_LABEL_VALUE, json_str(item));
	}
}

static void check_field_requirement(struct check *v, const struct path *at, const struct json *r)
{
	struct str op = TEXT(r, "operator"), key = TEXT(r, "key");
	const struct path *values_at = MEMBER(at, "values");
	if (!text_in(op, "In,NotIn"))
		bad_text(v, MEMBER(at, "operator"), op, "not a valid selector operator");
	else if (COUNT(r, "values") != 1)
		required(v, values_at,
			 "must be only one value when `operator` is 'In' or 'NotIn' for node field "
			 "selector");
	if (!str_is(key, "metadata.name")) {
		bad_text(v, MEMBER(at, "key"), key, "not a valid field selector key");
		return;
	}
	FOR_ITEMS(i, item, GET(r, "values"))
	{
		check_name(v, ITEM(values_at, i), NAME_DNS_SUBDOMAIN, json_str(item));
	}
}

static void check_node_selector_term(struct check *v, const struct path *at,
				     const struct json *term, bool is_preferred)
{
	FOR_ITEMS(i, r, GET(term, "matchExpressions"))
	{
		check_node_requirement(v, ITEM(MEMBER(at, "matchExpressions"), i), r, is_preferred);
	}
	FOR_ITEMS(k, r, GET(term, "matchFields"))
	{
		check_field_requirement(v, ITEM(MEMBER(at, "matchFields"), k), r);
	}
}

void check_node_selector(struct check *v, const struct path *at, const struct json *selector)
{
	const struct path *terms_at = MEMBER(at, "nodeSelectorTerms");
	if (COUNT(selector, "nodeSelectorTerms") == 0)
		required(v, terms_at, "must have at least one node selector term");
	FOR_ITEMS(i, term, GET(selector, "nodeSelectorTerms"))
	{
		check_node_selector_term(v, ITEM(terms_at, i), term, false);
	}
}

static void check_weight(struct check *v, const struct path *at, const struct json *holder)
{
	int64_t weight = INT(holder, "weight");
	if (weight <= 0 || weight > 100)
		bad(v, MEMBER(at, "weight"), json_int(v->arena, weight),
		    "must be in the range 1-100");
}

#define REQUIRED_LIST  "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED_LIST "preferredDuringSchedulingIgnoredDuringExecution"

static void check_node_affinity(struct check *v, const struct path *at, const struct json *affinity)
{
	if (GET(affinity, REQUIRED_LIST))
		check_node_selector(v, MEMBER(at, REQUIRED_LIST), GET(affinity, REQUIRED_LIST));
	FOR_ITEMS(i, term, GET(affinity, PREFERRED_LIST))
	{
		const struct path *here = ITEM(MEMBER(at, PREFERRED_LIST), i);
		check_weight(v, here, term);
		check_node_selector_term(v, MEMBER(here, "preference"), GET(term, "preference"),
					 true);
	}
}

static void check_label_keys(struct check *v, const struct path *at, const char *name,
			     const struct json *holder)
{
	const struct json *keys = json_get(holder, str_of(name));
	const struct path *here = MEMBER(at, name);
	if (json_count(keys) > 0 && !GET(holder, "labelSelector")) {
		forbidden(v, here, "must not be specified when labelSelector is not set");
		return;
	}
	FOR_ITEMS(i, key, keys)
	{
		check_name(v, ITEM(here, i), NAME_QUALIFIED, json_str(key));
	}
}

/* Keys that match became requirements of the selector when the pod was made: one that stands there
 * twice was there already. */
static void check_merged_keys(struct check *v, const struct path *at, const struct json *keys,
			      const struct json *selector)
{
	const struct json *labels = GET(selector, "matchLabels");
	const struct json *requirements = GET(selector, "matchExpressions");
	FOR_ITEMS(i, requirement, requirements)
	{
		struct str key = TEXT(requirement, "key");
		bool is_known = json_get(labels, key) ||
				is_text_repeated(v, requirements, i, "key");
		for (size_t k = json_count(keys); is_known && k-- > 0;)
			if (str_eq(json_str(json_at(keys, k)), key)) {
				bad_text(v, ITEM(at, k), key,
					 "exists in both matchLabelKeys and labelSelector");
				break;
			}
	}
}

static void check_pod_term(struct check *v, const struct path *at, const struct json *term)
{
	check_label_selector(v, MEMBER(at, "labelSelector"), GET(term, "labelSelector"));
	check_label_selector(v, MEMBER(at, "namespaceSelector"), GET(term, "namespaceSelector"));
	FOR_ITEMS(i, namespace, GET(term, "namespaces"))
	{
		check_name(v, MEMBER(at, "namespace"), NAME_DNS_LABEL, json_str(namespace));
	}
	check_label_keys(v, at, "matchLabelKeys", term);
	check_label_keys(v, at, "mismatchLabelKeys", term);
	check_merged_keys(v, at, GET(term, "matchLabelKeys"), GET(term, "labelSelector"));
	FOR_ITEMS(k, key, GET(term, "matchLabelKeys"))
	{
		if (json_has_text(GET(term, "mismatchLabelKeys"), json_str(key)))
			bad(v, ITEM(MEMBER(at, "matchLabelKeys"), k), key,
			    "exists in both matchLabelKeys and mismatchLabelKeys");
	}
	if (TEXT(term, "topologyKey").len == 0)
		required(v, MEMBER(at, "topologyKey"), "can not be empty");
	check_name(v, MEMBER(at, "topologyKey"), NAME_QUALIFIED, TEXT(term, "topologyKey"));
}

static void check_pod_affinity(struct check *v, const struct path *at, const struct json *affinity)
{
	FOR_ITEMS(i, term, GET(affinity, REQUIRED_LIST))
	{
		check_pod_term(v, ITEM(MEMBER(at, REQUIRED_LIST), i), term);
	}
	FOR_ITEMS(k, weighted, GET(affinity, PREFERRED_LIST))
	{
		const struct path *here = ITEM(MEMBER(at, PREFERRED_LIST), k);
		check_weight(v, here, weighted);
		check_pod_term(v, MEMBER(here, "podAffinityTerm"),
			       GET(weighted, "podAffinityTerm"));
	}
}

void check_affinity(struct check *v, const struct path *at, const struct json *affinity)
{
	check_node_affinity(v, MEMBER(at, "nodeAffinity"), GET(affinity, "nodeAffinity"));
	check_pod_affinity(v, MEMBER(at, "podAffinity"), GET(affinity, "podAffinity"));
	check_pod_affinity(v, MEMBER(at, "podAntiAffinity"), GET(affinity, "podAntiAffinity"));
}

static void check_toleration_value(struct check *v, const struct path *at, const struct json *t)
{
	struct str op = TEXT(t, "operator"), value = TEXT(t, "value");
	const struct path *op_at = MEMBER(at, "operator");
	if (op.len == 0 || str_is(op, "Equal"))
		check_name(v, op_at, NAME_LABEL_VALUE, value);
	else if (!str_is(op, "Exists"))
		unsupported(v, op_at, op,
			    text_in(op, "Lt,Gt") ? "Equal,Exists,Lt,Gt" : "Equal,Exists");
	else if (value.len > 0)
		bad_text(v, op_at, value, "value must be empty when `operator` is 'Exists'");
}

void check_tolerations(struct check *v, const struct path *at, const struct json *tolerations)
{
	FOR_ITEMS(i, t, tolerations)
	{
		const struct path *here = ITEM(at, i);
		struct str key = TEXT(t, "key"), effect = TEXT(t, "effect");
		if (key.len > 0)
			check_name(v, MEMBER(here, "key"), NAME_QUALIFIED, key);
		else if (!str_is(TEXT(t, "operator"), "Exists"))
			bad_text(v, MEMBER(here, "operator"), TEXT(t, "operator"),
				 "operator must be Exists when `key` is empty, which means \"match "
				 "all "
				 "values and all keys\"");
		if (GET(t, "tolerationSeconds") && !str_is(effect, "NoExecute"))
			bad_text(v, MEMBER(here, "effect"), effect,
				 "effect must be 'NoExecute' when `tolerationSeconds` is set");
		check_toleration_value(v, here, t);
		if (effect.len > 0)
			check_enum(v, MEMBER(here, "effect"), effect,
				   "NoSchedule,PreferNoSchedule,NoExecute");
	}
}

static void check_min_domains(struct check *v, const struct path *at, const struct json *constraint)
{
	const struct json *domains = GET(constraint, "minDomains");
	struct str when = TEXT(constraint, "whenUnsatisfiable");
	if (!domains)
		return;
	if (json_i64(domains) <= 0)
		bad(v, at, domains, "must be greater than zero");
	if (!str_is(when, "DoNotSchedule"))
		bad(v, at, domains,
		    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not %.*s",
		    STR_FMT(when));
}

void check_spread(struct check *v, const struct path *at, const struct json *list)
{
	FOR_ITEMS(i, c, list)
	{
		const struct path *here = ITEM(at, i);
		struct str key = TEXT(c, "topologyKey"), when = TEXT(c, "whenUnsatisfiable");
		if (INT(c, "maxSkew") <= 0)
			bad(v, MEMBER(here, "maxSkew"), json_int(v->arena, INT(c, "maxSkew")),
			    "must be greater than zero");
		if (key.len == 0)
			required(v, MEMBER(here, "topologyKey"), "can not be empty");
		check_enum(v, MEMBER(here, "whenUnsatisfiable"), when,
			   "DoNotSchedule,ScheduleAnyway");
		for (size_t k = i + 1; k < json_count(list); k++)
			if (str_eq(TEXT(json_at(list, k), "topologyKey"), key) &&
			    str_eq(TEXT(json_at(list, k), "whenUnsatisfiable"), when)) {
				duplicate(v, MEMBER(here, "{topologyKey, whenUnsatisfiable}"),
					  arena_printf(v->arena, "{%.*s, %.*s}", STR_FMT(key),
						       STR_FMT(when)));
				break;
			}
		check_min_domains(v, MEMBER(here, "minDomains"), c);
		check_optional_enum(v, MEMBER(here, "nodeAffinityPolicy"),
				    GET(c, "nodeAffinityPolicy"), "Honor,Ignore");
		check_optional_enum(v, MEMBER(here, "nodeTaintsPolicy"), GET(c, "nodeTaintsPolicy"),
				    "Honor,Ignore");
		check_label_keys(v, here, "matchLabelKeys", c);
		check_merged_keys(v, MEMBER(here, "matchLabelKeys"), GET(c, "matchLabelKeys"),
				  GET(c, "labelSelector"));
		check_label_selector(v, MEMBER(here, "labelSelector"), GET(c, "labelSelector"));
	}
}
