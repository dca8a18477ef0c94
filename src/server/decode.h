/* decode: from the body of a request to a checked tree.
 * Threads: stage_decode on io; decode_strict and decode_report on any. */
#ifndef SKEG_SERVER_DECODE_H
#define SKEG_SERVER_DECODE_H

#include "api/decode.h"
#include "server/request.h"

/* What the strict rules found wrong, reported by fieldValidation: Strict refuses, Warn warns, Ignore
 * says nothing. STEP_NEXT when the request goes on. */
enum step decode_report(struct request *r, const struct unknown_fields *unknown);

#endif
