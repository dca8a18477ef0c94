/* Port-forward: a SPDY session whose client opens a pair of streams a connection, one for data and
 * one for an error message, with the same requestID.  Each pair becomes a TCP connection to
 * localhost in the pod's network namespace: a socket belongs to the namespace in which it was made,
 * so a short-lived thread makes and connects it there, and the loop uses it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "http/spdy.h"
#include "http/stream.h"
#include "http/websocket.h"
#include "node/kubelet_server-int.h"

#define PROTOCOL	"portforward.k8s.io"
#define TUNNEL_PROTOCOL "SPDY/3.1+" PROTOCOL
#define CONNECT_S	10
#define ERROR_MAX_BYTES 1024
#define CONNECTIONS_MAX (SPDY_STREAMS_MAX / 2)

struct forward_connection;

struct forward {
	struct list link;
	struct kubelet_server *server;
	struct spdy *spdy; /* NULL: the client is gone */
	struct list connections;
	size_t connection_count;
	struct arena arena;
	struct str pod;
	const char *netns_path; /* NULL: ours */
};

struct forward_connection {
	struct list link;
	struct forward *forward;
	uint16_t port;
	char request_id[64];
	struct spdy_stream *data, *error; /* NULL: gone, or not there yet */
	struct stream *socket;		  /* NULL: not connected yet, or over */
	bool is_paused;			  /* the client is too slow */
	bool has_client_ended;
	struct loop_work work; /* connecting */
	bool is_connecting, is_over;
	struct buf early; /* of the client, before we are connected */
	int fd;
	struct err err;
};

/* ---- a socket in another namespace ---- */

static enum rc connect_loopback(int family, uint16_t port, int *ret_fd, struct err *err)
{
	struct sockaddr_in v4 = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	const struct timeval limit = {.tv_sec = CONNECT_S};
	const struct sockaddr *to = family == AF_INET ? (void *)&v4 : (void *)&v6;
	socklen_t len = family == AF_INET ? sizeof(v4) : sizeof(v6);
	CLEANUP(close_fd_p) int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, to, len) < 0)
		return err_sys(err, RC_UNAVAILABLE, errno, "failed to connect to localhost:%u",
			       port);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	*ret_fd = TAKE_FD(fd);
	return RC_OK;
}

static void *connect_inside(void *arg)
{
	struct forward_connection *c = arg;
	const char *path = c->forward->netns_path;
	if (path) {
		CLEANUP(close_fd_p) int netns_fd = open(path, O_RDONLY | O_CLOEXEC);
		if (netns_fd < 0 || setns(netns_fd, CLONE_NEWNET) < 0) {
			err_sys(&c->err, RC_UNAVAILABLE, errno, "network namespace of the pod");
			return NULL;
		}
	}
	if (connect_loopback(AF_INET, c->port, &c->fd, &c->err) != RC_OK)
		(void)!connect_loopback(AF_INET6, c->port, &c->fd, NULL);
	return NULL;
}

static void connect_on(struct loop_work *work)
{
	struct forward_connection *c = CONTAINER_OF(work, struct forward_connection, work);
	pthread_t thread;
	int status = pthread_create(&thread, NULL, connect_inside, c);
	if (status != 0)
		err_sys(&c->err, RC_UNAVAILABLE, status, "start a thread");
	else
		pthread_join(thread, NULL);
}

/* ---- end ---- */

static void forward_check(struct forward *f)
{
	struct kubelet_server *server = f->server;
	if (f->spdy || f->connection_count)
		return;
	list_remove(&f->link);
	server->forward_count--;
	arena_done(&f->arena);
	free(f);
	kubelet_check_stopped(server);
}

static void connection_free(struct forward_connection *c)
{
	struct forward *f = c->forward;
	list_remove(&c->link);
	f->connection_count--;
	if (c->data)
		spdy_stream_set_user(c->data, NULL);
	if (c->error)
		spdy_stream_set_user(c->error, NULL);
	buf_done(&c->early);
	free(c);
	forward_check(f);
}

/* Reads from the client again unless another connection's socket is still too slow. */
static void resume_client(struct forward *f)
{
	struct forward_connection *c;
	LIST_FOR_EACH (c, &f->connections, link)
		if (c->socket && stream_queued(c->socket) > STREAM_LOW_BYTES)
			return;
	if (f->spdy)
		spdy_resume(f->spdy);
}

