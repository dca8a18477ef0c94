/* authentication_config: which issuers of tokens are trusted and what their claims mean, and what
 * nobody in particular may ask for.
 *
 * From the options --oidc-*, or from a file of kind AuthenticationConfiguration
 * (apiserver.config.k8s.io v1, v1beta1, v1alpha1).  Of the file, expressions (CEL) are refused.
 * Errors are upstream's, with the field. Constant once loaded.  Sources: upstream's
 * pkg/kubeapiserver/options/authentication.go and apiserver/pkg/apis/apiserver/validation. */
#ifndef SKEG_SERVER_AUTHENTICATION_CONFIG_H
#define SKEG_SERVER_AUTHENTICATION_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

#define JWT_ISSUERS_MAX 64 /* as upstream */

struct oidc_options { /* any may be NULL */
	const char *issuer_url, *client_id, *ca_file;
	const char *username_claim, *username_prefix; /* prefix "-": none */
	const char *groups_claim, *groups_prefix;
	const char *signing_algs;	    /* separated by commas */
	const char *const *required_claims; /* "name=value" */
	size_t required_claim_count;
};

struct authentication_options {
	struct oidc_options oidc;
	const char *config_file; /* NULL: none; not together with any of oidc */
	bool refuses_anonymous;
};

struct jwt_claim {
	struct str name, value;
};

struct jwt_issuer_config {
	struct str url, discovery_url; /* of the document itself */
	struct str ca_pem;	       /* absent: the system's authorities */
	const struct str *audiences;
	size_t audience_count;
	struct str username_claim, username_prefix;
	struct str groups_claim, groups_prefix; /* claim absent: no groups */
	struct str uid_claim;			/* absent: no uid */
	const struct jwt_claim *required;
	size_t required_count;
};

struct authentication_config {
	struct arena arena;
	struct jwt_issuer_config issuers[JWT_ISSUERS_MAX];
	size_t issuer_count;
	const struct str *algorithms; /* of signatures */
	size_t algorithm_count;
	bool refuses_anonymous;
	const struct str *anonymous_paths; /* the only ones that nobody may ask for; NULL: any */
	size_t anonymous_path_count;
};

/* own_issuers: who signs service account tokens, who must not be named again.  RC_INVALID. */
[[nodiscard]] enum rc authentication_config_load(const struct authentication_options *options,
						 const struct str *own_issuers, size_t own_count,
						 struct authentication_config **ret_config,
						 struct err *err);
void authentication_config_free(struct authentication_config *config);

/* The file's part, without the checks of issuers. */
[[nodiscard]] enum rc authentication_file_read(struct authentication_config *config,
					       const char *path, bool *ret_has_anonymous,
					       struct err *err);

#endif
