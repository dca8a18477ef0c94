/* kubelet_server: exec and attach over a WebSocket, port-forward, the end of the server under them.
 */
#include <fcntl.h>

#include "http/dial.h"
#include "http/spdy_headers.h"
#include "kubelet_bench.h"

/* ---- a command that the test plays ---- */

struct played {
	struct runtime_exec exec;
	struct runtime_exec_config config;
	int stdin_fd, stdout_fd, stderr_fd; /* the command's ends */
	uint16_t columns, rows;
	bool is_running, is_killed;
	enum rc refusal;
	int attach_fd;
};
static struct played played;
static struct runtime_ops test_ops; /* the fake's, with commands that the test plays */

static int pipe_of(int *ret_theirs, bool they_read)
{
	int fds[2];
	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	*ret_theirs = fds[they_read ? 0 : 1];
	return fds[they_read ? 1 : 0];
}

static void play_exec(struct runtime *r, const struct runtime_exec_config *config,
		      struct runtime_exec **ret_exec, struct runtime_call *call)
{
	enum rc refusal = played.refusal;
	played = (struct played){.config = *config, .is_running = refusal == RC_OK};
	played.exec = (struct runtime_exec){.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	if (refusal != RC_OK) {
		runtime_call_finish(r->loop, call, err_set(&call->err, refusal, "no such program"));
		return;
	}
	if (config->has_stdin)
		played.exec.stdin_fd = pipe_of(&played.stdin_fd, true);
	if (config->has_stdout)
		played.exec.stdout_fd = pipe_of(&played.stdout_fd, false);
	if (config->has_stderr)
		played.exec.stderr_fd = pipe_of(&played.stderr_fd, false);
	*ret_exec = &played.exec;
	runtime_call_finish(r->loop, call, RC_OK);
}

static void play_resize(struct runtime_exec *exec, uint16_t columns, uint16_t rows)
{
	assert_true(exec->stdout_fd >= 0); /* the terminal */
	played.columns = columns;
	played.rows = rows;
}

static void play_free(struct runtime_exec *exec)
{
	played.is_killed = played.is_running;
	played.is_running = false;
	int *fds[] = {&played.stdin_fd, &played.stdout_fd, &played.stderr_fd};
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (*fds[i] > 0)
			close(TAKE_FD(*fds[i]));
}

static void play_attach(struct runtime *r, struct str id, int *ret_fd, struct runtime_call *call)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	*ret_fd = fds[0];
	played = (struct played){.attach_fd = fds[1], .is_running = true};
	runtime_call_finish(r->loop, call, RC_OK);
}

static void play_attach_resize(struct runtime *r, struct str id, uint16_t columns, uint16_t rows)
{
	played.columns = columns;
	played.rows = rows;
}

static void play_exit(int exit_code)
{
	played.exec.exit_code = exit_code;
	played.is_running = false;
	played.exec.exited(&played.exec);
}

static int setup(void **state)
{
	int failed = kubelet_setup(state);
	if (failed)
		return failed;
	test_ops = *fake->ops;
	test_ops.exec = play_exec;
	test_ops.exec_resize = play_resize;
	test_ops.exec_free = play_free;
	test_ops.attach = play_attach;
	test_ops.attach_resize = play_attach_resize;
	fake->ops = &test_ops;
	return 0;
}

/* ---- exec ---- */

struct end {
	struct stream *stream;
	struct buf in, reply;
	int status;
	bool is_done, has_ended;
};

static void end_data(struct stream *s, struct str bytes, void *user)
{
	buf_add_str(&((struct end *)user)->in, bytes);
}

static void end_ended(struct stream *s, void *user)
{
	((struct end *)user)->has_ended = true;
}

static const struct stream_ops end_ops = {.on_data = end_data, .on_end = end_ended};

static void upgraded_on(const struct dial_reply *reply, void *ctx)
{
	struct end *e = ctx;
	e->is_done = true;
	e->status = reply->status;
	e->stream = reply->stream;
	buf_add_str(&e->reply, reply->body);
	if (!e->stream)
		return;
	stream_set(e->stream, &end_ops, e);
	stream_resume(e->stream);
}

