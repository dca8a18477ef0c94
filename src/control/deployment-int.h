/* deployment-int: what the parts of the Deployment controller share.
 *
 * deployment.c          the order of steps, what wakes it
 * deployment_sets.c     which ReplicaSet is the new one, its name, revision and annotations
 * deployment_rollout.c  how many replicas each gets
 * deployment_status.c   counts and conditions */
#ifndef SKEG_CONTROL_DEPLOYMENT_INT_H
#define SKEG_CONTROL_DEPLOYMENT_INT_H

#include "control/common.h"
#include "control/template_hash.h"

#define DEPLOYMENT_COMPONENT "deployment-controller"
#define REVISION	     "deployment.kubernetes.io/revision"
#define REVISION_HISTORY     "deployment.kubernetes.io/revision-history"
#define DESIRED_REPLICAS     "deployment.kubernetes.io/desired-replicas"
#define MAX_REPLICAS	     "deployment.kubernetes.io/max-replicas"

/* A ReplicaSet and what this plan makes of it so far. */
struct set {
	const struct object *o; /* NULL: made by this plan */
	const struct replica_set *rs;
	int32_t replicas;  /* spec.replicas */
	int32_t available; /* status.availableReplicas */
	int64_t created_us;
	int64_t revision;
	struct str_map annotations;
	int32_t min_ready_seconds;
	bool is_changed, is_deleted;
};

struct rollout {
	struct plan *p;
	const struct object *o;
	const struct deployment *d;
	int32_t replicas, max_surge, max_unavailable;
	bool is_rolling;
	struct set *sets; /* all that are claimed, oldest first; the new one included */
	size_t count;
	struct set *new_set;		 /* NULL: there is none */
	struct deployment_status status; /* as it will be written */
	struct str_map annotations;	 /* of the deployment */
	bool has_conflict; /* the name of the new set was taken: only collisionCount changes */
};

/* deployment_sets.c */
void rollout_find_sets(struct rollout *r, const struct object_list *claimed);
/* Brings the new set's revision and annotations up to date; makes it when it is absent and
 * may_create. */
void rollout_need_new_set(struct rollout *r, bool may_create);
void rollout_write_sets(struct rollout *r); /* what changed */
void rollout_clean_up(struct rollout *r);   /* beyond revisionHistoryLimit */
void rollout_annotate_replicas(struct rollout *r, struct set *set); /* desired, most */
int64_t set_annotation_number(const struct set *set, const char *key, bool *ret_found);

/* deployment_rollout.c */
bool rollout_scale_set(struct rollout *r, struct set *set, int32_t replicas);
void rollout_scale(struct rollout *r); /* paused, or spec.replicas changed */
void rollout_rolling(struct rollout *r);
void rollout_recreate(struct rollout *r);
int32_t rollout_new_size(const struct rollout *r, const struct set *new_set);
int32_t rollout_sum(const struct rollout *r, bool has_new); /* of spec.replicas */

/* deployment_status.c */
void rollout_count(struct rollout *r);	  /* counts and Available */
void rollout_progress(struct rollout *r); /* Progressing, ReplicaFailure */
bool rollout_is_complete(const struct rollout *r, const struct deployment_status *status);
bool rollout_has_deadline(const struct rollout *r);
const struct deployment_condition *status_condition(const struct deployment_status *status,
						    const char *type);
void status_set_condition(struct rollout *r, const char *type, const char *status,
			  const char *reason, struct str message);
void status_remove_condition(struct rollout *r, const char *type);
bool status_differs(const struct deployment_status *a, const struct deployment_status *b);

#endif
