#include "sync/cache.h"

#include "api/api_ids.h"
#include "api/views.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

/* An index maps a string to the objects that have it; a bucket is freed when it is empty. */
struct index {
	struct map buckets; /* -> struct object_set */
};

struct cache_kind {
	struct cache *cache;
	uint16_t stored_id;
	bool is_watched, is_synced;
	int64_t revision;
	struct object_set set;
	struct index by_owner, by_node;
	struct client_watch *watch;
};

struct waiter {
	void (*fn)(void *ctx);
	void *ctx;
};

struct cache {
	const struct api *api;
	struct client *client;	  /* NULL: literal */
	struct cache_kind *kinds; /* by stored id */
	size_t kind_count, watched, synced;
	struct list listeners;
	struct waiter waiters[CACHE_WAITERS_MAX];
	size_t waiter_count;
};

/* --- owners --- */

static bool names_owners(struct str text)
{
	/* Within a string the quotes would be escaped, so this finds the member only. */
	return memmem(text.at, text.len, "\"ownerReferences\":[", 19) != NULL;
}

const struct owner_reference_array *object_owners(const struct object *o)
{
	static const struct owner_reference_array none;
	if (!names_owners(o->middle) && !names_owners(o->head))
		return &none;
	return &object_meta(o)->owner_references;
}

const struct owner_reference *object_controller(const struct object *o)
{
	const struct owner_reference_array *owners = object_owners(o);
	for (uint32_t i = 0; i < owners->count; i++)
		if (owners->at[i].controller && *owners->at[i].controller)
			return &owners->at[i];
	return NULL;
}

/* --- indexes --- */

static void index_done(struct index *index)
{
	struct map *m = &index->buckets;
	for (struct map_entry *e = map_next(m, NULL); e; e = map_next(m, e)) {
		object_set_done(e->value);
		free(e->value);
	}
	map_done(m);
}

static void index_put(struct index *index, struct str key, struct object *o)
{
	if (!key.len)
		return;
	struct object_set *bucket = map_get(&index->buckets, key);
	if (!bucket) {
		bucket = NEW(struct object_set);
		map_set(&index->buckets, key, bucket);
	}
	(void)object_set_put(bucket, o);
}

static void index_remove(struct index *index, struct str key, const struct object *o)
{
	struct object_set *bucket = key.len ? map_get(&index->buckets, key) : NULL;
	if (!bucket)
		return;
	(void)object_set_remove(bucket, o->namespace, o->name);
	if (bucket->count == 0) {
		map_remove(&index->buckets, key);
		object_set_done(bucket);
		free(bucket);
	}
}

static struct str pod_node(const struct object *o)
{
	const struct pod *pod = object_view(o);
	return pod->spec.node_name;
}

/* The bucket of those that a controller may adopt; no uid looks like it. */
static const struct str orphans = STR_INIT("-");

static bool is_adoptable(const struct cache_kind *kind, const struct object *o)
{
	bool is_kind = kind->stored_id == KIND_POD || kind->stored_id == KIND_REPLICA_SET ||
		       kind->stored_id == KIND_CONTROLLER_REVISION;
	return is_kind && !object_controller(o);
}

static void kind_index(struct cache_kind *kind, struct object *o)
{
	const struct owner_reference_array *owners = object_owners(o);
	for (uint32_t i = 0; i < owners->count; i++)
		index_put(&kind->by_owner, owners->at[i].uid, o);
	if (is_adoptable(kind, o))
		index_put(&kind->by_owner, orphans, o);
	if (kind->stored_id == KIND_POD)
		index_put(&kind->by_node, pod_node(o), o);
}

static void kind_unindex(struct cache_kind *kind, const struct object *o)
{
	const struct owner_reference_array *owners = object_owners(o);
	for (uint32_t i = 0; i < owners->count; i++)
		index_remove(&kind->by_owner, owners->at[i].uid, o);
	if (is_adoptable(kind, o))
		index_remove(&kind->by_owner, orphans, o);
	if (kind->stored_id == KIND_POD)
		index_remove(&kind->by_node, pod_node(o), o);
}

/* --- changes --- */

