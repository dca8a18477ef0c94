/* skeg config: single values of the kubeconfig: set-context, set-cluster, set-credentials, set,
 * unset. */
#include <stdio.h>

#include "base/encode.h"
#include "client/config.h"
#include "client/create.h"
#include "client/verbs.h"

#define DATA_BYTES_MAX (4u << 20)

/* An option that becomes a member as it is; an empty value takes the member out. */
static void set_text(struct config *c, struct json *value, const char *option, const char *member,
		     const char *text)
{
	if (!command_is_given(c->line, option))
		return;
	if (*text)
		json_set_str(c->arena, value, str_of(member), str_of(text));
	else
		json_remove(value, str_of(member));
}

/* A file by its name, or with --embed-certs its bytes. */
static enum rc set_file(struct config *c, struct json *value, const char *member, const char *path,
			struct err *err)
{
	char here[4096];
	if (!command_is_given(c->line, member))
		return RC_OK;
	json_remove(value, str_of(member));
	json_remove(value, arena_printf(c->arena, "%s-data", member));
	if (!*path)
		return RC_OK;
	if (c->options->embeds) {
		enum rc rc = config_embed(c->arena, value, member, path, err);
		return rc == RC_OK ? RC_OK
				   : err_wrap(err, "could not read %s data from %s", member, path);
	}
	bool is_whole = *path == '/' || !getcwd(here, sizeof(here));
	json_set(c->arena, value, str_of(member),
		 json_printf(c->arena, "%s%s%s", is_whole ? "" : here, is_whole ? "" : "/", path));
	return RC_OK;
}

/* ---- set-context ---- */

static enum rc set_context_body(struct config *c, struct err *err)
{
	const struct config_options *o = c->options;
	struct str name = kubeconfig_set_current(&c->set);
	if (!o->is_current && (c->line->words.count == 0 || !*c->line->words.at[0]))
		return err_set(err, RC_BAD_REQUEST,
			       "you must specify a non-empty context name or --current");
	if (o->is_current && c->line->words.count)
		return err_set(err, RC_BAD_REQUEST,
			       "you cannot specify both a context name and --current");
	if (o->is_current && !name.len)
		return err_set(err, RC_NOT_FOUND, "no current context is set");
	if (!o->is_current)
		TRY(config_name(c, &name, err));
	bool is_new = !kubeconfig_set_get(&c->set, KUBECONFIG_CONTEXTS, name);
	struct json *context = kubeconfig_set_need(&c->set, KUBECONFIG_CONTEXTS, name);
	set_text(c, context, "cluster", "cluster", o->cluster);
	set_text(c, context, "user", "user", o->user);
	set_text(c, context, "namespace", "namespace", o->namespace);
	printf("Context \"%.*s\" %s.\n", STR_FMT(name), is_new ? "created" : "modified");
	return RC_OK;
}

/* ---- set-cluster ---- */

static enum rc set_cluster_body(struct config *c, struct err *err)
{
	const struct config_options *o = c->options;
	struct str name;
	TRY(config_name(c, &name, err));
	if (o->embeds && !o->ca_file)
		return err_set(err, RC_BAD_REQUEST,
			       "you must specify a --certificate-authority to embed");
	struct json *cluster = kubeconfig_set_need(&c->set, KUBECONFIG_CLUSTERS, name);
	set_text(c, cluster, "server", "server", o->server);
	set_text(c, cluster, "tls-server-name", "tls-server-name", o->tls_server_name);
	set_text(c, cluster, "proxy-url", "proxy-url", o->proxy_url);
	TRY(set_file(c, cluster, "certificate-authority", o->ca_file, err));
	if (command_is_given(c->line, "certificate-authority"))
		json_remove(cluster, STR("insecure-skip-tls-verify"));
	if (command_is_given(c->line, "insecure-skip-tls-verify"))
		json_remove(cluster, STR("insecure-skip-tls-verify"));
	if (o->skip_verify) {
		json_set(c->arena, cluster, STR("insecure-skip-tls-verify"),
			 json_bool(c->arena, true));
		json_remove(cluster, STR("certificate-authority"));
		json_remove(cluster, STR("certificate-authority-data"));
	}
	printf("Cluster \"%.*s\" set.\n", STR_FMT(name));
	return RC_OK;
}

