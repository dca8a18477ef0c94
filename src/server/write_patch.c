/* Patches: laid over an object, and the result judged by its type. */
#include "api/decode.h"
#include "api/managed_fields.h"
#include "api/strategic.h"
#include "codec/patch.h"
#include "server/decode.h"
#include "server/encode.h"
#include "server/server.h"
#include "server/write.h"

#define SHOWN_MAX (REQUEST_BODY_MAX * 4)

/* ---- refusals ---- */

/* A patch being laid over an object. */
struct laying {
	struct request *r;
	const struct api_kind *kind;
	const struct api_type *type;
	const struct json *before;
	const struct json *shown; /* a strategic patch without the directives that were obeyed */
	struct field_errors errors;
};

static enum rc lay(struct laying *l, struct json *before, struct json **ret_after, struct err *err);

/* What the patch made, in the order in which Go writes it. */
static void write_result(struct laying *l, struct buf *out)
{
	struct json *before, *after;
	if (api_normalise(&l->r->arena, l->type, l->before, NULL, &before, NULL) == RC_OK &&
	    lay(l, before, &after, NULL) == RC_OK)
		json_write(out, after);
}

/* A result that is no object of its type: upstream shows it, but of a strategic merge the patch. */
static enum step refuse_result(struct laying *l, struct str why)
{
	struct request *r = l->r;
	struct field_errors errors = {.arena = &r->arena};
	CLEANUP_BUF text = BUF_INIT(SHOWN_MAX);
	if (r->patch_type == PATCH_STRATEGIC)
		go_value_write(&text, l->shown);
	else
		write_result(l, &text);
	struct json *value = json_string(&r->arena, arena_str(&r->arena, buf_str(&text)));
	field_error_add(&errors, FIELD_ERROR_INVALID, STR("patch"), value, "%.*s", STR_FMT(why));
	return request_invalid(r, STR(""), STR(""), STR(""), &errors);
}

/* An operation that fails is Invalid without causes, as upstream has it. */
static enum step refuse_patch(struct request *r, const struct field_errors *errors,
			      const struct err *err)
{
	if (errors->count)
		return request_invalid(r, STR(""), STR(""), STR(""), errors);
	if (err->rc != RC_INVALID)
		return request_fail_err(r, err);
	request_fail(r, RC_INVALID, PATCH_REJECTED);
	json_set(&r->arena, r->reply.tree, STR("details"), json_object(&r->arena));
	return STEP_DONE;
}

/* ---- strict rules ---- */

static void add_unknown(struct arena *a, struct unknown_fields *unknown, struct str path)
{
	if (unknown->count >= UNKNOWN_FIELDS_MAX)
		return;
	unknown->paths = arena_grow(a, unknown->paths, unknown->count, &unknown->cap,
				    sizeof(*unknown->paths));
	unknown->paths[unknown->count++] = path;
}

/* Members of operations that no operation has. */
static struct unknown_fields unknown_members(struct arena *a, const struct json *operations)
{
	struct unknown_fields unknown = {};
	for (size_t i = 0; i < json_count(operations); i++) {
		const struct json *o = json_at(operations, i);
		for (size_t k = 0; k < json_count(o) && o->type == JSON_OBJECT; k++) {
			struct str key = o->object.members[k].key;
			if (!str_is(key, "op") && !str_is(key, "path") && !str_is(key, "from") &&
			    !str_is(key, "value"))
				add_unknown(a, &unknown,
					    arena_printf(a, "[%zu].%.*s", i, STR_FMT(key)));
		}
	}
	return unknown;
}

/* What the text of a patch says twice, and what it says that means nothing. */
static struct strict_faults faults_of_text(struct request *r)
{
	struct arena *a = &r->arena;
	const struct decoded *d = r->patch;
	struct unknown_fields unknown = {};
	bool is_list = r->patch_type == PATCH_JSON;
	if (is_list)
		unknown = unknown_members(a, d->parsed);
	struct strict_faults faults =
		api_strict_faults(a, d->parsed, &d->duplicates, &unknown, false);
	for (size_t i = 0; is_list && i < faults.count; i++)
		faults.texts[i] = arena_printf(a, "json patch %.*s", STR_FMT(faults.texts[i]));
	return faults;
}

