/* FlowSchema and PriorityLevelConfiguration. */
#include <math.h>

#include "api/validate-int.h"

#define VERBS "create,delete,deletecollection,get,list,patch,proxy,update,watch"

/* ---- the objects that every server must have as they are ---- */

#define EVERYTHING                                                                                 \
	"\"resourceRules\":[{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"],"       \
	"\"clusterScope\":true,\"namespaces\":[\"*\"]}],"                                          \
	"\"nonResourceRules\":[{\"verbs\":[\"*\"],\"nonResourceURLs\":[\"*\"]}]"

static const struct {
	const char *kind, *name, *spec;
	const char *free; /* the member that may be anything; or NULL */
} fixed[] = {
	{"FlowSchema", "exempt",
	 "{\"priorityLevelConfiguration\":{\"name\":\"exempt\"},\"matchingPrecedence\":1,\"rules\":[{"
	 "\"subjects\":[{\"kind\":\"Group\",\"group\":{\"name\":\"system:masters\"}}]," EVERYTHING
	 "}]}",
	 NULL},
	{"FlowSchema", "catch-all",
	 "{\"priorityLevelConfiguration\":{\"name\":\"catch-all\"},\"matchingPrecedence\":10000,"
	 "\"distinguisherMethod\":{\"type\":\"ByUser\"},\"rules\":[{\"subjects\":[{\"kind\":\"Group\","
	 "\"group\":{\"name\":\"system:unauthenticated\"}},{\"kind\":\"Group\",\"group\":{\"name\":"
	 "\"system:authenticated\"}}]," EVERYTHING "}]}",
	 NULL},
	{"PriorityLevelConfiguration", "exempt", "{\"type\":\"Exempt\"}", "exempt"},
	{"PriorityLevelConfiguration", "catch-all",
	 "{\"type\":\"Limited\",\"limited\":{\"nominalConcurrencyShares\":5,\"lendablePercent\":0,"
	 "\"limitResponse\":{\"type\":\"Reject\"}}}",
	 NULL},
};

static void check_fixed(struct check *v, const struct json *tree, const char *spec_type)
{
	const struct json *spec = GET(tree, "spec");
	struct str name = TEXT(GET(tree, "metadata"), "name");
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		struct json *wanted;
		if (!str_is(v->kind->kind, fixed[i].kind) || !str_is(name, fixed[i].name) ||
		    json_parse(v->arena, str_of(fixed[i].spec), &wanted, NULL, NULL) != RC_OK)
			continue;
		struct json *given = spec ? json_copy(v->arena, spec) : json_object(v->arena);
		if (fixed[i].free)
			json_remove(given, str_of(fixed[i].free));
		if (json_equal(given, wanted))
			return;
		struct str exception = fixed[i].free ? arena_printf(v->arena,
								    " except the 'spec.%s' field",
								    fixed[i].free)
						     : STR("");
		bad(v, ROOT("spec"), go_struct(v, spec_type, spec),
		    "spec of '%s'%.*s must equal the fixed value", fixed[i].name,
		    STR_FMT(exception));
		return;
	}
}

/* ---- FlowSchema ---- */

/* kind of a subject and its member */
static const struct {
	const char *kind, *member;
} subject_kinds[] = {
	{"ServiceAccount", "serviceAccount"},
	{"User", "user"},
	{"Group", "group"},
};

static void check_subject_member(struct check *v, const struct path *at, const char *kind,
				 const struct json *value)
{
	struct str name = TEXT(value, "name");
	if (strcmp(kind, "ServiceAccount")) {
		check_required(v, MEMBER(at, "name"), name);
		return;
	}
	if (name.len == 0)
		required(v, MEMBER(at, "name"), "%s", "");
	else if (!str_is(name, "*"))
		check_name(v, MEMBER(at, "name"), NAME_DNS_SUBDOMAIN, name);
	if (TEXT(value, "namespace").len == 0)
		required(v, MEMBER(at, "namespace"), "must specify namespace for service account");
	else
		check_name(v, MEMBER(at, "namespace"), NAME_DNS_LABEL, TEXT(value, "namespace"));
}

