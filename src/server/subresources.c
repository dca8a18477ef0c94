/* Subresources that are more than a view of the object: scale, finalize, and the table of all. */
#include "api/api_ids.h"
#include "api/managed_fields.h"
#include "api/validate.h"
#include "api/views.h"
#include "base/timefmt.h"
#include "server/list_options.h"
#include "server/server.h"
#include "server/write.h"

/* ---- scale ---- */

static struct str selector_text(struct arena *a, const struct json *tree)
{
	struct json *selector = json_path(tree, "spec.selector"),
		    *labels = json_get(selector, STR("matchLabels"));
	struct json *terms = json_get(selector, STR("matchExpressions"));
	CLEANUP_BUF out = BUF_INIT(64u << 10);
	if (!labels && !terms)
		labels = selector; /* ReplicationController: a plain map */
	for (size_t i = 0; i < json_count(labels); i++)
		buf_printf(&out, "%s%.*s=%.*s", out.len ? "," : "",
			   STR_FMT(labels->object.members[i].key),
			   STR_FMT(json_str(labels->object.members[i].value)));
	for (size_t i = 0; i < json_count(terms); i++) {
		struct json *t = json_at(terms, i), *values = json_get(t, STR("values"));
		struct str key = json_path_str(t, "key"), op = json_path_str(t, "operator");
		buf_add_cstr(&out, out.len ? "," : "");
		if (str_is(op, "Exists") || str_is(op, "DoesNotExist")) {
			buf_printf(&out, "%s%.*s", str_is(op, "Exists") ? "" : "!", STR_FMT(key));
			continue;
		}
		buf_printf(&out, "%.*s %s (", STR_FMT(key), str_is(op, "In") ? "in" : "notin");
		for (size_t k = 0; k < json_count(values); k++)
			buf_printf(&out, "%s%.*s", k ? "," : "",
				   STR_FMT(json_str(json_at(values, k))));
		buf_add_char(&out, ')');
	}
	return arena_str(a, buf_str(&out));
}

static struct json *scale_of(struct arena *a, const struct object *o)
{
	struct json *tree = object_tree(a, o), *scale = json_object(a), *meta = json_object(a),
		    *spec = json_object(a);
	struct json *status = json_object(a), *old_meta = json_get(tree, STR("metadata"));
	static const char *const kept[] = {"name", "namespace", "uid"};
	json_set_str(a, scale, STR("kind"), STR("Scale"));
	json_set_str(a, scale, STR("apiVersion"), STR("autoscaling/v1"));
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		json_set(a, meta, str_of(kept[i]), json_get(old_meta, str_of(kept[i])));
	json_set(a, meta, STR("resourceVersion"), json_printf(a, "%lld", (long long)o->revision));
	json_set(a, meta, STR("creationTimestamp"), json_get(old_meta, STR("creationTimestamp")));
	json_set(a, scale, STR("metadata"), meta);
	int64_t replicas = json_i64(json_path(tree, "spec.replicas"));
	if (replicas)
		json_set(a, spec, STR("replicas"), json_int(a, replicas));
	json_set(a, scale, STR("spec"), spec);
	json_set(a, status, STR("replicas"),
		 json_int(a, json_i64(json_path(tree, "status.replicas"))));
	struct str selector = selector_text(a, tree);
	if (selector.len)
		json_set_str(a, status, STR("selector"), selector);
	json_set(a, scale, STR("status"), status);
	return scale;
}

static struct str age_of(struct arena *a, const struct object *o)
{
	char text[TIME_TEXT_MAX];
	int64_t made_us = object_meta(o)->creation_timestamp;
	return arena_str(a, str_n(text, time_format_age(world_wall_us() - made_us, text)));
}

