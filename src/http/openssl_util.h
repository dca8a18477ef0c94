/* openssl_util: OpenSSL's types with our cleanup, errors and strings, for tls.c and pki*.c. */
#ifndef SKEG_HTTP_OPENSSL_UTIL_H
#define SKEG_HTTP_OPENSSL_UTIL_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"

#define OPENSSL_NAMES_MAX 256 /* entries of one kind that are read */

DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(X509_REQ *, X509_REQ_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

/* The error on top of OpenSSL's queue, which is emptied. */
enum rc openssl_err(struct err *err, enum rc rc, const char *what);
/* The texts of all entries of a kind (NID_commonName...). */
size_t openssl_name_entries(struct arena *a, const X509_NAME *name, int nid,
			    const struct str **ret_texts);
int64_t openssl_time_us(const ASN1_TIME *time);
/* A reader of PEM text, which stays the caller's. */
enum rc openssl_pem_open(struct str pem, const char *what, BIO **ret_bio, struct err *err);

/* Parsed forms of PEM, in pki.c. */
enum rc openssl_cert_read(struct str pem, X509 **ret_cert, struct err *err);
enum rc openssl_private_read(struct str pem, EVP_PKEY **ret_key, struct err *err);
/* From a public key, a private key or a certificate. */
enum rc openssl_public_read(struct str pem, EVP_PKEY **ret_key, struct err *err);

#endif
