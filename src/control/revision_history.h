/* revision_history: the ControllerRevisions of a DaemonSet or StatefulSet: each template it had,
 * numbered.
 */
#ifndef SKEG_CONTROL_REVISION_HISTORY_H
#define SKEG_CONTROL_REVISION_HISTORY_H

#include "control/common.h"
#include "control/template_hash.h"

#define REVISION_HASH "controller-revision-hash"

struct revision {
	const struct object *o; /* NULL: made by this plan */
	struct str name, hash;	/* hash: the part of the name after the owner's */
	int64_t number;
	const struct json *data;
};

struct revision_history {
	struct revision *at; /* oldest first */
	size_t count;
	const struct revision *update; /* of the template as it is now; NULL: its name is taken */
};

/* Finds the revision of the template, makes it or numbers it anew where needed. hash_label: the
 * label that holds the hash ("controller-revision-hash"). */
void revision_history_sync(struct plan *p, const struct object *owner,
			   const struct selector *selector,
			   const struct pod_template_spec *template, const int32_t *collisions,
			   const char *hash_label, struct revision_history *ret_history);
const struct revision *revision_history_find(const struct revision_history *h, struct str name);
/* Deletes the oldest beyond limit that is_live() does not want. */
void revision_history_clean_up(struct plan *p, const struct revision_history *h,
			       const int32_t *limit,
			       bool (*is_live)(const struct revision *r, void *ctx), void *ctx);

#endif
