/* rule_match: how the lists of rules (RBAC, flow schemas, audit policies) name verbs, groups and
 * paths. Threads: pure. */
#ifndef SKEG_SERVER_RULE_MATCH_H
#define SKEG_SERVER_RULE_MATCH_H

#include "api/views.h"
#include "base/str.h"

/* The value itself or "*". */
bool rule_lists(const struct str_array *list, struct str value);
/* The path itself, or its beginning before a "*" at the end. */
bool rule_covers_path(struct str pattern, struct str path);
bool rule_lists_path(const struct str_array *patterns, struct str path);

#endif
