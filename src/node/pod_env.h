/* pod_env: the environment of a container: its own variables, those of Services, and $(NAME).
 * Source: https://kubernetes.io/docs/tasks/inject-data-application/, kubelet_pods.go. */
#ifndef SKEG_NODE_POD_ENV_H
#define SKEG_NODE_POD_ENV_H

#include "node/pod_worker.h"

#define POD_ENV_MAX_BYTES (1u << 20) /* of one expanded value */

struct pod_env {
	struct runtime_name_value *items;
	size_t count, cap;
};

/* RC_NOT_FOUND and RC_INVALID with upstream's message. */
[[nodiscard]] enum rc pod_env_make(struct arena *a, const struct pod_container *c,
				   struct pod_env *ret_env, struct err *err);
struct str pod_env_get(const struct pod_env *env, struct str name); /* absent when not set */
/* "$(NAME)" by its value, "$$" by "$"; an unknown name stays as it is. */
[[nodiscard]] enum rc pod_env_expand(struct arena *a, const struct pod_env *env, struct str text,
				     struct str *ret_text, struct err *err);

/* Variables of one Service: WEB_SERVICE_HOST and the like. */
void service_env_add(struct arena *a, struct pod_env *env, const struct service *service);

#endif
