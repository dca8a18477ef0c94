/* reset_node: ends the containers of one node and removes them and their pods' namespaces, by the
 * runtime that made them.  No agent of the node may run. */
#ifndef SKEG_CLI_RESET_NODE_H
#define SKEG_CLI_RESET_NODE_H

#include "base/err.h"

struct image_store;

struct reset_node_count {
	size_t containers, pods;
};

/* folder: "<data>/nodes/<node>".  Goes on after an error and returns the first. */
[[nodiscard]] enum rc reset_node(const char *folder, const char *node, struct image_store *images,
				 struct reset_node_count *ret_count, struct err *err);

#endif