/* Both sides are told; what is queued still goes out.  The connection may be gone afterwards. */
static void connection_end(struct forward_connection *c)
{
	struct forward *f = c->forward;
	bool has_client = f->spdy;
	stream_finish(TAKE_PTR(c->socket));
	c->is_over = true;
	if (has_client && c->data)
		spdy_stream_end(c->data);
	if (has_client && c->error)
		spdy_stream_end(c->error);
	if (!c->is_connecting)
		connection_free(c);
	if (has_client)
		resume_client(f);
}

static void connection_fail(struct forward_connection *c, const char *problem)
{
	char text[ERROR_MAX_BYTES];
	int len = snprintf(text, sizeof(text), "error forwarding port %u to pod %.*s: %s", c->port,
			   STR_FMT(c->forward->pod), problem);
	if (c->error && c->forward->spdy)
		spdy_stream_write(c->error, str_n(text, MIN((size_t)len, sizeof(text) - 1)));
	connection_end(c);
}

/* ---- bytes ---- */

static void socket_data(struct stream *socket, struct str bytes, void *user)
{
	struct forward_connection *c = user;
	if (!c->data)
		return;
	if (spdy_stream_write(c->data, bytes) > STREAM_HIGH_BYTES) {
		c->is_paused = true;
		stream_pause(socket);
	}
}

static void socket_end(struct stream *socket, void *user)
{
	connection_end(user);
}

static void socket_drain(struct stream *socket, void *user)
{
	struct forward_connection *c = user;
	resume_client(c->forward);
}

static void socket_failed(struct stream *socket, const struct err *why, void *user)
{
	connection_fail(user, why->text);
}

static const struct stream_ops socket_ops = {
	.on_data = socket_data,
	.on_end = socket_end,
	.on_drain = socket_drain,
	.on_failed = socket_failed,
};

/* ---- connecting ---- */

static void connected(struct loop_work *work)
{
	struct forward_connection *c = CONTAINER_OF(work, struct forward_connection, work);
	c->is_connecting = false;
	if (c->is_over) {
		close_fd_p(&c->fd);
		connection_free(c);
		return;
	}
	if (c->fd < 0) {
		connection_fail(c, c->err.text);
		return;
	}
	c->socket =
		stream_new(c->forward->server->loop, TAKE_FD(c->fd), NULL, NULL, &socket_ops, c);
	if (c->early.len)
		stream_write(c->socket, buf_str(&c->early));
	buf_done(&c->early);
	if (c->has_client_ended)
		stream_end(c->socket);
	resume_client(c->forward);
}

static void connection_begin(struct forward_connection *c)
{
	c->is_connecting = true;
	c->work.work = connect_on;
	c->work.done = connected;
	loop_work_start(c->forward->server->loop, &c->work);
}

/* ---- streams of the client ---- */

static struct forward_connection *connection_of(struct forward *f, struct str request_id)
{
	struct forward_connection *c;
	LIST_FOR_EACH (c, &f->connections, link)
		if (str_is(request_id, c->request_id))
			return c;
	return NULL;
}

static struct forward_connection *connection_new(struct forward *f, uint16_t port,
						 struct str request_id)
{
	struct forward_connection *c = NEW(struct forward_connection);
	c->forward = f;
	c->port = port;
	c->fd = -1;
	c->early.max_bytes = STREAM_QUEUE_MAX;
	snprintf(c->request_id, sizeof(c->request_id), "%.*s", STR_FMT(request_id));
	list_append(&f->connections, &c->link);
	f->connection_count++;
	return c;
}

/* Old clients leave out the id: their error stream is the odd number before that of the data. */
static struct str request_id_of(const struct spdy_stream *stream, bool is_error, char text[16])
{
	struct str id = spdy_stream_header(stream, "requestid");
	if (id.len)
		return id;
	unsigned number = spdy_stream_id(stream) - (is_error ? 0 : 2);
	return str_n(text, (size_t)snprintf(text, 16, "%u", number));
}

static void stream_on(struct spdy_stream *stream, void *user)
{
	struct forward *f = user;
	struct str type = spdy_stream_header(stream, "streamtype");
	bool is_error = str_is(type, "error");
	int64_t port = 0;
	char text[16];
	struct str id = request_id_of(stream, is_error, text);
	bool has_port = str_to_i64(spdy_stream_header(stream, "port"), &port) && port > 0 &&
			port <= UINT16_MAX;
	struct forward_connection *c = connection_of(f, id);
	if (!has_port || (!is_error && !str_is(type, "data")) || id.len >= sizeof(c->request_id) ||
	    (c && (is_error ? c->error : c->data)) || f->connection_count >= CONNECTIONS_MAX) {
		spdy_stream_reset(stream);
		return;
	}
	if (!c)
		c = connection_new(f, (uint16_t)port, id);
	spdy_stream_set_user(stream, c);
	if (is_error)
		c->error = stream;
	else
		c->data = stream;
	if (c->data && c->error)
		connection_begin(c);
}

