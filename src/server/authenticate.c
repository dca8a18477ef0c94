#include "server/authenticate.h"

#include "base/encode.h"
#include "base/log.h"
#include "server/account_secrets.h"
#include "server/node_authorizer.h"
#include "server/oidc.h"
#include "server/request_header.h"
#include "server/server.h"
#include "server/tokens.h"

void user_add_group(struct user *u, struct str group)
{
	if (u->group_count < REQUEST_GROUPS_MAX)
		u->groups[u->group_count++] = group;
}

void user_add_account_groups(struct arena *a, struct user *u, struct str namespace)
{
	user_add_group(u, STR("system:serviceaccounts"));
	user_add_group(u, arena_printf(a, "system:serviceaccounts:%.*s", STR_FMT(namespace)));
}

void user_add_extra(struct arena *a, struct user *u, struct str key, struct str value)
{
	if (value.len == 0)
		return;
	if (!u->extra)
		u->extra = json_object(a);
	json_append(a, json_need_array(a, u->extra, key), json_string(a, value));
}

/* One connection of HTTP/2 could carry any number of requests at once by somebody we do not know
 * (CVE-2023-44487). */
static void close_if_shared(struct request *r)
{
	if (http_version(r->exchange) == 20)
		http_close_after(r->exchange);
}

static enum step unauthorized(struct request *r)
{
	close_if_shared(r);
	return request_fail(r, RC_UNAUTHORIZED, "Unauthorized");
}

static bool take_certificate(struct request *r, const struct tls_identity *id)
{
	struct str node;
	if (!id->has_certificate || request_headers_is_proxy(r->server->request_headers, id))
		return false;
	r->user.name = id->common_name;
	for (size_t i = 0; i < id->organization_count; i++)
		user_add_group(&r->user, id->organizations[i]);
	user_add_group(&r->user, STR("system:authenticated"));
	/* The agent is proxy and name server as well, whose rights this group has; who only
	 * impersonates a node has them not. */
	if (user_is_node(&r->user, &node))
		user_add_group(&r->user, STR("skeg:agents"));
	CLEANUP_BUF hex = BUF_INIT(128);
	hex_add(&hex, str_n((const char *)id->sha256, sizeof(id->sha256)));
	user_add_extra(&r->arena, &r->user, STR("authentication.kubernetes.io/credential-id"),
		       arena_printf(&r->arena, "X509SHA256=%s", hex.data));
	return true;
}

static bool is_secret(struct str text, struct str secret)
{
	return text.len == secret.len && pki_equal(text.at, secret.at, secret.len);
}

static bool is_join_token(const struct cluster_keys *k, struct str token)
{
	struct str head, secret;
	if (!str_cut_last(token, ':', &head, &secret))
		secret = token;
	return is_secret(secret, k->join_secret);
}

/* A joining node has nothing but the token: enough for a signing request. */
static bool take_join_token(struct request *r, struct str token)
{
	if (!is_join_token(r->server->keys, token))
		return false;
	r->user.name = STR("system:bootstrap:node");
	user_add_group(&r->user, STR("system:bootstrappers"));
	user_add_group(&r->user, STR("system:bootstrappers:skeg:node"));
	user_add_group(&r->user, STR("system:authenticated"));
	return true;
}

static bool take_admin_token(struct request *r, struct str token)
{
	if (!is_secret(token, r->server->keys->admin_token))
		return false;
	r->user.name = STR("admin");
	user_add_group(&r->user, STR("system:masters"));
	user_add_group(&r->user, STR("system:authenticated"));
	return true;
}

static struct str bearer_of(const struct http_exchange *x)
{
	struct str value = http_header(x, "authorization"), scheme, token;
	if (!str_cut(str_trim(value), ' ', &scheme, &token) ||
	    !str_eq_nocase(scheme, STR("bearer")))
		return (struct str){};
	return str_trim(token);
}

/* ---- tokens of other issuers ---- */

static enum step refuse_issued(struct request *r, const struct err *err)
{
	log_debug("authentication", "%s", err->text);
	return unauthorized(r);
}

static enum step welcome_issued(struct request *r, const struct user *user)
{
	r->user = *user;
	user_add_group(&r->user, STR("system:authenticated"));
	return STEP_NEXT;
}

static void keys_came(struct request *r)
{
	struct user user;
	struct err err;
	struct str token = bearer_of(r->exchange);
	bool is_good = oidc_verify(r->server->oidc, &r->arena, token, &user, &err) == OIDC_GOOD;
	request_resume(r, is_good ? welcome_issued(r, &user) : refuse_issued(r, &err));
}

