/* http-int: what the files of http/ share among themselves.
 *
 * server.c owns listening and connections, exchange.c the requests and what is queued to be sent,
 * http1.c and http2.c turn bytes into exchanges and back behind struct protocol_ops. */
#ifndef SKEG_HTTP_HTTP_INT_H
#define SKEG_HTTP_HTTP_INT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "http/server.h"

/* --- connections --- */

#define HTTP_HEADERS_MAX 1000	      /* fields of one request */
#define OUT_BYTES	 (16u << 10)  /* assembled before one write: a TLS record */
#define HTTP_BODY_WINDOW (512u << 10) /* of a streamed body wait at most, by flow control */

struct connection;

struct protocol_ops {
	void (*free)(struct connection *c);
	void (*on_data)(struct connection *c, struct str bytes);
	void (*on_end)(struct connection *c);	      /* the peer sends no more */
	void (*flush)(struct connection *c);	      /* write until the stream queues */
	void (*reply_ready)(struct http_exchange *x); /* head is there, or more body, or the end */
	void (*abort)(struct http_exchange *x);
	/* So much of the body has been used; 0: a streamed one goes on. */
	void (*body_taken)(struct http_exchange *x, size_t bytes);
	void (*goaway)(struct connection *c);		    /* no further requests */
	int64_t (*deadline_ms)(const struct connection *c); /* monotonic; INT64_MAX: none */
};

/* A peer's identity, held by its connection and by exchanges that asked for it. */
struct identity_holder {
	uint32_t refs;
	struct arena arena;
	struct tls_identity identity;
};
void identity_unref(struct identity_holder *holder);

#define CONNECTION_MAGIC 0x434f4e4eU

struct connection {
	uint32_t magic;
	struct http_server *server;
	struct list link;		     /* of the server */
	struct stream *stream;		     /* NULL: lost */
	const struct protocol_ops *protocol; /* NULL until TLS is done */
	void *state;			     /* the protocol's */
	struct list exchanges;
	uint32_t exchange_count;
	struct loop_msg flush_msg;
	struct loop_timer timer;
	int64_t active_ms;  /* last byte in, last exchange through */
	int64_t written_ms; /* last time nothing waited to be written */
	bool is_reading;    /* inside on_data: flushed at its end */
	bool is_draining;   /* no further requests */
	uint16_t peer_port;
	char peer[STREAM_ADDRESS_MAX];
	struct identity_holder *identity; /* NULL: nobody asked yet */
};

extern const struct protocol_ops http1_protocol, http2_protocol;
void http1_attach(struct connection *c);
void http2_attach(struct connection *c);

void connection_flush_soon(struct connection *c);
void connection_watch(struct connection *c); /* a deadline may have come nearer */
/* Writes what waits, closes, tells every exchange. */
void connection_finish(struct connection *c);
void connection_lose(struct connection *c); /* at once */
/* The connection's stream for somebody else; the connection ends. */
struct stream *connection_take_stream(struct connection *c);

/* --- exchanges --- */

#define EXCHANGE_MAGIC 0x45584348U

enum reply_stage { REPLY_NONE, REPLY_OPEN, REPLY_WHOLE };

struct reply_chunk {
	struct reply_chunk *next;
	const char *at;
	size_t len;
	void (*release)(void *owner);
	void *owner;
};

struct http_exchange {
	uint32_t magic;
	int version;		 /* 10, 11, 20 */
	struct connection *conn; /* not NULL before is_sent */
	struct http_server *server;
	struct list link; /* of conn, then of the server's done list */
	struct arena arena;
	void *user;

