#include "server/node_authorizer.h"

#include "api/api_ids.h"

struct question {
	struct node_graph *graph;
	struct store *store;
	struct str node;
	const struct attributes *what;
	struct arena *arena;
	struct str reason;
};

static bool deny(struct question *q, const char *why)
{
	q->reason = str_of(why);
	return false;
}

static bool verb_is_in(const struct question *q, const char *list)
{
	struct str rest = str_of(list), verb;
	while (rest.len) {
		str_cut(rest, ' ', &verb, &rest);
		if (str_eq(verb, q->what->verb))
			return true;
	}
	return false;
}

/* Does a selector fix the field to this node? */
static bool selects_node(const struct question *q, const char *field)
{
	return q->what->fields && str_eq(field_selector_exact(q->what->fields, field), q->node);
}

/* ---- relations ---- */

static bool object_names_node(const struct question *q, uint16_t kind, const char *path)
{
	CLEANUP_ARENA a = {};
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(q->store);
	struct object *o = snapshot_get(s, kind, q->what->namespace, q->what->name);
	return o && str_eq(json_path_str(object_tree(&a, o), path), q->node);
}

static bool refers(const struct question *q, enum pod_reference kind)
{
	return node_graph_has(q->graph, q->node, kind, q->what->namespace, q->what->name);
}

static bool has_secret(const struct question *q)
{
	return refers(q, POD_SECRET) ||
	       node_graph_has_volume_secret(q->graph, q->node, q->what->namespace, q->what->name);
}

static bool has_config_map(const struct question *q)
{
	return refers(q, POD_CONFIG_MAP);
}

static bool has_claim(const struct question *q)
{
	return refers(q, POD_VOLUME_CLAIM);
}

static bool has_resource_claim(const struct question *q)
{
	return refers(q, POD_RESOURCE_CLAIM);
}

static bool has_account(const struct question *q)
{
	return refers(q, POD_SERVICE_ACCOUNT);
}

static bool has_volume(const struct question *q)
{
	return node_graph_has_volume(q->graph, q->node, q->what->name);
}

static bool has_pod(const struct question *q)
{
	return object_names_node(q, KIND_POD, "spec.nodeName");
}

static bool has_attachment(const struct question *q)
{
	return object_names_node(q, KIND_VOLUME_ATTACHMENT, "spec.nodeName");
}

static bool has_slice(const struct question *q)
{
	return object_names_node(q, KIND_RESOURCE_SLICE, "spec.nodeName");
}

static bool need_relation(struct question *q, bool (*is_related)(const struct question *q))
{
	if (q->what->name.len == 0)
		return deny(q, "No Object name found");
	if (is_related(q))
		return true;
	q->reason = arena_printf(q->arena,
				 "no relationship found between node '%.*s' and this object",
				 STR_FMT(q->node));
	return false;
}

static bool may_get(struct question *q, bool (*is_related)(const struct question *q))
{
	if (!verb_is_in(q, "get"))
		return deny(q, "can only get individual resources of this type");
	if (q->what->subresource.len)
		return deny(q, "cannot get subresource");
	return need_relation(q, is_related);
}

static bool may_read(struct question *q, bool (*is_related)(const struct question *q))
{
	if (!verb_is_in(q, "get list watch"))
		return deny(q, "can only read resources of this type");
	if (q->what->subresource.len)
		return deny(q, "cannot read subresource");
	if (q->what->namespace.len == 0)
		return deny(q, "can only read namespaced object of this type");
	return need_relation(q, is_related);
}

/* ---- kinds ---- */

static bool on_secret(struct question *q)
{
	return may_read(q, has_secret);
}

static bool on_config_map(struct question *q)
{
	return may_read(q, has_config_map);
}

static bool on_claim(struct question *q)
{
	if (!str_is(q->what->subresource, "status"))
		return may_get(q, has_claim);
	if (!verb_is_in(q, "update patch"))
		return deny(q, "can only get/update/patch this type");
	return need_relation(q, has_claim);
}

static bool on_volume(struct question *q)
{
	return may_get(q, has_volume);
}

static bool on_resource_claim(struct question *q)
{
	return may_get(q, has_resource_claim);
}

static bool on_attachment(struct question *q)
{
	return may_get(q, has_attachment);
}

static bool on_account(struct question *q)
{
	if (verb_is_in(q, "get") && q->what->subresource.len == 0)
		return need_relation(q, has_account);
	if (!verb_is_in(q, "create") || q->what->name.len == 0)
		return deny(q, "can only create tokens for individual service accounts");
	if (!str_is(q->what->subresource, "token"))
		return deny(q, "can only create token subresource of serviceaccount");
	return need_relation(q, has_account);
}

/* The name of what is created is not known yet: admission looks at it. */
static bool is_own(const struct question *q)
{
	return verb_is_in(q, "create") || str_eq(q->what->name, q->node);
}

static bool on_lease(struct question *q)
{
	if (!verb_is_in(q, "get create update patch delete"))
		return deny(q, "can only get, create, update, patch, or delete a node lease");
	if (!str_is(q->what->namespace, NODE_LEASE_NAMESPACE))
		return deny(q, "can only access leases in the \"" NODE_LEASE_NAMESPACE
			       "\" system namespace");
	return is_own(q) || deny(q, "can only access node lease with the same name as the "
				    "requesting node");
}

