#include "server/fairness.h"

#include <pthread.h>

#include "server/flow_schemas.h"
#include "server/request_metrics.h"
#include "server/server.h"

struct fairness {
	struct store *store;
	pthread_mutex_t lock; /* of all that follows */
	struct fair_levels levels;
	struct flow_schemas *schemas;
	int64_t revision; /* up to which the schemas are known to be the newest */
};

/* What only a request that waits needs; in its arena. */
struct waiting {
	struct request *request;
	struct loop_timer timer;
	struct loop_msg msg;
};

struct fairness *fairness_new(struct store *store, uint32_t seats)
{
	struct fairness *f = NEW(struct fairness);
	f->store = store;
	pthread_mutex_init(&f->lock, NULL);
	fair_levels_init(&f->levels, seats);
	return f;
}

void fairness_free(struct fairness *f)
{
	if (!f)
		return;
	flow_schemas_free(f->schemas);
	fair_levels_done(&f->levels);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static void schemas_refresh(struct fairness *f, const struct snapshot *s)
{
	bool is_newer = !f->schemas || snapshot_revision(s) > f->revision;
	if (is_newer && (!f->schemas || !flow_schemas_are_of(f->schemas, s))) {
		flow_schemas_free(f->schemas);
		f->schemas = flow_schemas_new(s, &f->levels);
	}
	if (is_newer)
		f->revision = snapshot_revision(s);
}

/* --- what a request costs --- */

static uint32_t seats_of(const struct request *r, const struct snapshot *s)
{
	if (r->route.verb != DO_LIST || !r->route.kind)
		return 1;
	uint64_t count = snapshot_count(s, r->route.kind->stored_id);
	if (r->options.limit > 0)
		count = MIN(count, (uint64_t)r->options.limit);
	uint64_t seats = (count + FAIRNESS_SEAT_OBJECTS - 1) / FAIRNESS_SEAT_OBJECTS;
	return (uint32_t)MIN(MAX(seats, 1u), (uint64_t)FAIRNESS_LIST_SEATS);
}

/* --- waiting --- */

static enum step refuse(struct request *r)
{
	r->reply.retry_after_s = 1;
	request_text(r, 429, STR("Too many requests, please try again later.\n"));
	return STEP_DONE;
}

static void resume_msg(struct loop_msg *msg)
{
	struct waiting *w = CONTAINER_OF(msg, struct waiting, msg);
	loop_timer_stop(&w->timer);
	request_resume(w->request, STEP_NEXT);
}

/* Under the lock, on the thread of whoever gave its seats back. */
static void on_run(struct fair_request *q)
{
	struct request *r = CONTAINER_OF(q, struct request, seats);
	r->waiting->msg.fn = resume_msg;
	loop_post(r->home, &r->waiting->msg);
}

static void waited_too_long(struct loop_timer *timer)
{
	struct waiting *w = CONTAINER_OF(timer, struct waiting, timer);
	struct fairness *f = w->request->server->fairness;
	pthread_mutex_lock(&f->lock);
	bool still_waits = w->request->seats.place == FAIR_WAITS;
	if (still_waits)
		fair_end(&f->levels, &w->request->seats);
	pthread_mutex_unlock(&f->lock);
	if (still_waits)
		request_resume(w->request, refuse(w->request));
}

static struct waiting *waiting_new(struct request *r)
{
	struct waiting *w = ARENA_NEW(&r->arena, struct waiting);
	*w = (struct waiting){.request = r};
	loop_timer_start(r->home, &w->timer, FAIRNESS_WAIT_MS, waited_too_long);
	return w;
}

/* --- the stage --- */

static void note_flow(struct request *r, const struct flow_schema_row *row)
{
	struct arena *a = http_arena(r->exchange);
	http_add_header(r->exchange, STR("x-kubernetes-pf-flowschema-uid"), arena_str(a, row->uid),
			false);
	http_add_header(r->exchange, STR("x-kubernetes-pf-prioritylevel-uid"),
			arena_str(a, row->level_uid), false);
}

/* As long as no seats come free meanwhile: the lock is held. */
static enum fair_place begin(struct fairness *f, struct request *r, uint32_t seats)
{
	const struct flow_schema_row *row = flow_schemas_find(f->schemas, r);
	if (!row)
		return FAIR_RUNS;
	note_flow(r, row);
	r->seats.on_run = on_run;
	enum fair_place place =
		fair_begin(&f->levels, row->level, &r->seats, flow_hash(row, r), seats);
	if (place == FAIR_WAITS)
		r->waiting = waiting_new(r);
	return place;
}

enum step stage_fairness(struct request *r)
{
	static const enum step steps[] = {
		[FAIR_NOWHERE] = STEP_DONE, [FAIR_WAITS] = STEP_LATER, [FAIR_RUNS] = STEP_NEXT};
	struct fairness *f = r->server->fairness;
	if (r->route.verb == DO_CONNECT)
		return STEP_NEXT;
	/* Not the request's own: who waits must not hold an old state. */
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(f->store);
	uint32_t seats = seats_of(r, s);
	pthread_mutex_lock(&f->lock);
	schemas_refresh(f, s);
	enum fair_place place = begin(f, r, seats);
	pthread_mutex_unlock(&f->lock);
	return place == FAIR_NOWHERE ? refuse(r) : steps[place];
}

void fairness_leave(struct request *r)
{
	struct fairness *f = r->server->fairness;
	if (r->seats.place == FAIR_NOWHERE)
		return;
	pthread_mutex_lock(&f->lock);
	fair_end(&f->levels, &r->seats);
	pthread_mutex_unlock(&f->lock);
}

/* --- metrics --- */

static const struct {
	const char *name, *type, *help;
	size_t offset;
	bool is_wide; /* uint64_t, else uint32_t */
} rows[] = {
#define FLOW	 "apiserver_flowcontrol_"
#define FIELD(f) offsetof(struct fair_counts, f)
	{FLOW "current_executing_requests", "gauge", "Requests that have their seats.",
	 FIELD(running)},
	{FLOW "current_executing_seats", "gauge", "Seats in use.", FIELD(seats_in_use)},
	{FLOW "current_inqueue_requests", "gauge", "Requests that wait in a queue.",
	 FIELD(waiting)},
	{FLOW "dispatched_requests_total", "counter", "Requests that got their seats.",
	 FIELD(dispatched), true},
	{FLOW "nominal_limit_seats", "gauge", "Seats of the level's own.", FIELD(seats)},
	{FLOW "rejected_requests_total", "counter", "Requests that were refused with 429.",
	 FIELD(rejected), true},
#undef FIELD
#undef FLOW
};

static uint64_t count_at(const struct fair_counts *counts, size_t row)
{
	const char *at = (const char *)counts + rows[row].offset;
	return rows[row].is_wide ? *(const uint64_t *)at : *(const uint32_t *)at;
}

void fairness_write_metrics(struct fairness *f, struct buf *out)
{
	struct fair_counts counts[FAIRNESS_LEVELS_MAX];
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(f->store);
	pthread_mutex_lock(&f->lock);
	schemas_refresh(f, s);
	size_t levels = fair_counts(&f->levels, counts, ARRAY_LEN(counts));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		metric_head(out, rows[i].name, rows[i].type, rows[i].help);
		for (size_t j = 0; j < levels; j++)
			buf_printf(out, "%s{priority_level=\"%.*s\"} %llu\n", rows[i].name,
				   STR_FMT(counts[j].name),
				   (unsigned long long)count_at(&counts[j], i));
	}
	pthread_mutex_unlock(&f->lock);
}
