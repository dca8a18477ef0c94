/* HTTP/1.1 on a connection: one exchange at a time.
 *
 * Bytes that come while an exchange is busy (pipelining) are kept up to PIPELINE_BYTES, then
 * reading pauses.  A streamed body is taken in while the exchange is busy.  A body that the handler
 * does not take is not read: the reply goes out and the connection closes. */
#include "base/mem.h"
#include "http/http-int.h"
#include "http/http1_parse.h"

#define PIPELINE_BYTES (64u << 10)
#define INPUT_MAX      (1u << 20)

enum stage { STAGE_HEAD, STAGE_BODY, STAGE_BUSY, STAGE_CLOSING };

struct http1 {
	enum stage stage;
	struct buf in;		 /* what was not used yet */
	size_t scanned;		 /* of the head */
	int64_t head_ms;	 /* when the head began */
	struct http_exchange *x; /* in BODY and BUSY */
	struct http1_chunked chunked;
	int64_t body_left; /* -1: chunked */
	bool keeps_alive;
	bool is_body_open; /* of a streamed one there is more to come, while the exchange is busy */
	bool is_processing;
	bool is_half_closed;
	bool has_request; /* one was seen, so this is no HTTP/2 preface */
	struct stream *upgraded;
};

static const struct str preface = STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

static struct http1 *state_of(const struct connection *c)
{
	ASSERT(c->magic == CONNECTION_MAGIC && c->protocol == &http1_protocol);
	return c->state;
}

/* --- refusing what is no request, in the shape of Go's server --- */

static void refuse(struct connection *c, int status, const char *why)
{
	struct http1 *h = state_of(c);
	CLEANUP_BUF text = BUF_INIT(4096);
	const char *reason = http_status_text(status);
	buf_printf(&text,
		   "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
		   "Connection: close\r\n\r\n%d %s: %s",
		   status, reason, status, reason, why);
	stream_write(c->stream, buf_str(&text));
	h->stage = STAGE_CLOSING;
	connection_finish(c);
}

/* --- requests --- */

static void exchange_take_head(struct http_exchange *x, const struct http1_head *head)
{
	x->version = head->version;
	x->method = head->method;
	x->authority = head->host.at ? head->host : STR("");
	x->headers = head->headers;
	x->header_count = x->header_cap = head->header_count;
	x->wants_upgrade = head->wants_upgrade && head->version == 11 &&
			   http_header(x, "upgrade").at && head->content_length <= 0 &&
			   !head->is_chunked;
	x->body_bytes = head->is_chunked ? -1 : MAX(head->content_length, 0);
}

static void request_in(struct connection *c)
{
	struct http1 *h = state_of(c);
	h->stage = STAGE_BUSY;
	exchange_request_in(h->x);
}

static void request_begin(struct connection *c, struct http_exchange *x,
			  const struct http1_head *head)
{
	struct http1 *h = state_of(c);
	h->x = x;
	h->has_request = true;
	h->keeps_alive = head->keeps_alive;
	h->body_left = x->body_bytes;
	h->chunked = (struct http1_chunked){};
	h->stage = STAGE_BODY;
	exchange_headers_in(x);
	if (!c->stream)
		return;
	if (x->is_body_cut || h->body_left == 0) {
		h->keeps_alive = h->keeps_alive && !x->is_body_cut;
		request_in(c);
		return;
	}
	if (head->expects_continue)
		stream_write(c->stream, STR("HTTP/1.1 100 Continue\r\n\r\n"));
	h->is_body_open = x->is_body_streamed;
	if (x->is_body_streamed)
		request_in(c);
	else
		connection_watch(c);
}

static void body_end(struct connection *c)
{
	struct http1 *h = state_of(c);
	if (!h->is_body_open) {
		request_in(c);
		return;
	}
	h->is_body_open = false;
	exchange_body_end(h->x);
}

static size_t head_take(struct connection *c, struct str bytes)
{
	struct http1 *h = state_of(c);
	const char *why = NULL;
	size_t len = http1_head_end(bytes, &h->scanned, &why);
	if (why) {
		refuse(c, 400, why);
		return bytes.len;
	}
	if (len > c->server->limits.header_bytes ||
	    (len == 0 && bytes.len > c->server->limits.header_bytes)) {
		refuse(c, 431, "the head exceeds 64 KiB");
		return bytes.len;
	}
	if (len == 0)
		return 0;
	h->scanned = 0;
	struct http_exchange *x = exchange_new(c);
	struct http1_head head;
	int status = http1_parse_request(str_n(bytes.at, len), &x->arena, &head, &why);
	if (status == 0) {
		exchange_take_head(x, &head);
		if (exchange_target_set(x, head.target, &why) != RC_OK)
			status = 400;
	}
	if (status != 0) {
		exchange_lost(x);
		refuse(c, status, why);
		return bytes.len;
	}
	request_begin(c, x, &head);
	return len;
}

