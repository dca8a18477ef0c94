#include "api/print-int.h"

/* What READY, STATUS and RESTARTS tell of a pod, gathered over its containers. */
struct pod_row {
	const struct pod *pod;
	struct str reason;
	int restarts, sidecar_restarts;
	int64_t last_restart_us, last_sidecar_restart_us;
	uint32_t total, ready;
};

static const struct container *init_named(const struct pod *pod, struct str name)
{
	for (uint32_t i = 0; i < pod->spec.init_containers.count; i++)
		if (str_eq(pod->spec.init_containers.at[i].name, name))
			return &pod->spec.init_containers.at[i];
	return NULL;
}

static bool is_sidecar(const struct container *container)
{
	return container && str_is(container->restart_policy, "Always");
}

static void later(int64_t *time_us, const struct container_state *last)
{
	if (last->terminated && last->terminated->finished_at > *time_us)
		*time_us = last->terminated->finished_at;
}

static struct str ended_text(struct cells *c, const struct container_state_terminated *t,
			     const char *prefix)
{
	if (t->reason.len > 0)
		return arena_printf(c->arena, "%s%.*s", prefix, STR_FMT(t->reason));
	if (t->signal != 0)
		return arena_printf(c->arena, "%sSignal:%d", prefix, t->signal);
	return arena_printf(c->arena, "%sExitCode:%d", prefix, t->exit_code);
}

/* One init container; false: it is done or runs beside the others, look at the next. */
static bool init_stands(struct cells *c, struct pod_row *row, uint32_t i)
{
	const struct container_status *s = &row->pod->status.init_container_statuses.at[i];
	const struct container_state_terminated *ended = s->state.terminated;
	const struct container_state_waiting *waits = s->state.waiting;
	if (ended && ended->exit_code == 0)
		return false;
	if (is_sidecar(init_named(row->pod, s->name)) && s->started && *s->started) {
		row->ready += s->ready;
		return false;
	}
	if (ended)
		row->reason = ended_text(c, ended, "Init:");
	else if (waits && waits->reason.len > 0 && !str_is(waits->reason, "PodInitializing"))
		row->reason = arena_printf(c->arena, "Init:%.*s", STR_FMT(waits->reason));
	else
		row->reason = arena_printf(c->arena, "Init:%u/%u", i,
					   row->pod->spec.init_containers.count);
	return true;
}

static bool read_init(struct cells *c, struct pod_row *row)
{
	const struct container_status_array *list = &row->pod->status.init_container_statuses;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct container_status *s = &list->at[i];
		row->restarts += s->restart_count;
		later(&row->last_restart_us, &s->last_state);
		if (is_sidecar(init_named(row->pod, s->name))) {
			row->sidecar_restarts += s->restart_count;
			later(&row->last_sidecar_restart_us, &s->last_state);
		}
		if (init_stands(c, row, i))
			return true;
	}
	return false;
}

static bool has_condition(const struct pod *pod, const char *type)
{
	for (uint32_t i = 0; i < pod->status.conditions.count; i++) {
		const struct pod_condition *condition = &pod->status.conditions.at[i];
		if (str_is(condition->type, type) && str_is(condition->status, "True"))
			return true;
	}
	return false;
}

static void read_containers(struct cells *c, struct pod_row *row)
{
	const struct container_status_array *list = &row->pod->status.container_statuses;
	bool has_running = false;
	row->restarts = row->sidecar_restarts;
	row->last_restart_us = row->last_sidecar_restart_us;
	for (uint32_t i = list->count; i-- > 0;) {
		const struct container_status *s = &list->at[i];
		row->restarts += s->restart_count;
		later(&row->last_restart_us, &s->last_state);
		if (s->state.waiting && s->state.waiting->reason.len > 0) {
			row->reason = s->state.waiting->reason;
		} else if (s->state.terminated) {
			row->reason = ended_text(c, s->state.terminated, "");
		} else if (s->ready && s->state.running) {
			has_running = true;
			row->ready++;
		}
	}
	if (str_is(row->reason, "Completed") && has_running)
		row->reason = has_condition(row->pod, "Ready") ? STR("Running") : STR("NotReady");
}

static void read_phase(struct pod_row *row)
{
	const struct pod *pod = row->pod;
	row->reason = or_text(pod->status.reason, "");
	if (row->reason.len == 0)
		row->reason = pod->status.phase;
	for (uint32_t i = 0; i < pod->status.conditions.count; i++)
		if (str_is(pod->status.conditions.at[i].type, "PodScheduled") &&
		    str_is(pod->status.conditions.at[i].reason, "SchedulingGated"))
			row->reason = STR("SchedulingGated");
	row->total = pod->spec.containers.count;
	for (uint32_t i = 0; i < pod->spec.init_containers.count; i++)
		row->total += is_sidecar(&pod->spec.init_containers.at[i]);
}

static void read_deletion(struct pod_row *row)
{
	const struct pod *pod = row->pod;
	bool is_over = str_is(pod->status.phase, "Succeeded") ||
		       str_is(pod->status.phase, "Failed");
	if (!pod->metadata.deletion_timestamp)
		return;
	if (str_is(pod->status.reason, "NodeLost"))
		row->reason = STR("Unknown");
	else if (!is_over)
		row->reason = STR("Terminating");
}

static void cell_restarts(struct cells *c, const struct pod_row *row)
{
	if (row->restarts == 0 || !row->last_restart_us)
		cell_printf(c, "%d", row->restarts);
	else
		cell_printf(c, "%d (%.*s ago)", row->restarts,
			    STR_FMT(age_text(c, row->last_restart_us)));
}

static void cell_gates(struct cells *c, const struct pod *pod)
{
	const struct pod_readiness_gate_array *gates = &pod->spec.readiness_gates;
	uint32_t met = 0;
	if (gates->count == 0) {
		cell_cstr(c, "<none>");
		return;
	}
	for (uint32_t i = 0; i < gates->count; i++)
		for (uint32_t k = 0; k < pod->status.conditions.count; k++) {
			const struct pod_condition *condition = &pod->status.conditions.at[k];
			if (str_eq(condition->type, gates->at[i].condition_type)) {
				met += str_is(condition->status, "True");
				break;
			}
		}
	cell_printf(c, "%u/%u", met, gates->count);
}

void print_pod(struct cells *c, const void *view)
{
	const struct pod *pod = view;
	struct pod_row row = {.pod = pod};
	read_phase(&row);
	bool is_initializing = read_init(c, &row);
	if (!is_initializing || has_condition(pod, "Initialized"))
		read_containers(c, &row);
	read_deletion(&row);
	cell(c, pod->metadata.name);
	cell_printf(c, "%u/%u", row.ready, row.total);
	cell(c, row.reason);
	cell_restarts(c, &row);
	cell_age(c, pod->metadata.creation_timestamp);
	cell_or(c, pod->status.pod_ips.count ? pod->status.pod_ips.at[0].ip : pod->status.pod_ip,
		"<none>");
	cell_or(c, pod->spec.node_name, "<none>");
	cell_or(c, pod->status.nominated_node_name, "<none>");
	cell_gates(c, pod);
}
