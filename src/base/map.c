#include "base/map.h"

#include "base/err.h"
#include "base/mem.h"

/* Open addressing over indexes into an entry array that keeps the order of insertion. */

#define SLOTS_MIN 8u

void map_done(struct map *m)
{
	for (uint32_t i = 0; i < m->filled; i++)
		free((char *)m->entries[i].key.at);
	free(m->entries);
	free(m->slots);
	*m = (struct map){};
}

/* The slot that holds key, or the free one where it would go. */
static uint32_t find_slot(const struct map *m, struct str key, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & (m->slot_count - 1);
	for (; m->slots[i]; i = (i + 1) & (m->slot_count - 1)) {
		const struct map_entry *e = &m->entries[m->slots[i] - 1];
		if (e->hash == hash && e->key.at && str_eq(e->key, key))
			break;
	}
	return i;
}

static struct map_entry *find(const struct map *m, struct str key)
{
	if (m->count == 0)
		return NULL;
	uint32_t index = m->slots[find_slot(m, key, str_hash(key))];
	return index ? &m->entries[index - 1] : NULL;
}

/* Drops removed entries and spreads the rest over slot_count slots. */
static void rebuild(struct map *m, uint32_t slot_count)
{
	free(m->slots);
	m->slots = mem_alloc(slot_count * sizeof(*m->slots));
	m->slot_count = slot_count;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < m->filled; i++) {
		if (!m->entries[i].key.at)
			continue;
		m->entries[kept] = m->entries[i];
		uint32_t slot = (uint32_t)m->entries[kept].hash & (slot_count - 1);
		while (m->slots[slot])
			slot = (slot + 1) & (slot_count - 1);
		m->slots[slot] = ++kept;
	}
	m->filled = kept;
	m->entries = mem_resize(m->entries, slot_count * sizeof(*m->entries));
}

void *map_get(const struct map *m, struct str key)
{
	struct map_entry *e = find(m, key);
	return e ? e->value : NULL;
}

bool map_has(const struct map *m, struct str key)
{
	return find(m, key) != NULL;
}

void *map_set(struct map *m, struct str key, void *value)
{
	struct map_entry *e = find(m, key);
	if (e) {
		void *former = e->value;
		e->value = value;
		return former;
	}
	ASSERT(m->count < 1u << 30);
	if ((m->filled + 1) * 4 > m->slot_count * 3)
		rebuild(m, m->count * 2 >= m->slot_count ? MAX(m->slot_count * 2, SLOTS_MIN)
							 : m->slot_count);
	uint64_t hash = str_hash(key);
	m->entries[m->filled] = (struct map_entry){
		str_n(mem_strndup(key.at ? key.at : "", key.len), key.len), value, hash};
	m->slots[find_slot(m, key, hash)] = ++m->filled;
	m->count++;
	return NULL;
}

void *map_remove(struct map *m, struct str key)
{
	struct map_entry *e = find(m, key);
	if (!e)
		return NULL;
	free((char *)e->key.at);
	e->key = (struct str){};
	m->count--;
	return e->value;
}

struct map_entry *map_next(const struct map *m, const struct map_entry *e)
{
	for (uint32_t i = e ? (uint32_t)(e - m->entries) + 1 : 0; i < m->filled; i++)
		if (m->entries[i].key.at)
			return &m->entries[i];
	return NULL;
}
