#include "server/reviews.h"

#include "api/api_ids.h"
#include "api/views.h"
#include "server/server.h"
#include "server/write.h"

static enum step answer(struct request *r, struct json *tree, struct json *status)
{
	if (status)
		json_set(&r->arena, tree, STR("status"), status);
	json_set_str(&r->arena, tree, STR("kind"),
		     r->route.sub ? r->route.sub->kind : r->route.kind->kind);
	r->reply.tree = tree;
	r->reply.tree_kind = r->route.kind;
	r->reply.status = 201;
	return STEP_DONE;
}

/* ---- access reviews ---- */

static bool attributes_from(const struct json *spec, struct attributes *ret_what)
{
	const struct json *resource = json_get(spec, STR("resourceAttributes"));
	const struct json *path = json_get(spec, STR("nonResourceAttributes"));
	*ret_what = (struct attributes){
		.is_resource = resource != NULL,
		.verb = json_path_str(resource ? resource : path, "verb"),
		.group = json_path_str(resource, "group"),
		.resource = json_path_str(resource, "resource"),
		.subresource = json_path_str(resource, "subresource"),
		.namespace = json_path_str(resource, "namespace"),
		.name = json_path_str(resource, "name"),
		.path = json_path_str(path, "path"),
	};
	return (resource != NULL) != (path != NULL);
}

static void user_from(const struct json *spec, struct user *ret_user)
{
	*ret_user = (struct user){.name = json_path_str(spec, "user"),
				  .uid = json_path_str(spec, "uid")};
	struct json *groups = json_get(spec, STR("groups"));
	for (size_t i = 0; i < json_count(groups) && i < REQUEST_GROUPS_MAX; i++)
		ret_user->groups[ret_user->group_count++] = json_str(json_at(groups, i));
}

static enum step access_review(struct request *r, const struct user *user)
{
	struct arena *a = &r->arena;
	struct json *spec = json_get(r->tree, STR("spec"));
	struct attributes what;
	struct field_errors errors = {.arena = a};
	if (!attributes_from(spec, &what)) {
		bool has_both = json_get(spec, STR("resourceAttributes")) != NULL;
		field_error_add(
			&errors, FIELD_ERROR_INVALID, STR("spec.nonResourceAttributes"),
			has_both ? json_get(spec, STR("nonResourceAttributes")) : json_null(a),
			has_both ? "cannot be specified in combination with resourceAttributes"
				 : "exactly one of nonResourceAttributes or resourceAttributes "
				   "must be specified");
		return request_invalid(r, r->route.kind->group, r->route.kind->kind, STR(""),
				       &errors);
	}
	struct json *status = json_object(a);
	struct str reason;
	bool is_allowed = authorizer_allows_because(r->server->authorizer, user, &what, a, &reason);
	json_set(a, status, STR("allowed"), json_bool(a, is_allowed));
	if (reason.len)
		json_set_str(a, status, STR("reason"), reason);
	return answer(r, r->tree, status);
}

static enum step review_self(struct request *r)
{
	return access_review(r, &r->user);
}

