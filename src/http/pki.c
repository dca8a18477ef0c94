/* Certificates by OpenSSL 3.  Every function parses its PEM, works and frees: none is on a hot path
 * but the signatures of tokens, for which struct pki_key keeps the parsed key. */
#include "http/pki.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/encode.h"
#include "http/openssl_util.h"
#include "io/loop.h"

/* --- PEM in and out --- */

enum rc openssl_pem_open(struct str pem, const char *what, BIO **ret_bio, struct err *err)
{
	if (pem.len > PKI_PEM_MAX)
		return err_set(err, RC_TOO_LARGE, "%s: %zu bytes of PEM, at most %u are read", what,
			       pem.len, PKI_PEM_MAX);
	*ret_bio = BIO_new_mem_buf(pem.at ? pem.at : "", (int)pem.len);
	ASSERT(*ret_bio);
	return RC_OK;
}

static struct str bio_text(struct arena *a, BIO *bio)
{
	char *at;
	long len = BIO_get_mem_data(bio, &at);
	return arena_str(a, str_n(at, (size_t)len));
}

enum rc openssl_cert_read(struct str pem, X509 **ret_cert, struct err *err)
{
	CLEANUP(BIO_free_all_p) BIO *bio = NULL;
	TRY(openssl_pem_open(pem, "certificate", &bio, err));
	*ret_cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	return *ret_cert ? RC_OK : openssl_err(err, RC_INVALID, "certificate");
}

enum rc openssl_private_read(struct str pem, EVP_PKEY **ret_key, struct err *err)
{
	CLEANUP(BIO_free_all_p) BIO *bio = NULL;
	TRY(openssl_pem_open(pem, "private key", &bio, err));
	*ret_key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	return *ret_key ? RC_OK : openssl_err(err, RC_INVALID, "private key");
}

enum rc openssl_public_read(struct str pem, EVP_PKEY **ret_key, struct err *err)
{
	struct str block;
	if (pki_pem_block(pem, "CERTIFICATE", 0, &block)) {
		CLEANUP(X509_free_p) X509 *cert = NULL;
		TRY(openssl_cert_read(pem, &cert, err));
		*ret_key = X509_get_pubkey(cert);
		return *ret_key ? RC_OK : openssl_err(err, RC_INVALID, "public key");
	}
	if (!pki_pem_block(pem, "PUBLIC KEY", 0, &block))
		return openssl_private_read(pem, ret_key, err);
	CLEANUP(BIO_free_all_p) BIO *bio = NULL;
	TRY(openssl_pem_open(pem, "public key", &bio, err));
	*ret_key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	return *ret_key ? RC_OK : openssl_err(err, RC_INVALID, "public key");
}

static struct str cert_text(struct arena *a, X509 *cert)
{
	CLEANUP(BIO_free_all_p) BIO *bio = BIO_new(BIO_s_mem());
	int done = PEM_write_bio_X509(bio, cert);
	ASSERT(done == 1);
	return bio_text(a, bio);
}

static struct str key_text(struct arena *a, EVP_PKEY *key)
{
	CLEANUP(BIO_free_all_p) BIO *bio = BIO_new(BIO_s_secmem());
	int done = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	ASSERT(done == 1);
	return bio_text(a, bio);
}

bool pki_pem_block(struct str pem, const char *type, size_t n, struct str *ret_block)
{
	char begin[96], end[96];
	snprintf(begin, sizeof(begin), "-----BEGIN %s-----", type);
	snprintf(end, sizeof(end), "-----END %s-----", type);
	struct str rest = pem;
	for (;;) {
		const char *from = rest.at ? memmem(rest.at, rest.len, begin, strlen(begin)) : NULL;
		if (!from)
			return false;
		rest = str_skip(rest, (size_t)(from - rest.at));
		const char *to = memmem(rest.at, rest.len, end, strlen(end));
		if (!to)
			return false;
		size_t len = (size_t)(to - rest.at) + strlen(end);
		if (n-- == 0) {
			*ret_block = str_n(rest.at, len);
			return true;
		}
		rest = str_skip(rest, len);
	}
}

/* --- keys --- */

static EVP_PKEY *key_make(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	ASSERT(key);
	return key;
}

