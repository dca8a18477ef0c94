/* wslay reads frames and answers pings and closes.  Messages out are framed here: a short header
 * before the bytes, without a queue between; those of the asking side are masked (§5.3). */
#include "http/websocket.h"

#include <openssl/evp.h>
#include <wslay/wslay.h>

#include "base/encode.h"
#include "base/mem.h"
#include "http/dial.h"
#include "http/http1_parse.h"

#define KEY_BYTES   16
#define GUID	    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 §1.3 */
#define OUT_BYTES   (16u << 10)
#define CODE_NONE   1005
#define CODE_BROKEN 1006

struct websocket {
	struct stream *stream;
	wslay_event_context_ptr frames;
	const struct websocket_ops *ops;
	void *user;
	struct str input; /* during one on_data */
	int depth;	  /* inside wslay */
	bool is_paused;
	bool is_closed_told;
	bool is_asking;
	bool is_over; /* the owner ended it inside wslay */
};

static const struct websocket_ops no_ops;

/* --- life --- */

static void websocket_free(struct websocket *ws)
{
	wslay_event_context_free(ws->frames);
	free(ws);
}

static void closed_tell(struct websocket *ws, uint16_t code)
{
	if (ws->is_closed_told || ws->is_over)
		return;
	ws->is_closed_told = true;
	if (ws->ops->on_closed)
		ws->ops->on_closed(ws, code, ws->user);
}

void websocket_close(struct websocket *ws, uint16_t code, struct str reason)
{
	ASSERT(!ws->is_over);
	wslay_event_queue_close(ws->frames, code, (const uint8_t *)reason.at,
				MIN(reason.len, 123u));
	wslay_event_send(ws->frames);
	stream_finish(TAKE_PTR(ws->stream));
	ws->ops = &no_ops;
	ws->is_over = true;
	if (ws->depth == 0)
		websocket_free(ws);
}

/* --- wslay's side --- */

static ssize_t recv_on(wslay_event_context_ptr frames, uint8_t *out, size_t room, int flags,
		       void *user)
{
	struct websocket *ws = user;
	size_t len = MIN(room, ws->input.len);
	if (len == 0 || ws->is_paused || ws->is_over) {
		wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(out, ws->input.at, len);
	ws->input = str_skip(ws->input, len);
	return (ssize_t)len;
}

static ssize_t send_on(wslay_event_context_ptr frames, const uint8_t *bytes, size_t len, int flags,
		       void *user)
{
	struct websocket *ws = user;
	if (ws->stream)
		stream_write(ws->stream, str_n((const char *)bytes, len));
	return (ssize_t)len;
}

static void message_on(wslay_event_context_ptr frames,
		       const struct wslay_event_on_msg_recv_arg *message, void *user)
{
	struct websocket *ws = user;
	if (ws->is_over)
		return;
	if (message->opcode == WSLAY_CONNECTION_CLOSE)
		closed_tell(ws, message->status_code ? message->status_code : CODE_NONE);
	else if (message->opcode == WSLAY_TEXT_FRAME || message->opcode == WSLAY_BINARY_FRAME)
		ws->ops->on_message(ws, message->opcode == WSLAY_BINARY_FRAME,
				    str_n((const char *)message->msg, message->msg_length),
				    ws->user);
}

static int mask_make(wslay_event_context_ptr frames, uint8_t *out, size_t len, void *user)
{
	world_random(out, len);
	return 0;
}

static const struct wslay_event_callbacks frame_callbacks = {
	.genmask_callback = mask_make,
	.recv_callback = recv_on,
	.send_callback = send_on,
	.on_msg_recv_callback = message_on,
};

/* --- the stream's side --- */

static void data_on(struct stream *s, struct str bytes, void *user)
{
	struct websocket *ws = user;
	ws->input = bytes;
	ws->depth++;
	int failed = wslay_event_recv(ws->frames);
	if (!ws->is_over && wslay_event_want_write(ws->frames))
		wslay_event_send(ws->frames);
	ws->depth--;
	if (ws->is_over) {
		websocket_free(ws);
		return;
	}
	if (ws->is_paused && ws->input.len > 0)
		stream_unread(s, ws->input);
	ws->input = (struct str){};
	if (failed)
		closed_tell(ws, CODE_BROKEN);
	else if (!wslay_event_get_read_enabled(ws->frames))
		closed_tell(ws, WEBSOCKET_PROTOCOL_ERROR); /* wslay sent the code */
}

static void end_on(struct stream *s, void *user)
{
	closed_tell(user, CODE_BROKEN);
}

static void failed_on(struct stream *s, const struct err *why, void *user)
{
	closed_tell(user, CODE_BROKEN);
}

static void drain_on(struct stream *s, void *user)
{
	struct websocket *ws = user;
	if (ws->ops->on_drain)
		ws->ops->on_drain(ws, ws->user);
}

static const struct stream_ops websocket_stream_ops = {
	.on_data = data_on,
	.on_end = end_on,
	.on_drain = drain_on,
	.on_failed = failed_on,
};

/* --- sending --- */

static size_t frame_head(char out[10], bool is_binary, uint64_t len)
{
	out[0] = (char)(0x80 | (is_binary ? WSLAY_BINARY_FRAME : WSLAY_TEXT_FRAME));
	if (len < 126) {
		out[1] = (char)len;
		return 2;
	}
	size_t bytes = len < 65536 ? 2 : 8;
	out[1] = bytes == 2 ? 126 : 127;
	for (size_t i = 0; i < bytes; i++)
		out[2 + i] = (char)(len >> (8 * (bytes - 1 - i)));
	return 2 + bytes;
}

static void masked_write(struct websocket *ws, const uint8_t mask[4], size_t *at, struct str bytes)
{
	char out[OUT_BYTES];
	while (bytes.len > 0) {
		size_t len = MIN(bytes.len, sizeof(out));
		for (size_t i = 0; i < len; i++)
			out[i] = (char)(bytes.at[i] ^ mask[(*at)++ % 4]);
		stream_write(ws->stream, str_n(out, len));
		bytes = str_skip(bytes, len);
	}
}

static void masked_send(struct websocket *ws, bool is_binary, struct str first, struct str second)
{
	char head[10 + 4];
	uint8_t mask[4];
	size_t at = 0, len = frame_head(head, is_binary, first.len + second.len);
	world_random(mask, sizeof(mask));
	head[1] = (char)(head[1] | 0x80);
	memcpy(head + len, mask, sizeof(mask));
	stream_write(ws->stream, str_n(head, len + sizeof(mask)));
	masked_write(ws, mask, &at, first);
	masked_write(ws, mask, &at, second);
}

/* The header and as much as fits go out in one write, the rest as it is. */
static void plain_send(struct websocket *ws, bool is_binary, struct str first, struct str second)
{
	char out[OUT_BYTES];
	size_t len = frame_head(out, is_binary, first.len + second.len);
	struct str parts[] = {first, second};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		size_t take = MIN(parts[i].len, sizeof(out) - len);
		if (take > 0)
			memcpy(out + len, parts[i].at, take);
		len += take;
		parts[i] = str_skip(parts[i], take);
	}
	stream_write(ws->stream, str_n(out, len));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i].len > 0)
			stream_write(ws->stream, parts[i]);
}

