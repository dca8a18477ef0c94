#include "client/resources.h"

#include <stdio.h>

#include "client/api_path.h"
#include "client/kustomize.h"
#include "client/object_output.h"

static void resource_add(struct verb *v, struct resources *r, const struct resource *one)
{
	r->items = arena_grow(v->arena, r->items, r->count, &r->cap, sizeof(*r->items));
	r->items[r->count++] = *one;
}

static struct str namespace_of(const struct api_kind *kind, struct str namespace)
{
	return kind->is_namespaced ? namespace : (struct str){};
}

/* ---- by words ---- */

static enum rc add_named(struct verb *v, const struct resource_target *t, struct resources *r,
			 struct err *err)
{
	struct resource one = {.kind = t->kind,
			       .namespace = namespace_of(t->kind, v->client.namespace),
			       .name = t->name};
	struct str path = api_path(v->arena, t->kind, one.namespace, t->name, NULL);
	TRY(api_client_get(&v->client, v->arena, path, &one.tree, err));
	resource_add(v, r, &one);
	return RC_OK;
}

struct pages {
	struct verb *verb;
	struct resources *resources;
	const struct api_kind *kind;
};

static enum rc take_page(struct json *list, void *ctx, struct err *err)
{
	struct pages *p = ctx;
	struct json *items = json_get(list, STR("items"));
	for (size_t i = 0; i < json_count(items); i++) {
		struct json *tree = json_at(items, i);
		object_complete(p->verb->arena, tree, p->kind);
		const struct resource one = {
			.kind = p->kind,
			.namespace = json_path_str(tree, "metadata.namespace"),
			.name = json_path_str(tree, "metadata.name"),
			.tree = tree,
		};
		resource_add(p->verb, p->resources, &one);
	}
	return RC_OK;
}

static enum rc add_all(struct verb *v, const struct resource_query *q, const struct api_kind *kind,
		       struct resources *r, struct err *err)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	struct pages pages = {v, r, kind};
	const struct resource_options *o = q->options;
	struct str namespace = o->is_everywhere ? (struct str){} : v->client.namespace;
	buf_add_str(&url, api_path(v->arena, kind, namespace, (struct str){}, NULL));
	query_add(&url, "labelSelector", str_of(o->label_selector));
	query_add(&url, "fieldSelector", str_of(o->field_selector));
	return api_client_list(&v->client, v->arena, buf_str(&url), NULL, take_page, &pages, err);
}

static bool is_selected(const struct resource_query *q)
{
	const struct resource_options *o = q->options;
	return o->label_selector || o->field_selector || o->is_all || q->takes_all_unnamed;
}

static enum rc check_target(const struct resource_query *q, const struct resource_target *t,
			    struct err *err)
{
	const struct resource_options *o = q->options;
	if (t->name.len && (o->label_selector || o->field_selector))
		return err_set(err, RC_BAD_REQUEST,
			       "name cannot be provided when a selector is specified");
	if (t->name.len && o->is_all)
		return err_set(err, RC_BAD_REQUEST,
			       "setting 'all' parameter but found a non empty selector. ");
	if (t->name.len && o->is_everywhere && t->kind->is_namespaced)
		return err_set(err, RC_BAD_REQUEST,
			       "a resource cannot be retrieved by name across all namespaces");
	if (!t->name.len && !is_selected(q))
		return err_set(err, RC_BAD_REQUEST,
			       "resource(s) were provided, but no name was specified");
	return RC_OK;
}

/* "n1" is "nodes n1" where the verb says so. */
static struct text_list with_type(struct verb *v, const struct resource_query *q)
{
	const struct text_list *words = &q->words;
	bool has_slash = words->count && strchr(words->at[0], '/');
	if (!q->default_type || has_slash || (words->count == 0 && !is_selected(q)))
		return *words;
	struct text_list all = {.at = ARENA_ARRAY(v->arena, const char *, words->count + 1)};
	all.at[all.count++] = q->default_type;
	for (size_t i = 0; i < words->count; i++)
		all.at[all.count++] = words->at[i];
	return all;
}