static void end_open(struct end *e, const char *target, const struct http_header *headers,
		     size_t count)
{
	struct tls_context *tls;
	struct err err = {};
	struct tls_client_opts opts = {.ca_pem = authority.cert_pem,
				       .cert_pem = client_pair.cert_pem,
				       .key_pem = client_pair.key_pem};
	assert_int_equal(tls_client_new(&opts, &tls, &err), RC_OK);
	struct dial_opts dial = {
		.host = "127.0.0.1", .port = kubelet_server_port(server), .tls = tls};
	struct dial_request request = {.method = STR("GET"),
				       .target = str_of(target),
				       .host_header = STR("x"),
				       .headers = headers,
				       .header_count = count};
	*e = (struct end){.in = BUF_INIT(16 << 20), .reply = BUF_INIT(1 << 20)};
	dial_upgrade(loop, &dial, &request, upgraded_on, e);
	WAIT_FOR(e->is_done);
	tls_unref(tls);
}

static void end_close(struct end *e)
{
	stream_close(e->stream);
	buf_done(&e->in);
	buf_done(&e->reply);
	WAIT_FOR(list_is_empty(&server->sessions));
}

static void websocket_open(struct end *e, const char *target)
{
	const struct http_header headers[] = {
		{STR("upgrade"), STR("websocket")},
		{STR("sec-websocket-version"), STR("13")},
		{STR("sec-websocket-key"), STR("dGhlIHNhbXBsZSBub25jZQ==")},
		{STR("sec-websocket-protocol"), STR("v5.channel.k8s.io")},
	};
	end_open(e, target, headers, ARRAY_LEN(headers));
}

/* A client's frame: masked (with zeros, so the bytes show); at most 125 bytes. */
static void message_send(struct end *e, char channel, const char *text)
{
	CLEANUP_BUF out = BUF_INIT(256);
	const char head[] = {(char)0x82, (char)(0x80 | (1 + strlen(text))), 0, 0, 0, 0, channel};
	buf_add(&out, head, sizeof(head));
	buf_add_cstr(&out, text);
	stream_write(e->stream, buf_str(&out));
}

/* Everything that came on a channel, frames taken apart. */
static char *heard_on(const struct end *e, int channel)
{
	static char text[1 << 20];
	size_t len = 0, at = 0;
	while (at + 2 <= e->in.len) {
		const unsigned char *p = (const unsigned char *)e->in.data + at;
		size_t size = p[1], head = 2;
		if (size == 126) {
			size = (size_t)p[2] << 8 | p[3];
			head = 4;
		} else if (size == 127) {
			size = (size_t)p[7] << 16 | (size_t)p[8] << 8 | p[9];
			head = 10;
		}
		if (at + head + size > e->in.len)
			break;
		if (p[0] == 0x82 && size > 0 && p[head] == channel && len + size < sizeof(text)) {
			memcpy(text + len, p + head + 1, size - 1);
			len += size - 1;
		}
		at += head + size;
	}
	text[len] = '\0';
	return text;
}

#define EXEC "/exec/default/web/app?"

/* Adds to got what the command can read. */
static bool has_typed(char got[64], const char *wanted)
{
	size_t len = strlen(got);
	ssize_t more = read(played.stdin_fd, got + len, 63 - len);
	(void)more;
	return strcmp(got, wanted) == 0;
}

