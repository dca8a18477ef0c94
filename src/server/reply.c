/* From a finished request to bytes on its exchange. */
#include "base/log.h"
#include "server/audit.h"
#include "server/encode.h"
#include "server/fairness.h"
#include "server/negotiate.h"
#include "server/pipeline.h"
#include "server/request_metrics.h"
#include "server/route.h"
#include "server/server.h"
#include "server/write.h"

#define REPLY_MAX_BYTES (1u << 30)
#define HEADERS_MAX	(REQUEST_WARNINGS_MAX + 10)

struct headers {
	struct http_header at[HEADERS_MAX];
	size_t count;
};

static void add_header(struct headers *h, struct str name, struct str value)
{
	h->at[h->count++] = (struct http_header){name, value};
}

/* RFC 7234 warn-text: quoted, with " and \ escaped. */
static struct str warning_value(struct arena *a, struct str text)
{
	CLEANUP_BUF b = BUF_INIT(64u << 10);
	buf_add_cstr(&b, "299 - \"");
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '"' || text.at[i] == '\\')
			buf_add_char(&b, '\\');
		buf_add_char(&b, text.at[i]);
	}
	buf_add_char(&b, '"');
	return arena_str(a, buf_str(&b));
}

static void encode_body(struct request *r, struct buf *out)
{
	struct encoder e = encoder_for(r, out);
	if (r->reply.object)
		encode_object(&e, r->reply.object);
	else if (r->reply.tree)
		encode_tree(&e, r->reply.tree, r->reply.tree_kind);
	else
		buf_add_str(out, r->reply.text);
}

/* Errors, which may come before the form of what was asked for is settled, and other documents have
 * no Table or partial form: they are plain documents in the media type that was accepted. */
static void settle_output(struct request *r)
{
	static const char *const names[] = {"application/json", "application/yaml",
					    "application/vnd.kubernetes.protobuf"};
	if (r->reply.object)
		request_check_shape(r, false);
	bool is_plain = !r->reply.object && !r->reply.pieces.count;
	if (is_plain && r->output.shape != AS_OBJECT) {
		r->output.shape = AS_OBJECT;
		r->output.content_type = str_of(names[r->output.media]);
	}
	if (is_plain && r->reply.tree && r->reply.status >= 400)
		negotiate_error(r);
	if (r->output.media == MEDIA_PROTOBUF && r->reply.tree && !r->reply.object &&
	    !encode_has_message(r->reply.tree_kind, r->reply.tree))
		r->output = (struct output){.content_type = STR("application/json")};
	if (r->reply.content_type.len)
		r->output.content_type = r->reply.content_type;
}

static void free_bytes(void *owner)
{
	free(owner);
}

static struct http_chunk chunk_of(char *own_bytes, size_t len)
{
	return (struct http_chunk){own_bytes, len, free_bytes, own_bytes};
}

/* Either the pieces or the body. */
static void send_body(struct request *r, struct buf *body, const struct http_header *headers,
		      size_t header_count)
{
	struct pieces *pieces = &r->reply.pieces;
	size_t count = MAX(pieces->count, (size_t)1), len = body->len;
	struct http_chunk *chunks = ARENA_ARRAY(&r->arena, struct http_chunk, count);
	for (size_t i = 0; i < pieces->count; i++)
		chunks[i] = chunk_of(pieces->at[i].at, pieces->at[i].len);
	if (!pieces->count)
		chunks[0] = chunk_of(buf_take(body), len);
	pieces->count = 0; /* they are the exchange's now */
	struct http_reply reply = {r->reply.status, headers, header_count, chunks, count};
	http_reply(r->exchange, &reply);
}

/* As upstream's recorder: all that is said in full, or, where that is too much, the beginning of
 * each until there is enough. */
#define WARNINGS_MAX_RUNES 4096
#define WARNING_MAX_RUNES  256

static void add_warnings(struct request *r, struct headers *h)
{
	size_t total = 0, written = 0;
	for (const struct warning *w = r->reply.warnings; w; w = w->next)
		total += str_code_points(w->text);
	bool is_cut = total > WARNINGS_MAX_RUNES;
	for (const struct warning *w = r->reply.warnings; w; w = w->next) {
		if (is_cut && written >= WARNINGS_MAX_RUNES)
			break;
		struct str text = is_cut ? str_head(w->text, WARNING_MAX_RUNES) : w->text;
		written += str_code_points(text);
		add_header(h, STR("warning"), warning_value(&r->arena, text));
	}
}

void reply_send(struct request *r)
{
	if (r->reply.is_streaming || r->reply.is_sent)
		return;
	struct headers h;
	h.count = 0; /* not the rest: it is large and rarely used */
	struct buf body = BUF_INIT(REPLY_MAX_BYTES);
	if (r->reply.makes_scale && r->reply.object)
		scale_reply(r);
	settle_output(r);
	if (!r->reply.pieces.count)
		encode_body(r, &body);
	if (r->reply.status != 204 && r->reply.status != 304)
		add_header(&h, STR("content-type"), r->output.content_type);
	add_header(&h, STR("cache-control"),
		   r->reply.cache_control.at ? r->reply.cache_control : STR("no-cache, private"));
	if (r->reply.etag.len) {
		add_header(&h, STR("etag"), r->reply.etag);
		add_header(&h, STR("vary"), STR("Accept"));
	}
	if (r->reply.retry_after_s)
		add_header(&h, STR("retry-after"),
			   arena_printf(&r->arena, "%d", r->reply.retry_after_s));
	add_warnings(r, &h);
	struct http_header *headers =
		arena_copy(http_arena(r->exchange), h.at, h.count * sizeof(h.at[0]));
	for (size_t i = 0; i < h.count; i++)
		headers[i].value = arena_str(http_arena(r->exchange), headers[i].value);
	send_body(r, &body, headers, h.count);
}

void request_replied(struct request *r)
{
	audit_replied(r);
	fairness_leave(r);
	request_metrics_note(r->server->metrics, r);
	log_debug("server", "%.*s: %.*s %.*s for %.*s: %d", STR_FMT(r->id), STR_FMT(r->method),
		  STR_FMT(r->path), STR_FMT(r->user.name), r->reply.status);
}
