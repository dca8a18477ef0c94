#include "server/admission.h"

#include "api/api_ids.h"
#include "server/admission_certificates.h"
#include "server/admission_limits.h"
#include "server/admission_node.h"
#include "server/admission_runtime_class.h"
#include "server/admission_storage.h"
#include "server/escalation.h"
#include "server/server.h"
#include "server/write.h"

static struct object *find(struct request *r, uint16_t kind, struct str namespace, struct str name)
{
	return store_pending_get(r->server->store, kind, namespace, name);
}

/* ---- NamespaceLifecycle ---- */

static enum step refuse_terminating(struct request *r, struct str namespace, struct str name)
{
	struct arena *a = &r->arena;
	struct str why = arena_printf(
		a, "unable to create new content in namespace %.*s because it is being terminated",
		STR_FMT(namespace));
	request_forbidden(r, r->route.kind, name, why);
	struct json *causes = json_array(a), *cause = json_object(a);
	json_set_str(a, cause, STR("reason"), STR("NamespaceTerminating"));
	json_set_str(a, cause, STR("message"),
		     arena_printf(a, "namespace %.*s is being terminated", STR_FMT(namespace)));
	json_set_str(a, cause, STR("field"), STR("metadata.namespace"));
	json_append(a, causes, cause);
	json_set(a, json_get(r->reply.tree, STR("details")), STR("causes"), causes);
	return STEP_DONE;
}

static enum step namespace_lifecycle(struct request *r, const struct json *old, struct json *tree)
{
	if (!r->route.kind->is_namespaced)
		return STEP_NEXT;
	struct str namespace = r->route.namespace;
	struct object *ns = find(r, KIND_NAMESPACE, (struct str){}, namespace);
	if (!ns)
		return request_not_found(r, api_by_stored(api_builtin(), KIND_NAMESPACE),
					 namespace);
	if (ns->is_deleting)
		return refuse_terminating(r, namespace, json_path_str(tree, "metadata.name"));
	return STEP_NEXT;
}

/* ---- ServiceAccount ---- */

#define TOKEN_MOUNT	    "/var/run/secrets/kubernetes.io/serviceaccount"
#define TOKEN_VOLUME_PREFIX "kube-api-access-"

static struct json *parse_literal(struct arena *a, const char *text)
{
	struct json *tree = NULL;
	enum rc rc = json_parse(a, arena_str(a, str_of(text)), &tree, NULL, NULL);
	ASSERT(rc == RC_OK);
	return tree;
}

static struct json *token_volume(struct arena *a, struct str name)
{
	static const char sources[] =
		"{\"defaultMode\":420,\"sources\":["
		"{\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":\"token\"}},"
		"{\"configMap\":{\"name\":\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\","
		"\"path\":\"ca.crt\"}]}},"
		"{\"downwardAPI\":{\"items\":[{\"path\":\"namespace\",\"fieldRef\":{\"apiVersion\":"
		"\"v1\",\"fieldPath\":\"metadata.namespace\"}}]}}]}";
	struct json *volume = json_object(a);
	json_set_str(a, volume, STR("name"), name);
	json_set(a, volume, STR("projected"), parse_literal(a, sources));
	return volume;
}

static bool has_token_mount(const struct json *container)
{
	struct json *mounts = json_get(container, STR("volumeMounts"));
	for (size_t i = 0; i < json_count(mounts); i++)
		if (str_is(json_path_str(json_at(mounts, i), "mountPath"), TOKEN_MOUNT))
			return true;
	return false;
}

static bool mount_token(struct arena *a, struct json *containers, struct str volume)
{
	bool is_used = false;
	for (size_t i = 0; i < json_count(containers); i++) {
		struct json *container = json_at(containers, i);
		if (has_token_mount(container))
			continue;
		struct json *mount = json_object(a);
		json_set_str(a, mount, STR("name"), volume);
		json_set(a, mount, STR("readOnly"), json_bool(a, true));
		json_set_str(a, mount, STR("mountPath"), STR(TOKEN_MOUNT));
		json_append(a, json_need_array(a, container, STR("volumeMounts")), mount);
		is_used = true;
	}
	return is_used;
}

