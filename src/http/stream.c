/* A nonblocking socket under uv_poll, and OpenSSL directly on the descriptor: one read() and one
 * write() a TLS record, no buffers of our own while a connection is at rest.
 *
 * Reads go through one buffer a thread.  A callback may close the stream; the memory stays until
 * libuv has closed the handle, so code that called out looks at is_detached before it goes on. */
#include "http/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <uv.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/openssl_util.h"

#define STREAM_MAGIC 0x5354524dU
#define READ_BYTES   (32u << 10)
#define READS_A_TURN 16 /* then other connections get theirs */
#define LINGER_MS    2000

static _Thread_local char read_bytes[READ_BYTES];

struct stream {
	uint32_t magic;
	int fd;
	struct loop *loop;
	uv_poll_t poll;
	int polled; /* events asked for now */
	SSL *ssl;
	const struct stream_ops *ops;
	void *user;
	struct buf queue, unread;
	struct loop_timer timer;
	struct loop_msg soon, at_end;
	struct sockaddr_storage peer;
	struct err *failure; /* set: dead */
	bool is_open;	     /* handshake is over */
	bool is_paused;
	bool is_read_ended; /* nothing more comes in */
	bool is_hung_up;    /* noticed while paused */
	bool is_end_wanted, is_write_ended;
	bool is_detached; /* no owner any more */
	bool is_closing;  /* handle is being closed */
	bool is_failure_told;
	bool is_drain_owed;
	bool more_follows;
	bool has_blocked_write; /* the last write wants the socket writable */
	bool has_blocked_read;	/* TLS wants to write before it reads */
};

static const struct stream_ops no_ops;

static void poll_on(uv_poll_t *poll, int status, int events);
static void soon_on(struct loop_msg *msg);
static void write_finish(struct stream *s);

/* --- what is polled for --- */

static int events_wanted(const struct stream *s)
{
	int events = 0;
	if (!s->is_open || (!s->is_paused && !s->is_read_ended))
		events |= UV_READABLE;
	else if (!s->is_read_ended && !s->is_hung_up)
		events |= UV_DISCONNECT;
	if (s->has_blocked_write || s->has_blocked_read)
		events |= UV_WRITABLE;
	return events;
}

static void poll_update(struct stream *s)
{
	if (s->is_closing)
		return;
	int events = s->failure ? 0 : events_wanted(s);
	if (events == s->polled)
		return;
	s->polled = events;
	if (events)
		uv_poll_start(&s->poll, events, poll_on);
	else
		uv_poll_stop(&s->poll);
}

/* --- end of life --- */

static void closed_on(uv_handle_t *handle)
{
	struct stream *s = handle->data;
	close(s->fd);
	SSL_free(s->ssl);
	buf_done(&s->queue);
	buf_done(&s->unread);
	free(s->failure);
	s->magic = 0;
	free(s);
}

static void handle_close(struct stream *s)
{
	if (s->is_closing)
		return;
	s->is_closing = true;
	loop_timer_stop(&s->timer);
	loop_defer_cancel(&s->soon);
	loop_defer_cancel(&s->at_end);
	uv_close((uv_handle_t *)&s->poll, closed_on);
}

static void fail(struct stream *s, enum rc rc, int sys, const char *what)
{
	if (s->failure || s->is_closing)
		return;
	s->failure = NEW(struct err);
	if (sys)
		err_sys(s->failure, rc, sys, "%s", what);
	else
		err_set(s->failure, rc, "%s", what);
	poll_update(s);
	if (s->is_detached)
		handle_close(s);
	else
		loop_defer(s->loop, &s->soon);
}

static void fail_tls(struct stream *s, int code, const char *what)
{
	int sys = code == SSL_ERROR_SYSCALL ? errno : 0;
	struct err detail = {};
	if (code == SSL_ERROR_SSL) {
		long verdict = SSL_get_verify_result(s->ssl);
		if (!s->is_open && verdict != X509_V_OK && !SSL_is_server(s->ssl))
			err_set(&detail, RC_UNAUTHORIZED, "%s: server certificate: %s", what,
				X509_verify_cert_error_string(verdict));
		else
			openssl_err(&detail, RC_IO, what);
		ERR_clear_error();
		fail(s, detail.rc, 0, detail.text);
		return;
	}
	ERR_clear_error();
	fail(s, RC_IO, sys, what);
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	ASSERT(s->magic == STREAM_MAGIC && !s->is_detached);
	s->is_detached = true;
	s->ops = &no_ops;
	handle_close(s);
}