enum rc pki_key_new(struct arena *a, struct str *ret_key_pem, struct err *err)
{
	CLEANUP(EVP_PKEY_free_p) EVP_PKEY *key = key_make();
	*ret_key_pem = key_text(a, key);
	return RC_OK;
}

static struct str public_text(struct arena *a, EVP_PKEY *key)
{
	CLEANUP(BIO_free_all_p) BIO *bio = BIO_new(BIO_s_mem());
	int done = PEM_write_bio_PUBKEY(bio, key);
	ASSERT(done == 1);
	return bio_text(a, bio);
}

enum rc pki_public_key(struct arena *a, struct str key_or_cert_pem, struct str *ret_public_pem,
		       struct err *err)
{
	CLEANUP(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	TRY(openssl_public_read(key_or_cert_pem, &key, err));
	*ret_public_pem = public_text(a, key);
	return RC_OK;
}

/* --- names --- */

static void name_entry(X509_NAME *name, const char *field, struct str text)
{
	X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text.at,
				   (int)text.len, -1, 0);
}

static void name_fill(X509_NAME *name, const struct pki_subject *subject)
{
	for (size_t i = 0; i < subject->organization_count; i++)
		name_entry(name, "O", subject->organizations[i]);
	if (subject->common_name.len > 0)
		name_entry(name, "CN", subject->common_name);
}

static GENERAL_NAME *alt_name_make(struct str text)
{
	char host[256];
	unsigned char address[16];
	GENERAL_NAME *name = GENERAL_NAME_new();
	snprintf(host, sizeof(host), "%.*s", STR_FMT(text));
	int len = inet_pton(AF_INET, host, address) == 1    ? 4
		  : inet_pton(AF_INET6, host, address) == 1 ? 16
							    : 0;
	ASN1_STRING *value = len ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
	if (len)
		ASN1_STRING_set(value, address, len);
	else
		ASN1_STRING_set(value, text.at, (int)text.len);
	GENERAL_NAME_set0_value(name, len ? GEN_IPADD : GEN_DNS, value);
	return name;
}

static GENERAL_NAMES *alt_names_make(const struct pki_subject *subject)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	for (size_t i = 0; i < subject->alt_name_count; i++)
		sk_GENERAL_NAME_push(names, alt_name_make(subject->alt_names[i]));
	return names;
}

static enum rc subject_check(const struct pki_subject *subject, struct err *err)
{
	if (subject->organization_count > PKI_NAMES_MAX || subject->alt_name_count > PKI_NAMES_MAX)
		return err_set(err, RC_INVALID, "certificate: more than %d names", PKI_NAMES_MAX);
	if (subject->validity_s <= 0)
		return err_set(err, RC_INVALID, "certificate: validity must be positive");
	for (size_t i = 0; i < subject->alt_name_count; i++)
		if (subject->alt_names[i].len == 0 || subject->alt_names[i].len > 253)
			return err_set(err, RC_INVALID, "alternative name %zu: want 1 to 253 bytes",
				       i);
	if (subject->common_name.len > 64)
		return err_set(err, RC_INVALID, "common name: %zu bytes, at most 64 are allowed",
			       subject->common_name.len);
	return RC_OK;
}

/* --- certificates --- */

static void extension_add(X509 *cert, X509 *issuer, int nid, const char *text)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, text);
	ASSERT(extension);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

static void serial_set(X509 *cert)
{
	unsigned char bytes[16];
	world_random(bytes, sizeof(bytes));
	bytes[0] &= 0x7f;
	BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
}

static X509 *cert_begin(EVP_PKEY *key, int64_t validity_s)
{
	X509 *cert = X509_new();
	int64_t now_s = world_wall_us() / 1000000;
	X509_set_version(cert, X509_VERSION_3);
	serial_set(cert);
	ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(now_s - PKI_CLOCK_SKEW_S));
	ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(now_s + validity_s));
	X509_set_pubkey(cert, key);
	return cert;
}

