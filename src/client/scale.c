/* skeg scale: the number of replicas, by the subresource "scale". */
#include <stdio.h>

#include "client/api_path.h"
#include "client/change.h"
#include "client/resources.h"
#include "client/verbs.h"

#define UNSET -1

struct scale_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	int64_t replicas, current;
	const char *resource_version;
};

struct scaling {
	const struct scale_options *options;
	struct change change;
};

static enum rc check_before(struct verb *v, const struct scaling *s, const struct resource *r,
			    struct err *err)
{
	const struct scale_options *o = s->options;
	struct json *scale;
	if (o->current == UNSET && !o->resource_version)
		return RC_OK;
	TRY(api_client_get(&v->client, v->arena,
			   api_path(v->arena, r->kind, r->namespace, r->name, "scale"), &scale,
			   err));
	int64_t now = json_i64(json_path(scale, "spec.replicas"));
	if (o->current != UNSET && now != o->current)
		return err_set(err, RC_CONFLICT, "Expected replicas to be %lld, was %lld",
			       (long long)o->current, (long long)now);
	if (o->resource_version &&
	    !str_is(json_path_str(scale, "metadata.resourceVersion"), o->resource_version))
		return err_set(err, RC_CONFLICT, "Expected resource version to be %s, was %.*s",
			       o->resource_version,
			       STR_FMT(json_path_str(scale, "metadata.resourceVersion")));
	return RC_OK;
}

static enum rc scale_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct scaling *s = ctx;
	struct arena *a = v->arena;
	struct json *patch = json_object(a), *spec = json_object(a), *after;
	if (!api_subresource(r->kind, STR("scale")))
		return err_set(err, RC_BAD_REQUEST,
			       "cannot scale a %.*s: it has no replicas; scale what owns it",
			       STR_FMT(r->kind->kind));
	TRY(check_before(v, s, r, err));
	json_set(a, spec, STR("replicas"), json_int(a, s->options->replicas));
	json_set(a, patch, STR("spec"), spec);
	if (s->change.dry_run == DRY_RUN_CLIENT)
		after = r->tree;
	else
		TRY(change_patch(&s->change, r->kind, r->namespace, r->name, "scale", PATCH_MERGE,
				 patch, &after, err));
	if (!output_is_table(&s->change.output) && s->change.output.form != OUTPUT_NAME)
		return change_tell(&s->change, r->kind, after, "scaled", err);
	return change_tell(&s->change, r->kind, r->tree, "scaled", err);
}

static enum rc body(struct verb *v, struct err *err)
{
	struct scaling s = {.options = v->line->values};
	struct resources r;
	const struct resource_query q = {.options = &s.options->resources,
					 .words = verb_words(v, 0)};
	if (s.options->replicas < 0)
		return err_set(err, RC_BAD_REQUEST,
			       "The --replicas=COUNT flag is required, and COUNT must be greater "
			       "than or equal to 0");
	TRY(change_open(&v->client, &s.options->change, NULL, &s.change, err));
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, scale_one, &s);
	return RC_OK;
}

#define AT(member) offsetof(struct scale_options, member)
static const struct option options[] = {
	{"replicas", 0, OPTION_NUMBER, AT(replicas), "N", "how many there are to be"},
	{"current-replicas", 0, OPTION_NUMBER, AT(current), "N", "only if there are so many now"},
	{"resource-version", 0, OPTION_TEXT, AT(resource_version), "VERSION",
	 "only if the object is still of this version"},
	CHANGE_OPTIONS(struct scale_options, change),
	RESOURCE_FILE_OPTIONS(struct scale_options, resources),
	RESOURCE_SELECTOR_OPTIONS(struct scale_options, resources),
	CLIENT_OPTIONS(struct scale_options, client),
};

static const struct scale_options defaults = {.replicas = UNSET, .current = UNSET};

const struct command command_scale = {
	.name = "scale",
	.arguments = "TYPE NAME… | TYPE/NAME…",
	.summary = "Set the number of replicas",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct scale_options),
	.defaults = &defaults,
	VERB_RUN(body),
};
