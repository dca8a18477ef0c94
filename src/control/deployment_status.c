#include "control/deployment-int.h"

const struct deployment_condition *status_condition(const struct deployment_status *status,
						    const char *type)
{
	for (uint32_t i = 0; i < status->conditions.count; i++)
		if (str_is(status->conditions.at[i].type, type))
			return &status->conditions.at[i];
	return NULL;
}

void status_remove_condition(struct rollout *r, const char *type)
{
	struct deployment_condition_array *old = &r->status.conditions;
	struct deployment_condition *kept =
		ARENA_ARRAY(r->p->arena, struct deployment_condition, old->count + 1);
	uint32_t count = 0;
	for (uint32_t i = 0; i < old->count; i++)
		if (!str_is(old->at[i].type, type))
			kept[count++] = old->at[i];
	*old = (struct deployment_condition_array){kept, count};
}

static void append(struct rollout *r, const struct deployment_condition *c)
{
	/* status_remove_condition() has left room for one. */
	struct deployment_condition *at = (struct deployment_condition *)r->status.conditions.at;
	at[r->status.conditions.count++] = *c;
}

void status_set_condition(struct rollout *r, const char *type, const char *status,
			  const char *reason, struct str message)
{
	const struct deployment_condition *former = status_condition(&r->status, type);
	struct deployment_condition c = {.type = str_of(type),
					 .status = str_of(status),
					 .last_update_time = now_s(r->p),
					 .last_transition_time = now_s(r->p),
					 .reason = str_of(reason),
					 .message = message};
	if (former && str_eq(former->status, c.status)) {
		if (str_eq(former->reason, c.reason))
			return;
		c.last_transition_time = former->last_transition_time;
	}
	status_remove_condition(r, type);
	append(r, &c);
}

bool rollout_has_deadline(const struct rollout *r)
{
	return i32_or(r->d->spec.progress_deadline_seconds, INT32_MAX) != INT32_MAX;
}

/* --- counts --- */

void rollout_count(struct rollout *r)
{
	struct deployment_status *status = &r->status;
	int32_t wanted = rollout_sum(r, true);
	status->observed_generation = r->d->metadata.generation;
	status->replicas = status->ready_replicas = status->available_replicas = 0;
	for (size_t i = 0; i < r->count; i++) {
		const struct replica_set_status *set = &r->sets[i].rs->status;
		status->replicas += set->replicas;
		status->ready_replicas += set->ready_replicas;
		status->available_replicas += set->available_replicas;
	}
	status->updated_replicas = r->new_set ? r->new_set->rs->status.replicas : 0;
	status->unavailable_replicas = MAX(wanted - status->available_replicas, 0);
	if (status->available_replicas >= r->replicas - r->max_unavailable)
		status_set_condition(r, "Available", "True", "MinimumReplicasAvailable",
				     STR("Deployment has minimum availability."));
	else
		status_set_condition(r, "Available", "False", "MinimumReplicasUnavailable",
				     STR("Deployment does not have minimum availability."));
}

/* --- progress --- */

bool rollout_is_complete(const struct rollout *r, const struct deployment_status *status)
{
	return status->updated_replicas == r->replicas && status->replicas == r->replicas &&
	       status->available_replicas == r->replicas &&
	       status->observed_generation >= r->d->metadata.generation;
}

static bool is_progressing(const struct deployment_status *before,
			   const struct deployment_status *now)
{
	return now->updated_replicas > before->updated_replicas ||
	       now->replicas - now->updated_replicas <
		       before->replicas - before->updated_replicas ||
	       now->ready_replicas > before->ready_replicas ||
	       now->available_replicas > before->available_replicas;
}

static bool is_timed_out(const struct rollout *r)
{
	const struct deployment_condition *c = status_condition(&r->status, "Progressing");
	if (!c || str_is(c->reason, "NewReplicaSetAvailable"))
		return false;
	if (str_is(c->reason, "ProgressDeadlineExceeded"))
		return true;
	int64_t deadline_us = *r->d->spec.progress_deadline_seconds * SECOND_US;
	return c->last_update_time + deadline_us < r->p->now_us;
}

static struct str progress_message(struct rollout *r, const char *what)
{
	struct str name = r->o->name;
	if (r->new_set)
		name = r->new_set->rs->metadata.name;
	return arena_printf(r->p->arena, "%s \"%.*s\" %s", r->new_set ? "ReplicaSet" : "Deployment",
			    STR_FMT(name), what);
}

