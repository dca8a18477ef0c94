#include "server/watch.h"

#include "base/log.h"
#include "server/audit.h"
#include "server/encode.h"
#include "server/filter.h"
#include "server/negotiate.h"
#include "server/pipeline.h"
#include "server/server.h"

struct watcher {
	struct list link;
	struct watch_set *set;
	struct request *request;
	struct filter filter;
	struct str include; /* includeObject of Tables */
	struct cursor cursor;
	struct snapshot *initial; /* what there was at the start, until all of it has been sent */
	struct snapshot_iter at;  /* in it */
	struct store_event held[WATCH_BATCH]; /* read, but the client was too slow for them yet */
	size_t held_at, held_count;
	struct loop_timer end_timer;
	int64_t last_sent;   /* revision of the last event or bookmark */
	bool is_full;	     /* its client reads slowly */
	bool is_over;	     /* what comes next has no form that was asked for */
	bool is_first_table; /* column definitions go with the first row only */
};

static void watcher_end(struct watcher *w)
{
	struct request *r = w->request;
	list_remove(&w->link);
	loop_timer_stop(&w->end_timer);
	snapshot_unref(w->initial);
	while (w->held_at < w->held_count)
		store_event_done(&w->held[w->held_at++]);
	audit_ended(r);
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
		.include = w->include,
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

/* An event carries one object: upstream ends the stream at the first that should be a list. */
static bool has_no_form(const struct watcher *w)
{
	return w->request->output.shape == AS_PARTIAL_LIST;
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
	w->is_over = has_no_form(w);
	if (w->is_over)
		return;
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

static void send_bookmark(struct watcher *w, int64_t revision, bool is_end_of_initial)
{
	if (has_no_form(w)) {
		w->is_over = true;
		return;
	}
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(64u << 10);
	struct encoder e = encoder_of(w, &a, &out);
	encode_bookmark(&e, revision, is_end_of_initial);
	w->last_sent = revision;
	deliver(w, &out);
}

static void end_initial(struct watcher *w)
{
	const struct options *o = &w->request->options;
	int64_t revision = snapshot_revision(w->initial);
	snapshot_unref(TAKE_PTR(w->initial));
	if (o->has_send_initial_events && o->allow_bookmarks)
		send_bookmark(w, revision, true);
}

/* One write's worth of what there was at the start. */
static void send_initial(struct watcher *w)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(WATCH_EVENT_MAX);
	struct encoder e = encoder_of(w, &a, &out);
	struct object *o = NULL;
	while (out.len < WATCH_WRITE_BYTES && (o = snapshot_next(&w->at))) {
		if (!filter_matches(&w->filter, o))
			continue;
		w->is_over = has_no_form(w);
		if (w->is_over)
			return;
		encode_event(&e, "ADDED", o, o->revision);
		w->is_first_table = e.has_columns = false;
	}
	if (out.len)
		deliver(w, &out);
	if (!o)
		end_initial(w);
}

/* One write's worth of the events that were read. */
static void send_held(struct watcher *w)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(WATCH_EVENT_MAX);
	struct encoder e = encoder_of(w, &a, &out);
	while (!w->is_over && w->held_at < w->held_count && out.len < WATCH_WRITE_BYTES) {
		struct store_event *event = &w->held[w->held_at++];
		add_event(w, &e, event);
		store_event_done(event);
	}
	if (out.len)
		deliver(w, &out);
}

/* False when the watcher has ended. */
static bool read_events(struct watcher *w, bool *ret_has_more)
{
	struct err err;
	w->held_at = w->held_count = 0;
	if (store_cursor_read(w->set->store, &w->cursor, w->held, WATCH_BATCH, &w->held_count,
			      &err) != RC_OK) {
		w->held_count = 0;
		fail_stream(w, &err);
		return false;
	}
	*ret_has_more = w->held_count == WATCH_BATCH;
	return true;
}

