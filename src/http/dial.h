/* dial: a connection of our own to somebody else's server, for upgrades and raw bytes.
 *
 * Resolves on the pool, tries each address in turn, does TLS, and gives a stream.  dial_upgrade()
 * also sends one HTTP/1.1 request and hands the stream over only when the answer is 101: anything
 * else is given back as a reply and the connection is closed (an open one would let a client speak
 * to the backend with our identity, CVE-2018-1002105). Threads: the loop's. */
#ifndef SKEG_HTTP_DIAL_H
#define SKEG_HTTP_DIAL_H

#include "http/server.h"
#include "http/stream.h"
#include "http/tls.h"

#define DIAL_REPLY_MAX (64u << 10) /* of the body of a reply that is not 101 */

struct dial_opts {
	const char *host; /* name or address, IPv6 without brackets */
	uint16_t port;
	struct tls_context *tls; /* NULL: plain */
	const char *server_name; /* for TLS; NULL: host */
	int64_t timeout_ms;	 /* 0: 10 s for everything until the stream is given */
};

struct dial;
/* done once, never from within dial_start(): a stream, paused, whose owner it becomes (stream_set,
 * then stream_resume), or NULL and err. */
struct dial *dial_start(struct loop *loop, const struct dial_opts *opts,
			void (*done)(struct stream *own_stream, const struct err *err, void *ctx),
			void *ctx);
void dial_cancel(struct dial *dial);

struct dial_request {
	struct str method; /* GET or POST */
	struct str target; /* path and query, as sent */
	struct str host_header;
	const struct http_header *headers; /* with "upgrade"; Connection: Upgrade is added */
	size_t header_count;
};
/* stream is given for 101; else status, headers and body are the reply, or err says what failed. */
struct dial_reply {
	int status; /* 0: no reply */
	const struct http_header *headers;
	size_t header_count;
	struct str body;
	struct stream *stream; /* paused; its owner is who gets it; NULL unless status is 101 */
	const struct err *err; /* NULL when there is a reply */
};
struct dial *dial_upgrade(struct loop *loop, const struct dial_opts *opts,
			  const struct dial_request *request,
			  void (*done)(const struct dial_reply *reply, void *ctx), void *ctx);

#endif
