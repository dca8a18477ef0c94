/* Reads: everything here runs on an io thread from one published snapshot and waits for nobody. */
#include "server/continue_token.h"
#include "server/encode.h"
#include "server/filter.h"
#include "server/io_thread.h"
#include "server/list_options.h"
#include "server/negotiate.h"
#include "server/pipeline.h"
#include "server/route.h"
#include "server/server.h"

#define LIST_MAX_BYTES (1u << 30)

static enum step refuse_export(struct request *r)
{
	struct str value = query_get(&r->arena, r->query, "export");
	if (!value.at || str_is(value, "false") || str_is(value, "0"))
		return STEP_NEXT;
	return request_fail(r, RC_BAD_REQUEST,
			    "the export parameter, deprecated since v1.14, is no longer supported");
}

static enum step read_one(struct request *r)
{
	const struct route *route = &r->route;
	if (refuse_export(r) == STEP_DONE || list_revision_check(r) == STEP_DONE)
		return STEP_DONE;
	struct str namespace = route->kind->is_namespaced ? route->namespace : (struct str){};
	struct object *o =
		snapshot_get(request_snapshot(r), route->kind->stored_id, namespace, route->name);
	if (!o)
		return request_not_found(r, route->kind, route->name);
	if (route->sub && !str_is(route->subresource, "status"))
		return read_subresource(r, o);
	r->reply.object = object_ref(o);
	r->reply.status = 200;
	return STEP_DONE;
}

/* ---- lists ---- */

struct page {
	struct filter filter;
	struct snapshot *snapshot; /* referenced */
	struct continue_token from;
	bool is_continued;
};

static enum step expired_page(struct request *r, const struct continue_token *from)
{
	struct continue_token again = {-1, from->namespace, from->name};
	request_fail(r, RC_EXPIRED,
		     "The provided continue parameter is too old to display a consistent list "
		     "result. You can start a new list without the "
		     "continue parameter, or use the continue token in this response to retrieve "
		     "the remainder of the results. Continuing with "
		     "the provided token results in an inconsistent list - objects that were "
		     "created, modified, or deleted between the time the "
		     "first chunk was returned and now may show up in the list.");
	json_set_str(&r->arena, json_get(r->reply.tree, STR("metadata")), STR("continue"),
		     continue_token_write(&r->arena, &again));
	return STEP_DONE;
}

static enum step open_continued(struct request *r, struct page *p)
{
	struct err err;
	if (continue_token_parse(&r->arena, r->options.continue_token, &p->from, &err) != RC_OK)
		return request_fail_err(r, &err);
	if (r->options.resource_version.len && !str_is(r->options.resource_version, "0"))
		return request_fail(
			r, RC_BAD_REQUEST,
			"specifying resource version is not allowed when using continue");
	p->is_continued = true;
	if (p->from.revision < 0) {
		p->snapshot = snapshot_ref(request_snapshot(r));
		return STEP_NEXT;
	}
	if (p->from.revision > snapshot_revision(request_snapshot(r)))
		return too_large_revision(r, p->from.revision);
	p->snapshot = history_find(&r->server->history, p->from.revision, p->filter.kind->stored_id,
				   world_mono_ms());
	return p->snapshot ? STEP_NEXT : expired_page(r, &p->from);
}

static enum step open_exact(struct request *r, struct page *p)
{
	int64_t wanted = 0;
	struct err err;
	str_to_i64(r->options.resource_version, &wanted);
	enum rc rc = store_snapshot_at(r->server->store, p->filter.kind->stored_id, wanted,
				       &p->snapshot, &err);
	if (rc == RC_EXPIRED)
		return request_fail(r, RC_EXPIRED,
				    "The resourceVersion for the provided list is too old.");
	return rc == RC_OK ? STEP_NEXT : request_fail_err(r, &err);
}

/* A page at a revision is of exactly that one, unless something else was asked for. */
static bool wants_exact(const struct options *o)
{
	if (o->resource_version_match.len || o->limit <= 0)
		return str_is(o->resource_version_match, "Exact");
	return o->resource_version.len && !str_is(o->resource_version, "0");
}

static enum step open_page(struct request *r, struct page *p)
{
	struct err err;
	if (filter_init(r, &p->filter, &err) != RC_OK)
		return request_fail_err(r, &err);
	if (r->options.continue_token.len)
		return open_continued(r, p);
	if (list_revision_check(r) == STEP_DONE)
		return STEP_DONE;
	if (wants_exact(&r->options))
		return open_exact(r, p);
	p->snapshot = snapshot_ref(request_snapshot(r));
	return STEP_NEXT;
}

