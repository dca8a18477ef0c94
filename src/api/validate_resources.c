/* Names and quantities of resources, requests and limits. */
#include "api/defaults.h"
#include "api/validate-int.h"

#define STANDARD_CONTAINER "cpu,memory,ephemeral-storage"
#define STANDARD                                                                                   \
	"cpu,memory,ephemeral-storage,requests.cpu,requests.memory,requests.ephemeral-storage,"    \
	"limits.cpu,limits.memory,limits.ephemeral-storage,pods,resourcequotas,services,"          \
	"replicationcontrollers,secrets,configmaps,persistentvolumeclaims,storage,requests."       \
	"storage,services.nodeports,services.loadbalancers"
#define INTEGER                                                                                    \
	"pods,resourcequotas,services,replicationcontrollers,secrets,configmaps,"                  \
	"persistentvolumeclaims,services.nodeports,services.loadbalancers"

static bool is_hugepages(struct str name)
{
	return str_has_prefix(name, STR("hugepages-"));
}

static bool has_slash(struct str name)
{
	return name.len > 0 && memchr(name.at, '/', name.len) != NULL;
}

static bool is_native(struct str name)
{
	return !has_slash(name) || memmem(name.at, name.len, "kubernetes.io/", 14) != NULL;
}

static bool is_extended_resource(struct str name)
{
	struct faults f;
	char quota[512];
	if (is_native(name) || str_has_prefix(name, STR("requests.")) || name.len > 400)
		return false;
	int len = snprintf(quota, sizeof(quota), "requests.%.*s", STR_FMT(name));
	name_check(&f, NAME_QUALIFIED, str_n(quota, (size_t)len));
	return f.count == 0;
}

static bool is_integer_resource(struct str name)
{
	return text_in(name, INTEGER) || is_extended_resource(name);
}

bool is_overcommit_allowed(struct str name)
{
	return is_native(name) && !is_hugepages(name);
}

struct str quantity_text(struct check *v, const struct json *value)
{
	struct quantity q;
	char text[QUANTITY_TEXT_MAX];
	if (quantity_parse(json_str(value), &q, NULL) != RC_OK)
		return json_str(value);
	size_t len = quantity_format(q, text);
	return arena_str(v->arena, str_n(text, len));
}

bool quantity_at(const struct json *map, const char *name, struct quantity *ret_q)
{
	struct str text = json_str(json_get(map, str_of(name)));
	return text.at && quantity_parse(text, ret_q, NULL) == RC_OK;
}

static struct quantity quantity_of_json(const struct json *value)
{
	struct quantity q = {};
	if (quantity_parse(json_str(value), &q, NULL) != RC_OK)
		q.nano = 0;
	return q;
}

void check_quantity_not_negative(struct check *v, const struct path *at, const struct json *value)
{
	if (quantity_sign(quantity_of_json(value)) < 0)
		bad_text(v, at, quantity_text(v, value), "must be greater than or equal to 0");
}

static bool has_good_name(struct check *v, const struct path *at, struct str name)
{
	struct faults f;
	name_check(&f, NAME_QUALIFIED, name);
	for (size_t i = 0; i < f.count; i++)
		bad_text(v, at, name, "%s", f.at[i]);
	return f.count == 0;
}

void check_resource_name(struct check *v, const struct path *at, struct str name)
{
	if (has_good_name(v, at, name) && !has_slash(name) && !text_in(name, STANDARD) &&
	    !is_hugepages(name) && !str_has_prefix(name, STR("requests.hugepages-")))
		bad_text(v, at, name, "must be a standard resource type or fully qualified");
}

void check_container_resource_name(struct check *v, const struct path *at, struct str name)
{
	check_resource_name(v, at, name);
	if (!has_slash(name)) {
		if (!text_in(name, STANDARD_CONTAINER) && !is_hugepages(name))
			bad_text(v, at, name, "must be a standard resource for containers");
	} else if (!is_native(name) && !is_extended_resource(name)) {
		bad_text(v, at, name, "doesn't follow extended resource name standard");
	}
}

