/* protobuf: API objects in Kubernetes' protobuf, driven by the tables.
 *
 * A document is the bytes `k8s\0` and a runtime.Unknown: the object's apiVersion and kind, and its
 * own message.  What is written is byte for byte what upstream writes: fields ascending by tag,
 * keys of maps sorted, every scalar and struct that is no pointer written also when it is zero.
 *
 * Trees are normalised ones (api/decode.h), both ways.  Threads: pure functions.
 * Limits: JSON_MAX_DEPTH levels; the writer's buffer.  Errors: RC_BAD_REQUEST.
 * Source: apimachinery pkg/runtime/serializer/protobuf, the generated.proto files of k8s.io/api. */
#ifndef SKEG_API_PROTOBUF_H
#define SKEG_API_PROTOBUF_H

#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"

struct protobuf_envelope {
	struct str api_version, kind;
	struct str raw; /* the message; all point into the document */
	struct str content_encoding, content_type;
};

/* Error: `provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]`.
 */
[[nodiscard]] enum rc protobuf_envelope_open(struct str document,
					     struct protobuf_envelope *ret_envelope,
					     struct err *err);

/* The message in e as a tree with e's apiVersion and kind, where the type has them.  Strings point
 * into the document. */
[[nodiscard]] enum rc api_protobuf_decode(struct arena *a, const struct api_type *type,
					  const struct protobuf_envelope *e, struct json **ret_tree,
					  struct err *err);

/* Appends the message alone, or the whole document with the tree's apiVersion and kind. */
void api_protobuf_encode(struct buf *out, const struct api_type *type, const struct json *tree);
void api_protobuf_write(struct buf *out, const struct api_type *type, const struct json *tree);
/* The document of a message that is there already, e.g. a list made of encoded items. */
void api_protobuf_wrap(struct buf *out, struct str api_version, struct str kind,
		       struct str message);

/* One frame of a watch in protobuf: its length in four bytes (big-endian), then a WatchEvent whose
 * object is document, made by api_protobuf_write(). */
void api_protobuf_watch_frame(struct buf *out, struct str event_type, struct str document);

#endif
