#include "sync/reconcile.h"

#include "base/log.h"
#include "base/mem.h"
#include "sync/workqueue.h"

#define BATCH_FIRST	4u
#define BATCH_MOST	256u
#define SLICE_MS	2
#define OWN_WRITES_MS	5000 /* how long a key waits to see what it wrote */
#define REVISIONS_KINDS 8    /* kinds one plan may write and then wait for */

/* One controller at work. */
struct worker {
	struct reconciler *r;
	const struct controller *controller;
	struct client *client;
	struct workqueue *queue;
	struct loop_timer resync;
	struct list runs;
	size_t run_count;
};

struct reconciler {
	struct cache *cache;
	struct loop *loop;
	struct event_recorder *events;
	struct cache_listener listener;
	struct loop_msg turn;
	struct worker *workers;
	size_t count, next; /* next: whose turn it is */
	const void *state;
	int64_t started_us;
	bool is_started;
	/* stored id -> the watches that want its events */
	struct watch_row *rows;
	size_t row_count;
	uint32_t waiting_runs;
};

struct watch_row {
	struct worker *worker;
	const struct controller_watch *watch;
};

enum run_state { RUN_SUBMITTING, RUN_ASKED, RUN_WAITING };

/* A key being reconciled, from its plan to the sight of its own writes. */
struct run {
	struct list link;
	struct worker *worker; /* NULL: the reconciler is gone */
	struct work_key *key;
	struct arena arena;
	struct plan plan;
	enum run_state state;
	size_t next, batch, in_flight;
	struct err err; /* the first failure that has to be told, else the first one */
	bool is_silent;
	struct loop_timer timer;
	struct {
		uint16_t kind;
		int64_t revision;
	} wrote[REVISIONS_KINDS];
	size_t wrote_count;
};

struct pending {
	struct run *run;
	size_t request;
};

/* --- the end of a run --- */

static void run_free(struct run *run)
{
	loop_timer_stop(&run->timer);
	list_remove(&run->link);
	arena_done(&run->arena);
	free(run);
}

static void reconciler_wake(struct reconciler *r);

static void run_end(struct run *run)
{
	struct worker *w = run->worker;
	int64_t again_ms = run->plan.requeue_ms;
	struct work_key *key = run->key;
	if (run->state == RUN_WAITING)
		w->r->waiting_runs--;
	if (again_ms > 0)
		workqueue_add_after(w->queue, key->namespace, key->name, again_ms);
	if (run->err.rc == RC_OK)
		workqueue_done(key);
	else
		workqueue_retry(key, run->is_silent ? NULL : run->err.text);
	w->run_count--;
	run_free(run);
	reconciler_wake(w->r);
}

static bool has_seen_own_writes(const struct run *run)
{
	const struct cache *cache = run->worker->r->cache;
	for (size_t i = 0; i < run->wrote_count; i++)
		if (cache_has_kind(cache, run->wrote[i].kind) &&
		    cache_revision(cache, run->wrote[i].kind) < run->wrote[i].revision)
			return false;
	return true;
}

static void own_writes_overdue(struct loop_timer *timer)
{
	struct run *run = CONTAINER_OF(timer, struct run, timer);
	log_debug("sync", "%s: '%s' has not seen its own writes", run->worker->controller->name,
		  run->key->text);
	run_end(run);
}

static void run_settle(struct run *run)
{
	if (has_seen_own_writes(run)) {
		run_end(run);
		return;
	}
	run->state = RUN_WAITING;
	run->worker->r->waiting_runs++;
	loop_timer_start(run->worker->r->loop, &run->timer, OWN_WRITES_MS, own_writes_overdue);
}

/* --- requests --- */

static void run_wrote(struct run *run, uint16_t kind, int64_t revision)
{
	size_t i = 0;
	while (i < run->wrote_count && run->wrote[i].kind != kind)
		i++;
	if (i == REVISIONS_KINDS)
		return;
	run->wrote_count = MAX(run->wrote_count, i + 1);
	run->wrote[i].kind = kind;
	run->wrote[i].revision = MAX(run->wrote[i].revision, revision);
}

/* Failures that the next look at the cache explains. */
static bool is_silent(const struct client_request *request, const struct err *err)
{
	if (err->rc == RC_CONFLICT || err->rc == RC_ALREADY_EXISTS)
		return true;
	if (err->rc == RC_NOT_FOUND && request->verb == CLIENT_DELETE)
		return true;
	return err->rc == RC_FORBIDDEN && strstr(err->text, "is being terminated");
}

