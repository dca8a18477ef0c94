/* One request and its reply, whatever the protocol: accessors, the body, the queue of what is sent.
 */
#include <stdlib.h>

#include "http/http-int.h"
#include "http/http1_parse.h"

/* --- life --- */

struct http_exchange *exchange_new(struct connection *c)
{
	struct http_server *server = c->server;
	struct http_exchange *x = LIST_FIRST(&server->spare, struct http_exchange, link);
	struct arena arena = {};
	if (x) {
		list_remove(&x->link);
		server->spare_count--;
		arena = x->arena;
		*x = (struct http_exchange){};
		x->arena = arena;
	} else {
		x = NEW(struct http_exchange);
	}
	x->magic = EXCHANGE_MAGIC;
	x->conn = c;
	x->server = server;
	x->last = &x->first;
	x->body_bytes = x->reply_bytes = -1;
	x->is_tls = stream_ssl(c->stream) != NULL;
	x->peer_port = c->peer_port;
	memcpy(x->peer, c->peer, sizeof(x->peer));
	list_append(&c->exchanges, &x->link);
	c->exchange_count++;
	server->exchange_count++;
	return x;
}

void exchange_unlink(struct http_exchange *x)
{
	if (!x->conn)
		return;
	list_remove(&x->link);
	x->conn->exchange_count--;
	x->conn = NULL;
}

void exchange_settle(struct http_exchange *x)
{
	ASSERT(x->magic == EXCHANGE_MAGIC);
	if (!x->is_sent || (x->is_asked && !x->is_handled) || x->is_listed_done)
		return;
	exchange_unlink(x); /* a held one is none of the connection's either */
	if (x->is_held)
		return;
	x->is_listed_done = true;
	server_exchange_over(x->server, x);
}

void http_hold(struct http_exchange *x)
{
	ASSERT(!x->is_held && !x->is_listed_done);
	x->is_held = true;
}

void http_release(struct http_exchange *x)
{
	ASSERT(x->is_held);
	x->is_held = false;
	exchange_settle(x);
}

void exchange_lost(struct http_exchange *x)
{
	if (x->is_sent)
		return;
	bool tells = x->is_begun && !x->is_handled && !x->is_gone;
	x->is_gone = true;
	x->is_sent = true;
	exchange_drop_reply(x);
	if (tells && x->server->handler->on_gone)
		x->server->handler->on_gone(x, x->server->ctx);
	exchange_settle(x);
}

/* --- the request --- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes %XX (and '+'); absent when malformed or NUL comes out. */
static struct str percent_decode(struct arena *a, struct str text, bool plus_is_space)
{
	if (!memchr(text.at, '%', text.len) && !(plus_is_space && memchr(text.at, '+', text.len)))
		return text;
	char *out = arena_alloc(a, text.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (c == '%') {
			bool has_two = i + 2 < text.len;
			int high = has_two ? hex_value(text.at[i + 1]) : -1;
			int low = has_two ? hex_value(text.at[i + 2]) : -1;
			if (high < 0 || low < 0 || (high == 0 && low == 0))
				return (struct str){};
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		out[len++] = c;
	}
	return str_n(out, len);
}

/* "http://host/path" to its path; the host inside must be what Host says, so it is only skipped. */
static struct str origin_form(struct str target)
{
	static const struct str schemes[] = {STR_INIT("http://"), STR_INIT("https://")};
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (!str_has_prefix(target, schemes[i]))
			continue;
		struct str rest = str_skip(target, schemes[i].len);
		const char *slash = memchr(rest.at, '/', rest.len);
		return slash ? str_skip(rest, (size_t)(slash - rest.at)) : STR("/");
	}
	return target;
}

enum rc exchange_target_set(struct http_exchange *x, struct str target, const char **ret_why)
{
	bool is_asterisk = str_is(target, "*") && str_is(x->method, "OPTIONS");
	target = origin_form(target);
	*ret_why = "malformed request target";
	if (!is_asterisk && (target.len == 0 || target.at[0] != '/'))
		return RC_BAD_REQUEST;
	if (memchr(target.at, '#', target.len))
		return RC_BAD_REQUEST;
	if (!str_cut(target, '?', &x->path_raw, &x->query))
		x->query = STR("");
	x->path = percent_decode(&x->arena, x->path_raw, false);
	*ret_why = "malformed percent-encoding in the path";
	return x->path.at ? RC_OK : RC_BAD_REQUEST;
}

