#include "server/local_client.h"

#include "server/filter.h"
#include "server/pipeline.h"
#include "sync/object_set.h"

#define BATCH	128
#define TURN_MS 1000

struct local_client {
	struct client base;
	struct server *server;
	struct str user_name;
	struct arena arena;
	size_t under_way; /* requests, and watches that have ended but are not freed yet */
	void (*drained)(void *ctx);
	void *drained_ctx;
};

struct call {
	struct local_client *client;
	client_done_fn *done;
	void *ctx;
};

struct client_watch {
	struct local_client *client;
	struct store_listener listener;
	struct loop_msg start_msg;
	uint16_t stored_id;
	struct arena arena;
	struct str namespace;
	struct field_selector fields;
	const struct client_watch_ops *ops;
	void *ctx;
	struct cursor cursor;
	struct object_set known; /* as far as told */
	bool is_open, is_ended, is_pumping, is_synced;
};

/* ---- requests ---- */

static void reply_of(struct request *r, struct client_reply *ret_reply)
{
	*ret_reply = (struct client_reply){
		.rc = RC_OK, .object = r->reply.object, .tree = r->reply.tree};
	if (r->reply.status < 400) {
		ret_reply->revision = r->reply.object ? r->reply.object->revision
						      : r->ticket.revision;
		return;
	}
	struct str reason = json_path_str(r->reply.tree, "reason");
	for (int rc = RC_OK + 1; rc <= RC_TIMEOUT && ret_reply->rc == RC_OK; rc++)
		if (rc_status(rc) == r->reply.status && str_is(reason, rc_reason(rc)))
			ret_reply->rc = rc;
	if (ret_reply->rc == RC_OK)
		ret_reply->rc = RC_INTERNAL;
	err_set(&ret_reply->err, ret_reply->rc, "%.*s",
		STR_FMT(json_path_str(r->reply.tree, "message")));
}

static void one_less(struct local_client *c)
{
	ASSERT(c->under_way > 0);
	if (--c->under_way == 0 && c->drained)
		c->drained(c->drained_ctx);
}

static void finish(struct request *r)
{
	struct call *call = r->ctx;
	struct local_client *c = call->client;
	struct client_reply reply;
	reply_of(r, &reply);
	call->done(call->ctx, &reply);
	request_free(r);
	one_less(c);
}

static void start(struct loop_msg *msg)
{
	request_run(CONTAINER_OF(msg, struct request, msg));
}

static void set_verb(struct request *r, enum client_verb verb)
{
	static const struct {
		enum verb verb;
		enum patch_type patch_type;
	} rows[] = {
		[CLIENT_GET] = {DO_GET, 0},
		[CLIENT_CREATE] = {DO_CREATE, 0},
		[CLIENT_UPDATE] = {DO_UPDATE, 0},
		[CLIENT_PATCH_MERGE] = {DO_PATCH, PATCH_MERGE},
		[CLIENT_PATCH_STRATEGIC] = {DO_PATCH, PATCH_STRATEGIC},
		[CLIENT_APPLY] = {DO_PATCH, PATCH_APPLY},
		[CLIENT_DELETE] = {DO_DELETE, 0},
	};
	r->route.verb = rows[verb].verb;
	r->patch_type = rows[verb].patch_type;
}

static void set_user(struct request *r, struct local_client *c)
{
	r->user.name = c->user_name;
	r->user.groups[r->user.group_count++] = STR("system:serviceaccounts");
	r->user.groups[r->user.group_count++] = STR("system:authenticated");
}

/* Requests always travel as messages, so that no caller is called back from within its call. */
static void submit(struct client *client, const struct client_request *q, client_done_fn *done,
		   void *ctx)
{
	struct local_client *c = CONTAINER_OF(client, struct local_client, base);
	struct request *r = request_new(c->server, client->loop);
	struct arena *a = &r->arena;
	struct call *call = ARENA_NEW(a, struct call);
	*call = (struct call){c, done, ctx};
	c->under_way++;
	r->ctx = call;
	r->finish = finish;
	set_user(r, c);
	set_verb(r, q->verb);
	r->route.is_resource = true;
	r->route.kind = q->kind;
	r->route.group = q->kind->group;
	r->route.version = q->kind->version;
	r->route.resource = q->kind->plural;
	r->route.namespace = arena_str(a, q->namespace);
	r->route.name = arena_str(a, q->name);
	r->route.subresource = arena_str(a, q->subresource);
	r->route.sub = q->subresource.len ? api_subresource(q->kind, q->subresource) : NULL;
	r->options.field_manager = arena_str(a, q->field_manager);
	r->options.is_force = q->verb == CLIENT_APPLY;
	r->deletion = (struct deletion){
		.has_grace = q->grace_period_s >= 0,
		.grace_s = q->grace_period_s,
		.propagation = arena_str(a, q->propagation),
		.uid = arena_str(a, q->uid),
	};
	r->tree = q->body ? json_copy(a, q->body) : NULL;
	r->stage = stage_index(q->verb == CLIENT_GET ? "read" : "write");
	r->msg.fn = start;
	loop_post(q->verb == CLIENT_GET ? client->loop : c->server->loop, &r->msg);
}

/* ---- watches ---- */

static bool takes(const struct client_watch *w, struct object *o)
{
	if (!o || (w->namespace.len && !str_eq(w->namespace, o->namespace)))
		return false;
	CLEANUP_ARENA scratch = {};
	return w->fields.count == 0 || field_selector_matches_object(&w->fields, o, &scratch);
}

static void remember(struct client_watch *w, struct object *old, struct object *new)
{
	struct object *former = new ? object_set_put(&w->known, object_ref(new))
				    : object_set_remove(&w->known, old->namespace, old->name);
	object_unref(former);
}