static void record_notes(struct run *run, size_t request, enum plan_note_when when,
			 struct str appended)
{
	struct worker *w = run->worker;
	for (size_t i = 0; i < run->plan.note_count; i++) {
		const struct plan_note *n = &run->plan.notes[i];
		if (n->when != when || (when != PLAN_NOTE_NOW && n->request != request))
			continue;
		struct event_note note = n->note;
		if (when == PLAN_NOTE_NAMED || when == PLAN_NOTE_FAILED)
			note.message = arena_printf(&run->arena, "%.*s%.*s", STR_FMT(note.message),
						    STR_FMT(appended));
		event_record(w->r->events, w->client, &note);
	}
}

static void run_continue(struct run *run);

static void request_failed(struct run *run, size_t index, const struct err *err)
{
	const struct client_request *request = &run->plan.requests[index];
	bool silent = is_silent(request, err);
	if (!silent) {
		log_warn("control", "%s: '%s': %s", run->worker->controller->name, run->key->text,
			 err->text);
		record_notes(run, index, PLAN_NOTE_FAILED, str_of(err->text));
	}
	if (run->err.rc != RC_OK && (silent || !run->is_silent))
		return;
	run->err = *err;
	run->is_silent = silent;
}

static void request_answered(void *ctx, const struct client_reply *reply)
{
	struct pending *own = ctx;
	struct run *run = own->run;
	size_t index = own->request;
	free(own);
	run->in_flight--;
	if (!run->worker) {
		if (run->in_flight == 0)
			run_free(run);
		return;
	}
	const struct client_request *request = &run->plan.requests[index];
	if (reply->rc != RC_OK) {
		request_failed(run, index, &reply->err);
	} else {
		run_wrote(run, request->kind->stored_id, reply->revision);
		struct str name = reply->object ? reply->object->name : request->name;
		record_notes(run, index, PLAN_NOTE_DONE, name);
		record_notes(run, index, PLAN_NOTE_NAMED, name);
	}
	if (run->in_flight == 0 && run->state == RUN_ASKED)
		run_continue(run);
}

static void run_submit(struct run *run)
{
	struct client *client = run->worker->client;
	size_t end = MIN(run->next + run->batch, run->plan.count);
	if (run->next < run->plan.barrier)
		end = MIN(end, run->plan.barrier);
	run->state = RUN_SUBMITTING;
	for (; run->next < end; run->next++) {
		struct pending *pending = NEW(struct pending);
		*pending = (struct pending){run, run->next};
		run->in_flight++;
		client->ops->submit(client, &run->plan.requests[run->next], request_answered,
				    pending);
	}
	run->batch = MIN(run->batch * 2, BATCH_MOST);
	run->state = RUN_ASKED;
}

static void run_continue(struct run *run)
{
	while (run->in_flight == 0) {
		if (run->err.rc != RC_OK || run->next >= run->plan.count) {
			run_settle(run);
			return;
		}
		run_submit(run);
	}
}

/* --- the turn of the loop --- */

static void run_start(struct worker *w, struct work_key *key)
{
	struct run *run = NEW(struct run);
	run->worker = w;
	run->key = key;
	run->batch = BATCH_FIRST;
	list_append(&w->runs, &run->link);
	w->run_count++;
	run->plan = (struct plan){.arena = &run->arena,
				  .cache = w->r->cache,
				  .now_us = world_wall_us(),
				  .controller = w->controller,
				  .state = w->r->state,
				  .last_error = key->last_error,
				  .started_us = w->r->started_us};
	w->controller->plan(&run->plan, key->namespace, key->name);
	record_notes(run, 0, PLAN_NOTE_NOW, (struct str){});
	run_continue(run);
}

/* The next key of any worker that may run one, in turn; false when there is none. */
static bool reconciler_step(struct reconciler *r)
{
	for (size_t i = 0; i < r->count; i++) {
		struct worker *w = &r->workers[r->next];
		r->next = (r->next + 1) % r->count;
		if (w->run_count >= RECONCILE_MAX_RUNS)
			continue;
		struct work_key *key = workqueue_take(w->queue);
		if (!key)
			continue;
		run_start(w, key);
		return true;
	}
	return false;
}

static void turn_on(struct loop_msg *msg)
{
	struct reconciler *r = CONTAINER_OF(msg, struct reconciler, turn);
	int64_t end_ms = world_mono_ms() + SLICE_MS;
	while (reconciler_step(r))
		if (world_mono_ms() >= end_ms) {
			reconciler_wake(r);
			return;
		}
}

static void reconciler_wake(struct reconciler *r)
{
	if (r->is_started)
		loop_defer(r->loop, &r->turn);
}

static void queue_is_ready(void *ctx)
{
	reconciler_wake(ctx);
}

/* --- events of the cache --- */

static void row_map(struct reconciler *r, const struct watch_row *row, const struct object *old,
		    const struct object *new)
{
	struct keys keys = {.queue = row->worker->queue};
	const struct object *o = new ? new : old;
	if (row->watch->map)
		row->watch->map(&keys, r->cache, old, new);
	else
		keys_add(&keys, o->namespace, o->name);
}

