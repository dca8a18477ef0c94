/* Blocking requests: one libcurl handle a session, which keeps its connections. */
#include "base/mem.h"
#include "http/transfer.h"

struct http_session {
	struct transfer_opts opts;
	CURL *easy;
};

struct fetch {
	struct transfer transfer;
	const struct http_fetch_ops *ops;
};

enum rc http_session_new(const struct http_client_opts *opts, struct http_session **ret_session,
			 struct err *err)
{
	struct http_session *session = NEW(struct http_session);
	enum rc rc = transfer_opts_init(&session->opts, opts, err);
	if (rc != RC_OK) {
		free(session);
		return rc;
	}
	session->easy = curl_easy_init();
	ASSERT(session->easy);
	*ret_session = session;
	return RC_OK;
}

void http_session_free(struct http_session *session)
{
	if (!session)
		return;
	curl_easy_cleanup(session->easy);
	transfer_opts_done(&session->opts);
	free(session);
}

static bool write_on(struct transfer *t, struct str bytes)
{
	struct fetch *fetch = CONTAINER_OF(t, struct fetch, transfer);
	if (t->response.status / 100 == 2) {
		enum rc rc = fetch->ops->write(bytes, &t->response, fetch->ops->ctx, &t->own);
		if (rc != RC_OK)
			t->own.rc = rc;
		return rc == RC_OK;
	}
	buf_add_str(&t->body, bytes);
	return !t->body.is_full;
}

static size_t upload_on(char *out, size_t one, size_t room, void *user)
{
	struct fetch *fetch = user;
	size_t put = fetch->ops->upload(out, room, fetch->ops->ctx);
	return put == SIZE_MAX ? CURL_READFUNC_ABORT : put;
}

static void upload_set(struct fetch *fetch, CURL *easy, const struct http_request *request)
{
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method ? request->method : "PUT");
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, upload_on);
	curl_easy_setopt(easy, CURLOPT_READDATA, fetch);
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)fetch->ops->upload_bytes);
}

/* The response outlives the transfer in the caller's arena. */
static void response_copy(struct arena *a, const struct http_response *from,
			  struct http_response *to)
{
	struct http_header *headers = ARENA_ARRAY(a, struct http_header, from->header_count + 1);
	*to = *from;
	for (size_t i = 0; i < from->header_count; i++)
		headers[i] = (struct http_header){arena_str(a, from->headers[i].name),
						  arena_str(a, from->headers[i].value)};
	to->headers = headers;
	to->body = arena_str(a, from->body);
	to->url = arena_str(a, from->url);
}

enum rc http_fetch(struct http_session *session, const struct http_request *request,
		   const struct http_fetch_ops *ops, struct arena *a,
		   struct http_response *ret_response, struct err *err)
{
	struct fetch fetch = {.ops = ops};
	curl_easy_reset(session->easy);
	if (ops && ops->write)
		fetch.transfer.on_data = write_on;
	enum rc rc = transfer_begin(&fetch.transfer, session->easy, &session->opts, request, err);
	if (rc == RC_OK && ops && ops->upload)
		upload_set(&fetch, session->easy, request);
	if (rc == RC_OK)
		rc = transfer_end(&fetch.transfer, curl_easy_perform(session->easy), err);
	if (rc == RC_OK)
		response_copy(a, &fetch.transfer.response, ret_response);
	transfer_done(&fetch.transfer);
	return rc;
}
