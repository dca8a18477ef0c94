#include "net/dns_forward.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/log.h"
#include "io/file.h"
#include "io/watch.h"
#include "net/dns_message.h"
#include "net/netns.h"

#define RESOLV_CONF    "/etc/resolv.conf"
#define CONF_MAX_BYTES 65536
#define ROUNDS	       2
#define TCP_TIMEOUT_S  4
#define SERVER_KEYWORD "nameserver"

struct dns_forward {
	struct loop *loop;
	struct dns_forward_config config;
	struct ipaddr servers[DNS_FORWARD_SERVERS];
	size_t server_count;
	struct timespec conf_changed;
	struct list queries;
	size_t query_count, tcp_count;
	bool is_freed;
};

/* One query on its way, by UDP or on the pool. */
struct query {
	struct list link;
	struct dns_forward *forward; /* NULL: nobody waits any more */
	struct str text;	     /* with our own id */
	uint16_t asked_id;
	dns_forward_done_fn *done;
	void *ctx;
	struct loop_timer timer;
	struct loop_watch watch;
	struct loop_msg failed; /* for what can't even begin */
	int fd;
	size_t tries;
	struct loop_work work; /* TCP */
	struct ipaddr servers[DNS_FORWARD_SERVERS];
	size_t server_count;
	char *reply;
	size_t reply_len;
};

/* --- servers --- */

static void read_line(struct dns_forward *f, struct str line)
{
	struct str word, rest;
	struct ipaddr addr;
	line = str_trim(line);
	if (!str_has_prefix(line, STR(SERVER_KEYWORD)))
		return;
	rest = str_trim(str_skip(line, sizeof(SERVER_KEYWORD) - 1));
	str_cut(rest, ' ', &word, &rest);
	if (f->server_count < DNS_FORWARD_SERVERS && ipaddr_parse(word, &addr) &&
	    !ipaddr_eq(addr, f->config.skip))
		f->servers[f->server_count++] = addr;
}

static void read_servers(struct dns_forward *f)
{
	CLEANUP_ARENA a = {};
	struct stat st;
	struct str text, line;
	struct err err;
	if (stat(f->config.resolv_conf, &st) < 0 ||
	    memcmp(&st.st_mtim, &f->conf_changed, sizeof(st.st_mtim)) == 0)
		return;
	f->conf_changed = st.st_mtim;
	f->server_count = 0;
	if (file_read(f->config.resolv_conf, CONF_MAX_BYTES, &a, &text, &err) != RC_OK) {
		log_warn("dns", "%s", err.text);
		return;
	}
	for (bool more = true; more;) {
		more = str_cut(text, '\n', &line, &text);
		read_line(f, line);
	}
}

/* --- sockets --- */

struct socket_order {
	struct ipaddr server;
	uint16_t port;
	int type;
	int fd;
};

static socklen_t sockaddr_of(struct ipaddr addr, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	memset(out, 0, sizeof(*out));
	if (addr.family == IP_V6) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		memcpy(&v6->sin6_addr, addr.bytes, 16);
		return sizeof(*v6);
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	memcpy(&v4->sin_addr, addr.bytes, 4);
	return sizeof(*v4);
}

static enum rc open_socket(void *arg, struct err *err)
{
	struct socket_order *order = arg;
	struct timeval limit = {.tv_sec = TCP_TIMEOUT_S};
	struct sockaddr_storage to;
	socklen_t len = sockaddr_of(order->server, order->port, &to);
	CLEANUP(close_fd_p) int fd = socket(to.ss_family, order->type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, RC_IO, errno, "socket to a name server");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&to, len) < 0)
		return err_sys(err, RC_IO, errno, "reach a name server");
	order->fd = TAKE_FD(fd);
	return RC_OK;
}

static int open_to(const struct dns_forward_config *config, struct ipaddr server, int type)
{
	struct socket_order order = {
		.server = server, .port = config->port, .type = type, .fd = -1};
	if (netns_call(config->netns_fd, open_socket, &order, NULL) != RC_OK)
		return -1;
	return order.fd;
}

/* --- ends --- */

static void query_free(struct query *q)
{
	loop_watch_stop(&q->watch);
	loop_timer_stop(&q->timer);
	loop_defer_cancel(&q->failed);
	close_fd_p(&q->fd);
	free((char *)q->text.at);
	free(q->reply);
	free(q);
}

static void leave(struct query *q)
{
	if (!q->forward)
		return;
	list_remove(&q->link);
	q->forward->query_count--;
	q->forward = NULL;
}

static void finish(struct query *q, char *reply, size_t len)
{
	leave(q);
	if (reply) {
		reply[0] = (char)(q->asked_id >> 8);
		reply[1] = (char)q->asked_id;
	}
	q->done(q->ctx, str_n(reply, len));
	query_free(q);
}

static void failed_on(struct loop_msg *msg)
{
	finish(CONTAINER_OF(msg, struct query, failed), NULL, 0);
}

/* --- UDP --- */

static void try_next(struct query *q);

static void reply_on(struct loop_watch *watch)
{
	struct query *q = CONTAINER_OF(watch, struct query, watch);
	char bytes[DNS_MESSAGE_MAX];
	ssize_t len = recv(q->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len < 0)
		try_next(q); /* refused: nobody listens there */
	else if (dns_message_answers(str_n(bytes, (size_t)len), q->text))
		finish(q, bytes, (size_t)len);
}

