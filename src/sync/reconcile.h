/* reconcile: the driver of controllers: observe, plan, act.
 *
 * A controller is a row of a table: a name, the kinds whose events it maps to keys, and a pure
 * function from (cache, key, now) to a plan.  A plan is a list of requests; the driver submits them,
 * waits until all are answered, and does not run the key again before the cache has seen the key's own
 * writes.  A request that fails requeues the key with exponential backoff (5 ms … 1000 s, as upstream's
 * rate limiter); RC_CONFLICT, RC_NOT_FOUND on delete and RC_ALREADY_EXISTS requeue without a log line.
 *
 * Owns: keys and timers.  Threads: the loop of the client.  Limits: RECONCILE_MAX_KEYS a controller. */
#ifndef SKEG_SYNC_RECONCILE_H
#define SKEG_SYNC_RECONCILE_H

#include "sync/cache.h"
#include "sync/client.h"

#define RECONCILE_MAX_KEYS (1u << 20)

struct plan {
	struct arena *arena;
	const struct cache *cache;
	int64_t now_us; /* wall clock */
	struct client_request *requests;
	size_t count, cap;
	int64_t requeue_ms; /* run the key again after this long; 0: only when something changes */
	const struct controller *controller;
	const void *state; /* of the controller: settings (cluster CIDR and the like), constant */
};

/* Views are turned to trees at once, bodies are kept in the plan's arena.  kind: enum kind_id. */
void plan_create(struct plan *p, uint16_t kind, struct str namespace, const void *view);
void plan_update(struct plan *p, uint16_t kind, struct str namespace, struct str name, const void *view);
void plan_update_status(struct plan *p, uint16_t kind, struct str namespace, struct str name, const void *view);
void plan_patch(struct plan *p, uint16_t kind, struct str namespace, struct str name, struct str subresource,
		const struct json *merge_patch);
void plan_delete(struct plan *p, uint16_t kind, const struct object *o, struct str propagation);
struct client_request *plan_request(struct plan *p); /* any other one, zeroed */

/* Records an Event about an object; repeats within ten minutes raise the count of the one that is there.
 * type: "Normal" or "Warning"; component: upstream's ("deployment-controller", "default-scheduler"). */
[[gnu::format(printf, 6, 7)]] void plan_event(struct plan *p, const struct object *regarding,
					      const char *component, const char *type,
					      const char *reason, const char *fmt, ...);

struct keys; /* where map functions put what has to run */
void keys_add(struct keys *keys, struct str namespace, struct str name);

struct controller_watch {
	uint16_t kind;
	/* old or new may be NULL.  NULL for the function itself: the object's own key. */
	void (*map)(struct keys *keys, const struct cache *cache, const struct object *old, const struct object *new);
};

struct controller {
	const char *name;	      /* "deployment" */
	const char *service_account; /* under which it acts: "deployment-controller" in kube-system */
	const struct controller_watch *watches;
	size_t watch_count;
	void (*plan)(struct plan *p, struct str namespace, struct str name);
	int64_t resync_ms; /* 0: none; else a key ("","") runs at that interval, only for clocks (leases) */
};

struct reconciler;
/* client_for gives the client that acts as that service account (it may be the same one for all). */
[[nodiscard]] struct reconciler *reconciler_new(struct cache *cache, struct client *(*client_for)(void *ctx, const char *service_account),
						void *ctx, const struct controller *const *controllers, size_t count,
						const void *state);
void reconciler_free(struct reconciler *r);

#endif
