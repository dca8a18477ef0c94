/* cache: the objects of some kinds as one thread knows them, kept current by watches.
 *
 * Holds references, not copies: in process they are the very objects of the store.
 * Owns: its references.  Threads: the loop of its client.  Order: iteration is by (namespace, name). */
#ifndef SKEG_SYNC_CACHE_H
#define SKEG_SYNC_CACHE_H

#include "api/object.h"
#include "sync/client.h"

struct cache;

struct cache_listener { /* embed it */
	struct list link;
	void (*on_event)(struct cache_listener *l, uint16_t stored_id, struct object *old, struct object *new);
};

/* kinds: stored ids, count of them; watches start at once.  field_selectors may be NULL, or one a kind. */
[[nodiscard]] struct cache *cache_new(struct client *client, const uint16_t *kinds, size_t count,
				      const struct str *field_selectors);
/* Without a client, for tests: filled by cache_put(). */
[[nodiscard]] struct cache *cache_new_literal(const struct api *api);
void cache_put(struct cache *cache, struct object *object); /* takes a reference */
void cache_drop(struct cache *cache, uint16_t stored_id, struct str namespace, struct str name);
void cache_free(struct cache *cache);

bool cache_is_synced(const struct cache *cache);
/* fn runs once, when all kinds are there. */
void cache_when_synced(struct cache *cache, void (*fn)(void *ctx), void *ctx);
void cache_listen(struct cache *cache, struct cache_listener *l);

/* Borrowed until the loop's next turn. */
struct object *cache_get(const struct cache *cache, uint16_t stored_id, struct str namespace, struct str name);
int64_t cache_revision(const struct cache *cache, uint16_t stored_id); /* all events up to it are in */

/* for (struct cache_iter it = cache_iterate(c, KIND_POD, ns); (o = cache_next(&it));)
 * An absent namespace means all. The cache must not change during it. */
struct cache_iter {
	const struct cache *cache;
	uint16_t stored_id;
	struct str namespace, owner_uid;
	uint32_t position;
};
struct cache_iter cache_iterate(const struct cache *cache, uint16_t stored_id, struct str namespace);
/* Only those whose controller (ownerReference with controller: true) has this uid. */
struct cache_iter cache_owned(const struct cache *cache, uint16_t stored_id, struct str namespace, struct str owner_uid);
struct object *cache_next(struct cache_iter *it);

#endif
