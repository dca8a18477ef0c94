#include "node/registry_config.h"

#include <regex.h>
#include <stdio.h>

#include "base/encode.h"
#include "codec/yaml.h"
#include "io/file.h"

#define CONFIG_BYTES_MAX (1u << 20)
#define GROUPS_MAX	 10
#define ENDPOINTS_LIMIT	 (REGISTRY_ENDPOINTS_MAX - 1)

struct registry_config {
	const struct json *mirrors, *configs; /* checked */
};

/* --- checks at parse time, so that use cannot fail --- */

static enum rc member_check(const struct json_member *m, enum json_type type, const char *where,
			    const char *kind, struct err *err)
{
	if (m->value->type == type)
		return RC_OK;
	return err_set(err, RC_INVALID, "registries: %s.%.*s must be %s", where, STR_FMT(m->key),
		       kind);
}

static enum rc endpoint_check(struct str registry, struct str url, struct err *err)
{
	bool has_scheme = str_has_prefix(url, STR("https://")) ||
			  str_has_prefix(url, STR("http://"));
	struct str scheme, rest;
	for (size_t i = 0; i < url.len; i++) {
		if ((unsigned char)url.at[i] <= ' ' || url.at[i] == '@')
			has_scheme = false, url.len = i;
	}
	if (url.len > 0 && (has_scheme || !str_cut(url, '/', &scheme, &rest) || scheme.len == 0 ||
			    scheme.at[scheme.len - 1] != ':'))
		return RC_OK;
	return err_set(err, RC_INVALID,
		       "registries: mirrors.%.*s.endpoint '%.*s' must be an address as "
		       "https://host:port",
		       STR_FMT(registry), STR_FMT(url));
}

static enum rc rewrite_check(struct str registry, const struct json_member *m, struct err *err)
{
	char pattern[REGISTRY_REWRITE_MAX];
	regex_t regex;
	TRY(member_check(m, JSON_STRING, "mirrors.rewrite", "a text", err));
	if (m->key.len >= sizeof(pattern) || m->value->string.len >= sizeof(pattern))
		return err_set(err, RC_INVALID,
			       "registries: mirrors.%.*s.rewrite is longer than %zu bytes",
			       STR_FMT(registry), sizeof(pattern) - 1);
	snprintf(pattern, sizeof(pattern), "%.*s", STR_FMT(m->key));
	if (regcomp(&regex, pattern, REG_EXTENDED) != 0)
		return err_set(err, RC_INVALID,
			       "registries: mirrors.%.*s.rewrite '%s' is no regular expression",
			       STR_FMT(registry), pattern);
	regfree(&regex);
	return RC_OK;
}

static enum rc mirror_check(const struct json_member *m, struct err *err)
{
	if (m->value->type == JSON_NULL)
		return RC_OK;
	TRY(member_check(m, JSON_OBJECT, "mirrors", "a map with endpoint and rewrite", err));
	const struct json *endpoints = json_get(m->value, STR("endpoint"));
	const struct json *rewrites = json_get(m->value, STR("rewrite"));
	if (json_count(endpoints) > ENDPOINTS_LIMIT)
		return err_set(err, RC_INVALID,
			       "registries: mirrors.%.*s.endpoint has more than %d entries",
			       STR_FMT(m->key), ENDPOINTS_LIMIT);
	for (size_t i = 0; i < json_count(endpoints); i++)
		TRY(endpoint_check(m->key, json_str(json_at(endpoints, i)), err));
	for (size_t i = 0; rewrites && rewrites->type == JSON_OBJECT && i < rewrites->object.count;
	     i++)
		TRY(rewrite_check(m->key, &rewrites->object.members[i], err));
	return RC_OK;
}

static enum rc config_check(const struct json_member *m, struct err *err)
{
	if (m->value->type == JSON_NULL)
		return RC_OK;
	TRY(member_check(m, JSON_OBJECT, "configs", "a map with auth and tls", err));
	CLEANUP_ARENA arena = {};
	struct str text = json_path_str(m->value, "auth.auth"), bytes;
	if (text.len > 0 && !base64_decode(&arena, text, &bytes))
		return err_set(err, RC_INVALID, "registries: configs.%.*s.auth.auth is no base64",
			       STR_FMT(m->key));
	return RC_OK;
}