static bool on_csi_node(struct question *q)
{
	if (!verb_is_in(q, "get create update patch delete"))
		return deny(q, "can only get, create, update, patch, or delete a CSINode");
	if (q->what->subresource.len)
		return deny(q, "cannot authorize CSINode subresources");
	return is_own(q) ||
	       deny(q, "can only access CSINode with the same name as the requesting node");
}

static bool on_slice(struct question *q)
{
	if (q->what->subresource.len)
		return deny(q, "cannot authorize ResourceSlice subresources");
	if (verb_is_in(q, "create"))
		return true;
	if (verb_is_in(q, "get update patch delete"))
		return need_relation(q, has_slice);
	if (!verb_is_in(q, "watch list deletecollection"))
		return deny(q, "only the following verbs are allowed for a ResourceSlice: get, "
			       "watch, list, create, update, patch, delete, deletecollection");
	return selects_node(q, "spec.nodeName") ||
	       deny(q, "can only list/watch/deletecollection resourceslices with nodeName field "
		       "selector");
}

static bool on_node(struct question *q)
{
	if (str_is(q->what->subresource, "status"))
		return verb_is_in(q, "update patch");
	if (q->what->subresource.len)
		return false;
	if (verb_is_in(q, "create update patch"))
		return true;
	if (!verb_is_in(q, "get list watch"))
		return false;
	if (str_eq(q->what->name, q->node))
		return true;
	q->reason =
		q->what->name.len
			? arena_printf(q->arena,
				       "node '%.*s' cannot read '%.*s', only its own Node object",
				       STR_FMT(q->node), STR_FMT(q->what->name))
			: arena_printf(q->arena,
				       "node '%.*s' cannot read all nodes, only its own Node "
				       "object",
				       STR_FMT(q->node));
	return false;
}

static bool on_pod(struct question *q)
{
	if (str_is(q->what->subresource, "status"))
		return verb_is_in(q, "update patch");
	if (str_is(q->what->subresource, "eviction"))
		return verb_is_in(q, "create");
	if (q->what->subresource.len)
		return false;
	if (verb_is_in(q, "create delete"))
		return true;
	if (verb_is_in(q, "get"))
		return may_get(q, has_pod);
	if (!verb_is_in(q, "list watch"))
		return false;
	if (selects_node(q, "spec.nodeName"))
		return true;
	if (q->what->name.len)
		return need_relation(q, has_pod);
	return deny(q, "can only list/watch pods with spec.nodeName field selector");
}

static const struct {
	const char *group, *resource;
	bool (*allows)(struct question *q);
} kinds[] = {
	{"", "secrets", on_secret},
	{"", "configmaps", on_config_map},
	{"", "persistentvolumeclaims", on_claim},
	{"", "persistentvolumes", on_volume},
	{"", "serviceaccounts", on_account},
	{"", "nodes", on_node},
	{"", "pods", on_pod},
	{"coordination.k8s.io", "leases", on_lease},
	{"resource.k8s.io", "resourceclaims", on_resource_claim},
	{"resource.k8s.io", "resourceslices", on_slice},
	{"storage.k8s.io", "csinodes", on_csi_node},
	{"storage.k8s.io", "volumeattachments", on_attachment},
};

/* What every node may do alike. */
static const struct {
	const char *group, *resource, *verbs;
} rights[] = {
	{"", "services", "get list watch"},
	{"", "endpoints", "get"},
	{"", "events", "create patch update"},
	{"events.k8s.io", "events", "create patch update"},
	{"authentication.k8s.io", "tokenreviews", "create"},
	{"authorization.k8s.io", "localsubjectaccessreviews", "create"},
	{"authorization.k8s.io", "subjectaccessreviews", "create"},
	{"certificates.k8s.io", "certificatesigningrequests", "create get list watch"},
	{"node.k8s.io", "runtimeclasses", "get list watch"},
	{"storage.k8s.io", "csidrivers", "get list watch"},
};

static bool has_right(const struct question *q)
{
	for (size_t i = 0; i < ARRAY_LEN(rights); i++)
		if (str_is(q->what->group, rights[i].group) &&
		    str_is(q->what->resource, rights[i].resource) &&
		    q->what->subresource.len == 0 && verb_is_in(q, rights[i].verbs))
			return true;
	return false;
}

static bool decide(struct question *q)
{
	if (!q->what->is_resource)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_is(q->what->group, kinds[i].group) &&
		    str_is(q->what->resource, kinds[i].resource))
			return kinds[i].allows(q);
	return has_right(q);
}

bool node_authorizer_allows(struct node_graph *graph, struct store *store, struct str node,
			    const struct attributes *what, struct arena *a, struct str *ret_reason)
{
	struct question q = {graph, store, node, what, a, STR("")};
	bool is_allowed = decide(&q);
	*ret_reason = is_allowed ? STR("") : q.reason;
	return is_allowed;
}

bool user_is_node(const struct user *user, struct str *ret_node)
{
	static const struct str prefix = STR_INIT("system:node:");
	if (!str_has_prefix(user->name, prefix) || !user_is_in(user, STR("system:nodes")))
		return false;
	*ret_node = str_skip(user->name, prefix.len);
	return true;
}
