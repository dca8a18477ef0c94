/* stream: a TCP connection, with or without TLS, on a loop.
 *
 * What the HTTP server stands on and what an upgrade hands over.
 * Life: the owner ends it with exactly one of stream_close() and stream_finish(), also after
 * on_failed; from then on nothing is called.  Any callback may do so.
 * Threads: the loop's.  Limits: STREAM_QUEUE_MAX bytes waiting to be written; passing it fails the
 * stream, so writers look at what stream_write() returns. */
#ifndef SKEG_HTTP_STREAM_H
#define SKEG_HTTP_STREAM_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"
#include "http/tls.h"
#include "io/loop.h"

#define STREAM_QUEUE_MAX    (8u << 20)
#define STREAM_HANDSHAKE_MS 10000
#define STREAM_FINISH_MS    10000

struct stream;

struct stream_ops {				       /* each may be NULL */
	void (*on_open)(struct stream *s, void *user); /* TLS handshake done; at once without TLS */
	void (*on_data)(struct stream *s, struct str bytes, void *user); /* valid during the call */
	void (*on_end)(struct stream *s, void *user);	/* the peer sends no more; we still may */
	void (*on_drain)(struct stream *s, void *user); /* nothing waits to be written any more */
	void (*on_failed)(struct stream *s, const struct err *why, void *user); /* dead */
};

/* Takes a connected socket.  context NULL: plain.  server_name NULL: the accepting side. */
[[nodiscard]] struct stream *stream_new(struct loop *loop, int own_fd, struct tls_context *context,
					const char *server_name, const struct stream_ops *ops,
					void *user);
void stream_set(struct stream *s, const struct stream_ops *ops, void *user); /* a new owner */

/* Writes what the socket takes and queues a copy of the rest; returns the bytes queued. */
size_t stream_write(struct stream *s, struct str bytes);
size_t stream_queued(const struct stream *s);
/* More follows at once: the kernel may wait for it and send full packets, until this is taken back.
 * A long reply costs a fifth less so. */
void stream_more_follows(struct stream *s, bool more_follows);

/* on_data stops until stream_resume(); a peer that goes away is still noticed. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
/* Delivers bytes as if they had been read, before anything else, once callbacks are through. */
void stream_unread(struct stream *s, struct str bytes);

void stream_end(struct stream *s); /* after what is queued: no more from us; reading goes on */
void stream_close(struct stream *own_s);  /* at once; what is queued is lost; NULL is fine */
void stream_finish(struct stream *own_s); /* writes what is queued, then closes; bounded in time */

/* Joins two streams: bytes of each go to the other, with back-pressure and half-closes, until both
 * ended.  Owns both.  done may be NULL. */
void stream_splice(struct stream *own_a, struct stream *own_b, void (*done)(void *ctx), void *ctx);

struct loop *stream_loop(const struct stream *s);
struct ssl_st *stream_ssl(const struct stream *s); /* NULL: plain */
struct str stream_alpn(const struct stream *s);	   /* "h2", "http/1.1" or empty */
const struct sockaddr_storage *stream_peer(const struct stream *s);
/* "10.0.0.1" or "fd00::1", without the port. */
#define STREAM_ADDRESS_MAX 64
void stream_peer_text(const struct stream *s, char out[STREAM_ADDRESS_MAX]);

#endif