static void linger_over(struct loop_timer *timer)
{
	handle_close(CONTAINER_OF(timer, struct stream, timer));
}

/* Whoever still has it: nothing would free it any more. */
static void loop_ends(struct loop_msg *msg)
{
	handle_close(CONTAINER_OF(msg, struct stream, at_end));
}

void stream_finish(struct stream *s)
{
	if (!s)
		return;
	ASSERT(s->magic == STREAM_MAGIC && !s->is_detached);
	s->is_detached = true;
	s->ops = &no_ops;
	if (s->failure || !s->is_open) {
		handle_close(s);
		return;
	}
	s->is_paused = false;
	s->is_end_wanted = true;
	loop_timer_start(s->loop, &s->timer, STREAM_FINISH_MS, linger_over);
	write_finish(s);
	poll_update(s);
}

/* --- writing --- */

/* Bytes taken, 0 when it would block, -1 when the stream failed. */
static ssize_t write_tls(struct stream *s, const char *at, size_t len)
{
	int put = SSL_write(s->ssl, at, (int)MIN(len, (size_t)1 << 20));
	if (put > 0)
		return put;
	int code = SSL_get_error(s->ssl, put);
	if (code == SSL_ERROR_WANT_WRITE || code == SSL_ERROR_WANT_READ) {
		s->has_blocked_write = code == SSL_ERROR_WANT_WRITE;
		return 0;
	}
	fail_tls(s, code, "write");
	return -1;
}

static ssize_t write_plain(struct stream *s, const char *at, size_t len)
{
	ssize_t put = send(s->fd, at, len, MSG_NOSIGNAL);
	if (put >= 0)
		return put;
	if (errno == EAGAIN || errno == EINTR) {
		s->has_blocked_write = true;
		return 0;
	}
	fail(s, RC_IO, errno, "write");
	return -1;
}

static size_t write_some(struct stream *s, struct str bytes)
{
	size_t done = 0;
	while (done < bytes.len) {
		ssize_t put = s->ssl ? write_tls(s, bytes.at + done, bytes.len - done)
				     : write_plain(s, bytes.at + done, bytes.len - done);
		if (put <= 0)
			break;
		done += (size_t)put;
	}
	return done;
}

/* After the queue is empty: our end, when it is wanted, and the lingering close of nobody's stream.
 */
static void write_finish(struct stream *s)
{
	if (!s->is_end_wanted || s->queue.len > 0 || s->failure || !s->is_open || s->is_closing)
		return;
	if (!s->is_write_ended) {
		s->is_write_ended = true;
		if (s->ssl && SSL_shutdown(s->ssl) < 0)
			ERR_clear_error();
		shutdown(s->fd, SHUT_WR);
		if (s->is_detached)
			loop_timer_start(s->loop, &s->timer, LINGER_MS, linger_over);
	}
	if (s->is_detached && s->is_read_ended)
		handle_close(s);
}

static void queue_flush(struct stream *s)
{
	s->has_blocked_write = false;
	if (s->queue.len > 0) {
		buf_consume(&s->queue, write_some(s, buf_str(&s->queue)));
		if (s->queue.len > 0 || s->failure)
			return;
		buf_done(&s->queue);
		s->queue.max_bytes = STREAM_QUEUE_MAX;
		s->is_drain_owed = true;
	}
	write_finish(s);
	if (s->is_drain_owed && !s->is_closing) {
		s->is_drain_owed = false;
		if (s->ops->on_drain)
			s->ops->on_drain(s, s->user);
	}
}

size_t stream_write(struct stream *s, struct str bytes)
{
	ASSERT(s->magic == STREAM_MAGIC && !s->is_detached);
	if (s->failure || s->is_end_wanted)
		return 0;
	if (s->queue.len == 0 && s->is_open)
		bytes = str_skip(bytes, write_some(s, bytes));
	if (bytes.len == 0 || s->failure)
		return s->queue.len;
	buf_add_str(&s->queue, bytes);
	if (s->queue.is_full)
		fail(s, RC_TOO_LARGE, 0, "the peer does not read: 8 MiB wait to be written");
	poll_update(s);
	return s->queue.len;
}

