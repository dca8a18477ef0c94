/* list, watch, connect again: see http_client.h. */
#include "base/log.h"
#include "base/mem.h"
#include "sync/http_client-int.h"
#include "sync/object_set.h"

#define LIST_CHUNK	"500"
#define WATCH_TIMEOUT_S "480"
#define IDLE_TIMEOUT_MS 150000 /* bookmarks come about once a minute */
#define RETRY_FIRST_MS	800
#define RETRY_MOST_MS	30000
#define EVENT_MAX_BYTES (OBJECT_MAX_BYTES + (1u << 20))

struct client_watch {
	struct client_http *c;
	const struct api_kind *kind;
	char *namespace, *field_selector;
	const struct client_watch_ops *ops;
	void *ctx;
	struct object_set known;  /* with a reference each */
	struct object_set listed; /* during a list */
	char *list_continue;	  /* NULL: a list starts */
	int64_t revision;	  /* to watch from; 0: list first */
	struct http_call *call;
	struct loop_timer retry;
	int64_t retry_ms;
	struct buf line;
	int depth; /* callbacks running */
	bool is_synced, is_dead;
};

static void watch_connect(struct client_watch *w);

/* --- ends --- */

static void set_release(struct object_set *set)
{
	struct object *o;
	for (struct object_place at = {}; (o = object_set_at(set, at));
	     at = object_set_step(set, at))
		object_unref(o);
	object_set_done(set);
}

static void watch_free(struct client_watch *w)
{
	set_release(&w->known);
	set_release(&w->listed);
	free(w->list_continue);
	free(w->namespace);
	free(w->field_selector);
	buf_done(&w->line);
	free(w);
}

static void watch_enter(struct client_watch *w)
{
	w->depth++;
}

static void watch_leave(struct client_watch *w)
{
	if (--w->depth == 0 && w->is_dead)
		watch_free(w);
}

static void retry_now(struct loop_timer *timer)
{
	watch_connect(CONTAINER_OF(timer, struct client_watch, retry));
}

static void watch_retry(struct client_watch *w)
{
	w->retry_ms = w->retry_ms ? MIN(w->retry_ms * 2, RETRY_MOST_MS) : RETRY_FIRST_MS;
	loop_timer_start(w->c->client.loop, &w->retry, w->retry_ms, retry_now);
}

static void watch_failed(struct client_watch *w, const struct err *err)
{
	log_info("sync", "watch of %.*s: %s; trying again", STR_FMT(w->kind->plural), err->text);
	if (err->rc == RC_EXPIRED || err->rc == RC_GONE)
		w->revision = 0;
	watch_retry(w);
}

/* --- telling --- */

static void tell(struct client_watch *w, struct object *old, struct object *new)
{
	if (!w->is_dead)
		w->ops->on_event(w->ctx, old, new);
}

static void tell_revision(struct client_watch *w)
{
	if (!w->is_dead && w->ops->on_revision)
		w->ops->on_revision(w->ctx, w->revision);
}

/* --- list --- */

/* Both sets are ordered alike: one walk finds what was added, changed and deleted. */
static void tell_difference(struct client_watch *w, const struct object_set *before)
{
	struct object_place i = {}, j = {};
	struct object *old, *new;
	while (!w->is_dead) {
		old = object_set_at(before, i);
		new = object_set_at(&w->known, j);
		if (!old && !new)
			break;
		int order = !old ? 1 : !new ? -1 : str_cmp(old->namespace, new->namespace);
		if (order == 0)
			order = str_cmp(old->name, new->name);
		if (order < 0)
			tell(w, old, NULL);
		else if (order > 0)
			tell(w, NULL, new);
		else if (old->revision != new->revision)
			tell(w, old, new);
		if (order <= 0)
			i = object_set_step(before, i);
		if (order >= 0)
			j = object_set_step(&w->known, j);
	}
}

static void list_complete(struct client_watch *w, int64_t revision)
{
	struct object_set before = w->known;
	w->known = w->listed;
	w->listed = (struct object_set){};
	w->revision = revision;
	w->retry_ms = 0;
	tell_difference(w, &before);
	set_release(&before);
	tell_revision(w);
	if (!w->is_synced && !w->is_dead) {
		w->is_synced = true;
		w->ops->on_synced(w->ctx);
	}
}