static void timeout_on(struct loop_timer *timer)
{
	try_next(CONTAINER_OF(timer, struct query, timer));
}

static bool send_to(struct query *q, struct ipaddr server)
{
	struct err err;
	q->fd = open_to(&q->forward->config, server, SOCK_DGRAM);
	return q->fd >= 0 &&
	       send(q->fd, q->text.at, q->text.len, MSG_DONTWAIT) == (ssize_t)q->text.len &&
	       loop_watch_start(q->forward->loop, &q->watch, q->fd, reply_on, &err) == RC_OK;
}

static void try_next(struct query *q)
{
	while (q->tries < ROUNDS * q->server_count) {
		loop_watch_stop(&q->watch);
		close_fd_p(&q->fd);
		q->fd = -1;
		if (!send_to(q, q->servers[q->tries++ % q->server_count]))
			continue;
		loop_timer_start(q->forward->loop, &q->timer, DNS_FORWARD_TRY_MS, timeout_on);
		return;
	}
	loop_timer_stop(&q->timer);
	loop_defer(q->forward->loop, &q->failed);
}

/* --- TCP, on the pool --- */

static bool send_all(int fd, const void *bytes, size_t len)
{
	return send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool read_all(int fd, char *out, size_t len)
{
	return recv(fd, out, len, MSG_WAITALL) == (ssize_t)len;
}

static bool talk(struct query *q, int fd)
{
	uint8_t head[2] = {(uint8_t)(q->text.len >> 8), (uint8_t)q->text.len};
	if (!send_all(fd, head, 2) || !send_all(fd, q->text.at, q->text.len) ||
	    !read_all(fd, (char *)head, 2))
		return false;
	q->reply_len = (size_t)head[0] << 8 | head[1];
	q->reply = mem_alloc(q->reply_len + 1);
	if (read_all(fd, q->reply, q->reply_len) &&
	    dns_message_answers(str_n(q->reply, q->reply_len), q->text))
		return true;
	free(TAKE_PTR(q->reply));
	return false;
}

static void tcp_work(struct loop_work *work)
{
	struct query *q = CONTAINER_OF(work, struct query, work);
	for (size_t i = 0; i < q->server_count && !q->reply; i++) {
		CLEANUP(close_fd_p)
		int fd = open_to(&q->forward->config, q->servers[i], SOCK_STREAM);
		if (fd >= 0)
			(void)talk(q, fd);
	}
}

static void free_if_idle(struct dns_forward *f)
{
	if (f->is_freed && f->tcp_count == 0)
		free(f);
}

static void tcp_done(struct loop_work *work)
{
	struct query *q = CONTAINER_OF(work, struct query, work);
	struct dns_forward *f = q->forward;
	f->tcp_count--;
	if (f->is_freed) {
		query_free(q);
		free_if_idle(f);
		return;
	}
	finish(q, q->reply, q->reply ? q->reply_len : 0);
}

/* --- the whole --- */

struct dns_forward *dns_forward_new(struct loop *loop, const struct dns_forward_config *config)
{
	struct dns_forward *f = NEW(struct dns_forward);
	f->loop = loop;
	f->config = *config;
	if (!f->config.resolv_conf)
		f->config.resolv_conf = RESOLV_CONF;
	if (!f->config.port)
		f->config.port = DNS_PORT;
	list_init(&f->queries);
	return f;
}

void dns_forward_free(struct dns_forward *f)
{
	struct query *q;
	if (!f)
		return;
	LIST_FOR_EACH (q, &f->queries, link) {
		list_remove(&q->link);
		if (!q->work.work)
			query_free(q);
	}
	f->is_freed = true;
	free_if_idle(f);
}

static struct query *query_new(struct dns_forward *f, struct str text, dns_forward_done_fn *done,
			       void *ctx)
{
	struct query *q = NEW(struct query);
	char *copy = mem_strndup(text.at, text.len);
	q->asked_id = dns_message_id(text);
	world_random(copy, 2); /* the id is the first two bytes */
	q->text = str_n(copy, text.len);
	q->done = done;
	q->ctx = ctx;
	q->fd = -1;
	q->forward = f;
	q->failed.fn = failed_on;
	memcpy(q->servers, f->servers, sizeof(q->servers));
	q->server_count = f->server_count;
	list_append(&f->queries, &q->link);
	f->query_count++;
	return q;
}

void dns_forward_ask(struct dns_forward *f, struct str query, bool by_tcp,
		     dns_forward_done_fn *done, void *ctx)
{
	ASSERT(query.len >= DNS_HEADER_BYTES && query.len <= DNS_MESSAGE_MAX);
	read_servers(f);
	struct query *q = query_new(f, query, done, ctx);
	if (f->query_count > DNS_FORWARD_MAX || q->server_count == 0 ||
	    (by_tcp && f->tcp_count == DNS_FORWARD_TCP_MAX)) {
		loop_defer(f->loop, &q->failed);
	} else if (by_tcp) {
		f->tcp_count++;
		q->work.work = tcp_work;
		q->work.done = tcp_done;
		loop_work_start(f->loop, &q->work);
	} else {
		try_next(q);
	}
}