size_t websocket_send2(struct websocket *ws, bool is_binary, struct str first, struct str second)
{
	if (ws->is_closed_told)
		return 0;
	if (ws->is_asking)
		masked_send(ws, is_binary, first, second);
	else
		plain_send(ws, is_binary, first, second);
	return stream_queued(ws->stream);
}

size_t websocket_send(struct websocket *ws, bool is_binary, struct str message)
{
	return websocket_send2(ws, is_binary, message, (struct str){});
}

size_t websocket_queued(const struct websocket *ws)
{
	return stream_queued(ws->stream);
}

void websocket_pause(struct websocket *ws)
{
	ws->is_paused = true;
	stream_pause(ws->stream);
}

void websocket_resume(struct websocket *ws)
{
	ws->is_paused = false;
	stream_resume(ws->stream);
}

/* --- the handshake (RFC 6455 §4.2) --- */

bool websocket_is_asked(const struct http_exchange *x)
{
	struct str upgrade = http_header(x, "upgrade");
	return http_expects_upgrade(x) && upgrade.at && http_has_token(upgrade, "websocket");
}

const char *websocket_choose(const struct http_exchange *x, const char *const *ours,
			     bool *ret_is_offered)
{
	size_t at = 0;
	struct str line, item;
	*ret_is_offered = false;
	while (http_header_next(x, "sec-websocket-protocol", &at, &line))
		for (bool has_more = true; has_more;) {
			has_more = str_cut(line, ',', &item, &line);
			*ret_is_offered = true;
			for (size_t i = 0; ours[i]; i++)
				if (str_is(str_trim(item), ours[i]))
					return ours[i];
		}
	return NULL;
}

static struct str accept_key(struct arena *a, struct str key)
{
	unsigned char digest[20];
	struct str text = arena_printf(a, "%.*s" GUID, STR_FMT(key));
	int done = EVP_Digest(text.at, text.len, digest, NULL, EVP_sha1(), NULL);
	ASSERT(done == 1);
	CLEANUP_BUF out = BUF_INIT(64);
	base64_add(&out, str_n((const char *)digest, sizeof(digest)));
	return arena_str(a, buf_str(&out));
}

