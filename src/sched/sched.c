#include "sched/sched.h"

#include "api/api_ids.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "sched/preempt.h"
#include "sched/queue.h"
#include "sync/events.h"

#define SLICE_MS     2
#define BINDS_MAX    1024   /* on their way at once */
#define FORGOTTEN_MS 300000 /* the unschedulable are tried again at least this often */
#define COMPONENT    "default-scheduler"

struct sched {
	struct client *client;
	struct cache *cache, *own_cache;
	const char *name;
	struct cache_listener listener;
	struct cluster cluster;
	struct queue queue;
	struct event_recorder *events;
	struct loop_msg turn;
	struct loop_timer backoff, forgotten;
	uint32_t start, turns;
	uint64_t scheduled, failed;
	uint32_t binds;
	struct list asked; /* requests on their way */
	bool is_started;
};

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

/* --- requests --- */

/* A bind or a condition on its way; s is NULL when the scheduler is gone. */
struct asked {
	struct list link;
	struct sched *s;
	struct object *pod;
	char *node_name;
};

static struct asked *asked_new(struct sched *s, struct object *pod)
{
	struct asked *asked = NEW(struct asked);
	asked->s = s;
	asked->pod = object_ref(pod);
	list_append(&s->asked, &asked->link);
	return asked;
}

static void asked_free(struct asked *asked)
{
	list_remove(&asked->link);
	object_unref(asked->pod);
	free(asked->node_name);
	free(asked);
}

/* --- telling --- */

static void record(struct sched *s, const struct object *pod, const char *type, const char *reason,
		   const char *action, struct str message)
{
	struct event_note note = {.component = STR(COMPONENT),
				  .type = str_of(type),
				  .reason = str_of(reason),
				  .action = str_of(action),
				  .message = message};
	event_note_about(&note, pod);
	event_record(s->events, s->client, &note);
}

static bool has_condition(const struct object *o, const char *reason, struct str message)
{
	const struct pod_condition_array *all =
		&((const struct pod *)object_view(o))->status.conditions;
	for (uint32_t i = 0; i < all->count; i++)
		if (str_is(all->at[i].type, "PodScheduled"))
			return str_is(all->at[i].status, "False") &&
			       str_is(all->at[i].reason, reason) &&
			       str_eq(all->at[i].message, message);
	return false;
}

static void condition_answered(void *ctx, const struct client_reply *reply)
{
	struct asked *asked = ctx;
	if (reply->rc != RC_OK && reply->rc != RC_NOT_FOUND)
		log_debug("sched", "condition of %.*s/%.*s not written: %s",
			  STR_FMT(asked->pod->namespace), STR_FMT(asked->pod->name),
			  reply->err.text);
	asked_free(asked);
}

static struct json *condition_patch(struct arena *a, const struct object *pod, const char *reason,
				    struct str message)
{
	char now[TIME_TEXT_MAX];
	size_t len = time_format(world_wall_us(), now);
	struct json *patch = json_object(a), *list = json_array(a), *c = json_object(a);
	struct json *status = json_need_object(a, patch, STR("status"));
	json_set_str(a, c, STR("type"), STR("PodScheduled"));
	if (pod->generation > 0)
		json_set(a, c, STR("observedGeneration"), json_int(a, pod->generation));
	json_set_str(a, c, STR("status"), STR("False"));
	json_set(a, c, STR("lastProbeTime"), json_null(a));
	json_set_str(a, c, STR("lastTransitionTime"), arena_str(a, str_n(now, len)));
	json_set_str(a, c, STR("reason"), str_of(reason));
	json_set_str(a, c, STR("message"), message);
	json_append(a, list, c);
	json_set(a, status, STR("conditions"), list);
	return patch;
}

static void set_condition(struct sched *s, struct object *pod, const char *reason,
			  struct str message)
{
	if (has_condition(pod, reason, message))
		return;
	CLEANUP_ARENA a = {};
	struct client_request request = {.verb = CLIENT_PATCH_STRATEGIC,
					 .kind = pod->kind,
					 .namespace = pod->namespace,
					 .name = pod->name,
					 .subresource = STR("status"),
					 .body = condition_patch(&a, pod, reason, message),
					 .field_manager = STR("kube-scheduler"),
					 .grace_period_s = -1};
	s->client->ops->submit(s->client, &request, condition_answered, asked_new(s, pod));
}

/* --- binding --- */

static void bind_failed(struct sched *s, const struct asked *asked, const struct err *err)
{
	struct str uid = asked->pod->uid;
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
	record(s, asked->pod, "Warning", "FailedScheduling", "Scheduling", str_of(err->text));
	queue_put_back(&s->queue, w, false, world_mono_ms());
	sched_wake(s);
}

