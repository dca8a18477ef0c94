/* registry_keyring: the credentials that imagePullSecrets hold for an image, matched as kubelet
 * does (https://kubernetes.io/docs/concepts/containers/images/#config-json): host parts may be
 * globs, ports must be equal, a path is a prefix, the longest entry first. Pure functions.  Limits:
 * KEYRING_MATCHES_MAX matches are kept. */
#ifndef SKEG_NODE_REGISTRY_KEYRING_H
#define SKEG_NODE_REGISTRY_KEYRING_H

#include "node/registry_config.h"
#include "node/runtime.h"

#define KEYRING_MATCHES_MAX 16

/* Strings in a or in the secrets.  A secret that is no valid JSON is left out, as upstream does. */
size_t registry_keyring_find(struct arena *a, const struct runtime_pull_secret *secrets,
			     size_t secret_count, const struct image_ref *ref,
			     struct registry_auth out[KEYRING_MATCHES_MAX]);

#endif
