#include "server/documents.h"

#include <sys/utsname.h>

#include "server/pipeline.h"
#include "server/route.h"
#include "server/server.h"

static enum step serve_root(struct request *r);
static enum step serve_authorities(struct request *r);

/* First match wins. */
static const struct document documents[] = {
	{"/", false, serve_root},
	{"/.well-known/openid-configuration", false, serve_issuer},
	{"/api", false, serve_api_versions},
	{"/api/", false, serve_api_versions},
	{"/api/", true, serve_api_resources},
	{"/apis", false, serve_api_groups},
	{"/apis/", false, serve_api_groups},
	{"/apis/", true, serve_api_resources},
	{"/cacerts", false, serve_authorities},
	{"/healthz", false, serve_health},
	{"/healthz/", true, serve_health},
	{"/livez", false, serve_health},
	{"/livez/", true, serve_health},
	{"/metrics", false, serve_metrics},
	{"/openapi/v2", false, serve_openapi_v2},
	{"/openapi/v3", false, serve_openapi_v3},
	{"/openapi/v3/", true, serve_openapi_v3},
	{"/openid/v1/jwks", false, serve_jwks},
	{"/readyz", false, serve_health},
	{"/readyz/", true, serve_health},
	{"/version", false, serve_version},
	{"/version/", false, serve_version},
};

static bool is_at(const struct document *d, struct str path)
{
	return d->is_prefix ? str_has_prefix(path, str_of(d->path)) : str_is(path, d->path);
}

/* Upstream's health checks and group documents look at no method; /version answers GET alone. */
static bool answers_method(struct request *r, const struct document *d)
{
	struct str group, version, rest = str_skip(r->path, strlen("/apis/"));
	bool is_group = str_has_prefix(r->path, STR("/apis/")) &&
			!(str_cut(rest, '/', &group, &version) && version.len);
	if (str_is(r->method, "GET") || d->serve == serve_health || is_group)
		return true;
	return str_is(r->method, "HEAD") && d->serve != serve_version;
}

enum step stage_documents(struct request *r)
{
	if (r->route.is_resource)
		return STEP_NEXT;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++)
		if (is_at(&documents[i], r->path))
			return answers_method(r, &documents[i]) ? documents[i].serve(r)
								: request_not_allowed(r);
	return request_text(r, 404, STR("404 page not found\n"));
}

static enum step serve_root(struct request *r)
{
	struct arena *a = &r->arena;
	struct json *t = json_object(a), *paths = json_array(a);
	const struct api *api = api_builtin();
	json_append(a, paths, json_cstring(a, "/.well-known/openid-configuration"));
	json_append(a, paths, json_cstring(a, "/api"));
	json_append(a, paths, json_cstring(a, "/api/v1"));
	json_append(a, paths, json_cstring(a, "/apis"));
	for (uint32_t i = 0; i < api->kind_count; i++)
		if (api->kinds[i].group.len &&
		    (i == 0 || !str_eq(api->kinds[i].api_version, api->kinds[i - 1].api_version)))
			json_append(
				a, paths,
				json_printf(a, "/apis/%.*s", STR_FMT(api->kinds[i].api_version)));
	static const char *const rest[] = {"/healthz",	  "/livez",	 "/metrics",
					   "/openapi/v2", "/openapi/v3", "/openid/v1/jwks",
					   "/readyz",	  "/version"};
	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		json_append(a, paths, json_cstring(a, rest[i]));
	json_set(a, t, STR("paths"), paths);
	r->reply.tree = t;
	r->reply.status = 200;
	return STEP_DONE;
}

static const char *go_arch(const char *machine)
{
	return strcmp(machine, "x86_64") == 0	 ? "amd64"
	       : strcmp(machine, "aarch64") == 0 ? "arm64"
						 : machine;
}

