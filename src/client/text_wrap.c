#include "client/text_wrap.h"

#include <ctype.h>

/* What was read and not yet written: white space, and the word behind it. */
struct wrap {
	struct buf *out;
	struct str space, word;
	size_t space_width, word_width;
	size_t column; /* of the line, without what waits */
	size_t width;
};

static void grow(struct str *s, const char *at)
{
	s->at = s->len ? s->at : at;
	s->len++;
}

/* In characters: bytes that continue one do not count. */
static size_t width_of(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static void flush(struct wrap *w)
{
	buf_add_str(w->out, w->space);
	buf_add_str(w->out, w->word);
	w->column += w->space_width + w->word_width;
	w->space = w->word = (struct str){};
	w->space_width = w->word_width = 0;
}

static void take_break(struct wrap *w)
{
	bool fits = w->column + w->space_width <= w->width;
	if (w->word.len || fits)
		flush(w);
	w->space = (struct str){};
	w->space_width = 0;
	buf_add_char(w->out, '\n');
	w->column = 0;
}

static void take_space(struct wrap *w, const char *at)
{
	if (w->word.len)
		flush(w);
	grow(&w->space, at);
	w->space_width++;
}

static void take_letter(struct wrap *w, const char *at)
{
	grow(&w->word, at);
	w->word_width += width_of(*at);
	if (w->column + w->space_width + w->word_width <= w->width || w->word_width >= w->width)
		return;
	buf_add_char(w->out, '\n');
	w->column = 0;
	w->space = (struct str){};
	w->space_width = 0;
}

void text_wrap(struct buf *out, struct str text, size_t width)
{
	struct wrap w = {.out = out, .width = width};
	for (size_t i = 0; i < text.len; i++) {
		const char *at = &text.at[i];
		if (*at == '\n')
			take_break(&w);
		else if (isspace((unsigned char)*at))
			take_space(&w, at);
		else
			take_letter(&w, at);
	}
	if (w.word.len || w.column + w.space_width <= w.width)
		flush(&w);
}

void text_indent(struct buf *out, struct str text, size_t spaces)
{
	struct str line;
	do {
		str_cut(text, '\n', &line, &text);
		buf_printf(out, "%*s%.*s", (int)spaces, "", STR_FMT(line));
		if (text.at)
			buf_add_char(out, '\n');
	} while (text.at);
}
