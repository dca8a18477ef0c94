/* Service account tokens are JSON Web Tokens (RFC 7519) signed with ES256 (RFC 7518 §3.4); their
 * claims are upstream's: iss, sub, aud, exp, iat, nbf, jti and "kubernetes.io". */
#include "server/tokens.h"

#include <pthread.h>

#include "api/api_ids.h"
#include "base/encode.h"
#include "base/map.h"
#include "base/timefmt.h"
#include "server/authenticate.h"
#include "server/route.h"
#include "server/server.h"

#define TOKEN_MAX_BYTES (16u << 10)
#define TOKEN_LEEWAY_S	60 /* clocks of issuer and reader may differ by this much */
#define LEGACY_ISSUER	"kubernetes/serviceaccount"
#define LEGACY_CLAIM	"kubernetes.io/serviceaccount/"

struct token_cache {
	const struct cluster_keys *keys;
	struct str *issuers, *audiences; /* the first issuer signs */
	size_t issuer_count, audience_count;
	struct str jwks_uri;
	int64_t max_life_s;
	bool extends_expiry;
	pthread_mutex_t lock;
	struct map verified; /* SHA-256 of tokens whose signature is good */
	struct arena arena;
};

static struct str *copy_all(struct arena *a, const char *const *texts, size_t count)
{
	struct str *copies = ARENA_ARRAY(a, struct str, count + 1);
	for (size_t i = 0; i < count; i++)
		copies[i] = arena_str(a, str_of(texts[i]));
	return copies;
}

struct token_cache *token_cache_new(const struct cluster_keys *keys,
				    const struct token_options *options)
{
	struct token_cache *c = NEW(struct token_cache);
	ASSERT(options->issuer_count);
	c->keys = keys;
	c->issuers = copy_all(&c->arena, options->issuers, options->issuer_count);
	c->issuer_count = options->issuer_count;
	c->audiences = c->issuers;
	c->audience_count = c->issuer_count;
	if (options->audience_count) {
		c->audiences = copy_all(&c->arena, options->audiences, options->audience_count);
		c->audience_count = options->audience_count;
	}
	c->jwks_uri = arena_str(&c->arena, str_of(options->jwks_uri));
	c->max_life_s = options->max_life_s;
	c->extends_expiry = options->extends_expiry;
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
	return c->issuers[0];
}

const struct str *token_audiences(const struct token_cache *c, size_t *ret_count)
{
	*ret_count = c->audience_count;
	return c->audiences;
}

struct str token_jwks_uri(const struct token_cache *c)
{
	return c->jwks_uri;
}

int64_t token_max_life_s(const struct token_cache *c)
{
	return c->max_life_s;
}

static bool is_one_of(struct str text, const struct str *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(text, list[i]))
			return true;
	return false;
}

bool token_extends(const struct token_cache *c, const struct str *audiences, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_one_of(audiences[i], c->audiences, c->audience_count))
			return false;
	return c->extends_expiry && count;
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
	if (t->warn_after_s)
		json_set(a, k, STR("warnafter"), json_int(a, t->warn_after_s));
	return k;
}

static struct str account_name(struct arena *a, struct str namespace, struct str account)
{
	return arena_printf(a, "system:serviceaccount:%.*s:%.*s", STR_FMT(namespace),
			    STR_FMT(account));
}

