/* skeg label, annotate: set (k=v) and remove (k-) labels and annotations. */
#include <stdio.h>

#include "client/change.h"
#include "client/resources.h"
#include "client/verbs.h"

struct label_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	const char *resource_version;
	bool is_overwriting, is_list;
};

struct field { /* labels or annotations */
	struct str key;
	const char *manager, *done, *undone, *nothing, *noun;
};

static const struct field labels = {STR_INIT("labels"), "kubectl-label", "labeled",
				    "unlabeled",	"not labeled",	 "label"};
static const struct field annotations = {STR_INIT("annotations"),
					 "kubectl-annotate",
					 "annotated",
					 "annotated",
					 "annotated",
					 "annotation"};

struct labelling {
	const struct field *field;
	const struct label_options *options;
	struct text_list pairs;
	struct change change;
	bool has_several; /* objects: each of the lists says whose it is */
};

/* "k=v" and "k-" come after the objects. */
static bool is_pair(const char *word)
{
	size_t len = strlen(word);
	return strchr(word, '=') || (len > 1 && word[len - 1] == '-');
}

static void split_words(struct verb *v, struct text_list *ret_objects, struct text_list *ret_pairs)
{
	const struct text_list *all = &v->line->words;
	size_t at = 0;
	while (at < all->count && !is_pair(all->at[at]))
		at++;
	*ret_objects = (struct text_list){.at = all->at, .count = at};
	*ret_pairs = verb_words(v, at);
}

static enum rc add_pair(struct labelling *l, struct arena *a, const char *word,
			const struct json *now, struct json *patch, struct err *err)
{
	struct str key, value, text = str_of(word);
	if (!str_cut(text, '=', &key, &value)) {
		key = str_n(text.at, text.len - 1);
		if (!json_get(now, key))
			printf("%s \"%.*s\" not found.\n", l->field->noun, STR_FMT(key));
		json_set(a, patch, key, json_null(a));
		return RC_OK;
	}
	const struct json *old = json_get(now, key);
	if (old && !l->options->is_overwriting && !str_eq(json_str(old), value))
		return err_set(err, RC_BAD_REQUEST,
			       l->field == &labels
				       ? "'%.*s' already has a value (%.*s), and --overwrite is "
					 "false"
				       : "--overwrite is false but found the following declared "
					 "annotation(s): '%.*s' already has a value (%.*s)",
			       STR_FMT(key), STR_FMT(json_str(old)));
	json_set_str(a, patch, key, value);
	return RC_OK;
}

static void list(const struct labelling *l, const struct resource *r, const struct json *now)
{
	struct str group = r->kind->group;
	const char *indent = l->has_several ? " " : "";
	if (l->has_several)
		printf("Listing labels for %.*s%s%.*s/%.*s:\n", STR_FMT(r->kind->kind),
		       group.len ? "." : "", STR_FMT(group), STR_FMT(r->name));
	for (size_t i = 0; i < json_count(now); i++)
		printf("%s%.*s=%.*s\n", indent, STR_FMT(now->object.members[i].key),
		       STR_FMT(json_str(now->object.members[i].value)));
}

static const char *what_changed(const struct labelling *l, const struct json *before,
				const struct json *patch)
{
	bool has_changed = false;
	size_t removed = 0;
	for (size_t i = 0; i < json_count(patch); i++) {
		const struct json_member *m = &patch->object.members[i];
		struct json *old = json_get(before, m->key);
		bool is_removal = m->value->type == JSON_NULL;
		has_changed |= is_removal ? old != NULL : !old || !json_equal(old, m->value);
		removed += is_removal && old;
	}
	if (!has_changed)
		return l->field->nothing;
	return removed && removed == json_count(patch) && !l->options->is_overwriting
		       ? l->field->undone
		       : l->field->done;
}

static enum rc label_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct labelling *l = ctx;
	struct arena *a = v->arena;
	struct json *patch = json_object(a), *metadata = json_object(a), *pairs = json_object(a);
	const struct json *now = json_get(json_get(r->tree, STR("metadata")), l->field->key);
	struct json *after;
	if (l->options->is_list)
		list(l, r, now);
	if (l->options->is_list && l->pairs.count == 0)
		return RC_OK;
	for (size_t i = 0; i < l->pairs.count; i++)
		TRY(add_pair(l, a, l->pairs.at[i], now, pairs, err));
	json_set(a, patch, STR("metadata"), metadata);
	json_set(a, metadata, l->field->key, pairs);
	if (l->options->resource_version)
		json_set_str(a, metadata, STR("resourceVersion"),
			     str_of(l->options->resource_version));
	const char *what = what_changed(l, now, pairs);
	TRY(change_patch(&l->change, r->kind, r->namespace, r->name, NULL, PATCH_MERGE, patch,
			 &after, err));
	return change_tell(&l->change, r->kind, after, what, err);
}

static enum rc body(struct verb *v, struct err *err)
{
	const struct field *field = v->detail;
	struct labelling l = {.field = field, .options = v->line->values};
	struct resources r;
	struct resource_query q = {.options = &l.options->resources};
	split_words(v, &q.words, &l.pairs);
	if (l.pairs.count == 0 && !l.options->is_list)
		return err_set(
			err, RC_BAD_REQUEST,
			"at least one %s update is required: KEY=VALUE, or KEY- to remove it",
			field->noun);
	TRY(change_open(&v->client, &l.options->change, field->manager, &l.change, err));
	TRY(resources_find(v, &q, &r, err));
	l.has_several = r.count > 1;
	resources_each(v, &r, label_one, &l);
	return RC_OK;
}

static const struct option options[] = {
	{"overwrite", 0, OPTION_FLAG, offsetof(struct label_options, is_overwriting), NULL,
	 "change what has a value already"},
	{"list", 0, OPTION_FLAG, offsetof(struct label_options, is_list), NULL,
	 "show what there is"},
	{"resource-version", 0, OPTION_TEXT, offsetof(struct label_options, resource_version),
	 "VERSION", "only if the object is still of this version"},
	CHANGE_OPTIONS(struct label_options, change),
	RESOURCE_FILE_OPTIONS(struct label_options, resources),
	RESOURCE_SELECTOR_OPTIONS(struct label_options, resources),
	CLIENT_OPTIONS(struct label_options, client),
};

const struct command command_label = {
	.name = "label",
	.arguments = "TYPE NAME… KEY=VALUE… | KEY-…",
	.summary = "Set and remove labels",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct label_options),
	VERB_RUN(body, &labels),
};

const struct command command_annotate = {
	.name = "annotate",
	.arguments = "TYPE NAME… KEY=VALUE… | KEY-…",
	.summary = "Set and remove annotations",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct label_options),
	VERB_RUN(body, &annotations),
};
