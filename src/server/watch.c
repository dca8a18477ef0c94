#include "server/watch.h"

#include "base/log.h"
#include "server/encode.h"
#include "server/filter.h"
#include "server/pipeline.h"
#include "server/route.h"

struct watcher {
	struct list link;
	struct watch_set *set;
	struct request *request;
	struct filter filter;
	struct cursor cursor;
	struct loop_timer end_timer;
	int64_t last_sent;   /* revision of the last event or bookmark */
	bool is_full;	     /* its client reads slowly */
	bool is_first_table; /* column definitions go with the first row only */
};

static void watcher_end(struct watcher *w)
{
	struct request *r = w->request;
	list_remove(&w->link);
	loop_timer_stop(&w->end_timer);
	http_stream_end(r->exchange);
	request_free(r); /* and w, which lives in its arena */
}

static void end_timer(struct loop_timer *timer)
{
	watcher_end(CONTAINER_OF(timer, struct watcher, end_timer));
}

static void deliver(struct watcher *w, const struct buf *bytes)
{
	struct http_chunk chunk = HTTP_CHUNK_COPY(bytes->data, bytes->len);
	size_t queued = http_stream_write(w->request->exchange, &chunk, 1);
	w->is_full = queued > WATCH_QUEUE_BYTES;
}

static struct encoder encoder_of(struct watcher *w, struct arena *a, struct buf *out)
{
	return (struct encoder){
		.arena = a,
		.out = out,
		.output = &w->request->output,
		.kind = w->request->route.kind,
		.include = query_get(&w->request->arena, w->request->query, "includeObject"),
		.now_us = world_wall_us(),
		.has_columns = w->is_first_table,
	};
}

/* What an event means to this watcher, by whether its filter took the object before and takes it
 * now. */
static const char *event_type(bool was_in, bool is_in)
{
	if (is_in)
		return was_in ? "MODIFIED" : "ADDED";
	return was_in ? "DELETED" : NULL;
}

static void add_event(struct watcher *w, struct encoder *e, const struct store_event *event)
{
	bool was_in = filter_matches(&w->filter, event->old);
	bool is_in = filter_matches(&w->filter, event->new);
	const char *type = event_type(was_in, is_in);
	if (!type)
		return;
	/* One that left, or was deleted, is shown as it was before, at the revision of the change.
	 */
	encode_event(e, type, is_in ? event->new : event->old, event->revision);
	w->is_first_table = e->has_columns = false;
	w->last_sent = event->revision;
}

static void fail_stream(struct watcher *w, const struct err *err)
{
	CLEANUP_BUF out = BUF_INIT(64u << 10);
	struct encoder e = encoder_of(w, &w->request->arena, &out);
	request_fail(w->request, err->rc, "%s", err->text);
	encode_event_tree(&e, "ERROR", w->request->reply.tree, NULL);
	deliver(w, &out);
	watcher_end(w);
}

/* False when the watcher has ended. */
static bool pump_batch(struct watcher *w, bool *ret_has_more)
{
	struct store_event events[WATCH_BATCH];
	size_t count = 0;
	struct err err;
	if (store_cursor_read(w->set->store, &w->cursor, events, WATCH_BATCH, &count, &err) !=
	    RC_OK) {
		fail_stream(w, &err);
		return false;
	}
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(64u << 20);
	struct encoder e = encoder_of(w, &a, &out);
	for (size_t i = 0; i < count; i++) {
		add_event(w, &e, &events[i]);
		store_event_done(&events[i]);
	}
	if (out.len)
		deliver(w, &out);
	*ret_has_more = count == WATCH_BATCH;
	return true;
}

static void pump(struct watcher *w)
{
	bool has_more = true;
	while (has_more && !w->is_full)
		if (!pump_batch(w, &has_more))
			return;
}

static void on_drain(struct http_exchange *x)
{
	struct request *r = http_user(x);
	struct watcher *w = r->ctx;
	w->is_full = false;
	pump(w);
}

static void on_publish(struct store_listener *l)
{
	struct watch_set *set = CONTAINER_OF(l, struct watch_set, listener);
	struct watcher *w;
	LIST_FOR_EACH (w, &set->watchers, link)
		if (!w->is_full)
			pump(w);
}

static void send_bookmark(struct watcher *w, int64_t revision, bool is_end_of_initial)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(64u << 10);
	struct encoder e = encoder_of(w, &a, &out);
	encode_bookmark(&e, revision, is_end_of_initial);
	w->last_sent = revision;
	deliver(w, &out);
}

