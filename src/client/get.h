/* get: what get.c (once) and get_watch.c (as it changes) share. */
#ifndef SKEG_CLIENT_GET_H
#define SKEG_CLIENT_GET_H

#include "client/api_client.h"
#include "client/object_output.h"
#include "client/resource_types.h"
#include "client/table_view.h"

struct get_options {
	struct client_options client;
	const char *output, *label_selector, *field_selector;
	bool is_everywhere, is_watch, has_no_heads, show_labels, show_managed_fields,
		ignores_missing;
};

struct get {
	struct api_client client;
	const struct get_options *options;
	struct arena *arena;
	enum output_form form;
	struct resource_targets targets;
	bool shows_types; /* several types: "pod/web" instead of "web" */
	size_t shown;	  /* objects */
	struct err *failures;
	size_t failed, failure_cap;
};

static inline bool get_is_table(const struct get *g)
{
	return g->form == OUTPUT_TABLE || g->form == OUTPUT_WIDE;
}

static inline const char *get_accept(const struct get *g)
{
	return get_is_table(g) ? API_ACCEPT_TABLE : NULL;
}

/* The collection (with its selectors) or the named object. */
[[nodiscard]] struct str get_url(const struct get *g, const struct api_kind *kind, struct str name);
void get_view_init(const struct get *g, const struct api_kind *kind, struct table_view *ret_view);

/* Lists the first target and follows its changes until the server ends the stream. */
[[nodiscard]] enum rc get_watch(struct get *g, struct err *err);

#endif