/* The member of the kind itself comes first, the others in the order of the table. */
static void check_subject(struct check *v, const struct path *at, const struct json *subject)
{
	struct str kind = TEXT(subject, "kind");
	if (!check_enum(v, MEMBER(at, "kind"), kind, "Group,ServiceAccount,User"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(subject_kinds); i++) {
		const char *member = subject_kinds[i].member;
		const struct json *value = json_get(subject, str_of(member));
		if (!str_is(kind, subject_kinds[i].kind))
			continue;
		if (!value)
			required(v, MEMBER(at, member), "%s is required when subject kind is '%s'",
				 member, subject_kinds[i].kind);
		else
			check_subject_member(v, MEMBER(at, member), subject_kinds[i].kind, value);
	}
	for (size_t k = 0; k < ARRAY_LEN(subject_kinds); k++) {
		const char *member = subject_kinds[k].member;
		if (!str_is(kind, subject_kinds[k].kind) && json_get(subject, str_of(member)))
			forbidden(v, MEMBER(at, member),
				  "%s is forbidden when subject kind is not '%s'", member,
				  subject_kinds[k].kind);
	}
}

static bool has_star(const struct json *list)
{
	FOR_ITEMS(i, item, list)
	{
		if (str_is(json_str(item), "*"))
			return true;
	}
	return false;
}

/* Upstream holds rules of paths to the verbs of resources, too. */
static void check_verbs(struct check *v, const struct path *at, const struct json *verbs)
{
	if (json_count(verbs) == 0) {
		required(v, at, "verbs must contain at least one value");
		return;
	}
	if (has_star(verbs)) {
		if (json_count(verbs) > 1)
			bad(v, at, verbs, "if '*' is present, must not specify other verbs");
		return;
	}
	FOR_ITEMS(i, verb, verbs)
	{
		if (!text_in(json_str(verb), VERBS)) {
			field_error_not_supported(v->errors, path_text(v, at), verbs, STR(VERBS));
			return;
		}
	}
}

static void check_stars(struct check *v, const struct path *at, const struct json *list,
			const char *what)
{
	if (has_star(list) && json_count(list) > 1)
		bad(v, at, list, "if '*' is present, must not specify other %s", what);
}

static void check_resource_rule(struct check *v, const struct path *at, const struct json *rule)
{
	const struct json *spaces = GET(rule, "namespaces");
	const struct path *spaces_at = MEMBER(at, "namespaces");
	check_verbs(v, MEMBER(at, "verbs"), GET(rule, "verbs"));
	if (COUNT(rule, "apiGroups") == 0)
		required(v, MEMBER(at, "apiGroups"),
			 "resource rules must supply at least one api group");
	check_stars(v, MEMBER(at, "apiGroups"), GET(rule, "apiGroups"), "api groups");
	if (COUNT(rule, "resources") == 0)
		required(v, MEMBER(at, "resources"),
			 "resource rules must supply at least one resource");
	check_stars(v, MEMBER(at, "resources"), GET(rule, "resources"), "resources");
	if (json_count(spaces) == 0 && !IS(rule, "clusterScope"))
		required(v, spaces_at,
			 "resource rules that are not cluster scoped must supply at least one "
			 "namespace");
	check_stars(v, spaces_at, spaces, "namespaces");
	FOR_ITEMS(i, space, spaces)
	{
		struct faults f;
		name_check(&f, NAME_DNS_LABEL, json_str(space));
		for (size_t k = 0; !str_is(json_str(space), "*") && k < f.count; k++)
			bad(v, ITEM(spaces_at, i), space,
			    "each member of this list must be '*' or a DNS-1123 label; %s",
			    f.at[k]);
	}
}

/* "/a*": a star that stands for a part of a segment */
static bool ends_in_part(struct str url)
{
	return str_has_suffix(url, STR("*")) && !str_has_suffix(url, STR("/*"));
}

static void check_url(struct check *v, const struct path *at, struct str url)
{
	if (url.len == 0)
		bad_text(v, at, url, "must not be empty");
	else if (str_is(url, "*"))
		return;
	else if (url.at[0] != '/')
		bad_text(v, at, url, "must start with slash");
	else if (memchr(url.at, ' ', url.len))
		bad_text(v, at, url, "must not contain white-space");
	else if (memmem(url.at, url.len, "//", 2))
		bad_text(v, at, url, "must not contain double slash");
	else if (memchr(url.at, '*', url.len - 1) || ends_in_part(url))
		bad_text(v, at, url, "wildcard can only do suffix matching");
}

static void check_flow_rule(struct check *v, const struct path *at, const struct json *rule)
{
	if (COUNT(rule, "subjects") == 0)
		required(v, MEMBER(at, "subjects"), "subjects must contain at least one value");
	FOR_ITEMS(i, subject, GET(rule, "subjects"))
	{
		check_subject(v, ITEM(MEMBER(at, "subjects"), i), subject);
	}
	if (COUNT(rule, "resourceRules") == 0 && COUNT(rule, "nonResourceRules") == 0)
		required(v, at,
			 "at least one of resourceRules and nonResourceRules has to be non-empty");
	FOR_ITEMS(k, resource, GET(rule, "resourceRules"))
	{
		check_resource_rule(v, ITEM(MEMBER(at, "resourceRules"), k), resource);
	}
	FOR_ITEMS(m, other, GET(rule, "nonResourceRules"))
	{
		const struct path *here = ITEM(MEMBER(at, "nonResourceRules"), m);
		check_verbs(v, MEMBER(here, "verbs"), GET(other, "verbs"));
		if (COUNT(other, "nonResourceURLs") == 0)
			required(v, MEMBER(here, "nonResourceURLs"),
				 "nonResourceURLs must contain at least one value");
		check_stars(v, MEMBER(here, "nonResourceURLs"), GET(other, "nonResourceURLs"),
			    "non-resource URLs");
		FOR_ITEMS(n, url, GET(other, "nonResourceURLs"))
		{
			check_url(v, ITEM(MEMBER(here, "nonResourceURLs"), n), json_str(url));
		}
	}
}

static void flow_schema_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *method = GET(spec, "distinguisherMethod");
	const struct path *at = ROOT("spec"), *precedence_at = MEMBER(at, "matchingPrecedence");
	const struct path *level_at = MEMBER(MEMBER(at, "priorityLevelConfiguration"), "name");
	struct str level = TEXT(GET(spec, "priorityLevelConfiguration"), "name");
	int64_t precedence = INT(spec, "matchingPrecedence");
	if (precedence <= 0)
		bad(v, precedence_at, json_int(v->arena, precedence), "must be a positive value");
	if (precedence > 10000)
		bad(v, precedence_at, json_int(v->arena, precedence),
		    "must not be greater than 10000");
	if (precedence == 1 && !str_is(TEXT(GET(tree, "metadata"), "name"), "exempt"))
		bad(v, precedence_at, json_int(v->arena, precedence),
		    "only the schema named 'exempt' may have matchingPrecedence 1");
	if (method && !text_in(TEXT(method, "type"), "ByNamespace,ByUser"))
		field_error_not_supported(
			v->errors, path_text(v, MEMBER(MEMBER(at, "distinguisherMethod"), "type")),
			go_struct(v, "FlowDistinguisherMethod", method), STR("ByNamespace,ByUser"));
	if (level.len == 0)
		required(v, level_at, "must reference a priority level");
	else
		check_name(v, level_at, NAME_DNS_SUBDOMAIN, level);
	FOR_ITEMS(i, rule, GET(spec, "rules"))
	{
		check_flow_rule(v, ITEM(MEMBER(at, "rules"), i), rule);
	}
	check_fixed(v, tree, "FlowSchemaSpec");
}

