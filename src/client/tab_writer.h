/* tab_writer: text in columns that line up, as Go's text/tabwriter makes them: a cell ends with a
 * tab, and neighbouring lines that have a cell at the same place share its width (two spaces
 * between). Owns: its text.  Limits: TAB_WRITER_BYTES_MAX, TAB_WRITER_COLUMNS_MAX columns a line.
 */
#ifndef SKEG_CLIENT_TAB_WRITER_H
#define SKEG_CLIENT_TAB_WRITER_H

#include "base/buf.h"

#define TAB_WRITER_BYTES_MAX   (64u << 20)
#define TAB_WRITER_COLUMNS_MAX 64

/* Puts the lines of text, aligned, into out. */
void tab_write(struct str text, struct buf *out);

#endif
