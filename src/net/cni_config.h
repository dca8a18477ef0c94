/* cni_config: where the CNI list of a node comes from, and the built-in one. */
#ifndef SKEG_NET_CNI_CONFIG_H
#define SKEG_NET_CNI_CONFIG_H

#include "codec/json.h"
#include "net/cni.h"

#define CNI_CONF_MAX_BYTES (1u << 20)

/* The list of conf_folder that comes first by name (a single plugin's .conf is wrapped into a
 * list), else the built-in one.  ret_list lives in a; it has name, cniVersion and 1 …
 * CNI_MAX_PLUGINS plugins with a type each. */
[[nodiscard]] enum rc cni_config_load(struct arena *a, const struct cni_config *config,
				      struct json **ret_list, struct err *err);

#endif
