#include "control/job-int.h"

#define BURST_PODS 500

static bool bit_is_set(const uint8_t *bits, int64_t i)
{
	return bits[i / 8] & (1u << (i % 8));
}

static void bit_set(uint8_t *bits, int64_t i)
{
	bits[i / 8] |= (uint8_t)(1u << (i % 8));
}

/* --- indexes --- */

static int64_t index_of(const struct job_sync *s, const struct pod *pod)
{
	int64_t index;
	struct str text = str_map_cget(&pod->metadata.annotations, JOB_INDEX);
	return str_to_i64(text, &index) && index >= 0 && index < s->completions ? index : -1;
}

static void read_indexes(struct job_sync *s)
{
	struct str rest = s->job->status.completed_indexes, part, first, last;
	s->done_indexes = ARENA_ARRAY(s->p->arena, uint8_t, (size_t)s->completions / 8 + 1);
	while (rest.len) {
		int64_t from, to;
		if (!str_cut(rest, ',', &part, &rest))
			rest = (struct str){};
		bool is_range = str_cut(part, '-', &first, &last);
		if (!str_to_i64(first, &from) || !str_to_i64(is_range ? last : first, &to))
			return;
		for (; from <= to && from < s->completions; from++)
			bit_set(s->done_indexes, from);
	}
}

struct str job_indexes_text(struct job_sync *s)
{
	struct str text = {};
	for (int64_t i = 0; i < s->completions; i++) {
		int64_t first = i;
		if (!bit_is_set(s->done_indexes, i))
			continue;
		while (i + 1 < s->completions && bit_is_set(s->done_indexes, i + 1))
			i++;
		const char *comma = text.len ? "," : "";
		text = first == i ? arena_printf(s->p->arena, "%.*s%s%lld", STR_FMT(text), comma,
						 (long long)i)
				  : arena_printf(s->p->arena, "%.*s%s%lld%s%lld", STR_FMT(text),
						 comma, (long long)first, i - first > 1 ? "-" : ",",
						 (long long)i);
	}
	return text;
}

/* --- sorting --- */

static bool is_in(const struct str_array *uids, struct str uid)
{
	return str_array_has(uids, uid);
}

static int64_t finished_us(const struct pod *pod)
{
	int64_t most_us = 0;
	for (uint32_t i = 0; i < pod->status.container_statuses.count; i++) {
		const struct container_state_terminated *t =
			pod->status.container_statuses.at[i].state.terminated;
		if (t)
			most_us = MAX(most_us, t->finished_at);
	}
	return most_us ? most_us : pod->metadata.creation_timestamp;
}

static void note_failure(struct job_sync *s, const struct pod *pod)
{
	s->recent_failures++;
	s->last_failure_us = MAX(s->last_failure_us, finished_us(pod));
}

static void sort_pod(struct job_sync *s, const struct object *o)
{
	const struct pod *pod = object_view(o);
	const struct uncounted_terminated_pods *known = s->job->status.uncounted_terminated_pods;
	bool is_tracked = str_array_has(&pod->metadata.finalizers, STR(JOB_TRACKING));
	bool has_succeeded = str_is(pod->status.phase, "Succeeded");
	bool has_failed = str_is(pod->status.phase, "Failed");
	/* One that is deleted before it ended counts as failed once it can not end any more. */
	if (o->is_deleting && !has_succeeded && !pod->spec.node_name.len)
		has_failed = true;
	bool is_known = known &&
			(is_in(&known->succeeded, o->uid) || is_in(&known->failed, o->uid));
	if (has_failed)
		note_failure(s, pod);
	if (!has_succeeded && !has_failed) {
		if (!o->is_deleting)
			LIST_ADD(s->p->arena, &s->active, o);
		return;
	}
	if (!is_tracked)
		return;
	if (is_known)
		LIST_ADD(s->p->arena, &s->to_release, o);
	else if (has_succeeded)
		LIST_ADD(s->p->arena, &s->uncounted_succeeded, o);
	else
		LIST_ADD(s->p->arena, &s->uncounted_failed, o);
}

