/* skeg set env: environment variables of containers: listed, set, taken out. */
#include <ctype.h>
#include <stdio.h>

#include "base/encode.h"
#include "client/api_path.h"
#include "client/create.h"
#include "client/set.h"
#include "client/verbs.h"

/* What is to become of the variables, the same for every container. */
struct wanted {
	struct json *set;   /* entries of env */
	struct json *unset; /* names */
};

/* ---- what was asked for ---- */

static enum rc add_words(struct setting *s, struct wanted *w, const struct text_list *words,
			 struct err *err)
{
	for (size_t i = 0; i < words->count; i++) {
		struct str text = str_of(words->at[i]), name, value;
		if (str_cut(text, '=', &name, &value) && name.len) {
			json_append(s->arena, w->set, create_variable(s->arena, name, value));
		} else if (text.len > 1 && str_has_suffix(text, STR("-"))) {
			json_append(s->arena, w->unset,
				    json_string(s->arena, str_n(text.at, text.len - 1)));
		} else {
			return err_set(err, RC_BAD_REQUEST,
				       "'%s' is no variable; write NAME=VALUE, or NAME- to take it "
				       "out",
				       words->at[i]);
		}
	}
	return RC_OK;
}

/* "db-url" of a ConfigMap becomes DB_URL, behind the prefix. */
static struct str variable_name(struct setting *s, struct str key)
{
	char *out = arena_cstr(s->arena, key);
	for (char *c = out; *c; c++)
		*c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
	if (!str_is(key, out))
		fprintf(stderr, "Warning: key %.*s transferred to %s\n", STR_FMT(key), out);
	return arena_printf(s->arena, "%s%s", s->options->prefix, out);
}

static bool is_wanted_key(struct setting *s, struct str key)
{
	const struct json *keys = create_texts(s->arena, &s->options->keys);
	return json_count(keys) == 0 || json_has_text(keys, key);
}

/* --from=configmap/NAME: a variable for each of its keys. */
static enum rc add_source(struct setting *s, struct wanted *w, struct err *err)
{
	struct arena *a = s->arena;
	struct resource_targets targets;
	struct json *tree;
	const struct text_list word = {.at = (const char *[]){s->options->from}, .count = 1};
	size_t count;
	TRY(resource_targets_parse(a, &word, &targets, err));
	const struct resource_target *t = &targets.items[0];
	bool is_secret = str_is(t->kind->plural, "secrets");
	if ((!is_secret && !str_is(t->kind->plural, "configmaps")) || !t->name.len)
		return err_set(err, RC_BAD_REQUEST,
			       "unsupported resource specified in --from: write configmap/NAME or "
			       "secret/NAME");
	struct str namespace = s->verb->client.namespace;
	TRY(api_client_get(&s->verb->client, a, api_path(a, t->kind, namespace, t->name, NULL),
			   &tree, err));
	const struct json_member *m = json_sorted_members(a, json_get(tree, STR("data")), &count);
	for (size_t i = 0; i < count; i++) {
		struct json *entry = json_object(a);
		if (!is_wanted_key(s, m[i].key))
			continue;
		json_set_str(a, entry, STR("name"), variable_name(s, m[i].key));
		struct json *ref = create_at(a, entry,
					     is_secret ? "valueFrom.secretKeyRef"
						       : "valueFrom.configMapKeyRef");
		json_set_str(a, ref, STR("name"), t->name);
		json_set_str(a, ref, STR("key"), m[i].key);
		json_append(a, w->set, entry);
	}
	return RC_OK;
}

/* ---- patches ---- */

static const struct json *variable(const struct json *env, struct str name)
{
	for (size_t i = 0; i < json_count(env); i++)
		if (str_eq(json_path_str(json_at(env, i), "name"), name))
			return json_at(env, i);
	return NULL;
}

