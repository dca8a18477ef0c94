/* PodSpec, pod templates, pods and their updates. */
#include "api/validate-int.h"

#define APP_ARMOR "container.apparmor.security.beta.kubernetes.io/"

static void check_pod_claims(struct check *v, const struct path *at, const struct json *claims)
{
	FOR_ITEMS(i, claim, claims)
	{
		const struct path *here = ITEM(at, i);
		const struct json *name = GET(claim, "resourceClaimName");
		const struct json *template = GET(claim, "resourceClaimTemplateName");
		struct str own = TEXT(claim, "name");
		bool is_twice = false;
		for (size_t k = 0; own.len > 0 && k < i; k++)
			is_twice |= str_eq(TEXT(json_at(claims, k), "name"), own);
		if (is_twice)
			duplicate(v, MEMBER(here, "name"), own);
		else
			check_required_name(v, MEMBER(here, "name"), NAME_DNS_LABEL, own);
		if (name && template)
			bad(v, here, go_struct(v, "PodResourceClaim", claim),
			    "at most one of `resourceClaimName` or `resourceClaimTemplateName` may "
			    "be "
			    "specified");
		if (!name && !template)
			bad(v, here, go_struct(v, "PodResourceClaim", claim),
			    "must specify one of: `resourceClaimName`, "
			    "`resourceClaimTemplateName`");
		if (name)
			check_name(v, MEMBER(here, "resourceClaimName"), NAME_DNS_SUBDOMAIN,
				   json_str(name));
		if (template)
			check_name(v, MEMBER(here, "resourceClaimTemplateName"), NAME_DNS_SUBDOMAIN,
				   json_str(template));
	}
}

static void check_host_network_ports(struct check *v, const struct path *at,
				     const struct json *list)
{
	FOR_ITEMS(i, c, list)
	{
		const struct path *ports_at = MEMBER(ITEM(at, i), "ports");
		FOR_ITEMS(k, port, GET(c, "ports"))
		{
			if (INT(port, "hostPort") != INT(port, "containerPort"))
				bad(v, MEMBER(ITEM(ports_at, k), "hostPort"),
				    json_int(v->arena, INT(port, "hostPort")),
				    "must match `containerPort` when `hostNetwork` is true");
		}
	}
}

static void check_dns_config(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *config = GET(spec, "dnsConfig");
	const struct json *servers = GET(config, "nameservers"),
			  *searches = GET(config, "searches");
	bool is_none = str_is(TEXT(spec, "dnsPolicy"), "None");
	if (is_none && !config)
		required(v, at, "must provide `dnsConfig` when `dnsPolicy` is None");
	else if (is_none && json_count(servers) == 0)
		required(v, MEMBER(at, "nameservers"),
			 "must provide at least one DNS nameserver when `dnsPolicy` is None");
	if (!config || (is_none && json_count(servers) == 0))
		return;
	if (json_count(servers) > 3)
		bad(v, MEMBER(at, "nameservers"), servers, "must not have more than 3 nameservers");
	FOR_ITEMS(i, server, servers)
	{
		check_ip(v, ITEM(MEMBER(at, "nameservers"), i), json_str(server));
	}
	if (json_count(searches) > 32)
		bad(v, MEMBER(at, "searches"), searches, "must not have more than 32 search paths");
	FOR_ITEMS(k, search, searches)
	{
		struct str text = json_str(search);
		if (str_is(text, "."))
			continue;
		if (str_has_suffix(text, STR(".")))
			text.len--;
		check_name(v, ITEM(MEMBER(at, "searches"), k), NAME_DNS_SUBDOMAIN_UNDERSCORE, text);
	}
	FOR_ITEMS(m, option, GET(config, "options"))
	{
		if (TEXT(option, "name").len == 0)
			required(v, ITEM(MEMBER(at, "options"), m), "must not be empty");
	}
}

