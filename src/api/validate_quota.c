/* ResourceQuota and LimitRange. */
#include "api/validate-int.h"

#define QUOTA                                                                                      \
	"cpu,memory,ephemeral-storage,requests.cpu,requests.memory,requests.storage,requests."     \
	"ephemeral-storage,limits.cpu,limits.memory,limits.ephemeral-storage,pods,resourcequotas," \
	"services,replicationcontrollers,secrets,persistentvolumeclaims,configmaps,services."      \
	"nodeports,services.loadbalancers"
#define SCOPES                                                                                     \
	"Terminating,NotTerminating,BestEffort,NotBestEffort,PriorityClass,"                       \
	"CrossNamespacePodAffinity,VolumeAttributesClass"
#define COMPUTE "cpu,memory,requests.cpu,requests.memory,limits.cpu,limits.memory"

static bool is_standard_quota(struct str name)
{
	return text_in(name, QUOTA) || str_has_prefix(name, STR("hugepages-")) ||
	       str_has_prefix(name, STR("requests.hugepages-"));
}

static void check_quota_name(struct check *v, const struct path *at, struct str name)
{
	check_resource_name(v, at, name);
	if (!memchr(name.at, '/', name.len) && !is_standard_quota(name))
		bad_text(v, at, name, "must be a standard resource for quota");
}

static void check_hard(struct check *v, const struct path *at, const struct json *hard)
{
	for (size_t i = 0; i < json_count(hard); i++) {
		struct json_member m = hard->object.members[i];
		const struct path *here = KEY(at, m.key);
		check_quota_name(v, here, m.key);
		check_resource_amount(v, here, m.key, m.value);
	}
}

/* Resources that a scope can count; the same for several scopes. */
static const struct {
	const char *scopes, *resources;
} scope_rows[] = {
	{"BestEffort", "pods"},
	{"Terminating,NotTerminating,NotBestEffort,PriorityClass,CrossNamespacePodAffinity",
	 "pods," COMPUTE},
	{"VolumeAttributesClass", "persistentvolumeclaims,requests.storage"},
};

static bool scope_fits(struct str scope, struct str resource)
{
	if (!is_standard_quota(resource))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(scope_rows); i++)
		if (text_in(scope, scope_rows[i].scopes))
			return text_in(resource, scope_rows[i].resources);
	return true;
}

static void check_conflicts(struct check *v, const struct json *spec, const struct json *scopes,
			    const char *a, const char *b)
{
	bool has_a = false, has_b = false;
	FOR_ITEMS(i, item, scopes)
	{
		struct str scope = item->type == JSON_STRING ? json_str(item)
							     : TEXT(item, "scopeName");
		has_a |= str_is(scope, a);
		has_b |= str_is(scope, b);
	}
	if (has_a && has_b)
		bad(v, MEMBER(ROOT("spec"), "scopes"), GET(spec, "scopes"), "conflicting scopes");
}

/* scopes: the names, or the requirements of a selector */
static void check_scope_pairs(struct check *v, const struct json *spec, const struct json *scopes)
{
	check_conflicts(v, spec, scopes, "BestEffort", "NotBestEffort");
	check_conflicts(v, spec, scopes, "Terminating", "NotTerminating");
}

static void check_scopes(struct check *v, const struct json *spec)
{
	const struct path *at = MEMBER(ROOT("spec"), "scopes");
	const struct json *scopes = GET(spec, "scopes"), *hard = GET(spec, "hard");
	FOR_ITEMS(i, item, scopes)
	{
		if (!text_in(json_str(item), SCOPES))
			bad(v, at, scopes, "unsupported scope");
		for (size_t k = 0; k < json_count(hard); k++)
			if (!scope_fits(json_str(item), hard->object.members[k].key))
				bad(v, at, scopes, "unsupported scope applied to resource");
	}
	check_scope_pairs(v, spec, scopes);
}

static void check_scope_requirement(struct check *v, const struct path *at, const struct json *r,
				    const struct json *spec)
{
	const struct json *hard = GET(spec, "hard");
	struct str scope = TEXT(r, "scopeName"), op = TEXT(r, "operator");
	if (!text_in(scope, SCOPES))
		bad_text(v, MEMBER(at, "scopeName"), scope, "unsupported scope");
	for (size_t k = 0; k < json_count(hard); k++)
		if (!scope_fits(scope, hard->object.members[k].key))
			bad(v, at, go_struct(v, "ScopeSelector", GET(spec, "scopeSelector")),
			    "unsupported scope applied to resource");
	if (text_in(scope, "Terminating,NotTerminating,BestEffort,NotBestEffort,"
			   "CrossNamespacePodAffinity") &&
	    !str_is(op, "Exists"))
		bad_text(v, MEMBER(at, "operator"), op,
			 "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
			 "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
			 "ResourceQuotaScopeNotBestEffort or "
			 "ResourceQuotaScopeCrossNamespacePodAffinity");
	if (text_in(op, "In,NotIn")) {
		if (COUNT(r, "values") == 0)
			required(v, MEMBER(at, "values"),
				 "must be at least one value when `operator` is 'In' or 'NotIn' "
				 "for scope "
				 "selector");
	} else if (text_in(op, "Exists,DoesNotExist")) {
		if (COUNT(r, "values") > 0)
			bad(v, MEMBER(at, "values"), GET(r, "values"),
			    "must be no value when `operator` is 'Exists' or 'DoesNotExist' for "
			    "scope "
			    "selector");
	} else {
		bad_text(v, MEMBER(at, "operator"), op, "not a valid selector operator");
	}
}

