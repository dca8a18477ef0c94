#include "http/forward.h"

#include "base/mem.h"
#include "http/http-int.h"
#include "http/http1_parse.h"

#define REPLY_HEAD_MAX	 (64u << 10)
#define REQUEST_HEAD_MAX (128u << 10)
#define FILTERED_MAX	 (4u << 20) /* that one piece of a body may become */
#define CHUNK_FRAME_MAX	 32	    /* its length in hexadecimal, two ends of lines */
#define DRAINED_BYTES	 (FORWARD_HIGH_BYTES / 4)
#define INTERIM_MAX	 5 /* replies of 1xx, as Go's client takes */

enum body_form { BODY_NONE, BODY_SIZED, BODY_CHUNKED, BODY_UNTIL_END };

struct forward {
	struct http_exchange *x;
	struct forward_request request;
	const struct forward_ops *ops;
	void *ctx;
	struct dial *dial;
	struct stream *server;
	struct buf in; /* not used yet: of the head, or a piece of the chunked framing */
	size_t scanned;
	struct http1_head head;
	struct forward_reply reply;
	unsigned interim_count;
	enum body_form form;
	uint64_t left; /* of a sized body */
	struct http1_chunked chunked;
	struct loop_msg soon;
	bool is_begun; /* the reply's head was sent */
	bool is_over;
	bool sends_chunks;
};

static void free_msg(struct loop_msg *msg)
{
	struct forward *f = CONTAINER_OF(msg, struct forward, soon);
	buf_done(&f->in);
	free(f);
}

/* A write to the client may find it gone, so this may run below any of our own functions: the
 * memory goes a little later. */
static void forward_free(struct forward *f)
{
	struct loop *loop = http_loop(f->x);
	f->is_over = true;
	f->x->forward = NULL;
	dial_cancel(TAKE_PTR(f->dial));
	stream_close(TAKE_PTR(f->server));
	f->soon.fn = free_msg;
	loop_defer(loop, &f->soon);
}

/* ---- the end ---- */

static void over(struct forward *f, const struct err *err)
{
	const struct forward_ops *ops = f->ops;
	struct http_exchange *x = f->x;
	void *ctx = f->ctx;
	forward_free(f);
	ops->done(x, err, ctx);
}

static void broken(struct forward *f, const struct err *why)
{
	if (!f->is_begun) {
		over(f, why);
		return;
	}
	http_abort(f->x);
	over(f, NULL);
}

[[gnu::format(printf, 2, 3)]] static void broken_for(struct forward *f, const char *fmt, ...)
{
	struct err err = {};
	va_list ap;
	va_start(ap, fmt);
	err_setv(&err, RC_IO, fmt, ap);
	va_end(ap);
	broken(f, &err);
}

void forward_cancel(struct forward *f)
{
	if (!f)
		return;
	if (!f->x->is_handled)
		http_abort(f->x);
	forward_free(f);
}

/* ---- fields ---- */

/* RFC 9110 §7.6.1, and what is said of the body, which we frame ourselves. */
static bool is_of_connection(struct str name, struct str connection)
{
	static const char *const names[] = {"connection",
					    "proxy-connection",
					    "keep-alive",
					    "proxy-authenticate",
					    "proxy-authorization",
					    "te",
					    "trailer",
					    "transfer-encoding",
					    "upgrade",
					    "content-length"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(name, names[i]))
			return true;
	struct str rest = connection, item;
	while (rest.len) {
		str_cut(rest, ',', &item, &rest);
		if (str_eq_nocase(str_trim(item), name))
			return true;
	}
	return false;
}

static struct str field_of(const struct http_header *headers, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_is(headers[i].name, name))
			return headers[i].value;
	return (struct str){};
}

