/* validate: what upstream's validation refuses, with its paths, types, wording and order.
 *
 * Works on trees that were normalised (decode.h), defaulted and prepared (defaults.h).  Each group
 * of kinds has its file, validate_<group>.c, with a table of its kinds; kinds without rows are held
 * to the rules of ObjectMeta only.  CEL, CustomResourceDefinition schemas and quotas are judged
 * elsewhere.
 *
 * Owns: nothing.  Threads: pure functions; errors live in the arena of the list.
 * Limits: FIELD_ERRORS_MAX.  Source: k8s pkg/apis/<group>/validation, v1.35. */
#ifndef SKEG_API_VALIDATE_H
#define SKEG_API_VALIDATE_H

#include "api/field_error.h"
#include "api/schema.h"
#include "codec/json.h"

/* kind is the served kind that the request named; the tree is in the kind's storage version. */
void api_validate_create(const struct api_kind *kind, const struct json *tree,
			 struct field_errors *errors);
/* subresource: "" for the object itself, else "status", "scale", "approval", … */
void api_validate_update(const struct api_kind *kind, const struct json *old,
			 const struct json *tree, const char *subresource,
			 struct field_errors *errors);

struct ipaddr;
/* An address as the older fields take it: leading zeros in IPv4 are skipped. */
bool api_parse_ip(struct str text, struct ipaddr *ret_addr);

struct ipnet;
/* The same for prefixes, also with leading zeros in their length. */
bool api_parse_cidr(struct str text, struct ipnet *ret_net);

/* Only clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy of a Service: what its allocator must
 * be able to rely on. */
void api_validate_service_addresses(const struct json *tree, struct field_errors *errors);

/* `Pod "x" is invalid: spec.a: …` in upstream's form: one error plain, several in brackets, the
 * same sentence once.  kind_text as Status.details has it, e.g. "Deployment.apps". */
void api_invalid_message(struct buf *out, struct str kind_text, struct str name,
			 const struct field_errors *errors);

#endif
