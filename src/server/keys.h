/* keys: the authorities and key pairs of a cluster, made at first start, read afterwards.
 *
 * In <data>/tls, mode 0700: server-ca (signs serving certificates and those of nodes), client-ca
 * (signs client certificates), service-account key, serving certificate, admin client certificate;
 * <data>/token is the join token.  Serving and admin certificates are issued again when they lack a
 * name or near their end. Threads: made once, constant afterwards. */
#ifndef SKEG_SERVER_KEYS_H
#define SKEG_SERVER_KEYS_H

#include "base/arena.h"
#include "base/err.h"
#include "http/pki.h"

struct cluster_keys {
	struct arena arena;
	struct pki_pair server_ca, client_ca, serving, admin, kubelet_client;
	struct str service_account_key_pem;
	struct pki_key *service_account_key;
	struct pki_jwk jwk;
	struct str join_secret; /* the random part of the token */
	struct str admin_token; /* <data>/tls/admin.token: a bearer token of system:masters, for
				   tools without certificates */
	struct str join_token;	/* "K10<sha256 of server-ca>::node:<secret>" */
};

[[nodiscard]] enum rc keys_open(const char *data_folder, const struct str *serving_names,
				size_t count, struct cluster_keys **ret_keys, struct err *err);
void keys_free(struct cluster_keys *keys);

#endif
