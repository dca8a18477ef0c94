/* sched-int: what the parts of the scheduler's driver share.
 *
 * sched.c       events in, decisions
 * sched_tell.c  conditions, events, binds and evictions out */
#ifndef SKEG_SCHED_SCHED_INT_H
#define SKEG_SCHED_SCHED_INT_H

#include "api/api_ids.h"
#include "base/mem.h"
#include "sched/preempt.h"
#include "sched/queue.h"
#include "sched/sched.h"
#include "sync/events.h"

#define SCHED_COMPONENT "default-scheduler"

struct sched {
	struct client *client;
	struct cache *cache, *own_cache;
	const char *name;
	struct cache_listener listener;
	struct cluster cluster;
	struct queue queue;
	struct event_recorder *events;
	struct loop_msg turn;
	struct loop_timer backoff, forgotten;
	uint32_t start, turns;
	uint64_t scheduled, failed;
	uint32_t binds;
	struct list asked; /* requests on their way */
	bool is_started;
};

/* action: "Scheduling", "Binding", "Preempting". */
void sched_record(struct sched *s, const struct object *pod, const char *type, const char *reason,
		  const char *action, struct str message);
/* PodScheduled=False, unless the pod says just that. */
void sched_set_condition(struct sched *s, struct object *pod, const char *reason,
			 struct str message);
/* answered: on the loop, later or at once; not when the scheduler is gone. */
void sched_bind(struct sched *s, struct object *pod, struct str node_name,
		void (*answered)(struct sched *s, struct object *pod, const char *node_name,
				 const struct err *err));
/* Marks and deletes a pod that has to make room for another. */
void sched_evict(struct sched *s, struct object *victim, const struct object *pod,
		 struct str node_name);
void sched_nominate(struct sched *s, struct object *pod, struct str node_name);
void sched_let_go(struct sched *s); /* answers that still come change nothing */

#endif
