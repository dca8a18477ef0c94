/* websocket: WebSocket (RFC 6455) on a stream, the accepting and the asking side, framing by wslay.
 *
 * Who gets it: websocket_accept() answers an exchange and gives the socket.  Messages arrive whole;
 * pings are answered; a close is answered and then on_closed runs.  Text must be UTF-8. Life: ends
 * with websocket_close() by the owner (also after on_closed), in any callback. Threads: the loop's.
 * Limits: WEBSOCKET_MESSAGE_MAX a message in; queued bytes are for the owner to watch
 * (websocket_queued, on_drain), beyond STREAM_QUEUE_MAX the connection is cut. */
#ifndef SKEG_HTTP_WEBSOCKET_H
#define SKEG_HTTP_WEBSOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "http/server.h"

#define WEBSOCKET_MESSAGE_MAX (1u << 20)

enum websocket_code { /* RFC 6455 §7.4.1 */
		      WEBSOCKET_NORMAL = 1000,
		      WEBSOCKET_GOING_AWAY = 1001,
		      WEBSOCKET_PROTOCOL_ERROR = 1002,
		      WEBSOCKET_TOO_BIG = 1009,
		      WEBSOCKET_INTERNAL = 1011,
};

struct dial_reply;
struct websocket;

struct websocket_ops {
	void (*on_message)(struct websocket *ws, bool is_binary, struct str message, void *user);
	void (*on_drain)(struct websocket *ws, void *user); /* may be NULL */
	/* Once: the peer closed (code of its frame, 1005 without one) or is gone (1006). */
	void (*on_closed)(struct websocket *ws, uint16_t code, void *user);
};

/* Does the request ask for a WebSocket? */
bool websocket_is_asked(const struct http_exchange *x);
/* The first protocol of Sec-WebSocket-Protocol that is one of ours, NULL when none is; ours ends
 * with NULL.  *ret_is_offered tells whether the client named any. */
const char *websocket_choose(const struct http_exchange *x, const char *const *ours,
			     bool *ret_is_offered);
/* Answers 101.  protocol may be NULL.  RC_BAD_REQUEST with the reason: a reply is still to be made.
 */
[[nodiscard]] enum rc websocket_accept(struct http_exchange *x, const char *protocol,
				       const struct websocket_ops *ops, void *user,
				       struct websocket **ret_ws, struct err *err);

/* --- the asking side: headers for dial_upgrade(), and what comes of its reply --- */

#define WEBSOCKET_ASK_HEADERS 4
/* protocols: comma-separated, the best first.  *ret_key is needed for the answer. */
size_t websocket_ask(struct arena *a, const char *protocols,
		     struct http_header out[WEBSOCKET_ASK_HEADERS], struct str *ret_key);
/* Takes the stream of a reply of status 101; *ret_protocol is the arena's.  RC_INVALID when the
 * server answered something else than a WebSocket. */
[[nodiscard]] enum rc websocket_answered(struct arena *a, const struct dial_reply *reply,
					 struct str key, const struct websocket_ops *ops,
					 void *user, struct str *ret_protocol,
					 struct websocket **ret_ws, struct err *err);

/* Returns the bytes that wait to be sent. */
size_t websocket_send(struct websocket *ws, bool is_binary, struct str message);
/* One message of two parts, without putting them together first. */
size_t websocket_send2(struct websocket *ws, bool is_binary, struct str first, struct str second);
size_t websocket_queued(const struct websocket *ws);
void websocket_pause(struct websocket *ws); /* what was read already may still come: 4 KiB */
void websocket_resume(struct websocket *ws);
/* Sends a close frame, what is queued goes out first; nothing is called any more; ws is gone. */
void websocket_close(struct websocket *own_ws, uint16_t code, struct str reason);

#endif
