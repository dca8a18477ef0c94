/* kubeconfig_set: the kubeconfigs of one command as one: the file of --kubeconfig, else those of
 * $KUBECONFIG, else ~/.kube/config.
 *
 * Of entries of one name that of the first file counts.  A change goes to the file that has the
 * entry; a new entry to the first file that exists, else the last one.  Files that are not there
 * count as empty.  Memory is the arena's.
 * Limits: KUBECONFIG_FILES_MAX files.
 * Source: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ */
#ifndef SKEG_CLIENT_KUBECONFIG_SET_H
#define SKEG_CLIENT_KUBECONFIG_SET_H

#include "client/kubeconfig.h"

#define KUBECONFIG_FILES_MAX 32

struct kubeconfig_file {
	const char *path;
	struct json *tree;
	bool exists, is_changed;
};

struct kubeconfig_set {
	struct arena *arena;
	struct kubeconfig_file files[KUBECONFIG_FILES_MAX];
	size_t count;	  /* at least 1 */
	const char *path; /* of new entries, and for messages */
};

/* path NULL: by the environment. */
[[nodiscard]] enum rc kubeconfig_set_load(struct arena *a, const char *path,
					  struct kubeconfig_set *ret_set, struct err *err);
/* Writes the files that were changed, keys and names sorted. */
[[nodiscard]] enum rc kubeconfig_set_save(struct kubeconfig_set *s, struct err *err);

/* What the entry of that name holds; NULL when there is none. */
struct json *kubeconfig_set_get(const struct kubeconfig_set *s, enum kubeconfig_section section,
				struct str name);
/* The same to be changed, made when absent. */
struct json *kubeconfig_set_need(struct kubeconfig_set *s, enum kubeconfig_section section,
				 struct str name);
/* Takes it out of every file; was there one? */
bool kubeconfig_set_drop(struct kubeconfig_set *s, enum kubeconfig_section section,
			 struct str name);
/* Sorted. */
struct str *kubeconfig_set_names(const struct kubeconfig_set *s, enum kubeconfig_section section,
				 size_t *ret_count);

struct str kubeconfig_set_current(const struct kubeconfig_set *s); /* "": none */
void kubeconfig_set_choose(struct kubeconfig_set *s, struct str context);

/* All of them as one document, as they are written: sorted, paths of files made absolute. */
[[nodiscard]] struct json *kubeconfig_set_merged(const struct kubeconfig_set *s);

#endif
