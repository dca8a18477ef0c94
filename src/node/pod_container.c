/* One container of a pod: its runs, their ends, back-off between them, and ending it. */
#include <signal.h>

#include "base/log.h"
#include "node/agent-int.h"
#include "node/go_duration.h"
#include "node/pod_check.h"
#include "node/pod_config.h"
#include "node/pod_message.h"
#include "node/pod_probes.h"
#include "node/pod_setup.h"

#define CRASH_FIRST_MS	10000
#define CRASH_LAST_MS	300000
#define CRASH_FORGET_US (600 * INT64_C(1000000))
#define AFTER_HOOK_MS	2000
#define POST_START_MS	(INT64_C(3600) * 1000)
#define LOST_CONTAINER	"ContainerStatusUnknown"

static struct runtime *runtime_of(const struct pod_container *c)
{
	return c->worker->agent->config.runtime;
}

void container_end_done(struct container_end *end)
{
	free(end->reason);
	free(end->message);
	*end = (struct container_end){};
}

/* ---- waiting ---- */

void pod_container_wait(struct pod_container *c, const char *reason, const char *fmt, ...)
{
	CLEANUP_BUF text = BUF_INIT(4096);
	va_list ap;
	free(TAKE_PTR(c->waiting_message));
	c->waiting_reason = reason;
	if (!fmt)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	c->waiting_message = buf_take(&text);
}

static void on_due(struct loop_timer *timer)
{
	pod_worker_wake(CONTAINER_OF(timer, struct pod_container, due_timer)->worker);
}

void pod_container_wait_until(struct pod_container *c, int64_t due_ms)
{
	int64_t delay_ms = due_ms - world_mono_ms();
	c->due_ms = due_ms;
	loop_timer_start(c->worker->agent->loop, &c->due_timer, MAX(delay_ms, 0), on_due);
}

/* ---- runs ---- */

void pod_container_adopt(struct pod_container *c, const struct runtime_container_status *status)
{
	bool is_known = strcmp(c->id, status->id) == 0; /* then the API has its probes' results */
	container_end_done(&c->end);
	free(c->image_id);
	c->image_id = mem_strndup(status->image_id.at, status->image_id.len);
	c->attempt = status->attempt;
	c->has_container = true;
	memcpy(c->id, status->id, sizeof(c->id));
	c->started_us = status->started_us;
	for (size_t i = 0; i < status->annotation_count; i++)
		if (str_is(status->annotations[i].name, POD_ANNOTATION_STOP_SIGNAL))
			c->stop_signal = signal_number(status->annotations[i].value);
	if (status->state == RUNTIME_EXITED) {
		pod_container_exit(c, status);
		return;
	}
	c->stage = CONTAINER_RUNNING;
	pod_container_wait(c, NULL, NULL);
	pod_probes_start(c, is_known);
}

/* ---- lifecycle hooks ---- */

static void hook_start(struct pod_container *c, const struct lifecycle_handler *h,
		       int64_t timeout_ms, pod_check_done_fn *done)
{
	const struct check_action action = {.exec = h->exec,
					    .http_get = h->http_get,
					    .tcp_socket = h->tcp_socket,
					    .sleep = h->sleep};
	pod_check_cancel(TAKE_PTR(c->hook));
	c->hook = pod_check_start(c, &action, timeout_ms, done, c);
}

static void hook_event(struct pod_container *c, const char *type, const char *reason,
		       const char *message)
{
	agent_event(c->worker->agent, c->worker->object, container_field_path(c, (char[128]){}),
		    type, reason, "%s", message);
}

static void after_post_start(void *ctx, enum check_result result, const char *message)
{
	struct pod_container *c = ctx;
	c->hook = NULL;
	if (result == CHECK_SUCCESS)
		return;
	log_info("node", "container %.12s: postStart: %s", c->id, message);
	hook_event(c, "Warning", "FailedPostStartHook", "PostStartHook failed");
	hook_event(c, "Normal", "Killing", "FailedPostStartHook");
	pod_container_kill(c, pod_grace_s(c->worker) * 1000);
}

