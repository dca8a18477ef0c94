/* template_hash: the value of the label pod-template-hash and its kin.
 * Stable for equal templates; 32 bits in decimal, in the alphabet that upstream writes them with.
 * Pure functions. */
#ifndef SKEG_CONTROL_TEMPLATE_HASH_H
#define SKEG_CONTROL_TEMPLATE_HASH_H

#include "control/common.h"

#define POD_TEMPLATE_HASH "pod-template-hash"

/* Of the template without its pod-template-hash label; collisions NULL or 0: none yet. */
struct str template_hash(struct arena *a, const struct api *api,
			 const struct pod_template_spec *template, const int32_t *collisions);
/* The tree of it without that label: equal trees are equal templates. */
struct json *template_tree(struct arena *a, const struct api *api,
			   const struct pod_template_spec *template);
/* And back. */
const struct pod_template_spec *template_view(struct arena *a, const struct api *api,
					      const struct json *tree);
/* Digits as letters: "bcdfghjklmnpqrstvwxz2456789". */
struct str safe_encode(struct arena *a, uint32_t hash);
uint32_t fnv32a(uint32_t hash, struct str bytes); /* start with FNV32A_START */
#define FNV32A_START 2166136261u

#endif