static void check_gates(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *gates = GET(spec, "schedulingGates");
	FOR_ITEMS(i, gate, GET(spec, "readinessGates"))
	{
		check_name(v, MEMBER(ITEM(MEMBER(at, "readinessGates"), i), "conditionType"),
			   NAME_QUALIFIED, TEXT(gate, "conditionType"));
	}
	FOR_ITEMS(k, gate, gates)
	{
		const struct path *here = ITEM(MEMBER(at, "schedulingGates"), k);
		check_name(v, here, NAME_QUALIFIED, TEXT(gate, "name"));
		for (size_t m = 0; m < k; m++)
			if (str_eq(TEXT(json_at(gates, m), "name"), TEXT(gate, "name"))) {
				duplicate(v, here, TEXT(gate, "name"));
				break;
			}
	}
}

static void check_host_users(struct check *v, const struct path *at, const struct json *spec)
{
	static const char *const host[] = {"hostNetwork", "hostPID", "hostIPC"};
	const struct json *users = GET(spec, "hostUsers");
	if (!users || json_is_true(users))
		return;
	for (size_t i = 0; i < ARRAY_LEN(host); i++)
		if (json_is_true(json_get(spec, str_of(host[i]))))
			forbidden(v, MEMBER(at, host[i]), "when `hostUsers` is false");
}

static void check_deadline(struct check *v, const struct path *at, const struct json *seconds)
{
	if (seconds && (json_i64(seconds) < 1 || json_i64(seconds) > INT32_MAX))
		bad(v, at, seconds, "must be between 1 and 2147483647, inclusive");
}

static void check_host_aliases(struct check *v, const struct path *at, const struct json *aliases)
{
	FOR_ITEMS(i, alias, aliases)
	{
		const struct path *here = ITEM(at, i);
		check_ip(v, MEMBER(here, "ip"), TEXT(alias, "ip"));
		FOR_ITEMS(k, name, GET(alias, "hostnames"))
		{
			check_name(v, ITEM(MEMBER(here, "hostnames"), k), NAME_DNS_SUBDOMAIN,
				   json_str(name));
		}
	}
}

static void check_optional_name(struct check *v, const struct path *at, enum name_rule rule,
				struct str text)
{
	if (text.len > 0)
		check_name(v, at, rule, text);
}

static void check_overhead(struct check *v, const struct path *at, const struct json *overhead)
{
	for (size_t i = 0; i < json_count(overhead); i++) {
		struct json_member m = overhead->object.members[i];
		check_resource_name(v, KEY(at, m.key), m.key);
		check_quantity_not_negative(v, KEY(at, m.key), m.value);
	}
}

static void check_names_and_places(struct check *v, const struct path *at, const struct json *spec)
{
	check_optional_name(v, MEMBER(at, "serviceAccountName"), NAME_DNS_SUBDOMAIN,
			    TEXT(spec, "serviceAccountName"));
	check_optional_name(v, MEMBER(at, "nodeName"), NAME_DNS_SUBDOMAIN, TEXT(spec, "nodeName"));
	check_deadline(v, MEMBER(at, "activeDeadlineSeconds"), GET(spec, "activeDeadlineSeconds"));
	check_optional_name(v, MEMBER(at, "hostname"), NAME_DNS_LABEL, TEXT(spec, "hostname"));
	check_optional_name(v, MEMBER(at, "subdomain"), NAME_DNS_LABEL, TEXT(spec, "subdomain"));
	check_tolerations(v, MEMBER(at, "tolerations"), GET(spec, "tolerations"));
	check_host_aliases(v, MEMBER(at, "hostAliases"), GET(spec, "hostAliases"));
	check_optional_name(v, MEMBER(at, "priorityClassName"), NAME_DNS_SUBDOMAIN,
			    TEXT(spec, "priorityClassName"));
	if (GET(spec, "runtimeClassName"))
		check_name(v, MEMBER(at, "runtimeClassName"), NAME_DNS_SUBDOMAIN,
			   TEXT(spec, "runtimeClassName"));
	check_optional_enum(v, MEMBER(at, "preemptionPolicy"), GET(spec, "preemptionPolicy"),
			    "Never,PreemptLowerPriority");
	check_overhead(v, MEMBER(at, "overhead"), GET(spec, "overhead"));
}

