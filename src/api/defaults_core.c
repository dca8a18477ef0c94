#include "api/rules-int.h"

#include "base/encode.h"

static const struct default_rule endpoints_rules[] = {{"subsets[].ports[].protocol", "\"TCP\""}};

static const struct default_rule claim_rules[] = {
	{"spec.volumeMode", "\"Filesystem\""},
	{"status.phase", "\"Pending\""},
};

static const struct default_rule volume_rules[] = {
	{"spec.persistentVolumeReclaimPolicy", "\"Retain\""},
	{"spec.volumeMode", "\"Filesystem\""},
	{"spec.hostPath.type", "\"\""},
	{"spec.iscsi.iscsiInterface", "\"default\""},
	{"spec.rbd.pool", "\"rbd\""},
	{"spec.rbd.user", "\"admin\""},
	{"spec.rbd.keyring", "\"/etc/ceph/keyring\""},
	{"spec.azureDisk.cachingMode", "\"ReadWrite\""},
	{"spec.azureDisk.fsType", "\"ext4\""},
	{"spec.azureDisk.readOnly", "false"},
	{"spec.azureDisk.kind", "\"Shared\""},
	{"spec.scaleIO.storageMode", "\"ThinProvisioned\""},
	{"spec.scaleIO.fsType", "\"xfs\""},
	{"status.phase", "\"Pending\""},
};

static const struct default_rule controller_rules[] = {{"spec.replicas", "1"}};
static const struct default_rule secret_rules[] = {{"type", "\"Opaque\""}};

static const struct default_rule service_rules[] = {
	{"spec.sessionAffinity", "\"None\""},
	{"spec.type", "\"ClusterIP\""},
	{"spec.ports[].protocol", "\"TCP\""},
};

static const struct default_rule token_rules[] = {{"spec.expirationSeconds", "3600"}};

static void copy_absent(struct arena *a, struct json *to, const struct json *from)
{
	for (size_t i = 0; i < json_count(from); i++)
		if (!json_get(to, from->object.members[i].key))
			json_set(a, to, from->object.members[i].key, from->object.members[i].value);
}

/* default from max, then defaultRequest from default, then from min; for containers only. */
static void limit_item(struct arena *a, struct json *item)
{
	static const char *const lists[] = {"max", "min", "default", "defaultRequest",
					    "maxLimitRequestRatio"};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		tree_round_quantities(a, item, lists[i]);
	if (!str_is(json_path_str(item, "type"), "Container"))
		return;
	struct json *max = json_get(item, STR("max")), *min = json_get(item, STR("min"));
	struct json *limit = json_need_object(a, item, STR("default"));
	struct json *request = json_need_object(a, item, STR("defaultRequest"));
	copy_absent(a, limit, max);
	copy_absent(a, request, limit);
	copy_absent(a, request, min);
	if (json_count(limit) == 0)
		json_remove(item, STR("default"));
	if (json_count(request) == 0)
		json_remove(item, STR("defaultRequest"));
}

static void limit_range_defaults(struct arena *a, struct json *tree)
{
	tree_visit(a, tree, "spec.limits[]", limit_item);
}

static void namespace_defaults(struct arena *a, struct json *tree)
{
	struct json *metadata = json_get(tree, STR("metadata"));
	struct str name = json_path_str(metadata, "name");
	if (name.len > 0)
		json_set_str(a, json_need_object(a, metadata, STR("labels")),
			     STR("kubernetes.io/metadata.name"), name);
}

static void node_defaults(struct arena *a, struct json *tree)
{
	struct json *status = json_get(tree, STR("status")), *spec = json_get(tree, STR("spec"));
	struct json *capacity = json_get(status, STR("capacity"));
	tree_round_quantities(a, tree, "status.capacity");
	tree_round_quantities(a, tree, "status.allocatable");
	if (capacity && !json_get(status, STR("allocatable")))
		json_set(a, status, STR("allocatable"), json_copy(a, capacity));
	struct json *cidr = json_get(spec, STR("podCIDR")),
		    *cidrs = json_get(spec, STR("podCIDRs"));
	if (!json_is_absent(cidr) && !str_eq(json_str(json_at(cidrs, 0)), json_str(cidr))) {
		struct json *list = json_array(a);
		json_append(a, list, cidr);
		json_set(a, spec, STR("podCIDRs"), list);
	} else if (json_is_absent(cidr) && json_count(cidrs) > 0) {
		json_set(a, spec, STR("podCIDR"), json_at(cidrs, 0));
	}
}

static void claim_defaults(struct arena *a, struct json *tree)
{
	tree_round_quantities(a, tree, "spec.resources.requests");
	tree_round_quantities(a, tree, "spec.resources.limits");
	tree_round_quantities(a, tree, "status.capacity");
	tree_round_quantities(a, tree, "status.allocatedResources");
}

static void volume_defaults(struct arena *a, struct json *tree)
{
	tree_round_quantities(a, tree, "spec.capacity");
}

