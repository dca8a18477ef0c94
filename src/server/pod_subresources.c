/* pods/binding and pods/eviction: writes of a pod whose bodies are not pods.
 * Source: upstream's pkg/registry/core/pod/storage. */
#include "api/api_ids.h"
#include "api/selector.h"
#include "server/admission.h"
#include "server/decode.h"
#include "server/server.h"
#include "server/write.h"
#include "server/write_options.h"

/* The reply is a Status, whatever happens to the pod. */
static void success(struct request *r)
{
	struct arena *a = &r->arena;
	struct json *s = json_object(a);
	json_set_str(a, s, STR("kind"), STR("Status"));
	json_set_str(a, s, STR("apiVersion"), STR("v1"));
	json_set(a, s, STR("metadata"), json_object(a));
	json_set_str(a, s, STR("status"), STR("Success"));
	json_set(a, s, STR("code"), json_int(a, 201));
	r->reply.tree = s;
	r->reply.status = 201;
}

/* After a write that may still fail: what it answers with on success. */
static enum step quietly(struct request *r, enum step step)
{
	bool is_dry = step == STEP_DONE && (r->reply.object || r->reply.status < 400);
	if (step != STEP_LATER && !is_dry)
		return step;
	object_unref(TAKE_PTR(r->pending));
	object_unref(TAKE_PTR(r->reply.object));
	success(r);
	return step;
}

static bool has_own_name(struct request *r, const char *kind)
{
	if (str_eq(json_path_str(r->tree, "metadata.name"), r->route.name))
		return true;
	request_fail(r, RC_BAD_REQUEST, "name in URL does not match name in %s object", kind);
	return false;
}

static struct json *condition(struct arena *a, struct json *tree, const char *type)
{
	struct json *list = json_path(tree, "status.conditions");
	for (size_t i = 0; i < json_count(list); i++)
		if (str_is(json_path_str(json_at(list, i), "type"), type))
			return json_at(list, i);
	return NULL;
}

/* ---- binding ---- */

static void set_scheduled(struct arena *a, struct json *tree)
{
	struct json *status = json_need_object(a, tree, STR("status"));
	struct json *list = json_need_array(a, status, STR("conditions"));
	struct json *scheduled = condition(a, tree, "PodScheduled");
	if (!scheduled) {
		scheduled = json_object(a);
		json_append(a, list, scheduled);
	}
	*scheduled = *json_object(a);
	json_set_str(a, scheduled, STR("type"), STR("PodScheduled"));
	json_set_str(a, scheduled, STR("status"), STR("True"));
	json_set(a, scheduled, STR("lastProbeTime"), json_null(a));
	json_set_time(a, scheduled, "lastTransitionTime", world_wall_us());
}

/* Upstream gives these as plain errors. */
static enum step check_binding(struct request *r)
{
	struct str kind = json_path_str(r->tree, "target.kind"),
		   name = json_path_str(r->tree, "target.name");
	bool is_bad_kind = kind.len && !str_is(kind, "Node");
	if (!write_meta_namespace(r, r->tree) || !has_own_name(r, "Binding"))
		return STEP_DONE;
	if (!is_bad_kind && name.len)
		return STEP_NEXT;
	struct str about_kind =
		arena_printf(&r->arena,
			     "target.kind: Unsupported value: \"%.*s\": supported values: "
			     "\"Node\", \"<empty>\"",
			     STR_FMT(kind));
	if (is_bad_kind && name.len)
		request_fail(r, RC_INTERNAL, "%.*s", STR_FMT(about_kind));
	else if (is_bad_kind)
		request_fail(r, RC_INTERNAL, "[%.*s, target.name: Required value]",
			     STR_FMT(about_kind));
	else
		request_fail(r, RC_INTERNAL, "target.name: Required value");
	json_remove(r->reply.tree, STR("reason"));
	return STEP_DONE;
}

static enum step cannot_bind(struct request *r, const char *why)
{
	static const struct api_kind bindings = {.plural = STR_INIT("pods/binding")};
	return request_conflict(r, &bindings, r->route.name, why);
}

