/* unpack: one layer of an image (tar, maybe gzip or zstd) into a folder, ready to be a lower layer
 * of overlayfs.
 *
 * The layer is hostile until proven otherwise.  Nothing is ever opened by a path that could leave
 * the folder: every parent is opened with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), and names
 * with
 * ".." are refused.  Whiteouts (".wh.x", ".wh..wh..opq") become those of overlayfs.  Device nodes
 * and sockets are left out: a container gets its devices from the runtime.  Kept are owner, mode,
 * times of files, hard links, FIFOs, and the extended attributes security.capability and user.*.
 * Threads: any; blocking.
 * Limits: struct unpack_limits; RC_TOO_LARGE.  Errors: RC_INVALID names the entry and the cause.
 * Sources: https://github.com/opencontainers/image-spec/blob/main/layer.md,
 * https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories */
#ifndef SKEG_NODE_UNPACK_H
#define SKEG_NODE_UNPACK_H

#include "base/err.h"
#include "node/image_ref.h"

struct unpack_limits {
	int64_t bytes_max; /* of all files together */
	int64_t entries_max;
};
#define UNPACK_LIMITS_DEFAULT                                                                      \
	{                                                                                          \
		.bytes_max = 64ll << 30, .entries_max = 2000000                                    \
	}

/* blob_fd is read from its position; dir_fd is an empty folder.  ret_diff_id is the digest of the
 * uncompressed layer.  After an error the folder holds rubbish: the caller removes it. */
[[nodiscard]] enum rc unpack_layer(int blob_fd, int dir_fd, const struct unpack_limits *limits,
				   char ret_diff_id[IMAGE_DIGEST_MAX], struct err *err);

#endif
