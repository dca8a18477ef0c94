/* memory_return: what a burst of requests took goes back to the system once it is quiet again, for
 * malloc would keep it: a thousand pods that come at once take 150 MiB for two seconds.
 *
 * Looks only after a burst (MEMORY_BURST_BYTES of arenas given back), and waits until less than
 * MEMORY_QUIET_BYTES are given back within MEMORY_QUIET_MS.
 * Threads: note by any, the rest by the core thread. */
#ifndef SKEG_SERVER_MEMORY_RETURN_H
#define SKEG_SERVER_MEMORY_RETURN_H

#include <stdatomic.h>

#include "io/loop.h"

#define MEMORY_BURST_BYTES (32u << 20)
#define MEMORY_QUIET_BYTES (1u << 20)
#define MEMORY_QUIET_MS	   2000

struct memory_return {
	struct loop *loop;
	struct loop_msg begin;
	struct loop_timer timer;
	atomic_bool is_waiting;	  /* who sets it posts begin */
	_Atomic uint64_t settled; /* of arena_freed_bytes(): gone back to the system */
	uint64_t seen;
};

void memory_return_start(struct memory_return *m, struct loop *loop);
void memory_return_stop(struct memory_return *m); /* nothing may note any more */
void memory_return_note(struct memory_return *m); /* a request is through */

#endif
