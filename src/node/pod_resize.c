#include "node/pod_resize.h"

#include "api/api_ids.h"
#include "api/quantity.h"
#include "codec/json.h"
#include "node/agent-int.h"
#include "node/pod_worker.h"

static const char deferred[] = "Deferred", infeasible[] = "Infeasible";

/* One order to the runtime; outlives the pod's object. */
struct resize_job {
	struct arena arena;
	struct runtime_resize config;
	struct allotment *given; /* of each item, to become actual */
	struct pod_container **containers;
};

/* ---- what differs ---- */

static bool differs(const struct pod_container *c, enum pod_amounts a, enum pod_amounts b)
{
	return container_is_lasting(c) &&
	       !requirements_equal(container_requirements(c, a), container_requirements(c, b));
}

static bool any_differs(const struct pod_worker *w, enum pod_amounts a, enum pod_amounts b)
{
	for (size_t i = 0; i < w->count; i++)
		if (differs(w->containers[i], a, b))
			return true;
	return false;
}

/* ---- what is told ---- */

static void add_containers(struct arena *a, struct json *to, const struct pod_worker *w,
			   enum container_role role, const char *key, enum pod_amounts which)
{
	const struct api *api = w->agent->config.client->api;
	const struct api_type *type = api_type(api, TYPE_CORE_V1_RESOURCE_REQUIREMENTS);
	struct json *list = json_array(a);
	for (size_t i = 0; i < w->count; i++) {
		const struct pod_container *c = w->containers[i];
		struct json *item = json_object(a);
		if (c->role != role)
			continue;
		json_set_str(a, item, STR("name"), c->name);
		json_set(a, item, STR("resources"),
			 view_to_tree(a, type, container_requirements(c, which)));
		json_append(a, list, item);
	}
	if (json_count(list))
		json_set(a, to, str_of(key), list);
}

static void tell(const struct pod_worker *w, const char *type, const char *reason,
		 const char *words, enum pod_amounts which, int64_t generation, const char *problem)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(4096);
	struct json *t = json_object(&a);
	add_containers(&a, t, w, CONTAINER_SIDECAR, "initContainers", which);
	add_containers(&a, t, w, CONTAINER_MAIN, "containers", which);
	json_set(&a, t, STR("generation"), json_int(&a, generation));
	if (problem)
		json_set_str(&a, t, STR("error"), str_of(problem));
	json_write(&text, t);
	agent_event(w->agent, w->object, NULL, type, reason, "Pod resize %s: %.*s", words,
		    STR_FMT(buf_str(&text)));
}

static void set_pending(struct pod_worker *w, const char *reason, char *own_message)
{
	struct pod_resize *r = &w->resize;
	int64_t generation = w->pod->metadata.generation;
	bool is_news = r->pending != reason || r->pending_generation != generation;
	r->pending = reason;
	r->pending_generation = generation;
	free(r->pending_message);
	r->pending_message = own_message;
	if (is_news)
		tell(w, "Warning", reason == deferred ? "ResizeDeferred" : "ResizeInfeasible",
		     reason, POD_WANTED, generation, own_message);
}

static void set_problem(struct pod_worker *w, const char *text)
{
	struct pod_resize *r = &w->resize;
	bool is_news = text && (!r->problem || strcmp(r->problem, text) != 0);
	free(r->problem);
	r->problem = text ? mem_strdup(text) : NULL;
	if (is_news)
		tell(w, "Warning", "ResizeError", "error", POD_ALLOCATED, r->generation, text);
}

/* ---- the node grants ---- */

struct room {
	const char *name;
	int64_t wanted, used, capacity;
};

static void others_use(const struct pod_worker *w, struct room *cpu, struct room *memory)
{
	const struct map *workers = &w->agent->workers;
	for (struct map_entry *e = map_next(workers, NULL); e; e = map_next(workers, e)) {
		const struct pod_worker *other = e->value;
		int64_t cpu_milli, memory_bytes;
		if (other == w || !other->pod || other->stage >= POD_RELEASING)
			continue;
		pod_requests(other, POD_ALLOCATED, &cpu_milli, &memory_bytes);
		cpu->used += cpu_milli;
		memory->used += memory_bytes;
	}
}

