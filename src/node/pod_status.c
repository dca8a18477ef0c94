#include "node/pod_status.h"

#include "node/agent-int.h"

#define OWN_CONDITIONS 7

static const char phase_pending[] = "Pending", phase_running[] = "Running",
		  phase_succeeded[] = "Succeeded", phase_failed[] = "Failed";

/* ---- containers ---- */

static struct str id_str(struct arena *a, const char *id)
{
	return id[0] ? arena_printf(a, CONTAINER_ID_SCHEME "%s", id) : (struct str){};
}

static const struct container_state_terminated *terminated(struct arena *a,
							   const struct container_end *end)
{
	struct container_state_terminated *t = ARENA_NEW(a, struct container_state_terminated);
	*t = (struct container_state_terminated){
		.exit_code = end->exit_code,
		.reason = str_of(end->reason),
		.message = str_of(end->message),
		.started_at = end->started_us,
		.finished_at = end->finished_us,
		.container_id = id_str(a, end->id),
	};
	return t;
}

static const struct container_state_waiting *waiting(struct arena *a, const char *reason,
						     const char *message)
{
	struct container_state_waiting *s = ARENA_NEW(a, struct container_state_waiting);
	*s = (struct container_state_waiting){str_of(reason), str_of(message)};
	return s;
}

static bool has_init(const struct pod_worker *w)
{
	return w->count > 0 && container_is_init(w->containers[0]);
}

/* Init containers are done, sidecars among them started. */
static bool is_initialized(const struct pod_worker *w)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct pod_container *c = w->containers[i];
		bool is_done = c->role == CONTAINER_SIDECAR
				       ? c->is_started || c->end.is_set
				       : c->stage == CONTAINER_EXITED && c->end.exit_code == 0;
		if (container_is_init(c) && !is_done)
			return false;
	}
	return true;
}

static const char *first_reason(const struct pod_container *c)
{
	bool waits_for_init = container_is_init(c) ? c != c->worker->containers[0]
						   : has_init(c->worker);
	return waits_for_init ? "PodInitializing" : "ContainerCreating";
}

/* A pod that was running ends: what cannot be found any more has failed. */
static bool is_unknown_end(const struct pod_container *c)
{
	return c->worker->stage >= POD_RELEASING && c->role == CONTAINER_MAIN && c->id[0] &&
	       !c->end.is_set;
}

static void set_state(struct arena *a, const struct pod_container *c, struct container_status *s)
{
	if (c->stage == CONTAINER_RUNNING) {
		struct container_state_running *r = ARENA_NEW(a, struct container_state_running);
		r->started_at = c->started_us;
		s->state.running = r;
	} else if (is_unknown_end(c)) {
		struct container_end end = {.exit_code = 137};
		struct container_state_terminated *t = NULL;
		t = arena_copy(a, terminated(a, &end), sizeof(*t));
		t->reason = STR("ContainerStatusUnknown");
		t->message = STR("The container could not be located when the pod was terminated");
		s->state.terminated = t;
	} else if (c->end.is_set && !c->waiting_reason) {
		s->state.terminated = terminated(a, &c->end);
	} else if (c->waiting_reason) {
		s->state.waiting = waiting(a, c->waiting_reason, c->waiting_message);
	} else {
		s->state.waiting = waiting(a, first_reason(c), NULL);
	}
	if (c->end.is_set && s->state.waiting)
		s->last_state.terminated = terminated(a, &c->end);
	else if (c->last.is_set)
		s->last_state.terminated = terminated(a, &c->last);
}

static void set_mounts(struct arena *a, const struct container *spec, struct container_status *s)
{
	struct volume_mount_status *list =
		ARENA_ARRAY(a, struct volume_mount_status, spec->volume_mounts.count);
	for (uint32_t i = 0; i < spec->volume_mounts.count; i++) {
		const struct volume_mount *m = &spec->volume_mounts.at[i];
		list[i] = (struct volume_mount_status){
			.name = m->name, .mount_path = m->mount_path, .read_only = m->read_only};
		if (m->read_only)
			list[i].recursive_read_only = STR("Disabled");
	}
	s->volume_mounts.at = list;
	s->volume_mounts.count = spec->volume_mounts.count;
}

