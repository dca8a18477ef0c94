#include "sync/workqueue.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

#define BACKOFF_FIRST_MS 5
#define BACKOFF_MOST_MS	 1000000

struct workqueue {
	struct loop *loop;
	const char *name;
	size_t max_keys;
	void (*on_ready)(void *ctx);
	void *ctx;
	struct map keys; /* "namespace/name" -> struct work_key */
	struct list ready;
	size_t waiting;
};

struct workqueue *workqueue_new(struct loop *loop, const char *name, size_t max_keys,
				void (*on_ready)(void *ctx), void *ctx)
{
	struct workqueue *q = NEW(struct workqueue);
	*q = (struct workqueue){
		.loop = loop, .name = name, .max_keys = max_keys, .on_ready = on_ready, .ctx = ctx};
	list_init(&q->ready);
	return q;
}

static void key_free(struct work_key *key)
{
	loop_timer_stop(&key->timer);
	free((char *)key->last_error.at);
	free(key->text);
	free(key);
}

void workqueue_free(struct workqueue *q)
{
	if (!q)
		return;
	for (struct map_entry *e = map_next(&q->keys, NULL); e; e = map_next(&q->keys, e))
		key_free(e->value);
	map_done(&q->keys);
	free(q);
}

static struct work_key *key_need(struct workqueue *q, struct str namespace, struct str name)
{
	char *text = mem_printf("%.*s/%.*s", STR_FMT(namespace), STR_FMT(name));
	struct work_key *key = map_get(&q->keys, str_of(text));
	if (key || q->keys.count >= q->max_keys) {
		if (!key)
			log_warn("sync", "queue '%s' is full with %zu keys, dropped '%s'", q->name,
				 q->max_keys, text);
		free(text);
		return key;
	}
	key = NEW(struct work_key);
	key->text = text;
	key->queue = q;
	key->namespace = str_n(text, namespace.len);
	key->name = str_of(text + namespace.len + 1);
	map_set(&q->keys, str_of(text), key);
	return key;
}

static void key_enqueue(struct work_key *key)
{
	struct workqueue *q = key->queue;
	if (key->is_running)
		key->is_dirty = true;
	if (key->is_running || key->is_queued)
		return;
	key->is_queued = true;
	list_append(&q->ready, &key->link);
	q->waiting++;
	if (q->waiting == 1)
		q->on_ready(q->ctx);
}

static void key_is_due(struct loop_timer *timer)
{
	key_enqueue(CONTAINER_OF(timer, struct work_key, timer));
}

void workqueue_add(struct workqueue *q, struct str namespace, struct str name)
{
	struct work_key *key = key_need(q, namespace, name);
	if (key)
		key_enqueue(key);
}

void workqueue_add_after(struct workqueue *q, struct str namespace, struct str name,
			 int64_t delay_ms)
{
	struct work_key *key = key_need(q, namespace, name);
	if (!key)
		return;
	bool is_sooner = !key->timer.loop || key->timer.due_ms > world_mono_ms() + delay_ms;
	if (is_sooner)
		loop_timer_start(q->loop, &key->timer, delay_ms, key_is_due);
}

struct work_key *workqueue_take(struct workqueue *q)
{
	struct work_key *key = LIST_FIRST(&q->ready, struct work_key, link);
	if (!key)
		return NULL;
	list_remove(&key->link);
	q->waiting--;
	key->is_queued = false;
	key->is_running = true;
	/* What a timer waited for is about to happen. */
	loop_timer_stop(&key->timer);
	return key;
}

/* Runs it again when something came in meanwhile, forgets it when nothing waits for it. */
static void key_settle(struct work_key *key)
{
	ASSERT(key->is_running);
	key->is_running = false;
	if (key->is_dirty) {
		key->is_dirty = false;
		key_enqueue(key);
	} else if (!key->timer.loop) {
		map_remove(&key->queue->keys, str_of(key->text));
		key_free(key);
	}
}

static void key_set_error(struct work_key *key, const char *why)
{
	free((char *)key->last_error.at);
	key->last_error = str_of(why ? mem_strdup(why) : NULL);
}

void workqueue_done(struct work_key *own_key)
{
	own_key->failures = 0;
	key_set_error(own_key, NULL);
	key_settle(own_key);
}

void workqueue_retry(struct work_key *own_key, const char *why)
{
	int64_t delay_ms = BACKOFF_MOST_MS;
	if (own_key->failures < 18)
		delay_ms = MIN((int64_t)BACKOFF_FIRST_MS << own_key->failures, BACKOFF_MOST_MS);
	own_key->failures++;
	key_set_error(own_key, why);
	loop_timer_start(own_key->queue->loop, &own_key->timer, delay_ms, key_is_due);
	key_settle(own_key);
}

size_t workqueue_waiting(const struct workqueue *q)
{
	return q->waiting;
}
