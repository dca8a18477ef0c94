/* openapi: OpenAPI documents, made from the API tables.
 *
 * A document is named by what stands behind "/openapi/v3/": "api/v1", "apis/apps/v1", "apis/apps",
 * "version" …; the index of all is "/openapi/v3" itself.  Documents depend on constant tables only,
 * so each is made once, when it is first asked for, kept gzipped, and never changes; its ETag is
 * the SHA-512 of its plain bytes in upper-case hex, which is also what ?hash= in the index says.
 *
 * Threads: all calls safe; one document is made at a time.  Limits: OPENAPI_MAX_BYTES a document.
 * Errors: none; an unknown name gives false or NULL.
 * Source: https://spec.openapis.org/oas/v3.0.0, https://swagger.io/specification/v2/, and
 * upstream's extensions (x-kubernetes-…):
 * https://kubernetes.io/docs/concepts/overview/kubernetes-api/ */
#ifndef SKEG_SERVER_OPENAPI_H
#define SKEG_SERVER_OPENAPI_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

#define OPENAPI_MAX_BYTES  (16u << 20)
#define OPENAPI_HASH_CHARS 128

/* Writes a document of version 3; false when there is none of that name. */
bool openapi_write_v3(struct buf *out, struct str name);
/* Writes the one document of version 2: all groups. */
void openapi_write_v2(struct buf *out);
void openapi_write_v2_protobuf(struct buf *out); /* as openapi.v2.Document of gnostic */
/* Calls fn for every name of a version 3 document, sorted. */
void openapi_each_name(void (*fn)(struct str name, void *ctx), void *ctx);

/* A document as it is kept: immutable. */
struct openapi_document {
	_Atomic uint32_t refs;
	char hash[OPENAPI_HASH_CHARS + 1];
	uint32_t plain_bytes, gzip_bytes;
	unsigned char gzip[];
};

bool openapi_has_v3(struct str name);
/* With a reference for the caller; NULL when there is none of that name. */
[[nodiscard]] struct openapi_document *openapi_v3(struct str name);
[[nodiscard]] struct openapi_document *openapi_v3_index(void);
[[nodiscard]] struct openapi_document *openapi_v2(void);
[[nodiscard]] struct openapi_document *openapi_v2_protobuf(void);
void openapi_document_unref(struct openapi_document *document);
/* Its plain bytes, plain_bytes of them; the caller frees. */
[[nodiscard]] char *openapi_document_plain(const struct openapi_document *document);

/* SHA-512 in upper-case hex. */
void openapi_hash(struct str bytes, char ret_hash[OPENAPI_HASH_CHARS + 1]);

#endif
