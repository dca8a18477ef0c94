#include "net/dns.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "io/watch.h"
#include "net/dns_message.h"
#include "net/netns.h"

#define BACKLOG		 64
#define SEND_BUFFER	 (2 * DNS_MESSAGE_MAX)
#define UDP_ROUND	 64 /* datagrams before others get their turn */
#define MAX_NETS	 8
#define TCP_HEADER_BYTES 2

struct dns;

struct listener {
	struct dns *dns;
	struct loop_watch watch;
	int fd;
	bool is_tcp;
};

/* A client's TCP connection. */
struct connection {
	struct list link;
	struct dns *dns;
	int fd;
	struct loop_watch watch;
	struct loop_timer idle;
	char in[TCP_HEADER_BYTES + DNS_MESSAGE_MAX];
	size_t in_len;
	struct pending *pending; /* it waits for this one */
	bool is_reading;	 /* connection_read() is at work further up */
	bool is_broken;		 /* to be freed by it */
};

/* A query that waits for upstream. */
struct pending {
	struct list link;
	struct dns *dns;
	struct listener *listener;     /* UDP */
	struct connection *connection; /* TCP; NULL when it has closed */
	struct sockaddr_storage peer;
	socklen_t peer_len;
	struct arena arena;
	struct str packet;
	struct dns_query query;
	struct dns_answer answer;
	bool is_tcp;
};

struct dns {
	struct loop *loop;
	struct arena arena;
	struct cache *cache;
	struct dns_zone zone;
	struct listener listeners[2 * DNS_MAX_ADDRS];
	size_t listener_count;
	struct list connections, pendings;
	size_t connection_count;
	struct dns_forward *forward;
};

static void connection_read(struct connection *c);

/* --- replies --- */

static void connection_free(struct connection *c)
{
	loop_watch_stop(&c->watch);
	loop_timer_stop(&c->idle);
	close_fd_p(&c->fd);
	if (c->pending)
		c->pending->connection = NULL;
	list_remove(&c->link);
	c->dns->connection_count--;
	free(c);
}

/* The socket's buffer takes a whole reply; a client that lets it fill up loses its connection. */
static bool send_tcp(int fd, struct str reply)
{
	char head[TCP_HEADER_BYTES] = {(char)(reply.len >> 8), (char)reply.len};
	struct iovec parts[] = {{head, sizeof(head)}, {(void *)reply.at, reply.len}};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)(sizeof(head) + reply.len);
}

static void send_reply(struct pending *p, struct str reply)
{
	if (reply.len == 0)
		return;
	if (!p->is_tcp)
		(void)sendto(p->listener->fd, reply.at, reply.len, MSG_DONTWAIT | MSG_NOSIGNAL,
			     (struct sockaddr *)&p->peer, p->peer_len);
	else if (p->connection && !send_tcp(p->connection->fd, reply))
		p->connection->is_broken = true;
}

/* Sends and ends it; a connection goes on with what it has read meanwhile. */
static void reply_and_free(struct pending *p, struct str reply)
{
	send_reply(p, reply);
	struct connection *c = p->connection;
	list_remove(&p->link);
	arena_done(&p->arena);
	free(p);
	if (!c)
		return;
	c->pending = NULL;
	if (!c->is_reading)
		connection_read(c);
}

static void answer_pending(struct pending *p, struct str upstream)
{
	CLEANUP_BUF out = BUF_INIT(DNS_MESSAGE_MAX);
	size_t max = p->is_tcp ? DNS_MESSAGE_MAX : p->query.udp_max;
	dns_reply_write(&out, p->packet, &p->query, &p->answer, p->dns->zone.domain_text, upstream,
			max);
	reply_and_free(p, buf_str(&out));
}

/* --- upstream --- */

static void followed_on(void *ctx, struct str reply)
{
	answer_pending(ctx, reply);
}

static void forwarded_on(void *ctx, struct str reply)
{
	struct pending *p = ctx;
	if (reply.at) {
		reply_and_free(p, reply);
		return;
	}
	p->answer = (struct dns_answer){.rcode = DNS_SERVFAIL};
	answer_pending(p, reply);
}

static void follow(struct pending *p)
{
	CLEANUP_BUF ask = BUF_INIT(DNS_UDP_PLAIN_MAX);
	dns_ask_write(&ask, 0, p->answer.follow, p->query.type);
	if (ask.len == 0)
		answer_pending(p, (struct str){});
	else
		dns_forward_ask(p->dns->forward, buf_str(&ask), false, followed_on, p);
}

/* --- queries --- */

