/* registry: reading from an image registry by HTTP: manifests and blobs, with the token flow.
 * Sources: https://github.com/opencontainers/distribution-spec/blob/main/spec.md,
 * https://distribution.github.io/distribution/spec/auth/token/.
 *
 * A session speaks to one endpoint with one set of credentials.  Redirects are followed to http(s)
 * only, never from https to http, and without our credentials to another host (libcurl).
 * Threads: a session belongs to one thread; blocking.
 * Limits: connect 10 s; 60 s without a byte; REGISTRY_TOKEN_MAX; documents MANIFEST_BYTES_MAX.
 * Errors: RC_NOT_FOUND, RC_UNAUTHORIZED, RC_TOO_MANY_REQUESTS, RC_UNAVAILABLE (no connection, 5xx),
 * RC_INVALID (wrong content); each names the address. */
#ifndef SKEG_NODE_REGISTRY_H
#define SKEG_NODE_REGISTRY_H

#include <stdatomic.h>

#include "node/image_store.h"
#include "node/registry_config.h"

#define REGISTRY_TOKEN_MAX (64u << 10)

struct registry_session;

struct registry_document {
	struct str bytes, media_type;  /* in the arena given */
	char digest[IMAGE_DIGEST_MAX]; /* computed */
};

/* endpoint and auth (NULL: anonymous) must outlive the session; received may be NULL. */
[[nodiscard]] struct registry_session *registry_open(const struct registry_endpoint *endpoint,
						     const struct registry_auth *auth,
						     _Atomic int64_t *received_bytes);
void registry_close(struct registry_session *s);

/* reference: a tag or a digest; with a digest the content is verified. */
[[nodiscard]] enum rc registry_manifest(struct registry_session *s, const char *reference,
					struct arena *a, struct registry_document *ret_document,
					struct err *err);
/* Streams a blob into the store, verified; exactly the announced size. */
[[nodiscard]] enum rc registry_blob(struct registry_session *s, struct image_store *store,
				    const struct image_descriptor *blob, struct err *err);

#endif
