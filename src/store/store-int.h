/* store-int: what the files of store/ share; nobody else includes it. */
#ifndef SKEG_STORE_STORE_INT_H
#define SKEG_STORE_STORE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/map.h"
#include "store/backend.h"
#include "store/store.h"

/* --- commits on their way --- */

/* One write.  Written by the owner before it is sent to the writer, then constant. */
struct entry {
	uint16_t stored_id;
	uint16_t sequence; /* in its commit */
	bool is_delete;
	bool is_first_lazy; /* the kind becomes one with lazy writes: that is remembered on disk */
	int64_t revision;
	struct object *object; /* referenced; for a delete the final state */
	struct object *former; /* referenced; owner, between applying and emitting */
};

struct commit {
	struct list link;	/* owner: all commits in order of revisions */
	struct list queue_link; /* to the backend and back */
	struct store_ticket *ticket;
	int64_t revision;
	bool is_lazy;	 /* needs no disk */
	bool is_flush;	 /* lazy writes of former commits on their way to the disk */
	bool is_durable; /* owner: confirmed by the backend, or lazy */
	size_t bytes;
	size_t count;
	struct entry entries[];
};

struct commit *commit_new(size_t count);
void commit_free(struct commit *c);
bool commit_frees_space(const struct commit *c); /* deletes and what leads to them */

/* namespace, a zero byte, name: as keys are on disk.  Returns the length, 0 when it is too long or
 * has a zero byte. */
size_t key_pack(char out[STORE_KEY_MAX + 8], struct str namespace, struct str name);

/* "pods", "deployments.apps": in errors and as the name of a kind on disk. */
#define RESOURCE_NAME_MAX 320
const char *resource_name(const struct api *api, uint16_t stored_id, char out[RESOURCE_NAME_MAX]);

struct overlay_key {
	char bytes[STORE_KEY_MAX + 16];
};

/* Kind and key in one; absent when no object can have that key. */
struct str overlay_key(struct overlay_key *key, uint16_t stored_id, struct str namespace,
		       struct str name);
struct str entry_key(struct overlay_key *key, const struct entry *e);

/* --- overlay: key → newest write on its way; owner only --- */

struct overlay {
	struct map newest; /* kind and key → struct entry * */
	size_t writes, bytes;
};

void overlay_add(struct overlay *o, struct commit *c);
void overlay_remove(struct overlay *o, struct commit *c); /* what newer commits replaced stays */
const struct entry *overlay_get(const struct overlay *o, uint16_t stored_id, struct str namespace,
				struct str name);
void overlay_reset(struct overlay *o);

/* --- lazy writes that are visible and not on disk; owner only --- */

#define LAZY_SOON_MS  5000
#define LAZY_SOON_MAX 1024 /* that many are written at once */

struct lazy {
	struct map dirty;	  /* kind and key → struct lazy_write * */
	size_t soon_count;	  /* those that are due within LAZY_SOON_MS */
	struct commit *in_flight; /* to the backend, at most one */
};

void lazy_done(struct lazy *l);
void lazy_put(struct lazy *l, const struct entry *e, bool is_soon);
void lazy_drop(struct lazy *l, const struct entry *e); /* a durable write of the same key came */
/* A commit of what is dirty and has no newer write pending, NULL when nothing is; it stays dirty
 * until lazy_flushed(). */
struct commit *lazy_flush(struct lazy *l, const struct overlay *pending, bool is_all);
void lazy_flushed(struct lazy *l, const struct commit *flush);

/* --- rings: see ring.c --- */

struct ring_event {
	int64_t revision;
	int64_t time_ms;
	struct object *old, *object;
	bool is_delete;
};

struct ring {
	pthread_mutex_t lock;
	struct ring_event *events; /* circular, cap is a power of two */
	size_t cap;
	uint64_t first, next; /* sequence numbers of the oldest event and of the next one */
	size_t old_bytes;
	int64_t floor; /* the newest revision that was dropped */
};

void ring_init(struct ring *r, int64_t floor);
void ring_done(struct ring *r);
/* Owner.  Takes both references. */
void ring_append(struct ring *r, const struct ring_event *own_event);
void ring_trim(struct ring *r, int64_t now_ms); /* owner: drops what is too old */
/* Owner: history up to revision is not there. */
void ring_set_floor(struct ring *r, int64_t revision);

/* --- writer: the store thread, or its stand-in on the owner's loop --- */

struct batch { /* one transaction of the backend */
	struct list link;
	struct list commits;
	enum rc rc;
	struct err err;
	int64_t reserved_until;
};

struct writer {
	const struct backend_ops *ops;
	struct backend *backend;
	struct loop *loop;
	void (*on_done)(void *ctx); /* owner: there are batches to take */
	void *ctx;
	bool has_thread;
	pthread_t thread;
	struct list unsent;   /* owner: commits of this turn of the loop */
	bool is_careful;      /* thread: a transaction failed, no other succeeded since */
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct list queue; /* of commits */
	struct list done;  /* of batches */
	struct loop_msg done_msg;
	bool is_posted; /* done_msg */
	bool is_stopping;
	bool is_failed; /* nothing more is written until writer_clear() */
	_Atomic uint64_t transactions, written_bytes;
};

void writer_start(struct writer *w, bool has_thread);
void writer_send(struct writer *w, struct commit *c); /* owner; at the next writer_flush() */
void writer_flush(struct writer *w);		      /* owner */
struct batch *writer_take(struct writer *w);	      /* owner; NULL when there is none */
void writer_clear(struct writer *w); /* owner: forgets what waits, its commits stay the caller's */
void writer_stop(struct writer *w);  /* owner: everything sent is done afterwards */

/* --- snapshots and the store itself --- */

struct snapshot {
	atomic_int refs;
	uint32_t kind_count;
	int64_t revision;
	struct btree trees[]; /* by stored id */
};

extern const struct btree_type object_tree_type;
struct snapshot *snapshot_new(const struct btree *trees, uint32_t kind_count, int64_t revision);

#define STORE_MAGIC 0x53744f72u

struct store {
	uint32_t magic;
	const struct api *api;
	struct loop *loop;
	void (*on_fatal)(void *ctx, const struct err *err);
	void *ctx;
	uint32_t kind_count;

	/* owner */
	struct writer writer;
	struct btree *trees; /* what the next snapshot will have */
	bool *is_kind_lazy;  /* known on disk as a kind with lazy writes */
	bool *is_kind_soon;
	struct list commits;
	struct overlay overlay;
	struct lazy lazy;
	struct loop_timer lazy_timer;
	struct loop_msg turn_msg;
	int64_t last_revision;
	int64_t reserved_until;
	uint32_t trim_turn; /* the ring that is trimmed next */
	bool is_dead;	    /* after on_fatal */
	bool is_closing;

	/* shared */
	pthread_mutex_t publish_lock;
	struct snapshot *published;
	_Atomic int64_t published_revision;
	struct ring *rings;
	pthread_mutex_t listen_lock;
	struct list listeners;
	_Atomic uint64_t commit_count, object_count, object_bytes;
};

void store_wake_listeners(struct store *store);
void store_publish(struct store *store, int64_t revision);
void store_count(struct store *store, const struct object *old, const struct object *new);
void store_advance_all(struct store *store); /* makes visible all that is durable */
void store_batches_on(void *ctx);	     /* of the writer */
void store_turn_on(struct loop_msg *msg);

#endif
