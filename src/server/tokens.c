/* Service account tokens are JSON Web Tokens (RFC 7519) signed with ES256 (RFC 7518 §3.4); their
 * claims are upstream's: iss, sub, aud, exp, iat, nbf, jti and "kubernetes.io". */
#include "server/tokens.h"

#include <pthread.h>

#include "api/api_ids.h"
#include "base/encode.h"
#include "base/map.h"
#include "server/node_authorizer.h"
#include "server/route.h"
#include "server/server.h"

#define TOKEN_MAX_BYTES (16u << 10)
#define LEGACY_ISSUER	"kubernetes/serviceaccount"
#define LEGACY_CLAIM	"kubernetes.io/serviceaccount/"

struct token_cache {
	const struct cluster_keys *keys;
	struct str issuer;
	pthread_mutex_t lock;
	struct map verified; /* SHA-256 of tokens whose signature is good */
	struct arena arena;
};

struct token_cache *token_cache_new(const struct cluster_keys *keys, struct str issuer)
{
	struct token_cache *c = NEW(struct token_cache);
	c->keys = keys;
	c->issuer = arena_str(&c->arena, issuer);
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void token_cache_free(struct token_cache *c)
{
	if (!c)
		return;
	map_done(&c->verified);
	pthread_mutex_destroy(&c->lock);
	arena_done(&c->arena);
	free(c);
}

struct str token_issuer(const struct token_cache *c)
{
	return c->issuer;
}

/* ---- signing ---- */

static struct json *reference(struct arena *a, struct str name, struct str uid)
{
	struct json *o = json_object(a);
	json_set_str(a, o, STR("name"), name);
	json_set_str(a, o, STR("uid"), uid);
	return o;
}

static struct str lower_kind(struct str kind)
{
	return str_is(kind, "Pod")	? STR("pod")
	       : str_is(kind, "Secret") ? STR("secret")
					: STR("node");
}

static struct json *private_claims(struct arena *a, const struct token_claims *t)
{
	struct json *k = json_object(a);
	json_set_str(a, k, STR("namespace"), t->namespace);
	if (t->node_name.len && !str_is(t->bound_kind, "Node"))
		json_set(a, k, STR("node"), reference(a, t->node_name, t->node_uid));
	if (t->bound_kind.len)
		json_set(a, k, lower_kind(t->bound_kind),
			 reference(a, t->bound_name, t->bound_uid));
	json_set(a, k, STR("serviceaccount"), reference(a, t->account, t->account_uid));
	return k;
}

static struct json *payload(struct token_cache *c, struct arena *a, const struct token_claims *t)
{
	struct json *p = json_object(a), *audiences = json_array(a);
	for (size_t i = 0; i < t->audience_count; i++)
		json_append(a, audiences, json_string(a, t->audiences[i]));
	json_set(a, p, STR("aud"), audiences);
	json_set(a, p, STR("exp"), json_int(a, t->expires_s));
	json_set(a, p, STR("iat"), json_int(a, t->issued_s));
	json_set_str(a, p, STR("iss"), c->issuer);
	json_set_str(a, p, STR("jti"), t->id);
	json_set(a, p, STR("kubernetes.io"), private_claims(a, t));
	json_set(a, p, STR("nbf"), json_int(a, t->issued_s));
	json_set(a, p, STR("sub"),
		 json_printf(a, "system:serviceaccount:%.*s:%.*s", STR_FMT(t->namespace),
			     STR_FMT(t->account)));
	return p;
}

static void add_part(struct buf *out, const struct json *tree)
{
	CLEANUP_BUF text = BUF_INIT(TOKEN_MAX_BYTES);
	json_write(&text, tree);
	base64url_add(out, buf_str(&text));
}

static enum rc sign(struct token_cache *c, struct arena *a, const struct json *claims,
		    struct str *ret_token, struct err *err)
{
	unsigned char signature[PKI_ES256_BYTES];
	struct json *header = json_object(a);
	json_set_str(a, header, STR("alg"), STR("ES256"));
	json_set_str(a, header, STR("kid"), c->keys->jwk.key_id);
	CLEANUP_BUF out = BUF_INIT(TOKEN_MAX_BYTES);
	add_part(&out, header);
	buf_add_char(&out, '.');
	add_part(&out, claims);
	TRY(pki_key_sign_es256(c->keys->service_account_key, buf_str(&out), signature, err));
	buf_add_char(&out, '.');
	base64url_add(&out, str_n((char *)signature, sizeof(signature)));
	TRY(buf_check(&out, "service account token", err));
	*ret_token = arena_str(a, buf_str(&out));
	return RC_OK;
}

enum rc token_sign(struct token_cache *c, struct arena *a, const struct token_claims *claims,
		   struct str *ret_token, struct err *err)
{
	return sign(c, a, payload(c, a, claims), ret_token, err);
}

static struct str account_name(struct arena *a, struct str namespace, struct str account)
{
	return arena_printf(a, "system:serviceaccount:%.*s:%.*s", STR_FMT(namespace),
			    STR_FMT(account));
}

enum rc token_sign_legacy(struct token_cache *c, struct arena *a, struct str namespace,
			  struct str account, struct str account_uid, struct str secret,
			  struct str *ret_token, struct err *err)
{
	struct json *p = json_object(a);
	json_set_str(a, p, STR("iss"), STR(LEGACY_ISSUER));
	json_set_str(a, p, STR(LEGACY_CLAIM "namespace"), namespace);
	json_set_str(a, p, STR(LEGACY_CLAIM "secret.name"), secret);
	json_set_str(a, p, STR(LEGACY_CLAIM "service-account.name"), account);
	json_set_str(a, p, STR(LEGACY_CLAIM "service-account.uid"), account_uid);
	json_set_str(a, p, STR("sub"), account_name(a, namespace, account));
	return sign(c, a, p, ret_token, err);
}

/* ---- verifying ---- */

static bool is_remembered(struct token_cache *c, struct str digest)
{
	pthread_mutex_lock(&c->lock);
	bool is_there = map_has(&c->verified, digest);
	pthread_mutex_unlock(&c->lock);
	return is_there;
}

static void remember(struct token_cache *c, struct str digest)
{
	pthread_mutex_lock(&c->lock);
	if (c->verified.count >= TOKEN_CACHE_MAX)
		map_done(&c->verified);
	map_set(&c->verified, digest, c);
	pthread_mutex_unlock(&c->lock);
}

static bool has_good_signature(struct token_cache *c, struct arena *a, struct str signed_part,
			       struct str signature_text, struct str token)
{
	unsigned char hash[32];
	struct str signature;
	pki_sha256(token, hash);
	struct str digest = str_n((char *)hash, sizeof(hash));
	if (is_remembered(c, digest))
		return true;
	if (!base64url_decode(a, signature_text, &signature) || signature.len != PKI_ES256_BYTES ||
	    !pki_key_verify_es256(c->keys->service_account_key, signed_part,
				  (const unsigned char *)signature.at))
		return false;
	remember(c, digest);
	return true;
}

static enum rc read_claims(struct token_cache *c, struct arena *a, struct str token,
			   struct json **ret_payload, struct err *err)
{
	struct str signed_part, signature, header, body, text;
	if (token.len > TOKEN_MAX_BYTES || !str_cut_last(token, '.', &signed_part, &signature) ||
	    !str_cut(signed_part, '.', &header, &body) || !base64url_decode(a, body, &text))
		return err_set(err, RC_UNAUTHORIZED, "invalid bearer token");
	if (!has_good_signature(c, a, signed_part, signature, token))
		return err_set(err, RC_UNAUTHORIZED, "invalid bearer token");
	if (json_parse(a, text, ret_payload, NULL, NULL) != RC_OK)
		return err_set(err, RC_UNAUTHORIZED, "invalid bearer token");
	return RC_OK;
}

/* A token that names no audience is for this server. */
static bool has_audience(const struct token_cache *c, const struct json *claims,
			 const struct str *audiences, size_t count)
{
	struct json *list = json_get(claims, STR("aud"));
	for (size_t k = 0; !list && k < count; k++)
		if (str_eq(audiences[k], c->issuer))
			return true;
	for (size_t i = 0; i < json_count(list); i++)
		for (size_t k = 0; k < count; k++)
			if (str_eq(json_str(json_at(list, i)), audiences[k]))
				return true;
	return false;
}

bool token_is_for(const struct token_cache *c, struct arena *a, struct str token,
		  struct str audience)
{
	struct str header, body, rest, text;
	struct json *claims;
	return str_cut(token, '.', &header, &rest) && str_cut(rest, '.', &body, &rest) &&
	       base64url_decode(a, body, &text) &&
	       json_parse(a, text, &claims, NULL, NULL) == RC_OK &&
	       has_audience(c, claims, &audience, 1);
}

static bool exists(const struct snapshot *s, uint16_t kind, struct str namespace,
		   const struct json *ref)
{
	struct object *o = snapshot_get(s, kind, namespace, json_path_str(ref, "name"));
	return o && str_eq(o->uid, json_path_str(ref, "uid"));
}

static enum rc check_claims(struct token_cache *c, const struct snapshot *s,
			    const struct json *claims, const struct str *audiences,
			    size_t audience_count, struct err *err)
{
	const struct json *private = json_get(claims, STR("kubernetes.io"));
	struct str namespace = json_path_str(private, "namespace");
	int64_t now_s = world_wall_us() / 1000000;
	if (!str_eq(json_path_str(claims, "iss"), c->issuer))
		return err_set(err, RC_UNAUTHORIZED, "invalid bearer token");
	if (json_i64(json_get(claims, STR("exp"))) <= now_s)
		return err_set(err, RC_UNAUTHORIZED, "service account token has expired");
	if (json_i64(json_get(claims, STR("nbf"))) > now_s + 60)
		return err_set(err, RC_UNAUTHORIZED, "service account token is not valid yet");
	if (!has_audience(c, claims, audiences, audience_count))
		return err_set(err, RC_UNAUTHORIZED,
			       "token audiences do not include one that this server accepts");
	if (!exists(s, KIND_SERVICE_ACCOUNT, namespace, json_get(private, STR("serviceaccount"))))
		return err_set(err, RC_UNAUTHORIZED,
			       "service account of the token has been deleted");
	/* A node beside a pod only tells where it was when the token was made. */
	const struct json *pod = json_get(private, STR("pod")),
			  *secret = json_get(private, STR("secret")),
			  *node = pod ? NULL : json_get(private, STR("node"));
	if ((pod && !exists(s, KIND_POD, namespace, pod)) ||
	    (secret && !exists(s, KIND_SECRET, namespace, secret)) ||
	    (node && !exists(s, KIND_NODE, (struct str){}, node)))
		return err_set(err, RC_UNAUTHORIZED,
			       "the object that the token is bound to has been deleted");
	return RC_OK;
}

/* Good as long as its Secret holds it. */
static enum rc check_legacy(struct arena *a, const struct snapshot *s, const struct json *claims,
			    struct str token, struct err *err)
{
	struct str namespace = json_str(json_get(claims, STR(LEGACY_CLAIM "namespace"))),
		   account = json_str(json_get(claims, STR(LEGACY_CLAIM "service-account.name"))),
		   uid = json_str(json_get(claims, STR(LEGACY_CLAIM "service-account.uid"))),
		   name = json_str(json_get(claims, STR(LEGACY_CLAIM "secret.name"))), held;
	struct object *o = snapshot_get(s, KIND_SERVICE_ACCOUNT, namespace, account),
		      *secret = snapshot_get(s, KIND_SECRET, namespace, name);
	const struct json *tree = secret ? object_tree(a, secret) : NULL;
	if (!o || !str_eq(o->uid, uid))
		return err_set(err, RC_UNAUTHORIZED,
			       "service account of the token has been deleted");
	if (!secret || secret->is_deleting || object_label(secret, STR(TOKEN_INVALID_LABEL)).len ||
	    !base64_decode(a, json_path_str(tree, "data.token"), &held) || !str_eq(held, token))
		return err_set(err, RC_UNAUTHORIZED, "the Secret of the token has been deleted");
	return RC_OK;
}

static void add_group(struct user *u, struct str group)
{
	if (u->group_count < REQUEST_GROUPS_MAX)
		u->groups[u->group_count++] = group;
}

static void add_extra(struct arena *a, struct user *u, const char *key, struct str value)
{
	if (value.len == 0)
		return;
	if (!u->extra)
		u->extra = json_object(a);
	struct json *list = json_array(a);
	json_append(a, list, json_string(a, value));
	json_set(a, u->extra, str_of(key), list);
}

static void user_of_account(struct arena *a, struct user *u, struct str namespace,
			    struct str account, struct str uid)
{
	u->name = account_name(a, namespace, account);
	u->uid = uid;
	add_group(u, STR("system:serviceaccounts"));
	add_group(u, arena_printf(a, "system:serviceaccounts:%.*s", STR_FMT(namespace)));
	add_group(u, STR("system:authenticated"));
}

static void user_of_claims(struct arena *a, const struct json *claims, struct user *u)
{
	const struct json *private = json_get(claims, STR("kubernetes.io"));
	user_of_account(a, u, json_path_str(private, "namespace"),
			json_path_str(private, "serviceaccount.name"),
			json_path_str(private, "serviceaccount.uid"));
	struct str id = json_path_str(claims, "jti");
	if (id.len)
		add_extra(a, u, "authentication.kubernetes.io/credential-id",
			  arena_printf(a, "JTI=%.*s", STR_FMT(id)));
	add_extra(a, u, "authentication.kubernetes.io/node-name",
		  json_path_str(private, "node.name"));
	add_extra(a, u, "authentication.kubernetes.io/node-uid",
		  json_path_str(private, "node.uid"));
	add_extra(a, u, "authentication.kubernetes.io/pod-name",
		  json_path_str(private, "pod.name"));
	add_extra(a, u, "authentication.kubernetes.io/pod-uid", json_path_str(private, "pod.uid"));
}

enum rc token_verify(struct token_cache *c, struct arena *a, const struct snapshot *s,
		     struct str token, const struct str *audiences, size_t audience_count,
		     struct user *ret_user, struct err *err)
{
	struct json *claims;
	TRY(read_claims(c, a, token, &claims, err));
	if (str_is(json_path_str(claims, "iss"), LEGACY_ISSUER)) {
		TRY(check_legacy(a, s, claims, token, err));
		if (!has_audience(c, claims, audiences, audience_count))
			return err_set(err, RC_UNAUTHORIZED,
				       "token audiences do not include one that this server "
				       "accepts");
		*ret_user = (struct user){};
		user_of_account(
			a, ret_user, json_str(json_get(claims, STR(LEGACY_CLAIM "namespace"))),
			json_str(json_get(claims, STR(LEGACY_CLAIM "service-account.name"))),
			json_str(json_get(claims, STR(LEGACY_CLAIM "service-account.uid"))));
		return RC_OK;
	}
	TRY(check_claims(c, s, claims, audiences, audience_count, err));
	*ret_user = (struct user){};
	user_of_claims(a, claims, ret_user);
	return RC_OK;
}

/* ---- the stages ---- */

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
		add_group(&r->user, id->organizations[i]);
	add_group(&r->user, STR("system:authenticated"));
	/* The agent is proxy and name server as well, whose rights this group has; who only
	 * impersonates a node has them not. */
	if (user_is_node(&r->user, &node))
		add_group(&r->user, STR("skeg:agents"));
	CLEANUP_BUF hex = BUF_INIT(128);
	hex_add(&hex, str_n((const char *)id->sha256, sizeof(id->sha256)));
	add_extra(&r->arena, &r->user, "authentication.kubernetes.io/credential-id",
		  arena_printf(&r->arena, "X509SHA256=%s", hex.data));
	return true;
}

