#include "sync/object_set.h"

#include "base/err.h"
#include "base/mem.h"

static int key_cmp(const struct object *o, struct str namespace, struct str name)
{
	int order = str_cmp(o->namespace, namespace);
	return order ? order : str_cmp(o->name, name);
}

void object_set_done(struct object_set *set)
{
	for (uint32_t i = 0; i < set->chunk_count; i++)
		free(set->chunks[i].items);
	free(set->chunks);
	*set = (struct object_set){};
}

/* The first chunk whose last object is not before the key; chunk_count when there is none. */
static uint32_t find_chunk(const struct object_set *set, struct str namespace, struct str name)
{
	uint32_t low = 0, high = set->chunk_count;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct object_chunk *chunk = &set->chunks[mid];
		if (key_cmp(chunk->items[chunk->count - 1], namespace, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static uint32_t find_index(const struct object_chunk *chunk, struct str namespace, struct str name)
{
	uint32_t low = 0, high = chunk->count;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (key_cmp(chunk->items[mid], namespace, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct object_place object_set_find(const struct object_set *set, struct str namespace,
				    struct str name)
{
	struct object_place place = {.chunk = find_chunk(set, namespace, name)};
	if (place.chunk < set->chunk_count)
		place.index = find_index(&set->chunks[place.chunk], namespace, name);
	return place;
}

struct object *object_set_at(const struct object_set *set, struct object_place place)
{
	if (place.chunk >= set->chunk_count || place.index >= set->chunks[place.chunk].count)
		return NULL;
	return set->chunks[place.chunk].items[place.index];
}

struct object_place object_set_step(const struct object_set *set, struct object_place place)
{
	if (++place.index >= set->chunks[place.chunk].count)
		place = (struct object_place){.chunk = place.chunk + 1};
	return place;
}

static bool is_key(const struct object *o, struct str namespace, struct str name)
{
	return o && str_eq(o->name, name) && str_eq(o->namespace, namespace);
}

struct object *object_set_get(const struct object_set *set, struct str namespace, struct str name)
{
	struct object *o = object_set_at(set, object_set_find(set, namespace, name));
	return is_key(o, namespace, name) ? o : NULL;
}

static void chunk_insert_at(struct object_set *set, uint32_t at, struct object_chunk chunk)
{
	if (set->chunk_count == set->chunk_cap) {
		set->chunk_cap = MAX(4u, set->chunk_cap * 2);
		set->chunks = mem_resize(set->chunks, set->chunk_cap * sizeof(*set->chunks));
	}
	memmove(set->chunks + at + 1, set->chunks + at,
		(set->chunk_count - at) * sizeof(*set->chunks));
	set->chunks[at] = chunk;
	set->chunk_count++;
}

static void chunk_reserve(struct object_chunk *chunk, uint32_t cap)
{
	if (cap <= chunk->cap)
		return;
	chunk->cap = MIN(MAX(cap, MAX(4u, chunk->cap * 2)), OBJECT_SET_CHUNK);
	chunk->items = mem_resize(chunk->items, chunk->cap * sizeof(struct object *));
}

/* Moves the upper half of a full chunk to a new one behind it. */
static void chunk_split(struct object_set *set, uint32_t at)
{
	struct object_chunk upper = {};
	uint32_t half = set->chunks[at].count / 2;
	upper.count = set->chunks[at].count - half;
	chunk_reserve(&upper, OBJECT_SET_CHUNK);
	memcpy(upper.items, set->chunks[at].items + half, upper.count * sizeof(struct object *));
	set->chunks[at].count = half;
	chunk_insert_at(set, at + 1, upper);
}

struct object *object_set_put(struct object_set *set, struct object *o)
{
	ASSERT(o);
	struct object_place place = object_set_find(set, o->namespace, o->name);
	struct object *former = object_set_at(set, place);
	if (is_key(former, o->namespace, o->name)) {
		set->chunks[place.chunk].items[place.index] = o;
		return former;
	}
	if (set->chunk_count == 0)
		chunk_insert_at(set, 0, (struct object_chunk){});
	if (place.chunk == set->chunk_count) {
		place.chunk--;
		place.index = set->chunks[place.chunk].count;
	}
	if (set->chunks[place.chunk].count == OBJECT_SET_CHUNK) {
		chunk_split(set, place.chunk);
		uint32_t half = set->chunks[place.chunk].count;
		if (place.index > half)
			place = (struct object_place){place.chunk + 1, place.index - half};
	}
	struct object_chunk *chunk = &set->chunks[place.chunk];
	chunk_reserve(chunk, chunk->count + 1);
	memmove(chunk->items + place.index + 1, chunk->items + place.index,
		(chunk->count - place.index) * sizeof(struct object *));
	chunk->items[place.index] = o;
	chunk->count++;
	set->count++;
	return NULL;
}

struct object *object_set_remove(struct object_set *set, struct str namespace, struct str name)
{
	struct object_place place = object_set_find(set, namespace, name);
	struct object *o = object_set_at(set, place);
	if (!is_key(o, namespace, name))
		return NULL;
	struct object_chunk *chunk = &set->chunks[place.chunk];
	chunk->count--;
	memmove(chunk->items + place.index, chunk->items + place.index + 1,
		(chunk->count - place.index) * sizeof(struct object *));
	set->count--;
	if (chunk->count == 0) {
		free(chunk->items);
		set->chunk_count--;
		memmove(set->chunks + place.chunk, set->chunks + place.chunk + 1,
			(set->chunk_count - place.chunk) * sizeof(*set->chunks));
	}
	return o;
}
