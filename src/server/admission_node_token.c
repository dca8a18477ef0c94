/* Tokens that a node asks for: of its own pods' accounts, for audiences that they name. */
#include "api/api_ids.h"
#include "server/admission_node.h"
#include "server/server.h"

static bool driver_wants(struct request *r, struct str driver, struct str audience)
{
	struct object *o =
		snapshot_get(request_snapshot(r), KIND_CSI_DRIVER, (struct str){}, driver);
	struct json *list = o ? json_path(object_tree(&r->arena, o), "spec.tokenRequests") : NULL;
	for (size_t i = 0; i < json_count(list); i++)
		if (str_eq(json_path_str(json_at(list, i), "audience"), audience))
			return true;
	return false;
}

/* Does a volume of the pod ask for a token of that audience? */
static bool pod_wants(struct request *r, const struct json *pod, struct str audience)
{
	const struct json *volumes = json_path(pod, "spec.volumes");
	for (size_t i = 0; i < json_count(volumes); i++) {
		const struct json *sources = json_path(json_at(volumes, i), "projected.sources");
		struct str driver = json_path_str(json_at(volumes, i), "csi.driver");
		for (size_t k = 0; k < json_count(sources); k++) {
			const struct json *token =
				json_get(json_at(sources, k), STR("serviceAccountToken"));
			if (token && str_eq(json_path_str(token, "audience"), audience))
				return true;
		}
		if (driver.len && driver_wants(r, driver, audience))
			return true;
	}
	return false;
}

static bool may_request_audience(struct request *r, struct str audience)
{
	struct attributes what = {.verb = STR("request-serviceaccounts-token-audience"),
				  .is_resource = true,
				  .group = STR(""),
				  .resource = audience,
				  .namespace = r->route.namespace,
				  .name = r->route.name};
	return authorizer_allows(r->server->authorizer, &r->user, &what);
}

static enum step check_audience(struct request *r, const struct json *pod)
{
	const struct json *list = json_path(r->tree, "spec.audiences");
	struct str audience = json_count(list) ? json_str(json_at(list, 0)) : STR("");
	if (json_count(list) > 1)
		return request_forbid(r, r->route.name, "node may only request 0 or 1 audiences");
	if (pod_wants(r, pod, audience) || may_request_audience(r, audience))
		return STEP_NEXT;
	return request_forbid(
		r, r->route.name,
		"audience \"%.*s\" not found in pod spec volume, %.*s is not authorized to "
		"request tokens for this audience",
		STR_FMT(audience), STR_FMT(r->user.name));
}

enum step node_restriction_of_token(struct request *r)
{
	struct str node;
	const struct json *ref = json_path(r->tree, "spec.boundObjectRef");
	struct str name = json_path_str(ref, "name"), uid = json_path_str(ref, "uid");
	if (node_who_writes(r, &node) == STEP_DONE)
		return STEP_DONE;
	if (node.len == 0)
		return STEP_NEXT;
	if (!str_is(json_path_str(ref, "apiVersion"), "v1") ||
	    !str_is(json_path_str(ref, "kind"), "Pod") || name.len == 0)
		return request_forbid(r, r->route.name, "node requested token not bound to a pod");
	if (uid.len == 0)
		return request_forbid(r, r->route.name,
				      "node requested token with a pod binding without a uid");
	struct object *pod = snapshot_get(request_snapshot(r), KIND_POD, r->route.namespace, name);
	if (!pod)
		return request_not_found(r, api_by_stored(api_builtin(), KIND_POD), name);
	if (!str_eq(uid, pod->uid))
		return request_forbid(
			r, r->route.name,
			"the UID in the bound object reference (%.*s) does not match the UID "
			"in record. The object might have been deleted and then recreated",
			STR_FMT(uid));
	const struct json *tree = object_tree(&r->arena, pod);
	if (!str_eq(json_path_str(tree, "spec.nodeName"), node))
		return request_forbid(
			r, r->route.name,
			"node requested token bound to a pod scheduled on a different "
			"node");
	return check_audience(r, tree);
}
