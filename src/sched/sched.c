#include "sched/sched-int.h"

#define SLICE_MS     2
#define BINDS_MAX    1024   /* on their way at once */
#define FORGOTTEN_MS 300000 /* the unschedulable are tried again at least this often */

static const uint16_t kinds[] = {
	KIND_POD,
	KIND_NODE,
	KIND_NAMESPACE,
	KIND_SERVICE,
	KIND_REPLICA_SET,
	KIND_STATEFUL_SET,
	KIND_REPLICATION_CONTROLLER,
	KIND_PERSISTENT_VOLUME_CLAIM,
	KIND_PERSISTENT_VOLUME,
	KIND_STORAGE_CLASS,
	KIND_POD_DISRUPTION_BUDGET,
};
_Static_assert(ARRAY_LEN(kinds) == SCHED_KINDS, "SCHED_KINDS");

size_t sched_kinds(uint16_t ret_kinds[SCHED_KINDS])
{
	memcpy(ret_kinds, kinds, sizeof(kinds));
	return ARRAY_LEN(kinds);
}

static void sched_wake(struct sched *s)
{
	if (s->is_started)
		loop_defer(s->client->loop, &s->turn);
}

/* --- the answers to binds --- */

static void bind_failed(struct sched *s, const struct object *pod, const struct err *err)
{
	struct str uid = pod->uid;
	const struct pod_info *info = cluster_pod(&s->cluster, uid);
	if (info && info->is_assumed)
		cluster_pod_drop(&s->cluster, uid);
	struct waiting *w = queue_find(&s->queue, uid);
	if (!w || w->state != WAITING_BINDING)
		return;
	if (err->rc == RC_NOT_FOUND) {
		queue_drop(&s->queue, uid);
		return;
	}
	s->failed++;
	sched_record(s, pod, "Warning", "FailedScheduling", "Scheduling", str_of(err->text));
	queue_put_back(&s->queue, w, false, world_mono_ms());
	sched_wake(s);
}

static void bind_answered(struct sched *s, struct object *pod, const char *node_name,
			  const struct err *err)
{
	CLEANUP_ARENA a = {};
	s->binds--;
	if (err) {
		bind_failed(s, pod, err);
	} else {
		s->scheduled++;
		sched_record(s, pod, "Normal", "Scheduled", "Binding",
			     arena_printf(&a, "Successfully assigned %.*s/%.*s to %s",
					  STR_FMT(pod->namespace), STR_FMT(pod->name), node_name));
	}
	sched_wake(s);
}

/* --- preemption --- */

/* Sends the victims away; the pod keeps the place until they are gone.  Takes over info then. */
static bool preempt(struct sched *s, struct arena *a, struct pod_info *info,
		    const struct decision *d)
{
	struct preemption found;
	if (!preempt_find(a, &s->cluster, info, d, &found))
		return false;
	struct str node_name = arena_str(a, s->cluster.nodes[found.node]->name);
	struct object **victims = ARENA_ARRAY(a, struct object *, found.count);
	/* What follows may change the cluster under our hands. */
	for (uint32_t i = 0; i < found.count; i++) {
		struct pod_info *victim = found.victims[i];
		victims[i] = victim->is_nominated ? NULL : object_ref(victim->object);
		/* One that only kept a place just loses it. */
		if (victim->is_nominated)
			cluster_pod_drop(&s->cluster, victim->object->uid);
	}
	info->is_nominated = true;
	CLEANUP(object_unref_p) struct object *pod = object_ref(info->object);
	cluster_assume(&s->cluster, info, found.node);
	sched_nominate(s, pod, node_name);
	for (uint32_t i = 0; i < found.count; i++) {
		if (victims[i])
			sched_evict(s, victims[i], pod, node_name);
		object_unref(victims[i]);
	}
	return true;
}

/* --- one pod --- */