/* A joining node has nothing but the token: enough for a signing request. */
static bool take_join_token(struct request *r, struct str token)
{
	const struct cluster_keys *k = r->server->keys;
	struct str head, secret;
	if (!str_cut_last(token, ':', &head, &secret))
		secret = token;
	if (secret.len != k->join_secret.len ||
	    !pki_equal(secret.at, k->join_secret.at, secret.len))
		return false;
	r->user.name = STR("system:bootstrap:node");
	add_group(&r->user, STR("system:bootstrappers"));
	add_group(&r->user, STR("system:bootstrappers:skeg:node"));
	add_group(&r->user, STR("system:authenticated"));
	return true;
}

static bool take_admin_token(struct request *r, struct str token)
{
	const struct cluster_keys *k = r->server->keys;
	if (token.len != k->admin_token.len || !pki_equal(token.at, k->admin_token.at, token.len))
		return false;
	r->user.name = STR("admin");
	add_group(&r->user, STR("system:masters"));
	add_group(&r->user, STR("system:authenticated"));
	return true;
}

static enum step take_token(struct request *r, struct str token)
{
	struct str audience = r->server->tokens->issuer;
	if (take_join_token(r, token) || take_admin_token(r, token))
		return STEP_NEXT;
	if (token_verify(r->server->tokens, &r->arena, request_snapshot(r), token, &audience, 1,
			 &r->user, NULL) == RC_OK)
		return STEP_NEXT;
	return unauthorized(r);
}

