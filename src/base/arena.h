/* arena: memory of one request, reconcile or command, given back all at once.
 * Owns: its chunks.  Threads: one at a time.  Limits: the maximum given to arena_init;
 * a caller that would pass it gets an abort, so sizes from outside are limited before. */
#ifndef SKEG_BASE_ARENA_H
#define SKEG_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	char *next, *end;
	size_t used_bytes;
};

/* A zeroed struct arena is a valid empty one: `struct arena a = {};` */
void arena_done(struct arena *a);
void arena_reset(struct arena *a); /* keeps its first chunk */
uint64_t arena_freed_bytes(void);  /* that all of them gave back to malloc so far */

/* Of an empty arena: its first chunk holds that much and no more. */
void arena_reserve(struct arena *a, size_t size_bytes);

/* Zeroed and aligned for any type; never NULL. */
[[nodiscard]] void *arena_alloc(struct arena *a, size_t size_bytes);
[[nodiscard]] void *arena_copy(struct arena *a, const void *p, size_t size_bytes);
/* Copies end with a NUL that is not counted; an absent string stays absent. */
[[nodiscard]] struct str arena_str(struct arena *a, struct str s);
[[nodiscard]] char *arena_cstr(struct arena *a, struct str s); /* absent gives "" */
[[nodiscard, gnu::format(printf, 2, 3)]] struct str arena_printf(struct arena *a, const char *fmt,
								 ...);
[[nodiscard]] struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap);

/* Grows an array of the arena to hold one more item; at doubles, the old copy is left to the arena.
 */
[[nodiscard]] void *arena_grow(struct arena *a, void *items, size_t count, size_t *cap,
			       size_t item_bytes);

#define ARENA_NEW(a, type)	((type *)arena_alloc(a, sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc(a, sizeof(type) * (n)))

#define CLEANUP_ARENA CLEANUP(arena_done) struct arena

#endif