static enum rc list_items(struct client_watch *w, const struct json *items, struct err *err)
{
	for (size_t i = 0; i < json_count(items); i++) {
		struct object *o = NULL;
		TRY(client_http_object(w->c->client.api, w->kind, json_at(items, i), &o, err));
		if (o)
			object_unref(object_set_put(&w->listed, o));
	}
	return RC_OK;
}

static enum rc list_reply(struct client_watch *w, const struct http_response *response,
			  struct err *err)
{
	CLEANUP_ARENA a = {};
	struct json *tree;
	if (response->status != 200)
		return client_http_error(response->status, response->body, err);
	TRY(json_parse(&a, response->body, &tree, NULL, err));
	TRY(list_items(w, json_get(tree, STR("items")), err));
	struct str more = json_path_str(tree, "metadata.continue");
	free(w->list_continue);
	w->list_continue = more.len ? mem_strndup(more.at, more.len) : NULL;
	int64_t revision;
	if (!str_to_i64(json_path_str(tree, "metadata.resourceVersion"), &revision))
		return err_set(err, RC_INTERNAL, "the list has no metadata.resourceVersion");
	if (!w->list_continue)
		list_complete(w, revision);
	return RC_OK;
}

static void list_done(struct http_call *call, const struct http_response *response,
		      const struct err *err, void *ctx)
{
	struct client_watch *w = ctx;
	struct err why = {};
	watch_enter(w);
	w->call = NULL;
	if (err)
		why = *err;
	else
		(void)list_reply(w, response, &why);
	if (why.rc != RC_OK) {
		set_release(&w->listed);
		free(w->list_continue);
		w->list_continue = NULL;
	}
	if (why.rc != RC_OK && !w->is_dead)
		watch_failed(w, &why);
	else if (!w->is_dead)
		watch_connect(w);
	watch_leave(w);
}

/* --- watch --- */

static void event_apply(struct client_watch *w, struct str type, struct object *own_o)
{
	w->revision = MAX(w->revision, own_o->revision);
	struct object *old = object_set_get(&w->known, own_o->namespace, own_o->name);
	if (!str_is(type, "DELETED")) {
		old = object_set_put(&w->known, own_o);
		tell(w, old, own_o);
		object_unref(old);
	} else if (old) {
		(void)object_set_remove(&w->known, own_o->namespace, own_o->name);
		tell(w, old, NULL);
		object_unref(old);
		object_unref(own_o);
	} else {
		object_unref(own_o);
	}
	tell_revision(w);
}

static enum rc event_read(struct client_watch *w, struct str line, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct json *tree;
	TRY(json_parse(&a, line, &tree, NULL, err));
	struct str type = json_path_str(tree, "type");
	const struct json *body = json_get(tree, STR("object"));
	if (str_is(type, "ERROR")) {
		CLEANUP_BUF text = BUF_INIT(JSON_MAX_BYTES);
		json_write(&text, body);
		return client_http_error((int)json_i64(json_get(body, STR("code"))), buf_str(&text),
					 err);
	}
	w->retry_ms = 0;
	if (str_is(type, "BOOKMARK")) {
		(void)str_to_i64(json_path_str(body, "metadata.resourceVersion"), &w->revision);
		tell_revision(w);
		return RC_OK;
	}
	struct object *o = NULL;
	TRY(client_http_object(w->c->client.api, w->kind, body, &o, err));
	if (o)
		event_apply(w, type, o);
	return RC_OK;
}

static void watch_break(struct client_watch *w, const struct err *err)
{
	if (w->call)
		http_call_cancel(w->call);
	w->call = NULL;
	if (!w->is_dead)
		watch_failed(w, err);
}

