#include "cli/join.h"

#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "codec/json.h"
#include "http/client.h"
#include "io/file.h"
#include "io/loop.h"

#define FIRST_WAIT_MS	200
#define LAST_WAIT_MS	10000
#define SIGNING_TRIES	100
#define SIGNING_WAIT_MS 100
#define CALL_TIMEOUT_MS 10000

#define CSR_PATH "/apis/certificates.k8s.io/v1/certificatesigningrequests"

static char *tls_path(struct arena *a, const struct join_options *o, const char *name)
{
	return arena_cstr(a, arena_printf(a, "%s/tls/%s", o->data_dir, name));
}

static enum rc read_kept(struct arena *a, const struct join_options *o, const char *name,
			 struct str *ret_text, struct err *err)
{
	return file_read(tls_path(a, o, name), PKI_PEM_MAX, a, ret_text, err);
}

static enum rc keep(struct arena *a, const struct join_options *o, const char *name,
		    struct str text, struct err *err)
{
	return file_write(tls_path(a, o, name), text, 0600, err);
}

/* ---- talking to the server ---- */

static enum rc call(struct arena *a, const struct join_options *o,
		    const struct http_client_opts *opts, const char *method, const char *path,
		    struct str body, struct http_response *ret_response, struct err *err)
{
	static const struct http_header json = {STR_INIT("content-type"),
						STR_INIT("application/json")};
	struct http_session *session;
	struct http_request q = {
		.method = method,
		.url = arena_cstr(a, arena_printf(a, "%s%s", o->server, path)),
		.headers = &json,
		.header_count = body.len ? 1 : 0,
		.body = body,
		.timeout_ms = CALL_TIMEOUT_MS,
	};
	TRY(http_session_new(opts, &session, err));
	enum rc rc = http_fetch(session, &q, NULL, a, ret_response, err);
	http_session_free(session);
	if (rc != RC_OK)
		return err_set(err, RC_UNAVAILABLE, "%s", err->text);
	if (ret_response->status < 300)
		return RC_OK;
	enum rc kind = ret_response->status == 401 || ret_response->status == 403 ? RC_UNAUTHORIZED
		       : ret_response->status >= 500				  ? RC_UNAVAILABLE
										  : RC_INVALID;
	return err_set(err, kind, "%s %s: status %d: %.*s", method, path, ret_response->status,
		       STR_FMT(ret_response->body));
}

/* ---- the authority ---- */

static enum rc check_authority(struct arena *a, const struct join_options *o, struct str pem,
			       struct err *err)
{
	struct str hash, head, rest;
	TRY(pki_cert_hash(a, pem, &hash, err));
	str_cut(o->token, ':', &head, &rest);
	if (!str_has_prefix(head, STR("K10")))
		return err_set(
			err, RC_INVALID,
			"the join token is not of the form K10<hash>::node:<secret>; copy it from <data>/server/token of the server");
	if (str_eq(str_skip(head, 3), hash))
		return RC_OK;
	return err_set(
		err, RC_UNAUTHORIZED,
		"the authority of %s has the hash %.*s, but the join token names %.*s: this is another cluster, or somebody is in between; copy the token from the server again",
		o->server, STR_FMT(hash), STR_FMT(str_skip(head, 3)));
}

static enum rc fetch_authorities(struct arena *a, const struct join_options *o,
				 struct node_identity *id, struct err *err)
{
	struct http_client_opts opts = {.skip_verify = true, .http1_only = true};
	struct http_response response;
	TRY(call(a, o, &opts, "GET", "/cacerts", (struct str){}, &response, err));
	if (!pki_pem_block(response.body, "CERTIFICATE", 0, &id->server_ca_pem) ||
	    !pki_pem_block(response.body, "CERTIFICATE", 1, &id->client_ca_pem))
		return err_set(err, RC_INVALID,
			       "%s/cacerts gives no authorities; is it a skeg server?", o->server);
	id->server_ca_pem = arena_printf(a, "%.*s\n", STR_FMT(id->server_ca_pem));
	id->client_ca_pem = arena_printf(a, "%.*s\n", STR_FMT(id->client_ca_pem));
	TRY(check_authority(a, o, id->server_ca_pem, err));
	TRY(keep(a, o, "server-ca.crt", id->server_ca_pem, err));
	return keep(a, o, "client-ca.crt", id->client_ca_pem, err);
}

