#include "api/api_ids.h"
#include "api/convert.h"
#include "api/defaults.h"
#include "api/gates.h"
#include "api/managed_fields.h"
#include "api/strategic.h"
#include "api/validate.h"
#include "codec/patch.h"
#include "server/admission.h"
#include "server/allocator.h"
#include "server/decode.h"
#include "server/encode.h"
#include "server/server.h"
#include "server/write.h"

static struct json *converted(struct request *r, const struct api_kind *from,
			      const struct api_kind *to, struct json *tree)
{
	return from == to ? tree : convert_tree(&r->arena, from, to, tree);
}

static bool is_among(struct str key, const char *const *names)
{
	for (; *names; names++)
		if (str_is(key, *names))
			return true;
	return false;
}

/* Every member of a but those named is in b and equal. */
static bool is_within(const struct json *a, const struct json *b, const char *const *but)
{
	for (size_t i = 0; i < json_count(a); i++) {
		struct str key = a->object.members[i].key;
		if (!is_among(key, but) &&
		    !json_equal(a->object.members[i].value, json_get(b, key)))
			return false;
	}
	return true;
}

/* The objects differ in nothing but what every write touches. */
static bool is_same(const struct json *a, const struct json *b)
{
	static const char *const touched[] = {"managedFields", "resourceVersion", NULL};
	static const char *const metadata[] = {"metadata", NULL};
	const struct json *am = json_get(a, STR("metadata")), *bm = json_get(b, STR("metadata"));
	return is_within(am, bm, touched) && is_within(bm, am, touched) &&
	       is_within(a, b, metadata) && is_within(b, a, metadata);
}

/* Nothing changed: the reply is the object as it is, and nobody hears of it. */
static enum step unchanged(struct request *r, struct object *old)
{
	r->reply.object = object_ref(old);
	r->reply.status = 200;
	return STEP_DONE;
}

enum step write_change(struct request *r, struct object *old, struct json *old_tree)
{
	struct arena *a = &r->arena;
	const struct api_kind *storage = write_storage_kind(r);
	struct field_errors errors = {.arena = a};
	api_default(a, r->route.kind, r->tree);
	if (r->patch_type != PATCH_APPLY)
		managed_update(a, r->route.kind, converted(r, storage, r->route.kind, old_tree),
			       r->tree, write_manager(r), r->route.subresource, world_wall_us());
	struct json *tree = converted(r, r->route.kind, storage, r->tree);
	if (!write_meta_update(r, old, old_tree, tree))
		return STEP_DONE;
	api_prepare_update(a, storage, old_tree, tree, arena_cstr(a, r->route.subresource),
			   world_wall_us());
	api_drop_gated(api_type(api_builtin(), storage->type), tree, old_tree);
	if (admit(r, ADMIT_UPDATE, old_tree, tree) == STEP_DONE)
		return STEP_DONE;
	api_validate_update(r->route.kind, old_tree, tree, arena_cstr(a, r->route.subresource),
			    &errors);
	if (errors.count ||
	    allocator_assign(r->server->allocator, r, old_tree, tree, &errors) != RC_OK)
		return request_invalid(r, r->route.kind->group, r->route.kind->kind, old->name,
				       &errors);
	if (!r->route.sub)
		write_warn(r, old_tree, tree);
	if (is_same(old_tree, tree) &&
	    !(r->patch_type == PATCH_APPLY && !managed_equal(old_tree, tree)))
		return unchanged(r, old);
	return write_commit(r, tree, old, 200);
}

/* Kinds that an update may bring into being. */
static bool allows_create_on_update(const struct api_kind *kind)
{
	static const char *const plurals[] = {
		"endpoints",	"events",	"leases",	  "limitranges",
		"podtemplates", "services",	"runtimeclasses", "priorityclasses",
		"roles",	"rolebindings", "clusterroles",	  "clusterrolebindings"};
	for (size_t i = 0; i < ARRAY_LEN(plurals); i++)
		if (str_is(kind->plural, plurals[i]))
			return true;
	return false;
}

bool write_check_name(struct request *r)
{
	struct json *meta = json_need_object(&r->arena, r->tree, STR("metadata"));
	struct str name = json_path_str(meta, "name");
	if (!str_eq(name, r->route.name)) {
		request_fail(
			r, RC_BAD_REQUEST,
			"the name of the object (%.*s) does not match the name on the URL (%.*s)",
			STR_FMT(name), STR_FMT(r->route.name));
		return false;
	}
	return true;
}

/* Kinds whose updates must say what they are based on. */
static bool needs_revision(const struct request *r)
{
	static const uint16_t kinds[] = {KIND_CUSTOM_RESOURCE_DEFINITION,
					 KIND_API_SERVICE,
					 KIND_LEASE,
					 KIND_RUNTIME_CLASS,
					 KIND_POD_DISRUPTION_BUDGET,
					 KIND_CSI_DRIVER,
					 KIND_VOLUME_ATTACHMENT};
	for (size_t i = 0; r->exchange && i < ARRAY_LEN(kinds); i++)
		if (r->route.kind->stored_id == kinds[i])
			return true;
	return false;
}

