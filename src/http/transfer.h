/* transfer: one request on one libcurl handle, for client.c (asynchronous) and fetch.c (blocking).
 * Private to http/. */
#ifndef SKEG_HTTP_TRANSFER_H
#define SKEG_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "base/arena.h"
#include "base/buf.h"
#include "http/client.h"

/* A client's options with memory of their own. */
struct transfer_opts {
	struct arena arena;
	struct http_client_opts opts;
	struct buf authorization; /* "authorization: Bearer ..." */
};
[[nodiscard]] enum rc transfer_opts_init(struct transfer_opts *o,
					 const struct http_client_opts *opts, struct err *err);
void transfer_opts_done(struct transfer_opts *o);
void transfer_opts_set_token(struct transfer_opts *o, struct str token);
void transfer_opts_set_identity(struct transfer_opts *o, struct str cert_pem, struct str key_pem);

struct transfer {
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct arena arena;
	struct http_response response;
	struct http_header *fields;
	size_t field_count, field_cap, head_bytes;
	struct buf request_body, body;
	size_t body_max;
	uint16_t max_redirects;
	char curl_text[CURL_ERROR_SIZE];
	struct err own; /* what our callbacks found; rc RC_OK: nothing */
	bool is_head_told;
	/* Of the user: any may be NULL.  on_data returns false to break off. */
	void (*on_head)(struct transfer *t);
	bool (*on_data)(struct transfer *t, struct str bytes);
};
/* Sets everything on t->easy; t->on_* are the caller's. */
[[nodiscard]] enum rc transfer_begin(struct transfer *t, CURL *easy, struct transfer_opts *o,
				     const struct http_request *request, struct err *err);
/* What code says, with the response completed; RC_OK when a whole reply came. */
[[nodiscard]] enum rc transfer_end(struct transfer *t, CURLcode code, struct err *err);
void transfer_done(struct transfer *t); /* not the handle */

#endif
