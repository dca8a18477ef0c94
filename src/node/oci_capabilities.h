/* oci_capabilities: which capabilities a container gets.  Pure functions.
 * Source of the default set: what containerd and Docker give. */
#ifndef SKEG_NODE_OCI_CAPABILITIES_H
#define SKEG_NODE_OCI_CAPABILITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "node/runtime.h"

/* Sets are bit masks: bit n is capability number n of the kernel. */

extern const uint64_t capabilities_all, capabilities_default;

const char *capability_name(int number); /* "CAP_CHOWN"; NULL beyond the last */
/* "CHOWN" or "CAP_CHOWN", upper or lower case; -1 when unknown. */
int capability_number(struct str name);

/* ALL is applied first, then single additions, then single removals, as containerd does. */
[[nodiscard]] enum rc capabilities_of(const struct runtime_security *security, uint64_t *ret_set,
				      struct err *err);

#endif
