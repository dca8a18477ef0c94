#include "base/arena.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"

/* Chunks are powers of two, headers included, as long as nothing larger is asked for.  The small
 * ones are not given back to malloc but to the thread that frees them, up to a limit: a request
 * takes and frees three or four, and malloc would cut and join the same memory each time. */
#define CHUNK_MIN_BYTES 4096u
#define CHUNK_MAX_BYTES (1u << 20)
#define ALIGN_BYTES	16u
#define SPARE_SIZES	4u /* 4, 8, 16, 32 KiB */
#define SPARE_MAX_BYTES (256u << 10)

struct arena_chunk {
	struct arena_chunk *older;
	size_t size_bytes;
	_Alignas(ALIGN_BYTES) char data[];
};

/* --- spare chunks of a thread --- */

static _Thread_local struct {
	struct arena_chunk *chunks[SPARE_SIZES];
	size_t size_bytes;
} spare;

static _Atomic uint64_t freed_bytes;

static size_t whole_bytes(size_t data_bytes)
{
	return sizeof(struct arena_chunk) + data_bytes;
}

/* SPARE_SIZES: a size that is not kept. */
static size_t spare_index(size_t whole)
{
	size_t i = 0;
	while (i < SPARE_SIZES && whole != CHUNK_MIN_BYTES << i)
		i++;
	return MEM_IS_WATCHED ? SPARE_SIZES : i;
}

static void spare_free_all(void *unused)
{
	for (size_t i = 0; i < SPARE_SIZES; i++)
		for (struct arena_chunk *c; (c = spare.chunks[i]);) {
			spare.chunks[i] = c->older;
			free(c);
		}
	spare.size_bytes = SPARE_MAX_BYTES; /* nothing is kept any more */
}

static pthread_key_t at_thread_end;

static void make_key(void)
{
	int code = pthread_key_create(&at_thread_end, spare_free_all);
	ASSERT(code == 0);
}

static void free_at_thread_end(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_key);
	pthread_setspecific(at_thread_end, &spare);
}

static struct arena_chunk *chunk_take(size_t data_bytes)
{
	size_t i = spare_index(whole_bytes(data_bytes));
	struct arena_chunk *c = i < SPARE_SIZES ? spare.chunks[i] : NULL;
	if (!c)
		return mem_resize(NULL, whole_bytes(data_bytes));
	spare.chunks[i] = c->older;
	spare.size_bytes -= whole_bytes(data_bytes);
	return c;
}

static void chunk_give(struct arena_chunk *c)
{
	size_t whole = whole_bytes(c->size_bytes), i = spare_index(whole);
	if (i == SPARE_SIZES || spare.size_bytes + whole > SPARE_MAX_BYTES) {
		atomic_fetch_add_explicit(&freed_bytes, whole, memory_order_relaxed);
		free(c);
		return;
	}
	if (spare.size_bytes == 0)
		free_at_thread_end();
	c->older = spare.chunks[i];
	spare.chunks[i] = c;
	spare.size_bytes += whole;
}

uint64_t arena_freed_bytes(void)
{
	return atomic_load_explicit(&freed_bytes, memory_order_relaxed);
}

/* --- arenas --- */

void arena_done(struct arena *a)
{
	for (struct arena_chunk *c = a->chunks, *older; c; c = older) {
		older = c->older;
		chunk_give(c);
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
		chunk_give(first);
		first = older;
	}
	a->chunks = first;
	a->next = first->data;
	a->end = first->data + first->size_bytes;
	a->used_bytes = 0;
}

static void add_chunk(struct arena *a, size_t size)
{
	struct arena_chunk *c = chunk_take(size);
	c->older = a->chunks;
	c->size_bytes = size;
	a->chunks = c;
	a->next = c->data;
	a->end = c->data + size;
}

/* The wish doubles with each chunk, up to a limit. */
static size_t next_chunk_bytes(const struct arena *a, size_t at_least)
{
	size_t whole = CHUNK_MIN_BYTES, former = a->chunks ? whole_bytes(a->chunks->size_bytes) : 0;
	while (whole <= former && whole < CHUNK_MAX_BYTES)
		whole *= 2;
	return MAX(whole - sizeof(struct arena_chunk), at_least);
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
