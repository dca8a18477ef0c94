/* volume_token: the tokens of a pod's service account, asked for by TokenRequest, renewed at 80 %
 * of their life or after 24 hours.  Owns: the tokens.  Threads: the agent's loop. */
#ifndef SKEG_NODE_VOLUME_TOKEN_H
#define SKEG_NODE_VOLUME_TOKEN_H

#include "node/pod_worker.h"

struct volume_tokens;

/* Begins to ask for all tokens that the pod's volumes project.  on_change: one came or was
 * renewed, or cannot be had (last error). */
[[nodiscard]] struct volume_tokens *volume_tokens_new(struct pod_worker *w,
						      void (*on_change)(struct pod_worker *w));
void volume_tokens_free(struct volume_tokens *t);
/* Absent: not there yet.  A volume_token_fn; ctx is the tokens. */
struct str volume_token_get(const void *ctx, const struct service_account_token_projection *p);
const char *volume_tokens_problem(const struct volume_tokens *t); /* NULL: none */

#endif
