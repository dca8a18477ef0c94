#include "server/admission_node.h"

#include "api/api_ids.h"
#include "server/node_authorizer.h"
#include "server/pod_references.h"
#include "server/server.h"

struct node_write {
	struct request *r;
	struct str node, name; /* who writes; what is written */
	const struct json *old;
	const struct json *tree;
};

/* The common form: `node "x" …` */
static enum step forbid_node(const struct node_write *w, const char *what)
{
	return request_forbid(w->r, w->name, "node \"%.*s\" %s", STR_FMT(w->node), what);
}

static bool is_same(const struct json *a, const struct json *b)
{
	bool has_a = a && a->type != JSON_NULL && !(a->type == JSON_ARRAY && json_count(a) == 0);
	bool has_b = b && b->type != JSON_NULL && !(b->type == JSON_ARRAY && json_count(b) == 0);
	return has_a == has_b && (!has_a || json_equal(a, b));
}

static bool is_same_at(const struct node_write *w, const char *path)
{
	return is_same(json_path(w->old, path), json_path(w->tree, path));
}

/* ---- pods ---- */

struct found {
	bool kinds[POD_REFERENCE_KINDS];
};

static void note_reference(void *ctx, enum pod_reference kind, struct str name)
{
	struct found *f = ctx;
	f->kinds[kind] = true;
}

/* What a mirror pod names, its node could read. */
static enum step check_references(const struct node_write *w)
{
	static const char *const words[] = {
		[POD_SERVICE_ACCOUNT] = "a service account",
		[POD_SECRET] = "secrets",
		[POD_CONFIG_MAP] = "configmaps",
		[POD_VOLUME_CLAIM] = "persistentvolumeclaims",
		[POD_RESOURCE_CLAIM] = "resourceclaims",
	};
	static const enum pod_reference order[] = {POD_SERVICE_ACCOUNT, POD_SECRET, POD_CONFIG_MAP,
						   POD_VOLUME_CLAIM, POD_RESOURCE_CLAIM};
	struct found found = {};
	pod_references_each(&w->r->arena, w->tree, note_reference, &found);
	if (json_count(json_path(w->tree, "spec.resourceClaims")))
		found.kinds[POD_RESOURCE_CLAIM] = true;
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (found.kinds[order[i]])
			return request_forbid(w->r, w->name,
					      "node \"%.*s\" can not create pods that reference %s",
					      STR_FMT(w->node), words[order[i]]);
	return STEP_NEXT;
}

static enum step check_owner(const struct node_write *w)
{
	const struct json *owners = json_path(w->tree, "metadata.ownerReferences");
	const struct json *owner = json_at(owners, 0);
	struct object *node =
		store_pending_get(w->r->server->store, KIND_NODE, (struct str){}, w->node);
	if (json_count(owners) > 1)
		return forbid_node(w, "can only create pods with a single owner reference set to "
				      "itself");
	if (!owner || !str_is(json_path_str(owner, "apiVersion"), "v1") ||
	    !str_is(json_path_str(owner, "kind"), "Node") ||
	    !str_eq(json_path_str(owner, "name"), w->node))
		return forbid_node(w, "can only create pods with an owner reference set to itself");
	if (!json_is_true(json_get(owner, STR("controller"))))
		return forbid_node(w, "can only create pods with a controller owner reference set "
				      "to itself");
	if (json_is_true(json_get(owner, STR("blockOwnerDeletion"))))
		return forbid_node(w, "must not set blockOwnerDeletion on an owner reference");
	if (!node)
		return request_not_found(w->r, api_by_stored(api_builtin(), KIND_NODE), w->node);
	if (!str_eq(json_path_str(owner, "uid"), node->uid))
		return request_forbid(
			w->r, w->name, "node %.*s UID mismatch: expected %.*s got %.*s",
			STR_FMT(w->node), STR_FMT(json_path_str(owner, "uid")), STR_FMT(node->uid));
	return STEP_NEXT;
}

static bool is_on_node(const struct node_write *w, const struct json *pod)
{
	return str_eq(json_path_str(pod, "spec.nodeName"), w->node);
}

static enum step pod_create(const struct node_write *w)
{
	if (!pod_is_mirror(w->tree))
		return request_forbid(
			w->r, w->name,
			"pod does not have \"kubernetes.io/config.mirror\" annotation, node "
			"\"%.*s\" can only create mirror pods",
			STR_FMT(w->node));
	if (!is_on_node(w, w->tree))
		return forbid_node(w, "can only create pods with spec.nodeName set to itself");
	if (check_owner(w) == STEP_DONE)
		return STEP_DONE;
	return check_references(w);
}

