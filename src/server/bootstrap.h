/* bootstrap: objects that every cluster has from its first moment: namespaces, default roles and
 * bindings, priority classes, flow schemas, API services, and the kubernetes Service.
 * They are data (api/bootstrap.jsonl); at each start those that are
 * absent are made, and roles and bindings get back what they lack (bootstrap_reconcile.h).
 * Threads: core. */
#ifndef SKEG_SERVER_BOOTSTRAP_H
#define SKEG_SERVER_BOOTSTRAP_H

#include "server/server.h"

/* done runs when all are durable; err is NULL, or the first refusal. */
void bootstrap_start(struct server *server,
		     void (*done)(struct server *server, const struct err *err));
void bootstrap_free(struct bootstrap *b);

#endif