static void test_exec(void **state)
{
	char id[RUNTIME_ID_MAX], got[64] = {};
	struct end e;
	container_run(0, id);
	websocket_open(&e, EXEC "command=sh&command=-c&command=a%20b&input=1&output=1&error=1");
	assert_int_equal(e.status, 101);
	message_send(&e, 0, "early ");
	WAIT_FOR(played.is_running && played.exec.exited);
	assert_int_equal(played.config.argc, 3);
	assert_true(str_is(played.config.argv[2], "a b"));
	assert_true(str_is(played.config.container_id, id));
	message_send(&e, 0, "input");
	WAIT_FOR(has_typed(got, "early input"));
	assert_int_equal(write(played.stdout_fd, "out", 3), 3);
	assert_int_equal(write(played.stderr_fd, "bad", 3), 3);
	WAIT_FOR(strcmp(heard_on(&e, 1), "out") == 0);
	assert_int_equal(write(played.stdout_fd, " last", 5), 5);
	play_exit(3);
	WAIT_FOR(e.has_ended);
	assert_string_equal(heard_on(&e, 1), "out last");
	assert_string_equal(heard_on(&e, 2), "bad");
	assert_string_equal(
		heard_on(&e, 3),
		"{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with "
		"non-zero exit code: exit status 3\",\"reason\":\"NonZeroExitCode\",\"details\":"
		"{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"3\"}]}}");
	assert_false(played.is_killed);
	end_close(&e);
}

static void test_exec_end_of_input(void **state)
{
	struct end e;
	char byte;
	websocket_open(&e, EXEC "command=cat&input=1&output=1");
	WAIT_FOR(played.is_running && played.exec.exited);
	const char frame[] = {(char)0x82, (char)0x82, 0, 0, 0, 0, (char)255, 0};
	stream_write(e.stream, str_n(frame, sizeof(frame)));
	WAIT_FOR(read(played.stdin_fd, &byte, 1) == 0);
	play_exit(0);
	WAIT_FOR(e.has_ended);
	assert_string_equal(heard_on(&e, 3), "{\"metadata\":{},\"status\":\"Success\"}");
	end_close(&e);
}

static void test_exec_resize_and_leave(void **state)
{
	struct end e;
	websocket_open(&e, EXEC "command=sh&input=1&output=1&tty=1");
	message_send(&e, 4, "{\"Width\":70,\"Height\":20}"); /* before there is a command */
	WAIT_FOR(played.columns == 70 && played.rows == 20);
	WAIT_FOR(played.is_running && played.exec.exited);
	message_send(&e, 4, "{\"Width\":80,\"Height\":24}");
	WAIT_FOR(played.columns == 80 && played.rows == 24);
	stream_close(TAKE_PTR(e.stream));
	WAIT_FOR(played.is_killed);
	end_close(&e);
}

static void test_exec_much_output(void **state)
{
	struct end e;
	static char block[60000];
	size_t sent = 0;
	memset(block, 'x', sizeof(block));
	websocket_open(&e, EXEC "command=yes&output=1");
	WAIT_FOR(played.is_running && played.exec.exited);
	while (sent < 6 << 20) {
		ssize_t put = write(played.stdout_fd, block, sizeof(block));
		if (put > 0)
			sent += (size_t)put;
		loop_run_once(loop, 1);
	}
	play_exit(0);
	WAIT_FOR(e.has_ended);
	assert_true(e.in.len > sent && e.in.len < sent + sent / 100);
	end_close(&e);
}

static void test_exec_that_fails(void **state)
{
	struct end e;
	played.refusal = RC_INVALID;
	websocket_open(&e, EXEC "command=nothing&output=1");
	WAIT_FOR(e.has_ended);
	assert_non_null(strstr(heard_on(&e, 3), "\"message\":\"Internal error occurred: error "
						"executing command in container: no such "
						"program\""));
	assert_non_null(strstr(heard_on(&e, 3), "\"code\":500"));
	end_close(&e);
	played.refusal = RC_OK;
}

