/* dial, websocket, channels: upgrades seen from both sides. */
#include "http/channels.h"
#include "http/dial.h"
#include "http_harness.h"

#define EXEC_CHANNELS                                                                              \
	(CHANNEL_BIT(CHANNEL_STDIN) | CHANNEL_BIT(CHANNEL_STDOUT) | CHANNEL_BIT(CHANNEL_RESIZE))

static struct http_server *server;
static struct channels *channels;
static struct buf heard; /* what the server's side was told */
static bool is_client_gone;

/* --- the server: /exec speaks channels, /echo echoes, /no refuses, /late never answers --- */

static void channel_data(struct channels *ch, enum channel channel, struct str bytes, void *user)
{
	buf_printf(&heard, "[%d %.*s]", channel, STR_FMT(bytes));
	if (channel == CHANNEL_STDIN)
		channels_send(ch, CHANNEL_STDOUT, bytes);
}

static void channel_end(struct channels *ch, enum channel channel, void *user)
{
	buf_printf(&heard, "[%d ended]", channel);
}

static void channels_gone(struct channels *ch, void *user)
{
	is_client_gone = true;
	channels_close(TAKE_PTR(channels));
}

static void channels_ready(struct channels *ch, void *user)
{
	buf_add_cstr(&heard, "[ready]");
}

static const struct channels_ops channel_ops = {channels_ready, channel_data, channel_end, NULL,
						channels_gone};

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

static void request_on(struct http_exchange *x, void *ctx)
{
	static const struct http_header headers[] = {{STR_INIT("upgrade"), STR_INIT("echo")}};
	struct err err = {};
	struct stream *s;
	enum rc rc = RC_FORBIDDEN;
	err_set(&err, rc, "you may not");
	if (str_is(http_path(x), "/exec"))
		rc = channels_accept(x, EXEC_CHANNELS, &channel_ops, NULL, &channels, &err);
	else if (str_is(http_path(x), "/echo"))
		rc = http_upgrade(x, headers, 1, &echo_ops, NULL, &s, &err);
	if (rc != RC_OK)
		http_reply_text(x, rc_status(rc), "text/plain", str_of(err.text));
}

static const struct http_handler handler = {.on_request = request_on};

static int setup(void **state)
{
	struct err err = {};
	struct http_server_config config = {.address = "127.0.0.1"};
	harness_setup(state);
	config.tls = harness_tls();
	heard = (struct buf)BUF_INIT(1 << 20);
	enum rc rc = http_server_new(loop, &config, &handler, NULL, &server, &err);
	tls_unref(config.tls);
	return rc == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
	http_server_free(server);
	buf_done(&heard);
	return harness_teardown(state);
}

/* --- the client: dial --- */

struct end {
	struct stream *stream;
	struct buf in, reply;
	int status;
	enum rc rc;
	bool is_done, has_ended;
};

static void client_data(struct stream *s, struct str bytes, void *user)
{
	buf_add_str(&((struct end *)user)->in, bytes);
}

static void client_end(struct stream *s, void *user)
{
	((struct end *)user)->has_ended = true;
}

static const struct stream_ops client_ops = {.on_data = client_data, .on_end = client_end};

static void upgraded_on(const struct dial_reply *reply, void *ctx)
{
	struct end *e = ctx;
	e->is_done = true;
	e->status = reply->status;
	e->stream = reply->stream;
	e->rc = reply->err ? reply->err->rc : RC_OK;
	buf_add_str(&e->reply, reply->body);
	if (!e->stream)
		return;
	stream_set(e->stream, &client_ops, e);
	stream_resume(e->stream);
}

static struct tls_context *client_tls(void)
{
	struct tls_context *context;
	struct err err = {};
	struct tls_client_opts opts = {.ca_pem = authority.cert_pem};
	assert_int_equal(tls_client_new(&opts, &context, &err), RC_OK);
	return context;
}

