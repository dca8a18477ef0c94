/* Frames (draft 3.1 §2.2): eight bytes of head, then the payload.  Data is passed on as it comes,
 * control frames are put together first.  Frame numbers are big-endian. */
#include "http/spdy.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "http/http1_parse.h"
#include "http/spdy_headers.h"
#include "http/websocket.h"

#define HEAD_BYTES	8
#define CONTROL_MAX	(66u << 10)
#define OUT_BYTES	(16u << 10)
#define VERSION		3
#define FLAG_FIN	1
#define STATUS_PROTOCOL 1
#define STATUS_REFUSED	3
#define STATUS_CANCEL	5

enum frame_type {
	FRAME_SYN_STREAM = 1,
	FRAME_SYN_REPLY = 2,
	FRAME_RST_STREAM = 3,
	FRAME_PING = 6,
	FRAME_GOAWAY = 7,
};

struct spdy_stream {
	struct list link; /* of streams, then of dead */
	struct spdy *session;
	uint32_t id;
	struct arena arena;
	const struct http_header *headers;
	size_t header_count;
	void *user;
	bool has_client_ended, have_we_ended, is_dead;
};

struct spdy {
	struct stream *stream; /* one of these two */
	struct websocket *ws;
	struct loop *loop;
	const struct spdy_ops *ops;
	void *user;
	struct spdy_headers headers;
	struct list streams, dead;
	uint32_t stream_count;
	uint32_t last_id; /* of the client's streams */
	struct buf in;	  /* a head, or a control frame */
	uint32_t data_left;
	uint32_t data_id;
	bool data_is_last;
	struct loop_msg bury_msg;
	int depth; /* inside our own reading */
	bool is_closed_told;
	bool is_over;
};

static const struct spdy_ops no_ops;

/* --- writing --- */

static void transport_write(struct spdy *s, struct str bytes)
{
	if (s->stream)
		stream_write(s->stream, bytes);
	else if (s->ws)
		websocket_send(s->ws, true, bytes);
}

size_t spdy_queued(const struct spdy *s)
{
	if (s->stream)
		return stream_queued(s->stream);
	return s->ws ? websocket_queued(s->ws) : 0;
}

static void put32(char *at, uint32_t number)
{
	at[0] = (char)(number >> 24);
	at[1] = (char)(number >> 16);
	at[2] = (char)(number >> 8);
	at[3] = (char)number;
}