/* ---- PriorityLevelConfiguration ---- */

/* Bits of entropy that dealing a hand takes: upstream's shuffle sharding refuses more than 60. */
static int entropy_bits(int64_t deck, int64_t hand)
{
	double bits = 0;
	for (int64_t i = 0; i < hand && i < 64; i++)
		bits += log2((double)(deck - i));
	return (int)ceil(bits);
}

static void check_queuing(struct check *v, const struct path *at, const struct json *queuing)
{
	int64_t queues = INT(queuing, "queues"), hand = INT(queuing, "handSize");
	int64_t limit = INT(queuing, "queueLengthLimit");
	if (queues <= 0)
		bad(v, MEMBER(at, "queues"), json_int(v->arena, queues), "must be positive");
	if (queues > 10000000)
		bad(v, MEMBER(at, "queues"), json_int(v->arena, queues),
		    "must not be greater than 10000000");
	if (hand <= 0)
		bad(v, MEMBER(at, "handSize"), json_int(v->arena, hand), "must be positive");
	if (limit <= 0)
		bad(v, MEMBER(at, "queueLengthLimit"), json_int(v->arena, limit),
		    "must be positive");
	if (hand > queues)
		bad(v, MEMBER(at, "handSize"), json_int(v->arena, hand),
		    "should not be greater than queues (%lld)", (long long)queues);
	else if (hand > 0 && entropy_bits(queues, hand) > 60)
		bad(v, MEMBER(at, "handSize"), json_int(v->arena, hand),
		    "required entropy bits of deckSize %lld and handSize %lld should not be "
		    "greater than "
		    "60",
		    (long long)queues, (long long)hand);
}

