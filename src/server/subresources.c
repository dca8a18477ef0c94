/* Subresources that are more than a view of the object: binding, eviction, scale, approval,
 * finalize. */
#include "api/api_ids.h"
#include "api/convert.h"
#include "api/selector.h"
#include "base/timefmt.h"
#include "codec/patch.h"
#include "server/decode.h"
#include "server/list_options.h"
#include "server/server.h"
#include "server/write.h"

/* ---- pods/binding ---- */

static bool has_finished(struct object *o, const struct json *tree)
{
	struct str phase = json_path_str(tree, "status.phase");
	return o->is_deleting || str_is(phase, "Succeeded") || str_is(phase, "Failed");
}

static void set_scheduled(struct arena *a, struct json *tree)
{
	struct json *status = json_need_object(a, tree, STR("status"));
	struct json *list = json_get(status, STR("conditions")), *condition = NULL;
	if (!list) {
		list = json_array(a);
		json_set(a, status, STR("conditions"), list);
	}
	for (size_t i = 0; i < json_count(list); i++)
		if (str_is(json_path_str(json_at(list, i), "type"), "PodScheduled"))
			condition = json_at(list, i);
	if (!condition) {
		condition = json_object(a);
		json_append(a, list, condition);
	}
	*condition = *json_object(a);
	json_set_str(a, condition, STR("type"), STR("PodScheduled"));
	json_set_str(a, condition, STR("status"), STR("True"));
	json_set_time(a, condition, "lastTransitionTime", world_wall_us());
}

static enum step bind_success(struct request *r)
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
	return STEP_DONE;
}

/* The reply is a Status made beforehand, not the object. */
static enum step commit_quietly(struct request *r, struct json *tree, struct object *old)
{
	struct json *status = r->reply.tree;
	enum step step = write_commit(r, tree, old, r->reply.status);
	object_unref(TAKE_PTR(r->pending));
	if (step == STEP_DONE && r->reply.object) { /* a dry run */
		object_unref(TAKE_PTR(r->reply.object));
		r->reply.tree = status;
	}
	return step;
}

static enum step create_binding(struct request *r)
{
	struct arena *a = &r->arena;
	struct object *old = write_current(r);
	struct str node = json_path_str(r->tree, "target.name");
	if (!old)
		return request_not_found(r, r->route.kind, r->route.name);
	struct json *tree = object_tree(a, old);
	if (has_finished(old, tree))
		return request_conflict(
			r, r->route.kind, old->name,
			arena_cstr(
				a,
				arena_printf(
					a,
					"pod %.*s is being deleted, cannot be assigned to a host",
					STR_FMT(old->name))));
	struct str before = json_path_str(tree, "spec.nodeName");
	if (before.len)
		return request_conflict(
			r, r->route.kind, old->name,
			arena_cstr(a,
				   arena_printf(a, "pod %.*s is already assigned to node \"%.*s\"",
						STR_FMT(old->name), STR_FMT(before))));
	json_set_str(a, json_get(tree, STR("spec")), STR("nodeName"), node);
	json_set(a, json_get(tree, STR("metadata")), STR("generation"),
		 json_int(a, MAX(old->generation, (int64_t)1)));
	set_scheduled(a, tree);
	bind_success(r);
	return commit_quietly(r, tree, old);
}

/* ---- pods/eviction ---- */

/* The budget that forbids it, or NULL. */
static struct object *exhausted_budget(struct request *r, struct object *pod, size_t *ret_count)
{
	struct snapshot_iter it;
	struct object *found = NULL;
	*ret_count = 0;
	snapshot_iter_init(&it, request_snapshot(r), KIND_POD_DISRUPTION_BUDGET, r->route.namespace,
			   (struct str){}, (struct str){});
	for (struct object *o; (o = snapshot_next(&it));) {
		struct selector selector;
		struct json *tree = object_tree(&r->arena, o);
		if (selector_from_tree(&r->arena, json_path(tree, "spec.selector"), &selector,
				       NULL) != RC_OK ||
		    !selector_matches_object(&selector, pod))
			continue;
		(*ret_count)++;
		if (json_i64(json_path(tree, "status.disruptionsAllowed")) <= 0)
			found = o;
	}
	return found;
}

