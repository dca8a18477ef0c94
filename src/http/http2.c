/* HTTP/2 on a connection: nghttp2 does framing, HPACK and flow control; this file turns streams
 * into exchanges, and queued replies into frames put together to one TLS record a write.
 *
 * Against abuse: header bytes are counted (431 beyond), CONTINUATION frames and resets are rationed
 * by nghttp2 (RESETS_*), our own resets (a peer may provoke them) are rationed here the same way,
 * and requests whose handler still runs after their stream was reset count against the limit of
 * streams. */
#include <nghttp2/nghttp2.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/http-int.h"
#include "http/http1_parse.h"

#define WINDOW_BYTES	  (256 << 10)
#define RESETS_BURST	  400
#define RESETS_A_SECOND	  33
#define CONTINUATIONS_MAX 16
#define FRAME_HEAD_BYTES  9
#define BODY_FRAME_MAX	  (OUT_BYTES - FRAME_HEAD_BYTES)
#define DROPPED_MAX	  (1u << 20)
#define FIELD_OVERHEAD	  32 /* RFC 9113 §6.5.2 */

struct http2 {
	nghttp2_session *session;
	double resets_left;
	int64_t resets_ms;
	bool is_flooding;
};

static struct http2 *state_of(const struct connection *c)
{
	ASSERT(c->magic == CONNECTION_MAGIC && c->protocol == &http2_protocol);
	return c->state;
}

static struct http_exchange *exchange_of(nghttp2_session *session, int32_t stream_id)
{
	struct http_exchange *x = nghttp2_session_get_stream_user_data(session, stream_id);
	ASSERT(!x || x->magic == EXCHANGE_MAGIC);
	return x;
}

/* --- resets --- */

static void reset_count(struct connection *c)
{
	struct http2 *h = state_of(c);
	int64_t now = world_mono_ms();
	h->resets_left += (double)(now - h->resets_ms) * RESETS_A_SECOND / 1000;
	h->resets_left = MIN(h->resets_left, (double)RESETS_BURST);
	h->resets_ms = now;
	h->resets_left -= 1;
	if (h->resets_left >= 0 || h->is_flooding)
		return;
	h->is_flooding = true;
	log_warn("http", "connection of %s: more than %d streams reset, closing it", c->peer,
		 RESETS_BURST);
	nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void stream_reset(struct http_exchange *x, uint32_t code)
{
	struct http2 *h = state_of(x->conn);
	nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, x->stream_id, code);
	connection_flush_soon(x->conn);
}

/* --- requests --- */

static int begin_headers_on(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct connection *c = user;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (c->exchange_count >= c->server->limits.streams * 2)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	struct http_exchange *x = exchange_new(c);
	x->version = 20;
	x->stream_id = frame->hd.stream_id;
	x->authority = STR("");
	nghttp2_session_set_stream_user_data(session, x->stream_id, x);
	return 0;
}

static int pseudo_set(struct http_exchange *x, struct str name, struct str value)
{
	if (str_eq(name, STR(":method")))
		x->method = value;
	else if (str_eq(name, STR(":path")))
		x->path_raw = value; /* taken apart when the head is complete */
	else if (str_eq(name, STR(":authority")))
		x->authority = value;
	return 0;
}

