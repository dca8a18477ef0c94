/* ReplicaSet and ReplicationController: as many active pods as asked for.
 *
 * Both are one algorithm; a ReplicationController is looked at as a ReplicaSet and its status is
 * turned back when it is written. */
#include "base/map.h"
#include "control/common.h"
#include "control/controllers.h"
#include "control/pod_ranking.h"

#define BURST_PODS 500

/* What differs between the two. */
struct flavour {
	uint16_t kind;
	const char *component;
};

static const struct flavour replica_set = {KIND_REPLICA_SET, "replicaset-controller"};
static const struct flavour replication = {KIND_REPLICATION_CONTROLLER, "replication-controller"};

struct sync {
	struct plan *p;
	const struct flavour *flavour;
	const struct object *o;
	const struct replica_set *rs;
	struct selector selector;
	struct object_list pods; /* active and claimed */
	int64_t again_us;
};

static bool keep_active(const struct object *o)
{
	return pod_is_active(o, object_view(o));
}

/* --- pods to make and to delete --- */

static void create_pods(struct sync *s, int32_t count)
{
	struct pod pod = pod_from_template(s->p, s->o, &s->rs->spec.template);
	for (int32_t i = 0; i < MIN(count, BURST_PODS); i++) {
		plan_create(s->p, KIND_POD, s->o->namespace, &pod);
		plan_event_when(s->p, PLAN_NOTE_NAMED, s->o, s->flavour->component, "Normal",
				"SuccessfulCreate", "Created pod: ");
		plan_event_when(s->p, PLAN_NOTE_FAILED, s->o, s->flavour->component, "Warning",
				"FailedCreate", "Error creating: ");
	}
}

/* Counts the active pods a node of all that have the same owner as s->o: of a Deployment's other
 * ReplicaSets as well. */
static void count_by_node(const struct sync *s, const struct object *rs, struct map *counts)
{
	const struct object *o;
	struct cache_iter it = cache_owned(s->p->cache, KIND_POD, rs->namespace, rs->uid);
	while ((o = cache_next(&it))) {
		const struct pod *pod = object_view(o);
		if (!pod_is_active(o, pod) || !pod->spec.node_name.len)
			continue;
		uintptr_t count = (uintptr_t)map_get(counts, pod->spec.node_name);
		map_set(counts, pod->spec.node_name, (void *)(count + 1));
	}
}

static void count_related(const struct sync *s, struct map *counts)
{
	const struct owner_reference *controller = object_controller(s->o);
	if (!controller) {
		count_by_node(s, s->o, counts);
		return;
	}
	const struct object *rs;
	struct cache_iter it =
		cache_owned(s->p->cache, s->flavour->kind, s->o->namespace, controller->uid);
	while ((rs = cache_next(&it)))
		count_by_node(s, rs, counts);
}

static void delete_pods(struct sync *s, int32_t count)
{
	struct map counts = {};
	struct ranked_pod *ranked = ARENA_ARRAY(s->p->arena, struct ranked_pod, s->pods.count);
	count_related(s, &counts);
	for (size_t i = 0; i < s->pods.count; i++) {
		const struct pod *pod = object_view(s->pods.at[i]);
		ranked[i] = (struct ranked_pod){
			.object = s->pods.at[i],
			.pod = pod,
			.rank = (int32_t)(uintptr_t)map_get(&counts, pod->spec.node_name),
			.now_us = s->p->now_us};
	}
	map_done(&counts);
	pods_rank(ranked, s->pods.count);
	for (int32_t i = 0; i < MIN(count, BURST_PODS); i++) {
		plan_delete(s->p, KIND_POD, ranked[i].object, (struct str){});
		plan_event_when(s->p, PLAN_NOTE_NAMED, s->o, s->flavour->component, "Normal",
				"SuccessfulDelete", "Deleted pod: ");
		plan_event_when(s->p, PLAN_NOTE_FAILED, s->o, s->flavour->component, "Warning",
				"FailedDelete", "Error deleting: ");
	}
}

/* --- status --- */