static enum rc map_check(const struct json *map, const char *name,
			 enum rc (*check)(const struct json_member *, struct err *),
			 struct err *err)
{
	if (!map || map->type == JSON_NULL)
		return RC_OK;
	if (map->type != JSON_OBJECT)
		return err_set(err, RC_INVALID, "registries: %s must be a map of registries", name);
	for (size_t i = 0; i < map->object.count; i++)
		TRY(check(&map->object.members[i], err));
	return RC_OK;
}

enum rc registry_config_parse(struct arena *a, const struct json *tree,
			      const struct registry_config **ret_config, struct err *err)
{
	struct registry_config *config = ARENA_NEW(a, struct registry_config);
	config->mirrors = json_get(tree, STR("mirrors"));
	config->configs = json_get(tree, STR("configs"));
	TRY(map_check(config->mirrors, "mirrors", mirror_check, err));
	TRY(map_check(config->configs, "configs", config_check, err));
	*ret_config = config;
	return RC_OK;
}

enum rc registry_config_load(struct arena *a, const char *path,
			     const struct registry_config **ret_config, struct err *err)
{
	struct str text;
	struct yaml_document *documents = NULL;
	size_t count = 0;
	enum rc rc = file_read(path, CONFIG_BYTES_MAX, a, &text, err);
	if (rc == RC_NOT_FOUND)
		return registry_config_parse(a, NULL, ret_config, err);
	TRY(rc);
	if (yaml_parse(a, text, &documents, &count, NULL, err) != RC_OK)
		return err_wrap(err, "%s", path);
	if (count > 1)
		return err_set(err, RC_INVALID,
			       "%s: a second document begins at line %u: one is read", path,
			       documents[1].line);
	if (registry_config_parse(a, count ? documents[0].tree : NULL, ret_config, err) != RC_OK)
		return err_wrap(err, "%s", path);
	return RC_OK;
}

/* --- use --- */

static bool is_this_machine(struct str host)
{
	return str_is(host, "localhost") || str_has_prefix(host, STR("localhost:")) ||
	       str_has_prefix(host, STR("127.")) || str_has_prefix(host, STR("[::1]"));
}

/* "https://host:5000/prefix" -> "host:5000" */
static struct str host_of(struct str url)
{
	struct str host, rest;
	if (str_has_prefix(url, STR("https://")))
		url = str_skip(url, 8);
	else if (str_has_prefix(url, STR("http://")))
		url = str_skip(url, 7);
	str_cut(url, '/', &host, &rest);
	return host;
}

/* A bare host gets its scheme, and "/v2" when the address has no path of its own, as containerd. */
static struct str base_of(struct arena *a, struct str url)
{
	struct str scheme = STR("");
	if (!str_has_prefix(url, STR("https://")) && !str_has_prefix(url, STR("http://")))
		scheme = is_this_machine(url) ? STR("http://") : STR("https://");
	while (url.len > 0 && url.at[url.len - 1] == '/')
		url.len--;
	struct str host = host_of(url);
	bool has_path = host.at + host.len < url.at + url.len;
	return arena_printf(a, "%.*s%.*s%s", STR_FMT(scheme), STR_FMT(url), has_path ? "" : "/v2");
}

static const char *path_at(struct arena *a, const struct json *tls, const char *key)
{
	struct str path = json_str(json_get(tls, str_of(key)));
	return path.len > 0 ? arena_cstr(a, path) : NULL;
}

static void auth_fill(struct arena *a, const struct json *auth, struct registry_auth *out)
{
	struct str both, bytes;
	out->username = json_str(json_get(auth, STR("username")));
	out->password = json_str(json_get(auth, STR("password")));
	out->identity_token = json_str(json_get(auth, STR("identity_token")));
	both = json_str(json_get(auth, STR("auth")));
	if (both.len > 0 && base64_decode(a, both, &bytes))
		str_cut(bytes, ':', &out->username, &out->password);
}

