#include "control/deployment-int.h"

#include "base/buf.h"

#define HISTORY_MAX_CHARS 2000

/* Annotations of a Deployment that its ReplicaSets do not get. */
static const char *const not_copied[] = {
	"kubectl.kubernetes.io/last-applied-configuration",
	REVISION,
	REVISION_HISTORY,
	DESIRED_REPLICAS,
	MAX_REPLICAS,
	"deprecated.deployment.rollback.to",
};

int64_t set_annotation_number(const struct set *set, const char *key, bool *ret_found)
{
	int64_t number = 0;
	bool is_number = str_to_i64(str_map_cget(&set->annotations, key), &number);
	if (ret_found)
		*ret_found = is_number;
	return number;
}

static int oldest_first(const void *a, const void *b)
{
	const struct set *left = a, *right = b;
	if (left->created_us != right->created_us)
		return left->created_us < right->created_us ? -1 : 1;
	return str_cmp(left->o->name, right->o->name);
}

static void set_init(struct set *set, const struct object *o)
{
	const struct replica_set *rs = object_view(o);
	*set = (struct set){.o = o,
			    .rs = rs,
			    .replicas = i32_or(rs->spec.replicas, 1),
			    .available = rs->status.available_replicas,
			    .created_us = rs->metadata.creation_timestamp,
			    .annotations = rs->metadata.annotations,
			    .min_ready_seconds = rs->spec.min_ready_seconds};
	set->revision = set_annotation_number(set, REVISION, NULL);
}

void rollout_find_sets(struct rollout *r, const struct object_list *claimed)
{
	struct arena *a = r->p->arena;
	/* One more, for the set that this plan may make. */
	r->sets = ARENA_ARRAY(a, struct set, claimed->count + 1);
	r->count = claimed->count;
	for (size_t i = 0; i < claimed->count; i++)
		set_init(&r->sets[i], claimed->at[i]);
	if (r->count > 1)
		qsort(r->sets, r->count, sizeof(*r->sets), oldest_first);
	const struct api *api = cache_api(r->p->cache);
	const struct json *wanted = template_tree(a, api, &r->d->spec.template);
	for (size_t i = 0; i < r->count && !r->new_set; i++)
		if (json_equal(wanted, template_tree(a, api, &r->sets[i].rs->spec.template)))
			r->new_set = &r->sets[i];
}

/* --- annotations --- */

static void set_annotate(struct rollout *r, struct set *set, const char *key, struct str value)
{
	struct str now = str_map_cget(&set->annotations, key);
	if (now.at && str_eq(now, value))
		return;
	set->annotations = str_map_with(r->p->arena, &set->annotations, str_of(key), value);
	set->is_changed = true;
}

static bool is_copied(struct str key)
{
	for (size_t i = 0; i < ARRAY_LEN(not_copied); i++)
		if (str_is(key, not_copied[i]))
			return false;
	return true;
}

static void copy_annotations(struct rollout *r, struct set *set)
{
	for (uint32_t i = 0; i < r->d->metadata.annotations.count; i++) {
		const struct str_pair *pair = &r->d->metadata.annotations.at[i];
		if (is_copied(pair->key))
			set_annotate(r, set, arena_cstr(r->p->arena, pair->key), pair->value);
	}
}

/* Appends the revision that the set had, dropping the oldest when the list gets too long. */
static void remember_revision(struct rollout *r, struct set *set, struct str former)
{
	struct str history = str_map_cget(&set->annotations, REVISION_HISTORY);
	struct str head, tail;
	while (history.len + former.len + 1 > HISTORY_MAX_CHARS) {
		bool has_more = str_cut(history, ',', &head, &tail);
		history = has_more ? tail : (struct str){};
	}
	if (history.len)
		former = arena_printf(r->p->arena, "%.*s,%.*s", STR_FMT(history), STR_FMT(former));
	set_annotate(r, set, REVISION_HISTORY, former);
}

static void set_revision(struct rollout *r, struct set *set, int64_t revision, bool exists)
{
	struct str former = str_map_cget(&set->annotations, REVISION);
	if (set->revision >= revision)
		return;
	set->revision = revision;
	set_annotate(r, set, REVISION, arena_printf(r->p->arena, "%lld", (long long)revision));
	if (exists && former.len)
		remember_revision(r, set, former);
}

