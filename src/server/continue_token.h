/* continue_token: where a paged list goes on: a revision and the key after which.
 * Wire form as upstream's: base64url of {"v":"meta.k8s.io/v1","rv":12,"start":"ns/name\u0000"};
 * clients treat it as opaque, but some tools read it.  Pure functions. */
#ifndef SKEG_SERVER_CONTINUE_TOKEN_H
#define SKEG_SERVER_CONTINUE_TOKEN_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct continue_token {
	int64_t revision; /* -1: whatever is newest (an inconsistent continuation) */
	struct str namespace, name;
};

struct str continue_token_write(struct arena *a, const struct continue_token *t);
[[nodiscard]] enum rc continue_token_parse(struct arena *a, struct str text,
					   struct continue_token *ret_token, struct err *err);

#endif
