/* The past of one kind: today's tree with the events since then taken back, newest first.  Trees
 * share what did not change, so it costs the events only. */
#include "base/mem.h"
#include "store/store-int.h"

static void take_back(struct btree *tree, const struct store_event *event)
{
	const struct object *o = event->new ? event->new : event->last;
	if (event->old)
		object_unref(btree_set(tree, object_ref(event->old)));
	else
		object_unref(btree_remove(tree, (struct btree_key){o->namespace, o->name}));
}

enum rc store_snapshot_at(struct store *store, uint16_t stored_id, int64_t revision,
			  struct snapshot **ret_snapshot, struct err *err)
{
	struct cursor cursor;
	TRY(store_cursor_open(store, stored_id, revision, &cursor, err));
	CLEANUP(snapshot_unref_p) struct snapshot *now = store_snapshot(store);
	struct store_event *events = mem_alloc(STORE_RING_EVENTS * sizeof(*events));
	size_t count = 0;
	enum rc rc = store_cursor_read(store, &cursor, events, STORE_RING_EVENTS, &count, err);
	if (rc == RC_OK) {
		struct snapshot *then = snapshot_narrow(now, &stored_id, 1);
		then->revision = revision;
		for (size_t i = count; i-- > 0;)
			if (events[i].revision <= now->revision)
				take_back(&then->trees[stored_id], &events[i]);
		*ret_snapshot = then;
	}
	for (size_t i = 0; i < count; i++)
		store_event_done(&events[i]);
	free(events);
	return rc;
}
