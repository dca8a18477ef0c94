#include "api/api_ids.h"
#include "api/convert.h"
#include "api/defaults.h"
#include "api/empty_lists.h"
#include "api/gates.h"
#include "api/managed_fields.h"
#include "api/validate.h"
#include "server/admission.h"
#include "server/allocator.h"
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

static bool lacks_revision(const struct request *r)
{
	struct str revision = json_path_str(r->tree, "metadata.resourceVersion");
	bool is_asked = r->exchange && (r->route.verb == DO_UPDATE || r->route.verb == DO_PATCH);
	return is_asked && r->route.kind->needs_revision &&
	       (!revision.len || str_is(revision, "0"));
}

static enum step refuse_unconditional(struct request *r)
{
	struct field_errors errors = {.arena = &r->arena};
	field_error_add(&errors, FIELD_ERROR_INVALID, STR("metadata.resourceVersion"),
			json_int(&r->arena, 0), "must be specified for an update");
	return request_invalid(r, r->route.kind->group, r->route.kind->plural, r->route.name,
			       &errors);
}

enum step write_change(struct request *r, struct object *old, struct json *old_tree)
{
	struct arena *a = &r->arena;
	const struct api_kind *storage = write_storage_kind(r);
	struct field_errors errors = {.arena = a};
	if (lacks_revision(r))
		return refuse_unconditional(r);
	api_default(a, r->route.kind, r->tree);
	if (!r->has_managers)
		managed_update(a, r->route.kind, converted(r, storage, r->route.kind, old_tree),
			       r->tree, write_manager(r), r->route.subresource, world_wall_us());
	struct json *tree = converted(r, r->route.kind, storage, r->tree);
	write_meta_owners(r, tree, true); /* also of what is refused from here on */
	if (!write_meta_update(r, old, old_tree, tree))
		return STEP_DONE;
	api_drop_gated(api_type(api_builtin(), storage->type), tree, old_tree);
	api_prepare_update(a, storage, old_tree, tree, arena_cstr(a, r->route.subresource),
			   world_wall_us());
	if (admit(r, ADMIT_UPDATE, old_tree, tree) == STEP_DONE)
		return STEP_DONE;
	if (allocator_assign(r->server->allocator, r, old_tree, tree, &errors) == RC_OK)
		api_validate_update(r->route.kind, old_tree, tree,
				    arena_cstr(a, r->route.subresource), &errors);
	if (errors.count) {
		allocator_release(r->server->allocator, r);
		return request_invalid(r, storage->group, storage->kind, old->name, &errors);
	}
	write_warn(r, old_tree, tree);
	if (admit(r, ADMIT_JUDGE_UPDATE, old_tree, tree) == STEP_DONE) {
		allocator_release(r->server->allocator, r);
		return STEP_DONE;
	}
	api_empty_lists_to_null(a, api_type(api_builtin(), storage->type), tree);
	if (is_same(old_tree, tree) && managed_equal(old_tree, tree))
		return unchanged(r, old);
	return write_commit(r, tree, old, 200);
}

/* Kinds that an update may bring into being. */
static bool allows_create_on_update(const struct api_kind *kind)
{
	static const char *const plurals[] = {
		"endpoints",	      "events",		"leases", "limitranges",  "podtemplates",
		"services",	      "runtimeclasses", "roles",  "rolebindings", "clusterroles",
		"clusterrolebindings"};
	for (size_t i = 0; i < ARRAY_LEN(plurals); i++)
		if (str_is(kind->plural, plurals[i]))
			return true;
	return false;
}

bool write_check_name(struct request *r)
{
	struct str name = json_path_str(r->tree, "metadata.name");
	if (str_eq(name, r->route.name))
		return true;
	if (!name.len)
		request_fail(r, RC_BAD_REQUEST,
			     "the name of the object (%.*s based on URL) was undeterminable: name "
			     "must be provided",
			     STR_FMT(r->route.name));
	else
		request_fail(
			r, RC_BAD_REQUEST,
			"the name of the object (%.*s) does not match the name on the URL (%.*s)",
			STR_FMT(name), STR_FMT(r->route.name));
	return false;
}

bool write_check_identity(struct request *r)
{
	return write_meta_namespace(r, r->tree) && write_check_name(r);
}

enum step write_update(struct request *r)
{
	if (!write_check_identity(r))
		return STEP_DONE;
	write_meta_owners(r, r->tree, false);
	struct object *old = write_current(r);
	if (!old) {
		bool is_new = !r->route.sub && allows_create_on_update(r->route.kind) &&
			      json_path_str(r->tree, "metadata.resourceVersion").len == 0;
		return is_new ? write_create(r)
			      : request_not_found(r, r->route.kind, r->route.name);
	}
	return write_change(r, old, object_tree(&r->arena, old));
}
