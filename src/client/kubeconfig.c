#include "client/kubeconfig.h"

#include <errno.h>
#include <pwd.h>

#include "base/encode.h"
#include "client/kubeconfig_set.h"
#include "codec/yaml.h"
#include "io/file.h"

#define FILE_MAX_BYTES (4u << 20)

static struct json *named(struct arena *a, struct str name, const char *key, struct json *value)
{
	struct json *entry = json_object(a);
	json_set_str(a, entry, STR("name"), name);
	json_set(a, entry, str_of(key), value);
	return entry;
}

static struct json *one(struct arena *a, struct json *entry)
{
	struct json *list = json_array(a);
	json_append(a, list, entry);
	return list;
}

enum rc kubeconfig_put_data(struct arena *a, struct json *value, const char *member,
			    struct str bytes, struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(FILE_MAX_BYTES);
	base64_add(&text, bytes);
	TRY(buf_check(&text, member, err));
	json_set_str(a, value, str_of(member), arena_str(a, buf_str(&text)));
	return RC_OK;
}

static struct json *empty_config(struct arena *a)
{
	struct json *t = json_object(a);
	json_set_str(a, t, STR("apiVersion"), STR("v1"));
	json_set_str(a, t, STR("kind"), STR("Config"));
	json_set(a, t, STR("preferences"), json_object(a));
	return t;
}

enum rc kubeconfig_save(const char *path, const struct json *tree, struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(FILE_MAX_BYTES);
	yaml_write(&text, tree);
	TRY(buf_check(&text, "kubeconfig", err));
	return file_write(path, buf_str(&text), 0600, err);
}

enum rc kubeconfig_write(const char *path, const struct kubeconfig_admin *admin, struct err *err)
{
	CLEANUP_ARENA arena = {};
	struct arena *a = &arena;
	struct json *t = empty_config(a), *cluster = json_object(a), *user = json_object(a),
		    *context = json_object(a);
	struct str name = STR(KUBECONFIG_NAME);
	json_set(a, cluster, STR("server"),
		 json_printf(a, "https://%s:%u", admin->host, admin->port));
	TRY(kubeconfig_put_data(a, cluster, "certificate-authority-data", admin->ca_pem, err));
	TRY(kubeconfig_put_data(a, user, "client-certificate-data", admin->cert_pem, err));
	TRY(kubeconfig_put_data(a, user, "client-key-data", admin->key_pem, err));
	json_set_str(a, context, STR("cluster"), name);
	json_set_str(a, context, STR("user"), name);
	json_set(a, t, STR("clusters"), one(a, named(a, name, "cluster", cluster)));
	json_set(a, t, STR("users"), one(a, named(a, name, "user", user)));
	json_set(a, t, STR("contexts"), one(a, named(a, name, "context", context)));
	json_set_str(a, t, STR("current-context"), name);
	return kubeconfig_save(path, t, err);
}

enum rc kubeconfig_read(struct arena *a, const char *path, struct json **ret_tree, struct err *err)
{
	struct str text;
	struct yaml_document *documents;
	size_t count;
	*ret_tree = empty_config(a);
	TRY(file_read(path, FILE_MAX_BYTES, a, &text, err));
	enum rc rc = yaml_parse(a, text, &documents, &count, NULL, err);
	if (rc != RC_OK)
		return err_wrap(err, "kubeconfig '%s'", path);
	bool is_empty = count == 0 || documents[0].tree->type == JSON_NULL;
	if (!is_empty && documents[0].tree->type != JSON_OBJECT)
		return err_set(err, RC_INVALID,
			       "'%s' is not a kubeconfig; move it away or set KUBECONFIG", path);
	if (!is_empty)
		*ret_tree = documents[0].tree;
	return RC_OK;
}

struct json *kubeconfig_find(const struct json *list, struct str name)
{
	for (size_t i = 0; i < json_count(list); i++)
		if (str_eq(json_path_str(json_at(list, i), "name"), name))
			return json_at(list, i);
	return NULL;
}

