/* audit: a record of who did what, as upstream's audit.k8s.io/v1 events, to a file or a webhook.
 *
 * Events are made on the thread of the request; file and webhook each write on a thread of their
 * own. The file is complete: when it cannot keep up, requests wait for it.  The webhook gets
 * batches and misses what it does not take in time, which is counted and logged. Owns: policy,
 * file, webhook, threads.  Threads: stage and hooks on the request's thread. Limits:
 * AUDIT_QUEUE_BYTES wait for each, AUDIT_BATCH_EVENTS a batch. Errors: a file that cannot be
 * written is logged once a minute at most; requests go on. */
#ifndef SKEG_SERVER_AUDIT_H
#define SKEG_SERVER_AUDIT_H

#include "server/audit_policy.h"
#include "server/request.h"

struct audit_options {
	const char *policy_path;  /* NULL: nothing is recorded */
	const char *log_path;	  /* NULL: no file; "-": standard output */
	int64_t log_max_mib;	  /* a file is closed and renamed at this size; 0: never */
	int64_t log_max_backups;  /* closed files to keep; 0: all */
	int64_t log_max_age_days; /* of closed files; 0: any */
	struct str webhook_url;	  /* absent: none */
	struct str webhook_ca_pem, webhook_cert_pem, webhook_key_pem, webhook_token;
};

struct audit;

[[nodiscard]] enum rc audit_new(const struct audit_options *options, struct audit **ret_audit,
				struct err *err);
void audit_free(struct audit *audit); /* writes what waits; NULL is fine */

enum step stage_audit(struct request *r);      /* after authentication */
enum step stage_audit_body(struct request *r); /* after decoding */
/* What authorization said. */
void audit_note_decision(struct request *r, bool is_allowed, struct str reason);
/* The reply has been made, or the stream has begun. */
void audit_replied(struct request *r);
/* The stream has ended; its exchange is still there. */
void audit_ended(struct request *r);

#endif
