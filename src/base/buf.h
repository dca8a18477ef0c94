/* buf: a growing byte buffer with a maximum.
 * Owns: its bytes.  Errors are sticky: an append that would pass max_bytes sets is_full, drops the
 * bytes and so do all later ones; the caller checks buf_check() once at the end.  data always ends
 * with a NUL that is not counted. */
#ifndef SKEG_BASE_BUF_H
#define SKEG_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

struct buf {
	char *data;
	size_t len, cap;
	size_t max_bytes;
	bool is_full;
};

#define BUF_INIT(max)                                                                              \
	{                                                                                          \
		.max_bytes = (max)                                                                 \
	}
#define CLEANUP_BUF CLEANUP(buf_done) struct buf

void buf_done(struct buf *b);
void buf_reset(struct buf *b);
[[nodiscard]] char *buf_take(struct buf *b); /* caller frees; b is empty again */

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_str(struct buf *b, struct str s);
void buf_add_cstr(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_add_i64(struct buf *b, int64_t value); /* decimal */
[[gnu::format(printf, 2, 3)]] void buf_printf(struct buf *b, const char *fmt, ...);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);

/* Room for len bytes at the end, NULL when that passes the maximum; buf_grew() then counts them. */
[[nodiscard]] char *buf_reserve(struct buf *b, size_t len);
void buf_grew(struct buf *b, size_t len);
void buf_cut(struct buf *b, size_t len);     /* keeps the first len bytes */
void buf_consume(struct buf *b, size_t len); /* drops the first len bytes */

static inline struct str buf_str(const struct buf *b)
{
	return str_n(b->data ? b->data : "", b->len);
}

/* RC_TOO_LARGE when anything was dropped; what names the content. */
[[nodiscard]] enum rc buf_check(const struct buf *b, const char *what, struct err *err);

#endif