enum rc exchange_header_add(struct http_exchange *x, struct str name, struct str value)
{
	if (x->header_count == HTTP_HEADERS_MAX)
		return RC_TOO_LARGE;
	if (x->header_count == x->header_cap)
		x->headers = arena_grow(&x->arena, x->headers, x->header_count, &x->header_cap,
					sizeof(struct http_header));
	x->headers[x->header_count++] = (struct http_header){name, value};
	return RC_OK;
}

void exchange_headers_in(struct http_exchange *x)
{
	const struct http_handler *handler = x->server->handler;
	x->is_begun = true;
	x->is_head = str_is(x->method, "HEAD");
	x->body_max = HTTP_BODY_DEFAULT;
	if (handler->on_headers)
		x->body_max = handler->on_headers(x, x->server->ctx);
	x->is_body_streamed = x->body_max == HTTP_BODY_STREAMED;
	x->is_body_paused = true; /* until somebody receives it */
	x->body.max_bytes = x->is_body_streamed ? HTTP_BODY_WINDOW : x->body_max + 1;
	if (x->body_bytes > 0 && (uint64_t)x->body_bytes > x->body_max)
		x->is_body_cut = true;
}

void exchange_request_in(struct http_exchange *x)
{
	ASSERT(x->is_begun && !x->is_asked);
	x->is_asked = true;
	x->server->handler->on_request(x, x->server->ctx);
}

struct str http_method(const struct http_exchange *x)
{
	return x->method;
}

struct str http_path(const struct http_exchange *x)
{
	return x->path;
}

struct str http_path_raw(const struct http_exchange *x)
{
	return x->path_raw;
}

struct str http_query(const struct http_exchange *x)
{
	return x->query;
}

struct str http_authority(const struct http_exchange *x)
{
	return x->authority;
}

static void params_parse(struct http_exchange *x)
{
	size_t cap = 0;
	struct str rest = x->query, item, name, value;
	x->has_params = true;
	while (rest.len > 0 && x->param_count < HTTP_HEADERS_MAX) {
		str_cut(rest, '&', &item, &rest);
		if (item.len == 0)
			continue;
		if (!str_cut(item, '=', &name, &value))
			value = STR("");
		name = percent_decode(&x->arena, name, true);
		value = percent_decode(&x->arena, value, true);
		if (!name.at || !value.at)
			continue; /* as upstream: a malformed pair is left out */
		if (x->param_count == cap)
			x->params = arena_grow(&x->arena, x->params, x->param_count, &cap,
					       sizeof(struct http_header));
		x->params[x->param_count++] = (struct http_header){name, value};
	}
}

const struct http_header *http_params(struct http_exchange *x, size_t *ret_count)
{
	if (!x->has_params)
		params_parse(x);
	*ret_count = x->param_count;
	return x->params;
}

struct str http_param(struct http_exchange *x, const char *name)
{
	size_t count;
	const struct http_header *params = http_params(x, &count);
	for (size_t i = 0; i < count; i++)
		if (str_is(params[i].name, name))
			return params[i].value;
	return (struct str){};
}

bool http_header_next(const struct http_exchange *x, const char *name, size_t *at,
		      struct str *ret_value)
{
	struct str wanted = str_of(name);
	for (; *at < x->header_count; (*at)++) {
		if (!str_eq(x->headers[*at].name, wanted))
			continue;
		*ret_value = x->headers[(*at)++].value;
		return true;
	}
	return false;
}

struct str http_header(const struct http_exchange *x, const char *name)
{
	size_t at = 0;
	struct str value = {};
	http_header_next(x, name, &at, &value);
	return value;
}

struct str http_peer(const struct http_exchange *x)
{
	return str_of(x->peer);
}

const struct http_header *http_headers(const struct http_exchange *x, size_t *ret_count)
{
	*ret_count = x->header_count;
	return x->headers;
}

bool http_expects_upgrade(const struct http_exchange *x)
{
	return x->wants_upgrade;
}

