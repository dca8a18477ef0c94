/* service_families: which address families a Service gets on a cluster that has one.
 *
 * Pure: works on trees of the caller's arena.  The rules are those of a cluster with one service
 * range; headless Services without selector may ask for both families, since nobody gives them
 * addresses.  Source: KEP 563 (dual stack). */
#ifndef SKEG_SERVER_SERVICE_FAMILIES_H
#define SKEG_SERVER_SERVICE_FAMILIES_H

#include "api/field_error.h"

/* Fills ipFamilyPolicy and ipFamilies of spec; old is NULL on create.  family is "IPv4" or "IPv6",
 * the one that the cluster has.  Adds to errors what the cluster cannot do. */
void service_families_settle(struct arena *a, const struct json *old, struct json *spec,
			     const char *family, struct field_errors *errors);

#endif
