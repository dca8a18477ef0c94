/* requests: API requests whose asker may go away before the answer comes.
 *
 * The client cannot cancel: a dropped request is still made, only its answer is told to nobody.
 * Owns: what waits.  Threads: the loop of its client.  Limits: those of the callers, who have at
 * most a few under way each. */
#ifndef SKEG_NODE_REQUESTS_H
#define SKEG_NODE_REQUESTS_H

#include "base/list.h"
#include "sync/client.h"

struct requests {
	struct client *client;
	struct list pending;
};

void requests_init(struct requests *r, struct client *client);
void requests_done(struct requests *r); /* drops all */

/* The request is copied; done may be NULL. */
void requests_submit(struct requests *r, const struct client_request *request, client_done_fn *done,
		     void *ctx);
void requests_drop(struct requests *r, const void *ctx); /* all of this ctx */

#endif
