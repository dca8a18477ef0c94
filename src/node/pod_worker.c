#include "node/pod_worker.h"

#include "base/log.h"
#include "node/agent-int.h"
#include "node/pod_setup.h"
#include "node/pod_sources.h"
#include "node/volumes.h"

#define GRACE_LEAST_S	 1
#define SIDECAR_GRACE_MS 2000

/* ---- what is wanted ---- */

static bool wants_end(const struct pod_worker *w)
{
	return w->is_removed || w->is_evicted || !w->object || w->object->is_deleting;
}

int64_t pod_grace_s(const struct pod_worker *w)
{
	int64_t grace_s = 30;
	if (w->pod && w->pod->metadata.deletion_grace_period_seconds && w->object->is_deleting)
		grace_s = *w->pod->metadata.deletion_grace_period_seconds;
	else if (w->pod && w->pod->spec.termination_grace_period_seconds)
		grace_s = *w->pod->spec.termination_grace_period_seconds;
	return MAX(grace_s, GRACE_LEAST_S);
}

static bool policy_restarts(struct str policy, int exit_code)
{
	if (str_is(policy, "Never"))
		return false;
	return !str_is(policy, "OnFailure") || exit_code != 0;
}

static bool rule_matches(const struct container_restart_rule *rule, int exit_code)
{
	const struct container_restart_rule_on_exit_codes *codes = rule->exit_codes;
	bool is_listed = false;
	for (uint32_t i = 0; codes && i < codes->values.count; i++)
		is_listed |= codes->values.at[i] == exit_code;
	return codes && is_listed == str_is(codes->operator, "In");
}

/* The container's rules, then its policy, then the pod's. */
static bool wants_restart(const struct pod_container *c)
{
	const struct container_restart_rule_array *rules = &c->spec->restart_policy_rules;
	struct str policy = c->spec->restart_policy;
	for (uint32_t i = 0; i < rules->count; i++)
		if (str_is(rules->at[i].action, "Restart") &&
		    rule_matches(&rules->at[i], c->end.exit_code))
			return true;
	if (!policy.len)
		policy = c->worker->pod->spec.restart_policy;
	/* An init container has to succeed: OnFailure and Always are one. */
	return policy_restarts(policy, c->end.exit_code);
}

bool container_is_restartable(const struct pod_container *c)
{
	if (c->worker->stage >= POD_ENDING || wants_end(c->worker))
		return false;
	switch (c->role) {
	case CONTAINER_SIDECAR:
		return true;
	case CONTAINER_EPHEMERAL:
		return false;
	case CONTAINER_INIT:
		return !(c->end.is_set && c->end.exit_code == 0) && wants_restart(c);
	default:
		return wants_restart(c);
	}
}

bool container_is_init(const struct pod_container *c)
{
	return c->role == CONTAINER_INIT || c->role == CONTAINER_SIDECAR;
}

bool container_is_lasting(const struct pod_container *c)
{
	return c->role == CONTAINER_SIDECAR || c->role == CONTAINER_MAIN;
}

bool container_is_started(const struct pod_container *c)
{
	return c->stage == CONTAINER_RUNNING && c->is_started;
}

static bool is_over(const struct pod_container *c)
{
	return c->stage == CONTAINER_EXITED && !container_is_restartable(c);
}

bool pod_worker_is_over(const struct pod_worker *w)
{
	size_t left = 0;
	for (size_t i = 0; i < w->count; i++) {
		const struct pod_container *c = w->containers[i];
		bool has_failed = c->role == CONTAINER_INIT && is_over(c) && c->end.exit_code != 0;
		if (has_failed)
			return true;
		left += c->role == CONTAINER_MAIN && !is_over(c);
	}
	return left == 0 && w->count > 0;
}

const char *container_field_path(const struct pod_container *c, char out[128])
{
	static const char *const lists[] = {
		[CONTAINER_INIT] = "initContainers",
		[CONTAINER_SIDECAR] = "initContainers",
		[CONTAINER_MAIN] = "containers",
		[CONTAINER_EPHEMERAL] = "ephemeralContainers",
	};
	snprintf(out, 128, "spec.%s{%.*s}", lists[c->role], STR_FMT(c->name));
	return out;
}

/* ---- RUNNING ---- */

static bool is_due(struct pod_container *c)
{
	return c->due_ms <= world_mono_ms();
}

static bool wants_start(struct pod_container *c)
{
	if (c->stage == CONTAINER_WAITING)
		return true;
	return c->stage == CONTAINER_EXITED && container_is_restartable(c);
}

static void container_step(struct pod_container *c)
{
	if (wants_start(c) && is_due(c) && !c->is_removing)
		pod_job_start(c);
}

/* Ephemeral containers wait for nobody.  Init containers one by one, sidecars among them until they
 * are started, then all others. */
