#include "server/admission_devices.h"

#include "api/api_ids.h"
#include "server/server.h"
#include "server/write.h"

#define ADMIN_LABEL "resource.kubernetes.io/admin-access"

static bool is_admin_namespace(struct request *r, struct str name)
{
	struct object *o =
		store_pending_get(r->server->store, KIND_NAMESPACE, (struct str){}, name);
	const struct json *labels = o ? json_path(object_tree(&r->arena, o), "metadata.labels")
				      : NULL;
	return str_is(json_str(json_get(labels, STR(ADMIN_LABEL))), "true");
}

/* One refusal is enough, and its path is the same for a template. */
void check_admin_access(struct request *r, const struct json *tree, struct field_errors *errors)
{
	uint16_t kind = write_storage_kind(r)->stored_id;
	if (kind != KIND_RESOURCE_CLAIM && kind != KIND_RESOURCE_CLAIM_TEMPLATE)
		return;
	const struct json *list = json_path(tree, kind == KIND_RESOURCE_CLAIM
							  ? "spec.devices.requests"
							  : "spec.spec.devices.requests");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *wish = json_path(json_at(list, i), "exactly.adminAccess");
		if (!json_is_true(wish))
			continue;
		if (!is_admin_namespace(r, json_path_str(tree, "metadata.namespace")))
			field_error_add(
				errors, FIELD_ERROR_FORBIDDEN,
				FIELD_PATH(errors, "spec.devices.requests[%zu].adminAccess", i),
				NULL,
				"admin access to devices requires the `" ADMIN_LABEL
				": true` label on the containing namespace");
		return;
	}
}
