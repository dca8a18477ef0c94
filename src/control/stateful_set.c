/* StatefulSets: pods with names, order and claims of their own.
 *
 * One step a run where the policy is OrderedReady: the next pod is made, or the last one deleted,
 * only when all others stand.  An update deletes from the highest ordinal down to the partition;
 * each pod comes back with the template of its revision. */
#include "control/controllers.h"
#include "control/revision_history.h"

#define COMPONENT    "statefulset-controller"
#define POD_NAME     "statefulset.kubernetes.io/pod-name"
#define POD_INDEX    "apps.kubernetes.io/pod-index"
#define ORDINALS_MAX 100000

struct slot { /* an ordinal */
	int32_t ordinal;
	const struct object *o; /* NULL: the pod is to be made */
	const struct pod *pod;
};

struct sync {
	struct plan *p;
	const struct object *o;
	const struct stateful_set *set;
	struct selector selector;
	struct revision_history history;
	const struct revision *current, *update;
	int32_t start, replicas, partition;
	bool is_ordered;
	struct slot *slots;		/* by ordinal - start */
	LIST_OF(struct slot) condemned; /* highest first */
	struct stateful_set_status status;
	int64_t again_us;
};

/* --- pods and their slots --- */

/* The ordinal of "<set>-<n>"; -1 for other names. */
static int32_t ordinal_of(const struct sync *s, struct str name)
{
	struct str head, tail;
	int64_t number;
	if (!str_cut_last(name, '-', &head, &tail) || !str_eq(head, s->o->name) || !tail.len ||
	    (tail.at[0] == '0' && tail.len > 1) || tail.at[0] == '-' ||
	    !str_to_i64(tail, &number) || number > INT32_MAX)
		return -1;
	return (int32_t)number;
}

static int highest_first(const void *a, const void *b)
{
	const struct slot *left = a, *right = b;
	return (left->ordinal < right->ordinal) - (left->ordinal > right->ordinal);
}

static bool is_created(const struct slot *slot)
{
	return slot->o && slot->pod->status.phase.len > 0;
}

static bool is_available(struct sync *s, const struct slot *slot)
{
	return is_created(slot) && str_is(slot->pod->status.phase, "Running") &&
	       pod_is_available(slot->pod, s->set->spec.min_ready_seconds, s->p->now_us,
				&s->again_us);
}

static bool is_healthy(struct sync *s, const struct slot *slot)
{
	return is_available(s, slot) && !slot->o->is_deleting;
}

static bool has_revision(const struct slot *slot, const struct revision *r)
{
	return slot->o && str_eq(object_label(slot->o, STR(REVISION_HASH)), r->name);
}

static void count(struct sync *s, const struct slot *slot)
{
	s->status.replicas += is_created(slot);
	s->status.ready_replicas += str_is(slot->pod->status.phase, "Running") &&
				    pod_is_ready(slot->pod);
	s->status.available_replicas += is_available(s, slot);
	if (!is_created(slot) || slot->o->is_deleting)
		return;
	s->status.current_replicas += has_revision(slot, s->current);
	s->status.updated_replicas += has_revision(slot, s->update);
}

static bool keep_named(const struct object *o)
{
	struct str head, tail;
	return str_cut_last(o->name, '-', &head, &tail);
}

static void find_pods(struct sync *s)
{
	struct object_list pods = {};
	s->slots = ARENA_ARRAY(s->p->arena, struct slot, s->replicas);
	for (int32_t i = 0; i < s->replicas; i++)
		s->slots[i].ordinal = s->start + i;
	claim_objects(s->p, s->o, KIND_POD, &s->selector, keep_named, &pods);
	for (size_t i = 0; i < pods.count; i++) {
		struct slot slot = {.ordinal = ordinal_of(s, pods.at[i]->name),
				    .o = pods.at[i],
				    .pod = object_view(pods.at[i])};
		if (slot.ordinal < 0)
			continue;
		count(s, &slot);
		if (slot.ordinal >= s->start && slot.ordinal < s->start + s->replicas)
			s->slots[slot.ordinal - s->start] = slot;
		else
			LIST_ADD(s->p->arena, &s->condemned, slot);
	}
	if (s->condemned.count > 1)
		qsort(s->condemned.at, s->condemned.count, sizeof(*s->condemned.at), highest_first);
}

