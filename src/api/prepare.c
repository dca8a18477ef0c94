/* Before a create: system fields that a client may not choose. */
#include "api/prepare-int.h"

#include "api/rules-int.h"
#include "api/view.h"
#include "base/timefmt.h"

#define ADMISSION "admissionregistration.k8s.io"
#define FLOW	  "flowcontrol.apiserver.k8s.io"

static void job_create(struct arena *a, struct json *tree, int64_t now_us);
static void daemon_set_create(struct arena *a, struct json *tree, int64_t now_us);
static void namespace_create(struct arena *a, struct json *tree, int64_t now_us);
static void node_create(struct arena *a, struct json *tree, int64_t now_us);
static void claim_create(struct arena *a, struct json *tree, int64_t now_us);
static void volume_create(struct arena *a, struct json *tree, int64_t now_us);
static void class_create(struct arena *a, struct json *tree, int64_t now_us);
static void crd_create(struct arena *a, struct json *tree, int64_t now_us);
static void csr_create(struct arena *a, struct json *tree, int64_t now_us);
static void api_service_create(struct arena *a, struct json *tree, int64_t now_us);
static void service_create(struct arena *a, struct json *tree, int64_t now_us);
static void account_create(struct arena *a, struct json *tree, int64_t now_us);
static void limit_range_create(struct arena *a, struct json *tree, int64_t now_us);
static void slice_create(struct arena *a, struct json *tree, int64_t now_us);

/* The columns are those of struct prepare_row. */
const struct prepare_row prepare_rows[] = {
	{"", "Pod", "spec", HAS_STATUS, prepare_pod_create, update_pod, update_pod_status},
	{"", "PodTemplate", "template", 0},
	{"", "ReplicationController", "spec", HAS_STATUS},
	{"", "Namespace", "", HAS_STATUS, namespace_create, update_namespace},
	{"", "Node", "", HAS_STATUS | KEEPS_STATUS, node_create},
	{"", "PersistentVolumeClaim", "", HAS_STATUS, claim_create, update_claim},
	{"", "PersistentVolume", "", HAS_STATUS, volume_create, NULL, update_volume_status},
	{"", "ResourceQuota", "", HAS_STATUS},
	{"", "Service", "", HAS_STATUS, service_create, update_service},
	{"", "ServiceAccount", "", 0, account_create, update_account},
	{"", "LimitRange", "", 0, limit_range_create},
	{"apps", "Deployment", "spec", HAS_STATUS | COUNTS_ANNOTATIONS, NULL, NULL,
	 update_deployment_status},
	{"apps", "ReplicaSet", "spec", HAS_STATUS},
	{"apps", "StatefulSet", "spec", HAS_STATUS},
	{"apps", "DaemonSet", "spec", HAS_STATUS, daemon_set_create, update_daemon_set},
	{"batch", "Job", "spec", HAS_STATUS, job_create},
	{"batch", "CronJob", "spec", HAS_STATUS},
	{"autoscaling", "HorizontalPodAutoscaler", "", HAS_STATUS},
	{"policy", "PodDisruptionBudget", "spec", HAS_STATUS},
	{"networking.k8s.io", "Ingress", "spec", HAS_STATUS},
	{"networking.k8s.io", "IngressClass", "spec", 0},
	{"networking.k8s.io", "NetworkPolicy", "spec", 0},
	{"networking.k8s.io", "ServiceCIDR", "", KEEPS_STATUS | RESETS_METADATA},
	{"discovery.k8s.io", "EndpointSlice", "*", 0, slice_create, update_slice},
	{FLOW, "FlowSchema", "spec", HAS_STATUS | RESETS_METADATA},
	{FLOW, "PriorityLevelConfiguration", "spec", HAS_STATUS | RESETS_METADATA},
	{ADMISSION, "MutatingWebhookConfiguration", "webhooks", 0},
	{ADMISSION, "ValidatingWebhookConfiguration", "webhooks", 0},
	{ADMISSION, "ValidatingAdmissionPolicy", "spec", HAS_STATUS | RESETS_METADATA},
	{ADMISSION, "ValidatingAdmissionPolicyBinding", "spec", 0},
	{"apiextensions.k8s.io", "CustomResourceDefinition", "spec", HAS_STATUS | RESETS_METADATA,
	 crd_create},
	{"apiregistration.k8s.io", "APIService", "", HAS_STATUS | RESETS_METADATA,
	 api_service_create},
	{"certificates.k8s.io", "CertificateSigningRequest", "", HAS_STATUS, csr_create,
	 update_signing_request, update_condition_times},
	{"scheduling.k8s.io", "PriorityClass", "-", 0},
	{"storage.k8s.io", "CSIDriver", "spec", COUNTS_FROM_ZERO},
	{"storage.k8s.io", "VolumeAttachment", "", HAS_STATUS | RESETS_METADATA},
	{"storage.k8s.io", "VolumeAttributesClass", "", 0, class_create},
	{"resource.k8s.io", "DeviceClass", "spec", 0},
	{"resource.k8s.io", "ResourceSlice", "spec", 0},
	{"resource.k8s.io", "ResourceClaim", "", HAS_STATUS | RESETS_METADATA},
	{},
};