static struct str bearer_of(const struct request *r)
{
	struct str value = http_header(r->exchange, "authorization"), scheme, token;
	if (!str_cut(str_trim(value), ' ', &scheme, &token) ||
	    !str_eq_nocase(scheme, STR("bearer")))
		return (struct str){};
	return str_trim(token);
}

enum step stage_authenticate(struct request *r)
{
	const struct tls_identity *id = http_identity(r->exchange);
	struct str token = bearer_of(r);
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
	if (token.len)
		return take_token(r, token);
	close_if_shared(r);
	r->user.name = STR("system:anonymous");
	add_group(&r->user, STR("system:unauthenticated"));
	return STEP_NEXT;
}

/* ---- impersonation ---- */

static bool may_impersonate(struct request *r, struct str group, struct str resource,
			    struct str subresource, struct str namespace, struct str name)
{
	struct attributes what = {.verb = STR("impersonate"),
				  .is_resource = true,
				  .group = group,
				  .resource = resource,
				  .subresource = subresource,
				  .namespace = namespace,
				  .name = name};
	if (authorizer_allows(r->server->authorizer, &r->user, &what))
		return true;
	struct api_kind kind = {.group = group, .plural = resource};
	request_forbidden(r, &kind, name,
			  authorizer_refusal(r->server->authorizer, &r->arena, &r->user, &what));
	return false;
}

