/* skeg patch: change some fields of objects. */
#include <stdio.h>

#include "client/change.h"
#include "client/resources.h"
#include "client/verbs.h"
#include "codec/yaml.h"
#include "io/file.h"

struct patch_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	const char *patch, *file, *type, *subresource;
};

struct patching {
	const struct patch_options *options;
	struct change change;
	enum patch_form form;
	struct json *patch;
};

static enum rc patch_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct patching *p = ctx;
	struct json *after;
	TRY(change_patch(&p->change, r->kind, r->namespace, r->name, p->options->subresource,
			 p->form, p->patch, &after, err));
	bool is_same = str_eq(json_path_str(r->tree, "metadata.resourceVersion"),
			      json_path_str(after, "metadata.resourceVersion")) &&
		       p->change.dry_run == DRY_RUN_NONE;
	return change_tell(&p->change, r->kind, after, is_same ? "patched (no change)" : "patched",
			   err);
}

static enum rc read_patch(struct verb *v, struct patching *p, struct err *err)
{
	const struct patch_options *o = p->options;
	struct str text = str_of(o->patch);
	struct yaml_document *documents;
	size_t count;
	if ((o->patch != NULL) + (o->file != NULL) != 1)
		return err_set(err, RC_BAD_REQUEST,
			       "must specify --patch or --patch-file containing the contents of "
			       "the patch");
	if (o->file)
		TRY(file_read(o->file, YAML_MAX_BYTES, v->arena, &text, err));
	if (yaml_parse(v->arena, text, &documents, &count, NULL, err) != RC_OK)
		return err_wrap(err, "unable to parse \"%.*s\"", STR_FMT(text));
	if (count == 0 ||
	    (documents[0].tree->type != JSON_OBJECT && documents[0].tree->type != JSON_ARRAY))
		return err_set(err, RC_BAD_REQUEST,
			       "the patch \"%.*s\" is neither an object nor a list of operations",
			       STR_FMT(text));
	p->patch = documents[0].tree;
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	static const struct {
		const char *name;
		enum patch_form form;
	} types[] = {{"strategic", PATCH_STRATEGIC}, {"merge", PATCH_MERGE}, {"json", PATCH_JSON}};
	struct patching p = {.options = v->line->values};
	struct resources r;
	const struct resource_query q = {.options = &p.options->resources,
					 .words = verb_words(v, 0)};
	size_t i = 0;
	while (i < ARRAY_LEN(types) && strcmp(types[i].name, p.options->type) != 0)
		i++;
	if (i == ARRAY_LEN(types))
		return err_set(err, RC_BAD_REQUEST,
			       "--type must be one of [json merge strategic], not \"%s\"",
			       p.options->type);
	p.form = types[i].form;
	TRY(read_patch(v, &p, err));
	TRY(change_open(&v->client, &p.options->change, "kubectl-patch", &p.change, err));
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, patch_one, &p);
	return RC_OK;
}

#define AT(member) offsetof(struct patch_options, member)
static const struct option options[] = {
	{"patch", 'p', OPTION_TEXT, AT(patch), "PATCH", "as JSON or YAML"},
	{"patch-file", 0, OPTION_TEXT, AT(file), "FILE", "the patch is in a file"},
	{"type", 0, OPTION_TEXT, AT(type), "strategic|merge|json", "what the patch is"},
	{"subresource", 0, OPTION_TEXT, AT(subresource), "NAME", "status, scale, resize"},
	CHANGE_OPTIONS(struct patch_options, change),
	RESOURCE_FILE_OPTIONS(struct patch_options, resources),
	RESOURCE_SELECTOR_OPTIONS(struct patch_options, resources),
	CLIENT_OPTIONS(struct patch_options, client),
};

static const struct patch_options defaults = {.type = "strategic"};

const struct command command_patch = {
	.name = "patch",
	.arguments = "TYPE NAME -p PATCH",
	.summary = "Change some fields of an object",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct patch_options),
	.defaults = &defaults,
	VERB_RUN(body),
};
