/* pieces: a long body as a list of buffers of about PIECE_BYTES, so that it is neither copied while
 * it grows nor needs one large block.
 * Owns: its bytes.  Threads: one at a time.  Limits: max_bytes; what goes beyond sets is_full and
 * is dropped, and so is all that follows. */
#ifndef SKEG_SERVER_PIECES_H
#define SKEG_SERVER_PIECES_H

#include "base/buf.h"

#define PIECE_BYTES (48u << 10)

struct piece {
	char *at; /* from malloc */
	size_t len;
};

struct pieces {
	struct piece *at;
	size_t count, cap;
	size_t bytes, max_bytes;
	bool is_full;
};

void pieces_done(struct pieces *p);
/* Moves the bytes of out to the end; out is empty afterwards, with room for the next piece. */
void pieces_add(struct pieces *p, struct buf *out);
/* The same, to the beginning. */
void pieces_first(struct pieces *p, struct buf *out);
/* All bytes in one buffer; p is empty afterwards. */
void pieces_join(struct pieces *p, struct buf *out);

#endif