static void pump(struct watcher *w)
{
	bool has_more = true;
	while (!w->is_full) {
		if (w->initial)
			send_initial(w);
		else if (w->held_at < w->held_count)
			send_held(w);
		else if (!has_more || !read_events(w, &has_more))
			return;
		if (w->is_over) {
			watcher_end(w);
			return;
		}
	}
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

static void bookmark_timer(struct loop_timer *timer)
{
	struct watch_set *set = CONTAINER_OF(timer, struct watch_set, bookmark_timer);
	struct watcher *w;
	LIST_FOR_EACH (w, &set->watchers, link)
		if (w->request->options.allow_bookmarks && !w->is_full && !w->initial &&
		    w->held_at == w->held_count && w->cursor.after > w->last_sent)
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

static void begin_stream(struct request *r)
{
	static const struct http_header cache = {STR_INIT("cache-control"),
						 STR_INIT("no-cache, private")};
	/* The head may be sent after the stream and its request have ended. */
	struct http_header *headers = ARENA_ARRAY(http_arena(r->exchange), struct http_header, 2);
	headers[0] = (struct http_header){
		STR("content-type"), arena_str(http_arena(r->exchange), r->output.content_type)};
	headers[1] = cache;
	r->reply.is_streaming = true;
	http_stream_begin(r->exchange, 200, headers, 2);
	http_stream_on_drain(r->exchange, WATCH_QUEUE_BYTES / 4, on_drain);
	request_replied(r);
}

/* Where a watch begins: after a revision the client knows, or with everything there is. */
static bool wants_initial(const struct request *r)
{
	const struct options *o = &r->options;
	if (o->has_send_initial_events)
		return o->send_initial_events;
	return o->resource_version.len == 0 || str_is(o->resource_version, "0");
}

static void follow(struct watcher *w, struct snapshot *s)
{
	struct request *r = w->request;
	int64_t from = snapshot_revision(s);
	struct err err;
	bool is_initial = wants_initial(r);
	if (!is_initial && r->options.resource_version.len)
		str_to_i64(r->options.resource_version, &from);
	if (store_cursor_open(w->set->store, w->filter.kind->stored_id, from, &w->cursor, &err) !=
	    RC_OK) {
		fail_stream(w, &err);
		return;
	}
	if (is_initial) {
		w->initial = snapshot_ref(s);
		snapshot_iter_init(&w->at, s, w->filter.kind->stored_id, w->filter.namespace,
				   (struct str){}, (struct str){});
	}
	w->last_sent = from;
	pump(w);
}

enum step watch_start(struct watch_set *set, struct request *r)
{
	struct err err;
	if (http_is_gone(r->exchange)) /* it left while it waited for its turn */
		return request_fail(r, RC_INTERNAL, "the client went away");
	struct watcher *w = ARENA_NEW(&r->arena, struct watcher);
	if (filter_init(r, &w->filter, &err) != RC_OK)
		return request_fail_err(r, &err);
	if (r->output.shape == AS_TABLE && request_check_shape(r, false) == STEP_DONE)
		return STEP_DONE;
	w->set = set;
	w->request = r;
	w->include = r->options.include_object;
	w->is_first_table = true;
	r->ctx = w;
	if (list_is_empty(&set->watchers))
		loop_timer_start(set->loop, &set->bookmark_timer, WATCH_BOOKMARK_MS,
				 bookmark_timer);
	list_append(&set->watchers, &w->link);
	uint64_t least = (uint64_t)r->server->config.min_request_timeout_s;
	int64_t seconds = r->options.timeout_s > 0 ? MIN(r->options.timeout_s, WATCH_MAX_S)
						   : (int64_t)(least + world_random_u64() % least);
	loop_timer_start(set->loop, &w->end_timer, seconds * 1000, end_timer);
	begin_stream(r);
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(set->store);
	snapshot_unref(TAKE_PTR(r->snapshot)); /* a stream must not hold old states */
	follow(w, s);
	return STEP_LATER;
}
