#include "server/jwt_keys.h"

#include <cjose/cjose.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/mem.h"

#define KEY_BYTES_MAX (64u << 10)

struct jwt_keys {
	uint32_t refs;
	size_t count;
	cjose_jwk_t *at[];
};

static const struct algorithm {
	const char *name;
	cjose_jwk_kty_t type;
	cjose_jwk_ec_curve curve;
} algorithms[] = {
	{"RS256", CJOSE_JWK_KTY_RSA},
	{"RS384", CJOSE_JWK_KTY_RSA},
	{"RS512", CJOSE_JWK_KTY_RSA},
	{"PS256", CJOSE_JWK_KTY_RSA},
	{"PS384", CJOSE_JWK_KTY_RSA},
	{"PS512", CJOSE_JWK_KTY_RSA},
	{"ES256", CJOSE_JWK_KTY_EC, CJOSE_JWK_EC_P_256},
	{"ES384", CJOSE_JWK_KTY_EC, CJOSE_JWK_EC_P_384},
	{"ES512", CJOSE_JWK_KTY_EC, CJOSE_JWK_EC_P_521},
};

static const struct algorithm *find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		if (str_is(name, algorithms[i].name))
			return &algorithms[i];
	return NULL;
}

bool jwt_algorithm_is_known(struct str name)
{
	return find(name) != NULL;
}

/* ---- keys ---- */

static bool is_usable(const cjose_jwk_t *key)
{
	cjose_jwk_kty_t type = cjose_jwk_get_kty(key, NULL);
	return type == CJOSE_JWK_KTY_EC || (type == CJOSE_JWK_KTY_RSA &&
					    cjose_jwk_get_keysize(key, NULL) >= JWT_RSA_LEAST_BITS);
}

static cjose_jwk_t *import_key(const struct json *tree)
{
	CLEANUP_BUF text = BUF_INIT(KEY_BYTES_MAX);
	json_write(&text, tree);
	if (text.is_full || text.len == 0)
		return NULL;
	cjose_jwk_t *key = cjose_jwk_import(text.data, text.len, NULL);
	if (!key || is_usable(key))
		return key;
	cjose_jwk_release(key);
	return NULL;
}

enum rc jwt_keys_parse(struct str text, struct jwt_keys **ret_keys, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct json *tree;
	TRY(json_parse(&a, text, &tree, NULL, err));
	const struct json *list = json_get(tree, STR("keys"));
	if (!list || list->type != JSON_ARRAY)
		return err_set(err, RC_INVALID, "key set: the list \"keys\" is missing");
	size_t count = json_count(list);
	if (count > JWT_KEYS_MAX)
		return err_set(err, RC_TOO_LARGE, "key set: %zu keys are more than %d", count,
			       JWT_KEYS_MAX);
	struct jwt_keys *keys = mem_alloc(sizeof(*keys) + count * sizeof(keys->at[0]));
	*keys = (struct jwt_keys){.refs = 1};
	for (size_t i = 0; i < count; i++) {
		cjose_jwk_t *key = import_key(json_at(list, i));
		if (key)
			keys->at[keys->count++] = key;
	}
	*ret_keys = keys;
	return RC_OK;
}

struct jwt_keys *jwt_keys_ref(struct jwt_keys *keys)
{
	if (keys)
		__atomic_add_fetch(&keys->refs, 1, __ATOMIC_RELAXED);
	return keys;
}

void jwt_keys_unref(struct jwt_keys *keys)
{
	if (!keys || __atomic_sub_fetch(&keys->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < keys->count; i++)
		cjose_jwk_release(keys->at[i]);
	free(keys);
}

size_t jwt_keys_count(const struct jwt_keys *keys)
{
	return keys ? keys->count : 0;
}

/* ---- tokens ---- */

enum rc jwt_parse(struct arena *a, struct str text, struct jwt *ret_jwt, struct err *err)
{
	struct str header_text, rest, body_text, signature, header_json, body_json;
	struct json *header;
	*ret_jwt = (struct jwt){.text = text};
	if (text.len > JWT_BYTES_MAX || !str_cut(text, '.', &header_text, &rest) ||
	    !str_cut(rest, '.', &body_text, &signature) || memchr(signature.at, '.', signature.len))
		return err_set(err, RC_UNAUTHORIZED, "oidc: malformed jwt");
	if (!base64url_decode(a, header_text, &header_json) ||
	    !base64url_decode(a, body_text, &body_json) ||
	    json_parse(a, header_json, &header, NULL, NULL) != RC_OK ||
	    json_parse(a, body_json, &ret_jwt->claims, NULL, NULL) != RC_OK ||
	    ret_jwt->claims->type != JSON_OBJECT || header->type != JSON_OBJECT)
		return err_set(err, RC_UNAUTHORIZED, "oidc: malformed jwt");
	/* What a token says that must be understood (RFC 7515 §4.1.11), we do not. */
	if (json_get(header, STR("crit")))
		return err_set(err, RC_UNAUTHORIZED, "oidc: unsupported crit header");
	ret_jwt->algorithm = json_path_str(header, "alg");
	ret_jwt->key_id = json_path_str(header, "kid");
	return RC_OK;
}

static bool fits(const struct jwt *jwt, const struct algorithm *algorithm, const cjose_jwk_t *key)
{
	const char *id = cjose_jwk_get_kid(key, NULL);
	if (jwt->key_id.len && (!id || !str_is(jwt->key_id, id)))
		return false;
	if (cjose_jwk_get_kty(key, NULL) != algorithm->type)
		return false;
	return algorithm->type != CJOSE_JWK_KTY_EC ||
	       cjose_jwk_EC_get_curve(key, NULL) == algorithm->curve;
}

/* The library keeps what it found in the token, so each try has one of its own. */
static bool verify(const struct jwt *jwt, const cjose_jwk_t *key)
{
	cjose_jws_t *jws = cjose_jws_import(jwt->text.at, jwt->text.len, NULL);
	bool is_good = jws && cjose_jws_verify(jws, key, NULL);
	cjose_jws_release(jws);
	return is_good;
}

bool jwt_is_signed_by(const struct jwt *jwt, const struct jwt_keys *keys)
{
	const struct algorithm *algorithm = find(jwt->algorithm);
	for (size_t i = 0; algorithm && i < jwt_keys_count(keys); i++)
		if (fits(jwt, algorithm, keys->at[i]) && verify(jwt, keys->at[i]))
			return true;
	return false;
}