static void check_pod_resource_name(struct check *v, const struct path *at, struct str name)
{
	check_resource_name(v, at, name);
	if (!text_in(name, "cpu,memory") && !is_hugepages(name))
		unsupported(v, at, name, "cpu,hugepages-,memory");
}

void check_resource_amount(struct check *v, const struct path *at, struct str name,
			   const struct json *value)
{
	struct quantity q = quantity_of_json(value);
	check_quantity_not_negative(v, at, value);
	if (is_integer_resource(name) && !quantity_is_whole(q))
		bad_text(v, at, quantity_text(v, value), "must be an integer");
}

static void check_hugepages(struct check *v, const struct path *at, struct str name,
			    const struct json *value)
{
	struct quantity page, q = quantity_of_json(value);
	struct str size = str_skip(name, strlen("hugepages-"));
	if (quantity_parse(size, &page, NULL) != RC_OK || page.nano <= 0)
		return;
	if (q.nano < 0 || q.nano % page.nano)
		bad_text(v, at, quantity_text(v, value),
			 "%.*s is not positive integer multiple of %.*s",
			 STR_FMT(quantity_text(v, value)), STR_FMT(name));
}

static void check_against_limit(struct check *v, const struct path *at, struct str name,
				const struct json *request, const struct json *limit)
{
	int order = quantity_cmp(quantity_of_json(request), quantity_of_json(limit));
	struct str text = quantity_text(v, request), limit_text = quantity_text(v, limit);
	if (order != 0 && !is_overcommit_allowed(name))
		bad_text(v, at, text, "must be equal to %.*s limit of %.*s", STR_FMT(name),
			 STR_FMT(limit_text));
	else if (order > 0)
		bad_text(v, at, text, "must be less than or equal to %.*s limit of %.*s",
			 STR_FMT(name), STR_FMT(limit_text));
}

struct seen {
	bool has_huge, has_compute;
};

static void check_list(struct check *v, const struct path *at, const struct path *limits_at,
		       const struct json *list, const struct json *limits, bool is_pod,
		       struct seen *seen)
{
	for (size_t i = 0; i < json_count(list); i++) {
		struct json_member m = list->object.members[i];
		const struct path *here = KEY(at, m.key);
		const struct json *limit = limits ? json_get(limits, m.key) : NULL;
		(is_pod ? check_pod_resource_name : check_container_resource_name)(v, here, m.key);
		check_resource_amount(v, here, m.key, m.value);
		if (limits_at && limit)
			check_against_limit(v, at, m.key, m.value, limit);
		else if (limits_at && !is_overcommit_allowed(m.key))
			required(v, limits_at,
				 "Limit must be set for non overcommitable resources");
		if (is_hugepages(m.key)) {
			check_hugepages(v, here, m.key, m.value);
			seen->has_huge = true;
		}
		seen->has_compute |= text_in(m.key, "cpu,memory");
	}
}

static void check_requirements(struct check *v, const struct path *at, const struct json *resources,
			       bool is_pod)
{
	struct seen seen = {};
	const struct json *limits = GET(resources, "limits");
	const struct path *limits_at = MEMBER(at, "limits");
	check_list(v, limits_at, NULL, limits, NULL, is_pod, &seen);
	check_list(v, MEMBER(at, "requests"), limits_at, GET(resources, "requests"), limits, is_pod,
		   &seen);
	if (seen.has_huge && !seen.has_compute)
		forbidden(v, at, "HugePages require cpu or memory");
}

