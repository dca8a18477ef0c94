/* Listening, accepting, and the life of connections; what they carry is http1.c's and http2.c's. */
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <time.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/http-int.h"

#define ACCEPTS_A_TURN	64
#define SPARE_MAX	64
#define OUT_MAX		(2u << 20)
#define ACCEPT_RETRY_MS 200
#define LISTEN_BACKLOG	1024

struct listener {
	struct http_server *server;
	int fd;
	uv_poll_t poll;
};

/* --- connections --- */

static void connection_free(struct loop_msg *msg)
{
	struct connection *c = CONTAINER_OF(msg, struct connection, flush_msg);
	ASSERT(list_is_empty(&c->exchanges));
	if (c->protocol)
		c->protocol->free(c);
	identity_unref(c->identity);
	c->magic = 0;
	free(c);
}

static void accept_resume(struct http_server *server);
static void stopped_check(struct http_server *server);

/* The stream is somebody else's or gone: the exchanges learn of it, the memory goes a little later,
 * since this may run inside the connection's own callbacks. */
static void connection_over(struct connection *c)
{
	struct http_server *server = c->server;
	c->stream = NULL;
	loop_timer_stop(&c->timer);
	while (!list_is_empty(&c->exchanges)) {
		struct http_exchange *x = LIST_FIRST(&c->exchanges, struct http_exchange, link);
		exchange_unlink(x);
		exchange_lost(x);
	}
	list_remove(&c->link);
	server->connection_count--;
	loop_defer_cancel(&c->flush_msg);
	c->flush_msg.fn = connection_free;
	loop_defer(server->loop, &c->flush_msg);
	accept_resume(server);
	stopped_check(server);
}

void connection_lose(struct connection *c)
{
	ASSERT(c->magic == CONNECTION_MAGIC);
	if (!c->stream)
		return;
	stream_close(TAKE_PTR(c->stream));
	connection_over(c);
}

void connection_finish(struct connection *c)
{
	ASSERT(c->magic == CONNECTION_MAGIC);
	if (!c->stream)
		return;
	stream_finish(TAKE_PTR(c->stream));
	connection_over(c);
}

struct stream *connection_take_stream(struct connection *c)
{
	struct stream *stream = TAKE_PTR(c->stream);
	ASSERT(stream && c->exchange_count == 1);
	exchange_unlink(LIST_FIRST(&c->exchanges, struct http_exchange, link));
	connection_over(c);
	return stream;
}

static void flush_on(struct loop_msg *msg)
{
	struct connection *c = CONTAINER_OF(msg, struct connection, flush_msg);
	if (c->stream && c->protocol)
		c->protocol->flush(c);
}

void connection_flush_soon(struct connection *c)
{
	if (c->stream && !c->is_reading)
		loop_defer(c->server->loop, &c->flush_msg);
}

static int64_t deadline_of(const struct connection *c)
{
	int64_t due = c->protocol->deadline_ms(c);
	if (stream_queued(c->stream) > 0)
		due = MIN(due, c->written_ms + c->server->limits.write_ms);
	return due;
}

static void deadline_on(struct loop_timer *timer);

void connection_watch(struct connection *c)
{
	if (!c->stream || !c->protocol)
		return;
	int64_t due = deadline_of(c);
	if (due == INT64_MAX || (c->timer.loop && c->timer.due_ms <= due))
		return; /* an early timer looks again */
	loop_timer_start(c->server->loop, &c->timer, due - world_mono_ms(), deadline_on);
}

static void deadline_on(struct loop_timer *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection, timer);
	if (deadline_of(c) > world_mono_ms())
		connection_watch(c);
	else if (list_is_empty(&c->exchanges) && stream_queued(c->stream) == 0)
		connection_finish(c);
	else
		connection_lose(c);
}

/* --- events of the stream --- */

static void opened_on(struct stream *s, void *user)
{
	struct connection *c = user;
	if (c->protocol)
		return; /* adopted before its stream was open */
	c->active_ms = c->written_ms = world_mono_ms();
	if (str_is(stream_alpn(s), "h2"))
		http2_attach(c);
	else
		http1_attach(c);
	if (c->server->is_stopping)
		c->protocol->goaway(c);
	connection_watch(c);
}

static void data_on(struct stream *s, struct str bytes, void *user)
{
	struct connection *c = user;
	c->active_ms = world_mono_ms();
	c->is_reading = true;
	c->protocol->on_data(c, bytes);
	c->is_reading = false;
	if (c->stream)
		c->protocol->flush(c);
	if (c->stream && stream_queued(c->stream) > 0)
		connection_watch(c);
}