enum rc pki_ca_new(struct arena *a, const char *common_name, int64_t validity_s,
		   struct pki_pair *ret_ca, struct err *err)
{
	struct pki_subject subject = {.common_name = str_of(common_name), .validity_s = validity_s};
	TRY(subject_check(&subject, err));
	CLEANUP(EVP_PKEY_free_p) EVP_PKEY *key = key_make();
	CLEANUP(X509_free_p) X509 *cert = cert_begin(key, validity_s);
	name_fill(X509_get_subject_name(cert), &subject);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	extension_add(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
	extension_add(cert, cert, NID_key_usage,
		      "critical,digitalSignature,keyEncipherment,keyCertSign");
	extension_add(cert, cert, NID_subject_key_identifier, "hash");
	if (X509_sign(cert, key, EVP_sha256()) == 0)
		return openssl_err(err, RC_INTERNAL, "sign certificate");
	*ret_ca = (struct pki_pair){cert_text(a, cert), key_text(a, key)};
	return RC_OK;
}

static const char *usage_text(const struct pki_subject *subject)
{
	if (subject->for_server && subject->for_client)
		return "serverAuth,clientAuth";
	return subject->for_server ? "serverAuth" : "clientAuth";
}

/* A certificate ends with its authority at the latest. */
static void not_after_cap(X509 *cert, const X509 *ca)
{
	if (ASN1_TIME_compare(X509_get0_notAfter(cert), X509_get0_notAfter(ca)) > 0)
		X509_set1_notAfter(cert, X509_get0_notAfter(ca));
}

static enum rc cert_sign(struct arena *a, const struct pki_pair *ca, EVP_PKEY *key,
			 const struct pki_subject *subject, struct str *ret_cert_pem,
			 struct err *err)
{
	TRY(subject_check(subject, err));
	CLEANUP(X509_free_p) X509 *issuer = NULL;
	CLEANUP(EVP_PKEY_free_p) EVP_PKEY *issuer_key = NULL;
	TRY(openssl_cert_read(ca->cert_pem, &issuer, err));
	TRY(openssl_private_read(ca->key_pem, &issuer_key, err));
	CLEANUP(X509_free_p) X509 *cert = cert_begin(key, subject->validity_s);
	not_after_cap(cert, issuer);
	name_fill(X509_get_subject_name(cert), subject);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer));
	extension_add(cert, issuer, NID_key_usage,
		      subject->key_encipherment ? "critical,digitalSignature,keyEncipherment"
						: "critical,digitalSignature");
	if (subject->for_server || subject->for_client)
		extension_add(cert, issuer, NID_ext_key_usage, usage_text(subject));
	extension_add(cert, issuer, NID_basic_constraints, "critical,CA:FALSE");
	if (X509_get0_subject_key_id(issuer))
		extension_add(cert, issuer, NID_authority_key_identifier, "keyid:always");
	if (subject->alt_name_count > 0) {
		GENERAL_NAMES *names = alt_names_make(subject);
		X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0);
		GENERAL_NAMES_free(names);
	}
	if (X509_sign(cert, issuer_key, EVP_sha256()) == 0)
		return openssl_err(err, RC_INTERNAL, "sign certificate");
	*ret_cert_pem = cert_text(a, cert);
	return RC_OK;
}

enum rc pki_issue(struct arena *a, const struct pki_pair *ca, const struct pki_subject *subject,
		  struct pki_pair *ret_pair, struct err *err)
{
	CLEANUP(EVP_PKEY_free_p) EVP_PKEY *key = key_make();
	struct str cert_pem;
	TRY(cert_sign(a, ca, key, subject, &cert_pem, err));
	*ret_pair = (struct pki_pair){cert_pem, key_text(a, key)};
	return RC_OK;
}

/* --- reading certificates --- */

/* The text of every alternative name of a type. */
static size_t alt_names_text(struct arena *a, const GENERAL_NAMES *names, int type,
			     const struct str **ret_texts)
{
	int total = names ? MIN(sk_GENERAL_NAME_num(names), PKI_NAMES_MAX) : 0;
	struct str *texts = ARENA_ARRAY(a, struct str, (size_t)total + 1);
	size_t count = 0;
	for (int i = 0; i < total; i++) {
		int own_type;
		const ASN1_STRING *value =
			GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &own_type);
		if (own_type != type)
			continue;
		const unsigned char *at = ASN1_STRING_get0_data(value);
		int len = ASN1_STRING_length(value);
		char address[INET6_ADDRSTRLEN];
		if (type != GEN_IPADD)
			texts[count++] = arena_str(a, str_n((const char *)at, (size_t)len));
		else if ((len == 4 || len == 16) &&
			 inet_ntop(len == 4 ? AF_INET : AF_INET6, at, address, sizeof(address)))
			texts[count++] = arena_str(a, str_of(address));
	}
	*ret_texts = texts;
	return count;
}