static enum step too_many_disruptions(struct request *r, struct object *budget)
{
	struct arena *a = &r->arena;
	struct json *tree = object_tree(a, budget), *details = json_object(a),
		    *causes = json_array(a), *cause = json_object(a);
	request_fail(r, RC_TOO_MANY_REQUESTS,
		     "Cannot evict pod as it would violate the pod's disruption budget.");
	json_set_str(a, cause, STR("reason"), STR("DisruptionBudget"));
	json_set(
		a, cause, STR("message"),
		json_printf(
			a,
			"The disruption budget %.*s needs %lld healthy pods and has %lld currently",
			STR_FMT(budget->name),
			(long long)json_i64(json_path(tree, "status.desiredHealthy")),
			(long long)json_i64(json_path(tree, "status.currentHealthy"))));
	json_append(a, causes, cause);
	json_set(a, details, STR("causes"), causes);
	json_set(a, r->reply.tree, STR("details"), details);
	return STEP_DONE;
}

static enum step create_eviction(struct request *r)
{
	struct object *pod = write_current(r), *budget;
	size_t count;
	if (!pod)
		return request_not_found(r, r->route.kind, r->route.name);
	struct json *tree = object_tree(&r->arena, pod),
		    *options = json_get(r->tree, STR("deleteOptions"));
	struct str phase = json_path_str(tree, "status.phase");
	bool is_running = !has_finished(pod, tree) && !str_is(phase, "Pending");
	budget = exhausted_budget(r, pod, &count);
	if (is_running && count > 1)
		return request_fail(r, RC_INTERNAL,
				    "This pod has more than one PodDisruptionBudget, which the "
				    "eviction subresource does not support.");
	if (is_running && budget)
		return too_many_disruptions(r, budget);
	struct json *grace = json_get(options, STR("gracePeriodSeconds"));
	r->deletion = (struct deletion){
		.has_grace = grace != NULL,
		.grace_s = json_i64(grace),
		.uid = json_path_str(options, "preconditions.uid"),
	};
	enum step step = write_delete(r);
	if (step == STEP_LATER || r->reply.object) {
		object_unref(TAKE_PTR(r->pending));
		object_unref(TAKE_PTR(r->reply.object));
		bind_success(r);
	}
	return step;
}

/* ---- scale ---- */

static struct str selector_text(struct arena *a, const struct json *tree)
{
	struct json *selector = json_path(tree, "spec.selector"),
		    *labels = json_get(selector, STR("matchLabels"));
	struct json *terms = json_get(selector, STR("matchExpressions"));
	CLEANUP_BUF out = BUF_INIT(64u << 10);
	if (!labels && !terms)
		labels = selector; /* ReplicationController: a plain map */
	for (size_t i = 0; i < json_count(labels); i++)
		buf_printf(&out, "%s%.*s=%.*s", out.len ? "," : "",
			   STR_FMT(labels->object.members[i].key),
			   STR_FMT(json_str(labels->object.members[i].value)));
	for (size_t i = 0; i < json_count(terms); i++) {
		struct json *t = json_at(terms, i), *values = json_get(t, STR("values"));
		struct str key = json_path_str(t, "key"), op = json_path_str(t, "operator");
		buf_add_cstr(&out, out.len ? "," : "");
		if (str_is(op, "Exists") || str_is(op, "DoesNotExist")) {
			buf_printf(&out, "%s%.*s", str_is(op, "Exists") ? "" : "!", STR_FMT(key));
			continue;
		}
		buf_printf(&out, "%.*s %s (", STR_FMT(key), str_is(op, "In") ? "in" : "notin");
		for (size_t k = 0; k < json_count(values); k++)
			buf_printf(&out, "%s%.*s", k ? "," : "",
				   STR_FMT(json_str(json_at(values, k))));
		buf_add_char(&out, ')');
	}
	return arena_str(a, buf_str(&out));
}

static struct json *scale_of(struct arena *a, const struct object *o)
{
	struct json *tree = object_tree(a, o), *scale = json_object(a), *meta = json_object(a),
		    *spec = json_object(a);
	struct json *status = json_object(a), *old_meta = json_get(tree, STR("metadata"));
	static const char *const kept[] = {"name", "namespace", "uid"};
	json_set_str(a, scale, STR("kind"), STR("Scale"));
	json_set_str(a, scale, STR("apiVersion"), STR("autoscaling/v1"));
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		json_set(a, meta, str_of(kept[i]), json_get(old_meta, str_of(kept[i])));
	json_set(a, meta, STR("resourceVersion"), json_printf(a, "%lld", (long long)o->revision));
	json_set(a, meta, STR("creationTimestamp"), json_get(old_meta, STR("creationTimestamp")));
	json_set(a, scale, STR("metadata"), meta);
	int64_t replicas = json_i64(json_path(tree, "spec.replicas"));
	if (replicas)
		json_set(a, spec, STR("replicas"), json_int(a, replicas));
	json_set(a, scale, STR("spec"), spec);
	json_set(a, status, STR("replicas"),
		 json_int(a, json_i64(json_path(tree, "status.replicas"))));
	struct str selector = selector_text(a, tree);
	if (selector.len)
		json_set_str(a, status, STR("selector"), selector);
	json_set(a, scale, STR("status"), status);
	return scale;
}

