/* Writes through the subresources of a pod: status, ephemeralcontainers, resize. */
#include "api/defaults.h"
#include "api/validate-int.h"
#include "base/ipaddr.h"

#define MIRROR "kubernetes.io/config.mirror"

/* ---- status ---- */

/* One address a family, none twice. */
static void check_addresses(struct check *v, const struct path *at, const struct json *list,
			    const char *type)
{
	struct ipaddr a = {}, b = {};
	FOR_ITEMS(i, ip, list)
	{
		check_ip(v, ITEM(at, i), TEXT(ip, "ip"));
	}
	if (json_count(list) < 2)
		return;
	if (!api_parse_ip(TEXT(json_at(list, 0), "ip"), &a) ||
	    !api_parse_ip(TEXT(json_at(list, 1), "ip"), &b) || a.family == b.family ||
	    json_count(list) > 2) {
		struct json *shown = json_array(v->arena);
		FOR_ITEMS(k, ip, list)
		{
			json_append(v->arena, shown, go_struct(v, type, ip));
		}
		bad(v, at, shown, "may specify no more than one IP for each IP family");
	}
	FOR_ITEMS(m, ip, list)
	{
		if (is_text_repeated(v, list, m, "ip"))
			duplicate_value(v, ITEM(at, m), go_struct(v, type, ip));
	}
}

static bool is_sidecar(const struct json *spec, struct str name)
{
	return str_is(TEXT(item_named(GET(spec, "initContainers"), "name", name), "restartPolicy"),
		      "Always");
}

/* What has ended for good does not run again. */
static void check_transitions(struct check *v, const char *name, const struct json *old,
			      const struct json *tree, struct str restart_policy)
{
	const struct json *was = json_get(GET(old, "status"), str_of(name));
	const struct json *is = json_get(GET(tree, "status"), str_of(name));
	const struct path *at = MEMBER(ROOT("status"), name);
	if (str_is(restart_policy, "Always"))
		return;
	FOR_ITEMS(i, before, was)
	{
		const struct json *end = GET(GET(before, "state"), "terminated");
		const struct json *now = item_named(is, "name", TEXT(before, "name"));
		bool may_restart = INT(end, "exitCode") != 0 && str_is(restart_policy, "OnFailure");
		if (!end || may_restart || !now || GET(GET(now, "state"), "terminated"))
			continue;
		if (!strcmp(name, "initContainerStatuses") &&
		    is_sidecar(GET(old, "spec"), TEXT(before, "name")))
			continue;
		forbidden(v, MEMBER(ITEM(at, i), "state"),
			  "may not be transitioned to non-terminated state");
	}
}

static const char *const user_lists[] = {"containerStatuses", "initContainerStatuses",
					 "ephemeralContainerStatuses"};

/* As whom containers run. */
static void check_users(struct check *v, const struct path *at, const struct json *list)
{
	FOR_ITEMS(i, status, list)
	{
		const struct json *user = GET(GET(status, "user"), "linux");
		const struct path *here = MEMBER(MEMBER(ITEM(at, i), "user"), "linux");
		check_id(v, MEMBER(here, "uid"), GET(user, "uid"));
		check_id(v, MEMBER(here, "gid"), GET(user, "gid"));
		FOR_ITEMS(k, group, GET(user, "supplementalGroups"))
		{
			check_id(v, ITEM(MEMBER(here, "supplementalGroups"), k), group);
		}
	}
}

static void check_claim_statuses(struct check *v, const struct json *tree)
{
	const struct json *list = GET(GET(tree, "status"), "resourceClaimStatuses");
	const struct path *at = MEMBER(ROOT("status"), "resourceClaimStatuses");
	FOR_ITEMS(i, status, list)
	{
		const struct path *here = MEMBER(ITEM(at, i), "name");
		struct str name = TEXT(status, "name");
		if (!item_named(GET(GET(tree, "spec"), "resourceClaims"), "name", name))
			bad_text(v, here, name,
				 "must match the name of an entry in `spec.resourceClaims`");
		if (is_text_repeated(v, list, i, "name"))
			duplicate(v, here, name);
		if (GET(status, "resourceClaimName"))
			check_name(v, here, NAME_DNS_SUBDOMAIN, TEXT(status, "resourceClaimName"));
	}
}

static void check_host_addresses(struct check *v, const struct json *status)
{
	const struct json *list = GET(status, "hostIPs");
	const struct path *at = MEMBER(ROOT("status"), "hostIPs");
	if (json_count(list) > 0 && !str_eq(TEXT(status, "hostIP"), TEXT(json_at(list, 0), "ip")))
		bad_text(v, MEMBER(ITEM(at, 0), "ip"), TEXT(json_at(list, 0), "ip"),
			 "must be equal to `hostIP`");
	check_addresses(v, at, list, "HostIP");
}

