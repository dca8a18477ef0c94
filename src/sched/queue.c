#include "sched/queue.h"

#include "api/views.h"
#include "base/err.h"
#include "base/mem.h"

static int64_t backoff_end(const struct waiting *w)
{
	if (w->attempts == 0)
		return 0;
	int64_t delay_ms = BACKOFF_MOST_MS;
	if (w->attempts < 5)
		delay_ms = MIN((int64_t)BACKOFF_FIRST_MS << (w->attempts - 1), BACKOFF_MOST_MS);
	return w->tried_ms + delay_ms;
}

static bool is_before_active(const struct heap_node *a, const struct heap_node *b)
{
	const struct waiting *left = CONTAINER_OF(a, struct waiting, heap);
	const struct waiting *right = CONTAINER_OF(b, struct waiting, heap);
	if (left->priority != right->priority)
		return left->priority > right->priority;
	return left->sequence < right->sequence;
}

static bool is_before_backoff(const struct heap_node *a, const struct heap_node *b)
{
	const struct waiting *left = CONTAINER_OF(a, struct waiting, heap);
	const struct waiting *right = CONTAINER_OF(b, struct waiting, heap);
	int64_t left_ms = backoff_end(left), right_ms = backoff_end(right);
	return left_ms != right_ms ? left_ms < right_ms : left->sequence < right->sequence;
}

void queue_init(struct queue *q)
{
	*q = (struct queue){.active = {.is_before = is_before_active},
			    .backoff = {.is_before = is_before_backoff}};
	list_init(&q->unschedulable);
}

static void leave(struct queue *q, struct waiting *w)
{
	if (w->state == WAITING_ACTIVE)
		heap_remove(&q->active, &w->heap);
	if (w->state == WAITING_BACKOFF)
		heap_remove(&q->backoff, &w->heap);
	if (w->state == WAITING_UNSCHEDULABLE) {
		list_remove(&w->link);
		q->unschedulable_count--;
	}
	q->binding_count -= w->state == WAITING_BINDING;
	w->state = WAITING_NEW;
}

static void enter(struct queue *q, struct waiting *w, enum waiting_state state)
{
	ASSERT(w->state == WAITING_NEW);
	w->state = state;
	if (state == WAITING_ACTIVE)
		heap_add(&q->active, &w->heap);
	if (state == WAITING_BACKOFF)
		heap_add(&q->backoff, &w->heap);
	if (state == WAITING_UNSCHEDULABLE) {
		list_append(&q->unschedulable, &w->link);
		q->unschedulable_count++;
	}
	q->binding_count += state == WAITING_BINDING;
}

static void waiting_free(struct waiting *w)
{
	object_unref(w->pod);
	free(w);
}

void queue_done(struct queue *q)
{
	for (struct map_entry *e = map_next(&q->entries, NULL); e; e = map_next(&q->entries, e))
		waiting_free(e->value);
	map_done(&q->entries);
	heap_done(&q->active);
	heap_done(&q->backoff);
}

struct waiting *queue_find(const struct queue *q, struct str uid)
{
	return map_get(&q->entries, uid);
}

static void take_pod(struct waiting *w, struct object *pod)
{
	const struct pod_spec *spec = &((const struct pod *)object_view(pod))->spec;
	struct object *former = w->pod;
	w->pod = object_ref(pod);
	w->priority = spec->priority ? *spec->priority : 0;
	w->asks_pods = spec->topology_spread_constraints.count ||
		       (spec->affinity &&
			(spec->affinity->pod_affinity || spec->affinity->pod_anti_affinity));
	object_unref(former);
}

static bool is_same_wish(const struct object *a, const struct object *b)
{
	const struct pod *left = object_view(a), *right = object_view(b);
	if (a->generation != b->generation || a->label_count != b->label_count ||
	    left->spec.scheduling_gates.count != right->spec.scheduling_gates.count)
		return false;
	for (uint16_t i = 0; i < a->label_count; i++)
		if (!str_eq(object_label(b, a->labels[i].key), a->labels[i].value))
			return false;
	return true;
}

void queue_put(struct queue *q, struct object *pod)
{
	struct waiting *w = queue_find(q, pod->uid);
	if (!w) {
		w = NEW(struct waiting);
		w->sequence = ++q->sequence;
		take_pod(w, pod);
		map_set(&q->entries, pod->uid, w);
		enter(q, w, WAITING_ACTIVE);
		return;
	}
	bool is_same = is_same_wish(w->pod, pod);
	enum waiting_state state = w->state;
	leave(q, w);
	take_pod(w, pod);
	enter(q, w, state == WAITING_UNSCHEDULABLE && !is_same ? WAITING_ACTIVE : state);
}

void queue_drop(struct queue *q, struct str uid)
{
	struct waiting *w = map_remove(&q->entries, uid);
	if (!w)
		return;
	leave(q, w);
	waiting_free(w);
}

struct waiting *queue_take(struct queue *q)
{
	struct heap_node *first = heap_peek(&q->active);
	if (!first)
		return NULL;
	struct waiting *w = CONTAINER_OF(first, struct waiting, heap);
	leave(q, w);
	enter(q, w, WAITING_BINDING);
	return w;
}

void queue_put_back(struct queue *q, struct waiting *w, bool is_unschedulable, int64_t now_ms)
{
	leave(q, w);
	w->attempts++;
	w->tried_ms = now_ms;
	enter(q, w, is_unschedulable ? WAITING_UNSCHEDULABLE : WAITING_BACKOFF);
}

void queue_wake(struct queue *q, bool only_asking, int64_t now_ms)
{
	struct waiting *w;
	LIST_FOR_EACH (w, &q->unschedulable, link) {
		if (only_asking && !w->asks_pods)
			continue;
		leave(q, w);
		enter(q, w, backoff_end(w) > now_ms ? WAITING_BACKOFF : WAITING_ACTIVE);
	}
}

int64_t queue_flush(struct queue *q, int64_t now_ms)
{
	struct heap_node *first;
	while ((first = heap_peek(&q->backoff))) {
		struct waiting *w = CONTAINER_OF(first, struct waiting, heap);
		if (backoff_end(w) > now_ms)
			return backoff_end(w);
		leave(q, w);
		enter(q, w, WAITING_ACTIVE);
	}
	return 0;
}
