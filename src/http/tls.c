/* Contexts on OpenSSL 3.  What is set here is set nowhere else: versions, ciphers, ALPN,
 * verification. */
#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "http/openssl_util.h"

struct tls_context {
	uint32_t refs;
	bool is_server;
	SSL_CTX *ssl;
};

DEFINE_CLEANUP(struct tls_context *, tls_unref)

enum rc openssl_err(struct err *err, enum rc rc, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	ERR_clear_error();
	return err_set(err, rc, "%s: %s", what, reason ? reason : "malformed");
}

/* --- certificates into a context --- */

static enum rc chain_load(SSL_CTX *ssl, struct str pem, struct err *err)
{
	CLEANUP(BIO_free_all_p) BIO *bio = NULL;
	TRY(openssl_pem_open(pem, "certificate", &bio, err));
	CLEANUP(X509_free_p) X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (!leaf || SSL_CTX_use_certificate(ssl, leaf) != 1)
		return openssl_err(err, RC_INVALID, "certificate");
	for (X509 *next; (next = PEM_read_bio_X509(bio, NULL, NULL, NULL));)
		SSL_CTX_add0_chain_cert(ssl, next);
	ERR_clear_error(); /* the end of the text reads as one */
	return RC_OK;
}

static enum rc key_load(SSL_CTX *ssl, struct str pem, struct err *err)
{
	CLEANUP(BIO_free_all_p) BIO *bio = NULL;
	TRY(openssl_pem_open(pem, "private key", &bio, err));
	CLEANUP(EVP_PKEY_free_p) EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	if (!key || SSL_CTX_use_PrivateKey(ssl, key) != 1)
		return openssl_err(err, RC_INVALID, "private key");
	if (SSL_CTX_check_private_key(ssl) != 1)
		return openssl_err(err, RC_INVALID, "private key and certificate");
	return RC_OK;
}

static enum rc authorities_load(SSL_CTX *ssl, struct str pem, bool announce, struct err *err)
{
	CLEANUP(BIO_free_all_p) BIO *bio = NULL;
	TRY(openssl_pem_open(pem, "certificate authorities", &bio, err));
	size_t count = 0;
	for (X509 *ca; (ca = PEM_read_bio_X509(bio, NULL, NULL, NULL)); count++) {
		X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), ca);
		if (announce)
			SSL_CTX_add_client_CA(ssl, ca);
		X509_free(ca);
	}
	if (count == 0)
		return openssl_err(err, RC_INVALID, "certificate authorities");
	ERR_clear_error();
	return RC_OK;
}

/* --- contexts --- */

static struct tls_context *context_new(bool is_server)
{
	struct tls_context *context = NEW(struct tls_context);
	context->refs = 1;
	context->is_server = is_server;
	SSL_CTX *ssl = context->ssl =
		SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	ASSERT(ssl);
	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20");
	SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl, 0);
	SSL_CTX_set_read_ahead(ssl, 1); /* one read() a record instead of two */
	return context;
}

struct tls_context *tls_ref(struct tls_context *context)
{
	if (context)
		__atomic_add_fetch(&context->refs, 1, __ATOMIC_RELAXED);
	return context;
}

