/* pki: keys, certificates, signing requests and signatures; everything ECDSA on P-256 where we make
 * it, RSA and P-384 too where we read it.
 *
 * Text is PEM in an arena of the caller.  Threads: all calls safe.
 * Sources: RFC 5280 (certificates), 2986 (PKCS#10), 7518 §3.4 (ES256), 7638 (thumbprint). */
#ifndef SKEG_HTTP_PKI_H
#define SKEG_HTTP_PKI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define PKI_PEM_MAX	 (256u << 10) /* of any text that comes in */
#define PKI_NAMES_MAX	 256	      /* organizations, alternative names */
#define PKI_CLOCK_SKEW_S 300	      /* certificates begin this much before now */

struct pki_pair {
	struct str cert_pem;
	struct str key_pem; /* PKCS#8 */
};

[[nodiscard]] enum rc pki_key_new(struct arena *a, struct str *ret_key_pem, struct err *err);
/* The public half of a private key or of a certificate, as PEM. */
[[nodiscard]] enum rc pki_public_key(struct arena *a, struct str key_or_cert_pem,
				     struct str *ret_public_pem, struct err *err);

[[nodiscard]] enum rc pki_ca_new(struct arena *a, const char *common_name, int64_t validity_s,
				 struct pki_pair *ret_ca, struct err *err);

/* What a certificate is issued for. */
struct pki_subject {
	struct str common_name;
	const struct str *organizations;
	size_t organization_count;
	const struct str
		*alt_names; /* DNS names (wildcards too) and IP addresses, told apart here */
	size_t alt_name_count;
	bool for_server, for_client; /* extended key usage */
	bool key_encipherment;	     /* key usage beside digitalSignature (RSA keys of CSRs) */
	int64_t validity_s;
};
/* A new key and its certificate; the text has the leaf only. */
[[nodiscard]] enum rc pki_issue(struct arena *a, const struct pki_pair *ca,
				const struct pki_subject *subject, struct pki_pair *ret_pair,
				struct err *err);

/* PKCS#10. */
[[nodiscard]] enum rc pki_csr_new(struct arena *a, struct str key_pem,
				  const struct pki_subject *subject, struct str *ret_csr_pem,
				  struct err *err);
struct pki_csr {
	struct str common_name;
	const struct str *organizations;
	size_t organization_count;
	const struct str *dns_names;
	size_t dns_name_count;
	const struct str *addresses; /* text of IP addresses */
	size_t address_count;
	const struct str *emails;
	size_t email_count;
	const struct str *uris;
	size_t uri_count;
	bool is_rsa;
	struct str public_key_pem;
};
/* Checks the request's own signature too.  RC_INVALID with the reason. */
[[nodiscard]] enum rc pki_csr_parse(struct arena *a, struct str csr_pem, struct pki_csr *ret_csr,
				    struct err *err);
/* Signs the request's public key for subject (which the caller made from the checked request). */
[[nodiscard]] enum rc pki_csr_sign(struct arena *a, const struct pki_pair *ca, struct str csr_pem,
				   const struct pki_subject *subject, struct str *ret_cert_pem,
				   struct err *err);

struct pki_cert {
	struct str common_name;
	const struct str *organizations;
	size_t organization_count;
	const struct str *dns_names;
	size_t dns_name_count;
	const struct str *addresses;
	size_t address_count;
	int64_t not_before_us, not_after_us;
	bool is_ca;
	struct str serial_hex;
};
[[nodiscard]] enum rc pki_cert_parse(struct arena *a, struct str cert_pem,
				     struct pki_cert *ret_cert, struct err *err);
/* When to issue it again: after four fifths of its life (counted from when it was issued), a
 * twentieth earlier or later by its serial number, so that not all come at once. */
int64_t pki_renewal_us(const struct pki_cert *cert);
/* Does cert verify against one of the authorities now?  RC_INVALID with the reason. */
[[nodiscard]] enum rc pki_cert_verify(struct str cert_pem, struct str ca_pem, struct err *err);
/* RC_INVALID unless the key belongs to the certificate. */
[[nodiscard]] enum rc pki_pair_check(const struct pki_pair *pair, struct err *err);

/* SHA-256 of the DER of the first certificate, lower-case hex: the CA hash in a join token. */
[[nodiscard]] enum rc pki_cert_hash(struct arena *a, struct str cert_pem, struct str *ret_hex,
				    struct err *err);
void pki_sha256(struct str bytes, unsigned char out[32]);
void pki_hmac_sha256(struct str key, struct str bytes, unsigned char out[32]);
bool pki_equal(const void *a, const void *b, size_t len); /* in constant time */

/* ES256: the signature is r || s, 64 bytes. */
#define PKI_ES256_BYTES 64
[[nodiscard]] enum rc pki_sign_es256(struct str key_pem, struct str bytes,
				     unsigned char ret_signature[PKI_ES256_BYTES], struct err *err);
/* public_pem: a public key, a private key or a certificate.  false: wrong signature or unfit key.
 */
bool pki_verify_es256(struct str public_pem, struct str bytes,
		      const unsigned char signature[PKI_ES256_BYTES]);

/* The same with a key that is parsed once: signing and checking tokens is frequent. */
struct pki_key;
[[nodiscard]] enum rc pki_key_load(struct str pem, struct pki_key **ret_key, struct err *err);
void pki_key_free(struct pki_key *key);
[[nodiscard]] enum rc pki_key_sign_es256(const struct pki_key *key, struct str bytes,
					 unsigned char ret_signature[PKI_ES256_BYTES],
					 struct err *err);
bool pki_key_verify_es256(const struct pki_key *key, struct str bytes,
			  const unsigned char signature[PKI_ES256_BYTES]);

/* A P-256 public key as JSON Web Key coordinates (base64url), and the key id that upstream uses:
 * base64url of SHA-256 of the DER SubjectPublicKeyInfo. */
struct pki_jwk {
	struct str x, y;
	struct str key_id;
};
[[nodiscard]] enum rc pki_jwk(struct arena *a, struct str public_pem, struct pki_jwk *ret_jwk,
			      struct err *err);

/* The body of the n-th PEM block whose label is type ("CERTIFICATE"), with its lines; false: none.
 */
bool pki_pem_block(struct str pem, const char *type, size_t n, struct str *ret_block);

#endif
