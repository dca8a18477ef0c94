/* Rings: the newest events of each kind, and cursors that read them from any thread.
 *
 * The owner appends, always in order of revisions; readers copy events out (with references) under
 * the lock of that ring, which nobody holds for longer than such a copy.  A cursor keeps the
 * sequence number of the next event; when that event has been dropped before it was read, the
 * cursor has expired.
 *
 * A ring costs memory only by the superseded objects that nobody else holds, so it is bounded by
 * their bytes as well, and what is older than STORE_RING_AGE_MS is dropped by later appends to any
 * kind (never by a timer), down to RING_KEEP_MIN events. */
#include "base/mem.h"
#include "store/store-int.h"

#define RING_CAP_MIN  16
#define RING_KEEP_MIN 128

static struct ring_event *slot(const struct ring *r, uint64_t sequence)
{
	return &r->events[sequence & (r->cap - 1)];
}

static size_t event_bytes(const struct ring_event *e)
{
	return e->old ? object_size(e->old) : 0;
}

static void event_done(struct ring_event *e)
{
	object_unref(e->old);
	object_unref(e->object);
}

void ring_init(struct ring *r, int64_t floor)
{
	*r = (struct ring){.floor = floor};
	pthread_mutex_init(&r->lock, NULL);
}

void ring_done(struct ring *r)
{
	for (; r->first < r->next; r->first++)
		event_done(slot(r, r->first));
	free(r->events);
	pthread_mutex_destroy(&r->lock);
}

static void drop_first(struct ring *r)
{
	pthread_mutex_lock(&r->lock);
	struct ring_event dropped = *slot(r, r->first);
	r->first++;
	r->floor = MAX(r->floor, dropped.revision);
	r->old_bytes -= event_bytes(&dropped);
	pthread_mutex_unlock(&r->lock);
	event_done(&dropped);
}

static void grow(struct ring *r)
{
	size_t cap = r->cap ? r->cap * 2 : RING_CAP_MIN;
	struct ring_event *events = mem_alloc(cap * sizeof(*events));
	struct ring_event *former = r->events;
	pthread_mutex_lock(&r->lock);
	for (uint64_t i = r->first; i < r->next; i++)
		events[i & (cap - 1)] = *slot(r, i);
	r->events = events;
	r->cap = cap;
	pthread_mutex_unlock(&r->lock);
	free(former);
}

void ring_append(struct ring *r, const struct ring_event *own_event)
{
	ASSERT(own_event->revision >= r->floor);
	size_t bytes = event_bytes(own_event);
	while (r->next - r->first >= STORE_RING_EVENTS ||
	       (r->first < r->next && r->old_bytes + bytes > STORE_RING_BYTES))
		drop_first(r);
	if (r->next - r->first == r->cap)
		grow(r);
	pthread_mutex_lock(&r->lock);
	*slot(r, r->next++) = *own_event;
	r->old_bytes += bytes;
	pthread_mutex_unlock(&r->lock);
}

void ring_trim(struct ring *r, int64_t now_ms)
{
	while (r->next - r->first > RING_KEEP_MIN &&
	       slot(r, r->first)->time_ms < now_ms - STORE_RING_AGE_MS)
		drop_first(r);
}

void ring_set_floor(struct ring *r, int64_t revision)
{
	while (r->first < r->next && slot(r, r->first)->revision <= revision)
		drop_first(r);
	pthread_mutex_lock(&r->lock);
	r->floor = MAX(r->floor, revision);
	pthread_mutex_unlock(&r->lock);
}

/* --- cursors --- */

static enum rc expired(struct err *err, int64_t after, int64_t floor)
{
	return err_set(err, RC_EXPIRED, "too old resource version: %lld (%lld)", (long long)after,
		       (long long)floor);
}

/* The first event after a revision; the lock is held. */
static uint64_t place_after(const struct ring *r, int64_t after)
{
	uint64_t low = r->first, high = r->next;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (slot(r, middle)->revision <= after)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct ring *ring_of(struct store *store, uint16_t stored_id)
{
	ASSERT(store->magic == STORE_MAGIC && stored_id < store->kind_count);
	return &store->rings[stored_id];
}

enum rc store_cursor_open(struct store *store, uint16_t stored_id, int64_t after,
			  struct cursor *ret_cursor, struct err *err)
{
	struct ring *r = ring_of(store, stored_id);
	int64_t newest = atomic_load(&store->published_revision);
	if (after > newest)
		return err_set(err, RC_TIMEOUT, "Too large resource version: %lld, current: %lld",
			       (long long)after, (long long)newest);
	pthread_mutex_lock(&r->lock);
	int64_t floor = r->floor;
	uint64_t sequence = place_after(r, after);
	pthread_mutex_unlock(&r->lock);
	if (after < floor)
		return expired(err, after, floor);
	*ret_cursor = (struct cursor){stored_id, after, sequence, after};
	return RC_OK;
}

static struct store_event event_copy(const struct ring_event *e)
{
	return (struct store_event){
		.revision = e->revision,
		.old = object_ref(e->old),
		.new = e->is_delete ? NULL : object_ref(e->object),
		.last = e->is_delete ? object_ref(e->object) : NULL,
	};
}

/* Those that are published; the lock is held. */
static size_t copy_events(struct ring *r, struct cursor *cursor, int64_t published,
			  struct store_event *ret_events, size_t max)
{
	size_t count = 0;
	uint64_t at = MAX(cursor->sequence, r->first);
	for (; at < r->next && count < max && slot(r, at)->revision <= published; at++)
		if (slot(r, at)->revision > cursor->opened_after)
			ret_events[count++] = event_copy(slot(r, at));
	cursor->sequence = at;
	return count;
}

enum rc store_cursor_read(struct store *store, struct cursor *cursor,
			  struct store_event *ret_events, size_t max, size_t *ret_count,
			  struct err *err)
{
	struct ring *r = ring_of(store, cursor->stored_id);
	/* Read before the ring: events up to it are in there already, and later ones may be. */
	int64_t published = atomic_load(&store->published_revision);
	pthread_mutex_lock(&r->lock);
	int64_t floor = r->floor;
	/* Dropped unread, unless it was among those that this cursor does not want. */
	bool is_overtaken = cursor->sequence < r->first && floor > cursor->opened_after;
	size_t count = is_overtaken ? 0 : copy_events(r, cursor, published, ret_events, max);
	pthread_mutex_unlock(&r->lock);
	if (is_overtaken)
		return expired(err, cursor->after, floor);
	if (count > 0)
		cursor->after = ret_events[count - 1].revision;
	if (count < max)
		cursor->after = MAX(cursor->after, published);
	*ret_count = count;
	return RC_OK;
}

void store_event_done(struct store_event *event)
{
	object_unref(event->old);
	object_unref(event->new);
	object_unref(event->last);
	*event = (struct store_event){};
}