static bool split_account(struct str name, struct str *ret_namespace, struct str *ret_account)
{
	static const struct str prefix = STR_INIT("system:serviceaccount:");
	return str_has_prefix(name, prefix) &&
	       str_cut(str_skip(name, prefix.len), ':', ret_namespace, ret_account);
}

static bool impersonate_groups(struct request *r, struct user *as)
{
	size_t at = 0;
	struct str value;
	while (http_header_next(r->exchange, "impersonate-group", &at, &value)) {
		if (!may_impersonate(r, STR(""), STR("groups"), STR(""), STR(""), value))
			return false;
		add_group(as, value);
	}
	return true;
}

static const struct str extra_prefix = STR_INIT("impersonate-extra-");

static struct str extra_key(struct request *r, struct str header)
{
	return percent_decode(&r->arena, str_skip(header, extra_prefix.len), false);
}

static bool impersonate_extra(struct request *r, struct user *as)
{
	size_t count;
	const struct http_header *headers = http_headers(r->exchange, &count);
	for (size_t i = 0; i < count; i++) {
		if (!str_has_prefix(headers[i].name, extra_prefix))
			continue;
		struct str key = extra_key(r, headers[i].name);
		if (!may_impersonate(r, STR("authentication.k8s.io"), STR("userextras"), key,
				     STR(""), headers[i].value))
			return false;
		if (!as->extra)
			as->extra = json_object(&r->arena);
		struct json *list = json_get(as->extra, key);
		if (!list) {
			list = json_array(&r->arena);
			json_set(&r->arena, as->extra, key, list);
		}
		json_append(&r->arena, list, json_string(&r->arena, headers[i].value));
	}
	return true;
}

