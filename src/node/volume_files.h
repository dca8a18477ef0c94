/* volume_files: what the volumes configMap, secret, downwardAPI and projected hold, as files.
 * Pure functions of the worker and its sources.  Errors: RC_NOT_FOUND, RC_INVALID in upstream's
 * words.  Source: https://kubernetes.io/docs/concepts/storage/projected-volumes/ */
#ifndef SKEG_NODE_VOLUME_FILES_H
#define SKEG_NODE_VOLUME_FILES_H

#include "node/atomic_folder.h"
#include "node/pod_worker.h"

/* The text of a token for a projection; absent: not there yet. */
typedef struct str volume_token_fn(const void *ctx,
				   const struct service_account_token_projection *p);

struct volume_files_input {
	const struct pod_worker *worker;
	const struct volume *volume;
	int64_t user;  /* all containers run as this uid; -1: they differ */
	int64_t group; /* fsGroup; -1: none */
	volume_token_fn *token;
	const void *token_ctx;
};

bool volume_has_files(const struct volume *v); /* it is one of the four */
[[nodiscard]] enum rc volume_files_make(struct arena *a, const struct volume_files_input *in,
					struct folder_files *ret_files, struct err *err);

#endif