void rollout_annotate_replicas(struct rollout *r, struct set *set)
{
	struct arena *a = r->p->arena;
	set_annotate(r, set, DESIRED_REPLICAS, arena_printf(a, "%d", r->replicas));
	set_annotate(r, set, MAX_REPLICAS, arena_printf(a, "%d", r->replicas + r->max_surge));
}

/* --- the new set --- */

static int64_t next_revision(const struct rollout *r)
{
	int64_t most = 0;
	for (size_t i = 0; i < r->count; i++)
		if (&r->sets[i] != r->new_set)
			most = MAX(most, r->sets[i].revision);
	return most + 1;
}

static void deployment_set_revision(struct rollout *r, const struct set *set)
{
	struct str text = str_map_cget(&set->annotations, REVISION);
	if (text.len)
		r->annotations = str_map_with(r->p->arena, &r->annotations, STR(REVISION), text);
}

static void condition_of_new_set(struct rollout *r, const char *reason, const char *what,
				 struct str name)
{
	if (rollout_has_deadline(r))
		status_set_condition(r, "Progressing", "True", reason,
				     arena_printf(r->p->arena, "%s \"%.*s\"", what, STR_FMT(name)));
}

static void refresh_new_set(struct rollout *r)
{
	struct set *set = r->new_set;
	copy_annotations(r, set);
	set_revision(r, set, next_revision(r), true);
	if (set->min_ready_seconds != r->d->spec.min_ready_seconds) {
		set->min_ready_seconds = r->d->spec.min_ready_seconds;
		set->is_changed = true;
	}
	deployment_set_revision(r, set);
	if (!status_condition(&r->status, "Progressing"))
		condition_of_new_set(r, "FoundNewReplicaSet", "Found new replica set",
				     set->o->name);
}

static const struct label_selector *selector_with_hash(struct rollout *r, struct str hash)
{
	struct label_selector *selector = ARENA_NEW(r->p->arena, struct label_selector);
	*selector = *r->d->spec.selector;
	selector->match_labels =
		str_map_with(r->p->arena, &selector->match_labels, STR(POD_TEMPLATE_HASH), hash);
	return selector;
}

static struct replica_set *new_set_view(struct rollout *r, struct str name, struct str hash)
{
	struct arena *a = r->p->arena;
	struct replica_set *rs = ARENA_NEW(a, struct replica_set);
	rs->spec.template = r->d->spec.template;
	rs->spec.template.metadata.labels =
		str_map_with(a, &r->d->spec.template.metadata.labels, STR(POD_TEMPLATE_HASH), hash);
	rs->spec.selector = selector_with_hash(r, hash);
	rs->spec.min_ready_seconds = r->d->spec.min_ready_seconds;
	rs->metadata.name = name;
	rs->metadata.namespace = r->o->namespace;
	rs->metadata.labels = rs->spec.template.metadata.labels;
	rs->metadata.owner_references = owner_controller(r->p, r->o);
	return rs;
}

static void plan_new_set(struct rollout *r, struct str name, struct str hash)
{
	struct plan *p = r->p;
	struct replica_set *rs = new_set_view(r, name, hash);
	struct set *set = &r->sets[r->count++];
	*set = (struct set){.rs = rs, .created_us = p->now_us};
	r->new_set = set;
	copy_annotations(r, set);
	set_revision(r, set, next_revision(r), false);
	rollout_annotate_replicas(r, set);
	set->replicas = rollout_new_size(r, set);
	set->is_changed = false;
	rs->spec.replicas = i32_new(p->arena, set->replicas);
	rs->metadata.annotations = set->annotations;
	plan_create(p, KIND_REPLICA_SET, r->o->namespace, rs);
	plan_event_when(p, PLAN_NOTE_FAILED, r->o, DEPLOYMENT_COMPONENT, "Warning",
			"ReplicaSetCreateError",
			"Failed to create new replica set \"%.*s\": ", STR_FMT(name));
	if (set->replicas > 0)
		plan_event_when(p, PLAN_NOTE_DONE, r->o, DEPLOYMENT_COMPONENT, "Normal",
				"ScalingReplicaSet", "Scaled up replica set %.*s from 0 to %d",
				STR_FMT(name), set->replicas);
	deployment_set_revision(r, set);
}

