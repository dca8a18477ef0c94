/* Resolve, connect, TLS, and maybe an upgrade, each step started by the end of the one before.  One
 * timer bounds them all. */
#include "http/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <uv.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/http1_parse.h"

#define TIMEOUT_DEFAULT_MS 10000
#define HEAD_MAX	   (64u << 10)
#define REQUEST_MAX	   (128u << 10)
#define ADDRESSES_MAX	   8

struct attempt { /* one connect(); outlives its dial until libuv has closed it */
	uv_poll_t poll;
	struct dial *dial;
	int fd;
};

struct resolution { /* likewise until getaddrinfo() is through */
	uv_getaddrinfo_t request;
	struct dial *dial; /* NULL: cancelled */
};

struct dial {
	struct loop *loop;
	struct loop_timer timer;
	struct loop_msg soon; /* the first step, and failures found too early */
	char *host, *server_name;
	uint16_t port;
	struct tls_context *tls;
	struct resolution *resolution;
	struct attempt *attempt;
	struct stream *stream;
	struct sockaddr_storage addresses[ADDRESSES_MAX];
	size_t address_count, address_at;
	struct err err;
	void (*done)(struct stream *own_stream, const struct err *err, void *ctx);
	void *ctx;
	/* Of an upgrade. */
	void (*upgraded)(const struct dial_reply *reply, void *ctx);
	struct buf request, in;
	size_t scanned;
	struct arena arena;
	struct http1_head head;
	struct http1_chunked chunked;
	struct buf body;
	bool has_head;
};

/* --- the end --- */

static void attempt_closed(uv_handle_t *handle)
{
	free(CONTAINER_OF(handle, struct attempt, poll));
}

/* The socket stays open when it was taken. */
static void attempt_end(struct dial *d)
{
	struct attempt *attempt = TAKE_PTR(d->attempt);
	if (!attempt)
		return;
	uv_poll_stop(&attempt->poll);
	uv_close((uv_handle_t *)&attempt->poll, attempt_closed);
	close_fd_p(&attempt->fd);
}

static void dial_free(struct dial *d)
{
	if (d->resolution) {
		d->resolution->dial = NULL;
		uv_cancel((uv_req_t *)&d->resolution->request);
	}
	attempt_end(d);
	stream_close(d->stream);
	loop_timer_stop(&d->timer);
	loop_defer_cancel(&d->soon);
	tls_unref(d->tls);
	buf_done(&d->request);
	buf_done(&d->in);
	buf_done(&d->body);
	arena_done(&d->arena);
	free(d->host);
	free(d->server_name);
	free(d);
}

void dial_cancel(struct dial *dial)
{
	if (dial)
		dial_free(dial);
}

static void fail(struct dial *d)
{
	const char *form = strchr(d->host, ':') ? "dial tcp [%s]:%u" : "dial tcp %s:%u";
	err_wrap(&d->err, form, d->host, d->port); /* as Go words it: clients see it */
	if (d->upgraded)
		d->upgraded(&(struct dial_reply){.err = &d->err}, d->ctx);
	else
		d->done(NULL, &d->err, d->ctx);
	dial_free(d);
}

static void timeout_on(struct loop_timer *timer)
{
	struct dial *d = CONTAINER_OF(timer, struct dial, timer);
	err_set(&d->err, RC_TIMEOUT, "no answer in time");
	fail(d);
}

/* --- the upgrade --- */

static void reply_give(struct dial *d)
{
	struct dial_reply reply = {.status = d->head.status,
				   .headers = d->head.headers,
				   .header_count = d->head.header_count,
				   .body = buf_str(&d->body)};
	if (reply.status == 101) {
		stream_pause(d->stream);
		stream_unread(d->stream, buf_str(&d->in));
		stream_set(d->stream, NULL, NULL);
		reply.stream = TAKE_PTR(d->stream);
	}
	d->upgraded(&reply, d->ctx);
	dial_free(d);
}

static bool body_is_whole(struct dial *d)
{
	size_t used;
	struct str data;
	if (d->head.status == 204 || d->head.status == 304)
		return true;
	if (!d->head.is_chunked) {
		uint64_t length = d->head.content_length >= 0 ? (uint64_t)d->head.content_length
							      : DIAL_REPLY_MAX;
		size_t want = (size_t)MIN(length, (uint64_t)DIAL_REPLY_MAX);
		size_t take = MIN(d->in.len, want - MIN(want, d->body.len));
		buf_add(&d->body, d->in.data, take);
		buf_consume(&d->in, take);
		return d->body.len >= want;
	}
	for (;;) {
		enum http1_chunk got =
			http1_chunked_feed(&d->chunked, buf_str(&d->in), &used, &data);
		if (got == HTTP1_CHUNK_DATA)
			buf_add_str(&d->body, data);
		if (got == HTTP1_CHUNK_BAD || got == HTTP1_CHUNK_END || d->body.is_full)
			return true;
		buf_consume(&d->in, used);
		if (got == HTTP1_CHUNK_MORE)
			return false;
	}
}