static void bookmark_timer(struct loop_timer *timer)
{
	struct watch_set *set = CONTAINER_OF(timer, struct watch_set, bookmark_timer);
	struct watcher *w;
	LIST_FOR_EACH (w, &set->watchers, link)
		if (w->request->options.allow_bookmarks && !w->is_full &&
		    w->cursor.after > w->last_sent)
			send_bookmark(w, w->cursor.after, false);
	if (!list_is_empty(&set->watchers))
		loop_timer_start(set->loop, timer, WATCH_BOOKMARK_MS, bookmark_timer);
}

void watch_set_init(struct watch_set *set, struct store *store, struct loop *loop)
{
	set->store = store;
	set->loop = loop;
	list_init(&set->watchers);
	set->listener.loop = loop;
	set->listener.fn = on_publish;
	store_listen(store, &set->listener);
}

void watch_set_end(struct watch_set *set)
{
	struct watcher *w;
	LIST_FOR_EACH (w, &set->watchers, link)
		watcher_end(w);
	loop_timer_stop(&set->bookmark_timer);
	store_unlisten(set->store, &set->listener);
}

void watch_gone(struct request *r)
{
	if (r->reply.is_streaming)
		watcher_end(r->ctx);
}

static void send_initial(struct watcher *w, const struct snapshot *s)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(512u << 20);
	struct encoder e = encoder_of(w, &a, &out);
	struct snapshot_iter it;
	snapshot_iter_init(&it, s, w->filter.kind->stored_id, w->filter.namespace, (struct str){},
			   (struct str){});
	for (struct object *o; (o = snapshot_next(&it));) {
		if (!filter_matches(&w->filter, o))
			continue;
		encode_event(&e, "ADDED", o, o->revision);
		w->is_first_table = e.has_columns = false;
	}
	if (out.len)
		deliver(w, &out);
}

static void begin_stream(struct request *r)
{
	static const struct http_header cache = {STR_INIT("cache-control"),
						 STR_INIT("no-cache, private")};
	struct http_header *headers = ARENA_ARRAY(&r->arena, struct http_header, 2);
	headers[0] = (struct http_header){STR("content-type"), r->output.content_type};
	headers[1] = cache;
	r->reply.is_streaming = true;
	http_stream_begin(r->exchange, 200, headers, 2);
	http_stream_on_drain(r->exchange, WATCH_QUEUE_BYTES / 4, on_drain);
}

/* Where a watch begins: after a revision the client knows, or with everything there is. */
static bool wants_initial(const struct request *r)
{
	const struct options *o = &r->options;
	if (o->has_send_initial_events)
		return o->send_initial_events;
	return o->resource_version.len == 0 || str_is(o->resource_version, "0");
}

static void follow(struct watcher *w, struct snapshot *s, bool is_initial)
{
	struct request *r = w->request;
	int64_t from = snapshot_revision(s);
	struct err err;
	if (is_initial)
		send_initial(w, s);
	else if (r->options.resource_version.len)
		str_to_i64(r->options.resource_version, &from);
	if (store_cursor_open(w->set->store, w->filter.kind->stored_id, from, &w->cursor, &err) !=
	    RC_OK) {
		fail_stream(w, &err);
		return;
	}
	w->last_sent = from;
	if (is_initial && r->options.has_send_initial_events && r->options.allow_bookmarks)
		send_bookmark(w, from, true);
	pump(w);
}

enum step watch_start(struct watch_set *set, struct request *r)
{
	struct err err;
	struct watcher *w = ARENA_NEW(&r->arena, struct watcher);
	if (filter_init(r, &w->filter, &err) != RC_OK)
		return request_fail_err(r, &err);
	w->set = set;
	w->request = r;
	w->is_first_table = true;
	r->ctx = w;
	if (list_is_empty(&set->watchers))
		loop_timer_start(set->loop, &set->bookmark_timer, WATCH_BOOKMARK_MS,
				 bookmark_timer);
	list_append(&set->watchers, &w->link);
	int64_t seconds = r->options.timeout_s > 0 ? r->options.timeout_s
						   : 1800 + (int64_t)(world_random_u64() % 1800);
	loop_timer_start(set->loop, &w->end_timer, seconds * 1000, end_timer);
	begin_stream(r);
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(set->store);
	snapshot_unref(TAKE_PTR(r->snapshot)); /* a stream must not hold old states */
	follow(w, s, wants_initial(r));
	return STEP_LATER;
}
