/* oidc: users whom a trusted issuer names in a signed token (OpenID Connect ID token), as
 * upstream's JWT authenticators.
 *
 * A token goes to the issuer that its claim "iss" names; it must be signed by one of that issuer's
 * keys with an allowed algorithm, be in time, be for one of the audiences and have the required
 * claims. A token whose signature fits no known key waits for one fetch of the keys (they may have
 * been rotated) without holding a thread.  Not done: distributed claims, expressions.
 * Owns: the issuers.  Threads: new, start, stop, free on core; the rest any.
 * Source: upstream's apiserver/plugin/pkg/authenticator/token/oidc. */
#ifndef SKEG_SERVER_OIDC_H
#define SKEG_SERVER_OIDC_H

#include "server/authentication_config.h"
#include "server/request.h"

struct oidc;

/* config is borrowed. */
[[nodiscard]] enum rc oidc_new(struct loop *core, const struct authentication_config *config,
			       struct oidc **ret_oidc, struct err *err);
void oidc_start(struct oidc *oidc);
void oidc_stop(struct oidc *oidc); /* requests that wait are refused */
void oidc_free(struct oidc *oidc); /* NULL is fine */

enum oidc_finding {
	OIDC_OTHER,   /* of no issuer of ours */
	OIDC_GOOD,    /* *ret_user is set */
	OIDC_BAD,     /* err says why */
	OIDC_UNKNOWN, /* no key of the issuer fits; newer ones may */
};
/* Groups are those of the claims alone.  Accepts NULL for oidc. */
enum oidc_finding oidc_verify(struct oidc *oidc, struct arena *a, struct str token,
			      struct user *ret_user, struct err *err);
/* Runs resumed(r) on the loop of r once the issuer's keys were fetched again.  On that loop. */
void oidc_wait(struct oidc *oidc, struct request *r, struct str token,
	       void (*resumed)(struct request *r));

#endif