static struct end dial_for(const char *target, const struct http_header *headers, size_t count)
{
	struct end e = {.in = BUF_INIT(1 << 20), .reply = BUF_INIT(1 << 20)};
	struct tls_context *tls = client_tls();
	struct dial_opts opts = {.host = "127.0.0.1", .port = http_server_port(server), .tls = tls};
	struct dial_request request = {.method = STR("GET"),
				       .target = str_of(target),
				       .host_header = STR("x"),
				       .headers = headers,
				       .header_count = count};
	dial_upgrade(loop, &opts, &request, upgraded_on, &e);
	WAIT_FOR(e.is_done);
	tls_unref(tls);
	return e;
}

/* The stream's owner is a local: it must be told where it is now. */
static void end_settle(struct end *e)
{
	stream_set(e->stream, &client_ops, e);
}

static void end_done(struct end *e)
{
	stream_close(e->stream);
	buf_done(&e->in);
	buf_done(&e->reply);
	loop_run_once(loop, 0);
}

static void test_upgrade_both_ways(void **state)
{
	static const struct http_header headers[] = {{STR_INIT("upgrade"), STR_INIT("echo")}};
	struct end e = dial_for("/echo", headers, 1);
	assert_int_equal(e.status, 101);
	end_settle(&e);
	stream_write(e.stream, STR("hello"));
	WAIT_FOR(e.in.len == 5);
	/* Much, so that queues fill on both sides. */
	CLEANUP_BUF big = BUF_INIT(4 << 20);
	while (big.len < (3 << 20) / 4)
		buf_add_cstr(&big, "0123456789abcdef");
	e.in.max_bytes = 4 << 20;
	stream_write(e.stream, buf_str(&big));
	WAIT_FOR(e.in.len == 5 + big.len);
	assert_memory_equal(e.in.data + 5, big.data, big.len);
	stream_end(e.stream);
	WAIT_FOR(e.has_ended);
	end_done(&e);
}

static void test_anything_but_101_is_a_reply(void **state)
{
	static const struct http_header headers[] = {{STR_INIT("upgrade"), STR_INIT("echo")}};
	struct end e = dial_for("/no", headers, 1);
	assert_int_equal(e.status, 403);
	assert_null(e.stream);
	assert_true(str_is(buf_str(&e.reply), "you may not"));
	end_done(&e);
	e = dial_for("/echo", NULL, 0); /* without "upgrade" */
	assert_int_equal(e.status, 400);
	assert_null(e.stream);
	end_done(&e);
	e = dial_for("/bad target", headers, 1);
	assert_int_equal(e.rc, RC_BAD_REQUEST);
	end_done(&e);
}

static void dialled_on(struct stream *s, const struct err *err, void *ctx)
{
	struct end *e = ctx;
	e->is_done = true;
	e->stream = s;
	e->rc = err ? err->rc : RC_OK;
}

static void test_dial_errors(void **state)
{
	static const struct {
		const char *host;
		bool is_plain, has_wrong_name;
		enum rc rc;
	} rows[] = {
		{"127.0.0.1", false, false, RC_OK},
		{"localhost", false, false, RC_OK},
		{"127.0.0.1", false, true, RC_UNAUTHORIZED},
		{"127.0.0.2", false, true, RC_UNAUTHORIZED},
		{"no.such.host.invalid", false, false, RC_UNAVAILABLE},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct end e = {};
		struct tls_context *tls = client_tls();
		struct dial_opts opts = {.host = rows[i].host,
					 .port = http_server_port(server),
					 .tls = tls,
					 .server_name = rows[i].has_wrong_name ? "other" : NULL};
		if (strcmp(rows[i].host, "127.0.0.2") == 0)
			opts.host = "127.0.0.1";
		dial_start(loop, &opts, dialled_on, &e);
		WAIT_FOR(e.is_done);
		if (e.rc != rows[i].rc)
			fail_msg("row %zu: %d", i, e.rc);
		tls_unref(tls);
		end_done(&e);
	}
	struct end e = {};
	struct dial_opts opts = {.host = "127.0.0.1", .port = 1};
	dial_start(loop, &opts, dialled_on, &e);
	WAIT_FOR(e.is_done);
	assert_int_equal(e.rc, RC_UNAVAILABLE);
	/* A silent peer. */
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(any);
	bind(fd, (struct sockaddr *)&any, len);
	listen(fd, 1);
	getsockname(fd, (struct sockaddr *)&any, &len);
	struct tls_context *tls = client_tls();
	opts = (struct dial_opts){
		.host = "127.0.0.1", .port = ntohs(any.sin_port), .tls = tls, .timeout_ms = 50};
	e = (struct end){};
	dial_start(loop, &opts, dialled_on, &e);
	WAIT_FOR(e.is_done);
	assert_int_equal(e.rc, RC_TIMEOUT);
	dial_cancel(dial_start(loop, &opts, dialled_on, &e));
	loop_run_once(loop, 20);
	tls_unref(tls);
	close(fd);
}