/* Those whose finalizer is gone are counted; the others stay in the list. */
static struct str_array still_uncounted(struct job_sync *s, const struct str_array *uids,
					int32_t *counter)
{
	struct str *kept = ARENA_ARRAY(s->p->arena, struct str, uids->count);
	uint32_t count = 0;
	for (uint32_t i = 0; i < uids->count; i++) {
		bool is_tracked = false;
		for (size_t j = 0; j < s->to_release.count; j++)
			is_tracked |= str_eq(s->to_release.at[j]->uid, uids->at[i]);
		if (is_tracked)
			kept[count++] = uids->at[i];
		else
			++*counter;
	}
	return (struct str_array){kept, count};
}

static struct str_array with_new(struct job_sync *s, struct str_array uids,
				 const struct object_list *pods)
{
	struct str *all = ARENA_ARRAY(s->p->arena, struct str, uids.count + pods->count);
	if (uids.count)
		memcpy(all, uids.at, uids.count * sizeof(*all));
	for (size_t i = 0; i < pods->count; i++)
		all[uids.count + i] = pods->at[i]->uid;
	return (struct str_array){all, uids.count + (uint32_t)pods->count};
}

static void count_indexes(struct job_sync *s)
{
	s->succeeded = 0;
	for (size_t i = 0; i < s->uncounted_succeeded.count; i++) {
		int64_t index = index_of(s, object_view(s->uncounted_succeeded.at[i]));
		if (index >= 0)
			bit_set(s->done_indexes, index);
	}
	for (int64_t i = 0; i < s->completions; i++)
		s->succeeded += bit_is_set(s->done_indexes, i);
	s->status.completed_indexes = job_indexes_text(s);
	s->status.succeeded = s->succeeded;
}

void job_find_pods(struct job_sync *s)
{
	struct object_list pods = {};
	struct selector selector = selector_from_view(s->p->arena, s->job->spec.selector);
	claim_objects(s->p, s->o, KIND_POD, &selector, NULL, &pods);
	for (size_t i = 0; i < pods.count; i++)
		sort_pod(s, pods.at[i]);
	struct uncounted_terminated_pods *left =
		ARENA_NEW(s->p->arena, struct uncounted_terminated_pods);
	if (s->job->status.uncounted_terminated_pods)
		*left = *s->job->status.uncounted_terminated_pods;
	left->succeeded = still_uncounted(s, &left->succeeded, &s->status.succeeded);
	left->failed = still_uncounted(s, &left->failed, &s->status.failed);
	left->succeeded = with_new(s, left->succeeded, &s->uncounted_succeeded);
	left->failed = with_new(s, left->failed, &s->uncounted_failed);
	s->status.uncounted_terminated_pods = left;
	s->succeeded = s->status.succeeded + (int32_t)left->succeeded.count;
	s->failed = s->status.failed + (int32_t)left->failed.count;
	if (s->is_indexed) {
		read_indexes(s);
		count_indexes(s);
	}
}

/* --- acting --- */

void job_release_pods(struct job_sync *s)
{
	struct arena *a = s->p->arena;
	for (size_t i = 0; i < MIN(s->to_release.count, (size_t)BURST_PODS); i++) {
		const struct object *o = s->to_release.at[i];
		const struct str_array *finalizers = &object_meta(o)->finalizers;
		struct json *patch = json_object(a), *list = json_array(a);
		struct json *meta = json_need_object(a, patch, STR("metadata"));
		for (uint32_t j = 0; j < finalizers->count; j++)
			if (!str_is(finalizers->at[j], JOB_TRACKING))
				json_append(a, list, json_string(a, finalizers->at[j]));
		json_set_str(a, meta, STR("uid"), o->uid);
		json_set(a, meta, STR("finalizers"), json_count(list) ? list : json_null(a));
		plan_patch(s->p, KIND_POD, o->namespace, o->name, (struct str){}, patch);
	}
}

static struct pod job_pod(struct job_sync *s)
{
	struct arena *a = s->p->arena;
	struct pod pod = pod_from_template(s->p, s->o, &s->job->spec.template);
	struct str *finalizers = ARENA_ARRAY(a, struct str, pod.metadata.finalizers.count + 1);
	for (uint32_t i = 0; i < pod.metadata.finalizers.count; i++)
		finalizers[i] = pod.metadata.finalizers.at[i];
	finalizers[pod.metadata.finalizers.count] = STR(JOB_TRACKING);
	pod.metadata.finalizers = (struct str_array){finalizers, pod.metadata.finalizers.count + 1};
	return pod;
}

