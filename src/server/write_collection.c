/* Deletes of a collection: each object by a request of its own, a window of them at a time; the
 * reply, the list as it was, when the last has ended.  The first error stops it and is the reply.
 */
#include "server/continue_token.h"
#include "server/encode.h"
#include "server/filter.h"
#include "server/list_options.h"
#include "server/server.h"
#include "server/write.h"

#define AT_ONCE	       64
#define LIST_MAX_BYTES (256u << 20)

struct collection {
	struct request *parent;
	struct filter filter;
	struct snapshot_iter at;
	struct buf out;
	struct encoder encoder;
	size_t waiting;
	bool is_starting, has_failed, is_through;
};

static void go_on(struct collection *c);

static void take_failure(struct collection *c, const struct request *item)
{
	struct request *parent = c->parent;
	bool is_gone = item->reply.status == 404; /* somebody else deleted it meanwhile */
	if (item->reply.status < 400 || is_gone || c->has_failed)
		return;
	c->has_failed = true;
	parent->reply.status = item->reply.status;
	parent->reply.tree = json_copy(&parent->arena, item->reply.tree);
}

static void item_done(struct request *item)
{
	struct collection *c = item->ctx;
	take_failure(c, item);
	request_free(item);
	c->waiting--;
	if (!c->is_starting)
		go_on(c);
}

static void delete_item(struct collection *c, struct object *o)
{
	struct request *parent = c->parent;
	struct request *item = request_new(parent->server, parent->server->loop);
	item->route = parent->route;
	item->route.verb = DO_DELETE;
	item->route.namespace = arena_str(&item->arena, o->namespace);
	item->route.name = arena_str(&item->arena, o->name);
	item->options = parent->options;
	item->deletion = parent->deletion;
	item->user = parent->user;
	item->stage = parent->stage;
	item->finish = item_done;
	item->ctx = c;
	c->waiting++;
	request_run(item);
}

static bool is_full(const struct collection *c)
{
	int64_t limit = c->parent->options.limit;
	return c->has_failed || (limit > 0 && (int64_t)c->encoder.item_count >= limit);
}

static void start_some(struct collection *c)
{
	struct object *o;
	c->is_starting = true;
	while (c->waiting < AT_ONCE && !c->is_through) {
		o = is_full(c) ? NULL : snapshot_next(&c->at);
		if (!o)
			c->is_through = true;
		else if (filter_matches(&c->filter, o)) {
			encode_list_item(&c->encoder, o);
			delete_item(c, o);
		}
	}
	c->is_starting = false;
}

static void complete(struct collection *c)
{
	struct request *r = c->parent;
	struct list_meta meta = {.revision = snapshot_revision(request_snapshot(r))};
	if (!c->has_failed) {
		encode_list_end(&c->encoder, &meta);
		r->reply.status = 200;
	}
	if (c->has_failed)
		pieces_done(&r->reply.pieces);
	buf_done(&c->out);
}

static void go_on(struct collection *c)
{
	start_some(c);
	if (c->waiting)
		return;
	complete(c);
	request_resume(c->parent, STEP_DONE);
}

enum step write_delete_collection(struct request *r)
{
	struct err err;
	struct collection *c = ARENA_NEW(&r->arena, struct collection);
	struct continue_token token;
	if (list_options_check(r) == STEP_DONE)
		return STEP_DONE;
	if (r->options.continue_token.len &&
	    continue_token_parse(&r->arena, r->options.continue_token, &token, &err) != RC_OK)
		return request_fail_err(r, &err);
	if (list_revision_check(r) == STEP_DONE)
		return STEP_DONE;
	if (filter_init(r, &c->filter, &err) != RC_OK)
		return request_fail_err(r, &err);
	c->parent = r;
	c->out = (struct buf)BUF_INIT(LIST_MAX_BYTES);
	r->reply.pieces.max_bytes = LIST_MAX_BYTES;
	c->encoder = encoder_for(r, &c->out);
	snapshot_iter_init(&c->at, request_snapshot(r), c->filter.kind->stored_id,
			   c->filter.namespace, (struct str){}, (struct str){});
	start_some(c);
	if (c->waiting)
		return STEP_LATER;
	complete(c);
	return STEP_DONE;
}
