/* negotiate: what a client accepts, from its Accept header.
 * Source: RFC 9110 §12.5.1 as upstream reads it: of the clauses that can be served the
 * one of the highest quality wins, and of equals the first;
 * parameters as, v and g ask for Table, PartialObjectMetadata and PartialObjectMetadataList of
 * meta.k8s.io. */
#ifndef SKEG_SERVER_NEGOTIATE_H
#define SKEG_SERVER_NEGOTIATE_H

#include "server/request.h"

/* What a path can give. */
struct offers {
	bool has_table, has_partial, has_protobuf;
	bool is_stream;	   /* a watch */
	bool is_discovery; /* aggregated discovery and nothing else */
};

/* false: nothing fits (406). */
bool negotiate(struct arena *a, struct str accept, const struct offers *offers,
	       struct output *ret_output);
/* Errors and other documents have no Table or partial form: sets r->output by what is accepted
 * besides, else to indented JSON. */
void negotiate_error(struct request *r);
/* STEP_DONE with the refusal when what is found cannot have the form that was asked for. */
enum step request_check_shape(struct request *r, bool is_list);
/* Whether a client that has this ETag asked to be told only of another one. */
bool request_has_etag(struct request *r, struct str etag);
/* A parameter of a media type ("as" in "application/json;as=Table"), absent when it is not there.
 */
struct str media_parameter(struct str media_type, const char *name);
struct str media_base(struct str media_type); /* without parameters, trimmed */

#endif
