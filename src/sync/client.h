/* client: what controllers, scheduler, node agents and the command line ask of an API server.
 *
 * One ops table, two implementations: in process (server/local_client.h) and over HTTP
 * (sync/http_client.h).  main hands each user the one it gets.
 * Threads: a client belongs to the loop it was made for; callbacks run on that loop. */
#ifndef SKEG_SYNC_CLIENT_H
#define SKEG_SYNC_CLIENT_H

#include "api/object.h"
#include "base/arena.h"
#include "io/loop.h"

enum client_verb {
	CLIENT_GET,
	CLIENT_CREATE,
	CLIENT_UPDATE,
	CLIENT_PATCH_MERGE, /* RFC 7386 */
	CLIENT_PATCH_STRATEGIC,
	CLIENT_APPLY, /* server-side apply */
	CLIENT_DELETE,
};

struct client_request {
	enum client_verb verb;
	const struct api_kind *kind; /* served kind; its plural gives the path */
	struct str namespace, name;
	struct str subresource;	 /* "status", "binding", "scale" …; absent: the object itself */
	const struct json *body; /* with metadata.resourceVersion set: optimistic locking */
	struct str field_manager;
	/* CLIENT_DELETE */
	struct str uid; /* precondition; absent: none */
	struct str
		propagation; /* "Background", "Foreground", "Orphan"; absent: the kind's default */
	int64_t grace_period_s; /* -1: the object's own */
};

struct client_reply {
	enum rc rc;
	struct err err;	       /* when rc is not RC_OK */
	int64_t revision;      /* of the object after the call, 0 when unknown */
	struct object *object; /* borrowed during the callback; may be NULL (delete, subresources of
				  another kind) */
	const struct json *tree; /* the answer when it is no stored object (TokenRequest, Scale);
				    borrowed; NULL when there is none */
};

typedef void client_done_fn(void *ctx, const struct client_reply *reply);

/* Events of one kind in order: first every object that exists (old NULL), then has_synced once,
 * then changes.  A broken connection or expired history is mended inside: the difference arrives as
 * events. */
struct client_watch_ops {
	void (*on_event)(void *ctx, struct object *old,
			 struct object *new); /* new NULL: deleted; borrowed */
	void (*on_synced)(void *ctx);
	void (*on_revision)(void *ctx,
			    int64_t revision); /* everything up to it has been delivered */
};

struct client_watch; /* a running watch */

struct client;

struct client_ops {
	/* The request is copied before it returns. */
	void (*submit)(struct client *client, const struct client_request *request,
		       client_done_fn *done, void *ctx);
	struct client_watch *(*watch)(struct client *client, const struct api_kind *kind,
				      struct str namespace, struct str field_selector,
				      const struct client_watch_ops *ops, void *ctx);
	void (*unwatch)(struct client *client, struct client_watch *watch);
};

struct client {
	const struct client_ops *ops;
	struct loop *loop;
	const struct api *api;
};

#endif