/* ---- set-credentials ---- */

static struct json *exec_environment(struct arena *a, const struct text_list *pairs)
{
	struct json *list = json_array(a);
	for (size_t i = 0; i < pairs->count; i++) {
		struct str name, value;
		str_cut(str_of(pairs->at[i]), '=', &name, &value);
		json_append(a, list, create_variable(a, name, value));
	}
	return list;
}

static void set_exec(struct config *c, struct json *user)
{
	const struct config_options *o = c->options;
	if (!o->exec_command && !o->exec_api_version && !o->exec_args.count && !o->exec_env.count)
		return;
	struct json *exec = json_need_object(c->arena, user, STR("exec"));
	set_text(c, exec, "exec-command", "command", o->exec_command);
	set_text(c, exec, "exec-api-version", "apiVersion", o->exec_api_version);
	if (o->exec_args.count)
		json_set(c->arena, exec, STR("args"), create_texts(c->arena, &o->exec_args));
	if (o->exec_env.count)
		json_set(c->arena, exec, STR("env"), exec_environment(c->arena, &o->exec_env));
	json_set(c->arena, exec, STR("provideClusterInfo"), json_bool(c->arena, false));
}

static enum rc set_credentials_body(struct config *c, struct err *err)
{
	const struct config_options *o = c->options;
	struct str name;
	TRY(config_name(c, &name, err));
	if (o->token && (o->username || o->password))
		return err_set(err, RC_BAD_REQUEST,
			       "you cannot specify more than one authentication method at the "
			       "same time: --token or --username/--password");
	if (o->embeds && !o->cert_file && !o->key_file)
		return err_set(err, RC_BAD_REQUEST,
			       "you must specify a --client-certificate or --client-key to embed");
	struct json *user = kubeconfig_set_need(&c->set, KUBECONFIG_USERS, name);
	TRY(set_file(c, user, "client-certificate", o->cert_file, err));
	TRY(set_file(c, user, "client-key", o->key_file, err));
	set_text(c, user, "token", "token", o->token);
	if (command_is_given(c->line, "token"))
		json_remove(user, STR("tokenFile"));
	set_text(c, user, "username", "username", o->username);
	set_text(c, user, "password", "password", o->password);
	set_exec(c, user);
	printf("User \"%.*s\" set.\n", STR_FMT(name));
	return RC_OK;
}

/* ---- set, unset ---- */

enum property_form { PROPERTY_TEXT, PROPERTY_FLAG, PROPERTY_BYTES };

static const struct property {
	enum kubeconfig_section section;
	const char *name;
	enum property_form form;
} properties[] = {
	{KUBECONFIG_CLUSTERS, "server", PROPERTY_TEXT},
	{KUBECONFIG_CLUSTERS, "tls-server-name", PROPERTY_TEXT},
	{KUBECONFIG_CLUSTERS, "insecure-skip-tls-verify", PROPERTY_FLAG},
	{KUBECONFIG_CLUSTERS, "certificate-authority", PROPERTY_TEXT},
	{KUBECONFIG_CLUSTERS, "certificate-authority-data", PROPERTY_BYTES},
	{KUBECONFIG_CLUSTERS, "proxy-url", PROPERTY_TEXT},
	{KUBECONFIG_CLUSTERS, "disable-compression", PROPERTY_FLAG},
	{KUBECONFIG_USERS, "client-certificate", PROPERTY_TEXT},
	{KUBECONFIG_USERS, "client-certificate-data", PROPERTY_BYTES},
	{KUBECONFIG_USERS, "client-key", PROPERTY_TEXT},
	{KUBECONFIG_USERS, "client-key-data", PROPERTY_BYTES},
	{KUBECONFIG_USERS, "token", PROPERTY_TEXT},
	{KUBECONFIG_USERS, "tokenFile", PROPERTY_TEXT},
	{KUBECONFIG_USERS, "act-as", PROPERTY_TEXT},
	{KUBECONFIG_USERS, "act-as-uid", PROPERTY_TEXT},
	{KUBECONFIG_USERS, "username", PROPERTY_TEXT},
	{KUBECONFIG_USERS, "password", PROPERTY_TEXT},
	{KUBECONFIG_CONTEXTS, "cluster", PROPERTY_TEXT},
	{KUBECONFIG_CONTEXTS, "user", PROPERTY_TEXT},
	{KUBECONFIG_CONTEXTS, "namespace", PROPERTY_TEXT},
};

