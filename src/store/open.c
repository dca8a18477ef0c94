/* Opening, reading what is there, closing. */
#include "base/log.h"
#include "base/mem.h"
#include "store/store-int.h"

static bool is_soon(const struct api *api, uint16_t stored_id)
{
	const struct api_kind *kind = api_by_stored(api, stored_id);
	return kind && str_is(kind->plural, "events");
}

static struct store *store_new(const struct store_config *config)
{
	struct store *store = NEW(struct store);
	store->magic = STORE_MAGIC;
	store->api = config->api;
	store->loop = config->loop;
	store->on_fatal = config->on_fatal;
	store->ctx = config->ctx;
	store->kind_count = config->api->stored_count;
	store->trees = mem_alloc(store->kind_count * sizeof(store->trees[0]));
	store->rings = mem_alloc(store->kind_count * sizeof(store->rings[0]));
	store->is_kind_lazy = mem_alloc(store->kind_count);
	store->is_kind_soon = mem_alloc(store->kind_count);
	store->turn_msg.fn = store_turn_on;
	list_init(&store->commits);
	list_init(&store->listeners);
	pthread_mutex_init(&store->publish_lock, NULL);
	pthread_mutex_init(&store->listen_lock, NULL);
	for (uint32_t i = 0; i < store->kind_count; i++) {
		store->trees[i].type = &object_tree_type;
		store->is_kind_soon[i] = is_soon(config->api, (uint16_t)i);
		ring_init(&store->rings[i], 0);
	}
	return store;
}

static void store_free(struct store *store)
{
	snapshot_unref(store->published);
	for (uint32_t i = 0; i < store->kind_count; i++) {
		btree_done(&store->trees[i]);
		ring_done(&store->rings[i]);
	}
	lazy_done(&store->lazy);
	overlay_reset(&store->overlay);
	pthread_mutex_destroy(&store->publish_lock);
	pthread_mutex_destroy(&store->listen_lock);
	free(store->trees);
	free(store->rings);
	free(store->is_kind_lazy);
	free(store->is_kind_soon);
	store->magic = 0;
	free(store);
}

static void count_all(struct store *store)
{
	for (uint32_t i = 0; i < store->kind_count; i++) {
		struct btree_iter it;
		btree_first(&it, &store->trees[i]);
		for (struct object *o; (o = btree_next(&it));)
			store_count(store, NULL, o);
	}
}

static enum rc load(struct store *store, struct err *err)
{
	struct backend_load found = {
		.api = store->api,
		.trees = store->trees,
		.rings = store->rings,
		.is_kind_lazy = store->is_kind_lazy,
	};
	TRY(store->writer.ops->load(store->writer.backend, &found, err));
	store->last_revision = found.revision;
	store->reserved_until = found.reserved_until;
	count_all(store);
	store_publish(store, found.revision);
	return RC_OK;
}

enum rc store_open(const struct store_config *config, struct store **ret_store, struct err *err)
{
	const struct backend_ops *ops = config->folder ? &backend_sqlite : &backend_memory;
	struct backend_config backend = {config->api, config->folder, config->vfs};
	struct store *store = store_new(config);
	struct writer *w = &store->writer;
	*w = (struct writer){
		.ops = ops, .loop = config->loop, .on_done = store_batches_on, .ctx = store};
	enum rc rc = ops->open(&backend, &w->backend, err);
	if (rc == RC_OK)
		rc = load(store, err);
	if (rc != RC_OK) {
		if (w->backend)
			ops->close(w->backend, 0);
		store_free(store);
		return rc;
	}
	writer_start(w, ops->needs_thread && !config->is_inline);
	*ret_store = store;
	return RC_OK;
}

/* The writer has stopped: the backend is the owner's. */
static bool write_lazy(struct store *store)
{
	struct commit *flush = lazy_flush(&store->lazy, &store->overlay, true);
	if (!flush)
		return true;
	const struct backend_ops *ops = store->writer.ops;
	struct list commits;
	struct err err;
	int64_t reserved_until;
	uint64_t bytes;
	list_init(&commits);
	list_append(&commits, &flush->queue_link);
	enum rc rc = ops->commit(store->writer.backend, &commits, &reserved_until, &bytes, &err);
	if (rc != RC_OK)
		log_warn("store", "last heartbeats and renewals are not written: %s", err.text);
	list_remove(&flush->queue_link);
	commit_free(TAKE_PTR(store->lazy.in_flight));
	return rc == RC_OK;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	ASSERT(store->magic == STORE_MAGIC);
	store->is_closing = true;
	loop_timer_stop(&store->lazy_timer);
	loop_defer_cancel(&store->turn_msg);
	writer_stop(&store->writer);
	store_advance_all(store);
	loop_defer_cancel(&store->turn_msg);
	loop_timer_stop(&store->lazy_timer);
	bool is_clean = !store->is_dead && write_lazy(store);
	store->writer.ops->close(store->writer.backend, is_clean ? store->last_revision : 0);
	ASSERT(list_is_empty(&store->commits));
	store_free(store);
}
