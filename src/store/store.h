/* store: one revisioned table of objects, its events, and the barrier between deciding and seeing.
 *
 * The table holds only durable state.  The owner thread (core) commits lists of writes; they wait
 * in an overlay until the backend says they are durable (one transaction for all that has arrived:
 * group commit); then, in this order, a new snapshot is published, events enter the rings,
 * listeners are woken, and the tickets of the writers complete.  So: acknowledged means durable,
 * visible means durable.
 *
 * Readers take the published snapshot (refcounted, immutable) and never wait for anybody.
 *
 * Owns: snapshots, rings, database.
 * Threads: functions say which they may be called from; "owner" is the thread that runs the loop
 * given to store_open().
 * Limits: ring of STORE_RING_EVENTS events and STORE_RING_BYTES a kind, overlay of
 * STORE_PENDING_MAX writes and STORE_PENDING_BYTES (RC_TOO_MANY_REQUESTS beyond), STORE_COMMIT_MAX
 * writes a commit (RC_TOO_LARGE beyond), keys of STORE_KEY_MAX bytes (RC_INVALID beyond).
 * Errors: an I/O error on sync ends the process by RC_IO to on_fatal; disk full is an error to the
 * writer. */
#ifndef SKEG_STORE_STORE_H
#define SKEG_STORE_STORE_H

#include "api/object.h"
#include "base/btree.h"
#include "base/err.h"
#include "io/loop.h"

#define STORE_RING_EVENTS   4096
#define STORE_RING_BYTES    (8u << 20) /* of superseded objects that only the ring holds */
#define STORE_RING_AGE_MS   (10 * 60 * 1000)
#define STORE_PENDING_MAX   8192
#define STORE_PENDING_BYTES (64u << 20)
#define STORE_COMMIT_MAX    1024
#define STORE_KEY_MAX	    512 /* bytes of namespace and name together */

struct store;
struct snapshot;

struct store_config {
	const struct api *api;
	struct loop *loop;  /* of the owner */
	const char *folder; /* of the database; NULL: memory backend */
	const char *vfs;    /* SQLite VFS name for tests and simulation, NULL: the default */
	bool is_inline; /* simulation: the database works on the owner's loop, without a thread */
	/* On the owner's thread: what is on disk is unknown, so the process should end and replay.
	 * Afterwards every commit gets RC_UNAVAILABLE; reading goes on. */
	void (*on_fatal)(void *ctx, const struct err *err);
	void *ctx;
};

[[nodiscard]] enum rc store_open(const struct store_config *config, struct store **ret_store,
				 struct err *err);
void store_close(struct store *store); /* owner; waits for writes in flight, writes lazy ones */

/* --- reading: any thread --- */

struct snapshot *store_snapshot(struct store *store); /* newest published, referenced */
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s);
DEFINE_CLEANUP(struct snapshot *, snapshot_unref)

int64_t snapshot_revision(const struct snapshot *s);
/* Borrowed: valid while s is held.  namespace is absent or empty for cluster scope. */
struct object *snapshot_get(const struct snapshot *s, uint16_t stored_id, struct str namespace,
			    struct str name);
size_t snapshot_count(const struct snapshot *s, uint16_t stored_id);
/* A snapshot of these kinds only (the others look empty), so that who keeps it long does not keep
 * the rest. */
struct snapshot *snapshot_narrow(const struct snapshot *s, const uint16_t *stored_ids,
				 size_t count);
/* What a kind was at a revision, as far back as its ring goes; everything else looks empty.
 * RC_EXPIRED: that is forgotten; RC_TIMEOUT: it lies in the future. */
[[nodiscard]] enum rc store_snapshot_at(struct store *store, uint16_t stored_id, int64_t revision,
					struct snapshot **ret_snapshot, struct err *err);
/* Has the kind not changed between the two?  Costs a comparison: unchanged trees are shared. */
bool snapshot_kind_is_same(const struct snapshot *a, const struct snapshot *b, uint16_t stored_id);

/* Iterates a kind in order of (namespace, name); an absent namespace means all. */
struct snapshot_iter {
	const struct snapshot *snapshot;
	uint16_t stored_id;
	struct str namespace;
	struct btree_iter tree; /* private */
};
/* Starts after the key (after_namespace, after_name) when after_name is present. */
void snapshot_iter_init(struct snapshot_iter *it, const struct snapshot *s, uint16_t stored_id,
			struct str namespace, struct str after_namespace, struct str after_name);
