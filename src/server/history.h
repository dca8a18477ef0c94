/* history: snapshots that paged lists still need, so that all pages come from one state.
 * Owns: references to at most HISTORY_MAX snapshots, each for HISTORY_MS.  Threads: all calls safe.
 */
#ifndef SKEG_SERVER_HISTORY_H
#define SKEG_SERVER_HISTORY_H

#include <pthread.h>

#include "store/store.h"

#define HISTORY_MAX 64
#define HISTORY_MS  (5 * 60 * 1000)

struct history {
	pthread_mutex_t lock;
	struct {
		struct snapshot *snapshot;
		int64_t until_ms;
	} entries[HISTORY_MAX]; /* oldest first */
	size_t count;
};

void history_init(struct history *h);
void history_done(struct history *h);
void history_keep(struct history *h, struct snapshot *s, int64_t now_ms); /* takes a reference */
/* The snapshot of exactly that revision, referenced; NULL when it is gone. */
struct snapshot *history_find(struct history *h, int64_t revision, int64_t now_ms);

#endif
