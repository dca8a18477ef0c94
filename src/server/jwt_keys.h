/* jwt_keys: the public keys of an issuer (JSON Web Key Set) and signatures made with them.
 *
 * Asymmetric keys alone: symmetric ones, unknown kinds and RSA keys below JWT_RSA_LEAST_BITS are
 * left out, so that no public text can serve as a secret.  A set is immutable and refcounted.
 * Threads: all calls safe.  Limits: JWT_BYTES_MAX a token, JWT_KEYS_MAX keys of a set.
 * Sources: RFC 7515 (signatures), 7517 (keys), 7518 (algorithms); the library is cjose. */
#ifndef SKEG_SERVER_JWT_KEYS_H
#define SKEG_SERVER_JWT_KEYS_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

#define JWT_BYTES_MAX	   (16u << 10)
#define JWT_KEYS_MAX	   256
#define JWT_RSA_LEAST_BITS 1024
#define JWT_ALGORITHMS	   "RS256,RS384,RS512,ES256,ES384,ES512,PS256,PS384,PS512"

struct jwt_keys;

bool jwt_algorithm_is_known(struct str name);

[[nodiscard]] enum rc jwt_keys_parse(struct str text, struct jwt_keys **ret_keys, struct err *err);
struct jwt_keys *jwt_keys_ref(struct jwt_keys *keys);
void jwt_keys_unref(struct jwt_keys *keys); /* NULL is fine */
size_t jwt_keys_count(const struct jwt_keys *keys);

/* A token in compact form, not verified yet. */
struct jwt {
	struct str text, algorithm, key_id; /* key_id absent: any key may be meant */
	struct json *claims;
};
[[nodiscard]] enum rc jwt_parse(struct arena *a, struct str text, struct jwt *ret_jwt,
				struct err *err);
/* Did one of the keys, fit for the algorithm, sign it?  false also for keys NULL. */
bool jwt_is_signed_by(const struct jwt *jwt, const struct jwt_keys *keys);

#endif
