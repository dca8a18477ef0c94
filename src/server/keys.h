/* keys: the authorities and key pairs of a cluster, made at first start, read afterwards.
 *
 * In <data>/tls, mode 0700: server-ca (signs serving certificates and those of nodes), client-ca
 * (signs client certificates), service-account key, serving certificate, admin client certificate;
 * <data>/token is the join token.  Issued certificates are issued again when they lack a name or
 * when pki_renewal_us() comes. Threads: made once; keys_renew() and what it changes (serving,
 * admin, kubelet_client) belong to core, the rest is constant afterwards. */
#ifndef SKEG_SERVER_KEYS_H
#define SKEG_SERVER_KEYS_H

#include "base/arena.h"
#include "base/err.h"
#include "http/pki.h"

struct cluster_keys {
	struct arena arena;
	const char *folder;
	const struct str *names; /* of the serving certificate */
	size_t name_count;
	int64_t life_s; /* of what is issued */
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
				size_t count, int64_t life_s, struct cluster_keys **ret_keys,
				struct err *err);
/* Reads the issued certificates again and issues anew what is due. */
[[nodiscard]] enum rc keys_renew(struct cluster_keys *keys, struct err *err);
/* When the first of them is due. */
int64_t keys_renewal_us(const struct cluster_keys *keys);
void keys_free(struct cluster_keys *keys);

#endif
