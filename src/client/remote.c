#include "client/remote.h"

#include "client/api_error.h"
#include "codec/json.h"
#include "http/websocket.h"

#define PORT_TLS	443
#define PORT_PLAIN	80
#define DIAL_TIMEOUT_MS 30000
#define HEADERS_MAX	(WEBSOCKET_ASK_HEADERS + API_IDENTITY_HEADERS + 1)

struct server_address {
	bool is_tls;
	struct str authority, host, base;
	int64_t port;
};

/* "https://[::1]:6443/base" */
static enum rc cut_url(struct str url, struct server_address *s, struct err *err)
{
	struct str rest = url, port = {};
	s->is_tls = str_has_prefix(url, STR("https://"));
	if (!s->is_tls && !str_has_prefix(url, STR("http://")))
		return err_set(err, RC_INVALID, "'%.*s' is no URL of an API server", STR_FMT(url));
	rest = str_skip(url, s->is_tls ? 8 : 7);
	bool has_base = str_cut(rest, '/', &s->authority, &s->base);
	s->base = has_base ? str_n(s->base.at - 1, s->base.len + 1) : STR("");
	s->host = s->authority;
	s->port = s->is_tls ? PORT_TLS : PORT_PLAIN;
	if (str_has_prefix(s->authority, STR("["))) {
		str_cut(str_skip(s->authority, 1), ']', &s->host, &port);
		port = str_skip(port, 1);
	} else {
		str_cut(s->authority, ':', &s->host, &port);
	}
	if (port.len && !str_to_i64(port, &s->port))
		return err_set(err, RC_INVALID, "'%.*s' has no port", STR_FMT(url));
	return RC_OK;
}

static enum rc open_tls(const struct api_client *c, struct tls_context **ret_tls, struct err *err)
{
	const struct kubeconfig_target *t = &c->target;
	const struct tls_client_opts opts = {
		.ca_pem = t->ca_pem,
		.cert_pem = t->cert_pem,
		.key_pem = t->key_pem,
		.skip_verify = t->skip_verify,
	};
	return tls_client_new(&opts, ret_tls, err);
}

static void replied(const struct dial_reply *reply, void *ctx)
{
	struct remote *r = ctx;
	struct err err;
	if (reply->err) {
		err_set(&err, reply->err->rc, "no answer from %.*s: %s", STR_FMT(r->client->server),
			reply->err->text);
		r->done(r, NULL, &err);
		return;
	}
	if (reply->stream) {
		r->done(r, reply, NULL);
		return;
	}
	struct json *status = NULL;
	if (json_parse(r->client->arena, arena_str(r->client->arena, reply->body), &status, NULL,
		       NULL) != RC_OK)
		status = NULL;
	if (status)
		api_error_set(&err, reply->status, status);
	else
		err_set(&err, RC_BAD_REQUEST, "unable to upgrade connection: %.*s",
			STR_FMT(str_trim(reply->body)));
	r->done(r, NULL, &err);
}

enum rc remote_start(struct remote *r, struct str path, const char *protocols, struct err *err)
{
	struct http_header headers[HEADERS_MAX];
	struct server_address server;
	struct tls_context *tls = NULL;
	struct api_client *c = r->client;
	struct arena *a = c->arena;
	TRY(cut_url(c->server, &server, err));
	if (server.is_tls)
		TRY(open_tls(c, &tls, err));
	size_t count = websocket_ask(a, protocols, headers, &r->key);
	count += api_client_identity(c, headers + count);
	if (c->target.token.len)
		headers[count++] = (struct http_header){
			STR("Authorization"),
			arena_printf(a, "Bearer %.*s", STR_FMT(c->target.token))};
	const struct dial_opts opts = {
		.host = arena_cstr(a, server.host),
		.port = (uint16_t)server.port,
		.tls = tls,
		.timeout_ms = DIAL_TIMEOUT_MS,
	};
	const struct dial_request request = {
		.method = STR("GET"),
		.target = arena_printf(a, "%.*s%.*s", STR_FMT(server.base), STR_FMT(path)),
		.host_header = server.authority,
		.headers = headers,
		.header_count = count,
	};
	dial_upgrade(r->loop, &opts, &request, replied, r);
	tls_unref(tls);
	return RC_OK;
}