int http_version(const struct http_exchange *x)
{
	return x->version;
}

struct arena *http_arena(struct http_exchange *x)
{
	return &x->arena;
}

struct loop *http_loop(const struct http_exchange *x)
{
	return x->server->loop;
}

void http_set_user(struct http_exchange *x, void *user)
{
	x->user = user;
}

void *http_user(const struct http_exchange *x)
{
	return x->user;
}

bool http_is_gone(const struct http_exchange *x)
{
	return x->is_gone;
}

void http_close_after(struct http_exchange *x)
{
	x->close_after = true;
}

/* --- the reply --- */

void http_chunk_static(void *owner)
{
}

static bool reply_has_body(const struct http_exchange *x)
{
	return !x->is_head && x->status != 204 && x->status != 304;
}

/* Copied bytes of a streamed reply stand behind their node: an arena would grow for hours. */
static struct reply_chunk *chunk_new(struct http_exchange *x, const struct http_chunk *chunk)
{
	size_t tail = chunk->release ? 0 : chunk->len;
	struct reply_chunk *own = mem_resize(NULL, sizeof(*own) + tail);
	*own = (struct reply_chunk){NULL, chunk->data, chunk->len, chunk->release, chunk->owner};
	if (!chunk->release) {
		memcpy(own + 1, chunk->data, chunk->len);
		own->at = (const char *)(own + 1);
	}
	return own;
}

static void chunk_free(struct reply_chunk *chunk)
{
	if (chunk->release)
		chunk->release(chunk->owner);
	free(chunk);
}

static void chunks_queue(struct http_exchange *x, const struct http_chunk *chunks, size_t count)
{
	bool drops = x->is_sent || !reply_has_body(x);
	for (size_t i = 0; i < count; i++) {
		if (drops || chunks[i].len == 0) {
			if (chunks[i].release)
				chunks[i].release(chunks[i].owner);
			continue;
		}
		struct reply_chunk *own = chunk_new(x, &chunks[i]);
		*x->last = own;
		x->last = &own->next;
		x->queued_bytes += own->len;
		x->server->queued_bytes += own->len;
	}
}

static void drain_tell(struct http_exchange *x)
{
	if (!x->is_drain_armed || x->queued_bytes > x->drain_low_bytes || x->is_handled)
		return;
	x->is_drain_armed = false;
	x->drain(x);
}

void exchange_chunk_sent(struct http_exchange *x, size_t len)
{
	struct reply_chunk *chunk = x->first;
	ASSERT(chunk && len <= chunk->len);
	chunk->at += len;
	chunk->len -= len;
	x->queued_bytes -= len;
	x->server->queued_bytes -= len;
	if (chunk->len > 0)
		return;
	x->first = chunk->next;
	if (!x->first)
		x->last = &x->first;
	chunk_free(chunk);
	drain_tell(x);
}

void exchange_drop_reply(struct http_exchange *x)
{
	while (x->first) {
		struct reply_chunk *chunk = x->first;
		x->first = chunk->next;
		chunk_free(chunk);
	}
	x->last = &x->first;
	x->server->queued_bytes -= x->queued_bytes;
	x->queued_bytes = 0;
}

static struct str value_clean(struct arena *a, struct str value)
{
	char *out = arena_cstr(a, value);
	for (size_t i = 0; i < value.len; i++)
		if (!http_is_field_value(str_n(&out[i], 1)))
			out[i] = ' ';
	return str_n(out, value.len);
}

/* Values may come from a client or a backend: control characters would end the line. */
static const struct http_header *fields_clean(struct http_exchange *x,
					      const struct http_header *headers, size_t count)
{
	struct http_header *copy = NULL;
	for (size_t i = 0; i < count; i++) {
		if (http_is_field_value(headers[i].value))
			continue;
		if (!copy)
			copy = arena_copy(&x->arena, headers, count * sizeof(*headers));
		copy[i].value = value_clean(&x->arena, headers[i].value);
	}
	return copy ? copy : headers;
}

void http_add_header(struct http_exchange *x, struct str name, struct str value, bool is_unique)
{
	size_t at = x->common_header_count++;
	ASSERT(at < HTTP_COMMON_HEADERS_MAX);
	if (!http_is_field_value(value))
		value = value_clean(&x->arena, value);
	x->common_headers[at] = (struct http_header){name, value};
	x->common_is_unique[at] = is_unique;
}

