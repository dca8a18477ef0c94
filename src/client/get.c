/* skeg get: objects as tables, made by the server, or as YAML, JSON or names. */
#include "client/get.h"

#include <stdio.h>

#include "client/api_path.h"
#include "client/verbs.h"

struct str get_url(const struct get *g, const struct api_kind *kind, struct str name)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	struct str namespace = g->options->is_everywhere ? STR("") : g->client.namespace;
	buf_add_str(&url, api_path(g->arena, kind, namespace, name, NULL));
	if (name.len == 0) {
		query_add(&url, "labelSelector", str_of(g->options->label_selector));
		query_add(&url, "fieldSelector", str_of(g->options->field_selector));
	}
	return arena_str(g->arena, buf_str(&url));
}

void get_view_init(const struct get *g, const struct api_kind *kind, struct table_view *ret_view)
{
	*ret_view = (struct table_view){
		.is_wide = g->form == OUTPUT_WIDE,
		.has_no_heads = g->options->has_no_heads,
		.has_namespace = g->options->is_everywhere && kind->is_namespaced,
		.has_labels = g->options->show_labels,
		.type = g->shows_types ? resource_type_label(g->arena, kind) : STR(""),
	};
}

/* A target that cannot be had doesn't keep the others from being shown; it is told after them. */
static void note_failure(struct get *g, const struct err *err)
{
	if (err->rc == RC_NOT_FOUND && g->options->ignores_missing)
		return;
	g->failures =
		arena_grow(g->arena, g->failures, g->failed, &g->failure_cap, sizeof(*g->failures));
	g->failures[g->failed++] = *err;
}

/* ---- tables ---- */

struct table_pages {
	struct get *get;
	struct table_view *view;
};

static enum rc add_page(struct json *table, void *ctx, struct err *err)
{
	struct table_pages *p = ctx;
	return table_view_add(p->view, p->get->arena, table, err);
}

static enum rc show_in_table(struct get *g, struct table_view *view,
			     const struct resource_target *t, struct err *err)
{
	struct table_pages pages = {g, view};
	struct str url = get_url(g, t->kind, t->name);
	if (t->name.len == 0)
		return api_client_list(&g->client, g->arena, url, API_ACCEPT_TABLE, add_page,
				       &pages, err);
	struct api_reply reply;
	const struct api_request request = {.path = url, .accept = API_ACCEPT_TABLE};
	TRY(api_client_call(&g->client, g->arena, &request, &reply, err));
	return add_page(reply.tree, &pages, err);
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
	if (!g->options->show_managed_fields)
		object_drop_managed_fields(object);
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
		return api_client_list(&g->client, g->arena, url, NULL, take_items, &pages, err);
	struct api_reply reply;
	const struct api_request request = {.path = url};
	TRY(api_client_call(&g->client, g->arena, &request, &reply, err));
	if (!reply.tree || reply.tree->type != JSON_OBJECT)
		return err_set(err, RC_INVALID, "the server's answer is no object");
	take_object(g, t->kind, items, reply.tree);
	return RC_OK;
}

static void print_names(struct get *g, const struct json *items)
{
	for (size_t i = 0; i < json_count(items); i++) {
		const struct json *object = json_at(items, i);
		const struct api_kind *kind =
			api_by_api_version(api_builtin(), json_path_str(object, "apiVersion"),
					   json_path_str(object, "kind"));
		if (kind)
			object_print_name(g->arena, kind, json_path_str(object, "metadata.name"));
	}
}

/* One named object stands alone, everything else in a List. */
static void show_objects(struct get *g)
{
	struct err err;
	struct json *list = object_list_new(g->arena), *items = json_get(list, STR("items"));
	for (size_t i = 0; i < g->targets.count; i++)
		if (take_target(g, &g->targets.items[i], items, &err) != RC_OK)
			note_failure(g, &err);
	bool is_single = g->targets.count == 1 && g->targets.items[0].name.len;
	if (g->form == OUTPUT_NAME) {
		print_names(g, items);
		return;
	}
	if (g->shown == 0 && (is_single || g->failed))
		return;
	struct json *tree = is_single ? json_at(items, 0) : list;
	if (object_print(tree, g->form, &err) != RC_OK)
		note_failure(g, &err);
}