static void check_pod_status(struct check *v, const struct json *old, const struct json *tree)
{
	const struct json *status = GET(tree, "status"), *was = GET(old, "status");
	const struct path *at = ROOT("status");
	struct str restart = TEXT(GET(old, "spec"), "restartPolicy");
	struct str nominated = TEXT(status, "nominatedNodeName");
	check_pod_annotation_updates(v, old, tree);
	FOR_ITEMS(k, condition, GET(status, "conditions"))
	{
		check_name(v, MEMBER(ITEM(MEMBER(at, "conditions"), k), "Type"), NAME_QUALIFIED,
			   TEXT(condition, "type"));
	}
	if (!value_equal(GET(GET(old, "spec"), "nodeName"), GET(GET(tree, "spec"), "nodeName")))
		forbidden(v, MEMBER(at, "nodeName"), "may not be changed directly");
	if (nominated.len > 0 && !str_eq(nominated, TEXT(was, "nominatedNodeName")))
		check_name(v, MEMBER(at, "nominatedNodeName"), NAME_DNS_SUBDOMAIN, nominated);
	if (INT(status, "observedGeneration") < 0)
		bad(v, MEMBER(at, "observedGeneration"), GET(status, "observedGeneration"),
		    "must be a non-negative integer");
	check_transitions(v, "containerStatuses", old, tree, restart);
	check_transitions(v, "initContainerStatuses", old, tree, restart);
	check_transitions(v, "ephemeralContainerStatuses", old, tree, STR("Never"));
	for (size_t i = 0; i < ARRAY_LEN(user_lists); i++)
		check_users(v, MEMBER(at, user_lists[i]), json_get(status, str_of(user_lists[i])));
	check_claim_statuses(v, tree);
	check_addresses(v, MEMBER(at, "podIPs"), GET(status, "podIPs"), "PodIP");
	check_host_addresses(v, status);
	if (GET(was, "qosClass"))
		check_immutable(v, MEMBER(at, "qosClass"), GET(status, "qosClass"),
				GET(was, "qosClass"));
}

/* ---- ephemeralcontainers and resize ---- */

/* Refused as a whole: nothing else is said. */
static void forbid_all(struct check *v, size_t before, const char *text)
{
	v->errors->count = before;
	forbidden(v, ROOT("[]"), "%s", text);
}

static bool is_static(const struct json *old)
{
	return GET(GET(GET(old, "metadata"), "annotations"), MIRROR) != NULL;
}

static void check_ephemeral_update(struct check *v, const struct json *old, const struct json *tree)
{
	const struct path *at = MEMBER(ROOT("spec"), "ephemeralContainers");
	const struct json *list = GET(GET(tree, "spec"), "ephemeralContainers");
	size_t before = v->errors->count;
	pod_parts(v, tree);
	if (is_static(old)) {
		forbid_all(v, before, "static pods do not support ephemeral containers");
		return;
	}
	FOR_ITEMS(i, was, GET(GET(old, "spec"), "ephemeralContainers"))
	{
		const struct json *is = item_named(list, "name", TEXT(was, "name"));
		if (!is) {
			forbidden(v, at,
				  "existing ephemeral containers \"%.*s\" may not be removed\n",
				  STR_FMT(TEXT(was, "name")));
		} else if (!value_equal(is, was)) {
			struct str diff = go_diff(v, "EphemeralContainer", was, is);
			forbidden(v, at,
				  "existing ephemeral containers \"%.*s\" may not be changed\n%.*s",
				  STR_FMT(TEXT(was, "name")), STR_FMT(diff));
		}
	}
}

static const char *const resized_lists[] = {"initContainers", "containers"};
static const char *const amounts[] = {"requests", "limits"};

/* The same containers in the same order; else nothing can be compared. */
static bool check_order(struct check *v, const struct json *old, const struct json *spec)
{
	size_t before = v->errors->count;
	for (size_t l = ARRAY_LEN(resized_lists); l-- > 0;) {
		const struct json *was = json_get(old, str_of(resized_lists[l]));
		const struct json *is = json_get(spec, str_of(resized_lists[l]));
		const struct path *at = MEMBER(ROOT("spec"), resized_lists[l]);
		if (json_count(was) != json_count(is)) {
			forbidden(v, at, "%s may not be added or removed on resize",
				  resized_lists[l]);
			continue;
		}
		FOR_ITEMS(i, c, is)
		{
			if (!value_equal(GET(c, "name"), GET(json_at(was, i), "name")))
				forbidden(v, ITEM(at, i),
					  "%s may not be renamed or reordered on resize",
					  resized_lists[l]);
		}
	}
	return v->errors->count == before;
}

