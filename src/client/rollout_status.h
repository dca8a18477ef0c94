/* rollout_status: how far a rollout is, in kubectl's words.  Pure. */
#ifndef SKEG_CLIENT_ROLLOUT_STATUS_H
#define SKEG_CLIENT_ROLLOUT_STATUS_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

/* object: a Deployment, DaemonSet or StatefulSet.  revision: the wanted one of a Deployment, 0:
 * any.  *ret_text ends with a line break. */
[[nodiscard]] enum rc rollout_status_text(struct arena *a, const struct json *object,
					  int64_t revision, struct str *ret_text, bool *ret_is_done,
					  struct err *err);

#endif
