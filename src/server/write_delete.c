/* Deletes: preconditions, finalizers, grace, what happens to dependents.
 * Source: upstream's registry/generic store and the strategies of pods and namespaces. */
#include "api/api_ids.h"
#include "server/admission.h"
#include "server/server.h"
#include "server/write.h"

#define GRACE_MAX_S (100LL * 365 * 86400)

enum propagation {
	PROPAGATE_DEFAULT,
	PROPAGATE_BACKGROUND,
	PROPAGATE_FOREGROUND,
	PROPAGATE_ORPHAN
};

static enum propagation propagation_of(const struct request *r, const struct object *old)
{
	struct str text = r->deletion.propagation;
	if (str_is(text, "Orphan"))
		return PROPAGATE_ORPHAN;
	if (str_is(text, "Foreground"))
		return PROPAGATE_FOREGROUND;
	if (str_is(text, "Background"))
		return PROPAGATE_BACKGROUND;
	bool keeps_dependents = old->stored_id == KIND_REPLICATION_CONTROLLER ||
				old->stored_id == KIND_JOB;
	return keeps_dependents ? PROPAGATE_ORPHAN : PROPAGATE_DEFAULT;
}

static void set_finalizer(struct arena *a, struct json *list, const char *name, bool is_wanted)
{
	for (size_t i = 0; i < json_count(list); i++) {
		if (!str_is(json_str(json_at(list, i)), name))
			continue;
		if (!is_wanted)
			json_remove_at(list, i);
		return;
	}
	if (is_wanted)
		json_append(a, list, json_cstring(a, name));
}

/* The finalizers that a propagation policy adds and takes away. */
static void settle_finalizers(struct request *r, const struct object *old, struct json *meta)
{
	enum propagation p = propagation_of(r, old);
	if (p == PROPAGATE_DEFAULT)
		return;
	struct json *list = json_get(meta, STR("finalizers"));
	list = list ? list : json_array(&r->arena);
	set_finalizer(&r->arena, list, "orphan", p == PROPAGATE_ORPHAN);
	set_finalizer(&r->arena, list, "foregroundDeletion", p == PROPAGATE_FOREGROUND);
	if (json_count(list))
		json_set(&r->arena, meta, STR("finalizers"), list);
	else
		json_remove(meta, STR("finalizers"));
}

static int64_t grace_of(const struct request *r, const struct object *old, const struct json *tree)
{
	if (old->stored_id != KIND_POD)
		return 0;
	struct str phase = json_path_str(tree, "status.phase");
	if (json_path_str(tree, "spec.nodeName").len == 0 || str_is(phase, "Succeeded") ||
	    str_is(phase, "Failed"))
		return 0;
	struct json *own = json_path(tree, "spec.terminationGracePeriodSeconds");
	int64_t grace_s = r->deletion.has_grace ? r->deletion.grace_s : own ? json_i64(own) : 30;
	return grace_s < 0 ? 1 : MIN(grace_s, GRACE_MAX_S);
}

static enum step failed_precondition(struct request *r, const struct object *old, struct str why)
{
	request_conflict(r, r->route.kind, old->name, arena_cstr(&r->arena, why));
	/* Here upstream names the kind, not the resource. */
	json_set_str(&r->arena, json_get(r->reply.tree, STR("details")), STR("kind"),
		     r->route.kind->kind);
	struct str message = arena_printf(
		&r->arena, "Operation cannot be fulfilled on %.*s%s%.*s \"%.*s\": %.*s",
		STR_FMT(r->route.kind->kind), r->route.kind->group.len ? "." : "",
		STR_FMT(r->route.kind->group), STR_FMT(old->name), STR_FMT(why));
	json_set_str(&r->arena, r->reply.tree, STR("message"), message);
	return STEP_DONE;
}

static enum step wrong_uid(struct request *r, const struct object *old)
{
	struct str wanted = r->deletion.uid;
	if (old->stored_id == KIND_NAMESPACE) /* judged by its own registry */
		return request_conflict(
			r, r->route.kind, old->name,
			arena_cstr(&r->arena,
				   arena_printf(&r->arena,
						"Precondition failed: UID in precondition: %.*s, "
						"UID in object meta: %.*s",
						STR_FMT(wanted), STR_FMT(old->uid))));
	return failed_precondition(
		r, old,
		arena_printf(&r->arena,
			     "the UID in the precondition (%.*s) does not match the UID in record "
			     "(%.*s). The object might have been deleted and then recreated",
			     STR_FMT(wanted), STR_FMT(old->uid)));
}

static enum step check_preconditions(struct request *r, const struct object *old)
{
	const struct deletion *o = &r->deletion;
	int64_t revision = 0;
	if (o->uid.at && !str_eq(o->uid, old->uid))
		return wrong_uid(r, old);
	if (o->resource_version.at &&
	    (!str_to_i64(o->resource_version, &revision) || revision != old->revision))
		return failed_precondition(
			r, old,
			arena_printf(&r->arena,
				     "the ResourceVersion in the precondition (%.*s) does not "
				     "match the ResourceVersion in record (%lld). The object might "
				     "have been modified",
				     STR_FMT(o->resource_version), (long long)old->revision));
	return STEP_NEXT;
}

/* Objects that a cluster cannot do without. */
static enum step check_protection(struct request *r, const struct object *old)
{
	static const struct {
		uint16_t kind;
		const char *name, *why;
	} rows[] = {
		{KIND_NAMESPACE, "default", "this namespace may not be deleted"},
		{KIND_NAMESPACE, "kube-system", "this namespace may not be deleted"},
		{KIND_NAMESPACE, "kube-public", "this namespace may not be deleted"},
		{KIND_PRIORITY_CLASS, "system-node-critical",
		 "this is a system priority class and cannot be deleted"},
		{KIND_PRIORITY_CLASS, "system-cluster-critical",
		 "this is a system priority class and cannot be deleted"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].kind == old->stored_id && str_is(old->name, rows[i].name))
			return request_forbid(r, old->name, "%s", rows[i].why);
	return STEP_NEXT;
}