/* A Scale as a row, which no kind of ours prints. */
static struct json *scale_table(struct request *r, const struct object *o)
{
	static const char head[] = "[{\"name\":\"Name\",\"type\":\"string\",\"format\":\"\"},"
				   "{\"name\":\"Desired\",\"type\":\"integer\",\"format\":\"\"},"
				   "{\"name\":\"Available\",\"type\":\"integer\",\"format\":\"\"},"
				   "{\"name\":\"Age\",\"type\":\"string\",\"format\":\"\"}]";
	struct arena *a = &r->arena;
	struct json *scale = scale_of(a, o), *meta = json_get(scale, STR("metadata")), *columns;
	enum rc rc = json_parse(a, arena_str(a, str_of(head)), &columns, NULL, NULL);
	ASSERT(rc == RC_OK);
	for (size_t i = 0; i < json_count(columns); i++) {
		json_set_str(a, json_at(columns, i), STR("description"), STR(""));
		json_set(a, json_at(columns, i), STR("priority"), json_int(a, 0));
	}
	struct json *cells = json_array(a), *row = json_object(a), *partial = json_object(a),
		    *rows = json_array(a), *table = json_object(a), *list_meta = json_object(a);
	json_append(a, cells, json_string(a, o->name));
	json_append(a, cells, json_int(a, json_i64(json_path(scale, "spec.replicas"))));
	json_append(a, cells, json_int(a, json_i64(json_path(scale, "status.replicas"))));
	json_append(a, cells, json_string(a, age_of(a, o)));
	json_set_str(a, partial, STR("kind"), STR("PartialObjectMetadata"));
	json_set_str(a, partial, STR("apiVersion"),
		     arena_printf(a, "meta.k8s.io/%.*s", STR_FMT(r->output.meta_version)));
	json_set(a, partial, STR("metadata"), meta);
	json_set(a, row, STR("cells"), cells);
	json_set(a, row, STR("object"), partial);
	json_append(a, rows, row);
	json_set(a, list_meta, STR("resourceVersion"), json_get(meta, STR("resourceVersion")));
	json_set_str(a, table, STR("kind"), STR("Table"));
	json_set(a, table, STR("apiVersion"), json_get(partial, STR("apiVersion")));
	json_set(a, table, STR("metadata"), list_meta);
	json_set(a, table, STR("columnDefinitions"), columns);
	json_set(a, table, STR("rows"), rows);
	return table;
}

static enum step get_scale(struct request *r, struct object *o)
{
	bool is_table = r->output.shape == AS_TABLE;
	r->reply.tree = is_table ? scale_table(r, o) : scale_of(&r->arena, o);
	r->reply.tree_kind = NULL;
	r->reply.status = 200;
	return STEP_DONE;
}

static enum step check_replicas(struct request *r, const struct json *scale)
{
	struct field_errors errors = {.arena = &r->arena};
	struct json *replicas = json_path(scale, "spec.replicas");
	if (replicas && replicas->type != JSON_INT)
		return request_fail(r, RC_BAD_REQUEST,
				    "Scale in version \"v1\" cannot be handled as a Scale: "
				    "spec.replicas is not a whole number");
	if (json_i64(replicas) < 0)
		field_error_add(&errors, FIELD_ERROR_INVALID, STR("spec.replicas"), replicas,
				"must be greater than or equal to 0");
	if (errors.count)
		return request_invalid(r, STR("autoscaling"), STR("Scale"), r->route.name, &errors);
	return STEP_NEXT;
}

/* What a Scale is to patches and managers: a kind that is never stored. */
static struct api_kind scale_kind(void)
{
	return (struct api_kind){
		.stored_id = KIND_NONE,
		.group = STR("autoscaling"),
		.version = STR("v1"),
		.kind = STR("Scale"),
		.plural = STR("scales"),
		.api_version = STR("autoscaling/v1"),
		.is_namespaced = true,
		.type = TYPE_AUTOSCALING_V1_SCALE,
		.list_type = -1,
	};
}

/* The kind of the route as upstream's messages about its Scale name it. */
static struct api_kind named_kind(struct request *r)
{
	struct api_kind kind = *r->route.kind;
	kind.plural = arena_printf(&r->arena, "%.*s/scale", STR_FMT(kind.plural));
	return kind;
}

/* The Scale as it is, with the managers of the replicas. */
static struct json *managed_scale(struct request *r, const struct object *old)
{
	struct json *scale = scale_of(&r->arena, old);
	managed_to_scale(&r->arena, r->route.kind, object_tree(&r->arena, old), scale);
	return scale;
}

static bool is_other_object(struct request *r, const struct object *old, const struct json *scale)
{
	struct arena *a = &r->arena;
	struct str uid = json_path_str(scale, "metadata.uid");
	struct api_kind kind = named_kind(r);
	if (!uid.len || str_eq(uid, old->uid))
		return false;
	struct str why = arena_printf(a,
				      "Precondition failed: UID in precondition: %.*s, UID in "
				      "object meta: %.*s",
				      STR_FMT(uid), STR_FMT(old->uid));
	request_conflict(r, &kind, old->name, arena_cstr(a, why));
	return true;
}

/* scale: the wished Scale with its managers; the object gets its replicas and the reply is the new
 * Scale. */
