/* jwt_issuer: the keys of one issuer of tokens, fetched from where its discovery document says.
 *
 * Discovery is tried until it succeeds (JWT_DISCOVERY_FIRST_MS, doubled up to
 * JWT_DISCOVERY_LAST_MS); then keys are fetched, and again when somebody misses one: at most once
 * in JWT_FETCH_LEAST_MS however many ask, and in the background when the set is older than
 * JWT_KEYS_FRESH_MS and a token was checked with it.  Nothing is fetched while no tokens come.
 * Owns: its client and timers.  Threads: core; jwt_issuer_keys() and jwt_issuer_touch() any.
 * Limits: JWT_WAITING_MAX requests wait for a fetch, JWT_DOCUMENT_MAX bytes a document. Errors are
 * logged once until something else happens. */
#ifndef SKEG_SERVER_JWT_ISSUER_H
#define SKEG_SERVER_JWT_ISSUER_H

#include "base/list.h"
#include "io/loop.h"
#include "server/authentication_config.h"
#include "server/jwt_keys.h"

#define JWT_DISCOVERY_FIRST_MS 1000
#define JWT_DISCOVERY_LAST_MS  10000
#define JWT_FETCH_LEAST_MS     2000
#define JWT_FETCH_TIMEOUT_MS   10000
#define JWT_KEYS_FRESH_MS      (5 * 60 * 1000)
#define JWT_WAITING_MAX	       256
#define JWT_DOCUMENT_MAX       (1u << 20)

struct jwt_issuer;

/* Somebody who waits for the next fetch.  Embed it; done runs on core. */
struct jwt_wait {
	struct list link;
	void (*done)(struct jwt_wait *w);
};

[[nodiscard]] enum rc jwt_issuer_new(struct loop *core, const struct jwt_issuer_config *config,
				     struct jwt_issuer **ret_issuer, struct err *err);
void jwt_issuer_start(struct jwt_issuer *issuer);
/* Nothing is fetched any more; who waits is told, who comes later at once. */
void jwt_issuer_stop(struct jwt_issuer *issuer);
void jwt_issuer_free(struct jwt_issuer *issuer); /* NULL is fine */

const struct jwt_issuer_config *jwt_issuer_config(const struct jwt_issuer *issuer);
/* A reference to the newest set; NULL before the first. */
struct jwt_keys *jwt_issuer_keys(struct jwt_issuer *issuer);
/* Has its discovery document been read? */
bool jwt_issuer_is_known(struct jwt_issuer *issuer);
/* Its keys have been used: they are fetched again when they are old. */
void jwt_issuer_touch(struct jwt_issuer *issuer);
/* done runs after a fetch that began after this call, or at once when too many wait. */
void jwt_issuer_wait(struct jwt_issuer *issuer, struct jwt_wait *w);

#endif
