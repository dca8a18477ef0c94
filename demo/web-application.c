/* web-application: what the demo runs in its pods: a small HTTP server without libraries, one
 *process, one thread.
 *
 *	GET /              which pod answers, on which node, and whether it got what it needs
 *	GET /health/live   200 while the process works
 *	GET /health/ready  200, and 503 once it was asked to end
 *	GET /metrics       requests so far, in Prometheus' text format
 *
 * After SIGTERM it serves on for GRACE_S seconds, so that whoever still has its address gets an
 *answer, and ends with code 0.  `web-application get HOST PORT [PATH]` is a client, so that an
 *image without a shell can ask through a Service from inside a pod.
 *
 * Limits: CLIENTS_MAX connections at once, REQUEST_MAX bytes a request; every connection is closed
 *after its answer or IDLE_S seconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define PORT	    8080
#define GRACE_S	    5
#define IDLE_S	    10
#define CLIENTS_MAX 64
#define REQUEST_MAX 4096
#define REPLY_MAX   4096
#define CODES	    600 /* status codes are below */

struct client {
	int fd;
	time_t since;
	size_t len;
	char request[REQUEST_MAX];
};

struct reply {
	int code;
	const char *type;
	char body[REPLY_MAX];
	size_t len;
};

static struct client clients[CLIENTS_MAX];
static size_t client_count;
static unsigned long long requests[CODES]; /* by status code */
static volatile sig_atomic_t is_ending;
static time_t ends_at;

static time_t now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void on_signal(int number)
{
	is_ending = number;
}

/* ---- pages ---- */

static const char *or_text(const char *name, const char *otherwise)
{
	const char *value = getenv(name);
	return value && *value ? value : otherwise;
}

static const char *pod_name(void)
{
	static struct utsname host;
	if (getenv("HOSTNAME"))
		return getenv("HOSTNAME");
	uname(&host);
	return host.nodename;
}

static bool can_write(const char *folder)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/web-application.%d", folder, getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool is_written = write(fd, "x", 1) == 1;
	close(fd);
	return unlink(path) == 0 && is_written;
}

__attribute__((format(printf, 2, 3))) static void say(struct reply *r, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	int n = vsnprintf(r->body + r->len, sizeof(r->body) - r->len, format, list);
	va_end(list);
	if (n > 0 && r->len + (size_t)n < sizeof(r->body))
		r->len += (size_t)n;
}

static const char *writable(const char *folder)
{
	return can_write(folder) ? "writable" : "read-only";
}

static void page_root(struct reply *r)
{
	say(r, "pod: %s\n", pod_name());
	say(r, "node: %s\n", or_text("NODE_NAME", "unknown"));
	/* Whether, not what: the first holds a password. */
	say(r, "DATABASE_URL: %s\n", getenv("DATABASE_URL") ? "set" : "missing");
	say(r, "REDIS_HOST: %s\n", getenv("REDIS_HOST") ? "set" : "missing");
	say(r, "/tmp: %s\n", writable("/tmp"));
	say(r, "/app/cache: %s\n", writable("/app/cache"));
	say(r, "/: %s\n", writable(""));
	say(r, "user: %d\n", (int)getuid());
}

static void page_live(struct reply *r)
{
	say(r, "live\n");
}

static void page_ready(struct reply *r)
{
	r->code = is_ending ? 503 : 200;
	say(r, is_ending ? "ending\n" : "ready\n");
}

static void page_metrics(struct reply *r)
{
	r->type = "text/plain; version=0.0.4";
	say(r, "# HELP web_requests_total Requests answered, by status code.\n"
	       "# TYPE web_requests_total counter\n");
	for (int code = 0; code < CODES; code++)
		if (requests[code])
			say(r, "web_requests_total{code=\"%d\"} %llu\n", code, requests[code]);
}

static const struct page {
	const char *path;
	void (*make)(struct reply *r);
} pages[] = {
	{"/", page_root},
	{"/health/live", page_live},
	{"/health/ready", page_ready},
	{"/metrics", page_metrics},
};

/* ---- one request ---- */

static const char *reason(int code)
{
	return code == 200   ? "OK"
	       : code == 400 ? "Bad Request"
	       : code == 404 ? "Not Found"
	       : code == 405 ? "Method Not Allowed"
			     : "Service Unavailable";
}

static void refuse(struct reply *r, int code)
{
	r->code = code;
	say(r, "%s\n", reason(code));
}

/* text: a whole head, ended by a zero byte. */
static void make_reply(struct reply *r, char *text)
{
	char *method = strsep(&text, " "), *path = text ? strsep(&text, " ?\r\n") : NULL;
	if (!path || *path != '/') {
		refuse(r, 400);
		return;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		refuse(r, 405);
		return;
	}
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(pages[i].path, path) == 0) {
			pages[i].make(r);
			return;
		}
	}
	refuse(r, 404);
}