static enum step report(struct laying *l, const struct json *after,
			const struct unknown_fields *unknown)
{
	struct request *r = l->r;
	struct arena *a = &r->arena;
	if (!r->patch || str_is(r->options.field_validation, "Ignore"))
		return STEP_NEXT;
	struct strict_faults all = faults_of_text(r);
	struct strict_faults more = api_strict_faults(a, after, NULL, unknown, false);
	struct str *texts = ARENA_ARRAY(a, struct str, all.count + more.count + 1);
	for (size_t i = 0; i < all.count; i++)
		texts[i] = all.texts[i];
	for (size_t i = 0; i < more.count; i++)
		texts[all.count + i] = more.texts[i];
	all.texts = texts;
	all.count += more.count;
	if (all.count && str_is(r->options.field_validation, "Strict"))
		return refuse_result(l, api_strict_error(a, &all));
	for (size_t i = 0; i < all.count; i++)
		request_warn(r, "%.*s", STR_FMT(all.texts[i]));
	return STEP_NEXT;
}

/* ---- laying a patch over an object ---- */

static enum step refuse_text(struct request *r)
{
	bool is_ignored = str_is(r->options.field_validation, "Ignore");
	const char *prefix =
		is_ignored || r->patch_type == PATCH_STRATEGIC ? "" : "error decoding patch: ";
	if (is_ignored && r->patch_type == PATCH_MERGE)
		return request_fail(r, RC_BAD_REQUEST, "Invalid JSON Patch");
	return request_fail(r, RC_BAD_REQUEST, "%s%.*s", prefix, STR_FMT(r->patch->fault));
}

/* Nobody has looked at the text before: a list becomes the result, all else is no patch. */
static enum rc merge_unchecked(struct request *r, struct json **ret_after, struct err *err)
{
	if (r->tree->type != JSON_ARRAY)
		return err_set(err, RC_BAD_REQUEST, "Invalid JSON Patch");
	*ret_after = json_copy(&r->arena, r->tree);
	return RC_OK;
}

/* Without strict rules the types of operations are those of the library that applies them. */
static enum rc check_operations(const struct json *patch, struct err *err)
{
	if (patch->type != JSON_ARRAY && patch->type != JSON_NULL)
		return err_set(err, RC_BAD_REQUEST,
			       "json: cannot unmarshal %s into Go value of type jsonpatch.Patch",
			       json_type_name(patch));
	for (size_t i = 0; i < json_count(patch); i++)
		if (json_at(patch, i)->type != JSON_OBJECT && json_at(patch, i)->type != JSON_NULL)
			return err_set(err, RC_BAD_REQUEST,
				       "json: cannot unmarshal %s into Go value of type "
				       "jsonpatch.Operation",
				       json_type_name(json_at(patch, i)));
	return RC_OK;
}

static enum rc run_operations(struct request *r, struct json **target, struct err *err)
{
	bool is_ignored = str_is(r->options.field_validation, "Ignore");
	if (is_ignored)
		TRY(check_operations(r->tree, err));
	enum rc rc = json_patch_apply(&r->arena, target, r->tree, err);
	return is_ignored && rc == RC_BAD_REQUEST ? err_set(err, RC_INVALID, "%s", PATCH_REJECTED)
						  : rc;
}

/* before is changed. */
static enum rc lay(struct laying *l, struct json *before, struct json **ret_after, struct err *err)
{
	struct request *r = l->r;
	struct arena *a = &r->arena;
	struct json *patch;
	bool is_ignored = str_is(r->options.field_validation, "Ignore");
	*ret_after = before;
	switch (r->patch_type) {
	case PATCH_JSON:
		return run_operations(r, ret_after, err);
	case PATCH_STRATEGIC:
		l->shown = patch = json_copy(a, r->tree);
		return strategic_merge(a, l->type, before, patch, ret_after, &l->errors, err);
	default:
		if (is_ignored && r->tree->type != JSON_OBJECT)
			return merge_unchecked(r, ret_after, err);
		return merge_patch_apply(a, ret_after, r->tree, err);
	}
}

/* Without a version upstream reads the result as its internal type, which has none of the names
 * that documents have: nothing is left of it. */
static enum step judge_unversioned(struct laying *l, const struct json *after,
				   struct json **ret_normal)
{
	struct arena *a = &l->r->arena;
	struct unknown_fields unknown = {};
	for (size_t i = 0; i < json_count(after); i++) {
		struct str key = after->object.members[i].key;
		if (!str_is(key, "kind") && !str_is(key, "apiVersion"))
			add_unknown(a, &unknown, key);
	}
	*ret_normal = json_object(a);
	return report(l, after, &unknown);
}

