#include "sync/http_client-int.h"

#include "base/mem.h"

#define URL_MAX 8192

static const struct {
	const char *method, *content_type;
} verbs[] = {
	[CLIENT_GET] = {"GET", NULL},
	[CLIENT_CREATE] = {"POST", "application/json"},
	[CLIENT_UPDATE] = {"PUT", "application/json"},
	[CLIENT_PATCH_MERGE] = {"PATCH", "application/merge-patch+json"},
	[CLIENT_PATCH_STRATEGIC] = {"PATCH", "application/strategic-merge-patch+json"},
	[CLIENT_APPLY] = {"PATCH", "application/apply-patch+yaml"},
	[CLIENT_DELETE] = {"DELETE", "application/json"},
};

/* A request on its way, or its failure waiting to be told. */
struct call {
	struct list link;
	struct loop_msg msg;
	struct client_http *c;
	const struct api_kind *kind;
	client_done_fn *done;
	void *ctx;
	struct err err;
};

/* --- paths --- */

static void percent_add(struct buf *out, struct str s)
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				(c >= '0' && c <= '9') || strchr("-._~", c);
		if (is_plain && c) {
			buf_add_char(out, (char)c);
			continue;
		}
		buf_add_char(out, '%');
		buf_add_char(out, hex[c >> 4]);
		buf_add_char(out, hex[c & 15]);
	}
}

void client_http_query_add(struct buf *url, const char *key, struct str value)
{
	if (!value.len)
		return;
	buf_add_char(url, memchr(url->data, '?', url->len) ? '&' : '?');
	buf_add_cstr(url, key);
	buf_add_char(url, '=');
	percent_add(url, value);
}

void client_http_path_add(struct buf *url, const struct api_kind *kind, struct str namespace)
{
	buf_add_cstr(url, kind->group.len ? "/apis/" : "/api/");
	buf_add_str(url, kind->api_version);
	if (kind->is_namespaced && namespace.len) {
		buf_add_cstr(url, "/namespaces/");
		percent_add(url, namespace);
	}
	buf_add_char(url, '/');
	buf_add_str(url, kind->plural);
}

static void request_path_add(struct buf *url, const struct client_request *request)
{
	client_http_path_add(url, request->kind, request->namespace);
	bool has_name = request->verb != CLIENT_CREATE || request->subresource.len;
	if (has_name) {
		buf_add_char(url, '/');
		percent_add(url, request->name);
	}
	if (request->subresource.len) {
		buf_add_char(url, '/');
		percent_add(url, request->subresource);
	}
	if (request->verb != CLIENT_GET && request->verb != CLIENT_DELETE)
		client_http_query_add(url, "fieldManager", request->field_manager);
	if (request->verb == CLIENT_APPLY)
		client_http_query_add(url, "force", STR("true"));
}

struct str client_http_path(struct arena *a, const struct client_request *request)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX);
	request_path_add(&url, request);
	return arena_str(a, buf_str(&url));
}

/* --- bodies --- */

static const struct json *delete_options(struct arena *a, const struct client_request *request)
{
	struct json *options = json_object(a);
	json_set_str(a, options, STR("kind"), STR("DeleteOptions"));
	json_set_str(a, options, STR("apiVersion"), STR("v1"));
	if (request->grace_period_s >= 0)
		json_set(a, options, STR("gracePeriodSeconds"),
			 json_int(a, request->grace_period_s));
	if (request->uid.len)
		json_set_str(a, json_need_object(a, options, STR("preconditions")), STR("uid"),
			     request->uid);
	if (request->propagation.len)
		json_set_str(a, options, STR("propagationPolicy"), request->propagation);
	return options;
}

static enum rc rc_of_reason(struct str reason, int status)
{
	for (int rc = RC_OK + 1; rc <= RC_TIMEOUT; rc++)
		if (reason.len && str_is(reason, rc_reason((enum rc)rc)))
			return (enum rc)rc;
	for (int rc = RC_OK + 1; rc <= RC_TIMEOUT; rc++)
		if (rc_status((enum rc)rc) == status)
			return (enum rc)rc;
	return status >= 500 ? RC_INTERNAL : RC_BAD_REQUEST;
}

enum rc client_http_error(int status, struct str body, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct json *tree = NULL;
	if (json_parse(&a, body, &tree, NULL, NULL) != RC_OK ||
	    !str_is(json_path_str(tree, "kind"), "Status"))
		return err_set(err, rc_of_reason((struct str){}, status),
			       "the server answered with status %d: %.*s", status,
			       (int)MIN(body.len, 200u), body.at ? body.at : "");
	struct str message = json_path_str(tree, "message");
	enum rc rc = rc_of_reason(json_path_str(tree, "reason"), status);
	return err_set(err, rc, "%.*s", STR_FMT(message));
}

