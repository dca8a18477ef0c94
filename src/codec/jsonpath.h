/* jsonpath: kubectl's templates over JSON trees: text with actions in braces.
 *
 *	{.a.b} {['a.b']} {.a\.b}	members	{.list[0]} {[1:3]} {[-1]} {[::2]}	items
 *	{.*} {[*]}	all	{..name}	at any depth	{[0,2]}	several
 *	{[?(@.type=="Ready")]}	items for which == != < <= > >= holds; {[?(@.a)]} those that have it
 *	{range .items[*]}{.name}{"\n"}{end}	once for each	{'text'} {"\t"}	text
 *
 * Results of one action are put out with a space between; texts without quotes, objects and lists
 * as compact JSON.  What is not there gives nothing.  Members come in the order of the tree.
 * Pure functions; memory is the arena's.  Limits: JSONPATH_DEPTH_MAX nested templates,
 * JSONPATH_RESULTS_MAX results of one step.  Errors: RC_BAD_REQUEST in upstream's wording.
 * Source: https://kubernetes.io/docs/reference/kubectl/jsonpath/ */
#ifndef SKEG_CODEC_JSONPATH_H
#define SKEG_CODEC_JSONPATH_H

#include "codec/json.h"

#define JSONPATH_DEPTH_MAX   32
#define JSONPATH_RESULTS_MAX (1u << 20)

struct jsonpath;

[[nodiscard]] enum rc jsonpath_parse(struct arena *a, struct str text, struct jsonpath **ret_path,
				     struct err *err);
/* ".a.b", "a.b", "{.a.b}" and "{a.b}" all mean the action {.a.b}, as --sort-by and columns have it.
 */
[[nodiscard]] enum rc jsonpath_parse_relaxed(struct arena *a, struct str text,
					     struct jsonpath **ret_path, struct err *err);

[[nodiscard]] enum rc jsonpath_print(const struct jsonpath *path, struct arena *a,
				     const struct json *root, struct buf *out, struct err *err);

struct jsonpath_results {
	const struct json **items;
	size_t count, cap;
};
/* What all actions find, in their order. */
[[nodiscard]] enum rc jsonpath_find(const struct jsonpath *path, struct arena *a,
				    const struct json *root, struct jsonpath_results *ret_results,
				    struct err *err);
/* One value as an action puts it out. */
void jsonpath_value_print(struct buf *out, const struct json *value);

#endif