static void end_on(struct stream *s, void *user)
{
	struct connection *c = user;
	c->protocol->on_end(c);
}

static void drain_on(struct stream *s, void *user)
{
	struct connection *c = user;
	c->written_ms = world_mono_ms();
	if (c->protocol)
		c->protocol->flush(c);
}

static void failed_on(struct stream *s, const struct err *why, void *user)
{
	struct connection *c = user;
	log_debug("http", "connection of %s: %s", c->peer, why->text);
	connection_lose(c);
}

static const struct stream_ops connection_ops = {
	.on_open = opened_on,
	.on_data = data_on,
	.on_end = end_on,
	.on_drain = drain_on,
	.on_failed = failed_on,
};

static struct connection *connection_new(struct http_server *server)
{
	struct connection *c = NEW(struct connection);
	c->magic = CONNECTION_MAGIC;
	c->server = server;
	c->flush_msg.fn = flush_on;
	c->active_ms = world_mono_ms();
	list_init(&c->exchanges);
	list_append(&server->connections, &c->link);
	server->connection_count++;
	return c;
}

static void connection_bind(struct connection *c, struct stream *stream)
{
	const struct sockaddr_storage *peer = stream_peer(stream);
	c->stream = stream;
	stream_peer_text(stream, c->peer);
	if (peer->ss_family == AF_INET)
		c->peer_port = ntohs(((const struct sockaddr_in *)peer)->sin_port);
	else if (peer->ss_family == AF_INET6)
		c->peer_port = ntohs(((const struct sockaddr_in6 *)peer)->sin6_port);
}

void http_server_adopt(struct http_server *server, struct stream *own_stream)
{
	struct connection *c = connection_new(server);
	connection_bind(c, own_stream);
	stream_set(own_stream, &connection_ops, c);
	opened_on(own_stream, c);
	if (c->stream)
		stream_resume(own_stream);
}

void identity_unref(struct identity_holder *holder)
{
	if (!holder || --holder->refs > 0)
		return;
	arena_done(&holder->arena);
	free(holder);
}

const struct tls_identity *http_identity(struct http_exchange *x)
{
	static const struct tls_identity nobody = {.verify_problem = STR_INIT("no certificate")};
	struct connection *c = x->conn;
	if (x->identity)
		return &x->identity->identity;
	if (!c || !c->stream || !stream_ssl(c->stream))
		return &nobody;
	if (!c->identity) {
		c->identity = NEW(struct identity_holder);
		c->identity->refs = 1;
		tls_identity_get(stream_ssl(c->stream), &c->identity->arena,
				 &c->identity->identity);
	}
	c->identity->refs++;
	x->identity = c->identity;
	return &x->identity->identity;
}

const char *http_remote_address(const struct http_exchange *x)
{
	return x->peer;
}

uint16_t http_remote_port(const struct http_exchange *x)
{
	return x->peer_port;
}

/* --- listening --- */

static void accept_on(uv_poll_t *poll, int status, int events);

static void socket_tune(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},	 {SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 15}, {IPPROTO_TCP, TCP_KEEPINTVL, 15},
		{IPPROTO_TCP, TCP_KEEPCNT, 9},
	};
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static void accept_pause(struct http_server *server)
{
	server->is_accept_paused = true;
	for (size_t i = 0; i < server->listener_count; i++)
		uv_poll_stop(&server->listeners[i]->poll);
}

static void accept_resume(struct http_server *server)
{
	if (!server->is_accept_paused || server->is_stopping ||
	    server->connection_count >= server->limits.connections)
		return;
	server->is_accept_paused = false;
	for (size_t i = 0; i < server->listener_count; i++)
		uv_poll_start(&server->listeners[i]->poll, UV_READABLE, accept_on);
}

static void accept_retry_on(struct loop_timer *timer)
{
	accept_resume(CONTAINER_OF(timer, struct http_server, accept_retry));
}

static void accepted(struct http_server *server, int fd)
{
	socket_tune(fd);
	struct connection *c = connection_new(server);
	connection_bind(c, stream_new(server->loop, fd, server->tls, NULL, &connection_ops, c));
}

static void accept_on(uv_poll_t *poll, int status, int events)
{
	struct listener *listener = poll->data;
	struct http_server *server = listener->server;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		if (server->connection_count >= server->limits.connections) {
			accept_pause(server);
			return;
		}
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			accepted(server, fd);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			log_warn("http", "accept: %s; trying again in %d ms", strerror(errno),
				 ACCEPT_RETRY_MS);
			accept_pause(server);
			loop_timer_start(server->loop, &server->accept_retry, ACCEPT_RETRY_MS,
					 accept_retry_on);
		}
		return;
	}
}