static enum step put_scale(struct request *r, struct object *old, const struct json *scale)
{
	struct arena *a = &r->arena;
	if (check_replicas(r, scale) == STEP_DONE || is_other_object(r, old, scale))
		return STEP_DONE;
	r->tree = json_copy(a, object_tree(a, old));
	json_set(a, json_need_object(a, r->tree, STR("spec")), STR("replicas"),
		 json_int(a, json_i64(json_path(scale, "spec.replicas"))));
	struct json *revision = json_path(scale, "metadata.resourceVersion");
	json_set(a, json_get(r->tree, STR("metadata")), STR("resourceVersion"),
		 revision ? revision : json_cstring(a, ""));
	managed_from_scale(a, r->route.kind, scale, r->tree);
	r->has_managers = true;
	r->reply.makes_scale = true;
	return write_change(r, old, object_tree(a, old));
}

/* A write that is no apply made before into after. */
static enum step change_scale(struct request *r, struct object *old, const struct json *before,
			      struct json *after)
{
	struct api_kind kind = scale_kind();
	managed_update(&r->arena, &kind, before, after, write_manager(r), r->route.subresource,
		       world_wall_us());
	return put_scale(r, old, after);
}

static enum step update_scale(struct request *r)
{
	if (!write_check_identity(r))
		return STEP_DONE;
	struct object *old = write_current(r);
	return old ? change_scale(r, old, managed_scale(r, old), r->tree)
		   : request_not_found(r, r->route.kind, r->route.name);
}

static enum step patch_scale(struct request *r)
{
	struct object *old = write_current(r);
	struct api_kind kind = scale_kind();
	bool is_apply = r->patch_type == PATCH_APPLY;
	struct json *after;
	if (!old)
		return request_not_found(r, r->route.kind, r->route.name);
	struct json *before = managed_scale(r, old);
	enum step step = is_apply ? patch_lay_apply(r, &kind, before, &after)
				  : patch_lay(r, &kind, before, &after);
	if (step == STEP_DONE)
		return STEP_DONE;
	r->tree = after;
	if (!write_check_identity(r))
		return STEP_DONE;
	return is_apply ? put_scale(r, old, after) : change_scale(r, old, before, after);
}

/* ---- namespaces/finalize ---- */

static enum step update_finalize(struct request *r)
{
	if (!write_check_name(r))
		return STEP_DONE;
	struct object *old = write_current(r);
	if (!old)
		return request_not_found(r, r->route.kind, r->route.name);
	struct json *before = object_tree(&r->arena, old), *tree = json_copy(&r->arena, before);
	struct json *finalizers = json_path(r->tree, "spec.finalizers");
	struct json *spec = json_need_object(&r->arena, tree, STR("spec"));
	struct field_errors errors = {.arena = &r->arena};
	if (json_count(finalizers))
		json_set(&r->arena, spec, STR("finalizers"), finalizers);
	else
		json_remove(spec, STR("finalizers"));
	api_validate_update(r->route.kind, before, tree, "finalize", &errors);
	if (errors.count)
		return request_invalid(r, r->route.kind->group, r->route.kind->kind, old->name,
				       &errors);
	return write_commit(r, tree, old, 200);
}

static const struct subresource_rule rules[] = {
	{"pods", "binding", NULL, pod_binding_create, NULL, NULL},
	{"pods", "eviction", NULL, pod_eviction_create, NULL, NULL},
	{"namespaces", "finalize", NULL, NULL, update_finalize, NULL},
	{NULL, "scale", get_scale, NULL, update_scale, patch_scale},
};

const struct subresource_rule *subresource_rule(struct str resource, struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (str_is(name, rules[i].name) &&
		    (!rules[i].resource || str_is(resource, rules[i].resource)))
			return &rules[i];
	return NULL;
}

/* Subresources without a form of their own (approval, ephemeralcontainers, resize) read as the
 * object. */
enum step read_subresource(struct request *r, struct object *o)
{
	const struct subresource_rule *rule =
		subresource_rule(r->route.resource, r->route.subresource);
	if (rule && rule->get)
		return rule->get(r, o);
	r->reply.object = object_ref(o);
	r->reply.status = 200;
	return STEP_DONE;
}

void scale_reply(struct request *r)
{
	struct object *o = r->reply.object;
	r->reply.tree = json_copy(&r->arena, scale_of(&r->arena, o));
	object_unref(TAKE_PTR(r->reply.object));
}
