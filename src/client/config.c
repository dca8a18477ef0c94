/* skeg config view, and what the family shares. */
#include "client/config.h"

#include <stdio.h>

#include "client/api_client.h"
#include "client/kubeconfig.h"
#include "client/output.h"
#include "client/verbs.h"
#include "io/file.h"

#define DATA_BYTES_MAX (4u << 20)

enum rc config_name(const struct config *c, struct str *ret_name, struct err *err)
{
	const struct text_list *words = &c->line->words;
	if (words->count != 1 || !*words->at[0])
		return err_set(err, RC_BAD_REQUEST, "one name is needed: skeg %s %s",
			       c->line->command->name, c->line->command->arguments);
	*ret_name = str_of(words->at[0]);
	return RC_OK;
}

int config_run(struct command_line *line)
{
	const struct config_detail *detail = line->command->detail;
	struct config c = {.line = line,
			   .options = line->values,
			   .arena = &line->arena,
			   .detail = detail->detail};
	struct err err;
	enum rc rc = kubeconfig_set_load(c.arena, c.options->kubeconfig, &c.set, &err);
	if (rc == RC_OK)
		rc = detail->body(&c, &err);
	if (rc == RC_OK)
		rc = kubeconfig_set_save(&c.set, &err);
	return rc == RC_OK ? EXIT_OK : client_failed(&err);
}

/* ---- view ---- */

static const struct {
	enum kubeconfig_section section;
	const char *member, *shown;
} secrets[] = {
	{KUBECONFIG_CLUSTERS, "certificate-authority-data", "DATA+OMITTED"},
	{KUBECONFIG_USERS, "client-certificate-data", "DATA+OMITTED"},
	{KUBECONFIG_USERS, "client-key-data", "DATA+OMITTED"},
	{KUBECONFIG_USERS, "token", "REDACTED"},
	{KUBECONFIG_USERS, "password", "REDACTED"},
};

static void hide_secrets(struct arena *a, struct json *tree)
{
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		const struct kubeconfig_names *names = &kubeconfig_names[secrets[i].section];
		const struct json *list = json_get(tree, str_of(names->list));
		for (size_t k = 0; k < json_count(list); k++) {
			struct json *value = json_get(json_at(list, k), str_of(names->key));
			if (json_path_str(value, secrets[i].member).len)
				json_set_str(a, value, str_of(secrets[i].member),
					     str_of(secrets[i].shown));
		}
	}
}

enum rc config_embed(struct arena *a, struct json *value, const char *member, const char *path,
		     struct err *err)
{
	struct str bytes;
	TRY(file_read(path, DATA_BYTES_MAX, a, &bytes, err));
	json_remove(value, str_of(member));
	return kubeconfig_put_data(a, value, arena_cstr(a, arena_printf(a, "%s-data", member)),
				   bytes, err);
}

/* The bytes of files that are named, instead of their names. */
static enum rc embed_files(struct arena *a, struct json *tree, struct err *err)
{
	static const struct {
		enum kubeconfig_section section;
		const char *member;
	} files[] = {{KUBECONFIG_CLUSTERS, "certificate-authority"},
		     {KUBECONFIG_USERS, "client-certificate"},
		     {KUBECONFIG_USERS, "client-key"}};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const struct kubeconfig_names *names = &kubeconfig_names[files[i].section];
		const struct json *list = json_get(tree, str_of(names->list));
		for (size_t k = 0; k < json_count(list); k++) {
			struct json *value = json_get(json_at(list, k), str_of(names->key));
			struct str path = json_path_str(value, files[i].member);
			if (path.len)
				TRY(config_embed(a, value, files[i].member, arena_cstr(a, path),
						 err));
		}
	}
	return RC_OK;
}

static void keep_only(struct json *list, struct str name)
{
	for (size_t i = json_count(list); i > 0; i--)
		if (!str_eq(json_path_str(json_at(list, i - 1), "name"), name))
			json_remove_at(list, i - 1);
}

/* Only the current context, and what it names. */
static enum rc minify(struct config *c, struct json *tree, struct err *err)
{
	struct str name = json_path_str(tree, "current-context");
	const struct json *contexts = json_get(tree, STR("contexts"));
	const struct json *context = json_get(kubeconfig_find(contexts, name), STR("context"));
	if (!name.len)
		return err_set(err, RC_NOT_FOUND, "current-context must exist in order to minify");
	if (!context)
		return err_set(err, RC_NOT_FOUND, "cannot locate context %.*s", STR_FMT(name));
	keep_only(json_get(tree, STR("contexts")), name);
	keep_only(json_get(tree, STR("clusters")), json_path_str(context, "cluster"));
	keep_only(json_get(tree, STR("users")), json_path_str(context, "user"));
	return RC_OK;
}

static enum rc view_body(struct config *c, struct err *err)
{
	const struct config_options *o = c->options;
	struct output output;
	struct json *tree = kubeconfig_set_merged(&c->set);
	TRY(output_parse(c->arena, o->output ? o->output : "yaml", &output, err));
	if (o->context)
		json_set_str(c->arena, tree, STR("current-context"), str_of(o->context));
	if (o->is_minified)
		TRY(minify(c, tree, err));
	if (o->is_flat)
		TRY(embed_files(c->arena, tree, err));
	if (!o->is_raw && !o->is_flat)
		hide_secrets(c->arena, tree);
	return output_print(&output, c->arena, tree, err);
}

static const struct option view_options[] = {
	CONFIG_FLAG("raw", is_raw, "with keys, certificates and tokens"),
	CONFIG_FLAG("minify", is_minified, "only what the current context uses"),
	CONFIG_FLAG("flatten", is_flat,
		    "with the bytes of files that are named, to be carried off"),
	{"output", 'o', OPTION_TEXT, CONFIG_AT(output), "FORM", "yaml, json, jsonpath=…"},
	CONFIG_COMMON,
};
CONFIG_COMMAND(view, "view", NULL, "Show the kubeconfig", view_options, view_body);
