/* serviceaccounts/token: a token for an account, bound to an object if the client asks for it.
 * Source: upstream's pkg/registry/core/serviceaccount/storage/token.go. */
#include "api/api_ids.h"
#include "api/views.h"
#include "server/admission_node.h"
#include "server/reviews.h"
#include "server/server.h"
#include "server/write.h"

static bool is_of_account(struct request *r, const struct object *pod)
{
	if (str_eq(((const struct pod *)object_view(pod))->spec.service_account_name,
		   r->route.name))
		return true;
	request_fail(r, RC_BAD_REQUEST,
		     "cannot bind token for serviceaccount \"%.*s\" to pod running with different "
		     "serviceaccount name.",
		     STR_FMT(r->route.name));
	return false;
}

static bool bind_to(struct request *r, const struct json *ref, struct token_claims *claims)
{
	static const struct {
		const char *kind;
		uint16_t stored_id;
	} rows[] = {{"Pod", KIND_POD}, {"Secret", KIND_SECRET}, {"Node", KIND_NODE}};
	struct str group, version;
	claims->bound_kind = json_path_str(ref, "kind");
	claims->bound_name = json_path_str(ref, "name");
	if (!str_cut(json_path_str(ref, "apiVersion"), '/', &group, &version)) {
		version = group;
		group = STR("");
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_is(claims->bound_kind, rows[i].kind) || group.len ||
		    !str_is(version, "v1"))
			continue;
		if (claims->bound_name.len == 0) {
			request_fail(r, RC_BAD_REQUEST, "Name parameter required.");
			return false;
		}
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
		if (rows[i].stored_id == KIND_POD && !is_of_account(r, o))
			return false;
		if (rows[i].stored_id == KIND_POD)
			claims->node_name = ((const struct pod *)object_view(o))->spec.node_name;
		struct object *node = snapshot_get(request_snapshot(r), KIND_NODE, (struct str){},
						   claims->node_name);
		claims->node_uid = node ? node->uid : (struct str){};
		return true;
	}
	request_fail(r, RC_BAD_REQUEST, "cannot bind token to object of type %.*s/%.*s, Kind=%.*s",
		     STR_FMT(group), STR_FMT(version), STR_FMT(claims->bound_kind));
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
		size_t count;
		const struct str *own = token_audiences(r->server->tokens, &count);
		list = json_array(a);
		for (size_t i = 0; i < count; i++)
			json_append(a, list, json_string(a, own[i]));
		json_set(a, spec, STR("audiences"), list);
	}
	struct str *audiences = ARENA_ARRAY(a, struct str, json_count(list));
	for (size_t i = 0; i < json_count(list); i++)
		audiences[i] = json_str(json_at(list, i));
	claims->audiences = audiences;
	claims->audience_count = json_count(list);
}

/* As asked for, at most what this server gives. */
static int64_t life_of(struct request *r, const struct json *wish)
{
	int64_t seconds = wish && wish->type == JSON_INT ? json_i64(wish) : TOKEN_DEFAULT_S,
		most = token_max_life_s(r->server->tokens);
	if (!most || seconds <= most)
		return seconds;
	request_warn(r, "requested expiration of %lld seconds shortened to %lld seconds",
		     (long long)seconds, (long long)most);
	return most;
}

static void extend(struct request *r, int64_t seconds, struct token_claims *claims)
{
	if (!str_is(claims->bound_kind, "Pod") || seconds != TOKEN_WARN_ONLY_S ||
	    !token_extends(r->server->tokens, claims->audiences, claims->audience_count))
		return;
	claims->warn_after_s = claims->expires_s;
	claims->expires_s = claims->issued_s + TOKEN_EXTENDED_S;
}

static enum step check_name(struct request *r)
{
	struct field_errors errors = {.arena = &r->arena};
	struct str name = json_path_str(r->tree, "metadata.name");
	if (!name.len || str_eq(name, r->route.name))
		return STEP_NEXT;
	field_error_add(&errors, FIELD_ERROR_INVALID, STR("metadata.name"),
			json_string(&r->arena, name),
			"must match the service account name if specified");
	return request_invalid(r, STR("authentication.k8s.io"), STR("TokenRequest"), r->route.name,
			       &errors);
}

enum step token_request(struct request *r)
{
	struct arena *a = &r->arena;
	struct json *spec = json_need_object(a, r->tree, STR("spec"));
	if (check_name(r) == STEP_DONE)
		return STEP_DONE;
	if (node_restriction_of_token(r) == STEP_DONE)
		return STEP_DONE;
	struct object *account = snapshot_get(request_snapshot(r), KIND_SERVICE_ACCOUNT,
					      r->route.namespace, r->route.name);
	if (!account)
		return request_not_found(r, r->route.kind, r->route.name);
	struct json *wish = json_get(spec, STR("expirationSeconds"));
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
	if (!check_expiry(r, wish && wish->type == JSON_INT ? json_i64(wish) : TOKEN_DEFAULT_S) ||
	    (ref && ref->type == JSON_OBJECT && !bind_to(r, ref, &claims)))
		return STEP_DONE;
	int64_t seconds = life_of(r, wish), end_s = claims.issued_s + seconds;
	claims.expires_s = end_s;
	audiences_of(r, spec, &claims);
	extend(r, seconds, &claims);
	json_set(a, spec, STR("expirationSeconds"), json_int(a, seconds));
	if (!ref)
		json_set(a, spec, STR("boundObjectRef"), json_null(a));
	struct str token;
	struct err err;
	if (token_sign(r->server->tokens, a, &claims, &token, &err) != RC_OK)
		return request_fail_err(r, &err);
	struct json *status = json_object(a), *meta = json_need_object(a, r->tree, STR("metadata"));
	json_set_str(a, status, STR("token"), token);
	json_set_time(a, status, "expirationTimestamp", end_s * 1000000);
	json_set_str(a, r->tree, STR("kind"), STR("TokenRequest"));
	json_set_str(a, r->tree, STR("apiVersion"), STR("authentication.k8s.io/v1"));
	json_set_str(a, meta, STR("name"), r->route.name);
	json_set_str(a, meta, STR("namespace"), r->route.namespace);
	world_uuid(id);
	json_set_str(a, meta, STR("uid"), arena_str(a, str_n(id, 36)));
	json_set_time(a, meta, "creationTimestamp", claims.issued_s * 1000000);
	return review_answer(r, status);
}
