/* map: strings to pointers, iterated in order of insertion (never of hashes, so runs repeat).
 * Owns: copies of its keys; values belong to the caller.  Threads: one at a time.
 * Limits: 2^30 entries; who fills one from outside bounds it. */
#ifndef SKEG_BASE_MAP_H
#define SKEG_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct map_entry {
	struct str key; /* at == NULL: removed */
	void *value;
	uint64_t hash;
};

struct map {
	struct map_entry *entries; /* in order of insertion */
	uint32_t *slots;	   /* index + 1 into entries, 0 free */
	uint32_t count;		   /* live entries */
	uint32_t filled;	   /* entries used, removed ones included */
	uint32_t slot_count;
};

/* A zeroed struct map is a valid empty one. */
void map_done(struct map *m);

void *map_get(const struct map *m, struct str key); /* NULL when absent */
bool map_has(const struct map *m, struct str key);
void *map_set(struct map *m, struct str key, void *value); /* returns the former value or NULL */
void *map_remove(struct map *m, struct str key);	   /* returns the value or NULL */

/* for (struct map_entry *e = map_next(m, NULL); e; e = map_next(m, e)); removing e is allowed. */
struct map_entry *map_next(const struct map *m, const struct map_entry *e);

#endif
