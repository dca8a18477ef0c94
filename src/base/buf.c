#include "base/buf.h"

#include <stdio.h>

#define BUF_MIN_CAP 128u

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max_bytes = b->max_bytes};
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->is_full = false;
	if (b->data)
		b->data[0] = '\0';
}

char *buf_take(struct buf *b)
{
	char *data = b->data ? b->data : mem_strdup("");
	b->data = NULL;
	buf_done(b);
	return data;
}

char *buf_reserve(struct buf *b, size_t len)
{
	if (b->is_full || len > b->max_bytes || b->len > b->max_bytes - len) {
		b->is_full = true;
		return NULL;
	}
	size_t need = b->len + len + 1;
	if (need > b->cap) {
		b->cap = MAX(MAX(need, b->cap * 2), (size_t)BUF_MIN_CAP);
		b->data = mem_resize(b->data, b->cap);
	}
	return b->data + b->len;
}

void buf_grew(struct buf *b, size_t len)
{
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_cut(struct buf *b, size_t len)
{
	ASSERT(len <= b->len);
	b->len = len;
	if (b->data)
		b->data[len] = '\0';
}

void buf_consume(struct buf *b, size_t len)
{
	ASSERT(len <= b->len);
	if (len == 0)
		return;
	memmove(b->data, b->data + len, b->len - len + 1);
	b->len -= len;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
	char *room = buf_reserve(b, len);
	if (!room)
		return;
	if (len)
		memcpy(room, bytes, len);
	buf_grew(b, len);
}

void buf_add_str(struct buf *b, struct str s)
{
	buf_add(b, s.at, s.len);
}

void buf_add_cstr(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_add_i64(struct buf *b, int64_t value)
{
	char digits[24];
	char *p = digits + sizeof(digits);
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	do
		*--p = (char)('0' + rest % 10);
	while (rest /= 10);
	if (value < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(digits + sizeof(digits) - p));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, ap);
	char *room = buf_reserve(b, (size_t)len);
	if (room) {
		vsnprintf(room, (size_t)len + 1, fmt, again);
		b->len += (size_t)len;
	}
	va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

enum rc buf_check(const struct buf *b, const char *what, struct err *err)
{
	if (b->is_full)
		return err_set(err, RC_TOO_LARGE, "%s is larger than the limit of %zu bytes", what,
			       b->max_bytes);
	return RC_OK;
}