static void head_set(struct http_exchange *x, int status, const struct http_header *headers,
		     size_t header_count)
{
	ASSERT(x->magic == EXCHANGE_MAGIC && x->is_asked && x->stage == REPLY_NONE);
	x->status = status;
	x->reply_headers = fields_clean(x, headers, header_count);
	x->reply_header_count = header_count;
}

static void handled(struct http_exchange *x)
{
	x->is_handled = true;
	exchange_body_drop(x);
	if (!x->is_sent)
		x->conn->protocol->reply_ready(x);
	exchange_settle(x);
}

void http_reply(struct http_exchange *x, const struct http_reply *reply)
{
	head_set(x, reply->status, reply->headers, reply->header_count);
	x->reply_bytes = 0;
	for (size_t i = 0; i < reply->chunk_count; i++)
		x->reply_bytes += (int64_t)reply->body[i].len;
	chunks_queue(x, reply->body, reply->chunk_count);
	x->stage = REPLY_WHOLE;
	handled(x);
}

void http_reply_text(struct http_exchange *x, int status, const char *content_type, struct str text)
{
	struct http_header *headers = ARENA_ARRAY(&x->arena, struct http_header, 1);
	struct http_chunk body = HTTP_CHUNK_COPY(text.at, text.len);
	headers[0] = (struct http_header){STR("content-type"),
					  arena_str(&x->arena, str_of(content_type))};
	http_reply(x, &(struct http_reply){status, headers, 1, &body, 1});
}

void http_stream_begin(struct http_exchange *x, int status, const struct http_header *headers,
		       size_t header_count)
{
	head_set(x, status, headers, header_count);
	x->stage = REPLY_OPEN;
	if (!x->is_sent)
		x->conn->protocol->reply_ready(x);
}

size_t http_stream_write(struct http_exchange *x, const struct http_chunk *chunks, size_t count)
{
	ASSERT(x->magic == EXCHANGE_MAGIC && x->stage == REPLY_OPEN && !x->is_handled);
	chunks_queue(x, chunks, count);
	if (x->is_sent)
		return 0;
	if (x->queued_bytes > x->server->limits.queued_bytes) {
		x->conn->protocol->abort(x);
		return 0;
	}
	if (x->queued_bytes > x->drain_low_bytes && x->drain)
		x->is_drain_armed = true;
	x->conn->protocol->reply_ready(x);
	return x->queued_bytes;
}

size_t http_stream_queued(const struct http_exchange *x)
{
	return x->queued_bytes;
}

void http_stream_on_drain(struct http_exchange *x, size_t low_bytes,
			  void (*fn)(struct http_exchange *x))
{
	x->drain_low_bytes = low_bytes;
	x->drain = fn;
	x->is_drain_armed = x->queued_bytes > low_bytes;
}

void http_stream_end(struct http_exchange *x)
{
	ASSERT(x->magic == EXCHANGE_MAGIC && x->stage == REPLY_OPEN && !x->is_handled);
	x->stage = REPLY_WHOLE;
	handled(x);
}

void http_abort(struct http_exchange *x)
{
	ASSERT(x->magic == EXCHANGE_MAGIC && !x->is_handled);
	x->is_handled = true;
	if (!x->is_sent)
		x->conn->protocol->abort(x);
	exchange_settle(x);
}

/* RFC 9110 §15 and RFC 6585. */
static const struct {
	int status;
	const char *text;
} status_texts[] = {
	{100, "Continue"},
	{101, "Switching Protocols"},
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{203, "Non-Authoritative Information"},
	{204, "No Content"},
	{206, "Partial Content"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{412, "Precondition Failed"},
	{413, "Request Entity Too Large"},
	{414, "Request URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Requested Range Not Satisfiable"},
	{417, "Expectation Failed"},
	{422, "Unprocessable Entity"},
	{426, "Upgrade Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
	{507, "Insufficient Storage"},
};

const char *http_status_text(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(status_texts); i++)
		if (status_texts[i].status == status)
			return status_texts[i].text;
	return "";
}
