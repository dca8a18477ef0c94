/* join: how a machine becomes a node: token → signing request → certificates.
 *
 * The token is K10<sha256 of the cluster's authority>::node:<secret>.  The authority is fetched
 * without trust and must have that hash; the secret lets us ask for a client certificate; that one
 * lets us ask for a serving certificate.  All are kept in <data>/tls, mode 0600, and asked for
 * again when pki_renewal_us() comes, with the client certificate if it is still good.  Blocks: call
 * it before loops run, or as loop_work.  Threads: one at a time. */
#ifndef SKEG_CLI_JOIN_H
#define SKEG_CLI_JOIN_H

#include "base/arena.h"
#include "base/err.h"
#include "http/pki.h"

struct join_options {
	const char *server; /* "https://10.0.0.1:6443" */
	struct str token;
	const char *node_name;
	struct str node_address;
	const char *data_dir;
};

struct node_identity {
	struct str
		server_ca_pem; /* who signs serving certificates: of the API server and of nodes */
	struct str client_ca_pem; /* who signs client certificates: of the control plane too */
	struct pki_pair client, serving;
};

/* Tries again while the server cannot be reached.  RC_UNAUTHORIZED and RC_INVALID are final. */
[[nodiscard]] enum rc node_join(struct arena *a, const struct join_options *o,
				struct node_identity *ret_identity, struct err *err);
/* The same once, when a certificate is due; those that are not are read as they are. */
[[nodiscard]] enum rc node_renew(struct arena *a, const struct join_options *o,
				 struct node_identity *ret_identity, struct err *err);
/* When the first certificate is due. */
int64_t node_renewal_us(const struct node_identity *identity);

#endif
