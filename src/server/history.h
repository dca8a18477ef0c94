/* history: states of kinds that paged lists still need, so that all pages come from one state.
 * Owns: at most HISTORY_MAX snapshots, each of one kind and for HISTORY_MS.  Threads: all calls
 * safe.
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
		struct snapshot *snapshot; /* of that kind alone */
		uint16_t stored_id;
		int64_t until_ms;
	} entries[HISTORY_MAX]; /* oldest first */
	size_t count;
};

void history_init(struct history *h);
void history_done(struct history *h);
void history_keep(struct history *h, const struct snapshot *s, uint16_t stored_id, int64_t now_ms);
/* The kind at exactly that revision, referenced; NULL when it is gone. */
struct snapshot *history_find(struct history *h, int64_t revision, uint16_t stored_id,
			      int64_t now_ms);

#endif
