/* Discovery, legacy and aggregated, from the kind tables.
 * Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api */
#include <pthread.h>

#include "base/encode.h"
#include "http/pki.h"
#include "server/documents.h"
#include "server/negotiate.h"
#include "server/openapi.h"
#include "server/pipeline.h"

static struct json *words(struct arena *a, struct str list)
{
	struct json *out = json_array(a);
	while (list.len) {
		struct str word;
		str_cut(list, ',', &word, &list);
		json_append(a, out, json_string(a, word));
	}
	return out;
}

static struct json *verbs(struct arena *a, uint32_t bits)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} rows[] = {
		{VERB_CREATE, "create"},
		{VERB_DELETE, "delete"},
		{VERB_DELETE_COLLECTION, "deletecollection"},
		{VERB_GET, "get"},
		{VERB_LIST, "list"},
		{VERB_PATCH, "patch"},
		{VERB_UPDATE, "update"},
		{VERB_WATCH, "watch"},
	};
	struct json *out = json_array(a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (bits & rows[i].bit)
			json_append(a, out, json_cstring(a, rows[i].name));
	return out;
}

static struct json *document(struct arena *a, const char *kind, const char *api_version)
{
	struct json *t = json_object(a);
	json_set_str(a, t, STR("kind"), str_of(kind));
	if (api_version)
		json_set_str(a, t, STR("apiVersion"), str_of(api_version));
	return t;
}

static bool is_first_of_group(const struct api *api, uint32_t i)
{
	return i == 0 || !str_eq(api->kinds[i - 1].group, api->kinds[i].group);
}

static bool is_first_of_version(const struct api *api, uint32_t i)
{
	return is_first_of_group(api, i) ||
	       !str_eq(api->kinds[i - 1].version, api->kinds[i].version);
}

/* ---- legacy ---- */

static struct json *version_entry(struct arena *a, const struct api_kind *k)
{
	struct json *v = json_object(a);
	json_set_str(a, v, STR("groupVersion"), k->api_version);
	json_set_str(a, v, STR("version"), k->version);
	return v;
}

static struct json *group_entry(struct arena *a, uint32_t first, struct json *into)
{
	const struct api *api = api_builtin();
	struct json *versions = json_array(a);
	json_set_str(a, into, STR("name"), api->kinds[first].group);
	for (uint32_t i = first;
	     i < api->kind_count && str_eq(api->kinds[i].group, api->kinds[first].group); i++)
		if (is_first_of_version(api, i))
			json_append(a, versions, version_entry(a, &api->kinds[i]));
	json_set(a, into, STR("versions"), versions);
	json_set(a, into, STR("preferredVersion"), version_entry(a, &api->kinds[first]));
	return into;
}

#define STORAGE_HASH_BYTES 8

/* Of the group, version and kind in which objects are stored. */
static struct str storage_hash(struct arena *a, const struct api_kind *k)
{
	unsigned char digest[32];
	const struct api_kind *stored = api_by_stored(api_builtin(), k->stored_id);
	pki_sha256(arena_printf(a, "%.*s/%.*s/%.*s", STR_FMT(stored->group),
				STR_FMT(stored->version), STR_FMT(stored->kind)),
		   digest);
	CLEANUP_BUF out = BUF_INIT(64);
	base64_add(&out, str_n((const char *)digest, STORAGE_HASH_BYTES));
	return arena_str(a, buf_str(&out));
}

static struct json *resource_entry(struct arena *a, const struct api_kind *k)
{
	struct json *e = json_object(a);
	json_set_str(a, e, STR("name"), k->plural);
	json_set_str(a, e, STR("singularName"), k->singular);
	json_set(a, e, STR("namespaced"), json_bool(a, k->is_namespaced));
	json_set_str(a, e, STR("kind"), k->kind);
	json_set(a, e, STR("verbs"), verbs(a, k->verbs));
	if (k->short_names.len)
		json_set(a, e, STR("shortNames"), words(a, k->short_names));
	if (k->categories.len)
		json_set(a, e, STR("categories"), words(a, k->categories));
	if (k->stored_id)
		json_set_str(a, e, STR("storageVersionHash"), storage_hash(a, k));
	return e;
}

static bool is_foreign(const struct api_kind *k, const struct api_subresource *s)
{
	return s->version.len && !(str_eq(s->group, k->group) && str_eq(s->version, k->version));
}

