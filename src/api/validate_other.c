/* PriorityClass, RuntimeClass, APIService; the table has Event and CertificateSigningRequest, too.
 */
#include "api/validate-int.h"

/* ---- PriorityClass, RuntimeClass ---- */

static void priority_class_rules(struct check *v, const struct json *tree)
{
	struct str name = TEXT(GET(tree, "metadata"), "name");
	const struct json *value = GET(tree, "value");
	if (str_has_prefix(name, STR("system-"))) {
		if (!text_in(name, "system-node-critical,system-cluster-critical"))
			forbidden(v, MEMBER(ROOT("metadata"), "name"),
				  "priority class names with 'system-' prefix are reserved for "
				  "system use "
				  "only. error: %.*s is not a known system priority class",
				  STR_FMT(name));
	} else if (json_i64(value) > 1000000000) {
		forbidden(v, ROOT("value"),
			  "maximum allowed value of a user defined priority is 1000000000");
	}
	if (GET(tree, "preemptionPolicy"))
		check_required_enum(v, ROOT("preemptionPolicy"), TEXT(tree, "preemptionPolicy"),
				    "PreemptLowerPriority,Never");
}

static void priority_class_update_rules(struct check *v, const struct json *old,
					const struct json *tree)
{
	if (INT(old, "value") != INT(tree, "value"))
		forbidden(v, ROOT("value"), "may not be changed in an update.");
	check_immutable(v, ROOT("preemptionPolicy"), GET(tree, "preemptionPolicy"),
			GET(old, "preemptionPolicy"));
}

static void runtime_class_rules(struct check *v, const struct json *tree)
{
	const struct json *scheduling = GET(tree, "scheduling"),
			  *list = GET(scheduling, "tolerations");
	const struct path *at = ROOT("scheduling"), *list_at = MEMBER(at, "tolerations");
	struct json *limits = json_object(v->arena);
	struct json *fixed = GET(GET(tree, "overhead"), "podFixed");
	check_name(v, ROOT("handler"), NAME_DNS_LABEL, TEXT(tree, "handler"));
	if (fixed) {
		json_set(v->arena, limits, STR("limits"), fixed);
		check_container_resources(v, ROOT("overhead"), limits, NULL);
	}
	check_labels(v, MEMBER(at, "nodeSelector"), GET(scheduling, "nodeSelector"));
	check_tolerations(v, list_at, list);
	FOR_ITEMS(i, toleration, list)
	{
		if (is_repeated(v, list, i))
			duplicate_value(v, ITEM(list_at, i),
					go_struct(v, "Toleration", toleration));
	}
}

static void runtime_class_update_rules(struct check *v, const struct json *old,
				       const struct json *tree)
{
	check_immutable(v, ROOT("handler"), GET(tree, "handler"), GET(old, "handler"));
}

/* ---- APIService ---- */

static void check_local_service(struct check *v, const struct path *at, const struct json *spec)
{
	size_t bundle = TEXT(spec, "caBundle").len / 4 * 3;
	if (str_has_suffix(TEXT(spec, "caBundle"), STR("==")))
		bundle -= 2;
	else if (str_has_suffix(TEXT(spec, "caBundle"), STR("=")))
		bundle -= 1;
	if (bundle > 0)
		bad_text(v, MEMBER(at, "caBundle"), arena_printf(v->arena, "%zu bytes", bundle),
			 "local APIServices may not have a caBundle");
	if (IS(spec, "insecureSkipTLSVerify"))
		bad(v, MEMBER(at, "insecureSkipTLSVerify"), GET(spec, "insecureSkipTLSVerify"),
		    "local APIServices may not have insecureSkipTLSVerify");
}

static void check_remote_service(struct check *v, const struct path *at, const struct json *spec,
				 const struct json *service)
{
	const struct path *service_at = MEMBER(at, "service");
	check_required(v, MEMBER(service_at, "namespace"), TEXT(service, "namespace"));
	check_required(v, MEMBER(service_at, "name"), TEXT(service, "name"));
	if (GET(service, "port") && !port_is_valid(INT(service, "port")))
		bad(v, MEMBER(service_at, "port"), GET(service, "port"), "port is not valid: %s",
		    PORT_RANGE_TEXT);
	if (IS(spec, "insecureSkipTLSVerify") && TEXT(spec, "caBundle").len > 0)
		bad(v, MEMBER(at, "insecureSkipTLSVerify"), GET(spec, "insecureSkipTLSVerify"),
		    "may not be true if caBundle is present");
}

static void api_service_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *service = GET(spec, "service");
	const struct path *at = ROOT("spec");
	struct str name = TEXT(GET(tree, "metadata"), "name");
	struct str group = TEXT(spec, "group"), version = TEXT(spec, "version");
	int64_t minimum = INT(spec, "groupPriorityMinimum"),
		priority = INT(spec, "versionPriority");
	struct str expected = arena_printf(v->arena, "%.*s.%.*s", STR_FMT(version), STR_FMT(group));
	bool is_core = group.len == 0 && str_is(version, "v1");
	if (name.len > 0 && !str_eq(name, expected))
		bad_text(v, MEMBER(ROOT("metadata"), "name"), name,
			 "must be `spec.version+\".\"+spec.group`: \"%.*s\"", STR_FMT(expected));
	if (group.len > 0)
		check_name(v, MEMBER(at, "group"), NAME_DNS_SUBDOMAIN, group);
	else if (!is_core)
		required(v, MEMBER(at, "group"),
			 "only v1 may have an empty group and it better be legacy "
			 "kube");
	check_name(v, MEMBER(at, "version"), NAME_DNS_1035, version);
	if (minimum <= 0 || minimum > 20000)
		bad(v, MEMBER(at, "groupPriorityMinimum"), json_int(v->arena, minimum),
		    "must be positive and less than 20000");
	if (priority <= 0 || priority > 1000)
		bad(v, MEMBER(at, "versionPriority"), json_int(v->arena, priority),
		    "must be positive and less than 1000");
	if (service)
		check_remote_service(v, at, spec, service);
	else
		check_local_service(v, at, spec);
}

const struct kind_rules validate_other[] = {
	{"scheduling.k8s.io", "PriorityClass", NAME_DNS_SUBDOMAIN, priority_class_rules,
	 priority_class_update_rules, NULL, .steps = "us"},
	{"node.k8s.io", "RuntimeClass", NAME_DNS_SUBDOMAIN, runtime_class_rules,
	 runtime_class_update_rules, NULL, .steps = "csu"},
	{"certificates.k8s.io", "CertificateSigningRequest", NAME_PATH_SEGMENT, csr_rules,
	 csr_update_rules, csr_part_rules, .steps = "uus", .part_steps = "uus"},
	{"apiregistration.k8s.io", "APIService", NAME_NONE, api_service_rules, NULL, NULL,
	 .steps = "uus"},
	{"events.k8s.io", "Event", NAME_DNS_SUBDOMAIN, event_rules, event_update_rules, NULL,
	 .steps = "us"},
	{},
};
