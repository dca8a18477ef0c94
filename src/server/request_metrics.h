/* request_metrics: how many requests of which kind were answered how, and how long they took.
 *
 * Names and labels are upstream's: apiserver_request_total, apiserver_request_duration_seconds,
 * apiserver_request_terminations_total (by us: time-outs and 429), apiserver_longrunning_requests.
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
/* A watch or a stream to a node runs until the end of the number is told; 0 is none. */
[[nodiscard]] uint32_t request_metrics_begin_long(struct request_metrics *m,
						  const struct request *r);
void request_metrics_end_long(struct request_metrics *m, uint32_t number);
/* In Prometheus' text form. */
void request_metrics_write(struct request_metrics *m, struct buf *out);

/* The lines that every metric begins with. */
void metric_head(struct buf *out, const char *name, const char *type, const char *help);

#endif