static int header_on(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *user)
{
	struct connection *c = user;
	struct http_exchange *x = exchange_of(session, frame->hd.stream_id);
	if (!x || x->is_begun) /* trailers are read over */
		return 0;
	x->header_bytes += name_len + value_len + FIELD_OVERHEAD;
	if (x->header_bytes > c->server->limits.header_bytes ||
	    x->header_count == HTTP_HEADERS_MAX) {
		x->is_too_large_head = true;
		return 0;
	}
	char *copy = arena_alloc(&x->arena, name_len + value_len + 2);
	memcpy(copy, name, name_len);
	memcpy(copy + name_len + 1, value, value_len);
	struct str own_name = str_n(copy, name_len);
	struct str own_value = str_n(copy + name_len + 1, value_len);
	if (name_len > 0 && name[0] == ':')
		return pseudo_set(x, own_name, own_value);
	if (str_eq(own_name, STR("host")) && x->authority.len == 0)
		x->authority = own_value;
	return exchange_header_add(x, own_name, own_value) == RC_OK
		       ? 0
		       : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* A reply of our own, without the handler. */
static void refuse(struct http_exchange *x, int status, const char *why)
{
	x->is_asked = true; /* on_done is not owed: is_begun stays false */
	struct str text =
		arena_printf(&x->arena, "%d %s: %s", status, http_status_text(status), why);
	http_reply_text(x, status, "text/plain; charset=utf-8", text);
}

static bool head_check(struct http_exchange *x)
{
	const char *why = "";
	struct str target = x->path_raw;
	if (x->is_too_large_head) {
		refuse(x, 431, "the head exceeds 64 KiB");
		return false;
	}
	if (!target.at || !x->method.at) { /* CONNECT */
		refuse(x, 400, "no :path");
		return false;
	}
	if (exchange_target_set(x, target, &why) != RC_OK) {
		refuse(x, 400, why);
		return false;
	}
	struct str length = http_header(x, "content-length");
	if (length.at && !str_to_i64(length, &x->body_bytes))
		x->body_bytes = -1;
	return true;
}

static void request_in(struct http_exchange *x)
{
	if (x->conn && !x->is_asked)
		exchange_request_in(x);
}

static void head_in(struct http_exchange *x, bool has_body)
{
	if (!head_check(x))
		return;
	if (!has_body)
		x->body_bytes = 0;
	exchange_headers_in(x);
	if (x->is_body_cut || x->is_body_streamed)
		request_in(x);
}

static int frame_on(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	struct http_exchange *x = exchange_of(session, frame->hd.stream_id);
	bool is_end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	if (!x)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		head_in(x, !is_end);
	if (!is_end || !x->is_begun)
		return 0;
	if (x->is_body_streamed)
		exchange_body_end(x);
	else
		request_in(x);
	return 0;
}

static int data_chunk_on(nghttp2_session *session, uint8_t flags, int32_t stream_id,
			 const uint8_t *data, size_t len, void *user)
{
	struct http_exchange *x = exchange_of(session, stream_id);
	nghttp2_session_consume_connection(session, len); /* a stream that waits stops no other */
	if (!x || !x->is_begun) {
		nghttp2_session_consume_stream(session, stream_id, len);
		return 0;
	}
	exchange_body_add(x, str_n((const char *)data, len));
	if (!x->is_body_cut && !(x->is_body_streamed && x->is_handled))
		return 0;
	request_in(x);
	/* Some clients lose the reply when a reset follows it at once, so a little more is read. */
	x->dropped_bytes += len;
	if (x->dropped_bytes > DROPPED_MAX)
		stream_reset(x, NGHTTP2_NO_ERROR);
	return 0;
}

static int stream_close_on(nghttp2_session *session, int32_t stream_id, uint32_t code, void *user)
{
	struct connection *c = user;
	struct http_exchange *x = exchange_of(session, stream_id);
	if (code != NGHTTP2_NO_ERROR)
		reset_count(c);
	if (!x || x->is_sent)
		return 0;
	nghttp2_session_set_stream_user_data(session, stream_id, NULL);
	bool is_through = code == NGHTTP2_NO_ERROR && x->stage == REPLY_WHOLE && !x->first;
	if (is_through && x->close_after)
		http2_protocol.goaway(c);
	if (is_through) {
		x->is_sent = true;
		exchange_settle(x);
	} else {
		exchange_lost(x);
	}
	return 0;
}

/* --- replies --- */

static ssize_t body_read_on(nghttp2_session *session, int32_t stream_id, uint8_t *unused,
			    size_t room, uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct http_exchange *x = source->ptr;
	size_t len = MIN(x->queued_bytes, room);
	if (len == 0 && x->stage != REPLY_WHOLE) {
		x->is_deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (len == x->queued_bytes && x->stage == REPLY_WHOLE)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

static ssize_t frame_length_on(nghttp2_session *session, uint8_t type, int32_t stream_id,
			       int32_t session_window, int32_t stream_window, uint32_t frame_max,
			       void *user)
{
	ssize_t len = MIN(session_window, stream_window);
	len = MIN(len, (ssize_t)frame_max);
	return MIN(len, (ssize_t)BODY_FRAME_MAX);
}

/* Without padding: none is asked for. */
static int send_data_on(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
			size_t len, nghttp2_data_source *source, void *user)
{
	struct connection *c = user;
	struct http_exchange *x = source->ptr;
	struct buf *out = &c->server->out;
	if (out->len > 0 && out->len + FRAME_HEAD_BYTES + len > OUT_BYTES)
		return NGHTTP2_ERR_WOULDBLOCK;
	buf_add(out, head, FRAME_HEAD_BYTES);
	while (len > 0) {
		ASSERT(x->first);
		size_t part = MIN(len, x->first->len);
		buf_add(out, x->first->at, part);
		len -= part;
		exchange_chunk_sent(x, part);
	}
	return 0;
}

static nghttp2_nv field(struct str name, struct str value, uint8_t flags)
{
	return (nghttp2_nv){(uint8_t *)name.at, (uint8_t *)value.at, name.len, value.len, flags};
}

#define FIELDS_OWN 3 /* :status, date, content-length */
#define NO_COPY	   (NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)

static void head_submit(struct http_exchange *x)
{
	struct http2 *h = state_of(x->conn);
	nghttp2_nv *fields = ARENA_ARRAY(
		&x->arena, nghttp2_nv, x->common_header_count + x->reply_header_count + FIELDS_OWN);
	size_t count = 0;
	fields[count++] = field(STR(":status"), arena_printf(&x->arena, "%d", x->status), NO_COPY);
	for (size_t i = 0; i < x->common_header_count; i++)
		fields[count++] =
			field(x->common_headers[i].name, x->common_headers[i].value,
			      NO_COPY | (x->common_is_unique[i] ? NGHTTP2_NV_FLAG_NO_INDEX : 0));
	for (size_t i = 0; i < x->reply_header_count; i++)
		fields[count++] =
			field(x->reply_headers[i].name, x->reply_headers[i].value, NO_COPY);
	fields[count++] = field(STR("date"), server_date(x->server), NGHTTP2_NV_FLAG_NO_COPY_NAME);
	if (x->reply_bytes >= 0 && x->status != 204 && x->status != 304)
		fields[count++] = field(STR("content-length"),
					arena_printf(&x->arena, "%lld", (long long)x->reply_bytes),
					NO_COPY | NGHTTP2_NV_FLAG_NO_INDEX);
	bool has_body = !x->is_head && x->status != 204 && x->status != 304 &&
			(x->stage == REPLY_OPEN || x->first);
	nghttp2_data_provider body = {{.ptr = x}, body_read_on};
	x->is_head_sent = true;
	nghttp2_submit_response(h->session, x->stream_id, fields, count, has_body ? &body : NULL);
}

static void reply_ready(struct http_exchange *x)
{
	struct connection *c = x->conn;
	struct http2 *h = state_of(c);
	if (!x->is_head_sent) {
		head_submit(x);
	} else if (x->is_deferred) {
		x->is_deferred = false;
		nghttp2_session_resume_data(h->session, x->stream_id);
	}
	connection_flush_soon(c);
}

static void body_taken(struct http_exchange *x, size_t bytes)
{
	struct http2 *h = state_of(x->conn);
	nghttp2_session_consume_stream(h->session, x->stream_id, bytes);
	if (x->is_body_streamed)
		connection_flush_soon(x->conn);
}

static void abort_exchange(struct http_exchange *x)
{
	stream_reset(x, NGHTTP2_INTERNAL_ERROR);
}

/* Fills server->out up to OUT_BYTES; false when there is no more for now. */
static bool assemble(struct connection *c)
{
	struct http2 *h = state_of(c);
	struct buf *out = server_out(c->server);
	while (out->len < OUT_BYTES) {
		const uint8_t *bytes;
		size_t before = out->len;
		ssize_t len = nghttp2_session_mem_send(h->session, &bytes);
		if (len < 0) {
			connection_lose(c);
			return false;
		}
		buf_add(out, bytes, (size_t)len);
		if (out->len == before)
			return out->len > 0;
	}
	return true;
}

static bool is_over(const struct connection *c)
{
	const struct http2 *h = c->state;
	return (!nghttp2_session_want_read(h->session) &&
		!nghttp2_session_want_write(h->session)) ||
	       (c->is_draining && c->exchange_count == 0);
}

static void flush(struct connection *c)
{
	while (c->stream && stream_queued(c->stream) == 0 && assemble(c) && c->stream) {
		stream_more_follows(c->stream, c->server->out.len >= BODY_FRAME_MAX);
		stream_write(c->stream, buf_str(&c->server->out));
	}
	if (c->stream)
		stream_more_follows(c->stream, false);
	if (c->stream && stream_queued(c->stream) == 0 && is_over(c))
		connection_finish(c);
	else if (c->stream && c->exchange_count == 0)
		connection_watch(c);
}

/* --- the connection --- */

static void on_data(struct connection *c, struct str bytes)
{
	struct http2 *h = state_of(c);
	ssize_t used = nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes.at, bytes.len);
	if (used < 0 && c->stream) {
		log_debug("http", "connection of %s: %s", c->peer, nghttp2_strerror((int)used));
		connection_lose(c);
	}
}

static void on_end(struct connection *c)
{
	connection_lose(c);
}

static void goaway(struct connection *c)
{
	struct http2 *h = state_of(c);
	if (c->is_draining)
		return;
	c->is_draining = true;
	/* The last stream that was seen is the last that is served. */
	nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(h->session), NGHTTP2_NO_ERROR,
			      NULL, 0);
	connection_flush_soon(c);
}

static int64_t deadline(const struct connection *c)
{
	const struct http_limits *limits = &c->server->limits;
	struct http_exchange *x;
	if (list_is_empty(&c->exchanges))
		return c->active_ms + limits->idle_ms;
	/* A request that is not complete must go on. */
	LIST_FOR_EACH (x, &c->exchanges, link)
		if (!x->is_asked || x->is_body_cut)
			return c->active_ms + limits->body_ms;
	return INT64_MAX;
}

static void state_free(struct connection *c)
{
	struct http2 *h = c->state;
	nghttp2_session_del(h->session);
	free(h);
	c->state = NULL;
	c->protocol = NULL;
}

const struct protocol_ops http2_protocol = {
	.free = state_free,
	.on_data = on_data,
	.on_end = on_end,
	.flush = flush,
	.reply_ready = reply_ready,
	.abort = abort_exchange,
	.body_taken = body_taken,
	.goaway = goaway,
	.deadline_ms = deadline,
};

static nghttp2_session_callbacks *callbacks_get(void)
{
	nghttp2_session_callbacks *callbacks;
	int failed = nghttp2_session_callbacks_new(&callbacks);
	ASSERT(failed == 0);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers_on);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, header_on);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_on);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data_chunk_on);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_close_on);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data_on);
	nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, frame_length_on);
	return callbacks;
}

static nghttp2_session *session_new(struct connection *c)
{
	nghttp2_session *session;
	nghttp2_session_callbacks *callbacks = callbacks_get();
	nghttp2_option *option;
	int failed = nghttp2_option_new(&option);
	ASSERT(failed == 0);
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_no_auto_window_update(option, 1); /* see body_taken() */
	nghttp2_option_set_stream_reset_rate_limit(option, RESETS_BURST, RESETS_A_SECOND);
	nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
	failed = nghttp2_session_server_new2(&session, callbacks, c, option);
	ASSERT(failed == 0);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

void http2_attach(struct connection *c)
{
	struct http2 *h = NEW(struct http2);
	const struct http_limits *limits = &c->server->limits;
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->header_bytes},
		{NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 0},
	};
	h->session = session_new(c);
	h->resets_left = RESETS_BURST;
	h->resets_ms = world_mono_ms();
	c->protocol = &http2_protocol;
	c->state = h;
	nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
	nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES);
	connection_flush_soon(c);
}