static void default_groups(struct request *r, struct user *as, struct str namespace)
{
	if (as->group_count == 0 && namespace.len) {
		add_group(as, STR("system:serviceaccounts"));
		add_group(as, arena_printf(&r->arena, "system:serviceaccounts:%.*s",
					   STR_FMT(namespace)));
	}
	bool is_anonymous = str_is(as->name, "system:anonymous");
	struct str all = is_anonymous ? STR("system:unauthenticated") : STR("system:authenticated");
	if (!user_is_in(as, STR("system:unauthenticated")) && !user_is_in(as, all))
		add_group(as, all);
}

/* Rights of somebody, but of whom?  The requests as upstream prints their references: {Kind
 * Namespace Name UID APIVersion ResourceVersion FieldPath}. */
static enum step nobody_to_impersonate(struct request *r)
{
	static const char version[] = "authentication.k8s.io/v1";
	CLEANUP_BUF list = BUF_INIT(64u << 10);
	struct str value, uid = http_header(r->exchange, "impersonate-uid");
	size_t at = 0, count;
	const struct http_header *headers = http_headers(r->exchange, &count);
	while (http_header_next(r->exchange, "impersonate-group", &at, &value))
		buf_printf(&list, "%s{Group  %.*s    }", list.len ? " " : "", STR_FMT(value));
	for (size_t i = 0; i < count; i++)
		if (str_has_prefix(headers[i].name, extra_prefix))
			buf_printf(&list, "%s{UserExtra  %.*s  %s  %.*s}", list.len ? " " : "",
				   STR_FMT(headers[i].value), version,
				   STR_FMT(extra_key(r, headers[i].name)));
	if (uid.at)
		buf_printf(&list, "%s{UID  %.*s  %s  }", list.len ? " " : "", STR_FMT(uid),
			   version);
	if (list.len == 0)
		return STEP_NEXT;
	return request_fail(r, RC_BAD_REQUEST, "requested [%.*s] without impersonating a user",
			    STR_FMT(buf_str(&list)));
}

enum step stage_impersonate(struct request *r)
{
	struct str name = http_header(r->exchange, "impersonate-user"), namespace = {}, account;
	struct str uid = http_header(r->exchange, "impersonate-uid");
	if (!name.len)
		return nobody_to_impersonate(r);
	struct user *as = ARENA_NEW(&r->arena, struct user);
	as->name = name;
	as->uid = uid;
	bool is_allowed =
		split_account(name, &namespace, &account)
			? may_impersonate(r, STR(""), STR("serviceaccounts"), STR(""), namespace,
					  account)
			: may_impersonate(r, STR(""), STR("users"), STR(""), STR(""), name);
	if (!is_allowed || !impersonate_groups(r, as) || !impersonate_extra(r, as))
		return STEP_DONE;
	if (uid.at &&
	    !may_impersonate(r, STR("authentication.k8s.io"), STR("uids"), STR(""), STR(""), uid))
		return STEP_DONE;
	default_groups(r, as, namespace);
	r->user = *as;
	return STEP_NEXT;
}
