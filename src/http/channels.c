#include "http/channels.h"

#include "base/buf.h"
#include "base/encode.h"
#include "base/mem.h"
#include "http/spdy.h"
#include "http/websocket.h"

#define CHANNEL_COUNT 5

struct protocol {
	const char *name;
	bool is_base64, has_status, can_half_close;
};

static const struct protocol ws_protocols[] = {
	{"v5.channel.k8s.io", false, true, true},	 {"v4.channel.k8s.io", false, true, false},
	{"v4.base64.channel.k8s.io", true, true, false}, {"channel.k8s.io", false, false, false},
	{"base64.channel.k8s.io", true, false, false},
};
static const struct protocol spdy_protocols[] = {
	{"v4.channel.k8s.io", false, true, true},
	{"v3.channel.k8s.io", false, false, true},
	{"v2.channel.k8s.io", false, false, true},
	{"channel.k8s.io", false, false, true},
};
#define PROTOCOLS_MAX 8
static const struct protocol ws_unnamed = {};
static const struct protocol spdy_unnamed = {.can_half_close = true};

static const char *const stream_types[CHANNEL_COUNT] = {
	[CHANNEL_STDIN] = "stdin", [CHANNEL_STDOUT] = "stdout", [CHANNEL_STDERR] = "stderr",
	[CHANNEL_ERROR] = "error", [CHANNEL_RESIZE] = "resize",
};

struct channels {
	struct websocket *ws; /* or */
	struct spdy *spdy;
	struct spdy_stream *streams[CHANNEL_COUNT]; /* NULL: not opened, or gone */
	const struct protocol *protocol;
	const struct channels_ops *ops;
	void *user;
	unsigned wanted, opened;
	struct loop *loop;
	struct loop_msg ready_msg;
	struct loop_timer timer;
};

/* --- when everything is there --- */

static void ready_on(struct loop_msg *msg)
{
	struct channels *ch = CONTAINER_OF(msg, struct channels, ready_msg);
	static const enum channel out[] = {CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_ERROR};
	loop_timer_stop(&ch->timer);
	/* As upstream: an empty message on the lowest channel that will be written to. */
	for (size_t i = 0; ch->ws && i < ARRAY_LEN(out); i++)
		if (ch->wanted & CHANNEL_BIT(out[i])) {
			channels_send(ch, out[i], STR(""));
			break;
		}
	if (ch->ops->on_ready)
		ch->ops->on_ready(ch, ch->user);
}

static void late_on(struct loop_timer *timer)
{
	struct channels *ch = CONTAINER_OF(timer, struct channels, timer);
	ch->ops->on_closed(ch, ch->user);
}

static void closed_tell(struct channels *ch)
{
	loop_timer_stop(&ch->timer);
	loop_defer_cancel(&ch->ready_msg);
	ch->ops->on_closed(ch, ch->user);
}

static void drain_tell(struct channels *ch)
{
	if (ch->ops->on_drain)
		ch->ops->on_drain(ch, ch->user);
}

static void data_tell(struct channels *ch, unsigned channel, struct str bytes)
{
	/* What clients have no business with is read over, as upstream does. */
	if (channel == CHANNEL_STDIN || channel == CHANNEL_RESIZE)
		ch->ops->on_data(ch, (enum channel)channel, bytes, ch->user);
}

static void end_tell(struct channels *ch, unsigned channel)
{
	if ((channel == CHANNEL_STDIN || channel == CHANNEL_RESIZE) && ch->ops->on_end)
		ch->ops->on_end(ch, (enum channel)channel, ch->user);
}

/* --- over a WebSocket --- */

static void base64_tell(struct channels *ch, struct str message)
{
	CLEANUP_ARENA a = {};
	struct str bytes;
	if (base64_decode(&a, str_skip(message, 1), &bytes))
		data_tell(ch, (unsigned char)(message.at[0] - '0'), bytes);
}

static void message_on(struct websocket *ws, bool is_binary, struct str message, void *user)
{
	struct channels *ch = user;
	if (message.len == 0)
		return;
	unsigned char channel = (unsigned char)message.at[0];
	if (ch->protocol->is_base64)
		base64_tell(ch, message);
	else if (channel != CHANNEL_CLOSE)
		data_tell(ch, channel, str_skip(message, 1));
	else if (ch->protocol->can_half_close && message.len == 2)
		end_tell(ch, (unsigned char)message.at[1]);
}

static void ws_drain_on(struct websocket *ws, void *user)
{
	drain_tell(user);
}

static void ws_closed_on(struct websocket *ws, uint16_t code, void *user)
{
	closed_tell(user);
}

static const struct websocket_ops ws_ops = {message_on, ws_drain_on, ws_closed_on};

/* --- over SPDY --- */

static unsigned channel_of(const struct channels *ch, const struct spdy_stream *stream)
{
	unsigned channel = 0;
	while (channel < CHANNEL_COUNT && ch->streams[channel] != stream)
		channel++;
	return channel;
}

static void stream_on(struct spdy_stream *stream, void *user)
{
	struct channels *ch = user;
	struct str type = spdy_stream_header(stream, "streamtype");
	unsigned channel = 0;
	while (channel < CHANNEL_COUNT && !str_is(type, stream_types[channel]))
		channel++;
	if (channel == CHANNEL_COUNT || ch->streams[channel]) {
		spdy_stream_reset(stream);
		return;
	}
	ch->streams[channel] = stream;
	ch->opened |= CHANNEL_BIT(channel);
	if ((ch->opened & ch->wanted) == ch->wanted && ch->timer.loop)
		loop_defer(ch->loop, &ch->ready_msg);
}

