/* account_secrets: fills Secrets of type kubernetes.io/service-account-token (token, CA, namespace)
 * for the account that their annotation names, and removes them with that account.
 * Threads: core.  Source: upstream's pkg/controller/serviceaccount/tokens_controller.go. */
#ifndef SKEG_SERVER_ACCOUNT_SECRETS_H
#define SKEG_SERVER_ACCOUNT_SECRETS_H

#include "server/server.h"

struct account_secrets *account_secrets_new(struct server *server);
void account_secrets_free(struct account_secrets *s);
/* The token of this Secret has been used: the Secret's label ACCOUNT_TOKEN_USED_LABEL gets today's
 * date (UTC).  Any thread; while one Secret is being marked others wait for their next use. */
#define ACCOUNT_TOKEN_USED_LABEL "kubernetes.io/legacy-token-last-used"
void account_secrets_used(struct account_secrets *s, const struct object *secret);

#endif
