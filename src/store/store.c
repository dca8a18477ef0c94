/* The store: who may see what, and when.
 *
 * Three places hold objects.  The *table* (one copy-on-write tree a kind) has only what is durable,
 * and a *snapshot* is a published version of it.  The *overlay* has what was accepted and is not
 * durable yet; only the owner looks at it, to judge the next write.  The *rings* have the events
 * that led to the newest snapshot.
 *
 * The life of a write, all on the owner's thread but for the disk:
 *
 *   store_commit()     judges the preconditions against overlay and table, gives the next revision,
 *                      puts the writes into the overlay and the commit at the end of `commits`
 *   (turn of loop)     everything accepted in this turn goes to the writer together
 *   writer thread      one transaction, one sync, for all that has arrived
 *   batches_on()       marks the commits durable
 *   advance()          takes commits from the head of `commits` as long as they are durable:
 * applies them to the table, publishes one snapshot, appends to the rings, wakes listeners,
 *                      completes tickets: in this order, so whoever has an event or a reply also
 * finds it in the newest snapshot
 *
 * Order.  Revisions become visible in the order in which they were given, with no exception: a lazy
 * write that needs no disk still waits behind a durable one that was accepted before it.  So one
 * number, the revision of the snapshot, says exactly what a reader has seen.
 *
 * Failure.  When a transaction fails nothing of it is on disk, and everything accepted later was
 * judged on a state that will never be.  So all that waits is dropped, each ticket gets the error,
 * and the table was never wrong.  The revisions are not given again; an empty snapshot at the last
 * of them is published so that nobody waits for one in vain.  After an I/O error what is on disk is
 * unknown: the owner is told (on_fatal) to end the process and start again from the disk.
 *
 * Revisions.  The backend reserves them on disk in blocks, so that a start after a crash begins
 * beyond every revision that anybody can have seen, lazy ones included.  What lies between the last
 * durable revision and that start may have been lost: cursors there get 410, and so do all older
 * cursors of kinds with lazy writes.  The first lazy write of a kind is durable, for it makes the
 * disk remember that the kind is one.
 *
 * Time.  The owner does the work of a commit (some microseconds), the writer's thread serialises
 * and syncs.  Nothing here runs unless something was written. */
#include "store/store.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/store-int.h"

static void batches_on(void *ctx);
static void turn_on(struct loop_msg *msg);

/* --- publishing --- */

static void publish(struct store *store, int64_t revision)
{
	struct snapshot *s = snapshot_new(store->trees, store->kind_count, revision);
	ASSERT(revision >= store->published_revision);
	pthread_mutex_lock(&store->publish_lock);
	struct snapshot *former = store->published;
	store->published = s;
	pthread_mutex_unlock(&store->publish_lock);
	atomic_store(&store->published_revision, revision);
	snapshot_unref(former);
}

static void count_change(struct store *store, const struct object *old, const struct object *new)
{
	uint64_t more = new ? object_size(new) : 0, less = old ? object_size(old) : 0;
	atomic_fetch_add(&store->object_count, (uint64_t)(new != NULL) - (uint64_t)(old != NULL));
	atomic_fetch_add(&store->object_bytes, more - less);
}

static void apply(struct store *store, struct entry *e)
{
	struct btree *tree = &store->trees[e->stored_id];
	struct object *o = e->object;
	if (e->is_delete)
		e->former = btree_remove(tree, (struct btree_key){o->namespace, o->name});
	else
		e->former = btree_set(tree, object_ref(o));
	count_change(store, e->former, e->is_delete ? NULL : o);
}

static void lazy_timer_on(struct loop_timer *timer);

static void note_lazy(struct store *store, const struct commit *c, const struct entry *e)
{
	if (e->is_first_lazy)
		store->is_kind_lazy[e->stored_id] = true;
	if (!c->is_lazy) {
		lazy_drop(&store->lazy, e);
		return;
	}
	lazy_put(&store->lazy, e, store->is_kind_soon[e->stored_id]);
	if (store->lazy.soon_count > 0 && !store->lazy_timer.loop)
		loop_timer_start(store->loop, &store->lazy_timer, LAZY_SOON_MS, lazy_timer_on);
}

static void emit(struct store *store, struct entry *e, int64_t now_ms)
{
	if (e->is_delete && !e->former)
		return;
	struct ring_event event = {
		.revision = e->revision,
		.time_ms = now_ms,
		.old = TAKE_PTR(e->former),
		.object = object_ref(e->object),
		.is_delete = e->is_delete,
	};
	ring_append(&store->rings[e->stored_id], &event);
}

