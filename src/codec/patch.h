/* patch: JSON patch (RFC 6902), merge patch (RFC 7386), and merge patches made from two trees.
 *
 * Behaviour and wording follow evanphx/json-patch v4, which kube-apiserver uses, where it differs
 * from the RFCs: `replace` of an absent key sets it, `copy` of one gives null, `test` of one
 * succeeds against null, numbers are equal only when written alike (80 is not 80.0), a negative
 * index counts from the end, an absent value is null.  Two of its oddities are errors here: a path
 * that does not begin with '/' and a `from` that is absent.
 *
 * Objects that a patch reaches have their members sorted by key in the result, as Go's library
 * writes them; all others keep their order.
 *
 * Trees: the target is changed in place and, after an error, half changed, so the caller gives up a
 * tree of its own; the patch is never changed and may be applied again.  Strings of the patch are
 * shared with the result, so their memory must live as long.  All memory comes from the arena.
 *
 * Limits: PATCH_MAX_OPERATIONS, PATCH_MAX_COPY_BYTES copied by `copy` in all, PATCH_MAX_STEPS
 * members and items looked at or moved, JSON_MAX_DEPTH levels of the result. */
#ifndef SKEG_CODEC_PATCH_H
#define SKEG_CODEC_PATCH_H

#include "codec/json.h"

#define PATCH_MAX_OPERATIONS 10000u
#define PATCH_MAX_COPY_BYTES (3u << 20)
#define PATCH_MAX_STEPS	     (50u << 20)

/* What kube-apiserver tells its client for every error that is RC_INVALID below; the true cause
 * stays in its log. */
#define PATCH_REJECTED "the server rejected our request due to an error in our request"

/* RC_BAD_REQUEST ("error decoding patch: ...") when patch is no list of operations, RC_TOO_LARGE
 * when it has too many or takes too many steps, RC_INVALID when an operation fails; the error names
 * it by its number from 0.  A null patch changes nothing. */
[[nodiscard]] enum rc json_patch_apply(struct arena *a, struct json **target,
				       const struct json *patch, struct err *err);

/* RC_BAD_REQUEST when patch is not an object, RC_INVALID when the result is too deep. */
[[nodiscard]] enum rc merge_patch_apply(struct arena *a, struct json **target,
					const struct json *patch, struct err *err);

/* The merge patch that makes to from from: `{}` when they are equal.  A null in to counts as
 * absent, as no merge patch can set one.  Shares the strings and values of both. */
[[nodiscard]] struct json *merge_patch_diff(struct arena *a, const struct json *from,
					    const struct json *to);

/* What client-side apply sends: everything in modified that current lacks or has otherwise, and
 * null for what original had and modified has no more.  original may be NULL (never applied
 * before). */
[[nodiscard]] struct json *merge_patch_three_way(struct arena *a, const struct json *original,
						 const struct json *modified,
						 const struct json *current);

#endif
