/* libcurl's multi interface on a loop: its sockets under uv_poll, its one timer as a loop_timer.
 *
 * libcurl must not be entered from its own callbacks: handles are added and removed from deferred
 * calls, or at once when depth is 0. */
#include "http/client.h"

#include <uv.h>

#include "base/mem.h"
#include "http/transfer.h"

#define CONNECTIONS_KEPT 32L

struct http_client {
	struct loop *loop;
	struct transfer_opts opts;
	CURLM *multi;
	struct loop_timer timer;
	struct loop_msg soon; /* starts and reaps calls */
	struct list calls;
	int depth; /* inside libcurl */
};

enum call_stage { CALL_WAITING, CALL_RUNNING, CALL_CANCELLED };

struct http_call {
	struct list link;
	struct http_client *client;
	struct transfer transfer; /* its easy handle is the call's */
	const struct http_call_ops *ops;
	void *ctx;
	enum call_stage stage;
	bool is_whole; /* nothing is left to be told to the server */
};

struct socket_watch {
	uv_poll_t poll;
	struct http_client *client;
	curl_socket_t fd;
};

static void messages_read(struct http_client *client);

/* --- calls --- */

static struct http_call *call_of(struct transfer *t)
{
	return CONTAINER_OF(t, struct http_call, transfer);
}

static void call_remove(struct http_call *call)
{
	/* libcurl 7.88 queues RST_STREAM for a request that is taken out of a connection, but sends
	 * it only when something else happens there.  So a connection that nobody else uses goes,
	 * and requests without an end of their own do not share one (own_connection()). */
	if (!call->is_whole)
		curl_easy_setopt(call->transfer.easy, CURLOPT_FORBID_REUSE, 1L);
	curl_multi_remove_handle(call->client->multi, call->transfer.easy);
}

static void call_free(struct http_call *call)
{
	list_remove(&call->link);
	if (call->stage == CALL_RUNNING || call->stage == CALL_CANCELLED)
		call_remove(call);
	curl_easy_cleanup(call->transfer.easy);
	transfer_done(&call->transfer);
	free(call);
}

static void head_on(struct transfer *t)
{
	struct http_call *call = call_of(t);
	if (call->stage == CALL_RUNNING && call->ops->on_head)
		call->ops->on_head(call, &t->response, call->ctx);
}

static bool data_on(struct transfer *t, struct str bytes)
{
	struct http_call *call = call_of(t);
	if (call->stage == CALL_RUNNING)
		call->ops->on_data(call, bytes, call->ctx);
	return call->stage == CALL_RUNNING;
}

static void call_over(struct http_call *call, CURLcode code)
{
	struct err err = {};
	enum rc rc = transfer_end(&call->transfer, code, &err);
	call->is_whole = code == CURLE_OK;
	call->ops->on_done(call, &call->transfer.response, rc == RC_OK ? NULL : &err, call->ctx);
	call_free(call);
}

static void soon_on(struct loop_msg *msg)
{
	struct http_client *client = CONTAINER_OF(msg, struct http_client, soon);
	struct http_call *call;
	client->depth++;
	LIST_FOR_EACH (call, &client->calls, link) {
		if (call->stage == CALL_CANCELLED) {
			call_free(call);
		} else if (call->stage == CALL_WAITING) {
			call->stage = CALL_RUNNING;
			curl_multi_add_handle(client->multi, call->transfer.easy);
		}
	}
	client->depth--;
	messages_read(client);
}

/* A watch that is cancelled must end at the server at once: closing does that. */
static void own_connection(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 0L);
}

enum rc http_call_start(struct http_client *client, const struct http_request *request,
			const struct http_call_ops *ops, void *ctx, struct http_call **ret_call,
			struct err *err)
{
	struct http_call *call = NEW(struct http_call);
	call->client = client;
	call->ops = ops;
	call->ctx = ctx;
	call->transfer.on_head = head_on;
	call->transfer.on_data = ops->on_data ? data_on : NULL;
	list_append(&client->calls, &call->link);
	CURL *easy = curl_easy_init();
	ASSERT(easy);
	enum rc rc = transfer_begin(&call->transfer, easy, &client->opts, request, err);
	if (rc != RC_OK) {
		call_free(call);
		return rc;
	}
	if (ops->on_data && request->timeout_ms == 0)
		own_connection(easy);
	loop_defer(client->loop, &client->soon);
	if (ret_call)
		*ret_call = call;
	return RC_OK;
}

