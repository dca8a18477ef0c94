/* image_archive: images from a tar file into the store: OCI layout archives and what `docker save`
 * writes, also compressed by gzip or zstd.
 *
 * Every file of the archive becomes a blob under its true digest, so nothing is unpacked by name; a
 * file that claims to be a blob must have the digest it claims.  What the images found do not use
 * is collected afterwards. Names: the annotation io.containerd.image.name; else
 * org.opencontainers.image.ref.name when it is a whole name; else RepoTags.  An image without any
 * gets the name given by the caller. Threads: any; blocking.  Limits: ARCHIVE_*_MAX. */
#ifndef SKEG_NODE_IMAGE_ARCHIVE_H
#define SKEG_NODE_IMAGE_ARCHIVE_H

#include "node/image_store.h"

#define ARCHIVE_ENTRIES_MAX 20000
#define ARCHIVE_BYTES_MAX   (256ll << 30)
#define ARCHIVE_IMAGES_MAX  256

/* fd is read from its position.  name may be absent.  ret_names: what was loaded, in a. */
[[nodiscard]] enum rc image_archive_load(struct image_store *store, int fd, struct str name,
					 struct arena *a, struct str **ret_names, size_t *ret_count,
					 struct err *err);

#endif