/* --- making a pod --- */

static struct str claim_name(struct plan *p, const struct persistent_volume_claim *template,
			     struct str pod_name)
{
	return arena_printf(p->arena, "%.*s-%.*s", STR_FMT(template->metadata.name),
			    STR_FMT(pod_name));
}

static bool is_claimed(const struct sync *s, struct str volume)
{
	for (uint32_t i = 0; i < s->set->spec.volume_claim_templates.count; i++)
		if (str_eq(s->set->spec.volume_claim_templates.at[i].metadata.name, volume))
			return true;
	return false;
}

static struct volume_array pod_volumes(struct sync *s, const struct pod_spec *spec,
				       struct str pod_name)
{
	const struct persistent_volume_claim_array *claims = &s->set->spec.volume_claim_templates;
	struct volume *out =
		ARENA_ARRAY(s->p->arena, struct volume, claims->count + spec->volumes.count);
	uint32_t n = 0;
	for (uint32_t i = 0; i < claims->count; i++) {
		struct persistent_volume_claim_volume_source *source =
			ARENA_NEW(s->p->arena, struct persistent_volume_claim_volume_source);
		source->claim_name = claim_name(s->p, &claims->at[i], pod_name);
		out[n++] = (struct volume){.name = claims->at[i].metadata.name,
					   .persistent_volume_claim = source};
	}
	for (uint32_t i = 0; i < spec->volumes.count; i++)
		if (!is_claimed(s, spec->volumes.at[i].name))
			out[n++] = spec->volumes.at[i];
	return (struct volume_array){out, n};
}

static void create_claims(struct sync *s, struct str pod_name)
{
	const struct persistent_volume_claim_array *templates =
		&s->set->spec.volume_claim_templates;
	for (uint32_t i = 0; i < templates->count; i++) {
		struct persistent_volume_claim claim = templates->at[i];
		struct str name = claim_name(s->p, &claim, pod_name);
		if (cache_get(s->p->cache, KIND_PERSISTENT_VOLUME_CLAIM, s->o->namespace, name))
			continue;
		const struct str_map *match = &s->set->spec.selector->match_labels;
		claim.metadata.name = name;
		claim.metadata.namespace = s->o->namespace;
		claim.status = (struct persistent_volume_claim_status){};
		for (uint32_t j = 0; j < match->count; j++)
			claim.metadata.labels = str_map_with(s->p->arena, &claim.metadata.labels,
							     match->at[j].key, match->at[j].value);
		plan_create(s->p, KIND_PERSISTENT_VOLUME_CLAIM, s->o->namespace, &claim);
		plan_event_when(s->p, PLAN_NOTE_DONE, s->o, COMPONENT, "Normal", "SuccessfulCreate",
				"create Claim %.*s Pod %.*s in StatefulSet %.*s success",
				STR_FMT(name), STR_FMT(pod_name), STR_FMT(s->o->name));
	}
}

static const struct pod_template_spec *template_of(struct sync *s, const struct revision *r)
{
	const struct json *tree = json_path(r->data, "spec.template");
	if (r == s->update || !tree)
		return &s->set->spec.template;
	return template_view(s->p->arena, cache_api(s->p->cache), tree);
}

static void create_pod(struct sync *s, const struct slot *slot)
{
	struct arena *a = s->p->arena;
	const struct revision *r = slot->ordinal < s->start + s->partition ? s->current : s->update;
	struct pod pod = pod_from_template(s->p, s->o, template_of(s, r));
	struct str name = arena_printf(a, "%.*s-%d", STR_FMT(s->o->name), slot->ordinal);
	struct str_map *labels = &pod.metadata.labels;
	pod.metadata.name = name;
	pod.metadata.generate_name = (struct str){};
	*labels = str_map_with(a, labels, STR(POD_NAME), name);
	*labels = str_map_with(a, labels, STR(POD_INDEX), arena_printf(a, "%d", slot->ordinal));
	*labels = str_map_with(a, labels, STR(REVISION_HASH), r->name);
	pod.spec.hostname = name;
	pod.spec.subdomain = s->set->spec.service_name;
	pod.spec.volumes = pod_volumes(s, &pod.spec, name);
	create_claims(s, name);
	plan_create(s->p, KIND_POD, s->o->namespace, &pod);
	plan_event_when(s->p, PLAN_NOTE_DONE, s->o, COMPONENT, "Normal", "SuccessfulCreate",
			"create Pod %.*s in StatefulSet %.*s successful", STR_FMT(name),
			STR_FMT(s->o->name));
	plan_event_when(s->p, PLAN_NOTE_FAILED, s->o, COMPONENT, "Warning", "FailedCreate",
			"create Pod %.*s in StatefulSet %.*s failed error: ", STR_FMT(name),
			STR_FMT(s->o->name));
}

