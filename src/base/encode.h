/* encode: base64, hex, CRC-32C.  Pure functions. */
#ifndef SKEG_BASE_ENCODE_H
#define SKEG_BASE_ENCODE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

void base64_add(struct buf *out, struct str bytes);    /* standard alphabet with padding */
void base64url_add(struct buf *out, struct str bytes); /* URL alphabet, no padding */
bool base64_decode(struct arena *a, struct str text, struct str *ret_bytes); /* strict standard */
bool base64url_decode(struct arena *a, struct str text,
		      struct str *ret_bytes);		      /* padding optional */
void hex_add(struct buf *out, struct str bytes);	      /* lower case */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len); /* start with 0 */

#endif