static void refuse(struct sched *s, struct waiting *w, struct arena *a, const struct decision *d,
		   struct pod_info *own_info)
{
	CLEANUP(object_unref_p) struct object *pod = object_ref(w->pod);
	const char *not_eligible = preempt_not_eligible(&s->cluster, own_info);
	struct str nominated = own_info->pod->status.nominated_node_name;
	uint32_t kept = not_eligible ? cluster_node_find(&s->cluster, nominated) : NODE_NONE;
	s->failed++;
	queue_put_back(&s->queue, w, true, world_mono_ms());
	bool has_victims = !not_eligible && preempt(s, a, own_info, d);
	struct str message = decision_message(a, d, not_eligible, has_victims);
	if (!has_victims && kept != NODE_NONE) {
		own_info->is_nominated = true;
		cluster_assume(&s->cluster, own_info, kept);
	} else if (!has_victims) {
		pod_info_free(own_info);
	}
	sched_record(s, pod, "Warning", "FailedScheduling", "Scheduling", message);
	sched_set_condition(s, pod, "Unschedulable", message);
}

/* A place it keeps is free for itself. */
static void forget_nomination(struct sched *s, struct str uid)
{
	const struct pod_info *info = cluster_pod(&s->cluster, uid);
	if (info && info->is_nominated)
		cluster_pod_drop(&s->cluster, uid);
}

static void schedule(struct sched *s, struct waiting *w)
{
	CLEANUP_ARENA a = {};
	forget_nomination(s, w->pod->uid);
	struct pod_info *info = pod_info_new(&s->cluster.resources, w->pod);
	if (s->start >= s->cluster.node_count)
		s->start = 0;
	struct decision d = decide(&a, &s->cluster, info, s->start, s->turns++);
	s->start = d.next_start;
	if (d.node == NODE_NONE) {
		refuse(s, w, &a, &d, info);
		return;
	}
	struct str node_name = arena_str(&a, s->cluster.nodes[d.node]->name);
	CLEANUP(object_unref_p) struct object *pod = object_ref(w->pod);
	cluster_assume(&s->cluster, info, d.node);
	s->binds++;
	sched_bind(s, pod, node_name, bind_answered);
}

static void flush_later(struct sched *s);

static void backoff_over(struct loop_timer *timer)
{
	sched_wake(CONTAINER_OF(timer, struct sched, backoff));
}

static void forgotten_over(struct loop_timer *timer)
{
	struct sched *s = CONTAINER_OF(timer, struct sched, forgotten);
	queue_wake(&s->queue, false, world_mono_ms());
	sched_wake(s);
}

static void flush_later(struct sched *s)
{
	int64_t now_ms = world_mono_ms(), due_ms = queue_flush(&s->queue, now_ms);
	if (due_ms)
		loop_timer_start(s->client->loop, &s->backoff, due_ms - now_ms, backoff_over);
	if (s->queue.unschedulable_count && !s->forgotten.loop)
		loop_timer_start(s->client->loop, &s->forgotten, FORGOTTEN_MS, forgotten_over);
}

static void turn_on(struct loop_msg *msg)
{
	struct sched *s = CONTAINER_OF(msg, struct sched, turn);
	int64_t end_ms = world_mono_ms() + SLICE_MS;
	struct waiting *w;
	flush_later(s);
	while (s->binds < BINDS_MAX && (w = queue_take(&s->queue))) {
		schedule(s, w);
		if (world_mono_ms() >= end_ms) {
			sched_wake(s);
			return;
		}
	}
	flush_later(s);
}

/* --- events --- */

static bool is_ended(const struct pod *pod)
{
	return str_is(pod->status.phase, "Succeeded") || str_is(pod->status.phase, "Failed");
}

static void pod_gone(struct sched *s, const struct object *pod)
{
	queue_drop(&s->queue, pod->uid);
	if (!cluster_pod(&s->cluster, pod->uid))
		return;
	cluster_pod_drop(&s->cluster, pod->uid);
	queue_wake(&s->queue, false, world_mono_ms());
}

static void pod_assigned(struct sched *s, struct object *pod)
{
	const struct pod_info *info = cluster_pod(&s->cluster, pod->uid);
	bool is_news = !info || info->is_assumed;
	queue_drop(&s->queue, pod->uid);
	cluster_pod_put(&s->cluster, pod);
	if (is_news)
		queue_wake(&s->queue, true, world_mono_ms());
}

