#include "api/print-int.h"

static int32_t number(const int32_t *value, int32_t if_absent)
{
	return value ? *value : if_absent;
}

void print_deployment(struct cells *c, const void *view)
{
	const struct deployment *deployment = view;
	const struct deployment_status *status = &deployment->status;
	cell(c, deployment->metadata.name);
	cell_printf(c, "%d/%d", status->ready_replicas, number(deployment->spec.replicas, 0));
	cell_int(c, status->updated_replicas);
	cell_int(c, status->available_replicas);
	cell_age(c, deployment->metadata.creation_timestamp);
	cell_containers(c, &deployment->spec.template.spec);
	cell(c, selector_text(c, deployment->spec.selector));
}

void print_replica_set(struct cells *c, const void *view)
{
	const struct replica_set *set = view;
	cell(c, set->metadata.name);
	cell_int(c, number(set->spec.replicas, 0));
	cell_int(c, set->status.replicas);
	cell_int(c, set->status.ready_replicas);
	cell_age(c, set->metadata.creation_timestamp);
	cell_containers(c, &set->spec.template.spec);
	cell(c, selector_text(c, set->spec.selector));
}

void print_stateful_set(struct cells *c, const void *view)
{
	const struct stateful_set *set = view;
	cell(c, set->metadata.name);
	cell_printf(c, "%d/%d", set->status.ready_replicas, number(set->spec.replicas, 0));
	cell_age(c, set->metadata.creation_timestamp);
	cell_containers(c, &set->spec.template.spec);
}

void print_daemon_set(struct cells *c, const void *view)
{
	const struct daemon_set *set = view;
	const struct daemon_set_status *status = &set->status;
	cell(c, set->metadata.name);
	cell_int(c, status->desired_number_scheduled);
	cell_int(c, status->current_number_scheduled);
	cell_int(c, status->number_ready);
	cell_int(c, status->updated_number_scheduled);
	cell_int(c, status->number_available);
	cell(c, labels_text(c, &set->spec.template.spec.node_selector));
	cell_age(c, set->metadata.creation_timestamp);
	cell_containers(c, &set->spec.template.spec);
	cell(c, selector_text(c, set->spec.selector));
}

static bool has_condition(const struct job *job, const char *type)
{
	for (uint32_t i = 0; i < job->status.conditions.count; i++)
		if (str_is(job->status.conditions.at[i].type, type) &&
		    str_is(job->status.conditions.at[i].status, "True"))
			return true;
	return false;
}

static const char *job_status_text(const struct job *job)
{
	static const char *const before[] = {"Complete", "Failed"};
	static const char *const after[] = {"Suspended", "FailureTarget", "SuccessCriteriaMet"};
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		if (has_condition(job, before[i]))
			return before[i];
	if (job->metadata.deletion_timestamp)
		return "Terminating";
	for (size_t i = 0; i < ARRAY_LEN(after); i++)
		if (has_condition(job, after[i]))
			return after[i];
	return "Running";
}

static void cell_completions(struct cells *c, const struct job *job)
{
	int32_t parallelism = number(job->spec.parallelism, 0), done = job->status.succeeded;
	if (job->spec.completions)
		cell_printf(c, "%d/%d", done, *job->spec.completions);
	else if (parallelism > 1)
		cell_printf(c, "%d/1 of %d", done, parallelism);
	else
		cell_printf(c, "%d/1", done);
}

static void cell_duration(struct cells *c, const struct job_status *status)
{
	int64_t end = status->completion_time ? status->completion_time : cells_now(c);
	cell(c, status->start_time ? duration_text(c, end - status->start_time) : STR(""));
}

void print_job(struct cells *c, const void *view)
{
	const struct job *job = view;
	cell(c, job->metadata.name);
	cell_cstr(c, job_status_text(job));
	cell_completions(c, job);
	cell_duration(c, &job->status);
	cell_age(c, job->metadata.creation_timestamp);
	cell_containers(c, &job->spec.template.spec);
	cell(c, selector_text(c, job->spec.selector));
}

void print_cron_job(struct cells *c, const void *view)
{
	const struct cron_job *job = view;
	const struct job_spec *template = &job->spec.job_template.spec;
	int64_t last = job->status.last_schedule_time;
	cell(c, job->metadata.name);
	cell(c, job->spec.schedule);
	cell_or(c, job->spec.time_zone, "<none>");
	cell_cstr(c, !job->spec.suspend ? "<unset>" : *job->spec.suspend ? "True" : "False");
	cell_int(c, job->status.active.count);
	cell(c, last ? age_text(c, last) : STR("<none>"));
	cell_age(c, job->metadata.creation_timestamp);
	cell_containers(c, &template->template.spec);
	cell(c, selector_text(c, template->selector));
}

