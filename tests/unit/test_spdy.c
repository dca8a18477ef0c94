/* spdy: the format, sessions on a connection and in a WebSocket, exec's channels over SPDY. */
#include "http/channels.h"
#include "http/dial.h"
#include "http/spdy.h"
#include "http/spdy_headers.h"
#include "http/websocket.h"
#include "http_harness.h"

#define TUNNEL "SPDY/3.1+portforward.k8s.io"

static struct http_server *server;
static struct spdy *session;
static struct channels *channels;
static struct buf heard;
static int gone_count;

/* --- the server: /forward echoes in upper case per stream, /exec has channels --- */

static void stream_on(struct spdy_stream *stream, void *user)
{
	buf_printf(&heard, "[%u opened %.*s]", spdy_stream_id(stream),
		   STR_FMT(spdy_stream_header(stream, "port")));
	if (str_is(spdy_stream_header(stream, "port"), "refused"))
		spdy_stream_reset(stream);
}

static void data_on(struct spdy_stream *stream, struct str bytes, void *user)
{
	spdy_stream_write(stream, bytes);
}

static void end_on(struct spdy_stream *stream, void *user)
{
	buf_printf(&heard, "[%u ended]", spdy_stream_id(stream));
	spdy_stream_end(stream);
}

static void gone_on(struct spdy_stream *stream, void *user)
{
	gone_count++;
}

static void closed_on(struct spdy *s, void *user)
{
	buf_add_cstr(&heard, "[closed]");
	spdy_close(TAKE_PTR(session));
}

static const struct spdy_ops forward_ops = {stream_on, data_on, end_on, gone_on, NULL, closed_on};

static void ready_on(struct channels *ch, void *user)
{
	buf_add_cstr(&heard, "[ready]");
}

static void channel_data(struct channels *ch, enum channel channel, struct str bytes, void *user)
{
	buf_printf(&heard, "[%d %.*s]", channel, STR_FMT(bytes));
	channels_send(ch, CHANNEL_STDOUT, bytes);
}

static void channel_end(struct channels *ch, enum channel channel, void *user)
{
	channels_send(ch, CHANNEL_ERROR, STR("{}"));
	channels_close(TAKE_PTR(channels));
}

static void channels_gone(struct channels *ch, void *user)
{
	channels_close(TAKE_PTR(channels));
}

static const struct channels_ops channel_ops = {ready_on, channel_data, channel_end, NULL,
						channels_gone};

static void request_on(struct http_exchange *x, void *ctx)
{
	static const char *const protocols[] = {"portforward.k8s.io", NULL};
	const char *chosen;
	struct err err = {};
	enum rc rc;
	if (str_is(http_path(x), "/exec"))
		rc = channels_accept(x, CHANNEL_BIT(CHANNEL_STDIN) | CHANNEL_BIT(CHANNEL_STDOUT),
				     &channel_ops, NULL, &channels, &err);
	else if (websocket_is_asked(x))
		rc = spdy_accept_tunnel(x, TUNNEL, &forward_ops, NULL, &session, &err);
	else
		rc = spdy_accept(x, protocols, &forward_ops, NULL, &chosen, &session, &err);
	if (rc != RC_OK)
		http_reply_text(x, rc_status(rc), "text/plain", str_of(err.text));
}

static const struct http_handler handler = {.on_request = request_on};

static int setup(void **state)
{
	struct err err = {};
	struct http_server_config config = {.address = "127.0.0.1"};
	harness_setup(state);
	heard = (struct buf)BUF_INIT(1 << 20);
	return http_server_new(loop, &config, &handler, NULL, &server, &err) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
	http_server_free(server);
	buf_done(&heard);
	return harness_teardown(state);
}

/* --- a client of frames --- */

struct client {
	int fd;
	struct buf in;
	struct spdy_headers headers;
};

static void client_open(struct client *c, const char *target, const char *fields)
{
	*c = (struct client){.fd = raw_connect(http_server_port(server)), .in = BUF_INIT(4 << 20)};
	spdy_headers_init(&c->headers);
	buf_reset(&heard);
	gone_count = 0;
	CLEANUP_ARENA a = {};
	raw_send(c->fd, arena_printf(&a,
				     "POST %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
				     "%s\r\n",
				     target, fields));
	WAIT_FOR(raw_read(c->fd, &c->in) && c->in.len > 0 && strstr(c->in.data, "\r\n\r\n"));
}

