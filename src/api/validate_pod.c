/* PodSpec, pod templates, pods. */
#include "api/validate-int.h"

static void check_pod_claims(struct check *v, const struct path *at, const struct json *claims)
{
	FOR_ITEMS(i, claim, claims)
	{
		const struct path *here = ITEM(at, i);
		const struct json *name = GET(claim, "resourceClaimName");
		const struct json *template = GET(claim, "resourceClaimTemplateName");
		struct str own = TEXT(claim, "name");
		if (own.len > 0 && is_text_repeated(v, claims, i, "name"))
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

/* Of templates a port may be left open: it is set when the pod is made. */
static void check_host_network_ports(struct check *v, const struct path *at,
				     const struct json *list, bool is_pod)
{
	FOR_ITEMS(i, c, list)
	{
		const struct path *ports_at = MEMBER(ITEM(at, i), "ports");
		FOR_ITEMS(k, port, GET(c, "ports"))
		{
			int64_t number = INT(port, "hostPort");
			if ((is_pod || number != 0) && number != INT(port, "containerPort"))
				bad(v, MEMBER(ITEM(ports_at, k), "hostPort"),
				    json_int(v->arena, number),
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
		if (is_text_repeated(v, gates, k, "name"))
			duplicate(v, here, TEXT(gate, "name"));
	}
}

static void check_host_users(struct check *v, const struct path *at, const struct json *spec)
{
	static const struct {
		const char *member, *shown;
	} host[] = {{"hostNetwork", "hostNetwork"}, {"hostPID", "HostPID"}, {"hostIPC", "HostIPC"}};
	static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};
	const struct json *users = GET(spec, "hostUsers");
	if (!users || json_is_true(users))
		return;
	for (size_t i = 0; i < ARRAY_LEN(host); i++)
		if (json_is_true(json_get(spec, str_of(host[i].member))))
			forbidden(v, MEMBER(at, host[i].shown), "when `hostUsers` is false");
	for (size_t l = 0; l < ARRAY_LEN(lists); l++)
		FOR_ITEMS(i, c, json_get(spec, str_of(lists[l])))
		{
			if (COUNT(c, "volumeDevices") > 0)
				forbidden(v, MEMBER(ITEM(MEMBER(at, lists[l]), i), "volumeDevices"),
					  "when `hostUsers` is false");
		}
}

#define HOST_NAME_MAX_BYTES 64 /* of Linux */

static void check_host_name_override(struct check *v, const struct path *at,
				     const struct json *spec)
{
	struct str name = TEXT(spec, "hostnameOverride");
	if (!GET(spec, "hostnameOverride"))
		return;
	if (IS(spec, "setHostnameAsFQDN"))
		forbidden(v, at, "may not be specified when setHostnameAsFQDN is true");
	if (IS(spec, "hostNetwork"))
		forbidden(v, at, "may not be specified when hostNetwork is true");
	if (name.len > HOST_NAME_MAX_BYTES)
		too_long(v, at, HOST_NAME_MAX_BYTES);
	check_name(v, at, NAME_DNS_SUBDOMAIN, name);
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

/* Judged as limits, and told of as such. */
static void check_overhead(struct check *v, const struct path *at, const struct json *overhead)
{
	struct json *resources = json_object(v->arena);
	if (!overhead)
		return;
	json_set(v->arena, resources, STR("limits"), (struct json *)overhead);
	check_container_resources(v, at, resources, NULL);
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
	if (GET(spec, "preemptionPolicy"))
		check_required_enum(v, MEMBER(at, "preemptionPolicy"),
				    TEXT(spec, "preemptionPolicy"), "PreemptLowerPriority,Never");
	check_overhead(v, MEMBER(at, "overhead"), GET(spec, "overhead"));
}

static void check_pod_spec(struct check *v, const struct path *at, const struct json *spec,
			   const struct json *meta)
{
	const struct json *users = GET(spec, "hostUsers");
	struct pod_check pod = {.spec = spec, .meta = meta};
	pod.shares_users = !users || json_is_true(users);
	pod.volumes = check_volumes(v, MEMBER(at, "volumes"), GET(spec, "volumes"), meta);
	check_pod_claims(v, MEMBER(at, "resourceClaims"), GET(spec, "resourceClaims"));
	check_containers(v, at, &pod);
	if (GET(spec, "resources"))
		check_pod_resources(v, at, spec);
	if (IS(spec, "hostNetwork")) {
		check_host_network_ports(v, MEMBER(at, "containers"), GET(spec, "containers"),
					 meta != NULL);
		check_host_network_ports(v, MEMBER(at, "initContainers"),
					 GET(spec, "initContainers"), meta != NULL);
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
	check_host_process(v, at, spec);
	check_host_users(v, at, spec);
	check_host_name_override(v, MEMBER(at, "hostnameOverride"), spec);
	check_names_and_places(v, at, spec);
	check_os(v, at, spec);
}

void check_pod_template(struct check *v, const struct path *at, const struct json *template)
{
	const struct json *meta = GET(template, "metadata");
	check_labels(v, MEMBER(at, "labels"), GET(meta, "labels"));
	check_annotations(v, MEMBER(at, "annotations"), GET(meta, "annotations"));
	check_pod_annotations(v, MEMBER(at, "annotations"), GET(meta, "annotations"),
			      GET(template, "spec"));
	check_pod_spec(v, MEMBER(at, "spec"), GET(template, "spec"), NULL);
	check_profile_annotations(v, MEMBER(at, "spec"), GET(template, "spec"),
				  GET(meta, "annotations"));
	if (COUNT(GET(template, "spec"), "ephemeralContainers") > 0)
		forbidden(v, MEMBER(MEMBER(at, "spec"), "ephemeralContainers"),
			  "ephemeral containers not allowed in pod template");
}

/* Not for templates, where it has always been let through. */
void check_image_spaces(struct check *v, const struct path *at, const struct json *list)
{
	FOR_ITEMS(i, c, list)
	{
		struct str image = TEXT(c, "image");
		if (str_trim(image).len != image.len)
			bad_text(v, MEMBER(ITEM(at, i), "image"), image,
				 "must not have leading or trailing whitespace");
	}
}

/* A token is of an account. */
static void check_tokens(struct check *v, const struct path *at, const struct json *spec)
{
	if (TEXT(spec, "serviceAccountName").len > 0)
		return;
	FOR_ITEMS(i, volume, GET(spec, "volumes"))
	{
		const struct path *here = MEMBER(MEMBER(ITEM(at, i), "projected"), "sources");
		FOR_ITEMS(k, source, GET(GET(volume, "projected"), "sources"))
		{
			if (GET(source, "serviceAccountToken"))
				forbidden(
					v, MEMBER(ITEM(here, k), "serviceAccountToken"),
					"must not be specified when serviceAccountName is not set");
		}
	}
}

void pod_parts(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	check_pod_annotations(v, MEMBER(ROOT("metadata"), "annotations"),
			      GET(GET(tree, "metadata"), "annotations"), spec);
	check_pod_spec(v, at, spec, GET(tree, "metadata"));
	check_tokens(v, MEMBER(at, "volumes"), spec);
	check_image_spaces(v, MEMBER(at, "containers"), GET(spec, "containers"));
	check_image_spaces(v, MEMBER(at, "initContainers"), GET(spec, "initContainers"));
	check_image_spaces(v, MEMBER(at, "ephemeralContainers"), GET(spec, "ephemeralContainers"));
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
	check_profile_annotations(v, ROOT("spec"), spec, GET(GET(tree, "metadata"), "annotations"));
}

void pod_template_rules(struct check *v, const struct json *tree)
{
	check_pod_template(v, ROOT("template"), GET(tree, "template"));
}
