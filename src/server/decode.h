/* decode: from the body of a request to a checked tree.
 * Threads: stage_decode on io; decode_strict and decode_report on any. */
#ifndef SKEG_SERVER_DECODE_H
#define SKEG_SERVER_DECODE_H

#include "api/decode.h"
#include "server/request.h"

/* A parsed document and what the strict rules have to say of it. */
struct decoded {
	struct json *parsed; /* as it was sent */
	struct json_duplicates duplicates;
	struct unknown_fields unknown;
	bool is_yaml;
	const struct json *patch; /* that made it; NULL: none */
};

/* Reports by fieldValidation: Strict refuses, Warn warns, Ignore says nothing.  STEP_NEXT when the
 * request goes on. */
enum step decode_report(struct request *r, const struct decoded *d);

#endif
