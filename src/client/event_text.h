/* event_text: when and by whom an Event was, in kubectl's words.  Pure but for the clock. */
#ifndef SKEG_CLIENT_EVENT_TEXT_H
#define SKEG_CLIENT_EVENT_TEXT_H

#include "codec/json.h"

void events_sort(struct json *list); /* by their last times, in place */
/* "5m", or "5m (x3 over 10m)" of one that was repeated. */
struct str event_age(struct arena *a, const struct json *event);
struct str event_source(struct arena *a, const struct json *event); /* "kubelet, n1" */
/* The time since an RFC 3339 time: "5m", "<unknown>" of none. */
struct str event_time_since(struct arena *a, struct str time);

#endif