static struct str serial_text(struct arena *a, const X509 *cert)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	CLEANUP_BUF text = BUF_INIT(256);
	hex_add(&text, str_n((const char *)ASN1_STRING_get0_data(serial),
			     (size_t)MIN(ASN1_STRING_length(serial), 100)));
	return arena_str(a, buf_str(&text));
}

enum rc pki_cert_parse(struct arena *a, struct str cert_pem, struct pki_cert *ret_cert,
		       struct err *err)
{
	CLEANUP(X509_free_p) X509 *cert = NULL;
	TRY(openssl_cert_read(cert_pem, &cert, err));
	const struct str *common_names;
	const X509_NAME *subject = X509_get_subject_name(cert);
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	*ret_cert = (struct pki_cert){};
	if (openssl_name_entries(a, subject, NID_commonName, &common_names) > 0)
		ret_cert->common_name = common_names[0];
	ret_cert->organization_count =
		openssl_name_entries(a, subject, NID_organizationName, &ret_cert->organizations);
	ret_cert->dns_name_count = alt_names_text(a, names, GEN_DNS, &ret_cert->dns_names);
	ret_cert->address_count = alt_names_text(a, names, GEN_IPADD, &ret_cert->addresses);
	ret_cert->not_before_us = openssl_time_us(X509_get0_notBefore(cert));
	ret_cert->not_after_us = openssl_time_us(X509_get0_notAfter(cert));
	ret_cert->is_ca = X509_check_ca(cert) > 0;
	ret_cert->serial_hex = serial_text(a, cert);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return RC_OK;
}

int64_t pki_renewal_us(const struct pki_cert *cert)
{
	int64_t issued_us =
		MIN(cert->not_before_us + PKI_CLOCK_SKEW_S * INT64_C(1000000), cert->not_after_us);
	int64_t life_us = cert->not_after_us - issued_us;
	int64_t thousandths = 750 + (int64_t)(str_hash(cert->serial_hex) % 101);
	return issued_us + life_us / 1000 * thousandths;
}

static X509_STORE *store_make(struct str ca_pem)
{
	struct str block;
	X509_STORE *store = X509_STORE_new();
	for (size_t i = 0; pki_pem_block(ca_pem, "CERTIFICATE", i, &block); i++) {
		CLEANUP(X509_free_p) X509 *ca = NULL;
		if (openssl_cert_read(block, &ca, NULL) == RC_OK)
			X509_STORE_add_cert(store, ca);
	}
	return store;
}

enum rc pki_cert_verify(struct str cert_pem, struct str ca_pem, struct err *err)
{
	CLEANUP(X509_free_p) X509 *cert = NULL;
	TRY(openssl_cert_read(cert_pem, &cert, err));
	X509_STORE *store = store_make(ca_pem);
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509_STORE_CTX_init(context, store, cert, NULL);
	bool is_fine = X509_verify_cert(context) == 1;
	int code = X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	ERR_clear_error();
	if (is_fine)
		return RC_OK;
	return err_set(err, RC_INVALID, "certificate: %s", X509_verify_cert_error_string(code));
}

