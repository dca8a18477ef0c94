#include "client/set.h"

#include <fnmatch.h>

#include "client/create.h"

const struct set_options set_defaults = {.containers = "*", .prefix = "", .is_overwriting = true};

enum rc set_open(struct verb *v, struct setting *ret_setting, struct err *err)
{
	*ret_setting = (struct setting){.verb = v, .options = v->line->values, .arena = v->arena};
	return change_open(&v->client, &ret_setting->options->change, "kubectl-set",
			   &ret_setting->change, err);
}

size_t set_words_before(const struct verb *v, const char *marks)
{
	const struct text_list *words = &v->line->words;
	size_t count = 0;
	while (count < words->count && !strpbrk(words->at[count], marks))
		count++;
	return count;
}

enum rc set_find(struct setting *s, size_t object_words, struct resources *ret, struct err *err)
{
	struct resource_query q = {.options = &s->options->resources,
				   .words = verb_words(s->verb, 0)};
	q.words.count = MIN(q.words.count, object_words);
	s->words = verb_words(s->verb, object_words);
	return resources_find(s->verb, &q, ret, err);
}

struct run {
	struct setting *setting;
	enum patch_form form;
	set_patch *fill;
	const char *what;
};

static enum rc set_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	const struct run *run = ctx;
	struct change *ch = &run->setting->change;
	struct json *patch = json_object(v->arena), *after = r->tree;
	run->setting->resource = r;
	TRY(run->fill(run->setting, r, patch, err));
	if (json_count(patch))
		TRY(change_patch(ch, r->kind, r->namespace, r->name, NULL, run->form, patch, &after,
				 err));
	bool is_same = !run->setting->tells_unchanged && ch->dry_run == DRY_RUN_NONE &&
		       str_eq(json_path_str(after, "metadata.resourceVersion"),
			      json_path_str(r->tree, "metadata.resourceVersion"));
	return is_same ? RC_OK : change_tell(ch, r->kind, after, run->what, err);
}

enum rc set_run(struct setting *s, size_t object_words, enum patch_form form, set_patch *fill,
		const char *what, struct err *err)
{
	struct run run = {s, form, fill, what};
	struct resources r;
	TRY(set_find(s, object_words, &r, err));
	resources_each(s->verb, &r, set_one, &run);
	return RC_OK;
}

enum rc set_pod_spec(const struct resource *r, const char **ret_path, struct err *err)
{
	static const struct {
		const char *plural, *path;
	} places[] = {
		{"pods", "spec"},
		{"replicationcontrollers", "spec.template.spec"},
		{"deployments", "spec.template.spec"},
		{"daemonsets", "spec.template.spec"},
		{"statefulsets", "spec.template.spec"},
		{"replicasets", "spec.template.spec"},
		{"jobs", "spec.template.spec"},
		{"cronjobs", "spec.jobTemplate.spec.template.spec"},
	};
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (!str_is(r->kind->plural, places[i].plural))
			continue;
		*ret_path = places[i].path;
		return RC_OK;
	}
	return err_set(err, RC_BAD_REQUEST, "%.*s/%.*s does not have a pod template",
		       STR_FMT(r->kind->plural), STR_FMT(r->name));
}

static struct json *list_at(struct arena *a, struct json *spec, struct str key)
{
	if (!json_get(spec, key))
		json_set(a, spec, key, json_array(a));
	return json_get(spec, key);
}

enum rc set_containers(struct setting *s, const struct resource *r, unsigned lists,
		       const char *names, struct json *patch,
		       enum rc (*fn)(struct setting *s, const struct json *container,
				     struct json *patch, struct err *err),
		       bool *ret_is_found, struct err *err)
{
	static const char *const keys[] = {"containers", "initContainers"};
	struct arena *a = s->arena;
	const char *at;
	*ret_is_found = false;
	TRY(set_pod_spec(r, &at, err));
	for (size_t l = 0; l < ARRAY_LEN(keys); l++) {
		const struct json *now = json_get(json_path(r->tree, at), str_of(keys[l]));
		for (size_t i = 0; (lists & 1u << l) && i < json_count(now); i++) {
			struct str name = json_path_str(json_at(now, i), "name");
			struct json *part = json_object(a);
			if (fnmatch(names, arena_cstr(a, name), 0) != 0)
				continue;
			*ret_is_found = true;
			json_set_str(a, part, STR("name"), name);
			TRY(fn(s, json_at(now, i), part, err));
			if (json_count(part) > 1)
				json_append(a, list_at(a, create_at(a, patch, at), str_of(keys[l])),
					    part);
		}
	}
	return RC_OK;
}