/* --- channels --- */

static struct end exec_open(const char *protocols)
{
	struct http_header headers[] = {
		{STR("upgrade"), STR("websocket")},
		{STR("sec-websocket-version"), STR("13")},
		{STR("sec-websocket-key"), STR("dGhlIHNhbXBsZSBub25jZQ==")},
		{STR("sec-websocket-protocol"), str_of(protocols)},
	};
	buf_reset(&heard);
	return dial_for("/exec", headers, protocols ? 4 : 3);
}

/* A client's frame: masked (with zeros, so the bytes show). */
static void frame_send(struct end *e, int opcode, struct str bytes)
{
	char head[8] = {(char)(0x80 | opcode), (char)(0x80 | bytes.len)};
	size_t len = 6;
	if (bytes.len >= 126) {
		head[1] = (char)(0x80 | 126);
		head[2] = (char)(bytes.len >> 8);
		head[3] = (char)bytes.len;
		len = 8;
	}
	stream_write(e->stream, str_n(head, len));
	stream_write(e->stream, bytes);
}

static void test_channels_by_protocol(void **state)
{
	static const struct {
		const char *offered;
		struct str in, out;
		const char *heard;
		int opcode;
		bool has_status;
	} rows[] = {
		{"v5.channel.k8s.io", STR_INIT("\0ab"),
		 STR_INIT("\x82\x01\x01\x82\x03\x01"
			  "ab"),
		 "[ready][0 ab]", 2, true},
		{"x, v4.channel.k8s.io", STR_INIT("\0ab"),
		 STR_INIT("\x82\x01\x01\x82\x03\x01"
			  "ab"),
		 "[ready][0 ab]", 2, true},
		{"base64.channel.k8s.io", STR_INIT("0YWI="),
		 STR_INIT("\x81\x01\x31\x81\x05"
			  "1YWI="),
		 "[ready][0 ab]", 1, false},
		{NULL, STR_INIT("\0ab"),
		 STR_INIT("\x82\x01\x01\x82\x03\x01"
			  "ab"),
		 "[ready][0 ab]", 2, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct end e = exec_open(rows[i].offered);
		assert_int_equal(e.status, 101);
		end_settle(&e);
		assert_int_equal(channels_has_status(channels), rows[i].has_status);
		frame_send(&e, rows[i].opcode, rows[i].in);
		WAIT_FOR(e.in.len >= rows[i].out.len);
		assert_string_equal(heard.data, rows[i].heard);
		assert_true(str_eq(buf_str(&e.in), rows[i].out));
		channels_close(TAKE_PTR(channels));
		WAIT_FOR(e.has_ended);
		assert_int_equal((unsigned char)e.in.data[rows[i].out.len], 0x88);
		end_done(&e);
	}
	struct end e = exec_open("nonsense");
	assert_int_equal(e.status, 400);
	end_done(&e);
}

static void test_channels_half_close_and_resize(void **state)
{
	struct end e = exec_open("v5.channel.k8s.io");
	end_settle(&e);
	frame_send(&e, 2, STR("\x04{\"Width\":80}"));
	frame_send(&e, 2, STR("\x01not for clients"));
	frame_send(&e, 2, STR("\xff\x00"));
	WAIT_FOR(heard.len > 0 && strstr(heard.data, "[0 ended]"));
	assert_string_equal(heard.data, "[ready][4 {\"Width\":80}][0 ended]");
	/* A ping is answered with its bytes. */
	frame_send(&e, 9, STR("beat"));
	WAIT_FOR(e.in.len == 9);
	assert_memory_equal(e.in.data + 3,
			    "\x8a\x04"
			    "beat",
			    6);
	/* The client says goodbye. */
	is_client_gone = false;
	frame_send(&e, 8, STR("\x03\xe8"));
	WAIT_FOR(is_client_gone && e.has_ended);
	end_done(&e);
}

static void test_channels_survive_bad_frames(void **state)
{
	static const struct str frames[] = {
		STR_INIT("\x82\x03"
			 "abc"),			       /* not masked */
		STR_INIT("\xf2\x80\0\0\0\0"),		       /* reserved bits */
		STR_INIT("\x8f\x80\0\0\0\0"),		       /* unknown opcode */
		STR_INIT("\x82\xff\0\0\1\0\0\0\0\0\0\0\0\0x"), /* a terabyte */
	};
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		struct end e = exec_open("v5.channel.k8s.io");
		end_settle(&e);
		is_client_gone = false;
		stream_write(e.stream, frames[i]);
		WAIT_FOR(is_client_gone && e.has_ended);
		end_done(&e);
	}
	/* Gone without a word. */
	struct end e = exec_open("v5.channel.k8s.io");
	is_client_gone = false;
	end_done(&e);
	WAIT_FOR(is_client_gone);
}

