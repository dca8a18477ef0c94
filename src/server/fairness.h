/* fairness: no client can take the server from the others: priority levels with seats and queues.
 *
 * A request takes its seats after authentication and gives them back when its reply has been made;
 * watches do so when they have begun, connections to pods take none.  Whoever waits too long, or
 * finds its queues full, gets 429 with Retry-After.
 * Owns: levels and the table of schemas.  Threads: any; a lock is held for moments only.
 * Limits: FAIRNESS_WAIT_MS in a queue. */
#ifndef SKEG_SERVER_FAIRNESS_H
#define SKEG_SERVER_FAIRNESS_H

#include "server/fair_queue.h"
#include "server/request.h"

#define FAIRNESS_SEATS	      600 /* as upstream: 400 for reading and 200 for writing, together */
#define FAIRNESS_LEVELS_MAX   64  /* that metrics show */
#define FAIRNESS_WAIT_MS      15000
#define FAIRNESS_LIST_SEATS   10  /* at most, of one list */
#define FAIRNESS_SEAT_OBJECTS 100 /* that one seat reads */

struct fairness;

struct fairness *fairness_new(struct store *store, uint32_t seats);
void fairness_free(struct fairness *f); /* all requests have left */

enum step stage_fairness(struct request *r);
/* Gives the seats back; nothing happens when it has none. */
void fairness_leave(struct request *r);
/* Metrics in Prometheus' text form. */
void fairness_write_metrics(struct fairness *f, struct buf *out);

#endif
