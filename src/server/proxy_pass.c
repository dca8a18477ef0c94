/* Source: upstream's UpgradeAwareHandler (apimachinery/pkg/util/proxy) and what Go's ReverseProxy
 * does below it. */
#include "http/forward.h"
#include "server/audit.h"
#include "server/io_thread.h"
#include "server/pipeline.h"
#include "server/proxy.h"
#include "server/proxy_rewrite.h"
#include "server/route.h"
#include "server/server.h"

#define HEADERS_ADDED 2

struct proxied {
	struct request *request;
	struct proxy_html html;
};

/* ---- what is sent ---- */

static bool is_passed_on(const struct request *r, struct str name, bool wants_html)
{
	return !str_is(name, "authorization") && !str_is(name, "x-forwarded-for") &&
	       !str_has_prefix(name, STR("impersonate-")) &&
	       !(wants_html && str_is(name, "accept-encoding")) && /* links must be readable */
	       !request_headers_has(r->server->request_headers, name);
}

static struct str forwarded_for(struct request *r)
{
	CLEANUP_BUF out = BUF_INIT(64u << 10);
	struct str value;
	size_t at = 0;
	while (http_header_next(r->exchange, "x-forwarded-for", &at, &value))
		buf_printf(&out, "%.*s, ", STR_FMT(value));
	buf_add_str(&out, http_peer(r->exchange));
	return arena_str(http_arena(r->exchange), buf_str(&out));
}

static void take_headers(struct request *r, struct str forwarded_uri, struct forward_request *q)
{
	struct http_exchange *x = r->exchange;
	size_t count, kept = 0;
	const struct http_header *from = http_headers(x, &count);
	struct http_header *to =
		ARENA_ARRAY(http_arena(x), struct http_header, count + HEADERS_ADDED);
	bool wants_html = r->accept.len && memmem(r->accept.at, r->accept.len, "text/html", 9);
	for (size_t i = 0; i < count; i++)
		if (is_passed_on(r, from[i].name, wants_html))
			to[kept++] = from[i];
	to[kept++] = (struct http_header){STR("x-forwarded-for"), forwarded_for(r)};
	if (!http_expects_upgrade(x))
		to[kept++] = (struct http_header){STR("x-forwarded-uri"), forwarded_uri};
	q->headers = to;
	q->header_count = kept;
}

/* ---- what comes back ---- */

