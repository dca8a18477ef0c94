/* validate_rows: one row a rule: a document, or two and a subresource, and what is refused.
 * Documents are written with ' for ", and without their metadata. */
#ifndef SKEG_TESTS_VALIDATE_ROWS_H
#define SKEG_TESTS_VALIDATE_ROWS_H

#include "rules.h"

#include "api/defaults.h"
#include "api/validate.h"

struct validate_row {
	const char *api_version, *kind;
	const char *old; /* NULL: a create */
	const char *given;
	const char *expected;	 /* one refusal a line; "" none */
	const char *subresource; /* NULL: the object itself */
	const char *metadata;	 /* further members of metadata */
};

/* {'metadata':{…},given} as the server has it before it judges: with defaults, prepared. */
static inline struct json *row_tree(struct arena *a, const struct api_kind *kind,
				    const struct validate_row *row, const char *members)
{
	struct str text = arena_printf(a, "{'metadata':{'name':'x'%s,'uid':'u'%s%s}%s%s}",
				       kind->is_namespaced ? ",'namespace':'n'" : "",
				       row->metadata ? "," : "", row->metadata ? row->metadata : "",
				       *members ? "," : "", members);
	char *quoted = arena_cstr(a, text);
	for (size_t i = 0; i < text.len; i++)
		if (quoted[i] == '\'')
			quoted[i] = '"';
	struct json *tree = normal(a, kind, parsed(a, quoted));
	api_default(a, kind, tree);
	return tree;
}

static inline void assert_refused(const struct validate_row *row, const struct field_errors *errors)
{
	CLEANUP_BUF text = BUF_INIT(1u << 16);
	for (size_t i = 0; i < errors->count; i++) {
		if (i)
			buf_add_char(&text, '\n');
		field_error_write(&text, &errors->items[i]);
	}
	if (strcmp(text.data ? text.data : "", row->expected))
		fail_msg("%s %s\n  gives   %s\n  but not %s", row->kind, row->given,
			 text.data ? text.data : "nothing", row->expected);
}

static inline void judge_row(const struct validate_row *row)
{
	CLEANUP_ARENA a = {};
	struct field_errors errors = {.arena = &a};
	const struct api_kind *kind = kind_named(row->api_version, row->kind);
	const char *part = row->subresource ? row->subresource : "";
	struct json *tree = row_tree(&a, kind, row, row->given);
	if (row->old) {
		struct json *old = row_tree(&a, kind, row, row->old);
		api_prepare_update(&a, kind, old, tree, part, NOW_US);
		api_validate_update(kind, old, normal(&a, kind, tree), part, &errors);
	} else {
		api_prepare_create(&a, kind, tree, NOW_US);
		api_validate_create(kind, normal(&a, kind, tree), &errors);
	}
	assert_refused(row, &errors);
}

static inline void judge_rows(const struct validate_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		judge_row(&rows[i]);
}

#endif