static void test_exec_refused(void **state)
{
	static const struct {
		const char *target;
		int status;
		const char *text;
	} rows[] = {
		{"/exec/default/web/app?command=a", 400,
		 "you must specify at least 1 of stdin, stdout, stderr"},
		{"/exec/default/web/app?output=1", 400, "you must specify at least 1 command"},
		{"/exec/default/web/no?command=a&output=1", 404, "container not found (\"no\")"},
		{"/exec/a/web/app?command=a&output=1", 404, "container not found (\"app\")"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct end e;
		websocket_open(&e, rows[i].target);
		if (e.status != rows[i].status ||
		    (rows[i].text && !str_is(buf_str(&e.reply), rows[i].text)))
			fail_msg("row %zu: %d %s", i, e.status, e.reply.data);
		end_close(&e);
	}
	expect("/exec/default/web/app?command=a&output=1", 400, NULL); /* no upgrade */
}

static void test_attach(void **state)
{
	struct end e;
	char got[16] = {};
	websocket_open(&e, "/attach/default/web/app?input=1&output=1&error=1");
	WAIT_FOR(played.is_running);
	message_send(&e, 0, "in");
	WAIT_FOR(read(played.attach_fd, got, sizeof(got)) == 2);
	assert_int_equal(write(played.attach_fd, "\2out", 4), 4);
	assert_int_equal(write(played.attach_fd, "\3err", 4), 4);
	WAIT_FOR(strcmp(heard_on(&e, 2), "err") == 0);
	assert_string_equal(heard_on(&e, 1), "out");
	close(played.attach_fd);
	WAIT_FOR(e.has_ended);
	assert_string_equal(heard_on(&e, 3), "{\"metadata\":{},\"status\":\"Success\"}");
	end_close(&e);
}

static void test_attach_resize(void **state)
{
	struct end e;
	websocket_open(&e, "/attach/default/web/app?input=1&output=1&tty=1");
	message_send(&e, 4, "{\"Width\":70,\"Height\":20}"); /* perhaps before it is attached */
	WAIT_FOR(played.columns == 70 && played.rows == 20);
	message_send(&e, 4, "{\"Width\":0,\"Height\":24}");
	message_send(&e, 4, "{\"Width\":80,\"Height\":24}");
	WAIT_FOR(played.columns == 80 && played.rows == 24);
	message_send(&e, 4, "{\"Width\":81,\"Height\":25}\n{\"Width\":90,\"Height\":30}\n{\"Wid");
	WAIT_FOR(played.columns == 90 && played.rows == 30);
	message_send(&e, 4, "th\":91,\"Height\":31}\n");
	WAIT_FOR(played.columns == 91 && played.rows == 31);
	close(played.attach_fd);
	WAIT_FOR(e.has_ended);
	end_close(&e);
}

/* ---- port-forward ---- */

static void spdy_frame(struct end *e, uint32_t first, uint8_t flags, struct str payload)
{
	struct spdy_head head = spdy_head(first, flags, payload.len);
	stream_write(e->stream, str_n(head.bytes, sizeof(head.bytes)));
	stream_write(e->stream, payload);
}

static void spdy_open(struct end *e, struct spdy_headers *h, uint32_t id, const char *type,
		      uint16_t port)
{
	CLEANUP_BUF out = BUF_INIT(1 << 16);
	char text[16];
	const char ids[10] = {0, 0, 0, (char)id};
	const struct http_header headers[] = {
		{STR("streamtype"), str_of(type)},
		{STR("port"), str_n(text, (size_t)snprintf(text, sizeof(text), "%u", port))},
		{STR("requestid"), STR("7")},
	};
	buf_add(&out, ids, sizeof(ids));
	spdy_headers_write(h, headers, ARRAY_LEN(headers), &out);
	spdy_frame(e, 0x80030001u, 0, buf_str(&out));
}

/* What came on a stream; *ret_has_ended: it has ended. */
static char *spdy_heard(const struct end *e, uint32_t id, bool *ret_has_ended)
{
	static char text[4096];
	size_t len = 0, at = 0;
	*ret_has_ended = false;
	while (at + 8 <= e->in.len) {
		const unsigned char *p = (const unsigned char *)e->in.data + at;
		size_t size = (size_t)p[5] << 16 | (size_t)p[6] << 8 | p[7];
		if (at + 8 + size > e->in.len)
			break;
		if (p[0] == 0 && p[3] == id) {
			memcpy(text + len, p + 8, size);
			len += size;
			*ret_has_ended = p[4] & 1;
		}
		at += 8 + size;
	}
	text[len] = '\0';
	return text;
}

static void forward_open(struct end *e, struct spdy_headers *h, uint16_t port)
{
	const struct http_header headers[] = {
		{STR("upgrade"), STR("SPDY/3.1")},
		{STR("x-stream-protocol-version"), STR("portforward.k8s.io")},
	};
	has_pods = true;
	end_open(e, "/portForward/default/host", headers, ARRAY_LEN(headers));
	assert_int_equal(e->status, 101);
	spdy_headers_init(h);
	spdy_open(e, h, 1, "error", port);
	spdy_frame(e, 1, 1, STR(""));
	spdy_open(e, h, 3, "data", port);
}

static void forward_close(struct end *e, struct spdy_headers *h)
{
	end_close(e);
	spdy_headers_done(h);
	WAIT_FOR(list_is_empty(&server->forwards));
	has_pods = false;
}

static int listen_any(uint16_t *ret_port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, len), 0);
	assert_int_equal(listen(fd, 4), 0);
	getsockname(fd, (struct sockaddr *)&any, &len);
	*ret_port = ntohs(any.sin_port);
	return fd;
}