static bool lost_amount(const struct json *was, const struct json *is)
{
	for (size_t i = 0; i < json_count(was); i++)
		if (!json_get(is, was->object.members[i].key))
			return true;
	return false;
}

static void check_removed(struct check *v, const struct json *old, const struct json *spec)
{
	for (size_t l = 0; l < ARRAY_LEN(resized_lists); l++) {
		const struct json *is = json_get(spec, str_of(resized_lists[l]));
		const struct path *at = MEMBER(ROOT("spec"), resized_lists[l]);
		FOR_ITEMS(i, was, json_get(old, str_of(resized_lists[l])))
		{
			const struct json *before = GET(was, "resources");
			const struct json *now = GET(json_at(is, i), "resources");
			for (size_t a = 0; a < ARRAY_LEN(amounts); a++)
				if (lost_amount(json_get(before, str_of(amounts[a])),
						json_get(now, str_of(amounts[a]))))
					forbidden(v,
						  MEMBER(MEMBER(ITEM(at, i), "resources"),
							 amounts[a]),
						  "resource %s cannot be removed", amounts[a]);
		}
	}
}

static bool differs_beyond_compute(const struct json *was, const struct json *is)
{
	const struct json *both[2] = {was, is};
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; i < json_count(both[l]); i++) {
			struct str key = both[l]->object.members[i].key;
			if (!text_in(key, "cpu,memory") &&
			    !value_equal(json_get(was, key), json_get(is, key)))
				return true;
		}
	return false;
}

/* Only cpu and memory of containers that run, sidecars among them, may change. */
static bool is_foreign_change(const struct json *was, const struct json *is, bool is_init)
{
	const struct json *before = GET(was, "resources"), *now = GET(is, "resources");
	if (is_init && !str_is(TEXT(was, "restartPolicy"), "Always"))
		return false; /* told apart */
	if (!value_equal(GET(was, "resizePolicy"), GET(is, "resizePolicy")))
		return true;
	for (size_t a = 0; a < ARRAY_LEN(amounts); a++)
		if (differs_beyond_compute(json_get(before, str_of(amounts[a])),
					   json_get(now, str_of(amounts[a]))))
			return true;
	return false;
}

static bool has_init_change(const struct json *old, const struct json *spec)
{
	const struct json *is = GET(spec, "initContainers");
	FOR_ITEMS(i, was, GET(old, "initContainers"))
	{
		if (!str_is(TEXT(was, "restartPolicy"), "Always") &&
		    !value_equal(GET(was, "resources"), GET(json_at(is, i), "resources")))
			return true;
	}
	return false;
}

static bool has_foreign_change(const struct json *old, const struct json *spec)
{
	for (size_t l = 0; l < ARRAY_LEN(resized_lists); l++) {
		const struct json *is = json_get(spec, str_of(resized_lists[l]));
		FOR_ITEMS(i, was, json_get(old, str_of(resized_lists[l])))
		{
			if (is_foreign_change(was, json_at(is, i), l == 0))
				return true;
		}
	}
	return false;
}

static void check_resize(struct check *v, const struct json *old_tree, const struct json *tree)
{
	const struct json *old = GET(old_tree, "spec"), *spec = GET(tree, "spec");
	const char *class = api_pod_qos(old);
	size_t before = v->errors->count;
	pod_parts(v, tree);
	if (GET(old, "resources") || GET(spec, "resources")) {
		forbid_all(v, before,
			   "resize of pods with pod-level resources is forbidden when "
			   "InPlacePodLevelResourcesVerticalScalingEnabled feature gate is "
			   "disabled");
		return;
	}
	if (is_static(old_tree)) {
		forbid_all(v, before, "static pods cannot be resized");
		return;
	}
	if (str_is(TEXT(GET(old, "os"), "name"), "windows")) {
		forbid_all(v, before, "windows pods cannot be resized");
		return;
	}
	if (strcmp(class, api_pod_qos(spec)))
		bad_text(v, ROOT("spec"), str_of(class),
			 "Pod QOS Class may not change as a result of resizing");
	if (!check_order(v, old, spec))
		return;
	check_removed(v, old, spec);
	if (has_init_change(old, spec))
		forbidden(v, ROOT("spec"),
			  "resources for non-sidecar init containers are immutable");
	else if (has_foreign_change(old, spec))
		forbidden(v, ROOT("spec"), "only cpu and memory resources are mutable");
}

void pod_part_rules(struct check *v, const struct json *old, const struct json *tree,
		    const char *subresource)
{
	if (!strcmp(subresource, "status"))
		check_pod_status(v, old, tree);
	else if (!strcmp(subresource, "ephemeralcontainers"))
		check_ephemeral_update(v, old, tree);
	else if (!strcmp(subresource, "resize"))
		check_resize(v, old, tree);
}
