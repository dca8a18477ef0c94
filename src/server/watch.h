/* watch: streams of events from the store's rings to clients.
 *
 * One set a io thread: woken when a snapshot is published, it moves each watcher's cursor and
 * writes what is new.  A watcher whose client reads too slowly is ended with 410 in the stream; it
 * never makes memory grow.  Bookmarks go out every minute to those who asked. Threads: the loop
 * given to watch_set_init(). */
#ifndef SKEG_SERVER_WATCH_H
#define SKEG_SERVER_WATCH_H

#include "server/request.h"

#define WATCH_QUEUE_BYTES (1u << 20)  /* above it a watcher waits for its client */
#define WATCH_WRITE_BYTES (64u << 10) /* gathered before they are written */
#define WATCH_EVENT_MAX	  (64u << 20)
#define WATCH_BATCH	  16
#define WATCH_BOOKMARK_MS 60000
#define WATCH_MAX_S	  (365LL * 86400)
#define WATCH_MIN_S	  1800 /* without timeoutSeconds: once to twice this, by default */

struct watch_set {
	struct store *store;
	struct loop *loop;
	struct store_listener listener;
	struct loop_timer bookmark_timer;
	struct list watchers;
};

void watch_set_init(struct watch_set *set, struct store *store, struct loop *loop);
void watch_set_end(struct watch_set *set); /* ends all streams */
void watch_gone(struct request *r);	   /* its client went away */
/* Takes the request over: it streams from now on. */
enum step watch_start(struct watch_set *set, struct request *r);

#endif