static enum step check_pod(struct request *r, const struct object *old, struct json *tree)
{
	struct arena *a = &r->arena;
	struct str before = json_path_str(tree, "spec.nodeName"),
		   uid = json_path_str(r->tree, "metadata.uid");
	if (uid.len && !str_eq(uid, old->uid))
		return request_conflict(r, r->route.kind, old->name,
					arena_cstr(a, write_wrong_uid(r, uid, old)));
	if (old->is_deleting)
		return cannot_bind(
			r, arena_cstr(a, arena_printf(a,
						      "pod %.*s is being deleted, cannot be "
						      "assigned to a host",
						      STR_FMT(old->name))));
	if (before.len)
		return cannot_bind(
			r, arena_cstr(a, arena_printf(
						 a, "pod %.*s is already assigned to node \"%.*s\"",
						 STR_FMT(old->name), STR_FMT(before))));
	if (json_count(json_path(tree, "spec.schedulingGates")))
		return cannot_bind(
			r, arena_cstr(a, arena_printf(
						 a, "pod %.*s has non-empty .spec.schedulingGates",
						 STR_FMT(old->name))));
	return STEP_NEXT;
}

static void merge_map(struct request *r, struct json *tree, const char *key)
{
	struct json *from = json_get(json_get(r->tree, STR("metadata")), str_of(key));
	struct json *meta = json_get(tree, STR("metadata"));
	for (size_t i = 0; i < json_count(from); i++)
		json_set(&r->arena, json_need_object(&r->arena, meta, str_of(key)),
			 from->object.members[i].key, from->object.members[i].value);
}

enum step pod_binding_create(struct request *r)
{
	struct arena *a = &r->arena;
	if (admit(r, ADMIT_CREATE, NULL, r->tree) == STEP_DONE || check_binding(r) == STEP_DONE)
		return STEP_DONE;
	struct object *old = write_current(r);
	if (!old)
		return request_not_found(r, r->route.kind, r->route.name);
	struct json *tree = object_tree(a, old);
	if (check_pod(r, old, tree) == STEP_DONE)
		return STEP_DONE;
	merge_map(r, tree, "annotations");
	merge_map(r, tree, "labels");
	json_set_str(a, json_get(tree, STR("spec")), STR("nodeName"),
		     json_path_str(r->tree, "target.name"));
	json_set(a, json_get(tree, STR("metadata")), STR("generation"),
		 json_int(a, MAX(old->generation, (int64_t)1)));
	set_scheduled(a, tree);
	return quietly(r, write_commit(r, tree, old, 201));
}

/* ---- eviction ---- */

/* The budgets that select the pod; the newest state of the first, writes in flight included. */
static struct object *budget_of(struct request *r, struct object *pod, size_t *ret_count)
{
	struct snapshot_iter it;
	struct object *found = NULL;
	*ret_count = 0;
	snapshot_iter_init(&it, request_snapshot(r), KIND_POD_DISRUPTION_BUDGET, r->route.namespace,
			   (struct str){}, (struct str){});
	for (struct object *o; (o = snapshot_next(&it));) {
		struct selector selector;
		struct object *newest =
			store_pending_get(r->server->store, o->stored_id, o->namespace, o->name);
		if (!newest)
			continue;
		struct json *tree = object_tree(&r->arena, newest);
		if (selector_from_tree(&r->arena, json_path(tree, "spec.selector"), &selector,
				       NULL) != RC_OK ||
		    !selector_matches_object(&selector, pod))
			continue;
		(*ret_count)++;
		found = newest;
	}
	return found;
}

static enum step too_many_disruptions(struct request *r, struct str cause_text, int32_t retry_s)
{
	struct arena *a = &r->arena;
	struct json *details = json_object(a), *causes = json_array(a), *cause = json_object(a);
	request_fail(r, RC_TOO_MANY_REQUESTS,
		     "Cannot evict pod as it would violate the pod's disruption budget.");
	json_set_str(a, cause, STR("reason"), STR("DisruptionBudget"));
	json_set_str(a, cause, STR("message"), cause_text);
	json_append(a, causes, cause);
	json_set(a, details, STR("causes"), causes);
	if (retry_s) {
		json_set(a, details, STR("retryAfterSeconds"), json_int(a, retry_s));
		r->reply.retry_after_s = retry_s;
	}
	json_set(a, r->reply.tree, STR("details"), details);
	return STEP_DONE;
}

