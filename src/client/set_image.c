/* skeg set image: other images in the pods of a workload. */
#include "client/change.h"
#include "client/create.h"
#include "client/resources.h"
#include "client/verbs.h"

struct image_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
};

struct setting {
	struct change change;
	struct text_list pairs;
};

/* The image of the containers of that name ('*': of all) in one of the lists; are there any? */
static bool add_images(struct arena *a, const struct json *now, struct str list, struct str name,
		       struct str image, struct json *spec)
{
	const struct json *containers = json_get(now, list);
	bool is_found = false;
	for (size_t i = 0; i < json_count(containers); i++) {
		struct str own = json_path_str(json_at(containers, i), "name");
		struct json *c = json_object(a);
		if (!str_is(name, "*") && !str_eq(name, own))
			continue;
		is_found = true;
		json_set_str(a, c, STR("name"), own);
		json_set_str(a, c, STR("image"), image);
		if (!json_get(spec, list))
			json_set(a, spec, list, json_array(a));
		json_append(a, json_get(spec, list), c);
	}
	return is_found;
}

static enum rc image_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	static const char *const lists[] = {"containers", "initContainers"};
	struct setting *s = ctx;
	struct arena *a = v->arena;
	const char *at = str_is(r->kind->plural, "pods") ? "spec"
			 : str_is(r->kind->plural, "cronjobs")
				 ? "spec.jobTemplate.spec.template.spec"
				 : "spec.template.spec";
	struct json *patch = json_object(a), *spec = create_at(a, patch, at), *after;
	const struct json *now = json_path(r->tree, at);
	for (size_t i = 0; i < s->pairs.count; i++) {
		struct str name, image;
		bool is_found = false;
		str_cut(str_of(s->pairs.at[i]), '=', &name, &image);
		for (size_t l = 0; l < ARRAY_LEN(lists); l++)
			is_found |= add_images(a, now, str_of(lists[l]), name, image, spec);
		if (!is_found)
			return err_set(err, RC_NOT_FOUND, "unable to find container named \"%.*s\"",
				       STR_FMT(name));
	}
	TRY(change_patch(&s->change, r->kind, r->namespace, r->name, NULL, PATCH_STRATEGIC, patch,
			 &after, err));
	if (str_eq(json_path_str(after, "metadata.resourceVersion"),
		   json_path_str(r->tree, "metadata.resourceVersion")) &&
	    s->change.dry_run == DRY_RUN_NONE)
		return RC_OK; /* as before: kubectl says nothing */
	return change_tell(&s->change, r->kind, after, "image updated", err);
}

static enum rc body(struct verb *v, struct err *err)
{
	const struct image_options *o = v->line->values;
	struct setting s = {};
	struct resources r;
	struct resource_query q = {.options = &o->resources, .words = v->line->words};
	size_t at = 0;
	while (at < q.words.count && !strchr(q.words.at[at], '='))
		at++;
	s.pairs = verb_words(v, at);
	q.words.count = at;
	if (s.pairs.count == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "at least one image update is required: CONTAINER=IMAGE");
	TRY(change_open(&v->client, &o->change, "kubectl-set", &s.change, err));
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, image_one, &s);
	return RC_OK;
}

static const struct option options[] = {
	CHANGE_OPTIONS(struct image_options, change),
	RESOURCE_FILE_OPTIONS(struct image_options, resources),
	RESOURCE_SELECTOR_OPTIONS(struct image_options, resources),
	CLIENT_OPTIONS(struct image_options, client),
};

const struct command command_set_image = {
	.name = "set image",
	.arguments = "TYPE/NAME CONTAINER=IMAGE…",
	.summary = "Change images of a workload",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct image_options),
	VERB_RUN(body),
};