const struct prepare_row *prepare_find(const struct api_kind *kind)
{
	for (const struct prepare_row *row = prepare_rows; row->kind; row++)
		if (str_is(kind->kind, row->kind) && str_is(kind->group, row->group))
			return row;
	return NULL;
}

bool api_has_generation(const struct api_kind *kind)
{
	const struct prepare_row *row = prepare_find(kind);
	return row && *row->counted;
}

/* The status of an object that has none yet, as Go writes its zero value. */
static struct json *status_zero(struct arena *a, const struct api_kind *kind)
{
	const struct api_type *type = api_type(api_builtin(), kind->type);
	const struct api_field *field = type ? api_field(type, STR("status")) : NULL;
	if (!field || field->type < 0)
		return json_object(a);
	const struct api_type *status = api_type(api_builtin(), field->type);
	return view_to_tree(a, status, arena_alloc(a, status->view_size));
}

void api_prepare_create(struct arena *a, const struct api_kind *kind, struct json *tree,
			int64_t now_us)
{
	const struct prepare_row *row = prepare_find(kind);
	struct json *metadata = json_need_object(a, tree, STR("metadata"));
	if (!row)
		return;
	if (*row->counted && !(row->flags & COUNTS_FROM_ZERO))
		json_set(a, metadata, STR("generation"), json_int(a, 1));
	if ((row->flags & (HAS_STATUS | KEEPS_STATUS)) == HAS_STATUS)
		json_set(a, tree, STR("status"), status_zero(a, kind));
	if (row->create)
		row->create(a, tree, now_us);
}

static void add_finalizer(struct arena *a, struct json *tree, const char *finalizer)
{
	struct json *metadata = json_need_object(a, tree, STR("metadata"));
	list_add_string(a, metadata, "finalizers", str_of(finalizer));
}

void list_add_string(struct arena *a, struct json *parent, const char *name, struct str value)
{
	struct json *list = json_need_array(a, parent, str_of(name));
	if (!json_has_text(list, value))
		json_append(a, list, json_string(a, value));
}

/* A label that contradicts is refused by validation. */
static void set_str_absent(struct arena *a, struct json *object, struct str key, struct str value)
{
	if (!json_get(object, key))
		json_set_str(a, object, key, value);
}

static void job_labels(struct arena *a, struct json *labels, struct str name, struct str uid)
{
	set_str_absent(a, labels, STR("batch.kubernetes.io/controller-uid"), uid);
	set_str_absent(a, labels, STR("batch.kubernetes.io/job-name"), name);
	set_str_absent(a, labels, STR("controller-uid"), uid);
	set_str_absent(a, labels, STR("job-name"), name);
}

/* The selector is made from the uid, unless the user manages it. */
static void job_create(struct arena *a, struct json *tree, int64_t now_us)
{
	struct json *spec = json_need_object(a, tree, STR("spec"));
	struct json *metadata = json_need_object(a, tree, STR("metadata"));
	struct str name = json_path_str(metadata, "name"), uid = json_path_str(metadata, "uid");
	if (json_is_true(json_get(spec, STR("manualSelector"))))
		return;
	struct json *template = json_need_object(a, spec, STR("template"));
	struct json *template_meta = json_need_object(a, template, STR("metadata"));
	struct json *labels = json_need_object(a, template_meta, STR("labels"));
	struct json *own = json_get(metadata, STR("labels"));
	bool is_copied = json_count(own) == 0 || json_equal(own, labels);
	job_labels(a, labels, name, uid);
	if (is_copied)
		json_set(a, metadata, STR("labels"), json_copy(a, labels));
	struct json *selector = json_need_object(a, spec, STR("selector"));
	set_str_absent(a, json_need_object(a, selector, STR("matchLabels")),
		       STR("batch.kubernetes.io/controller-uid"), uid);
}