void pod_container_run(struct pod_container *c)
{
	const struct lifecycle *l = c->spec->lifecycle;
	c->stage = CONTAINER_RUNNING;
	pod_container_wait(c, NULL, NULL);
	c->is_ending = false;
	c->is_resized = false;
	c->wanted_signal = c->sent_signal = 0;
	pod_probes_start(c, false);
	if (l && l->post_start && !c->worker->agent->config.is_simulated)
		hook_start(c, l->post_start, POST_START_MS, after_post_start);
}

/* The first restart is made at once, the next ones wait: as kubelet counts. */
static void plan_restart(struct pod_container *c)
{
	struct pod_worker *w = c->worker;
	bool is_forgotten = c->end.finished_us - c->crash_us > CRASH_FORGET_US;
	if (!container_is_restartable(c))
		return;
	if (c->is_resized) {
		c->due_ms = 0;
		return;
	}
	if (!c->crash_delay_ms || is_forgotten) {
		c->crash_delay_ms = CRASH_FIRST_MS;
		c->crash_us = world_wall_us();
		c->due_ms = 0;
		return;
	}
	int64_t delay_ms = c->crash_delay_ms;
	c->crash_delay_ms = MIN(delay_ms * 2, CRASH_LAST_MS);
	c->crash_us = world_wall_us() + delay_ms * 1000;
	pod_container_wait(c, "CrashLoopBackOff",
			   "back-off %s restarting failed container=%.*s pod=%.*s_%.*s(%.*s)",
			   go_duration(delay_ms, (char[GO_DURATION_MAX]){}), STR_FMT(c->name),
			   STR_FMT(w->name), STR_FMT(w->namespace), STR_FMT(w->uid));
	agent_event(w->agent, w->object, container_field_path(c, (char[128]){}), "Warning",
		    "BackOff", "Back-off restarting failed container %.*s in pod %.*s_%.*s(%.*s)",
		    STR_FMT(c->name), STR_FMT(w->name), STR_FMT(w->namespace), STR_FMT(w->uid));
	pod_container_wait_until(c, world_mono_ms() + delay_ms);
}

void pod_container_end_run(struct pod_container *c, struct container_end *own_end)
{
	loop_timer_stop(&c->kill_timer);
	pod_probes_stop(c);
	pod_check_cancel(TAKE_PTR(c->hook));
	container_end_done(&c->end);
	c->end = *own_end;
	c->stage = CONTAINER_EXITED;
	c->is_started = c->is_ready = c->is_ending = false;
	pod_container_wait(c, NULL, NULL);
	plan_restart(c);
}

static const char *end_reason(const struct runtime_container_status *status)
{
	if (status->is_lost)
		return LOST_CONTAINER;
	if (status->is_oom_killed)
		return "OOMKilled";
	return status->exit_code == 0 ? "Completed" : "Error";
}

void pod_container_exit(struct pod_container *c, const struct runtime_container_status *status)
{
	struct container_end end = {
		.is_set = true,
		.exit_code = status->exit_code,
		.reason = mem_strdup(end_reason(status)),
		.message = pod_message_read(c, status->exit_code),
		.started_us = status->started_us,
		.finished_us = status->finished_us,
	};
	memcpy(end.id, status->id, sizeof(end.id));
	pod_container_end_run(c, &end);
}

/* ---- ending ---- */

static void signal_step(struct pod_container *c);

static void signal_sent(struct runtime_call *call)
{
	struct pod_container *c = CONTAINER_OF(call, struct pod_container, kill_call);
	c->is_killing = false;
	if (call->rc != RC_OK)
		log_warn("node", "container %.12s: %s", c->id, call->err.text);
	signal_step(c);
	pod_worker_wake(c->worker);
}

