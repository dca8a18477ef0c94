#include "server/pipeline.h"

#include "api/selector.h"
#include "server/audit.h"
#include "server/authenticate.h"
#include "server/authz.h"
#include "server/fairness.h"
#include "server/io_thread.h"
#include "server/request_metrics.h"
#include "server/route.h"
#include "server/server.h"
#include "server/tokens.h"

const struct stage stages[] = {
	{"route", false, stage_route},	       {"authenticate", false, stage_authenticate},
	{"audit", false, stage_audit},	       {"impersonate", false, stage_impersonate},
	{"fairness", false, stage_fairness},   {"authorize", false, stage_authorize},
	{"documents", false, stage_documents}, {"negotiate", false, stage_negotiate},
	{"read", false, stage_read},	       {"connect", false, stage_connect},
	{"decode", false, stage_decode},       {"audit-body", false, stage_audit_body},
	{"write", true, stage_write},
};
const size_t stage_count = ARRAY_LEN(stages);

size_t stage_index(const char *name)
{
	for (size_t i = 0; i < stage_count; i++)
		if (strcmp(stages[i].name, name) == 0)
			return i;
	ASSERT(!"a stage of that name");
}

struct request *request_new(struct server *server, struct loop *home)
{
	struct request *r = NEW(struct request);
	r->server = server;
	r->home = home;
	r->started_us = world_wall_us();
	r->began_us = world_mono_us();
	return r;
}

void request_free(struct request *r)
{
	if (!r)
		return;
	object_unref(r->reply.object);
	object_unref(r->pending);
	object_unref(r->beside);
	pieces_done(&r->reply.pieces);
	request_metrics_end_long(r->server->metrics, r->long_run);
	snapshot_unref(r->snapshot);
	arena_done(&r->arena);
	memory_return_note(&r->server->memory);
	free(r);
}

struct snapshot *request_snapshot(struct request *r)
{
	if (!r->snapshot)
		r->snapshot = store_snapshot(r->server->store);
	return r->snapshot;
}

static void finish_msg(struct loop_msg *msg)
{
	struct request *r = CONTAINER_OF(msg, struct request, msg);
	r->finish(r);
}

static void run_msg(struct loop_msg *msg)
{
	request_run(CONTAINER_OF(msg, struct request, msg));
}

/* A request is on core only while a core stage runs or waits; both ends know by the stage. */
static bool is_on_core(const struct request *r)
{
	return r->stage < stage_count && stages[r->stage].is_on_core;
}

static void finish(struct request *r)
{
	bool is_away = is_on_core(r) && r->home != r->server->loop;
	if (!is_away) {
		r->finish(r);
		return;
	}
	r->msg.fn = finish_msg;
	loop_post(r->home, &r->msg);
}

/* True when the request went to another thread. */
static bool move(struct request *r, bool was_on_core)
{
	bool is_core = is_on_core(r);
	struct loop *from = was_on_core ? r->server->loop : r->home;
	struct loop *to = is_core ? r->server->loop : r->home;
	if (from == to)
		return false;
	r->msg.fn = run_msg;
	loop_post(to, &r->msg);
	return true;
}

void request_run(struct request *r)
{
	while (r->stage < stage_count) {
		enum step step = stages[r->stage].run(r);
		if (step == STEP_LATER)
			return;
		if (step == STEP_DONE)
			break;
		bool was_on_core = is_on_core(r);
		r->stage++;
		if (move(r, was_on_core))
			return;
	}
	finish(r);
}

void request_resume(struct request *r, enum step step)
{
	if (step == STEP_DONE) {
		finish(r);
		return;
	}
	bool was_on_core = is_on_core(r);
	r->stage++;
	if (!move(r, was_on_core))
		request_run(r);
}

enum step stage_route(struct request *r)
{
	route_parse(r);
	if (r->route.verb != DO_WATCH && r->route.verb != DO_CONNECT)
		return deadline_begin(&io_thread_of(r->server, r->home)->deadlines, r);
	r->long_run = request_metrics_begin_long(r->server->metrics, r);
	return STEP_NEXT;
}

/* Who may see one object may list it alone, and a node the pods on it. */
static void take_selector(struct request *r, struct attributes *what)
{
	struct field_selector *fields = ARENA_NEW(&r->arena, struct field_selector);
	bool is_many = r->route.verb == DO_LIST || r->route.verb == DO_WATCH ||
		       r->route.verb == DO_DELETE_COLLECTION;
	if (!is_many || r->options.field_selector.len == 0 ||
	    field_selector_parse(&r->arena, r->options.field_selector, fields, NULL) != RC_OK)
		return;
	struct str name = field_selector_exact(fields, "metadata.name");
	what->fields = fields;
	if (name.len)
		what->name = name;
}

static void attributes_of(struct request *r, struct attributes *ret_what)
{
	const struct route *route = &r->route;
	*ret_what = (struct attributes){
		.verb = route->authz_verb,
		.is_resource = route->is_resource,
		.group = route->group,
		.resource = route->resource,
		.subresource = route->subresource,
		.namespace = route->namespace,
		.name = route->name,
		.path = r->path,
	};
	take_selector(r, ret_what);
}

static enum step refuse(struct request *r, const struct attributes *what, struct str reason)
{
	struct str why = attributes_refusal(&r->arena, &r->user, what, reason);
	if (!what->is_resource) {
		request_fail(r, RC_FORBIDDEN, "forbidden: %.*s", STR_FMT(why));
		json_set(&r->arena, r->reply.tree, STR("details"), json_object(&r->arena));
		return STEP_DONE;
	}
	struct api_kind unknown = {.group = what->group, .plural = what->resource};
	return request_forbidden(r, r->route.kind ? r->route.kind : &unknown, what->name, why);
}

/* Public by nature: a joining node has no identity yet. */
static bool is_public(const struct attributes *what)
{
	return !what->is_resource && str_is(what->path, "/cacerts") && str_is(what->verb, "get");
}

/* WebSockets begin with a GET, yet who may only look must not run commands. */
static bool acts_on_pod(const struct request *r)
{
	return r->route.verb == DO_CONNECT && str_is(r->route.resource, "pods") &&
	       (str_is(r->route.subresource, "exec") || str_is(r->route.subresource, "attach") ||
		str_is(r->route.subresource, "portforward"));
}

/* Only a request that is recorded needs to know why it is allowed. */
static bool is_allowed(struct request *r, const struct attributes *what, struct str *ret_reason)
{
	struct authorizer *z = r->server->authorizer;
	if (!r->audit)
		return authorizer_allows_or_why(z, &r->user, what, &r->arena, ret_reason);
	bool allows = authorizer_allows_because(z, &r->user, what, &r->arena, ret_reason);
	audit_note_decision(r, allows, *ret_reason);
	return allows;
}

enum step stage_authorize(struct request *r)
{
	struct attributes what;
	struct str reason;
	attributes_of(r, &what);
	if (!is_public(&what) && !is_allowed(r, &what, &reason))
		return refuse(r, &what, reason);
	if (!acts_on_pod(r) || !str_is(what.verb, "get"))
		return STEP_NEXT;
	what.verb = STR("create");
	return authorizer_allows_or_why(r->server->authorizer, &r->user, &what, &r->arena, &reason)
		       ? STEP_NEXT
		       : refuse(r, &what, reason);
}
