#include "server/negotiate.h"

#include "server/pipeline.h"
#include "server/route.h"

struct str media_base(struct str media_type)
{
	struct str base, rest;
	str_cut(media_type, ';', &base, &rest);
	return str_trim(base);
}

struct str media_parameter(struct str media_type, const char *name)
{
	struct str part, rest, key, value;
	str_cut(media_type, ';', &part, &rest);
	while (rest.at) {
		str_cut(rest, ';', &part, &rest);
		if (str_cut(part, '=', &key, &value) && str_is(str_trim(key), name))
			return str_trim(value);
	}
	return (struct str){};
}

static const struct {
	const char *name;
	enum media media;
} known_media[] = {
	{"application/json", MEDIA_JSON},
	{"*/*", MEDIA_JSON},
	{"application/*", MEDIA_JSON},
	{"application/yaml", MEDIA_YAML},
	{"application/vnd.kubernetes.protobuf", MEDIA_PROTOBUF},
};

/* Upstream's first layer refuses a header with nothing but the wildcard of "application". */
static bool is_known_media(struct str base)
{
	for (size_t i = 0; i < ARRAY_LEN(known_media); i++)
		if (str_is(base, known_media[i].name))
			return !str_is(base, "application/*");
	return false;
}

static bool pick_media(struct str base, const struct offers *offers, struct output *out)
{
	for (size_t i = 0; i < ARRAY_LEN(known_media); i++) {
		if (!str_is(base, known_media[i].name))
			continue;
		out->media = known_media[i].media;
		return (out->media != MEDIA_PROTOBUF || offers->has_protobuf) &&
		       (out->media != MEDIA_YAML || !offers->is_stream);
	}
	return false;
}

static bool pick_shape(struct str clause, const struct offers *offers, struct output *out)
{
	struct str as = media_parameter(clause, "as");
	out->shape = offers->is_discovery ? AS_DISCOVERY : AS_OBJECT;
	if (as.len == 0)
		return !offers->is_discovery && media_parameter(clause, "g").len == 0 &&
		       media_parameter(clause, "v").len == 0;
	struct str group = media_parameter(clause, "g"), version = media_parameter(clause, "v");
	if (offers->is_discovery)
		return str_is(as, "APIGroupDiscoveryList") && str_is(version, "v2") &&
		       str_is(group, "apidiscovery.k8s.io");
	if (!str_is(group, "meta.k8s.io") ||
	    (!str_is(version, "v1") && !str_is(version, "v1beta1")))
		return false;
	out->meta_version = version;
	if (str_is(as, "Table")) {
		out->shape = AS_TABLE;
		return offers->has_table && out->media != MEDIA_PROTOBUF;
	}
	out->shape = str_is(as, "PartialObjectMetadata") ? AS_PARTIAL : AS_PARTIAL_LIST;
	return offers->has_partial &&
	       (out->shape == AS_PARTIAL || str_is(as, "PartialObjectMetadataList"));
}

static void name_content_type(const struct offers *offers, struct output *out)
{
	static const char *const names[] = {"application/json", "application/yaml",
					    "application/vnd.kubernetes.protobuf"};
	bool is_protobuf_stream = offers->is_stream && out->media == MEDIA_PROTOBUF;
	out->content_type = is_protobuf_stream
				    ? STR("application/vnd.kubernetes.protobuf;stream=watch")
				    : str_of(names[out->media]);
}

/* ---- the order of clauses ---- */

#define CLAUSES_MAX 32

struct clause {
	struct str text, base;
	double quality;
};

static double quality_of(struct arena *a, struct str text)
{
	struct str value = media_parameter(text, "q");
	return value.len ? strtod(arena_cstr(a, value), NULL) : 1;
}

static bool comes_before(const struct clause *x, const struct clause *y)
{
	if (x->quality != y->quality)
		return x->quality > y->quality;
	if (str_has_prefix(x->base, STR("*/")) != str_has_prefix(y->base, STR("*/")))
		return str_has_prefix(y->base, STR("*/"));
	return !str_has_suffix(x->base, STR("/*")) && str_has_suffix(y->base, STR("/*"));
}

