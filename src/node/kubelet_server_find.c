/* Which container a request means: by the runtime's list, and by the pod in the API for what has no
 * container yet. */
#include <stdio.h>

#include "api/api_ids.h"
#include "api/views.h"
#include "io/file.h"
#include "node/kubelet_server-int.h"

/* ---- in the runtime's list ---- */

static bool is_of(const struct runtime_container_status *c, struct str namespace, struct str pod,
		  struct str container)
{
	return str_eq(c->pod_namespace, namespace) && str_eq(c->pod_name, pod) &&
	       (container.len == 0 || str_eq(c->name, container));
}

static bool is_newer(const struct runtime_container_status *a,
		     const struct runtime_container_status *b)
{
	if (str_eq(a->pod_uid, b->pod_uid) && a->attempt != b->attempt)
		return a->attempt > b->attempt;
	return a->created_us > b->created_us;
}

const struct runtime_container_status *kubelet_newest(const struct runtime_container_list *list,
						      struct str namespace, struct str pod,
						      struct str container)
{
	const struct runtime_container_status *best = NULL;
	for (size_t i = 0; i < list->count; i++) {
		const struct runtime_container_status *c = &list->items[i];
		if (is_of(c, namespace, pod, container) && (!best || is_newer(c, best)))
			best = c;
	}
	return best;
}

const struct runtime_container_status *kubelet_former(const struct runtime_container_list *list,
						      const struct runtime_container_status *newest)
{
	const struct runtime_container_status *best = NULL;
	for (size_t i = 0; i < list->count; i++) {
		const struct runtime_container_status *c = &list->items[i];
		if (str_eq(c->pod_uid, newest->pod_uid) && str_eq(c->name, newest->name) &&
		    c->attempt < newest->attempt && (!best || is_newer(c, best)))
			best = c;
	}
	return best;
}

/* ---- in the API ---- */

const struct cache *kubelet_pods(const struct kubelet_server *server)
{
	const struct kubelet_server_config *c = &server->config;
	const struct cache *cache = c->pods ? c->pods(c->ctx) : NULL;
	return cache && cache_is_synced(cache) ? cache : NULL;
}

static const struct pod *pod_of(const struct kubelet_request *q)
{
	const struct cache *cache = kubelet_pods(q->server);
	struct object *o = cache ? cache_get(cache, KIND_POD, q->namespace, q->pod) : NULL;
	return o ? object_view(o) : NULL;
}

static bool has_container(const struct pod_spec *spec, struct str name)
{
	const struct container_array *lists[] = {&spec->containers, &spec->init_containers};
	for (size_t k = 0; k < ARRAY_LEN(lists); k++)
		for (uint32_t i = 0; i < lists[k]->count; i++)
			if (str_eq(lists[k]->at[i].name, name))
				return true;
	for (uint32_t i = 0; i < spec->ephemeral_containers.count; i++)
		if (str_eq(spec->ephemeral_containers.at[i].name, name))
			return true;
	return false;
}

static const struct container_status *status_of(const struct pod *pod, struct str name)
{
	const struct container_status_array *lists[] = {
		&pod->status.container_statuses,
		&pod->status.init_container_statuses,
		&pod->status.ephemeral_container_statuses,
	};
	for (size_t k = 0; k < ARRAY_LEN(lists); k++)
		for (uint32_t i = 0; i < lists[k]->count; i++)
			if (str_eq(lists[k]->at[i].name, name))
				return &lists[k]->at[i];
	return NULL;
}

static struct str waiting_reason(const struct pod *pod, struct str name)
{
	const struct container_status *s = pod ? status_of(pod, name) : NULL;
	return s && s->state.waiting ? s->state.waiting->reason : (struct str){};
}

static enum rc check_names(const struct kubelet_request *q, const struct pod *pod, struct err *err)
{
	bool is_for_pod = q->container.len == 0;
	if (!pod && kubelet_pods(q->server))
		return err_set(err, RC_NOT_FOUND, "pod \"%.*s\" does not exist", STR_FMT(q->pod));
	if (pod && !is_for_pod && !has_container(&pod->spec, q->container))
		return err_set(err, RC_NOT_FOUND, "container \"%.*s\" not found in pod \"%.*s\"",
			       STR_FMT(q->container), STR_FMT(q->pod));
	return RC_OK;
}

