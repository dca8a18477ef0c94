/* What a document covers, and the paths that belong to no kind. */
#include "server/openapi-int.h"

#define PARTS_MAX 256
#define NO_TYPE	  (-1)

/* Paths that answer with one document about the server; each is a part of its own. */
struct special_path {
	const char *name, *path, *tag, *operation_id;
	int32_t type;	   /* of its reply, or NO_TYPE */
	const char *media; /* of the reply; NULL: those of all objects */
	bool is_version;
};

static const struct special_path special_paths[] = {
	{".well-known/openid-configuration", "/.well-known/openid-configuration/", "WellKnown",
	 "getServiceAccountIssuerOpenIDConfiguration", NO_TYPE, "application/json", false},
	{"api", "/api/", "core", "getCoreAPIVersions", TYPE_META_V1_API_VERSIONS, NULL, false},
	{"apis", "/apis/", "apis", "getAPIVersions", TYPE_META_V1_API_GROUP_LIST, NULL, false},
	{"openid/v1/jwks", "/openid/v1/jwks/", "openid", "getServiceAccountIssuerOpenIDKeyset",
	 NO_TYPE, "application/jwk-set+json", false},
	{"version", "/version/", "version", "getCodeVersion", NO_TYPE, "application/json", true},
};

/* ---- parts ---- */

struct parts {
	struct part at[PARTS_MAX];
	size_t count;
	struct arena arena;
};

static void add_part(struct parts *parts, struct part part)
{
	ASSERT(parts->count < PARTS_MAX);
	parts->at[parts->count++] = part;
}

static bool is_first_of_group(const struct api *api, uint32_t i)
{
	return i == 0 || !str_eq(api->kinds[i - 1].group, api->kinds[i].group);
}

static void add_kind_parts(struct parts *parts, const struct api *api, uint32_t i)
{
	const struct api_kind *k = &api->kinds[i];
	const char *root = k->group.len ? "apis" : "api";
	if (k->group.len && is_first_of_group(api, i))
		add_part(parts, (struct part){.name = arena_printf(&parts->arena, "apis/%.*s",
								   STR_FMT(k->group)),
					      .group = k->group});
	if (is_first_of_group(api, i) || !str_eq(api->kinds[i - 1].version, k->version))
		add_part(parts, (struct part){.name = arena_printf(&parts->arena, "%s/%.*s", root,
								   STR_FMT(k->api_version)),
					      .group = k->group,
					      .version = k->version});
}

static int compare_parts(const void *a, const void *b)
{
	return str_cmp(((const struct part *)a)->name, ((const struct part *)b)->name);
}

static void list_parts(struct parts *parts)
{
	const struct api *api = api_builtin();
	for (size_t i = 0; i < ARRAY_LEN(special_paths); i++)
		add_part(parts, (struct part){.name = str_of(special_paths[i].name),
					      .special = &special_paths[i]});
	for (uint32_t i = 0; i < api->kind_count; i++)
		add_kind_parts(parts, api, i);
	qsort(parts->at, parts->count, sizeof(parts->at[0]), compare_parts);
}

void openapi_each_part(void (*fn)(const struct part *part, void *ctx), void *ctx)
{
	struct parts parts = {};
	list_parts(&parts);
	for (size_t i = 0; i < parts.count; i++)
		fn(&parts.at[i], ctx);
	arena_done(&parts.arena);
}

/* ---- paths ---- */

/* A GET of a document of the server. */
struct plain_get {
	const char *media; /* NULL: those of objects */
	int32_t type;	   /* or NO_TYPE */
	bool is_version;
};

static const char *const object_media[] = {"application/json", "application/yaml",
					   "application/vnd.kubernetes.protobuf"};

static void write_plain_schema(struct openapi *o, const struct plain_get *get)
{
	openapi_open(o->out, "schema", '{');
	if (get->type != NO_TYPE)
		openapi_ref_type(o, get->type);
	else if (get->is_version)
		openapi_ref_leaf(o, LEAF_VERSION_INFO);
	else
		openapi_string(o->out, "type", STR("string"));
	openapi_close(o->out, '}');
}

static void write_plain_content(struct openapi *o, const struct plain_get *get)
{
	if (o->dialect->is_v2) {
		write_plain_schema(o, get);
		return;
	}
	openapi_open(o->out, "content", '{');
	for (size_t i = 0; i < (get->media ? 1 : ARRAY_LEN(object_media)); i++) {
		openapi_open(o->out, get->media ? get->media : object_media[i], '{');
		write_plain_schema(o, get);
		openapi_close(o->out, '}');
	}
	openapi_close(o->out, '}');
}

static void write_media_v2(struct buf *out, const struct plain_get *get)
{
	static const char *const keys[] = {"consumes", "produces"};
	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		openapi_open(out, keys[k], '[');
		for (size_t i = 0; i < (get->media ? 1 : ARRAY_LEN(object_media)); i++)
			openapi_string(out, NULL,
				       str_of(get->media ? get->media : object_media[i]));
		openapi_close(out, ']');
	}
	openapi_literal(out, "schemes", "[\"https\"]");
}

/* After the operation id: what all of them have in common. */
static void write_plain_rest(struct openapi *o, const struct plain_get *get)
{
	if (o->dialect->is_v2)
		write_media_v2(o->out, get);
	openapi_open(o->out, "responses", '{');
	openapi_open(o->out, "200", '{');
	openapi_string(o->out, "description", STR("OK"));
	write_plain_content(o, get);
	openapi_close(o->out, '}');
	openapi_literal(o->out, "401", "{\"description\":\"Unauthorized\"}");
	buf_add_cstr(o->out, "}}}");
}

static void write_special(struct openapi *o, const struct special_path *s)
{
	struct plain_get get = {s->media, s->type, s->is_version};
	openapi_open(o->out, s->path, '{');
	openapi_open(o->out, "get", '{');
	buf_printf(o->out, "\"tags\":[\"%s\"],\"operationId\":\"%s\"", s->tag, s->operation_id);
	write_plain_rest(o, &get);
}

/* The path of a group lists its versions, that of a version its resources. */
static void write_group_path(struct openapi *o, const struct part *part)
{
	struct plain_get get = {.type = part->version.len ? TYPE_META_V1_API_RESOURCE_LIST
							  : TYPE_META_V1_API_GROUP};
	openapi_key(o->out, (struct str){});
	buf_printf(o->out, "\"/%.*s/\":{\"get\":{", STR_FMT(part->name));
	openapi_write_tag(o->out, part->group, part->version);
	buf_add_cstr(o->out, ",\"operationId\":\"get");
	openapi_write_group(o->out, part->group, true);
	openapi_write_title(o->out, part->version);
	buf_add_cstr(o->out, part->version.len ? "APIResources\"" : "APIGroup\"");
	write_plain_rest(o, &get);
}

void openapi_write_paths(struct openapi *o, const struct part *part)
{
	if (part->special) {
		write_special(o, part->special);
		return;
	}
	write_group_path(o, part);
	for (uint32_t i = 0; i < o->api->kind_count; i++) {
		const struct api_kind *k = &o->api->kinds[i];
		if (part->version.len && str_eq(k->group, part->group) &&
		    str_eq(k->version, part->version))
			openapi_write_kind_paths(o, k);
	}
}
