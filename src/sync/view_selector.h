/* view_selector: selectors out of views.  Pure functions; memory is the arena's. */
#ifndef SKEG_SYNC_VIEW_SELECTOR_H
#define SKEG_SYNC_VIEW_SELECTOR_H

#include "api/selector.h"
#include "api/views.h"

/* NULL matches nothing, an empty one everything; one with an operator that does not exist nothing.
 */
struct selector selector_from_view(struct arena *a, const struct label_selector *view);
/* One requirement more. */
struct selector selector_with(struct arena *a, const struct selector *s, struct str key,
			      enum selector_op op, struct str value);
bool selector_is_everything(const struct selector *s);

#endif