enum rc pki_pair_check(const struct pki_pair *pair, struct err *err)
{
	CLEANUP(X509_free_p) X509 *cert = NULL;
	CLEANUP(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	TRY(openssl_cert_read(pair->cert_pem, &cert, err));
	TRY(openssl_private_read(pair->key_pem, &key, err));
	if (X509_check_private_key(cert, key) != 1)
		return openssl_err(err, RC_INVALID, "private key and certificate");
	return RC_OK;
}

enum rc pki_cert_hash(struct arena *a, struct str cert_pem, struct str *ret_hex, struct err *err)
{
	unsigned char digest[32];
	CLEANUP(X509_free_p) X509 *cert = NULL;
	TRY(openssl_cert_read(cert_pem, &cert, err));
	X509_digest(cert, EVP_sha256(), digest, NULL);
	CLEANUP_BUF text = BUF_INIT(128);
	hex_add(&text, str_n((const char *)digest, sizeof(digest)));
	*ret_hex = arena_str(a, buf_str(&text));
	return RC_OK;
}

/* --- signing requests --- */

static enum rc csr_read(struct str pem, X509_REQ **ret_csr, struct err *err)
{
	CLEANUP(BIO_free_all_p) BIO *bio = NULL;
	TRY(openssl_pem_open(pem, "certificate request", &bio, err));
	*ret_csr = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	return *ret_csr ? RC_OK : openssl_err(err, RC_INVALID, "certificate request");
}

static GENERAL_NAMES *csr_alt_names(X509_REQ *csr)
{
	STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(csr);
	GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	return names;
}

enum rc pki_csr_parse(struct arena *a, struct str csr_pem, struct pki_csr *ret_csr, struct err *err)
{
	CLEANUP(X509_REQ_free_p) X509_REQ *csr = NULL;
	TRY(csr_read(csr_pem, &csr, err));
	EVP_PKEY *key = X509_REQ_get0_pubkey(csr);
	if (!key || X509_REQ_verify(csr, key) != 1)
		return openssl_err(err, RC_INVALID, "certificate request: signature");
	const struct str *common_names;
	const X509_NAME *subject = X509_REQ_get_subject_name(csr);
	GENERAL_NAMES *names = csr_alt_names(csr);
	*ret_csr = (struct pki_csr){.is_rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA};
	if (openssl_name_entries(a, subject, NID_commonName, &common_names) > 0)
		ret_csr->common_name = common_names[0];
	ret_csr->organization_count =
		openssl_name_entries(a, subject, NID_organizationName, &ret_csr->organizations);
	ret_csr->dns_name_count = alt_names_text(a, names, GEN_DNS, &ret_csr->dns_names);
	ret_csr->address_count = alt_names_text(a, names, GEN_IPADD, &ret_csr->addresses);
	ret_csr->email_count = alt_names_text(a, names, GEN_EMAIL, &ret_csr->emails);
	ret_csr->uri_count = alt_names_text(a, names, GEN_URI, &ret_csr->uris);
	ret_csr->public_key_pem = public_text(a, key);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return RC_OK;
}

static void csr_alt_names_add(X509_REQ *csr, const struct pki_subject *subject)
{
	GENERAL_NAMES *names = alt_names_make(subject);
	STACK_OF(X509_EXTENSION) *extensions = NULL;
	X509V3_add1_i2d(&extensions, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT);
	X509_REQ_add_extensions(csr, extensions);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	GENERAL_NAMES_free(names);
}

enum rc pki_csr_new(struct arena *a, struct str key_pem, const struct pki_subject *subject,
		    struct str *ret_csr_pem, struct err *err)
{
	CLEANUP(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	TRY(openssl_private_read(key_pem, &key, err));
	CLEANUP(X509_REQ_free_p) X509_REQ *csr = X509_REQ_new();
	X509_REQ_set_version(csr, X509_REQ_VERSION_1);
	X509_REQ_set_pubkey(csr, key);
	name_fill(X509_REQ_get_subject_name(csr), subject);
	if (subject->alt_name_count > 0)
		csr_alt_names_add(csr, subject);
	if (X509_REQ_sign(csr, key, EVP_sha256()) == 0)
		return openssl_err(err, RC_INTERNAL, "sign certificate request");
	CLEANUP(BIO_free_all_p) BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509_REQ(bio, csr);
	*ret_csr_pem = bio_text(a, bio);
	return RC_OK;
}

enum rc pki_csr_sign(struct arena *a, const struct pki_pair *ca, struct str csr_pem,
		     const struct pki_subject *subject, struct str *ret_cert_pem, struct err *err)
{
	CLEANUP(X509_REQ_free_p) X509_REQ *csr = NULL;
	TRY(csr_read(csr_pem, &csr, err));
	EVP_PKEY *key = X509_REQ_get0_pubkey(csr);
	if (!key || X509_REQ_verify(csr, key) != 1)
		return openssl_err(err, RC_INVALID, "certificate request: signature");
	return cert_sign(a, ca, key, subject, ret_cert_pem, err);
}