void stream_more_follows(struct stream *s, bool more_follows)
{
	int value = more_follows;
	if (s->more_follows == more_follows || s->is_closing)
		return;
	s->more_follows = more_follows;
	setsockopt(s->fd, IPPROTO_TCP, TCP_CORK, &value, sizeof(value)); /* of TCP only; a hint */
}

size_t stream_queued(const struct stream *s)
{
	return s->failure ? 0 : s->queue.len;
}

void stream_end(struct stream *s)
{
	ASSERT(s->magic == STREAM_MAGIC && !s->is_detached);
	if (s->is_end_wanted)
		return;
	s->is_end_wanted = true;
	write_finish(s);
	poll_update(s);
}

/* --- reading --- */

static void read_ended(struct stream *s)
{
	s->is_read_ended = true;
	if (s->is_detached)
		write_finish(s);
	else if (s->ops->on_end)
		s->ops->on_end(s, s->user);
}

/* Bytes read, 0 when there are none now, -1 when the stream ended or failed. */
static ssize_t read_tls(struct stream *s)
{
	s->has_blocked_read = false;
	int got = SSL_read(s->ssl, read_bytes, sizeof(read_bytes));
	if (got > 0)
		return got;
	int code = SSL_get_error(s->ssl, got);
	if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
		s->has_blocked_read = code == SSL_ERROR_WANT_WRITE;
		return 0;
	}
	if (code == SSL_ERROR_ZERO_RETURN || (code == SSL_ERROR_SYSCALL && errno == 0))
		read_ended(s);
	else
		fail_tls(s, code, "read");
	return -1;
}

static ssize_t read_plain(struct stream *s)
{
	ssize_t got = recv(s->fd, read_bytes, sizeof(read_bytes), 0);
	if (got > 0)
		return got;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got == 0)
		read_ended(s);
	else
		fail(s, RC_IO, errno, "read");
	return -1;
}

static bool may_read(const struct stream *s)
{
	return s->is_open && !s->is_paused && !s->is_read_ended && !s->failure && !s->is_closing;
}

static bool has_more(const struct stream *s, ssize_t got)
{
	return s->ssl ? SSL_has_pending(s->ssl) : got == READ_BYTES;
}

static void read_turn(struct stream *s)
{
	for (int i = 0; i < READS_A_TURN && may_read(s) && s->unread.len == 0; i++) {
		ssize_t got = s->ssl ? read_tls(s) : read_plain(s);
		if (got <= 0)
			return;
		if (s->ops->on_data)
			s->ops->on_data(s, str_n(read_bytes, (size_t)got), s->user);
		if (!has_more(s, got))
			return;
	}
	/* What OpenSSL holds already wakes no poll. */
	if (s->ssl && may_read(s) && SSL_has_pending(s->ssl))
		loop_defer(s->loop, &s->soon);
}

static void unread_deliver(struct stream *s)
{
	struct buf bytes = s->unread;
	s->unread = (struct buf)BUF_INIT(STREAM_QUEUE_MAX);
	if (s->ops->on_data)
		s->ops->on_data(s, buf_str(&bytes), s->user);
	buf_done(&bytes);
}

void stream_pause(struct stream *s)
{
	s->is_paused = true;
	poll_update(s);
}

void stream_resume(struct stream *s)
{
	if (!s->is_paused)
		return;
	s->is_paused = false;
	if (s->unread.len > 0 || (s->ssl && s->is_open && SSL_has_pending(s->ssl)))
		loop_defer(s->loop, &s->soon);
	poll_update(s);
}

void stream_unread(struct stream *s, struct str bytes)
{
	buf_add_str(&s->unread, bytes);
	ASSERT(!s->unread.is_full);
	if (bytes.len > 0)
		loop_defer(s->loop, &s->soon);
}

/* --- handshake and events --- */

static void opened(struct stream *s)
{
	s->is_open = true;
	loop_timer_stop(&s->timer);
	if (s->ops->on_open)
		s->ops->on_open(s, s->user);
	if (!s->is_closing)
		queue_flush(s); /* what was written before */
}

static void handshake_over(struct loop_timer *timer)
{
	fail(CONTAINER_OF(timer, struct stream, timer), RC_TIMEOUT, 0,
	     "TLS handshake: not finished after 10 s");
}

