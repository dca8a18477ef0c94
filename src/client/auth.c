/* skeg auth can-i, whoami: what the server lets us do, and who it takes us for. */
#include <stdio.h>

#include "client/api_path.h"
#include "client/auth_rules.h"
#include "client/create.h"
#include "client/output.h"
#include "client/policy_rules.h"
#include "client/resource_types.h"
#include "client/text_table.h"
#include "client/verb.h"
#include "client/verbs.h"

struct auth_options {
	struct client_options client;
	const char *output, *subresource;
	bool is_everywhere, is_quiet, lists, has_no_heads;
};

static enum rc review(struct verb *v, const char *plural, struct json *body,
		      struct json **ret_reply, struct err *err)
{
	struct str path = api_path(v->arena, resource_type_find(str_of(plural)), (struct str){},
				   (struct str){}, NULL);
	return api_client_send(&v->client, v->arena, "POST", path, NULL, body, ret_reply, err);
}

/* ---- can-i ---- */

static void set_resource(struct verb *v, struct json *attributes, struct str word)
{
	const struct auth_options *o = v->line->values;
	struct str type, name;
	bool has_name = str_cut(word, '/', &type, &name);
	const struct api_kind *kind = resource_type_find(type);
	struct str plural = kind ? kind->plural : type, group = kind ? kind->group : STR("");
	if (!kind && !str_is(type, "*"))
		fprintf(stderr, "Warning: the server doesn't have a resource type '%.*s'\n\n",
			STR_FMT(type));
	if (kind && !kind->is_namespaced)
		fprintf(stderr, "Warning: resource '%.*s' is not namespace scoped%s%.*s%s\n\n",
			STR_FMT(kind->plural), kind->group.len ? " in group '" : "",
			STR_FMT(kind->group), kind->group.len ? "'" : "");
	json_set_str(v->arena, attributes, STR("group"), group);
	json_set_str(v->arena, attributes, STR("resource"), plural);
	if (has_name)
		json_set_str(v->arena, attributes, STR("name"), name);
	if (o->subresource)
		json_set_str(v->arena, attributes, STR("subresource"), str_of(o->subresource));
	if (!o->is_everywhere && !(kind && !kind->is_namespaced))
		json_set_str(v->arena, attributes, STR("namespace"), v->client.namespace);
}

static enum rc can_i_body(struct verb *v, struct err *err)
{
	const struct auth_options *o = v->line->values;
	const struct text_list *words = &v->line->words;
	struct json *t = json_object(v->arena), *reply;
	if (o->lists && words->count)
		return err_set(err, RC_BAD_REQUEST,
			       "list option must be specified with no arguments");
	if (o->lists)
		return auth_rules_print(v, o->has_no_heads, err);
	if (words->count < 2 || words->count > 3)
		return err_set(
			err, RC_BAD_REQUEST,
			"you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'skeg auth can-i --help' for help and examples");
	json_set_str(v->arena, t, STR("apiVersion"), STR("authorization.k8s.io/v1"));
	json_set_str(v->arena, t, STR("kind"), STR("SelfSubjectAccessReview"));
	bool is_path = words->at[1][0] == '/';
	struct json *attributes = create_at(
		v->arena, t, is_path ? "spec.nonResourceAttributes" : "spec.resourceAttributes");
	json_set_str(v->arena, attributes, STR("verb"), str_of(words->at[0]));
	if (is_path)
		json_set_str(v->arena, attributes, STR("path"), str_of(words->at[1]));
	else
		set_resource(v, attributes, str_of(words->at[1]));
	if (!is_path && words->count == 3)
		json_set_str(v->arena, attributes, STR("name"), str_of(words->at[2]));
	TRY(review(v, "selfsubjectaccessreviews.authorization.k8s.io", t, &reply, err));
	bool is_allowed = json_is_true(json_path(reply, "status.allowed"));
	struct str reason = json_path_str(reply, "status.reason");
	v->code = is_allowed ? EXIT_OK : EXIT_FAILED;
	if (o->is_quiet)
		return RC_OK;
	if (is_allowed || !reason.len)
		printf(is_allowed ? "yes\n" : "no\n");
	else
		printf("no - %.*s\n", STR_FMT(reason));
	return RC_OK;
}

/* ---- whoami ---- */

static enum rc whoami_body(struct verb *v, struct err *err)
{
	const struct auth_options *o = v->line->values;
	struct arena *a = v->arena;
	struct json *t = json_object(a), *reply;
	struct output output;
	struct text_table table = {};
	TRY(output_parse(a, o->output, &output, err));
	json_set_str(a, t, STR("apiVersion"), STR("authentication.k8s.io/v1"));
	json_set_str(a, t, STR("kind"), STR("SelfSubjectReview"));
	TRY(review(v, "selfsubjectreviews.authentication.k8s.io", t, &reply, err));
	if (!output_is_table(&output))
		return output_print(&output, a, reply, err);
	const struct json *user = json_path(reply, "status.userInfo");
	const struct json *extra = json_get(user, STR("extra"));
	const struct str rows[][2] = {
		{STR("ATTRIBUTE"), STR("VALUE")},
		{STR("Username"), json_path_str(user, "username")},
		{STR("UID"), json_path_str(user, "uid")},
		{STR("Groups"), policy_list_text(a, json_get(user, STR("groups")))},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i][1].len)
			text_table_add(&table, a, rows[i], 2);
	for (size_t i = 0; i < json_count(extra); i++) {
		const struct str cells[] = {
			arena_printf(a, "Extra: %.*s", STR_FMT(extra->object.members[i].key)),
			policy_list_text(a, extra->object.members[i].value)};
		text_table_add(&table, a, cells, 2);
	}
	text_table_print(&table);
	return RC_OK;
}

#define AT(member) offsetof(struct auth_options, member)
static const struct option can_i_options[] = {
	{"all-namespaces", 'A', OPTION_FLAG, AT(is_everywhere), NULL, "in all namespaces"},
	{"subresource", 0, OPTION_TEXT, AT(subresource), "NAME", "of this subresource"},
	{"quiet", 'q', OPTION_FLAG, AT(is_quiet), NULL, "only by the exit code"},
	{"list", 0, OPTION_FLAG, AT(lists), NULL, "all that is allowed in the namespace"},
	{"no-headers", 0, OPTION_FLAG, AT(has_no_heads), NULL, "without the line of heads"},
	CLIENT_OPTIONS(struct auth_options, client),
};
static const struct option whoami_options[] = {
	{"output", 'o', OPTION_TEXT, AT(output), "FORM", "yaml, json, jsonpath=…"},
	CLIENT_OPTIONS(struct auth_options, client),
};

const struct command command_auth_can_i = {
	.name = "auth can-i",
	.arguments = "VERB TYPE[/NAME] | VERB /PATH | --list",
	.summary = "Ask whether something is allowed",
	.options = can_i_options,
	.option_count = ARRAY_LEN(can_i_options),
	.values_size = sizeof(struct auth_options),
	VERB_RUN(can_i_body),
};

const struct command command_auth_whoami = {
	.name = "auth whoami",
	.summary = "Show who the server takes you for",
	.options = whoami_options,
	.option_count = ARRAY_LEN(whoami_options),
	.values_size = sizeof(struct auth_options),
	VERB_RUN(whoami_body),
};
