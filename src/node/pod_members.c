/* The containers of a pod: made from its spec, bound to each newer one, and what the API's status
 * remembers of them.  Ephemeral containers join while the pod runs, the others are there from the
 * start. */
#include <stddef.h>

#include "node/agent-int.h"
#include "node/pod_worker.h"

/* Up to its target an ephemeral container is a container: the copy below rests on it. */
_Static_assert(offsetof(struct ephemeral_container, tty) == offsetof(struct container, tty) &&
	       offsetof(struct ephemeral_container, resources) ==
		       offsetof(struct container, resources));

struct pod_container *pod_container_find(struct pod_worker *w, struct str name)
{
	for (size_t i = 0; i < w->count; i++)
		if (str_eq(w->containers[i]->name, name))
			return w->containers[i];
	return NULL;
}

/* ---- made from the spec ---- */

static void add(struct pod_worker *w, struct str name, enum container_role role)
{
	struct pod_container *c = ARENA_NEW(&w->arena, struct pod_container);
	c->worker = w;
	c->role = role;
	c->name = arena_str(&w->arena, name);
	w->containers[w->count++] = c;
}

static enum container_role init_role(const struct container *spec)
{
	return str_is(spec->restart_policy, "Always") ? CONTAINER_SIDECAR : CONTAINER_INIT;
}

/* A container that is new here has what it asks for. */
static void allocate(struct pod_container *c)
{
	struct object *owner = c->worker->object;
	if (!c->allocated.amounts)
		allotment_set(&c->allocated, owner, &c->spec->resources);
	else
		allotment_renew(&c->allocated, owner, &c->spec->resources);
	allotment_renew(&c->actual, owner, &c->spec->resources);
}

static bool add_ephemeral(struct pod_worker *w)
{
	const struct ephemeral_container_array *list = &w->pod->spec.ephemeral_containers;
	size_t wanted = w->count;
	for (uint32_t i = 0; i < list->count; i++)
		wanted += !pod_container_find(w, list->at[i].name);
	if (wanted == w->count)
		return false;
	struct pod_container **old = w->containers;
	w->containers = ARENA_ARRAY(&w->arena, struct pod_container *, wanted);
	for (size_t i = 0; i < w->count; i++)
		w->containers[i] = old[i];
	for (uint32_t i = 0; i < list->count; i++)
		if (!pod_container_find(w, list->at[i].name))
			add(w, list->at[i].name, CONTAINER_EPHEMERAL);
	return true;
}

static void bind_list(struct pod_worker *w, const struct container_array *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		struct pod_container *c = pod_container_find(w, list->at[i].name);
		if (c)
			c->spec = &list->at[i];
	}
}

static void bind_ephemeral(struct pod_worker *w)
{
	const struct ephemeral_container_array *list = &w->pod->spec.ephemeral_containers;
	for (uint32_t i = 0; i < list->count; i++) {
		struct pod_container *c = pod_container_find(w, list->at[i].name);
		memcpy(&c->ephemeral_spec, &list->at[i],
		       offsetof(struct container, tty) + sizeof(c->ephemeral_spec.tty));
		c->spec = &c->ephemeral_spec;
		c->target_name = list->at[i].target_container_name;
	}
}

bool pod_members_bind(struct pod_worker *w)
{
	bool has_more = add_ephemeral(w);
	bind_list(w, &w->pod->spec.init_containers);
	bind_list(w, &w->pod->spec.containers);
	bind_ephemeral(w);
	for (size_t i = 0; i < w->count; i++)
		if (w->containers[i]->role != CONTAINER_EPHEMERAL)
			allocate(w->containers[i]);
	return has_more;
}

void pod_members_make(struct pod_worker *w)
{
	const struct container_array *init = &w->pod->spec.init_containers;
	const struct container_array *others = &w->pod->spec.containers;
	w->containers = ARENA_ARRAY(&w->arena, struct pod_container *, init->count + others->count);
	for (uint32_t i = 0; i < init->count; i++)
		add(w, init->at[i].name, init_role(&init->at[i]));
	for (uint32_t i = 0; i < others->count; i++)
		add(w, others->at[i].name, CONTAINER_MAIN);
	(void)pod_members_bind(w);
}

