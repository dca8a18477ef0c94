/* local_client: the client ops in the process of the server: requests enter at the write bracket
 * with a tree, watches are cursors into the store's rings. Threads: each local client belongs to a
 * loop; core's own and others alike. */
#ifndef SKEG_SERVER_LOCAL_CLIENT_H
#define SKEG_SERVER_LOCAL_CLIENT_H

#include "server/server.h"
#include "sync/client.h"

/* Acts as system:serviceaccount:kube-system:<account>; with account NULL as the server itself. */
[[nodiscard]] struct client *local_client_new(struct server *server, struct loop *loop,
					      const char *account);
/* Calls drained, now or later on the client's loop, once no request is under way and what was
 * unwatched is gone.  Needs the loops of client and core to run; nothing may be asked any more. */
void local_client_drain(struct client *client, void (*drained)(void *ctx), void *ctx);
/* Runs the client's loop, which is core's, until it is drained. */
void local_client_drain_here(struct client *client);
void local_client_free(struct client *client); /* drained; NULL does nothing */

#endif
