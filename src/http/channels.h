/* channels: the streams of exec and attach as kubectl speaks them, over a WebSocket or over
 * SPDY/3.1.
 *
 * WebSocket: sub-protocols v5, v4 and plain channel.k8s.io and their base64 forms; the first byte
 * of a message is the channel, and in v5 channel 255 names one that the client has closed. SPDY:
 * v4, v3, v2 and plain channel.k8s.io; the client opens a stream a channel ("streamType"). v4 and
 * v5 end with a metav1.Status on the error channel; the older ones with text. Life: as websocket.h:
 * the owner ends it with channels_close(), also after on_closed. Threads: the loop's.  Used by:
 * node/. */
#ifndef SKEG_HTTP_CHANNELS_H
#define SKEG_HTTP_CHANNELS_H

#include "base/err.h"
#include "http/server.h"

enum channel {
	CHANNEL_STDIN = 0,
	CHANNEL_STDOUT = 1,
	CHANNEL_STDERR = 2,
	CHANNEL_ERROR = 3,
	CHANNEL_RESIZE = 4,
	CHANNEL_CLOSE = 255,
};
#define CHANNEL_BIT(channel) (1u << (channel))

#define CHANNELS_READY_MS 30000 /* for a client of SPDY to open its streams */

struct channels;

struct channels_ops {
	/* Once, never from within channels_accept(): all wanted channels are there, begin.  An
	 * empty message has told a WebSocket's client already. */
	void (*on_ready)(struct channels *ch, void *user);
	/* Bytes of the client for STDIN or RESIZE (JSON {"Width":w,"Height":h}). */
	void (*on_data)(struct channels *ch, enum channel channel, struct str bytes, void *user);
	/* The client sends no more on this channel (v5, SPDY); may be NULL. */
	void (*on_end)(struct channels *ch, enum channel channel, void *user);
	void (*on_drain)(struct channels *ch, void *user); /* may be NULL */
	/* The client is gone, or did not open its streams in time; close still. */
	void (*on_closed)(struct channels *ch, void *user);
};

/* Chooses the protocol as upstream does (the client's first that is known; none named: the oldest)
 * and accepts.  wanted are CHANNEL_BIT()s; ERROR is always one.  RC_BAD_REQUEST, RC_FORBIDDEN: a
 * reply is still to be made. */
[[nodiscard]] enum rc channels_accept(struct http_exchange *x, unsigned wanted,
				      const struct channels_ops *ops, void *user,
				      struct channels **ret_channels, struct err *err);
bool channels_has_status(const struct channels *ch);	 /* the error channel takes a Status */

/* Returns the bytes that wait to be sent.  A channel that was not wanted takes nothing. */
size_t channels_send(struct channels *ch, enum channel channel, struct str bytes);
void channels_pause(struct channels *ch);
void channels_resume(struct channels *ch);
/* Sends what is queued, says goodbye, and ends; NULL is fine. */
void channels_close(struct channels *own_ch);

#endif
