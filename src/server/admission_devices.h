/* admission of claims of devices: who may have the devices that others use.
 * Threads: core.  Source: upstream's pkg/registry/resource, AuthorizedForAdmin. */
#ifndef SKEG_SERVER_ADMISSION_DEVICES_H
#define SKEG_SERVER_ADMISSION_DEVICES_H

#include "api/field_error.h"
#include "server/request.h"

/* A new ResourceClaim or ResourceClaimTemplate asks for adminAccess only in a namespace whose label
 * allows it; other kinds pass. */
void check_admin_access(struct request *r, const struct json *tree, struct field_errors *errors);

#endif