static enum rc handshake_check(struct http_exchange *x, struct str *ret_key, struct err *err)
{
	struct str key = str_trim(http_header(x, "sec-websocket-key")), bytes;
	if (!websocket_is_asked(x) || !str_is(http_method(x), "GET"))
		return err_set(err, RC_BAD_REQUEST, "not a websocket protocol request");
	if (!str_is(str_trim(http_header(x, "sec-websocket-version")), "13"))
		return err_set(err, RC_BAD_REQUEST, "Sec-WebSocket-Version: want 13");
	if (!base64_decode(http_arena(x), key, &bytes) || bytes.len != KEY_BYTES)
		return err_set(err, RC_BAD_REQUEST, "Sec-WebSocket-Key: want 16 bytes in base64");
	*ret_key = key;
	return RC_OK;
}

static void websocket_begin(struct websocket *ws, const struct websocket_ops *ops, void *user)
{
	int failed = ws->is_asking
			     ? wslay_event_context_client_init(&ws->frames, &frame_callbacks, ws)
			     : wslay_event_context_server_init(&ws->frames, &frame_callbacks, ws);
	ASSERT(failed == 0);
	wslay_event_config_set_max_recv_msg_length(ws->frames, WEBSOCKET_MESSAGE_MAX);
	ws->ops = ops;
	ws->user = user;
}

enum rc websocket_accept(struct http_exchange *x, const char *protocol,
			 const struct websocket_ops *ops, void *user, struct websocket **ret_ws,
			 struct err *err)
{
	struct str key = {};
	TRY(handshake_check(x, &key, err));
	struct http_header *headers = ARENA_ARRAY(http_arena(x), struct http_header, 3);
	headers[0] = (struct http_header){STR("upgrade"), STR("websocket")};
	headers[1] =
		(struct http_header){STR("sec-websocket-accept"), accept_key(http_arena(x), key)};
	headers[2] = (struct http_header){STR("sec-websocket-protocol"), str_of(protocol)};
	struct websocket *ws = NEW(struct websocket);
	enum rc rc = http_upgrade(x, headers, protocol ? 3 : 2, &websocket_stream_ops, ws,
				  &ws->stream, err);
	if (rc != RC_OK) {
		free(ws);
		return rc;
	}
	websocket_begin(ws, ops, user);
	*ret_ws = ws;
	return RC_OK;
}

/* --- the asking side (RFC 6455 §4.1) --- */

size_t websocket_ask(struct arena *a, const char *protocols,
		     struct http_header out[WEBSOCKET_ASK_HEADERS], struct str *ret_key)
{
	char bytes[KEY_BYTES];
	CLEANUP_BUF key = BUF_INIT(64);
	world_random(bytes, sizeof(bytes));
	base64_add(&key, str_n(bytes, sizeof(bytes)));
	*ret_key = arena_str(a, buf_str(&key));
	out[0] = (struct http_header){STR("Upgrade"), STR("websocket")};
	out[1] = (struct http_header){STR("Sec-WebSocket-Version"), STR("13")};
	out[2] = (struct http_header){STR("Sec-WebSocket-Key"), *ret_key};
	out[3] = (struct http_header){STR("Sec-WebSocket-Protocol"), str_of(protocols)};
	return WEBSOCKET_ASK_HEADERS;
}

static struct str reply_header(const struct dial_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++)
		if (str_eq_nocase(reply->headers[i].name, str_of(name)))
			return reply->headers[i].value;
	return (struct str){};
}

enum rc websocket_answered(struct arena *a, const struct dial_reply *reply, struct str key,
			   const struct websocket_ops *ops, void *user, struct str *ret_protocol,
			   struct websocket **ret_ws, struct err *err)
{
	struct str accepted = str_trim(reply_header(reply, "sec-websocket-accept"));
	ASSERT(reply->stream);
	if (!str_eq(accepted, accept_key(a, key))) {
		stream_close(reply->stream);
		return err_set(err, RC_INVALID,
			       "the server's answer is not that of a WebSocket (RFC 6455)");
	}
	*ret_protocol = arena_str(a, str_trim(reply_header(reply, "sec-websocket-protocol")));
	struct websocket *ws = NEW(struct websocket);
	ws->stream = reply->stream;
	ws->is_asking = true;
	websocket_begin(ws, ops, user);
	stream_set(ws->stream, &websocket_stream_ops, ws);
	stream_resume(ws->stream);
	*ret_ws = ws;
	return RC_OK;
}
