#include "http/channels.h"

#include "base/encode.h"
#include "base/mem.h"

struct protocol {
	const char *name;
	bool is_base64, has_status, can_half_close;
};

static const struct protocol protocols[] = {
	{"v5.channel.k8s.io", false, true, true},	 {"v4.channel.k8s.io", false, true, false},
	{"v4.base64.channel.k8s.io", true, true, false}, {"channel.k8s.io", false, false, false},
	{"base64.channel.k8s.io", true, false, false},
};
static const struct protocol unnamed = {NULL, false, false, false};

struct channels {
	struct websocket *ws;
	const struct protocol *protocol;
	const struct channels_ops *ops;
	void *user;
};

static void end_tell(struct channels *ch, struct str message)
{
	if (ch->protocol->can_half_close && message.len == 2 &&
	    (unsigned char)message.at[1] <= CHANNEL_RESIZE && ch->ops->on_end)
		ch->ops->on_end(ch, (enum channel)message.at[1], ch->user);
}

static void data_tell(struct channels *ch, unsigned char channel, struct str bytes)
{
	/* What clients have no business with is read over, as upstream does. */
	if (channel == CHANNEL_STDIN || channel == CHANNEL_RESIZE)
		ch->ops->on_data(ch, (enum channel)channel, bytes, ch->user);
}

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
	else if (channel == CHANNEL_CLOSE)
		end_tell(ch, message);
	else
		data_tell(ch, channel, str_skip(message, 1));
}

static void drain_on(struct websocket *ws, void *user)
{
	struct channels *ch = user;
	if (ch->ops->on_drain)
		ch->ops->on_drain(ch, ch->user);
}

static void closed_on(struct websocket *ws, uint16_t code, void *user)
{
	struct channels *ch = user;
	ch->ops->on_closed(ch, ch->user);
}

static const struct websocket_ops channel_ops = {message_on, drain_on, closed_on};

static enum rc protocol_choose(struct http_exchange *x, const struct protocol **ret_protocol,
			       struct err *err)
{
	const char *names[ARRAY_LEN(protocols) + 1] = {};
	bool is_offered;
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		names[i] = protocols[i].name;
	const char *chosen = websocket_choose(x, names, &is_offered);
	*ret_protocol = &unnamed;
	for (size_t i = 0; chosen && i < ARRAY_LEN(protocols); i++)
		if (protocols[i].name == chosen)
			*ret_protocol = &protocols[i];
	if (is_offered && !chosen)
		return err_set(err, RC_BAD_REQUEST,
			       "Sec-WebSocket-Protocol: none of the offered protocols is known; "
			       "v5.channel.k8s.io is");
	return RC_OK;
}

enum rc channels_accept(struct http_exchange *x, const struct channels_ops *ops, void *user,
			struct channels **ret_channels, struct err *err)
{
	struct channels *ch = NEW(struct channels);
	ch->ops = ops;
	ch->user = user;
	enum rc rc = protocol_choose(x, &ch->protocol, err);
	if (rc == RC_OK)
		rc = websocket_accept(x, ch->protocol->name, &channel_ops, ch, &ch->ws, err);
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

bool channels_can_half_close(const struct channels *ch)
{
	return ch->protocol->can_half_close;
}

size_t channels_send(struct channels *ch, enum channel channel, struct str bytes)
{
	char id = (char)channel;
	if (!ch->protocol->is_base64)
		return websocket_send2(ch->ws, true, str_n(&id, 1), bytes);
	CLEANUP_BUF text = BUF_INIT(STREAM_QUEUE_MAX);
	buf_add_char(&text, (char)('0' + id));
	base64_add(&text, bytes);
	return websocket_send(ch->ws, false, buf_str(&text));
}

size_t channels_queued(const struct channels *ch)
{
	return websocket_queued(ch->ws);
}

void channels_pause(struct channels *ch)
{
	websocket_pause(ch->ws);
}

void channels_resume(struct channels *ch)
{
	websocket_resume(ch->ws);
}

void channels_close(struct channels *ch)
{
	if (!ch)
		return;
	websocket_close(ch->ws, WEBSOCKET_NORMAL, STR(""));
	free(ch);
}