static struct container_status container_status(struct arena *a, const struct pod_container *c)
{
	bool *is_started = ARENA_NEW(a, bool);
	*is_started = c->stage == CONTAINER_RUNNING && c->is_started;
	struct container_status s = {
		.name = c->name,
		.restart_count = c->attempt,
		.image = c->spec->image,
		.image_id = str_of(c->image_id),
		.container_id = id_str(a, c->id),
		.started = is_started,
		.ready = c->stage == CONTAINER_RUNNING && c->is_started && c->is_ready,
	};
	if (c->role == CONTAINER_EPHEMERAL) { /* nothing probes it */
		s.started = NULL;
		s.ready = false;
	}
	if (c->role == CONTAINER_INIT)
		s.ready = c->stage == CONTAINER_EXITED && c->end.exit_code == 0;
	if (c->id[0]) {
		s.allocated_resources = container_requirements(c, POD_ALLOCATED)->requests;
		s.resources = container_requirements(c, POD_ACTUAL);
	}
	set_state(a, c, &s);
	set_mounts(a, c->spec, &s);
	return s;
}

#define ROLE_BIT(role) (1u << (role))
#define ROLES_INIT     (ROLE_BIT(CONTAINER_INIT) | ROLE_BIT(CONTAINER_SIDECAR))

static struct container_status_array statuses(struct arena *a, const struct pod_worker *w,
					      unsigned roles)
{
	struct container_status *list = ARENA_ARRAY(a, struct container_status, w->count);
	uint32_t count = 0;
	for (size_t i = 0; i < w->count; i++)
		if (roles & ROLE_BIT(w->containers[i]->role))
			list[count++] = container_status(a, w->containers[i]);
	return (struct container_status_array){list, count};
}

/* ---- phase ---- */

struct census {
	size_t init_pending, init_failed, waiting, running, stopped, succeeded;
};

static void count_init(struct census *n, const struct pod_container *c)
{
	bool has_ended = c->stage == CONTAINER_EXITED;
	if (c->role == CONTAINER_SIDECAR)
		n->init_pending += !c->is_started && !c->end.is_set && !c->last.is_set;
	else if (has_ended && c->end.exit_code != 0)
		n->init_failed++;
	else if (!has_ended)
		n->init_pending++;
}

static struct census take_census(const struct pod_worker *w)
{
	struct census n = {};
	for (size_t i = 0; i < w->count; i++) {
		const struct pod_container *c = w->containers[i];
		if (c->role == CONTAINER_EPHEMERAL)
			continue;
		if (container_is_init(c))
			count_init(&n, c);
		else if (c->stage == CONTAINER_RUNNING)
			n.running++;
		else if (is_unknown_end(c) || c->end.is_set || c->last.is_set)
			n.stopped++;
		else
			n.waiting++;
		if (c->role == CONTAINER_MAIN && c->stage == CONTAINER_EXITED)
			n.succeeded += c->end.exit_code == 0;
	}
	return n;
}

static const char *phase_of(const struct pod_worker *w)
{
	struct census n = take_census(w);
	struct str policy = w->pod->spec.restart_policy;
	bool is_over = w->stage >= POD_RELEASING;
	if (is_over)
		return !w->is_evicted && !w->end_reason.len && n.stopped == n.succeeded &&
				       n.waiting == 0 && n.stopped > 0 && n.init_failed == 0
			       ? phase_succeeded
			       : phase_failed;
	if (n.init_failed && str_is(policy, "Never"))
		return phase_failed;
	if (n.init_pending || n.init_failed || n.waiting)
		return phase_pending;
	if (n.running || str_is(policy, "Always"))
		return phase_running;
	if (n.stopped == n.succeeded)
		return n.stopped ? phase_succeeded : phase_pending;
	return str_is(policy, "Never") ? phase_failed : phase_running;
}

