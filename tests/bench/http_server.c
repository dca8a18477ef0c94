/* A server for measuring src/http: `http_server PORT [CERT KEY [CLIENT-CA]]`.
 * GET /N answers N bytes; /stream?n=N writes N lines; /late answers after 50 ms; /echo the body;
 * /upgrade echoes bytes; anything else says what was asked. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/server.h"
#include "io/file.h"

static char fill[1 << 20];

struct late {
	struct loop_timer timer;
	struct http_exchange *x;
};

static void late_on(struct loop_timer *timer)
{
	struct late *late = CONTAINER_OF(timer, struct late, timer);
	http_reply_text(late->x, 200, "text/plain", STR("late\n"));
}

static void echo_data(struct stream *s, struct str bytes, void *user)
{
	stream_write(s, bytes);
}

static void echo_end(struct stream *s, void *user)
{
	stream_finish(s);
}

static void echo_failed(struct stream *s, const struct err *why, void *user)
{
	stream_close(s);
}

static const struct stream_ops echo_ops = {
	.on_data = echo_data, .on_end = echo_end, .on_failed = echo_failed};

static void stream_lines(struct http_exchange *x)
{
	int64_t n = 10;
	str_to_i64(http_param(x, "n"), &n);
	http_stream_begin(x, 200, NULL, 0);
	for (int64_t i = 0; i < n; i++) {
		struct http_chunk line = HTTP_CHUNK_COPY("a line of text\n", 15);
		http_stream_write(x, &line, 1);
	}
	http_stream_end(x);
}

static void request_on(struct http_exchange *x, void *ctx)
{
	static const struct http_header json[] = {
		{STR_INIT("content-type"), STR_INIT("application/json")}};
	static const struct http_header echo[] = {{STR_INIT("upgrade"), STR_INIT("echo")}};
	struct str path = http_path(x);
	int64_t size;
	if (str_to_i64(str_skip(path, 1), &size) && size >= 0 && size <= (int64_t)sizeof(fill)) {
		struct http_chunk body = HTTP_CHUNK_STR(str_n(fill, (size_t)size));
		http_reply(x, &(struct http_reply){200, json, 1, &body, 1});
	} else if (str_is(path, "/stream")) {
		stream_lines(x);
	} else if (str_is(path, "/late")) {
		struct late *late = ARENA_NEW(http_arena(x), struct late);
		late->x = x;
		http_set_user(x, late);
		loop_timer_start(http_loop(x), &late->timer, 50, late_on);
	} else if (str_is(path, "/echo")) {
		http_reply_text(x, http_body_is_cut(x) ? 413 : 200, "text/plain", http_body(x));
	} else if (str_is(path, "/upgrade")) {
		struct stream *s;
		struct err err;
		if (http_upgrade(x, echo, 1, &echo_ops, NULL, &s, &err) != RC_OK)
			http_reply_text(x, 400, "text/plain", str_of(err.text));
	} else {
		const struct tls_identity *id = http_identity(x);
		struct str text = arena_printf(
			http_arena(x),
			"%.*s %.*s query=%.*s peer=%s:%u cn=%.*s verified=%d "
			"(%.*s) orgs=%zu\n",
			STR_FMT(http_method(x)), STR_FMT(path), STR_FMT(http_query(x)),
			http_remote_address(x), http_remote_port(x), STR_FMT(id->common_name),
			id->is_verified, STR_FMT(id->verify_problem), id->organization_count);
		http_reply_text(x, 200, "text/plain", text);
	}
}

static void gone_on(struct http_exchange *x, void *ctx)
{
	struct late *late = http_user(x);
	if (late) {
		loop_timer_stop(&late->timer);
		http_abort(x);
	}
}

static const struct http_handler handler = {.on_request = request_on, .on_gone = gone_on};

int main(int argc, char **argv)
{
	struct err err = {};
	struct arena a = {};
	struct tls_server_opts tls = {};
	struct http_server_config config = {.address = "127.0.0.1",
					    .port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 0)};
	struct http_server *server = NULL;
	struct loop *loop = loop_new();
	memset(fill, 'x', sizeof(fill));
	if (argc > 3 &&
	    (file_read(argv[2], 1 << 20, &a, &tls.cert_pem, &err) != RC_OK ||
	     file_read(argv[3], 1 << 20, &a, &tls.key_pem, &err) != RC_OK ||
	     (argc > 4 && file_read(argv[4], 1 << 20, &a, &tls.client_ca_pem, &err) != RC_OK) ||
	     tls_server_new(&tls, &config.tls, &err) != RC_OK))
		return fprintf(stderr, "%s\n", err.text), 1;
	if (http_server_new(loop, &config, &handler, NULL, &server, &err) != RC_OK)
		return fprintf(stderr, "%s\n", err.text), 1;
	printf("port %u\n", http_server_port(server));
	fflush(stdout);
	loop_run(loop);
	return 0;
}