/* What "clusters.my.cluster.server" means: names may have dots, members have none. */
struct place {
	enum kubeconfig_section section;
	struct str name;	       /* absent: the whole section */
	const struct property *member; /* NULL: the whole entry */
};

static enum rc parse_place(const char *text, struct place *ret_place, struct err *err)
{
	struct str section, rest, name, member;
	size_t s = 0;
	str_cut(str_of(text), '.', &section, &rest);
	while (s < KUBECONFIG_SECTIONS && !str_is(section, kubeconfig_names[s].list))
		s++;
	if (s == KUBECONFIG_SECTIONS)
		return err_set(err, RC_BAD_REQUEST,
			       "unable to parse %s after [] at api.Config: it begins with none of "
			       "current-context, clusters, users, contexts",
			       text);
	*ret_place = (struct place){.section = s, .name = rest};
	str_cut_last(rest, '.', &name, &member);
	for (size_t i = 0; name.len && i < ARRAY_LEN(properties); i++) {
		if (properties[i].section != s || !str_is(member, properties[i].name))
			continue;
		ret_place->name = name;
		ret_place->member = &properties[i];
	}
	return RC_OK;
}

static enum rc property_value(struct config *c, const struct property *p, const char *text,
			      struct json **ret_value, struct err *err)
{
	CLEANUP_BUF encoded = BUF_INIT(DATA_BYTES_MAX);
	struct str bytes = str_of(text);
	bool is_true = strcmp(text, "true") == 0;
	*ret_value = json_cstring(c->arena, text);
	if (p->form == PROPERTY_FLAG) {
		*ret_value = json_bool(c->arena, is_true);
		if (!is_true && strcmp(text, "false") != 0)
			return err_set(err, RC_BAD_REQUEST,
				       "'%s' is neither true nor false, which %s must be", text,
				       p->name);
	}
	if (p->form != PROPERTY_BYTES)
		return RC_OK;
	if (!c->options->takes_raw_bytes)
		return base64_decode(c->arena, bytes, &bytes)
			       ? RC_OK
			       : err_set(err, RC_BAD_REQUEST,
					 "%s is not base64; --set-raw-bytes takes the bytes "
					 "themselves",
					 p->name);
	base64_add(&encoded, bytes);
	*ret_value = json_string(c->arena, arena_str(c->arena, buf_str(&encoded)));
	return buf_check(&encoded, p->name, err);
}

static enum rc set_body(struct config *c, struct err *err)
{
	const struct text_list *words = &c->line->words;
	struct place place;
	struct json *value;
	if (words->count != 2)
		return err_set(err, RC_BAD_REQUEST,
			       "a property and its value are needed: skeg config set "
			       "contexts.NAME.namespace VALUE");
	if (strcmp(words->at[0], "current-context") == 0) {
		kubeconfig_set_choose(&c->set, str_of(words->at[1]));
	} else {
		TRY(parse_place(words->at[0], &place, err));
		if (!place.member)
			return err_set(err, RC_BAD_REQUEST,
				       "unable to parse one or more field values of %s: its last "
				       "part is no member of %s",
				       words->at[0], kubeconfig_names[place.section].list);
		TRY(property_value(c, place.member, words->at[1], &value, err));
		json_set(c->arena, kubeconfig_set_need(&c->set, place.section, place.name),
			 str_of(place.member->name), value);
	}
	printf("Property \"%s\" set.\n", words->at[0]);
	return RC_OK;
}

static void unset_section(struct config *c, enum kubeconfig_section section)
{
	size_t count;
	const struct str *names = kubeconfig_set_names(&c->set, section, &count);
	for (size_t i = 0; i < count; i++)
		kubeconfig_set_drop(&c->set, section, names[i]);
}