static enum step pod_status(const struct node_write *w)
{
	if (!w->old || !w->tree)
		return request_forbid(w->r, w->name, "unexpected operation \"%s\"",
				      w->old ? "DELETE" : "CREATE");
	if (!is_on_node(w, w->old))
		return forbid_node(w, "can only update pod status for pods with spec.nodeName set "
				      "to itself");
	if (!is_same_at(w, "metadata.labels"))
		return forbid_node(w, "cannot update labels through pod status");
	if (!is_same_at(w, "status.resourceClaimStatuses"))
		return forbid_node(w, "cannot update resource claim statues");
	if (!is_same_at(w, "status.extendedResourceClaimStatus"))
		return forbid_node(w, "cannot update extended resource claim status");
	return STEP_NEXT;
}

static enum step on_pod(const struct node_write *w)
{
	struct str sub = w->r->route.subresource;
	if (str_is(sub, "status"))
		return pod_status(w);
	if (str_is(sub, "eviction"))
		return is_on_node(w, w->old)
			       ? STEP_NEXT
			       : request_forbid(
					 w->r, w->name,
					 "node %.*s can only evict pods with spec.nodeName set to "
					 "itself",
					 STR_FMT(w->node));
	if (sub.len)
		return request_forbid(
			w->r, w->name,
			"unexpected pod subresource \"%.*s\", only 'status' and 'eviction' "
			"are allowed",
			STR_FMT(sub));
	if (!w->old)
		return pod_create(w);
	if (w->tree)
		return request_forbid(
			w->r, w->name,
			"unexpected operation \"UPDATE\", node \"%.*s\" can only create and "
			"delete mirror pods",
			STR_FMT(w->node));
	return is_on_node(w, w->old)
		       ? STEP_NEXT
		       : forbid_node(w, "can only delete pods with spec.nodeName set to itself");
}

/* ---- nodes ---- */

static bool is_domain(struct str key_domain, const char *domain)
{
	size_t len = strlen(domain);
	return str_has_suffix(key_domain, str_of(domain)) &&
	       (key_domain.len == len || key_domain.at[key_domain.len - len - 1] == '.');
}

