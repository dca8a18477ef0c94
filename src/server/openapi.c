/* Serving OpenAPI documents: which form, which headers. */
#include "server/openapi.h"

#include <time.h>

#include "server/documents.h"
#include "server/negotiate.h"
#include "server/route.h"
#include "server/server.h"

#define V2_PROTOBUF   "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
#define ROOT	      "/openapi/v3"
#define HEADERS_MAX   10
#define YEAR_S	      (365 * 24 * 3600)
#define HTTP_DATE_MAX 64

/* One form of a document. */
struct form {
	const char *accepts; /* media type asked for */
	struct str content_type;
	struct openapi_document *(*make)(void); /* version 2; version 3 goes by name */
};

static const struct form v3_forms[] = {
	{"application/json", STR_INIT("application/json"), NULL},
};
static const struct form v2_forms[] = {
	{"application/json", STR_INIT("application/json"), openapi_v2},
	{"application/com.github.proto-openapi.spec.v2@v1.0+protobuf", STR_INIT(V2_PROTOBUF),
	 openapi_v2_protobuf},
	{V2_PROTOBUF, STR_INIT(V2_PROTOBUF), openapi_v2_protobuf}, /* its former name */
};

/* ---- negotiation ---- */

static bool accepts(struct str clause, const char *media_type)
{
	struct str base = media_base(clause), type, subtype;
	str_cut(base, '/', &type, &subtype);
	return str_is(base, media_type) || str_is(base, "*/*") ||
	       (str_is(subtype, "*") && strncmp(media_type, type.at, type.len) == 0 &&
		media_type[type.len] == '/');
}

static bool is_refused(struct str clause)
{
	struct str q = media_parameter(clause, "q");
	return str_is(q, "0") || str_is(q, "0.0") || str_is(q, "0.00") || str_is(q, "0.000");
}

/* The first clause that can be served wins. */
static const struct form *pick_form(struct str accept, const struct form *forms, size_t count)
{
	struct str rest = accept.len ? accept : STR("*/*");
	while (rest.at) {
		struct str clause;
		str_cut(rest, ',', &clause, &rest);
		for (size_t i = 0; i < count; i++)
			if (!is_refused(clause) && accepts(clause, forms[i].accepts))
				return &forms[i];
	}
	return NULL;
}

static bool takes_gzip(struct request *r)
{
	struct str rest = http_header(r->exchange, "accept-encoding");
	while (rest.len) {
		struct str clause;
		str_cut(rest, ',', &clause, &rest);
		struct str base = media_base(clause);
		if ((str_is(base, "gzip") || str_is(base, "*")) && !is_refused(clause))
			return true;
	}
	return false;
}

/* ---- replies ---- */

struct reply_head {
	struct http_header headers[HEADERS_MAX];
	size_t count;
};

/* value lives as long as the exchange. */
static void add_header(struct reply_head *h, const char *name, struct str value)
{
	ASSERT(h->count < HEADERS_MAX);
	h->headers[h->count++] = (struct http_header){str_of(name), value};
}

/* Sends it now; the pipeline has nothing more to do than to free the request. */
static enum step send_reply(struct request *r, int status, const struct reply_head *h,
			    const struct http_chunk *body)
{
	struct http_header *headers =
		arena_copy(http_arena(r->exchange), h->headers, h->count * sizeof(h->headers[0]));
	struct http_reply reply = {status, headers, h->count, body, body ? 1 : 0};
	r->reply.is_sent = true;
	r->reply.status = status;
	http_reply(r->exchange, &reply);
	return STEP_DONE;
}

/* Upstream says nothing more about these. */
static enum step send_bare(struct request *r, int status)
{
	struct reply_head h = {};
	add_header(&h, "cache-control", STR("no-cache, private"));
	return send_reply(r, status, &h, NULL);
}

static struct str date_in(struct request *r, int64_t seconds)
{
	char text[HTTP_DATE_MAX];
	time_t at = (time_t)(world_wall_us() / 1000000 + seconds);
	struct tm tm;
	gmtime_r(&at, &tm);
	size_t len = strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return arena_str(http_arena(r->exchange), str_n(text, len));
}

/* Who names a hash may keep the document: another hash is another document. */
static void add_caching(struct request *r, struct reply_head *h, bool has_hash)
{
	add_header(h, "vary", STR("Accept, Accept-Encoding"));
	if (!has_hash) {
		add_header(h, "cache-control", STR("no-cache, private"));
		return;
	}
	add_header(h, "cache-control", STR("public, immutable"));
	add_header(h, "expires", date_in(r, YEAR_S));
}

static void release_document(void *owner)
{
	openapi_document_unref(owner);
}

static void release_bytes(void *owner)
{
	free(owner);
}

static enum step send_body(struct request *r, struct reply_head *h,
			   struct openapi_document *own_document)
{
	struct openapi_document *d = own_document;
	if (takes_gzip(r)) {
		struct http_chunk body = {d->gzip, d->gzip_bytes, release_document, d};
		add_header(h, "content-encoding", STR("gzip"));
		return send_reply(r, 200, h, &body);
	}
	char *plain = openapi_document_plain(d);
	struct http_chunk body = {plain, d->plain_bytes, release_bytes, plain};
	openapi_document_unref(d);
	return send_reply(r, 200, h, &body);
}

static enum step send_document(struct request *r, struct openapi_document *own_document,
			       struct str content_type, bool has_hash)
{
	struct reply_head h = {};
	struct str etag = arena_printf(http_arena(r->exchange), "\"%s\"", own_document->hash);
	add_header(&h, "etag", etag);
	add_caching(r, &h, has_hash);
	if (request_has_etag(r, etag)) {
		openapi_document_unref(own_document);
		return send_reply(r, 304, &h, NULL);
	}
	add_header(&h, "content-type", content_type);
	return send_body(r, &h, own_document);
}

/* The hash of another time: the client is sent to the document as it is now. */
static enum step send_redirect(struct request *r, struct str name,
			       struct openapi_document *own_document)
{
	struct reply_head h = {};
	struct str location = arena_printf(http_arena(r->exchange), ROOT "/%.*s?hash=%s",
					   STR_FMT(name), own_document->hash);
	openapi_document_unref(own_document);
	add_header(&h, "cache-control", STR("no-cache, private"));
	add_header(&h, "location", location);
	return send_reply(r, 301, &h, NULL);
}

/* ---- paths ---- */

enum step serve_openapi_v3(struct request *r)
{
	struct str name = str_skip(r->path, strlen(ROOT));
	if (name.len <= 1)
		return send_document(r, openapi_v3_index(), STR("text/plain; charset=utf-8"),
				     false);
	const struct form *form = pick_form(r->accept, v3_forms, ARRAY_LEN(v3_forms));
	name = str_skip(name, 1);
	if (!openapi_has_v3(name))
		return send_bare(r, 404);
	if (!form)
		return send_bare(r, 406);
	struct openapi_document *d = openapi_v3(name);
	struct str hash = query_get(&r->arena, r->query, "hash");
	if (hash.len && !str_is(hash, d->hash))
		return send_redirect(r, name, d);
	return send_document(r, d, form->content_type, hash.len > 0);
}

enum step serve_openapi_v2(struct request *r)
{
	const struct form *form = pick_form(r->accept, v2_forms, ARRAY_LEN(v2_forms));
	if (!form)
		return send_bare(r, 406);
	return send_document(r, form->make(), form->content_type, false);
}