static void count_pods(struct sync *s, struct replica_set_status *status)
{
	struct selector of_template =
		selector_from_map(s->p->arena, &s->rs->spec.template.metadata.labels);
	status->replicas = (int32_t)s->pods.count;
	status->fully_labeled_replicas = status->ready_replicas = status->available_replicas = 0;
	for (size_t i = 0; i < s->pods.count; i++) {
		const struct pod *pod = object_view(s->pods.at[i]);
		status->fully_labeled_replicas +=
			selector_matches_object(&of_template, s->pods.at[i]);
		status->ready_replicas += pod_is_ready(pod);
		status->available_replicas += pod_is_available(pod, s->rs->spec.min_ready_seconds,
							       s->p->now_us, &s->again_us);
	}
}

static bool is_failure(const struct replica_set_condition *c)
{
	return str_is(c->type, "ReplicaFailure");
}

/* ReplicaFailure is there exactly while the last attempt failed. */
static void set_failure(struct sync *s, struct replica_set_status *status, int32_t missing)
{
	struct replica_set_condition *kept = ARENA_ARRAY(s->p->arena, struct replica_set_condition,
							 status->conditions.count + 1);
	uint32_t count = 0;
	bool has_failed = s->p->last_error.len && missing != 0, is_there = false;
	for (uint32_t i = 0; i < status->conditions.count; i++) {
		if (is_failure(&status->conditions.at[i])) {
			is_there = true;
			if (!has_failed)
				continue;
		}
		kept[count++] = status->conditions.at[i];
	}
	if (has_failed && !is_there)
		kept[count++] = (struct replica_set_condition){
			.type = STR("ReplicaFailure"),
			.status = STR("True"),
			.last_transition_time = now_s(s->p),
			.reason = missing > 0 ? STR("FailedCreate") : STR("FailedDelete"),
			.message = s->p->last_error};
	status->conditions = (struct replica_set_condition_array){kept, count};
}

static bool status_eq(const struct replica_set_status *a, const struct replica_set_status *b)
{
	return a->replicas == b->replicas &&
	       a->fully_labeled_replicas == b->fully_labeled_replicas &&
	       a->ready_replicas == b->ready_replicas &&
	       a->available_replicas == b->available_replicas &&
	       a->observed_generation == b->observed_generation &&
	       a->conditions.count == b->conditions.count;
}

static void write_replication_status(struct sync *s, const struct replica_set_status *status)
{
	struct replication_controller rc =
		*(const struct replication_controller *)object_view(s->o);
	struct replication_controller_condition *conditions = ARENA_ARRAY(
		s->p->arena, struct replication_controller_condition, status->conditions.count);
	for (uint32_t i = 0; i < status->conditions.count; i++) {
		const struct replica_set_condition *c = &status->conditions.at[i];
		conditions[i] = (struct replication_controller_condition){
			.type = c->type,
			.status = c->status,
			.last_transition_time = c->last_transition_time,
			.reason = c->reason,
			.message = c->message};
	}
	rc.status = (struct replication_controller_status){
		.replicas = status->replicas,
		.fully_labeled_replicas = status->fully_labeled_replicas,
		.ready_replicas = status->ready_replicas,
		.available_replicas = status->available_replicas,
		.observed_generation = status->observed_generation,
		.conditions = {conditions, status->conditions.count}};
	plan_update_status(s->p, KIND_REPLICATION_CONTROLLER, s->o->namespace, s->o->name, &rc);
}

static void write_status(struct sync *s, const struct replica_set_status *status)
{
	if (status_eq(status, &s->rs->status))
		return;
	if (s->flavour->kind == KIND_REPLICATION_CONTROLLER) {
		write_replication_status(s, status);
		return;
	}
	struct replica_set copy = *s->rs;
	copy.status = *status;
	plan_update_status(s->p, KIND_REPLICA_SET, s->o->namespace, s->o->name, &copy);
}

/* --- the plan --- */

static void sync_replicas(struct sync *s)
{
	claim_objects(s->p, s->o, KIND_POD, &s->selector, keep_active, &s->pods);
	int32_t missing = i32_or(s->rs->spec.replicas, 1) - (int32_t)s->pods.count;
	struct replica_set_status status = s->rs->status;
	count_pods(s, &status);
	set_failure(s, &status, missing);
	status.observed_generation = s->rs->metadata.generation;
	if (!s->o->is_deleting && missing > 0)
		create_pods(s, missing);
	if (!s->o->is_deleting && missing < 0)
		delete_pods(s, -missing);
	write_status(s, &status);
	if (s->again_us)
		plan_again_at(s->p, s->again_us);
}

