/* <pods|services|nodes>/<[scheme:]name[:port]>/proxy: which one is meant, and why it cannot be
 * reached. Source: upstream's ResourceLocation of the three registries. */
#include "api/api_ids.h"
#include "api/views.h"
#include "server/pipeline.h"
#include "server/server.h"

struct proxy_target {
	struct str scheme, name, port;
};

/* name, name:port, scheme:name:port; scheme "", "http" or "https". */
static bool target_parse(struct str text, struct proxy_target *ret_target)
{
	struct str first, second, third;
	*ret_target = (struct proxy_target){.name = text};
	if (!str_cut(text, ':', &first, &second))
		return text.len > 0;
	if (!str_cut(second, ':', &second, &third)) {
		*ret_target = (struct proxy_target){.name = first, .port = second};
		return first.len > 0;
	}
	bool is_known = first.len == 0 || str_is(first, "http") || str_is(first, "https");
	*ret_target = (struct proxy_target){first, second, third};
	return is_known && second.len > 0 && !memchr(third.at, ':', third.len);
}

/* A Service with an Endpoints object may have no address ready; without one there is no such
 * Service to proxy to. */
static enum step find_endpoints(struct request *r, const struct proxy_target *t)
{
	struct object *o =
		snapshot_get(request_snapshot(r), KIND_ENDPOINTS, r->route.namespace, t->name);
	if (!o)
		return request_not_found(r, r->route.kind, t->name);
	const struct endpoints *e = object_view(o);
	for (uint32_t i = 0; i < e->subsets.count; i++)
		if (e->subsets.at[i].addresses.count)
			return STEP_NEXT;
	return request_fail(r, RC_UNAVAILABLE, "no endpoints available for service \"%.*s\"",
			    STR_FMT(t->name));
}

static enum step find_target(struct request *r, const struct proxy_target *t)
{
	bool is_node = r->route.kind->stored_id == KIND_NODE;
	struct object *o = snapshot_get(request_snapshot(r), r->route.kind->stored_id,
					is_node ? (struct str){} : r->route.namespace, t->name);
	if (!o)
		return request_not_found(r, r->route.kind, t->name);
	if (r->route.kind->stored_id == KIND_SERVICE)
		return find_endpoints(r, t);
	if (!is_node && ((const struct pod *)object_view(o))->status.pod_ip.len == 0)
		return request_fail(r, RC_BAD_REQUEST, "address not allowed");
	return STEP_NEXT;
}

enum step proxy_connect(struct request *r)
{
	static const struct {
		uint16_t kind;
		const char *word;
	} words[] = {{KIND_POD, "pod"}, {KIND_SERVICE, "service"}, {KIND_NODE, "node"}};
	struct proxy_target target;
	const char *word = "";
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].kind == r->route.kind->stored_id)
			word = words[i].word;
	if (!target_parse(r->route.name, &target))
		return request_fail(r, RC_BAD_REQUEST, "invalid %s request \"%.*s\"", word,
				    STR_FMT(r->route.name));
	if (find_target(r, &target) == STEP_DONE)
		return STEP_DONE;
	return request_fail(r, RC_UNAVAILABLE,
			    "this release does not proxy to %.*s; use port-forward",
			    STR_FMT(r->route.resource));
}
