#include "http/spdy_headers.h"

#include <pthread.h>

#include "base/mem.h"

#define BLOCK_IN_MAX (64u << 10)

/* Draft 3.1 §2.6.10.1: words with their length before them, then text without. */
static const char *const words[] = {
	"options",
	"head",
	"post",
	"put",
	"delete",
	"trace",
	"accept",
	"accept-charset",
	"accept-encoding",
	"accept-language",
	"accept-ranges",
	"age",
	"allow",
	"authorization",
	"cache-control",
	"connection",
	"content-base",
	"content-encoding",
	"content-language",
	"content-length",
	"content-location",
	"content-md5",
	"content-range",
	"content-type",
	"date",
	"etag",
	"expect",
	"expires",
	"from",
	"host",
	"if-match",
	"if-modified-since",
	"if-none-match",
	"if-range",
	"if-unmodified-since",
	"last-modified",
	"location",
	"max-forwards",
	"pragma",
	"proxy-authenticate",
	"proxy-authorization",
	"range",
	"referer",
	"retry-after",
	"server",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"user-agent",
	"vary",
	"via",
	"warning",
	"www-authenticate",
	"method",
	"get",
	"status",
	"200 OK",
	"version",
	"HTTP/1.1",
	"url",
	"public",
	"set-cookie",
	"keep-alive",
	"origin",
};
static const char text[] =
	"100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
	"203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
	"401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
	"503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
	"Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
	"chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,"
	"text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8"
	"charset=iso-8859-1,utf-,*,enq=0.";

void spdy_dictionary_make(unsigned char out[SPDY_DICTIONARY_BYTES])
{
	size_t at = 0;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t len = strlen(words[i]);
		ASSERT(at + 4 + len <= SPDY_DICTIONARY_BYTES);
		out[at] = out[at + 1] = out[at + 2] = 0;
		out[at + 3] = (unsigned char)len;
		memcpy(out + at + 4, words[i], len);
		at += 4 + len;
	}
	ASSERT(at + sizeof(text) - 1 == SPDY_DICTIONARY_BYTES);
	memcpy(out + at, text, sizeof(text) - 1);
}

static unsigned char dictionary[SPDY_DICTIONARY_BYTES];

static void dictionary_fill(void)
{
	spdy_dictionary_make(dictionary);
}

void spdy_headers_init(struct spdy_headers *h)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, dictionary_fill);
	*h = (struct spdy_headers){};
	int failed = inflateInit(&h->inflater);
	ASSERT(failed == Z_OK);
	/* Replies have hardly any headers: the smallest window and memory that zlib has. */
	failed = deflateInit2(&h->deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 11, 1,
			      Z_DEFAULT_STRATEGY);
	ASSERT(failed == Z_OK);
	failed = deflateSetDictionary(&h->deflater, dictionary, sizeof(dictionary));
	ASSERT(failed == Z_OK);
}

void spdy_headers_done(struct spdy_headers *h)
{
	inflateEnd(&h->inflater);
	deflateEnd(&h->deflater);
}

static enum rc block_inflate(struct spdy_headers *h, struct str block, struct buf *out,
			     struct err *err)
{
	z_stream *z = &h->inflater;
	z->next_in = (unsigned char *)block.at;
	z->avail_in = (unsigned)block.len;
	for (;;) {
		char *room = buf_reserve(out, 4096);
		if (!room)
			return err_set(err, RC_TOO_LARGE, "SPDY headers exceed 64 KiB");
		z->next_out = (unsigned char *)room;
		z->avail_out = 4096;
		int got = inflate(z, Z_SYNC_FLUSH);
		if (got == Z_NEED_DICT &&
		    inflateSetDictionary(z, dictionary, sizeof(dictionary)) == Z_OK)
			continue;
		if (got != Z_OK && got != Z_BUF_ERROR)
			return err_set(err, RC_BAD_REQUEST, "SPDY headers: malformed compression");
		buf_grew(out, 4096 - z->avail_out);
		if (z->avail_out > 0)
			return RC_OK;
	}
}

static bool number_take(struct str *rest, uint32_t *ret_number)
{
	const unsigned char *at = (const unsigned char *)rest->at;
	if (rest->len < 4)
		return false;
	*ret_number = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
	*rest = str_skip(*rest, 4);
	return true;
}

static bool text_take(struct str *rest, struct arena *a, struct str *ret_text)
{
	uint32_t len;
	if (!number_take(rest, &len) || len > rest->len)
		return false;
	*ret_text = arena_str(a, str_n(rest->at, len));
	*rest = str_skip(*rest, len);
	return true;
}

static void lower(struct str name)
{
	char *at = (char *)name.at; /* our own copy */
	for (size_t i = 0; i < name.len; i++)
		if (at[i] >= 'A' && at[i] <= 'Z')
			at[i] = (char)(at[i] + 32);
}

enum rc spdy_headers_read(struct spdy_headers *h, struct str block, struct arena *a,
			  const struct http_header **ret_headers, size_t *ret_count,
			  struct err *err)
{
	CLEANUP_BUF plain = BUF_INIT(SPDY_BLOCK_MAX);
	uint32_t count;
	if (block.len > BLOCK_IN_MAX)
		return err_set(err, RC_TOO_LARGE, "SPDY headers exceed 64 KiB");
	TRY(block_inflate(h, block, &plain, err));
	struct str rest = buf_str(&plain);
	if (!number_take(&rest, &count) || count > SPDY_HEADERS_MAX)
		return err_set(err, RC_BAD_REQUEST, "SPDY headers: want at most %d",
			       SPDY_HEADERS_MAX);
	struct http_header *headers = ARENA_ARRAY(a, struct http_header, (size_t)count + 1);
	for (uint32_t i = 0; i < count; i++) {
		if (!text_take(&rest, a, &headers[i].name) ||
		    !text_take(&rest, a, &headers[i].value))
			return err_set(err, RC_BAD_REQUEST, "SPDY headers: cut off");
		lower(headers[i].name);
	}
	*ret_headers = headers;
	*ret_count = count;
	return RC_OK;
}

static void number_add(struct buf *out, size_t number)
{
	const char bytes[4] = {(char)(number >> 24), (char)(number >> 16), (char)(number >> 8),
			       (char)number};
	buf_add(out, bytes, sizeof(bytes));
}

void spdy_headers_write(struct spdy_headers *h, const struct http_header *headers, size_t count,
			struct buf *out)
{
	CLEANUP_BUF plain = BUF_INIT(SPDY_BLOCK_MAX);
	number_add(&plain, count);
	for (size_t i = 0; i < count; i++) {
		number_add(&plain, headers[i].name.len);
		buf_add_str(&plain, headers[i].name);
		number_add(&plain, headers[i].value.len);
		buf_add_str(&plain, headers[i].value);
	}
	z_stream *z = &h->deflater;
	z->next_in = (unsigned char *)plain.data;
	z->avail_in = (unsigned)plain.len;
	do {
		char *room = buf_reserve(out, 1024);
		ASSERT(room);
		z->next_out = (unsigned char *)room;
		z->avail_out = 1024;
		deflate(z, Z_SYNC_FLUSH);
		buf_grew(out, 1024 - z->avail_out);
	} while (z->avail_out == 0);
}
