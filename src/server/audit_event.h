/* audit_event: one event of the audit log as a line of JSON.
 * Threads: pure. */
#ifndef SKEG_SERVER_AUDIT_EVENT_H
#define SKEG_SERVER_AUDIT_EVENT_H

#include "server/audit_policy.h"

/* What is known of a request that is recorded; in its arena. */
struct audit_record {
	struct audit_decision decision;
	struct user user;	    /* who authenticated */
	struct str name;	    /* of the object, once it is known */
	struct str request_object;  /* JSON text or absent */
	struct str verdict, reason; /* "allow" or "forbid"; absent before authorization */
	int64_t received_us;
};

void audit_event_write(struct buf *out, struct request *r, const struct audit_record *record,
		       enum audit_stage stage);
/* JSON of a tree, without managedFields when they are not wanted. */
void audit_object_write(struct buf *out, struct arena *a, const struct json *tree,
			bool omits_managed_fields);

#endif
