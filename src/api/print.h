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

#include "api/schema.h"
#include "base/buf.h"

/* A JSON array of the cells of all columns, the wide ones included.
 * view is the object's in storage version (object_view()); kind any served kind of it. */
void api_print_cells(struct buf *out, const struct api_kind *kind, const void *view,
		     int64_t now_us);

/* The JSON array of the row's conditions (a Pod that has ended); false and nothing written else. */
bool api_print_conditions(struct buf *out, const struct api_kind *kind, const void *view);

#endif