static void client_close(struct client *c)
{
	close(c->fd);
	spdy_headers_done(&c->headers);
	buf_done(&c->in);
	for (int i = 0; i < 5; i++)
		loop_run_once(loop, 5);
}

static void frame_send(struct client *c, uint32_t first, uint8_t flags, struct str payload)
{
	struct spdy_head head = spdy_head(first, flags, payload.len);
	raw_send(c->fd, str_n(head.bytes, sizeof(head.bytes)));
	raw_send(c->fd, payload);
}

static void stream_open(struct client *c, uint32_t id, const char *name, const char *value)
{
	CLEANUP_BUF out = BUF_INIT(1 << 16);
	const char ids[10] = {0, 0, 0, (char)id};
	struct http_header header = {str_of(name), str_of(value)};
	buf_add(&out, ids, sizeof(ids));
	spdy_headers_write(&c->headers, &header, 1, &out);
	frame_send(c, 0x80030001u, 0, buf_str(&out));
}

/* Waits for the next frame; drops it from the input. */
static uint32_t frame_next(struct client *c, uint8_t *ret_flags, struct str *ret_payload)
{
	static char payload[1 << 20];
	size_t len;
	WAIT_FOR((raw_read(c->fd, &c->in) || true) && c->in.len >= 8);
	len = ((size_t)(unsigned char)c->in.data[5] << 16) |
	      ((size_t)(unsigned char)c->in.data[6] << 8) | (unsigned char)c->in.data[7];
	WAIT_FOR((raw_read(c->fd, &c->in) || true) && c->in.len >= 8 + len);
	uint32_t first = ((uint32_t)(unsigned char)c->in.data[0] << 24) |
			 ((uint32_t)(unsigned char)c->in.data[1] << 16) |
			 ((uint32_t)(unsigned char)c->in.data[2] << 8) |
			 (unsigned char)c->in.data[3];
	*ret_flags = (uint8_t)c->in.data[4];
	memcpy(payload, c->in.data + 8, len);
	*ret_payload = str_n(payload, len);
	buf_consume(&c->in, 8 + len);
	return first;
}

static void expect_frame(struct client *c, uint32_t first, uint8_t flags, const char *text)
{
	uint8_t got_flags;
	struct str got;
	assert_int_equal(frame_next(c, &got_flags, &got), first);
	assert_int_equal(got_flags, flags);
	if (text)
		assert_true(str_is(got, text));
}

static void head_drop(struct client *c, const char *want)
{
	assert_non_null(strstr(c->in.data, want));
	buf_consume(&c->in, (size_t)(strstr(c->in.data, "\r\n\r\n") - c->in.data) + 4);
}

#define SYN_REPLY 0x80030002u
#define RST	  0x80030003u
#define PING	  0x80030006u
#define GOAWAY	  0x80030007u

/* --- the format --- */

static void test_dictionary(void **state)
{
	unsigned char bytes[SPDY_DICTIONARY_BYTES];
	spdy_dictionary_make(bytes);
	assert_int_equal(adler32(1, bytes, sizeof(bytes)), SPDY_DICTIONARY_ADLER32);
}

static void test_headers_there_and_back(void **state)
{
	CLEANUP_ARENA a = {};
	struct spdy_headers h;
	struct err err = {};
	const struct http_header in[] = {{STR_INIT("streamType"), STR_INIT("data")},
					 {STR_INIT("port"), STR_INIT("80")}};
	const struct http_header *out;
	size_t count;
	spdy_headers_init(&h);
	for (int i = 0; i < 50; i++) { /* the state is carried from block to block */
		CLEANUP_BUF block = BUF_INIT(1 << 16);
		spdy_headers_write(&h, in, 2, &block);
		assert_int_equal(spdy_headers_read(&h, buf_str(&block), &a, &out, &count, &err),
				 RC_OK);
		assert_int_equal(count, 2);
		assert_true(str_is(out[0].name, "streamtype"));
		assert_true(str_is(out[1].value, "80"));
	}
	assert_int_equal(spdy_headers_read(&h, STR("nonsense"), &a, &out, &count, &err),
			 RC_BAD_REQUEST);
	spdy_headers_done(&h);
}