static void create_new_set(struct rollout *r)
{
	struct plan *p = r->p;
	struct str hash = template_hash(p->arena, cache_api(p->cache), &r->d->spec.template,
					r->status.collision_count);
	struct str name = arena_printf(p->arena, "%.*s-%.*s", STR_FMT(r->o->name), STR_FMT(hash));
	if (cache_get(p->cache, KIND_REPLICA_SET, r->o->namespace, name)) {
		/* Somebody else's, or another template with the same hash. */
		r->status.collision_count =
			i32_new(p->arena, i32_or(r->status.collision_count, 0) + 1);
		r->has_conflict = true;
		return;
	}
	plan_new_set(r, name, hash);
	if (p->last_error.len && rollout_has_deadline(r))
		status_set_condition(r, "Progressing", "False", "ReplicaSetCreateError",
				     arena_printf(p->arena,
						  "Failed to create new replica set \"%.*s\": %.*s",
						  STR_FMT(name), STR_FMT(p->last_error)));
	else
		condition_of_new_set(r, "NewReplicaSetCreated", "Created new replica set", name);
}

void rollout_need_new_set(struct rollout *r, bool may_create)
{
	if (r->new_set && r->new_set->o)
		refresh_new_set(r);
	else if (!r->new_set && may_create)
		create_new_set(r);
}

/* --- writing --- */

static struct json *set_patch(struct rollout *r, const struct set *set)
{
	struct arena *a = r->p->arena;
	struct json *patch = json_object(a);
	struct json *meta = json_need_object(a, patch, STR("metadata"));
	if (set->rs->metadata.resource_version.len)
		json_set_str(a, meta, STR("resourceVersion"), set->rs->metadata.resource_version);
	struct json *annotations = json_need_object(a, meta, STR("annotations"));
	for (uint32_t i = 0; i < set->annotations.count; i++)
		json_set_str(a, annotations, set->annotations.at[i].key,
			     set->annotations.at[i].value);
	struct json *spec = json_need_object(a, patch, STR("spec"));
	json_set(a, spec, STR("replicas"), json_int(a, set->replicas));
	json_set(a, spec, STR("minReadySeconds"), json_int(a, set->min_ready_seconds));
	return patch;
}

void rollout_write_sets(struct rollout *r)
{
	for (size_t i = 0; i < r->count; i++) {
		struct set *set = &r->sets[i];
		if (!set->o || set->is_deleted)
			continue;
		int32_t former = i32_or(set->rs->spec.replicas, 1);
		if (!set->is_changed && former == set->replicas)
			continue;
		if (former != set->replicas)
			rollout_annotate_replicas(r, set);
		plan_patch(r->p, KIND_REPLICA_SET, r->o->namespace, set->o->name, (struct str){},
			   set_patch(r, set));
		if (former == set->replicas)
			continue;
		plan_event_when(r->p, PLAN_NOTE_DONE, r->o, DEPLOYMENT_COMPONENT, "Normal",
				"ScalingReplicaSet", "Scaled %s replica set %.*s from %d to %d",
				former < set->replicas ? "up" : "down", STR_FMT(set->o->name),
				former, set->replicas);
	}
}

static int by_revision(const void *a, const void *b)
{
	const struct set *left = *(struct set *const *)a, *right = *(struct set *const *)b;
	if (left->revision != right->revision)
		return left->revision < right->revision ? -1 : 1;
	return oldest_first(left, right);
}

static bool is_idle(const struct set *set)
{
	return set->replicas == 0 && i32_or(set->rs->spec.replicas, 1) == 0 &&
	       set->rs->status.replicas == 0 &&
	       set->rs->metadata.generation <= set->rs->status.observed_generation;
}

void rollout_clean_up(struct rollout *r)
{
	int32_t limit = i32_or(r->d->spec.revision_history_limit, INT32_MAX);
	struct set **old = ARENA_ARRAY(r->p->arena, struct set *, r->count);
	size_t count = 0;
	for (size_t i = 0; i < r->count; i++)
		if (&r->sets[i] != r->new_set && r->sets[i].o && !r->sets[i].o->is_deleting)
			old[count++] = &r->sets[i];
	if (limit == INT32_MAX || count <= (size_t)MAX(limit, 0))
		return;
	qsort(old, count, sizeof(struct set *), by_revision);
	for (size_t i = 0; i < count - (size_t)MAX(limit, 0); i++) {
		if (!is_idle(old[i]))
			continue;
		plan_delete(r->p, KIND_REPLICA_SET, old[i]->o, (struct str){});
		old[i]->is_deleted = true;
	}
}