/* ---- conditions ---- */

struct conditions {
	struct arena *a;
	const struct pod_worker *w;
	int64_t now_us;
	struct pod_condition *list;
	uint32_t count;
};

static const struct pod_condition *condition_find(const struct pod_worker *w, struct str type)
{
	const struct pod_condition_array *list = &w->pod->status.conditions;
	for (uint32_t i = 0; i < list->count; i++)
		if (str_eq(list->at[i].type, type))
			return &list->at[i];
	return NULL;
}

static struct pod_condition *add(struct conditions *all, struct str type, bool is_true,
				 const char *reason, struct str message)
{
	struct pod_condition *c = &all->list[all->count++];
	const struct pod_condition *old = condition_find(all->w, type);
	struct str status = is_true ? STR("True") : STR("False");
	*c = (struct pod_condition){
		.type = type,
		.observed_generation = all->w->pod->metadata.generation,
		.status = status,
		.last_transition_time = old && str_eq(old->status, status)
						? old->last_transition_time
						: all->now_us,
		.reason = str_of(reason),
		.message = message,
	};
	return c;
}

static struct str list_names(struct arena *a, const struct container_status_array *list,
			     bool (*is_named)(const struct container_status *), const char *what)
{
	CLEANUP_BUF text = BUF_INIT(16u << 10);
	for (uint32_t i = 0; i < list->count; i++)
		if (is_named(&list->at[i]))
			buf_printf(&text, "%s%.*s", text.len ? " " : "", STR_FMT(list->at[i].name));
	if (!text.len)
		return (struct str){};
	return arena_printf(a, "containers with %s status: [%s]", what, text.data);
}

static bool is_unready(const struct container_status *s)
{
	return !s->ready;
}

/* A sidecar counts as complete once it is started. */
static bool is_incomplete(const struct container_status *s)
{
	return !s->ready && !(s->started && *s->started);
}

static void add_initialized(struct conditions *all, const struct pod_status *status)
{
	struct str names =
		list_names(all->a, &status->init_container_statuses, is_incomplete, "incomplete");
	bool has_main = false;
	for (uint32_t i = 0; i < status->container_statuses.count; i++)
		has_main |= status->container_statuses.at[i].container_id.len > 0;
	if (str_is(status->phase, phase_succeeded))
		add(all, STR("Initialized"), true, "PodCompleted", (struct str){});
	else if (names.len && !has_main && !is_initialized(all->w))
		add(all, STR("Initialized"), false, "ContainersNotInitialized", names);
	else
		add(all, STR("Initialized"), true, NULL, (struct str){});
}

static struct str unready_gates(struct arena *a, const struct pod_worker *w)
{
	CLEANUP_BUF text = BUF_INIT(16u << 10);
	for (uint32_t i = 0; i < w->pod->spec.readiness_gates.count; i++) {
		struct str type = w->pod->spec.readiness_gates.at[i].condition_type;
		const struct pod_condition *c = condition_find(w, type);
		if (c && str_is(c->status, "True"))
			continue;
		buf_add_cstr(&text, text.len ? ", " : "");
		if (!c)
			buf_printf(&text,
				   "corresponding condition of pod readiness gate \"%.*s\" does "
				   "not exist.",
				   STR_FMT(type));
		else
			buf_printf(&text,
				   "the status of pod readiness gate \"%.*s\" is not \"True\", but "
				   "%.*s",
				   STR_FMT(type), STR_FMT(c->status));
	}
	return arena_str(a, buf_str(&text));
}

static void add_ready(struct conditions *all, const struct pod_status *status)
{
	struct container_status_array counted =
		statuses(all->a, all->w, ROLE_BIT(CONTAINER_SIDECAR) | ROLE_BIT(CONTAINER_MAIN));
	struct str names = list_names(all->a, &counted, is_unready, "unready");
	struct str gates = unready_gates(all->a, all->w);
	const char *reason = names.len ? "ContainersNotReady" : NULL;
	if (str_is(status->phase, phase_succeeded))
		reason = "PodCompleted";
	if (str_is(status->phase, phase_failed))
		reason = "PodFailed";
	if (reason && strcmp(reason, "ContainersNotReady") != 0)
		names = (struct str){};
	if (!reason && gates.len)
		add(all, STR("Ready"), false, "ReadinessGatesNotReady", gates);
	else
		add(all, STR("Ready"), !reason, reason, names);
	add(all, STR("ContainersReady"), !reason, reason, names);
}

