/* kustomize: builds of the program of that name, "kubectl kustomize" when only that is there. */
#ifndef SKEG_CLIENT_KUSTOMIZE_H
#define SKEG_CLIENT_KUSTOMIZE_H

#include "base/arena.h"
#include "base/err.h"

/* The YAML that comes of a folder; RC_NOT_FOUND when neither program is installed. */
[[nodiscard]] enum rc kustomize_build(struct arena *a, const char *folder, struct str *ret_yaml,
				      struct err *err);

#endif
