/* job-int: what the parts of the Job controller share.
 *
 * Each pod carries the finalizer batch.kubernetes.io/job-tracking until it is counted, so that none
 * is lost when it is deleted: a finished pod's uid first goes to status.uncountedTerminatedPods,
 * then its finalizer goes, then it moves to the counters. */
#ifndef SKEG_CONTROL_JOB_INT_H
#define SKEG_CONTROL_JOB_INT_H

#include "control/common.h"
#include "control/pod_ranking.h"

#define JOB_COMPONENT	"job-controller"
#define JOB_TRACKING	"batch.kubernetes.io/job-tracking"
#define JOB_INDEX	"batch.kubernetes.io/job-completion-index"
#define JOB_INDEXES_MAX 100000

struct job_sync {
	struct plan *p;
	const struct object *o;
	const struct job *job;
	struct job_status status; /* as it will be written */
	struct object_list active, uncounted_succeeded, uncounted_failed; /* pods */
	struct object_list to_release; /* counted or about to be: their finalizer may go */
	int32_t succeeded, failed;     /* with those not counted yet */
	int32_t completions;	       /* INT32_MAX: not given */
	bool is_indexed, is_suspended;
	uint8_t *done_indexes; /* a bit each */
	int64_t last_failure_us;
	int32_t recent_failures;
};

/* job_pods.c */
void job_find_pods(struct job_sync *s); /* sorts pods, counts, fills the status' lists */
void job_release_pods(struct job_sync *s);
void job_create_pods(struct job_sync *s, int32_t count);
void job_delete_pods(struct job_sync *s, int32_t count); /* active ones, the least useful first */
struct str job_indexes_text(struct job_sync *s);	 /* "0-3,5" */

#endif
