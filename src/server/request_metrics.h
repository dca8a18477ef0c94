/* request_metrics: how many requests of which kind were answered how, and how long they took.
 *
 * Names and labels are upstream's: apiserver_request_total, apiserver_request_duration_seconds.
 * Owns: its rows.  Threads: any; a lock is held for moments only.
 * Limits: rows are bounded by kinds, verbs and codes, not by what clients send. */
#ifndef SKEG_SERVER_REQUEST_METRICS_H
#define SKEG_SERVER_REQUEST_METRICS_H

#include "server/request.h"

struct request_metrics;

struct request_metrics *request_metrics_new(void);
void request_metrics_free(struct request_metrics *m);

/* When its reply has been made, or its stream has begun. */
void request_metrics_note(struct request_metrics *m, const struct request *r);
/* In Prometheus' text form. */
void request_metrics_write(struct request_metrics *m, struct buf *out);

#endif