static enum rc head_take(struct dial *d)
{
	const char *why = NULL;
	size_t len = http1_head_end(buf_str(&d->in), &d->scanned, &why);
	if (!why && len == 0 && d->in.len > HEAD_MAX)
		why = "the head of the reply exceeds 64 KiB";
	if (!why && len > 0 &&
	    http1_parse_response(str_n(d->in.data, len), &d->arena, &d->head, &why) == 0)
		why = NULL;
	if (why)
		return err_set(&d->err, RC_IO, "no HTTP reply: %s", why);
	if (len == 0)
		return RC_OK;
	buf_consume(&d->in, len);
	d->scanned = 0;
	d->has_head = d->head.status == 101 || d->head.status >= 200;
	return RC_OK;
}

static void input_take(struct dial *d)
{
	while (!d->has_head) {
		size_t before = d->in.len;
		if (head_take(d) != RC_OK) {
			fail(d);
			return;
		}
		if (d->in.len == before)
			return;
	}
	if (d->head.status == 101 || body_is_whole(d))
		reply_give(d);
}

static void data_on(struct stream *s, struct str bytes, void *user)
{
	struct dial *d = user;
	buf_add_str(&d->in, bytes);
	input_take(d);
}

static void end_on(struct stream *s, void *user)
{
	struct dial *d = user;
	if (d->has_head) {
		reply_give(d);
		return;
	}
	err_set(&d->err, RC_IO, "the connection was closed before a reply");
	fail(d);
}

static void request_make(struct dial *d, const struct dial_request *r)
{
	d->request = (struct buf)BUF_INIT(REQUEST_MAX);
	d->in = (struct buf)BUF_INIT(STREAM_QUEUE_MAX);
	d->body = (struct buf)BUF_INIT(DIAL_REPLY_MAX);
	buf_printf(&d->request, "%.*s %.*s HTTP/1.1\r\nHost: %.*s\r\nConnection: Upgrade\r\n",
		   STR_FMT(r->method), STR_FMT(r->target), STR_FMT(r->host_header));
	for (size_t i = 0; i < r->header_count; i++)
		buf_printf(&d->request, "%.*s: %.*s\r\n", STR_FMT(r->headers[i].name),
			   STR_FMT(r->headers[i].value));
	buf_add_cstr(&d->request, "\r\n");
}

/* Nothing of the request may begin another line. */
static enum rc request_check(const struct dial_request *r, struct err *err)
{
	bool is_fine = http_is_token(r->method) && http_is_field_value(r->host_header) &&
		       http_is_field_value(r->target) && r->target.len > 0 &&
		       !memchr(r->target.at, ' ', r->target.len);
	for (size_t i = 0; i < r->header_count; i++)
		is_fine = is_fine && http_is_token(r->headers[i].name) &&
			  http_is_field_value(r->headers[i].value);
	return is_fine ? RC_OK
		       : err_set(err, RC_BAD_REQUEST,
				 "a header or the target of the request has control characters");
}

/* --- TLS --- */

static void opened_on(struct stream *s, void *user)
{
	struct dial *d = user;
	if (d->upgraded) {
		stream_write(s, buf_str(&d->request));
		return;
	}
	stream_pause(s);
	stream_set(s, NULL, NULL);
	d->stream = NULL;
	d->done(s, NULL, d->ctx);
	dial_free(d);
}

static void failed_on(struct stream *s, const struct err *why, void *user)
{
	struct dial *d = user;
	d->err = *why;
	fail(d);
}

static const struct stream_ops dial_ops = {
	.on_open = opened_on,
	.on_data = data_on,
	.on_end = end_on,
	.on_failed = failed_on,
};

/* --- connecting --- */

static void connect_next(struct dial *d);

static void connected_on(uv_poll_t *poll, int status, int events)
{
	struct attempt *attempt = CONTAINER_OF(poll, struct attempt, poll);
	struct dial *d = attempt->dial;
	int sys = 0;
	socklen_t len = sizeof(sys);
	getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &sys, &len);
	if (sys != 0) {
		err_set(&d->err, RC_UNAVAILABLE, "connect: %s", uv_strerror(-sys));
		attempt_end(d);
		connect_next(d);
		return;
	}
	int fd = TAKE_FD(attempt->fd);
	attempt_end(d);
	d->stream = stream_new(d->loop, fd, d->tls, d->tls ? d->server_name : NULL, &dial_ops, d);
}