static void plan_replica_set(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_REPLICA_SET, namespace, name);
	if (!o)
		return;
	struct sync s = {.p = p, .flavour = &replica_set, .o = o, .rs = object_view(o)};
	s.selector = selector_from_view(p->arena, s.rs->spec.selector);
	sync_replicas(&s);
}

static void plan_replication(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_REPLICATION_CONTROLLER, namespace, name);
	if (!o)
		return;
	const struct replication_controller *rc = object_view(o);
	struct replica_set_condition *conditions =
		ARENA_ARRAY(p->arena, struct replica_set_condition, rc->status.conditions.count);
	for (uint32_t i = 0; i < rc->status.conditions.count; i++) {
		const struct replication_controller_condition *c = &rc->status.conditions.at[i];
		conditions[i] = (struct replica_set_condition){
			c->type, c->status, c->last_transition_time, c->reason, c->message};
	}
	struct replica_set as_set = {
		.metadata = rc->metadata,
		.spec = {.replicas = rc->spec.replicas,
			 .min_ready_seconds = rc->spec.min_ready_seconds},
		.status = {.replicas = rc->status.replicas,
			   .fully_labeled_replicas = rc->status.fully_labeled_replicas,
			   .ready_replicas = rc->status.ready_replicas,
			   .available_replicas = rc->status.available_replicas,
			   .observed_generation = rc->status.observed_generation,
			   .conditions = {conditions, rc->status.conditions.count}}};
	if (rc->spec.template)
		as_set.spec.template = *rc->spec.template;
	struct sync s = {.p = p, .flavour = &replication, .o = o, .rs = &as_set};
	s.selector = selector_from_map(p->arena, &rc->spec.selector);
	sync_replicas(&s);
}

/* --- what wakes them --- */

/* Those that might adopt a pod without a controller. */
static void map_orphan(struct keys *keys, const struct cache *cache, const struct object *pod,
		       uint16_t kind)
{
	CLEANUP_ARENA a = {};
	const struct object *o;
	struct cache_iter it = cache_iterate(cache, kind, pod->namespace);
	while ((o = cache_next(&it))) {
		struct selector selector;
		if (kind == KIND_REPLICA_SET) {
			const struct replica_set *rs = object_view(o);
			selector = selector_from_view(&a, rs->spec.selector);
		} else {
			const struct replication_controller *rc = object_view(o);
			selector = selector_from_map(&a, &rc->spec.selector);
		}
		if (selector_matches_object(&selector, pod))
			keys_add(keys, o->namespace, o->name);
	}
}

static void map_pod(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new, uint16_t kind)
{
	if (old)
		keys_add_controller(keys, cache, old, kind);
	if (new)
		keys_add_controller(keys, cache, new, kind);
	if (new && !object_controller(new))
		map_orphan(keys, cache, new, kind);
}

static void map_to_replica_set(struct keys *keys, const struct cache *cache,
			       const struct object *old, const struct object *new)
{
	map_pod(keys, cache, old, new, KIND_REPLICA_SET);
}

static void map_to_replication(struct keys *keys, const struct cache *cache,
			       const struct object *old, const struct object *new)
{
	map_pod(keys, cache, old, new, KIND_REPLICATION_CONTROLLER);
}

static const struct controller_watch replica_set_watches[] = {{KIND_REPLICA_SET, NULL},
							      {KIND_POD, map_to_replica_set}};
static const struct controller_watch replication_watches[] = {{KIND_REPLICATION_CONTROLLER, NULL},
							      {KIND_POD, map_to_replication}};

const struct controller replica_set_controller = {
	.name = "replicaset",
	.service_account = "replicaset-controller",
	.watches = replica_set_watches,
	.watch_count = ARRAY_LEN(replica_set_watches),
	.plan = plan_replica_set,
};

const struct controller replication_controller_controller = {
	.name = "replicationcontroller",
	.service_account = "replication-controller",
	.watches = replication_watches,
	.watch_count = ARRAY_LEN(replication_watches),
	.plan = plan_replication,
};
