/* skeg cordon, uncordon: whether pods may come to a node. */
#include "client/cordon.h"

#include "client/verbs.h"

struct cordon_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
};

enum rc cordon_set(struct change *ch, struct resource *r, bool is_cordoned, struct err *err)
{
	struct arena *a = ch->arena;
	struct json *patch = json_object(a), *after = r->tree;
	const char *const words[] = {"uncordoned", "cordoned", "already uncordoned",
				     "already cordoned"};
	bool is_same = json_is_true(json_path(r->tree, "spec.unschedulable")) == is_cordoned;
	json_set(a, json_need_object(a, patch, STR("spec")), STR("unschedulable"),
		 is_cordoned ? json_bool(a, true) : json_null(a));
	if (!is_same)
		TRY(change_patch(ch, r->kind, r->namespace, r->name, NULL, PATCH_STRATEGIC, patch,
				 &after, err));
	return change_tell(ch, r->kind, after, words[is_cordoned + 2 * is_same], err);
}

struct cordoning {
	struct change change;
	bool is_cordoned;
};

static enum rc cordon_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct cordoning *c = ctx;
	return cordon_set(&c->change, r, c->is_cordoned, err);
}

static enum rc body(struct verb *v, struct err *err)
{
	const struct cordon_options *o = v->line->values;
	struct cordoning c = {.is_cordoned = *(const bool *)v->detail};
	struct resources r;
	const struct resource_query q = {
		.options = &o->resources, .words = verb_words(v, 0), .default_type = "nodes"};
	TRY(change_open(&v->client, &o->change, NULL, &c.change, err));
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, cordon_one, &c);
	return RC_OK;
}

static const struct option options[] = {
	CHANGE_OPTIONS(struct cordon_options, change),
	RESOURCE_SELECTOR_OPTIONS(struct cordon_options, resources),
	CLIENT_OPTIONS(struct cordon_options, client),
};

const struct command command_cordon = {
	.name = "cordon",
	.arguments = "NODE…",
	.summary = "Let no more pods come to a node",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct cordon_options),
	VERB_RUN(body, &(const bool){true}),
};

const struct command command_uncordon = {
	.name = "uncordon",
	.arguments = "NODE…",
	.summary = "Let pods come to a node again",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct cordon_options),
	VERB_RUN(body, &(const bool){false}),
};