static enum step take_issued(struct request *r, struct str token)
{
	struct user user;
	struct err err;
	switch (oidc_verify(r->server->oidc, &r->arena, token, &user, &err)) {
	case OIDC_GOOD:
		return welcome_issued(r, &user);
	case OIDC_UNKNOWN:
		oidc_wait(r->server->oidc, r, token, keys_came);
		return STEP_LATER;
	case OIDC_BAD:
		return refuse_issued(r, &err);
	case OIDC_OTHER:
		break;
	}
	return unauthorized(r);
}

/* What the audit log should tell of a service account's token. */
static void note_token(struct request *r, const struct token_note *note)
{
	if (note->secret) {
		account_secrets_used(r->server->account_secrets, note->secret);
		r->token_note = "authentication.k8s.io/legacy-token";
		r->token_note_text = r->user.name;
	} else if (note->seconds_stale) {
		r->token_note = "authentication.k8s.io/stale-token";
		r->token_note_text = arena_printf(
			&r->arena, "subject: %.*s, seconds after warning threshold: %lld",
			STR_FMT(r->user.name), (long long)note->seconds_stale);
	}
}

static enum step take_token(struct request *r, struct str token)
{
	size_t count;
	const struct str *audiences = token_audiences(r->server->tokens, &count);
	struct token_note note = {};
	if (take_join_token(r, token) || take_admin_token(r, token))
		return STEP_NEXT;
	if (token_verify(r->server->tokens, &r->arena, request_snapshot(r), token, audiences, count,
			 &r->user, &note, NULL) != RC_OK)
		return take_issued(r, token);
	note_token(r, &note);
	return STEP_NEXT;
}

/* ---- nobody ---- */

/* A joining node asks for the authorities before it can trust or prove anything. */
static bool may_be_nobody(const struct request *r)
{
	const struct authentication_config *c = r->server->authentication;
	if (str_is(r->path, "/cacerts"))
		return true;
	if (c->refuses_anonymous)
		return false;
	for (size_t i = 0; i < c->anonymous_path_count; i++)
		if (str_eq(r->path, c->anonymous_paths[i]))
			return true;
	return !c->anonymous_paths;
}

static enum step take_nobody(struct request *r)
{
	if (!may_be_nobody(r))
		return unauthorized(r);
	close_if_shared(r);
	r->user.name = STR("system:anonymous");
	user_add_group(&r->user, STR("system:unauthenticated"));
	return STEP_NEXT;
}

enum step stage_authenticate(struct request *r)
{
	const struct tls_identity *id = http_identity(r->exchange);
	struct str token = bearer_of(r->exchange);
	if (id->has_certificate && (!id->is_verified || id->not_after_us < world_wall_us()))
		return unauthorized(r);
	switch (request_headers_take(r->server->request_headers, r, id)) {
	case HEADER_TAKEN:
		return STEP_NEXT;
	case HEADER_REFUSED:
		return unauthorized(r);
	case HEADER_NONE:
		break;
	}
	if (take_certificate(r, id))
		return STEP_NEXT;
	return token.len ? take_token(r, token) : take_nobody(r);
}

/* ---- how much may be sent ---- */

static bool is_plausible(struct server *s, struct str token)
{
	CLEANUP_ARENA a = {};
	struct user *user = ARENA_NEW(&a, struct user);
	if (token.len == 0)
		return false;
	if (is_join_token(s->keys, token) || is_secret(token, s->keys->admin_token) ||
	    token_is_signed(s->tokens, &a, token))
		return true;
	enum oidc_finding finding = oidc_verify(s->oidc, &a, token, user, NULL);
	return finding == OIDC_GOOD || finding == OIDC_UNKNOWN;
}

/* Then nobody needs to know who sends it, before the stage finds out. */
static bool is_short(struct http_exchange *x)
{
	struct str method = http_method(x);
	int64_t length;
	return str_is(method, "GET") || str_is(method, "HEAD") || /* nothing to send */
	       (str_to_i64(http_header(x, "content-length"), &length) &&
		length <= (int64_t)ANONYMOUS_BODY_MAX);
}

size_t authenticate_body_max(struct server *server, struct http_exchange *x)
{
	const struct tls_identity *id = http_identity(x);
	if (is_short(x))
		return ANONYMOUS_BODY_MAX;
	bool is_known = id->has_certificate ? id->is_verified && id->not_after_us > world_wall_us()
					    : is_plausible(server, bearer_of(x));
	return is_known ? REQUEST_BODY_MAX : ANONYMOUS_BODY_MAX;
}
