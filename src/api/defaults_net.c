#include "api/rules-int.h"

static const struct default_rule slice_rules[] = {
	{"ports[].name", "\"\""},
	{"ports[].protocol", "\"TCP\""},
};

static const struct default_rule ingress_class_rules[] = {{"spec.parameters.scope", "\"Cluster\""}};

static const struct default_rule policy_rules[] = {
	{"spec.ingress[].ports[].protocol", "\"TCP\""},
	{"spec.egress[].ports[].protocol", "\"TCP\""},
};

static const struct default_rule flow_schema_rules[] = {{"spec.matchingPrecedence", "1000"}};

static const struct default_rule priority_level_rules[] = {
	{"spec.limited.nominalConcurrencyShares", "30"},
	{"spec.limited.lendablePercent", "0"},
	{"spec.exempt.nominalConcurrencyShares", "0"},
	{"spec.exempt.lendablePercent", "0"},
	{"spec.limited.limitResponse.queuing.queues", "64"},
	{"spec.limited.limitResponse.queuing.handSize", "8"},
	{"spec.limited.limitResponse.queuing.queueLengthLimit", "50"},
};

static void policy_defaults(struct arena *a, struct json *tree)
{
	struct json *spec = json_get(tree, STR("spec"));
	if (!spec || json_count(json_get(spec, STR("policyTypes"))) > 0)
		return;
	struct json *types = json_array(a);
	json_append(a, types, json_string(a, STR("Ingress")));
	if (json_count(json_get(spec, STR("egress"))) > 0)
		json_append(a, types, json_string(a, STR("Egress")));
	json_set(a, spec, STR("policyTypes"), types);
}

/* The numbers of the tables are set by upstream when they are 0, too. */
static void drop_zero(struct json *tree, const char *name)
{
	const struct json *value = json_get(tree, str_of(name));
	if (value && value->type == JSON_INT && value->integer == 0)
		json_remove(tree, str_of(name));
}

static void flow_schema_defaults(struct arena *a, struct json *tree)
{
	drop_zero(json_get(tree, STR("spec")), "matchingPrecedence");
	rules_apply(a, tree, DEFAULT_RULES(flow_schema_rules));
}

static void priority_level_defaults(struct arena *a, struct json *tree)
{
	struct json *queuing = json_path(tree, "spec.limited.limitResponse.queuing");
	drop_zero(queuing, "queues");
	drop_zero(queuing, "handSize");
	drop_zero(queuing, "queueLengthLimit");
	rules_apply(a, tree, DEFAULT_RULES(priority_level_rules));
}

const struct kind_defaults defaults_net[] = {
	{"discovery.k8s.io", NULL, "EndpointSlice", DEFAULT_RULES(slice_rules), NULL, NULL},
	{"networking.k8s.io", NULL, "IngressClass", DEFAULT_RULES(ingress_class_rules), NULL, NULL},
	{"networking.k8s.io", NULL, "NetworkPolicy", DEFAULT_RULES(policy_rules), NULL,
	 policy_defaults},
	{"flowcontrol.apiserver.k8s.io", NULL, "FlowSchema", NULL, 0, NULL, flow_schema_defaults},
	{"flowcontrol.apiserver.k8s.io", NULL, "PriorityLevelConfiguration", NULL, 0, NULL,
	 priority_level_defaults},
	{},
};
