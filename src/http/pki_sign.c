/* Signatures and digests: ES256 in the raw form of JSON Web Signatures, SHA-256, key ids. */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "http/openssl_util.h"
#include "http/pki.h"

#define COORDINATE_BYTES  32
#define DER_SIGNATURE_MAX 96

void pki_sha256(struct str bytes, unsigned char out[32])
{
	int done = EVP_Digest(bytes.at ? bytes.at : "", bytes.len, out, NULL, EVP_sha256(), NULL);
	ASSERT(done == 1);
}

void pki_hmac_sha256(struct str key, struct str bytes, unsigned char out[32])
{
	unsigned int len = 32;
	HMAC(EVP_sha256(), key.at ? key.at : "", (int)key.len, (const unsigned char *)bytes.at,
	     bytes.len, out, &len);
	ASSERT(len == 32);
}

bool pki_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

/* --- keys that are kept --- */

struct pki_key {
	EVP_PKEY *key;
	bool is_p256;
};

static bool key_is_p256(EVP_PKEY *key)
{
	char group[32] = "";
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
		return false;
	EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
	return strcmp(group, "prime256v1") == 0;
}

enum rc pki_key_load(struct str pem, struct pki_key **ret_key, struct err *err)
{
	EVP_PKEY *key;
	TRY(openssl_public_read(pem, &key, err));
	*ret_key = NEW(struct pki_key);
	(*ret_key)->key = key;
	(*ret_key)->is_p256 = key_is_p256(key);
	return RC_OK;
}

void pki_key_free(struct pki_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->key);
	free(key);
}

/* --- ES256: OpenSSL speaks DER, tokens r || s (RFC 7518 §3.4) --- */

static bool raw_from_der(const unsigned char *der, size_t len, unsigned char out[PKI_ES256_BYTES])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	bool is_fine =
		sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, COORDINATE_BYTES) > 0 &&
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + COORDINATE_BYTES, COORDINATE_BYTES) > 0;
	ECDSA_SIG_free(sig);
	return is_fine;
}

static int der_from_raw(const unsigned char raw[PKI_ES256_BYTES], unsigned char **ret_der)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	ECDSA_SIG_set0(sig, BN_bin2bn(raw, COORDINATE_BYTES, NULL),
		       BN_bin2bn(raw + COORDINATE_BYTES, COORDINATE_BYTES, NULL));
	*ret_der = NULL;
	int len = i2d_ECDSA_SIG(sig, ret_der);
	ECDSA_SIG_free(sig);
	return len;
}

enum rc pki_key_sign_es256(const struct pki_key *key, struct str bytes,
			   unsigned char ret_signature[PKI_ES256_BYTES], struct err *err)
{
	unsigned char der[DER_SIGNATURE_MAX];
	size_t len = sizeof(der);
	if (!key->is_p256)
		return err_set(err, RC_INVALID, "ES256: want an ECDSA key on P-256");
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool is_fine = EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->key) == 1 &&
		       EVP_DigestSign(context, der, &len, (const unsigned char *)bytes.at,
				      bytes.len) == 1 &&
		       raw_from_der(der, len, ret_signature);
	EVP_MD_CTX_free(context);
	return is_fine ? RC_OK : openssl_err(err, RC_INVALID, "ES256: sign");
}

static bool verify(EVP_PKEY *key, struct str bytes, const unsigned char *signature, size_t len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool is_fine = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
		       EVP_DigestVerify(context, signature, len, (const unsigned char *)bytes.at,
					bytes.len) == 1;
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return is_fine;
}

bool pki_key_verify_es256(const struct pki_key *key, struct str bytes,
			  const unsigned char signature[PKI_ES256_BYTES])
{
	unsigned char *der;
	if (!key->is_p256)
		return false;
	int len = der_from_raw(signature, &der);
	bool is_fine = len > 0 && verify(key->key, bytes, der, (size_t)len);
	OPENSSL_free(der);
	return is_fine;
}

enum rc pki_sign_es256(struct str key_pem, struct str bytes,
		       unsigned char ret_signature[PKI_ES256_BYTES], struct err *err)
{
	struct pki_key *key;
	TRY(pki_key_load(key_pem, &key, err));
	enum rc rc = pki_key_sign_es256(key, bytes, ret_signature, err);
	pki_key_free(key);
	return rc;
}

bool pki_verify_es256(struct str public_pem, struct str bytes,
		      const unsigned char signature[PKI_ES256_BYTES])
{
	struct pki_key *key;
	if (pki_key_load(public_pem, &key, NULL) != RC_OK)
		return false;
	bool is_fine = pki_key_verify_es256(key, bytes, signature);
	pki_key_free(key);
	return is_fine;
}

/* --- JSON Web Keys --- */

static struct str base64url(struct arena *a, const void *bytes, size_t len)
{
	CLEANUP_BUF text = BUF_INIT(1024);
	base64url_add(&text, str_n(bytes, len));
	return arena_str(a, buf_str(&text));
}

static struct str coordinate(struct arena *a, EVP_PKEY *key, const char *name)
{
	BIGNUM *number = NULL;
	unsigned char bytes[COORDINATE_BYTES];
	int got = EVP_PKEY_get_bn_param(key, name, &number);
	ASSERT(got == 1);
	BN_bn2binpad(number, bytes, sizeof(bytes));
	BN_free(number);
	return base64url(a, bytes, sizeof(bytes));
}

static struct str key_id(struct arena *a, EVP_PKEY *key)
{
	unsigned char *der = NULL, digest[32];
	int len = i2d_PUBKEY(key, &der);
	ASSERT(len > 0);
	pki_sha256(str_n((const char *)der, (size_t)len), digest);
	OPENSSL_free(der);
	return base64url(a, digest, sizeof(digest));
}

enum rc pki_jwk(struct arena *a, struct str public_pem, struct pki_jwk *ret_jwk, struct err *err)
{
	CLEANUP(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	TRY(openssl_public_read(public_pem, &key, err));
	if (!key_is_p256(key))
		return err_set(err, RC_INVALID, "JSON Web Key: want an ECDSA key on P-256");
	ret_jwk->x = coordinate(a, key, OSSL_PKEY_PARAM_EC_PUB_X);
	ret_jwk->y = coordinate(a, key, OSSL_PKEY_PARAM_EC_PUB_Y);
	ret_jwk->key_id = key_id(a, key);
	return RC_OK;
}
