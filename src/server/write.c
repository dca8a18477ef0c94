#include "server/write.h"

#include "api/api_ids.h"
#include "api/warnings.h"
#include "server/allocator.h"
#include "server/deadline.h"
#include "server/node_authorizer.h"
#include "server/pipeline.h"
#include "server/server.h"

const struct api_kind *write_storage_kind(const struct request *r)
{
	return api_by_stored(api_builtin(), r->route.kind->stored_id);
}

struct object *write_current(struct request *r)
{
	const struct route *route = &r->route;
	struct str namespace = route->kind->is_namespaced ? route->namespace : (struct str){};
	return store_pending_get(r->server->store, route->kind->stored_id, namespace, route->name);
}

/* Addresses and ports change hands when it is certain which state of the Service stays. */
static void settle_service(struct request *r, bool is_durable)
{
	allocator_settle(r->server->allocator, r->service_old, r->service_new, is_durable);
	r->service_old = r->service_new = NULL;
}

static void note_removal(struct request *r, const struct object *old)
{
	if (old->stored_id == KIND_SERVICE)
		r->service_old = json_copy(&r->arena, object_tree(&r->arena, old));
	r->service_new = NULL;
}

static void committed(struct store_ticket *ticket)
{
	struct request *r = CONTAINER_OF(ticket, struct request, ticket);
	settle_service(r, ticket->rc == RC_OK);
	if (ticket->rc != RC_OK)
		request_fail_err(r, ticket->err);
	else if (r->pending)
		r->reply.object = TAKE_PTR(r->pending);
	request_resume(r, STEP_DONE);
}

enum step write_beside(struct request *r, struct object *old, struct json *tree)
{
	struct object *o;
	struct err err;
	if (r->options.is_dry_run)
		return STEP_NEXT;
	if (object_new(old->kind, tree, 0, &o, &err) != RC_OK)
		return request_fail_err(r, &err);
	object_unref(r->beside);
	r->beside = o;
	r->beside_expect = old->revision;
	return STEP_NEXT;
}

/* The write, and the one that must happen with it or not at all. */
static enum rc commit(struct request *r, const struct store_write *write, struct err *err)
{
	struct store_write both[2] = {*write};
	size_t count = 1;
	if (r->beside) {
		both[count++] = (struct store_write){
			.stored_id = r->beside->stored_id,
			.namespace = r->beside->namespace,
			.name = r->beside->name,
			.expect = r->beside_expect,
			.object = r->beside,
		};
		r->beside = NULL;
	}
	return store_commit(r->server->store, both, count, &r->ticket, err);
}

static enum step commit_one(struct request *r, struct store_write *write)
{
	struct err err;
	struct str name = arena_str(&r->arena, write->name); /* the store may drop its object */
	r->ticket.done = committed;
	enum rc rc = commit(r, write, &err);
	if (rc == RC_OK)
		return STEP_LATER;
	if (rc == RC_ALREADY_EXISTS)
		request_already_exists(r, r->route.kind, name);
	else
		request_fail_err(r, &err);
	settle_service(r, false);
	object_unref(TAKE_PTR(r->pending));
	return STEP_DONE;
}

/* Heartbeats may be lost in a crash: nothing depends on the newest of them.  That a lease exists,
 * or not any more, is no heartbeat. */
static bool is_lazy(uint16_t stored_id, struct str namespace, bool is_renewal)
{
	if (stored_id == KIND_EVENT)
		return true;
	return is_renewal && stored_id == KIND_LEASE && str_is(namespace, NODE_LEASE_NAMESPACE);
}

static bool waits_for_nothing(const struct api_kind *kind, const struct json *tree)
{
	struct json *meta = json_get(tree, STR("metadata"));
	if (!json_get(meta, STR("deletionTimestamp")) ||
	    json_count(json_get(meta, STR("finalizers"))))
		return false;
	if (json_i64(json_get(meta, STR("deletionGracePeriodSeconds"))) > 0)
		return false;
	return kind->stored_id != KIND_NAMESPACE ||
	       json_count(json_path(tree, "spec.finalizers")) == 0;
}

static void add_warning(void *ctx, struct str text)
{
	request_warn(ctx, "%.*s", STR_FMT(text));
}

void write_warn(struct request *r, const struct json *old, const struct json *tree)
{
	struct warnings w = {&r->arena, add_warning, r};
	if (!r->exchange)
		return;
	if (!r->route.sub)
		api_warnings(write_storage_kind(r), old, tree, &w);
	else if (str_is(r->route.subresource, "status"))
		api_status_warnings(write_storage_kind(r), tree, &w);
}

void write_warn_early(struct request *r, const struct json *tree)
{
	struct warnings w = {&r->arena, add_warning, r};
	if (r->exchange)
		api_warnings_early(write_storage_kind(r), tree, &w);
}

enum step write_commit(struct request *r, struct json *tree, struct object *old, int status)
{
	const struct api_kind *kind = write_storage_kind(r);
	struct object *o;
	struct err err;
	if (object_new(kind, tree, 0, &o, &err) != RC_OK) {
		settle_service(r, false);
		return request_fail_err(r, &err);
	}
	r->reply.status = status;
	if (r->options.is_dry_run) {
		object_set_revision(o, old ? old->revision : 0);
		r->reply.object = o;
		return STEP_DONE;
	}
	r->pending = object_ref(o);
	bool is_removal = old && waits_for_nothing(kind, tree);
	struct store_write write = {
		.stored_id = kind->stored_id,
		.is_delete = is_removal,
		.is_lazy = !is_removal && is_lazy(kind->stored_id, o->namespace, old != NULL),
		.namespace = o->namespace,
		.name = o->name,
		.expect = old ? old->revision : EXPECT_ABSENT,
		.object = o,
	};
	if (is_removal)
		note_removal(r, old);
	return commit_one(r, &write);
}

enum step write_remove(struct request *r, struct object *old, struct object *last_state)
{
	if (r->options.is_dry_run)
		return STEP_DONE;
	note_removal(r, old);
	struct store_write write = {
		.stored_id = old->stored_id,
		.is_delete = true,
		.is_lazy = is_lazy(old->stored_id, old->namespace, false),
		.namespace = old->namespace,
		.name = old->name,
		.expect = old->revision,
		.object = last_state,
	};
	return commit_one(r, &write);
}

static enum step write_object(struct request *r)
{
	switch (r->route.verb) {
	case DO_CREATE:
		return write_create(r);
	case DO_UPDATE:
		return write_update(r);
	case DO_PATCH:
		return write_patch(r);
	case DO_DELETE:
		return write_delete(r);
	case DO_DELETE_COLLECTION:
		return write_delete_collection(r);
	default:
		return request_fail(
			r, RC_METHOD_NOT_ALLOWED,
			"the server does not allow this method on the requested resource");
	}
}

static enum step write_subresource(struct request *r)
{
	const struct subresource_rule *rule =
		subresource_rule(r->route.resource, r->route.subresource);
	if (!rule)
		return write_object(r); /* status and its like: the object itself, by other rules */
	enum step (*fn)(struct request *) = r->route.verb == DO_CREATE	 ? rule->create
					    : r->route.verb == DO_UPDATE ? rule->update
					    : r->route.verb == DO_PATCH	 ? rule->patch
									 : NULL;
	return fn ? fn(r) : write_object(r);
}

enum step stage_write(struct request *r)
{
	if (deadline_is_over(r))
		return request_fail(r, RC_TIMEOUT,
				    "Timeout: request did not complete within requested timeout - "
				    "context deadline exceeded");
	return r->route.sub ? write_subresource(r) : write_object(r);
}