static bool is_sendable(const struct forward_request *q)
{
	bool is_fine = http_is_token(q->method) && http_is_field_value(q->host) &&
		       http_is_field_value(q->target) && q->target.len > 0 &&
		       !memchr(q->target.at, ' ', q->target.len);
	for (size_t i = 0; i < q->header_count; i++)
		is_fine = is_fine && http_is_token(q->headers[i].name) &&
			  http_is_field_value(q->headers[i].value);
	return is_fine;
}

static void request_head_add(struct forward *f, struct buf *out)
{
	const struct forward_request *q = &f->request;
	struct str connection = field_of(q->headers, q->header_count, "connection");
	struct str upgrade = field_of(q->headers, q->header_count, "upgrade");
	int64_t bytes = http_body_bytes(f->x);
	bool is_upgrade = http_expects_upgrade(f->x);
	buf_printf(out, "%.*s %.*s HTTP/1.1\r\nHost: %.*s\r\n", STR_FMT(q->method),
		   STR_FMT(q->target), STR_FMT(q->host));
	for (size_t i = 0; i < q->header_count; i++)
		if (!is_of_connection(q->headers[i].name, connection) &&
		    !str_is(q->headers[i].name, "host") && !str_is(q->headers[i].name, "expect"))
			buf_printf(out, "%.*s: %.*s\r\n", STR_FMT(q->headers[i].name),
				   STR_FMT(q->headers[i].value));
	if (is_upgrade)
		buf_printf(out, "Connection: Upgrade\r\nUpgrade: %.*s\r\n", STR_FMT(upgrade));
	else
		buf_add_cstr(out, "Connection: close\r\n");
	f->sends_chunks = bytes < 0 && !is_upgrade;
	if (f->sends_chunks)
		buf_add_cstr(out, "Transfer-Encoding: chunked\r\n");
	else if (bytes > 0 || field_of(q->headers, q->header_count, "content-length").at)
		buf_printf(out, "Content-Length: %lld\r\n", (long long)MAX(bytes, 0));
	buf_add_cstr(out, "\r\n");
}

/* ---- the request's body ---- */

/* In one write, as each is a packet of its own.  The empty chunk is the end. */
static size_t chunk_write(struct stream *s, struct str bytes)
{
	CLEANUP_BUF chunk = BUF_INIT(bytes.len + CHUNK_FRAME_MAX);
	buf_printf(&chunk, "%zx\r\n", bytes.len);
	buf_add_str(&chunk, bytes);
	buf_add_cstr(&chunk, "\r\n");
	return stream_write(s, buf_str(&chunk));
}

static void request_body_on(struct http_exchange *x, struct str bytes)
{
	struct forward *f = x->forward;
	if (!f || !f->server)
		return;
	size_t queued = f->sends_chunks ? chunk_write(f->server, bytes)
					: stream_write(f->server, bytes);
	if (queued > FORWARD_HIGH_BYTES)
		http_body_pause(x);
}

static void server_drained_on(struct stream *s, void *user)
{
	struct forward *f = user;
	http_body_resume(f->x);
}

/* ---- the reply's body ---- */

static void client_drained_on(struct http_exchange *x)
{
	struct forward *f = x->forward;
	if (f && f->server)
		stream_resume(f->server);
}

static void client_write(struct forward *f, struct str bytes)
{
	struct http_chunk chunk = HTTP_CHUNK_COPY(bytes.at, bytes.len);
	if (http_stream_write(f->x, &chunk, 1) > FORWARD_HIGH_BYTES && !f->is_over) {
		stream_pause(f->server);
		http_stream_on_drain(f->x, DRAINED_BYTES, client_drained_on);
	}
}

static void reply_bytes(struct forward *f, struct str bytes)
{
	if (!f->reply.is_filtered) {
		client_write(f, bytes);
		return;
	}
	CLEANUP_BUF out = BUF_INIT(FILTERED_MAX);
	f->ops->filter(bytes, &out, f->ctx);
	if (out.is_full)
		broken_for(f, "a piece of the reply grew beyond %u bytes", FILTERED_MAX);
	else if (out.len > 0)
		client_write(f, buf_str(&out));
}

