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
 *   advance()          takes durable commits from the head of `commits`, a slice of them, applies
 *                      them to the table, publishes one snapshot, appends to the rings, wakes
 *                      listeners, completes tickets: in this order, so whoever has an event or a
 *                      reply also finds it in the newest snapshot
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

/* What is published at once, so that the owner's thread is not held up and rings are not overrun.
 */
#define SLICE_EVENTS 512
#define SLICE_BYTES  (STORE_RING_BYTES / 2)

/* --- publishing --- */

void store_publish(struct store *store, int64_t revision)
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

void store_count(struct store *store, const struct object *old, const struct object *new)
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
	store_count(store, e->former, e->is_delete ? NULL : o);
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

/* Before the snapshot that shows them is published: who has that finds its events. */
static void emit_all(struct store *store, struct list *commits)
{
	int64_t now_ms = world_mono_ms();
	struct commit *c;
	LIST_FOR_EACH (c, commits, link)
		for (size_t i = 0; i < c->count; i++)
			emit(store, &c->entries[i], now_ms);
	if (store->kind_count > 0)
		ring_trim(&store->rings[store->trim_turn++ % store->kind_count], now_ms);
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

/* Applies durable commits from the head to the table, up to a slice; returns the last revision. */
static int64_t take_durable(struct store *store, struct list *finished)
{
	int64_t revision = 0;
	size_t events = 0, bytes = 0;
	while (events < SLICE_EVENTS && bytes < SLICE_BYTES) {
		struct commit *c = LIST_FIRST(&store->commits, struct commit, link);
		if (!c || !c->is_durable)
			break;
		list_remove(&c->link);
		list_append(finished, &c->link);
		overlay_remove(&store->overlay, c);
		for (size_t i = 0; i < c->count; i++) {
			struct entry *e = &c->entries[i];
			apply(store, e);
			note_lazy(store, c, e);
			bytes += e->former ? object_size(e->former) : 0;
		}
		events += c->count;
		revision = c->revision;
		atomic_fetch_add(&store->commit_count, 1);
	}
	return revision;
}

/* Makes visible what has become durable, a slice of it; false when there was nothing.  The rest
 * waits for the loop's next turn, so that those who follow the rings on this thread get theirs. */
static bool advance(struct store *store)
{
	struct list finished;
	list_init(&finished);
	int64_t revision = take_durable(store, &finished);
	if (list_is_empty(&finished))
		return false;
	struct commit *next = LIST_FIRST(&store->commits, struct commit, link);
	if (next && next->is_durable)
		loop_defer(store->loop, &store->turn_msg);
	emit_all(store, &finished);
	store_publish(store, revision);
	store_wake_listeners(store);
	complete(&finished, RC_OK, NULL);
	return true;
}

void store_advance_all(struct store *store)
{
	while (advance(store))
		;
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
		store_publish(store, store->last_revision);
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
}

static void batch_failed(struct store *store, struct batch *b)
{
	struct commit *c;
	store_advance_all(store); /* what is durable is not dropped */
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

void store_batches_on(void *ctx)
{
	struct store *store = ctx;
	for (struct batch *b; (b = writer_take(&store->writer));) {
		if (b->rc == RC_OK)
			batch_succeeded(store, b);
		else
			batch_failed(store, b);
		free(b);
	}
	advance(store);
}

void store_turn_on(struct loop_msg *msg)
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
	struct commit *flush = store->is_dead ? NULL
					      : lazy_flush(&store->lazy, &store->overlay, false);
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
