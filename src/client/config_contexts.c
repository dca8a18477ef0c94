/* skeg config: contexts, clusters and users as wholes: listed, chosen, renamed, deleted. */
#include <stdio.h>

#include "client/config.h"
#include "client/text_table.h"
#include "client/verb.h"
#include "client/verbs.h"

struct section_words {
	enum kubeconfig_section section;
	const char *one; /* "cluster" */
};

/* ---- get-contexts, get-clusters, get-users ---- */

static void add_context(struct config *c, struct text_table *table, struct str name,
			struct str current)
{
	const struct json *context = kubeconfig_set_get(&c->set, KUBECONFIG_CONTEXTS, name);
	const struct str cells[] = {
		str_eq(name, current) ? STR("*") : STR(""), name,
		json_path_str(context, "cluster"),	    json_path_str(context, "user"),
		json_path_str(context, "namespace"),
	};
	text_table_add(table, c->arena, cells, ARRAY_LEN(cells));
}

/* The named ones, else all. */
static enum rc wanted_contexts(struct config *c, struct text_table *table, bool is_names,
			       struct err *err)
{
	struct str current = c->options->context ? str_of(c->options->context)
						 : kubeconfig_set_current(&c->set);
	const struct text_list *words = &c->line->words;
	size_t count;
	struct str *names = kubeconfig_set_names(&c->set, KUBECONFIG_CONTEXTS, &count);
	enum rc rc = RC_OK;
	for (size_t i = 0; i < (words->count ? words->count : count); i++) {
		struct str name = words->count ? str_of(words->at[i]) : names[i];
		if (!kubeconfig_set_get(&c->set, KUBECONFIG_CONTEXTS, name) && words->count)
			rc = err_set(err, RC_NOT_FOUND, "context %.*s not found", STR_FMT(name));
		else if (is_names)
			printf("%.*s\n", STR_FMT(name));
		else
			add_context(c, table, name, current);
	}
	return rc;
}

static enum rc get_contexts_body(struct config *c, struct err *err)
{
	static const struct str heads[] = {STR_INIT("CURRENT"), STR_INIT("NAME"),
					   STR_INIT("CLUSTER"), STR_INIT("AUTHINFO"),
					   STR_INIT("NAMESPACE")};
	const struct config_options *o = c->options;
	struct text_table table = {};
	bool is_names = o->output && strcmp(o->output, "name") == 0;
	if (o->output && !is_names)
		return option_refused("output", o->output, "name", err);
	if (!is_names && !o->has_no_heads)
		text_table_add(&table, c->arena, heads, ARRAY_LEN(heads));
	enum rc rc = wanted_contexts(c, &table, is_names, err);
	text_table_print(&table);
	return rc;
}

static enum rc names_body(struct config *c, struct err *err)
{
	const struct section_words *w = c->detail;
	size_t count;
	const struct str *names = kubeconfig_set_names(&c->set, w->section, &count);
	printf("NAME\n");
	for (size_t i = 0; i < count; i++)
		printf("%.*s\n", STR_FMT(names[i]));
	return RC_OK;
}

/* ---- current-context, use-context ---- */

static enum rc current_body(struct config *c, struct err *err)
{
	struct str current = kubeconfig_set_current(&c->set);
	if (!current.len)
		return err_set(err, RC_NOT_FOUND, "current-context is not set");
	printf("%.*s\n", STR_FMT(current));
	return RC_OK;
}

static enum rc use_body(struct config *c, struct err *err)
{
	struct str name;
	TRY(config_name(c, &name, err));
	if (!kubeconfig_set_get(&c->set, KUBECONFIG_CONTEXTS, name))
		return err_set(err, RC_NOT_FOUND, "no context exists with the name: \"%.*s\"",
			       STR_FMT(name));
	kubeconfig_set_choose(&c->set, name);
	printf("Switched to context \"%.*s\".\n", STR_FMT(name));
	return RC_OK;
}

/* ---- rename-context, delete-… ---- */

