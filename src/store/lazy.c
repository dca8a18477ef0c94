/* Lazy writes: node-lease renewals, heartbeats, Events.  They become visible in their turn without
 * waiting for the disk; the newest state of each key is kept here until it is written: Events
 * within LAZY_SOON_MS, the others at a clean stop, or never when a durable write of the key comes
 * first. */
#include "base/mem.h"
#include "store/store-int.h"

struct lazy_write {
	struct entry entry;
	bool is_soon;
};

static void lazy_write_free(struct lazy *l, struct lazy_write *w)
{
	if (!w)
		return;
	l->soon_count -= w->is_soon;
	object_unref(w->entry.object);
	free(w);
}

void lazy_done(struct lazy *l)
{
	for (struct map_entry *e = map_next(&l->dirty, NULL); e; e = map_next(&l->dirty, e))
		lazy_write_free(l, e->value);
	map_done(&l->dirty);
	ASSERT(!l->in_flight);
}

void lazy_put(struct lazy *l, const struct entry *e, bool is_soon)
{
	struct overlay_key key;
	struct lazy_write *w = NEW(struct lazy_write);
	w->entry = *e;
	w->entry.former = NULL;
	object_ref(w->entry.object);
	w->is_soon = is_soon;
	l->soon_count += is_soon;
	lazy_write_free(l, map_set(&l->dirty, entry_key(&key, e), w));
}

void lazy_drop(struct lazy *l, const struct entry *e)
{
	struct overlay_key key;
	if (l->dirty.count > 0)
		lazy_write_free(l, map_remove(&l->dirty, entry_key(&key, e)));
}

/* A newer write of the key may be with the writer already: its row must not come first. */
static bool is_due(const struct lazy_write *w, const struct overlay *pending, bool is_all)
{
	const struct object *o = w->entry.object;
	return (is_all || w->is_soon) &&
	       !overlay_get(pending, w->entry.stored_id, o->namespace, o->name);
}

struct commit *lazy_flush(struct lazy *l, const struct overlay *pending, bool is_all)
{
	if (l->dirty.count == 0 || l->in_flight)
		return NULL;
	struct commit *c = commit_new(l->dirty.count);
	c->is_flush = true;
	c->count = 0;
	for (struct map_entry *e = map_next(&l->dirty, NULL); e; e = map_next(&l->dirty, e)) {
		const struct lazy_write *w = e->value;
		if (!is_due(w, pending, is_all))
			continue;
		c->entries[c->count] = w->entry;
		object_ref(c->entries[c->count++].object);
	}
	if (c->count == 0) {
		commit_free(c);
		return NULL;
	}
	l->in_flight = c;
	return c;
}

void lazy_flushed(struct lazy *l, const struct commit *flush)
{
	struct overlay_key key;
	for (size_t i = 0; i < flush->count; i++) {
		const struct entry *e = &flush->entries[i];
		struct str s = entry_key(&key, e);
		struct lazy_write *w = map_get(&l->dirty, s);
		if (w && w->entry.revision == e->revision)
			lazy_write_free(l, map_remove(&l->dirty, s));
	}
}
