/* skeg get --watch: a list, then the events after it. */
#include <stdio.h>

#include "client/api_error.h"
#include "client/api_path.h"
#include "client/get.h"

struct watch {
	struct get *get;
	const struct api_kind *kind;
	struct table_view view;
	struct str revision; /* of the list */
};

static enum rc show_object(struct watch *w, struct arena *a, struct json *object, struct err *err)
{
	struct get *g = w->get;
	w->get->shown++;
	object_complete(a, object, w->kind);
	return output_print(&g->output, a, object, err);
}

static enum rc show_table(struct watch *w, struct arena *a, const struct json *table,
			  struct err *err)
{
	TRY(table_view_add(&w->view, a, table, err));
	text_table_print(&w->view.text);
	return RC_OK;
}

static enum rc take_page(struct json *list, void *ctx, struct err *err)
{
	struct watch *w = ctx;
	struct arena *a = w->get->arena;
	const struct json *items = json_get(list, STR("items"));
	w->revision = json_path_str(list, "metadata.resourceVersion");
	if (w->get->options->is_watch_only)
		return RC_OK;
	if (output_is_table(&w->get->output))
		return show_table(w, a, list, err);
	for (size_t i = 0; i < json_count(items); i++)
		TRY(show_object(w, a, json_at(items, i), err));
	return RC_OK;
}

static enum rc take_event(struct arena *a, struct json *event, void *ctx, struct err *err)
{
	struct watch *w = ctx;
	struct json *object = json_get(event, STR("object"));
	struct str type = json_path_str(event, "type");
	if (str_is(type, "ERROR"))
		return api_error_set(err, (int)json_i64(json_get(object, STR("code"))), object);
	if (str_is(type, "BOOKMARK") || !object)
		return RC_OK;
	return output_is_table(&w->get->output) ? show_table(w, a, object, err)
						: show_object(w, a, object, err);
}

/* A named object is watched as a list of one: a watch needs the revision of a list. */
static struct str watch_url(const struct get *g, const struct resource_target *t)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	buf_add_str(&url, get_url(g, t->kind, (struct str){}));
	if (t->name.len)
		query_add(&url, "fieldSelector",
			  arena_printf(g->arena, "metadata.name=%.*s", STR_FMT(t->name)));
	return arena_str(g->arena, buf_str(&url));
}

enum rc get_watch(struct get *g, struct err *err)
{
	const struct resource_target *t = &g->targets.items[0];
	struct watch w = {.get = g, .kind = t->kind};
	struct str url = watch_url(g, t);
	get_view_init(g, t->kind, &w.view);
	TRY(api_client_list(g->client, g->arena, url, get_accept(g), take_page, &w, err));
	if (t->name.len && w.view.row_count == 0 && g->shown == 0 && !g->options->is_watch_only)
		return err_set(err, RC_NOT_FOUND,
			       API_ERROR_PREFIX " (NotFound): %.*s \"%.*s\" not found",
			       STR_FMT(resource_type_plural(g->arena, t->kind)), STR_FMT(t->name));
	CLEANUP_BUF path = BUF_INIT(URL_MAX_BYTES);
	buf_add_str(&path, url);
	query_add(&path, "watch", STR("true"));
	query_add(&path, "resourceVersion", w.revision);
	TRY(buf_check(&path, "the request's URL", err));
	const struct api_request request = {
		.path = buf_str(&path), .accept = get_accept(g), .is_endless = true};
	return api_client_lines(g->client, &request, take_event, &w, err);
}