void check_pod_spec(struct check *v, const struct path *at, const struct json *spec,
		    const struct json *meta)
{
	const struct json *users = GET(spec, "hostUsers");
	struct pod_check pod = {.spec = spec, .meta = meta};
	pod.shares_users = !users || json_is_true(users);
	pod.volumes = check_volumes(v, MEMBER(at, "volumes"), GET(spec, "volumes"), meta);
	check_pod_claims(v, MEMBER(at, "resourceClaims"), GET(spec, "resourceClaims"));
	check_containers(v, at, &pod);
	if (GET(spec, "resources"))
		check_pod_resources(v, MEMBER(at, "resources"), GET(spec, "resources"));
	if (IS(spec, "hostNetwork")) {
		check_host_network_ports(v, MEMBER(at, "containers"), GET(spec, "containers"));
		check_host_network_ports(v, MEMBER(at, "initContainers"),
					 GET(spec, "initContainers"));
	}
	check_required_enum(v, MEMBER(at, "restartPolicy"), TEXT(spec, "restartPolicy"),
			    "Always,OnFailure,Never");
	check_required_enum(v, MEMBER(at, "dnsPolicy"), TEXT(spec, "dnsPolicy"),
			    "ClusterFirstWithHostNet,ClusterFirst,Default,None");
	check_labels(v, MEMBER(at, "nodeSelector"), GET(spec, "nodeSelector"));
	check_pod_security(v, at, spec);
	check_affinity(v, MEMBER(at, "affinity"), GET(spec, "affinity"));
	check_dns_config(v, MEMBER(at, "dnsConfig"), spec);
	check_gates(v, at, spec);
	check_spread(v, MEMBER(at, "topologySpreadConstraints"),
		     GET(spec, "topologySpreadConstraints"));
	check_host_users(v, at, spec);
	check_names_and_places(v, at, spec);
	check_os(v, at, spec);
}

void check_pod_template(struct check *v, const struct path *at, const struct json *template)
{
	const struct json *meta = GET(template, "metadata");
	check_labels(v, MEMBER(at, "labels"), GET(meta, "labels"));
	check_annotations(v, MEMBER(at, "annotations"), GET(meta, "annotations"));
	check_pod_spec(v, MEMBER(at, "spec"), GET(template, "spec"), NULL);
	if (COUNT(GET(template, "spec"), "ephemeralContainers") > 0)
		forbidden(v, MEMBER(MEMBER(at, "spec"), "ephemeralContainers"),
			  "ephemeral containers not allowed in pod template");
}

static bool has_container(const struct json *spec, struct str name)
{
	static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};
	for (size_t l = 0; l < ARRAY_LEN(lists); l++)
		FOR_ITEMS(i, c, json_get(spec, str_of(lists[l])))
		{
			if (str_eq(TEXT(c, "name"), name))
				return true;
		}
	return false;
}

static bool is_app_armor(struct str profile)
{
	return str_is(profile, "runtime/default") || str_is(profile, "unconfined") ||
	       str_has_prefix(profile, STR("localhost/")) || profile.len == 0;
}

static void check_pod_annotations(struct check *v, const struct json *tree)
{
	const struct path *at = MEMBER(ROOT("metadata"), "annotations");
	const struct json *spec = GET(tree, "spec");
	const struct json *annotations = GET(GET(tree, "metadata"), "annotations");
	struct str cost = TEXT(annotations, "controller.kubernetes.io/pod-deletion-cost");
	int64_t number;
	if (GET(annotations, "kubernetes.io/config.mirror") && TEXT(spec, "nodeName").len == 0)
		bad(v, KEY(at, STR("kubernetes.io/config.mirror")),
		    GET(annotations, "kubernetes.io/config.mirror"),
		    "must set spec.nodeName if mirror pod annotation is set");
	for (size_t i = 0; i < json_count(annotations); i++) {
		struct json_member m = annotations->object.members[i];
		struct str name = str_skip(m.key, strlen(APP_ARMOR));
		if (!str_has_prefix(m.key, STR(APP_ARMOR)))
			continue;
		if (!has_container(spec, name))
			bad_text(v, KEY(at, m.key), name, "container not found");
		if (!is_app_armor(json_str(m.value)))
			bad(v, KEY(at, m.key), m.value, "invalid AppArmor profile name: \"%.*s\"",
			    STR_FMT(json_str(m.value)));
	}
	if (cost.at && (!str_to_i64(cost, &number) || number < INT32_MIN || number > INT32_MAX))
		bad_text(v, KEY(at, STR("controller.kubernetes.io/pod-deletion-cost")), cost,
			 "must be a 32bit integer");
}

