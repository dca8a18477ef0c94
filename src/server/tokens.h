/* tokens: bearer tokens: service account tokens (ES256 JWTs bound to an audience, an expiry and
 * maybe a pod), and the join token. Verified tokens are cached (TOKEN_CACHE_MAX); what they rest on
 * (account, pod) is looked at each time. Threads: all calls safe. */
#ifndef SKEG_SERVER_TOKENS_H
#define SKEG_SERVER_TOKENS_H

#include "server/keys.h"
#include "server/request.h"

#define TOKEN_CACHE_MAX 4096
#define TOKEN_LEAST_S	600
#define TOKEN_DEFAULT_S 3600
#define TOKEN_MOST_S	(1LL << 32)

struct token_cache;

struct token_options {
	const char *const *issuers; /* the first signs, all are believed; at least one */
	size_t issuer_count;
	const char *const *audiences; /* of tokens for this server; none: the issuers */
	size_t audience_count;
	const char *jwks_uri; /* told to who discovers the issuer; NULL: this server's */
	int64_t max_life_s;   /* of what is asked for; 0: any */
	bool extends_expiry;  /* see token_extends() */
};

struct token_claims {
	struct str namespace, account, account_uid;
	struct str bound_kind, bound_name, bound_uid; /* "Pod", "Secret", "Node" or absent */
	struct str node_name, node_uid;
	const struct str *audiences;
	size_t audience_count;
	int64_t issued_s, expires_s;
	int64_t warn_after_s; /* who uses it later should have renewed it; 0: no such time */
	struct str id;	      /* jti */
};

/* What is to be told of a token that was used. */
struct token_note {
	struct object *secret; /* borrowed from the snapshot: the token lies in this Secret */
	int64_t seconds_stale; /* since its time to be renewed; 0: not yet */
};

struct token_cache *token_cache_new(const struct cluster_keys *keys,
				    const struct token_options *options);
void token_cache_free(struct token_cache *c);

/* Signs; the text lives in the arena. */
[[nodiscard]] enum rc token_sign(struct token_cache *c, struct arena *a,
				 const struct token_claims *claims, struct str *ret_token,
				 struct err *err);
/* One without end, for a Secret of type kubernetes.io/service-account-token: it is good as long as
 * that Secret holds it and has no label TOKEN_INVALID_LABEL. */
#define TOKEN_INVALID_LABEL "kubernetes.io/legacy-token-invalid-since"
[[nodiscard]] enum rc token_sign_legacy(struct token_cache *c, struct arena *a,
					struct str namespace, struct str account,
					struct str account_uid, struct str secret,
					struct str *ret_token, struct err *err);
/* Signature, times, issuer, audience, and that account and bound object exist in the snapshot.
 * RC_UNAUTHORIZED with the reason. */
[[nodiscard]] enum rc token_verify(struct token_cache *c, struct arena *a, const struct snapshot *s,
				   struct str token, const struct str *audiences,
				   size_t audience_count, struct user *ret_user,
				   struct token_note *ret_note, struct err *err);
/* Is it of this server and its signature good?  Nothing else is looked at. */
bool token_is_signed(struct token_cache *c, struct arena *a, struct str token);
/* A pod's ordinary token (TOKEN_WARN_ONLY_S) for this server is signed for TOKEN_EXTENDED_S, with a
 * warning from its nominal end on: clients that read their file but once go on to work. */
#define TOKEN_WARN_ONLY_S 3607
#define TOKEN_EXTENDED_S  (365LL * 86400)
bool token_extends(const struct token_cache *c, const struct str *audiences, size_t count);

/* The audiences of these that a verified token names, in their order; returns how many. */
size_t token_is_for(const struct token_cache *c, struct arena *a, struct str token,
		    const struct str *asked, size_t count, struct str *ret_named);

struct str token_issuer(const struct token_cache *c); /* who signs */
const struct str *token_audiences(const struct token_cache *c, size_t *ret_count);
struct str token_jwks_uri(const struct token_cache *c); /* absent: not told */
int64_t token_max_life_s(const struct token_cache *c);	/* 0: any */

#endif