/* p is complete but for what the packet says; it ends here or when upstream has answered. */
static void handle(struct pending *p)
{
	struct dns *dns = p->dns;
	if (!dns_query_parse(&p->arena, p->packet, &p->query)) {
		reply_and_free(p, (struct str){});
		return;
	}
	p->answer = (struct dns_answer){.is_ours = true, .rcode = p->query.fault};
	if (p->query.fault == DNS_NOERROR) {
		dns_lookup(&dns->zone, &p->arena, &p->query.name, p->query.type, &p->answer);
		if (p->answer.is_ours && !cache_is_synced(dns->cache))
			p->answer = (struct dns_answer){.rcode = DNS_SERVFAIL};
		else if (!p->answer.is_ours) {
			dns_forward_ask(dns->forward, p->packet, p->is_tcp, forwarded_on, p);
			return;
		} else if (p->answer.follow.at) {
			follow(p);
			return;
		}
	}
	answer_pending(p, (struct str){});
}

static struct pending *pending_new(struct dns *dns, struct str packet)
{
	struct pending *p = NEW(struct pending);
	p->dns = dns;
	p->packet = arena_str(&p->arena, packet);
	list_append(&dns->pendings, &p->link);
	return p;
}

static void udp_on(struct loop_watch *watch)
{
	struct listener *l = CONTAINER_OF(watch, struct listener, watch);
	char bytes[DNS_MESSAGE_MAX];
	for (int i = 0; i < UDP_ROUND; i++) {
		struct sockaddr_storage peer;
		socklen_t peer_len = sizeof(peer);
		ssize_t len = recvfrom(l->fd, bytes, sizeof(bytes), MSG_DONTWAIT,
				       (struct sockaddr *)&peer, &peer_len);
		if (len < 0)
			return;
		struct pending *p = pending_new(l->dns, str_n(bytes, (size_t)len));
		p->listener = l;
		p->peer = peer;
		p->peer_len = peer_len;
		handle(p);
	}
}

/* --- TCP --- */

static void idle_on(struct loop_timer *timer)
{
	connection_free(CONTAINER_OF(timer, struct connection, idle));
}

/* The next whole query in what was read, absent: not yet. */
static struct str next_packet(const struct connection *c)
{
	if (c->in_len < TCP_HEADER_BYTES)
		return (struct str){};
	size_t len = (size_t)(uint8_t)c->in[0] << 8 | (uint8_t)c->in[1];
	return c->in_len < TCP_HEADER_BYTES + len ? (struct str){}
						  : str_n(c->in + TCP_HEADER_BYTES, len);
}

static void start_query(struct connection *c, struct str packet)
{
	struct pending *p = pending_new(c->dns, packet);
	size_t used = TCP_HEADER_BYTES + packet.len;
	memmove(c->in, c->in + used, c->in_len - used);
	c->in_len -= used;
	p->is_tcp = true;
	p->connection = c;
	c->pending = p;
	loop_timer_start(c->dns->loop, &c->idle, DNS_TCP_IDLE_MS, idle_on);
	handle(p);
}

/* One query at a time; while one waits for upstream the rest stays in the buffer and the socket. */
static void connection_read(struct connection *c)
{
	struct str packet;
	c->is_reading = true;
	while (!c->is_broken && !c->pending && (packet = next_packet(c)).at)
		start_query(c, packet);
	c->is_reading = false;
	if (c->is_broken)
		connection_free(c);
}

static void connection_on(struct loop_watch *watch)
{
	struct connection *c = CONTAINER_OF(watch, struct connection, watch);
	ssize_t len = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) { /* also a client that fills the buffer while it waits */
		connection_free(c);
		return;
	}
	c->in_len += (size_t)len;
	connection_read(c);
}

static void accept_on(struct loop_watch *watch)
{
	struct listener *l = CONTAINER_OF(watch, struct listener, watch);
	struct dns *dns = l->dns;
	int size = SEND_BUFFER;
	struct err err;
	CLEANUP(close_fd_p) int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 || dns->connection_count == DNS_TCP_CONNECTIONS)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	struct connection *c = NEW(struct connection);
	c->dns = dns;
	c->fd = TAKE_FD(fd);
	list_append(&dns->connections, &c->link);
	dns->connection_count++;
	loop_timer_start(dns->loop, &c->idle, DNS_TCP_IDLE_MS, idle_on);
	if (loop_watch_start(dns->loop, &c->watch, c->fd, connection_on, &err) != RC_OK)
		connection_free(c);
}

/* --- listening --- */