/* What is left of an object whose deletion has begun: true when it stays for now. */
static bool begin_deletion(struct request *r, struct object *old, struct json *tree)
{
	struct arena *a = &r->arena;
	struct json *meta = json_get(tree, STR("metadata"));
	settle_finalizers(r, old, meta);
	int64_t grace_s = grace_of(r, old, tree);
	bool has_finalizers = json_count(json_get(meta, STR("finalizers"))) > 0 ||
			      (old->stored_id == KIND_NAMESPACE &&
			       json_count(json_path(tree, "spec.finalizers")));
	bool stays = grace_s > 0 || has_finalizers;
	if (!stays && old->stored_id != KIND_POD) /* only pods are marked before they go at once */
		return false;
	int64_t before_s = json_i64(json_get(meta, STR("deletionGracePeriodSeconds")));
	if (!old->is_deleting || grace_s < before_s) {
		json_set_time(a, meta, "deletionTimestamp", world_wall_us() + grace_s * 1000000);
		if (old->stored_id != KIND_NAMESPACE)
			json_set(a, meta, STR("deletionGracePeriodSeconds"), json_int(a, grace_s));
	}
	if (!old->is_deleting && json_get(meta, STR("generation")))
		json_set(a, meta, STR("generation"), json_int(a, old->generation + 1));
	if (old->stored_id == KIND_NAMESPACE)
		json_set_str(a, json_need_object(a, tree, STR("status")), STR("phase"),
			     STR("Terminating"));
	return stays;
}

/* Kinds whose delete answers with the object; the others answer with a Status. */
static bool answers_with_object(uint16_t stored_id)
{
	static const uint16_t kinds[] = {KIND_POD,
					 KIND_SERVICE,
					 KIND_SERVICE_ACCOUNT,
					 KIND_PERSISTENT_VOLUME_CLAIM,
					 KIND_PERSISTENT_VOLUME,
					 KIND_POD_TEMPLATE,
					 KIND_RESOURCE_QUOTA,
					 KIND_STORAGE_CLASS,
					 KIND_CSI_DRIVER,
					 KIND_CSI_NODE,
					 KIND_VOLUME_ATTACHMENT,
					 KIND_VOLUME_ATTRIBUTES_CLASS,
					 KIND_RESOURCE_CLAIM,
					 KIND_RESOURCE_SLICE};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i] == stored_id)
			return true;
	return false;
}

static void success_status(struct request *r, const struct object *old)
{
	struct arena *a = &r->arena;
	struct json *s = json_object(a), *details = json_object(a);
	json_set_str(a, s, STR("kind"), STR("Status"));
	json_set_str(a, s, STR("apiVersion"), STR("v1"));
	json_set(a, s, STR("metadata"), json_object(a));
	json_set_str(a, s, STR("status"), STR("Success"));
	json_set_str(a, details, STR("name"), arena_str(a, old->name));
	if (r->route.kind->group.len)
		json_set_str(a, details, STR("group"), r->route.kind->group);
	json_set_str(a, details, STR("kind"), r->route.kind->plural);
	json_set_str(a, details, STR("uid"), arena_str(a, old->uid));
	json_set(a, s, STR("details"), details);
	r->reply.tree = s;
}

static enum step remove_now(struct request *r, struct object *old, struct json *tree)
{
	struct object *last;
	struct err err;
	/* The last state has the revision of the delete, so it is an object of its own. */
	if (object_new(old->kind, tree, 0, &last, &err) != RC_OK)
		return request_fail_err(r, &err);
	object_share(&last, old);
	r->reply.status = 200;
	struct object *shown = old->stored_id == KIND_POD ? last : old;
	if (answers_with_object(old->stored_id) || old->is_deleting)
		*(r->options.is_dry_run ? &r->reply.object : &r->pending) = object_ref(shown);
	else
		success_status(r, old);
	if (!r->options.is_dry_run)
		return write_remove(r, old, last);
	object_set_revision(last, old->revision);
	object_unref(last);
	return STEP_DONE;
}

static void warn_of_kept_pods(struct request *r, const struct object *old)
{
	if (old->stored_id == KIND_JOB && r->deletion.propagation.at == NULL)
		request_warn(r, "child pods are preserved by default when jobs are deleted; set "
				"propagationPolicy=Background to remove them or set "
				"propagationPolicy=Orphan to suppress this warning");
}

static enum step delete_object(struct request *r, struct object *old)
{
	struct json *tree = object_tree(&r->arena, old);
	if (admit(r, ADMIT_DELETE, tree, NULL) == STEP_DONE ||
	    check_protection(r, old) == STEP_DONE || check_preconditions(r, old) == STEP_DONE)
		return STEP_DONE;
	warn_of_kept_pods(r, old);
	if (!begin_deletion(r, old, tree))
		return remove_now(r, old, tree);
	if (json_equal(tree, object_tree(&r->arena, old))) {
		r->reply.object = object_ref(old);
		r->reply.status = 200;
		return STEP_DONE;
	}
	return write_commit(r, tree, old, 200);
}

enum step write_delete(struct request *r)
{
	struct object *old = write_current(r);
	if (!old)
		return request_not_found(r, r->route.kind, r->route.name);
	return delete_object(r, old);
}
