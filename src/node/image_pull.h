/* image_pull: an image from its registry (or a mirror) into the store.
 * Threads: any; blocks for as long as the network takes.  One pull of one name at a time on the
 * machine; who comes second finds the layers of the first.
 * Errors are worded as containerd's, which users know from `kubectl describe`. */
#ifndef SKEG_NODE_IMAGE_PULL_H
#define SKEG_NODE_IMAGE_PULL_H

#include <stdatomic.h>

#include "node/image_store.h"
#include "node/registry_config.h"
#include "node/runtime.h"

/* Reasons of a waiting container and texts of its events, in kubelet's words
 * (pkg/kubelet/images/types.go, image_manager.go). */
#define IMAGE_REASON_PULL	 "ErrImagePull"
#define IMAGE_REASON_BACK_OFF	 "ImagePullBackOff"
#define IMAGE_REASON_INVALID	 "InvalidImageName"
#define IMAGE_REASON_NEVER	 "ErrImageNeverPull"
#define IMAGE_REASON_INSPECT	 "ImageInspectError"
#define IMAGE_REASON_UNAVAILABLE "RegistryUnavailable"

#define IMAGE_TEXT_PULLING  "Pulling image \"%.*s\""
#define IMAGE_TEXT_PRESENT  "Container image \"%.*s\" already present on machine"
#define IMAGE_TEXT_NEVER    "Container image \"%.*s\" is not present with pull policy of Never"
#define IMAGE_TEXT_BACK_OFF "Back-off pulling image \"%.*s\""
#define IMAGE_TEXT_FAILED   "Failed to pull image \"%.*s\": %s"
#define IMAGE_TEXT_INVALID                                                                         \
	"Failed to apply default image tag \"%.*s\": couldn't parse image name \"%.*s\": %s"
/* name, seconds, seconds with waiting, bytes */
#define IMAGE_TEXT_PULLED                                                                          \
	"Successfully pulled image \"%.*s\" in %s (%s including waiting). Image size: %lld bytes."

struct image_pull_progress {
	_Atomic int64_t done_bytes, total_bytes; /* total 0: not known yet */
};

/* progress may be NULL. */
[[nodiscard]] enum rc image_pull(struct image_store *store,
				 const struct registry_config *registries,
				 const struct runtime_pull_config *config,
				 struct image_pull_progress *progress, struct arena *a,
				 struct runtime_pull_result *ret_result, struct err *err);

#endif