static void trust_fill(const struct registry_config *config, struct arena *a, struct str host,
		       struct registry_endpoint *out)
{
	const struct json *entry = json_get(config->configs, host);
	const struct json *tls = json_get(entry, STR("tls"));
	auth_fill(a, json_get(entry, STR("auth")), &out->auth);
	out->tls = (struct registry_tls){
		.ca_file = path_at(a, tls, "ca_file"),
		.cert_file = path_at(a, tls, "cert_file"),
		.key_file = path_at(a, tls, "key_file"),
		.is_insecure = json_is_true(json_get(tls, STR("insecure_skip_verify"))),
	};
}

/* $0 to $9 stand for the groups of the match. */
static void replacement_add(struct buf *out, struct str text, const char *subject,
			    const regmatch_t *groups)
{
	for (size_t i = 0; i < text.len; i++) {
		char next = i + 1 < text.len ? text.at[i + 1] : '\0';
		if (text.at[i] != '$' || next < '0' || next > '9') {
			buf_add_char(out, text.at[i]);
			continue;
		}
		const regmatch_t *g = &groups[next - '0'];
		if (g->rm_so >= 0)
			buf_add(out, subject + g->rm_so, (size_t)(g->rm_eo - g->rm_so));
		i++;
	}
}

static bool rewrite_apply(struct arena *a, const struct json_member *m, const char *repository,
			  struct str *ret_repository)
{
	regex_t regex;
	regmatch_t groups[GROUPS_MAX];
	if (regcomp(&regex, arena_cstr(a, m->key), REG_EXTENDED) != 0)
		return false;
	bool matches = regexec(&regex, repository, GROUPS_MAX, groups, 0) == 0;
	regfree(&regex);
	if (!matches)
		return false;
	CLEANUP_BUF out = BUF_INIT(IMAGE_NAME_MAX);
	buf_add(&out, repository, (size_t)groups[0].rm_so);
	replacement_add(&out, json_str(m->value), repository, groups);
	buf_add_cstr(&out, repository + groups[0].rm_eo);
	if (out.is_full)
		return false;
	*ret_repository = arena_str(a, buf_str(&out));
	return true;
}

/* The first rule that fits. */
static struct str repository_rewrite(struct arena *a, const struct json *mirror,
				     const char *repository)
{
	struct str result = arena_str(a, str_of(repository));
	const struct json *rules = json_get(mirror, STR("rewrite"));
	for (size_t i = 0; rules && rules->type == JSON_OBJECT && i < rules->object.count; i++) {
		if (rewrite_apply(a, &rules->object.members[i], repository, &result))
			break;
	}
	return result;
}

size_t registry_config_endpoints(const struct registry_config *config, struct arena *a,
				 const struct image_ref *ref,
				 struct registry_endpoint out[REGISTRY_ENDPOINTS_MAX])
{
	struct str registry = str_of(ref->registry);
	const struct json *mirror = json_get(config->mirrors, registry);
	if (!mirror)
		mirror = json_get(config->mirrors, STR("*"));
	const struct json *endpoints = json_get(mirror, STR("endpoint"));
	size_t count = 0;
	for (size_t i = 0; i < json_count(endpoints); i++) {
		struct str url = json_str(json_at(endpoints, i));
		struct registry_endpoint *e = &out[count++];
		*e = (struct registry_endpoint){
			.base = base_of(a, url),
			.repository = repository_rewrite(a, mirror, ref->repository),
			.origin = arena_str(a, registry),
		};
		trust_fill(config, a, host_of(url), e);
	}
	struct str own = str_is(registry, "docker.io") ? STR("registry-1.docker.io") : registry;
	out[count] = (struct registry_endpoint){
		.base = base_of(a, own),
		.repository = arena_str(a, str_of(ref->repository)),
	};
	trust_fill(config, a, registry, &out[count]);
	return count + 1;
}
