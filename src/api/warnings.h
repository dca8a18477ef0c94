/* warnings: what a client should know about an object that is valid all the same, in upstream's
 * words.
 *
 * One table of rules by kind; pod specs are looked at in every kind that holds one.
 * Threads: pure.  Source: upstream's WarningsOnCreate and WarningsOnUpdate of each strategy. */
#ifndef SKEG_API_WARNINGS_H
#define SKEG_API_WARNINGS_H

#include "api/schema.h"
#include "codec/json.h"

struct warnings {
	struct arena *arena;
	void (*add)(void *ctx, struct str text);
	void *ctx;
};

/* kind: in which tree is written (storage version); old is NULL for a create. */
void api_warnings(const struct api_kind *kind, const struct json *old, const struct json *tree,
		  const struct warnings *w);
/* The same for a write of the subresource status. */
void api_status_warnings(const struct api_kind *kind, const struct json *tree,
			 const struct warnings *w);

/* Those of a create that are told before the object is judged, and of what is refused, too. */
void api_warnings_early(const struct api_kind *kind, const struct json *tree,
			const struct warnings *w);

/* For rules: one line. */
[[gnu::format(printf, 2, 3)]] void warn(const struct warnings *w, const char *fmt, ...);
/* Addresses and prefixes in forms that not everybody reads alike; pattern: "spec.ports[].name". */
void warnings_of_ips(const struct warnings *w, const struct json *tree, const char *pattern);
/* The same of a node which stands at a path. */
void warnings_of_ips_at(const struct warnings *w, const char *at, const struct json *node,
			const char *pattern);
void warnings_of_prefixes(const struct warnings *w, const struct json *tree, const char *pattern);
void warnings_of_ip_blocks(const struct warnings *w, const struct json *tree, const char *peers);
void warnings_of_points(const struct warnings *w, const struct json *tree); /* of a status */
/* What became of a label of nodes; NULL: nothing did. */
const char *warning_of_label(struct str key);
/* The spec, and the annotations of the pod or template, at a path ("" or "template."). */
void warnings_of_pod(const struct warnings *w, const char *at, const struct json *pod);

/* Annotations of AppArmor, that become fields when the pod is prepared. */
void warnings_before_pod(const struct warnings *w, const struct json *pod);
/* at: of the list */
void warnings_of_volumes(const struct warnings *w, const char *at, const struct json *list);

#endif
