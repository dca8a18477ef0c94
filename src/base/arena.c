#include "base/arena.h"

#include <stdint.h>

#include "base/err.h"

#define CHUNK_MIN_BYTES 4096u
#define CHUNK_MAX_BYTES (1u << 20)
#define ALIGN_BYTES	16u

struct arena_chunk {
	struct arena_chunk *older;
	size_t size_bytes;
	_Alignas(ALIGN_BYTES) char data[];
};

void arena_done(struct arena *a)
{
	for (struct arena_chunk *c = a->chunks, *older; c; c = older) {
		older = c->older;
		free(c);
	}
	*a = (struct arena){};
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *first = a->chunks;
	if (!first)
		return;
	while (first->older) {
		struct arena_chunk *older = first->older;
		free(first);
		first = older;
	}
	a->chunks = first;
	a->next = first->data;
	a->end = first->data + first->size_bytes;
	a->used_bytes = 0;
}

static void add_chunk(struct arena *a, size_t size)
{
	struct arena_chunk *c = mem_resize(NULL, sizeof(*c) + size);
	c->older = a->chunks;
	c->size_bytes = size;
	a->chunks = c;
	a->next = c->data;
	a->end = c->data + size;
}

/* The wish doubles with each chunk, up to a limit. */
static size_t next_chunk_bytes(const struct arena *a, size_t at_least)
{
	size_t wish = a->chunks ? MIN(a->chunks->size_bytes * 2, (size_t)CHUNK_MAX_BYTES)
				: CHUNK_MIN_BYTES - sizeof(struct arena_chunk);
	return MAX(wish, at_least);
}

static size_t aligned(size_t size_bytes)
{
	return (size_bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
}

void arena_reserve(struct arena *a, size_t size_bytes)
{
	ASSERT(!a->chunks);
	add_chunk(a, aligned(size_bytes));
}

static void *take(struct arena *a, size_t size_bytes)
{
	size_bytes = aligned(size_bytes);
	if (size_bytes > (size_t)(a->end - a->next))
		add_chunk(a, next_chunk_bytes(a, size_bytes));
	void *p = a->next;
	a->next += size_bytes;
	a->used_bytes += size_bytes;
	return p;
}

void *arena_alloc(struct arena *a, size_t size_bytes)
{
	void *p = take(a, size_bytes);
	if (size_bytes)
		memset(p, 0, size_bytes);
	return p;
}

void *arena_copy(struct arena *a, const void *p, size_t size_bytes)
{
	void *copy = take(a, size_bytes);
	if (size_bytes)
		memcpy(copy, p, size_bytes);
	return copy;
}

char *arena_cstr(struct arena *a, struct str s)
{
	char *copy = take(a, s.len + 1);
	if (s.len)
		memcpy(copy, s.at, s.len);
	copy[s.len] = '\0';
	return copy;
}

struct str arena_str(struct arena *a, struct str s)
{
	return s.at ? str_n(arena_cstr(a, s), s.len) : s;
}

struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, ap);
	char *text = take(a, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	return str_n(text, (size_t)len);
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct str s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}

void *arena_grow(struct arena *a, void *items, size_t count, size_t *cap, size_t item_bytes)
{
	if (count < *cap)
		return items;
	size_t wider = *cap ? *cap * 2 : 4;
	char *copy = take(a, wider * item_bytes);
	if (count)
		memcpy(copy, items, count * item_bytes);
	memset(copy + count * item_bytes, 0, (wider - count) * item_bytes);
	*cap = wider;
	return copy;
}
