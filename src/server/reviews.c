#include "server/reviews.h"

#include "api/api_ids.h"
#include "api/views.h"
#include "server/authenticate.h"
#include "server/node_authorizer.h"
#include "server/oidc.h"
#include "server/server.h"
#include "server/write.h"

enum step review_answer(struct request *r, struct json *status)
{
	struct json *tree = r->tree;
	if (!r->route.sub) { /* a token request names its own kind */
		json_set_str(&r->arena, tree, STR("kind"), r->route.kind->kind);
		json_set_str(&r->arena, tree, STR("apiVersion"), r->route.kind->api_version);
	}
	json_set(&r->arena, tree, STR("status"), status);
	r->reply.tree = tree;
	r->reply.tree_kind = r->route.kind;
	r->reply.status = 201;
	return STEP_DONE;
}

/* ---- rules review ---- */

struct rules {
	struct arena *a;
	struct json *resource, *path;
};

static struct json *strings(struct arena *a, const struct str_array *list)
{
	struct json *out = json_array(a);
	for (uint32_t i = 0; i < list->count; i++)
		json_append(a, out, json_string(a, arena_str(a, list->at[i])));
	return out;
}

static void add_list(struct arena *a, struct json *rule, const char *key,
		     const struct str_array *list)
{
	if (list->count)
		json_set(a, rule, str_of(key), strings(a, list));
}

/* Two bindings of one role tell the same. */
static void add_once(struct arena *a, struct json *list, struct json *rule)
{
	for (size_t i = 0; i < json_count(list); i++)
		if (json_equal(json_at(list, i), rule))
			return;
	json_append(a, list, rule);
}

static void add_rule(void *ctx, const struct policy_rule *rule)
{
	struct rules *out = ctx;
	struct json *copy = json_object(out->a);
	add_list(out->a, copy, "verbs", &rule->verbs);
	if (rule->non_resource_urls.count) {
		add_list(out->a, copy, "nonResourceURLs", &rule->non_resource_urls);
		add_once(out->a, out->path, copy);
		return;
	}
	add_list(out->a, copy, "apiGroups", &rule->api_groups);
	add_list(out->a, copy, "resources", &rule->resources);
	add_list(out->a, copy, "resourceNames", &rule->resource_names);
	add_once(out->a, out->resource, copy);
}

/* Rights of nodes depend on their pods, and roles may be missing: then the list is not all. */
static void tell_incomplete(struct request *r, struct str namespace, struct json *status)
{
	struct arena *a = &r->arena;
	struct str node,
		problems = authorizer_problems(r->server->authorizer, &r->user, namespace, a);
	bool is_node = user_is_node(&r->user, &node);
	json_set(a, status, STR("incomplete"), json_bool(a, is_node));
	if (is_node)
		problems = STR("node authorizer does not support user rule resolution");
	if (problems.len)
		json_set_str(a, status, STR("evaluationError"), problems);
}

static enum step review_rules(struct request *r)
{
	struct arena *a = &r->arena;
	struct rules out = {a, json_array(a), json_array(a)};
	struct str namespace = json_path_str(r->tree, "spec.namespace");
	if (namespace.len == 0)
		return request_fail(r, RC_BAD_REQUEST, "no namespace on request");
	authorizer_rules(r->server->authorizer, &r->user, namespace, add_rule, &out);
	json_set(a, r->tree, STR("spec"), json_object(a)); /* upstream does not tell it back */
	struct json *status = json_object(a);
	json_set(a, status, STR("resourceRules"), out.resource);
	json_set(a, status, STR("nonResourceRules"), out.path);
	tell_incomplete(r, namespace, status);
	return review_answer(r, status);
}

/* ---- who am I, whose token is this ---- */

static struct json *user_info(struct arena *a, const struct user *u)
{
	struct json *info = json_object(a), *groups = json_array(a);
	json_set_str(a, info, STR("username"), u->name);
	if (u->uid.len)
		json_set_str(a, info, STR("uid"), u->uid);
	for (size_t i = 0; i < u->group_count; i++)
		json_append(a, groups, json_string(a, u->groups[i]));
	if (u->group_count)
		json_set(a, info, STR("groups"), groups);
	if (u->extra)
		json_set(a, info, STR("extra"), u->extra);
	return info;
}

static enum step review_subject(struct request *r)
{
	struct json *status = json_object(&r->arena);
	json_set(&r->arena, status, STR("userInfo"), user_info(&r->arena, &r->user));
	struct json *meta = json_object(&r->arena); /* nothing of the client's is told back */
	json_set_time(&r->arena, meta, "creationTimestamp", world_wall_us());
	json_set(&r->arena, r->tree, STR("metadata"), meta);
	return review_answer(r, status);
}

struct token_question {
	struct str token;
	const struct str *audiences; /* whom it should be for */
	size_t count;
};