static void test_header_bombs(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF block = BUF_INIT(1 << 20), plain = BUF_INIT(1 << 20);
	struct spdy_headers h;
	struct err err = {};
	const struct http_header *out;
	size_t count;
	spdy_headers_init(&h);
	while (plain.len < 200000)
		buf_add_cstr(&plain, "aaaaaaaaaaaaaaaa");
	z_stream *z = &h.deflater;
	z->next_in = (unsigned char *)plain.data;
	z->avail_in = (unsigned)plain.len;
	z->next_out = (unsigned char *)buf_reserve(&block, 60000);
	z->avail_out = 60000;
	deflate(z, Z_SYNC_FLUSH);
	buf_grew(&block, 60000 - z->avail_out);
	assert_int_equal(spdy_headers_read(&h, buf_str(&block), &a, &out, &count, &err),
			 RC_TOO_LARGE);
	spdy_headers_done(&h);
}

/* --- sessions --- */

static void talk(struct client *c)
{
	stream_open(c, 1, "port", "80");
	expect_frame(c, SYN_REPLY, 0, NULL);
	stream_open(c, 3, "port", "refused");
	expect_frame(c, SYN_REPLY, 0, NULL);
	expect_frame(c, RST, 0, NULL);
	frame_send(c, 1, 0, STR("hello"));
	expect_frame(c, 1, 0, "hello");
	frame_send(c, PING, 0, STR("\0\0\0\7"));
	expect_frame(c, PING, 0, NULL);
	frame_send(c, 1, 1, STR("bye"));
	expect_frame(c, 1, 0, "bye");
	expect_frame(c, 1, 1, "");
	WAIT_FOR(gone_count == 2);
	assert_string_equal(heard.data, "[1 opened 80][3 opened refused][1 ended]");
}

static void test_session_on_a_connection(void **state)
{
	struct client c;
	client_open(&c, "/forward",
		    "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n");
	head_drop(&c, "X-Stream-Protocol-Version: portforward.k8s.io\r\n");
	talk(&c);
	spdy_close(TAKE_PTR(session));
	expect_frame(&c, GOAWAY, 0, NULL);
	WAIT_FOR(!raw_read(c.fd, &c.in));
	client_close(&c);
}

static void test_client_leaves(void **state)
{
	struct client c;
	client_open(&c, "/forward", "Upgrade: SPDY/3.1\r\n");
	head_drop(&c, "101");
	stream_open(&c, 1, "port", "80");
	expect_frame(&c, SYN_REPLY, 0, NULL);
	client_close(&c);
	WAIT_FOR(!session);
	assert_int_equal(gone_count, 1);
}

static void test_refused_upgrades(void **state)
{
	struct client c;
	client_open(&c, "/forward",
		    "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: "
		    "a\r\nX-Stream-Protocol-Version: b\r\n");
	assert_non_null(strstr(c.in.data, "403 Forbidden"));
	assert_non_null(strstr(c.in.data,
			       "unable to negotiate protocol: client supports [a b], server "
			       "accepts [portforward.k8s.io]"));
	client_close(&c);
	client_open(&c, "/forward", "Upgrade: other\r\n");
	assert_non_null(strstr(c.in.data, "400 Bad Request"));
	client_close(&c);
}

static void test_malformed_frames(void **state)
{
	static const struct {
		uint32_t first;
		struct str payload;
	} rows[] = {
		{0x80020001u, STR_INIT("0123456789")},		  /* version 2 */
		{0x80030001u, STR_INIT("0123")},		  /* cut off */
		{0x80030001u, STR_INIT("\0\0\0\2\0\0\0\0\0\0x")}, /* no compression */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client c;
		client_open(&c, "/forward", "Upgrade: SPDY/3.1\r\n");
		head_drop(&c, "101");
		frame_send(&c, rows[i].first, 0, rows[i].payload);
		WAIT_FOR(!session);
		expect_frame(&c, GOAWAY, 0, NULL);
		client_close(&c);
	}
	struct client c;
	client_open(&c, "/forward", "Upgrade: SPDY/3.1\r\n");
	head_drop(&c, "101");
	stream_open(&c, 5, "port", "1");
	stream_open(&c, 3, "port", "1"); /* backwards */
	WAIT_FOR(!session);
	client_close(&c);
}