static size_t plain_body_take(struct connection *c, struct str bytes)
{
	struct http1 *h = state_of(c);
	size_t take = (size_t)MIN((uint64_t)h->body_left, (uint64_t)bytes.len);
	h->body_left -= (int64_t)take;
	exchange_body_add(h->x, str_n(bytes.at, take));
	if (c->stream && h->x && h->body_left == 0)
		body_end(c);
	return take;
}

static size_t chunked_body_take(struct connection *c, struct str bytes)
{
	struct http1 *h = state_of(c);
	size_t used = 0;
	struct str data;
	switch (http1_chunked_feed(&h->chunked, bytes, &used, &data)) {
	case HTTP1_CHUNK_BAD:
		if (h->is_body_open) {
			connection_lose(c);
			return bytes.len;
		}
		exchange_lost(TAKE_PTR(h->x));
		refuse(c, 400, "malformed chunked encoding");
		return bytes.len;
	case HTTP1_CHUNK_DATA:
		exchange_body_add(h->x, data);
		if (h->x && h->x->is_body_cut) {
			h->keeps_alive = false;
			request_in(c);
		}
		break;
	case HTTP1_CHUNK_END:
		body_end(c);
		break;
	case HTTP1_CHUNK_MORE:
		break;
	}
	return used;
}

static size_t body_take(struct connection *c, struct str bytes)
{
	return state_of(c)->body_left >= 0 ? plain_body_take(c, bytes)
					   : chunked_body_take(c, bytes);
}

static struct str empty_lines_skip(struct http1 *h, struct str bytes)
{
	/* RFC 9112 §2.2: robust servers ignore an empty line before a request. */
	if (h->scanned == 0 && str_has_prefix(bytes, STR("\r\n")))
		return str_skip(bytes, 2);
	return bytes;
}

static bool takes_body(const struct http1 *h)
{
	return h->stage == STAGE_BUSY && h->is_body_open && !h->x->is_body_paused;
}

/* Uses what it can of bytes; returns how much. */
static size_t process(struct connection *c, struct str bytes)
{
	struct http1 *h = state_of(c);
	struct str rest = bytes;
	h->is_processing = true;
	while (rest.len > 0 && c->stream) {
		size_t used = 0;
		if (h->stage == STAGE_CLOSING)
			used = rest.len;
		else if (h->stage == STAGE_HEAD)
			rest = empty_lines_skip(h, rest);
		if (h->stage == STAGE_HEAD)
			used = head_take(c, rest);
		else if (h->stage == STAGE_BODY || takes_body(h))
			used = body_take(c, rest);
		rest = str_skip(rest, used);
		if (h->stage == STAGE_BUSY && c->stream)
			http1_protocol.flush(c);
		if (used == 0 &&
		    ((h->stage == STAGE_BUSY && !takes_body(h)) || h->stage == STAGE_HEAD))
			break;
	}
	h->is_processing = false;
	if (h->upgraded) {
		stream_unread(TAKE_PTR(h->upgraded), rest);
		return bytes.len;
	}
	return c->stream ? bytes.len - rest.len : bytes.len;
}

static void input_process(struct connection *c)
{
	struct http1 *h = state_of(c);
	size_t before = h->in.len;
	size_t used = process(c, buf_str(&h->in));
	buf_consume(&h->in, MIN(used, before));
	if (h->in.len == 0)
		buf_done(&h->in);
	h->in.max_bytes = INPUT_MAX;
	if (!c->stream)
		return;
	if (h->in.len > PIPELINE_BYTES && h->stage == STAGE_BUSY)
		stream_pause(c->stream);
	else
		stream_resume(c->stream);
}

static bool preface_begins(const struct connection *c, struct str bytes)
{
	const struct http1 *h = c->state;
	return !h->has_request && !stream_ssl(c->stream) && h->stage == STAGE_HEAD &&
	       bytes.len > 0 &&
	       str_eq(str_n(bytes.at, MIN(bytes.len, preface.len)),
		      str_n(preface.at, MIN(bytes.len, preface.len)));
}

