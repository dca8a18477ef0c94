/* image_manifest: what the JSON documents of an image say: index, manifest, config.
 * Sources: https://github.com/opencontainers/image-spec (manifest.md, image-index.md, config.md)
 * and https://distribution.github.io/distribution/spec/manifest-v2-2/. Owns: nothing; all lives in
 * the arena given.  Pure functions. Limits: MANIFEST_*_MAX.  Errors: RC_INVALID naming field and
 * value. */
#ifndef SKEG_NODE_IMAGE_MANIFEST_H
#define SKEG_NODE_IMAGE_MANIFEST_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"
#include "node/image_ref.h"

#define MANIFEST_BYTES_MAX  (4u << 20) /* of a manifest, an index or a config */
#define MANIFEST_LAYERS_MAX 256

#define MEDIA_OCI_INDEX	      "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER	      "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"

struct image_descriptor {
	struct str media_type;
	char digest[IMAGE_DIGEST_MAX];
	int64_t size_bytes;
};

struct image_manifest {
	struct image_descriptor config;
	const struct image_descriptor *layers; /* lowest first */
	size_t layer_count;
	int64_t size_bytes; /* layers and config */
};

/* The part of the config that a runtime needs. */
struct image_config {
	const char (*diff_ids)[IMAGE_DIGEST_MAX]; /* lowest first */
	size_t diff_id_count;
	const struct str *entrypoint, *cmd, *env;
	size_t entrypoint_count, cmd_count, env_count;
	struct str user, working_dir, stop_signal;
};

[[nodiscard]] enum rc image_descriptor_read(const struct json *tree, struct image_descriptor *ret,
					    struct err *err);

/* Is it an index of several platforms?  media_type may be absent: then the document decides. */
bool image_is_index(struct str media_type, const struct json *tree);
/* The entry for this machine's platform (linux, amd64 or arm64). */
[[nodiscard]] enum rc image_index_choose(const struct json *tree, struct image_descriptor *ret,
					 struct err *err);
[[nodiscard]] enum rc image_manifest_read(struct arena *a, const struct json *tree,
					  struct image_manifest *ret, struct err *err);
[[nodiscard]] enum rc image_config_read(struct arena *a, struct str text, struct image_config *ret,
					struct err *err);

const char *image_architecture(void); /* "amd64", "arm64" */

#endif
