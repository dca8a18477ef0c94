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

/* By the table of longest common subsequences; small enough after common ends are cut. */
static void middle_steps(struct arena *a, struct script *s, const struct lines *x,
			 const struct lines *y, size_t from, size_t x_end, size_t y_end)
{
	size_t rows = x_end - from, columns = y_end - from, width = columns + 1;
	uint16_t *common = arena_alloc(a, (rows + 1) * width * sizeof(uint16_t));
	for (size_t i = rows; i-- > 0;)
		for (size_t k = columns; k-- > 0;)
			common[i * width + k] =
				str_eq(x->at[from + i], y->at[from + k])
					? (uint16_t)(common[(i + 1) * width + k + 1] + 1)
					: MAX(common[(i + 1) * width + k],
					      common[i * width + k + 1]);
	size_t i = 0, k = 0;
	while (i < rows || k < columns) {
		bool is_same = i < rows && k < columns && str_eq(x->at[from + i], y->at[from + k]);
		if (is_same) {
			s->steps[s->count++] = (struct step){' ', x->at[from + i]};
			i++, k++;
		} else if (k == columns ||
			   (i < rows && common[(i + 1) * width + k] >= common[i * width + k + 1])) {
			s->steps[s->count++] = (struct step){'-', x->at[from + i++]};
		} else {
			s->steps[s->count++] = (struct step){'+', y->at[from + k++]};
		}
	}
}

static void script_make(struct arena *a, struct script *s, const struct lines *x,
			const struct lines *y)
{
	size_t from = 0, x_end = x->count, y_end = y->count;
	s->steps = ARENA_ARRAY(a, struct step, x->count + y->count + 1);
	while (from < x_end && from < y_end && str_eq(x->at[from], y->at[from]))
		s->steps[s->count++] = (struct step){' ', x->at[from++]};
	while (x_end > from && y_end > from && str_eq(x->at[x_end - 1], y->at[y_end - 1]))
		x_end--, y_end--;
	middle_steps(a, s, x, y, from, x_end, y_end);
	for (size_t i = x_end; i < x->count; i++)
		s->steps[s->count++] = (struct step){' ', x->at[i]};
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
