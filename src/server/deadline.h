/* deadline: requests are answered within a time, whatever becomes of them.
 *
 * Each io thread keeps its requests that are neither watches nor streams to nodes in order of
 * arrival; one timer, which runs only while there are any, finds those that are due.  The client
 * then gets 504, and the request goes on without it: a write that has begun may still succeed, one
 * that has not is not begun (deadline_is_over()).
 * Threads: the io thread's, but deadline_is_over().  Source: upstream's filters/timeout.go and
 * filters/request_deadline.go. */
#ifndef SKEG_SERVER_DEADLINE_H
#define SKEG_SERVER_DEADLINE_H

#include "server/request.h"

#define REQUEST_TIMEOUT_MS 60000 /* by default, and the most that ?timeout= may ask for */

struct deadlines {
	struct loop *loop;
	struct list requests;
	struct loop_timer timer;
};

void deadlines_init(struct deadlines *d, struct loop *loop);
void deadlines_done(struct deadlines *d); /* the loop runs no more */

/* Its time begins to run; STEP_DONE: ?timeout= is no duration, 400. */
enum step deadline_begin(struct deadlines *d, struct request *r);
/* It is through: true when the client has had its answer meanwhile, and gets no other. */
bool deadline_end(struct request *r);
/* Nobody waits for it any more; any thread that owns it. */
bool deadline_is_over(const struct request *r);

#endif
