/* skeg create configmap, secret. */
#include <stdio.h>

#include "base/encode.h"
#include "client/create.h"
#include "client/verbs.h"
#include "io/file.h"

#define DATA_BYTES_MAX (2u << 20)

/* Where values go: texts of a ConfigMap, base64 of a Secret or of what is no text. */
static enum rc add_value(struct create *c, struct json *tree, struct str key, struct str value,
			 struct err *err)
{
	struct arena *a = c->arena;
	bool is_secret = str_is(json_path_str(tree, "kind"), "Secret");
	bool is_binary = is_secret || !utf8_is_valid(value);
	const char *field = is_secret ? "data" : is_binary ? "binaryData" : "data";
	struct json *data = create_at(a, tree, field);
	CLEANUP_BUF text = BUF_INIT(DATA_BYTES_MAX * 2);
	if (json_get(json_get(tree, STR("data")), key) || json_get(data, key))
		return err_set(err, RC_BAD_REQUEST,
			       "cannot add key \"%.*s\", another key by that name already exists",
			       STR_FMT(key));
	if (is_binary)
		base64_add(&text, value);
	json_set_str(a, data, arena_str(a, key), is_binary ? arena_str(a, buf_str(&text)) : value);
	return RC_OK;
}

static enum rc add_literals(struct create *c, struct json *tree, struct err *err)
{
	const struct text_list *list = &c->options->from_literal;
	for (size_t i = 0; i < list->count; i++) {
		struct str key, value;
		if (!str_cut(str_of(list->at[i]), '=', &key, &value) || !key.len)
			return err_set(err, RC_BAD_REQUEST,
				       "invalid literal source %s, expected key=value",
				       list->at[i]);
		if (value.len >= 2 && (value.at[0] == '"' || value.at[0] == '\'') &&
		    value.at[value.len - 1] == value.at[0])
			value = str_n(value.at + 1, value.len - 2);
		TRY(add_value(c, tree, key, value.at ? value : STR(""), err));
	}
	return RC_OK;
}

static enum rc add_file(struct create *c, struct json *tree, struct str key, const char *path,
			struct err *err)
{
	struct str bytes;
	TRY(file_read(path, DATA_BYTES_MAX, c->arena, &bytes, err));
	return add_value(c, tree, key, bytes, err);
}

static enum rc add_folder(struct create *c, struct json *tree, const char *path, struct err *err)
{
	const char **names;
	size_t count;
	TRY(dir_list(path, c->arena, &names, &count, err));
	for (size_t i = 0; i < count; i++) {
		struct file_facts facts;
		const char *file =
			arena_cstr(c->arena, arena_printf(c->arena, "%s/%s", path, names[i]));
		if (file_look(file, true, &facts, NULL) == RC_OK && facts.kind == FILE_REGULAR)
			TRY(add_file(c, tree, str_of(names[i]), file, err));
	}
	return RC_OK;
}

/* "path", "key=path", or a folder of files. */
static enum rc add_files(struct create *c, struct json *tree, struct err *err)
{
	const struct text_list *list = &c->options->from_file;
	for (size_t i = 0; i < list->count; i++) {
		struct str key, path, head;
		struct file_facts facts;
		if (!str_cut(str_of(list->at[i]), '=', &key, &path)) {
			path = str_of(list->at[i]);
			str_cut_last(path, '/', &head, &key);
		}
		const char *file = arena_cstr(c->arena, path);
		if (file_look(file, true, &facts, NULL) != RC_OK)
			return err_set(err, RC_NOT_FOUND,
				       "error reading %s: no such file or directory", file);
		TRY(facts.kind == FILE_FOLDER ? add_folder(c, tree, file, err)
					      : add_file(c, tree, key, file, err));
	}
	return RC_OK;
}

static enum rc add_env_files(struct create *c, struct json *tree, struct err *err)
{
	const struct text_list *list = &c->options->from_env_file;
	for (size_t i = 0; i < list->count; i++) {
		struct str text, line, key, value;
		TRY(file_read(list->at[i], DATA_BYTES_MAX, c->arena, &text, err));
		while (text.len) {
			str_cut(text, '\n', &line, &text);
			line = str_trim(line);
			if (!line.len || line.at[0] == '#')
				continue;
			if (!str_cut(line, '=', &key, &value)) {
				const char *set = getenv(arena_cstr(c->arena, line));
				value = str_of(set ? set : "");
			}
			TRY(add_value(c, tree, key, value.at ? value : STR(""), err));
		}
	}
	return RC_OK;
}

