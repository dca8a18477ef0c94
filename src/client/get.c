/* skeg get: objects as tables, made by the server, or as YAML, JSON or names. */
#include "client/get.h"

#include <stdio.h>

#include "api/quantity.h"
#include "client/api_path.h"
#include "client/verb.h"
#include "client/verbs.h"

struct str get_url(const struct get *g, const struct api_kind *kind, struct str name)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	const struct resource_options *o = &g->options->resources;
	struct str namespace = o->is_everywhere ? STR("") : g->client->namespace;
	buf_add_str(&url, api_path(g->arena, kind, namespace, name,
				   name.len ? g->options->subresource : NULL));
	if (name.len == 0) {
		query_add(&url, "labelSelector", str_of(o->label_selector));
		query_add(&url, "fieldSelector", str_of(o->field_selector));
	}
	if (g->sort_by && output_is_table(&g->output))
		query_add(&url, "includeObject", STR("Object"));
	return arena_str(g->arena, buf_str(&url));
}

void get_view_init(const struct get *g, const struct api_kind *kind, struct table_view *ret_view)
{
	const struct get_options *o = g->options;
	*ret_view = (struct table_view){
		.is_wide = g->output.form == OUTPUT_WIDE,
		.has_no_heads = o->has_no_heads,
		.has_namespace = o->resources.is_everywhere && kind->is_namespaced,
		.has_labels = o->show_labels,
		.label_columns = &o->label_columns,
		.type = g->shows_types || o->show_kind ? resource_type_label(g->arena, kind)
						       : STR(""),
	};
}

/* A target that cannot be had doesn't keep the others from being shown; it is told after them. */
static void note_failure(struct get *g, const struct err *err)
{
	if (err->rc != RC_NOT_FOUND || !g->options->ignores_missing)
		verb_note(g->verb, err);
}

/* ---- order ---- */

struct sortable {
	const struct json *key; /* NULL: it has none */
	struct json *value;
	size_t index;
};

/* Quantities compare by their amounts, as with kubectl; what has no key goes first. */
static int compare_keys(const struct json *a, const struct json *b)
{
	struct quantity x, y;
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	if (a->type == JSON_STRING && b->type == JSON_STRING) {
		if (quantity_parse(a->string, &x, NULL) == RC_OK &&
		    quantity_parse(b->string, &y, NULL) == RC_OK)
			return quantity_cmp(x, y);
		return str_cmp(a->string, b->string);
	}
	int64_t m = json_i64(a), n = json_i64(b);
	return m < n ? -1 : m > n;
}

static int compare_sortable(const void *x, const void *y)
{
	const struct sortable *a = x, *b = y;
	int order = compare_keys(a->key, b->key);
	return order ? order : a->index < b->index ? -1 : 1;
}

/* list: objects, or rows of a Table with their objects. */
static enum rc sort(struct get *g, struct json *list, const char *object_key, struct err *err)
{
	size_t count = json_count(list);
	struct sortable *all = ARENA_ARRAY(g->arena, struct sortable, count + 1);
	bool has_key = count == 0;
	for (size_t i = 0; i < count; i++) {
		struct jsonpath_results found;
		const struct json *object = json_at(list, i);
		if (object_key)
			object = json_get(object, str_of(object_key));
		TRY(jsonpath_find(g->sort_by, g->arena, object, &found, err));
		all[i] =
			(struct sortable){found.count ? found.items[0] : NULL, json_at(list, i), i};
		has_key |= found.count > 0;
	}
	if (!has_key)
		return err_set(err, RC_BAD_REQUEST,
			       "couldn't find any field with path \"%s\" in "
			       "the list of objects",
			       g->options->sort_by);
	qsort(all, count, sizeof(*all), compare_sortable);
	for (size_t i = 0; i < count; i++)
		list->array.items[i] = all[i].value;
	return RC_OK;
}

/* ---- tables ---- */

struct table_pages {
	struct get *get;
	struct table_view *view;
	struct json *whole; /* with --sort-by: a Table of all pages */
};

static enum rc add_page(struct json *table, void *ctx, struct err *err)
{
	struct table_pages *p = ctx;
	struct arena *a = p->get->arena;
	if (!p->get->sort_by)
		return table_view_add(p->view, a, table, err);
	if (!p->whole) {
		p->whole = table;
		return RC_OK;
	}
	struct json *rows = json_get(p->whole, STR("rows")), *more = json_get(table, STR("rows"));
	for (size_t i = 0; i < json_count(more); i++)
		json_append(a, rows, json_at(more, i));
	return RC_OK;
}

