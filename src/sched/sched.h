/* sched: gives every pending pod a node.
 *
 * Pods wait in a queue: active ones by priority and age, those that failed behind a backoff (1 s,
 * doubled up to 10 s), and those that fit nowhere until something changes that may make room.  A
 * decision (decide.h) is made on columns kept current by the cache's events; the pod is counted on
 * its node at once (assumed) and bound through the binding subresource; a failed bind undoes that.
 *
 * Owns: its queue and columns.  Threads: the loop of the client; slices of 2 ms.  Limits:
 * SCHED_MAX_PODS pending. Errors: what a pod lacks is told as its condition PodScheduled and as the
 * event FailedScheduling, in upstream's words. */
#ifndef SKEG_SCHED_SCHED_H
#define SKEG_SCHED_SCHED_H

#include "sync/cache.h"
#include "sync/client.h"

#define SCHED_MAX_PODS (1u << 20)

struct sched_settings {
	const char *name; /* pods with this schedulerName; NULL: "default-scheduler" */
};

struct sched;

/* The cache has to hold the kinds of sched_kinds(), NULL: one of its own; work begins when it is
 * synced.  settings may be NULL. */
[[nodiscard]] struct sched *sched_new(struct client *client, struct cache *cache,
				      const struct sched_settings *settings);
void sched_free(struct sched *s);

/* The stored ids the cache needs; ret_kinds has room for SCHED_KINDS. */
#define SCHED_KINDS 11
size_t sched_kinds(uint16_t ret_kinds[SCHED_KINDS]);

struct sched_stats {
	size_t active, backoff, unschedulable, binding;
	uint64_t scheduled, failed;
};
void sched_stats(const struct sched *s, struct sched_stats *ret_stats);
bool sched_is_idle(const struct sched *s); /* nothing active, in backoff or being bound */

#endif
