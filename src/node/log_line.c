#include "node/log_line.h"

bool log_line_parse(struct str line, struct log_line *ret_line)
{
	struct str stream, tag, rest;
	struct log_line l = {};
	if (!str_cut(line, ' ', &l.time, &rest) || !str_cut(rest, ' ', &stream, &rest))
		return false;
	if (!str_cut(rest, ' ', &tag, &l.text))
		l.text = STR("");
	l.is_stderr = str_is(stream, "stderr");
	l.is_partial = str_has_prefix(tag, STR("P"));
	bool is_known = (l.is_stderr || str_is(stream, "stdout")) &&
			(l.is_partial || str_has_prefix(tag, STR("F")));
	if (is_known)
		*ret_line = l;
	return is_known;
}

size_t log_tail_offset(struct str text, int64_t count, bool *ret_is_enough)
{
	size_t end = text.len, start;
	struct log_line line;
	*ret_is_enough = true;
	if (count <= 0)
		return 0;
	if (end && text.at[end - 1] == '\n')
		end--;
	/* Backwards, line by line: a full line that ends here begins the count anew. */
	for (int64_t seen = 0;; end = start - 1) {
		const char *newline = end ? memrchr(text.at, '\n', end) : NULL;
		start = newline ? (size_t)(newline - text.at) + 1 : 0;
		bool is_whole = log_line_parse(str_n(text.at + start, end - start), &line) &&
				!line.is_partial;
		if (is_whole && seen == count)
			return text.len - end - 1;
		seen += is_whole;
		if (start == 0)
			break;
	}
	*ret_is_enough = false;
	return text.len;
}

void log_tail_text(struct buf *out, struct str text, size_t max_lines, size_t max_bytes)
{
	bool is_enough;
	size_t offset = log_tail_offset(text, (int64_t)max_lines, &is_enough);
	CLEANUP_BUF all = BUF_INIT(text.len + 1);
	struct str rest = str_skip(text, text.len - offset), one;
	struct log_line line;
	while (rest.len) {
		str_cut(rest, '\n', &one, &rest);
		if (!log_line_parse(one, &line))
			continue;
		buf_add_str(&all, line.text);
		if (!line.is_partial)
			buf_add_char(&all, '\n');
	}
	struct str kept = buf_str(&all);
	buf_add_str(out, str_skip(kept, kept.len > max_bytes ? kept.len - max_bytes : 0));
}
