/* grpc_health: what a probe hears from servers that are well, ill, silent, or none. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "../grpc_server.h"
#include "base/mem.h"
#include "node/grpc_health.h"

#define TIMEOUT_MS 2000

struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	const struct grpc_answer *answer; /* NULL: it says nothing */
};

static void *server_run(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->fd, NULL, NULL);
	char byte;
	if (fd >= 0 && s->answer)
		grpc_serve(fd, s->answer);
	while (fd >= 0 && read(fd, &byte, 1) > 0)
		;
	close(fd);
	return NULL;
}

static void server_start(struct server *s, const struct grpc_answer *answer)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	s->answer = answer;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(s->fd, 4), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
	s->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

static void server_end(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

struct heard {
	bool is_told, is_healthy;
	char message[512];
};

static void told(void *ctx, bool is_healthy, const char *message)
{
	struct heard *h = ctx;
	h->is_told = true;
	h->is_healthy = is_healthy;
	snprintf(h->message, sizeof(h->message), "%s", message);
}

static void ask(uint16_t port, struct str service, int64_t timeout_ms, struct heard *h)
{
	static const struct http_client_opts opts = {.http2_only = true};
	struct loop *loop = loop_new();
	struct http_client *client;
	assert_int_equal(http_client_new(loop, &opts, &client, NULL), RC_OK);
	*h = (struct heard){};
	(void)grpc_health_start(loop, client, "127.0.0.1", port, service, timeout_ms, told, h);
	assert_false(h->is_told);
	while (!h->is_told)
		loop_run_once(loop, 50);
	http_client_free(client);
	for (int i = 0; i < 5; i++)
		loop_run_once(loop, 1);
	loop_free(loop);
}

static void servers_answer(void **state)
{
	static const struct {
		struct grpc_answer answer;
		bool is_healthy;
		const char *message;
	} rows[] = {
		{{200, "0", "", 1}, true, "service healthy"},
		{{200, "0", "", 2}, false, "service unhealthy (responded with \"NOT_SERVING\")"},
		{{200, "0", "", 0}, false, "service unhealthy (responded with \"UNKNOWN\")"},
		{{200, "0", "", 9}, false, "service unhealthy (responded with \"9\")"},
		{{200, "5", "unknown service", -1},
		 false,
		 "error: health rpc probe failed: rpc error: code = NotFound desc = unknown "
		 "service"},
		{{200, "12", "unknown service grpc.health.v1.Health", -1},
		 false,
		 "error: this server does not implement the grpc health protocol "
		 "(grpc.health.v1.Health): unknown service grpc.health.v1.Health"},
		{{200, "4", "", -1}, false, "timeout: health rpc did not complete within 2s"},
		{{200, "0", "", -1},
		 false,
		 "error: health rpc probe failed: rpc error: code = Unknown desc = the reply is "
		 "no HealthCheckResponse"},
		{{404, "", "", -1},
		 false,
		 "error: health rpc probe failed: rpc error: code = Unknown desc = unexpected "
		 "HTTP status code received from server: 404"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct server s;
		struct heard h;
		server_start(&s, &rows[i].answer);
		ask(s.port, i % 2 ? STR("a.Service") : STR(""), TIMEOUT_MS, &h);
		server_end(&s);
		assert_string_equal(h.message, rows[i].message);
		assert_int_equal(h.is_healthy, rows[i].is_healthy);
	}
}

static void nobody_answers(void **state)
{
	struct server s;
	struct heard h;
	server_start(&s, NULL);
	ask(s.port, STR(""), 100, &h);
	assert_false(h.is_healthy);
	assert_true(str_has_prefix(str_of(h.message), STR("timeout: failed to connect service")));
	server_end(&s);
	ask(s.port, STR(""), 1000, &h); /* it is closed now */
	assert_false(h.is_healthy);
	assert_true(str_has_prefix(str_of(h.message),
				   STR("error: failed to connect service at \"127.0.0.1:")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_answer),
		cmocka_unit_test(nobody_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
