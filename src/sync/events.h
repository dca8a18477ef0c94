/* events: a recorder of Event objects, as client-go's EventBroadcaster and EventCorrelator do it.
 *
 * An event is created as `<object>.<time in hex nanoseconds>`.  When the same one (source, object,
 * type, reason, message) comes again within ten minutes, the Event that is there gets a higher
 * count and a new lastTimestamp instead.  More than ten different messages of one kind (same
 * source, object, type, reason) within ten minutes become one, "(combined from similar events): …".
 * Beyond 25 events about one object from one source only one in five minutes is written.
 *
 * Owns: what it remembers.  Threads: the loop of its clients.  Limits: EVENTS_REMEMBERED events and
 * as many objects, the oldest is forgotten; a message is cut at 1024 bytes.  Errors: an event that
 * cannot be written is logged at debug and dropped: events are an aid, not a record. */
#ifndef SKEG_SYNC_EVENTS_H
#define SKEG_SYNC_EVENTS_H

#include "api/object.h"
#include "sync/client.h"

#define EVENTS_REMEMBERED    1024
#define EVENTS_MESSAGE_BYTES 1024

/* Strings are copied by event_record(). */
struct event_note {
	struct str kind, api_version, namespace, name, uid; /* of what it is about */
	struct str field_path;				    /* "spec.containers{web}", or absent */
	int64_t revision;				    /* 0: not written */
	struct str component;				    /* "deployment-controller", "kubelet" */
	struct str host; /* node name for a kubelet, else absent */
	struct str type; /* "Normal", "Warning" */
	struct str reason, message;
	/* Set for those that upstream writes through events.k8s.io ("Binding"): eventTime and
	 * reportingController instead of source, firstTimestamp and count. */
	struct str action;
};

struct event_recorder;

[[nodiscard]] struct event_recorder *event_recorder_new(void);
void event_recorder_free(struct event_recorder *r); /* answers may still come in afterwards */

/* Fills the fields that say what it is about. */
void event_note_about(struct event_note *note, const struct object *o);
void event_record(struct event_recorder *r, struct client *client, const struct event_note *note);

#endif
