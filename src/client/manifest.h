/* manifest: the objects of YAML and JSON files, checked before any of them is sent.
 *
 * A source is a file, a folder (its *.yaml, *.yml and *.json, sorted, not what lies deeper) or "-"
 * for standard input.  Lists are taken apart.  Every error names the file, the document, its line
 * and what to do: text that is no YAML, documents that lack the "---" between them, keys given
 * twice, objects without apiVersion, kind or name, unknown kinds, and with is_strict fields that
 * the API does not have or of another type, in the server's own words.
 * Memory is the arena's.  Limits: YAML_MAX_BYTES a file, MANIFEST_OBJECTS_MAX objects. */
#ifndef SKEG_CLIENT_MANIFEST_H
#define SKEG_CLIENT_MANIFEST_H

#include "api/schema.h"
#include "base/arena.h"
#include "base/err.h"
#include "client/command.h"
#include "codec/json.h"

#define MANIFEST_OBJECTS_MAX 100000

struct manifest_object {
	const char *file; /* "standard input" for "-" */
	size_t document;  /* counted from 1 */
	uint32_t line;	  /* where the document begins */
	struct json *tree;
	const struct api_kind *kind;
	struct str namespace; /* absent: the document names none */
	struct str name;
};

struct manifest {
	struct manifest_object *items;
	size_t count, cap;
	bool is_strict;
	bool is_recursive;    /* folders in folders too */
	bool takes_generated; /* metadata.generateName will do for a name */
};

[[nodiscard]] enum rc manifest_read(struct manifest *m, struct arena *a,
				    const struct text_list *sources, struct err *err);
/* Adds the objects of one text. */
[[nodiscard]] enum rc manifest_add_text(struct manifest *m, struct arena *a, const char *file,
					struct str text, struct err *err);
/* The namespace an object goes to; RC_BAD_REQUEST when the document names another than the one that
 * was asked for. */
[[nodiscard]] enum rc manifest_namespace(const struct manifest_object *o, struct str namespace,
					 bool is_given, struct str *ret_namespace, struct err *err);
/* A server's refusal of an object says what was tried (what: "creating") and of which file; errors
 * of other kinds stay as they are. */
enum rc manifest_refused(const struct manifest_object *o, const char *what, struct err *err);
/* "web.yaml, document 2 (line 17)", for messages. */
[[nodiscard]] struct str manifest_place(struct arena *a, const struct manifest_object *o);

#endif