static void reply_end(struct forward *f)
{
	if (f->reply.is_filtered)
		reply_bytes(f, STR(""));
	if (f->is_over)
		return;
	http_stream_end(f->x);
	over(f, NULL);
}

static void sized_in(struct forward *f, struct str bytes)
{
	size_t take = (size_t)MIN(f->left, (uint64_t)bytes.len);
	f->left -= take;
	if (take > 0)
		reply_bytes(f, str_n(bytes.at, take));
	if (f->left == 0 && !f->is_over)
		reply_end(f);
}

static void chunked_in(struct forward *f, struct str bytes)
{
	while (bytes.len > 0 && !f->is_over) {
		size_t used = 0;
		struct str data;
		enum http1_chunk got = http1_chunked_feed(&f->chunked, bytes, &used, &data);
		bytes = str_skip(bytes, used);
		if (got == HTTP1_CHUNK_DATA) {
			reply_bytes(f, data);
		} else if (got == HTTP1_CHUNK_END) {
			reply_end(f);
			return;
		} else if (got == HTTP1_CHUNK_BAD) {
			broken_for(f, "malformed chunked encoding");
			return;
		} else {
			return;
		}
	}
}

static void body_in(struct forward *f, struct str bytes)
{
	if (f->form == BODY_UNTIL_END && bytes.len > 0)
		reply_bytes(f, bytes);
	else if (f->form == BODY_CHUNKED)
		chunked_in(f, bytes);
	else if (f->form == BODY_SIZED)
		sized_in(f, bytes);
}

/* ---- the reply's head ---- */

static enum body_form form_of(const struct forward *f)
{
	const struct http1_head *h = &f->head;
	if (str_is(f->request.method, "HEAD") || h->status == 204 || h->status == 304)
		return BODY_NONE;
	if (h->is_chunked)
		return BODY_CHUNKED;
	return h->content_length >= 0 ? BODY_SIZED : BODY_UNTIL_END;
}

static void reply_fields(struct forward *f)
{
	struct arena *a = http_arena(f->x);
	struct str connection = field_of(f->head.headers, f->head.header_count, "connection");
	struct forward_reply *r = &f->reply;
	r->status = f->head.status;
	r->headers =
		ARENA_ARRAY(a, struct http_header, f->head.header_count + FORWARD_HEADERS_MORE);
	for (size_t i = 0; i < f->head.header_count; i++) {
		const struct http_header *h = &f->head.headers[i];
		bool is_upgrade = r->status == 101 && str_is(h->name, "upgrade");
		if ((!is_of_connection(h->name, connection) && !str_is(h->name, "date")) ||
		    is_upgrade)
			r->headers[r->header_count++] = *h;
	}
}

static void joined_over(void *ctx)
{
	struct forward *f = ctx;
	f->ops->done(NULL, NULL, f->ctx);
	free_msg(&f->soon);
}

static void join(struct forward *f)
{
	struct stream *front;
	struct err err;
	struct str rest = buf_str(&f->in);
	if (!http_expects_upgrade(f->x)) {
		broken_for(f, "the server changed the protocol unasked");
		return;
	}
	f->ops->on_head(f->x, &f->reply, f->ctx);
	if (http_upgrade(f->x, f->reply.headers, f->reply.header_count, NULL, NULL, &front, &err) !=
	    RC_OK) {
		broken(f, &err);
		return;
	}
	stream_pause(f->server);
	stream_unread(f->server, rest);
	stream_set(f->server, NULL, NULL);
	f->x->forward = NULL;
	f->x = NULL; /* its part is over */
	stream_splice(front, TAKE_PTR(f->server), joined_over, f);
}

