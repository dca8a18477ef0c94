/* object: one stored state of one API object, immutable after it is published.
 *
 * Its bytes are compact JSON in the storage version, cut at the places that others replace or skip:
 *
 *     head   {"kind":"Pod","apiVersion":"v1","metadata":{"name":"a",…,"resourceVersion":"
 *     (revision in decimal)
 *     middle ","generation":1,"creationTimestamp":…
 *     managed ,"managedFields":[…]      (may be empty)
 *     tail   },"spec":{…},"status":{…}}
 *
 * so that GET, LIST and WATCH hand out segments without encoding anything again, and forms without
 * managedFields or with metadata only are made by leaving segments out.
 *
 * Owns: its bytes and, once asked for, its view and its row of a Table.  Threads: refcount is
 * atomic; an object may be read by all threads once it is published.  Limits: OBJECT_MAX_BYTES. */
#ifndef SKEG_API_OBJECT_H
#define SKEG_API_OBJECT_H

#include <stdatomic.h>
#include <stdint.h>

#include "api/schema.h"
#include "base/buf.h"
#include "codec/json.h"

#define OBJECT_MAX_BYTES (3u << 20)

struct object_label {
	struct str key, value;
};

struct object {
	atomic_int refs;
	uint16_t stored_id;
	bool is_deleting; /* has metadata.deletionTimestamp */
	uint16_t label_count;
	const struct api_kind *kind; /* storage version */
	int64_t revision;	     /* 0 until committed */
	int64_t generation;
	struct str namespace, name, uid; /* each ends with a NUL; empty when there is none */
	const struct object_label *labels;
	struct str head, middle, managed, tail;
	struct object *base;  /* whose bytes these are, referenced; NULL: its own */
	_Atomic(void *) view; /* made on demand */
	_Atomic(void *) row;  /* print.c's, in one piece; made on demand */
};

/* From a tree in the storage version (kind and apiVersion are set from kind; resourceVersion in it
 * is ignored, revision is what counts).  The caller holds the only reference. */
[[nodiscard]] enum rc object_new(const struct api_kind *kind, const struct json *tree,
				 int64_t revision, struct object **ret_object, struct err *err);
/* From the bytes object_write() made; used when the store is read. */
[[nodiscard]] enum rc object_parse(const struct api_kind *kind, struct str bytes, int64_t revision,
				   struct object **ret_object, struct err *err);
/* Lets go of the bytes of *object, which nobody else has yet, where former says the same but for
 * the revision: *object then shares former's.  The last state of what was deleted mostly does. */
void object_share(struct object **object, struct object *former);
struct object *object_ref(struct object *o); /* NULL allowed; returns o */
void object_unref(struct object *o);	     /* NULL allowed */
DEFINE_CLEANUP(struct object *, object_unref)
void object_set_revision(struct object *o, int64_t revision); /* before it is published */

/* The whole JSON text; and its length.  Without a revision it has no resourceVersion. */
void object_write(struct buf *out, const struct object *o);
size_t object_size(const struct object *o);
/* The tree, in the arena; strings point into o's bytes, so o must outlive it. */
struct json *object_tree(struct arena *a, const struct object *o);
struct str object_label(const struct object *o, struct str key); /* absent when there is none */

/* The view in the storage version, e.g. `const struct pod *pod = object_view(o);` (see views.h);
 * lives as long as o.  It is without managedFields.  Of a custom resource: a `struct
 * partial_object_metadata`. */
const void *object_view(const struct object *o);
const struct object_meta *object_meta(const struct object *o);

#endif
