/* object_watch: single objects of the API (a Secret, a ConfigMap), watched while somebody uses
 * them.
 *
 * Users of the same object share one watch; with the last user it ends.  Owns: its watches and a
 * reference to each object.  Threads: the loop of its client.  Errors: none; the client mends. */
#ifndef SKEG_NODE_OBJECT_WATCH_H
#define SKEG_NODE_OBJECT_WATCH_H

#include "base/map.h"
#include "sync/client.h"

struct object_watches {
	struct client *client;
	struct map by_key; /* "id/namespace/name" -> struct object_watch */
};

void object_watches_init(struct object_watches *all, struct client *client);
void object_watches_done(struct object_watches *all); /* users are let go */

struct object_watch;

struct object_use { /* embed it */
	struct list link;
	struct object_watch *watch; /* NULL: not in use */
	/* It was found, found absent, changed or went away; never from within object_use_start().
	 */
	void (*on_change)(struct object_use *use);
};

void object_use_start(struct object_watches *all, struct object_use *use, uint16_t stored_id,
		      struct str namespace, struct str name,
		      void (*on_change)(struct object_use *));
void object_use_stop(struct object_use *use);		     /* accepts one that is not in use */
bool object_use_is_known(const struct object_use *use);	     /* there or absent: the API has told */
struct object *object_use_get(const struct object_use *use); /* borrowed; NULL: absent or unknown */

#endif