static void quota_defaults(struct arena *a, struct json *tree)
{
	tree_round_quantities(a, tree, "spec.hard");
	tree_round_quantities(a, tree, "status.hard");
	tree_round_quantities(a, tree, "status.used");
}

/* Labels of the template become selector and labels where these are empty. */
static void controller_defaults(struct arena *a, struct json *tree)
{
	struct json *labels = json_path(tree, "spec.template.metadata.labels");
	struct json *spec = json_get(tree, STR("spec")),
		    *metadata = json_get(tree, STR("metadata"));
	if (json_count(labels) == 0)
		return;
	if (json_count(json_get(spec, STR("selector"))) == 0)
		json_set(a, spec, STR("selector"), json_copy(a, labels));
	if (metadata && json_count(json_get(metadata, STR("labels"))) == 0)
		json_set(a, metadata, STR("labels"), json_copy(a, labels));
}

/* stringData is for writing only: it goes into data. */
static void secret_defaults(struct arena *a, struct json *tree)
{
	const struct json *strings = json_get(tree, STR("stringData"));
	for (size_t i = 0; i < json_count(strings); i++) {
		struct json_member m = strings->object.members[i];
		struct str text = json_str(m.value);
		CLEANUP_BUF encoded = BUF_INIT(text.len * 2 + 8);
		base64_add(&encoded, text);
		json_set_str(a, json_need_object(a, tree, STR("data")), m.key,
			     arena_str(a, buf_str(&encoded)));
	}
	json_remove(tree, STR("stringData"));
}

static bool is_zero_port(const struct json *port)
{
	return json_is_absent(port) || (port->type == JSON_INT && port->integer == 0);
}

static void service_port(struct arena *a, struct json *port)
{
	if (is_zero_port(json_get(port, STR("targetPort"))) && json_get(port, STR("port")))
		json_set(a, port, STR("targetPort"), json_get(port, STR("port")));
}

static void load_balancer_ingress(struct arena *a, struct json *ingress)
{
	if (json_path_str(ingress, "ip").len > 0 && !json_get(ingress, STR("ipMode")))
		json_set_str(a, ingress, STR("ipMode"), STR("VIP"));
}

static void service_affinity(struct arena *a, struct json *spec)
{
	if (str_is(json_path_str(spec, "sessionAffinity"), "None")) {
		json_remove(spec, STR("sessionAffinityConfig"));
		return;
	}
	if (!str_is(json_path_str(spec, "sessionAffinity"), "ClientIP"))
		return;
	struct json *config = json_need_object(a, spec, STR("sessionAffinityConfig"));
	rule_apply(a, json_need_object(a, config, STR("clientIP")), "timeoutSeconds", "10800");
}

static void service_defaults(struct arena *a, struct json *tree)
{
	struct json *spec = json_get(tree, STR("spec"));
	if (!spec)
		return;
	struct str type = json_path_str(spec, "type");
	bool is_balancer = str_is(type, "LoadBalancer"), is_cluster = str_is(type, "ClusterIP");
	bool is_external = is_balancer || str_is(type, "NodePort");
	tree_visit(a, spec, "ports[]", service_port);
	service_affinity(a, spec);
	if (is_external || (is_cluster && json_count(json_get(spec, STR("externalIPs"))) > 0))
		rule_apply(a, spec, "externalTrafficPolicy", "\"Cluster\"");
	if (is_external || is_cluster)
		rule_apply(a, spec, "internalTrafficPolicy", "\"Cluster\"");
	if (is_balancer)
		rule_apply(a, spec, "allocateLoadBalancerNodePorts", "true");
	tree_visit(a, tree, "status.loadBalancer.ingress[]", load_balancer_ingress);
}

const struct kind_defaults defaults_core[] = {
	{"", NULL, "Pod", NULL, 0, "spec", pod_defaults},
	{"", NULL, "PodTemplate", NULL, 0, "template.spec", NULL},
	{"", NULL, "Endpoints", DEFAULT_RULES(endpoints_rules), NULL, NULL},
	{"", NULL, "LimitRange", NULL, 0, NULL, limit_range_defaults},
	{"", NULL, "Namespace", NULL, 0, NULL, namespace_defaults},
	{"", NULL, "Node", NULL, 0, NULL, node_defaults},
	{"", NULL, "PersistentVolumeClaim", DEFAULT_RULES(claim_rules), NULL, claim_defaults},
	{"", NULL, "PersistentVolume", DEFAULT_RULES(volume_rules), NULL, volume_defaults},
	{"", NULL, "ReplicationController", DEFAULT_RULES(controller_rules), "spec.template.spec",
	 controller_defaults},
	{"", NULL, "ResourceQuota", NULL, 0, NULL, quota_defaults},
	{"", NULL, "Secret", DEFAULT_RULES(secret_rules), NULL, secret_defaults},
	{"", NULL, "Service", DEFAULT_RULES(service_rules), NULL, service_defaults},
	{"authentication.k8s.io", NULL, "TokenRequest", DEFAULT_RULES(token_rules), NULL, NULL},
	{},
};
