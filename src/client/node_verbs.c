/* skeg cordon, uncordon, taint: whether pods may come to a node. */
#include <stdio.h>

#include "client/change.h"
#include "client/cordon.h"
#include "client/resources.h"
#include "client/verbs.h"

struct node_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	bool is_overwriting;
};

/* ---- cordon ---- */

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

static enum rc cordon_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	return cordon_set(ctx, r, true, err);
}

static enum rc uncordon_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	return cordon_set(ctx, r, false, err);
}

static enum rc each_node(struct verb *v,
			 enum rc (*fn)(struct verb *v, struct resource *r, void *ctx,
				       struct err *err),
			 struct err *err)
{
	const struct node_options *o = v->line->values;
	struct change ch;
	struct resources r;
	const struct resource_query q = {
		.options = &o->resources, .words = verb_words(v, 0), .default_type = "nodes"};
	TRY(change_open(&v->client, &o->change, NULL, &ch, err));
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, fn, &ch);
	return RC_OK;
}

static enum rc cordon_body(struct verb *v, struct err *err)
{
	return each_node(v, cordon_one, err);
}

static enum rc uncordon_body(struct verb *v, struct err *err)
{
	return each_node(v, uncordon_one, err);
}

/* ---- taint ---- */

struct taint {
	struct str key, value, effect;
	bool is_removal;
};

struct tainting {
	const struct node_options *options;
	struct change change;
	struct taint *taints;
	size_t count;
};

/* "k=v:NoSchedule", "k:NoSchedule", "k:NoSchedule-", "k-" */
static enum rc parse_taint(const char *word, struct taint *t, struct err *err)
{
	static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
	struct str text = str_of(word), pair;
	*t = (struct taint){.is_removal = str_has_suffix(text, STR("-"))};
	text.len -= t->is_removal;
	str_cut_last(text, ':', &pair, &t->effect);
	if (!pair.at) {
		pair = text;
		t->effect = (struct str){};
	}
	str_cut(pair, '=', &t->key, &t->value);
	bool is_known = t->is_removal && !t->effect.len;
	for (size_t i = 0; i < ARRAY_LEN(effects); i++)
		is_known |= str_is(t->effect, effects[i]);
	if (!t->effect.len && !t->is_removal)
		return err_set(err, RC_BAD_REQUEST,
			       "invalid taint spec: %s, must be KEY=VALUE:EFFECT or KEY:EFFECT",
			       word);
	if (!is_known || !t->key.len)
		return err_set(err, RC_BAD_REQUEST,
			       "invalid taint effect: %.*s, unsupported taint effect; it is one of "
			       "NoSchedule, PreferNoSchedule, NoExecute",
			       STR_FMT(t->effect));
	return RC_OK;
}

static bool is_same_taint(const struct taint *t, const struct json *other)
{
	return str_eq(json_path_str(other, "key"), t->key) &&
	       (!t->effect.len || str_eq(json_path_str(other, "effect"), t->effect));
}

static enum rc change_taint(struct tainting *g, struct arena *a, const struct resource *r,
			    const struct taint *t, struct json *list, struct err *err)
{
	bool is_found = false;
	for (size_t i = json_count(list); i > 0; i--) {
		if (!is_same_taint(t, json_at(list, i - 1)))
			continue;
		is_found = true;
		if (!t->is_removal && !g->options->is_overwriting)
			return err_set(
				err, RC_BAD_REQUEST,
				"node %.*s already has %.*s taint(s) with same effect(s) and "
				"--overwrite is false",
				STR_FMT(r->name), STR_FMT(t->key));
		json_remove_at(list, i - 1);
	}
	if (t->is_removal)
		return is_found ? RC_OK
				: err_set(err, RC_NOT_FOUND,
					  t->effect.len ? "taint \"%.*s:%.*s\" not found"
							: "taint \"%.*s%.*s\" not found",
					  STR_FMT(t->key), STR_FMT(t->effect));
	struct json *taint = json_object(a);
	json_set_str(a, taint, STR("key"), t->key);
	if (t->value.len)
		json_set_str(a, taint, STR("value"), t->value);
	json_set_str(a, taint, STR("effect"), t->effect);
	json_append(a, list, taint);
	return RC_OK;
}

static enum rc taint_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct tainting *g = ctx;
	struct arena *a = v->arena;
	const struct json *now = json_path(r->tree, "spec.taints");
	struct json *list = now ? json_clone(a, now) : json_array(a), *patch = json_object(a),
		    *after;
	bool only_removes = true, modifies = false;
	for (size_t i = 0; i < g->count; i++) {
		for (size_t k = 0; k < json_count(now); k++)
			modifies |= !g->taints[i].is_removal &&
				    is_same_taint(&g->taints[i], json_at(now, k));
		only_removes &= g->taints[i].is_removal;
		TRY(change_taint(g, a, r, &g->taints[i], list, err));
	}
	json_set(a, json_need_object(a, patch, STR("spec")), STR("taints"), list);
	TRY(change_patch(&g->change, r->kind, r->namespace, r->name, NULL, PATCH_MERGE, patch,
			 &after, err));
	return change_tell(&g->change, r->kind, after,
			   only_removes ? "untainted"
			   : modifies	? "modified"
					: "tainted",
			   err);
}

static bool is_taint(const char *word)
{
	size_t len = strlen(word);
	return strchr(word, ':') || strchr(word, '=') || (len > 1 && word[len - 1] == '-');
}

static enum rc taint_body(struct verb *v, struct err *err)
{
	struct tainting g = {.options = v->line->values};
	struct resources r;
	struct resource_query q = {.options = &g.options->resources, .words = v->line->words};
	size_t at = 0;
	while (at < q.words.count && !is_taint(q.words.at[at]))
		at++;
	g.taints = ARENA_ARRAY(v->arena, struct taint, q.words.count + 1);
	for (size_t i = at; i < q.words.count; i++)
		TRY(parse_taint(q.words.at[i], &g.taints[g.count++], err));
	q.words.count = at;
	if (g.count == 0)
		return err_set(err, RC_BAD_REQUEST, "at least one taint update is required");
	TRY(change_open(&v->client, &g.options->change, "kubectl-taint", &g.change, err));
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, taint_one, &g);
	return RC_OK;
}

static const struct option options[] = {
	CHANGE_OPTIONS(struct node_options, change),
	RESOURCE_SELECTOR_OPTIONS(struct node_options, resources),
	CLIENT_OPTIONS(struct node_options, client),
};

static const struct option taint_options[] = {
	{"overwrite", 0, OPTION_FLAG, offsetof(struct node_options, is_overwriting), NULL,
	 "change what is there already"},
	CHANGE_OPTIONS(struct node_options, change),
	RESOURCE_SELECTOR_OPTIONS(struct node_options, resources),
	CLIENT_OPTIONS(struct node_options, client),
};

const struct command command_cordon = {
	.name = "cordon",
	.arguments = "NODE…",
	.summary = "Let no more pods come to a node",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct node_options),
	VERB_RUN(cordon_body),
};

const struct command command_uncordon = {
	.name = "uncordon",
	.arguments = "NODE…",
	.summary = "Let pods come to a node again",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct node_options),
	VERB_RUN(uncordon_body),
};

const struct command command_taint = {
	.name = "taint",
	.arguments = "nodes NODE… KEY=VALUE:EFFECT | KEY:EFFECT-",
	.summary = "Set and remove taints of nodes",
	.options = taint_options,
	.option_count = ARRAY_LEN(taint_options),
	.values_size = sizeof(struct node_options),
	VERB_RUN(taint_body),
};
