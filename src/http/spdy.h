/* spdy: SPDY/3.1, as kubectl uses it for port-forward and, before 1.30, for
 * exec: on an upgraded connection, or inside the binary messages of a WebSocket.
 *
 * A session has streams that the client opens; each is acknowledged at once.  There is no flow
 * control by stream (kubectl has none): a reader that is too slow pauses the whole session. Life:
 * spdy_close() ends a session, also after on_closed; every stream that is left then gets its
 * on_gone. A stream is over when both sides ended it or one reset it: on_gone is the last that is
 * heard of it, and never called from within spdy_stream_*(). Threads: the loop's.  Limits:
 * SPDY_STREAMS_MAX streams at once, 64 KiB a head; a peer that does not keep to the format is cut.
 * Source: https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/ */
#ifndef SKEG_HTTP_SPDY_H
#define SKEG_HTTP_SPDY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "http/server.h"

#define SPDY_STREAMS_MAX 512

struct dial_reply;
struct spdy;
struct spdy_stream;

struct spdy_ops {
	void (*on_stream)(struct spdy_stream *stream, void *user); /* may reset it */
	void (*on_data)(struct spdy_stream *stream, struct str bytes, void *user);
	void (*on_end)(struct spdy_stream *stream, void *user); /* the client sends no more on it */
	void (*on_gone)(struct spdy_stream *stream, void *user);
	void (*on_drain)(struct spdy *session,
			 void *user); /* nothing waits to be sent; may be NULL */
	void (*on_closed)(struct spdy *session, void *user); /* once: the client is gone */
};

bool spdy_is_asked(const struct http_exchange *x); /* Upgrade: SPDY/3.1 */

/* Chooses the first of the client's X-Stream-Protocol-Version that is in protocols (ends with NULL)
 * and answers 101; *ret_protocol is NULL when the client named none.  Errors need a reply still:
 * RC_BAD_REQUEST, or RC_FORBIDDEN when no protocol fits (upstream's wording). */
[[nodiscard]] enum rc spdy_accept(struct http_exchange *x, const char *const *protocols,
				  const struct spdy_ops *ops, void *user, const char **ret_protocol,
				  struct spdy **ret_session, struct err *err);
/* The same inside a WebSocket of this sub-protocol ("SPDY/3.1+portforward.k8s.io"). */
[[nodiscard]] enum rc spdy_accept_tunnel(struct http_exchange *x, const char *protocol,
					 const struct spdy_ops *ops, void *user,
					 struct spdy **ret_session, struct err *err);

/* The asking side of such a tunnel, on dial_upgrade()'s reply to what websocket_ask() made. */
[[nodiscard]] enum rc spdy_tunnel_answered(struct loop *loop, struct arena *a,
					   const struct dial_reply *reply, struct str key,
					   const struct spdy_ops *ops, void *user,
					   struct spdy **ret_session, struct err *err);
/* Opens a stream (of the asking side); NULL when there are SPDY_STREAMS_MAX. */
struct spdy_stream *spdy_stream_open(struct spdy *session, const struct http_header *headers,
				     size_t count, void *user);

size_t spdy_queued(const struct spdy *session);
void spdy_pause(struct spdy *session); /* what was read already may still come */
void spdy_resume(struct spdy *session);
void spdy_close(struct spdy *own_session); /* GOAWAY after what is queued; NULL is fine */

struct str spdy_stream_header(const struct spdy_stream *stream, const char *name); /* lower case */
uint32_t spdy_stream_id(const struct spdy_stream *stream);
void spdy_stream_set_user(struct spdy_stream *stream, void *user);
void *spdy_stream_user(const struct spdy_stream *stream);
/* Returns the bytes of the session that wait to be sent. */
size_t spdy_stream_write(struct spdy_stream *stream, struct str bytes);
void spdy_stream_end(struct spdy_stream *stream);
void spdy_stream_reset(struct spdy_stream *stream);

#endif