static enum step get_scale(struct request *r, struct object *o)
{
	r->reply.tree = scale_of(&r->arena, o);
	r->reply.tree_kind = NULL;
	r->reply.status = 200;
	return STEP_DONE;
}

static enum step check_replicas(struct request *r, const struct json *scale)
{
	struct field_errors errors = {.arena = &r->arena};
	struct json *replicas = json_path(scale, "spec.replicas");
	if (replicas && replicas->type != JSON_INT)
		return request_fail(r, RC_BAD_REQUEST,
				    "Scale in version \"v1\" cannot be handled as a Scale: "
				    "spec.replicas is not a whole number");
	if (json_i64(replicas) < 0)
		field_error_add(&errors, FIELD_ERROR_INVALID, STR("spec.replicas"), replicas,
				"must be greater than or equal to 0");
	if (errors.count)
		return request_invalid(r, STR("autoscaling"), STR("Scale"), r->route.name, &errors);
	return STEP_NEXT;
}

/* scale: the wished Scale; the object gets its replicas and the reply is the new Scale. */
static enum step put_scale(struct request *r, struct object *old, const struct json *scale)
{
	struct arena *a = &r->arena;
	struct str revision = json_path_str(scale, "metadata.resourceVersion");
	int64_t wanted = 0;
	if (check_replicas(r, scale) == STEP_DONE)
		return STEP_DONE;
	if (revision.len && str_to_i64(revision, &wanted) && wanted != old->revision)
		return request_conflict(r, r->route.kind, old->name,
					"the object has been modified; please apply your changes "
					"to the latest version and try again");
	struct json *before = object_tree(a, old);
	r->tree = json_copy(a, before);
	json_set(a, json_get(r->tree, STR("spec")), STR("replicas"),
		 json_int(a, json_i64(json_path(scale, "spec.replicas"))));
	r->reply.makes_scale = true;
	return write_change(r, old, before);
}

static enum step update_scale(struct request *r)
{
	struct object *old = write_current(r);
	return old ? put_scale(r, old, r->tree)
		   : request_not_found(r, r->route.kind, r->route.name);
}

static enum step patch_scale(struct request *r)
{
	struct object *old = write_current(r);
	struct err err;
	if (!old)
		return request_not_found(r, r->route.kind, r->route.name);
	struct json *scale = scale_of(&r->arena, old);
	enum rc rc = r->patch_type == PATCH_JSON
			     ? json_patch_apply(&r->arena, &scale, r->tree, &err)
			     : merge_patch_apply(&r->arena, &scale, r->tree, &err);
	return rc == RC_OK ? put_scale(r, old, scale) : request_fail_err(r, &err);
}

/* ---- namespaces/finalize ---- */

static enum step update_finalize(struct request *r)
{
	struct object *old = write_current(r);
	if (!old)
		return request_not_found(r, r->route.kind, r->route.name);
	struct json *tree = object_tree(&r->arena, old);
	struct json *finalizers = json_path(r->tree, "spec.finalizers");
	struct json *spec = json_need_object(&r->arena, tree, STR("spec"));
	if (json_count(finalizers))
		json_set(&r->arena, spec, STR("finalizers"), finalizers);
	else
		json_remove(spec, STR("finalizers"));
	return write_commit(r, tree, old, 200);
}

static const struct subresource_rule rules[] = {
	{"pods", "binding", NULL, create_binding, NULL, NULL},
	{"pods", "eviction", NULL, create_eviction, NULL, NULL},
	{"namespaces", "finalize", NULL, NULL, update_finalize, NULL},
	{NULL, "scale", get_scale, NULL, update_scale, patch_scale},
};

const struct subresource_rule *subresource_rule(struct str resource, struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (str_is(name, rules[i].name) &&
		    (!rules[i].resource || str_is(resource, rules[i].resource)))
			return &rules[i];
	return NULL;
}

/* Subresources without a form of their own (approval, ephemeralcontainers, resize) read as the
 * object. */
enum step read_subresource(struct request *r, struct object *o)
{
	const struct subresource_rule *rule =
		subresource_rule(r->route.resource, r->route.subresource);
	if (rule && rule->get)
		return rule->get(r, o);
	r->reply.object = object_ref(o);
	r->reply.status = 200;
	return STEP_DONE;
}

void scale_reply(struct request *r)
{
	struct object *o = r->reply.object;
	r->reply.tree = json_copy(&r->arena, scale_of(&r->arena, o));
	object_unref(TAKE_PTR(r->reply.object));
}
