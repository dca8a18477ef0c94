/* skeg create namespace, serviceaccount, role, rolebinding, clusterrole, clusterrolebinding, token.
 */
#include <stdio.h>

#include "client/api_path.h"
#include "client/create.h"
#include "client/resource_types.h"
#include "client/verbs.h"

static enum rc build_plain(struct create *c, struct json *tree, struct err *err)
{
	return RC_OK;
}

/* One rule a group of resources: "pods,pods/log,deployments.apps". */
static enum rc build_role(struct create *c, struct json *tree, struct err *err)
{
	const struct create_options *o = c->options;
	struct arena *a = c->arena;
	struct json *verbs = create_texts(a, &o->verbs), *rules = json_array(a);
	struct json *words = create_texts(a, &o->resources);
	struct json *names = create_texts(a, &o->resource_names);
	if (json_count(verbs) == 0)
		return err_set(err, RC_BAD_REQUEST, "at least one verb must be specified");
	if (json_count(words) == 0)
		return err_set(err, RC_BAD_REQUEST, "at least one resource must be specified");
	for (size_t i = 0; i < json_count(words); i++) {
		struct str type, subresource, text = json_str(json_at(words, i));
		bool has_sub = str_cut(text, '/', &type, &subresource);
		const struct api_kind *kind = resource_type_find(type);
		struct json *rule = NULL, *groups = json_array(a), *resources = json_array(a);
		if (!kind && !str_is(type, "*"))
			return err_set(err, RC_NOT_FOUND,
				       "the server doesn't have a resource type \"%.*s\"",
				       STR_FMT(type));
		struct str group = kind ? kind->group : STR("*");
		for (size_t k = 0; k < json_count(rules) && !rule; k++)
			if (str_eq(json_str(json_at(json_get(json_at(rules, k), STR("apiGroups")),
						    0)),
				   group))
				rule = json_at(rules, k);
		if (!rule) {
			rule = json_object(a);
			json_append(a, groups, json_string(a, group));
			json_set(a, rule, STR("apiGroups"), groups);
			json_set(a, rule, STR("resources"), resources);
			if (json_count(names))
				json_set(a, rule, STR("resourceNames"), names);
			json_set(a, rule, STR("verbs"), verbs);
			json_append(a, rules, rule);
		}
		struct str plural = kind ? kind->plural : STR("*");
		json_append(
			a, json_get(rule, STR("resources")),
			has_sub ? json_printf(a, "%.*s/%.*s", STR_FMT(plural), STR_FMT(subresource))
				: json_string(a, plural));
	}
	json_set(a, tree, STR("rules"), rules);
	return RC_OK;
}

struct json *create_subject(struct arena *a, const char *kind, struct str name,
			    struct str namespace)
{
	struct json *s = json_object(a);
	if (!namespace.len)
		json_set_str(a, s, STR("apiGroup"), STR("rbac.authorization.k8s.io"));
	json_set_str(a, s, STR("kind"), str_of(kind));
	json_set_str(a, s, STR("name"), name);
	if (namespace.len)
		json_set_str(a, s, STR("namespace"), namespace);
	return s;
}

enum rc create_account(struct arena *a, struct str text, struct json **ret_subject, struct err *err)
{
	struct str namespace, name;
	if (!str_cut(text, ':', &namespace, &name) || !namespace.len || !name.len)
		return err_set(err, RC_BAD_REQUEST, "serviceaccount must be <namespace>:<name>");
	*ret_subject = create_subject(a, "ServiceAccount", name, namespace);
	return RC_OK;
}

static void add_subjects(struct arena *a, struct json *list, const char *kind,
			 const struct text_list *names)
{
	const struct json *texts = create_texts(a, names);
	for (size_t i = 0; i < json_count(texts); i++)
		json_append(a, list,
			    create_subject(a, kind, json_str(json_at(texts, i)), (struct str){}));
}

static enum rc build_binding(struct create *c, struct json *tree, struct err *err)
{
	const struct create_options *o = c->options;
	struct arena *a = c->arena;
	struct json *subjects = json_array(a), *ref = json_object(a);
	struct json *accounts = create_texts(a, &o->service_accounts);
	if ((o->role != NULL) + (o->cluster_role != NULL) != 1)
		return err_set(err, RC_BAD_REQUEST,
			       "exactly one of clusterrole or role must be specified");
	add_subjects(a, subjects, "User", &o->users);
	add_subjects(a, subjects, "Group", &o->groups);
	for (size_t i = 0; i < json_count(accounts); i++) {
		struct json *one;
		TRY(create_account(a, json_str(json_at(accounts, i)), &one, err));
		json_append(a, subjects, one);
	}
	json_set_str(a, ref, STR("apiGroup"), STR("rbac.authorization.k8s.io"));
	json_set_str(a, ref, STR("kind"), o->role ? STR("Role") : STR("ClusterRole"));
	json_set_str(a, ref, STR("name"), str_of(o->role ? o->role : o->cluster_role));
	json_set(a, tree, STR("roleRef"), ref);
	json_set(a, tree, STR("subjects"), subjects);
	return RC_OK;
}