static void preface_switch(struct connection *c)
{
	struct http1 *h = state_of(c);
	struct buf in = h->in;
	h->in = (struct buf){};
	http1_protocol.free(c);
	http2_attach(c);
	c->protocol->on_data(c, buf_str(&in));
	buf_done(&in);
}

static void on_data(struct connection *c, struct str bytes)
{
	struct http1 *h = state_of(c);
	if (h->in.len == 0 && (h->stage != STAGE_BUSY || takes_body(h))) { /* without a copy */
		h->head_ms = c->active_ms;
		if (!preface_begins(c, bytes))
			bytes = str_skip(bytes, process(c, bytes));
		if (!c->stream || bytes.len == 0)
			return;
		connection_watch(c);
	}
	buf_add_str(&h->in, bytes);
	if (h->in.is_full)
		connection_lose(c);
	else if (!preface_begins(c, buf_str(&h->in)))
		input_process(c);
	else if (h->in.len >= preface.len)
		preface_switch(c);
}

static void on_end(struct connection *c)
{
	struct http1 *h = state_of(c);
	h->is_half_closed = true;
	h->keeps_alive = false;
	if (h->stage != STAGE_BUSY)
		connection_finish(c);
	else if (h->x->stage == REPLY_OPEN || h->is_body_open)
		connection_lose(c); /* who reads a stream does not half-close */
}

/* --- replies --- */

static void name_add(struct buf *out, struct str name)
{
	bool is_start = true;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];
		buf_add_char(out, is_start && c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
		is_start = c == '-';
	}
}

static void field_add(struct buf *out, struct str name, struct str value)
{
	name_add(out, name);
	buf_add(out, ": ", 2);
	buf_add_str(out, value);
	buf_add(out, "\r\n", 2);
}

static bool is_chunked(const struct http_exchange *x)
{
	return x->reply_bytes < 0 && x->version == 11;
}

static void framing_add(struct buf *out, const struct http_exchange *x, bool keeps_alive)
{
	if (x->status == 204 || x->status == 304 || x->status == 101)
		;
	else if (is_chunked(x))
		buf_add_cstr(out, "Transfer-Encoding: chunked\r\n");
	else if (x->reply_bytes >= 0)
		buf_printf(out, "Content-Length: %lld\r\n", (long long)x->reply_bytes);
	if (!keeps_alive)
		buf_add_cstr(out, "Connection: close\r\n");
}

static void head_add(struct buf *out, struct http_exchange *x, bool keeps_alive)
{
	buf_printf(out, "HTTP/1.1 %d %s\r\n", x->status, http_status_text(x->status));
	for (size_t i = 0; i < x->common_header_count; i++)
		field_add(out, x->common_headers[i].name, x->common_headers[i].value);
	for (size_t i = 0; i < x->reply_header_count; i++)
		field_add(out, x->reply_headers[i].name, x->reply_headers[i].value);
	field_add(out, STR("date"), server_date(x->server));
	framing_add(out, x, keeps_alive);
	buf_add(out, "\r\n", 2);
}

/* Appends what fits of the first chunk. */
static void body_add(struct buf *out, struct http_exchange *x)
{
	size_t room = out->len < OUT_BYTES ? OUT_BYTES - out->len : 0;
	size_t len = MIN(x->first->len, MAX(room, 512u));
	if (is_chunked(x))
		buf_printf(out, "%zx\r\n", len);
	buf_add(out, x->first->at, len);
	if (is_chunked(x))
		buf_add(out, "\r\n", 2);
	exchange_chunk_sent(x, len);
}

static void exchange_sent(struct connection *c)
{
	struct http1 *h = state_of(c);
	struct http_exchange *x = TAKE_PTR(h->x);
	bool closes = !h->keeps_alive || x->close_after || c->is_draining;
	x->is_sent = true;
	exchange_settle(x);
	c->active_ms = world_mono_ms();
	h->stage = closes ? STAGE_CLOSING : STAGE_HEAD;
	if (closes)
		connection_finish(c);
	else
		connection_watch(c);
}

static bool keeps_alive(const struct connection *c, const struct http_exchange *x)
{
	const struct http1 *h = c->state;
	bool is_delimited = x->reply_bytes >= 0 || x->version == 11;
	return h->keeps_alive && is_delimited && !h->is_body_open && !x->close_after &&
	       !c->is_draining;
}