void print_revision(struct cells *c, const void *view)
{
	const struct controller_revision *revision = view;
	const struct owner_reference_array *owners = &revision->metadata.owner_references;
	const struct owner_reference *owner = NULL;
	for (uint32_t i = 0; i < owners->count; i++)
		if (owners->at[i].controller && *owners->at[i].controller)
			owner = &owners->at[i];
	cell(c, revision->metadata.name);
	if (owner) {
		struct str group, version;
		bool has_group = str_cut(owner->api_version, '/', &group, &version);
		struct str kind = lower_text(c, owner->kind);
		cell_printf(c, "%.*s%s%.*s/%.*s", STR_FMT(kind), has_group ? "." : "",
			    has_group ? (int)group.len : 0, group.at, STR_FMT(owner->name));
	} else {
		cell_cstr(c, "<none>");
	}
	cell_int(c, revision->revision);
	cell_age(c, revision->metadata.creation_timestamp);
}

/* ---- autoscaler ---- */

static struct str utilization_text(struct cells *c, const int32_t *percent)
{
	return percent ? arena_printf(c->arena, "%d%%", *percent) : STR("<unknown>");
}

/* "current/target", by the form the target has. */
static struct str metric_text(struct cells *c, struct str name, const struct metric_target *target,
			      const struct metric_value_status *current, bool marks_average)
{
	struct str prefix = name.len ? arena_printf(c->arena, "%.*s: ", STR_FMT(name)) : STR("");
	if (target->average_value.at)
		return arena_printf(
			c->arena, "%.*s%.*s/%.*s%s", STR_FMT(prefix),
			STR_FMT(or_text(current ? current->average_value : (struct str){},
					"<unknown>")),
			STR_FMT(target->average_value), marks_average ? " (avg)" : "");
	if (target->average_utilization || name.len)
		return arena_printf(
			c->arena, "%.*s%.*s/%.*s", STR_FMT(prefix),
			STR_FMT(utilization_text(c, current ? current->average_utilization : NULL)),
			STR_FMT(target->average_utilization
					? utilization_text(c, target->average_utilization)
					: STR("<auto>")));
	return arena_printf(
		c->arena, "%.*s/%.*s",
		STR_FMT(or_text(current ? current->value : (struct str){}, "<unknown>")),
		STR_FMT(target->value));
}

static struct str source_text(struct cells *c, const struct metric_spec *spec,
			      const struct metric_status *status)
{
	struct str none = {};
	if (spec->resource)
		return metric_text(c, spec->resource->name, &spec->resource->target,
				   status && status->resource ? &status->resource->current : NULL,
				   false);
	if (spec->container_resource)
		return metric_text(
			c, spec->container_resource->name, &spec->container_resource->target,
			status && status->container_resource ? &status->container_resource->current
							     : NULL,
			false);
	if (spec->pods)
		return metric_text(c, none, &spec->pods->target,
				   status && status->pods ? &status->pods->current : NULL, false);
	if (spec->object)
		return metric_text(c, none, &spec->object->target,
				   status && status->object ? &status->object->current : NULL,
				   true);
	if (spec->external)
		return metric_text(c, none, &spec->external->target,
				   status && status->external ? &status->external->current : NULL,
				   true);
	return STR("<unknown type>");
}

static void cell_targets(struct cells *c, const struct horizontal_pod_autoscaler *autoscaler)
{
	const struct metric_spec_array *specs = &autoscaler->spec.metrics;
	const struct metric_status_array *statuses = &autoscaler->status.current_metrics;
	struct texts t = {};
	for (uint32_t i = 0; i < specs->count; i++)
		texts_add(c, &t,
			  source_text(c, &specs->at[i],
				      i < statuses->count ? &statuses->at[i] : NULL));
	struct texts first = t;
	first.count = MIN(t.count, (size_t)2);
	struct str text = or_text(texts_joined(c, &first, ", "), "<none>");
	if (t.count > 2)
		cell_printf(c, "%.*s + %zu more...", STR_FMT(text), t.count - 2);
	else
		cell(c, text);
}

void print_autoscaler(struct cells *c, const void *view)
{
	const struct horizontal_pod_autoscaler *autoscaler = view;
	const struct horizontal_pod_autoscaler_spec *spec = &autoscaler->spec;
	cell(c, autoscaler->metadata.name);
	cell_printf(c, "%.*s/%.*s", STR_FMT(spec->scale_target_ref.kind),
		    STR_FMT(spec->scale_target_ref.name));
	cell_targets(c, autoscaler);
	if (spec->min_replicas)
		cell_printf(c, "%d", *spec->min_replicas);
	else
		cell_cstr(c, "<unset>");
	cell_int(c, spec->max_replicas);
	cell_int(c, autoscaler->status.current_replicas);
	cell_age(c, autoscaler->metadata.creation_timestamp);
}

static void cell_int_or_string(struct cells *c, const struct int_or_string *value)
{
	if (!value)
		cell_cstr(c, "N/A");
	else if (value->is_string)
		cell(c, value->text);
	else
		cell_printf(c, "%d", value->number);
}

void print_budget(struct cells *c, const void *view)
{
	const struct pod_disruption_budget *budget = view;
	cell(c, budget->metadata.name);
	cell_int_or_string(c, budget->spec.min_available);
	cell_int_or_string(c, budget->spec.max_unavailable);
	cell_int(c, budget->status.disruptions_allowed);
	cell_age(c, budget->metadata.creation_timestamp);
}