/* ---- certificates ---- */

static struct str signing_request(struct arena *a, struct str csr_pem, const char *signer,
				  bool is_serving)
{
	CLEANUP_BUF text = BUF_INIT(PKI_PEM_MAX), out = BUF_INIT(PKI_PEM_MAX);
	base64_add(&text, csr_pem);
	buf_printf(
		&out,
		"{\"apiVersion\":\"certificates.k8s.io/v1\",\"kind\":\"CertificateSigningRequest\",\"metadata\":{\"generateName\":\"node-csr-\"},"
		"\"spec\":{\"request\":\"%s\",\"signerName\":\"%s\",\"usages\":[\"digital signature\",\"%s\"]}}",
		text.data, signer, is_serving ? "server auth" : "client auth");
	return arena_str(a, buf_str(&out));
}

/* The control plane signs within milliseconds; we look until it has. */
static enum rc wait_signed(struct arena *a, const struct join_options *o,
			   const struct http_client_opts *opts, struct str name,
			   struct str *ret_cert, struct err *err)
{
	const char *path = arena_cstr(a, arena_printf(a, CSR_PATH "/%.*s", STR_FMT(name)));
	for (int i = 0; i < SIGNING_TRIES; i++) {
		struct http_response response;
		struct json *tree;
		TRY(call(a, o, opts, "GET", path, (struct str){}, &response, err));
		TRY(json_parse(a, response.body, &tree, NULL, err));
		struct str cert = json_path_str(tree, "status.certificate");
		if (cert.len && base64_decode(a, cert, ret_cert))
			return RC_OK;
		world_sleep_ms(SIGNING_WAIT_MS);
	}
	return err_set(
		err, RC_TIMEOUT,
		"the signing request '%.*s' is not approved; look at it with 'kubectl describe csr %.*s'",
		STR_FMT(name), STR_FMT(name));
}

static enum rc request_certificate(struct arena *a, const struct join_options *o,
				   const struct http_client_opts *opts, bool is_serving,
				   struct pki_pair *ret_pair, struct err *err)
{
	static const struct str nodes = STR_INIT("system:nodes");
	const char *signer = is_serving ? "kubernetes.io/kubelet-serving"
					: "kubernetes.io/kube-apiserver-client-kubelet";
	const struct str names[] = {str_of(o->node_name), o->node_address};
	struct pki_subject subject = {
		.common_name = arena_printf(a, "system:node:%s", o->node_name),
		.organizations = &nodes,
		.organization_count = 1,
		.alt_names = names,
		.alt_name_count = is_serving ? ARRAY_LEN(names) : 0,
	};
	struct http_response response;
	struct json *tree;
	struct str csr;
	TRY(pki_key_new(a, &ret_pair->key_pem, err));
	TRY(pki_csr_new(a, ret_pair->key_pem, &subject, &csr, err));
	TRY(call(a, o, opts, "POST", CSR_PATH, signing_request(a, csr, signer, is_serving),
		 &response, err));
	TRY(json_parse(a, response.body, &tree, NULL, err));
	return wait_signed(a, o, opts, json_path_str(tree, "metadata.name"), &ret_pair->cert_pem,
			   err);
}

/* A certificate that is due for renewal proves who we are as long as it lasts. */
static bool is_good(struct arena *a, const struct pki_pair *pair, struct str ca_pem)
{
	struct pki_cert cert;
	return pki_pair_check(pair, NULL) == RC_OK &&
	       pki_cert_parse(a, pair->cert_pem, &cert, NULL) == RC_OK &&
	       cert.not_after_us > world_wall_us() &&
	       pki_cert_verify(pair->cert_pem, ca_pem, NULL) == RC_OK;
}