/* Those of a that b has too. */
static size_t common(const struct str *a, size_t a_count, const struct str *b, size_t b_count,
		     struct str *ret_both)
{
	size_t count = 0;
	for (size_t i = 0; i < a_count; i++)
		for (size_t k = 0; k < b_count; k++)
			if (str_eq(a[i], b[k])) {
				ret_both[count++] = a[i];
				break;
			}
	return count;
}

/* Whose token is it, and for which of the audiences?  Other issuers' are for this server. */
static bool find_owner(struct request *r, const struct token_question *q, struct user *ret_user,
		       struct json *matched, struct err *err)
{
	struct arena *a = &r->arena;
	struct server *s = r->server;
	struct token_note note;
	size_t own_count;
	const struct str *own = token_audiences(s->tokens, &own_count);
	bool is_account = token_verify(s->tokens, a, request_snapshot(r), q->token, q->audiences,
				       q->count, ret_user, &note, err) == RC_OK;
	if (!is_account) {
		enum oidc_finding finding = oidc_verify(s->oidc, a, q->token, ret_user, err);
		if (finding != OIDC_GOOD)
			return false;
		user_add_group(ret_user, STR("system:authenticated"));
	}
	struct str *named = ARENA_ARRAY(a, struct str, q->count + 1);
	size_t count = is_account
			       ? token_is_for(s->tokens, a, q->token, q->audiences, q->count, named)
			       : common(q->audiences, q->count, own, own_count, named);
	for (size_t i = 0; i < count; i++)
		json_append(a, matched, json_string(a, named[i]));
	if (json_count(matched))
		return true;
	err_set(err, RC_UNAUTHORIZED, "the token is for none of the audiences");
	return false;
}

static void take_audiences(struct request *r, const struct json *list, struct token_question *q)
{
	q->audiences = token_audiences(r->server->tokens, &q->count);
	if (!json_count(list))
		return;
	struct str *named = ARENA_ARRAY(&r->arena, struct str, json_count(list));
	for (size_t i = 0; i < json_count(list); i++)
		named[i] = json_str(json_at(list, i));
	q->audiences = named;
	q->count = json_count(list);
}

static enum step review_token(struct request *r)
{
	struct arena *a = &r->arena;
	struct json *spec = json_get(r->tree, STR("spec")), *status = json_object(a),
		    *matched = json_array(a);
	struct user *user = ARENA_NEW(a, struct user);
	struct err err;
	struct token_question q = {.token = json_path_str(spec, "token")};
	if (q.token.len == 0)
		return request_fail(r, RC_BAD_REQUEST,
				    "token is required for TokenReview in authentication");
	take_audiences(r, json_get(spec, STR("audiences")), &q);
	if (!find_owner(r, &q, user, matched, &err)) {
		json_set(a, status, STR("user"), json_object(a));
		json_set_str(a, status, STR("error"), arena_str(a, str_of(err.text)));
		return review_answer(r, status);
	}
	json_set(a, status, STR("authenticated"), json_bool(a, true));
	json_set(a, status, STR("user"), user_info(a, user));
	json_set(a, status, STR("audiences"), matched);
	return review_answer(r, status);
}

static const struct {
	const char *group, *resource, *subresource;
	enum step (*run)(struct request *r);
} rows[] = {
	{"authorization.k8s.io", "selfsubjectaccessreviews", "", access_review_self},
	{"authorization.k8s.io", "subjectaccessreviews", "", access_review_of_user},
	{"authorization.k8s.io", "localsubjectaccessreviews", "", access_review_of_user},
	{"authorization.k8s.io", "selfsubjectrulesreviews", "", review_rules},
	{"authentication.k8s.io", "selfsubjectreviews", "", review_subject},
	{"authentication.k8s.io", "tokenreviews", "", review_token},
	{"", "serviceaccounts", "token", token_request},
};

static size_t row_of(const struct request *r)
{
	size_t i = 0;
	while (i < ARRAY_LEN(rows) && !(str_is(r->route.group, rows[i].group) &&
					str_is(r->route.resource, rows[i].resource) &&
					str_eq(r->route.subresource, str_of(rows[i].subresource))))
		i++;
	return i;
}

bool is_review(const struct request *r)
{
	return row_of(r) < ARRAY_LEN(rows);
}

/* What the path implies; a contradiction of it is refused. */
static enum step settle_namespace(struct request *r)
{
	struct json *meta = json_need_object(&r->arena, r->tree, STR("metadata"));
	struct str namespace = json_path_str(meta, "namespace");
	json_remove(meta, STR("namespace"));
	if (!r->route.kind->is_namespaced)
		return STEP_NEXT;
	if (namespace.len && !str_eq(namespace, r->route.namespace))
		return request_fail(r, RC_BAD_REQUEST,
				    "the namespace of the provided object does not match the "
				    "namespace sent on the request");
	json_set_str(&r->arena, meta, STR("namespace"), r->route.namespace);
	return STEP_NEXT;
}

enum step review(struct request *r)
{
	size_t i = row_of(r);
	if (i == ARRAY_LEN(rows))
		return STEP_NEXT;
	return settle_namespace(r) == STEP_DONE ? STEP_DONE : rows[i].run(r);
}