static void daemon_set_create(struct arena *a, struct json *tree, int64_t now_us)
{
	struct json *metadata = json_need_object(a, tree, STR("metadata"));
	json_set_str(a, json_need_object(a, metadata, STR("annotations")),
		     STR(DAEMON_SET_GENERATION), STR("1"));
}

static void namespace_create(struct arena *a, struct json *tree, int64_t now_us)
{
	list_add_string(a, json_need_object(a, tree, STR("spec")), "finalizers", STR("kubernetes"));
	json_set_str(a, json_need_object(a, tree, STR("status")), STR("phase"), STR("Active"));
}

static bool has_taint(const struct json *taints, struct str key, struct str effect)
{
	for (size_t i = 0; i < json_count(taints); i++)
		if (str_eq(json_path_str(json_at(taints, i), "key"), key) &&
		    str_eq(json_path_str(json_at(taints, i), "effect"), effect))
			return true;
	return false;
}

/* Admission's TaintNodesByCondition: nothing is scheduled before the node has said it is ready. */
static void node_create(struct arena *a, struct json *tree, int64_t now_us)
{
	struct json *spec = json_need_object(a, tree, STR("spec"));
	struct json *taints = json_get(spec, STR("taints")), *taint = json_object(a);
	if (!taints) {
		taints = json_array(a);
		json_set(a, spec, STR("taints"), taints);
	}
	if (has_taint(taints, STR("node.kubernetes.io/not-ready"), STR("NoSchedule")))
		return;
	json_set_str(a, taint, STR("key"), STR("node.kubernetes.io/not-ready"));
	json_set_str(a, taint, STR("effect"), STR("NoSchedule"));
	json_append(a, taints, taint);
}

static bool is_allowed_source(const struct json *source)
{
	struct str group = json_path_str(source, "apiGroup"), kind = json_path_str(source, "kind");
	return (group.len == 0 && str_is(kind, "PersistentVolumeClaim")) ||
	       (str_is(group, "snapshot.storage.k8s.io") && str_is(kind, "VolumeSnapshot"));
}

static bool has_member(const struct json *spec, const char *name)
{
	const struct json *value = json_get(spec, str_of(name));
	return value && value->type != JSON_NULL;
}

/* dataSource and dataSourceRef mean one thing; sources in other namespaces are not served. */
void claim_sources(struct arena *a, const struct json *old, struct json *spec)
{
	bool was_used = has_member(old, "dataSource") || has_member(old, "dataSourceRef");
	if (json_path_str(spec, "dataSourceRef.namespace").len > 0)
		json_remove(spec, STR("dataSourceRef"));
	bool has_ref = has_member(spec, "dataSourceRef");
	if (!was_used && !has_ref && !is_allowed_source(json_get(spec, STR("dataSource"))))
		json_remove(spec, STR("dataSource"));
	bool has_source = has_member(spec, "dataSource");
	if (has_source && !has_ref)
		json_set(a, spec, STR("dataSourceRef"),
			 json_copy(a, json_get(spec, STR("dataSource"))));
	else if (has_ref && !has_source)
		json_set(a, spec, STR("dataSource"),
			 json_copy(a, json_get(spec, STR("dataSourceRef"))));
}

static void claim_create(struct arena *a, struct json *tree, int64_t now_us)
{
	claim_sources(a, NULL, json_need_object(a, tree, STR("spec")));
	json_set_str(a, json_need_object(a, tree, STR("status")), STR("phase"), STR("Pending"));
	add_finalizer(a, tree, "kubernetes.io/pvc-protection");
}

static void volume_create(struct arena *a, struct json *tree, int64_t now_us)
{
	struct json *status = json_need_object(a, tree, STR("status"));
	char text[TIME_TEXT_MAX];
	size_t len = time_format(now_us, text);
	json_set_str(a, status, STR("phase"), STR("Pending"));
	json_set_str(a, status, STR("lastPhaseTransitionTime"), arena_str(a, str_n(text, len)));
	add_finalizer(a, tree, "kubernetes.io/pv-protection");
}

static void class_create(struct arena *a, struct json *tree, int64_t now_us)
{
	add_finalizer(a, tree, "kubernetes.io/vac-protection");
}