/* ---- the verb ---- */

static enum rc check(const struct get *g, struct err *err)
{
	const struct get_options *o = g->options;
	for (size_t i = 0; i < g->targets.count; i++) {
		if (g->targets.items[i].name.len == 0)
			continue;
		if (o->is_everywhere && g->targets.items[i].kind->is_namespaced)
			return err_set(err, RC_BAD_REQUEST,
				       "a resource cannot be retrieved by name across all "
				       "namespaces; give its namespace with -n");
		if (o->label_selector || o->field_selector)
			return err_set(err, RC_BAD_REQUEST,
				       "name cannot be provided when a selector is specified; "
				       "leave out one of them");
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
	bool is_namespaced = !g->options->is_everywhere;
	for (size_t i = 0; i < g->targets.count; i++)
		is_namespaced &= g->targets.items[i].kind->is_namespaced;
	if (is_namespaced)
		fprintf(stderr, "No resources found in %.*s namespace.\n",
			STR_FMT(g->client.namespace));
	else
		fprintf(stderr, "No resources found\n");
}

static int get_once(struct get *g)
{
	if (get_is_table(g))
		show_tables(g);
	else
		show_objects(g);
	for (size_t i = 0; i < g->failed; i++)
		client_failed(&g->failures[i]);
	bool is_list_form = g->form == OUTPUT_YAML || g->form == OUTPUT_JSON;
	if (g->shown == 0 && g->failed == 0 && !is_list_form && !g->options->ignores_missing)
		say_nothing_found(g);
	return g->failed ? EXIT_FAILED : EXIT_OK;
}

static int run(struct command_line *line)
{
	struct err err;
	struct get g = {.options = line->values, .arena = &line->arena};
	if (output_form_parse(g.options->output, &g.form, &err) != RC_OK ||
	    resource_targets_parse(g.arena, &line->words, &g.targets, &err) != RC_OK ||
	    check(&g, &err) != RC_OK) {
		command_failed(&err);
		return err.rc == RC_NOT_FOUND ? EXIT_FAILED : EXIT_USAGE;
	}
	g.shows_types = has_several_types(&g.targets);
	if (api_client_open(g.arena, &g.options->client, &g.client, &err) != RC_OK)
		return command_failed(&err);
	int code = EXIT_OK;
	if (!g.options->is_watch)
		code = get_once(&g);
	else if (get_watch(&g, &err) != RC_OK)
		code = client_failed(&err);
	api_client_close(&g.client);
	return code;
}

#define AT(member) offsetof(struct get_options, member)
static const struct option options[] = {
	CLIENT_OPTIONS(struct get_options, client),
	{"all-namespaces", 'A', OPTION_FLAG, AT(is_everywhere), NULL, "of all namespaces"},
	{"selector", 'l', OPTION_TEXT, AT(label_selector), "SELECTOR",
	 "only what has these labels: a=b,c!=d,e in (f,g)"},
	{"field-selector", 0, OPTION_TEXT, AT(field_selector), "SELECTOR",
	 "only what has these fields: spec.nodeName=n1"},
	{"output", 'o', OPTION_TEXT, AT(output), "FORM", "wide, yaml, json or name"},
	{"watch", 'w', OPTION_FLAG, AT(is_watch), NULL, "then show changes as they come"},
	{"no-headers", 0, OPTION_FLAG, AT(has_no_heads), NULL, "without the line of column names"},
	{"show-labels", 0, OPTION_FLAG, AT(show_labels), NULL, "with a column of labels"},
	{"show-managed-fields", 0, OPTION_FLAG, AT(show_managed_fields), NULL,
	 "keep managedFields in yaml and json"},
	{"ignore-not-found", 0, OPTION_FLAG, AT(ignores_missing), NULL,
	 "a name that is not there is no error"},
};

const struct command command_get = {
	.name = "get",
	.arguments = "TYPE[,TYPE…] [NAME…] | TYPE/NAME…",
	.summary = "Show objects of the cluster",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct get_options),
	.run = run,
};