void http_call_cancel(struct http_call *call)
{
	struct http_client *client = call->client;
	bool was_waiting = call->stage == CALL_WAITING;
	ASSERT(call->stage != CALL_CANCELLED);
	if (client->depth == 0 || was_waiting) {
		call_free(call);
		return;
	}
	call->stage = CALL_CANCELLED;
	loop_defer(client->loop, &client->soon);
}

void http_call_pause(struct http_call *call)
{
	if (call->stage == CALL_RUNNING)
		curl_easy_pause(call->transfer.easy, CURLPAUSE_RECV);
}

void http_call_resume(struct http_call *call)
{
	struct http_client *client = call->client;
	if (call->stage != CALL_RUNNING)
		return;
	client->depth++;
	curl_easy_pause(call->transfer.easy, CURLPAUSE_CONT);
	client->depth--;
}

/* --- libcurl's events --- */

static void messages_read(struct http_client *client)
{
	CURLMsg *message;
	int left;
	if (client->depth > 0)
		return;
	client->depth++;
	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct transfer *t = NULL;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		struct http_call *call = call_of(t);
		if (call->stage == CALL_RUNNING)
			call_over(call, message->data.result);
	}
	client->depth--;
}

static void action(struct http_client *client, curl_socket_t fd, int events)
{
	int running;
	client->depth++;
	curl_multi_socket_action(client->multi, fd, events, &running);
	client->depth--;
	messages_read(client);
}

static void timer_fire(struct loop_timer *timer)
{
	action(CONTAINER_OF(timer, struct http_client, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int timer_on(CURLM *multi, long timeout_ms, void *user)
{
	struct http_client *client = user;
	if (timeout_ms < 0)
		loop_timer_stop(&client->timer);
	else
		loop_timer_start(client->loop, &client->timer, timeout_ms, timer_fire);
	return 0;
}

static void poll_on(uv_poll_t *poll, int status, int events)
{
	struct socket_watch *watch = CONTAINER_OF(poll, struct socket_watch, poll);
	int flags = status < 0 ? CURL_CSELECT_ERR : 0;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	action(watch->client, watch->fd, flags);
}

static void watch_closed(uv_handle_t *handle)
{
	free(CONTAINER_OF(handle, struct socket_watch, poll));
}

static struct socket_watch *watch_new(struct http_client *client, curl_socket_t fd)
{
	struct socket_watch *watch = NEW(struct socket_watch);
	watch->client = client;
	watch->fd = fd;
	int failed = uv_poll_init_socket(loop_uv(client->loop), &watch->poll, fd);
	ASSERT(failed == 0);
	curl_multi_assign(client->multi, fd, watch);
	return watch;
}

static int socket_on(CURL *easy, curl_socket_t fd, int what, void *user, void *private)
{
	struct http_client *client = user;
	struct socket_watch *watch = private;
	if (what == CURL_POLL_REMOVE) {
		if (watch) {
			uv_poll_stop(&watch->poll);
			uv_close((uv_handle_t *)&watch->poll, watch_closed);
			curl_multi_assign(client->multi, fd, NULL);
		}
		return 0;
	}
	if (!watch)
		watch = watch_new(client, fd);
	int events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
		     (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	uv_poll_start(&watch->poll, events, poll_on);
	return 0;
}

/* --- the client --- */

enum rc http_client_new(struct loop *loop, const struct http_client_opts *opts,
			struct http_client **ret_client, struct err *err)
{
	struct http_client *client = NEW(struct http_client);
	enum rc rc = transfer_opts_init(&client->opts, opts, err);
	if (rc != RC_OK) {
		free(client);
		return rc;
	}
	client->loop = loop;
	client->soon.fn = soon_on;
	list_init(&client->calls);
	client->multi = curl_multi_init();
	ASSERT(client->multi);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, socket_on);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, timer_on);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
	*ret_client = client;
	return RC_OK;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	ASSERT(client->depth == 0);
	client->depth++; /* no messages while handles go */
	while (!list_is_empty(&client->calls))
		call_free(LIST_FIRST(&client->calls, struct http_call, link));
	curl_multi_cleanup(client->multi);
	loop_timer_stop(&client->timer);
	loop_defer_cancel(&client->soon);
	transfer_opts_done(&client->opts);
	free(client);
}

void http_client_set_token(struct http_client *client, struct str bearer_token)
{
	transfer_opts_set_token(&client->opts, bearer_token);
}

void http_client_set_identity(struct http_client *client, struct str cert_pem, struct str key_pem)
{
	transfer_opts_set_identity(&client->opts, cert_pem, key_pem);
}
