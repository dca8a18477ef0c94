#include "api/api_ids.h"
#include "api/convert.h"
#include "api/defaults.h"
#include "api/empty_lists.h"
#include "api/gates.h"
#include "api/managed_fields.h"
#include "api/validate.h"
#include "server/admission.h"
#include "server/admission_certificates.h"
#include "server/admission_devices.h"
#include "server/allocator.h"
#include "server/encode.h"
#include "server/server.h"
#include "server/write.h"

static struct json *to_storage(struct request *r, struct json *tree)
{
	const struct api_kind *storage = write_storage_kind(r);
	return storage == r->route.kind ? tree
					: convert_tree(&r->arena, r->route.kind, storage, tree);
}

static enum step refuse_existing(struct request *r, const struct object *there)
{
	request_already_exists(r, r->route.kind, there->name);
	if (there->is_deleting)
		json_set(&r->arena, r->reply.tree, STR("message"),
			 json_printf(&r->arena, "object is being deleted: %.*s",
				     STR_FMT(json_path_str(r->reply.tree, "message"))));
	return STEP_DONE;
}

/* A revision is given, never taken; upstream's store says so, without a reason. */
static enum step refuse_revision(struct request *r)
{
	request_fail(r, RC_INTERNAL, "resourceVersion should not be set on objects to be created");
	json_remove(r->reply.tree, STR("reason"));
	return STEP_DONE;
}

static bool has_revision(const struct request *r)
{
	int64_t revision;
	return r->route.verb == DO_CREATE && !r->options.is_dry_run &&
	       str_to_i64(json_path_str(r->tree, "metadata.resourceVersion"), &revision) &&
	       revision != 0;
}

/* What is not stored gets no revision, so a dry run shows the one that was sent. */
static void show_sent_revision(struct request *r, struct str revision)
{
	if (!r->reply.object || !r->options.is_dry_run || !revision.len ||
	    r->output.shape != AS_OBJECT)
		return;
	/* Strings too: the object goes. */
	struct json *tree =
		json_copy(&r->arena, served_tree(&r->arena, r->route.kind, r->reply.object));
	json_set_str(&r->arena, json_need_object(&r->arena, tree, STR("metadata")),
		     STR("resourceVersion"), revision);
	object_unref(TAKE_PTR(r->reply.object));
	r->reply.tree = tree;
	r->reply.tree_kind = r->route.kind;
}

/* STEP_DONE: refused; addresses and ports that were assigned are the caller's to release. */
static enum step judge(struct request *r, const struct api_kind *storage, struct json *tree,
		       bool is_revised)
{
	struct field_errors errors = {.arena = &r->arena};
	struct str name = json_path_str(tree, "metadata.name");
	check_admin_access(r, tree, &errors);
	if (allocator_assign(r->server->allocator, r, NULL, tree, &errors) == RC_OK)
		api_validate_create(r->route.kind, tree, &errors);
	if (errors.count)
		return request_invalid(r, storage->group, storage->kind, name, &errors);
	write_warn(r, NULL, tree);
	if (admit(r, ADMIT_JUDGE_CREATE, NULL, tree) == STEP_DONE)
		return STEP_DONE;
	if (is_revised)
		return refuse_revision(r);
	struct object *there = store_pending_get(r->server->store, storage->stored_id,
						 json_path_str(tree, "metadata.namespace"), name);
	return there ? refuse_existing(r, there) : STEP_NEXT;
}

enum step write_create(struct request *r)
{
	struct arena *a = &r->arena;
	const struct api_kind *storage = write_storage_kind(r);
	bool is_revised = has_revision(r);
	struct str revision = json_path_str(r->tree, "metadata.resourceVersion");
	if (!write_meta_create(r, r->tree))
		return STEP_DONE;
	api_default(a, r->route.kind, r->tree);
	if (r->route.verb != DO_PATCH)
		write_meta_owners(r, r->tree, false);
	/* Owned is what the client said and what its version defaults, not what admission and
	 * strategies add. */
	if (!r->has_managers)
		managed_update(a, r->route.kind, NULL, r->tree, write_manager(r),
			       r->route.subresource, world_wall_us());
	struct json *tree = to_storage(r, r->tree);
	if (admit(r, ADMIT_CREATE, NULL, tree) == STEP_DONE)
		return STEP_DONE;
	write_meta_owners(r, tree, true);
	api_default(a, storage, tree);
	write_warn_early(r, tree);
	api_prepare_create(a, storage, tree, world_wall_us());
	api_drop_gated(api_type(api_builtin(), storage->type), tree, NULL);
	if (storage->stored_id == KIND_CERTIFICATE_SIGNING_REQUEST)
		certificate_stamp(r, tree);
	if (judge(r, storage, tree, is_revised) == STEP_DONE) {
		allocator_release(r->server->allocator, r);
		return STEP_DONE;
	}
	api_empty_lists_to_null(a, api_type(api_builtin(), storage->type), tree);
	enum step step = write_commit(r, tree, NULL, 201);
	show_sent_revision(r, r->route.verb == DO_CREATE ? revision : STR(""));
	return step;
}
