/* admission: plugins between defaulting and validation, in a fixed order.
 * Each is a row: which kinds and operations it looks at, and a function that edits the tree or
 * refuses. Threads: core.  Source: upstream's default plugins of v1.35. */
#ifndef SKEG_SERVER_ADMISSION_H
#define SKEG_SERVER_ADMISSION_H

#include "server/request.h"

enum admit_operation {
	ADMIT_CREATE = 1,
	ADMIT_UPDATE = 2,
	ADMIT_DELETE = 4,
	ADMIT_JUDGE_CREATE = 8, /* after validation: may refuse, edits nothing */
	ADMIT_JUDGE_UPDATE = 16,
};

/* STEP_NEXT, or STEP_DONE with the refusal. old is NULL for a create. */
enum step admit(struct request *r, enum admit_operation op, const struct json *old,
		struct json *tree);

#endif