static void delete_pod(struct sync *s, const struct slot *slot)
{
	plan_delete(s->p, KIND_POD, slot->o, (struct str){});
	plan_event_when(s->p, PLAN_NOTE_DONE, s->o, COMPONENT, "Normal", "SuccessfulDelete",
			"delete Pod %.*s in StatefulSet %.*s successful", STR_FMT(slot->o->name),
			STR_FMT(s->o->name));
}

/* --- the steps; each returns true when the run is over --- */

static void recreate(struct sync *s, const struct slot *slot)
{
	bool has_failed = str_is(slot->pod->status.phase, "Failed");
	plan_event(s->p, s->o, COMPONENT, has_failed ? "Warning" : "Normal",
		   has_failed ? "RecreatingFailedPod" : "RecreatingTerminatedPod",
		   "StatefulSet %.*s/%.*s is recreating %s Pod %.*s", STR_FMT(s->o->namespace),
		   STR_FMT(s->o->name), has_failed ? "failed" : "terminated",
		   STR_FMT(slot->o->name));
	if (!slot->o->is_deleting)
		delete_pod(s, slot);
}

static bool fill_slot(struct sync *s, const struct slot *slot)
{
	if (!slot->o) {
		create_pod(s, slot);
		return s->is_ordered;
	}
	if (pod_is_terminal(slot->pod)) {
		recreate(s, slot);
		return true;
	}
	if (str_is(slot->pod->status.phase, "Pending"))
		create_claims(s, slot->o->name);
	return s->is_ordered && !is_healthy(s, slot);
}

/* The lowest one that does not stand is the only one that may go before the others stand. */
static const struct slot *first_unhealthy(struct sync *s)
{
	for (int32_t i = 0; i < s->replicas; i++)
		if (!is_healthy(s, &s->slots[i]))
			return &s->slots[i];
	for (size_t i = s->condemned.count; i > 0; i--)
		if (!is_healthy(s, &s->condemned.at[i - 1]))
			return &s->condemned.at[i - 1];
	return NULL;
}

static bool drop_condemned(struct sync *s)
{
	const struct slot *unhealthy = first_unhealthy(s);
	for (size_t i = 0; i < s->condemned.count; i++) {
		const struct slot *slot = &s->condemned.at[i];
		if (slot->o->is_deleting) {
			if (s->is_ordered)
				return true;
			continue;
		}
		if (s->is_ordered && !is_healthy(s, slot) && slot != unhealthy)
			return true;
		delete_pod(s, slot);
		if (s->is_ordered)
			return true;
	}
	return false;
}

static void update_pods(struct sync *s)
{
	for (int32_t i = s->replicas - 1; i >= s->partition && i >= 0; i--) {
		const struct slot *slot = &s->slots[i];
		if (slot->o && !slot->o->is_deleting && !has_revision(slot, s->update)) {
			delete_pod(s, slot);
			return;
		}
		if (!is_healthy(s, slot))
			return;
	}
}

static void manage(struct sync *s)
{
	for (int32_t i = 0; i < s->replicas; i++)
		if (fill_slot(s, &s->slots[i]))
			return;
	if (drop_condemned(s) || str_is(s->set->spec.update_strategy.type, "OnDelete"))
		return;
	update_pods(s);
}

/* --- status --- */

static void complete_update(struct sync *s)
{
	struct stateful_set_status *status = &s->status;
	if (str_is(s->set->spec.update_strategy.type, "OnDelete") ||
	    status->updated_replicas != s->replicas || status->ready_replicas != s->replicas ||
	    status->replicas != s->replicas)
		return;
	status->current_replicas = status->updated_replicas;
	status->current_revision = status->update_revision;
}