/* What the client likes best comes first; of equals the one that was named first. */
static size_t sort_clauses(struct arena *a, struct str accept, struct clause clauses[CLAUSES_MAX])
{
	size_t count = 0;
	struct str rest = accept.len ? accept : STR("*/*");
	while (rest.at && count < CLAUSES_MAX) {
		struct clause c = {};
		str_cut(rest, ',', &c.text, &rest);
		c.base = media_base(c.text);
		c.quality = quality_of(a, c.text);
		size_t at = count++;
		for (; at > 0 && comes_before(&c, &clauses[at - 1]); at--)
			clauses[at] = clauses[at - 1];
		clauses[at] = c;
	}
	return count;
}

bool negotiate(struct arena *a, struct str accept, const struct offers *offers,
	       struct output *ret_output)
{
	struct clause clauses[CLAUSES_MAX];
	size_t count = sort_clauses(a, accept, clauses);
	for (size_t i = 0; i < count; i++) {
		struct output out = {};
		if (!pick_media(clauses[i].base, offers, &out) ||
		    !pick_shape(clauses[i].text, offers, &out))
			continue;
		out.is_pretty = str_is(media_parameter(clauses[i].text, "pretty"), "1");
		name_content_type(offers, &out);
		*ret_output = out;
		return true;
	}
	return false;
}

void negotiate_error(struct request *r)
{
	static const struct offers documents = {.has_protobuf = true};
	if (!negotiate(&r->arena, r->accept, &documents, &r->output))
		r->output =
			(struct output){.content_type = STR("application/json"), .is_pretty = true};
}

bool request_has_etag(struct request *r, struct str etag)
{
	struct str one, list = http_header(r->exchange, "if-none-match");
	while (list.at) {
		str_cut(list, ',', &one, &list);
		one = str_trim(one);
		if (str_has_prefix(one, STR("W/")))
			one = str_skip(one, 2);
		if (str_eq(one, etag) || str_is(one, "*"))
			return true;
	}
	return false;
}

/* ---- forms that an object or a list cannot have ---- */

/* As upstream names its internal types: "*core.ConfigMapList". */
static struct str go_type_name(struct arena *a, const struct api_kind *kind, bool is_list)
{
	struct str package, rest;
	str_cut(kind->group, '.', &package, &rest);
	bool is_core = package.len == 0 || str_is(package, "events");
	return arena_printf(a, "*%.*s.%.*s", STR_FMT(is_core ? STR("core") : package),
			    STR_FMT(is_list ? kind->list_kind : kind->kind));
}

enum step request_check_shape(struct request *r, bool is_list)
{
	static const char *const includes[] = {"Metadata", "Object", "None"};
	const struct api_kind *kind = r->route.kind;
	if (r->output.shape == AS_PARTIAL && is_list)
		return request_fail(
			r, RC_NOT_ACCEPTABLE,
			"you requested PartialObjectMetadata, but the requested object is a list (%.*s)",
			STR_FMT(go_type_name(&r->arena, kind, true)));
	if (r->output.shape == AS_PARTIAL_LIST && !is_list)
		return request_fail(
			r, RC_NOT_ACCEPTABLE,
			"you requested PartialObjectMetadataList, but the requested object is not a "
			"list (%.*s)",
			STR_FMT(go_type_name(&r->arena, kind, false)));
	struct str include = r->options.include_object;
	bool is_known = include.len == 0 || r->output.shape != AS_TABLE;
	for (size_t i = 0; i < ARRAY_LEN(includes); i++)
		is_known = is_known || str_is(include, includes[i]);
	if (is_known)
		return STEP_NEXT;
	return request_fail(
		r, RC_BAD_REQUEST,
		"Unable to convert to Table as requested: includeObject: Invalid value: "
		"\"%.*s\": must be 'Metadata', 'Object', 'None', or empty",
		STR_FMT(include));
}

/* Two layers answer upstream: one that knows no media type of the header at all, one that knows it
 * but not the form asked for. */
static bool has_known_media(struct str accept)
{
	struct str clause;
	while (accept.len) {
		str_cut(accept, ',', &clause, &accept);
		if (is_known_media(media_base(clause)))
			return true;
	}
	return false;
}

static enum step not_acceptable(struct request *r, const struct offers *offers)
{
	static const char plain[] =
		"application/json, application/yaml, application/vnd.kubernetes.protobuf";
	static const char streams[] =
		"application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
	bool is_list = r->route.verb == DO_LIST || r->route.verb == DO_WATCH;
	negotiate_error(r);
	if (has_known_media(r->accept))
		return request_fail(r, RC_NOT_ACCEPTABLE,
				    "only the following media types are accepted: %s",
				    offers->is_stream ? streams : plain);
	request_fail(r, RC_NOT_ACCEPTABLE,
		     "406: Not Acceptable\n\nAvailable representations: %s%s%s", plain,
		     is_list ? ", " : "", is_list ? streams : "");
	json_set(&r->arena, r->reply.tree, STR("details"), json_object(&r->arena));
	return STEP_DONE;
}