static void spdy_data_on(struct spdy_stream *stream, struct str bytes, void *user)
{
	data_tell(user, channel_of(user, stream), bytes);
}

static void spdy_end_on(struct spdy_stream *stream, void *user)
{
	end_tell(user, channel_of(user, stream));
}

static void spdy_gone_on(struct spdy_stream *stream, void *user)
{
	struct channels *ch = user;
	unsigned channel = channel_of(ch, stream);
	if (channel < CHANNEL_COUNT)
		ch->streams[channel] = NULL;
}

static void spdy_drain_on(struct spdy *session, void *user)
{
	drain_tell(user);
}

static void spdy_closed_on(struct spdy *session, void *user)
{
	closed_tell(user);
}

static const struct spdy_ops spdy_ops = {
	stream_on, spdy_data_on, spdy_end_on, spdy_gone_on, spdy_drain_on, spdy_closed_on,
};

/* --- accepting --- */

static void names_fill(const char *names[PROTOCOLS_MAX + 1], const struct protocol *protocols,
		       size_t count)
{
	ASSERT(count <= PROTOCOLS_MAX);
	for (size_t i = 0; i < count; i++)
		names[i] = protocols[i].name;
	names[count] = NULL;
}

static const struct protocol *protocol_named(const char *name, const struct protocol *protocols,
					     size_t count, const struct protocol *other)
{
	for (size_t i = 0; name && i < count; i++)
		if (protocols[i].name == name)
			return &protocols[i];
	return other;
}

static enum rc ws_accept(struct channels *ch, struct http_exchange *x, struct err *err)
{
	const char *names[PROTOCOLS_MAX + 1];
	bool is_offered;
	names_fill(names, ws_protocols, ARRAY_LEN(ws_protocols));
	const char *name = websocket_choose(x, names, &is_offered);
	ch->protocol = protocol_named(name, ws_protocols, ARRAY_LEN(ws_protocols), &ws_unnamed);
	if (is_offered && !name)
		return err_set(err, RC_BAD_REQUEST,
			       "Sec-WebSocket-Protocol: none of the offered protocols is known; "
			       "v5.channel.k8s.io is");
	TRY(websocket_accept(x, name, &ws_ops, ch, &ch->ws, err));
	loop_defer(ch->loop, &ch->ready_msg);
	return RC_OK;
}

static enum rc session_accept(struct channels *ch, struct http_exchange *x, struct err *err)
{
	const char *names[PROTOCOLS_MAX + 1], *name;
	names_fill(names, spdy_protocols, ARRAY_LEN(spdy_protocols));
	TRY(spdy_accept(x, names, &spdy_ops, ch, &name, &ch->spdy, err));
	ch->protocol =
		protocol_named(name, spdy_protocols, ARRAY_LEN(spdy_protocols), &spdy_unnamed);
	loop_timer_start(ch->loop, &ch->timer, CHANNELS_READY_MS, late_on);
	return RC_OK;
}

enum rc channels_accept(struct http_exchange *x, unsigned wanted, const struct channels_ops *ops,
			void *user, struct channels **ret_channels, struct err *err)
{
	struct channels *ch = NEW(struct channels);
	ch->ops = ops;
	ch->user = user;
	ch->wanted = wanted | CHANNEL_BIT(CHANNEL_ERROR);
	ch->loop = http_loop(x);
	ch->ready_msg.fn = ready_on;
	enum rc rc = spdy_is_asked(x) ? session_accept(ch, x, err) : ws_accept(ch, x, err);
	if (rc != RC_OK) {
		free(ch);
		return rc;
	}
	*ret_channels = ch;
	return RC_OK;
}

bool channels_has_status(const struct channels *ch)
{
	return ch->protocol->has_status;
}

/* --- sending --- */

static size_t base64_send(struct channels *ch, enum channel channel, struct str bytes)
{
	CLEANUP_BUF text = BUF_INIT(STREAM_QUEUE_MAX);
	buf_add_char(&text, (char)('0' + channel));
	base64_add(&text, bytes);
	return websocket_send(ch->ws, false, buf_str(&text));
}

size_t channels_send(struct channels *ch, enum channel channel, struct str bytes)
{
	char id = (char)channel;
	ASSERT(channel < CHANNEL_COUNT);
	if (ch->spdy)
		return ch->streams[channel] ? spdy_stream_write(ch->streams[channel], bytes)
					    : spdy_queued(ch->spdy);
	if (!(ch->wanted & CHANNEL_BIT(channel)))
		return websocket_queued(ch->ws);
	if (ch->protocol->is_base64)
		return base64_send(ch, channel, bytes);
	return websocket_send2(ch->ws, true, str_n(&id, 1), bytes);
}

void channels_pause(struct channels *ch)
{
	if (ch->ws)
		websocket_pause(ch->ws);
	else
		spdy_pause(ch->spdy);
}

void channels_resume(struct channels *ch)
{
	if (ch->ws)
		websocket_resume(ch->ws);
	else
		spdy_resume(ch->spdy);
}

void channels_close(struct channels *ch)
{
	if (!ch)
		return;
	loop_timer_stop(&ch->timer);
	loop_defer_cancel(&ch->ready_msg);
	if (ch->ws)
		websocket_close(ch->ws, WEBSOCKET_NORMAL, STR(""));
	for (size_t i = 0; i < CHANNEL_COUNT; i++)
		if (ch->streams[i])
			spdy_stream_end(ch->streams[i]);
	spdy_close(ch->spdy);
	free(ch);
}