enum step serve_version(struct request *r)
{
	struct arena *a = &r->arena;
	struct utsname host;
	uname(&host);
	const struct {
		const char *key;
		struct str value;
	} rows[] = {
		{"major", STR("1")},
		{"minor", STR("35")},
		{"emulationMajor", STR("1")},
		{"emulationMinor", STR("35")},
		{"minCompatibilityMajor", STR("1")},
		{"minCompatibilityMinor", STR("34")},
		{"gitVersion", STR(KUBERNETES_VERSION)},
		{"gitCommit", STR("skeg")},
		{"gitTreeState", STR("clean")},
		{"buildDate", STR("1970-01-01T00:00:00Z")},
		{"goVersion", STR("none")},
		{"compiler", STR("cc " __VERSION__)},
		{"platform", arena_printf(a, "linux/%s", go_arch(host.machine))},
	};
	struct json *t = json_object(a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		json_set_str(a, t, str_of(rows[i].key), rows[i].value);
	r->reply.tree = t;
	r->reply.status = 200;
	return STEP_DONE;
}

/* ---- health ---- */

static bool is_alive(const struct server *s)
{
	return true;
}

static bool is_ready(const struct server *s)
{
	return s->is_ready;
}

static const struct {
	const char *name;
	bool only_ready;
	bool (*is_ok)(const struct server *s);
} checks[] = {
	{"ping", false, is_alive},	   {"log", false, is_alive},
	{"etcd", false, is_alive}, /* the store: upstream's name, which probes and tools know */
	{"informer-sync", true, is_ready}, {"poststarthook/rbac/bootstrap-roles", false, is_ready},
	{"shutdown", true, is_alive},
};

static bool is_excluded(struct request *r, const char *name)
{
	size_t pos = 0;
	for (struct str value; (value = query_next(&r->arena, r->query, "exclude", &pos)).at;)
		if (str_is(value, name))
			return true;
	return false;
}

static enum step serve_one_check(struct request *r, struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		if (str_is(name, checks[i].name))
			return checks[i].is_ok(r->server)
				       ? request_text(r, 200, STR("ok"))
				       : request_text(r, 500,
						      STR("internal server error: check failed\n"));
	return request_text(r, 404, STR("404 page not found\n"));
}

enum step serve_health(struct request *r)
{
	struct str endpoint, name;
	CLEANUP_BUF text = BUF_INIT(16u << 10);
	bool is_ok = true;
	if (str_cut(str_skip(r->path, 1), '/', &endpoint, &name) && name.len)
		return serve_one_check(r, name);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		if (checks[i].only_ready && str_is(endpoint, "livez"))
			continue;
		bool is_left_out = is_excluded(r, checks[i].name);
		bool is_good = is_left_out || checks[i].is_ok(r->server);
		is_ok = is_ok && is_good;
		buf_printf(&text, "[%c]%s %s\n", is_good ? '+' : '-', checks[i].name,
			   is_left_out ? "excluded: ok"
			   : is_good   ? "ok"
				       : "failed: reason withheld");
	}
	buf_printf(&text, "%.*s check %s\n", STR_FMT(endpoint), is_ok ? "passed" : "failed");
	if (!is_ok)
		return request_text(r, 500, arena_str(&r->arena, buf_str(&text)));
	bool is_verbose = query_get(&r->arena, r->query, "verbose").at != NULL;
	return request_text(r, 200, is_verbose ? arena_str(&r->arena, buf_str(&text)) : STR("ok"));
}

/* ---- issuer ---- */

static const struct str issuer_cache = STR_INIT("public, max-age=3600");

static struct str keys_address(struct request *r)
{
	struct str told = token_jwks_uri(r->server->tokens);
	return told.len ? told
			: arena_printf(&r->arena, "https://%s:%u/openid/v1/jwks",
				       r->server->config.advertise, server_port(r->server));
}

/* Who has chosen an issuer without https gives out no documents of it. */
static bool is_discoverable(const struct request *r)
{
	return str_has_prefix(token_issuer(r->server->tokens), STR("https://"));
}

enum step serve_issuer(struct request *r)
{
	if (!is_discoverable(r))
		return request_text(r, 404, STR("404 page not found\n"));
	struct arena *a = &r->arena;
	struct json *t = json_object(a), *types = json_array(a), *subjects = json_array(a),
		    *algorithms = json_array(a);
	struct str issuer = token_issuer(r->server->tokens);
	json_append(a, types, json_cstring(a, "id_token"));
	json_append(a, subjects, json_cstring(a, "public"));
	json_append(a, algorithms, json_cstring(a, "ES256"));
	json_set_str(a, t, STR("issuer"), issuer);
	json_set_str(a, t, STR("jwks_uri"), keys_address(r));
	json_set(a, t, STR("response_types_supported"), types);
	json_set(a, t, STR("subject_types_supported"), subjects);
	json_set(a, t, STR("id_token_signing_alg_values_supported"), algorithms);
	r->reply.tree = t;
	r->reply.status = 200;
	r->reply.cache_control = issuer_cache;
	return STEP_DONE;
}

enum step serve_jwks(struct request *r)
{
	struct arena *a = &r->arena;
	const struct pki_jwk *k = &r->server->keys->jwk;
	if (!is_discoverable(r))
		return request_text(r, 404, STR("404 page not found\n"));
	if (r->accept.len && !memmem(r->accept.at, r->accept.len, "jwk-set+json", 12) &&
	    !memmem(r->accept.at, r->accept.len, "*/*", 3))
		return request_fail(
			r, RC_NOT_ACCEPTABLE,
			"only the following media types are accepted: application/jwk-set+json");
	const struct {
		const char *key;
		struct str value;
	} rows[] = {
		{"use", STR("sig")},   {"kty", STR("EC")},    {"kid", k->key_id},
		{"crv", STR("P-256")}, {"alg", STR("ES256")}, {"x", k->x},
		{"y", k->y},
	};
	struct json *t = json_object(a), *keys = json_array(a), *key = json_object(a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		json_set_str(a, key, str_of(rows[i].key), rows[i].value);
	json_append(a, keys, key);
	json_set(a, t, STR("keys"), keys);
	r->reply.tree = t;
	r->reply.status = 200;
	r->reply.cache_control = issuer_cache;
	r->reply.content_type = STR("application/jwk-set+json");
	return STEP_DONE;
}

/* Who signs serving certificates (a joining node checks it against the hash in its token), then who
 * signs client certificates. */
static enum step serve_authorities(struct request *r)
{
	const struct cluster_keys *k = r->server->keys;
	return request_text(r, 200,
			    arena_printf(&r->arena, "%.*s%.*s", STR_FMT(k->server_ca.cert_pem),
					 STR_FMT(k->client_ca.cert_pem)));
}
