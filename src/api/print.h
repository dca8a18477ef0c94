/* print: the cells of Table rows, as upstream's printers have them.
 *
 * Columns are data (struct api_column); the cells of a kind are written by one function of
 * print_*.c from its view.  A kind without one has name and creation time, as upstream's default
 * table.
 *
 * Threads: pure functions.  Cost: no allocation but what the buffer needs; selectors and lists sort
 * on the stack and an arena of the call.  Source: k8s pkg/printers/internalversion. */
#ifndef SKEG_API_PRINT_H
#define SKEG_API_PRINT_H

#include "api/object.h"
#include "api/schema.h"
#include "base/buf.h"

/* A JSON array of the cells of all columns, the wide ones included.
 * view is the object's in storage version (object_view()); kind any served kind of it. */
void api_print_cells(struct buf *out, const struct api_kind *kind, const void *view,
		     int64_t now_us);

/* The JSON array of the row's conditions (a Pod that has ended); false and nothing written else. */
bool api_print_conditions(struct buf *out, const struct api_kind *kind, const void *view);

/* `"cells":[…]` and, where there are some, `,"conditions":[…]` of a published object's row.  What
 * does not change with time is made once for each state of an object and kept with it (about 200
 * bytes); then a row costs its copy and its ages.  Any thread. */
void api_print_row(struct buf *out, const struct api_kind *kind, const struct object *o,
		   int64_t now_us);

#endif
