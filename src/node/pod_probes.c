#include "node/pod_probes.h"

#include "node/agent-int.h"
#include "node/pod_check.h"

enum probe_kind { PROBE_STARTUP, PROBE_LIVENESS, PROBE_READINESS, PROBE_KINDS };

static const char *const names[] = {"Startup", "Liveness", "Readiness"};

struct container_probe {
	struct pod_probes *all;
	enum probe_kind kind;
	bool is_on;
	struct loop_timer timer;
	struct pod_check *check;
	int64_t looked_ms;
	enum check_result last;
	int32_t count; /* of the same result in a row */
};

struct pod_probes {
	struct pod_container *c;
	struct container_probe items[PROBE_KINDS];
};

static const struct probe *spec_of(const struct container_probe *p)
{
	const struct container *spec = p->all->c->spec;
	const struct probe *const specs[] = {spec->startup_probe, spec->liveness_probe,
					     spec->readiness_probe};
	return specs[p->kind];
}

static void probe_look(struct loop_timer *timer);

static void look_after(struct container_probe *p, int64_t delay_ms)
{
	loop_timer_start(p->all->c->worker->agent->loop, &p->timer, MAX(delay_ms, 0), probe_look);
}

/* The first look is due so long after the container's start. */
static void probe_begin(struct container_probe *p)
{
	const struct probe *spec = spec_of(p);
	if (!spec || p->is_on)
		return;
	int64_t due_us = p->all->c->started_us + spec->initial_delay_seconds * INT64_C(1000000);
	p->is_on = true;
	look_after(p, (due_us - world_wall_us()) / 1000);
}

static void probe_end(struct container_probe *p)
{
	loop_timer_stop(&p->timer);
	pod_check_cancel(TAKE_PTR(p->check));
	p->is_on = false;
}

/* ---- what follows ---- */

static void begin_others(struct pod_probes *all)
{
	probe_begin(&all->items[PROBE_LIVENESS]);
	probe_begin(&all->items[PROBE_READINESS]);
}

static void restart_container(struct container_probe *p)
{
	struct pod_container *c = p->all->c;
	struct pod_worker *w = c->worker;
	const struct probe *spec = spec_of(p);
	const int64_t *own = spec->termination_grace_period_seconds;
	bool is_final = c->role != CONTAINER_SIDECAR &&
			str_is(w->pod->spec.restart_policy, "Never");
	agent_event(w->agent, w->object, container_field_path(c, (char[128]){}), "Normal",
		    "Killing", "Container %.*s failed %s probe%s", STR_FMT(c->name),
		    p->kind == PROBE_STARTUP ? "startup" : "liveness",
		    is_final ? "" : ", will be restarted");
	pod_container_kill(c, (own ? *own : pod_grace_s(w)) * 1000);
}

static void apply(struct container_probe *p, bool is_success)
{
	struct pod_container *c = p->all->c;
	if (p->kind == PROBE_READINESS) {
		c->is_ready = is_success;
	} else if (!is_success) {
		restart_container(p);
	} else if (p->kind == PROBE_STARTUP) {
		c->is_started = true;
		probe_end(p);
		begin_others(p->all);
	}
	pod_worker_wake(c->worker);
}

static void report(const struct container_probe *p, enum check_result result, const char *message)
{
	struct pod_container *c = p->all->c;
	const char *words = result == CHECK_FAILURE ? "failed"
						    : "errored and resulted in unknown state";
	agent_event(c->worker->agent, c->worker->object, container_field_path(c, (char[128]){}),
		    "Warning", "Unhealthy", "%s probe %s: %s", names[p->kind], words, message);
}

static void probe_told(void *ctx, enum check_result result, const char *message)
{
	struct container_probe *p = ctx;
	const struct probe *spec = spec_of(p);
	p->check = NULL;
	if (!spec || (p->all->c->is_ending && p->kind != PROBE_READINESS))
		return;
	look_after(p, p->looked_ms + spec->period_seconds * INT64_C(1000) - world_mono_ms());
	if (result != CHECK_SUCCESS)
		report(p, result, message);
	if (result == CHECK_UNKNOWN)
		return;
	p->count = p->last == result ? p->count + 1 : 1;
	p->last = result;
	int32_t threshold = result == CHECK_SUCCESS ? spec->success_threshold
						    : spec->failure_threshold;
	if (p->count == MAX(threshold, 1)) /* later ones of the same change nothing */
		apply(p, result == CHECK_SUCCESS);
}

static void probe_look(struct loop_timer *timer)
{
	struct container_probe *p = CONTAINER_OF(timer, struct container_probe, timer);
	const struct probe *spec = spec_of(p);
	if (!spec)
		return;
	const struct check_action action = {.exec = spec->exec,
					    .http_get = spec->http_get,
					    .tcp_socket = spec->tcp_socket,
					    .grpc = spec->grpc};
	p->looked_ms = world_mono_ms();
	p->check = pod_check_start(p->all->c, &action,
				   MAX(spec->timeout_seconds, 1) * INT64_C(1000), probe_told, p);
}

/* ---- life ---- */

void pod_probes_start(struct pod_container *c, bool is_adopted)
{
	const struct container *spec = c->spec;
	c->is_started = !spec->startup_probe || (is_adopted && c->is_started);
	c->is_ready = !spec->readiness_probe || (is_adopted && c->is_ready);
	if (c->worker->agent->config.is_simulated) {
		c->is_started = c->is_ready = true;
		return;
	}
	struct pod_probes *all = NEW(struct pod_probes);
	all->c = c;
	for (int i = 0; i < PROBE_KINDS; i++) {
		all->items[i].all = all;
		all->items[i].kind = (enum probe_kind)i;
	}
	c->probes = all;
	if (c->is_started)
		begin_others(all);
	else
		probe_begin(&all->items[PROBE_STARTUP]);
}

void pod_probes_stop(struct pod_container *c)
{
	struct pod_probes *all = TAKE_PTR(c->probes);
	for (int i = 0; all && i < PROBE_KINDS; i++)
		probe_end(&all->items[i]);
	free(all);
}