static void emit_all(struct store *store, struct list *commits, int64_t revision)
{
	int64_t now_ms = world_mono_ms();
	struct commit *c;
	LIST_FOR_EACH (c, commits, link)
		for (size_t i = 0; i < c->count; i++)
			emit(store, &c->entries[i], now_ms);
	if (store->kind_count > 0)
		ring_trim(&store->rings[store->trim_turn++ % store->kind_count], now_ms);
	atomic_store(&store->rings_revision, revision);
}

/* Tickets first into a list of their own: done() may free them and commit again. */
static void complete(struct list *commits, enum rc rc, const struct err *err)
{
	struct store_ticket *first = NULL, **end = &first;
	struct commit *c;
	LIST_FOR_EACH (c, commits, link) {
		list_remove(&c->link);
		if (c->ticket) {
			c->ticket->next = NULL;
			*end = c->ticket;
			end = &c->ticket->next;
		}
		commit_free(c);
	}
	for (struct store_ticket *t = first, *next; t; t = next) {
		next = t->next;
		t->rc = rc;
		t->err = rc == RC_OK ? NULL : err;
		t->done(t);
	}
}

/* Makes visible what has become durable. */
static void advance(struct store *store)
{
	struct list finished;
	int64_t revision = 0;
	list_init(&finished);
	for (struct commit *c; (c = LIST_FIRST(&store->commits, struct commit, link));) {
		if (!c->is_durable)
			break;
		list_remove(&c->link);
		list_append(&finished, &c->link);
		overlay_remove(&store->overlay, c);
		for (size_t i = 0; i < c->count; i++) {
			apply(store, &c->entries[i]);
			note_lazy(store, c, &c->entries[i]);
		}
		revision = c->revision;
		atomic_fetch_add(&store->commit_count, 1);
	}
	if (list_is_empty(&finished))
		return;
	publish(store, revision);
	emit_all(store, &finished, revision);
	store_wake_listeners(store);
	complete(&finished, RC_OK, NULL);
}

/* Drops everything that waits; nobody but its writers knew of it. */
static void drop_pending(struct store *store, enum rc rc, const struct err *err)
{
	struct list dropped;
	list_init(&dropped);
	writer_clear(&store->writer);
	if (store->lazy.in_flight)
		commit_free(TAKE_PTR(store->lazy.in_flight));
	for (struct commit *c; (c = LIST_FIRST(&store->commits, struct commit, link));) {
		list_remove(&c->link);
		list_append(&dropped, &c->link);
	}
	overlay_reset(&store->overlay);
	if (store->last_revision > store->published_revision) {
		publish(store, store->last_revision);
		atomic_store(&store->rings_revision, store->last_revision);
		store_wake_listeners(store);
	}
	complete(&dropped, rc, err);
}

/* --- what the writer reports --- */

static void batch_succeeded(struct store *store, struct batch *b)
{
	struct commit *c;
	store->reserved_until = b->reserved_until;
	LIST_FOR_EACH (c, &b->commits, queue_link) {
		list_remove(&c->queue_link);
		c->is_durable = true;
		if (c->is_flush) {
			ASSERT(c == store->lazy.in_flight);
			lazy_flushed(&store->lazy, c);
			commit_free(TAKE_PTR(store->lazy.in_flight));
		}
	}
	advance(store);
}

static void batch_failed(struct store *store, struct batch *b)
{
	struct commit *c;
	advance(store); /* lazy writes that were accepted before the batch */
	LIST_FOR_EACH (c, &b->commits, queue_link)
		list_remove(&c->queue_link);
	if (b->rc == RC_IO && !store->is_dead) {
		store->is_dead = true;
		log_error("store", "%s", b->err.text);
		if (store->on_fatal)
			store->on_fatal(store->ctx, &b->err);
	}
	drop_pending(store, b->rc, &b->err);
	if (store->lazy.soon_count > 0 && !store->is_dead)
		loop_timer_start(store->loop, &store->lazy_timer, LAZY_SOON_MS, lazy_timer_on);
}

static void batches_on(void *ctx)
{
	struct store *store = ctx;
	for (struct batch *b; (b = writer_take(&store->writer));) {
		if (b->rc == RC_OK)
			batch_succeeded(store, b);
		else
			batch_failed(store, b);
		free(b);
	}
}

