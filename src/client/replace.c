/* skeg replace: whole objects anew, from files. */
#include <stdio.h>

#include "client/change.h"
#include "client/delete_wait.h"
#include "client/resources.h"
#include "client/verbs.h"

struct replace_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	bool is_forced;
};

struct replacing {
	const struct replace_options *options;
	struct change change;
};

static enum rc delete_first(struct verb *v, struct resource *r, struct err *err)
{
	struct deleted_object gone;
	enum rc rc = delete_object(&v->client, r->kind, r->namespace, r->name, &gone, err);
	if (rc == RC_NOT_FOUND)
		return RC_OK;
	TRY(rc);
	printf("%.*s \"%.*s\" deleted\n", STR_FMT(resource_type_label(v->arena, r->kind)),
	       STR_FMT(r->name));
	return delete_wait(&v->client, &gone, 0, err);
}

static enum rc replace_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct replacing *p = ctx;
	struct json *after;
	if (p->options->is_forced) {
		TRY(delete_first(v, r, err));
		TRY(change_create(&p->change, r->kind, r->namespace, r->file->tree, &after, err));
	} else if (change_replace(&p->change, r->kind, r->namespace, r->file->tree, &after, err) !=
		   RC_OK) {
		return manifest_refused(r->file, "replacing", err);
	}
	return change_tell(&p->change, r->kind, after, "replaced", err);
}

static enum rc body(struct verb *v, struct err *err)
{
	struct replacing p = {.options = v->line->values};
	struct resources r;
	const struct resource_query q = {.options = &p.options->resources, .is_local = true};
	if (p.options->resources.files.count == 0 && !p.options->resources.kustomize)
		return err_set(err, RC_BAD_REQUEST, "must specify one of -f and -k");
	TRY(change_open(&v->client, &p.options->change, "kubectl-replace", &p.change, err));
	if (p.options->is_forced && p.change.dry_run != DRY_RUN_NONE)
		return err_set(err, RC_BAD_REQUEST,
			       "--dry-run can not be used when --force is set");
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, replace_one, &p);
	return RC_OK;
}

static const struct option options[] = {
	{"force", 0, OPTION_FLAG, offsetof(struct replace_options, is_forced), NULL,
	 "delete it first and make it again"},
	CHANGE_OPTIONS(struct replace_options, change),
	RESOURCE_FILE_OPTIONS(struct replace_options, resources),
	CLIENT_OPTIONS(struct replace_options, client),
};

const struct command command_replace = {
	.name = "replace",
	.arguments = "-f FILE",
	.summary = "Put whole objects in the place of others",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct replace_options),
	VERB_RUN(body),
};
