#include "client/change.h"

#include <stdio.h>

#include "api/strategic.h"
#include "client/api_path.h"
#include "client/verb.h"
#include "codec/patch.h"

static const char *const patch_types[] = {
	[PATCH_STRATEGIC] = "application/strategic-merge-patch+json",
	[PATCH_MERGE] = "application/merge-patch+json",
	[PATCH_JSON] = "application/json-patch+json",
};

#define APPLY_PATCH "application/apply-patch+yaml"

enum rc dry_run_parse(const char *text, enum dry_run *ret_dry_run, struct err *err)
{
	static const char *const names[] = {"none", "client", "server"};
	*ret_dry_run = DRY_RUN_NONE;
	if (!text)
		return RC_OK;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*ret_dry_run = (enum dry_run)i;
		return RC_OK;
	}
	return option_refused("dry-run", text, "none, client, server", err);
}

const char *dry_run_suffix(enum dry_run dry_run)
{
	static const char *const suffixes[] = {"", " (dry run)", " (server dry run)"};
	return suffixes[dry_run];
}

enum rc change_open(struct api_client *c, const struct change_options *o,
		    const char *default_manager, struct change *ret_change, struct err *err)
{
	*ret_change = (struct change){
		.client = c,
		.arena = c->arena,
		.field_manager = str_of(o->field_manager ? o->field_manager : default_manager),
	};
	TRY(dry_run_parse(o->dry_run, &ret_change->dry_run, err));
	TRY(output_parse(c->arena, o->output, &ret_change->output, err));
	ret_change->output.shows_managed_fields = o->shows_managed_fields;
	return RC_OK;
}

static struct str change_url(struct change *ch, struct str path)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	buf_add_str(&url, path);
	query_add(&url, "fieldManager", ch->field_manager);
	query_add(&url, "dryRun", ch->dry_run == DRY_RUN_SERVER ? STR("All") : STR(""));
	return arena_str(ch->arena, buf_str(&url));
}

enum rc change_create(struct change *ch, const struct api_kind *kind, struct str namespace,
		      struct json *tree, struct json **ret_tree, struct err *err)
{
	*ret_tree = tree;
	if (ch->dry_run == DRY_RUN_CLIENT)
		return RC_OK;
	struct str path = api_path(ch->arena, kind, namespace, (struct str){}, NULL);
	return api_client_send(ch->client, ch->arena, "POST", change_url(ch, path), NULL, tree,
			       ret_tree, err);
}

enum rc change_replace(struct change *ch, const struct api_kind *kind, struct str namespace,
		       struct json *tree, struct json **ret_tree, struct err *err)
{
	*ret_tree = tree;
	if (ch->dry_run == DRY_RUN_CLIENT)
		return RC_OK;
	struct str path =
		api_path(ch->arena, kind, namespace, json_path_str(tree, "metadata.name"), NULL);
	return api_client_send(ch->client, ch->arena, "PUT", change_url(ch, path), NULL, tree,
			       ret_tree, err);
}

/* What the patch would make of the object; of a subresource, whose type is another, nothing. */
static enum rc patch_here(struct arena *a, const struct api_kind *kind, const char *subresource,
			  enum patch_form form, const struct json *patch, struct json **tree,
			  struct err *err)
{
	struct field_errors errors = {};
	if (subresource)
		return RC_OK;
	switch (form) {
	case PATCH_STRATEGIC:
		return strategic_merge(a, api_type(api_builtin(), kind->type), *tree,
				       json_copy(a, patch), tree, &errors, err);
	case PATCH_MERGE:
		return merge_patch_apply(a, tree, patch, err);
	case PATCH_JSON:
		return json_patch_apply(a, tree, patch, err);
	}
	return RC_OK;
}

enum rc change_patch(struct change *ch, const struct api_kind *kind, struct str namespace,
		     struct str name, const char *subresource, enum patch_form form,
		     const struct json *patch, struct json **ret_tree, struct err *err)
{
	struct str path = api_path(ch->arena, kind, namespace, name, subresource);
	if (ch->dry_run == DRY_RUN_CLIENT) {
		TRY(api_client_get(ch->client, ch->arena, path, ret_tree, err));
		return patch_here(ch->arena, kind, subresource, form, patch, ret_tree, err);
	}
	return api_client_send(ch->client, ch->arena, "PATCH", change_url(ch, path),
			       patch_types[form], patch, ret_tree, err);
}

enum rc change_apply(struct change *ch, const struct api_kind *kind, struct str namespace,
		     struct str name, const struct json *tree, bool is_forced,
		     struct json **ret_tree, struct err *err)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	buf_add_str(&url, api_path(ch->arena, kind, namespace, name, NULL));
	query_add(&url, "fieldManager", ch->field_manager);
	query_add(&url, "fieldValidation", STR("Strict"));
	query_add(&url, "force", is_forced ? STR("true") : STR("false"));
	query_add(&url, "dryRun", ch->dry_run ? STR("All") : STR(""));
	TRY(buf_check(&url, "the request's URL", err));
	return api_client_send(ch->client, ch->arena, "PATCH", buf_str(&url), APPLY_PATCH, tree,
			       ret_tree, err);
}

enum rc change_tell(struct change *ch, const struct api_kind *kind, struct json *tree,
		    const char *what, struct err *err)
{
	object_complete(ch->arena, tree, kind);
	if (!output_is_table(&ch->output))
		return output_print(&ch->output, ch->arena, tree, err);
	printf("%.*s/%.*s %s%s\n", STR_FMT(resource_type_label(ch->arena, kind)),
	       STR_FMT(json_path_str(tree, "metadata.name")), what, dry_run_suffix(ch->dry_run));
	fflush(stdout);
	return RC_OK;
}

/* As deep as the parser let the trees become. */
struct json *merge_patch_between(struct arena *a, const struct json *before,
				 const struct json *after)
{
	struct json *patch = json_object(a);
	for (size_t i = 0; i < json_count(after); i++) {
		const struct json_member *m = &after->object.members[i];
		struct json *old = json_get(before, m->key), *part = m->value;
		if (old && json_equal(old, part))
			continue;
		if (old && old->type == JSON_OBJECT && part->type == JSON_OBJECT)
			part = merge_patch_between(a, old, part);
		if (part)
			json_set(a, patch, m->key, part);
	}
	for (size_t i = 0; i < json_count(before); i++)
		if (!json_get(after, before->object.members[i].key))
			json_set(a, patch, before->object.members[i].key, json_null(a));
	return json_count(patch) ? patch : NULL;
}
