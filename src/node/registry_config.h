/* registry_config: where images of a registry come from and with what trust: registries.yaml in
 * k3s' shape (https://docs.k3s.io/installation/private-registry).
 *
 *   mirrors:
 *     docker.io:                       # or "*"
 *       endpoint: [ "https://mirror.example.com:5000" ]
 *       rewrite: { "^rancher/(.*)": "mirrored/rancher-$1" }
 *   configs:
 *     "mirror.example.com:5000":
 *       auth: { username: u, password: p }     # or auth: base64, identity_token
 *       tls: { ca_file: /f, cert_file: /f, key_file: /f, insecure_skip_verify: true }
 *
 * Endpoints are tried in their order, the registry itself last.  Without a scheme, https is meant,
 * but http for this machine itself (localhost, 127.0.0.0/8, ::1). Owns: nothing; all lives in the
 * arena given.  Immutable.  Threads: any. Errors: RC_INVALID naming the field, its value and what
 * is allowed. */
#ifndef SKEG_NODE_REGISTRY_CONFIG_H
#define SKEG_NODE_REGISTRY_CONFIG_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"
#include "node/image_ref.h"

#define REGISTRY_ENDPOINTS_MAX 16
#define REGISTRY_REWRITE_MAX   512 /* bytes of a pattern or a replacement */

struct registry_auth {
	struct str username, password; /* absent: anonymous */
	struct str identity_token;
};

struct registry_tls {
	const char *ca_file, *cert_file, *key_file; /* NULL: not given */
	bool is_insecure;
};

struct registry_endpoint {
	struct str base; /* "https://mirror.example.com:5000/v2", no slash at the end */
	struct str repository;
	struct str origin; /* the registry's name when this is a mirror of it; else absent */
	struct registry_auth auth;
	struct registry_tls tls;
};

struct registry_config;

/* tree NULL or empty: no mirrors. */
[[nodiscard]] enum rc registry_config_parse(struct arena *a, const struct json *tree,
					    const struct registry_config **ret_config,
					    struct err *err);

/* From a file; one that is not there is the same as an empty one.  Strings live in a. */
[[nodiscard]] enum rc registry_config_load(struct arena *a, const char *path,
					   const struct registry_config **ret_config,
					   struct err *err);

/* The endpoints to try for an image, strings in a; returns their number, at least 1. */
size_t registry_config_endpoints(const struct registry_config *config, struct arena *a,
				 const struct image_ref *ref,
				 struct registry_endpoint out[REGISTRY_ENDPOINTS_MAX]);

#endif
