/* filter: what a list, watch or collection delete selects: namespace, labels, fields, name.
 * Threads: pure after filter_init(). */
#ifndef SKEG_SERVER_FILTER_H
#define SKEG_SERVER_FILTER_H

#include "api/selector.h"
#include "server/request.h"

struct filter {
	const struct api_kind *kind; /* served */
	struct str namespace;
	struct selector labels;
	struct field_selector fields;
};

/* From the route and options of a request; RC_BAD_REQUEST in upstream's words. */
[[nodiscard]] enum rc filter_init(struct request *r, struct filter *ret_filter, struct err *err);
/* At most one object matches: it is named in full. */
bool filter_is_one(const struct filter *f);
bool filter_matches(const struct filter *f, const struct object *o); /* o NULL: false */

#endif
