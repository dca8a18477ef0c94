/* The input is what a client sends over one connection; its first byte chooses how far the talk is
 * already: nothing was said, HTTP/2 has begun, or a request was upgraded to a WebSocket, to SPDY or
 * to SPDY inside a WebSocket.  Whatever comes then, the connection ends when the client goes. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "fuzz.h"
#include "http/channels.h"
#include "http/server.h"
#include "http/spdy.h"
#include "http/websocket.h"
#include "io/loop.h"

#define MAX_INPUT_BYTES (32u << 10)
#define TURNS_MAX	2000 /* of the loop */
#define WEBSOCKET_HEAD                                                                             \
	"Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"    \
	"Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n"
#define SPDY_HEAD "Host: h\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
#define TUNNEL	  "SPDY/3.1+portforward.k8s.io"

static const char *const beginnings[] = {
	"",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"GET /echo HTTP/1.1\r\n" WEBSOCKET_HEAD "\r\n",
	"GET /exec HTTP/1.1\r\n" WEBSOCKET_HEAD "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n",
	"GET /exec HTTP/1.1\r\n" WEBSOCKET_HEAD
	"Sec-WebSocket-Protocol: base64.channel.k8s.io\r\n\r\n",
	"POST /exec HTTP/1.1\r\n" SPDY_HEAD "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n",
	"POST /forward HTTP/1.1\r\n" SPDY_HEAD
	"X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n",
	"GET /forward HTTP/1.1\r\n" WEBSOCKET_HEAD "Sec-WebSocket-Protocol: " TUNNEL "\r\n\r\n",
};

static struct loop *loop;
static struct http_server *server;

/* ---- the other side: it sends back what it gets ---- */

static void message_on(struct websocket *ws, bool is_binary, struct str message, void *user)
{
	websocket_send(ws, is_binary, message);
}

static void websocket_gone(struct websocket *ws, uint16_t code, void *user)
{
	websocket_close(ws, WEBSOCKET_NORMAL, STR("bye"));
}

static const struct websocket_ops websocket_ops = {message_on, NULL, websocket_gone};

static void channels_ready(struct channels *ch, void *user)
{
	channels_send(ch, CHANNEL_STDOUT, STR("ready"));
}

static void channel_data(struct channels *ch, enum channel channel, struct str bytes, void *user)
{
	channels_send(ch, CHANNEL_STDOUT, bytes);
}

static void channel_end(struct channels *ch, enum channel channel, void *user)
{
	channels_send(ch, CHANNEL_ERROR, STR("{}"));
}

static void channels_gone(struct channels *ch, void *user)
{
	channels_close(ch);
}

static const struct channels_ops channel_ops = {channels_ready, channel_data, channel_end, NULL,
						channels_gone};

static void opened_on(struct spdy_stream *stream, void *user)
{
	if (str_is(spdy_stream_header(stream, "port"), "refused"))
		spdy_stream_reset(stream);
}

static void data_on(struct spdy_stream *stream, struct str bytes, void *user)
{
	spdy_stream_write(stream, bytes);
}

static void end_on(struct spdy_stream *stream, void *user)
{
	spdy_stream_end(stream);
}

static void gone_on(struct spdy_stream *stream, void *user)
{
}

static void session_closed(struct spdy *session, void *user)
{
	spdy_close(session);
}

static const struct spdy_ops spdy_ops = {opened_on, data_on, end_on, gone_on, NULL, session_closed};

static enum rc forward(struct http_exchange *x, struct err *err)
{
	static const char *const protocols[] = {"portforward.k8s.io", NULL};
	struct spdy *session;
	const char *chosen;
	if (websocket_is_asked(x))
		return spdy_accept_tunnel(x, TUNNEL, &spdy_ops, NULL, &session, err);
	if (spdy_is_asked(x))
		return spdy_accept(x, protocols, &spdy_ops, NULL, &chosen, &session, err);
	return err_set(err, RC_BAD_REQUEST, "no upgrade");
}

static void request_on(struct http_exchange *x, void *ctx)
{
	unsigned wanted = CHANNEL_BIT(CHANNEL_STDIN) | CHANNEL_BIT(CHANNEL_STDOUT) |
			  CHANNEL_BIT(CHANNEL_RESIZE);
	struct err err = {};
	struct channels *channels;
	struct websocket *ws;
	enum rc rc = RC_NOT_FOUND;
	err_set(&err, rc, "nothing here");
	if (str_is(http_path(x), "/exec"))
		rc = channels_accept(x, wanted, &channel_ops, NULL, &channels, &err);
	else if (str_is(http_path(x), "/forward"))
		rc = forward(x, &err);
	else if (str_is(http_path(x), "/echo") && websocket_is_asked(x))
		rc = websocket_accept(x, NULL, &websocket_ops, NULL, &ws, &err);
	if (rc != RC_OK)
		http_reply_text(x, rc_status(rc), "text/plain", str_of(err.text));
}

static const struct http_handler handler = {.on_request = request_on};

static void start(void)
{
	struct http_server_config config = {.address = "127.0.0.1"};
	log_setup(LOG_LEVEL_ERROR, false);
	loop = loop_new();
	FUZZ_CHECK(http_server_new(loop, &config, &handler, NULL, &server, NULL) == RC_OK);
}

/* ---- the client ---- */

/* Sends all, reading what comes; false when the server has ended the connection before. */
static bool say(int fd, struct str bytes)
{
	char answer[4096];
	for (int turn = 0; bytes.len && turn < TURNS_MAX; turn++) {
		ssize_t put = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0 && errno != EAGAIN)
			return false;
		bytes = str_skip(bytes, put > 0 ? (size_t)put : 0);
		loop_run_once(loop, 0);
		if (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) == 0)
			return false;
	}
	return bytes.len == 0;
}

static void hear(int fd)
{
	char answer[4096];
	for (int quiet = 0; quiet < 3; quiet++) {
		loop_run_once(loop, 0);
		ssize_t got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
		if (got == 0)
			return;
		if (got > 0)
			quiet = 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	int ends[2];
	if (size == 0 || size > MAX_INPUT_BYTES)
		return 0;
	if (!loop)
		start();
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
	http_server_adopt(server, stream_new(loop, ends[0], NULL, NULL, NULL, NULL));
	if (say(ends[1], str_of(beginnings[bytes[0] % ARRAY_LEN(beginnings)])))
		(void)say(ends[1], str_n((const char *)bytes + 1, size - 1));
	hear(ends[1]);
	close(ends[1]);
	for (int turn = 0; http_server_connections(server) > 0; turn++) {
		FUZZ_CHECK(turn < TURNS_MAX);
		loop_run_once(loop, 1);
	}
	return 0;
}