struct object *snapshot_next(struct snapshot_iter *it); /* borrowed; NULL at the end */

/* --- writing: owner only --- */

enum { EXPECT_ABSENT = 0, EXPECT_ANY = -1 };

struct store_write {
	uint16_t stored_id;
	bool is_delete;
	/* Lease renewals, heartbeats, Event objects: visible in their turn, durable later. */
	bool is_lazy;
	struct str namespace, name; /* as in object */
	/* The revision it must have now (pending ones count), EXPECT_ABSENT or EXPECT_ANY. */
	int64_t expect;
	/* own: the new state; for a delete the final state, as watchers get it.  Always one made
	 * for this commit, whose revision may still be set. */
	struct object *object;
};

struct store_ticket {
	struct store_ticket *next; /* private */
	int64_t revision;	   /* of this commit, set by store_commit() */
	enum rc rc;		   /* in done(): RC_OK, or why it did not become durable */
	const struct err *err;	   /* in done(), borrowed: the text when rc is not RC_OK */
	void (*done)(struct store_ticket *ticket); /* owner's thread; may free it */
};

/* All or nothing, at one revision, which is set in every object.  RC_OK: accepted, ticket->done()
 * comes later, never inside this call (ticket NULL: nobody waits).  RC_CONFLICT, RC_NOT_FOUND,
 * RC_ALREADY_EXISTS name the write in err, in upstream's wording; objects passed in are then
 * released.  A key may occur once. */
[[nodiscard]] enum rc store_commit(struct store *store, struct store_write *writes, size_t count,
				   struct store_ticket *ticket, struct err *err);

/* The newest state, writes in flight included; NULL when absent or deleted.  Borrowed until the
 * next call into the store. */
struct object *store_pending_get(struct store *store, uint16_t stored_id, struct str namespace,
				 struct str name);
/* The revision that the newest accepted commit has. */
int64_t store_pending_revision(const struct store *store);

/* --- events: any thread --- */

struct store_event {
	int64_t revision;
	struct object *old;  /* NULL: added */
	struct object *new;  /* NULL: deleted; old then carries the state before */
	struct object *last; /* for a delete: the final state at the revision of the delete */
};

/* A position in the ring of one kind; the events it still can read are kept as long as they are in
 * the ring. */
struct cursor {
	uint16_t stored_id;
	int64_t after;	      /* revision up to which it has read */
	uint64_t sequence;    /* private: of the next event in the ring */
	int64_t opened_after; /* private */
};

/* RC_EXPIRED when history after that revision is gone; RC_TIMEOUT when it lies in the future of the
 * newest snapshot (the caller may wait and try again). */
[[nodiscard]] enum rc store_cursor_open(struct store *store, uint16_t stored_id, int64_t after,
					struct cursor *ret_cursor, struct err *err);
/* Up to max events with references that the caller drops (store_event_done); *ret_count 0: nothing
 * yet. RC_EXPIRED: it was too slow and the ring has overtaken it.  On RC_OK with fewer than max
 * events, cursor->after is the revision of the published snapshot (so bookmarks may use it). */
[[nodiscard]] enum rc store_cursor_read(struct store *store, struct cursor *cursor,
					struct store_event *ret_events, size_t max,
					size_t *ret_count, struct err *err);
void store_event_done(struct store_event *event);

/* Wakes a loop when a snapshot has been published (once, however many were): embed it, zero it, set
 * loop and fn, register; unregister on that loop's thread, after which fn is not called any more.
 */
struct store_listener {
	struct loop_msg msg; /* private */
	struct list link;    /* private */
	struct loop *loop;
	atomic_bool is_posted;
	void (*fn)(struct store_listener *l);
};
void store_listen(struct store *store, struct store_listener *l);
void store_unlisten(struct store *store, struct store_listener *l);

struct store_stats {
	uint64_t commits, transactions, written_bytes, objects, object_bytes;
	int64_t revision;
};
void store_stats(struct store *store, struct store_stats *ret_stats); /* any thread */

#endif