static void test_forward(void **state)
{
	struct end e;
	struct spdy_headers h;
	uint16_t port;
	bool has_ended;
	int peer, listener = listen_any(&port);
	CLEANUP_BUF got = BUF_INIT(4096);
	forward_open(&e, &h, port);
	spdy_frame(&e, 3, 0, STR("hello "));
	WAIT_FOR((peer = accept(listener, NULL, NULL)) >= 0);
	fcntl(peer, F_SETFL, O_NONBLOCK);
	spdy_frame(&e, 3, 1, STR("there"));
	WAIT_FOR(!raw_read(peer, &got)); /* the end of the client came through */
	assert_string_equal(got.data, "hello there");
	assert_int_equal(write(peer, "answer", 6), 6);
	close(peer);
	WAIT_FOR(spdy_heard(&e, 3, &has_ended) && has_ended);
	assert_string_equal(spdy_heard(&e, 3, &has_ended), "answer");
	WAIT_FOR(spdy_heard(&e, 1, &has_ended) && has_ended);
	assert_string_equal(spdy_heard(&e, 1, &has_ended), "");
	close(listener);
	forward_close(&e, &h);
}

static void test_forward_refused(void **state)
{
	struct end e;
	struct spdy_headers h;
	uint16_t port;
	bool has_ended;
	close(listen_any(&port)); /* nobody there */
	forward_open(&e, &h, port);
	WAIT_FOR(spdy_heard(&e, 1, &has_ended) && has_ended);
	assert_non_null(strstr(spdy_heard(&e, 1, &has_ended), "error forwarding port "));
	assert_non_null(strstr(spdy_heard(&e, 1, &has_ended), "Connection refused"));
	forward_close(&e, &h);
}

static void test_forward_client_leaves(void **state)
{
	struct end e;
	struct spdy_headers h;
	uint16_t port;
	int peer, listener = listen_any(&port);
	CLEANUP_BUF got = BUF_INIT(4096);
	forward_open(&e, &h, port);
	WAIT_FOR((peer = accept(listener, NULL, NULL)) >= 0);
	fcntl(peer, F_SETFL, O_NONBLOCK);
	stream_close(TAKE_PTR(e.stream));
	WAIT_FOR(!raw_read(peer, &got));
	close(peer);
	close(listener);
	forward_close(&e, &h);
}

/* ---- the end ---- */

static void test_stop(void **state)
{
	struct end e;
	websocket_open(&e, EXEC "command=sh&input=1&output=1");
	WAIT_FOR(played.is_running && played.exec.exited);
	kubelet_server_stop(server, stopped_on, NULL);
	WAIT_FOR(is_stopped);
	assert_true(played.is_killed);
	stream_close(e.stream);
	buf_done(&e.in);
	buf_done(&e.reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_exec_end_of_input),
		cmocka_unit_test(test_exec_resize_and_leave),
		cmocka_unit_test(test_exec_much_output),
		cmocka_unit_test(test_exec_that_fails),
		cmocka_unit_test(test_exec_refused),
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_attach_resize),
		cmocka_unit_test(test_forward),
		cmocka_unit_test(test_forward_refused),
		cmocka_unit_test(test_forward_client_leaves),
		cmocka_unit_test(test_stop),
	};
	return cmocka_run_group_tests(tests, setup, kubelet_teardown);
}
