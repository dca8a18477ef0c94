/* Pods leave nodes with NoExecute taints: those that do not tolerate one of them at once, those
 * that tolerate them for a while when that is over.  Keys are ("", node). */
#include "control/common.h"
#include "control/controllers.h"
#include "sync/placement.h"

#define COMPONENT "taint-eviction-controller"

static bool is_no_execute(const struct taint *taint)
{
	return str_is(taint->effect, "NoExecute");
}

/* When the pod has to go because of one taint; INT64_MAX: never. */
static int64_t time_for_taint(const struct plan *p, const struct pod *pod,
			      const struct taint *taint)
{
	int64_t since_us = taint->time_added ? taint->time_added : p->now_us;
	int64_t go_us = 0;
	/* It counts from when the pod came, too: it may have come later than the taint. */
	since_us = MAX(since_us, pod->metadata.creation_timestamp);
	for (uint32_t i = 0; i < pod->spec.tolerations.count; i++) {
		const struct toleration *t = &pod->spec.tolerations.at[i];
		if (!toleration_matches(t, taint))
			continue;
		int64_t until_us = INT64_MAX;
		if (t->toleration_seconds)
			until_us = since_us + MAX(*t->toleration_seconds, 0) * SECOND_US;
		go_us = go_us ? MIN(go_us, until_us) : until_us;
	}
	return go_us;
}

static struct json *disruption_patch(struct plan *p)
{
	struct arena *a = p->arena;
	struct json *patch = json_object(a), *list = json_array(a), *c = json_object(a);
	json_set_str(a, c, STR("type"), STR("DisruptionTarget"));
	json_set_str(a, c, STR("status"), STR("True"));
	json_set_str(a, c, STR("lastTransitionTime"), time_text(a, now_s(p)));
	json_set_str(a, c, STR("reason"), STR("DeletionByTaintManager"));
	json_set_str(a, c, STR("message"), STR("Taint manager: deleting due to NoExecute taint"));
	json_append(a, list, c);
	json_set(a, json_need_object(a, patch, STR("status")), STR("conditions"), list);
	return patch;
}

static void evict(struct plan *p, const struct object *o)
{
	struct client_request *request = plan_request(p);
	request->verb = CLIENT_PATCH_STRATEGIC;
	request->kind = o->kind;
	request->namespace = arena_str(p->arena, o->namespace);
	request->name = arena_str(p->arena, o->name);
	request->subresource = STR("status");
	request->body = disruption_patch(p);
	plan_event(p, o, COMPONENT, "Normal", "TaintManagerEviction",
		   "Marking for deletion Pod %.*s/%.*s", STR_FMT(o->namespace), STR_FMT(o->name));
	plan_delete(p, KIND_POD, o, (struct str){});
}

static void look_at_pod(struct plan *p, const struct object *o, const struct taint_array *taints)
{
	const struct pod *pod = object_view(o);
	int64_t go_us = INT64_MAX;
	if (o->is_deleting || pod_is_terminal(pod))
		return;
	for (uint32_t i = 0; i < taints->count; i++)
		if (is_no_execute(&taints->at[i]))
			go_us = MIN(go_us, time_for_taint(p, pod, &taints->at[i]));
	if (go_us <= p->now_us)
		evict(p, o);
	else if (go_us != INT64_MAX)
		plan_again_at(p, go_us);
}

static void plan_evictions(struct plan *p, struct str unused, struct str name)
{
	const struct object *node = cache_get(p->cache, KIND_NODE, STR(""), name), *o;
	if (!node)
		return;
	const struct taint_array *taints = &((const struct node *)object_view(node))->spec.taints;
	struct cache_iter it = cache_on_node(p->cache, name);
	while ((o = cache_next(&it)))
		look_at_pod(p, o, taints);
}

static bool has_no_execute(const struct object *node)
{
	const struct taint_array *taints = &((const struct node *)object_view(node))->spec.taints;
	for (uint32_t i = 0; i < taints->count; i++)
		if (is_no_execute(&taints->at[i]))
			return true;
	return false;
}

static void map_node(struct keys *keys, const struct cache *cache, const struct object *old,
		     const struct object *new)
{
	if (new &&has_no_execute(new))
		keys_add(keys, STR(""), new->name);
}

static void map_pod(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new)
{
	struct str name = new ? ((const struct pod *)object_view(new))->spec.node_name : STR("");
	const struct object *node = name.len ? cache_get(cache, KIND_NODE, STR(""), name) : NULL;
	if (node && has_no_execute(node))
		keys_add(keys, STR(""), name);
}

static const struct controller_watch watches[] = {{KIND_NODE, map_node}, {KIND_POD, map_pod}};

const struct controller taint_eviction_controller = {
	.name = "taint-eviction",
	.service_account = "node-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_evictions,
};