static void turn_on(struct loop_msg *msg)
{
	struct store *store = CONTAINER_OF(msg, struct store, turn_msg);
	if (store->lazy.soon_count > LAZY_SOON_MAX)
		lazy_timer_on(&store->lazy_timer);
	writer_flush(&store->writer);
	advance(store);
}

static void lazy_timer_on(struct loop_timer *timer)
{
	struct store *store = CONTAINER_OF(timer, struct store, lazy_timer);
	struct commit *flush = store->is_dead ? NULL : lazy_flush(&store->lazy, false);
	if (!flush)
		return;
	writer_send(&store->writer, flush);
	loop_defer(store->loop, &store->turn_msg);
}

/* --- committing --- */

struct object *store_pending_get(struct store *store, uint16_t stored_id, struct str namespace,
				 struct str name)
{
	ASSERT(store->magic == STORE_MAGIC && stored_id < store->kind_count);
	const struct entry *e = overlay_get(&store->overlay, stored_id, namespace, name);
	if (e)
		return e->is_delete ? NULL : e->object;
	return btree_get(&store->trees[stored_id], (struct btree_key){namespace, name});
}

int64_t store_pending_revision(const struct store *store)
{
	return store->last_revision;
}

static enum rc check_write(struct store *store, const struct store_write *w, struct err *err)
{
	char key[STORE_KEY_MAX + 8], resource[RESOURCE_NAME_MAX];
	ASSERT(w->stored_id < store->kind_count && w->object);
	ASSERT(str_eq(w->name, w->object->name) && str_eq(w->namespace, w->object->namespace));
	const char *what = resource_name(store->api, w->stored_id, resource);
	ASSERT(what);
	if (key_pack(key, w->namespace, w->name) == 0)
		return err_set(err, RC_INVALID,
			       "%s \"%.*s\": namespace and name must have at most %d bytes "
			       "together, and no zero byte",
			       what, STR_FMT(w->name), STORE_KEY_MAX);
	const struct object *now = store_pending_get(store, w->stored_id, w->namespace, w->name);
	ASSERT(now != w->object);
	if (w->expect == EXPECT_ABSENT && now)
		return err_set(err, RC_ALREADY_EXISTS, "%s \"%.*s\" already exists", what,
			       STR_FMT(w->name));
	if (!now && (w->expect > 0 || w->is_delete))
		return err_set(err, RC_NOT_FOUND, "%s \"%.*s\" not found", what, STR_FMT(w->name));
	if (w->expect > 0 && now->revision != w->expect)
		return err_set(err, RC_CONFLICT,
			       "Operation cannot be fulfilled on %s \"%.*s\": the object has been "
			       "modified; please apply your changes to the latest version and try "
			       "again",
			       what, STR_FMT(w->name));
	return RC_OK;
}

static enum rc check_once(const struct store_write *writes, size_t count, struct err *err)
{
	for (size_t i = 1; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (writes[i].stored_id == writes[k].stored_id &&
			    str_eq(writes[i].name, writes[k].name) &&
			    str_eq(writes[i].namespace, writes[k].namespace))
				return err_set(err, RC_INTERNAL,
					       "'%.*s' is written twice in one commit",
					       STR_FMT(writes[i].name));
	return RC_OK;
}

static enum rc check_commit(struct store *store, const struct store_write *writes, size_t count,
			    size_t bytes, struct err *err)
{
	if (store->is_dead || store->is_closing)
		return err_set(err, RC_UNAVAILABLE, "the store is %s",
			       store->is_dead ? "down after an I/O error" : "closing");
	if (count > STORE_COMMIT_MAX)
		return err_set(err, RC_TOO_LARGE,
			       "%zu writes in one commit, at most %d are allowed", count,
			       STORE_COMMIT_MAX);
	if (store->overlay.writes + count > STORE_PENDING_MAX ||
	    store->overlay.bytes + bytes > STORE_PENDING_BYTES)
		return err_set(
			err, RC_TOO_MANY_REQUESTS,
			"too many writes wait for the disk (%zu writes, %zu bytes), try again",
			store->overlay.writes, store->overlay.bytes);
	TRY(check_once(writes, count, err));
	for (size_t i = 0; i < count; i++)
		TRY(check_write(store, &writes[i], err));
	return RC_OK;
}

static struct commit *commit_make(struct store *store, struct store_write *writes, size_t count,
				  size_t bytes)
{
	struct commit *c = commit_new(count);
	c->revision = ++store->last_revision;
	c->bytes = bytes;
	c->is_lazy = c->revision < store->reserved_until;
	for (size_t i = 0; i < count; i++) {
		const struct store_write *w = &writes[i];
		bool is_known = store->is_kind_lazy[w->stored_id];
		object_set_revision(w->object, c->revision);
		c->entries[i] = (struct entry){
			.stored_id = w->stored_id,
			.sequence = (uint16_t)i,
			.is_delete = w->is_delete,
			.is_first_lazy = w->is_lazy && !is_known,
			.revision = c->revision,
			.object = w->object,
		};
		c->is_lazy = c->is_lazy && w->is_lazy && is_known;
	}
	return c;
}

enum rc store_commit(struct store *store, struct store_write *writes, size_t count,
		     struct store_ticket *ticket, struct err *err)
{
	ASSERT(store->magic == STORE_MAGIC && count > 0);
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++)
		bytes += object_size(writes[i].object);
	enum rc rc = check_commit(store, writes, count, bytes, err);
	if (rc != RC_OK) {
		for (size_t i = 0; i < count; i++)
			object_unref(writes[i].object);
		return rc;
	}
	struct commit *c = commit_make(store, writes, count, bytes);
	c->ticket = ticket;
	if (ticket)
		ticket->revision = c->revision;
	overlay_add(&store->overlay, c);
	list_append(&store->commits, &c->link);
	if (c->is_lazy)
		c->is_durable = true;
	else
		writer_send(&store->writer, c);
	loop_defer(store->loop, &store->turn_msg);
	return RC_OK;
}