static void tell_event(struct cache_kind *kind, struct object *old, struct object *new)
{
	struct cache_listener *l;
	LIST_FOR_EACH (l, &kind->cache->listeners, link)
		l->on_event(l, kind->stored_id, old, new);
}

static void tell_revision(struct cache_kind *kind)
{
	struct cache_listener *l;
	LIST_FOR_EACH (l, &kind->cache->listeners, link)
		if (l->on_revision)
			l->on_revision(l, kind->stored_id, kind->revision);
}

static void kind_put(struct cache_kind *kind, struct object *o)
{
	struct object *new = object_ref(o);
	struct object *old = object_set_put(&kind->set, new);
	if (old)
		kind_unindex(kind, old);
	kind_index(kind, new);
	kind->revision = MAX(kind->revision, new->revision);
	tell_event(kind, old, new);
	tell_revision(kind);
	object_unref(old);
}

static void kind_remove(struct cache_kind *kind, struct str namespace, struct str name)
{
	struct object *old = object_set_remove(&kind->set, namespace, name);
	if (!old)
		return;
	kind_unindex(kind, old);
	tell_event(kind, old, NULL);
	object_unref(old);
}

static void on_event(void *ctx, struct object *old, struct object *new)
{
	struct cache_kind *kind = ctx;
	if (new)
		kind_put(kind, new);
	else if (old)
		kind_remove(kind, old->namespace, old->name);
}

static void on_revision(void *ctx, int64_t revision)
{
	struct cache_kind *kind = ctx;
	kind->revision = MAX(kind->revision, revision);
	tell_revision(kind);
}

static void on_synced(void *ctx)
{
	struct cache_kind *kind = ctx;
	struct cache *cache = kind->cache;
	if (kind->is_synced)
		return;
	kind->is_synced = true;
	if (++cache->synced < cache->watched)
		return;
	for (size_t i = 0; i < cache->waiter_count; i++)
		cache->waiters[i].fn(cache->waiters[i].ctx);
	cache->waiter_count = 0;
}

static const struct client_watch_ops watch_ops = {
	.on_event = on_event, .on_synced = on_synced, .on_revision = on_revision};

/* --- construction --- */

struct cache *cache_new_literal(const struct api *api)
{
	struct cache *cache = NEW(struct cache);
	cache->api = api;
	cache->kind_count = api->stored_count;
	cache->kinds = mem_alloc(cache->kind_count * sizeof(*cache->kinds));
	for (size_t i = 0; i < cache->kind_count; i++)
		cache->kinds[i] = (struct cache_kind){.cache = cache, .stored_id = (uint16_t)i};
	list_init(&cache->listeners);
	return cache;
}

static struct cache_kind *kind_of(const struct cache *cache, uint16_t stored_id)
{
	ASSERT(stored_id < cache->kind_count);
	return &cache->kinds[stored_id];
}

struct cache *cache_new(struct client *client, const uint16_t *kinds, size_t count,
			const struct str *field_selectors)
{
	struct cache *cache = cache_new_literal(client->api);
	cache->client = client;
	cache->watched = count;
	for (size_t i = 0; i < count; i++) {
		struct cache_kind *kind = kind_of(cache, kinds[i]);
		ASSERT(!kind->is_watched);
		kind->is_watched = true;
	}
	for (size_t i = 0; i < count; i++) {
		struct cache_kind *kind = kind_of(cache, kinds[i]);
		struct str selector = field_selectors ? field_selectors[i] : (struct str){};
		kind->watch = client->ops->watch(client, api_by_stored(client->api, kinds[i]),
						 (struct str){}, selector, &watch_ops, kind);
	}
	return cache;
}

static void kind_done(struct cache_kind *kind)
{
	if (kind->watch)
		kind->cache->client->ops->unwatch(kind->cache->client, kind->watch);
	index_done(&kind->by_owner);
	index_done(&kind->by_node);
	struct object *o;
	for (struct object_place at = {}; (o = object_set_at(&kind->set, at));
	     at = object_set_step(&kind->set, at))
		object_unref(o);
	object_set_done(&kind->set);
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < cache->kind_count; i++)
		kind_done(&cache->kinds[i]);
	free(cache->kinds);
	free(cache);
}

void cache_put(struct cache *cache, struct object *object)
{
	kind_put(kind_of(cache, object->stored_id), object);
}