/* Fills out with the next 16 KiB; true when the reply ends in it. */
static bool assemble(struct connection *c, struct buf *out, struct http_exchange *x)
{
	struct http1 *h = state_of(c);
	if (!x->is_head_sent) {
		h->keeps_alive = keeps_alive(c, x);
		head_add(out, x, h->keeps_alive);
		x->is_head_sent = true;
	}
	while (x->first && out->len < OUT_BYTES)
		body_add(out, x);
	if (x->stage != REPLY_WHOLE || x->first)
		return false;
	if (is_chunked(x) && !x->is_head && x->status != 204 && x->status != 304)
		buf_add_cstr(out, "0\r\n\r\n");
	return true;
}

static void flush(struct connection *c)
{
	struct http1 *h = state_of(c);
	while (c->stream && h->stage == STAGE_BUSY && h->x->stage != REPLY_NONE &&
	       stream_queued(c->stream) == 0) {
		struct buf *out = server_out(c->server);
		bool is_last = assemble(c, out, h->x);
		if (!c->stream || h->stage != STAGE_BUSY)
			break; /* a drain callback ended it */
		if (out->len == 0)
			break;
		stream_more_follows(c->stream, !is_last && h->x->first);
		stream_write(c->stream, buf_str(out));
		if (is_last)
			exchange_sent(c);
	}
	if (c->stream)
		stream_more_follows(c->stream, false);
	if (c->stream && h->stage == STAGE_HEAD && !h->is_processing && h->in.len > 0)
		input_process(c);
}

static void reply_ready(struct http_exchange *x)
{
	struct connection *c = x->conn;
	struct http1 *h = state_of(c);
	if (h->is_half_closed && x->stage == REPLY_OPEN)
		connection_lose(c);
	else
		connection_flush_soon(c);
}

static void abort_exchange(struct http_exchange *x)
{
	connection_lose(x->conn);
}

/* What came while the body was paused. */
static void body_taken(struct http_exchange *x, size_t bytes)
{
	struct connection *c = x->conn;
	struct http1 *h = state_of(c);
	if (h->is_body_open && !h->is_processing && h->in.len > 0)
		input_process(c);
}

static void goaway(struct connection *c)
{
	c->is_draining = true;
	if (state_of(c)->stage == STAGE_HEAD)
		connection_finish(c);
}

static int64_t deadline(const struct connection *c)
{
	const struct http1 *h = c->state;
	const struct http_limits *limits = &c->server->limits;
	switch (h->stage) {
	case STAGE_HEAD:
		if (h->in.len > 0 || !h->has_request)
			return h->head_ms + limits->header_ms;
		return c->active_ms + limits->idle_ms;
	case STAGE_BODY:
		return c->active_ms + limits->body_ms;
	default:
		return INT64_MAX;
	}
}

static void state_free(struct connection *c)
{
	struct http1 *h = c->state;
	buf_done(&h->in);
	free(h);
	c->state = NULL;
	c->protocol = NULL;
}

const struct protocol_ops http1_protocol = {
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

void http1_attach(struct connection *c)
{
	struct http1 *h = NEW(struct http1);
	h->in.max_bytes = INPUT_MAX;
	h->head_ms = c->active_ms;
	c->protocol = &http1_protocol;
	c->state = h;
}

/* --- upgrade --- */

enum rc http_upgrade(struct http_exchange *x, const struct http_header *headers,
		     size_t header_count, const struct stream_ops *ops, void *user,
		     struct stream **ret_stream, struct err *err)
{
	struct connection *c = x->conn;
	if (!x->wants_upgrade || !c || x->stage != REPLY_NONE)
		return err_set(err, RC_BAD_REQUEST,
			       "unable to upgrade: missing upgrade headers in request");
	struct http1 *h = state_of(c);
	x->status = 101;
	x->reply_headers = headers;
	x->reply_header_count = header_count;
	struct buf *out = server_out(c->server);
	head_add(out, x, true);
	out->len -= 2;
	buf_add_cstr(out, "Connection: Upgrade\r\n\r\n");
	stream_write(c->stream, buf_str(out));
	struct stream *stream = connection_take_stream(c);
	stream_set(stream, ops, user);
	stream_resume(stream);
	if (h->is_processing)
		h->upgraded = stream;
	else
		stream_unread(stream, buf_str(&h->in));
	h->x = NULL;
	h->stage = STAGE_CLOSING;
	x->stage = REPLY_WHOLE;
	x->is_handled = x->is_sent = true;
	exchange_settle(x);
	*ret_stream = stream;
	return RC_OK;
}
