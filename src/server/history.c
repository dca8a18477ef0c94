#include "server/history.h"

void history_init(struct history *h)
{
	pthread_mutex_init(&h->lock, NULL);
}

static void drop_first(struct history *h, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snapshot_unref(h->entries[i].snapshot);
	h->count -= n;
	memmove(h->entries, h->entries + n, h->count * sizeof(h->entries[0]));
}

void history_done(struct history *h)
{
	drop_first(h, h->count);
	pthread_mutex_destroy(&h->lock);
}

static void drop_old(struct history *h, int64_t now_ms)
{
	size_t n = 0;
	while (n < h->count && h->entries[n].until_ms <= now_ms)
		n++;
	drop_first(h, n);
}

void history_keep(struct history *h, const struct snapshot *s, uint16_t stored_id, int64_t now_ms)
{
	pthread_mutex_lock(&h->lock);
	drop_old(h, now_ms);
	if (h->count == HISTORY_MAX)
		drop_first(h, 1);
	h->entries[h->count].snapshot = snapshot_narrow(s, &stored_id, 1);
	h->entries[h->count].stored_id = stored_id;
	h->entries[h->count++].until_ms = now_ms + HISTORY_MS;
	pthread_mutex_unlock(&h->lock);
}

struct snapshot *history_find(struct history *h, int64_t revision, uint16_t stored_id,
			      int64_t now_ms)
{
	struct snapshot *found = NULL;
	pthread_mutex_lock(&h->lock);
	drop_old(h, now_ms);
	for (size_t i = 0; !found && i < h->count; i++)
		if (h->entries[i].stored_id == stored_id &&
		    snapshot_revision(h->entries[i].snapshot) == revision)
			found = snapshot_ref(h->entries[i].snapshot);
	pthread_mutex_unlock(&h->lock);
	return found;
}