static void automount_token(struct request *r, struct json *spec)
{
	struct arena *a = &r->arena;
	static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
	char suffix[6] = {};
	for (int i = 0; i < 5; i++)
		suffix[i] = alphabet[world_random_u64() % (sizeof(alphabet) - 1)];
	struct str name = arena_printf(a, TOKEN_VOLUME_PREFIX "%s", suffix);
	bool is_used = mount_token(a, json_get(spec, STR("initContainers")), name);
	is_used |= mount_token(a, json_get(spec, STR("containers")), name);
	if (is_used)
		json_append(a, json_need_array(a, spec, STR("volumes")), token_volume(a, name));
}

static bool wants_token(const struct json *spec, const struct json *account)
{
	struct json *own = json_get(spec, STR("automountServiceAccountToken"));
	struct json *of_account = json_get(account, STR("automountServiceAccountToken"));
	return own ? json_is_true(own) : !of_account || json_is_true(of_account);
}

static bool is_mirror(const struct json *tree)
{
	return json_get(json_path(tree, "metadata.annotations"),
			STR("kubernetes.io/config.mirror")) != NULL;
}

static enum step service_account(struct request *r, const struct json *old, struct json *tree)
{
	struct arena *a = &r->arena;
	struct json *spec = json_need_object(a, tree, STR("spec"));
	if (is_mirror(tree))
		return STEP_NEXT;
	struct str name = json_path_str(spec, "serviceAccountName");
	if (name.len == 0)
		name = STR("default");
	json_set_str(a, spec, STR("serviceAccountName"), name);
	json_set_str(a, spec, STR("serviceAccount"), name);
	struct object *account = find(r, KIND_SERVICE_ACCOUNT, r->route.namespace, name);
	if (!account) {
		return request_forbid(r, json_path_str(tree, "metadata.name"),
				      "error looking up service account %.*s/%.*s: "
				      "serviceaccount \"%.*s\" not found",
				      STR_FMT(r->route.namespace), STR_FMT(name), STR_FMT(name));
	}
	struct json *account_tree = object_tree(a, account);
	if (wants_token(spec, account_tree))
		automount_token(r, spec);
	struct json *secrets = json_get(account_tree, STR("imagePullSecrets"));
	if (json_count(secrets) && !json_count(json_get(spec, STR("imagePullSecrets"))))
		json_set(a, spec, STR("imagePullSecrets"), json_copy(a, secrets));
	return STEP_NEXT;
}

/* ---- DefaultTolerationSeconds ---- */

static bool tolerates(const struct json *tolerations, const char *key)
{
	for (size_t i = 0; i < json_count(tolerations); i++) {
		struct json *t = json_at(tolerations, i);
		struct str its_key = json_path_str(t, "key"), effect = json_path_str(t, "effect");
		if ((its_key.len == 0 || str_is(its_key, key)) &&
		    (effect.len == 0 || str_is(effect, "NoExecute")))
			return true;
	}
	return false;
}

static enum step default_toleration_seconds(struct request *r, const struct json *old,
					    struct json *tree)
{
	static const char *const keys[] = {"node.kubernetes.io/not-ready",
					   "node.kubernetes.io/unreachable"};
	struct arena *a = &r->arena;
	struct json *spec = json_get(tree, STR("spec"));
	struct json *list = json_get(spec, STR("tolerations"));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (tolerates(list, keys[i]))
			continue;
		list = json_need_array(a, spec, STR("tolerations"));
		struct json *t = json_object(a);
		json_set_str(a, t, STR("key"), str_of(keys[i]));
		json_set_str(a, t, STR("operator"), STR("Exists"));
		json_set_str(a, t, STR("effect"), STR("NoExecute"));
		json_set(a, t, STR("tolerationSeconds"), json_int(a, 300));
		json_append(a, list, t);
	}
	return STEP_NEXT;
}

/* ---- Priority ---- */

static struct object *default_priority_class(struct request *r)
{
	struct snapshot_iter it;
	struct object *best = NULL;
	snapshot_iter_init(&it, request_snapshot(r), KIND_PRIORITY_CLASS, (struct str){},
			   (struct str){}, (struct str){});
	for (struct object *o; (o = snapshot_next(&it));)
		if (json_is_true(json_get(object_tree(&r->arena, o), STR("globalDefault"))))
			best = o;
	return best;
}

