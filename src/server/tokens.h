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

struct token_claims {
	struct str namespace, account, account_uid;
	struct str bound_kind, bound_name, bound_uid; /* "Pod", "Secret", "Node" or absent */
	struct str node_name, node_uid;
	const struct str *audiences;
	size_t audience_count;
	int64_t issued_s, expires_s;
	struct str id; /* jti */
};

struct token_cache *token_cache_new(const struct cluster_keys *keys, struct str issuer);
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
				   size_t audience_count, struct user *ret_user, struct err *err);

/* Is the audience one of those that a token names?  Of a token that has been verified. */
bool token_is_for(const struct token_cache *c, struct arena *a, struct str token,
		  struct str audience);

/* Who a request is: client certificate, bearer token, or anonymous. */
enum step stage_authenticate(struct request *r);
/* Impersonate-User, -Group, -Uid, -Extra-*. */
enum step stage_impersonate(struct request *r);
struct str token_issuer(const struct token_cache *c);

#endif
