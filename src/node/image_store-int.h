/* What the files of the image store share. */
#ifndef SKEG_NODE_IMAGE_STORE_INT_H
#define SKEG_NODE_IMAGE_STORE_INT_H

#include "base/map.h"
#include "node/image_store.h"

struct image_store {
	char *dir;
	int dir_fd, blobs_fd, layers_fd, ingest_fd, inuse_fd, pulls_fd;
};

#define STORE_NAME_MAX		  40
#define STORE_ANNOTATION_NAME	  "io.containerd.image.name"
#define STORE_ANNOTATION_CONFIG	  "dev.skeg.image.config"
#define STORE_ANNOTATION_MANIFEST "dev.skeg.image.manifest"
#define STORE_ANNOTATION_SIZE	  "dev.skeg.image.size"
#define STORE_ANNOTATION_PINNED	  "dev.skeg.image.pinned"

/* A fresh name in ingest/. */
void store_ingest_name(char out[STORE_NAME_MAX]);
[[nodiscard]] enum rc store_lock(int dir_fd, const char *name, int flock_operation, int *ret_fd,
				 struct err *err);
/* index.json as a tree, an empty one when there is none yet. */
[[nodiscard]] enum rc store_index_read(struct image_store *store, struct arena *a,
				       struct json **ret_index, struct err *err);
/* The image is used now. */
void store_touch(struct image_store *store, struct str image_id);
/* Adds the ids that containers use, as keys. */
[[nodiscard]] enum rc store_users_read(struct image_store *store, struct map *ret_ids,
				       struct err *err);
/* As image_store_remove() without collecting. */
[[nodiscard]] enum rc store_names_remove(struct image_store *store, struct str ref,
					 struct err *err);
/* Deletes blobs and layers that nothing names or uses.  The caller has gc.lock for itself. */
[[nodiscard]] enum rc store_sweep(struct image_store *store, struct err *err);
/* The hexadecimal part of a digest. */
static inline const char *digest_hex(const char *digest)
{
	return digest + 7;
}

#endif
