/* http1_parse: heads and chunked bodies of HTTP/1.1 (RFC 9110, 9112), strictly.
 *
 * Whatever two implementations could read in two ways is refused: bare CR or LF, folded lines,
 * space before a colon, more than one Content-Length or Host, Content-Length beside
 * Transfer-Encoding, any Transfer-Encoding but "chunked", signs or lists in a length. Pure
 * functions; memory is the caller's arena.  Fuzzed by tests/fuzz. */
#ifndef SKEG_HTTP_HTTP1_PARSE_H
#define SKEG_HTTP_HTTP1_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "http/server.h"

struct http1_head {
	struct str method, target;   /* of a request */
	int status;		     /* of a response */
	int version;		     /* 10 or 11 */
	struct http_header *headers; /* names in lower case */
	size_t header_count;
	struct str host;	/* absent: none */
	int64_t content_length; /* -1: none given */
	bool is_chunked;
	bool keeps_alive;
	bool wants_upgrade;
	bool expects_continue;
};

/* Length of the head with its empty line, 0 when it is not complete; *scanned remembers what was
 * looked at (start with 0).  *ret_why is set, and 1 returned, when no head can begin like this. */
size_t http1_head_end(struct str bytes, size_t *scanned, const char **ret_why);

/* head is what http1_head_end() measured.  Returns 0, or the status to refuse it with and why. */
int http1_parse_request(struct str head, struct arena *a, struct http1_head *ret_head,
			const char **ret_why);
int http1_parse_response(struct str head, struct arena *a, struct http1_head *ret_head,
			 const char **ret_why);

/* A chunked body as it comes in; zero it. */
struct http1_chunked {
	int stage;
	uint32_t line_bytes; /* of the size line or of the trailer so far */
	uint32_t digits;
	uint64_t left;
};
enum http1_chunk { HTTP1_CHUNK_MORE, HTTP1_CHUNK_DATA, HTTP1_CHUNK_END, HTTP1_CHUNK_BAD };
/* Takes *ret_used bytes of in; DATA gives a slice of them.  Call again with the rest until MORE,
 * END or BAD.  Extensions and trailers are read over, up to 4 KiB a line and 8 KiB. */
enum http1_chunk http1_chunked_feed(struct http1_chunked *c, struct str in, size_t *ret_used,
				    struct str *ret_data);

bool http_is_token(struct str s);			 /* RFC 9110 §5.6.2, not empty */
bool http_is_field_value(struct str s);			 /* no control characters but tabs */
bool http_has_token(struct str list, const char *token); /* in a comma list, any case */

#endif