static void deliver(struct client_watch *w, struct store_event *e)
{
	struct object *old = takes(w, e->old) ? e->old : NULL;
	struct object *new = takes(w, e->new) ? e->new : NULL;
	if (!old && !new)
		return;
	remember(w, old, new);
	w->ops->on_event(w->ctx, old, new);
}

static void end(struct client_watch *w)
{
	struct local_client *c = w->client;
	store_unlisten(w->client->server->store, &w->listener);
	struct object_place at;
	for (struct object *o;
	     (o = object_set_at(&w->known, at = object_set_find(&w->known, STR(""), STR(""))));)
		object_unref(object_set_remove(&w->known, o->namespace, o->name));
	object_set_done(&w->known);
	arena_done(&w->arena);
	free(w);
	one_less(c);
}

/* Tells the difference between what is known and a snapshot, in order: at first everything, later
 * (when the ring has overtaken this watch) what was missed. */
static void tell_gone(struct client_watch *w, const struct snapshot *s)
{
	struct object_place at = object_set_find(&w->known, STR(""), STR(""));
	for (struct object *o; !w->is_ended && (o = object_set_at(&w->known, at));) {
		if (snapshot_get(s, w->stored_id, o->namespace, o->name)) {
			at = object_set_step(&w->known, at);
			continue;
		}
		struct store_event gone = {.old = object_ref(o)};
		deliver(w, &gone);
		store_event_done(&gone);
	}
}

static void list_all(struct client_watch *w)
{
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(w->client->server->store);
	struct snapshot_iter it;
	tell_gone(w, s);
	snapshot_iter_init(&it, s, w->stored_id, w->namespace, (struct str){}, (struct str){});
	for (struct object *o; !w->is_ended && (o = snapshot_next(&it));) {
		struct store_event event = {
			.old = object_ref(object_set_get(&w->known, o->namespace, o->name)),
			.new = object_ref(o)};
		if (!event.old || event.old->revision != o->revision)
			deliver(w, &event);
		store_event_done(&event);
	}
	w->is_open = store_cursor_open(w->client->server->store, w->stored_id, snapshot_revision(s),
				       &w->cursor, NULL) == RC_OK;
}

/* False when the ring has overtaken the watch. */
static bool pump(struct client_watch *w)
{
	size_t count = BATCH;
	while (count == BATCH && !w->is_ended) {
		struct store_event events[BATCH];
		if (store_cursor_read(w->client->server->store, &w->cursor, events, BATCH, &count,
				      NULL) != RC_OK)
			return false;
		for (size_t i = 0; i < count; i++) {
			if (!w->is_ended)
				deliver(w, &events[i]);
			store_event_done(&events[i]);
		}
	}
	if (!w->is_ended && w->ops->on_revision)
		w->ops->on_revision(w->ctx, w->cursor.after);
	return true;
}

static void run(struct client_watch *w)
{
	w->is_pumping = true;
	while (!w->is_ended && (!w->is_open || !pump(w)))
		list_all(w);
	if (!w->is_ended && !w->is_synced) {
		w->is_synced = true;
		if (w->ops->on_synced)
			w->ops->on_synced(w->ctx);
	}
	w->is_pumping = false;
	if (w->is_ended)
		end(w);
}

static void on_publish(struct store_listener *l)
{
	struct client_watch *w = CONTAINER_OF(l, struct client_watch, listener);
	if (w->is_open)
		run(w);
}

static void start_watch(struct loop_msg *msg)
{
	run(CONTAINER_OF(msg, struct client_watch, start_msg));
}

static struct client_watch *watch(struct client *client, const struct api_kind *kind,
				  struct str namespace, struct str field_selector,
				  const struct client_watch_ops *ops, void *ctx)
{
	struct local_client *c = CONTAINER_OF(client, struct local_client, base);
	struct client_watch *w = NEW(struct client_watch);
	w->client = c;
	w->stored_id = kind->stored_id;
	w->namespace = arena_str(&w->arena, namespace);
	w->ops = ops;
	w->ctx = ctx;
	enum rc rc = field_selector_parse(&w->arena, arena_str(&w->arena, field_selector),
					  &w->fields, NULL);
	ASSERT(rc == RC_OK);
	w->listener.loop = client->loop;
	w->listener.fn = on_publish;
	store_listen(c->server->store, &w->listener);
	w->start_msg.fn = start_watch;
	loop_defer(client->loop, &w->start_msg);
	return w;
}

static void unwatch(struct client *client, struct client_watch *w)
{
	w->is_ended = true;
	w->client->under_way++;
	if (!w->is_pumping && w->is_open)
		end(w);
}

static const struct client_ops ops = {submit, watch, unwatch};

struct client *local_client_new(struct server *server, struct loop *loop, const char *account)
{
	struct local_client *c = NEW(struct local_client);
	c->base = (struct client){&ops, loop, api_builtin()};
	c->server = server;
	c->user_name =
		account ? arena_printf(&c->arena, "system:serviceaccount:kube-system:%s", account)
			: STR("system:skeg");
	return &c->base;
}

void local_client_drain(struct client *client, void (*drained)(void *ctx), void *ctx)
{
	struct local_client *c = CONTAINER_OF(client, struct local_client, base);
	c->drained = drained;
	c->drained_ctx = ctx;
	if (c->under_way == 0)
		drained(ctx);
}

void local_client_drain_here(struct client *client)
{
	const struct local_client *c = CONTAINER_OF(client, struct local_client, base);
	while (c->under_way > 0)
		loop_run_once(client->loop, TURN_MS);
}

void local_client_free(struct client *client)
{
	if (!client)
		return;
	struct local_client *c = CONTAINER_OF(client, struct local_client, base);
	ASSERT(c->under_way == 0);
	arena_done(&c->arena);
	free(c);
}
