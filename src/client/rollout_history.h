/* rollout_history: former revisions of workloads: ReplicaSets of a Deployment, ControllerRevisions
 * of a DaemonSet or StatefulSet. */
#ifndef SKEG_CLIENT_ROLLOUT_HISTORY_H
#define SKEG_CLIENT_ROLLOUT_HISTORY_H

#include "client/change.h"
#include "client/resources.h"

/* A table of revisions, or with a revision its pod template; in columns of tabs. */
[[nodiscard]] enum rc rollout_history_text(struct verb *v, const struct resource *r,
					   int64_t revision, struct str *ret_text, struct err *err);
/* The patch that goes back to *revision (0: the one before the present, which is told); NULL when
 * the object is as it was then. */
[[nodiscard]] enum rc rollout_undo_patch(struct verb *v, const struct resource *r,
					 int64_t *revision, enum patch_form *ret_form,
					 struct json **ret_patch, struct err *err);

#endif
