/* encode: objects and documents in the form that a client accepts: JSON, YAML, protobuf; whole, as
 * metadata only, or as rows of a Table; one, in a list, or as an event of a watch.
 *
 * Every shape is written as JSON text, most of it copied from the stored bytes: nothing is built.
 * Other media are made from that text, for they are rare.
 * Threads: pure; all state is in the encoder. */
#ifndef SKEG_SERVER_ENCODE_H
#define SKEG_SERVER_ENCODE_H

#include "server/pieces.h"
#include "server/request.h"

struct encoder {
	struct arena *arena;
	struct buf *out;
	struct pieces *pieces; /* of lists */
	const struct output *output;
	const struct api_kind *kind; /* served */
	struct str include; /* includeObject of Tables: absent, "Metadata", "Object", "None" */
	int64_t now_us;	    /* for ages */
	bool is_pretty;
	bool has_columns;  /* the next Table carries column definitions */
	size_t item_count; /* of the list being written */
};

/* In the form that the request wants. */
struct encoder encoder_for(struct request *r, struct buf *out);

struct list_meta {
	int64_t revision;
	struct str continue_token; /* absent: the last page */
	int64_t remaining;	   /* 0: not told */
};

void encode_object(struct encoder *e, const struct object *o);
void encode_tree(struct encoder *e, const struct json *tree, const struct api_kind *kind);
/* Is there a protobuf message for it?  kind may be NULL. */
bool encode_has_message(const struct api_kind *kind, const struct json *tree);

/* Items go to e->out and from there to e->pieces; the end adds head and tail, after which e->out is
 * empty and the list is in e->pieces. */
void encode_list_item(struct encoder *e, const struct object *o);
void encode_list_end(struct encoder *e, const struct list_meta *meta);

/* revision is that of the event; it may be newer than the object's. */
void encode_event(struct encoder *e, const char *type, const struct object *o, int64_t revision);
void encode_event_tree(struct encoder *e, const char *type, const struct json *tree,
		       const struct api_kind *kind);
void encode_bookmark(struct encoder *e, int64_t revision, bool is_end_of_initial);

/* The object's tree in the served version, with kind and apiVersion. */
struct json *served_tree(struct arena *a, const struct api_kind *kind, const struct object *o);

#endif
