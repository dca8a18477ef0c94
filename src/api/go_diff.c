/* Unified differences of internal values, as upstream appends them to "may not change" errors. */
#include "api/validate-int.h"

#define DIFF_LINES_MAX 2000 /* beyond it only the sentence is told */
#define DIFF_CONTEXT   3

struct lines {
	struct str at[DIFF_LINES_MAX + 1];
	size_t count;
};

/* One step of the edit: ' ', '-' or '+'. */
struct step {
	char mark;
	struct str line;
};

struct script {
	struct step *steps;
	size_t count;
};

static bool lines_cut(struct lines *lines, struct str text)
{
	struct str line;
	for (bool more = text.len > 0; more;) {
		more = str_cut(text, '\n', &line, &text);
		if (lines->count == DIFF_LINES_MAX)
			return false;
		lines->at[lines->count++] = line;
	}
	return true;
}

/* Where a run of the same lines stands in both texts. */
struct match {
	size_t x, y, len;
};

/* Two texts on the way to a script.  The rows hold how long a run ends at each line of y; every
 * search begins them anew. */
struct difference {
	const struct lines *x, *y;
	uint16_t *rows[2];
	struct script *script;
};

/* The longest run; of several the first one in x, then in y. */
static struct match longest_match(struct difference *d, size_t x_from, size_t x_end, size_t y_from,
				  size_t y_end)
{
	struct match best = {x_from, y_from, 0};
	const struct lines *x = d->x, *y = d->y;
	uint16_t *above = d->rows[0], *row = d->rows[1];
	memset(above, 0, (y_end - y_from + 1) * sizeof(*above));
	row[0] = 0;
	for (size_t i = x_from; i < x_end; i++) {
		for (size_t k = y_from; k < y_end; k++) {
			size_t c = k - y_from + 1;
			row[c] = str_eq(x->at[i], y->at[k]) ? (uint16_t)(above[c - 1] + 1) : 0;
			if (row[c] > best.len)
				best = (struct match){i + 1 - row[c], k + 1 - row[c], row[c]};
		}
		uint16_t *swap = above;
		above = row;
		row = swap;
	}
	return best;
}

/* As Python's difflib, which upstream's differences come from: the longest run, then what is
 * before and behind it.  The depth is bounded by DIFF_LINES_MAX. */
static void middle_steps(struct difference *d, size_t x_from, size_t x_end, size_t y_from,
			 size_t y_end)
{
	struct script *s = d->script;
	while (x_from < x_end && y_from < y_end) {
		struct match m = longest_match(d, x_from, x_end, y_from, y_end);
		if (m.len == 0)
			break;
		middle_steps(d, x_from, m.x, y_from, m.y);
		for (size_t i = 0; i < m.len; i++)
			s->steps[s->count++] = (struct step){' ', d->x->at[m.x + i]};
		x_from = m.x + m.len;
		y_from = m.y + m.len;
	}
	while (x_from < x_end)
		s->steps[s->count++] = (struct step){'-', d->x->at[x_from++]};
	while (y_from < y_end)
		s->steps[s->count++] = (struct step){'+', d->y->at[y_from++]};
}

static void script_make(struct arena *a, struct script *s, const struct lines *x,
			const struct lines *y)
{
	struct difference d = {x, y, {}, s};
	s->steps = ARENA_ARRAY(a, struct step, x->count + y->count + 1);
	for (size_t i = 0; i < ARRAY_LEN(d.rows); i++)
		d.rows[i] = ARENA_ARRAY(a, uint16_t, y->count + 1);
	middle_steps(&d, 0, x->count, 0, y->count);
}

static bool is_near_change(const struct script *s, size_t i)
{
	size_t first = i > DIFF_CONTEXT ? i - DIFF_CONTEXT : 0;
	for (size_t k = first; k < s->count && k <= i + DIFF_CONTEXT; k++)
		if (s->steps[k].mark != ' ')
			return true;
	return false;
}

static void hunk_write(struct buf *out, const struct script *s, size_t first, size_t end,
		       size_t x_line, size_t y_line)
{
	size_t x_count = 0, y_count = 0;
	for (size_t i = first; i < end; i++) {
		x_count += s->steps[i].mark != '+';
		y_count += s->steps[i].mark != '-';
	}
	buf_printf(out, "@@ -%zu,%zu +%zu,%zu @@\n", x_line, x_count, y_line, y_count);
	for (size_t i = first; i < end; i++)
		buf_printf(out, "%c%.*s\n", s->steps[i].mark, STR_FMT(s->steps[i].line));
}

static void script_write(struct buf *out, const struct script *s)
{
	size_t x_line = 1, y_line = 1;
	for (size_t i = 0; i < s->count;) {
		if (!is_near_change(s, i)) {
			x_line++, y_line++, i++;
			continue;
		}
		size_t end = i;
		while (end < s->count && is_near_change(s, end))
			end++;
		hunk_write(out, s, i, end, x_line, y_line);
		for (; i < end; i++) {
			x_line += s->steps[i].mark != '+';
			y_line += s->steps[i].mark != '-';
		}
	}
}

static struct str indented(struct check *v, const char *type, const struct json *tree)
{
	CLEANUP_BUF text = BUF_INIT(JSON_MAX_BYTES);
	json_write_indent(&text, go_struct(v, type, tree), 1);
	return arena_str(v->arena, buf_str(&text));
}

struct str go_diff(struct check *v, const char *type, const struct json *old,
		   const struct json *tree)
{
	struct lines *x = ARENA_NEW(v->arena, struct lines), *y = ARENA_NEW(v->arena, struct lines);
	struct script script = {};
	CLEANUP_BUF out = BUF_INIT(JSON_MAX_BYTES);
	if (!lines_cut(x, indented(v, type, old)) || !lines_cut(y, indented(v, type, tree)))
		return STR("");
	script_make(v->arena, &script, x, y);
	script_write(&out, &script);
	return arena_str(v->arena, buf_str(&out));
}