void quota_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct path *at = MEMBER(MEMBER(ROOT("spec"), "scopeSelector"), "matchExpressions");
	check_hard(v, MEMBER(ROOT("spec"), "hard"), GET(spec, "hard"));
	check_scopes(v, spec);
	FOR_ITEMS(i, r, GET(GET(spec, "scopeSelector"), "matchExpressions"))
	{
		check_scope_requirement(v, at, r, spec);
	}
	check_scope_pairs(v, spec, GET(GET(spec, "scopeSelector"), "matchExpressions"));
}

static bool has_all(const struct json *list, const struct json *items)
{
	FOR_ITEMS(i, item, items)
	{
		if (!json_has_text(list, json_str(item)))
			return false;
	}
	return true;
}

void quota_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	const struct json *was = GET(GET(old, "spec"), "scopes"),
			  *is = GET(GET(tree, "spec"), "scopes");
	quota_rules(v, tree);
	if (!has_all(was, is) || !has_all(is, was))
		bad(v, MEMBER(ROOT("spec"), "scopes"), is, "field is immutable");
}

void quota_part_rules(struct check *v, const struct json *old, const struct json *tree,
		      const char *subresource)
{
	const struct json *status = GET(tree, "status");
	check_hard(v, MEMBER(ROOT("status"), "hard"), GET(status, "hard"));
	check_hard(v, MEMBER(ROOT("status"), "used"), GET(status, "used"));
}

/* ---- LimitRange ---- */

struct limit {
	struct str key;
	bool has[5];
	struct quantity q[5];
};

enum { MAX_, MIN_, DEFAULT_, REQUEST_, RATIO_ };

static const char *const limit_lists[] = {"max", "min", "default", "defaultRequest",
					  "maxLimitRequestRatio"};

/* The values of one resource in the lists of an item. */
static void limit_read(const struct json *item, struct str key, struct limit *ret_limit)
{
	*ret_limit = (struct limit){.key = key};
	for (size_t i = 0; i < ARRAY_LEN(limit_lists); i++) {
		struct str text = json_str(json_get(json_get(item, str_of(limit_lists[i])), key));
		ret_limit->has[i] = text.at &&
				    quantity_parse(text, &ret_limit->q[i], NULL) == RC_OK;
	}
}

static void too_great(struct check *v, const struct path *at, const struct limit *l, int named,
		      int shown, int high, int low, const char *high_name, const char *low_name)
{
	char high_text[QUANTITY_TEXT_MAX], low_text[QUANTITY_TEXT_MAX],
		shown_text[QUANTITY_TEXT_MAX];
	if (!l->has[high] || !l->has[low] || quantity_cmp(l->q[high], l->q[low]) <= 0)
		return;
	quantity_format(l->q[high], high_text);
	quantity_format(l->q[low], low_text);
	quantity_format(l->q[shown], shown_text);
	bad_text(v, KEY(MEMBER(at, limit_lists[named]), l->key),
		 arena_str(v->arena, str_of(shown_text)), "%s value %s is greater than %s value %s",
		 high_name, high_text, low_name, low_text);
}

static void check_ratio(struct check *v, const struct path *at, const struct limit *l)
{
	char text[QUANTITY_TEXT_MAX];
	const struct path *here = KEY(MEMBER(at, "maxLimitRequestRatio"), l->key);
	if (!l->has[RATIO_])
		return;
	quantity_format(l->q[RATIO_], text);
	if (quantity_milli(l->q[RATIO_]) < 1000)
		bad_text(v, here, arena_str(v->arena, str_of(text)), "ratio %s is less than 1",
			 text);
	if (l->has[MAX_] && l->has[MIN_] && l->q[MIN_].nano > 0) {
		double most = (double)l->q[MAX_].nano / (double)l->q[MIN_].nano;
		if ((double)quantity_milli(l->q[RATIO_]) / 1000 > most)
			bad_text(v, here, arena_str(v->arena, str_of(text)),
				 "ratio %s is greater than max/min = %f", text, most);
	}
}