static enum rc unset_body(struct config *c, struct err *err)
{
	const struct text_list *words = &c->line->words;
	struct place place = {};
	if (words->count != 1)
		return err_set(err, RC_BAD_REQUEST,
			       "one property is needed: skeg config unset contexts.NAME.namespace");
	bool is_current = strcmp(words->at[0], "current-context") == 0;
	if (!is_current)
		TRY(parse_place(words->at[0], &place, err));
	if (is_current)
		kubeconfig_set_choose(&c->set, STR(""));
	else if (!place.name.len)
		unset_section(c, place.section);
	else if (!place.member)
		kubeconfig_set_drop(&c->set, place.section, place.name);
	else if (kubeconfig_set_get(&c->set, place.section, place.name))
		json_remove(kubeconfig_set_need(&c->set, place.section, place.name),
			    str_of(place.member->name));
	printf("Property \"%s\" unset.\n", words->at[0]);
	return RC_OK;
}

/* ---- the verbs ---- */

static const struct option context_options[] = {
	CONFIG_FLAG("current", is_current, "the current context"),
	CONFIG_TEXT("cluster", cluster, "NAME", "its cluster"),
	CONFIG_TEXT("user", user, "NAME", "its user"),
	CONFIG_TEXT("namespace", namespace, "NS", "its namespace"),
	CONFIG_TEXT("kubeconfig", kubeconfig, "FILE",
		    "this file only ($KUBECONFIG's, else ~/.kube/config)"),
};
static const struct option cluster_options[] = {
	CONFIG_TEXT("server", server, "URL", "where the API server is"),
	CONFIG_TEXT("certificate-authority", ca_file, "FILE",
		    "certificates that its own must be of"),
	CONFIG_FLAG("insecure-skip-tls-verify", skip_verify, "take any certificate of the server"),
	CONFIG_TEXT("tls-server-name", tls_server_name, "NAME", "the name in its certificate"),
	CONFIG_TEXT("proxy-url", proxy_url, "URL", "the proxy to go through"),
	CONFIG_FLAG("embed-certs", embeds, "the file's bytes instead of its name"),
	CONFIG_COMMON,
};
static const struct option user_options[] = {
	CONFIG_TEXT("client-certificate", cert_file, "FILE", "its certificate"),
	CONFIG_TEXT("client-key", key_file, "FILE", "the certificate's key"),
	CONFIG_FLAG("embed-certs", embeds, "the files' bytes instead of their names"),
	CONFIG_TEXT("token", token, "TOKEN", "its bearer token"),
	CONFIG_TEXT("username", username, "NAME", "for basic authentication"),
	CONFIG_TEXT("password", password, "TEXT", "for basic authentication"),
	CONFIG_TEXT("exec-command", exec_command, "PROGRAM", "a program that prints credentials"),
	CONFIG_TEXT("exec-api-version", exec_api_version, "VERSION",
		    "in which form it prints them"),
	{"exec-arg", 0, OPTION_LIST, CONFIG_AT(exec_args), "WORD", "an argument of it"},
	{"exec-env", 0, OPTION_LIST, CONFIG_AT(exec_env), "NAME=VALUE", "a variable of it"},
	CONFIG_COMMON,
};
static const struct option set_options[] = {
	CONFIG_FLAG("set-raw-bytes", takes_raw_bytes, "the value is bytes, not base64 of them"),
	CONFIG_COMMON,
};
static const struct option unset_options[] = {CONFIG_COMMON};

CONFIG_COMMAND(set_context, "set-context", "CONTEXT | --current", "Make or change a context",
	       context_options, set_context_body);
CONFIG_COMMAND(set_cluster, "set-cluster", "NAME", "Make or change a cluster", cluster_options,
	       set_cluster_body);
CONFIG_COMMAND(set_credentials, "set-credentials", "NAME", "Make or change a user", user_options,
	       set_credentials_body);
CONFIG_COMMAND(set, "set", "PROPERTY VALUE", "Set one value of the kubeconfig", set_options,
	       set_body);
CONFIG_COMMAND(unset, "unset", "PROPERTY", "Take one value out of the kubeconfig", unset_options,
	       unset_body);