static enum rc address_parse(const struct http_server_config *config, struct sockaddr_storage *out,
			     socklen_t *len, struct err *err)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	const char *text = config->address && config->address[0] ? config->address : "::";
	*out = (struct sockaddr_storage){};
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(config->port);
		*len = sizeof(*v4);
		return RC_OK;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(config->port);
		*len = sizeof(*v6);
		return RC_OK;
	}
	return err_set(err, RC_INVALID, "listen address '%s': want an IPv4 or IPv6 address", text);
}

static enum rc bind_err(struct err *err, const struct http_server_config *config)
{
	enum rc rc = errno == EADDRINUSE ? RC_CONFLICT : errno == EACCES ? RC_FORBIDDEN : RC_IO;
	const char *remedy = "";
	if (errno == EADDRINUSE)
		remedy = " (another program listens there: stop it or choose another port)";
	else if (errno == EADDRNOTAVAIL)
		remedy = " (no interface of this machine has that address: choose another)";
	else if (errno == EACCES)
		remedy = " (ports below 1024 need root: choose another)";
	return err_sys(err, rc, errno, "listen on %s port %u%s",
		       config->address && config->address[0] ? config->address : "any address",
		       config->port, remedy);
}

static int socket_open(int family, const struct http_server_config *config)
{
	int on = 1, off = 0;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (config->reuse_port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	return fd;
}

static enum rc socket_listen(const struct http_server_config *config, int *ret_fd, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t len = 0;
	TRY(address_parse(config, &address, &len, err));
	CLEANUP(close_fd_p) int fd = socket_open(address.ss_family, config);
	if (fd < 0 && errno == EAFNOSUPPORT && (!config->address || !config->address[0])) {
		/* A kernel without IPv6. */
		struct http_server_config v4 = *config;
		v4.address = "0.0.0.0";
		return socket_listen(&v4, ret_fd, err);
	}
	if (fd < 0)
		return err_sys(err, RC_IO, errno, "socket");
	if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return bind_err(err, config);
	*ret_fd = TAKE_FD(fd);
	return RC_OK;
}

static void listener_add(struct http_server *server, int fd)
{
	struct listener *listener = NEW(struct listener);
	listener->server = server;
	listener->fd = fd;
	listener->poll.data = listener;
	int failed = uv_poll_init_socket(loop_uv(server->loop), &listener->poll, fd);
	ASSERT(failed == 0 && server->listener_count < ARRAY_LEN(server->listeners));
	uv_poll_start(&listener->poll, UV_READABLE, accept_on);
	server->listeners[server->listener_count++] = listener;
}

static void listener_closed(uv_handle_t *handle)
{
	struct listener *listener = handle->data;
	close(listener->fd);
	free(listener);
}

static void listeners_close(struct http_server *server)
{
	for (size_t i = 0; i < server->listener_count; i++)
		uv_close((uv_handle_t *)&server->listeners[i]->poll, listener_closed);
	server->listener_count = 0;
}

int http_server_listen_fd(const struct http_server *server)
{
	ASSERT(server->listener_count > 0);
	return server->listeners[0]->fd;
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->port;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address = {};
	socklen_t len = sizeof(address);
	getsockname(fd, (struct sockaddr *)&address, &len);
	return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
						   : ((struct sockaddr_in *)&address)->sin_port);
}

/* --- exchanges that are over --- */

static void exchange_recycle(struct http_server *server, struct http_exchange *x)
{
	buf_done(&x->body);
	identity_unref(x->identity);
	x->magic = 0;
	if (server->spare_count < SPARE_MAX) {
		arena_reset(&x->arena);
		list_append(&server->spare, &x->link);
		server->spare_count++;
		return;
	}
	arena_done(&x->arena);
	free(x);
}

static void reap_on(struct loop_msg *msg)
{
	struct http_server *server = CONTAINER_OF(msg, struct http_server, reap_msg);
	while (!list_is_empty(&server->done)) {
		struct http_exchange *x = LIST_FIRST(&server->done, struct http_exchange, link);
		list_remove(&x->link);
		if (x->is_begun && server->handler->on_done)
			server->handler->on_done(x, server->ctx);
		server->exchange_count--;
		exchange_recycle(server, x);
	}
	stopped_check(server);
}

void server_exchange_over(struct http_server *server, struct http_exchange *x)
{
	list_append(&server->done, &x->link);
	loop_defer(server->loop, &server->reap_msg);
}