static void answer(struct client *c)
{
	struct reply r = {.code = 200, .type = "text/plain"};
	char head[256];
	bool is_head = strncmp(c->request, "HEAD ", 5) == 0;
	make_reply(&r, c->request);
	requests[r.code]++;
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
			 "Connection: close\r\n\r\n",
			 r.code, reason(r.code), r.type, r.len);
	/* Both fit into any socket's buffer: a reply is REPLY_MAX at most. */
	if (send(c->fd, head, (size_t)n, MSG_NOSIGNAL | MSG_MORE) == n && !is_head)
		send(c->fd, r.body, r.len, MSG_NOSIGNAL);
	shutdown(c->fd, SHUT_WR);
}

/* ---- connections ---- */

static void drop(size_t i)
{
	close(clients[i].fd);
	clients[i] = clients[--client_count];
}

static void accept_clients(int listener)
{
	while (client_count < CLIENTS_MAX) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		struct client *c = &clients[client_count++];
		c->fd = fd;
		c->len = 0;
		c->since = now_s();
	}
}

/* False when the connection is done with. */
static bool read_client(struct client *c)
{
	ssize_t n = recv(c->fd, c->request + c->len, sizeof(c->request) - 1 - c->len, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->len += (size_t)n;
	c->request[c->len] = '\0';
	if (strstr(c->request, "\r\n\r\n")) {
		answer(c);
		return false;
	}
	return n > 0 && c->len < sizeof(c->request) - 1;
}

static void wait_for_work(int listener)
{
	struct pollfd polled[CLIENTS_MAX + 1] = {
		{.fd = client_count < CLIENTS_MAX ? listener : -1, .events = POLLIN}};
	size_t count = client_count;
	for (size_t i = 0; i < count; i++)
		polled[i + 1] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
	/* With nobody there only a signal or a connection wakes us. */
	if (poll(polled, count + 1, is_ending || count ? 1000 : -1) < 0)
		return;
	for (size_t i = count; i-- > 0;)
		if ((polled[i + 1].revents && !read_client(&clients[i])) ||
		    now_s() - clients[i].since > IDLE_S)
			drop(i);
	if (polled[0].revents)
		accept_clients(listener);
}

/* Both families where the pod has IPv6, else IPv4 alone. */
static int listen_on(int family)
{
	struct sockaddr_storage any = {.ss_family = (sa_family_t)family};
	int yes = 1, fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	((struct sockaddr_in *)&any)->sin_port = htons(PORT); /* at the same place in both */
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, CLIENTS_MAX) == 0)
		return fd;
	close(fd);
	return -1;
}

static int serve(void)
{
	int listener = listen_on(AF_INET6);
	if (listener < 0)
		listener = listen_on(AF_INET);
	if (listener < 0) {
		perror("web-application: port 8080");
		return 1;
	}
	printf("web-application: %s serves port %d\n", pod_name(), PORT);
	fflush(stdout);
	while (!ends_at || now_s() < ends_at) {
		wait_for_work(listener);
		if (is_ending && !ends_at) {
			ends_at = now_s() + GRACE_S;
			printf("web-application: signal %d, ending in %d s\n", (int)is_ending,
			       GRACE_S);
			fflush(stdout);
		}
	}
	printf("web-application: done\n");
	return 0;
}

/* ---- the client ---- */

static int dial(const char *host, const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(port))};
	struct timeval limit = {.tv_sec = 3};
	if (inet_pton(AF_INET, host, &to.sin_addr) != 1) {
		fprintf(stderr, "web-application: '%s' is no IPv4 address\n", host);
		return -1;
	}
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	perror("web-application: connect");
	close(fd);
	return -1;
}

/* Prints the body; 0 when the answer was 200. */
static int get(const char *host, const char *port, const char *path)
{
	char text[REQUEST_MAX + REPLY_MAX];
	size_t len = 0;
	ssize_t n;
	int fd = dial(host, port);
	if (fd < 0)
		return 1;
	dprintf(fd, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host);
	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	text[len] = '\0';
	const char *body = strstr(text, "\r\n\r\n");
	if (body)
		fputs(body + 4, stdout);
	return body && strncmp(text, "HTTP/1.1 200 ", 13) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const int numbers[] = {SIGTERM, SIGINT};
	signal(SIGPIPE, SIG_IGN);
	if (argc >= 4 && strcmp(argv[1], "get") == 0)
		return get(argv[2], argv[3], argc > 4 ? argv[4] : "/");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &(struct sigaction){.sa_handler = on_signal}, NULL);
	return serve();
}
