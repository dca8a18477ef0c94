/* image_ref: names of images as users write them, normalised as upstream does
 * (https://github.com/distribution/reference, ParseNormalizedNamed): "nginx" is
 * "docker.io/library/nginx:latest".
 * Pure functions.  Errors: RC_INVALID in upstream's words. */
#ifndef SKEG_NODE_IMAGE_REF_H
#define SKEG_NODE_IMAGE_REF_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define IMAGE_NAME_MAX	 256 /* registry and repository together, with NUL */
#define IMAGE_TAG_MAX	 129
#define IMAGE_DIGEST_MAX 72 /* "sha256:", 64 digits, NUL */
#define IMAGE_REF_MAX	 (2 * IMAGE_NAME_MAX + IMAGE_TAG_MAX + IMAGE_DIGEST_MAX)

struct image_ref {
	char registry[IMAGE_NAME_MAX];	 /* "docker.io", "localhost:5000" */
	char repository[IMAGE_NAME_MAX]; /* "library/nginx" */
	char tag[IMAGE_TAG_MAX];	 /* "" only with a digest */
	char digest[IMAGE_DIGEST_MAX];	 /* "" or "sha256:..." */
};

[[nodiscard]] enum rc image_ref_parse(struct str text, struct image_ref *ret_ref, struct err *err);

/* "docker.io/library/nginx:1.25"; with a digest "docker.io/library/nginx@sha256:..." without the
 * tag, since the digest alone decides. */
void image_ref_print(const struct image_ref *ref, char out[IMAGE_REF_MAX]);
/* "docker.io/library/nginx@<digest>" */
void image_ref_print_digest(const struct image_ref *ref, const char *digest,
			    char out[IMAGE_REF_MAX]);

bool image_digest_is_valid(struct str digest); /* "sha256:" and 64 lower-case digits */

#endif