/* What a create was given, an update keeps. */
static enum step keep_priority(struct request *r, const struct json *old, struct json *tree)
{
	static const char *const members[] = {"priority", "preemptionPolicy"};
	const struct json *was = json_get(old, STR("spec"));
	struct json *spec = json_get(tree, STR("spec"));
	for (size_t i = 0; spec && i < ARRAY_LEN(members); i++) {
		struct json *value = json_get(was, str_of(members[i]));
		if (value && !json_get(spec, str_of(members[i])))
			json_set(&r->arena, spec, str_of(members[i]), value);
	}
	return STEP_NEXT;
}

static enum step priority(struct request *r, const struct json *old, struct json *tree)
{
	struct arena *a = &r->arena;
	struct json *spec = json_get(tree, STR("spec"));
	struct str name = json_path_str(spec, "priorityClassName");
	struct object *class = name.len ? find(r, KIND_PRIORITY_CLASS, (struct str){}, name)
					: default_priority_class(r);
	if (name.len && !class)
		return request_forbid(r, json_path_str(tree, "metadata.name"),
				      "no PriorityClass with name %.*s was found", STR_FMT(name));
	struct json *class_tree = class ? object_tree(a, class) : NULL;
	struct str policy = json_path_str(class_tree, "preemptionPolicy");
	int64_t value = json_i64(json_get(class_tree, STR("value")));
	const struct json *number = json_get(spec, STR("priority"));
	if (number && json_i64(number) != value)
		return request_forbid(r, json_path_str(tree, "metadata.name"),
				      "the integer value of priority (%lld) must not be provided "
				      "in pod spec; priority admission controller computed %lld "
				      "from the given PriorityClass name",
				      (long long)json_i64(number), (long long)value);
	if (class && name.len == 0)
		json_set_str(a, spec, STR("priorityClassName"), arena_str(a, class->name));
	json_set(a, spec, STR("priority"), json_int(a, value));
	if (policy.len == 0)
		policy = STR("PreemptLowerPriority");
	const struct json *wished = json_get(spec, STR("preemptionPolicy"));
	if (wished && !str_eq(json_str(wished), policy))
		return request_forbid(r, json_path_str(tree, "metadata.name"),
				      "the string value of PreemptionPolicy (%.*s) must not be "
				      "provided in pod spec; priority admission controller "
				      "computed %.*s from the given PriorityClass name",
				      STR_FMT(json_str(wished)), STR_FMT(policy));
	json_set_str(a, spec, STR("preemptionPolicy"), policy);
	return STEP_NEXT;
}

/* ---- StorageObjectInUseProtection ---- */

static enum step add_finalizer(struct request *r, struct json *tree, const char *name)
{
	struct json *list =
		json_need_array(&r->arena, json_get(tree, STR("metadata")), STR("finalizers"));
	for (size_t i = 0; i < json_count(list); i++)
		if (str_is(json_str(json_at(list, i)), name))
			return STEP_NEXT;
	json_append(&r->arena, list, json_cstring(&r->arena, name));
	return STEP_NEXT;
}

static enum step protect_claim(struct request *r, const struct json *old, struct json *tree)
{
	return add_finalizer(r, tree, "kubernetes.io/pvc-protection");
}

static enum step protect_volume(struct request *r, const struct json *old, struct json *tree)
{
	return add_finalizer(r, tree, "kubernetes.io/pv-protection");
}

/* ---- TaintNodesByCondition ---- */

static enum step taint_new_node(struct request *r, const struct json *old, struct json *tree)
{
	struct arena *a = &r->arena;
	struct json *list =
		json_need_array(a, json_need_object(a, tree, STR("spec")), STR("taints"));
	for (size_t i = 0; i < json_count(list); i++)
		if (str_is(json_path_str(json_at(list, i), "key"), "node.kubernetes.io/not-ready"))
			return STEP_NEXT;
	struct json *taint = json_object(a);
	json_set_str(a, taint, STR("key"), STR("node.kubernetes.io/not-ready"));
	json_set_str(a, taint, STR("effect"), STR("NoSchedule"));
	json_append(a, list, taint);
	return STEP_NEXT;
}

static const char any_subresource[] = "*";