static void bind_answered(void *ctx, const struct client_reply *reply)
{
	struct asked *asked = ctx;
	struct sched *s = asked->s;
	if (s)
		s->binds--;
	if (s && reply->rc == RC_OK) {
		CLEANUP_ARENA a = {};
		s->scheduled++;
		record(s, asked->pod, "Normal", "Scheduled", "Binding",
		       arena_printf(&a, "Successfully assigned %.*s/%.*s to %s",
				    STR_FMT(asked->pod->namespace), STR_FMT(asked->pod->name),
				    asked->node_name));
	} else if (s) {
		bind_failed(s, asked, &reply->err);
	}
	asked_free(asked);
	if (s)
		sched_wake(s);
}

static void bind(struct sched *s, struct object *pod, struct str node_name)
{
	CLEANUP_ARENA a = {};
	struct json *binding = json_object(&a);
	json_set_str(&a, binding, STR("kind"), STR("Binding"));
	json_set_str(&a, binding, STR("apiVersion"), STR("v1"));
	struct json *meta = json_need_object(&a, binding, STR("metadata"));
	json_set_str(&a, meta, STR("name"), pod->name);
	json_set_str(&a, meta, STR("namespace"), pod->namespace);
	json_set_str(&a, meta, STR("uid"), pod->uid);
	struct json *target = json_need_object(&a, binding, STR("target"));
	json_set_str(&a, target, STR("kind"), STR("Node"));
	json_set_str(&a, target, STR("name"), node_name);
	struct client_request request = {.verb = CLIENT_CREATE,
					 .kind = pod->kind,
					 .namespace = pod->namespace,
					 .name = pod->name,
					 .subresource = STR("binding"),
					 .body = binding,
					 .field_manager = STR("kube-scheduler"),
					 .grace_period_s = -1};
	struct asked *asked = asked_new(s, pod);
	asked->node_name = mem_strndup(node_name.at, node_name.len);
	s->binds++;
	s->client->ops->submit(s->client, &request, bind_answered, asked);
}

/* --- preemption --- */

static void patch_status(struct sched *s, struct object *pod, const struct json *patch)
{
	struct client_request request = {.verb = CLIENT_PATCH_STRATEGIC,
					 .kind = pod->kind,
					 .namespace = pod->namespace,
					 .name = pod->name,
					 .subresource = STR("status"),
					 .body = patch,
					 .field_manager = STR("kube-scheduler"),
					 .grace_period_s = -1};
	s->client->ops->submit(s->client, &request, condition_answered, asked_new(s, pod));
}

static void mark_victim(struct sched *s, struct object *victim)
{
	CLEANUP_ARENA a = {};
	char now[TIME_TEXT_MAX];
	size_t len = time_format(world_wall_us(), now);
	struct json *patch = json_object(&a), *list = json_array(&a), *c = json_object(&a);
	json_set_str(&a, c, STR("type"), STR("DisruptionTarget"));
	json_set_str(&a, c, STR("status"), STR("True"));
	json_set_str(&a, c, STR("lastTransitionTime"), str_n(now, len));
	json_set_str(&a, c, STR("reason"), STR("PreemptionByScheduler"));
	json_set_str(
		&a, c, STR("message"),
		arena_printf(&a, "%s: preempting to accommodate a higher priority pod", s->name));
	json_append(&a, list, c);
	json_set(&a, json_need_object(&a, patch, STR("status")), STR("conditions"), list);
	patch_status(s, victim, patch);
}

static void evict(struct sched *s, struct object *victim, const struct object *pod,
		  struct str node_name)
{
	CLEANUP_ARENA a = {};
	if (victim->is_deleting)
		return;
	mark_victim(s, victim);
	struct client_request request = {.verb = CLIENT_DELETE,
					 .kind = victim->kind,
					 .namespace = victim->namespace,
					 .name = victim->name,
					 .uid = victim->uid,
					 .grace_period_s = -1};
	s->client->ops->submit(s->client, &request, condition_answered, asked_new(s, victim));
	record(s, victim, "Normal", "Preempted", "Preempting",
	       arena_printf(&a, "Preempted by pod %.*s on node %.*s", STR_FMT(pod->uid),
			    STR_FMT(node_name)));
}

static void nominate(struct sched *s, struct object *pod, struct str node_name)
{
	CLEANUP_ARENA a = {};
	struct json *patch = json_object(&a);
	json_set_str(&a, json_need_object(&a, patch, STR("status")), STR("nominatedNodeName"),
		     node_name);
	patch_status(s, pod, patch);
}

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
	nominate(s, pod, node_name);
	for (uint32_t i = 0; i < found.count; i++) {
		if (victims[i])
			evict(s, victims[i], pod, node_name);
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
	record(s, pod, "Warning", "FailedScheduling", "Scheduling", message);
	set_condition(s, pod, "Unschedulable", message);
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
	bind(s, pod, node_name);
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
		set_condition(s, pod, "SchedulingGated",
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
	else
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
	s->name = settings && settings->name ? settings->name : COMPONENT;
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
	struct asked *asked;
	LIST_FOR_EACH (asked, &s->asked, link) {
		list_remove(&asked->link);
		asked->s = NULL;
	}
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