static enum rc find_words(struct verb *v, const struct resource_query *q, struct resources *r,
			  struct err *err)
{
	struct resource_targets targets;
	struct text_list words = with_type(v, q);
	if (words.count == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "you must provide one or more resources by argument or filename: "
			       "TYPE NAME, TYPE/NAME, or -f FILE");
	TRY(resource_targets_parse(v->arena, &words, &targets, err));
	for (size_t i = 0; i < targets.count; i++)
		TRY(check_target(q, &targets.items[i], err));
	for (size_t i = 0; i < targets.count; i++) {
		const struct resource_target *t = &targets.items[i];
		struct err one;
		enum rc rc = t->name.len ? add_named(v, t, r, &one)
					 : add_all(v, q, t->kind, r, &one);
		if (rc != RC_OK)
			verb_note(v, &one);
	}
	return RC_OK;
}

/* ---- by files ---- */

enum rc resources_read_files(struct verb *v, const struct resource_options *o, bool is_strict,
			     struct manifest *ret_manifest, struct err *err)
{
	struct str built;
	*ret_manifest = (struct manifest){.is_strict = is_strict, .is_recursive = o->is_recursive};
	if (o->kustomize) {
		TRY(kustomize_build(v->arena, o->kustomize, &built, err));
		TRY(manifest_add_text(ret_manifest, v->arena, o->kustomize, built, err));
	}
	return o->files.count ? manifest_read(ret_manifest, v->arena, &o->files, err) : RC_OK;
}

static enum rc add_file_object(struct verb *v, const struct resource_query *q,
			       const struct manifest_object *m, struct resources *r,
			       struct err *err)
{
	struct resource one = {.kind = m->kind, .name = m->name, .file = m};
	struct str namespace;
	TRY(manifest_namespace(m, v->client.namespace, v->client.is_namespace_given, &namespace,
			       err));
	one.namespace = namespace_of(m->kind, namespace);
	if (!q->is_local && m->name.len) {
		struct str path = api_path(v->arena, m->kind, one.namespace, m->name, NULL);
		enum rc rc = api_client_get(&v->client, v->arena, path, &one.tree, err);
		if (rc == RC_NOT_FOUND && q->ignores_missing)
			return RC_OK;
		TRY(rc);
	}
	resource_add(v, r, &one);
	return RC_OK;
}

static enum rc find_files(struct verb *v, const struct resource_query *q, struct resources *r,
			  struct err *err)
{
	struct manifest m;
	TRY(resources_read_files(v, q->options, false, &m, err));
	for (size_t i = 0; i < m.count; i++) {
		struct err one;
		if (add_file_object(v, q, &m.items[i], r, &one) != RC_OK)
			verb_note(v, &one);
	}
	return RC_OK;
}

/* ---- both ---- */

enum rc resources_find(struct verb *v, const struct resource_query *q,
		       struct resources *ret_resources, struct err *err)
{
	struct resources r = {};
	bool has_files = q->options->files.count || q->options->kustomize;
	if (has_files && q->words.count)
		return err_set(err, RC_BAD_REQUEST,
			       "when paths, URLs, or stdin is provided as input, you may not "
			       "specify resource arguments as well");
	TRY(has_files ? find_files(v, q, &r, err) : find_words(v, q, &r, err));
	*ret_resources = r;
	return RC_OK;
}

void resources_each(struct verb *v, const struct resources *r,
		    enum rc (*fn)(struct verb *v, struct resource *r, void *ctx, struct err *err),
		    void *ctx)
{
	for (size_t i = 0; i < r->count; i++) {
		struct err err;
		if (fn(v, &r->items[i], ctx, &err) != RC_OK)
			verb_note(v, &err);
	}
}