/* ---- what the API remembers of them ---- */

static char *text_copy(struct str s)
{
	return s.len ? mem_strndup(s.at, s.len) : NULL;
}

/* "skeg://8ae0…" */
static void copy_id(char out[RUNTIME_ID_MAX], struct str text)
{
	struct str scheme, id = {};
	if (str_cut(text, ':', &scheme, &id))
		id = str_skip(id, 2);
	snprintf(out, RUNTIME_ID_MAX, "%.*s", STR_FMT(id));
}

static void end_from_view(struct container_end *end, const struct container_state_terminated *t)
{
	container_end_done(end);
	*end = (struct container_end){
		.is_set = true,
		.exit_code = t->exit_code,
		.reason = text_copy(t->reason),
		.message = text_copy(t->message),
		.started_us = t->started_at,
		.finished_us = t->finished_at,
	};
	copy_id(end->id, t->container_id);
}

/* A container that the API takes for running, until the runtime says better. */
static void remember_running(struct pod_container *c, const struct container_status *s)
{
	c->is_started = s->started && *s->started;
	c->is_ready = s->ready;
	c->worker->is_adopted = true;
	if (c->worker->agent->config.is_simulated) /* its runtime starts empty each time */
		return;
	c->stage = CONTAINER_EXITED;
	c->end = (struct container_end){
		.is_set = true,
		.exit_code = 137,
		.reason = mem_strdup("ContainerStatusUnknown"),
		.message =
			mem_strdup("The container could not be located when the pod was deleted.  "
				   "The container used to be Running"),
		.started_us = s->state.running->started_at,
		.finished_us = world_wall_us(),
	};
	copy_id(c->end.id, s->container_id);
}

/* It was started with these; what the spec asks beyond is granted anew. */
static void remember_resources(struct pod_container *c, const struct container_status *s)
{
	bool is_like_spec = s->resources && requirements_equal(s->resources, &c->spec->resources);
	if (!s->resources || !s->container_id.len || is_like_spec || c->role == CONTAINER_EPHEMERAL)
		return;
	allotment_set(&c->actual, c->worker->object, s->resources);
	allotment_set(&c->allocated, c->worker->object, s->resources);
}

static void remember_container(struct pod_container *c, const struct container_status *s)
{
	remember_resources(c, s);
	c->attempt = s->restart_count;
	c->image_id = text_copy(s->image_id);
	if (s->last_state.terminated)
		end_from_view(&c->last, s->last_state.terminated);
	if (s->state.running)
		remember_running(c, s);
	if (s->state.terminated) {
		c->stage = CONTAINER_EXITED;
		end_from_view(&c->end, s->state.terminated);
	}
	if (s->state.waiting && c->last.is_set) { /* it crashed and waits */
		c->stage = CONTAINER_EXITED;
		end_from_view(&c->end, s->last_state.terminated);
		container_end_done(&c->last);
	}
	if (c->end.is_set)
		snprintf(c->id, sizeof(c->id), "%s", c->end.id);
}

void pod_members_remember(struct pod_worker *w)
{
	const struct pod_status *status = &w->pod->status;
	const struct container_status_array *lists[] = {&status->init_container_statuses,
							&status->container_statuses,
							&status->ephemeral_container_statuses};
	w->start_time_us = status->start_time ? status->start_time : world_wall_us();
	for (uint32_t i = 0; i < status->pod_ips.count && i < POD_ADDRESSES_MAX; i++)
		w->address_count +=
			ipaddr_parse(status->pod_ips.at[i].ip, &w->addresses[w->address_count]);
	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		for (uint32_t i = 0; i < lists[k]->count; i++) {
			struct pod_container *c = pod_container_find(w, lists[k]->at[i].name);
			if (c)
				remember_container(c, &lists[k]->at[i]);
		}
	}
	if (str_is(status->phase, "Succeeded") || str_is(status->phase, "Failed")) {
		w->stage = POD_RELEASING;
		w->end_reason = arena_str(&w->arena, status->reason);
		w->end_message = arena_str(&w->arena, status->message);
	}
}