static bool is_cross_origin(struct str name)
{
	static const char *const names[] = {
		"access-control-allow-credentials", "access-control-allow-headers",
		"access-control-allow-methods", "access-control-allow-origin"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

static bool is_html(const struct forward_reply *reply)
{
	bool is_html = false, is_encoded = false;
	for (size_t i = 0; i < reply->header_count; i++) {
		struct str type, rest;
		if (str_is(reply->headers[i].name, "content-encoding"))
			is_encoded = true;
		if (!str_is(reply->headers[i].name, "content-type"))
			continue;
		str_cut(reply->headers[i].value, ';', &type, &rest);
		is_html = str_is(str_trim(type), "text/html");
	}
	return is_html && !is_encoded;
}

/* A reply with a Location is not looked into, as upstream. */
static void rewrite(struct proxied *p, struct forward_reply *reply)
{
	struct arena *a = http_arena(p->request->exchange);
	bool has_location = false;
	size_t kept = 0;
	for (size_t i = 0; i < reply->header_count; i++) {
		struct http_header h = reply->headers[i];
		if (is_cross_origin(h.name))
			continue;
		if (str_is(h.name, "location") && h.value.len) {
			has_location = true;
			h.value = proxy_rewrite_url(a, &p->html.links, h.value);
		}
		reply->headers[kept++] = h;
	}
	reply->header_count = kept;
	reply->is_filtered = !has_location && is_html(reply);
}

static void on_head(struct http_exchange *x, struct forward_reply *reply, void *ctx)
{
	struct proxied *p = ctx;
	struct request *r = p->request;
	if (reply->status == 101)
		snapshot_unref(TAKE_PTR(r->snapshot)); /* a session must not hold old states */
	else
		rewrite(p, reply);
	r->reply.status = reply->status;
	r->reply.is_streaming = true;
	request_replied(r);
}

static void filter(struct str bytes, struct buf *out, void *ctx)
{
	proxy_html_feed(&((struct proxied *)ctx)->html, bytes, out);
}

static void done(struct http_exchange *x, const struct err *err, void *ctx)
{
	struct proxied *p = ctx;
	struct request *r = p->request;
	r->forward = NULL;
	proxy_html_done(&p->html);
	if (!err) {
		if (x)
			audit_ended(r);
		request_free(r);
		return;
	}
	if (http_expects_upgrade(x))
		request_fail(r, RC_INTERNAL, "error dialing backend: %s", err->text);
	else
		request_fail(r, RC_UNAVAILABLE, "error trying to reach service: %s", err->text);
	request_resume(r, STEP_DONE);
}

static const struct forward_ops ops = {on_head, filter, done};

void proxy_gone(struct request *r)
{
	forward_cancel(TAKE_PTR(r->forward));
	if (r->reply.is_streaming) {
		audit_ended(r);
	} else {
		r->reply.status = 500; /* which nobody sees */
		request_replied(r);
	}
	request_free(r);
}

/* ---- passing it on ---- */

/* Relative links of a page at ".../proxy" would lead beside it. */
static enum step redirect_to_root(struct request *r, struct str prefix)
{
	struct http_exchange *x = r->exchange;
	struct http_header *location = ARENA_NEW(http_arena(x), struct http_header);
	*location = (struct http_header){STR("location"),
					 arena_printf(http_arena(x), "%.*s/%s%.*s", STR_FMT(prefix),
						      r->query.len ? "?" : "", STR_FMT(r->query))};
	r->reply.status = 301;
	r->reply.is_sent = true;
	http_reply(x, &(struct http_reply){301, location, 1, NULL, 0});
	return STEP_DONE;
}

static struct tls_context *tls_of(const struct request *r, const struct proxy_server *server)
{
	if (server->is_agent)
		return io_thread_of(r->server, r->home)->kubelet_tls;
	ASSERT(r->server->proxy_tls); /* without it the bytes would go in the clear */
	return server->is_tls ? r->server->proxy_tls : NULL;
}

enum step proxy_pass(struct request *r, const struct proxy_server *server)
{
	struct arena *a = http_arena(r->exchange);
	struct str prefix = STR(""), below = STR("");
	struct err err;
	if (!route_is_proxy(r->path, &prefix, &below)) /* its words must be sent plainly */
		return request_no_such_path(r);
	if (!below.len && (str_is(r->method, "GET") || str_is(r->method, "HEAD")) &&
	    !http_expects_upgrade(r->exchange))
		return redirect_to_root(r, prefix);
	struct str path = proxy_join_path(a, STR(""), below);
	bool is_v6 = memchr(server->address.at, ':', server->address.len);
	struct proxied *p = ARENA_NEW(&r->arena, struct proxied);
	*p = (struct proxied){
		.request = r,
		.html.links = {.prefix = prefix,
			       .server_host = arena_printf(a, is_v6 ? "[%.*s]:%u" : "%.*s:%u",
							   STR_FMT(server->address), server->port),
			       .request_host = http_authority(r->exchange)}};
	struct forward_request q = {
		.to = {.host = arena_cstr(a, server->address),
		       .port = server->port,
		       .tls = tls_of(r, server)},
		.method = r->method,
		.target = arena_printf(a, "%s%.*s%s%.*s", path.len ? "" : "/", STR_FMT(path),
				       r->query.len ? "?" : "", STR_FMT(r->query)),
		.host = http_authority(r->exchange),
	};
	take_headers(r, arena_printf(a, "%.*s%.*s", STR_FMT(prefix), STR_FMT(path)), &q);
	if (forward_start(r->exchange, &q, &ops, p, &r->forward, &err) != RC_OK)
		return request_fail_err(r, &err);
	return STEP_LATER;
}
