#include "server/admission_storage.h"

#include "api/api_ids.h"
#include "api/quantity.h"
#include "server/server.h"

#define OLD_CLASS "volume.beta.kubernetes.io/storage-class"

/* ---- DefaultStorageClass ---- */

static bool is_default(const struct json *class)
{
	static const char *const keys[] = {"storageclass.kubernetes.io/is-default-class",
					   "storageclass.beta.kubernetes.io/is-default-class"};
	const struct json *notes = json_path(class, "metadata.annotations");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (str_is(json_str(json_get(notes, str_of(keys[i]))), "true"))
			return true;
	return false;
}

/* Of several the newest, then the first by name. */
static struct str newest_default(struct request *r)
{
	struct snapshot_iter it;
	struct str name = {}, made = {};
	snapshot_iter_init(&it, request_snapshot(r), KIND_STORAGE_CLASS, (struct str){},
			   (struct str){}, (struct str){});
	for (struct object *o; (o = snapshot_next(&it));) {
		const struct json *class = object_tree(&r->arena, o);
		struct str time = json_path_str(class, "metadata.creationTimestamp");
		if (!is_default(class) || (name.len && str_cmp(time, made) <= 0))
			continue;
		name = arena_str(&r->arena, o->name);
		made = time;
	}
	return name;
}

static bool has_class(const struct json *tree)
{
	const struct json *class = json_path(tree, "spec.storageClassName");
	return (class && class->type != JSON_NULL) ||
	       json_get(json_path(tree, "metadata.annotations"), STR(OLD_CLASS));
}

enum step default_storage_class(struct request *r, const struct json *old, struct json *tree)
{
	if (has_class(tree))
		return STEP_NEXT;
	struct str name = newest_default(r);
	if (name.len)
		json_set_str(&r->arena, json_need_object(&r->arena, tree, STR("spec")),
			     STR("storageClassName"), name);
	return STEP_NEXT;
}

/* ---- PersistentVolumeClaimResize ---- */

static struct str class_of(const struct json *tree)
{
	struct str noted =
		json_str(json_get(json_path(tree, "metadata.annotations"), STR(OLD_CLASS)));
	return noted.at ? noted : json_path_str(tree, "spec.storageClassName");
}

static bool may_grow(struct request *r, const struct json *old, const struct json *tree)
{
	struct str name = class_of(tree);
	if (name.len == 0 || !str_eq(name, class_of(old)))
		return false;
	struct object *class =
		store_pending_get(r->server->store, KIND_STORAGE_CLASS, (struct str){}, name);
	return class &&
	       json_is_true(json_get(object_tree(&r->arena, class), STR("allowVolumeExpansion")));
}

enum step claim_resize(struct request *r, const struct json *old, struct json *tree)
{
	struct quantity was = {}, is = {};
	struct str name = json_path_str(tree, "metadata.name");
	if (quantity_parse(json_path_str(old, "spec.resources.requests.storage"), &was, NULL) !=
		    RC_OK ||
	    quantity_parse(json_path_str(tree, "spec.resources.requests.storage"), &is, NULL) !=
		    RC_OK ||
	    quantity_cmp(was, is) >= 0)
		return STEP_NEXT;
	if (!str_is(json_path_str(old, "status.phase"), "Bound"))
		return request_forbid(r, name,
				      "Only bound persistent volume claims can be "
				      "expanded");
	if (!may_grow(r, old, tree))
		return request_forbid(
			r, name,
			"only dynamically provisioned pvc can be resized and the storageclass that "
			"provisions the pvc must support resize");
	return STEP_NEXT;
}