/* ---- methods ---- */

static uint32_t verb_bit(enum verb verb)
{
	static const uint32_t bits[] = {
		[DO_GET] = VERB_GET,	   [DO_LIST] = VERB_LIST,
		[DO_WATCH] = VERB_WATCH,   [DO_CREATE] = VERB_CREATE,
		[DO_UPDATE] = VERB_UPDATE, [DO_PATCH] = VERB_PATCH,
		[DO_DELETE] = VERB_DELETE, [DO_DELETE_COLLECTION] = VERB_DELETE_COLLECTION,
		[DO_CONNECT] = ~0u,
	};
	return bits[verb];
}

static bool is_allowed(const struct route *route)
{
	uint32_t verbs = route->sub ? route->sub->verbs : route->kind->verbs;
	bool has_name = route->name.at != NULL;
	bool needs_name = route->verb == DO_UPDATE || route->verb == DO_PATCH;
	bool is_misplaced = route->verb == DO_CREATE &&
			    (has_name != (route->sub != NULL) ||
			     (route->kind->is_namespaced && !route->namespace.at));
	return (verbs & verb_bit(route->verb)) && (has_name || !needs_name) && !is_misplaced;
}

enum step request_not_allowed(struct request *r)
{
	request_fail(r, RC_METHOD_NOT_ALLOWED,
		     "the server does not allow this method on the requested resource");
	json_set(&r->arena, r->reply.tree, STR("details"), json_object(&r->arena));
	return STEP_DONE;
}

/* Kinds that upstream warns of at every use. */
static void warn_of_old_kinds(struct request *r)
{
	static const struct {
		const char *plural, *warning;
	} rows[] = {
		{"endpoints",
		 "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"},
		{"componentstatuses", "v1 ComponentStatus is deprecated in v1.19+"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows) && r->route.group.len == 0; i++)
		if (str_is(r->route.resource, rows[i].plural))
			request_warn(r, "%s", rows[i].warning);
}

static bool is_served_group(struct str group)
{
	const struct api *api = api_builtin();
	for (uint32_t i = 0; i < api->kind_count; i++)
		if (str_eq(api->kinds[i].group, group))
			return true;
	return false;
}

/* Runs once it is known that the path is a resource. */
/* Only proxies answer HEAD. */
static bool is_known_method(const struct request *r)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
	bool is_connect = r->route.verb == DO_CONNECT;
	bool is_proxy = is_connect && str_is(r->route.subresource, "proxy");
	size_t count = is_connect && !is_proxy ? 2 : ARRAY_LEN(methods);
	if (is_connect && str_is(r->route.subresource, "log"))
		count = 1;
	for (size_t i = 0; i < count; i++)
		if (str_is(r->method, methods[i]))
			return true;
	return is_proxy && (str_is(r->method, "HEAD") || str_is(r->method, "OPTIONS"));
}

/* Nobody empties all namespaces at once. */
static bool is_unscoped_collection(const struct route *route)
{
	return route->verb == DO_DELETE_COLLECTION && route->kind->is_namespaced &&
	       !route->namespace.len;
}

enum step stage_negotiate(struct request *r)
{
	if (!is_served_group(r->route.group))
		return request_text(r, 404, STR("404 page not found\n"));
	if (!r->route.kind)
		return request_no_such_path(r);
	if (!is_allowed(&r->route) || !is_known_method(r) || is_unscoped_collection(&r->route))
		return request_not_allowed(r);
	warn_of_old_kinds(r);
	if (r->route.verb == DO_CONNECT)
		return STEP_NEXT;
	struct offers offers = {
		.has_table = r->route.kind->stored_id != 0,
		.has_partial = r->route.kind->stored_id != 0,
		.has_protobuf = true,
		.is_stream = r->route.verb == DO_WATCH,
	};
	bool is_refused = r->accept.len && !has_known_media(r->accept);
	return !is_refused && negotiate(&r->arena, r->accept, &offers, &r->output)
		       ? STEP_NEXT
		       : not_acceptable(r, &offers);
}
