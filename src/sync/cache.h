/* cache: the objects of some kinds as one thread knows them, kept current by watches.
 *
 * Holds references, not copies: in process they are the very objects of the store.
 * Indexes: owners (metadata.ownerReferences) for every kind, spec.nodeName for pods.
 * Owns: its references.  Threads: the loop of its client.  Order: iteration is by (namespace,
 * name). Limits: those of the server; a kind costs about 16 bytes an object beside the objects. */
#ifndef SKEG_SYNC_CACHE_H
#define SKEG_SYNC_CACHE_H

#include "api/object.h"
#include "sync/client.h"
#include "sync/object_set.h"

struct cache;

struct cache_listener { /* embed it */
	struct list link;
	/* The cache is already changed when it is called; old is still alive. */
	void (*on_event)(struct cache_listener *l, uint16_t stored_id, struct object *old,
			 struct object *new);
	/* cache_revision(stored_id) may have gone up: after an event, or without one.  May be
	 * NULL. */
	void (*on_revision)(struct cache_listener *l, uint16_t stored_id, int64_t revision);
};

/* kinds: stored ids, count of them; watches start at once.  field_selectors may be NULL, or one a
 * kind. */
[[nodiscard]] struct cache *cache_new(struct client *client, const uint16_t *kinds, size_t count,
				      const struct str *field_selectors);
/* Without a client, for tests: filled by cache_put(). */
[[nodiscard]] struct cache *cache_new_literal(const struct api *api);
void cache_put(struct cache *cache, struct object *object); /* takes a reference */
void cache_drop(struct cache *cache, uint16_t stored_id, struct str namespace, struct str name);
void cache_free(struct cache *cache);

const struct api *cache_api(const struct cache *cache);
bool cache_has_kind(const struct cache *cache, uint16_t stored_id); /* it is watched, or literal */
bool cache_is_synced(const struct cache *cache);
/* fn runs once, when all kinds are there; at once when they are.  At most CACHE_WAITERS_MAX. */
#define CACHE_WAITERS_MAX 8
void cache_when_synced(struct cache *cache, void (*fn)(void *ctx), void *ctx);
void cache_forget_waiter(struct cache *cache, void *ctx); /* those with this ctx */
void cache_listen(struct cache *cache, struct cache_listener *l);
void cache_unlisten(struct cache *cache, struct cache_listener *l);

/* Borrowed until the loop's next turn. */
struct object *cache_get(const struct cache *cache, uint16_t stored_id, struct str namespace,
			 struct str name);
/* All events up to it are in; INT64_MAX for a literal cache. */
int64_t cache_revision(const struct cache *cache, uint16_t stored_id);
size_t cache_count(const struct cache *cache, uint16_t stored_id);

/* for (struct cache_iter it = cache_iterate(c, KIND_POD, ns); (o = cache_next(&it));)
 * An absent or empty namespace means all.  The cache must not change during it. */
struct cache_iter {
	const struct object_set *set; /* private, all of it */
	struct object_place place;
	struct str namespace, controller_uid;
};
struct cache_iter cache_iterate(const struct cache *cache, uint16_t stored_id,
				struct str namespace);
/* Only those whose controller (ownerReference with controller: true) has this uid. */
struct cache_iter cache_owned(const struct cache *cache, uint16_t stored_id, struct str namespace,
			      struct str owner_uid);
/* All that name this uid as an owner. */
struct cache_iter cache_dependents(const struct cache *cache, uint16_t stored_id,
				   struct str owner_uid);
/* Pods, ReplicaSets and ControllerRevisions without a controller, in a namespace. */
struct cache_iter cache_orphans(const struct cache *cache, uint16_t stored_id,
				struct str namespace);
/* Pods with this spec.nodeName. */
struct cache_iter cache_on_node(const struct cache *cache, struct str node_name);
struct object *cache_next(struct cache_iter *it);

/* Its ownerReferences; cheap when there are none. */
const struct owner_reference_array *object_owners(const struct object *o);
/* The one with controller: true, or NULL. */
const struct owner_reference *object_controller(const struct object *o);

#endif
