/* tls: TLS contexts and what is known of a peer.
 *
 * TLS 1.2 and 1.3, ALPN h2 and http/1.1, no session tickets (each connection proves its
 * certificate). A context is immutable and refcounted: renewing a certificate makes a new one,
 * connections keep theirs.  Threads: all calls safe. */
#ifndef SKEG_HTTP_TLS_H
#define SKEG_HTTP_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct tls_context;
struct ssl_st;

struct tls_server_opts {
	struct str cert_pem; /* leaf first, then intermediates */
	struct str key_pem;
	struct str client_ca_pem; /* absent: no client certificates are asked for */
	bool http1_only;	  /* do not offer h2 */
};
/* A client certificate is asked for, never demanded; one that does not verify is kept with
 * is_verified false, so that the server can answer 401. */
[[nodiscard]] enum rc tls_server_new(const struct tls_server_opts *opts,
				     struct tls_context **ret_context, struct err *err);

struct tls_client_opts {
	struct str ca_pem;	      /* absent: the system's */
	struct str cert_pem, key_pem; /* absent: no client certificate */
	bool skip_verify;	      /* any server certificate is taken */
	bool offer_http2;	      /* ALPN h2 before http/1.1 */
};
[[nodiscard]] enum rc tls_client_new(const struct tls_client_opts *opts,
				     struct tls_context **ret_context, struct err *err);

struct tls_context *tls_ref(struct tls_context *context);
void tls_unref(struct tls_context *context);

/* The peer's certificate; strings belong to whoever holds the identity. */
struct tls_identity {
	bool has_certificate;
	bool is_verified; /* chain to the client CA, in time, fit for client use */
	struct str common_name;
	const struct str *organizations;
	size_t organization_count;
	int64_t not_after_us;		    /* check it on every request: connections are long */
	unsigned char sha256[32];	    /* of the DER */
	unsigned char authority_sha256[32]; /* of the end of the chain, when verified */
	struct str verify_problem;	    /* why not, "" when verified */
};

/* For stream.c: a connection's TLS state, and the identity into an arena. */
struct ssl_st *tls_connection_new(struct tls_context *context, int fd, const char *server_name);
void tls_identity_get(struct ssl_st *ssl, struct arena *a, struct tls_identity *ret_identity);

#endif