static void test_large_data(void **state)
{
	static char bytes[300000];
	struct client c;
	size_t got_bytes = 0;
	uint8_t flags = 0;
	struct str got;
	client_open(&c, "/forward", "Upgrade: SPDY/3.1\r\n");
	head_drop(&c, "101");
	stream_open(&c, 1, "port", "80");
	expect_frame(&c, SYN_REPLY, 0, NULL);
	frame_send(&c, 1, 1, str_n(bytes, sizeof(bytes)));
	while (!(flags & 1)) {
		assert_int_equal(frame_next(&c, &flags, &got), 1);
		got_bytes += got.len;
	}
	assert_int_equal(got_bytes, sizeof(bytes));
	client_close(&c);
}

/* --- exec --- */

static void test_exec_over_spdy(void **state)
{
	struct client c;
	client_open(&c, "/exec",
		    "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v5.channel.k8s.io\r\n"
		    "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
		    "X-Stream-Protocol-Version: channel.k8s.io\r\n");
	head_drop(&c, "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n");
	assert_true(channels_has_status(channels));
	stream_open(&c, 1, "streamType", "error");
	stream_open(&c, 3, "streamType", "stdin");
	for (int i = 0; i < 2; i++)
		expect_frame(&c, SYN_REPLY, 0, NULL);
	assert_int_equal(heard.len, 0);
	stream_open(&c, 5, "streamType", "stdout");
	expect_frame(&c, SYN_REPLY, 0, NULL);
	WAIT_FOR(heard.len > 0);
	frame_send(&c, 3, 0, STR("ls"));
	expect_frame(&c, 5, 0, "ls");
	assert_string_equal(heard.data, "[ready][0 ls]");
	frame_send(&c, 3, 1, STR(""));
	expect_frame(&c, 1, 0, "{}");
	for (int i = 0; i < 3; i++) {
		uint8_t flags;
		struct str payload;
		frame_next(&c, &flags, &payload);
		assert_int_equal(flags, 1);
	}
	expect_frame(&c, GOAWAY, 0, NULL);
	WAIT_FOR(!raw_read(c.fd, &c.in));
	assert_null(channels);
	client_close(&c);
}

/* --- inside a WebSocket --- */

static void masked_send(struct client *c, struct str bytes)
{
	char head[6] = {(char)0x82, (char)(0x80 | bytes.len)};
	assert_true(bytes.len < 126);
	raw_send(c->fd, str_n(head, 6));
	raw_send(c->fd, bytes);
}

static void test_session_in_a_tunnel(void **state)
{
	struct client c;
	CLEANUP_BUF frame = BUF_INIT(1 << 16);
	client_open(&c, "/forward", "");
	client_close(&c);
	c = (struct client){.fd = raw_connect(http_server_port(server)), .in = BUF_INIT(1 << 20)};
	spdy_headers_init(&c.headers);
	buf_reset(&heard);
	raw_send(c.fd,
		 STR("GET /forward HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
		     "websocket\r\n"
		     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		     "Sec-WebSocket-Protocol: " TUNNEL "\r\n\r\n"));
	WAIT_FOR(raw_read(c.fd, &c.in) && c.in.len > 0 && strstr(c.in.data, "\r\n\r\n"));
	head_drop(&c, "Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
	const char head[] = "\x80\x03\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0";
	struct http_header header = {STR_INIT("port"), STR_INIT("80")};
	buf_add(&frame, head, 18);
	spdy_headers_write(&c.headers, &header, 1, &frame);
	frame.data[7] = (char)(frame.len - 8);
	masked_send(&c, str_n(frame.data, 5)); /* frames need not fit messages */
	masked_send(&c, str_skip(buf_str(&frame), 5));
	masked_send(&c, STR("\0\0\0\1\1\0\0\2hi"));
	WAIT_FOR(raw_read(c.fd, &c.in) && c.in.len > 0 && memmem(c.in.data, c.in.len, "hi", 2));
	WAIT_FOR(strstr(heard.data, "[1 opened 80][1 ended]"));
	spdy_close(TAKE_PTR(session));
	WAIT_FOR(!raw_read(c.fd, &c.in));
	client_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dictionary),
		cmocka_unit_test(test_headers_there_and_back),
		cmocka_unit_test(test_header_bombs),
		cmocka_unit_test(test_session_on_a_connection),
		cmocka_unit_test(test_client_leaves),
		cmocka_unit_test(test_refused_upgrades),
		cmocka_unit_test(test_malformed_frames),
		cmocka_unit_test(test_large_data),
		cmocka_unit_test(test_exec_over_spdy),
		cmocka_unit_test(test_session_in_a_tunnel),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
