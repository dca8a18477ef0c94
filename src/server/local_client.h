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
void local_client_free(struct client *client);

#endif
