/* prepare-int: the table of what strategies do with an object, shared by prepare*.c. */
#ifndef SKEG_API_PREPARE_INT_H
#define SKEG_API_PREPARE_INT_H

#include "api/defaults.h"

#define DAEMON_SET_GENERATION "deprecated.daemonset.template.generation"

struct prepare_row {
	const char *group, *kind;
	const char *counted; /* members that generation follows; "*" all but metadata and status;
				"-" none although it starts at 1; "" no generation */
	bool has_status, keeps_status;
	void (*create)(struct arena *a, struct json *tree, int64_t now_us);
};

extern const struct prepare_row prepare_rows[]; /* ends with a row without kind */
const struct prepare_row *prepare_find(const struct api_kind *kind);

void service_addresses(struct arena *a, struct json *spec);
/* Endpoints of discovery v1 have none: what older versions kept there. */
void drop_topology(struct json *tree);

/* Appends value to the list of strings `name` of parent unless it is there. */
void list_add_string(struct arena *a, struct json *parent, const char *name, struct str value);

#endif