static void write_status(struct sync *s)
{
	const struct stateful_set_status *was = &s->set->status, *now = &s->status;
	if (now->observed_generation == was->observed_generation &&
	    now->replicas == was->replicas && now->ready_replicas == was->ready_replicas &&
	    now->available_replicas == was->available_replicas &&
	    now->current_replicas == was->current_replicas &&
	    now->updated_replicas == was->updated_replicas &&
	    i32_or(now->collision_count, 0) == i32_or(was->collision_count, 0) &&
	    str_eq(now->current_revision, was->current_revision) &&
	    str_eq(now->update_revision, was->update_revision))
		return;
	struct stateful_set copy = *s->set;
	copy.status = *now;
	plan_update_status(s->p, KIND_STATEFUL_SET, s->o->namespace, s->o->name, &copy);
}

static bool is_live(const struct revision *r, void *ctx)
{
	const struct sync *s = ctx;
	if (r == s->current || r == s->update)
		return true;
	for (int32_t i = 0; i < s->replicas; i++)
		if (has_revision(&s->slots[i], r))
			return true;
	for (size_t i = 0; i < s->condemned.count; i++)
		if (has_revision(&s->condemned.at[i], r))
			return true;
	return false;
}

static void read_spec(struct sync *s)
{
	const struct stateful_set_spec *spec = &s->set->spec;
	const struct rolling_update_stateful_set_strategy *rolling =
		spec->update_strategy.rolling_update;
	s->replicas = MIN(MAX(i32_or(spec->replicas, 1), 0), ORDINALS_MAX);
	s->start = spec->ordinals ? spec->ordinals->start : 0;
	s->partition = rolling ? i32_or(rolling->partition, 0) : 0;
	s->is_ordered = !str_is(spec->pod_management_policy, "Parallel");
	s->status = (struct stateful_set_status){.observed_generation = s->set->metadata.generation,
						 .collision_count = s->set->status.collision_count,
						 .conditions = s->set->status.conditions};
}

static void sync_set(struct sync *s)
{
	revision_history_sync(s->p, s->o, &s->selector, &s->set->spec.template,
			      s->status.collision_count, "controller.kubernetes.io/hash",
			      &s->history);
	s->update = s->history.update;
	if (!s->update)
		return;
	s->current = revision_history_find(&s->history, s->set->status.current_revision);
	if (!s->current)
		s->current = s->update;
	s->status.current_revision = s->current->name;
	s->status.update_revision = s->update->name;
	find_pods(s);
	if (!s->o->is_deleting) {
		manage(s);
		revision_history_clean_up(s->p, &s->history, s->set->spec.revision_history_limit,
					  is_live, s);
	}
	complete_update(s);
	write_status(s);
	if (s->again_us)
		plan_again_at(s->p, s->again_us);
}

static void plan_stateful_set(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_STATEFUL_SET, namespace, name);
	if (!o)
		return;
	struct sync s = {.p = p, .o = o, .set = object_view(o)};
	s.selector = selector_from_view(p->arena, s.set->spec.selector);
	if (selector_is_everything(&s.selector) || s.selector.is_nothing)
		return;
	read_spec(&s);
	sync_set(&s);
}

/* --- what wakes it --- */

static void map_pod(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new)
{
	if (old)
		keys_add_controller(keys, cache, old, KIND_STATEFUL_SET);
	if (new)
		keys_add_controller(keys, cache, new, KIND_STATEFUL_SET);
	if (!new || object_controller(new))
		return;
	CLEANUP_ARENA a = {};
	const struct object *o;
	struct cache_iter it = cache_iterate(cache, KIND_STATEFUL_SET, new->namespace);
	while ((o = cache_next(&it))) {
		struct selector selector = selector_from_view(
			&a, ((const struct stateful_set *)object_view(o))->spec.selector);
		if (selector_matches_object(&selector, new))
			keys_add(keys, o->namespace, o->name);
	}
}

static const struct controller_watch watches[] = {
	{KIND_STATEFUL_SET, NULL}, {KIND_POD, map_pod}, {KIND_CONTROLLER_REVISION, map_pod}};

const struct controller stateful_set_controller = {
	.name = "statefulset",
	.service_account = "statefulset-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_stateful_set,
};