static void add_resize(struct conditions *all)
{
	const struct pod_resize *r = &all->w->resize;
	if (r->pending)
		add(all, STR("PodResizePending"), true, r->pending, str_of(r->pending_message))
			->observed_generation = r->pending_generation;
	if (r->is_in_progress)
		add(all, STR("PodResizeInProgress"), true, r->problem ? "Error" : NULL,
		    str_of(r->problem))
			->observed_generation = r->generation;
}

static bool is_kubelets(struct str type)
{
	static const char *const own[] = {
		"PodReadyToStartContainers", "Initialized",  "Ready",
		"ContainersReady",	     "PodScheduled", "PodResizePending",
		"PodResizeInProgress"};
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (str_is(type, own[i]))
			return true;
	return false;
}

static void set_conditions(struct arena *a, const struct pod_worker *w, int64_t now_us,
			   struct pod_status *status)
{
	const struct pod_condition_array *old = &w->pod->status.conditions;
	bool has_sandbox = w->has_sandbox && w->has_network;
	struct conditions all = {.a = a, .w = w, .now_us = now_us};
	all.list = ARENA_ARRAY(a, struct pod_condition, old->count + OWN_CONDITIONS);
	for (uint32_t i = 0; i < old->count; i++)
		if (!is_kubelets(old->at[i].type))
			all.list[all.count++] = old->at[i];
	add_resize(&all);
	add(&all, STR("PodReadyToStartContainers"), has_sandbox, NULL, (struct str){});
	add_initialized(&all, status);
	add_ready(&all, status);
	add(&all, STR("PodScheduled"), true, NULL, (struct str){});
	status->conditions = (struct pod_condition_array){all.list, all.count};
}

/* ---- the whole ---- */

static struct str address_str(struct arena *a, struct ipaddr addr)
{
	char text[IPADDR_TEXT_MAX];
	size_t len = ipaddr_format(addr, text);
	return len ? arena_str(a, str_n(text, len)) : (struct str){};
}

static void set_addresses(struct arena *a, const struct pod_worker *w, struct pod_status *status)
{
	struct pod_ip *ips = ARENA_ARRAY(a, struct pod_ip, POD_ADDRESSES_MAX);
	struct host_ip *host = ARENA_NEW(a, struct host_ip);
	for (size_t i = 0; i < w->address_count; i++)
		ips[i].ip = address_str(a, w->addresses[i]);
	host->ip = address_str(a, w->agent->config.address);
	if (w->address_count) {
		status->pod_ip = ips[0].ip;
		status->pod_ips = (struct pod_ip_array){ips, (uint32_t)w->address_count};
	}
	if (host->ip.len) {
		status->host_ip = host->ip;
		status->host_ips = (struct host_ip_array){host, 1};
	}
}

struct pod_status *pod_status_make(struct arena *a, const struct pod_worker *w, int64_t now_us)
{
	struct pod_status *status = ARENA_NEW(a, struct pod_status);
	*status = w->pod->status;
	status->observed_generation = w->pod->metadata.generation;
	status->start_time = w->start_time_us;
	status->init_container_statuses = statuses(a, w, ROLES_INIT);
	status->container_statuses = statuses(a, w, ROLE_BIT(CONTAINER_MAIN));
	status->ephemeral_container_statuses = statuses(a, w, ROLE_BIT(CONTAINER_EPHEMERAL));
	status->phase = str_of(phase_of(w));
	status->reason = w->end_reason;
	status->message = w->end_message;
	set_addresses(a, w, status);
	set_conditions(a, w, now_us, status);
	return status;
}