static bool is_ready(struct arena *a, struct json *pod)
{
	return str_is(json_path_str(condition(a, pod, "Ready"), "status"), "True");
}

/* A pod that is broken anyway may go when the others are enough, or always when the budget says so.
 */
static bool spares_budget(struct arena *a, struct json *pod, const struct json *budget)
{
	int64_t healthy = json_i64(json_path(budget, "status.currentHealthy")),
		desired = json_i64(json_path(budget, "status.desiredHealthy"));
	if (is_ready(a, pod))
		return false;
	if (str_is(json_path_str(budget, "spec.unhealthyPodEvictionPolicy"), "AlwaysAllow"))
		return true;
	return desired > 0 && healthy >= desired;
}

/* Takes one disruption off the budget, in the same commit as the pod's end: of two evictions at
 * once the second sees what the first has taken. */
static enum step take_disruption(struct request *r, struct object *budget, struct json *tree)
{
	struct arena *a = &r->arena;
	struct json *status = json_need_object(a, tree, STR("status"));
	int64_t allowed = json_i64(json_get(status, STR("disruptionsAllowed")));
	if (json_i64(json_get(status, STR("observedGeneration"))) < budget->generation)
		return too_many_disruptions(
			r,
			arena_printf(a,
				     "The disruption budget %.*s is still being processed by the "
				     "server.",
				     STR_FMT(budget->name)),
			10);
	if (allowed <= 0)
		return too_many_disruptions(
			r,
			arena_printf(a,
				     "The disruption budget %.*s needs %lld healthy pods and has "
				     "%lld currently",
				     STR_FMT(budget->name),
				     (long long)json_i64(json_get(status, STR("desiredHealthy"))),
				     (long long)json_i64(json_get(status, STR("currentHealthy")))),
			0);
	json_set(a, status, STR("disruptionsAllowed"), json_int(a, allowed - 1));
	json_set_time(a, json_need_object(a, status, STR("disruptedPods")),
		      arena_cstr(a, r->route.name), world_wall_us());
	return write_beside(r, budget, tree);
}

static enum step ask_budget(struct request *r, struct object *pod, struct json *tree)
{
	size_t count;
	struct str phase = json_path_str(tree, "status.phase");
	bool is_free = pod->is_deleting || str_is(phase, "Succeeded") || str_is(phase, "Failed") ||
		       str_is(phase, "Pending");
	if (is_free)
		return STEP_NEXT;
	struct object *budget = budget_of(r, pod, &count);
	if (count > 1)
		return request_fail(r, RC_INTERNAL,
				    "This pod has more than one PodDisruptionBudget, which the "
				    "eviction subresource does not support.");
	if (!budget)
		return STEP_NEXT;
	struct json *budget_tree = object_tree(&r->arena, budget);
	return spares_budget(&r->arena, tree, budget_tree)
		       ? STEP_NEXT
		       : take_disruption(r, budget, budget_tree);
}

enum step pod_eviction_create(struct request *r)
{
	struct json *options = json_get(r->tree, STR("deleteOptions"));
	if (!write_meta_namespace(r, r->tree) || !has_own_name(r, "Eviction"))
		return STEP_DONE;
	r->deletion = (struct deletion){};
	if (options && options->type == JSON_OBJECT) {
		delete_options_read(r, options);
		if (delete_options_check(r, options) == STEP_DONE)
			return STEP_DONE;
	}
	struct object *pod = write_current(r);
	if (!pod)
		return request_not_found(r, r->route.kind, r->route.name);
	if (admit(r, ADMIT_DELETE, object_tree(&r->arena, pod), NULL) == STEP_DONE ||
	    ask_budget(r, pod, object_tree(&r->arena, pod)) == STEP_DONE)
		return STEP_DONE;
	return quietly(r, write_delete(r));
}
