/* reconcile: the driver of controllers: observe, plan, act.
 *
 * A controller is a row of a table: a name, the kinds whose events it maps to keys, and a pure
 * function from (cache, key, now) to a plan.  A plan is a list of requests; the driver submits them
 * in order, in batches of 4, 8, 16 …, stops at the first batch with a failure, waits until all are
 * answered, and does not run the key again before the cache has seen the key's own writes.
 *
 * A request that fails requeues the key with exponential backoff (5 ms … 1000 s, as upstream's
 * rate limiter); RC_CONFLICT, RC_NOT_FOUND on delete, RC_ALREADY_EXISTS and what a terminating
 * namespace refuses requeue without a log line.
 *
 * Owns: keys and timers.  Threads: the loop of the client.  Limits: RECONCILE_MAX_KEYS a
 * controller, RECONCILE_MAX_RUNS of them at once. */
#ifndef SKEG_SYNC_RECONCILE_H
#define SKEG_SYNC_RECONCILE_H

#include "sync/cache.h"
#include "sync/client.h"
#include "sync/events.h"

#define RECONCILE_MAX_KEYS (1u << 20)
#define RECONCILE_MAX_RUNS 32
#define CONTROLLER_MANAGER "kube-controller-manager" /* owns what controllers write */

/* When an event of a plan is recorded. */
enum plan_note_when {
	PLAN_NOTE_NOW,	  /* with the plan */
	PLAN_NOTE_DONE,	  /* once the request has succeeded */
	PLAN_NOTE_NAMED,  /* the same; the object's name, which the server may make, is appended */
	PLAN_NOTE_FAILED, /* once it has failed; the error is appended */
};

struct plan_note {
	enum plan_note_when when;
	size_t request; /* index, for all but NOW */
	struct event_note note;
};

struct plan {
	struct arena *arena;
	const struct cache *cache;
	int64_t now_us; /* wall clock */
	struct client_request *requests;
	size_t count, cap;
	int64_t requeue_ms; /* run the key again after this long; 0: only when something changes */
	const struct controller *controller;
	const void *state; /* of the controller: settings (cluster CIDR and the like), constant */
	struct str
		last_error; /* why the key's run before this one failed; absent when it did not */
	int64_t started_us; /* when this driver began to watch */
	struct plan_note *notes;
	size_t note_count, note_cap;
	size_t barrier; /* requests from this index on need all before to have succeeded */
};

/* Views are turned to trees at once, bodies are kept in the plan's arena.  kind: enum kind_id.
 * An update of a view drops nothing: the view has every field of the schema.  Set
 * metadata.resource_version in the view for optimistic locking; a view made by object_view() has
 * it. */
void plan_create(struct plan *p, uint16_t kind, struct str namespace, const void *view);
void plan_update(struct plan *p, uint16_t kind, struct str namespace, struct str name,
		 const void *view);
void plan_update_status(struct plan *p, uint16_t kind, struct str namespace, struct str name,
			const void *view);
void plan_patch(struct plan *p, uint16_t kind, struct str namespace, struct str name,
		struct str subresource, const struct json *merge_patch);
/* With the object's uid as precondition. */
void plan_delete(struct plan *p, uint16_t kind, const struct object *o, struct str propagation);
struct client_request *plan_request(struct plan *p); /* any other one, zeroed */
/* What is planned after it is only asked for once all before has succeeded; once a plan. */
void plan_barrier(struct plan *p);

/* Records an Event about an object; repeats within ten minutes raise the count of the one that is
 * there.  type: "Normal" or "Warning"; component: upstream's ("deployment-controller"). */
[[gnu::format(printf, 6, 7)]] void plan_event(struct plan *p, const struct object *regarding,
					      const char *component, const char *type,
					      const char *reason, const char *fmt, ...);
/* About the request that was planned last.  NAMED: "<message><name of the object>"; FAILED:
 * "<message><error>". */
[[gnu::format(printf, 7, 8)]] void plan_event_when(struct plan *p, enum plan_note_when when,
						   const struct object *regarding,
						   const char *component, const char *type,
						   const char *reason, const char *fmt, ...);

struct keys; /* where map functions put what has to run */
void keys_add(struct keys *keys, struct str namespace, struct str name);
void keys_add_after(struct keys *keys, struct str namespace, struct str name, int64_t delay_ms);

/* For tests of map functions: collects "namespace/name" in an arena instead. */
struct keys {
	struct workqueue *queue; /* NULL: collect */
	struct arena *arena;
	struct str *collected;
	size_t count, cap;
};

#define WATCH_ANY_KIND UINT16_MAX

struct controller_watch {
	uint16_t kind; /* or WATCH_ANY_KIND: all that the cache has */
	/* old or new may be NULL.  NULL for the function itself: the object's own key. */
	void (*map)(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new);
};

struct controller {
	const char *name;	     /* "deployment" */
	const char *service_account; /* it acts as: "deployment-controller" in kube-system */
	const struct controller_watch *watches;
	size_t watch_count;
	void (*plan)(struct plan *p, struct str namespace, struct str name);
	/* 0: none; else a key ("","") runs at that interval, only for clocks (leases) */
	int64_t resync_ms;
};

struct reconciler;
/* client_for gives the client that acts as that service account (it may be the same one for all).
 * Work begins when the cache is synced.  state is handed to every plan. */
[[nodiscard]] struct reconciler *reconciler_new(
	struct cache *cache, struct client *(*client_for)(void *ctx, const char *service_account),
	void *ctx, const struct controller *const *controllers, size_t count, const void *state);
/* Requests in flight are let go: their answers change nothing any more. */
void reconciler_free(struct reconciler *r);
/* Nothing queued, running or waiting for its own writes (delays do not count). */
bool reconciler_is_idle(const struct reconciler *r);

#endif