static void reply_begin(struct forward *f)
{
	f->form = form_of(f);
	f->left = f->form == BODY_SIZED ? (uint64_t)f->head.content_length : 0;
	f->ops->on_head(f->x, &f->reply, f->ctx);
	f->reply.is_filtered = f->reply.is_filtered && f->ops->filter && f->form != BODY_NONE;
	bool has_length = f->head.content_length >= 0 && !f->head.is_chunked &&
			  !f->reply.is_filtered;
	f->x->reply_bytes = has_length ? f->head.content_length : -1;
	f->is_begun = true;
	http_stream_begin(f->x, f->reply.status, f->reply.headers, f->reply.header_count);
	if (f->is_over)
		return;
	struct buf in = f->in;
	f->in = (struct buf){};
	if (f->form == BODY_NONE)
		reply_end(f);
	else if (in.len > 0 || f->form == BODY_SIZED)
		body_in(f, buf_str(&in));
	buf_done(&in);
}

static void head_in(struct forward *f, struct str bytes)
{
	const char *why = NULL;
	buf_add_str(&f->in, bytes);
	for (;;) {
		size_t len = http1_head_end(buf_str(&f->in), &f->scanned, &why);
		if (!why && len == 0 && f->in.len > REPLY_HEAD_MAX)
			why = "the head of the reply exceeds 64 KiB";
		if (!why && len == 0)
			return;
		if (!why &&
		    http1_parse_response(arena_str(http_arena(f->x), str_n(f->in.data, len)),
					 http_arena(f->x), &f->head, &why) == 0)
			why = NULL;
		if (why) {
			broken_for(f, "malformed HTTP response: %s", why);
			return;
		}
		buf_consume(&f->in, len);
		f->scanned = 0;
		if (f->head.status == 101 || f->head.status >= 200)
			break;
		if (++f->interim_count > INTERIM_MAX) {
			broken_for(f, "too many 1xx informational responses");
			return;
		}
	}
	reply_fields(f);
	if (f->head.status == 101)
		join(f);
	else
		reply_begin(f);
}

/* ---- the server's stream ---- */

static void data_on(struct stream *s, struct str bytes, void *user)
{
	struct forward *f = user;
	if (f->is_begun)
		body_in(f, bytes);
	else
		head_in(f, bytes);
}

static void end_on(struct stream *s, void *user)
{
	struct forward *f = user;
	if (f->is_begun && f->form == BODY_UNTIL_END)
		reply_end(f);
	else
		broken_for(f, f->is_begun ? "unexpected EOF" : "EOF");
}

static void failed_on(struct stream *s, const struct err *why, void *user)
{
	broken(user, why);
}

static const struct stream_ops server_ops = {
	.on_data = data_on,
	.on_end = end_on,
	.on_drain = server_drained_on,
	.on_failed = failed_on,
};

static void dialled_on(struct stream *own_stream, const struct err *err, void *ctx)
{
	struct forward *f = ctx;
	CLEANUP_BUF head = BUF_INIT(REQUEST_HEAD_MAX);
	f->dial = NULL;
	if (!own_stream) {
		broken(f, err);
		return;
	}
	f->server = own_stream;
	stream_set(f->server, &server_ops, f);
	request_head_add(f, &head);
	if (head.is_full) {
		broken_for(f, "the head of the request exceeds %u bytes", REQUEST_HEAD_MAX);
		return;
	}
	stream_write(f->server, buf_str(&head));
	stream_resume(f->server);
	if (http_body_bytes(f->x) != 0)
		http_body_receive(f->x, request_body_on);
}

enum rc forward_start(struct http_exchange *x, const struct forward_request *request,
		      const struct forward_ops *ops, void *ctx, struct forward **ret_forward,
		      struct err *err)
{
	if (!is_sendable(request))
		return err_set(err, RC_BAD_REQUEST,
			       "a header or the target of the request has control characters");
	struct forward *f = NEW(struct forward);
	f->x = x;
	f->request = *request;
	f->ops = ops;
	f->ctx = ctx;
	f->in = (struct buf)BUF_INIT(STREAM_QUEUE_MAX);
	x->forward = f;
	f->dial = dial_start(http_loop(x), &request->to, dialled_on, f);
	*ret_forward = f;
	return RC_OK;
}
