/* A head that is taken means what it says, read at once or byte by byte: it has no folded or
 * doubled framing, its names are tokens in lower case, its values are free of control characters.
 * A chunked body gives the same bytes however it is cut. */
#include "base/buf.h"
#include "base/mem.h"
#include "fuzz.h"
#include "http/http1_parse.h"

#define BODY_MAX (1u << 20)

static size_t head_end_by_bytes(struct str text, const char **ret_why)
{
	size_t scanned = 0, end = 0;
	for (size_t len = 0; len <= text.len && end == 0; len++)
		end = http1_head_end(str_n(text.at, len), &scanned, ret_why);
	return end;
}

static void head_check(struct str text)
{
	CLEANUP_ARENA a = {};
	struct http1_head head;
	const char *why = NULL, *why_by_bytes = NULL;
	size_t scanned = 0;
	size_t end = http1_head_end(text, &scanned, &why);
	FUZZ_CHECK(end == head_end_by_bytes(text, &why_by_bytes) && !why == !why_by_bytes);
	if (end == 0 || why)
		return;
	int status = http1_parse_request(str_n(text.at, end), &a, &head, &why);
	FUZZ_CHECK(status == 0 || (status >= 400 && why && why[0]));
	if (status != 0)
		return;
	int lengths = 0, encodings = 0;
	for (size_t i = 0; i < head.header_count; i++) {
		struct http_header field = head.headers[i];
		FUZZ_CHECK(http_is_token(field.name) && http_is_field_value(field.value));
		lengths += str_is(field.name, "content-length");
		encodings += str_is(field.name, "transfer-encoding");
	}
	FUZZ_CHECK(lengths + encodings <= 1);
	FUZZ_CHECK(lengths == (head.content_length >= 0) && encodings == head.is_chunked);
	FUZZ_CHECK(head.host.at || head.version == 10);
}

/* The body that comes out in pieces of step bytes; the stage it ends in. */
static enum http1_chunk body_read(struct str text, size_t step, struct buf *out)
{
	struct http1_chunked c = {};
	enum http1_chunk got = HTTP1_CHUNK_MORE;
	while (text.len > 0) {
		struct str data, piece = str_n(text.at, MIN(step, text.len));
		size_t used = 0;
		got = http1_chunked_feed(&c, piece, &used, &data);
		if (got == HTTP1_CHUNK_BAD || got == HTTP1_CHUNK_END)
			return got;
		FUZZ_CHECK(used > 0 && used <= piece.len);
		if (got == HTTP1_CHUNK_DATA)
			buf_add_str(out, data);
		text = str_skip(text, used);
	}
	return HTTP1_CHUNK_MORE;
}

static void chunked_check(struct str text)
{
	CLEANUP_BUF whole = BUF_INIT(BODY_MAX), pieces = BUF_INIT(BODY_MAX);
	enum http1_chunk at_once = body_read(text, text.len, &whole);
	FUZZ_CHECK(body_read(text, 3, &pieces) == at_once);
	FUZZ_CHECK(str_eq(buf_str(&whole), buf_str(&pieces)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str text = str_n((const char *)bytes, MIN(size, 4096u));
	CLEANUP_ARENA a = {};
	struct http1_head head;
	const char *why = NULL;
	size_t scanned = 0;
	head_check(text);
	chunked_check(text);
	size_t end = http1_head_end(text, &scanned, &why);
	if (end > 0 && !why)
		FUZZ_CHECK(http1_parse_response(str_n(text.at, end), &a, &head, &why) == 0 ||
			   why[0]);
	return 0;
}