struct listen_order {
	struct ipaddr addr;
	uint16_t port;
	bool is_tcp;
	int fd;
};

static socklen_t sockaddr_of(struct ipaddr addr, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	memset(out, 0, sizeof(*out));
	if (addr.family == IP_V6) {
		*v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
		memcpy(&v6->sin6_addr, addr.bytes, 16);
		return sizeof(*v6);
	}
	*v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
	memcpy(&v4->sin_addr, addr.bytes, 4);
	return sizeof(*v4);
}

static enum rc open_listener(void *arg, struct err *err)
{
	struct listen_order *order = arg;
	struct sockaddr_storage at;
	socklen_t len = sockaddr_of(order->addr, order->port, &at);
	int on = 1, type = order->is_tcp ? SOCK_STREAM : SOCK_DGRAM;
	char text[IPADDR_TEXT_MAX];
	ipaddr_format(order->addr, text);
	CLEANUP(close_fd_p) int fd = socket(at.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, RC_IO, errno, "socket of the name server");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, len) < 0 || (order->is_tcp && listen(fd, BACKLOG) < 0))
		return err_sys(err, errno == EADDRINUSE ? RC_CONFLICT : RC_IO, errno,
			       "name server: listen on %s port %u (%s)", text, order->port,
			       order->is_tcp ? "TCP" : "UDP");
	order->fd = TAKE_FD(fd);
	return RC_OK;
}

static enum rc add_listener(struct dns *dns, const struct dns_config *config, struct ipaddr addr,
			    bool is_tcp, struct err *err)
{
	struct listen_order order = {.addr = addr,
				     .port = config->port ? config->port : DNS_PORT,
				     .is_tcp = is_tcp,
				     .fd = -1};
	TRY(netns_call(config->netns_fd, open_listener, &order, err));
	struct listener *l = &dns->listeners[dns->listener_count++];
	*l = (struct listener){.dns = dns, .fd = order.fd, .is_tcp = is_tcp};
	return loop_watch_start(dns->loop, &l->watch, l->fd, is_tcp ? accept_on : udp_on, err);
}

static enum rc listen_on_all(struct dns *dns, const struct dns_config *config, struct err *err)
{
	if (config->addr_count > DNS_MAX_ADDRS)
		return err_set(err, RC_TOO_LARGE, "name server: at most %d addresses",
			       DNS_MAX_ADDRS);
	for (size_t i = 0; i < config->addr_count; i++) {
		TRY(add_listener(dns, config, config->addrs[i], false, err));
		TRY(add_listener(dns, config, config->addrs[i], true, err));
	}
	return RC_OK;
}

enum rc dns_new(struct loop *loop, const struct dns_config *config, struct dns **ret_dns,
		struct err *err)
{
	struct dns *dns = NEW(struct dns);
	dns->loop = loop;
	dns->cache = config->cache;
	dns->zone.cache = config->cache;
	dns->zone.domain_text = arena_str(&dns->arena, config->domain);
	dns->zone.own_net_count = MIN(config->own_net_count, (size_t)MAX_NETS);
	if (dns->zone.own_net_count)
		dns->zone.own_nets =
			arena_copy(&dns->arena, config->own_nets,
				   dns->zone.own_net_count * sizeof(*config->own_nets));
	list_init(&dns->connections);
	list_init(&dns->pendings);
	dns->forward = dns_forward_new(loop, &config->forward);
	enum rc rc = RC_OK;
	if (!dns_name_parse(&dns->arena, config->domain, &dns->zone.domain) ||
	    dns->zone.domain.count == 0)
		rc = err_set(err, RC_INVALID, "'%.*s' can't be the cluster's domain",
			     STR_FMT(config->domain));
	if (rc == RC_OK)
		rc = listen_on_all(dns, config, err);
	if (rc != RC_OK) {
		dns_free(dns);
		return rc;
	}
	*ret_dns = dns;
	return RC_OK;
}

void dns_free(struct dns *dns)
{
	struct connection *c;
	struct pending *p;
	if (!dns)
		return;
	dns_forward_free(dns->forward); /* nobody comes back to a pending from here on */
	LIST_FOR_EACH (c, &dns->connections, link)
		connection_free(c);
	LIST_FOR_EACH (p, &dns->pendings, link) {
		list_remove(&p->link);
		arena_done(&p->arena);
		free(p);
	}
	for (size_t i = 0; i < dns->listener_count; i++) {
		loop_watch_stop(&dns->listeners[i].watch);
		close_fd_p(&dns->listeners[i].fd);
	}
	arena_done(&dns->arena);
	free(dns);
}