static struct container_array with_index_env(struct arena *a, const struct container_array *all)
{
	struct container *out = ARENA_ARRAY(a, struct container, all->count);
	for (uint32_t i = 0; i < all->count; i++) {
		struct object_field_selector *field = ARENA_NEW(a, struct object_field_selector);
		struct env_var_source *source = ARENA_NEW(a, struct env_var_source);
		struct env_var *env = ARENA_ARRAY(a, struct env_var, all->at[i].env.count + 1);
		out[i] = all->at[i];
		field->field_path = STR("metadata.labels['" JOB_INDEX "']");
		source->field_ref = field;
		if (out[i].env.count)
			memcpy(env, out[i].env.at, out[i].env.count * sizeof(*env));
		env[out[i].env.count] =
			(struct env_var){.name = STR("JOB_COMPLETION_INDEX"), .value_from = source};
		out[i].env.at = env;
		out[i].env.count++;
	}
	return (struct container_array){out, all->count};
}

static void set_index(struct job_sync *s, struct pod *pod, int64_t index)
{
	struct arena *a = s->p->arena;
	struct str text = arena_printf(a, "%lld", (long long)index);
	pod->metadata.annotations =
		str_map_with(a, &pod->metadata.annotations, STR(JOB_INDEX), text);
	pod->metadata.labels = str_map_with(a, &pod->metadata.labels, STR(JOB_INDEX), text);
	pod->metadata.generate_name =
		arena_printf(a, "%.*s-%.*s-", STR_FMT(s->o->name), STR_FMT(text));
	pod->spec.hostname = arena_printf(a, "%.*s-%.*s", STR_FMT(s->o->name), STR_FMT(text));
	pod->spec.containers = with_index_env(a, &pod->spec.containers);
	pod->spec.init_containers = with_index_env(a, &pod->spec.init_containers);
}

/* Indexes that are neither done nor being worked on. */
static int64_t next_index(struct job_sync *s, uint8_t *taken, int64_t from)
{
	while (from < s->completions &&
	       (bit_is_set(taken, from) || bit_is_set(s->done_indexes, from)))
		from++;
	return from < s->completions ? from : -1;
}

static void plan_pod(struct job_sync *s, const struct pod *pod)
{
	plan_create(s->p, KIND_POD, s->o->namespace, pod);
	plan_event_when(s->p, PLAN_NOTE_NAMED, s->o, JOB_COMPONENT, "Normal", "SuccessfulCreate",
			"Created pod: ");
	plan_event_when(s->p, PLAN_NOTE_FAILED, s->o, JOB_COMPONENT, "Warning", "FailedCreate",
			"Error creating: ");
}

void job_create_pods(struct job_sync *s, int32_t count)
{
	const struct pod pod = job_pod(s);
	uint8_t *taken = NULL;
	int64_t index = -1;
	if (s->is_indexed)
		taken = ARENA_ARRAY(s->p->arena, uint8_t, (size_t)s->completions / 8 + 1);
	for (size_t i = 0; s->is_indexed && i < s->active.count; i++) {
		int64_t busy = index_of(s, object_view(s->active.at[i]));
		if (busy >= 0)
			bit_set(taken, busy);
	}
	for (int32_t i = 0; i < MIN(count, BURST_PODS); i++) {
		struct pod one = pod;
		if (s->is_indexed) {
			index = next_index(s, taken, index + 1);
			if (index < 0)
				return;
			set_index(s, &one, index);
		}
		plan_pod(s, &one);
	}
}

void job_delete_pods(struct job_sync *s, int32_t count)
{
	struct ranked_pod *ranked = ARENA_ARRAY(s->p->arena, struct ranked_pod, s->active.count);
	for (size_t i = 0; i < s->active.count; i++)
		ranked[i] = (struct ranked_pod){.object = s->active.at[i],
						.pod = object_view(s->active.at[i]),
						.now_us = s->p->now_us};
	pods_rank(ranked, s->active.count);
	for (int32_t i = 0; i < MIN(count, BURST_PODS) && (size_t)i < s->active.count; i++) {
		plan_delete(s->p, KIND_POD, ranked[i].object, (struct str){});
		plan_event_when(s->p, PLAN_NOTE_NAMED, s->o, JOB_COMPONENT, "Normal",
				"SuccessfulDelete", "Deleted pod: ");
	}
}