/* What can not be shared is requested as it is limited. */
static void check_exact(struct check *v, const struct path *at, const struct limit *l)
{
	char limit[QUANTITY_TEXT_MAX], request[QUANTITY_TEXT_MAX];
	if (is_overcommit_allowed(l->key) || !l->has[DEFAULT_] || !l->has[REQUEST_] ||
	    quantity_cmp(l->q[DEFAULT_], l->q[REQUEST_]) == 0)
		return;
	quantity_format(l->q[DEFAULT_], limit);
	quantity_format(l->q[REQUEST_], request);
	bad_text(v, KEY(MEMBER(at, "defaultRequest"), l->key), arena_str(v->arena, str_of(request)),
		 "default value %s must equal to defaultRequest value %s in %.*s", limit, request,
		 STR_FMT(l->key));
}

static void check_limit(struct check *v, const struct path *at, const struct limit *l)
{
	too_great(v, at, l, MIN_, MIN_, MIN_, MAX_, "min", "max");
	if (l->has[REQUEST_]) {
		too_great(v, at, l, REQUEST_, REQUEST_, MIN_, REQUEST_, "min", "default request");
		too_great(v, at, l, REQUEST_, REQUEST_, REQUEST_, MAX_, "default request", "max");
		too_great(v, at, l, REQUEST_, REQUEST_, REQUEST_, DEFAULT_, "default request",
			  "default limit");
	}
	if (l->has[DEFAULT_]) {
		too_great(v, at, l, DEFAULT_, MIN_, MIN_, DEFAULT_, "min", "default");
		too_great(v, at, l, DEFAULT_, MAX_, DEFAULT_, MAX_, "default", "max");
	}
	check_ratio(v, at, l);
	check_exact(v, at, l);
}

static void check_limit_type(struct check *v, const struct path *at, struct str type)
{
	size_t before = v->errors->count;
	check_name(v, at, NAME_QUALIFIED, type);
	if (v->errors->count == before && !memchr(type.at, '/', type.len) &&
	    !text_in(type, "Pod,Container,PersistentVolumeClaim"))
		bad_text(v, at, type, "must be a standard limit type or fully qualified");
}

static void check_limit_names(struct check *v, const struct path *at, const char *name,
			      const struct json *item)
{
	const struct json *list = json_get(item, str_of(name));
	bool is_compute = text_in(TEXT(item, "type"), "Pod,Container");
	for (size_t i = 0; i < json_count(list); i++) {
		struct str key = list->object.members[i].key;
		(is_compute ? check_container_resource_name
			    : check_resource_name)(v, KEY(MEMBER(at, name), key), key);
	}
}

static void check_limit_item(struct check *v, const struct path *at, const struct json *item)
{
	struct str type = TEXT(item, "type");
	struct json *keys = json_object(v->arena);
	check_limit_names(v, at, "max", item);
	check_limit_names(v, at, "min", item);
	if (str_is(type, "Pod")) {
		if (COUNT(item, "default") > 0)
			forbidden(v, MEMBER(at, "default"),
				  "may not be specified when `type` is 'Pod'");
		if (COUNT(item, "defaultRequest") > 0)
			forbidden(v, MEMBER(at, "defaultRequest"),
				  "may not be specified when `type` is 'Pod'");
	} else {
		check_limit_names(v, at, "default", item);
		check_limit_names(v, at, "defaultRequest", item);
	}
	if (str_is(type, "PersistentVolumeClaim") && !GET(GET(item, "min"), "storage") &&
	    !GET(GET(item, "max"), "storage"))
		required(v, MEMBER(at, "limits"),
			 "either minimum or maximum storage value is required, but neither was "
			 "provided");
	check_limit_names(v, at, "maxLimitRequestRatio", item);
	for (size_t i = 0; i < ARRAY_LEN(limit_lists); i++) {
		const struct json *list = json_get(item, str_of(limit_lists[i]));
		for (size_t k = 0; k < json_count(list); k++)
			json_set(v->arena, keys, list->object.members[k].key, (struct json *)list);
	}
	for (size_t i = 0; i < json_count(keys); i++) {
		struct limit limit;
		limit_read(item, keys->object.members[i].key, &limit);
		check_limit(v, at, &limit);
	}
}

void limit_range_rules(struct check *v, const struct json *tree)
{
	const struct json *limits = GET(GET(tree, "spec"), "limits");
	FOR_ITEMS(i, item, limits)
	{
		const struct path *at = ITEM(MEMBER(ROOT("spec"), "limits"), i);
		check_limit_type(v, MEMBER(at, "type"), TEXT(item, "type"));
		if (is_text_repeated(v, limits, i, "type"))
			duplicate(v, MEMBER(at, "type"), TEXT(item, "type"));
		check_limit_item(v, at, item);
	}
}
