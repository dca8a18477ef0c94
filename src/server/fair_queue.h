/* fair_queue: seats of priority levels, and queues for the requests that wait for one.
 *
 * A level has seats of its own.  What it does not use it may lend, up to its lendable seats; a
 * level that is full may borrow those, up to its limit.  A request that finds no seat joins the
 * shortest queue of the hand that its flow is dealt (shuffle sharding: one flow can fill its hand,
 * never all queues); seats that come free go to the queue that has been served least (start-time
 * fair queueing), and a level takes lent seats back at its next request.
 *
 * Owns: levels and queues; requests belong to the caller and must be taken out by fair_end().
 * Threads: one at a time; the caller locks.
 * Limits: a full hand refuses.  Source: API priority and fairness of upstream v1.35; unlike there,
 * seats are borrowed at the moment of need, not by an adjustment every ten seconds. */
#ifndef SKEG_SERVER_FAIR_QUEUE_H
#define SKEG_SERVER_FAIR_QUEUE_H

#include <stdint.h>

#include "base/list.h"
#include "base/str.h"

#define FAIR_HAND_MAX 16

struct fair_limits {
	bool is_exempt;		    /* never waits */
	uint32_t shares;	    /* of the server's seats */
	uint32_t lendable_percent;  /* of its seats */
	uint32_t borrowing_percent; /* of its seats; UINT32_MAX: no limit */
	uint32_t queues;	    /* 0: who finds no seat is refused */
	uint32_t hand, queue_length;
};

struct fair_level;

enum fair_place { FAIR_NOWHERE, FAIR_WAITS, FAIR_RUNS };

struct fair_request {
	struct list link; /* private: of its queue */
	struct fair_level *level;
	enum fair_place place;
	uint32_t seats;
	uint64_t arrival; /* private: its place among all that waited */
	/* Called when a waiting request gets its seats, within fair_end() or fair_levels_settle()
	 * of somebody else. */
	void (*on_run)(struct fair_request *q);
};

struct fair_levels {
	struct list levels;
	uint32_t seats; /* of the server */
};

void fair_levels_init(struct fair_levels *all, uint32_t seats);
void fair_levels_done(struct fair_levels *all); /* no request may be in it */

/* The level of that name has these limits from now on; made when absent. */
void fair_level_set(struct fair_levels *all, struct str name, const struct fair_limits *limits);
/* After all levels have been set: shares become seats; levels that were not set since the last time
 * take nobody more and go when their last request has ended. */
void fair_levels_settle(struct fair_levels *all);

struct fair_level *fair_level_find(const struct fair_levels *all, struct str name); /* or NULL */

/* FAIR_RUNS: it has its seats.  FAIR_WAITS: on_run comes.  FAIR_NOWHERE: refused.
 * flow: hash of who asks. */
enum fair_place fair_begin(struct fair_levels *all, struct fair_level *level,
			   struct fair_request *q, uint64_t flow, uint32_t seats);
/* It ends, or gives up waiting; seats that come free are given away. */
void fair_end(struct fair_levels *all, struct fair_request *q);

struct fair_counts {
	struct str name; /* borrowed */
	uint32_t seats, seats_in_use, running, waiting;
	uint64_t dispatched, rejected;
};
/* Of every level, in order of making: returns how many, at most max. */
size_t fair_counts(const struct fair_levels *all, struct fair_counts *ret_counts, size_t max);

#endif
