/* server: HTTP/1.1 and HTTP/2 for the API server, the node agent and tests.
 *
 * One http_server belongs to one loop; several io threads run one each on the same port
 * (reuse_port).  A request is a struct http_exchange, the same for both protocols.
 *
 * Life of an exchange:
 *   on_headers  head is in; the handler says how many bytes of body it takes
 *   on_request  the body is in as well (or was too long: http_body_is_cut())
 *   ... the handler replies now or later: http_reply(), http_stream_begin()...http_stream_end(),
 *       http_upgrade() or http_abort().  Exactly one of these ends its part, always, also after
 *       on_gone.
 *   on_gone     at most once, before the handler ended: the peer went away, stop what you do;
 *       whatever is replied from now on is dropped
 *   on_done     last: everything is sent or dropped; free `user`; x is gone when it returns
 *
 * on_request may be followed by a reply in the same call.  A reply from another thread is posted
 * to this loop (loop_post).  With HTTP_BODY_STREAMED on_request comes at the head, and
 * http_body_receive() gives the body.  on_gone may come before on_request (then on_request never
 * comes, and nothing needs to be replied).
 *
 * Threads: the loop's for every call.
 * Limits: struct http_limits.  Requests that are ambiguous (request smuggling, RFC 9112 §6.3,
 * §11.2) are refused with 400 and the connection is closed. */
#ifndef SKEG_HTTP_SERVER_H
#define SKEG_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "http/stream.h"
#include "http/tls.h"
#include "io/loop.h"

struct http_server;
struct http_exchange;

struct http_limits {	       /* 0: the default */
	uint32_t header_bytes; /* 64 KiB, then 431 */
	uint32_t header_ms;    /* 32 s for the whole head */
	uint32_t body_ms;      /* 60 s without any byte of an expected body */
	uint32_t idle_ms;      /* 90 s between requests */
	uint32_t write_ms;     /* 60 s without any byte taken by the peer while some wait */
	uint32_t connections;  /* 4096 a server; then accepting pauses */
	uint32_t streams;      /* 100 HTTP/2 requests at once a connection */
	uint32_t queued_bytes; /* 4 MiB of a streamed reply; then the exchange is aborted */
};

struct http_handler {
	/* Returns the greatest body taken; NULL: HTTP_BODY_DEFAULT. */
	size_t (*on_headers)(struct http_exchange *x, void *ctx);
	void (*on_request)(struct http_exchange *x, void *ctx);
	void (*on_gone)(struct http_exchange *x, void *ctx); /* may be NULL */
	void (*on_done)(struct http_exchange *x, void *ctx); /* may be NULL */
};
#define HTTP_BODY_DEFAULT  (3u << 20)
#define HTTP_BODY_STREAMED SIZE_MAX

struct http_server_config {
	const char *address; /* "" or NULL: every address, IPv4 and IPv6 */
	uint16_t port;	     /* 0: any, see http_server_port() */
	int listen_fd;	     /* > 0: an inherited listening socket, taken over; else 0 or -1 */
	bool reuse_port;
	struct tls_context
		*tls; /* referenced; NULL: plain TCP (HTTP/2 with prior knowledge works) */
	struct http_limits limits;
};

/* Starts to accept when the loop runs.  RC_CONFLICT: the port is taken; RC_FORBIDDEN: not allowed.
 */
[[nodiscard]] enum rc http_server_new(struct loop *loop, const struct http_server_config *config,
				      const struct http_handler *handler, void *ctx,
				      struct http_server **ret_server, struct err *err);
uint16_t http_server_port(const struct http_server *server);
/* Its listening socket, still its own: a duplicate lets another loop accept from it as well. */
int http_server_listen_fd(const struct http_server *server);
void http_server_set_tls(struct http_server *server, struct tls_context *tls); /* new connections */
uint32_t http_server_connections(const struct http_server *server);
size_t http_server_queued(const struct http_server *server); /* bytes of replies not yet taken */

/* No new connections; GOAWAY and Connection: close; idle connections go at once, the rest when
 * their exchanges end, at the latest after grace_ms (on_gone, then cut).  done runs once every
 * exchange has ended; only then may the server be freed. */
void http_server_stop(struct http_server *server, uint32_t grace_ms, void (*done)(void *ctx),
		      void *ctx);
void http_server_free(struct http_server *server); /* stopped, or without any exchange */

/* Serves a connection that came another way, as if it had been accepted (TLS already done). */
void http_server_adopt(struct http_server *server, struct stream *own_stream);

/* --- the request; strings live as long as the exchange --- */

struct http_header {
	struct str name; /* lower case */
	struct str value;
};

struct str http_method(const struct http_exchange *x);
struct str http_path(const struct http_exchange *x);	 /* percent-decoded, never empty */
struct str http_path_raw(const struct http_exchange *x); /* as received, without the query */
struct str http_query(const struct http_exchange *x); /* as received, without '?'; may be empty */
/* A query parameter decoded ('+' is a space): the first of that name; absent when there is none. */
struct str http_param(struct http_exchange *x, const char *name);
/* All of them in order, at most 1000; parsed once. */
const struct http_header *http_params(struct http_exchange *x, size_t *ret_count);
struct str http_authority(const struct http_exchange *x); /* Host or :authority */