static uint32_t get32(const char *at)
{
	const unsigned char *b = (const unsigned char *)at;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void control_head(char out[HEAD_BYTES], enum frame_type type, size_t len)
{
	put32(out, 0x80000000u | VERSION << 16 | (uint32_t)type);
	put32(out + 4, (uint32_t)len);
}

/* One or two numbers are all that most control frames have. */
static void control_write(struct spdy *s, enum frame_type type, uint32_t first, uint32_t second,
			  size_t len)
{
	char out[HEAD_BYTES + 8];
	control_head(out, type, len);
	put32(out + HEAD_BYTES, first);
	put32(out + HEAD_BYTES + 4, second);
	transport_write(s, str_n(out, HEAD_BYTES + len));
}

static void reply_write(struct spdy_stream *stream)
{
	struct spdy *s = stream->session;
	CLEANUP_BUF out = BUF_INIT(SPDY_BLOCK_MAX);
	char head[HEAD_BYTES + 4] = {};
	buf_add(&out, head, sizeof(head));
	spdy_headers_write(&s->headers, NULL, 0, &out);
	control_head(out.data, FRAME_SYN_REPLY, out.len - HEAD_BYTES);
	put32(out.data + HEAD_BYTES, stream->id);
	transport_write(s, buf_str(&out));
}

static void data_write(struct spdy_stream *stream, struct str bytes, bool is_last)
{
	char out[OUT_BYTES];
	do {
		struct str part = str_n(bytes.at, MIN(bytes.len, sizeof(out) - HEAD_BYTES));
		bytes = str_skip(bytes, part.len);
		bool has_end = is_last && bytes.len == 0;
		put32(out, stream->id);
		put32(out + 4, (uint32_t)(has_end ? FLAG_FIN << 24 : 0) | (uint32_t)part.len);
		if (part.len > 0)
			memcpy(out + HEAD_BYTES, part.at, part.len);
		transport_write(stream->session, str_n(out, HEAD_BYTES + part.len));
	} while (bytes.len > 0);
}

/* --- streams --- */

static void stream_free(struct spdy_stream *stream)
{
	list_remove(&stream->link);
	arena_done(&stream->arena);
	free(stream);
}

static void bury_on(struct loop_msg *msg)
{
	struct spdy *s = CONTAINER_OF(msg, struct spdy, bury_msg);
	struct spdy_stream *stream;
	s->depth++;
	while (!s->is_over && (stream = LIST_FIRST(&s->dead, struct spdy_stream, link))) {
		list_remove(&stream->link);
		s->ops->on_gone(stream, s->user);
		stream_free(stream);
	}
	s->depth--;
	if (s->is_over && s->depth == 0)
		spdy_close(s);
}

static void stream_dies(struct spdy_stream *stream)
{
	struct spdy *s = stream->session;
	if (stream->is_dead)
		return;
	stream->is_dead = true;
	s->stream_count--;
	list_remove(&stream->link);
	list_append(&s->dead, &stream->link);
	loop_defer(s->loop, &s->bury_msg);
}

static void stream_settle(struct spdy_stream *stream)
{
	if (stream->has_client_ended && stream->have_we_ended)
		stream_dies(stream);
}

static struct spdy_stream *stream_find(struct spdy *s, uint32_t id)
{
	struct spdy_stream *stream;
	LIST_FOR_EACH (stream, &s->streams, link)
		if (stream->id == id)
			return stream;
	return NULL;
}

struct str spdy_stream_header(const struct spdy_stream *stream, const char *name)
{
	for (size_t i = 0; i < stream->header_count; i++)
		if (str_is(stream->headers[i].name, name))
			return stream->headers[i].value;
	return (struct str){};
}

uint32_t spdy_stream_id(const struct spdy_stream *stream)
{
	return stream->id;
}

void spdy_stream_set_user(struct spdy_stream *stream, void *user)
{
	stream->user = user;
}

void *spdy_stream_user(const struct spdy_stream *stream)
{
	return stream->user;
}

size_t spdy_stream_write(struct spdy_stream *stream, struct str bytes)
{
	if (!stream->is_dead && !stream->have_we_ended && bytes.len > 0)
		data_write(stream, bytes, false);
	return spdy_queued(stream->session);
}

void spdy_stream_end(struct spdy_stream *stream)
{
	if (stream->is_dead || stream->have_we_ended)
		return;
	data_write(stream, (struct str){}, true);
	stream->have_we_ended = true;
	stream_settle(stream);
}

void spdy_stream_reset(struct spdy_stream *stream)
{
	if (stream->is_dead)
		return;
	control_write(stream->session, FRAME_RST_STREAM, stream->id, STATUS_CANCEL, 8);
	stream_dies(stream);
}

/* --- frames in --- */

static enum rc syn_stream_on(struct spdy *s, uint8_t flags, struct str payload, struct err *err)
{
	if (payload.len < 10)
		return err_set(err, RC_BAD_REQUEST, "SPDY: SYN_STREAM is cut off");
	uint32_t id = get32(payload.at) & 0x7fffffff;
	struct spdy_stream *stream = NEW(struct spdy_stream);
	stream->session = s;
	stream->id = id;
	/* The block is read in any case: it moves the shared state of compression on. */
	enum rc rc = spdy_headers_read(&s->headers, str_skip(payload, 10), &stream->arena,
				       &stream->headers, &stream->header_count, err);
	if (rc == RC_OK && (id % 2 == 0 || id <= s->last_id))
		rc = err_set(err, RC_BAD_REQUEST, "SPDY: stream %u out of order", id);
	if (rc != RC_OK || s->stream_count >= SPDY_STREAMS_MAX) {
		arena_done(&stream->arena);
		free(stream);
		if (rc == RC_OK)
			control_write(s, FRAME_RST_STREAM, id, STATUS_REFUSED, 8);
		s->last_id = MAX(s->last_id, id);
		return rc;
	}
	s->last_id = id;
	s->stream_count++;
	list_append(&s->streams, &stream->link);
	reply_write(stream);
	s->ops->on_stream(stream, s->user);
	if ((flags & FLAG_FIN) && !s->is_over && !stream->is_dead) {
		stream->has_client_ended = true;
		s->ops->on_end(stream, s->user);
		stream_settle(stream);
	}
	return RC_OK;
}

static enum rc control_on(struct spdy *s, const char *head, struct str payload, struct err *err)
{
	uint32_t first = get32(head);
	uint32_t number = payload.len >= 4 ? get32(payload.at) : 0;
	struct spdy_stream *stream;
	if ((first >> 16 & 0x7fff) != VERSION)
		return err_set(err, RC_BAD_REQUEST, "SPDY: version other than 3");
	switch (first & 0xffff) {
	case FRAME_SYN_STREAM:
		return syn_stream_on(s, (uint8_t)head[4], payload, err);
	case FRAME_RST_STREAM:
		stream = stream_find(s, number & 0x7fffffff);
		if (stream)
			stream_dies(stream);
		return RC_OK;
	case FRAME_PING:
		if (number % 2 == 1) /* the client's own */
			control_write(s, FRAME_PING, number, 0, 4);
		return RC_OK;
	default: /* SETTINGS, GOAWAY, WINDOW_UPDATE and HEADERS ask for nothing here */
		return RC_OK;
	}
}

static void data_end(struct spdy *s)
{
	struct spdy_stream *stream = stream_find(s, s->data_id);
	if (!s->data_is_last || !stream || stream->has_client_ended)
		return;
	stream->has_client_ended = true;
	s->ops->on_end(stream, s->user);
	if (!s->is_over)
		stream_settle(stream);
}

static struct str data_take(struct spdy *s, struct str bytes)
{
	struct str part = str_n(bytes.at, MIN((size_t)s->data_left, bytes.len));
	struct spdy_stream *stream = stream_find(s, s->data_id);
	s->data_left -= (uint32_t)part.len;
	if (stream && !stream->has_client_ended)
		s->ops->on_data(stream, part, s->user);
	if (!s->is_over && s->data_left == 0)
		data_end(s);
	return str_skip(bytes, part.len);
}

/* Moves bytes to the frame being put together until it has want of them. */
static struct str gather(struct spdy *s, struct str bytes, size_t want)
{
	size_t take = MIN(bytes.len, want - MIN(want, s->in.len));
	buf_add(&s->in, bytes.at, take);
	return str_skip(bytes, take);
}

static enum rc frame_take(struct spdy *s, struct str *bytes, struct err *err)
{
	*bytes = gather(s, *bytes, HEAD_BYTES);
	if (s->in.len < HEAD_BYTES)
		return RC_OK;
	uint32_t first = get32(s->in.data), len = get32(s->in.data + 4) & 0xffffff;
	if (!(first & 0x80000000u)) {
		s->data_id = first;
		s->data_left = len;
		s->data_is_last = s->in.data[4] & FLAG_FIN;
		buf_reset(&s->in);
		if (len == 0)
			data_end(s);
		return RC_OK;
	}
	if (HEAD_BYTES + len > CONTROL_MAX)
		return err_set(err, RC_TOO_LARGE, "SPDY: a control frame exceeds 64 KiB");
	*bytes = gather(s, *bytes, HEAD_BYTES + len);
	if (s->in.len < HEAD_BYTES + len)
		return RC_OK;
	enum rc rc = control_on(s, s->in.data, str_skip(buf_str(&s->in), HEAD_BYTES), err);
	buf_reset(&s->in);
	return rc;
}

static void closed_tell(struct spdy *s)
{
	if (s->is_closed_told || s->is_over)
		return;
	s->is_closed_told = true;
	s->ops->on_closed(s, s->user);
}

static void feed(struct spdy *s, struct str bytes)
{
	enum rc rc = RC_OK;
	struct err err;
	s->depth++;
	while (rc == RC_OK && bytes.len > 0 && !s->is_over && !s->is_closed_told) {
		if (s->data_left > 0)
			bytes = data_take(s, bytes);
		else
			rc = frame_take(s, &bytes, &err);
	}
	if (rc != RC_OK && !s->is_over) {
		control_write(s, FRAME_GOAWAY, s->last_id, STATUS_PROTOCOL, 8);
		closed_tell(s);
	}
	s->depth--;
	if (s->is_over && s->depth == 0)
		spdy_close(s);
}

/* --- the two transports --- */

static void data_on(struct stream *stream, struct str bytes, void *user)
{
	feed(user, bytes);
}

static void end_on(struct stream *stream, void *user)
{
	closed_tell(user);
}

static void drain_on(struct stream *stream, void *user)
{
	struct spdy *s = user;
	if (s->ops->on_drain)
		s->ops->on_drain(s, s->user);
}

static void failed_on(struct stream *stream, const struct err *why, void *user)
{
	closed_tell(user);
}

static const struct stream_ops transport_ops = {
	.on_data = data_on,
	.on_end = end_on,
	.on_drain = drain_on,
	.on_failed = failed_on,
};

static void message_on(struct websocket *ws, bool is_binary, struct str message, void *user)
{
	feed(user, message);
}

static void ws_drain_on(struct websocket *ws, void *user)
{
	drain_on(NULL, user);
}

static void ws_closed_on(struct websocket *ws, uint16_t code, void *user)
{
	closed_tell(user);
}

static const struct websocket_ops tunnel_ops = {message_on, ws_drain_on, ws_closed_on};

void spdy_pause(struct spdy *s)
{
	if (s->stream)
		stream_pause(s->stream);
	else if (s->ws)
		websocket_pause(s->ws);
}

void spdy_resume(struct spdy *s)
{
	if (s->stream)
		stream_resume(s->stream);
	else if (s->ws)
		websocket_resume(s->ws);
}

/* --- sessions --- */

static void streams_bury(struct spdy *s, struct list *streams, const struct spdy_ops *ops)
{
	struct spdy_stream *stream;
	while ((stream = LIST_FIRST(streams, struct spdy_stream, link))) {
		list_remove(&stream->link);
		stream->is_dead = true;
		ops->on_gone(stream, s->user);
		stream_free(stream);
	}
}

static void transport_end(struct spdy *s)
{
	if (s->stream || s->ws)
		control_write(s, FRAME_GOAWAY, s->last_id, 0, 8);
	stream_finish(TAKE_PTR(s->stream));
	if (s->ws)
		websocket_close(TAKE_PTR(s->ws), WEBSOCKET_NORMAL, STR(""));
}

void spdy_close(struct spdy *s)
{
	if (!s)
		return;
	if (!s->is_over) {
		const struct spdy_ops *ops = s->ops;
		s->is_over = true;
		s->ops = &no_ops;
		transport_end(s);
		streams_bury(s, &s->dead, ops);
		streams_bury(s, &s->streams, ops);
	}
	if (s->depth > 0)
		return; /* whoever reads frees it */
	loop_defer_cancel(&s->bury_msg);
	spdy_headers_done(&s->headers);
	buf_done(&s->in);
	free(s);
}

static struct spdy *session_new(struct loop *loop, const struct spdy_ops *ops, void *user)
{
	struct spdy *s = NEW(struct spdy);
	s->loop = loop;
	s->ops = ops;
	s->user = user;
	s->in.max_bytes = CONTROL_MAX;
	s->bury_msg.fn = bury_on;
	list_init(&s->streams);
	list_init(&s->dead);
	spdy_headers_init(&s->headers);
	return s;
}

bool spdy_is_asked(const struct http_exchange *x)
{
	struct str upgrade = http_header(x, "upgrade");
	return http_expects_upgrade(x) && upgrade.at && http_has_token(upgrade, "spdy/3.1");
}

static enum rc protocol_choose(struct http_exchange *x, const char *const *ours,
			       const char **ret_protocol, struct err *err)
{
	size_t at = 0;
	struct str line, item;
	CLEANUP_BUF offered = BUF_INIT(1024), known = BUF_INIT(1024);
	*ret_protocol = NULL;
	while (http_header_next(x, "x-stream-protocol-version", &at, &line))
		for (bool has_more = true; has_more;) {
			has_more = str_cut(line, ',', &item, &line);
			for (size_t i = 0; ours[i]; i++)
				if (str_is(str_trim(item), ours[i])) {
					*ret_protocol = ours[i];
					return RC_OK;
				}
			buf_printf(&offered, "%s%.*s", offered.len ? " " : "",
				   STR_FMT(str_trim(item)));
		}
	if (offered.len == 0)
		return RC_OK;
	for (size_t i = 0; ours[i]; i++)
		buf_printf(&known, "%s%s", i ? " " : "", ours[i]);
	return err_set(err, RC_FORBIDDEN,
		       "unable to negotiate protocol: client supports [%s], server accepts [%s]",
		       offered.data, known.data ? known.data : "");
}

enum rc spdy_accept(struct http_exchange *x, const char *const *protocols,
		    const struct spdy_ops *ops, void *user, const char **ret_protocol,
		    struct spdy **ret_session, struct err *err)
{
	if (!spdy_is_asked(x))
		return err_set(err, RC_BAD_REQUEST,
			       "unable to upgrade: missing upgrade headers in request");
	TRY(protocol_choose(x, protocols, ret_protocol, err));
	struct http_header *headers = ARENA_ARRAY(http_arena(x), struct http_header, 2);
	headers[0] = (struct http_header){STR("upgrade"), STR("SPDY/3.1")};
	headers[1] = (struct http_header){STR("x-stream-protocol-version"), str_of(*ret_protocol)};
	struct spdy *s = session_new(http_loop(x), ops, user);
	enum rc rc =
		http_upgrade(x, headers, *ret_protocol ? 2 : 1, &transport_ops, s, &s->stream, err);
	if (rc != RC_OK)
		spdy_close(s);
	else
		*ret_session = s;
	return rc;
}

enum rc spdy_accept_tunnel(struct http_exchange *x, const char *protocol,
			   const struct spdy_ops *ops, void *user, struct spdy **ret_session,
			   struct err *err)
{
	const char *const ours[] = {protocol, NULL};
	bool is_offered;
	if (!websocket_choose(x, ours, &is_offered))
		return err_set(err, RC_BAD_REQUEST, "Sec-WebSocket-Protocol: want %s", protocol);
	struct spdy *s = session_new(http_loop(x), ops, user);
	enum rc rc = websocket_accept(x, protocol, &tunnel_ops, s, &s->ws, err);
	if (rc != RC_OK)
		spdy_close(s);
	else
		*ret_session = s;
	return rc;
}

/* --- the asking side --- */

enum rc spdy_tunnel_answered(struct loop *loop, struct arena *a, const struct dial_reply *reply,
			     struct str key, const struct spdy_ops *ops, void *user,
			     struct spdy **ret_session, struct err *err)
{
	struct spdy *s = session_new(loop, ops, user);
	struct str protocol;
	enum rc rc = websocket_answered(a, reply, key, &tunnel_ops, s, &protocol, &s->ws, err);
	if (rc != RC_OK)
		spdy_close(s);
	else
		*ret_session = s;
	return rc;
}

struct spdy_stream *spdy_stream_open(struct spdy *s, const struct http_header *headers,
				     size_t count, void *user)
{
	CLEANUP_BUF out = BUF_INIT(SPDY_BLOCK_MAX);
	char head[HEAD_BYTES + 10] = {};
	if (s->stream_count >= SPDY_STREAMS_MAX || s->is_over)
		return NULL;
	struct spdy_stream *stream = NEW(struct spdy_stream);
	stream->session = s;
	stream->id = s->last_id ? s->last_id + 2 : 1;
	stream->user = user;
	s->last_id = stream->id;
	s->stream_count++;
	list_append(&s->streams, &stream->link);
	buf_add(&out, head, sizeof(head));
	spdy_headers_write(&s->headers, headers, count, &out);
	control_head(out.data, FRAME_SYN_STREAM, out.len - HEAD_BYTES);
	put32(out.data + HEAD_BYTES, stream->id);
	transport_write(s, buf_str(&out));
	return stream;
}