static struct json *subresource_entry(struct arena *a, const struct api_kind *k,
				      const struct api_subresource *s)
{
	struct json *e = json_object(a);
	json_set(a, e, STR("name"),
		 json_printf(a, "%.*s/%.*s", STR_FMT(k->plural), STR_FMT(s->name)));
	json_set_str(a, e, STR("singularName"), STR(""));
	json_set(a, e, STR("namespaced"), json_bool(a, k->is_namespaced));
	if (is_foreign(k, s)) {
		json_set_str(a, e, STR("group"), s->group);
		json_set_str(a, e, STR("version"), s->version);
	}
	json_set_str(a, e, STR("kind"), s->kind.len ? s->kind : k->kind);
	json_set(a, e, STR("verbs"), verbs(a, s->verbs));
	return e;
}

static enum step reply_document(struct request *r, struct json *tree)
{
	static const struct offers offers = {.has_protobuf = true};
	if (!negotiate(&r->arena, r->accept, &offers, &r->output)) {
		negotiate_error(r);
		return request_fail(
			r, RC_NOT_ACCEPTABLE,
			"only the following media types are accepted: application/json, "
			"application/yaml, application/vnd.kubernetes.protobuf");
	}
	r->reply.tree = tree;
	r->reply.status = 200;
	return STEP_DONE;
}

static enum step serve_group_version(struct request *r, struct str group, struct str version)
{
	struct arena *a = &r->arena;
	const struct api *api = api_builtin();
	struct json *t = document(a, "APIResourceList", group.len ? "v1" : NULL),
		    *list = json_array(a);
	for (uint32_t i = 0; i < api->kind_count; i++) {
		const struct api_kind *k = &api->kinds[i];
		if (!str_eq(k->group, group) || !str_eq(k->version, version))
			continue;
		json_set_str(a, t, STR("groupVersion"), k->api_version);
		json_append(a, list, resource_entry(a, k));
		for (uint32_t s = 0; s < k->subresource_count; s++)
			json_append(a, list, subresource_entry(a, k, &k->subresources[s]));
	}
	if (!json_count(list))
		return request_no_such_path(r);
	json_set(a, t, STR("resources"), list);
	return reply_document(r, t);
}

static enum step serve_group(struct request *r, struct str group)
{
	const struct api *api = api_builtin();
	for (uint32_t i = 0; i < api->kind_count; i++)
		if (group.len && str_eq(api->kinds[i].group, group))
			return reply_document(
				r,
				group_entry(&r->arena, i, document(&r->arena, "APIGroup", "v1")));
	return request_text(r, 404, STR("404 page not found\n"));
}

static bool is_group(struct str group)
{
	const struct api *api = api_builtin();
	for (uint32_t i = 0; i < api->kind_count; i++)
		if (str_eq(api->kinds[i].group, group))
			return true;
	return false;
}

/* /api/<version>, /apis/<group>, /apis/<group>/<version> */
enum step serve_api_resources(struct request *r)
{
	struct str root, group, version, rest = str_skip(r->path, 1);
	str_cut(rest, '/', &root, &rest);
	if (rest.len && rest.at[rest.len - 1] == '/')
		rest.len--;
	if (str_is(root, "api"))
		return serve_group_version(r, STR(""), rest);
	str_cut(rest, '/', &group, &version);
	if (!version.len)
		return serve_group(r, group);
	return is_group(group) ? serve_group_version(r, group, version)
			       : request_text(r, 404, STR("404 page not found\n"));
}

/* ---- aggregated ---- */

static struct json *response_kind(struct arena *a, struct str group, struct str version,
				  struct str kind)
{
	struct json *k = json_object(a);
	json_set_str(a, k, STR("group"), group.at ? group : STR(""));
	json_set_str(a, k, STR("version"), version.at ? version : STR(""));
	json_set_str(a, k, STR("kind"), kind);
	return k;
}

static struct json *aggregated_subresources(struct arena *a, const struct api_kind *k)
{
	struct json *list = json_array(a);
	for (uint32_t i = 0; i < k->subresource_count; i++) {
		const struct api_subresource *s = &k->subresources[i];
		struct json *e = json_object(a);
		bool is_other = is_foreign(k, s);
		json_set_str(a, e, STR("subresource"), s->name);
		json_set(a, e, STR("responseKind"),
			 response_kind(a, is_other ? s->group : STR(""),
				       is_other ? s->version : STR(""),
				       s->kind.len ? s->kind : k->kind));
		json_set(a, e, STR("verbs"), verbs(a, s->verbs));
		json_append(a, list, e);
	}
	return list;
}

static struct json *aggregated_resource(struct arena *a, const struct api_kind *k)
{
	struct json *e = json_object(a);
	json_set_str(a, e, STR("resource"), k->plural);
	json_set(a, e, STR("responseKind"), response_kind(a, STR(""), STR(""), k->kind));
	json_set_str(a, e, STR("scope"), k->is_namespaced ? STR("Namespaced") : STR("Cluster"));
	json_set_str(a, e, STR("singularResource"), k->singular);
	json_set(a, e, STR("verbs"), verbs(a, k->verbs));
	if (k->short_names.len)
		json_set(a, e, STR("shortNames"), words(a, k->short_names));
	if (k->categories.len)
		json_set(a, e, STR("categories"), words(a, k->categories));
	if (k->subresource_count)
		json_set(a, e, STR("subresources"), aggregated_subresources(a, k));
	return e;
}