/* --- opening and closing --- */

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
	store->turn_msg.fn = turn_on;
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
			count_change(store, NULL, o);
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
	store->lost_after = found.lost_after;
	store->lost_until = found.revision;
	atomic_store(&store->rings_revision, found.revision);
	count_all(store);
	publish(store, found.revision);
	return RC_OK;
}

enum rc store_open(const struct store_config *config, struct store **ret_store, struct err *err)
{
	const struct backend_ops *ops = config->folder ? &backend_sqlite : &backend_memory;
	struct backend_config backend = {config->api, config->folder, config->vfs};
	struct store *store = store_new(config);
	struct writer *w = &store->writer;
	*w = (struct writer){.ops = ops, .loop = config->loop, .on_done = batches_on, .ctx = store};
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
	struct commit *flush = lazy_flush(&store->lazy, true);
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
	advance(store);
	loop_timer_stop(&store->lazy_timer);
	bool is_clean = !store->is_dead && write_lazy(store);
	store->writer.ops->close(store->writer.backend, is_clean ? store->last_revision : 0);
	ASSERT(list_is_empty(&store->commits));
	store_free(store);
}

/* --- listeners and numbers --- */

static void listener_on(struct loop_msg *msg)
{
	struct store_listener *l = CONTAINER_OF(msg, struct store_listener, msg);
	atomic_store(&l->is_posted, false);
	l->fn(l);
}

void store_listen(struct store *store, struct store_listener *l)
{
	l->msg.fn = listener_on;
	pthread_mutex_lock(&store->listen_lock);
	list_append(&store->listeners, &l->link);
	pthread_mutex_unlock(&store->listen_lock);
}

void store_unlisten(struct store *store, struct store_listener *l)
{
	pthread_mutex_lock(&store->listen_lock);
	list_remove(&l->link);
	pthread_mutex_unlock(&store->listen_lock);
	loop_post_cancel(l->loop, &l->msg); /* nobody can post it any more */
	atomic_store(&l->is_posted, false);
}

void store_wake_listeners(struct store *store)
{
	struct store_listener *l;
	pthread_mutex_lock(&store->listen_lock);
	LIST_FOR_EACH (l, &store->listeners, link)
		if (!atomic_exchange(&l->is_posted, true))
			loop_post(l->loop, &l->msg);
	pthread_mutex_unlock(&store->listen_lock);
}

void store_stats(struct store *store, struct store_stats *ret_stats)
{
	*ret_stats = (struct store_stats){
		.commits = atomic_load(&store->commit_count),
		.transactions = atomic_load(&store->writer.transactions),
		.written_bytes = atomic_load(&store->writer.written_bytes),
		.objects = atomic_load(&store->object_count),
		.object_bytes = atomic_load(&store->object_bytes),
		.revision = atomic_load(&store->published_revision),
	};
}