static void containers_step(struct pod_worker *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->containers[i]->role == CONTAINER_EPHEMERAL)
			container_step(w->containers[i]);
	for (size_t i = 0; i < w->count; i++) {
		struct pod_container *c = w->containers[i];
		bool is_done = c->role == CONTAINER_SIDECAR ? container_is_started(c) : is_over(c);
		if (c->role != CONTAINER_EPHEMERAL)
			container_step(c);
		if (container_is_init(c) && !is_done)
			return;
	}
}

/* ---- ENDING ---- */

static bool is_alive(const struct pod_container *c)
{
	return c->stage == CONTAINER_RUNNING || c->stage == CONTAINER_STARTING || c->is_killing;
}

static size_t alive_count(const struct pod_worker *w, bool is_sidecar)
{
	size_t count = 0;
	for (size_t i = 0; i < w->count; i++)
		count += is_alive(w->containers[i]) &&
			 (w->containers[i]->role == CONTAINER_SIDECAR) == is_sidecar;
	return count;
}

static void end_container(struct pod_worker *w, struct pod_container *c)
{
	int64_t left_ms = w->end_by_ms - world_mono_ms();
	if (c->role == CONTAINER_SIDECAR)
		left_ms = MAX(left_ms, SIDECAR_GRACE_MS);
	if (c->stage != CONTAINER_RUNNING)
		return;
	if (!c->is_ending)
		agent_event(w->agent, w->object, container_field_path(c, (char[128]){}), "Normal",
			    "Killing", "Stopping container %.*s", STR_FMT(c->name));
	pod_container_kill(c, MAX(left_ms, 0));
}

/* Sidecars go last, in reverse order, one after the other. */
static void ending_step(struct pod_worker *w)
{
	bool has_others = alive_count(w, false) > 0;
	for (size_t i = w->count; i-- > 0;) {
		struct pod_container *c = w->containers[i];
		if ((c->role == CONTAINER_SIDECAR) == has_others)
			continue;
		end_container(w, c);
		if (c->role == CONTAINER_SIDECAR && is_alive(c))
			return;
	}
	if (alive_count(w, false) + alive_count(w, true) == 0)
		w->stage = POD_RELEASING;
}

static void end_begin(struct pod_worker *w)
{
	w->stage = POD_ENDING;
	w->end_by_ms = world_mono_ms() + pod_grace_s(w) * 1000;
	for (size_t i = 0; i < w->count; i++) {
		loop_timer_stop(&w->containers[i]->due_timer);
		pod_job_give_up_pull(w->containers[i]);
	}
}

/* A shorter grace period came: an impatient second delete. */
static void end_hurry(struct pod_worker *w)
{
	int64_t by_ms = world_mono_ms() + pod_grace_s(w) * 1000;
	if (w->stage != POD_ENDING || by_ms >= w->end_by_ms)
		return;
	w->end_by_ms = by_ms;
	for (size_t i = 0; i < w->count; i++)
		if (w->containers[i]->is_ending && w->containers[i]->stage == CONTAINER_RUNNING)
			pod_container_kill(w->containers[i], pod_grace_s(w) * 1000);
}

/* ---- the whole ---- */

/* The API wants it gone, or does not know it any more. */
static bool wants_removal(const struct pod_worker *w)
{
	return w->is_removed || !w->object || w->object->is_deleting;
}

static void ended_step(struct pod_worker *w)
{
	if (!w->is_clean || (!w->is_removed && !w->is_deleted && w->object))
		return;
	if (!w->is_shut_down)
		pod_logs_remove(w);
	agent_worker_gone(w->agent, w);
}

static void worker_advance(struct pod_worker *w)
{
	if (wants_end(w) && w->stage < POD_ENDING)
		end_begin(w);
	if (w->stage == POD_STARTING && pod_setup_step(w))
		w->stage = POD_RUNNING;
	if (w->stage <= POD_RUNNING)
		pod_resize_step(w);
	if (w->stage == POD_RUNNING)
		containers_step(w);
	if (w->stage == POD_RUNNING && pod_worker_is_over(w))
		end_begin(w);
	if (w->stage == POD_ENDING)
		ending_step(w);
	if (w->stage == POD_RELEASING && pod_release_step(w)) {
		w->stage = POD_ENDED;
		pod_resizes_retry(w->agent);
	}
	if (w->stage == POD_ENDED && wants_removal(w) && !w->is_clean)
		w->is_clean = pod_remove_step(w);
}

static void worker_step(struct pod_worker *w)
{
	ASSERT(w->magic == POD_WORKER_MAGIC);
	if (w->is_left) {
		agent_check_stopped(w->agent);
		return;
	}
	worker_advance(w);
	if (w->object && !w->is_removed)
		pod_worker_post(w);
	if (w->stage == POD_ENDED)
		ended_step(w);
}

static void on_wake(struct loop_msg *msg)
{
	worker_step(CONTAINER_OF(msg, struct pod_worker, wake_msg));
}

void pod_worker_wake(struct pod_worker *w)
{
	w->wake_msg.fn = on_wake;
	loop_defer(w->agent->loop, &w->wake_msg);
}

/* ---- the API told something ---- */

