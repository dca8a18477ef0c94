#include "client/apply_merge.h"

#include <stdio.h>

#include "client/api_path.h"
#include "client/object_output.h"
#include "client/three_way.h"

#define OBJECT_BYTES_MAX (16u << 20)

enum rc apply_open(struct verb *v, const struct resource_options *resources,
		   const struct change_options *options, bool is_server_side, bool is_forced,
		   struct change *ret_change, struct err *err)
{
	const struct text_list *words = &v->line->words;
	if (words->count)
		return err_set(err, RC_BAD_REQUEST,
			       "'%s' belongs to no option; name each file with -f", words->at[0]);
	if (resources->files.count == 0 && !resources->kustomize)
		return err_set(err, RC_BAD_REQUEST,
			       "must specify one of -f and -k: a file, a folder, or '-' for "
			       "standard input");
	if (is_forced && !is_server_side)
		return err_set(err, RC_BAD_REQUEST,
			       "--force-conflicts only works with --server-side");
	return change_open(&v->client, options,
			   is_server_side ? "kubectl" : "kubectl-client-side-apply", ret_change,
			   err);
}

enum rc apply_live(struct verb *v, const struct resource *r, struct json **ret_object,
		   struct err *err)
{
	struct str path = api_path(v->arena, r->kind, r->namespace, r->name, NULL);
	enum rc rc = api_client_get(&v->client, v->arena, path, ret_object, err);
	if (rc == RC_NOT_FOUND)
		*ret_object = NULL;
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

enum rc apply_resources(struct verb *v, const struct manifest *m, struct resources *ret_resources,
			struct err *err)
{
	const struct api_client *c = &v->client;
	struct resources r = {.items = ARENA_ARRAY(v->arena, struct resource, m->count + 1)};
	for (size_t i = 0; i < m->count; i++) {
		const struct manifest_object *o = &m->items[i];
		struct str namespace;
		TRY(manifest_namespace(o, c->namespace, c->is_namespace_given, &namespace, err));
		if (o->kind->is_namespaced)
			json_set_str(v->arena, json_need_object(v->arena, o->tree, STR("metadata")),
				     STR("namespace"), namespace);
		r.items[r.count++] = (struct resource){
			.kind = o->kind,
			.namespace = o->kind->is_namespaced ? namespace : (struct str){},
			.name = o->name,
			.file = o,
		};
	}
	*ret_resources = r;
	return RC_OK;
}

struct json *apply_plain(struct arena *a, const struct resource *r)
{
	struct json *plain = json_clone(a, r->file->tree);
	struct json *metadata = json_need_object(a, plain, STR("metadata"));
	json_remove(json_need_object(a, metadata, STR("annotations")), STR(LAST_APPLIED));
	json_sort_keys(plain);
	return plain;
}

enum rc apply_modified(struct arena *a, const struct resource *r, struct json **ret_tree,
		       struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(OBJECT_BYTES_MAX);
	struct json *tree = apply_plain(a, r);
	json_write(&text, tree);
	buf_add_char(&text, '\n');
	TRY(buf_check(&text, "the object", err));
	json_set_str(a, json_path(tree, "metadata.annotations"), STR(LAST_APPLIED),
		     arena_str(a, buf_str(&text)));
	*ret_tree = tree;
	return RC_OK;
}

static struct json *last_applied(struct arena *a, const struct resource *r,
				 const struct json *current)
{
	struct json *tree = NULL;
	struct str text =
		json_str(json_get(json_path(current, "metadata.annotations"), STR(LAST_APPLIED)));
	if (!text.len)
		fprintf(stderr,
			"Warning: resource %.*s/%.*s is missing the " LAST_APPLIED
			" annotation which is required by skeg apply. It was not created by apply; "
			"the missing annotation will be patched automatically.\n",
			STR_FMT(resource_type_plural(a, r->kind)), STR_FMT(r->name));
	else if (json_parse(a, text, &tree, NULL, NULL) != RC_OK)
		tree = NULL;
	return tree;
}

struct json *apply_patch(struct arena *a, const struct resource *r, const struct json *modified,
			 const struct json *current)
{
	struct json *patch = three_way_patch(a, api_type(api_builtin(), r->kind->type),
					     last_applied(a, r, current), modified, current);
	if (patch)
		json_remove(patch, STR("status")); /* the server keeps it */
	return patch && json_count(patch) ? patch : NULL;
}