static bool is_fresh(struct arena *a, const struct pki_pair *pair, struct str ca_pem)
{
	struct pki_cert cert;
	return is_good(a, pair, ca_pem) &&
	       pki_cert_parse(a, pair->cert_pem, &cert, NULL) == RC_OK &&
	       pki_renewal_us(&cert) > world_wall_us();
}

static bool read_pair(struct arena *a, const struct join_options *o, const char *cert,
		      const char *key, struct pki_pair *ret_pair)
{
	return read_kept(a, o, cert, &ret_pair->cert_pem, NULL) == RC_OK &&
	       read_kept(a, o, key, &ret_pair->key_pem, NULL) == RC_OK;
}

static enum rc open_certificate(struct arena *a, const struct join_options *o,
				const struct http_client_opts *opts, bool is_serving,
				struct str ca_pem, struct pki_pair *ret_pair, struct err *err)
{
	const char *cert = is_serving ? "serving.crt" : "client.crt",
		   *key = is_serving ? "serving.key" : "client.key";
	if (read_pair(a, o, cert, key, ret_pair) && is_fresh(a, ret_pair, ca_pem))
		return RC_OK;
	TRY(request_certificate(a, o, opts, is_serving, ret_pair, err));
	TRY(keep(a, o, key, ret_pair->key_pem, err));
	return keep(a, o, cert, ret_pair->cert_pem, err);
}

static enum rc try_join(struct arena *a, const struct join_options *o, struct node_identity *id,
			struct err *err)
{
	if (read_kept(a, o, "server-ca.crt", &id->server_ca_pem, NULL) != RC_OK ||
	    read_kept(a, o, "client-ca.crt", &id->client_ca_pem, NULL) != RC_OK ||
	    check_authority(a, o, id->server_ca_pem, NULL) != RC_OK)
		TRY(fetch_authorities(a, o, id, err));
	struct pki_pair own = {};
	struct http_client_opts proof = {.ca_pem = id->server_ca_pem, .http1_only = true};
	if (read_pair(a, o, "client.crt", "client.key", &own) &&
	    is_good(a, &own, id->client_ca_pem)) {
		proof.cert_pem = own.cert_pem;
		proof.key_pem = own.key_pem;
	} else {
		proof.bearer_token = o->token;
	}
	TRY(open_certificate(a, o, &proof, false, id->client_ca_pem, &id->client, err));
	struct http_client_opts by_certificate = {.ca_pem = id->server_ca_pem,
						  .cert_pem = id->client.cert_pem,
						  .key_pem = id->client.key_pem,
						  .http1_only = true};
	return open_certificate(a, o, &by_certificate, true, id->server_ca_pem, &id->serving, err);
}

enum rc node_join(struct arena *a, const struct join_options *o, struct node_identity *ret_identity,
		  struct err *err)
{
	TRY(dir_make(arena_cstr(a, arena_printf(a, "%s/tls", o->data_dir)), 0700, err));
	for (int64_t wait_ms = FIRST_WAIT_MS;; wait_ms = MIN(wait_ms * 2, (int64_t)LAST_WAIT_MS)) {
		*ret_identity = (struct node_identity){};
		enum rc rc = try_join(a, o, ret_identity, err);
		if (rc != RC_UNAVAILABLE)
			return rc;
		log_warn("agent", "%s; trying again in %lld ms", err->text, (long long)wait_ms);
		world_sleep_ms(wait_ms);
	}
}

enum rc node_renew(struct arena *a, const struct join_options *o,
		   struct node_identity *ret_identity, struct err *err)
{
	*ret_identity = (struct node_identity){};
	return try_join(a, o, ret_identity, err);
}

int64_t node_renewal_us(const struct node_identity *id)
{
	const struct pki_pair *const pairs[] = {&id->client, &id->serving};
	int64_t first_us = INT64_MAX;
	CLEANUP_ARENA a = {};
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct pki_cert cert;
		if (pki_cert_parse(&a, pairs[i]->cert_pem, &cert, NULL) == RC_OK)
			first_us = MIN(first_us, pki_renewal_us(&cert));
	}
	return first_us;
}