void cache_drop(struct cache *cache, uint16_t stored_id, struct str namespace, struct str name)
{
	kind_remove(kind_of(cache, stored_id), namespace, name);
}

/* --- reading --- */

const struct api *cache_api(const struct cache *cache)
{
	return cache->api;
}

bool cache_has_kind(const struct cache *cache, uint16_t stored_id)
{
	return !cache->client || kind_of(cache, stored_id)->is_watched;
}

bool cache_is_synced(const struct cache *cache)
{
	return cache->synced >= cache->watched;
}

void cache_when_synced(struct cache *cache, void (*fn)(void *ctx), void *ctx)
{
	if (cache_is_synced(cache)) {
		fn(ctx);
		return;
	}
	ASSERT(cache->waiter_count < CACHE_WAITERS_MAX);
	cache->waiters[cache->waiter_count++] = (struct waiter){fn, ctx};
}

void cache_forget_waiter(struct cache *cache, void *ctx)
{
	size_t kept = 0;
	for (size_t i = 0; i < cache->waiter_count; i++)
		if (cache->waiters[i].ctx != ctx)
			cache->waiters[kept++] = cache->waiters[i];
	cache->waiter_count = kept;
}

void cache_listen(struct cache *cache, struct cache_listener *l)
{
	list_append(&cache->listeners, &l->link);
}

void cache_unlisten(struct cache *cache, struct cache_listener *l)
{
	list_remove(&l->link);
}

struct object *cache_get(const struct cache *cache, uint16_t stored_id, struct str namespace,
			 struct str name)
{
	return object_set_get(&kind_of(cache, stored_id)->set, namespace, name);
}

int64_t cache_revision(const struct cache *cache, uint16_t stored_id)
{
	return cache->client ? kind_of(cache, stored_id)->revision : INT64_MAX;
}

size_t cache_count(const struct cache *cache, uint16_t stored_id)
{
	return kind_of(cache, stored_id)->set.count;
}

static struct cache_iter iterate_set(const struct object_set *set, struct str namespace)
{
	static const struct object_set none;
	struct cache_iter it = {.set = set ? set : &none, .namespace = namespace};
	if (set && namespace.len)
		it.place = object_set_find(set, namespace, (struct str){});
	return it;
}

struct cache_iter cache_iterate(const struct cache *cache, uint16_t stored_id, struct str namespace)
{
	return iterate_set(&kind_of(cache, stored_id)->set, namespace);
}

struct cache_iter cache_owned(const struct cache *cache, uint16_t stored_id, struct str namespace,
			      struct str owner_uid)
{
	const struct index *index = &kind_of(cache, stored_id)->by_owner;
	struct cache_iter it = iterate_set(map_get(&index->buckets, owner_uid), namespace);
	it.controller_uid = owner_uid;
	return it;
}

struct cache_iter cache_dependents(const struct cache *cache, uint16_t stored_id,
				   struct str owner_uid)
{
	const struct index *index = &kind_of(cache, stored_id)->by_owner;
	return iterate_set(map_get(&index->buckets, owner_uid), (struct str){});
}

struct cache_iter cache_orphans(const struct cache *cache, uint16_t stored_id, struct str namespace)
{
	const struct index *index = &kind_of(cache, stored_id)->by_owner;
	return iterate_set(map_get(&index->buckets, orphans), namespace);
}

struct cache_iter cache_on_node(const struct cache *cache, struct str node_name)
{
	const struct index *index = &kind_of(cache, KIND_POD)->by_node;
	return iterate_set(map_get(&index->buckets, node_name), (struct str){});
}

static bool is_controlled_by(const struct object *o, struct str uid)
{
	const struct owner_reference *controller = object_controller(o);
	return controller && str_eq(controller->uid, uid);
}

struct object *cache_next(struct cache_iter *it)
{
	struct object *o;
	while ((o = object_set_at(it->set, it->place))) {
		it->place = object_set_step(it->set, it->place);
		if (it->namespace.len && !str_eq(o->namespace, it->namespace))
			return NULL;
		if (!it->controller_uid.len || is_controlled_by(o, it->controller_uid))
			return o;
	}
	return NULL;
}
