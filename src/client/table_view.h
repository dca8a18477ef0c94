/* table_view: a server's Tables (meta.k8s.io/v1) as text, with kubectl's choice of columns: those
 * of priority 0, the others with wide, NAMESPACE before and LABELS behind when asked for.
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ (Receiving resources as
 * Tables).
 *
 * One view shows Tables of one kind; later ones (pages, events of a watch) may lack the
 * definitions of columns. */
#ifndef SKEG_CLIENT_TABLE_VIEW_H
#define SKEG_CLIENT_TABLE_VIEW_H

#include "client/command.h"
#include "client/text_table.h"
#include "codec/json.h"

struct table_view {
	bool is_wide, has_no_heads, has_namespace, has_labels; /* what was asked for */
	const struct text_list *label_columns; /* labels with a column each; NULL: none */
	struct str type;  /* "deployment.apps": before each name; absent: not shown */
	bool has_columns; /* their definitions came */
	bool is_shown[TEXT_TABLE_COLUMNS_MAX];
	size_t column_count, name_column;
	struct text_table text;
	size_t row_count; /* of all Tables so far */
};

/* Adds the rows of a Table (heads before the first row); RC_INVALID when it is none. */
[[nodiscard]] enum rc table_view_add(struct table_view *v, struct arena *a,
				     const struct json *table, struct err *err);

#endif