/* NULL: it may have it. */
static const char *refusal(struct pod_worker *w, char **ret_message)
{
	struct object *o = agent_node_object(w->agent);
	const struct str_map *allocatable =
		o ? &((const struct node *)object_view(o))->status.allocatable : NULL;
	struct room rooms[] = {{"memory"}, {"cpu"}};
	if (!allocatable)
		return NULL;
	rooms[0].capacity = quantity_text_value(str_map_cget(allocatable, "memory"));
	rooms[1].capacity = quantity_text_milli(str_map_cget(allocatable, "cpu"));
	pod_requests(w, POD_WANTED, &rooms[1].wanted, &rooms[0].wanted);
	others_use(w, &rooms[1], &rooms[0]);
	for (size_t i = 0; i < ARRAY_LEN(rooms); i++) {
		const struct room *r = &rooms[i];
		if (r->wanted <= r->capacity)
			continue;
		*ret_message = mem_printf("Node didn't have enough capacity: %s, requested: "
					  "%lld, capacity: %lld",
					  r->name, (long long)r->wanted, (long long)r->capacity);
		return infeasible;
	}
	for (size_t i = ARRAY_LEN(rooms); i-- > 0;) {
		const struct room *r = &rooms[i];
		if (r->wanted <= r->capacity - r->used)
			continue;
		*ret_message = mem_printf("Node didn't have enough resource: %s, requested: "
					  "%lld, used: %lld, capacity: %lld",
					  r->name, (long long)r->wanted, (long long)r->used,
					  (long long)r->capacity);
		return deferred;
	}
	return NULL;
}

static void grant(struct pod_worker *w)
{
	struct pod_resize *r = &w->resize;
	for (size_t i = 0; i < w->count; i++)
		if (container_is_lasting(w->containers[i]))
			allotment_set(&w->containers[i]->allocated, w->object,
				      &w->containers[i]->spec->resources);
	r->pending = NULL;
	r->generation = w->pod->metadata.generation;
	r->retry_at_ms = 0;
	set_problem(w, NULL);
	pod_resizes_retry(w->agent); /* it may have given something back */
}

static void decide(struct pod_worker *w)
{
	struct pod_resize *r = &w->resize;
	char *message;
	if (!any_differs(w, POD_WANTED, POD_ALLOCATED)) {
		r->pending = NULL;
		return;
	}
	const char *reason = refusal(w, &message);
	if (reason)
		set_pending(w, reason, message);
	else
		grant(w);
}

/* ---- it becomes true ---- */

static bool runs(const struct pod_container *c)
{
	return c->stage == CONTAINER_RUNNING && !c->is_ending;
}

static bool policy_restarts(const struct pod_container *c, const char *resource)
{
	const struct container_resize_policy_array *list = &c->spec->resize_policy;
	for (uint32_t i = 0; i < list->count; i++)
		if (str_is(list->at[i].resource_name, resource))
			return str_is(list->at[i].restart_policy, "RestartContainer");
	return false;
}

static bool wants_restart(const struct pod_container *c)
{
	struct runtime_resources is = runtime_resources_of(container_requirements(c, POD_ACTUAL));
	struct runtime_resources due =
		runtime_resources_of(container_requirements(c, POD_ALLOCATED));
	bool is_cpu = is.cpu_request_milli != due.cpu_request_milli ||
		      is.cpu_limit_milli != due.cpu_limit_milli;
	bool is_memory = is.memory_request_bytes != due.memory_request_bytes ||
			 is.memory_limit_bytes != due.memory_limit_bytes;
	return (is_cpu && policy_restarts(c, "cpu")) || (is_memory && policy_restarts(c, "memory"));
}

static void restart(struct pod_container *c)
{
	struct pod_worker *w = c->worker;
	agent_event(w->agent, w->object, container_field_path(c, (char[128]){}), "Normal",
		    "Killing", "Container %.*s resize requires restart", STR_FMT(c->name));
	c->is_resized = true;
	pod_container_kill(c, pod_grace_s(w) * 1000);
}

/* As wide as what still runs with more until it has ended. */
static struct runtime_resources group_wanted(const struct pod_worker *w)
{
	struct runtime_resources after = pod_group_resources(w, POD_ALLOCATED);
	bool has_wider = false;
	for (size_t i = 0; i < w->count; i++)
		has_wider |= w->containers[i]->stage == CONTAINER_RUNNING &&
			     w->containers[i]->is_resized;
	if (!has_wider)
		return after;
	struct runtime_resources before = pod_group_resources(w, POD_ACTUAL);
	return runtime_resources_widest(&before, &after);
}