static void test_long_messages(void **state)
{
	struct end e = exec_open("v5.channel.k8s.io");
	end_settle(&e);
	static char bytes[40000];
	memset(bytes, 'y', sizeof(bytes));
	bytes[0] = 0;
	frame_send(&e, 2, str_n(bytes, sizeof(bytes)));
	WAIT_FOR(e.in.len >= sizeof(bytes) + 7);
	buf_consume(&e.in, 3); /* the greeting */
	assert_int_equal((unsigned char)e.in.data[1], 126);
	assert_int_equal(((unsigned char)e.in.data[2] << 8) | (unsigned char)e.in.data[3],
			 sizeof(bytes));
	assert_int_equal(e.in.data[4], CHANNEL_STDOUT);
	assert_int_equal(e.in.data[sizeof(bytes) + 3], 'y');
	channels_close(TAKE_PTR(channels));
	end_done(&e);
}

/* --- splice --- */

static bool is_spliced;

static void spliced_on(void *ctx)
{
	is_spliced = true;
}

static void test_splice(void **state)
{
	int left[2], right[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, left), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, right), 0);
	struct stream *a = stream_new(loop, left[1], NULL, NULL, NULL, NULL);
	struct stream *b = stream_new(loop, right[1], NULL, NULL, NULL, NULL);
	stream_splice(a, b, spliced_on, NULL);
	CLEANUP_BUF got = BUF_INIT(1 << 20);
	raw_send(left[0], STR("to the right"));
	WAIT_FOR(raw_read(right[0], &got) && got.len == 12);
	raw_send(right[0], STR("back"));
	WAIT_FOR(raw_read(left[0], &got) && got.len == 16);
	shutdown(left[0], SHUT_WR);
	WAIT_FOR(!raw_read(right[0], &got));
	raw_send(right[0], STR("!")); /* the other direction still works */
	WAIT_FOR(raw_read(left[0], &got) && got.len == 17);
	close(right[0]);
	WAIT_FOR(is_spliced);
	close(left[0]);
	loop_run_once(loop, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_upgrade_both_ways),
		cmocka_unit_test(test_anything_but_101_is_a_reply),
		cmocka_unit_test(test_dial_errors),
		cmocka_unit_test(test_channels_by_protocol),
		cmocka_unit_test(test_channels_half_close_and_resize),
		cmocka_unit_test(test_channels_survive_bad_frames),
		cmocka_unit_test(test_long_messages),
		cmocka_unit_test(test_splice),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
