/* yaml: text to JSON trees and back, read and written as kubectl does (sigs.k8s.io/yaml).
 *
 * Reading resolves plain scalars by the YAML 1.1 table of go-yaml: y/yes/true/on and n/no/false/off
 * in their usual spellings, null and ~, decimal, 0x, 0o, 0 and 0b integers, floats.  Quoted scalars
 * and times are strings.  A float that is a whole number becomes JSON_INT, as it does on the way
 * through JSON.  Keys that are numbers or booleans become strings.  Anchors, aliases and merge keys
 * (<<) are expanded; every alias gets its own copy of the values, strings are shared.  Trees and
 * strings live in the arena; text may be freed afterwards.
 *
 * Limits: YAML_MAX_BYTES of text, JSON_MAX_DEPTH levels, YAML_MAX_FLOW_LEVELS of them in braces or
 * brackets, JSON_MAX_NODES values, YAML_MAX_ANCHORS anchors; aliases may add YAML_MAX_ALIAS_NODES
 * values and YAML_MAX_BYTES of strings a text. Errors: RC_BAD_REQUEST and RC_TOO_LARGE in
 * upstream's wording; its line number is one less than the true one for some errors of syntax, so
 * whoever talks to a person asks yaml_find_error() as well. Source: https://yaml.org/spec/1.1/,
 * syntax by libyaml. */
#ifndef SKEG_CODEC_YAML_H
#define SKEG_CODEC_YAML_H

#include "codec/json.h"

#define YAML_MAX_BYTES	     (16u << 20)
#define YAML_MAX_FLOW_LEVELS 64 /* libyaml spends time in proportion to them on every token */
#define YAML_MAX_ANCHORS     10000
#define YAML_MAX_ALIAS_NODES 100000

struct yaml_document {
	struct json *tree; /* JSON_NULL for an empty document */
	uint32_t line;	   /* where its content begins, counted from 1 */
};

/* All documents of text; none for text without content.  Repeated keys (the last value wins) are
 * added to duplicates (may be NULL) with the line of the repeated value. */
[[nodiscard]] enum rc yaml_parse(struct arena *a, struct str text,
				 struct yaml_document **ret_documents, size_t *ret_count,
				 struct json_duplicates *duplicates, struct err *err);

/* The line at which a second document seems to begin without '---' before it: where apiVersion,
 * kind or metadata stand at the top a second time.  0 when there is none.  duplicates as
 * yaml_parse() filled them. */
uint32_t yaml_second_document_line(const struct json_duplicates *duplicates);

struct yaml_place {
	uint32_t line, column; /* counted from 1; column in characters */
};

/* The true place of the error for which yaml_parse() refused text; false when it has no place. */
bool yaml_find_error(struct str text, struct yaml_place *ret_place);

/* One document in block style, without '---': lists are not indented below their key, strings are
 * quoted only where they would be read as something else, text of several lines stands as a block,
 * long lines are folded at 80 columns.  Members keep their order. */
void yaml_write(struct buf *out, const struct json *tree);

#endif