bool kubeconfig_drop(struct json *list, struct str name)
{
	bool is_dropped = false;
	for (size_t i = json_count(list); i > 0; i--) {
		if (!str_eq(json_path_str(json_at(list, i - 1), "name"), name))
			continue;
		json_remove_at(list, i - 1);
		is_dropped = true;
	}
	return is_dropped;
}

const struct kubeconfig_names kubeconfig_names[] = {
	[KUBECONFIG_CLUSTERS] = {"clusters", "cluster"},
	[KUBECONFIG_USERS] = {"users", "user"},
	[KUBECONFIG_CONTEXTS] = {"contexts", "context"},
};

static struct json *need_list(struct arena *a, struct json *tree, const char *key)
{
	struct json *list = json_get(tree, str_of(key));
	if (!list || list->type != JSON_ARRAY) {
		list = json_array(a);
		json_set(a, tree, str_of(key), list);
	}
	return list;
}

static struct json *renamed(struct arena *a, const struct json *source, size_t section,
			    struct str name)
{
	struct json *entry = json_at(json_get(source, str_of(kubeconfig_names[section].list)), 0);
	struct json *value = json_get(entry, str_of(kubeconfig_names[section].key));
	if (json_get(value, STR("cluster"))) {
		json_set_str(a, value, STR("cluster"), name);
		json_set_str(a, value, STR("user"), name);
	}
	return named(a, name, kubeconfig_names[section].key, value);
}

/* ---- which context was current before ours: an extension of our context remembers it ---- */

#define FORMER "former-context"

static struct str former_context(const struct json *tree, struct str name)
{
	struct json *entry = kubeconfig_find(json_get(tree, STR("contexts")), name);
	struct json *list = json_get(json_get(entry, STR("context")), STR("extensions"));
	struct json *extension = kubeconfig_find(list, STR(FORMER));
	return json_path_str(extension, "extension.name");
}

static void remember_former(struct arena *a, struct json *entry, struct str former)
{
	struct json *extension = json_object(a);
	if (former.len == 0)
		return;
	json_set_str(a, extension, STR("name"), former);
	json_set(a, json_get(entry, STR("context")), STR("extensions"),
		 one(a, named(a, STR(FORMER), "extension", extension)));
}

enum rc kubeconfig_merge(const char *path, const char *source, const char *context, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct json *from, *into;
	struct str name = str_of(context);
	TRY(kubeconfig_read(&a, source, &from, err));
	enum rc rc = kubeconfig_read(&a, path, &into, err);
	if (rc == RC_NOT_FOUND)
		into = empty_config(&a);
	else
		TRY(rc);
	struct str former = json_path_str(into, "current-context");
	if (str_eq(former, name))
		former = former_context(into, name);
	for (size_t i = 0; i < KUBECONFIG_SECTIONS; i++) {
		struct json *list = need_list(&a, into, kubeconfig_names[i].list);
		kubeconfig_drop(list, name);
		json_append(&a, list, renamed(&a, from, i, name));
	}
	struct json *contexts = json_get(into, STR("contexts"));
	remember_former(&a, kubeconfig_find(contexts, name), former);
	json_set_str(&a, into, STR("current-context"), name);
	struct str head, tail;
	if (str_cut_last(str_of(path), '/', &head, &tail) && head.len)
		TRY(dir_make(arena_cstr(&a, head), 0700, err));
	return kubeconfig_save(path, into, err);
}

enum rc kubeconfig_remove(const char *path, const char *context, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct json *tree;
	struct str name = str_of(context);
	enum rc rc = kubeconfig_read(&a, path, &tree, err);
	if (rc == RC_NOT_FOUND)
		return RC_OK;
	TRY(rc);
	struct str former = former_context(tree, name);
	size_t left = 0;
	for (size_t i = 0; i < KUBECONFIG_SECTIONS; i++) {
		struct json *list = need_list(&a, tree, kubeconfig_names[i].list);
		kubeconfig_drop(list, name);
		left += json_count(list);
	}
	if (left == 0 && unlink(path) == 0)
		return RC_OK;
	if (str_eq(json_path_str(tree, "current-context"), name))
		json_set_str(&a, tree, STR("current-context"), former);
	return kubeconfig_save(path, tree, err);
}