/* name in lower case.  The first value; absent when there is none. */
struct str http_header(const struct http_exchange *x, const char *name);
/* The value after the one with index *at (start with 0); false when there are no more. */
bool http_header_next(const struct http_exchange *x, const char *name, size_t *at,
		      struct str *ret_value);
/* Every header, without pseudo-headers. */
const struct http_header *http_headers(const struct http_exchange *x, size_t *ret_count);

struct str http_body(const struct http_exchange *x);	/* empty before on_request */
int64_t http_body_bytes(const struct http_exchange *x); /* as announced; -1: unknown */
/* Of a streamed body, from on_request on: receive gets each piece and, last, an empty one; nothing
 * comes before this call nor between pause and resume (up to 512 KiB wait, the rest in the peer's
 * hands), nor once the handler has ended.  May be called at once. */
void http_body_receive(struct http_exchange *x,
		       void (*receive)(struct http_exchange *x, struct str bytes));
void http_body_pause(struct http_exchange *x);
void http_body_resume(struct http_exchange *x);
struct str http_peer(const struct http_exchange *x);  /* address of the client, without its port */
bool http_body_is_cut(const struct http_exchange *x); /* it exceeds what on_headers took */
bool http_expects_upgrade(const struct http_exchange *x); /* HTTP/1.1 with Connection: upgrade */

int http_version(const struct http_exchange *x); /* 10, 11 or 20 */
const struct tls_identity *http_identity(struct http_exchange *x);
const char *http_remote_address(const struct http_exchange *x); /* without the port */
uint16_t http_remote_port(const struct http_exchange *x);

struct arena *http_arena(struct http_exchange *x);
struct loop *http_loop(const struct http_exchange *x);
void http_set_user(struct http_exchange *x, void *user);
void *http_user(const struct http_exchange *x);
bool http_is_gone(const struct http_exchange *x); /* on_gone was called or is not needed any more */

/* --- replies --- */

/* Bytes of a reply.  release NULL: they are copied.  Else they are borrowed until release(owner) is
 * called, exactly once, on this thread, possibly before the call that takes them returns. */
struct http_chunk {
	const void *data;
	size_t len;
	void (*release)(void *owner);
	void *owner;
};
void http_chunk_static(
	void *owner); /* a release for what lives as long as the exchange or longer */
#define HTTP_CHUNK_STR(s)     ((struct http_chunk){(s).at, (s).len, http_chunk_static, NULL})
#define HTTP_CHUNK_COPY(p, n) ((struct http_chunk){(p), (n), NULL, NULL})

/* A header that every reply to this exchange carries, whoever makes it; before the reply, at most
 * HTTP_COMMON_HEADERS_MAX.  name and value live as long as the exchange.  is_unique: no other reply
 * has this value, so HTTP/2 gives it no place in the table of the connection. */
#define HTTP_COMMON_HEADERS_MAX 4
void http_add_header(struct http_exchange *x, struct str name, struct str value, bool is_unique);

/* Names in lower case; names and values must live as long as the exchange (literals, its arena).
 * date and content-length are added; connection-specific fields must not be among them. */
struct http_reply {
	int status;
	const struct http_header *headers;
	size_t header_count;
	const struct http_chunk *body;
	size_t chunk_count;
};
void http_reply(struct http_exchange *x, const struct http_reply *reply);
/* One text of a type, copied. */
void http_reply_text(struct http_exchange *x, int status, const char *content_type,
		     struct str text);

/* A reply of unknown length.  Writing is allowed between begin and end only, also after on_gone.
 * Returns the bytes that wait to be sent now. */
void http_stream_begin(struct http_exchange *x, int status, const struct http_header *headers,
		       size_t header_count);
size_t http_stream_write(struct http_exchange *x, const struct http_chunk *chunks, size_t count);
size_t http_stream_queued(const struct http_exchange *x);
/* fn runs (not from within http_stream_write) each time the queue falls to low_bytes or less; what
 * waits already counts. */
void http_stream_on_drain(struct http_exchange *x, size_t low_bytes,
			  void (*fn)(struct http_exchange *x));
void http_stream_end(struct http_exchange *x);

/* Between the two it stays in memory, although it may be replied to and sent: for a handler that
 * answers before its work is through. */
void http_hold(struct http_exchange *x);
void http_release(struct http_exchange *x);

/* Ends without a (complete) reply: RST_STREAM, or the connection is cut. */
void http_abort(struct http_exchange *x);

/* HTTP/1.1 only (http_expects_upgrade()): sends 101 with these headers (Connection: Upgrade is
 * added) and gives the raw connection, bytes that came behind the request included.  RC_BAD_REQUEST
 * when the exchange cannot be upgraded: then a reply is still to be made.  On RC_OK the exchange
 * has ended. */
[[nodiscard]] enum rc http_upgrade(struct http_exchange *x, const struct http_header *headers,
				   size_t header_count, const struct stream_ops *ops, void *user,
				   struct stream **ret_stream, struct err *err);

/* The connection closes once this exchange is through (anonymous clients, security limits). */
void http_close_after(struct http_exchange *x);

const char *http_status_text(int status); /* "Not Found"; "" when unknown */

#endif
