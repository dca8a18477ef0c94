/* client: outgoing HTTP on libcurl: asynchronous on a loop, and blocking for commands and pulls.
 *
 * A http_client holds what requests to the same place share: trust, identity, connections.  HTTP/2
 * requests share one, but a request with on_data and without a timeout (a watch) has its own.
 * Redirects are not followed unless asked for, and never from https to http.  Proxies of the
 * environment are used only when asked for.
 * Threads: a client belongs to its loop's thread; http_fetch() works anywhere but on a loop's
 * thread. Errors of a request: RC_TIMEOUT, RC_UNAVAILABLE (could not connect, name unknown),
 * RC_TOO_LARGE (body limit), RC_IO (broken off), RC_INVALID (URL, PEM), RC_UNAUTHORIZED (server
 * certificate does not verify).
 */
#ifndef SKEG_HTTP_CLIENT_H
#define SKEG_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "http/server.h" /* struct http_header */
#include "io/loop.h"

struct http_client_opts {
	struct str ca_pem; /* absent: the system's */
	struct str cert_pem, key_pem;
	struct str bearer_token;
	struct str user_agent; /* absent: "skeg/<version>" */
	bool skip_verify;
	bool http1_only;
	/* HTTP/2 from the first byte, also without TLS; a connection for each request (gRPC). */
	bool http2_only;
	bool use_proxy_env;
	int64_t connect_timeout_ms; /* 0: 10 s */
};

struct http_request {
	const char *method; /* NULL: GET, or POST with a body */
	const char *url;    /* http:// or https:// */
	const struct http_header *headers;
	size_t header_count;
	struct str body;	 /* copied */
	int64_t timeout_ms;	 /* of the whole; 0: none (watches) */
	int64_t idle_timeout_ms; /* without a byte; 0: none */
	size_t body_max;	 /* of the reply; 0: 64 MiB; not for on_data */
	const char *pin_address; /* connect here whatever the name resolves to; NULL: resolve */
	uint16_t max_redirects;	 /* 0: a redirect is a reply as any other */
	struct str
		authorization; /* instead of the client's bearer token: "Basic ..."; absent: none */
};

/* Lives until done returns. */
struct http_response {
	int status; /* 0 before the head came */
	/* Names in lower case; of the last head, then trailers. */
	const struct http_header *headers;
	size_t header_count;
	struct str body; /* when there is no on_data */
	struct str url;	 /* the effective one, after redirects */
};
struct str http_response_header(const struct http_response *response, const char *name);

/* --- asynchronous --- */

struct http_client;
struct http_call;

[[nodiscard]] enum rc http_client_new(struct loop *loop, const struct http_client_opts *opts,
				      struct http_client **ret_client, struct err *err);
void http_client_free(struct http_client *client); /* cancels what runs; NULL is fine */
static inline void http_client_free_p(struct http_client **client) /* for CLEANUP() */
{
	http_client_free(*client);
}
void http_client_set_token(struct http_client *client, struct str bearer_token);
/* A renewed certificate with its key, for requests from now on; those that run go on. */
void http_client_set_identity(struct http_client *client, struct str cert_pem, struct str key_pem);

struct http_call_ops {
	/* Head of the final reply; may be NULL. */
	void (*on_head)(struct http_call *call, const struct http_response *response, void *ctx);
	/* Bytes as they come; NULL: collected into response->body. */
	void (*on_data)(struct http_call *call, struct str bytes, void *ctx);
	/* Once, last, never from within http_call_start(): err is NULL when a whole reply came
	 * (whatever its status).  call is gone when it returns. */
	void (*on_done)(struct http_call *call, const struct http_response *response,
			const struct err *err, void *ctx);
};
[[nodiscard]] enum rc http_call_start(struct http_client *client,
				      const struct http_request *request,
				      const struct http_call_ops *ops, void *ctx,
				      struct http_call **ret_call, struct err *err);
void http_call_cancel(
	struct http_call *call); /* nothing is called any more; allowed in callbacks */
void http_call_pause(struct http_call *call);
void http_call_resume(struct http_call *call);

/* --- blocking --- */

/* A session keeps connections between blocking requests; not shared by threads. */
struct http_session;
[[nodiscard]] enum rc http_session_new(const struct http_client_opts *opts,
				       struct http_session **ret_session, struct err *err);
void http_session_free(struct http_session *session);

/* write (may be NULL: collected into the response) gets bytes of 2xx replies; other bodies are
 * collected; anything but RC_OK breaks off with that error.  upload (may be NULL) gives the body
 * instead of request->body: it returns the bytes put into out, 0 at the end, SIZE_MAX to break off;
 * upload_bytes is the whole length. */
struct http_fetch_ops {
	enum rc (*write)(struct str bytes, const struct http_response *response, void *ctx,
			 struct err *err);
	size_t (*upload)(char *out, size_t room, void *ctx);
	int64_t upload_bytes;
	void *ctx;
};
/* RC_OK with any status; the response's memory is the arena's.  ops may be NULL. */
[[nodiscard]] enum rc http_fetch(struct http_session *session, const struct http_request *request,
				 const struct http_fetch_ops *ops, struct arena *a,
				 struct http_response *ret_response, struct err *err);

#endif
