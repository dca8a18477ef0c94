/* prune: the end of an apply: what was applied before and is in no file now is deleted. */
#ifndef SKEG_CLIENT_PRUNE_H
#define SKEG_CLIENT_PRUNE_H

#include "client/change.h"
#include "client/verb.h"

struct prune {
	struct verb *verb;
	struct change *change;
	const char *label_selector;	 /* NULL: any labels */
	const struct text_list *allowed; /* "apps/v1/Deployment"; empty: the usual kinds */
	struct str *kept, *namespaces;
	size_t kept_count, kept_cap, namespace_count, namespace_cap;
};

void prune_keep(struct prune *p, struct str uid);
void prune_visit(struct prune *p, struct str namespace); /* only visited ones are looked at */
[[nodiscard]] enum rc prune_rest(struct prune *p, struct err *err);

#endif