static const struct {
	const char *name;
	uint16_t kind; /* KIND_NONE: any */
	unsigned operations;
	const char *subresource; /* NULL: the object itself */
	enum step (*run)(struct request *r, const struct json *old, struct json *tree);
} plugins[] = {
	{"NamespaceLifecycle", KIND_NONE, ADMIT_CREATE, any_subresource, namespace_lifecycle},
	{"LimitRanger", KIND_POD, ADMIT_CREATE, NULL, limits_default},
	{"LimitRanger", KIND_POD, ADMIT_JUDGE_CREATE, NULL, limits_judge_pod},
	{"LimitRanger", KIND_PERSISTENT_VOLUME_CLAIM, ADMIT_JUDGE_CREATE | ADMIT_JUDGE_UPDATE, NULL,
	 limits_judge_claim},
	{"Escalation", KIND_ROLE, ADMIT_CREATE | ADMIT_UPDATE, NULL, escalation_by_role},
	{"Escalation", KIND_CLUSTER_ROLE, ADMIT_CREATE | ADMIT_UPDATE, NULL, escalation_by_role},
	{"Escalation", KIND_ROLE_BINDING, ADMIT_CREATE | ADMIT_UPDATE, NULL, escalation_by_binding},
	{"Escalation", KIND_CLUSTER_ROLE_BINDING, ADMIT_CREATE | ADMIT_UPDATE, NULL,
	 escalation_by_binding},
	{"ServiceAccount", KIND_POD, ADMIT_CREATE, NULL, service_account},
	{"NodeRestriction", KIND_NONE, ADMIT_CREATE | ADMIT_UPDATE | ADMIT_DELETE, any_subresource,
	 node_restriction},
	{"TaintNodesByCondition", KIND_NODE, ADMIT_CREATE, NULL, taint_new_node},
	{"Priority", KIND_POD, ADMIT_CREATE, NULL, priority},
	{"Priority", KIND_POD, ADMIT_UPDATE, NULL, keep_priority},
	{"DefaultTolerationSeconds", KIND_POD, ADMIT_CREATE | ADMIT_UPDATE, NULL,
	 default_toleration_seconds},
	{"DefaultStorageClass", KIND_PERSISTENT_VOLUME_CLAIM, ADMIT_CREATE, NULL,
	 default_storage_class},
	{"StorageObjectInUseProtection", KIND_PERSISTENT_VOLUME_CLAIM, ADMIT_CREATE, NULL,
	 protect_claim},
	{"StorageObjectInUseProtection", KIND_PERSISTENT_VOLUME, ADMIT_CREATE, NULL,
	 protect_volume},
	{"PersistentVolumeClaimResize", KIND_PERSISTENT_VOLUME_CLAIM, ADMIT_JUDGE_UPDATE, NULL,
	 claim_resize},
	{"RuntimeClass", KIND_POD, ADMIT_CREATE, NULL, runtime_class_admit},
	{"RuntimeClass", KIND_POD, ADMIT_JUDGE_CREATE, NULL, runtime_class_judge},
	{"CertificateApproval", KIND_CERTIFICATE_SIGNING_REQUEST, ADMIT_UPDATE, "approval",
	 certificate_approval},
	{"CertificateSigning", KIND_CERTIFICATE_SIGNING_REQUEST, ADMIT_UPDATE, "status",
	 certificate_signing},
	{"CertificateSubjectRestriction", KIND_CERTIFICATE_SIGNING_REQUEST, ADMIT_CREATE, NULL,
	 certificate_subject_restriction},
};

enum step admit(struct request *r, enum admit_operation op, const struct json *old,
		struct json *tree)
{
	for (size_t i = 0; i < ARRAY_LEN(plugins); i++) {
		const char *sub = plugins[i].subresource ? plugins[i].subresource : "";
		if (!(plugins[i].operations & op))
			continue;
		if (plugins[i].kind != KIND_NONE && plugins[i].kind != r->route.kind->stored_id)
			continue;
		if (sub != any_subresource && !str_eq(r->route.subresource, str_of(sub)))
			continue;
		if (plugins[i].run(r, old, tree) == STEP_DONE)
			return STEP_DONE;
	}
	return STEP_NEXT;
}
