/* image_store: the images of a machine, shared by all its nodes: content-addressed blobs, an index
 * of names, and every layer unpacked once.
 *
 *   <dir>/oci-layout, index.json     OCI image layout; a name is the annotation
 *                                    io.containerd.image.name, as tools write and read it
 *   <dir>/blobs/sha256/<hex>         manifests, configs, layers as they came
 *   <dir>/layers/<hex of diff_id>/   unpacked, ready for overlayfs
 *   <dir>/inuse/<container id>       the image that a container runs
 *   <dir>/ingest/                    what is being made; removed when found at a start
 *   <dir>/lock, gc.lock, pulls/      file locks between processes
 *
 * A blob, a layer and the index appear by rename only, complete and verified.
 * Owns: what is in dir.  Threads: all calls safe, also between processes (file locks); all block:
 * worker threads only.  Strings of results live in the arena given.
 * Errors: RC_NOT_FOUND for an unknown image, RC_INVALID for a damaged one. */
#ifndef SKEG_NODE_IMAGE_STORE_H
#define SKEG_NODE_IMAGE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "node/image_digest.h"
#include "node/image_manifest.h"
#include "node/runtime.h"

struct image_store;

[[nodiscard]] enum rc image_store_open(const char *dir, struct image_store **ret_store,
				       struct err *err);
void image_store_free(struct image_store *store);
const char *image_store_dir(const struct image_store *store);

/* --- names --- */

/* ref: a name as a user writes it, or an id "sha256:...", or the first 12 or more digits of one. */
[[nodiscard]] enum rc image_store_find(struct image_store *store, struct str ref, struct arena *a,
				       struct runtime_image_info *ret_info, struct err *err);
[[nodiscard]] enum rc image_store_list(struct image_store *store, struct arena *a,
				       struct runtime_image_list *ret_list, struct err *err);
/* Takes the name away (an id: all its names), then collects.  RC_OK when it was not there. */
[[nodiscard]] enum rc image_store_remove(struct image_store *store, struct str ref,
					 struct err *err);
/* Deletes blobs and layers that no name and no container uses; skipped while a pull runs. */
[[nodiscard]] enum rc image_store_collect(struct image_store *store, struct err *err);

/* Names that stay whatever the disk is like, as nobody has them elsewhere. */
[[nodiscard]] enum rc image_store_pin(struct image_store *store, const char *name, struct err *err);

struct image_trim_policy {
	int high_percent, low_percent; /* of the file system: begin, and be content */
	int64_t min_age_us;	       /* since it was used last */
};
/* Removes images that are neither pinned nor used; none while a pull runs. */
[[nodiscard]] enum rc image_store_trim(struct image_store *store,
				       const struct image_trim_policy *policy,
				       struct runtime_trim_result *ret_result, struct err *err);

/* --- for containers --- */

[[nodiscard]] enum rc image_store_config(struct image_store *store, struct str image_id,
					 struct arena *a, struct image_config *ret_config,
					 struct err *err);
/* "<dir>/layers/<hex>" */
void image_store_layer_path(const struct image_store *store, const char *diff_id,
			    char out[RUNTIME_PATH_MAX]);
[[nodiscard]] enum rc image_store_use(struct image_store *store, struct str image_id,
				      const char *user_id, struct err *err);
void image_store_unuse(struct image_store *store, const char *user_id);

/* --- for pulls and loads --- */

/* A blob being written: from open to commit or abort. */
struct blob_writer {
	struct image_store *store;
	int fd;
	char name[40]; /* in ingest/ */
	struct image_digest digest;
	int64_t size_bytes, max_bytes;
};
[[nodiscard]] enum rc blob_open(struct image_store *store, int64_t max_bytes,
				struct blob_writer *ret_writer, struct err *err);
[[nodiscard]] enum rc blob_add(struct blob_writer *w, const void *bytes, size_t len,
			       struct err *err); /* RC_TOO_LARGE beyond max_bytes */
/* expected: digest the content must have, or NULL.  RC_INVALID when it has another. */
[[nodiscard]] enum rc blob_commit(struct blob_writer *w, const char *expected,
				  char ret_digest[IMAGE_DIGEST_MAX], struct err *err);
void blob_abort(struct blob_writer *w); /* accepts a committed one */

bool image_store_has_blob(struct image_store *store, const char *digest);
[[nodiscard]] enum rc image_store_write_blob(struct image_store *store, struct str bytes,
					     const char *expected,
					     char ret_digest[IMAGE_DIGEST_MAX], struct err *err);
/* Whole, for documents: at most MANIFEST_BYTES_MAX. */
[[nodiscard]] enum rc image_store_read_blob(struct image_store *store, const char *digest,
					    struct arena *a, struct str *ret_bytes,
					    struct err *err);

/* Unpacks the layers of a manifest whose blobs are all there, each at most once. */
[[nodiscard]] enum rc image_store_unpack(struct image_store *store, const struct image_manifest *m,
					 const struct image_config *config, struct err *err);
bool image_store_has_layer(struct image_store *store, const char *diff_id);

/* Makes name stand for what `top` (an index or a manifest) says; `manifest_digest` is the chosen
 * platform's. */
[[nodiscard]] enum rc image_store_name(struct image_store *store, const char *name,
				       const struct image_descriptor *top,
				       const char *manifest_digest, const struct image_manifest *m,
				       struct err *err);

/* A lock between threads and processes; close the descriptor to give it back.  Shared locks of kind
 * gc keep image_store_collect() away while blobs have no name yet. */
[[nodiscard]] enum rc image_store_lock_pull(struct image_store *store, const char *name,
					    int *ret_fd, struct err *err);
[[nodiscard]] enum rc image_store_hold(struct image_store *store, int *ret_fd, struct err *err);

#endif
