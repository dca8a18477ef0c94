/* image_digest: SHA-256 of a stream, as "sha256:<hex>".
 * Threads: one at a time.  Allocation failures of the library abort. */
#ifndef SKEG_NODE_IMAGE_DIGEST_H
#define SKEG_NODE_IMAGE_DIGEST_H

#include "node/image_ref.h"

struct image_digest {
	void *context; /* of OpenSSL */
};

void image_digest_init(struct image_digest *d);
void image_digest_add(struct image_digest *d, const void *bytes, size_t len);
/* Ends the digest and frees what it holds. */
void image_digest_finish(struct image_digest *d, char out[IMAGE_DIGEST_MAX]);
void image_digest_done(struct image_digest *d); /* without a result; accepts a finished one */

void image_digest_of(struct str bytes, char out[IMAGE_DIGEST_MAX]);

#endif