static void pod_pending(struct sched *s, struct object *pod)
{
	const struct pod *view = object_view(pod);
	if (!str_is(view->spec.scheduler_name, s->name) || pod->is_deleting) {
		queue_drop(&s->queue, pod->uid);
	} else if (view->spec.scheduling_gates.count) {
		queue_drop(&s->queue, pod->uid);
		sched_set_condition(s, pod, "SchedulingGated",
				    STR("Scheduling is blocked due to non-empty scheduling gates"));
	} else if (s->queue.entries.count < SCHED_MAX_PODS) {
		queue_put(&s->queue, pod);
	}
}

static void pod_changed(struct sched *s, struct object *old, struct object *new)
{
	if (old && (!new || !str_eq(old->uid, new->uid)))
		pod_gone(s, old);
	if (!new)
		return;
	const struct pod *pod = object_view(new);
	if (is_ended(pod))
		pod_gone(s, new);
	else if (pod->spec.node_name.len)
		pod_assigned(s, new);
	else
		pod_pending(s, new);
}

static void node_changed(struct sched *s, struct object *old, struct object *new)
{
	bool may_help = true;
	if (new)
		may_help = cluster_node_put(&s->cluster, new);
	else if (old)
		cluster_node_drop(&s->cluster, old->name);
	if (may_help)
		queue_wake(&s->queue, false, world_mono_ms());
}

static void changed(struct cache_listener *l, uint16_t kind, struct object *old, struct object *new)
{
	struct sched *s = CONTAINER_OF(l, struct sched, listener);
	if (kind == KIND_POD)
		pod_changed(s, old, new);
	else if (kind == KIND_NODE)
		node_changed(s, old, new);
	else if (kind == KIND_PERSISTENT_VOLUME_CLAIM || kind == KIND_PERSISTENT_VOLUME ||
		 kind == KIND_STORAGE_CLASS)
		queue_wake(&s->queue, false, world_mono_ms());
	else
		return;
	sched_wake(s);
}

/* --- construction --- */

static void start(void *ctx)
{
	struct sched *s = ctx;
	s->is_started = true;
	sched_wake(s);
}

static void take_existing(struct sched *s)
{
	struct object *o;
	for (struct cache_iter it = cache_iterate(s->cache, KIND_NODE, STR(""));
	     (o = cache_next(&it));)
		node_changed(s, NULL, o);
	for (struct cache_iter it = cache_iterate(s->cache, KIND_POD, STR(""));
	     (o = cache_next(&it));)
		pod_changed(s, NULL, o);
}

struct sched *sched_new(struct client *client, struct cache *cache,
			const struct sched_settings *settings)
{
	struct sched *s = NEW(struct sched);
	s->client = client;
	if (!cache)
		cache = s->own_cache = cache_new(client, kinds, ARRAY_LEN(kinds), NULL);
	s->cache = cache;
	s->name = settings && settings->name ? settings->name : SCHED_COMPONENT;
	s->listener.on_event = changed;
	s->turn.fn = turn_on;
	s->events = event_recorder_new();
	list_init(&s->asked);
	cluster_init(&s->cluster, cache);
	queue_init(&s->queue);
	take_existing(s);
	cache_listen(cache, &s->listener);
	cache_when_synced(cache, start, s);
	return s;
}

void sched_free(struct sched *s)
{
	if (!s)
		return;
	cache_forget_waiter(s->cache, s);
	cache_unlisten(s->cache, &s->listener);
	loop_defer_cancel(&s->turn);
	loop_timer_stop(&s->backoff);
	loop_timer_stop(&s->forgotten);
	sched_let_go(s);
	queue_done(&s->queue);
	cluster_done(&s->cluster);
	event_recorder_free(s->events);
	cache_free(s->own_cache);
	free(s);
}

void sched_stats(const struct sched *s, struct sched_stats *ret_stats)
{
	*ret_stats = (struct sched_stats){.active = s->queue.active.count,
					  .backoff = s->queue.backoff.count,
					  .unschedulable = s->queue.unschedulable_count,
					  .binding = s->queue.binding_count,
					  .scheduled = s->scheduled,
					  .failed = s->failed};
}

bool sched_is_idle(const struct sched *s)
{
	return !s->queue.active.count && !s->queue.backoff.count && !s->queue.binding_count;
}