/* Names of the pod's claims, sorted, joined by ", ". */
static struct str claim_names(struct check *v, const struct json *claims)
{
	CLEANUP_BUF text = BUF_INIT(64u << 10);
	struct str last = {};
	for (size_t n = 0; n < json_count(claims); n++) {
		struct str least = {};
		FOR_ITEMS(i, claim, claims)
		{
			struct str name = TEXT(claim, "name");
			if (name.len > 0 && (!last.at || str_cmp(name, last) > 0) &&
			    (!least.at || str_cmp(name, least) < 0))
				least = name;
		}
		if (!least.at)
			break;
		buf_printf(&text, "%s%.*s", text.len ? ", " : "", STR_FMT(least));
		last = least;
	}
	return arena_str(v->arena, buf_str(&text));
}

static void check_claims(struct check *v, const struct path *at, const struct json *claims,
			 const struct json *pod_claims)
{
	FOR_ITEMS(i, claim, claims)
	{
		struct str name = TEXT(claim, "name");
		if (name.len == 0) {
			required(v, ITEM(at, i), "%s", "");
			continue;
		}
		for (size_t k = 0; k < i; k++)
			if (str_eq(TEXT(json_at(claims, k), "name"), name) &&
			    str_eq(TEXT(json_at(claims, k), "request"), TEXT(claim, "request"))) {
				struct str request = TEXT(claim, "request");
				duplicate(v, ITEM(at, i),
					  arena_printf(v->arena, "%.*s%s%.*s", STR_FMT(name),
						       request.len ? "/" : "", STR_FMT(request)));
				break;
			}
		if (item_named(pod_claims, "name", name))
			continue;
		struct str names = claim_names(v, pod_claims);
		not_found(v, ITEM(at, i), name,
			  "must be one of the names in pod.spec.resourceClaims%s%.*s",
			  names.len ? ": " : " which is empty", STR_FMT(names));
	}
}

void check_container_resources(struct check *v, const struct path *at, const struct json *resources,
			       const struct json *pod_claims)
{
	check_requirements(v, at, resources, false);
	check_claims(v, MEMBER(at, "claims"), GET(resources, "claims"), pod_claims);
}

/* What the containers ask for together, where the pod says how much it asks for. */
static void check_aggregate(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *requests = GET(GET(spec, "resources"), "requests");
	for (size_t i = 0; i < json_count(requests); i++) {
		struct json_member m = requests->object.members[i];
		struct quantity sum;
		char text[QUANTITY_TEXT_MAX];
		if (api_requests_total(spec, m.key, &sum) &&
		    quantity_cmp(sum, quantity_of_json(m.value)) > 0)
			bad_text(v, KEY(at, m.key), quantity_text(v, m.value),
				 "must be greater than or equal to aggregate container requests of "
				 "%.*s",
				 (int)quantity_format(sum, text), text);
	}
}

/* at: of the pod's resources, where upstream puts the containers, too. */
static void check_shares(struct check *v, const struct path *at, const struct json *spec,
			 const char *list)
{
	const struct json *limits = GET(GET(spec, "resources"), "limits");
	FOR_ITEMS(i, c, json_get(spec, str_of(list)))
	{
		const struct json *own = GET(GET(c, "resources"), "limits");
		for (size_t k = 0; k < json_count(own); k++) {
			struct json_member m = own->object.members[k];
			const struct json *limit = member_of(limits, m.key);
			if (limit &&
			    quantity_cmp(quantity_of_json(m.value), quantity_of_json(limit)) > 0)
				bad_text(v, MEMBER(KEY(ITEM(MEMBER(at, list), i), m.key), "limits"),
					 quantity_text(v, m.value),
					 "must be less than or equal to pod limits of %.*s",
					 STR_FMT(quantity_text(v, limit)));
		}
	}
}

void check_pod_resources(struct check *v, const struct path *spec_at, const struct json *spec)
{
	const struct path *at = MEMBER(spec_at, "resources");
	if (str_is(TEXT(GET(spec, "os"), "name"), "windows")) {
		forbidden(v, at, "may not be set for a windows pod");
		return;
	}
	check_requirements(v, at, GET(spec, "resources"), true);
	check_aggregate(v, MEMBER(at, "requests"), spec);
	check_shares(v, at, spec, "containers");
}