/* ---- token ---- */

static enum rc token_body(struct verb *v, struct err *err)
{
	const struct create_options *o = v->line->values;
	struct arena *a = v->arena;
	struct json *t = json_object(a), *reply;
	int64_t duration_ms;
	if (v->line->words.count != 1)
		return err_set(err, RC_BAD_REQUEST, "exactly one NAME is required, got %zu",
			       v->line->words.count);
	TRY(option_duration("duration", o->duration, &duration_ms, err));
	json_set_str(a, t, STR("apiVersion"), STR("authentication.k8s.io/v1"));
	json_set_str(a, t, STR("kind"), STR("TokenRequest"));
	struct json *spec = create_at(a, t, "spec");
	if (duration_ms)
		json_set(a, spec, STR("expirationSeconds"), json_int(a, duration_ms / 1000));
	if (o->audiences.count)
		json_set(a, spec, STR("audiences"), create_texts(a, &o->audiences));
	struct str path = api_path(a, resource_type_find(STR("serviceaccounts")),
				   v->client.namespace, str_of(v->line->words.at[0]), "token");
	if (api_client_send(&v->client, a, "POST", path, NULL, t, &reply, err) != RC_OK)
		return err->rc;
	printf("%.*s\n", STR_FMT(json_path_str(reply, "status.token")));
	return RC_OK;
}

static const struct option plain_options[] = {CREATE_COMMON};
static const struct option role_options[] = {
	CREATE_LIST("verb", verbs, "VERB", "what may be done: get,list,watch"),
	CREATE_LIST("resource", resources, "TYPE", "with what: pods,pods/log"),
	CREATE_LIST("resource-name", resource_names, "NAME", "only with these objects"),
	CREATE_COMMON,
};
static const struct option binding_options[] = {
	CREATE_TEXT("role", role, "NAME", "the Role that is given"),
	CREATE_TEXT("clusterrole", cluster_role, "NAME", "the ClusterRole that is given"),
	CREATE_LIST("user", users, "NAME", "to this user"),
	CREATE_LIST("group", groups, "NAME", "to this group"),
	CREATE_LIST("serviceaccount", service_accounts, "NS:NAME", "to this account"),
	CREATE_COMMON,
};
static const struct option token_options[] = {
	CREATE_TEXT("duration", duration, "DURATION", "how long it is good"),
	CREATE_LIST("audience", audiences, "TEXT", "for whom it is meant"),
	CLIENT_OPTIONS(struct create_options, client),
};

CREATE_COMMAND(namespace, "create namespace", "create ns", "NAME", "Make a Namespace",
	       plain_options, "v1", "Namespace", false, build_plain);
CREATE_COMMAND(service_account, "create serviceaccount", "create sa", "NAME",
	       "Make a ServiceAccount", plain_options, "v1", "ServiceAccount", false, build_plain);
CREATE_COMMAND(role, "create role", NULL, "NAME --verb=VERB --resource=TYPE", "Make a Role",
	       role_options, "rbac.authorization.k8s.io/v1", "Role", false, build_role);
CREATE_COMMAND(cluster_role, "create clusterrole", NULL, "NAME --verb=VERB --resource=TYPE",
	       "Make a ClusterRole", role_options, "rbac.authorization.k8s.io/v1", "ClusterRole",
	       false, build_role);
CREATE_COMMAND(role_binding, "create rolebinding", NULL, "NAME --role=NAME --user=NAME",
	       "Make a RoleBinding", binding_options, "rbac.authorization.k8s.io/v1", "RoleBinding",
	       false, build_binding);
CREATE_COMMAND(cluster_role_binding, "create clusterrolebinding", NULL,
	       "NAME --clusterrole=NAME --user=NAME", "Make a ClusterRoleBinding", binding_options,
	       "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", false, build_binding);
const struct command command_create_token = {
	.name = "create token",
	.arguments = "SERVICEACCOUNT",
	.summary = "Ask for a token of an account",
	.options = token_options,
	.option_count = ARRAY_LEN(token_options),
	.values_size = sizeof(struct create_options),
	.defaults = &create_defaults,
	VERB_RUN(token_body),
};