/* Not for templates, where it has always been let through. */
static void check_image_spaces(struct check *v, const struct path *at, const struct json *list)
{
	FOR_ITEMS(i, c, list)
	{
		struct str image = TEXT(c, "image");
		if (str_trim(image).len != image.len)
			bad_text(v, MEMBER(ITEM(at, i), "image"), image,
				 "must not have leading or trailing whitespace");
	}
}

void pod_parts(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	check_pod_annotations(v, tree);
	check_pod_spec(v, at, spec, GET(tree, "metadata"));
	check_image_spaces(v, MEMBER(at, "containers"), GET(spec, "containers"));
	check_image_spaces(v, MEMBER(at, "initContainers"), GET(spec, "initContainers"));
}

void pod_create_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	pod_parts(v, tree);
	if (COUNT(spec, "ephemeralContainers") > 0)
		forbidden(v, MEMBER(ROOT("spec"), "ephemeralContainers"),
			  "cannot be set on create");
	if (COUNT(spec, "schedulingGates") > 0 && TEXT(spec, "nodeName").len > 0)
		forbidden(v, MEMBER(ROOT("spec"), "nodeName"),
			  "cannot be set until all schedulingGates have been cleared");
}

void pod_template_rules(struct check *v, const struct json *tree)
{
	check_pod_template(v, ROOT("template"), GET(tree, "template"));
}

/* ---- updates ---- */

/* The images of both; false: the rest can not be compared. */
static bool check_container_updates(struct check *v, const char *name, const struct json *old,
				    const struct json *spec)
{
	const struct path *at = MEMBER(ROOT("spec"), name);
	const struct json *was = json_get(old, str_of(name)), *is = json_get(spec, str_of(name));
	if (json_count(was) != json_count(is)) {
		forbidden(v, at, "pod updates may not add or remove containers");
		return false;
	}
	FOR_ITEMS(i, c, is)
	{
		check_required(v, MEMBER(ITEM(at, i), "image"), TEXT(c, "image"));
	}
	return true;
}

static void check_deadline_update(struct check *v, const struct json *old, const struct json *spec)
{
	const struct path *at = MEMBER(ROOT("spec"), "activeDeadlineSeconds");
	const struct json *was = GET(old, "activeDeadlineSeconds");
	const struct json *is = GET(spec, "activeDeadlineSeconds");
	if (is && was && json_i64(was) < json_i64(is))
		bad(v, at, is, "must be less than or equal to previous value");
	else if (!is && was)
		bad(v, at, NULL, "must not update from a positive integer to nil value");
}

static void check_gate_updates(struct check *v, const struct json *old, const struct json *spec)
{
	const struct path *at = MEMBER(ROOT("spec"), "schedulingGates");
	FOR_ITEMS(i, gate, GET(spec, "schedulingGates"))
	{
		bool is_old = false;
		FOR_ITEMS(k, before, GET(old, "schedulingGates"))
		{
			is_old |= str_eq(TEXT(before, "name"), TEXT(gate, "name"));
		}
		if (!is_old)
			forbidden(v, MEMBER(ITEM(at, i), "name"),
				  "only deletion is allowed, but found new scheduling gate '%.*s'",
				  STR_FMT(TEXT(gate, "name")));
	}
}

