/* skeg taint: what keeps pods away from nodes. */
#include <stdio.h>

#include "client/change.h"
#include "client/resources.h"
#include "client/verbs.h"

struct taint_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	bool is_overwriting;
};

struct taint {
	struct str key, value, effect;
	bool is_removal;
};

struct tainting {
	const struct taint_options *options;
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

static enum rc body(struct verb *v, struct err *err)
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
	{"overwrite", 0, OPTION_FLAG, offsetof(struct taint_options, is_overwriting), NULL,
	 "change what is there already"},
	CHANGE_OPTIONS(struct taint_options, change),
	RESOURCE_SELECTOR_OPTIONS(struct taint_options, resources),
	CLIENT_OPTIONS(struct taint_options, client),
};

const struct command command_taint = {
	.name = "taint",
	.arguments = "nodes NODE… KEY=VALUE:EFFECT | KEY:EFFECT-",
	.summary = "Set and remove taints of nodes",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct taint_options),
	VERB_RUN(body),
};
