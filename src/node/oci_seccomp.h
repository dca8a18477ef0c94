/* oci_seccomp: the system calls that a container may make, as `linux.seccomp` of an OCI runtime
 * configuration (https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp).
 *
 * RuntimeDefault is an allow list: what ordinary programs use, and what a capability that the
 * container holds is for.  Refused calls give EPERM; clone3, whose flags a filter cannot see, gives
 * ENOSYS so that the C library falls back to clone. */
#ifndef SKEG_NODE_OCI_SECCOMP_H
#define SKEG_NODE_OCI_SECCOMP_H

#include <stdint.h>

#include "codec/json.h"

/* capabilities: the container's, as of capabilities_of(). */
[[nodiscard]] struct json *oci_seccomp_default(struct arena *a, uint64_t capabilities);
/* From a profile's text: checked for its outer shape, the rest is the runtime's to judge. */
[[nodiscard]] enum rc oci_seccomp_parse(struct arena *a, struct str text, struct json **ret_profile,
					struct err *err);

#endif
