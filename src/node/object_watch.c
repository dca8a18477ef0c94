#include "node/object_watch.h"

#include "base/mem.h"

struct object_watch {
	struct object_watches *all;
	char *key;
	struct client_watch *watch;
	struct list users;
	struct object *object;
	bool is_known;
	struct loop_msg told; /* users hear of changes outside the client's callbacks */
};

void object_watches_init(struct object_watches *all, struct client *client)
{
	all->client = client;
	all->by_key = (struct map){};
}

static void watch_free(struct object_watch *w)
{
	struct client *client = w->all->client;
	client->ops->unwatch(client, w->watch);
	loop_defer_cancel(&w->told);
	map_remove(&w->all->by_key, str_of(w->key));
	object_unref(w->object);
	free(w->key);
	free(w);
}

void object_watches_done(struct object_watches *all)
{
	for (struct map_entry *e = map_next(&all->by_key, NULL); e; e = map_next(&all->by_key, e)) {
		struct object_watch *w = e->value;
		struct object_use *use;
		LIST_FOR_EACH (use, &w->users, link) {
			list_remove(&use->link);
			use->watch = NULL;
		}
		watch_free(w);
	}
	map_done(&all->by_key);
}

static void tell(struct loop_msg *msg)
{
	struct object_watch *w = CONTAINER_OF(msg, struct object_watch, told);
	struct object_use *use;
	LIST_FOR_EACH (use, &w->users, link)
		use->on_change(use);
}

static void on_event(void *ctx, struct object *old, struct object *new)
{
	struct object_watch *w = ctx;
	object_ref(new);
	object_unref(w->object);
	w->object = new;
	if (w->is_known)
		loop_defer(w->all->client->loop, &w->told);
}

static void on_synced(void *ctx)
{
	struct object_watch *w = ctx;
	w->is_known = true;
	loop_defer(w->all->client->loop, &w->told);
}

static void on_revision(void *ctx, int64_t revision)
{
}

static const struct client_watch_ops watch_ops = {on_event, on_synced, on_revision};

static struct object_watch *watch_new(struct object_watches *all, struct str key,
				      uint16_t stored_id, struct str namespace, struct str name)
{
	CLEANUP_ARENA a = {};
	struct object_watch *w = NEW(struct object_watch);
	struct str selector = arena_printf(&a, "metadata.name=%.*s", STR_FMT(name));
	w->all = all;
	w->key = mem_strndup(key.at, key.len);
	w->told.fn = tell;
	list_init(&w->users);
	map_set(&all->by_key, key, w);
	w->watch = all->client->ops->watch(all->client, api_by_stored(all->client->api, stored_id),
					   namespace, selector, &watch_ops, w);
	return w;
}

void object_use_start(struct object_watches *all, struct object_use *use, uint16_t stored_id,
		      struct str namespace, struct str name, void (*on_change)(struct object_use *))
{
	CLEANUP_ARENA a = {};
	struct str key =
		arena_printf(&a, "%u/%.*s/%.*s", stored_id, STR_FMT(namespace), STR_FMT(name));
	struct object_watch *w = map_get(&all->by_key, key);
	if (!w)
		w = watch_new(all, key, stored_id, namespace, name);
	use->watch = w;
	use->on_change = on_change;
	list_append(&w->users, &use->link);
}

void object_use_stop(struct object_use *use)
{
	struct object_watch *w = use->watch;
	if (!w)
		return;
	list_remove(&use->link);
	use->watch = NULL;
	if (list_is_empty(&w->users))
		watch_free(w);
}

bool object_use_is_known(const struct object_use *use)
{
	return use->watch && use->watch->is_known;
}

struct object *object_use_get(const struct object_use *use)
{
	return use->watch ? use->watch->object : NULL;
}