static bool connect_try(struct dial *d, const struct sockaddr_storage *to)
{
	int on = 1;
	socklen_t len = to->ss_family == AF_INET ? sizeof(struct sockaddr_in)
						 : sizeof(struct sockaddr_in6);
	CLEANUP(close_fd_p)
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || (connect(fd, (const struct sockaddr *)to, len) < 0 && errno != EINPROGRESS)) {
		err_set(&d->err, RC_UNAVAILABLE, "connect: %s", uv_strerror(-errno));
		return false;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	struct attempt *attempt = NEW(struct attempt);
	attempt->dial = d;
	attempt->fd = TAKE_FD(fd);
	int failed = uv_poll_init_socket(loop_uv(d->loop), &attempt->poll, attempt->fd);
	ASSERT(failed == 0);
	uv_poll_start(&attempt->poll, UV_WRITABLE, connected_on);
	d->attempt = attempt;
	return true;
}

static void connect_next(struct dial *d)
{
	while (d->address_at < d->address_count)
		if (connect_try(d, &d->addresses[d->address_at++]))
			return;
	if (d->err.rc == RC_OK)
		err_set(&d->err, RC_UNAVAILABLE, "the name has no address");
	fail(d);
}

/* --- resolving --- */

static void address_add(struct dial *d, const struct sockaddr *address, socklen_t len)
{
	if (d->address_count == ADDRESSES_MAX)
		return;
	struct sockaddr_storage *to = &d->addresses[d->address_count++];
	memcpy(to, address, len);
	if (to->ss_family == AF_INET)
		((struct sockaddr_in *)to)->sin_port = htons(d->port);
	else
		((struct sockaddr_in6 *)to)->sin6_port = htons(d->port);
}

static void resolved_on(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
	struct resolution *resolution = CONTAINER_OF(request, struct resolution, request);
	struct dial *d = resolution->dial;
	free(resolution);
	if (d) {
		d->resolution = NULL;
		for (struct addrinfo *at = list; at; at = at->ai_next)
			if (at->ai_family == AF_INET || at->ai_family == AF_INET6)
				address_add(d, at->ai_addr, at->ai_addrlen);
		if (status < 0)
			err_set(&d->err, RC_UNAVAILABLE, "resolve: %s", uv_strerror(status));
		connect_next(d);
	}
	uv_freeaddrinfo(list);
}

static bool address_is_literal(struct dial *d)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	if (inet_pton(AF_INET, d->host, &v4.sin_addr) == 1)
		address_add(d, (struct sockaddr *)&v4, sizeof(v4));
	else if (inet_pton(AF_INET6, d->host, &v6.sin6_addr) == 1)
		address_add(d, (struct sockaddr *)&v6, sizeof(v6));
	return d->address_count > 0;
}

static void begin_on(struct loop_msg *msg)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
					      .ai_flags = AI_ADDRCONFIG};
	struct dial *d = CONTAINER_OF(msg, struct dial, soon);
	if (d->err.rc != RC_OK) {
		fail(d);
		return;
	}
	if (address_is_literal(d)) {
		connect_next(d);
		return;
	}
	d->resolution = NEW(struct resolution);
	d->resolution->dial = d;
	int failed = uv_getaddrinfo(loop_uv(d->loop), &d->resolution->request, resolved_on, d->host,
				    NULL, &hints);
	if (failed) {
		free(TAKE_PTR(d->resolution));
		err_set(&d->err, RC_UNAVAILABLE, "resolve: %s", uv_strerror(failed));
		fail(d);
	}
}

/* --- beginning --- */

static struct dial *dial_new(struct loop *loop, const struct dial_opts *opts, void *ctx)
{
	struct dial *d = NEW(struct dial);
	d->loop = loop;
	d->host = mem_strdup(opts->host);
	d->server_name = mem_strdup(opts->server_name ? opts->server_name : opts->host);
	d->port = opts->port;
	d->tls = tls_ref(opts->tls);
	d->ctx = ctx;
	d->soon.fn = begin_on;
	loop_defer(loop, &d->soon);
	loop_timer_start(loop, &d->timer,
			 opts->timeout_ms > 0 ? opts->timeout_ms : TIMEOUT_DEFAULT_MS, timeout_on);
	return d;
}

struct dial *dial_start(struct loop *loop, const struct dial_opts *opts,
			void (*done)(struct stream *own_stream, const struct err *err, void *ctx),
			void *ctx)
{
	struct dial *d = dial_new(loop, opts, ctx);
	d->done = done;
	return d;
}

struct dial *dial_upgrade(struct loop *loop, const struct dial_opts *opts,
			  const struct dial_request *request,
			  void (*done)(const struct dial_reply *reply, void *ctx), void *ctx)
{
	struct dial *d = dial_new(loop, opts, ctx);
	d->upgraded = done;
	if (request_check(request, &d->err) == RC_OK)
		request_make(d, request);
	if (d->request.is_full)
		err_set(&d->err, RC_TOO_LARGE, "the head of the request exceeds 128 KiB");
	return d;
}