static enum rc tell_waiting(const struct kubelet_request *q, const struct pod *pod, struct err *err)
{
	struct str reason = waiting_reason(pod, q->container);
	const char *text = NULL;
	if (str_is(reason, "ErrImagePull"))
		text = "image can't be pulled";
	else if (str_is(reason, "ImagePullBackOff"))
		text = "trying and failing to pull image";
	else if (reason.len == 0)
		text = "ContainerCreating";
	if (text)
		reason = str_of(text);
	return err_set(err, RC_BAD_REQUEST,
		       "container \"%.*s\" in pod \"%.*s\" is waiting to start: %.*s",
		       STR_FMT(q->container), STR_FMT(q->pod), STR_FMT(reason));
}

/* ---- together ---- */

static void take(struct kubelet_request *q, const struct runtime_container_status *c)
{
	memcpy(q->found.id, c->id, sizeof(q->found.id));
	q->found.state = c->state;
	q->found.log_path = arena_str(http_arena(q->x), c->log_path);
	q->found.pod_uid = arena_str(http_arena(q->x), c->pod_uid);
}

/* A former container may be removed already while its log is still there: ".../0.log" beside
 * ".../1.log". */
static bool take_former_log(struct kubelet_request *q,
			    const struct runtime_container_status *newest)
{
	struct arena *a = http_arena(q->x);
	struct str suffix = arena_printf(a, "/%d.log", newest->attempt);
	if (newest->attempt == 0 || !str_has_suffix(newest->log_path, suffix))
		return false;
	struct str folder = str_n(newest->log_path.at, newest->log_path.len - suffix.len);
	struct str path = arena_printf(a, "%.*s/%d.log", STR_FMT(folder), newest->attempt - 1);
	if (!file_exists(path.at))
		return false;
	take(q, newest);
	q->found.state = RUNTIME_EXITED;
	q->found.log_path = path;
	return true;
}

static enum rc choose_previous(struct kubelet_request *q, const struct pod *pod,
			       const struct runtime_container_status *newest, struct err *err)
{
	const struct runtime_container_status *former = NULL;
	if (newest && newest->state == RUNTIME_EXITED && waiting_reason(pod, q->container).len)
		former = newest; /* the next one isn't there yet */
	else if (newest)
		former = kubelet_former(&q->list, newest);
	if (former)
		take(q, former);
	else if (!newest || !take_former_log(q, newest))
		return err_set(err, RC_BAD_REQUEST,
			       "previous terminated container \"%.*s\" in pod \"%.*s\" not found",
			       STR_FMT(q->container), STR_FMT(q->pod));
	return RC_OK;
}

static enum rc choose(struct kubelet_request *q, struct err *err)
{
	const struct pod *pod = pod_of(q);
	TRY(check_names(q, pod, err));
	const struct runtime_container_status *newest =
		kubelet_newest(&q->list, q->namespace, q->pod, q->container);
	if (q->wants_previous)
		return choose_previous(q, pod, newest, err);
	if (!newest && q->serve == kubelet_serve_log)
		return tell_waiting(q, pod, err);
	if (!newest && q->container.len)
		return err_set(err, RC_NOT_FOUND, "container not found (\"%.*s\")",
			       STR_FMT(q->container));
	if (!newest && !pod)
		return err_set(err, RC_NOT_FOUND, "pod does not exist");
	if (newest)
		take(q, newest);
	else
		q->found.pod_uid = arena_str(http_arena(q->x), pod->metadata.uid);
	q->found.is_host_network = pod && pod->spec.host_network;
	return RC_OK;
}

static void listed(struct runtime_call *call)
{
	struct kubelet_request *q = CONTAINER_OF(call, struct kubelet_request, call);
	struct kubelet_server *server = q->server;
	struct err err = call->err;
	enum rc rc = call->rc;
	server->pending--;
	if (rc == RC_OK && server->is_stopping)
		rc = err_set(&err, RC_UNAVAILABLE, "the node agent is stopping");
	if (rc == RC_OK)
		rc = choose(q, &err);
	arena_done(&q->list_arena);
	if (http_is_gone(q->x))
		http_abort(q->x);
	else if (rc != RC_OK)
		kubelet_fail(q->x, &err);
	else
		q->serve(q);
	kubelet_check_stopped(server);
}

void kubelet_find(struct kubelet_request *q)
{
	struct runtime *r = q->server->config.runtime;
	q->wants_previous = kubelet_param_is_true(q->x, "previous");
	q->call.done = listed;
	q->server->pending++;
	r->ops->list(r, &q->list_arena, &q->list, &q->call);
}