static void job_free(struct resize_job *job)
{
	for (size_t i = 0; job && i < job->config.count; i++)
		allotment_done(&job->given[i]);
	if (job)
		arena_done(&job->arena);
	free(job);
}

static void on_retry(struct loop_timer *timer)
{
	pod_worker_wake(CONTAINER_OF(timer, struct pod_worker, resize.retry_timer));
}

static void actuated(struct runtime_call *call)
{
	struct pod_worker *w = CONTAINER_OF(call, struct pod_worker, resize.call);
	struct resize_job *job = TAKE_PTR(w->resize.job);
	if (call->rc == RC_OK) {
		for (size_t i = 0; i < job->config.count; i++)
			allotment_set(&job->containers[i]->actual, job->given[i].owner,
				      job->given[i].amounts);
		w->resize.group = job->config.pod_after;
		set_problem(w, NULL);
	} else {
		set_problem(w, call->err.text);
		w->resize.retry_at_ms = world_mono_ms() + POD_RESIZE_RETRY_MS;
		loop_timer_start(w->agent->loop, &w->resize.retry_timer, POD_RESIZE_RETRY_MS,
				 on_retry);
	}
	job_free(job);
	pod_worker_wake(w);
}

static void actuate(struct pod_worker *w)
{
	struct runtime *r = w->agent->config.runtime;
	struct resize_job *job = NEW(struct resize_job);
	struct runtime_resize_item *items =
		ARENA_ARRAY(&job->arena, struct runtime_resize_item, w->count);
	job->given = ARENA_ARRAY(&job->arena, struct allotment, w->count);
	job->containers = ARENA_ARRAY(&job->arena, struct pod_container *, w->count);
	for (size_t i = 0; i < w->count; i++) {
		struct pod_container *c = w->containers[i];
		size_t at = job->config.count;
		if (!runs(c) || !differs(c, POD_ALLOCATED, POD_ACTUAL))
			continue;
		items[at].id = arena_str(&job->arena, str_of(c->id));
		items[at].name = c->name;
		items[at].resources = runtime_resources_of(c->allocated.amounts);
		allotment_set(&job->given[at], c->allocated.owner, c->allocated.amounts);
		job->containers[at] = c;
		job->config.count++;
	}
	job->config.pod_uid = w->uid;
	job->config.items = items;
	job->config.pod_before = w->resize.group;
	job->config.pod_after = group_wanted(w);
	w->resize.job = job;
	w->resize.call.done = actuated;
	r->ops->resize(r, &job->config, &w->resize.call);
}

static void progress(struct pod_worker *w)
{
	struct pod_resize *r = &w->resize;
	bool is_due = false, is_open = false;
	for (size_t i = 0; i < w->count; i++) {
		struct pod_container *c = w->containers[i];
		bool is_behind = differs(c, POD_ALLOCATED, POD_ACTUAL);
		is_open |= is_behind && (c->stage == CONTAINER_RUNNING || c->is_resized);
		if (is_behind && runs(c) && wants_restart(c))
			restart(c);
		else
			is_due |= is_behind && runs(c);
	}
	if (is_open && !r->is_in_progress)
		tell(w, "Normal", "ResizeStarted", "started", POD_ALLOCATED, r->generation, NULL);
	if (!is_open && r->is_in_progress)
		tell(w, "Normal", "ResizeCompleted", "completed", POD_ALLOCATED, r->generation,
		     NULL);
	r->is_in_progress = is_open;
	struct runtime_resources group = group_wanted(w);
	is_due |= w->has_sandbox && !runtime_resources_equal(&group, &r->group);
	if (is_due && r->retry_at_ms <= world_mono_ms())
		actuate(w);
}

void pod_resize_step(struct pod_worker *w)
{
	if (w->resize.job)
		return;
	decide(w);
	progress(w);
}

void pod_resizes_retry(struct node_agent *agent)
{
	for (struct map_entry *e = map_next(&agent->workers, NULL); e;
	     e = map_next(&agent->workers, e)) {
		struct pod_worker *w = e->value;
		if (w->resize.pending)
			pod_worker_wake(w);
	}
}

void pod_resize_done(struct pod_worker *w)
{
	loop_timer_stop(&w->resize.retry_timer);
	loop_defer_cancel(&w->resize.call.msg);
	job_free(w->resize.job);
	free(w->resize.problem);
	free(w->resize.pending_message);
}
