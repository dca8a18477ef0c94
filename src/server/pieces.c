#include "server/pieces.h"

#include <stdlib.h>

#define PIECE_ROOM                                                                                 \
	(56u << 10) /* most items end within it, and it is well below what malloc maps             \
		     */

void pieces_done(struct pieces *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->at[i].at);
	free(p->at);
	*p = (struct pieces){.max_bytes = p->max_bytes};
}

static void insert(struct pieces *p, size_t place, struct buf *out)
{
	p->is_full = p->is_full || out->is_full || out->len > p->max_bytes - p->bytes;
	if (p->is_full || out->len == 0) {
		buf_done(out);
		return;
	}
	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 8;
		p->at = mem_resize(p->at, p->cap * sizeof(*p->at));
	}
	memmove(p->at + place + 1, p->at + place, (p->count - place) * sizeof(*p->at));
	p->count++;
	p->bytes += out->len;
	p->at[place].len = out->len;
	p->at[place].at = buf_take(out);
}

void pieces_add(struct pieces *p, struct buf *out)
{
	bool is_long = out->len >= PIECE_BYTES;
	insert(p, p->count, out);
	if (is_long && !buf_reserve(out, PIECE_ROOM))
		p->is_full = true;
}

void pieces_first(struct pieces *p, struct buf *out)
{
	insert(p, 0, out);
}

void pieces_join(struct pieces *p, struct buf *out)
{
	if (p->is_full || !buf_reserve(out, p->bytes))
		out->is_full = true;
	for (size_t i = 0; i < p->count; i++)
		buf_add(out, p->at[i].at, p->at[i].len);
	bool is_full = p->is_full;
	pieces_done(p);
	p->is_full = is_full;
}