static void cache_changed(struct cache_listener *l, uint16_t stored_id, struct object *old,
			  struct object *new)
{
	struct reconciler *r = CONTAINER_OF(l, struct reconciler, listener);
	for (size_t i = 0; i < r->row_count; i++)
		if (r->rows[i].watch->kind == stored_id || r->rows[i].watch->kind == WATCH_ANY_KIND)
			row_map(r, &r->rows[i], old, new);
}

static void cache_advanced(struct cache_listener *l, uint16_t stored_id, int64_t revision)
{
	struct reconciler *r = CONTAINER_OF(l, struct reconciler, listener);
	for (size_t i = 0; i < r->count && r->waiting_runs > 0; i++) {
		struct run *run;
		LIST_FOR_EACH (run, &r->workers[i].runs, link)
			if (run->state == RUN_WAITING && has_seen_own_writes(run))
				run_end(run);
	}
}

static void map_existing(struct reconciler *r, const struct watch_row *row)
{
	struct object *o;
	for (uint16_t kind = 0; kind < cache_api(r->cache)->stored_count; kind++) {
		if (row->watch->kind != kind && row->watch->kind != WATCH_ANY_KIND)
			continue;
		for (struct cache_iter it = cache_iterate(r->cache, kind, (struct str){});
		     (o = cache_next(&it));)
			row_map(r, row, NULL, o);
	}
}

/* --- construction --- */

static void resync_on(struct loop_timer *timer)
{
	struct worker *w = CONTAINER_OF(timer, struct worker, resync);
	workqueue_add(w->queue, STR(""), STR(""));
	loop_timer_start(w->r->loop, timer, w->controller->resync_ms, resync_on);
}

static void start(void *ctx)
{
	struct reconciler *r = ctx;
	r->is_started = true;
	r->started_us = world_wall_us();
	for (size_t i = 0; i < r->count; i++)
		if (r->workers[i].controller->resync_ms > 0)
			resync_on(&r->workers[i].resync);
	reconciler_wake(r);
}

static void worker_init(struct worker *w, struct reconciler *r, const struct controller *controller,
			struct client *client)
{
	*w = (struct worker){.r = r, .controller = controller, .client = client};
	w->queue = workqueue_new(client->loop, controller->name, RECONCILE_MAX_KEYS, queue_is_ready,
				 r);
	list_init(&w->runs);
	for (size_t i = 0; i < controller->watch_count; i++)
		r->rows[r->row_count++] = (struct watch_row){w, &controller->watches[i]};
}

struct reconciler *reconciler_new(
	struct cache *cache, struct client *(*client_for)(void *ctx, const char *service_account),
	void *ctx, const struct controller *const *controllers, size_t count, const void *state)
{
	ASSERT(count > 0);
	struct reconciler *r = NEW(struct reconciler);
	*r = (struct reconciler){
		.cache = cache,
		.state = state,
		.events = event_recorder_new(),
		.turn.fn = turn_on,
		.listener = {.on_event = cache_changed, .on_revision = cache_advanced}};
	size_t rows = 0;
	for (size_t i = 0; i < count; i++)
		rows += controllers[i]->watch_count;
	r->rows = mem_alloc((rows + 1) * sizeof(*r->rows));
	r->workers = mem_alloc(count * sizeof(*r->workers));
	r->count = count;
	for (size_t i = 0; i < count; i++) {
		struct client *client = client_for(ctx, controllers[i]->service_account);
		r->loop = client->loop;
		worker_init(&r->workers[i], r, controllers[i], client);
	}
	for (size_t i = 0; i < r->row_count; i++)
		map_existing(r, &r->rows[i]);
	cache_listen(cache, &r->listener);
	cache_when_synced(cache, start, r);
	return r;
}

static void worker_done(struct worker *w)
{
	loop_timer_stop(&w->resync);
	struct run *run;
	LIST_FOR_EACH (run, &w->runs, link) {
		list_remove(&run->link);
		loop_timer_stop(&run->timer);
		run->worker = NULL;
		run->key = NULL;
		if (run->in_flight == 0)
			run_free(run);
	}
	workqueue_free(w->queue);
}

void reconciler_free(struct reconciler *r)
{
	if (!r)
		return;
	cache_forget_waiter(r->cache, r);
	cache_unlisten(r->cache, &r->listener);
	loop_defer_cancel(&r->turn);
	for (size_t i = 0; i < r->count; i++)
		worker_done(&r->workers[i]);
	event_recorder_free(r->events);
	free(r->workers);
	free(r->rows);
	free(r);
}

bool reconciler_is_idle(const struct reconciler *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->workers[i].run_count || workqueue_waiting(r->workers[i].queue))
			return false;
	return r->is_started;
}
