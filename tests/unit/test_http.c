/* http: the server over loopback, plain and TLS, HTTP/1.1 and HTTP/2, through the own client;
 * upgrades, streams, limits. */
#include "http_harness.h"

static struct http_server *server;
static int gone_count, done_count, request_count;
static struct http_exchange *parked; /* /park keeps it here */
static size_t queued_seen;
static bool has_drained;
static int released;
static char big[3 << 20];

static void release_on(void *owner)
{
	released++;
}

static void drained_on(struct http_exchange *x)
{
	has_drained = true;
}

static struct str describe(struct http_exchange *x)
{
	const struct tls_identity *id = http_identity(x);
	struct str last = {};
	size_t at = 0, count;
	while (http_header_next(x, "x-test", &at, &last))
		;
	http_params(x, &count);
	return arena_printf(http_arena(x), "%.*s|%.*s|%.*s|%.*s|%zu|%.*s|%d|%.*s|%zu|%d|%s",
			    STR_FMT(http_method(x)), STR_FMT(http_path(x)), STR_FMT(http_query(x)),
			    STR_FMT(http_param(x, "a b")), count, STR_FMT(last), http_version(x),
			    STR_FMT(id->common_name), id->organization_count, id->is_verified,
			    http_remote_address(x));
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

static void upgrade(struct http_exchange *x)
{
	static const struct http_header headers[] = {{STR_INIT("upgrade"), STR_INIT("echo")}};
	struct stream *s;
	struct err err = {};
	if (http_upgrade(x, headers, 1, &echo_ops, NULL, &s, &err) != RC_OK)
		http_reply_text(x, rc_status(err.rc), "text/plain", str_of(err.text));
}

static void request_on(struct http_exchange *x, void *ctx)
{
	struct str path = http_path(x);
	request_count++;
	if (str_is(path, "/echo"))
		http_reply_text(x, http_body_is_cut(x) ? 413 : 200, "text/plain", http_body(x));
	else if (str_is(path, "/park"))
		parked = x;
	else if (str_is(path, "/held")) {
		parked = x;
		http_hold(x);
		http_reply_text(x, 200, "text/plain", STR("held"));
	} else if (str_is(path, "/upgrade"))
		upgrade(x);
	else if (str_is(path, "/abort"))
		http_abort(x);
	else if (str_is(path, "/empty"))
		http_reply(x, &(struct http_reply){.status = 204});
	else if (str_is(path, "/close")) {
		http_close_after(x);
		http_reply_text(x, 200, "text/plain", STR("bye"));
	} else if (str_is(path, "/big")) {
		struct http_chunk chunks[] = {
			{big, sizeof(big) / 2, release_on, NULL},
			{big + sizeof(big) / 2, sizeof(big) / 2, release_on, NULL}};
		http_reply(x, &(struct http_reply){200, NULL, 0, chunks, 2});
	} else if (str_is(path, "/stream")) {
		parked = x;
		http_stream_begin(x, 200, NULL, 0);
	} else
		http_reply_text(x, 200, "text/plain", describe(x));
}

static size_t headers_on(struct http_exchange *x, void *ctx)
{
	return str_is(http_path(x), "/echo") ? 1000 : 0;
}

static void gone_on(struct http_exchange *x, void *ctx)
{
	gone_count++;
	if (x == parked)
		parked = NULL;
	http_abort(x);
}

static void done_on(struct http_exchange *x, void *ctx)
{
	done_count++;
}

static const struct http_handler handler = {headers_on, request_on, gone_on, done_on};

static void server_start(bool has_tls, const struct http_limits *limits)
{
	struct err err = {};
	struct tls_context *tls = has_tls ? harness_tls() : NULL;
	struct http_server_config config = {.address = "127.0.0.1", .tls = tls};
	if (limits)
		config.limits = *limits;
	gone_count = done_count = request_count = released = 0;
	assert_int_equal(http_server_new(loop, &config, &handler, NULL, &server, &err), RC_OK);
	tls_unref(tls);
}

static bool has_stopped;

static void stopped_on(void *ctx)
{
	has_stopped = true;
}

static void server_end(void)
{
	has_stopped = false;
	http_server_stop(server, 0, stopped_on, NULL);
	WAIT_FOR(has_stopped);
	http_server_free(server);
	loop_run_once(loop, 0);
}

/* --- every request in three ways --- */

enum way { WAY_PLAIN, WAY_TLS1, WAY_TLS2, WAY_COUNT };

static struct http_client *client_new(enum way way)
{
	struct err err = {};
	struct http_client *client;
	struct http_client_opts opts = {.ca_pem = authority.cert_pem,
					.cert_pem = client_pair.cert_pem,
					.key_pem = client_pair.key_pem,
					.http1_only = way == WAY_TLS1};
	assert_int_equal(http_client_new(loop, &opts, &client, &err), RC_OK);
	return client;
}

static const char *url(enum way way, const char *path)
{
	static char text[256];
	snprintf(text, sizeof(text), "%s://localhost:%u%s", way == WAY_PLAIN ? "http" : "https",
		 http_server_port(server), path);
	return text;
}

static void expect_body(struct answer a, int status, struct str body)
{
	assert_string_equal(a.err.text, "");
	assert_int_equal(a.status, status);
	assert_int_equal(a.body.len, body.len);
	assert_memory_equal(a.body.data ? a.body.data : "", body.at, body.len);
	answer_done(&a);
}

static void ask_plainly(enum way way, struct http_client *client)
{
	static const struct http_header headers[] = {{STR_INIT("x-test"), STR_INIT("one")},
						     {STR_INIT("X-Test"), STR_INIT("two")}};
	static const char *const ids[] = {"11||0|0|127.0.0.1", "11|admin|2|1|127.0.0.1",
					  "20|admin|2|1|127.0.0.1"};
	char want[256];
	snprintf(want, sizeof(want), "GET|/a b/c|x=1&a+b=%%41%%20&&bad=%%zz|A |2|two|%s", ids[way]);
	expect_body(ask(client,
			&(struct http_request){.url = url(way, "/a%20b/c?x=1&a+b=%41%20&&bad=%zz"),
					       .headers = headers,
					       .header_count = 2}),
		    200, str_of(want));
}

static void ask_bodies(enum way way, struct http_client *client)
{
	char body[1001];
	memset(body, 'b', sizeof(body));
	expect_body(ask(client, &(struct http_request){.url = url(way, "/echo"),
						       .body = str_n(body, 1000)}),
		    200, str_n(body, 1000));
	expect_body(ask(client, &(struct http_request){.url = url(way, "/echo"),
						       .body = str_n(body, 1001)}),
		    413, STR(""));
	expect_body(ask(client, &(struct http_request){.url = url(way, "/echo"), .body = STR("")}),
		    200, STR(""));
	expect_body(ask(client, &(struct http_request){.url = url(way, "/empty")}), 204, STR(""));
	expect_body(ask(client, &(struct http_request){.url = url(way, "/big"), .method = "HEAD"}),
		    200, STR(""));
	assert_int_equal(released, 2);
	expect_body(ask(client, &(struct http_request){.url = url(way, "/big")}), 200,
		    str_n(big, sizeof(big)));
	assert_int_equal(released, 4);
	expect_body(ask(client, &(struct http_request){.url = url(way, "/close")}), 200,
		    STR("bye"));
}

static void ask_late(enum way way, struct http_client *client)
{
	struct answer a = {.body = BUF_INIT(1 << 20)};
	assert_int_equal(http_call_start(client, &(struct http_request){.url = url(way, "/park")},
					 &answer_ops, &a, NULL, NULL),
			 RC_OK);
	WAIT_FOR(parked);
	http_reply_text(TAKE_PTR(parked), 202, "text/plain", STR("late"));
	WAIT_FOR(a.is_done);
	expect_body(a, 202, STR("late"));
	a = ask(client, &(struct http_request){.url = url(way, "/abort")});
	assert_int_equal(a.err.rc, RC_IO);
	answer_done(&a);
}

static void test_requests_in_every_way(void **state)
{
	memset(big, 'g', sizeof(big));
	for (enum way way = WAY_PLAIN; way < WAY_COUNT; way++) {
		server_start(way != WAY_PLAIN, NULL);
		struct http_client *client = client_new(way);
		ask_plainly(way, client);
		ask_bodies(way, client);
		ask_late(way, client);
		/* libcurl sends /abort again when its connection was used before. */
		assert_in_range(request_count, 10, 11);
		http_client_free(client);
		server_end();
		assert_int_equal(done_count, request_count);
		assert_int_equal(gone_count, 0);
	}
}

/* --- streams --- */

struct watch {
	struct buf bytes;
	bool has_head, is_done, is_broken;
};

static void watch_head(struct http_call *call, const struct http_response *response, void *ctx)
{
	((struct watch *)ctx)->has_head = true;
	assert_int_equal(response->status, 200);
}

static void watch_data(struct http_call *call, struct str bytes, void *ctx)
{
	buf_add_str(&((struct watch *)ctx)->bytes, bytes);
}

static void watch_done(struct http_call *call, const struct http_response *response,
		       const struct err *err, void *ctx)
{
	((struct watch *)ctx)->is_done = true;
	((struct watch *)ctx)->is_broken = err != NULL;
}

static const struct http_call_ops watch_ops = {watch_head, watch_data, watch_done};

/* With a timeout the client uses HTTP/2, without one a connection of HTTP/1.1. */
#define stream_request(way)                                                                        \
	(struct http_request)                                                                      \
	{                                                                                          \
		.url = url(way, "/stream"), .timeout_ms = way == WAY_TLS2 ? 60000 : 0              \
	}

static void watch_events(enum way way, struct http_client *client)
{
	struct watch w = {.bytes = BUF_INIT(1 << 20)};
	struct http_call *call;
	assert_int_equal(http_call_start(client, &stream_request(way), &watch_ops, &w, &call, NULL),
			 RC_OK);
	WAIT_FOR(w.has_head);
	for (size_t i = 0; i < 5; i++) {
		struct http_chunk chunks[] = {HTTP_CHUNK_COPY("event ", 6),
					      HTTP_CHUNK_STR(STR("text\n"))};
		http_stream_write(parked, chunks, 2);
		WAIT_FOR(w.bytes.len == (i + 1) * 11);
	}
	http_stream_end(TAKE_PTR(parked));
	WAIT_FOR(w.is_done);
	assert_false(w.is_broken);
	buf_done(&w.bytes);
}

static void watch_cancelled(enum way way, struct http_client *client)
{
	struct watch w = {.bytes = BUF_INIT(1 << 20)};
	struct http_call *call;
	int gone = gone_count;
	assert_int_equal(http_call_start(client, &stream_request(way), &watch_ops, &w, &call, NULL),
			 RC_OK);
	WAIT_FOR(w.has_head);
	http_call_cancel(call);
	WAIT_FOR(gone_count == gone + 1);
	assert_null(parked);
}

static void watch_slow(enum way way, struct http_client *client)
{
	struct watch w = {.bytes = BUF_INIT(64 << 20)};
	struct http_call *call;
	has_drained = false;
	assert_int_equal(http_call_start(client, &stream_request(way), &watch_ops, &w, &call, NULL),
			 RC_OK);
	WAIT_FOR(w.has_head);
	struct http_chunk chunk = {big, sizeof(big), http_chunk_static, NULL};
	queued_seen = http_stream_write(parked, &chunk, 1);
	http_stream_on_drain(parked, 1000, drained_on); /* counts what waits already */
	assert_int_equal(queued_seen, sizeof(big));
	assert_false(has_drained);
	WAIT_FOR(has_drained);
	assert_true(http_stream_queued(parked) <= 1000);
	/* Too much at once ends it. */
	int gone = gone_count;
	http_stream_write(parked, &chunk, 1);
	assert_non_null(parked);
	http_stream_write(parked, &chunk, 1);
	WAIT_FOR(gone_count == gone + 1);
	WAIT_FOR(w.is_done);
	assert_true(w.is_broken);
	buf_done(&w.bytes);
}

static void test_streams_in_every_way(void **state)
{
	for (enum way way = WAY_PLAIN; way < WAY_COUNT; way++) {
		server_start(way != WAY_PLAIN, NULL);
		struct http_client *client = client_new(way);
		watch_events(way, client);
		watch_cancelled(way, client);
		watch_slow(way, client);
		http_client_free(client);
		server_end();
		assert_int_equal(done_count, request_count);
	}
}

static void test_watch_ends_with_connection(void **state)
{
	server_start(false, NULL);
	int fd = raw_connect(http_server_port(server));
	raw_send(fd, STR("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
	WAIT_FOR(parked);
	close(fd);
	WAIT_FOR(gone_count == 1);
	WAIT_FOR(done_count == 1);
	server_end();
}

/* --- raw HTTP/1.1 --- */

static void test_raw_requests(void **state)
{
	static const struct {
		const char *text, *want; /* the reply begins so */
		const char *also;	 /* and has this */
	} rows[] = {
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n",
		 "Connection: close\r\n"},
		{"GET /echo HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "Content-Length: 0\r\n"},
		{"\r\nGET /close HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n",
		 "\r\n\r\nbye"},
		{"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n"
		 "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n",
		 "HTTP/1.1 200 OK\r\n", "\r\n\r\nabcde"},
		{"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: "
		 "2\r\nConnection: close\r\n\r\nok",
		 "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", "\r\n\r\nok"},
		{"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: "
		 "9999999\r\n\r\n",
		 "HTTP/1.1 413 Request Entity Too Large\r\n", "Connection: close\r\n"},
		{"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\nGET /close "
		 "HTTP/1.1\r\nHost: x\r\n\r\n",
		 "HTTP/1.1 200 OK\r\n", "|/b|"},
		{"GET http://x/abs?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		 "HTTP/1.1 200 OK\r\n", "|/abs|q|"},
		{"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n",
		 "missing required Host header"},
		{"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "percent"},
		{"GET /\nHost: x\n\n", "HTTP/1.1 400 Bad Request\r\n", ""},
		{"GET / HTTP/3.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n",
		 ""},
		{"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		 "HTTP/1.1 400 Bad Request\r\n", "chunked"},
		{"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
		 "HTTP/1.1 501 Not Implemented\r\n", ""},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n",
		 "HTTP/1.1 400 Bad Request\r\n", "both Content-Length and Transfer-Encoding"},
		{"GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		 "HTTP/1.1 400 Bad Request\r\n", "unable to upgrade"},
	};
	server_start(false, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_p)
		char *got = raw_talk(http_server_port(server), str_of(rows[i].text));
		if (strncmp(got, rows[i].want, strlen(rows[i].want)) != 0 ||
		    !strstr(got, rows[i].also))
			fail_msg("row %zu: %s", i, got);
	}
	server_end();
}

static void test_bytes_one_by_one(void **state)
{
	static const char text[] = "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
	server_start(false, NULL);
	int fd = raw_connect(http_server_port(server));
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		raw_send(fd, str_n(text + i, 1));
	CLEANUP_BUF got = BUF_INIT(1 << 20);
	WAIT_FOR(!raw_read(fd, &got));
	assert_non_null(strstr(got.data, "\r\n\r\nabc"));
	close(fd);
	server_end();
}

static void test_half_close_still_gets_reply(void **state)
{
	server_start(false, NULL);
	int fd = raw_connect(http_server_port(server));
	raw_send(fd, STR("GET /park HTTP/1.1\r\nHost: x\r\n\r\n"));
	shutdown(fd, SHUT_WR);
	WAIT_FOR(parked);
	loop_run_once(loop, 20);
	http_reply_text(TAKE_PTR(parked), 200, "text/plain", STR("all the same"));
	CLEANUP_BUF got = BUF_INIT(1 << 20);
	WAIT_FOR(!raw_read(fd, &got));
	assert_non_null(strstr(got.data, "all the same"));
	close(fd);
	server_end();
}

static void test_long_heads_are_refused(void **state)
{
	CLEANUP_BUF text = BUF_INIT(1 << 20);
	server_start(false, NULL);
	buf_add_cstr(&text, "GET / HTTP/1.1\r\nHost: x\r\n");
	for (int i = 0; i < 100; i++)
		buf_printf(&text, "X-%d: %01000d\r\n", i, i);
	CLEANUP(free_p) char *got = raw_talk(http_server_port(server), buf_str(&text));
	assert_int_equal(strncmp(got, "HTTP/1.1 431 ", 13), 0);
	server_end();
	/* HTTP/2 */
	static const struct http_limits limits = {.header_bytes = 8192};
	struct http_header headers[10];
	char value[1001];
	memset(value, 'v', 1000);
	for (int i = 0; i < 10; i++)
		headers[i] = (struct http_header){STR("x-long"), str_n(value, 1000)};
	server_start(true, &limits);
	struct http_client *client = client_new(WAY_TLS2);
	struct answer a = ask(client, &(struct http_request){.url = url(WAY_TLS2, "/"),
							     .headers = headers,
							     .header_count = 10});
	assert_string_equal(a.err.text, "");
	assert_int_equal(a.status, 431);
	answer_done(&a);
	expect_body(ask(client, &(struct http_request){.url = url(WAY_TLS2, "/close")}), 200,
		    STR("bye"));
	http_client_free(client);
	server_end();
}

static void test_slow_clients_are_cut(void **state)
{
	static const struct http_limits limits = {.header_ms = 60, .idle_ms = 60, .body_ms = 60};
	static const char *const texts[] = {
		"", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"};
	server_start(false, &limits);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(raw_talk(http_server_port(server), str_of(texts[i])));
	server_end();
}

static void test_too_many_connections_wait(void **state)
{
	static const struct http_limits limits = {.connections = 2};
	int fds[4];
	server_start(false, &limits);
	for (int i = 0; i < 4; i++) {
		fds[i] = raw_connect(http_server_port(server));
		raw_send(fds[i],
			 STR("GET /close HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n"));
	}
	assert_int_equal(http_server_connections(server), 2);
	for (int i = 0; i < 4; i++) {
		CLEANUP_BUF got = BUF_INIT(1 << 20);
		raw_send(fds[i], STR("\r\n"));
		WAIT_FOR(!raw_read(fds[i], &got));
		assert_non_null(strstr(got.data, "bye"));
		close(fds[i]);
	}
	server_end();
}

/* --- upgrade --- */

static void test_upgrade_gives_the_connection(void **state)
{
	server_start(false, NULL);
	int fd = raw_connect(http_server_port(server));
	raw_send(fd, STR("GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n"
			 "Upgrade: echo\r\n\r\nearly "));
	raw_send(fd, STR("late"));
	CLEANUP_BUF got = BUF_INIT(1 << 20);
	WAIT_FOR(raw_read(fd, &got) && got.data && strstr(got.data, "early late"));
	assert_int_equal(
		strncmp(got.data, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n", 49), 0);
	assert_int_equal(http_server_connections(server), 0);
	assert_int_equal(done_count, 1);
	shutdown(fd, SHUT_WR);
	WAIT_FOR(!raw_read(fd, &got));
	close(fd);
	server_end();
}

static void test_held_exchange_outlives_the_upgrade(void **state)
{
	server_start(false, NULL);
	int fd = raw_connect(http_server_port(server));
	CLEANUP_BUF got = BUF_INIT(1 << 20);
	raw_send(fd, STR("GET /held HTTP/1.1\r\nHost: x\r\n\r\n"));
	WAIT_FOR(raw_read(fd, &got) && got.data && strstr(got.data, "held"));
	raw_send(fd, STR("GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
			 "Upgrade: echo\r\n\r\nearly"));
	WAIT_FOR(raw_read(fd, &got) && strstr(got.data, "\r\n\r\nearly"));
	assert_true(str_is(http_path(parked), "/held"));
	http_release(TAKE_PTR(parked));
	close(fd);
	server_end();
}

/* --- stopping --- */

static void test_stop_waits_for_replies(void **state)
{
	for (enum way way = WAY_PLAIN; way < WAY_COUNT; way++) {
		struct answer a = {.body = BUF_INIT(1 << 20)};
		server_start(way != WAY_PLAIN, NULL);
		struct http_client *client = client_new(way);
		expect_body(ask(client, &(struct http_request){.url = url(way, "/empty")}), 204,
			    STR(""));
		assert_int_equal(http_call_start(client,
						 &(struct http_request){.url = url(way, "/park")},
						 &answer_ops, &a, NULL, NULL),
				 RC_OK);
		WAIT_FOR(parked);
		has_stopped = false;
		http_server_stop(server, 5000, stopped_on, NULL);
		loop_run_once(loop, 20);
		assert_false(has_stopped);
		http_reply_text(TAKE_PTR(parked), 200, "text/plain", STR("still"));
		WAIT_FOR(a.is_done);
		expect_body(a, 200, STR("still"));
		WAIT_FOR(has_stopped);
		http_client_free(client);
		http_server_free(server);
		loop_run_once(loop, 0);
	}
}

static void test_grace_ends(void **state)
{
	server_start(false, NULL);
	int fd = raw_connect(http_server_port(server));
	raw_send(fd, STR("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
	WAIT_FOR(parked);
	has_stopped = false;
	http_server_stop(server, 30, stopped_on, NULL);
	WAIT_FOR(has_stopped);
	assert_int_equal(gone_count, 1);
	close(fd);
	http_server_free(server);
	loop_run_once(loop, 0);
}

static void test_port_taken(void **state)
{
	struct err err = {};
	struct http_server *other;
	server_start(false, NULL);
	struct http_server_config config = {.address = "127.0.0.1",
					    .port = http_server_port(server)};
	assert_int_equal(http_server_new(loop, &config, &handler, NULL, &other, &err), RC_CONFLICT);
	assert_non_null(strstr(err.text, "another program listens there"));
	server_end();
}

/* --- abuse of HTTP/2 --- */

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"

static void frame_add(struct buf *out, int type, int flags, uint32_t stream, struct str payload)
{
	const char head[9] = {(char)(payload.len >> 16),
			      (char)(payload.len >> 8),
			      (char)payload.len,
			      (char)type,
			      (char)flags,
			      (char)(stream >> 24),
			      (char)(stream >> 16),
			      (char)(stream >> 8),
			      (char)stream};
	buf_add(out, head, sizeof(head));
	buf_add_str(out, payload);
}

/* GET /park, by HPACK's static table and one literal. */
static const struct str get_park = STR_INIT("\x82\x86\x01\x01x\x04\x05/park");

static bool ends_by_server(struct str bytes)
{
	int fd = raw_connect(http_server_port(server));
	CLEANUP_BUF got = BUF_INIT(16 << 20);
	raw_send(fd, bytes);
	int64_t due = world_mono_ms() + 2000;
	bool has_ended = false;
	while (!has_ended && world_mono_ms() < due) {
		has_ended = !raw_read(fd, &got);
		loop_run_once(loop, 5);
	}
	close(fd);
	return has_ended;
}

static void test_http2_abuse_is_cut(void **state)
{
	CLEANUP_BUF out = BUF_INIT(16 << 20);
	server_start(false, NULL);
	/* Streams that are opened and reset at once (CVE-2023-44487). */
	buf_add(&out, PREFACE, sizeof(PREFACE) - 1);
	for (uint32_t id = 1; id < 4000; id += 2) {
		frame_add(&out, 1, 5, id, get_park);
		frame_add(&out, 3, 0, id, STR("\0\0\0\x08"));
	}
	assert_true(ends_by_server(buf_str(&out)));
	assert_in_range(request_count, 100, 450);
	WAIT_FOR(done_count == request_count);
	/* A head without an end (CVE-2024-28182). */
	buf_reset(&out);
	buf_add(&out, PREFACE, sizeof(PREFACE) - 1);
	frame_add(&out, 1, 1, 1, get_park);
	for (int i = 0; i < 100; i++)
		frame_add(&out, 9, 0, 1, STR("\x40\x01x\x01y"));
	assert_true(ends_by_server(buf_str(&out)));
	/* Settings without end, and pings that are not read. */
	buf_reset(&out);
	buf_add(&out, PREFACE, sizeof(PREFACE) - 1);
	for (int i = 0; i < 200000; i++)
		frame_add(&out, 6, 0, 0, STR("12345678"));
	int fd = raw_connect(http_server_port(server));
	raw_send(fd, str_n(out.data, out.len / 8));
	close(fd);
	WAIT_FOR(http_server_connections(server) == 0);
	server_end();
}

static void test_http2_streams_are_limited(void **state)
{
	CLEANUP_BUF out = BUF_INIT(16 << 20);
	server_start(false, NULL);
	buf_add(&out, PREFACE, sizeof(PREFACE) - 1);
	for (uint32_t id = 1; id < 400; id += 2)
		frame_add(&out, 1, 5, id, get_park);
	int fd = raw_connect(http_server_port(server));
	raw_send(fd, buf_str(&out));
	WAIT_FOR(request_count == 100);
	for (int i = 0; i < 5; i++)
		loop_run_once(loop, 10);
	assert_int_equal(request_count, 100);
	close(fd);
	WAIT_FOR(gone_count == 100);
	server_end();
}

/* A connection that came another way: a node serves on the one it opened itself. */
static void test_adopted_streams_are_served(void **state)
{
	int fds[2];
	CLEANUP_BUF got = BUF_INIT(1 << 20);
	server_start(false, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	http_server_adopt(server, stream_new(loop, fds[1], NULL, NULL, NULL, NULL));
	raw_send(fds[0], STR("GET /close HTTP/1.1\r\nHost: x\r\n\r\n"));
	WAIT_FOR(!raw_read(fds[0], &got));
	assert_non_null(strstr(got.data, "bye"));
	close(fds[0]);
	server_end();
}

/* --- the client's refusals --- */

static void test_client_errors(void **state)
{
	struct err err = {};
	server_start(true, NULL);
	struct http_client *stranger, *client = client_new(WAY_TLS2);
	struct http_client_opts opts = {.ca_pem = client_pair.cert_pem};
	assert_int_equal(http_client_new(loop, &opts, &stranger, &err), RC_OK);
	struct answer a = ask(stranger, &(struct http_request){.url = url(WAY_TLS2, "/")});
	assert_int_equal(a.err.rc, RC_UNAUTHORIZED);
	answer_done(&a);
	a = ask(client, &(struct http_request){.url = "https://127.0.0.1:1/"});
	assert_int_equal(a.err.rc, RC_UNAVAILABLE);
	answer_done(&a);
	a = ask(client, &(struct http_request){.url = url(WAY_TLS2, "/park"), .timeout_ms = 50});
	assert_int_equal(a.err.rc, RC_TIMEOUT);
	answer_done(&a);
	a = ask(client, &(struct http_request){.url = url(WAY_TLS2, "/big"), .body_max = 1000});
	assert_int_equal(a.err.rc, RC_TOO_LARGE);
	answer_done(&a);
	a = ask(client, &(struct http_request){.url = "https://no.such.host.invalid:1/",
					       .pin_address = "127.0.0.1"});
	assert_int_equal(a.err.rc, RC_UNAVAILABLE);
	answer_done(&a);
	struct http_request bad = {.url = "ftp://x/"};
	assert_int_equal(http_call_start(client, &bad, &answer_ops, &a, NULL, &err), RC_INVALID);
	struct http_header field = {STR_INIT("x"), STR_INIT("a\r\nb: c")};
	bad = (struct http_request){
		.url = url(WAY_TLS2, "/"), .headers = &field, .header_count = 1};
	assert_int_equal(http_call_start(client, &bad, &answer_ops, &a, NULL, &err), RC_INVALID);
	http_client_free(client);
	http_client_free(stranger);
	server_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_in_every_way),
		cmocka_unit_test(test_streams_in_every_way),
		cmocka_unit_test(test_watch_ends_with_connection),
		cmocka_unit_test(test_raw_requests),
		cmocka_unit_test(test_bytes_one_by_one),
		cmocka_unit_test(test_half_close_still_gets_reply),
		cmocka_unit_test(test_long_heads_are_refused),
		cmocka_unit_test(test_slow_clients_are_cut),
		cmocka_unit_test(test_too_many_connections_wait),
		cmocka_unit_test(test_upgrade_gives_the_connection),
		cmocka_unit_test(test_held_exchange_outlives_the_upgrade),
		cmocka_unit_test(test_stop_waits_for_replies),
		cmocka_unit_test(test_grace_ends),
		cmocka_unit_test(test_port_taken),
		cmocka_unit_test(test_http2_abuse_is_cut),
		cmocka_unit_test(test_http2_streams_are_limited),
		cmocka_unit_test(test_adopted_streams_are_served),
		cmocka_unit_test(test_client_errors),
	};
	return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
