/* authenticate: who a request is: an authenticating proxy's word, a client certificate, a bearer
 * token (join token, admin token, service account, an issuer that is trusted), or nobody.
 *
 * Nobody gets ANONYMOUS_BODY_MAX of body: what is longer is refused (413) before any of it is kept.
 * The same holds for who brings a token that cannot be good.  One that names a trusted issuer and a
 * key that is not known yet may be good: keys change, and only its request fetches them.
 * Threads: io. */
#ifndef SKEG_SERVER_AUTHENTICATE_H
#define SKEG_SERVER_AUTHENTICATE_H

#include "server/request.h"

#define ANONYMOUS_BODY_MAX (16u << 10)

enum step stage_authenticate(struct request *r);
/* Impersonate-User, -Group, -Uid, -Extra-*. */
enum step stage_impersonate(struct request *r);

/* How many bytes of body are taken from the sender of this head. */
size_t authenticate_body_max(struct server *server, struct http_exchange *x);

void user_add_group(struct user *u, struct str group); /* beyond REQUEST_GROUPS_MAX: dropped */
/* Those of every service account of the namespace. */
void user_add_account_groups(struct arena *a, struct user *u, struct str namespace);
/* One more value of the key; an empty one is left out. */
void user_add_extra(struct arena *a, struct user *u, struct str key, struct str value);

#endif
