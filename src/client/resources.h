/* resources: the objects that a verb's words, files and selectors name, as the server has them. */
#ifndef SKEG_CLIENT_RESOURCES_H
#define SKEG_CLIENT_RESOURCES_H

#include "client/manifest.h"
#include "client/resource_types.h"
#include "client/verb.h"

struct resource_options {
	struct text_list files;
	const char *kustomize, *label_selector, *field_selector;
	bool is_all, is_everywhere, is_recursive;
};

#define RESOURCE_FILE_OPTIONS(type, member)                                                        \
	{"filename",  'f',                                                                         \
	 OPTION_LIST, offsetof(type, member.files),                                                \
	 "FILE",      "what a file or folder of YAML or JSON names; '-' is standard input"},       \
		{"recursive", 'R',                                                                 \
		 OPTION_FLAG, offsetof(type, member.is_recursive),                                 \
		 NULL,	      "folders in folders too"},                                           \
	{                                                                                          \
		"kustomize", 'k', OPTION_TEXT, offsetof(type, member.kustomize), "FOLDER",         \
			"what the program kustomize builds of a folder"                            \
	}

#define RESOURCE_SELECTOR_OPTIONS(type, member)                                                    \
	{"selector",  'l',                                                                         \
	 OPTION_TEXT, offsetof(type, member.label_selector),                                       \
	 "SELECTOR",  "what has these labels: a=b,c!=d,e in (f,g)"},                               \
		{"field-selector", 0,                                                              \
		 OPTION_TEXT,	   offsetof(type, member.field_selector),                          \
		 "SELECTOR",	   "what has these fields: spec.nodeName=n1"},                     \
		{"all",	      0,                                                                   \
		 OPTION_FLAG, offsetof(type, member.is_all),                                       \
		 NULL,	      "all of the type in the namespace"},                                 \
	{                                                                                          \
		"all-namespaces", 'A', OPTION_FLAG, offsetof(type, member.is_everywhere), NULL,    \
			"of all namespaces"                                                        \
	}

struct resource {
	const struct api_kind *kind;
	struct str namespace, name;
	struct json *tree;		    /* the server's; NULL when it was not asked */
	const struct manifest_object *file; /* NULL: named by words */
};

struct resources {
	struct resource *items;
	size_t count, cap;
};

struct resource_query {
	const struct resource_options *options;
	struct text_list words;	  /* TYPE NAME…, TYPE/NAME… */
	const char *default_type; /* what words without a type are; NULL: they need one */
	bool takes_all_unnamed;	  /* a type without names means all of them (get, describe) */
	bool is_local;		  /* objects of files are not asked for */
	bool ignores_missing;	  /* objects of files that the server has not are left out */
};

/* What one of several could not be got for is noted in the verb; RC_BAD_REQUEST and RC_NOT_FOUND
 * when the words mean nothing. */
[[nodiscard]] enum rc resources_find(struct verb *v, const struct resource_query *query,
				     struct resources *ret_resources, struct err *err);
/* Calls fn for each and notes what fails. */
void resources_each(struct verb *v, const struct resources *r,
		    enum rc (*fn)(struct verb *v, struct resource *r, void *ctx, struct err *err),
		    void *ctx);
/* The objects of files, folders and -k; strict: unknown fields are refused. */
[[nodiscard]] enum rc resources_read_files(struct verb *v, const struct resource_options *o,
					   bool is_strict, struct manifest *ret_manifest,
					   struct err *err);

#endif