static enum rc show_in_table(struct get *g, struct table_view *view,
			     const struct resource_target *t, struct err *err)
{
	struct table_pages pages = {g, view, NULL};
	struct str url = get_url(g, t->kind, t->name);
	if (t->name.len == 0) {
		TRY(api_client_list(g->client, g->arena, url, API_ACCEPT_TABLE, add_page, &pages,
				    err));
	} else {
		struct api_reply reply;
		const struct api_request request = {.path = url, .accept = API_ACCEPT_TABLE};
		TRY(api_client_call(g->client, g->arena, &request, &reply, err));
		TRY(add_page(reply.tree, &pages, err));
	}
	if (!pages.whole)
		return RC_OK;
	struct json *rows = json_get(pages.whole, STR("rows"));
	if (json_count(rows))
		TRY(sort(g, rows, "object", err));
	return table_view_add(view, g->arena, pages.whole, err);
}

/* Neighbours of one kind share a table; tables of different kinds are set apart by a line. */
static void show_tables(struct get *g)
{
	for (size_t i = 0, next; i < g->targets.count; i = next) {
		struct table_view view;
		struct err err;
		const struct api_kind *kind = g->targets.items[i].kind;
		get_view_init(g, kind, &view);
		for (next = i; next < g->targets.count && g->targets.items[next].kind == kind;
		     next++)
			if (show_in_table(g, &view, &g->targets.items[next], &err) != RC_OK)
				note_failure(g, &err);
		if (view.row_count && g->shown && !g->options->has_no_heads)
			putchar('\n');
		g->shown += view.row_count;
		text_table_print(&view.text);
	}
}

/* ---- objects ---- */

struct object_pages {
	struct get *get;
	const struct api_kind *kind;
	struct json *items;
};

static void take_object(struct get *g, const struct api_kind *kind, struct json *items,
			struct json *object)
{
	object_complete(g->arena, object, kind);
	json_append(g->arena, items, object);
	g->shown++;
}

static enum rc take_items(struct json *list, void *ctx, struct err *err)
{
	struct object_pages *p = ctx;
	const struct json *items = json_get(list, STR("items"));
	for (size_t i = 0; i < json_count(items); i++)
		take_object(p->get, p->kind, p->items, json_at(items, i));
	return RC_OK;
}

static enum rc take_target(struct get *g, const struct resource_target *t, struct json *items,
			   struct err *err)
{
	struct object_pages pages = {g, t->kind, items};
	struct str url = get_url(g, t->kind, t->name);
	if (t->name.len == 0)
		return api_client_list(g->client, g->arena, url, NULL, take_items, &pages, err);
	struct json *tree;
	TRY(api_client_get(g->client, g->arena, url, &tree, err));
	take_object(g, t->kind, items, tree);
	return RC_OK;
}

/* One named object stands alone, everything else in a List. */
static void show_objects(struct get *g)
{
	struct err err;
	struct json *list = object_list_new(g->arena), *items = json_get(list, STR("items"));
	size_t failed = g->verb->failed;
	for (size_t i = 0; i < g->targets.count; i++)
		if (take_target(g, &g->targets.items[i], items, &err) != RC_OK)
			note_failure(g, &err);
	bool is_single = g->targets.count == 1 && g->targets.items[0].name.len;
	if (g->shown == 0 && (is_single || g->verb->failed > failed))
		return;
	if (g->sort_by && sort(g, items, NULL, &err) != RC_OK)
		note_failure(g, &err);
	struct json *tree = is_single ? json_at(items, 0) : list;
	if (output_print(&g->output, g->arena, tree, &err) != RC_OK)
		note_failure(g, &err);
}

/* ---- the verb ---- */

static enum rc check(const struct get *g, struct err *err)
{
	const struct get_options *o = g->options;
	const struct resource_options *r = &o->resources;
	for (size_t i = 0; i < g->targets.count; i++) {
		if (g->targets.items[i].name.len == 0)
			continue;
		if (r->is_everywhere && g->targets.items[i].kind->is_namespaced)
			return err_set(err, RC_BAD_REQUEST,
				       "a resource cannot be retrieved by name across all "
				       "namespaces");
		if (r->label_selector || r->field_selector)
			return err_set(err, RC_BAD_REQUEST,
				       "name cannot be provided when a selector is specified");
	}
	if (o->is_watch && g->targets.count > 1)
		return err_set(err, RC_BAD_REQUEST,
			       "--watch follows one type or one object; name only one");
	return RC_OK;
}

static bool has_several_types(const struct resource_targets *t)
{
	for (size_t i = 1; i < t->count; i++)
		if (t->items[i].kind != t->items[0].kind)
			return true;
	return false;
}

static void say_nothing_found(const struct get *g)
{
	bool is_namespaced = !g->options->resources.is_everywhere;
	for (size_t i = 0; i < g->targets.count; i++)
		is_namespaced &= g->targets.items[i].kind->is_namespaced;
	if (is_namespaced)
		fprintf(stderr, "No resources found in %.*s namespace.\n",
			STR_FMT(g->client->namespace));
	else
		fprintf(stderr, "No resources found\n");
}

