/* pod_sources: the Secrets and ConfigMaps that a pod's spec names, watched as long as it lives.
 * Limits: POD_SOURCES_MAX different ones a pod; the others count as absent. */
#ifndef SKEG_NODE_POD_SOURCES_H
#define SKEG_NODE_POD_SOURCES_H

#include "node/pod_worker.h"

#define POD_SOURCES_MAX 256

struct pod_sources;

/* Starts to watch them.  on_change: one of them is known now or has changed. */
[[nodiscard]] struct pod_sources *pod_sources_new(struct pod_worker *w,
						  void (*on_change)(struct pod_worker *w));
/* The pod has got further containers: theirs too. */
void pod_sources_extend(struct pod_worker *w);
void pod_sources_free(struct pod_sources *s);
bool pod_sources_are_known(const struct pod_sources *s);

/* Views, borrowed until the loop's next turn; NULL: absent. */
const struct secret *pod_secret(const struct pod_worker *w, struct str name);
const struct config_map *pod_config_map(const struct pod_worker *w, struct str name);

#endif
