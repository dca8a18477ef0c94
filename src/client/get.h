/* get: what get.c (once) and get_watch.c (as it changes) share. */
#ifndef SKEG_CLIENT_GET_H
#define SKEG_CLIENT_GET_H

#include "client/output.h"
#include "client/resource_types.h"
#include "client/resources.h"
#include "client/table_view.h"

struct get_options {
	struct client_options client;
	struct resource_options resources;
	const char *output, *sort_by, *raw, *subresource;
	struct text_list label_columns;
	int64_t chunk_size; /* objects a request, 0: all at once */
	bool is_watch, is_watch_only, has_no_heads, show_labels, show_managed_fields, show_kind,
		ignores_missing;
};

struct get {
	struct verb *verb;
	struct api_client *client;
	const struct get_options *options;
	struct arena *arena;
	struct output output;
	struct jsonpath *sort_by;
	struct resource_targets targets;
	bool shows_types; /* several types: "pod/web" instead of "web" */
	size_t shown;	  /* objects */
};

static inline const char *get_accept(const struct get *g)
{
	return output_is_table(&g->output) ? API_ACCEPT_TABLE : NULL;
}

/* The collection (with its selectors) or the named object. */
[[nodiscard]] struct str get_url(const struct get *g, const struct api_kind *kind, struct str name);
void get_view_init(const struct get *g, const struct api_kind *kind, struct table_view *ret_view);

/* Lists the first target and follows its changes until the server ends the stream. */
[[nodiscard]] enum rc get_watch(struct get *g, struct err *err);

#endif