static void get_once(struct get *g)
{
	if (output_is_table(&g->output))
		show_tables(g);
	else
		show_objects(g);
	bool says_nothing = output_is_table(&g->output) || g->output.form == OUTPUT_NAME;
	if (g->shown == 0 && g->verb->failed == 0 && says_nothing && !g->options->ignores_missing)
		say_nothing_found(g);
}

/* Files name the objects that are shown. */
static enum rc take_files(struct get *g, struct err *err)
{
	struct manifest m;
	TRY(resources_read_files(g->verb, &g->options->resources, false, &m, err));
	g->targets.items = ARENA_ARRAY(g->arena, struct resource_target, m.count + 1);
	for (size_t i = 0; i < m.count; i++)
		g->targets.items[g->targets.count++] =
			(struct resource_target){m.items[i].kind, m.items[i].name};
	if (m.count && m.items[0].namespace.len && !g->client->is_namespace_given)
		g->client->namespace = m.items[0].namespace;
	return RC_OK;
}

static enum rc get_raw(struct get *g, struct err *err)
{
	const struct api_request request = {
		.path = str_of(g->options->raw), .accept = "*/*", .is_endless = true};
	if (g->options->raw[0] != '/')
		return err_set(err, RC_BAD_REQUEST,
			       "option '--raw' needs a path that begins with '/', not '%s'",
			       g->options->raw);
	return api_client_print(g->client, &request, err);
}

static enum rc prepare(struct get *g, struct err *err)
{
	const struct get_options *o = g->options;
	bool has_files = o->resources.files.count || o->resources.kustomize;
	TRY(output_parse(g->arena, o->output, &g->output, err));
	g->output.has_no_heads = o->has_no_heads;
	g->output.shows_managed_fields = o->show_managed_fields;
	if (o->sort_by)
		TRY(jsonpath_parse_relaxed(g->arena, str_of(o->sort_by), &g->sort_by, err));
	if (has_files)
		TRY(take_files(g, err));
	else
		TRY(resource_targets_parse(g->arena, &g->verb->line->words, &g->targets, err));
	g->shows_types = has_several_types(&g->targets);
	return check(g, err);
}

static enum rc body(struct verb *v, struct err *err)
{
	struct get g = {
		.verb = v, .client = &v->client, .options = v->line->values, .arena = v->arena};
	if (g.options->raw)
		return get_raw(&g, err);
	v->client.page_limit = g.options->chunk_size;
	TRY(prepare(&g, err));
	if (g.options->is_watch || g.options->is_watch_only)
		return get_watch(&g, err);
	get_once(&g);
	return RC_OK;
}

#define AT(member) offsetof(struct get_options, member)
static const struct option options[] = {
	{"chunk-size", 0, OPTION_NUMBER, AT(chunk_size), "N",
	 "ask for so many objects at a time (500; 0: for all)"},
	{"output", 'o', OPTION_TEXT, AT(output), "FORM",
	 "wide, yaml, json, name, jsonpath=TEMPLATE, custom-columns=HEAD:PATH,…"},
	{"watch", 'w', OPTION_FLAG, AT(is_watch), NULL, "then show changes as they come"},
	{"watch-only", 0, OPTION_FLAG, AT(is_watch_only), NULL, "only changes from now on"},
	{"sort-by", 0, OPTION_TEXT, AT(sort_by), "PATH", "in the order of a field: .metadata.name"},
	{"no-headers", 0, OPTION_FLAG, AT(has_no_heads), NULL, "without the line of column names"},
	{"show-labels", 0, OPTION_FLAG, AT(show_labels), NULL, "with a column of labels"},
	{"label-columns", 'L', OPTION_LIST, AT(label_columns), "LABEL",
	 "with a column for this label"},
	{"show-kind", 0, OPTION_FLAG, AT(show_kind), NULL, "with the type before each name"},
	{"show-managed-fields", 0, OPTION_FLAG, AT(show_managed_fields), NULL,
	 "keep managedFields in yaml and json"},
	{"ignore-not-found", 0, OPTION_FLAG, AT(ignores_missing), NULL,
	 "a name that is not there is no error"},
	{"subresource", 0, OPTION_TEXT, AT(subresource), "NAME", "status, scale, resize"},
	{"raw", 0, OPTION_TEXT, AT(raw), "PATH", "the answer to this path, as it is"},
	RESOURCE_FILE_OPTIONS(struct get_options, resources),
	RESOURCE_SELECTOR_OPTIONS(struct get_options, resources),
	CLIENT_OPTIONS(struct get_options, client),
};

static const struct get_options defaults = {.chunk_size = API_PAGE_LIMIT};

const struct command command_get = {
	.name = "get",
	.arguments = "TYPE[,TYPE…] [NAME…] | TYPE/NAME…",
	.summary = "Show objects of the cluster",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct get_options),
	.defaults = &defaults,
	VERB_RUN(body),
};