static enum step review_other(struct request *r)
{
	struct user user;
	user_from(json_get(r->tree, STR("spec")), &user);
	return access_review(r, &user);
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

static void add_rule(void *ctx, const struct policy_rule *rule)
{
	struct rules *out = ctx;
	struct json *copy = json_object(out->a);
	add_list(out->a, copy, "verbs", &rule->verbs);
	if (rule->non_resource_urls.count) {
		add_list(out->a, copy, "nonResourceURLs", &rule->non_resource_urls);
		json_append(out->a, out->path, copy);
		return;
	}
	add_list(out->a, copy, "apiGroups", &rule->api_groups);
	add_list(out->a, copy, "resources", &rule->resources);
	add_list(out->a, copy, "resourceNames", &rule->resource_names);
	json_append(out->a, out->resource, copy);
}

static void add_everything(struct rules *out)
{
	static const struct str star[] = {STR_INIT("*")};
	static const struct str_array any = {star, 1};
	add_rule(out, &(struct policy_rule){.verbs = any, .api_groups = any, .resources = any});
	add_rule(out, &(struct policy_rule){.verbs = any, .non_resource_urls = any});
}

static enum step review_rules(struct request *r)
{
	struct arena *a = &r->arena;
	struct rules out = {a, json_array(a), json_array(a)};
	if (user_is_in(&r->user, STR("system:masters")))
		add_everything(&out);
	authorizer_rules(r->server->authorizer, &r->user, json_path_str(r->tree, "spec.namespace"),
			 add_rule, &out);
	struct json *status = json_object(a);
	json_set(a, status, STR("resourceRules"), out.resource);
	json_set(a, status, STR("nonResourceRules"), out.path);
	json_set(a, status, STR("incomplete"), json_bool(a, false));
	return answer(r, r->tree, status);
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
	return answer(r, r->tree, status);
}

static enum step review_token(struct request *r)
{
	struct arena *a = &r->arena;
	struct json *spec = json_get(r->tree, STR("spec")), *status = json_object(a),
		    *list = json_get(spec, STR("audiences"));
	struct str own = token_issuer(r->server->tokens);
	size_t count = json_count(list) ? json_count(list) : 1;
	struct str *audiences = ARENA_ARRAY(a, struct str, count);
	audiences[0] = own;
	for (size_t i = 0; i < json_count(list); i++)
		audiences[i] = json_str(json_at(list, i));
	struct user user;
	struct err err;
	struct str token = json_path_str(spec, "token");
	if (token_verify(r->server->tokens, a, request_snapshot(r), token, audiences, count, &user,
			 &err) != RC_OK) {
		json_set(a, status, STR("user"), json_object(a));
		json_set_str(a, status, STR("error"), arena_str(a, str_of(err.text)));
		return answer(r, r->tree, status);
	}
	json_set(a, status, STR("authenticated"), json_bool(a, true));
	json_set(a, status, STR("user"), user_info(a, &user));
	struct json *matched = json_array(a);
	for (size_t i = 0; i < count; i++)
		json_append(a, matched, json_string(a, audiences[i]));
	json_set(a, status, STR("audiences"), matched);
	return answer(r, r->tree, status);
}

/* ---- TokenRequest ---- */

static bool bind_to(struct request *r, const struct json *ref, struct token_claims *claims)
{
	static const struct {
		const char *kind;
		uint16_t stored_id;
	} rows[] = {{"Pod", KIND_POD}, {"Secret", KIND_SECRET}, {"Node", KIND_NODE}};
	claims->bound_kind = json_path_str(ref, "kind");
	claims->bound_name = json_path_str(ref, "name");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_is(claims->bound_kind, rows[i].kind))
			continue;
		bool is_node = rows[i].stored_id == KIND_NODE;
		struct object *o = snapshot_get(request_snapshot(r), rows[i].stored_id,
						is_node ? (struct str){} : r->route.namespace,
						claims->bound_name);
		if (!o) {
			request_not_found(r, api_by_stored(api_builtin(), rows[i].stored_id),
					  claims->bound_name);
			return false;
		}
		struct str wanted = json_path_str(ref, "uid");
		claims->bound_uid = o->uid;
		if (wanted.len && !str_eq(wanted, o->uid)) {
			request_fail(r, RC_CONFLICT,
				     "the UID in the bound object reference (%.*s) does not match "
				     "the UID in record. The object might have been deleted and "
				     "then recreated",
				     STR_FMT(wanted));
			return false;
		}
		if (rows[i].stored_id == KIND_POD)
			claims->node_name = ((const struct pod *)object_view(o))->spec.node_name;
		struct object *node = snapshot_get(request_snapshot(r), KIND_NODE, (struct str){},
						   claims->node_name);
		claims->node_uid = node ? node->uid : (struct str){};
		return true;
	}
	struct field_errors errors = {.arena = &r->arena};
	field_error_add(&errors, FIELD_ERROR_INVALID, STR("spec.boundObjectRef.kind"),
			json_string(&r->arena, claims->bound_kind),
			"supported values: \"Pod\", \"Secret\", \"Node\"");
	request_invalid(r, STR("authentication.k8s.io"), STR("TokenRequest"), STR(""), &errors);
	return false;
}