const char *kubeconfig_default_path(struct arena *a)
{
	const char *set = getenv("KUBECONFIG"), *home = getenv("HOME");
	struct str first, rest;
	if (set && *set) {
		str_cut(str_of(set), ':', &first, &rest);
		return arena_cstr(a, first);
	}
	struct passwd *user = home ? NULL : getpwuid(getuid());
	return arena_cstr(a, arena_printf(a, "%s/.kube/config",
					  home	 ? home
					  : user ? user->pw_dir
						 : "/root"));
}

/* <key>-data in base64, or the file that <key> names. */
static enum rc read_data(struct arena *a, const struct json *object, const char *key,
			 struct str *ret_pem, struct err *err)
{
	struct str inline_text = json_str(json_get(object, arena_printf(a, "%s-data", key)));
	struct str file = json_str(json_get(object, str_of(key)));
	if (inline_text.len && !base64_decode(a, inline_text, ret_pem))
		return err_set(err, RC_INVALID, "kubeconfig: %s-data is not base64", key);
	if (!inline_text.len && file.len)
		return file_read(arena_cstr(a, file), FILE_MAX_BYTES, a, ret_pem, err);
	return RC_OK;
}

static enum rc read_target(struct arena *a, const struct json *tree, const struct json *context,
			   struct kubeconfig_target *t, struct err *err)
{
	struct json *cluster =
		kubeconfig_find(json_get(tree, STR("clusters")), json_path_str(context, "cluster"));
	struct json *user =
		kubeconfig_find(json_get(tree, STR("users")), json_path_str(context, "user"));
	cluster = json_get(cluster, STR("cluster"));
	user = json_get(user, STR("user"));
	t->server = json_path_str(cluster, "server");
	t->namespace = json_path_str(context, "namespace");
	t->token = json_path_str(user, "token");
	struct str token_file = json_path_str(user, "tokenFile");
	t->skip_verify = json_is_true(json_get(cluster, STR("insecure-skip-tls-verify")));
	if (t->server.len == 0)
		return err_set(err, RC_INVALID,
			       "kubeconfig: the current context names no cluster with a server; "
			       "start one with 'skeg up'");
	if (!t->token.len && token_file.len) {
		TRY(file_read(arena_cstr(a, token_file), FILE_MAX_BYTES, a, &t->token, err));
		t->token = str_trim(t->token);
	}
	TRY(read_data(a, cluster, "certificate-authority", &t->ca_pem, err));
	TRY(read_data(a, user, "client-certificate", &t->cert_pem, err));
	return read_data(a, user, "client-key", &t->key_pem, err);
}

enum rc kubeconfig_load(struct arena *a, const char *path, const char *context,
			struct kubeconfig_target *ret_target, struct err *err)
{
	struct kubeconfig_set set;
	bool exists = false;
	TRY(kubeconfig_set_load(a, path, &set, err));
	for (size_t i = 0; i < set.count; i++)
		exists |= set.files[i].exists;
	if (!exists)
		return err_set(err, RC_NOT_FOUND,
			       "there is no kubeconfig at '%s'; start a cluster with 'skeg up' or "
			       "set KUBECONFIG",
			       set.path);
	const struct json *tree = kubeconfig_set_merged(&set);
	struct str name = context ? str_of(context) : json_path_str(tree, "current-context");
	struct json *entry = kubeconfig_find(json_get(tree, STR("contexts")), name);
	if (!entry)
		return err_set(err, RC_NOT_FOUND, "kubeconfig '%s' has no context '%.*s'", set.path,
			       STR_FMT(name));
	*ret_target = (struct kubeconfig_target){};
	return read_target(a, tree, json_get(entry, STR("context")), ret_target, err);
}