static enum rc put_variable(struct setting *s, const struct json *env, struct json *entry,
			    struct json *list, struct err *err)
{
	struct arena *a = s->arena;
	const struct json *now = variable(env, json_path_str(entry, "name"));
	if (now && !s->options->is_overwriting && !json_equal(now, entry))
		return err_set(err, RC_CONFLICT,
			       "%.*s/%.*s '%.*s' already has a value (%.*s), and --overwrite is "
			       "false",
			       STR_FMT(s->resource->kind->plural), STR_FMT(s->resource->name),
			       STR_FMT(json_path_str(entry, "name")),
			       STR_FMT(json_path_str(now, "value")));
	entry = json_clone(a, entry);
	/* A variable has a value or a source, never both. */
	if (json_get(now, STR("valueFrom")) && !json_get(entry, STR("valueFrom")))
		json_set(a, entry, STR("valueFrom"), json_null(a));
	if (json_get(now, STR("value")) && json_get(entry, STR("valueFrom")))
		json_set(a, entry, STR("value"), json_null(a));
	json_append(a, list, entry);
	return RC_OK;
}

static enum rc put(struct setting *s, const struct json *container, struct json *patch,
		   struct err *err)
{
	const struct wanted *w = s->ctx;
	const struct json *env = json_get(container, STR("env"));
	struct json *list = json_array(s->arena);
	for (size_t i = 0; i < json_count(w->set); i++)
		TRY(put_variable(s, env, json_at(w->set, i), list, err));
	for (size_t i = 0; i < json_count(w->unset); i++) {
		struct json *gone = json_object(s->arena);
		struct str name = json_str(json_at(w->unset, i));
		if (!variable(env, name))
			continue;
		json_set_str(s->arena, gone, STR("$patch"), STR("delete"));
		json_set_str(s->arena, gone, STR("name"), name);
		json_append(s->arena, list, gone);
	}
	if (json_count(list))
		json_set(s->arena, patch, STR("env"), list);
	return RC_OK;
}

static enum rc no_container(struct setting *s, const struct resource *r)
{
	fprintf(stderr, "Warning: %.*s/%.*s does not have any containers matching \"%s\"\n",
		STR_FMT(r->kind->kind), STR_FMT(r->name), s->options->containers);
	return RC_OK;
}

static enum rc fill(struct setting *s, const struct resource *r, struct json *patch,
		    struct err *err)
{
	bool is_found;
	TRY(set_containers(s, r, SET_CONTAINERS | SET_INIT_CONTAINERS, s->options->containers,
			   patch, put, &is_found, err));
	return is_found ? RC_OK : no_container(s, r);
}

/* ---- --list ---- */

/* The value behind a reference; absent when it is not one that can be asked for. */
static enum rc resolve(struct setting *s, const struct json *source, struct str namespace,
		       struct str *ret_value, struct err *err)
{
	const struct json *map = json_get(source, STR("configMapKeyRef"));
	const struct json *secret = json_get(source, STR("secretKeyRef"));
	const struct json *ref = map ? map : secret;
	const struct api_kind *kind = resource_type_find(map ? STR("configmaps") : STR("secrets"));
	struct json *tree;
	*ret_value = (struct str){};
	if (!ref)
		return RC_OK;
	TRY(api_client_get(&s->verb->client, s->arena,
			   api_path(s->arena, kind, namespace, json_path_str(ref, "name"), NULL),
			   &tree, err));
	struct str text =
		json_str(json_get(json_get(tree, STR("data")), json_path_str(ref, "key")));
	if (secret && !base64_decode(s->arena, text, &text))
		text = (struct str){};
	*ret_value = text;
	return RC_OK;
}

static struct str source_text(struct arena *a, const struct json *source)
{
	static const struct {
		const char *key, *what;
	} refs[] = {{"configMapKeyRef", "configmap"}, {"secretKeyRef", "secret"}};
	for (size_t i = 0; i < ARRAY_LEN(refs); i++) {
		const struct json *ref = json_get(source, str_of(refs[i].key));
		if (ref)
			return arena_printf(a, "%s %.*s, key %.*s", refs[i].what,
					    STR_FMT(json_path_str(ref, "name")),
					    STR_FMT(json_path_str(ref, "key")));
	}
	struct str path = json_path_str(source, "fieldRef.fieldPath");
	if (path.len)
		return arena_printf(a, "field path %.*s", STR_FMT(path));
	struct str container = json_path_str(source, "resourceFieldRef.containerName");
	return arena_printf(a, "resource field %.*s%s%.*s", STR_FMT(container),
			    container.len ? "/" : "",
			    STR_FMT(json_path_str(source, "resourceFieldRef.resource")));
}