static enum rc build_data(struct create *c, struct json *tree, struct err *err)
{
	if (c->options->from_env_file.count &&
	    (c->options->from_file.count || c->options->from_literal.count))
		return err_set(err, RC_BAD_REQUEST,
			       "from-env-file cannot be combined with from-file or from-literal");
	TRY(add_files(c, tree, err));
	TRY(add_literals(c, tree, err));
	return add_env_files(c, tree, err);
}

/* ---- secrets ---- */

static enum rc build_registry(struct create *c, struct json *tree, struct err *err)
{
	const struct create_options *o = c->options;
	struct arena *a = c->arena;
	CLEANUP_BUF auth = BUF_INIT(64 << 10), text = BUF_INIT(64 << 10);
	struct json *config = json_object(a), *auths = json_object(a), *one = json_object(a);
	if (!o->docker_username || !o->docker_password)
		return err_set(err, RC_BAD_REQUEST,
			       "either --from-file or the combination of --docker-username, "
			       "--docker-password and --docker-server is required");
	json_set_str(a, one, STR("username"), str_of(o->docker_username));
	json_set_str(a, one, STR("password"), str_of(o->docker_password));
	if (o->docker_email)
		json_set_str(a, one, STR("email"), str_of(o->docker_email));
	base64_add(&auth, arena_printf(a, "%s:%s", o->docker_username, o->docker_password));
	json_set_str(a, one, STR("auth"), arena_str(a, buf_str(&auth)));
	json_set(a, auths,
		 str_of(o->docker_server ? o->docker_server : "https://index.docker.io/v1/"), one);
	json_set(a, config, STR("auths"), auths);
	json_write(&text, config);
	json_set_str(a, tree, STR("type"), STR("kubernetes.io/dockerconfigjson"));
	return add_value(c, tree, STR(".dockerconfigjson"), buf_str(&text), err);
}

static enum rc build_tls(struct create *c, struct json *tree, struct err *err)
{
	const struct create_options *o = c->options;
	if (!o->cert || !o->key)
		return err_set(err, RC_BAD_REQUEST,
			       "key and certificate must be specified: --key "
			       "and --cert");
	json_set_str(c->arena, tree, STR("type"), STR("kubernetes.io/tls"));
	TRY(add_file(c, tree, STR("tls.crt"), o->cert, err));
	return add_file(c, tree, STR("tls.key"), o->key, err);
}

static enum rc build_generic(struct create *c, struct json *tree, struct err *err)
{
	json_set_str(c->arena, tree, STR("type"),
		     str_of(c->options->type ? c->options->type : "Opaque"));
	return build_data(c, tree, err);
}

static enum rc build_secret(struct create *c, struct json *tree, struct err *err)
{
	static const struct {
		const char *type;
		create_build *build;
	} types[] = {{"generic", build_generic},
		     {"docker-registry", build_registry},
		     {"tls", build_tls}};
	const char *type = c->verb->line->words.at[0];
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(type, types[i].type) == 0)
			return types[i].build(c, tree, err);
	return err_set(err, RC_BAD_REQUEST,
		       "'%s' is no type of Secret; it is one of generic, docker-registry, tls",
		       type);
}

#define SOURCES                                                                                    \
	CREATE_LIST("from-literal", from_literal, "KEY=VALUE", "a key and its value"),             \
		CREATE_LIST("from-file", from_file, "[KEY=]FILE", "a file's bytes, or a folder"),  \
		CREATE_LIST("from-env-file", from_env_file, "FILE", "lines of KEY=VALUE")
static const struct option config_map_options[] = {SOURCES, CREATE_COMMON};
static const struct option secret_options[] = {
	SOURCES,
	CREATE_TEXT("type", type, "TYPE", "of a generic one (Opaque)"),
	CREATE_TEXT("docker-server", docker_server, "HOST", "of a docker-registry one"),
	CREATE_TEXT("docker-username", docker_username, "NAME", "at the registry"),
	CREATE_TEXT("docker-password", docker_password, "TEXT", "at the registry"),
	CREATE_TEXT("docker-email", docker_email, "ADDRESS", "at the registry"),
	CREATE_TEXT("cert", cert, "FILE", "certificate of a tls one"),
	CREATE_TEXT("key", key, "FILE", "key of a tls one"),
	CREATE_COMMON,
};

CREATE_COMMAND(config_map, "create configmap", "create cm", "NAME", "Make a ConfigMap",
	       config_map_options, "v1", "ConfigMap", false, build_data);
CREATE_COMMAND(secret, "create secret", NULL, "generic|docker-registry|tls NAME", "Make a Secret",
	       secret_options, "v1", "Secret", true, build_secret);
