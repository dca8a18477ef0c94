/* object_set: objects in order of (namespace, name), in chunks of at most OBJECT_SET_CHUNK.
 *
 * An array of sorted arrays: a lookup is two binary searches, an insert moves one chunk's tail.
 * Quick to walk, a few bytes an object, and 100,000 objects are 800 chunks at most.
 *
 * Owns: its chunks; references to the objects belong to the user.  Threads: one at a time. */
#ifndef SKEG_SYNC_OBJECT_SET_H
#define SKEG_SYNC_OBJECT_SET_H

#include "api/object.h"

#define OBJECT_SET_CHUNK 256u

struct object_chunk {
	struct object **items;
	uint32_t count, cap;
};

/* A zeroed one is empty. */
struct object_set {
	struct object_chunk *chunks; /* none of them empty */
	uint32_t chunk_count, chunk_cap;
	size_t count;
};

struct object_place {
	uint32_t chunk, index;
};

void object_set_done(struct object_set *set);
struct object *object_set_get(const struct object_set *set, struct str namespace, struct str name);
/* Returns the object it replaced, or NULL. */
struct object *object_set_put(struct object_set *set, struct object *o);
/* Returns what it took out, or NULL. */
struct object *object_set_remove(struct object_set *set, struct str namespace, struct str name);
/* The first place at or after the key; then object_set_at() and object_set_step() walk on. */
struct object_place object_set_find(const struct object_set *set, struct str namespace,
				    struct str name);
struct object *object_set_at(const struct object_set *set, struct object_place place); /* or NULL */
struct object_place object_set_step(const struct object_set *set, struct object_place place);

#endif