void tls_unref(struct tls_context *context)
{
	if (!context || __atomic_sub_fetch(&context->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	SSL_CTX_free(context->ssl);
	free(context);
}

static const unsigned char alpn_both[] = "\x02h2\x08http/1.1";
static const unsigned char alpn_http1[] = "\x08http/1.1";

/* As Go's server: the first of ours that the client knows; nothing in common ends the handshake. */
static int alpn_choose(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *offered, unsigned int offered_len, void *http1_only)
{
	const unsigned char *ours = http1_only ? alpn_http1 : alpn_both;
	unsigned int len = http1_only ? sizeof(alpn_http1) - 1 : sizeof(alpn_both) - 1;
	int found = SSL_select_next_proto((unsigned char **)out, out_len, ours, len, offered,
					  offered_len);
	return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The handshake goes on whatever the chain is worth; SSL_get_verify_result() keeps the finding. */
static int verify_note(int is_fine, X509_STORE_CTX *store)
{
	return 1;
}

enum rc tls_server_new(const struct tls_server_opts *opts, struct tls_context **ret_context,
		       struct err *err)
{
	CLEANUP(tls_unref_p) struct tls_context *context = context_new(true);
	SSL_CTX *ssl = context->ssl;
	SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	TRY(chain_load(ssl, opts->cert_pem, err));
	TRY(key_load(ssl, opts->key_pem, err));
	if (opts->client_ca_pem.len > 0) {
		TRY(authorities_load(ssl, opts->client_ca_pem, true, err));
		SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, verify_note);
	}
	SSL_CTX_set_alpn_select_cb(ssl, alpn_choose, opts->http1_only ? (void *)alpn_http1 : NULL);
	*ret_context = TAKE_PTR(context);
	return RC_OK;
}

enum rc tls_client_new(const struct tls_client_opts *opts, struct tls_context **ret_context,
		       struct err *err)
{
	CLEANUP(tls_unref_p) struct tls_context *context = context_new(false);
	SSL_CTX *ssl = context->ssl;
	if (opts->cert_pem.len > 0) {
		TRY(chain_load(ssl, opts->cert_pem, err));
		TRY(key_load(ssl, opts->key_pem, err));
	}
	if (opts->ca_pem.len > 0)
		TRY(authorities_load(ssl, opts->ca_pem, false, err));
	else if (!opts->skip_verify)
		SSL_CTX_set_default_verify_paths(ssl);
	SSL_CTX_set_verify(ssl, opts->skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	if (opts->offer_http2)
		SSL_CTX_set_alpn_protos(ssl, alpn_both, sizeof(alpn_both) - 1);
	else
		SSL_CTX_set_alpn_protos(ssl, alpn_http1, sizeof(alpn_http1) - 1);
	*ret_context = TAKE_PTR(context);
	return RC_OK;
}

/* --- connections --- */

static void server_name_set(SSL *ssl, const char *server_name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	if (X509_VERIFY_PARAM_set1_ip_asc(param, server_name) == 1)
		return;
	ERR_clear_error();
	X509_VERIFY_PARAM_set1_host(param, server_name, 0);
	SSL_set_tlsext_host_name(ssl, server_name);
}

struct ssl_st *tls_connection_new(struct tls_context *context, int fd, const char *server_name)
{
	ASSERT(context->is_server == (server_name == NULL));
	SSL *ssl = SSL_new(context->ssl);
	ASSERT(ssl);
	SSL_set_fd(ssl, fd);
	if (server_name) {
		server_name_set(ssl, server_name);
		SSL_set_connect_state(ssl);
	} else {
		SSL_set_accept_state(ssl);
	}
	return ssl;
}

static struct str entry_text(struct arena *a, const X509_NAME_ENTRY *entry)
{
	unsigned char *utf8 = NULL;
	int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
	if (len < 0)
		return (struct str){};
	struct str text = arena_str(a, str_n((const char *)utf8, (size_t)len));
	OPENSSL_free(utf8);
	return text;
}

size_t openssl_name_entries(struct arena *a, const X509_NAME *name, int nid,
			    const struct str **ret_texts)
{
	int count = 0;
	for (int at = -1; (at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0;)
		count++;
	count = MIN(count, OPENSSL_NAMES_MAX);
	struct str *texts = ARENA_ARRAY(a, struct str, (size_t)count + 1);
	for (int i = 0, at = -1; i < count; i++) {
		at = X509_NAME_get_index_by_NID(name, nid, at);
		texts[i] = entry_text(a, X509_NAME_get_entry(name, at));
	}
	*ret_texts = texts;
	return (size_t)count;
}

int64_t openssl_time_us(const ASN1_TIME *time)
{
	struct tm tm = {};
	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm) * 1000000;
}

void tls_identity_get(struct ssl_st *ssl, struct arena *a, struct tls_identity *ret_identity)
{
	*ret_identity = (struct tls_identity){.verify_problem = STR("no certificate")};
	CLEANUP(X509_free_p) X509 *cert = SSL_get1_peer_certificate(ssl);
	if (!cert)
		return;
	long verdict = SSL_get_verify_result(ssl);
	const struct str *common_names;
	const X509_NAME *subject = X509_get_subject_name(cert);
	ret_identity->has_certificate = true;
	ret_identity->is_verified = verdict == X509_V_OK;
	ret_identity->verify_problem = STR("");
	if (verdict != X509_V_OK)
		ret_identity->verify_problem = str_of(X509_verify_cert_error_string(verdict));
	if (openssl_name_entries(a, subject, NID_commonName, &common_names) > 0)
		ret_identity->common_name = common_names[0];
	ret_identity->organization_count = openssl_name_entries(a, subject, NID_organizationName,
								&ret_identity->organizations);
	ret_identity->not_after_us = openssl_time_us(X509_get0_notAfter(cert));
	X509_digest(cert, EVP_sha256(), ret_identity->sha256, NULL);
	STACK_OF(X509) *chain = ret_identity->is_verified ? SSL_get0_verified_chain(ssl) : NULL;
	if (sk_X509_num(chain) > 0)
		X509_digest(sk_X509_value(chain, sk_X509_num(chain) - 1), EVP_sha256(),
			    ret_identity->authority_sha256, NULL);
}