	struct str method, path, path_raw, query, authority;
	struct http_header *headers, *params;
	size_t header_count, header_cap, header_bytes, param_count;
	struct buf body;
	size_t body_max;
	int64_t body_bytes; /* content-length, -1 unknown */
	bool has_params;
	bool wants_upgrade;
	bool is_tls;
	bool is_head; /* HEAD: no body in the reply */
	bool is_body_cut;
	bool is_body_streamed; /* asked before the body is in */
	bool is_body_paused;
	bool is_body_whole;
	void (*receive)(struct http_exchange *x, struct str bytes); /* until the end was told */
	struct forward *forward; /* who passes it on; NULL: nobody */
	bool is_begun;		 /* on_headers was called: on_done is owed */
	bool is_asked;		 /* on_request was called: the handler ends it */
	bool is_handled;	 /* the handler's part is over */
	bool is_sent;		 /* the protocol's part is over */
	bool is_gone;
	bool is_listed_done;
	bool is_held;
	bool close_after;

	enum reply_stage stage;
	int status;
	const struct http_header *reply_headers;
	size_t reply_header_count;
	struct http_header common_headers[HTTP_COMMON_HEADERS_MAX];
	bool common_is_unique[HTTP_COMMON_HEADERS_MAX];
	size_t common_header_count;
	int64_t reply_bytes; /* content-length, -1: streamed */
	struct reply_chunk *first, **last;
	size_t queued_bytes;
	size_t drain_low_bytes;
	void (*drain)(struct http_exchange *x);
	bool is_drain_armed;

	struct identity_holder *identity;
	char peer[STREAM_ADDRESS_MAX];
	uint16_t peer_port;
	int32_t stream_id; /* HTTP/2 */
	bool is_head_sent;
	bool is_deferred;     /* nghttp2 waits for more body */
	size_t dropped_bytes; /* of a body that was cut */
	bool is_too_large_head;
};

struct http_exchange *exchange_new(struct connection *c);
/* Request side, by the protocols. */
enum rc exchange_header_add(struct http_exchange *x, struct str name,
			    struct str value); /* borrows */
enum rc exchange_target_set(struct http_exchange *x, struct str target, const char **ret_why);
void exchange_headers_in(struct http_exchange *x);
void exchange_body_add(struct http_exchange *x, struct str bytes);
void exchange_body_end(struct http_exchange *x);  /* of a streamed one */
void exchange_body_drop(struct http_exchange *x); /* nobody wants the rest of it */
void exchange_request_in(struct http_exchange *x);
/* Both ends: is_handled or is_sent became true. */
void exchange_settle(struct http_exchange *x);
void exchange_unlink(struct http_exchange *x); /* from its connection */
void exchange_lost(struct http_exchange *x);   /* the peer went away */

/* Reply side: bytes that can be sent, and having sent them. */
void exchange_chunk_sent(struct http_exchange *x, size_t len);
void exchange_drop_reply(struct http_exchange *x);
static inline bool exchange_has_body_left(const struct http_exchange *x)
{
	return x->first != NULL;
}

/* --- server --- */

struct http_server {
	struct loop *loop;
	struct http_limits limits;
	const struct http_handler *handler;
	void *ctx;
	struct tls_context *tls;
	uint16_t port;
	struct listener *listeners[2];
	size_t listener_count;
	struct list connections;
	uint32_t connection_count;
	uint32_t exchange_count;
	size_t queued_bytes; /* of all exchanges */
	struct list done;    /* exchanges to be reaped */
	struct loop_msg reap_msg;
	struct list spare; /* exchanges with their arenas, to be used again */
	uint32_t spare_count;
	struct buf out; /* where replies are put together */
	struct loop_timer grace, accept_retry;
	struct loop_msg stopped_msg;
	bool is_stopping;
	bool is_accept_paused;
	void (*stopped)(void *ctx);
	void *stopped_ctx;
	int64_t date_s;
	char date[32]; /* of date_s */
};

struct str server_date(struct http_server *server); /* "Tue, 15 Nov 1994 08:12:31 GMT" */
struct buf *server_out(struct http_server *server); /* emptied; until the next call */
void server_exchange_over(struct http_server *server, struct http_exchange *x);

#endif
