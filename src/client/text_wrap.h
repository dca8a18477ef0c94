/* text_wrap: paragraphs in lines of a given width, as kubectl wraps the prose of `explain`.
 *
 * Words are never cut: one that is longer than a line has a line of its own.  Line breaks of the
 * text stay.  Pure. */
#ifndef SKEG_CLIENT_TEXT_WRAP_H
#define SKEG_CLIENT_TEXT_WRAP_H

#include "base/buf.h"

/* Appends text in lines of at most width characters. */
void text_wrap(struct buf *out, struct str text, size_t width);
/* Appends text with that many spaces before each of its lines, the last one too when it is empty.
 */
void text_indent(struct buf *out, struct str text, size_t spaces);

#endif