static int64_t count_rest(const struct page *p, struct snapshot_iter *it)
{
	int64_t rest = 0;
	while (snapshot_next(it))
		rest++;
	return p->filter.labels.count || p->filter.fields.count ? 0 : rest;
}

static void end_page(struct request *r, struct page *p, struct snapshot_iter *it,
		     const struct object *last, struct list_meta *meta)
{
	/* One more was seen than the page holds, so there is a rest; it itself is part of it. */
	meta->remaining = count_rest(p, it);
	if (!p->filter.labels.count && !p->filter.fields.count)
		meta->remaining++;
	struct continue_token next = {snapshot_revision(p->snapshot), last->namespace, last->name};
	if (!last->kind->is_namespaced)
		next.namespace = STR("");
	meta->continue_token = continue_token_write(&r->arena, &next);
	if (!p->is_continued || p->from.revision < 0) /* the first page of this state */
		history_keep(&r->server->history, p->snapshot, p->filter.kind->stored_id,
			     world_mono_ms());
}

static void write_page(struct request *r, struct page *p, struct encoder *e, struct list_meta *meta)
{
	struct snapshot_iter it;
	struct str after = p->is_continued ? p->from.name : (struct str){};
	struct object *last = NULL;
	/* Any state will do: upstream gives what it has at hand, whole. */
	int64_t limit = str_is(r->options.resource_version, "0") ? 0 : r->options.limit;
	snapshot_iter_init(&it, p->snapshot, p->filter.kind->stored_id, p->filter.namespace,
			   p->from.namespace, after);
	for (struct object *o; (o = snapshot_next(&it));) {
		/* As upstream, whatever comes next may match or not. */
		if (limit > 0 && (int64_t)e->item_count == limit && !filter_is_one(&p->filter)) {
			end_page(r, p, &it, last, meta);
			return;
		}
		if (!filter_matches(&p->filter, o))
			continue;
		encode_list_item(e, o);
		last = o;
	}
}

/* Long replies wait in memory for their clients. */
static enum step check_memory(struct request *r)
{
	size_t queued = http_server_queued(io_thread_of(r->server, r->home)->http);
	if (queued <= REPLIES_UNREAD_MAX)
		return STEP_NEXT;
	r->reply.retry_after_s = 1;
	return request_fail(r, RC_TOO_MANY_REQUESTS,
			    "clients have not yet read %zu MiB of replies; please try again later",
			    queued >> 20);
}

static enum step read_list(struct request *r)
{
	struct page p = {};
	if (check_memory(r) == STEP_DONE)
		return STEP_DONE;
	if (list_options_check(r) == STEP_DONE || open_page(r, &p) == STEP_DONE)
		return STEP_DONE;
	if (request_check_shape(r, true) == STEP_DONE) {
		snapshot_unref(p.snapshot);
		return STEP_DONE;
	}
	CLEANUP_BUF out = BUF_INIT(LIST_MAX_BYTES);
	r->reply.pieces.max_bytes = LIST_MAX_BYTES;
	struct encoder e = encoder_for(r, &out);
	struct list_meta meta = {.revision = snapshot_revision(p.snapshot)};
	write_page(r, &p, &e, &meta);
	encode_list_end(&e, &meta);
	snapshot_unref(p.snapshot);
	if (r->reply.pieces.is_full) {
		pieces_done(&r->reply.pieces);
		return request_fail(r, RC_TOO_LARGE,
				    "the list is larger than %u bytes; ask for pages with limit",
				    LIST_MAX_BYTES);
	}
	r->reply.status = 200;
	return STEP_DONE;
}

static enum step read_watch(struct request *r)
{
	if (list_options_check(r) == STEP_DONE)
		return STEP_DONE;
	if (r->route.name.len) { /* the old form /watch/…/name */
		struct str by_name =
			arena_printf(&r->arena, "metadata.name=%.*s", STR_FMT(r->route.name));
		r->options.field_selector = by_name;
	}
	return watch_start(&io_thread_of(r->server, r->home)->watches, r);
}

enum step stage_read(struct request *r)
{
	switch (r->route.verb) {
	case DO_GET:
		return read_one(r);
	case DO_LIST:
		return read_list(r);
	case DO_WATCH:
		return read_watch(r);
	default:
		return STEP_NEXT;
	}
}
