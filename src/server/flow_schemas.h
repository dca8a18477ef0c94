/* flow_schemas: which flow schema a request belongs to, and so which priority level and flow.
 *
 * Owns: the table, sorted by precedence; it is of one snapshot, whose views it points into.
 * Threads: a table never changes.  Source: flowcontrol.apiserver.k8s.io of upstream v1.35. */
#ifndef SKEG_SERVER_FLOW_SCHEMAS_H
#define SKEG_SERVER_FLOW_SCHEMAS_H

#include "server/fair_queue.h"
#include "server/request.h"

struct flow_schema_row {
	struct str name, uid, level_uid;
	const struct flow_schema *schema;
	struct fair_level *level;
};

struct flow_schemas {
	struct arena arena;
	struct snapshot *snapshot; /* referenced */
	struct flow_schema_row *rows;
	size_t count;
};

/* Sets the levels of the snapshot in `levels` and settles them; schemas whose level is missing are
 * left out. */
struct flow_schemas *flow_schemas_new(const struct snapshot *s, struct fair_levels *levels);
void flow_schemas_free(struct flow_schemas *f);
/* Would one of that snapshot be the same? */
bool flow_schemas_are_of(const struct flow_schemas *f, const struct snapshot *s);

/* NULL: none matches. */
const struct flow_schema_row *flow_schemas_find(const struct flow_schemas *f,
						const struct request *r);
/* Requests of one flow wait for each other. */
uint64_t flow_hash(const struct flow_schema_row *row, const struct request *r);

#endif