struct str server_date(struct http_server *server)
{
	int64_t now_s = world_wall_us() / 1000000;
	if (now_s != server->date_s) {
		struct tm tm;
		time_t t = (time_t)now_s;
		strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT",
			 gmtime_r(&t, &tm));
		server->date_s = now_s;
	}
	return str_of(server->date);
}

struct buf *server_out(struct http_server *server)
{
	buf_reset(&server->out);
	return &server->out;
}

/* --- the server --- */

static void limits_fill(struct http_limits *limits)
{
	static const struct http_limits defaults = {
		.header_bytes = 64u << 10,
		.header_ms = 32000,
		.body_ms = 60000,
		.idle_ms = 90000,
		.write_ms = 60000,
		.connections = 4096,
		.streams = 100,
		.queued_bytes = 4u << 20,
	};
	uint32_t *at = (uint32_t *)limits;
	const uint32_t *from = (const uint32_t *)&defaults;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(uint32_t); i++)
		if (at[i] == 0)
			at[i] = from[i];
}

enum rc http_server_new(struct loop *loop, const struct http_server_config *config,
			const struct http_handler *handler, void *ctx,
			struct http_server **ret_server, struct err *err)
{
	int fd = config->listen_fd;
	if (fd <= 0)
		TRY(socket_listen(config, &fd, err));
	struct http_server *server = NEW(struct http_server);
	server->loop = loop;
	server->handler = handler;
	server->ctx = ctx;
	server->tls = tls_ref(config->tls);
	server->limits = config->limits;
	server->reap_msg.fn = reap_on;
	server->stopped_msg.fn = NULL;
	server->out.max_bytes = OUT_MAX;
	server->port = port_of(fd);
	limits_fill(&server->limits);
	list_init(&server->connections);
	list_init(&server->done);
	list_init(&server->spare);
	listener_add(server, fd);
	*ret_server = server;
	return RC_OK;
}

void http_server_set_tls(struct http_server *server, struct tls_context *tls)
{
	struct tls_context *old = server->tls;
	server->tls = tls_ref(tls);
	tls_unref(old);
}

size_t http_server_queued(const struct http_server *server)
{
	return server->queued_bytes;
}

uint32_t http_server_connections(const struct http_server *server)
{
	return server->connection_count;
}

static void stopped_on(struct loop_msg *msg)
{
	struct http_server *server = CONTAINER_OF(msg, struct http_server, stopped_msg);
	void (*fn)(void *ctx) = server->stopped;
	server->stopped = NULL;
	loop_timer_stop(&server->grace);
	if (fn)
		fn(server->stopped_ctx);
}

static void stopped_check(struct http_server *server)
{
	if (!server->is_stopping || !server->stopped || server->connection_count > 0 ||
	    server->exchange_count > 0)
		return;
	server->stopped_msg.fn = stopped_on;
	loop_defer(server->loop, &server->stopped_msg);
}

static void connections_lose(struct http_server *server)
{
	while (!list_is_empty(&server->connections))
		connection_lose(LIST_FIRST(&server->connections, struct connection, link));
}

static void grace_over(struct loop_timer *timer)
{
	connections_lose(CONTAINER_OF(timer, struct http_server, grace));
}

void http_server_stop(struct http_server *server, uint32_t grace_ms, void (*done)(void *ctx),
		      void *ctx)
{
	struct connection *c;
	server->is_stopping = true;
	server->stopped = done;
	server->stopped_ctx = ctx;
	loop_timer_stop(&server->accept_retry);
	listeners_close(server);
	/* goaway touches its own connection only, so the list may be walked. */
	LIST_FOR_EACH (c, &server->connections, link) {
		if (c->protocol)
			c->protocol->goaway(c);
		else
			connection_lose(c);
	}
	loop_timer_start(server->loop, &server->grace, grace_ms, grace_over);
	stopped_check(server);
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	listeners_close(server);
	server->is_stopping = true;
	server->stopped = NULL;
	connections_lose(server);
	loop_timer_stop(&server->grace);
	loop_timer_stop(&server->accept_retry);
	loop_defer_cancel(&server->stopped_msg);
	loop_defer_cancel(&server->reap_msg);
	reap_on(&server->reap_msg);
	ASSERT(server->exchange_count == 0);
	while (!list_is_empty(&server->spare)) {
		struct http_exchange *x = LIST_FIRST(&server->spare, struct http_exchange, link);
		list_remove(&x->link);
		arena_done(&x->arena);
		free(x);
	}
	tls_unref(server->tls);
	buf_done(&server->out);
	free(server);
}