static enum rc rename_body(struct config *c, struct err *err)
{
	const struct text_list *words = &c->line->words;
	if (words->count != 2)
		return err_set(err, RC_BAD_REQUEST,
			       "two names are needed: skeg config rename-context CONTEXT NEW");
	struct str from = str_of(words->at[0]), to = str_of(words->at[1]);
	struct json *context = kubeconfig_set_get(&c->set, KUBECONFIG_CONTEXTS, from);
	if (!context)
		return err_set(err, RC_NOT_FOUND,
			       "cannot rename the context \"%.*s\", it's not in %s", STR_FMT(from),
			       c->set.path);
	if (kubeconfig_set_get(&c->set, KUBECONFIG_CONTEXTS, to))
		return err_set(err, RC_ALREADY_EXISTS,
			       "cannot rename the context \"%.*s\", the context \"%.*s\" already "
			       "exists in %s",
			       STR_FMT(from), STR_FMT(to), c->set.path);
	struct json *renamed = kubeconfig_set_need(&c->set, KUBECONFIG_CONTEXTS, to);
	for (size_t i = 0; i < json_count(context); i++)
		json_set(c->arena, renamed, context->object.members[i].key,
			 context->object.members[i].value);
	kubeconfig_set_drop(&c->set, KUBECONFIG_CONTEXTS, from);
	if (str_eq(kubeconfig_set_current(&c->set), from))
		kubeconfig_set_choose(&c->set, to);
	printf("Context \"%.*s\" renamed to \"%.*s\".\n", STR_FMT(from), STR_FMT(to));
	return RC_OK;
}

static enum rc delete_body(struct config *c, struct err *err)
{
	const struct section_words *w = c->detail;
	struct str name;
	TRY(config_name(c, &name, err));
	if (!kubeconfig_set_drop(&c->set, w->section, name))
		return err_set(err, RC_NOT_FOUND, "cannot delete %s %.*s, not in %s", w->one,
			       STR_FMT(name), c->set.path);
	if (w->section == KUBECONFIG_CONTEXTS && str_eq(kubeconfig_set_current(&c->set), name))
		fprintf(stderr, "warning: this removed your active context, use \"skeg config "
				"use-context\" to select a different one\n");
	printf("deleted %s %.*s from %s\n", w->one, STR_FMT(name), c->set.path);
	return RC_OK;
}

/* ---- the verbs ---- */

static const struct section_words contexts = {KUBECONFIG_CONTEXTS, "context"},
				  clusters = {KUBECONFIG_CLUSTERS, "cluster"},
				  users = {KUBECONFIG_USERS, "user"};

static const struct option common[] = {CONFIG_COMMON};
static const struct option list_options[] = {
	{"output", 'o', OPTION_TEXT, CONFIG_AT(output), "name", "only the names"},
	CONFIG_FLAG("no-headers", has_no_heads, "without the line of heads"),
	CONFIG_COMMON,
};

CONFIG_COMMAND(get_contexts, "get-contexts", "[CONTEXT…]", "List contexts", list_options,
	       get_contexts_body);
CONFIG_COMMAND(get_clusters, "get-clusters", NULL, "List clusters", common, names_body, &clusters);
CONFIG_COMMAND(get_users, "get-users", NULL, "List users", common, names_body, &users);
CONFIG_COMMAND(current_context, "current-context", NULL, "Show which context is current", common,
	       current_body);
CONFIG_COMMAND(use_context, "use-context", "CONTEXT", "Make a context the current one", common,
	       use_body);
CONFIG_COMMAND(rename_context, "rename-context", "CONTEXT NEW", "Give a context another name",
	       common, rename_body);
CONFIG_COMMAND(delete_context, "delete-context", "CONTEXT", "Remove a context", common, delete_body,
	       &contexts);
CONFIG_COMMAND(delete_cluster, "delete-cluster", "CLUSTER", "Remove a cluster", common, delete_body,
	       &clusters);
CONFIG_COMMAND(delete_user, "delete-user", "USER", "Remove a user", common, delete_body, &users);
