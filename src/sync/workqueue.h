/* workqueue: keys waiting to be worked on, each at most once.
 *
 * A key never runs twice at once: an add during a run causes exactly one more run after it.  A key
 * that failed comes back after 5 ms, doubled each time up to 1000 s, as upstream's rate limiter
 * does; an add in between runs it at once.
 *
 * Owns: its copies of keys, their timers.  Threads: the loop it was made for.
 * Limits: max_keys; an add beyond it is dropped and logged. */
#ifndef SKEG_SYNC_WORKQUEUE_H
#define SKEG_SYNC_WORKQUEUE_H

#include "base/str.h"
#include "io/loop.h"

struct workqueue;

struct work_key {
	struct str namespace, name;
	uint32_t failures;     /* in a row, before this run */
	struct str last_error; /* of the run before this one; absent when it went well */
	struct workqueue *queue;
	/* private */
	struct list link;
	struct loop_timer timer;
	bool is_queued, is_running, is_dirty;
	char *text; /* "namespace/name" */
};

/* on_ready is called when keys are to be had that were not before; it must not take them itself. */
[[nodiscard]] struct workqueue *workqueue_new(struct loop *loop, const char *name, size_t max_keys,
					      void (*on_ready)(void *ctx), void *ctx);
void workqueue_free(struct workqueue *q);

void workqueue_add(struct workqueue *q, struct str namespace, struct str name);
/* The earliest of several delays counts. */
void workqueue_add_after(struct workqueue *q, struct str namespace, struct str name,
			 int64_t delay_ms);
/* The next key, now running, or NULL; ends with one of the two below. */
[[nodiscard]] struct work_key *workqueue_take(struct workqueue *q);
void workqueue_done(struct work_key *own_key);
void workqueue_retry(struct work_key *own_key, const char *why); /* with backoff */
size_t workqueue_waiting(const struct workqueue *q);

#endif