/* Labels by which a node could draw to itself what is meant for others. */
static bool is_forbidden_label(struct str key)
{
	static const char *const own[] = {
		"kubernetes.io/hostname",
		"kubernetes.io/arch",
		"kubernetes.io/os",
		"beta.kubernetes.io/arch",
		"beta.kubernetes.io/os",
		"beta.kubernetes.io/instance-type",
		"topology.kubernetes.io/zone",
		"topology.kubernetes.io/region",
		"failure-domain.beta.kubernetes.io/zone",
		"failure-domain.beta.kubernetes.io/region",
	};
	struct str domain, name;
	if (!str_cut(key, '/', &domain, &name))
		return false;
	if (is_domain(domain, "node-restriction.kubernetes.io"))
		return true;
	if (!is_domain(domain, "kubernetes.io") && !is_domain(domain, "k8s.io"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (str_is(key, own[i]))
			return false;
	return !is_domain(domain, "kubelet.kubernetes.io") &&
	       !is_domain(domain, "node.kubernetes.io");
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static size_t add_changed(const struct json *of, const struct json *other, bool wants_absent,
			  struct str *list, size_t count)
{
	for (size_t i = 0; i < json_count(of); i++) {
		struct str key = of->object.members[i].key;
		const struct json *there = json_get(other, key);
		bool is_changed =
			wants_absent ? !there
				     : !there || !json_equal(there, of->object.members[i].value);
		if (is_changed && is_forbidden_label(key))
			list[count++] = key;
	}
	return count;
}

/* Those that differ and must not, as upstream lists them; absent when there are none. */
static struct str forbidden_labels(const struct node_write *w)
{
	struct arena *a = &w->r->arena;
	const struct json *before = json_path(w->old, "metadata.labels"),
			  *now = json_path(w->tree, "metadata.labels");
	struct str *list = ARENA_ARRAY(a, struct str, json_count(before) + json_count(now) + 1);
	size_t count = add_changed(now, before, false, list, 0);
	count = add_changed(before, now, true, list, count);
	qsort(list, count, sizeof(list[0]), by_text);
	struct str text = {};
	for (size_t i = 0; i < count; i++)
		text = arena_printf(a, "%.*s%s%.*s", STR_FMT(text), i ? ", " : "",
				    STR_FMT(list[i]));
	return text;
}

static enum step node_create(const struct node_write *w)
{
	struct str labels = forbidden_labels(w);
	if (!is_same(NULL, json_path(w->tree, "spec.configSource")))
		return forbid_node(w, "is not allowed to create pods with a non-nil configSource");
	if (!is_same(NULL, json_path(w->tree, "metadata.ownerReferences")))
		return forbid_node(w, "is not allowed to set ownerReferences");
	if (labels.len)
		return request_forbid(
			w->r, w->name,
			"node \"%.*s\" is not allowed to set the following labels: %.*s",
			STR_FMT(w->node), STR_FMT(labels));
	return STEP_NEXT;
}

static enum step node_update(const struct node_write *w)
{
	const struct json *source = json_path(w->tree, "spec.configSource");
	struct str labels = forbidden_labels(w);
	if (!is_same(NULL, source) && !is_same_at(w, "spec.configSource"))
		return forbid_node(w, "is not allowed to update configSource to a new non-nil "
				      "configSource");
	if (!is_same_at(w, "spec.taints"))
		return forbid_node(w, "is not allowed to modify taints");
	if (!is_same_at(w, "metadata.ownerReferences"))
		return forbid_node(w, "is not allowed to modify ownerReferences");
	if (labels.len)
		return request_forbid(w->r, w->name, "is not allowed to modify labels: %.*s",
				      STR_FMT(labels));
	return STEP_NEXT;
}

static enum step on_node(const struct node_write *w)
{
	if (!str_eq(w->name, w->node))
		return request_forbid(w->r, w->name,
				      "node \"%.*s\" is not allowed to modify node \"%.*s\"",
				      STR_FMT(w->node), STR_FMT(w->name));
	if (!w->old)
		return node_create(w);
	return w->tree ? node_update(w) : STEP_NEXT;
}

/* ---- other kinds ---- */

/* The volume grew: that is all a node may tell of a claim. */
static enum step on_claim(const struct node_write *w)
{
	static const char *const told[] = {"capacity", "conditions", "allocatedResources",
					   "allocatedResourceStatuses"};
	struct arena *a = &w->r->arena;
	if (!str_is(w->r->route.subresource, "status") || !w->old || !w->tree)
		return request_forbid(w->r, w->name, "may only update PVC status");
	struct json *old = json_copy(a, w->old), *tree = json_copy(a, w->tree);
	struct json *both[] = {old, tree};
	for (size_t k = 0; k < ARRAY_LEN(both); k++) {
		struct json *status = json_need_object(a, both[k], STR("status")),
			    *meta = json_need_object(a, both[k], STR("metadata"));
		for (size_t i = 0; i < ARRAY_LEN(told); i++)
			json_remove(status, str_of(told[i]));
		json_remove(meta, STR("managedFields"));
		json_remove(meta, STR("resourceVersion"));
	}
	return json_equal(old, tree) ? STEP_NEXT
				     : forbid_node(w, "is not allowed to update fields other than "
						      "status.capacity and status.conditions");
}

static enum step on_lease(const struct node_write *w)
{
	if (!str_is(w->r->route.namespace, NODE_LEASE_NAMESPACE))
		return request_forbid(w->r, w->name,
				      "can only access leases in the \"" NODE_LEASE_NAMESPACE
				      "\" system namespace");
	return str_eq(w->name, w->node)
		       ? STEP_NEXT
		       : request_forbid(w->r, w->name,
					"can only access node lease with the same name "
					"as the requesting node");
}

static enum step on_csi_node(const struct node_write *w)
{
	return str_eq(w->name, w->node)
		       ? STEP_NEXT
		       : request_forbid(w->r, w->name,
					"can only access CSINode with the same name as "
					"the requesting node");
}

static enum step on_slice(const struct node_write *w)
{
	const struct json *slices[] = {w->old, w->tree};
	const char *verb = !w->old ? "create" : !w->tree ? "delete" : "update";
	for (size_t i = 0; i < ARRAY_LEN(slices); i++)
		if (slices[i] && !str_eq(json_path_str(slices[i], "spec.nodeName"), w->node))
			return request_forbid(
				w->r, w->name,
				"can only %s ResourceSlice with the same NodeName as the "
				"requesting node",
				verb);
	return STEP_NEXT;
}

static const struct {
	uint16_t kind;
	enum step (*run)(const struct node_write *w);
} kinds[] = {
	{KIND_POD, on_pod},
	{KIND_NODE, on_node},
	{KIND_PERSISTENT_VOLUME_CLAIM, on_claim},
	{KIND_LEASE, on_lease},
	{KIND_CSI_NODE, on_csi_node},
	{KIND_RESOURCE_SLICE, on_slice},
};

enum step node_who_writes(struct request *r, struct str *ret_node)
{
	*ret_node = (struct str){};
	if (!user_is_node(&r->user, ret_node) || ret_node->len)
		return STEP_NEXT;
	return request_forbid(r, r->route.name, "could not determine node from user \"%.*s\"",
			      STR_FMT(r->user.name));
}

enum step node_restriction(struct request *r, const struct json *old, struct json *tree)
{
	struct node_write w = {.r = r, .name = r->route.name, .old = old, .tree = tree};
	if (node_who_writes(r, &w.node) == STEP_DONE)
		return STEP_DONE;
	if (w.name.len == 0)
		w.name = json_path_str(tree, "metadata.name");
	for (size_t i = 0; w.node.len && i < ARRAY_LEN(kinds); i++)
		if (kinds[i].kind == r->route.kind->stored_id)
			return kinds[i].run(&w);
	return STEP_NEXT;
}
