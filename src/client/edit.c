/* skeg edit: whole objects anew, from an editor. */
#include <stdio.h>

#include "client/change.h"
#include "client/resources.h"
#include "client/user_program.h"
#include "client/verbs.h"
#include "codec/yaml.h"
#include "io/file.h"

#define EDIT_BYTES_MAX (16u << 20)

struct edit_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	const char *subresource;
};

static const char head[] =
	"# Please edit the object below. Lines beginning with a '#' will be ignored,\n"
	"# and an empty file will abort the edit. If an error occurs while saving this file will be\n"
	"# reopened with the relevant failures.\n#\n";

/* $KUBE_EDITOR, $EDITOR or vi. */
static enum rc run_editor(struct verb *v, const char *path, struct err *err)
{
	const char *own = getenv("KUBE_EDITOR"), *any = getenv("EDITOR");
	struct text_list words = user_program_words(v->arena, own && *own   ? own
							      : any && *any ? any
									    : "vi");
	int code;
	text_list_add(v->arena, &words, path);
	enum rc rc = user_program_run(v->arena, &words, &code, err);
	if (rc == RC_NOT_FOUND)
		return err_set(err, rc, "there is no editor '%s'; name one by KUBE_EDITOR",
			       words.at[0]);
	TRY(rc);
	return code ? err_set(err, RC_BAD_REQUEST,
			      "there was a problem with the editor \"%s\" (exit code %d)",
			      words.at[0], code)
		    : RC_OK;
}

static enum rc write_file(struct arena *a, struct str text, const char *why, const char **ret_path,
			  struct err *err)
{
	CLEANUP_BUF out = BUF_INIT(EDIT_BYTES_MAX + 4096);
	buf_add_cstr(&out, head);
	if (why)
		buf_printf(&out, "# %s\n#\n", why);
	buf_add_str(&out, text);
	TRY(buf_check(&out, "the object", err));
	return file_write_temp(a, "skeg-edit-", ".yaml", buf_str(&out), ret_path, err);
}

struct edit {
	const struct edit_options *options;
	struct change change;
};

static enum rc send(struct edit *e, struct resource *r, struct json *edited, struct err *err)
{
	struct json *after;
	struct json *patch = merge_patch_between(e->change.arena, r->tree, edited);
	if (!patch) {
		printf("Edit cancelled, no changes made.\n");
		return RC_OK;
	}
	TRY(change_patch(&e->change, r->kind, r->namespace, r->name, e->options->subresource,
			 PATCH_MERGE, patch, &after, err));
	return change_tell(&e->change, r->kind, after, "edited", err);
}

static struct str without_head(struct str text)
{
	struct str line;
	while (str_has_prefix(text, STR("#")))
		str_cut(text, '\n', &line, &text);
	return text;
}

/* What the server refuses is edited again, with its words on top, until it is left unchanged. */
static enum rc edit_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct edit *e = ctx;
	CLEANUP_BUF yaml = BUF_INIT(EDIT_BYTES_MAX);
	struct err why = {};
	object_drop_managed_fields(r->tree);
	json_sort_keys(r->tree);
	yaml_write(&yaml, r->tree);
	struct str text = arena_str(v->arena, buf_str(&yaml));
	for (;;) {
		const char *path;
		struct str edited;
		struct yaml_document *documents;
		size_t count;
		for (char *c = why.text; *c; c++)
			*c = *c == '\n' ? ' ' : *c;
		TRY(write_file(v->arena, text, why.rc ? why.text : NULL, &path, err));
		enum rc rc = run_editor(v, path, err);
		if (rc == RC_OK)
			rc = file_read(path, EDIT_BYTES_MAX, v->arena, &edited, err);
		unlink(path);
		TRY(rc);
		rc = yaml_parse(v->arena, edited, &documents, &count, NULL, &why);
		if (rc == RC_OK && (count == 0 || documents[0].tree->type != JSON_OBJECT)) {
			printf("Edit cancelled, saved file was empty.\n");
			return RC_OK;
		}
		struct str same = text;
		text = edited = without_head(edited);
		if (rc == RC_OK)
			rc = send(e, r, documents[0].tree, &why);
		if (rc == RC_OK)
			return RC_OK;
		if (str_eq(same, edited))
			return err_set(err, rc, "%s", why.text);
	}
}

static enum rc body(struct verb *v, struct err *err)
{
	struct edit e = {.options = v->line->values};
	struct resources r;
	const struct resource_query q = {.options = &e.options->resources,
					 .words = verb_words(v, 0)};
	TRY(change_open(&v->client, &e.options->change, "kubectl-edit", &e.change, err));
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, edit_one, &e);
	return RC_OK;
}

#define AT(member) offsetof(struct edit_options, member)
static const struct option options[] = {
	{"subresource", 0, OPTION_TEXT, AT(subresource), "NAME", "status, scale, resize"},
	CHANGE_OPTIONS(struct edit_options, change),
	RESOURCE_FILE_OPTIONS(struct edit_options, resources),
	RESOURCE_SELECTOR_OPTIONS(struct edit_options, resources),
	CLIENT_OPTIONS(struct edit_options, client),
};
const struct command command_edit = {
	.name = "edit",
	.arguments = "TYPE NAME | TYPE/NAME",
	.summary = "Change an object in an editor",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct edit_options),
	VERB_RUN(body),
};
