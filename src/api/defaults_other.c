#include "api/rules-int.h"

#define WEBHOOK_RULES                                                                              \
	{"webhooks[].failurePolicy", "\"Fail\""}, {"webhooks[].matchPolicy", "\"Equivalent\""},    \
		{"webhooks[].namespaceSelector", "{}"}, {"webhooks[].objectSelector", "{}"},       \
		{"webhooks[].timeoutSeconds", "10"}, {"webhooks[].rules[].scope", "\"*\""},        \
	{                                                                                          \
		"webhooks[].clientConfig.service.port", "443"                                      \
	}

#define MATCH_RULES(at)                                                                            \
	{at ".matchPolicy", "\"Equivalent\""}, {at ".namespaceSelector", "{}"},                    \
		{at ".objectSelector", "{}"}, {at ".resourceRules[].scope", "\"*\""},              \
	{                                                                                          \
		at ".excludeResourceRules[].scope", "\"*\""                                        \
	}

#define DEVICE_RULES(at)                                                                           \
	{at ".requests[].exactly.allocationMode", "\"ExactCount\""},                               \
		{at ".requests[].exactly.tolerations[].operator", "\"Equal\""},                    \
		{at ".requests[].firstAvailable[].allocationMode", "\"ExactCount\""},              \
	{                                                                                          \
		at ".requests[].firstAvailable[].tolerations[].operator", "\"Equal\""              \
	}

static const struct default_rule mutating_rules[] = {
	WEBHOOK_RULES,
	{"webhooks[].reinvocationPolicy", "\"Never\""},
};
static const struct default_rule validating_rules[] = {WEBHOOK_RULES};
static const struct default_rule policy_rules[] = {
	{"spec.failurePolicy", "\"Fail\""},
	MATCH_RULES("spec.matchConstraints"),
};
static const struct default_rule binding_rules[] = {MATCH_RULES("spec.matchResources")};
static const struct default_rule crd_rules[] = {
	{"spec.conversion", "{\"strategy\":\"None\"}"},
	{"spec.conversion.webhook.clientConfig.service.port", "443"},
};
static const struct default_rule api_service_rules[] = {{"spec.service.port", "443"}};
static const struct default_rule priority_class_rules[] = {
	{"preemptionPolicy", "\"PreemptLowerPriority\""},
};
static const struct default_rule storage_class_rules[] = {
	{"reclaimPolicy", "\"Delete\""},
	{"volumeBindingMode", "\"Immediate\""},
};
static const struct default_rule csi_driver_rules[] = {
	{"spec.attachRequired", "true"},
	{"spec.podInfoOnMount", "false"},
	{"spec.storageCapacity", "false"},
	{"spec.fsGroupPolicy", "\"ReadWriteOnceWithFSType\""},
	{"spec.volumeLifecycleModes", "[\"Persistent\"]"},
	{"spec.requiresRepublish", "false"},
	{"spec.seLinuxMount", "false"},
};
static const struct default_rule claim_rules[] = {DEVICE_RULES("spec.devices")};
static const struct default_rule claim_template_rules[] = {DEVICE_RULES("spec.spec.devices")};
static const struct default_rule role_ref_rules[] = {
	{"roleRef.?apiGroup", "\"rbac.authorization.k8s.io\""},
};

static void subject_defaults(struct arena *a, struct json *subject)
{
	struct str kind = json_path_str(subject, "kind");
	if (str_is(kind, "User") || str_is(kind, "Group"))
		rule_apply(a, subject, "apiGroup", "\"rbac.authorization.k8s.io\"");
}

static void role_binding_defaults(struct arena *a, struct json *tree)
{
	tree_visit(a, tree, "subjects[]", subject_defaults);
}

static void count_defaults(struct arena *a, struct json *request)
{
	const struct json *count = json_get(request, STR("count"));
	if (str_is(json_path_str(request, "allocationMode"), "ExactCount") && json_i64(count) == 0)
		json_set(a, request, STR("count"), json_int(a, 1));
}

static void claim_defaults(struct arena *a, struct json *tree)
{
	tree_visit(a, tree, "spec.devices.requests[].exactly", count_defaults);
	tree_visit(a, tree, "spec.devices.requests[].firstAvailable[]", count_defaults);
}

static void claim_template_defaults(struct arena *a, struct json *tree)
{
	tree_visit(a, tree, "spec.spec.devices.requests[].exactly", count_defaults);
	tree_visit(a, tree, "spec.spec.devices.requests[].firstAvailable[]", count_defaults);
}

static struct str lower(struct arena *a, struct str s)
{
	char *out = arena_cstr(a, s);
	for (size_t i = 0; i < s.len; i++)
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] = (char)(out[i] - 'A' + 'a');
	return str_n(out, s.len);
}

static void crd_defaults(struct arena *a, struct json *tree)
{
	struct json *names = json_path(tree, "spec.names");
	struct str kind = json_path_str(names, "kind");
	if (!names || names->type != JSON_OBJECT)
		return;
	if (kind.len && json_is_absent(json_get(names, STR("singular"))))
		json_set_str(a, names, STR("singular"), lower(a, kind));
	if (json_is_absent(json_get(names, STR("listKind"))) && kind.len > 0)
		json_set_str(a, names, STR("listKind"), arena_printf(a, "%.*sList", STR_FMT(kind)));
}

static void runtime_class_defaults(struct arena *a, struct json *tree)
{
	tree_round_quantities(a, tree, "overhead.podFixed");
}

#define ADMISSION "admissionregistration.k8s.io"
#define RBAC	  "rbac.authorization.k8s.io"

const struct kind_defaults defaults_other[] = {
	{ADMISSION, NULL, "MutatingWebhookConfiguration", DEFAULT_RULES(mutating_rules), NULL,
	 NULL},
	{ADMISSION, NULL, "ValidatingWebhookConfiguration", DEFAULT_RULES(validating_rules), NULL,
	 NULL},
	{ADMISSION, NULL, "ValidatingAdmissionPolicy", DEFAULT_RULES(policy_rules), NULL, NULL},
	{ADMISSION, NULL, "ValidatingAdmissionPolicyBinding", DEFAULT_RULES(binding_rules), NULL,
	 NULL},
	{"apiextensions.k8s.io", NULL, "CustomResourceDefinition", DEFAULT_RULES(crd_rules), NULL,
	 crd_defaults},
	{"apiregistration.k8s.io", NULL, "APIService", DEFAULT_RULES(api_service_rules), NULL,
	 NULL},
	{"scheduling.k8s.io", NULL, "PriorityClass", DEFAULT_RULES(priority_class_rules), NULL,
	 NULL},
	{"storage.k8s.io", NULL, "StorageClass", DEFAULT_RULES(storage_class_rules), NULL, NULL},
	{"storage.k8s.io", NULL, "CSIDriver", DEFAULT_RULES(csi_driver_rules), NULL, NULL},
	{"resource.k8s.io", NULL, "ResourceClaim", DEFAULT_RULES(claim_rules), NULL,
	 claim_defaults},
	{"resource.k8s.io", NULL, "ResourceClaimTemplate", DEFAULT_RULES(claim_template_rules),
	 NULL, claim_template_defaults},
	{"node.k8s.io", NULL, "RuntimeClass", NULL, 0, NULL, runtime_class_defaults},
	{RBAC, NULL, "RoleBinding", DEFAULT_RULES(role_ref_rules), NULL, role_binding_defaults},
	{RBAC, NULL, "ClusterRoleBinding", DEFAULT_RULES(role_ref_rules), NULL,
	 role_binding_defaults},
	{},
};