static struct json *payload(struct token_cache *c, struct arena *a, const struct token_claims *t)
{
	struct json *p = json_object(a), *audiences = json_array(a);
	for (size_t i = 0; i < t->audience_count; i++)
		json_append(a, audiences, json_string(a, t->audiences[i]));
	json_set(a, p, STR("aud"), audiences);
	json_set(a, p, STR("exp"), json_int(a, t->expires_s));
	json_set(a, p, STR("iat"), json_int(a, t->issued_s));
	json_set_str(a, p, STR("iss"), c->issuers[0]);
	json_set_str(a, p, STR("jti"), t->id);
	json_set(a, p, STR("kubernetes.io"), private_claims(a, t));
	json_set(a, p, STR("nbf"), json_int(a, t->issued_s));
	json_set_str(a, p, STR("sub"), account_name(a, t->namespace, t->account));
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

/* The claims' text of a token with a good signature. */
static bool read_body(struct token_cache *c, struct arena *a, struct str token,
		      struct str *ret_body)
{
	struct str signed_part, signature, header, body;
	return token.len <= TOKEN_MAX_BYTES && str_cut_last(token, '.', &signed_part, &signature) &&
	       str_cut(signed_part, '.', &header, &body) && base64url_decode(a, body, ret_body) &&
	       has_good_signature(c, a, signed_part, signature, token);
}

static enum rc read_claims(struct token_cache *c, struct arena *a, struct str token,
			   struct json **ret_payload, struct err *err)
{
	struct str body;
	if (!read_body(c, a, token, &body) || json_parse(a, body, ret_payload, NULL, NULL) != RC_OK)
		return err_set(err, RC_UNAUTHORIZED, "invalid bearer token");
	return RC_OK;
}

/* A token that names no audience is for this server. */
static bool has_audience(const struct token_cache *c, const struct json *claims,
			 const struct str *audiences, size_t count)
{
	struct json *list = json_get(claims, STR("aud"));
	for (size_t k = 0; !list && k < count; k++)
		if (is_one_of(audiences[k], c->audiences, c->audience_count))
			return true;
	if (list && list->type == JSON_STRING)
		return is_one_of(list->string, audiences, count);
	for (size_t i = 0; i < json_count(list); i++)
		if (is_one_of(json_str(json_at(list, i)), audiences, count))
			return true;
	return false;
}

bool token_is_signed(struct token_cache *c, struct arena *a, struct str token)
{
	struct str body;
	return read_body(c, a, token, &body);
}

size_t token_is_for(const struct token_cache *c, struct arena *a, struct str token,
		    const struct str *asked, size_t count, struct str *ret_named)
{
	struct str header, body, rest, text;
	struct json *claims;
	size_t named = 0;
	if (!str_cut(token, '.', &header, &rest) || !str_cut(rest, '.', &body, &rest) ||
	    !base64url_decode(a, body, &text) || json_parse(a, text, &claims, NULL, NULL) != RC_OK)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (has_audience(c, claims, &asked[i], 1))
			ret_named[named++] = asked[i];
	return named;
}

static bool has_gone(const struct object *o)
{
	int64_t gone_us;
	CLEANUP_ARENA a = {};
	return o->is_deleting &&
	       time_parse(json_path_str(object_tree(&a, o), "metadata.deletionTimestamp"),
			  &gone_us) &&
	       gone_us < world_wall_us() - TOKEN_LEEWAY_S * INT64_C(1000000);
}

/* The object that a claim names; what is being deleted for longer than clocks may differ counts as
 * gone. */
static enum rc check_object(const struct snapshot *s, uint16_t kind, const char *what,
			    struct str namespace, const struct json *ref, struct err *err)
{
	struct object *o = snapshot_get(s, kind, namespace, json_path_str(ref, "name"));
	struct str uid = json_path_str(ref, "uid");
	if (!o || has_gone(o))
		return err_set(err, RC_UNAUTHORIZED, "service account token has been invalidated");
	if (!str_eq(o->uid, uid))
		return err_set(err, RC_UNAUTHORIZED, "%s UID (%.*s) does not match claim (%.*s)",
			       what, STR_FMT(o->uid), STR_FMT(uid));
	return RC_OK;
}

static enum rc check_times(const struct json *claims, struct err *err)
{
	int64_t now_s = world_wall_us() / 1000000;
	if (json_i64(json_get(claims, STR("exp"))) + TOKEN_LEEWAY_S <= now_s)
		return err_set(err, RC_UNAUTHORIZED, "service account token has expired");
	if (json_i64(json_get(claims, STR("nbf"))) - TOKEN_LEEWAY_S > now_s)
		return err_set(err, RC_UNAUTHORIZED, "service account token is not valid yet");
	if (json_i64(json_get(claims, STR("iat"))) - TOKEN_LEEWAY_S > now_s)
		return err_set(err, RC_UNAUTHORIZED,
			       "service account token is issued in the future");
	return RC_OK;
}

/* As Go's %q prints a list. */
static struct str quoted(struct arena *a, const struct str *list, size_t count)
{
	CLEANUP_BUF text = BUF_INIT(4096);
	for (size_t i = 0; i < count; i++)
		buf_printf(&text, "%s\"%.*s\"", i ? " " : "", STR_FMT(list[i]));
	return arena_str(a, buf_str(&text));
}

static enum rc wrong_audience(const struct token_cache *c, struct arena *a,
			      const struct json *claims, const struct str *audiences, size_t count,
			      struct err *err)
{
	struct json *list = json_get(claims, STR("aud"));
	size_t own_count = list ? json_count(list) : c->audience_count;
	struct str *own = ARENA_ARRAY(a, struct str, own_count + 1);
	for (size_t i = 0; i < own_count; i++)
		own[i] = list ? json_str(json_at(list, i)) : c->audiences[i];
	struct str mine = quoted(a, own, own_count), wanted = quoted(a, audiences, count);
	return err_set(err, RC_UNAUTHORIZED,
		       "token audiences [%.*s] is invalid for the target audiences [%.*s]",
		       STR_FMT(mine), STR_FMT(wanted));
}

/* A node beside a pod only tells where it was when the token was made. */
static enum rc check_bound(const struct snapshot *s, const struct json *private, struct err *err)
{
	struct str namespace = json_path_str(private, "namespace");
	const struct json *pod = json_get(private, STR("pod")),
			  *secret = json_get(private, STR("secret")),
			  *node = pod ? NULL : json_get(private, STR("node"));
	TRY(check_object(s, KIND_SERVICE_ACCOUNT, "service account", namespace,
			 json_get(private, STR("serviceaccount")), err));
	if (secret)
		TRY(check_object(s, KIND_SECRET, "secret", namespace, secret, err));
	if (pod)
		TRY(check_object(s, KIND_POD, "pod", namespace, pod, err));
	return node ? check_object(s, KIND_NODE, "node", (struct str){}, node, err) : RC_OK;
}

static enum rc check_claims(struct token_cache *c, struct arena *a, const struct snapshot *s,
			    const struct json *claims, const struct str *audiences,
			    size_t audience_count, struct err *err)
{
	if (!is_one_of(json_path_str(claims, "iss"), c->issuers, c->issuer_count))
		return err_set(err, RC_UNAUTHORIZED, "invalid bearer token");
	if (!has_audience(c, claims, audiences, audience_count))
		return wrong_audience(c, a, claims, audiences, audience_count, err);
	TRY(check_times(claims, err));
	return check_bound(s, json_get(claims, STR("kubernetes.io")), err);
}

static enum rc marked_invalid(struct str namespace, struct str secret, struct str account,
			      struct err *err)
{
	return err_set(err, RC_UNAUTHORIZED,
		       "the token in secret %.*s/%.*s for service account %.*s/%.*s has been "
		       "marked invalid. Use tokens from the TokenRequest API or manually created "
		       "secret-based tokens, or remove the '" TOKEN_INVALID_LABEL
		       "' label from the secret to temporarily allow use of this token",
		       STR_FMT(namespace), STR_FMT(secret), STR_FMT(namespace), STR_FMT(account));
}

/* Good as long as its Secret holds it. */
static enum rc check_legacy(struct arena *a, const struct snapshot *s, const struct json *claims,
			    struct str token, struct token_note *note, struct err *err)
{
	struct str namespace = json_str(json_get(claims, STR(LEGACY_CLAIM "namespace"))),
		   account = json_str(json_get(claims, STR(LEGACY_CLAIM "service-account.name"))),
		   uid = json_str(json_get(claims, STR(LEGACY_CLAIM "service-account.uid"))),
		   name = json_str(json_get(claims, STR(LEGACY_CLAIM "secret.name"))), held;
	struct object *o = snapshot_get(s, KIND_SERVICE_ACCOUNT, namespace, account),
		      *secret = snapshot_get(s, KIND_SECRET, namespace, name);
	const struct json *tree = secret ? object_tree(a, secret) : NULL;
	if (!str_eq(json_path_str(claims, "sub"), account_name(a, namespace, account)))
		return err_set(err, RC_UNAUTHORIZED, "sub claim is invalid");
	if (!o || has_gone(o) || !secret || has_gone(secret) ||
	    !base64_decode(a, json_path_str(tree, "data.token"), &held) || !str_eq(held, token))
		return err_set(err, RC_UNAUTHORIZED, "service account token has been invalidated");
	if (!str_eq(o->uid, uid))
		return err_set(err, RC_UNAUTHORIZED,
			       "service account UID (%.*s) does not match claim (%.*s)",
			       STR_FMT(o->uid), STR_FMT(uid));
	if (object_label(secret, STR(TOKEN_INVALID_LABEL)).at)
		return marked_invalid(namespace, name, account, err);
	*note = (struct token_note){.secret = secret};
	return RC_OK;
}

static void user_of_account(struct arena *a, struct user *u, struct str namespace,
			    struct str account, struct str uid)
{
	u->name = account_name(a, namespace, account);
	u->uid = uid;
	user_add_account_groups(a, u, namespace);
	user_add_group(u, STR("system:authenticated"));
}

static void user_of_claims(struct arena *a, const struct json *claims, struct user *u)
{
	const struct json *private = json_get(claims, STR("kubernetes.io"));
	user_of_account(a, u, json_path_str(private, "namespace"),
			json_path_str(private, "serviceaccount.name"),
			json_path_str(private, "serviceaccount.uid"));
	struct str id = json_path_str(claims, "jti");
	if (id.len)
		user_add_extra(a, u, STR("authentication.kubernetes.io/credential-id"),
			       arena_printf(a, "JTI=%.*s", STR_FMT(id)));
	user_add_extra(a, u, STR("authentication.kubernetes.io/node-name"),
		       json_path_str(private, "node.name"));
	user_add_extra(a, u, STR("authentication.kubernetes.io/node-uid"),
		       json_path_str(private, "node.uid"));
	user_add_extra(a, u, STR("authentication.kubernetes.io/pod-name"),
		       json_path_str(private, "pod.name"));
	user_add_extra(a, u, STR("authentication.kubernetes.io/pod-uid"),
		       json_path_str(private, "pod.uid"));
}

static enum rc verify_legacy(struct token_cache *c, struct arena *a, const struct snapshot *s,
			     struct str token, const struct json *claims,
			     const struct str *audiences, size_t audience_count,
			     struct user *ret_user, struct token_note *note, struct err *err)
{
	if (!has_audience(c, claims, audiences, audience_count))
		return wrong_audience(c, a, claims, audiences, audience_count, err);
	TRY(check_legacy(a, s, claims, token, note, err));
	*ret_user = (struct user){};
	user_of_account(a, ret_user, json_str(json_get(claims, STR(LEGACY_CLAIM "namespace"))),
			json_str(json_get(claims, STR(LEGACY_CLAIM "service-account.name"))),
			json_str(json_get(claims, STR(LEGACY_CLAIM "service-account.uid"))));
	return RC_OK;
}

enum rc token_verify(struct token_cache *c, struct arena *a, const struct snapshot *s,
		     struct str token, const struct str *audiences, size_t audience_count,
		     struct user *ret_user, struct token_note *ret_note, struct err *err)
{
	struct json *claims;
	*ret_note = (struct token_note){};
	TRY(read_claims(c, a, token, &claims, err));
	if (str_is(json_path_str(claims, "iss"), LEGACY_ISSUER))
		return verify_legacy(c, a, s, token, claims, audiences, audience_count, ret_user,
				     ret_note, err);
	TRY(check_claims(c, a, s, claims, audiences, audience_count, err));
	int64_t warn_s = json_i64(json_path(json_get(claims, STR("kubernetes.io")), "warnafter")),
		now_s = world_wall_us() / 1000000;
	if (warn_s && now_s > warn_s)
		ret_note->seconds_stale = now_s - warn_s;
	*ret_user = (struct user){};
	user_of_claims(a, claims, ret_user);
	return RC_OK;
}