static bool check_expiry(struct request *r, int64_t seconds)
{
	struct field_errors errors = {.arena = &r->arena};
	struct json *value = json_int(&r->arena, seconds);
	if (seconds < TOKEN_LEAST_S)
		field_error_add(&errors, FIELD_ERROR_INVALID, STR("spec.expirationSeconds"), value,
				"may not specify a duration less than 10 minutes");
	if (seconds > TOKEN_MOST_S)
		field_error_add(&errors, FIELD_ERROR_INVALID, STR("spec.expirationSeconds"), value,
				"may not specify a duration larger than 2^32 seconds");
	if (errors.count)
		request_invalid(r, STR("authentication.k8s.io"), STR("TokenRequest"), STR(""),
				&errors);
	return errors.count == 0;
}

static void audiences_of(struct request *r, struct json *spec, struct token_claims *claims)
{
	struct arena *a = &r->arena;
	struct json *list = json_get(spec, STR("audiences"));
	if (!json_count(list)) {
		list = json_array(a);
		json_append(a, list, json_string(a, token_issuer(r->server->tokens)));
		json_set(a, spec, STR("audiences"), list);
	}
	struct str *audiences = ARENA_ARRAY(a, struct str, json_count(list));
	for (size_t i = 0; i < json_count(list); i++)
		audiences[i] = json_str(json_at(list, i));
	claims->audiences = audiences;
	claims->audience_count = json_count(list);
}

static enum step request_token(struct request *r)
{
	struct arena *a = &r->arena;
	struct json *spec = json_need_object(a, r->tree, STR("spec"));
	struct object *account = snapshot_get(request_snapshot(r), KIND_SERVICE_ACCOUNT,
					      r->route.namespace, r->route.name);
	if (!account)
		return request_not_found(r, r->route.kind, r->route.name);
	struct json *wish = json_get(spec, STR("expirationSeconds"));
	int64_t seconds = wish && wish->type == JSON_INT ? json_i64(wish) : TOKEN_DEFAULT_S;
	struct json *ref = json_get(spec, STR("boundObjectRef"));
	char id[37];
	world_uuid(id);
	struct token_claims claims = {
		.namespace = r->route.namespace,
		.account = r->route.name,
		.account_uid = account->uid,
		.issued_s = world_wall_us() / 1000000,
		.id = str_n(id, 36),
	};
	claims.expires_s = claims.issued_s + seconds;
	if (!check_expiry(r, seconds) ||
	    (ref && ref->type == JSON_OBJECT && !bind_to(r, ref, &claims)))
		return STEP_DONE;
	audiences_of(r, spec, &claims);
	json_set(a, spec, STR("expirationSeconds"), json_int(a, seconds));
	if (!ref)
		json_set(a, spec, STR("boundObjectRef"), json_null(a));
	struct str token;
	struct err err;
	if (token_sign(r->server->tokens, a, &claims, &token, &err) != RC_OK)
		return request_fail_err(r, &err);
	struct json *status = json_object(a), *meta = json_need_object(a, r->tree, STR("metadata"));
	json_set_str(a, status, STR("token"), token);
	json_set_time(a, status, "expirationTimestamp", claims.expires_s * 1000000);
	json_set_str(a, meta, STR("name"), r->route.name);
	json_set_str(a, meta, STR("namespace"), r->route.namespace);
	json_set_time(a, meta, "creationTimestamp", claims.issued_s * 1000000);
	return answer(r, r->tree, status);
}

static const struct {
	const char *group, *resource, *subresource;
	enum step (*run)(struct request *r);
} rows[] = {
	{"authorization.k8s.io", "selfsubjectaccessreviews", "", review_self},
	{"authorization.k8s.io", "subjectaccessreviews", "", review_other},
	{"authorization.k8s.io", "localsubjectaccessreviews", "", review_other},
	{"authorization.k8s.io", "selfsubjectrulesreviews", "", review_rules},
	{"authentication.k8s.io", "selfsubjectreviews", "", review_subject},
	{"authentication.k8s.io", "tokenreviews", "", review_token},
	{"", "serviceaccounts", "token", request_token},
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

enum step review(struct request *r)
{
	size_t i = row_of(r);
	return i < ARRAY_LEN(rows) ? rows[i].run(r) : STEP_NEXT;
}
