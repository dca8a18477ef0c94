/* Events of an object, and lists that descriptions need. */
#include <stdio.h>
#include <stdlib.h>

#include "base/timefmt.h"
#include "client/api_path.h"
#include "client/describe.h"
#include "client/event_text.h"
#include "io/loop.h"

enum rc describe_list(struct verb *v, const char *type, struct str namespace,
		      const char *selector_key, struct str selector, struct json **ret_items,
		      struct err *err)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	buf_add_str(&url, api_path(v->arena, resource_type_find(str_of(type)), namespace,
				   (struct str){}, NULL));
	if (selector_key)
		query_add(&url, selector_key, selector);
	return api_client_items(&v->client, v->arena, buf_str(&url), ret_items, err);
}

enum rc describe_events(struct describe *d, const struct resource *r, struct err *err)
{
	struct json *items;
	struct arena *a = d->arena;
	if (!d->shows_events)
		return RC_OK;
	struct str selector = arena_printf(
		a,
		"involvedObject.name=%.*s,involvedObject.namespace=%.*s,involvedObject.kind="
		"%.*s,involvedObject.uid=%.*s",
		STR_FMT(r->name), STR_FMT(json_path_str(r->tree, "metadata.namespace")),
		STR_FMT(r->kind->kind), STR_FMT(json_path_str(r->tree, "metadata.uid")));
	/* Events of nodes carry the node's name as uid, those of other unnamespaced objects are in
	 * "default". */
	if (str_is(r->kind->plural, "nodes"))
		selector = arena_printf(a, "involvedObject.name=%.*s,involvedObject.kind=Node",
					STR_FMT(r->name));
	TRY(describe_list(d->verb, "events", r->kind->is_namespaced ? r->namespace : (struct str){},
			  "fieldSelector", selector, &items, err));
	if (json_count(items) == 0) {
		describe_line(d, 0, "Events:\t<none>");
		return RC_OK;
	}
	events_sort(items);
	describe_line(d, 0, "Events:");
	describe_line(d, 1, "Type\tReason\tAge\tFrom\tMessage");
	describe_line(d, 1, "----\t------\t----\t----\t-------");
	for (size_t i = 0; i < json_count(items); i++) {
		const struct json *e = json_at(items, i);
		describe_line(d, 1, "%.*s\t%.*s\t%.*s\t%.*s\t%.*s",
			      STR_FMT(json_path_str(e, "type")),
			      STR_FMT(json_path_str(e, "reason")), STR_FMT(event_age(a, e)),
			      STR_FMT(event_source(a, e)),
			      STR_FMT(str_trim(json_path_str(e, "message"))));
	}
	return RC_OK;
}
