/* forward: an exchange passed on to another server over HTTP/1.1, and its reply back: the engine of
 * a reverse proxy.
 *
 * Bodies stream both ways: whoever is slow stops the other side (FORWARD_HIGH_BYTES wait at most
 * each way).  An upgrade is passed on as well: a 101 joins the two connections; any other answer is
 * a reply as all are.  The connection to the server serves this one request and is closed, so no
 * client ever writes to it beyond its own request (CVE-2018-1002105).  Fields of the connection
 * (RFC 9110 §7.6.1) are dropped both ways and made anew.
 * Life: forward_start()'s caller gives the exchange away until done.  A reply that breaks off
 * breaks off the exchange.  The exchange's on_gone must call forward_cancel().
 * Threads: the exchange's loop. */
#ifndef SKEG_HTTP_FORWARD_H
#define SKEG_HTTP_FORWARD_H

#include "base/buf.h"
#include "http/dial.h"
#include "http/server.h"

#define FORWARD_HIGH_BYTES (256u << 10)

struct forward;

struct forward_request {
	struct dial_opts to;
	struct str method, target, host; /* host as sent */
	/* As the client sent them, or fewer, or more; names in lower case. */
	const struct http_header *headers;
	size_t header_count;
};

struct forward_reply {
	int status;
	struct http_header *headers; /* room for FORWARD_HEADERS_MORE */
	size_t header_count;
	bool is_filtered; /* set it: the body passes filter, and its length may change */
};
#define FORWARD_HEADERS_MORE 4

struct forward_ops {
	/* Before the reply's head is sent: may change it, with memory of the exchange. */
	void (*on_head)(struct http_exchange *x, struct forward_reply *reply, void *ctx);
	/* May be NULL.  Adds to out what shall be sent for these bytes; none: the end. */
	void (*filter)(struct str bytes, struct buf *out, void *ctx);
	/* Once, last, never from within forward_start().  err NULL: the exchange has ended; else
	 * nothing was replied, and the exchange is the caller's again.  x NULL: joined connections
	 * have ended; the exchange did when they were joined. */
	void (*done)(struct http_exchange *x, const struct err *err, void *ctx);
};

/* Strings and headers live as long as the exchange.  ops is static.  RC_BAD_REQUEST: something of
 * the request cannot be part of a head. */
[[nodiscard]] enum rc forward_start(struct http_exchange *x, const struct forward_request *request,
				    const struct forward_ops *ops, void *ctx,
				    struct forward **ret_forward, struct err *err);
/* The client is gone: nothing is called any more, and the exchange ends. */
void forward_cancel(struct forward *forward);

#endif