static enum rc list_variables(struct setting *s, const struct json *container, struct json *patch,
			      struct err *err)
{
	const struct resource *r = s->ctx;
	const struct json *env = json_get(container, STR("env"));
	printf("# %.*s %.*s, container %.*s\n", STR_FMT(r->kind->kind), STR_FMT(r->name),
	       STR_FMT(json_path_str(container, "name")));
	for (size_t i = 0; i < json_count(env); i++) {
		struct str name = json_path_str(json_at(env, i), "name");
		struct str value = json_path_str(json_at(env, i), "value");
		const struct json *source = json_get(json_at(env, i), STR("valueFrom"));
		struct str found = {};
		if (source && s->options->resolves)
			TRY(resolve(s, source, r->namespace, &found, err));
		if (source && !found.at)
			printf("# %.*s from %.*s\n", STR_FMT(name),
			       STR_FMT(source_text(s->arena, source)));
		else
			printf("%.*s=%.*s\n", STR_FMT(name), STR_FMT(source ? found : value));
	}
	return RC_OK;
}

static enum rc list_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct setting *s = ctx;
	bool is_found;
	s->ctx = r;
	TRY(set_containers(s, r, SET_CONTAINERS | SET_INIT_CONTAINERS, s->options->containers,
			   json_object(v->arena), list_variables, &is_found, err));
	return is_found ? RC_OK : no_container(s, r);
}

/* ---- the verb ---- */

/* A name ends with '-' only when it is to be taken out; names of objects never do. */
static size_t object_words(const struct verb *v)
{
	const struct text_list *words = &v->line->words;
	size_t count = set_words_before(v, "=");
	for (size_t i = 0; i < count; i++)
		if (str_has_suffix(str_of(words->at[i]), STR("-")))
			return i;
	return count;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct setting s;
	struct resources r;
	size_t objects = object_words(v);
	TRY(set_open(v, &s, err));
	struct wanted w = {json_array(v->arena), json_array(v->arena)};
	if (s.options->lists) {
		TRY(set_find(&s, objects, &r, err));
		resources_each(v, &r, list_one, &s);
		return RC_OK;
	}
	const struct text_list words = verb_words(v, objects);
	TRY(add_words(&s, &w, &words, err));
	TRY(add_words(&s, &w, &s.options->env, err));
	if (s.options->from)
		TRY(add_source(&s, &w, err));
	if (!json_count(w.set) && !json_count(w.unset))
		return err_set(err, RC_BAD_REQUEST,
			       "at least one environment variable must be provided");
	s.ctx = &w;
	return set_run(&s, objects, PATCH_STRATEGIC, fill, "env updated", err);
}

static const struct option options[] = {
	{"list", 0, OPTION_FLAG, SET_AT(lists), NULL, "only show the variables"},
	{"resolve", 0, OPTION_FLAG, SET_AT(resolves), NULL,
	 "with --list: values of ConfigMaps and Secrets instead of their names"},
	{"env", 'e', OPTION_LIST, SET_AT(env), "NAME=VALUE", "a variable, as among the words"},
	{"from", 0, OPTION_TEXT, SET_AT(from), "TYPE/NAME",
	 "a variable for each key of a ConfigMap or Secret"},
	{"keys", 0, OPTION_LIST, SET_AT(keys), "KEY,…", "with --from: only these"},
	{"prefix", 0, OPTION_TEXT, SET_AT(prefix), "TEXT",
	 "with --from: what the names begin with"},
	{"overwrite", 0, OPTION_FLAG, SET_AT(is_overwriting), NULL,
	 "change variables that there are already (true)"},
	{"containers", 'c', OPTION_TEXT, SET_AT(containers), "NAME",
	 "only of those, '*' stands for anything (all)"},
	SET_COMMON,
};
SET_COMMAND(env, "set env", NULL, "TYPE/NAME NAME=VALUE… NAME-…",
	    "Change environment variables of a workload", options, body);
