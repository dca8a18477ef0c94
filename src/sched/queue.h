/* queue: pods that wait for a node.
 * Owns: its entries with a reference to their pod.  Threads: one at a time. */
#ifndef SKEG_SCHED_QUEUE_H
#define SKEG_SCHED_QUEUE_H

#include "api/object.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MOST_MS	 10000

enum waiting_state {
	WAITING_NEW,
	WAITING_ACTIVE,
	WAITING_BACKOFF,
	WAITING_UNSCHEDULABLE,
	WAITING_BINDING
};

struct waiting {
	struct heap_node heap; /* of active, or of backoff */
	struct list link;      /* of unschedulable */
	struct object *pod;
	enum waiting_state state;
	int32_t priority;
	bool asks_pods;	   /* has affinity or spreading: other pods matter to it */
	uint32_t attempts; /* failed ones */
	uint64_t sequence; /* when it came, for order among equals */
	int64_t tried_ms;  /* monotonic, of the last attempt */
};

struct queue {
	struct map entries; /* uid -> struct waiting */
	struct heap active, backoff;
	struct list unschedulable;
	size_t unschedulable_count, binding_count;
	uint64_t sequence;
};

void queue_init(struct queue *q);
void queue_done(struct queue *q);

struct waiting *queue_find(const struct queue *q, struct str uid);
/* Adds a pod as active, or takes its new state; a changed spec or label makes it active again. */
void queue_put(struct queue *q, struct object *pod);
void queue_drop(struct queue *q, struct str uid);
/* The first active one, now being bound; NULL when there is none. */
struct waiting *queue_take(struct queue *q);
/* After an attempt that failed: fits nowhere, or try again after a while. */
void queue_put_back(struct queue *q, struct waiting *w, bool is_unschedulable, int64_t now_ms);
/* Something may have made room: all of the unschedulable, or those that other pods matter to. */
void queue_wake(struct queue *q, bool only_asking, int64_t now_ms);
/* Those whose backoff is over become active.  Returns when the next is over, 0 for none. */
int64_t queue_flush(struct queue *q, int64_t now_ms);

#endif