enum rc client_http_object(const struct api *api, const struct api_kind *kind,
			   const struct json *tree, struct object **ret_object, struct err *err)
{
	struct str name = json_path_str(tree, "kind");
	if (name.len)
		kind = api_by_api_version(api, json_path_str(tree, "apiVersion"), name);
	*ret_object = NULL;
	if (!kind || !kind->is_storage_version || !json_path(tree, "metadata.uid"))
		return RC_OK;
	int64_t revision = 0;
	(void)str_to_i64(json_path_str(tree, "metadata.resourceVersion"), &revision);
	return object_new(kind, tree, revision, ret_object, err);
}

/* --- requests --- */

static void call_free(struct call *call)
{
	list_remove(&call->link);
	free(call);
}

static void call_fail(struct call *call, const struct err *err)
{
	struct client_reply reply = {.rc = err->rc, .err = *err};
	call->done(call->ctx, &reply);
	call_free(call);
}

static void call_failed_early(struct loop_msg *msg)
{
	struct call *call = CONTAINER_OF(msg, struct call, msg);
	call_fail(call, &call->err);
}

static enum rc reply_decode(const struct call *call, const struct http_response *response,
			    struct arena *a, struct client_reply *reply)
{
	struct err *err = &reply->err;
	if (response->status >= 400)
		return client_http_error(response->status, response->body, err);
	struct json *tree = NULL;
	TRY(json_parse(a, response->body, &tree, NULL, err));
	(void)str_to_i64(json_path_str(tree, "metadata.resourceVersion"), &reply->revision);
	reply->tree = tree;
	return client_http_object(call->c->client.api, call->kind, tree, &reply->object, err);
}

static void call_done(struct http_call *http_call, const struct http_response *response,
		      const struct err *err, void *ctx)
{
	struct call *call = ctx;
	if (err) {
		call_fail(call, err);
		return;
	}
	CLEANUP_ARENA a = {};
	struct client_reply reply = {};
	reply.rc = reply_decode(call, response, &a, &reply);
	call->done(call->ctx, &reply);
	object_unref(reply.object);
	call_free(call);
}

static const struct http_call_ops call_ops = {.on_done = call_done};

static enum rc call_start(struct call *call, const struct client_request *request)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF url = BUF_INIT(URL_MAX);
	CLEANUP_BUF body = BUF_INIT(JSON_MAX_BYTES);
	buf_add_cstr(&url, call->c->server);
	request_path_add(&url, request);
	TRY(buf_check(&url, "the URL of a request", &call->err));
	const struct json *tree = request->body;
	if (request->verb == CLIENT_DELETE)
		tree = delete_options(&a, request);
	if (tree)
		json_write(&body, tree);
	TRY(buf_check(&body, "the body of a request", &call->err));
	struct http_header headers[] = {
		{STR("accept"), STR("application/json")},
		{STR("content-type"), str_of(verbs[request->verb].content_type)},
	};
	struct http_request http = {.method = verbs[request->verb].method,
				    .url = url.data,
				    .headers = headers,
				    .header_count = tree ? 2 : 1,
				    .body = buf_str(&body),
				    .timeout_ms = 34000};
	struct http_call *started;
	return http_call_start(call->c->http, &http, &call_ops, call, &started, &call->err);
}

static void client_submit(struct client *client, const struct client_request *request,
			  client_done_fn *done, void *ctx)
{
	struct client_http *c = client_http_of(client);
	struct call *call = NEW(struct call);
	*call = (struct call){.c = c, .kind = request->kind, .done = done, .ctx = ctx};
	list_append(&c->calls, &call->link);
	if (call_start(call, request) != RC_OK) {
		call->msg.fn = call_failed_early;
		loop_defer(client->loop, &call->msg);
	}
}

static const struct client_ops client_ops = {
	.submit = client_submit, .watch = client_http_watch, .unwatch = client_http_unwatch};

enum rc client_http_new(struct loop *loop, const struct api *api, const char *server,
			const struct http_client_opts *opts, struct client **ret_client,
			struct err *err)
{
	struct http_client *http;
	TRY(http_client_new(loop, opts, &http, err));
	struct client_http *c = NEW(struct client_http);
	c->client = (struct client){.ops = &client_ops, .loop = loop, .api = api};
	c->http = http;
	c->server = mem_strdup(server);
	list_init(&c->calls);
	*ret_client = &c->client;
	return RC_OK;
}

void client_http_free(struct client *client)
{
	if (!client)
		return;
	struct client_http *c = client_http_of(client);
	ASSERT(c->watch_count == 0);
	http_client_free(c->http);
	struct call *call;
	LIST_FOR_EACH (call, &c->calls, link) {
		loop_defer_cancel(&call->msg);
		call_free(call);
	}
	free(c->server);
	free(c);
}

void client_http_set_identity(struct client *client, struct str cert_pem, struct str key_pem)
{
	http_client_set_identity(client_http_of(client)->http, cert_pem, key_pem);
}
