/* loop: one event loop a thread, timers, messages between threads, and the seams for time and
 * chance.
 *
 * Everything that core code wants from the outside comes through here or a sibling in io/, so that
 * the simulator can put a virtual world behind it.
 * Threads: a loop belongs to the thread that runs it; only loop_post() and loop_stop() may be
 * called from others.  Callbacks never block. */
#ifndef SKEG_IO_LOOP_H
#define SKEG_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"

struct loop;
struct uv_loop_s; /* libuv's, for io/ and http/ only */

[[nodiscard]] struct loop *loop_new(void);
void loop_free(struct loop *loop); /* after loop_run() returned */
void loop_run(struct loop *loop);  /* until loop_stop() */
void loop_stop(struct loop *loop); /* before loop_run() makes that return at once */
/* One round of callbacks, for tests and commands; sleeps for at most wait_ms_max. */
void loop_run_once(struct loop *loop, int64_t wait_ms_max);
struct uv_loop_s *loop_uv(struct loop *loop);
bool loop_is_current(const struct loop *loop); /* is the caller inside one of its callbacks? */

/* A message to the loop's thread: the sender embeds it in what it sends; fn runs there, in order of
 * posting per sender.  msg must stay until fn has been called; fn may free it or post it again.
 * What is still queued when the loop is freed is never called. */
struct loop_msg {
	struct list link;
	void (*fn)(struct loop_msg *msg);
};
void loop_post(struct loop *loop, struct loop_msg *msg);
/* On the loop's thread: takes back a message that still waits, so that its memory may go.  Nobody
 * may be posting it meanwhile.  Does nothing when it does not wait. */
void loop_post_cancel(struct loop *loop, struct loop_msg *msg);

/* A one-shot timer; embed it, zero it, start it.  Starting again moves it.  fn may start, stop or
 * free it.  After loop_timer_stop() the owner may free it at once.  Both accept an idle timer. */
struct loop_timer {
	struct loop *loop; /* NULL when idle */
	int64_t due_ms;	   /* monotonic */
	uint32_t heap_index;
	void (*fn)(struct loop_timer *timer);
};
void loop_timer_start(struct loop *loop, struct loop_timer *timer, int64_t delay_ms,
		      void (*fn)(struct loop_timer *timer));
void loop_timer_stop(struct loop_timer *timer);

/* fn runs on the loop's thread once the current callbacks are through (to batch work).  Own thread
 * only.  A message that is queued already stays where it is; loop_defer_cancel() takes it out. */
void loop_defer(struct loop *loop, struct loop_msg *msg);
void loop_defer_cancel(struct loop_msg *msg);
/* fn runs when the loop is freed: for what has no owner any more and would end by itself later.
 * loop_defer_cancel() takes it out. */
void loop_at_end(struct loop *loop, struct loop_msg *msg);

/* Blocking work on a small shared thread pool: work() there, done() on the loop's thread. */
struct loop_work {
	struct list link;
	void (*work)(struct loop_work *w);
	void (*done)(struct loop_work *w);
	void *private; /* of the loop */
};
void loop_work_start(struct loop *loop, struct loop_work *w);

/* --- seams for time and chance; the simulator replaces the ops --- */

struct world_ops {
	int64_t (*wall_us)(void);		     /* microseconds since the epoch, UTC */
	int64_t (*mono_us)(void);		     /* monotonic microseconds */
	void (*random)(void *out, size_t len_bytes); /* cryptographic */
	void (*sleep_ms)(int64_t ms);		     /* NULL: time does not pass */
};
void world_set(const struct world_ops *ops); /* before any thread starts; NULL: the real world */
int64_t world_wall_us(void);
int64_t world_mono_us(void); /* durations */
int64_t world_mono_ms(void);
/* Blocks the calling thread: commands only, never a loop's callback. */
void world_sleep_ms(int64_t ms);
void world_random(void *out, size_t len_bytes);
uint64_t world_random_u64(void);
void world_uuid(char out[37]); /* version 4, lower case, NUL-terminated */

#endif
