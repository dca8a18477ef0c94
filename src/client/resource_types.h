/* resource_types: which kind a user means by "po", "pods", "Pod", "deploy.apps" or
 * "hpa.v1.autoscaling", and which objects by the words after a verb.
 *
 * The kinds are the built-in ones in the order of discovery, so that a word that several groups
 * know means the same as with kubectl.  Pure functions; memory is the arena's.
 * Errors: RC_NOT_FOUND for an unknown type, with the nearest known; RC_BAD_REQUEST for words that
 * do not fit together. */
#ifndef SKEG_CLIENT_RESOURCE_TYPES_H
#define SKEG_CLIENT_RESOURCE_TYPES_H

#include "api/schema.h"
#include "base/arena.h"
#include "base/err.h"
#include "client/command.h"

const struct api_kind *resource_type_find(struct str word); /* NULL when there is none */

/* "pod", "deployment.apps": before a name in messages and with -o name. */
[[nodiscard]] struct str resource_type_label(struct arena *a, const struct api_kind *kind);
/* "pods", "deployments.apps": as the server's messages say it. */
[[nodiscard]] struct str resource_type_plural(struct arena *a, const struct api_kind *kind);

struct resource_target {
	const struct api_kind *kind;
	struct str name; /* absent: all of them */
};
struct resource_targets {
	struct resource_target *items;
	size_t count, cap;
};

/* TYPE[,TYPE…] | TYPE[,TYPE…] NAME… | TYPE/NAME…; the type "all" stands for the category. */
[[nodiscard]] enum rc resource_targets_parse(struct arena *a, const struct text_list *words,
					     struct resource_targets *ret_targets, struct err *err);

#endif