static enum step refuse_unconditional(struct request *r)
{
	struct field_errors errors = {.arena = &r->arena};
	field_error_add(&errors, FIELD_ERROR_INVALID, STR("metadata.resourceVersion"),
			json_int(&r->arena, 0), "must be specified for an update");
	return request_invalid(r, r->route.kind->group, r->route.kind->plural, r->route.name,
			       &errors);
}

enum step write_update(struct request *r)
{
	if (!write_check_name(r) || !write_meta_namespace(r, r->tree))
		return STEP_DONE;
	struct object *old = write_current(r);
	if (!old) {
		bool is_new = !r->route.sub && allows_create_on_update(r->route.kind) &&
			      json_path_str(r->tree, "metadata.resourceVersion").len == 0;
		return is_new ? write_create(r)
			      : request_not_found(r, r->route.kind, r->route.name);
	}
	if (json_path_str(r->tree, "metadata.resourceVersion").len == 0 && needs_revision(r))
		return refuse_unconditional(r);
	return write_change(r, old, object_tree(&r->arena, old));
}

/* ---- patches ---- */

static enum step patched(struct request *r, struct object *old, struct json *before,
			 struct json *after)
{
	struct decoded d = {.parsed = after, .patch = r->tree};
	struct err err;
	const struct api_type *type = api_type(api_builtin(), r->route.kind->type);
	if (api_normalise(&r->arena, type, after, &d.unknown, &r->tree, &err) != RC_OK)
		return request_fail_err(r, &err);
	if (decode_report(r, &d) == STEP_DONE)
		return STEP_DONE;
	const struct api_kind *storage = write_storage_kind(r);
	return write_change(r, old, converted(r, r->route.kind, storage, before));
}

static enum rc apply_patch(struct request *r, struct json *before, struct json **ret_after,
			   struct field_errors *errors, struct err *err)
{
	struct arena *a = &r->arena;
	*ret_after = before;
	switch (r->patch_type) {
	case PATCH_JSON:
		return json_patch_apply(a, ret_after, r->tree, err);
	case PATCH_STRATEGIC:
		return strategic_merge(a, api_type(api_builtin(), r->route.kind->type), before,
				       json_copy(a, r->tree), ret_after, errors, err);
	default:
		return merge_patch_apply(a, ret_after, r->tree, err);
	}
}

/* A JSON patch that cannot be applied is Invalid without causes, as upstream has it. */
static enum step patch_refused(struct request *r, struct object *old,
			       const struct field_errors *errors, const struct err *err)
{
	if (errors->count)
		return request_invalid(r, r->route.kind->group, r->route.kind->kind, old->name,
				       errors);
	if (err->rc != RC_INVALID)
		return request_fail_err(r, err);
	request_fail(r, RC_INVALID, PATCH_REJECTED);
	json_set(&r->arena, r->reply.tree, STR("details"), json_object(&r->arena));
	return STEP_DONE;
}

static enum step apply_conflict(struct request *r, const struct managed_conflicts *conflicts,
				const struct err *err)
{
	struct arena *a = &r->arena;
	struct json *details = json_object(a), *causes = json_array(a);
	for (size_t i = 0; i < conflicts->count; i++) {
		struct json *cause = json_object(a);
		json_set_str(a, cause, STR("reason"), STR("FieldManagerConflict"));
		json_set(
			a, cause, STR("message"),
			json_printf(a, "conflict with %.*s", STR_FMT(conflicts->items[i].manager)));
		json_set_str(a, cause, STR("field"), conflicts->items[i].field);
		json_append(a, causes, cause);
	}
	json_set(a, details, STR("causes"), causes);
	request_fail_err(r, err);
	json_set(a, r->reply.tree, STR("details"), details);
	return STEP_DONE;
}

static enum step write_apply(struct request *r)
{
	struct arena *a = &r->arena;
	struct object *old = write_current(r);
	struct json *live = old ? served_tree(a, r->route.kind, old) : NULL;
	struct managed_conflicts conflicts = {};
	struct json *after;
	struct err err;
	enum rc rc = managed_apply(a, r->route.kind, live, r->tree, r->options.field_manager,
				   r->options.is_force, r->route.subresource, world_wall_us(),
				   &after, &conflicts, &err);
	if (rc == RC_CONFLICT)
		return apply_conflict(r, &conflicts, &err);
	if (rc != RC_OK)
		return request_fail_err(r, &err);
	r->tree = after;
	if (!old)
		return r->route.sub ? request_not_found(r, r->route.kind, r->route.name)
				    : write_create(r);
	return write_change(
		r, old, converted(r, r->route.kind, write_storage_kind(r), object_tree(a, old)));
}

enum step write_patch(struct request *r)
{
	if (r->patch_type == PATCH_APPLY)
		return write_apply(r);
	struct object *old = write_current(r);
	if (!old)
		return request_not_found(r, r->route.kind, r->route.name);
	struct json *before = served_tree(&r->arena, r->route.kind, old);
	struct field_errors errors = {.arena = &r->arena};
	struct json *after;
	struct err err;
	if (apply_patch(r, json_copy(&r->arena, before), &after, &errors, &err) != RC_OK)
		return patch_refused(r, old, &errors, &err);
	return patched(r, old, before, after);
}