/* The result as an object of its kind. */
static enum step judge(struct laying *l, struct json *after, struct json **ret_normal)
{
	struct request *r = l->r;
	struct arena *a = &r->arena;
	struct unknown_fields unknown = {};
	struct str fault = {};
	struct err err;
	/* A strategic merge fills a struct of the kind, whatever it says of itself. */
	bool is_typed = r->patch_type == PATCH_STRATEGIC;
	if (!is_typed)
		fault = decode_kind_fault(r, l->kind, after);
	if (fault.len)
		return refuse_result(l, fault);
	if (!is_typed && !json_path_str(after, "apiVersion").len)
		return judge_unversioned(l, after, ret_normal);
	if (api_normalise(a, l->type, after, &unknown, ret_normal, &err) != RC_OK)
		return refuse_result(l, str_of(err.text));
	if (report(l, after, &unknown) == STEP_DONE)
		return STEP_DONE;
	json_set_str(a, *ret_normal, STR("kind"), l->kind->kind);
	json_set_str(a, *ret_normal, STR("apiVersion"), l->kind->api_version);
	return STEP_NEXT;
}

enum step patch_lay(struct request *r, const struct api_kind *kind, const struct json *before,
		    struct json **ret_after)
{
	struct laying l = {
		.r = r,
		.kind = kind,
		.type = api_type(api_builtin(), kind->type),
		.before = before,
		.errors = {.arena = &r->arena},
	};
	struct json *after;
	struct err err;
	if (r->patch && r->patch->fault.len)
		return refuse_text(r);
	if (lay(&l, json_copy(&r->arena, before), &after, &err) != RC_OK)
		return refuse_patch(r, &l.errors, &err);
	return judge(&l, after, ret_after);
}

/* ---- server-side apply ---- */

static enum step refuse_conflicts(struct request *r, const struct managed_conflicts *conflicts,
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

/* Keys that the configuration says twice are told when all else is well. */
static enum step report_configuration(struct request *r)
{
	struct arena *a = &r->arena;
	if (!r->patch || str_is(r->options.field_validation, "Ignore"))
		return STEP_NEXT;
	struct strict_faults faults =
		api_strict_faults(a, r->patch->parsed, &r->patch->duplicates, NULL, true);
	if (!faults.count)
		return STEP_NEXT;
	if (!str_is(r->options.field_validation, "Strict")) {
		for (size_t i = 0; i < faults.count; i++)
			request_warn(r, "%.*s", STR_FMT(faults.texts[i]));
		return STEP_NEXT;
	}
	struct str text = str_skip(api_strict_error(a, &faults), strlen("strict decoding error: "));
	return request_fail(r, RC_BAD_REQUEST,
			    "error strict decoding YAML: error converting YAML to JSON: %.*s",
			    STR_FMT(text));
}

enum step patch_lay_apply(struct request *r, const struct api_kind *kind, const struct json *live,
			  struct json **ret_after)
{
	struct managed_conflicts conflicts = {};
	struct err err;
	enum rc rc = managed_apply(&r->arena, kind, live, r->tree, r->options.field_manager,
				   r->options.is_force, r->route.subresource, world_wall_us(),
				   ret_after, &conflicts, &err);
	if (rc == RC_CONFLICT)
		return refuse_conflicts(r, &conflicts, &err);
	if (rc != RC_OK)
		return request_fail_err(r, &err);
	return report_configuration(r);
}

static enum step refuse_uid(struct request *r, struct str uid)
{
	struct str why = arena_printf(&r->arena,
				      "uid mismatch: the provided object specified uid %.*s, and "
				      "no existing object was found",
				      STR_FMT(uid));
	return request_conflict(r, r->route.kind, r->route.name, arena_cstr(&r->arena, why));
}

/* What is applied to nothing creates; a part of an object does not. */
static enum step apply_to_nothing(struct request *r)
{
	struct str uid = json_path_str(r->tree, "metadata.uid");
	if (uid.len)
		return refuse_uid(r, uid);
	if (!write_check_identity(r))
		return STEP_DONE;
	return r->route.sub ? request_not_found(r, r->route.kind, r->route.name) : write_create(r);
}

enum step write_patch(struct request *r)
{
	struct object *old = write_current(r);
	bool is_apply = r->patch_type == PATCH_APPLY;
	struct json *live = old ? served_tree(&r->arena, r->route.kind, old) : NULL, *after;
	if (!old && !is_apply)
		return request_not_found(r, r->route.kind, r->route.name);
	enum step step = is_apply ? patch_lay_apply(r, r->route.kind, live, &after)
				  : patch_lay(r, r->route.kind, live, &after);
	if (step == STEP_DONE)
		return STEP_DONE;
	r->tree = after;
	r->has_managers = is_apply;
	if (!old)
		return apply_to_nothing(r);
	if (!write_check_identity(r))
		return STEP_DONE;
	bool is_stored_version = r->route.kind == write_storage_kind(r);
	return write_change(r, old, is_stored_version ? live : object_tree(&r->arena, old));
}