static void watch_data(struct http_call *call, struct str bytes, void *ctx)
{
	struct client_watch *w = ctx;
	struct err err = {};
	struct str head, tail;
	watch_enter(w);
	while (err.rc == RC_OK && !w->is_dead && str_cut(bytes, '\n', &head, &tail)) {
		buf_add_str(&w->line, head);
		if (buf_check(&w->line, "a watch event", &err) == RC_OK && w->line.len)
			(void)event_read(w, buf_str(&w->line), &err);
		buf_reset(&w->line);
		bytes = tail;
	}
	if (err.rc == RC_OK && !w->is_dead)
		buf_add_str(&w->line, bytes);
	if (err.rc != RC_OK)
		watch_break(w, &err);
	watch_leave(w);
}

static void watch_done(struct http_call *call, const struct http_response *response,
		       const struct err *err, void *ctx)
{
	struct client_watch *w = ctx;
	struct err why = {};
	w->call = NULL;
	if (!err && response->status == 200) {
		/* The server ends a watch after its timeout; not at once again, should it do so
		 * without delay. */
		loop_timer_start(w->c->client.loop, &w->retry, w->retry_ms ? w->retry_ms : 10,
				 retry_now);
		w->retry_ms = w->retry_ms ? MIN(w->retry_ms * 2, RETRY_MOST_MS) : RETRY_FIRST_MS;
		return;
	}
	if (err)
		why = *err;
	else
		(void)client_http_error(response->status, buf_str(&w->line), &why);
	watch_failed(w, &why);
}

/* --- connecting --- */

static const struct http_call_ops list_ops = {.on_done = list_done};
static const struct http_call_ops watch_ops = {.on_data = watch_data, .on_done = watch_done};

static enum rc watch_start(struct client_watch *w, struct err *err)
{
	bool is_list = w->revision == 0;
	char revision[24];
	CLEANUP_BUF url = BUF_INIT(16384);
	buf_add_cstr(&url, w->c->server);
	client_http_path_add(&url, w->kind, str_of(w->namespace));
	client_http_query_add(&url, "fieldSelector", str_of(w->field_selector));
	if (is_list) {
		client_http_query_add(&url, "limit", STR(LIST_CHUNK));
		client_http_query_add(&url, "continue", str_of(w->list_continue));
	} else {
		snprintf(revision, sizeof(revision), "%lld", (long long)w->revision);
		client_http_query_add(&url, "watch", STR("true"));
		client_http_query_add(&url, "allowWatchBookmarks", STR("true"));
		client_http_query_add(&url, "resourceVersion", str_of(revision));
		client_http_query_add(&url, "timeoutSeconds", STR(WATCH_TIMEOUT_S));
	}
	TRY(buf_check(&url, "the URL of a watch", err));
	buf_reset(&w->line);
	struct http_header accept = {STR("accept"), STR("application/json")};
	struct http_request request = {.url = url.data,
				       .headers = &accept,
				       .header_count = 1,
				       .timeout_ms = is_list ? 60000 : 0,
				       .idle_timeout_ms = is_list ? 0 : IDLE_TIMEOUT_MS};
	return http_call_start(w->c->http, &request, is_list ? &list_ops : &watch_ops, w, &w->call,
			       err);
}

static void watch_connect(struct client_watch *w)
{
	struct err err = {};
	if (watch_start(w, &err) != RC_OK)
		watch_failed(w, &err);
}

struct client_watch *client_http_watch(struct client *client, const struct api_kind *kind,
				       struct str namespace, struct str field_selector,
				       const struct client_watch_ops *ops, void *ctx)
{
	struct client_watch *w = NEW(struct client_watch);
	*w = (struct client_watch){
		.c = client_http_of(client),
		.kind = kind,
		.namespace = mem_strndup(namespace.at ? namespace.at : "", namespace.len),
		.field_selector =
			mem_strndup(field_selector.at ? field_selector.at : "", field_selector.len),
		.ops = ops,
		.ctx = ctx,
		.line = BUF_INIT(EVENT_MAX_BYTES)};
	w->c->watch_count++;
	watch_connect(w);
	return w;
}

void client_http_unwatch(struct client *client, struct client_watch *watch)
{
	if (!watch)
		return;
	watch->c->watch_count--;
	watch->is_dead = true;
	loop_timer_stop(&watch->retry);
	if (watch->call)
		http_call_cancel(watch->call);
	watch->call = NULL;
	if (watch->depth == 0)
		watch_free(watch);
}
