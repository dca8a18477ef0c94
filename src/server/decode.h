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
	struct str fault; /* why a patch is no document; absent when it is one */
};

/* Reports by fieldValidation: Strict refuses, Warn warns, Ignore says nothing.  STEP_NEXT when the
 * request goes on. */
enum step decode_report(struct request *r, const struct decoded *d);
/* Why the document can not be an object of kind, told before its fields are looked at; absent when
 * it can. */
struct str decode_kind_fault(struct request *r, const struct api_kind *kind,
			     const struct json *tree);

#endif