static void handshake(struct stream *s)
{
	s->has_blocked_write = false;
	int done = SSL_do_handshake(s->ssl);
	if (done == 1) {
		opened(s);
		return;
	}
	int code = SSL_get_error(s->ssl, done);
	if (code == SSL_ERROR_WANT_WRITE)
		s->has_blocked_write = true;
	else if (code != SSL_ERROR_WANT_READ)
		fail_tls(s, code, "TLS handshake");
}

static void socket_error(struct stream *s)
{
	int sys = 0;
	socklen_t len = sizeof(sys);
	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &sys, &len);
	fail(s, RC_IO, sys ? sys : EPIPE, "connection");
}

static void poll_on(uv_poll_t *poll, int status, int events)
{
	struct stream *s = poll->data;
	ASSERT(s->magic == STREAM_MAGIC);
	if (status < 0) {
		s->polled = 0;
		socket_error(s);
		return;
	}
	if (!s->is_open)
		handshake(s);
	if (s->is_open && (s->queue.len > 0 || s->has_blocked_write) && !s->is_closing)
		queue_flush(s);
	if ((events & (UV_READABLE | UV_WRITABLE)) && s->unread.len == 0)
		read_turn(s);
	if ((events & UV_DISCONNECT) && s->is_paused)
		s->is_hung_up = true;
	poll_update(s);
}

static void failure_tell(struct stream *s)
{
	if (s->is_failure_told)
		return;
	s->is_failure_told = true;
	if (s->ops->on_failed)
		s->ops->on_failed(s, s->failure, s->user);
}

static void soon_on(struct loop_msg *msg)
{
	struct stream *s = CONTAINER_OF(msg, struct stream, soon);
	if (s->is_closing)
		return;
	if (!s->ssl && !s->is_open)
		opened(s);
	if (!s->is_closing && !s->is_paused && s->unread.len > 0)
		unread_deliver(s);
	if (!s->is_closing && s->failure)
		failure_tell(s);
	if (s->is_closing || s->failure)
		return;
	if (s->unread.len == 0 && may_read(s))
		read_turn(s);
	poll_update(s);
}

struct stream *stream_new(struct loop *loop, int own_fd, struct tls_context *context,
			  const char *server_name, const struct stream_ops *ops, void *user)
{
	struct stream *s = NEW(struct stream);
	s->magic = STREAM_MAGIC;
	s->loop = loop;
	s->fd = own_fd;
	s->queue.max_bytes = s->unread.max_bytes = STREAM_QUEUE_MAX;
	s->soon.fn = soon_on;
	s->at_end.fn = loop_ends;
	loop_at_end(loop, &s->at_end);
	s->poll.data = s;
	stream_set(s, ops, user);
	socklen_t len = sizeof(s->peer);
	getpeername(own_fd, (struct sockaddr *)&s->peer, &len);
	int failed = uv_poll_init_socket(loop_uv(loop), &s->poll, own_fd);
	ASSERT(failed == 0);
	if (context) {
		s->ssl = tls_connection_new(context, own_fd, server_name);
		loop_timer_start(loop, &s->timer, STREAM_HANDSHAKE_MS, handshake_over);
		if (server_name)
			handshake(s);
		poll_update(s);
	} else {
		loop_defer(loop, &s->soon);
	}
	return s;
}

void stream_set(struct stream *s, const struct stream_ops *ops, void *user)
{
	s->ops = ops ? ops : &no_ops;
	s->user = user;
	s->is_failure_told = false;
	if (s->failure)
		loop_defer(s->loop, &s->soon);
}

/* --- facts --- */

struct loop *stream_loop(const struct stream *s)
{
	return s->loop;
}

struct ssl_st *stream_ssl(const struct stream *s)
{
	return s->ssl;
}

struct str stream_alpn(const struct stream *s)
{
	const unsigned char *name = NULL;
	unsigned int len = 0;
	if (s->ssl)
		SSL_get0_alpn_selected(s->ssl, &name, &len);
	return name ? str_n((const char *)name, len) : STR("");
}

const struct sockaddr_storage *stream_peer(const struct stream *s)
{
	return &s->peer;
}

void stream_peer_text(const struct stream *s, char out[STREAM_ADDRESS_MAX])
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&s->peer;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&s->peer;
	out[0] = '\0';
	if (s->peer.ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, out, STREAM_ADDRESS_MAX);
	else if (s->peer.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, out, STREAM_ADDRESS_MAX);
	else if (s->peer.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, out, STREAM_ADDRESS_MAX);
}