static void crd_create(struct arena *a, struct json *tree, int64_t now_us)
{
	const struct json *versions = json_path(tree, "spec.versions");
	struct json *status = json_need_object(a, tree, STR("status"));
	json_remove(status, STR("storedVersions"));
	for (size_t i = 0; i < json_count(versions); i++)
		if (json_is_true(json_get(json_at(versions, i), STR("storage")))) {
			list_add_string(a, status, "storedVersions",
					json_path_str(json_at(versions, i), "name"));
			return; /* that there is a second one, validation says */
		}
}

/* The request pipeline fills in who asks, afterwards. */
static void csr_create(struct arena *a, struct json *tree, int64_t now_us)
{
	static const char *const identity[] = {"username", "uid", "groups", "extra"};
	struct json *spec = json_need_object(a, tree, STR("spec"));
	for (size_t i = 0; i < ARRAY_LEN(identity); i++)
		json_remove(spec, str_of(identity[i]));
}

/* One without a service is served here, and so it is there. */
static void api_service_create(struct arena *a, struct json *tree, int64_t now_us)
{
	const struct json *service = json_path(tree, "spec.service");
	if (service && service->type != JSON_NULL)
		return;
	char text[TIME_TEXT_MAX];
	struct json *condition = json_object(a), *list = json_array(a);
	json_set_str(a, condition, STR("type"), STR("Available"));
	json_set_str(a, condition, STR("status"), STR("True"));
	json_set_str(a, condition, STR("lastTransitionTime"),
		     arena_str(a, str_n(text, time_format(now_us, text))));
	json_set_str(a, condition, STR("reason"), STR("Local"));
	json_set_str(a, condition, STR("message"), STR("Local APIServices are always available"));
	json_append(a, list, condition);
	json_set(a, json_need_object(a, tree, STR("status")), STR("conditions"), list);
}

static void service_create(struct arena *a, struct json *tree, int64_t now_us)
{
	struct json *spec = json_get(tree, STR("spec"));
	if (spec)
		service_addresses(a, spec);
	if (spec)
		drop_internal_policy(spec);
}

/* A name elsewhere has no traffic to steer; what is wrong stays, to be refused. */
void drop_internal_policy(struct json *spec)
{
	struct str policy = json_path_str(spec, "internalTrafficPolicy");
	if (str_is(json_path_str(spec, "type"), "ExternalName") &&
	    (str_is(policy, "Cluster") || str_is(policy, "Local")))
		json_remove(spec, STR("internalTrafficPolicy"));
}

/* clusterIP and the first of clusterIPs are one thing. */
void service_addresses(struct arena *a, struct json *spec)
{
	struct json *ip = json_get(spec, STR("clusterIP")),
		    *ips = json_get(spec, STR("clusterIPs"));
	if (!json_is_absent(ip) && json_count(ips) == 0) {
		ips = json_array(a);
		json_append(a, ips, ip);
		json_set(a, spec, STR("clusterIPs"), ips);
	}
}

/* Of its secrets an account keeps the names. */
static void keep_names(struct arena *a, struct json *tree)
{
	const struct json *secrets = json_get(tree, STR("secrets"));
	for (size_t i = 0; i < json_count(secrets); i++) {
		struct json *only = json_object(a);
		struct json *name = json_get(json_at(secrets, i), STR("name"));
		if (name)
			json_set(a, only, STR("name"), name);
		secrets->array.items[i] = only;
	}
}

static void account_create(struct arena *a, struct json *tree, int64_t now_us)
{
	keep_names(a, tree);
}

void update_account(struct arena *a, const struct json *old, struct json *tree)
{
	keep_names(a, tree);
}

/* One without a name is called by its uid. */
static void limit_range_create(struct arena *a, struct json *tree, int64_t now_us)
{
	struct json *metadata = json_get(tree, STR("metadata"));
	if (json_path_str(metadata, "name").len == 0)
		json_set_str(a, metadata, STR("name"), json_path_str(metadata, "uid"));
}

static void slice_create(struct arena *a, struct json *tree, int64_t now_us)
{
	drop_topology(tree);
}

void drop_topology(struct json *tree)
{
	const struct json *endpoints = json_get(tree, STR("endpoints"));
	for (size_t i = 0; i < json_count(endpoints); i++)
		json_remove(json_at(endpoints, i), STR("deprecatedTopology"));
}
