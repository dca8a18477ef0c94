/* auth_rules: all that somebody may do in a namespace, for `skeg auth can-i --list`. */
#ifndef SKEG_CLIENT_AUTH_RULES_H
#define SKEG_CLIENT_AUTH_RULES_H

#include "client/verb.h"

[[nodiscard]] enum rc auth_rules_print(struct verb *v, bool has_no_heads, struct err *err);

#endif