static void signal_step(struct pod_container *c)
{
	if (c->is_killing || c->stage != CONTAINER_RUNNING || c->wanted_signal == c->sent_signal)
		return;
	c->is_killing = true;
	c->sent_signal = c->wanted_signal;
	c->kill_call.done = signal_sent;
	runtime_of(c)->ops->kill(runtime_of(c), str_of(c->id), c->sent_signal, &c->kill_call);
}

static void ask_to_end(struct pod_container *c)
{
	c->wanted_signal = c->stop_signal ? c->stop_signal : SIGTERM;
	signal_step(c);
}

/* A preStop hook that took all the time leaves the container a moment for its own end. */
static void on_kill_timer(struct loop_timer *timer)
{
	struct pod_container *c = CONTAINER_OF(timer, struct pod_container, kill_timer);
	if (c->hook) {
		pod_check_cancel(TAKE_PTR(c->hook));
		loop_timer_start(c->worker->agent->loop, &c->kill_timer, AFTER_HOOK_MS,
				 on_kill_timer);
		ask_to_end(c);
		return;
	}
	c->wanted_signal = SIGKILL;
	signal_step(c);
}

/* Whatever it took: the container has a moment for its own end. */
static void after_pre_stop(void *ctx, enum check_result result, const char *message)
{
	struct pod_container *c = ctx;
	int64_t left_ms = c->kill_at_ms - world_mono_ms();
	c->hook = NULL;
	if (result != CHECK_SUCCESS) {
		log_info("node", "container %.12s: preStop: %s", c->id, message);
		hook_event(c, "Warning", "FailedPreStopHook", "PreStopHook failed");
	}
	loop_timer_start(c->worker->agent->loop, &c->kill_timer, MAX(left_ms, AFTER_HOOK_MS),
			 on_kill_timer);
	ask_to_end(c);
}

void pod_container_kill(struct pod_container *c, int64_t grace_ms)
{
	const struct lifecycle *l = c->spec->lifecycle;
	int64_t at_ms = world_mono_ms() + grace_ms;
	if (c->stage != CONTAINER_RUNNING || (c->is_ending && at_ms >= c->kill_at_ms))
		return;
	c->kill_at_ms = at_ms;
	loop_timer_start(c->worker->agent->loop, &c->kill_timer, grace_ms, on_kill_timer);
	if (c->is_ending)
		return;
	c->is_ending = true;
	pod_check_cancel(TAKE_PTR(c->hook));
	if (l && l->pre_stop && grace_ms > 0 && !c->worker->agent->config.is_simulated)
		hook_start(c, l->pre_stop, grace_ms, after_pre_stop);
	else
		ask_to_end(c);
}

static void removed(struct runtime_call *call)
{
	struct pod_container *c = CONTAINER_OF(call, struct pod_container, remove_call);
	c->is_removing = false;
	c->has_container = call->rc != RC_OK;
	if (call->rc != RC_OK) {
		log_warn("node", "container %.12s: %s", c->id, call->err.text);
		pod_setup_retry_later(c->worker);
	}
	pod_worker_wake(c->worker);
}

void pod_container_remove(struct pod_container *c)
{
	if (!c->has_container || c->is_removing || c->stage == CONTAINER_RUNNING ||
	    c->stage == CONTAINER_STARTING)
		return;
	c->is_removing = true;
	c->remove_call.done = removed;
	runtime_of(c)->ops->remove(runtime_of(c), str_of(c->id), &c->remove_call);
}

void pod_container_done(struct pod_container *c)
{
	loop_timer_stop(&c->due_timer);
	loop_timer_stop(&c->kill_timer);
	loop_defer_cancel(&c->kill_call.msg);
	loop_defer_cancel(&c->remove_call.msg);
	pod_probes_stop(c);
	pod_check_cancel(TAKE_PTR(c->hook));
	pod_job_free(c->job);
	container_end_done(&c->end);
	container_end_done(&c->last);
	allotment_done(&c->allocated);
	allotment_done(&c->actual);
	free(c->waiting_message);
	free(c->image_id);
}
