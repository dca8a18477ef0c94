/* kubeconfig: the files by which kubectl and skeg's own verbs find a cluster.
 * Source: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ */
#ifndef SKEG_CLIENT_KUBECONFIG_H
#define SKEG_CLIENT_KUBECONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

#define KUBECONFIG_NAME "skeg" /* of cluster, user and context */

struct kubeconfig_admin {
	const char *host;
	uint16_t port;
	struct str ca_pem, cert_pem, key_pem;
};
/* A file of one cluster, user and context; mode 0600. */
[[nodiscard]] enum rc kubeconfig_write(const char *path, const struct kubeconfig_admin *admin,
				       struct err *err);

/* Puts cluster, user and context of source into the file at path (made when absent), replacing
 * those of the same name, and makes the context current. */
[[nodiscard]] enum rc kubeconfig_merge(const char *path, const char *source, const char *context,
				       struct err *err);
/* Takes them out again; what else is in the file stays, and the context that was current before is
 * current again. */
[[nodiscard]] enum rc kubeconfig_remove(const char *path, const char *context, struct err *err);

/* The document of one file; an empty one when the file has no content, and with RC_NOT_FOUND. */
[[nodiscard]] enum rc kubeconfig_read(struct arena *a, const char *path, struct json **ret_tree,
				      struct err *err);
[[nodiscard]] enum rc kubeconfig_save(const char *path, const struct json *tree, struct err *err);
/* The entry of that name in a list of clusters, users or contexts; NULL when there is none. */
struct json *kubeconfig_find(const struct json *list, struct str name);

/* Takes the entries of that name out; were there any? */
bool kubeconfig_drop(struct json *list, struct str name);
/* The member holds the bytes in base64. */
[[nodiscard]] enum rc kubeconfig_put_data(struct arena *a, struct json *value, const char *member,
					  struct str bytes, struct err *err);

enum kubeconfig_section {
	KUBECONFIG_CLUSTERS,
	KUBECONFIG_USERS,
	KUBECONFIG_CONTEXTS,
	KUBECONFIG_SECTIONS
};
extern const struct kubeconfig_names {
	const char *list; /* "clusters" */
	const char *key;  /* "cluster": what an entry holds, besides its name */
} kubeconfig_names[KUBECONFIG_SECTIONS];

/* What a client needs to talk to the current context. */
struct kubeconfig_target {
	struct str server, namespace, ca_pem, cert_pem, key_pem, token;
	bool skip_verify;
};
/* path NULL: the files of $KUBECONFIG, else ~/.kube/config.  context NULL: the current one. */
[[nodiscard]] enum rc kubeconfig_load(struct arena *a, const char *path, const char *context,
				      struct kubeconfig_target *ret_target, struct err *err);
/* $KUBECONFIG's first file or ~/.kube/config, in the arena. */
const char *kubeconfig_default_path(struct arena *a);

#endif
