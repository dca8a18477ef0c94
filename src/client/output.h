/* output: the forms of -o: objects as YAML, JSON, names, templates and columns.
 * custom-columns: HEAD:path[,HEAD:path…]; paths as --sort-by has them. */
#ifndef SKEG_CLIENT_OUTPUT_H
#define SKEG_CLIENT_OUTPUT_H

#include "client/object_output.h"
#include "client/text_table.h"
#include "codec/jsonpath.h"

struct output_column {
	struct str head;
	struct jsonpath *path;
};

struct output {
	enum output_form form;
	struct jsonpath *template;
	struct output_column *columns;
	size_t column_count;
	bool is_json;	   /* of a template: results as a list of JSON */
	bool has_no_heads; /* of columns */
	bool shows_managed_fields;
	struct text_table table; /* of columns, until output_end() */
	size_t printed;
};

/* "yaml", "jsonpath={.kind}", "custom-columns-file=FILE" …; NULL: OUTPUT_TABLE.  RC_BAD_REQUEST
 * names the forms there are. */
[[nodiscard]] enum rc output_parse(struct arena *a, const char *text, struct output *ret_output,
				   struct err *err);
static inline bool output_is_table(const struct output *o)
{
	return o->form == OUTPUT_TABLE || o->form == OUTPUT_WIDE;
}
/* An object or a List to standard output; every form but tables.  Edits the tree. */
[[nodiscard]] enum rc output_print(struct output *o, struct arena *a, struct json *tree,
				   struct err *err);

#endif
