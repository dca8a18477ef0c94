/* Pods that nobody else removes: those on nodes that are gone, those being deleted that never had a
 * node, and ended ones beyond a number.
 *
 * Keys are ("", node) for a node that is gone, looked at after upstream's quarantine of 40 s, and
 * ("", "") for the others. */
#include "control/common.h"
#include "control/controllers.h"

#define QUARANTINE_MS  40000
#define TERMINATED_MAX 12500
#define DELETES_MAX    500 /* a plan */

static void delete_now(struct plan *p, const struct object *o)
{
	plan_delete(p, KIND_POD, o, (struct str){});
	p->requests[p->count - 1].grace_period_s = 0;
}

/* --- the node is gone --- */

static void fail_pod(struct plan *p, const struct object *o)
{
	struct arena *a = p->arena;
	struct json *patch = json_object(a), *list = json_array(a), *c = json_object(a);
	struct json *status = json_need_object(a, patch, STR("status"));
	json_set_str(a, c, STR("type"), STR("DisruptionTarget"));
	json_set_str(a, c, STR("status"), STR("True"));
	json_set_str(a, c, STR("lastTransitionTime"), time_text(a, now_s(p)));
	json_set_str(a, c, STR("reason"), STR("DeletionByPodGC"));
	json_set_str(a, c, STR("message"), STR("PodGC: node no longer exists"));
	json_append(a, list, c);
	json_set(a, status, STR("conditions"), list);
	json_set_str(a, status, STR("phase"), STR("Failed"));
	struct client_request *request = plan_request(p);
	request->verb = CLIENT_PATCH_STRATEGIC;
	request->kind = o->kind;
	request->namespace = arena_str(a, o->namespace);
	request->name = arena_str(a, o->name);
	request->subresource = STR("status");
	request->body = patch;
}

static void plan_gone_node(struct plan *p, struct str node)
{
	if (cache_get(p->cache, KIND_NODE, STR(""), node))
		return;
	const struct object *o;
	struct cache_iter it = cache_on_node(p->cache, node);
	while (p->count < DELETES_MAX && (o = cache_next(&it))) {
		if (cache_revision(p->cache, KIND_NODE) < o->revision)
			continue;
		if (!pod_is_terminal(object_view(o)))
			fail_pod(p, o);
		delete_now(p, o);
	}
	if (p->count)
		p->requeue_ms = 1000;
}

/* --- never had a node, or ended --- */

static int oldest_first(const void *a, const void *b)
{
	const struct object *left = *(const struct object *const *)a;
	const struct object *right = *(const struct object *const *)b;
	int64_t left_us = object_meta(left)->creation_timestamp;
	int64_t right_us = object_meta(right)->creation_timestamp;
	if (left_us != right_us)
		return left_us < right_us ? -1 : 1;
	return str_cmp(left->name, right->name);
}

static void drop_ended(struct plan *p, struct object_list *ended)
{
	int64_t most = plan_settings(p)->terminated_pods_max;
	size_t limit = most ? (size_t)most : TERMINATED_MAX;
	if (ended->count <= limit)
		return;
	qsort(ended->at, ended->count, sizeof(*ended->at), oldest_first);
	for (size_t i = 0; i < ended->count - limit && p->count < DELETES_MAX; i++)
		delete_now(p, ended->at[i]);
}

static void plan_leftovers(struct plan *p)
{
	const struct object *o;
	struct object_list ended = {};
	struct cache_iter it = cache_iterate(p->cache, KIND_POD, STR(""));
	while ((o = cache_next(&it))) {
		const struct pod *pod = object_view(o);
		if (o->is_deleting && !pod->spec.node_name.len && p->count < DELETES_MAX)
			delete_now(p, o);
		else if (pod_is_terminal(pod) && !o->is_deleting)
			LIST_ADD(p->arena, &ended, o);
	}
	drop_ended(p, &ended);
}

static void plan_pods(struct plan *p, struct str unused, struct str name)
{
	if (name.len)
		plan_gone_node(p, name);
	else
		plan_leftovers(p);
}

static void map_node(struct keys *keys, const struct cache *cache, const struct object *old,
		     const struct object *new)
{
	if (!new)
		keys_add_after(keys, STR(""), old->name, QUARANTINE_MS);
}

static void map_pod(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new)
{
	if (!new)
		return;
	const struct pod *pod = object_view(new);
	struct str node = pod->spec.node_name;
	if (node.len && !cache_get(cache, KIND_NODE, STR(""), node))
		keys_add_after(keys, STR(""), node, QUARANTINE_MS);
	bool has_ended = pod_is_terminal(pod) && (!old || !pod_is_terminal(object_view(old)));
	if (has_ended || (new->is_deleting && !node.len))
		keys_add(keys, STR(""), STR(""));
}

static const struct controller_watch watches[] = {{KIND_NODE, map_node}, {KIND_POD, map_pod}};

const struct controller pod_garbage_controller = {
	.name = "podgc",
	.service_account = "pod-garbage-collector",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_pods,
};
