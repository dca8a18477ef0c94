/* channels: the streams of exec, attach and port-forward over one WebSocket, as kubectl speaks
 * them: sub-protocols channel.k8s.io, v4 and v5, and their base64 forms.
 *
 * The first byte of a message is the channel.  v5 adds channel 255: its second byte names a channel
 * that the client has closed.  v4 and v5 end with a metav1.Status on the error channel; the older
 * ones with text. Life, threads and limits: as websocket.h.  Used by: node/. */
#ifndef SKEG_HTTP_CHANNELS_H
#define SKEG_HTTP_CHANNELS_H

#include "http/websocket.h"

enum channel {
	CHANNEL_STDIN = 0,
	CHANNEL_STDOUT = 1,
	CHANNEL_STDERR = 2,
	CHANNEL_ERROR = 3,
	CHANNEL_RESIZE = 4,
	CHANNEL_CLOSE = 255,
};

struct channels;

struct channels_ops {
	/* Bytes of the client for STDIN or RESIZE (a JSON {"Width":w,"Height":h}). */
	void (*on_data)(struct channels *ch, enum channel channel, struct str bytes, void *user);
	/* The client sends no more on this channel (v5 only). */
	void (*on_end)(struct channels *ch, enum channel channel, void *user);
	void (*on_drain)(struct channels *ch, void *user);  /* may be NULL */
	void (*on_closed)(struct channels *ch, void *user); /* the client is gone; close still */
};

/* Chooses the sub-protocol as upstream does (the client's first that is known; none named: binary)
 * and accepts.  The owner then sends an empty message on the lowest channel it will write to:
 * clients wait for one.  RC_BAD_REQUEST: a reply is still to be made. */
[[nodiscard]] enum rc channels_accept(struct http_exchange *x, const struct channels_ops *ops,
				      void *user, struct channels **ret_channels, struct err *err);
bool channels_has_status(
	const struct channels *ch); /* v4 and v5: the error channel takes a Status */
bool channels_can_half_close(const struct channels *ch); /* v5 */

/* Returns the bytes that wait to be sent. */
size_t channels_send(struct channels *ch, enum channel channel, struct str bytes);
size_t channels_queued(const struct channels *ch);
void channels_pause(struct channels *ch);
void channels_resume(struct channels *ch);
/* Sends what is queued, a close frame, and ends. */
void channels_close(struct channels *own_ch);

#endif
