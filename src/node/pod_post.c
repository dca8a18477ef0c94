/* Tells the API what became of a pod: its status when that differs, at last its deletion. */
#include "api/api_ids.h"
#include "base/log.h"
#include "codec/patch.h"
#include "node/agent-int.h"
#include "node/pod_status.h"

static void on_post_timer(struct loop_timer *timer)
{
	pod_worker_wake(CONTAINER_OF(timer, struct pod_worker, post_timer));
}

static void post_again(struct pod_worker *w)
{
	loop_timer_start(w->agent->loop, &w->post_timer, POD_STATUS_RETRY_MS, on_post_timer);
}

static struct client_request pod_request(const struct pod_worker *w, enum client_verb verb)
{
	return (struct client_request){
		.verb = verb,
		.kind = api_by_stored(w->agent->config.client->api, KIND_POD),
		.namespace = w->namespace,
		.name = w->name,
		.field_manager = STR(KUBELET_COMPONENT),
		.grace_period_s = -1,
	};
}

/* ---- deletion ---- */

static void deleted(void *ctx, const struct client_reply *reply)
{
	struct pod_worker *w = ctx;
	w->is_deleting = false;
	/* A conflict: this name belongs to another pod by now. */
	if (reply->rc == RC_OK || reply->rc == RC_NOT_FOUND || reply->rc == RC_CONFLICT) {
		w->is_deleted = true;
		pod_worker_wake(w);
		return;
	}
	log_warn("node", "pod %.*s/%.*s cannot be deleted yet: %s", STR_FMT(w->namespace),
		 STR_FMT(w->name), reply->err.text);
	post_again(w);
}

static void delete (struct pod_worker *w)
{
	struct client_request q = pod_request(w, CLIENT_DELETE);
	q.uid = w->uid;
	q.grace_period_s = 0;
	w->is_deleting = true;
	requests_submit(&w->agent->requests, &q, deleted, w);
}

/* ---- status ---- */

static void posted(void *ctx, const struct client_reply *reply)
{
	struct pod_worker *w = ctx;
	w->is_posting = false;
	switch (reply->rc) {
	case RC_OK:
		if (reply->object)
			pod_worker_saw(w, reply->object);
		pod_worker_wake(w);
		return;
	case RC_NOT_FOUND: /* the watch will tell */
		return;
	case RC_CONFLICT: /* something newer is there, or about to come */
		if (w->object->revision > w->posted_revision) {
			pod_worker_wake(w);
			return;
		}
		break;
	default:
		log_warn("node", "status of pod %.*s/%.*s: %s", STR_FMT(w->namespace),
			 STR_FMT(w->name), reply->err.text);
	}
	post_again(w);
}

static bool are_all_up(const struct pod_worker *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (container_is_lasting(w->containers[i]) &&
		    w->containers[i]->stage < CONTAINER_RUNNING)
			return false;
	return true;
}

/* After a restart of the agent the API knows better for a moment. */
static bool is_settling(struct pod_worker *w)
{
	bool is_whole = w->stage >= POD_RUNNING &&
			(!w->agent->config.is_simulated || are_all_up(w));
	if (w->is_adopted && (is_whole || w->stage >= POD_ENDING))
		w->is_adopted = false;
	return w->is_adopted;
}

static bool post_status(struct pod_worker *w)
{
	CLEANUP_ARENA a = {};
	const struct api *api = w->agent->config.client->api;
	const struct api_type *type = api_type(api, TYPE_CORE_V1_POD_STATUS);
	struct json *old = json_get(object_tree(&a, w->object), STR("status"));
	struct json *new = view_to_tree(&a, type, pod_status_make(&a, w, world_wall_us()));
	struct json *patch = merge_patch_diff(&a, old ? old : json_object(&a), new);
	if (json_count(patch) == 0)
		return false;
	struct json *body = json_object(&a);
	struct json *meta = json_need_object(&a, body, STR("metadata"));
	json_set_str(&a, meta, STR("uid"), w->uid);
	json_set(&a, meta, STR("resourceVersion"),
		 json_printf(&a, "%lld", (long long)w->object->revision));
	json_set(&a, body, STR("status"), patch);
	struct client_request q = pod_request(w, CLIENT_PATCH_MERGE);
	q.subresource = STR("status");
	q.body = body;
	w->is_posting = true;
	w->posted_revision = w->object->revision;
	requests_submit(&w->agent->requests, &q, posted, w);
	return true;
}

void pod_worker_post(struct pod_worker *w)
{
	if (w->is_posting || w->is_deleting || w->is_deleted || is_settling(w))
		return;
	if (post_status(w))
		return;
	if (w->is_clean && w->object->is_deleting)
		delete (w);
}