/* Renews the condition's update time; the transition time only when its status changes. */
static void set_progressing(struct rollout *r)
{
	const struct deployment_condition *former = status_condition(&r->status, "Progressing");
	struct deployment_condition c = {.type = STR("Progressing"),
					 .status = STR("True"),
					 .last_update_time = now_s(r->p),
					 .last_transition_time = now_s(r->p),
					 .reason = STR("ReplicaSetUpdated"),
					 .message = progress_message(r, "is progressing.")};
	if (former && str_is(former->status, "True"))
		c.last_transition_time = former->last_transition_time;
	status_remove_condition(r, "Progressing");
	append(r, &c);
}

static void judge_progress(struct rollout *r)
{
	if (rollout_is_complete(r, &r->status))
		status_set_condition(r, "Progressing", "True", "NewReplicaSetAvailable",
				     progress_message(r, "has successfully progressed."));
	else if (is_progressing(&r->d->status, &r->status))
		set_progressing(r);
	else if (is_timed_out(r))
		status_set_condition(r, "Progressing", "False", "ProgressDeadlineExceeded",
				     progress_message(r, "has timed out progressing."));
}

/* The failure of the new set, or else of any other. */
static const struct replica_set_condition *replica_failure(const struct rollout *r)
{
	const struct replica_set_condition *found = NULL;
	for (size_t i = 0; i < r->count; i++) {
		const struct replica_set_condition_array *c = &r->sets[i].rs->status.conditions;
		for (uint32_t j = 0; j < c->count; j++) {
			if (!str_is(c->at[j].type, "ReplicaFailure"))
				continue;
			if (&r->sets[i] == r->new_set)
				return &c->at[j];
			if (!found)
				found = &c->at[j];
		}
	}
	return found;
}

static void wake_at_deadline(struct rollout *r)
{
	const struct deployment_condition *c = status_condition(&r->status, "Progressing");
	if (!c || !rollout_has_deadline(r) || rollout_is_complete(r, &r->status) ||
	    str_is(c->reason, "ProgressDeadlineExceeded"))
		return;
	int64_t deadline_us = *r->d->spec.progress_deadline_seconds * SECOND_US;
	plan_again_at(r->p, c->last_update_time + deadline_us + SECOND_US);
}

void rollout_progress(struct rollout *r)
{
	const struct deployment_condition *c = status_condition(&r->status, "Progressing");
	bool is_done = r->status.replicas == r->status.updated_replicas && c &&
		       str_is(c->reason, "NewReplicaSetAvailable");
	if (!rollout_has_deadline(r))
		status_remove_condition(r, "Progressing");
	else if (!is_done)
		judge_progress(r);
	const struct replica_set_condition *failure = replica_failure(r);
	if (failure)
		status_set_condition(r, "ReplicaFailure", arena_cstr(r->p->arena, failure->status),
				     arena_cstr(r->p->arena, failure->reason), failure->message);
	else
		status_remove_condition(r, "ReplicaFailure");
	wake_at_deadline(r);
}

/* --- comparing --- */

static bool condition_differs(const struct deployment_condition *a,
			      const struct deployment_condition *b)
{
	return !str_eq(a->type, b->type) || !str_eq(a->status, b->status) ||
	       !str_eq(a->reason, b->reason) || !str_eq(a->message, b->message) ||
	       a->last_update_time != b->last_update_time ||
	       a->last_transition_time != b->last_transition_time;
}

bool status_differs(const struct deployment_status *a, const struct deployment_status *b)
{
	if (a->observed_generation != b->observed_generation || a->replicas != b->replicas ||
	    a->updated_replicas != b->updated_replicas || a->ready_replicas != b->ready_replicas ||
	    a->available_replicas != b->available_replicas ||
	    a->unavailable_replicas != b->unavailable_replicas ||
	    i32_or(a->collision_count, 0) != i32_or(b->collision_count, 0) ||
	    a->conditions.count != b->conditions.count)
		return true;
	for (uint32_t i = 0; i < a->conditions.count; i++)
		if (condition_differs(&a->conditions.at[i], &b->conditions.at[i]))
			return true;
	return false;
}
