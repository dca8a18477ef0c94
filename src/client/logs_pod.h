/* logs_pod: which pod and which container `skeg logs` means: a pod by name, or the best pod of a
 * workload or Service; the container that an annotation names, else the first.
 * Pure but for logs_pod_find(). */
#ifndef SKEG_CLIENT_LOGS_POD_H
#define SKEG_CLIENT_LOGS_POD_H

#include "client/api_client.h"
#include "client/resource_types.h"

/* The labels that select the pods of a workload: "app=web,tier in (a,b)"; RC_BAD_REQUEST when it
 * selects none. */
[[nodiscard]] enum rc logs_selector(struct arena *a, const struct json *workload,
				    struct str *ret_selector, struct err *err);
/* The one that has most to say: ready before running before all others, the older of equals. */
const struct json *logs_best_pod(const struct json *pods);
/* Absent when the pod has no containers; *ret_is_guess when the first of several was taken. */
struct str logs_default_container(const struct json *pod, bool *ret_is_guess);
/* "web, sidecar, setup (init)" */
[[nodiscard]] struct str logs_container_names(struct arena *a, const struct json *pod);
/* The given one, else the default one, which is told on standard error when it is a guess. */
struct str logs_choose_container(struct arena *a, const struct json *pod, struct str given,
				 bool is_quiet);

bool logs_pod_has_ended(const struct json *pod);
/* RC_BAD_REQUEST when it has; what: "exec". */
[[nodiscard]] enum rc logs_pod_check(const struct json *pod, const char *what, struct err *err);

/* POD or TYPE/NAME. */
[[nodiscard]] enum rc logs_target_parse(struct arena *a, const char *word,
					struct resource_target *ret_target, struct err *err);
/* The target's pod, as a tree in the client's arena; says on standard error which it took out of
 * several. */
[[nodiscard]] enum rc logs_pod_find(struct api_client *c, const struct resource_target *target,
				    const struct json **ret_pod, struct err *err);

#endif