static struct json *aggregated_version(struct arena *a, uint32_t first)
{
	const struct api *api = api_builtin();
	struct json *v = json_object(a), *list = json_array(a);
	json_set_str(a, v, STR("version"), api->kinds[first].version);
	for (uint32_t i = first; i < api->kind_count &&
				 str_eq(api->kinds[i].api_version, api->kinds[first].api_version);
	     i++)
		json_append(a, list, aggregated_resource(a, &api->kinds[i]));
	json_set(a, v, STR("resources"), list);
	json_set_str(a, v, STR("freshness"), STR("Current"));
	return v;
}

static struct json *aggregated_group(struct arena *a, uint32_t first)
{
	const struct api *api = api_builtin();
	struct json *g = json_object(a), *meta = json_object(a), *list = json_array(a);
	if (api->kinds[first].group.len)
		json_set_str(a, meta, STR("name"), api->kinds[first].group);
	json_set(a, g, STR("metadata"), meta);
	for (uint32_t i = first;
	     i < api->kind_count && str_eq(api->kinds[i].group, api->kinds[first].group); i++)
		if (is_first_of_version(api, i))
			json_append(a, list, aggregated_version(a, i));
	json_set(a, g, STR("versions"), list);
	return g;
}

/* Wherever it stands among what is accepted. */
static bool wants_aggregated(struct request *r)
{
	static const struct offers offers = {.has_protobuf = true, .is_discovery = true};
	return r->accept.len && negotiate(&r->arena, r->accept, &offers, &r->output);
}

static struct json *aggregated_list(struct arena *a, bool is_core)
{
	const struct api *api = api_builtin();
	struct json *t = document(a, "APIGroupDiscoveryList", "apidiscovery.k8s.io/v2"),
		    *list = json_array(a);
	json_set(a, t, STR("metadata"), json_object(a));
	for (uint32_t i = 0; i < api->kind_count; i++)
		if (is_first_of_group(api, i) && (api->kinds[i].group.len == 0) == is_core)
			json_append(a, list, aggregated_group(a, i));
	json_set(a, t, STR("items"), list);
	return t;
}

/* Of the documents in JSON, in whatever form they are sent; by is_core.  Made once: the kind tables
 * do not change. */
static char etags[2][OPENAPI_HASH_CHARS + 3];
static pthread_once_t etags_once = PTHREAD_ONCE_INIT;

static void make_etags(void)
{
	for (size_t i = 0; i < ARRAY_LEN(etags); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF text = BUF_INIT(JSON_MAX_BYTES);
		char hash[OPENAPI_HASH_CHARS + 1];
		json_write(&text, aggregated_list(&a, i));
		openapi_hash(buf_str(&text), hash);
		snprintf(etags[i], sizeof(etags[i]), "\"%s\"", hash);
	}
}

static enum step serve_aggregated(struct request *r, bool is_core)
{
	struct arena *a = &r->arena;
	pthread_once(&etags_once, make_etags);
	r->reply.etag = str_of(etags[is_core]);
	if (request_has_etag(r, r->reply.etag)) {
		r->reply.status = 304;
		return STEP_DONE;
	}
	r->reply.tree = aggregated_list(a, is_core);
	r->reply.content_type =
		arena_printf(a, "%.*s;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
			     STR_FMT(r->output.content_type));
	r->reply.status = 200;
	return STEP_DONE;
}

enum step serve_api_versions(struct request *r)
{
	if (wants_aggregated(r))
		return serve_aggregated(r, true);
	struct json *t = document(&r->arena, "APIVersions", NULL), *list = json_array(&r->arena);
	json_append(&r->arena, list, json_cstring(&r->arena, "v1"));
	json_set(&r->arena, t, STR("versions"), list);
	json_set(&r->arena, t, STR("serverAddressByClientCIDRs"), json_array(&r->arena));
	return reply_document(r, t);
}

enum step serve_api_groups(struct request *r)
{
	struct arena *a = &r->arena;
	const struct api *api = api_builtin();
	if (wants_aggregated(r))
		return serve_aggregated(r, false);
	struct json *t = document(a, "APIGroupList", "v1"), *list = json_array(a);
	for (uint32_t i = 0; i < api->kind_count; i++)
		if (is_first_of_group(api, i) && api->kinds[i].group.len)
			json_append(a, list, group_entry(a, i, json_object(a)));
	json_set(a, t, STR("groups"), list);
	return reply_document(r, t);
}