static void worker_take(struct pod_worker *w, struct object *pod)
{
	object_ref(pod);
	object_unref(w->object);
	w->object = pod;
	w->pod = object_view(pod);
}

static void on_deadline(struct loop_timer *timer)
{
	struct pod_worker *w = CONTAINER_OF(timer, struct pod_worker, deadline_timer);
	if (w->stage > POD_RUNNING)
		return;
	agent_event(w->agent, w->object, NULL, "Normal", "DeadlineExceeded",
		    "Pod was active on the node longer than the specified deadline");
	pod_worker_evict(w, STR("DeadlineExceeded"),
			 STR("Pod was active on the node longer than the specified deadline"));
}

static void watch_deadline(struct pod_worker *w)
{
	const int64_t *seconds = w->pod->spec.active_deadline_seconds;
	loop_timer_stop(&w->deadline_timer);
	if (!seconds || w->stage > POD_RUNNING)
		return;
	int64_t left_us = w->start_time_us + *seconds * 1000000 - world_wall_us();
	loop_timer_start(w->agent->loop, &w->deadline_timer, MAX(left_us, 0) / 1000, on_deadline);
}

void pod_worker_saw(struct pod_worker *w, struct object *pod)
{
	if (!pod) {
		w->is_removed = true;
		pod_worker_wake(w);
		return;
	}
	if (pod->revision <= w->object->revision)
		return;
	worker_take(w, pod);
	if (pod_members_bind(w))
		pod_sources_extend(w);
	watch_deadline(w);
	end_hurry(w);
	pod_volumes_refresh(w);
	pod_worker_wake(w);
}

void pod_worker_evict(struct pod_worker *w, struct str reason, struct str message)
{
	if (w->is_evicted)
		return;
	w->is_evicted = true;
	w->end_reason = arena_str(&w->arena, reason);
	w->end_message = arena_str(&w->arena, message);
	pod_worker_wake(w);
}

void pod_worker_shut_down(struct pod_worker *w)
{
	w->is_shut_down = true;
	w->is_removed = true;
	pod_worker_wake(w);
}

void pod_worker_exited(struct pod_worker *w, const struct runtime_container_status *status)
{
	struct pod_container *c = pod_container_find(w, status->name);
	if (!c || strcmp(c->id, status->id) != 0 || c->stage == CONTAINER_EXITED)
		return;
	pod_container_exit(c, status);
	pod_worker_wake(w);
}

void pod_worker_leave(struct pod_worker *w)
{
	w->is_left = true;
	for (size_t i = 0; i < w->count; i++)
		pod_job_give_up_pull(w->containers[i]);
}

bool pod_worker_is_quiet(const struct pod_worker *w)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct pod_container *c = w->containers[i];
		if (c->job || c->is_killing || c->is_removing)
			return false;
	}
	return !w->is_busy && !w->resize.job;
}

struct pod_worker *pod_worker_new(struct node_agent *agent, struct str uid, struct object *pod)
{
	struct pod_worker *w = NEW(struct pod_worker);
	w->magic = POD_WORKER_MAGIC;
	w->agent = agent;
	w->uid = arena_str(&w->arena, uid);
	w->has_folder = !agent->config.is_simulated;
	if (!pod)
		return w;
	w->namespace = arena_str(&w->arena, pod->namespace);
	w->name = arena_str(&w->arena, pod->name);
	worker_take(w, pod);
	pod_members_make(w);
	pod_members_remember(w);
	watch_deadline(w);
	return w;
}

void pod_worker_adopt_sandbox(struct pod_worker *w)
{
	/* A pod that goes on asks for it again, which gives its path. */
	w->may_have_sandbox = true;
	w->may_have_network = true;
}

void pod_worker_adopt(struct pod_worker *w, const struct runtime_container_status *status)
{
	struct pod_container *c = pod_container_find(w, status->name);
	bool is_known = c && status->attempt >= c->attempt && status->state != RUNTIME_CREATED;
	if (!w->name.len) {
		w->namespace = arena_str(&w->arena, status->pod_namespace);
		w->name = arena_str(&w->arena, status->pod_name);
	}
	if (!is_known) {
		pod_setup_leftover(w, str_of(status->id));
		return;
	}
	if (c->has_container)
		pod_setup_leftover(w, str_of(c->id));
	pod_container_adopt(c, status);
}

void pod_worker_free(struct pod_worker *w)
{
	if (!w)
		return;
	loop_defer_cancel(&w->wake_msg);
	loop_defer_cancel(&w->sandbox_call.msg);
	loop_timer_stop(&w->retry_timer);
	loop_timer_stop(&w->deadline_timer);
	loop_timer_stop(&w->post_timer);
	for (size_t i = 0; i < w->count; i++)
		pod_container_done(w->containers[i]);
	pod_resize_done(w);
	pod_volumes_free(w->volumes);
	pod_sources_free(w->sources);
	object_unref(w->object);
	arena_done(&w->arena);
	free(w);
}
