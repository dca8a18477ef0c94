/* http_harness: a server and a client on one loop in one thread, for tests of http/. */
#ifndef SKEG_TESTS_HTTP_HARNESS_H
#define SKEG_TESTS_HTTP_HARNESS_H

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/client.h"
#include "http/pki.h"
#include "http/server.h"

#define WAIT_MS 10000

static struct arena pki_arena;
static struct pki_pair authority, server_pair, client_pair;
static struct loop *loop;

/* Runs the loop until condition; fails the test after WAIT_MS. */
#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		int64_t _due = world_mono_ms() + WAIT_MS;                                          \
		while (!(condition)) {                                                             \
			assert_true(world_mono_ms() < _due);                                       \
			loop_run_once(loop, 20);                                                   \
		}                                                                                  \
	} while (0)

static inline int harness_setup(void **state)
{
	static const struct str names[] = {STR_INIT("localhost"), STR_INIT("127.0.0.1")};
	static const struct str orgs[] = {STR_INIT("system:masters"), STR_INIT("other")};
	struct pki_subject server = {.common_name = STR_INIT("server"),
				     .alt_names = names,
				     .alt_name_count = 2,
				     .for_server = true,
				     .validity_s = 3600};
	struct pki_subject client = {.common_name = STR_INIT("admin"),
				     .organizations = orgs,
				     .organization_count = 2,
				     .for_client = true,
				     .validity_s = 3600};
	struct err err = {};
	assert_int_equal(pki_ca_new(&pki_arena, "ca", 86400, &authority, &err), RC_OK);
	assert_int_equal(pki_issue(&pki_arena, &authority, &server, &server_pair, &err), RC_OK);
	assert_int_equal(pki_issue(&pki_arena, &authority, &client, &client_pair, &err), RC_OK);
	loop = loop_new();
	return 0;
}

static inline int harness_teardown(void **state)
{
	loop_free(loop);
	arena_done(&pki_arena);
	return 0;
}

static inline struct tls_context *harness_tls(void)
{
	struct err err = {};
	struct tls_context *context;
	struct tls_server_opts opts = {.cert_pem = server_pair.cert_pem,
				       .key_pem = server_pair.key_pem,
				       .client_ca_pem = authority.cert_pem};
	assert_int_equal(tls_server_new(&opts, &context, &err), RC_OK);
	return context;
}

/* A blocking-free raw socket to 127.0.0.1. */
static inline int raw_connect(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_true(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
	return fd;
}

static inline void raw_send(int fd, struct str bytes)
{
	int64_t due = world_mono_ms() + WAIT_MS;
	while (bytes.len > 0 && world_mono_ms() < due) {
		ssize_t put = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);
		if (put > 0)
			bytes = str_skip(bytes, (size_t)put);
		else if (errno != EAGAIN && errno != ENOTCONN)
			return;
		loop_run_once(loop, 1);
	}
}

/* Appends what there is; false at the end of the connection. */
static inline bool raw_read(int fd, struct buf *out)
{
	char bytes[16384];
	ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
	if (got > 0)
		buf_add(out, bytes, (size_t)got);
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == ENOTCONN));
}

/* Sends text and returns everything until the server closes. */
static inline char *raw_talk(uint16_t port, struct str text)
{
	int fd = raw_connect(port);
	struct buf out = BUF_INIT(16u << 20);
	raw_send(fd, text);
	WAIT_FOR(!raw_read(fd, &out));
	close(fd);
	return out.data ? buf_take(&out) : mem_strdup("");
}

/* One request of the client, waited for. */
struct answer {
	int status;
	bool is_done;
	struct err err;
	struct buf body;
	struct arena arena;
	struct http_response response;
};

static inline void answer_on(struct http_call *call, const struct http_response *response,
			     const struct err *err, void *ctx)
{
	struct answer *a = ctx;
	struct http_header *headers =
		ARENA_ARRAY(&a->arena, struct http_header, response->header_count + 1);
	a->is_done = true;
	a->status = response->status;
	if (err)
		a->err = *err;
	buf_add_str(&a->body, response->body);
	for (size_t i = 0; i < response->header_count; i++)
		headers[i] = (struct http_header){arena_str(&a->arena, response->headers[i].name),
						  arena_str(&a->arena, response->headers[i].value)};
	a->response.headers = headers;
	a->response.header_count = response->header_count;
}

static const struct http_call_ops answer_ops = {.on_done = answer_on};

static inline void answer_done(struct answer *a)
{
	buf_done(&a->body);
	arena_done(&a->arena);
}

static inline struct answer ask(struct http_client *client, const struct http_request *request)
{
	struct answer a = {.body = BUF_INIT(64u << 20)};
	struct err err = {};
	assert_int_equal(http_call_start(client, request, &answer_ops, &a, NULL, &err), RC_OK);
	WAIT_FOR(a.is_done);
	return a;
}

struct spdy_head {
	char bytes[8];
};

/* first: a stream's id, or version and type of a control frame. */
static inline struct spdy_head spdy_head(uint32_t first, uint8_t flags, size_t len)
{
	return (struct spdy_head){{(char)(first >> 24), (char)(first >> 16), (char)(first >> 8),
				   (char)first, (char)flags, (char)(len >> 16), (char)(len >> 8),
				   (char)len}};
}

#endif