static void data_on(struct spdy_stream *stream, struct str bytes, void *user)
{
	struct forward *f = user;
	struct forward_connection *c = spdy_stream_user(stream);
	if (!c || stream != c->data || c->is_over)
		return;
	size_t queued;
	if (c->socket) {
		queued = stream_write(c->socket, bytes);
	} else {
		buf_add_str(&c->early, bytes);
		queued = c->early.len;
	}
	if (c->early.is_full)
		connection_fail(c, "too much was sent before the connection stood");
	else if (queued > STREAM_HIGH_BYTES)
		spdy_pause(f->spdy);
}

static void end_on(struct spdy_stream *stream, void *user)
{
	struct forward_connection *c = spdy_stream_user(stream);
	if (!c || stream != c->data || c->is_over)
		return;
	c->has_client_ended = true;
	if (c->socket)
		stream_end(c->socket);
}

static void gone_on(struct spdy_stream *stream, void *user)
{
	struct forward_connection *c = spdy_stream_user(stream);
	if (!c)
		return;
	bool was_data = stream == c->data;
	if (was_data)
		c->data = NULL;
	else
		c->error = NULL;
	if (was_data && !c->is_over)
		connection_end(c);
	else if (!c->data && !c->error && !c->is_over && !c->is_connecting && !c->socket)
		connection_free(c);
}

static void drain_on(struct spdy *session, void *user)
{
	struct forward *f = user;
	struct forward_connection *c;
	LIST_FOR_EACH (c, &f->connections, link) {
		if (!c->is_paused || !c->socket)
			continue;
		c->is_paused = false;
		stream_resume(c->socket);
	}
}

static void forward_drop(struct forward *f)
{
	struct forward_connection *c;
	f->connection_count++; /* f stays until we are through */
	spdy_close(TAKE_PTR(f->spdy));
	LIST_FOR_EACH (c, &f->connections, link)
		if (!c->is_over)
			connection_end(c);
	f->connection_count--;
	forward_check(f);
}

static void closed_on(struct spdy *session, void *user)
{
	forward_drop(user);
}

static const struct spdy_ops ops = {stream_on, data_on, end_on, gone_on, drain_on, closed_on};

void kubelet_forwards_stop(struct kubelet_server *server)
{
	struct forward *f;
	LIST_FOR_EACH (f, &server->forwards, link)
		if (f->spdy)
			forward_drop(f);
}

/* ---- start ---- */

static enum rc session_accept(struct forward *f, struct http_exchange *x, struct err *err)
{
	static const char *const protocols[] = {PROTOCOL, NULL};
	const char *chosen;
	if (websocket_is_asked(x))
		return spdy_accept_tunnel(x, TUNNEL_PROTOCOL, &ops, f, &f->spdy, err);
	return spdy_accept(x, protocols, &ops, f, &chosen, &f->spdy, err);
}

static enum rc find_network(const struct kubelet_request *q, struct forward *f, struct err *err)
{
	const char *folder = q->server->config.sandbox_folder;
	if (q->server->forward_count > KUBELET_SESSIONS_MAX)
		return err_set(err, RC_TOO_MANY_REQUESTS,
			       "%d sessions run on this node already; try again",
			       KUBELET_SESSIONS_MAX);
	if (!folder)
		return err_set(err, RC_UNAVAILABLE,
			       "pods of this node are simulated: there is "
			       "nothing to connect to");
	if (q->found.is_host_network)
		return RC_OK;
	f->netns_path =
		arena_printf(&f->arena, "%s/%.*s/net", folder, STR_FMT(q->found.pod_uid)).at;
	if (access(f->netns_path, F_OK) < 0)
		return err_set(err, RC_NOT_FOUND, "pod \"%.*s\" is not running", STR_FMT(q->pod));
	return RC_OK;
}

void kubelet_serve_forward(struct kubelet_request *q)
{
	struct http_exchange *x = q->x;
	struct err err;
	struct forward *f = NEW(struct forward);
	f->server = q->server;
	f->pod = arena_str(&f->arena, q->pod);
	list_init(&f->connections);
	list_append(&q->server->forwards, &f->link);
	q->server->forward_count++;
	if (find_network(q, f, &err) == RC_OK && session_accept(f, x, &err) == RC_OK)
		return;
	forward_check(f);
	kubelet_fail(x, &err);
}
