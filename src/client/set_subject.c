/* skeg set subject: who else has the role of a binding. */
#include "client/create.h"
#include "client/set.h"
#include "client/verbs.h"

static void add_once(struct arena *a, struct json *list, struct json *subject)
{
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *other = json_at(list, i);
		if (str_eq(json_path_str(other, "kind"), json_path_str(subject, "kind")) &&
		    str_eq(json_path_str(other, "name"), json_path_str(subject, "name")) &&
		    str_eq(json_path_str(other, "namespace"), json_path_str(subject, "namespace")))
			return;
	}
	json_append(a, list, subject);
}

static void add_names(struct arena *a, struct json *list, const char *kind,
		      const struct text_list *names)
{
	const struct json *texts = create_texts(a, names);
	for (size_t i = 0; i < json_count(texts); i++)
		add_once(a, list,
			 create_subject(a, kind, json_str(json_at(texts, i)), (struct str){}));
}

static enum rc add_accounts(struct arena *a, struct json *list, const struct text_list *names,
			    struct err *err)
{
	const struct json *texts = create_texts(a, names);
	for (size_t i = 0; i < json_count(texts); i++) {
		struct json *one;
		TRY(create_account(a, json_str(json_at(texts, i)), &one, err));
		add_once(a, list, one);
	}
	return RC_OK;
}

static enum rc fill(struct setting *s, const struct resource *r, struct json *patch,
		    struct err *err)
{
	const struct set_options *o = s->options;
	const struct json *now = json_get(r->tree, STR("subjects"));
	struct json *list = now ? json_clone(s->arena, now) : json_array(s->arena);
	if (!str_has_suffix(r->kind->plural, STR("rolebindings")))
		return err_set(
			err, RC_BAD_REQUEST,
			"setting subjects is only supported for RoleBinding/ClusterRoleBinding");
	size_t before = json_count(list);
	add_names(s->arena, list, "User", &o->users);
	add_names(s->arena, list, "Group", &o->groups);
	TRY(add_accounts(s->arena, list, &o->service_accounts, err));
	if (json_count(list) > before)
		json_set(s->arena, patch, STR("subjects"), list);
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct setting s;
	TRY(set_open(v, &s, err));
	if (!s.options->users.count && !s.options->groups.count &&
	    !s.options->service_accounts.count)
		return err_set(err, RC_BAD_REQUEST,
			       "you must specify at least one value of user, group or "
			       "serviceaccount");
	return set_run(&s, v->line->words.count, PATCH_MERGE, fill, "subjects updated", err);
}

static const struct option options[] = {
	{"user", 0, OPTION_LIST, SET_AT(users), "NAME", "this user too"},
	{"group", 0, OPTION_LIST, SET_AT(groups), "NAME", "the members of this group too"},
	{"serviceaccount", 0, OPTION_LIST, SET_AT(service_accounts), "NS:NAME",
	 "this service account too"},
	SET_COMMON,
};
SET_COMMAND(subject, "set subject", NULL, "rolebinding NAME --user=… --group=…",
	    "Give more people the role of a binding", options, body);