static void check_nominal(struct check *v, const struct path *at, const struct json *level)
{
	if (INT(level, "nominalConcurrencyShares") < 0)
		bad(v, MEMBER(at, "nominalConcurrencyShares"),
		    GET(level, "nominalConcurrencyShares"), "must be a non-negative integer");
}

static void check_lendable(struct check *v, const struct path *at, const struct json *level)
{
	int64_t percent = INT(level, "lendablePercent");
	if (percent < 0 || percent > 100)
		bad(v, MEMBER(at, "lendablePercent"), GET(level, "lendablePercent"),
		    "must be between 0 and 100, inclusive");
}

static void check_limited(struct check *v, const struct path *at, const struct json *limited)
{
	const struct json *borrow = GET(limited, "borrowingLimitPercent");
	const struct json *response = GET(limited, "limitResponse"),
			  *queuing = GET(response, "queuing");
	const struct path *response_at = MEMBER(at, "limitResponse");
	const struct path *queuing_at = MEMBER(response_at, "queuing");
	struct str type = TEXT(response, "type");
	check_nominal(v, at, limited);
	if (str_is(type, "Reject")) {
		if (queuing)
			forbidden(v, queuing_at,
				  "must be nil if limited.limitResponse.type is not Limited");
	} else if (str_is(type, "Queue")) {
		if (!queuing)
			required(v, queuing_at,
				 "must not be empty if limited.limitResponse.type is Limited");
		else
			check_queuing(v, queuing_at, queuing);
	} else {
		unsupported(v, MEMBER(response_at, "type"), type, "Queue,Reject");
	}
	check_lendable(v, at, limited);
	if (borrow && json_i64(borrow) < 0)
		bad(v, MEMBER(at, "borrowingLimitPercent"), borrow,
		    "if specified, must be a non-negative integer");
}

static void priority_level_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *limited = GET(spec, "limited");
	const struct path *at = ROOT("spec");
	struct str type = TEXT(spec, "type");
	bool is_exempt = str_is(TEXT(GET(tree, "metadata"), "name"), "exempt");
	if (text_in(type, "Exempt,Limited") && is_exempt != str_is(type, "Exempt"))
		bad_text(v, MEMBER(at, "type"), type,
			 "must be 'Exempt' if and only if `name` is 'exempt'");
	if (str_is(type, "Exempt")) {
		if (limited)
			forbidden(v, MEMBER(at, "limited"),
				  "must be nil if the type is not Limited");
		check_nominal(v, MEMBER(at, "exempt"), GET(spec, "exempt"));
		check_lendable(v, MEMBER(at, "exempt"), GET(spec, "exempt"));
	} else if (str_is(type, "Limited")) {
		if (GET(spec, "exempt"))
			forbidden(v, MEMBER(at, "exempt"), "must be nil if the type is Limited");
		if (!limited)
			required(v, MEMBER(at, "limited"),
				 "must not be empty when type is Limited");
		else
			check_limited(v, MEMBER(at, "limited"), limited);
	} else {
		unsupported(v, MEMBER(at, "type"), type, "Exempt,Limited");
	}
	check_fixed(v, tree, "PriorityLevelConfigurationSpec");
}

static void flow_part_rules(struct check *v, const struct json *old, const struct json *tree,
			    const char *subresource)
{
	const struct json *conditions = GET(GET(tree, "status"), "conditions");
	const struct path *at = MEMBER(ROOT("status"), "conditions");
	FOR_ITEMS(i, condition, conditions)
	{
		const struct path *type_at = MEMBER(ITEM(at, i), "type");
		if (is_text_repeated(v, conditions, i, "type"))
			duplicate(v, type_at, TEXT(condition, "type"));
		check_required(v, type_at, TEXT(condition, "type"));
	}
}

#define FLOW "flowcontrol.apiserver.k8s.io"

const struct kind_rules validate_flow[] = {
	{FLOW, "FlowSchema", NAME_DNS_SUBDOMAIN, flow_schema_rules, NULL, flow_part_rules,
	 .steps = "cs"},
	{FLOW, "PriorityLevelConfiguration", NAME_DNS_SUBDOMAIN, priority_level_rules, NULL,
	 flow_part_rules, .steps = "cs"},
	{},
};