static bool same_toleration(const struct json *a, const struct json *b)
{
	static const char *const parts[] = {"key", "operator", "value", "effect"};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!value_equal(json_get(a, str_of(parts[i])), json_get(b, str_of(parts[i]))))
			return false;
	return true;
}

static void check_toleration_updates(struct check *v, const struct json *old,
				     const struct json *spec)
{
	FOR_ITEMS(i, before, GET(old, "tolerations"))
	{
		bool is_kept = false;
		FOR_ITEMS(k, now, GET(spec, "tolerations"))
		{
			is_kept |= same_toleration(before, now);
		}
		if (is_kept)
			continue;
		forbidden(v, MEMBER(ROOT("spec"), "tolerations"),
			  "existing toleration can not be modified except its tolerationSeconds");
		return;
	}
}

static void keep(struct check *v, struct json *spec, const struct json *old, const char *name)
{
	struct json *value = json_get(old, str_of(name));
	if (value)
		json_set(v->arena, spec, str_of(name), value);
	else
		json_remove(spec, str_of(name));
}

static void keep_images(struct check *v, struct json *spec, const struct json *old,
			const char *name)
{
	struct json *list = json_get(spec, str_of(name));
	const struct json *old_list = json_get(old, str_of(name));
	for (size_t i = 0; i < json_count(list); i++)
		keep(v, json_at(list, i), json_at(old_list, i), "image");
}

/* A gated pod may still narrow where it runs. */
static void check_gated_selector(struct check *v, struct json *munged, const struct json *old,
				 const struct json *spec)
{
	const struct json *was = GET(old, "nodeSelector"), *is = GET(spec, "nodeSelector");
	const struct path *at = MEMBER(ROOT("spec"), "nodeSelector");
	if (COUNT(old, "schedulingGates") == 0)
		return;
	for (size_t i = 0; i < json_count(was); i++) {
		struct json_member m = was->object.members[i];
		if (!value_equal(json_get(is, m.key), m.value)) {
			bad(v, at, is,
			    "only additions to spec.nodeSelector are allowed (no mutations or "
			    "deletions)");
			break;
		}
	}
	keep(v, munged, old, "nodeSelector");
	keep(v, munged, old, "affinity");
}

static void check_rest(struct check *v, const struct json *old, const struct json *spec)
{
	struct json *munged = json_copy(v->arena, spec);
	keep_images(v, munged, old, "containers");
	keep_images(v, munged, old, "initContainers");
	keep(v, munged, old, "activeDeadlineSeconds");
	keep(v, munged, old, "schedulingGates");
	keep(v, munged, old, "tolerations");
	if (INT(old, "terminationGracePeriodSeconds") < 0 &&
	    INT(spec, "terminationGracePeriodSeconds") == 1)
		keep(v, munged, old, "terminationGracePeriodSeconds");
	check_gated_selector(v, munged, old, spec);
	if (json_equal(munged, old))
		return;
	struct str diff = go_diff(v, "PodSpec", old, munged);
	forbidden(v, ROOT("spec"),
		  "pod updates may not change fields other than `spec.containers[*].image`,"
		  "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
		  "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
		  "(allow it to be set to 1 if it was previously negative)\n%.*s",
		  STR_FMT(diff));
}

void pod_update_rules(struct check *v, const struct json *old_tree, const struct json *tree)
{
	const struct json *old = GET(old_tree, "spec"), *spec = GET(tree, "spec");
	pod_parts(v, tree);
	if (!check_container_updates(v, "containers", old, spec) ||
	    !check_container_updates(v, "initContainers", old, spec))
		return;
	check_deadline_update(v, old, spec);
	check_gate_updates(v, old, spec);
	check_toleration_updates(v, old, spec);
	size_t before = v->errors->count;
	for (size_t i = 0; i < before; i++)
		if (str_has_prefix(v->errors->items[i].path, STR("spec")) &&
		    !str_has_prefix(v->errors->items[i].path, STR("spec.containers")))
			return;
	check_rest(v, old, spec);
}
