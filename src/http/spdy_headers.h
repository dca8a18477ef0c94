/* spdy_headers: header blocks of SPDY/3: name-value lists, compressed by one zlib stream a
 * direction with a preset dictionary.  Private to http/, public for tests. */
#ifndef SKEG_HTTP_SPDY_HEADERS_H
#define SKEG_HTTP_SPDY_HEADERS_H

#include <zlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "http/server.h" /* struct http_header */

#define SPDY_BLOCK_MAX	 (64u << 10) /* after decompression */
#define SPDY_HEADERS_MAX 100

struct spdy_headers {
	z_stream inflater, deflater;
};
void spdy_headers_init(struct spdy_headers *h);
void spdy_headers_done(struct spdy_headers *h);

[[nodiscard]] enum rc spdy_headers_read(struct spdy_headers *h, struct str block, struct arena *a,
					const struct http_header **ret_headers, size_t *ret_count,
					struct err *err);
void spdy_headers_write(struct spdy_headers *h, const struct http_header *headers, size_t count,
			struct buf *out);

/* The preset dictionary, made from its words. */
#define SPDY_DICTIONARY_BYTES	1423
#define SPDY_DICTIONARY_ADLER32 0xe3c6a7c2u
void spdy_dictionary_make(unsigned char out[SPDY_DICTIONARY_BYTES]);

#endif
