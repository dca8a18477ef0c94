/* Literals whose text has rules of its own: duration('1h'), timestamp('2020-…'), matches('a+').
 * They are checked where they stand as constants, so that a mistake is no surprise at run time. */
#include "base/duration.h"
#include "base/timefmt.h"
#include "codec/cel-int.h"

static bool is_duration(struct str s)
{
	int64_t ms;
	bool has_sign = s.len > 0 && (s.at[0] == '-' || s.at[0] == '+');
	return duration_parse_ms(has_sign ? str_skip(s, 1) : s, &ms);
}

/* Past the ']' of a class whose '[' is at i; 0: it does not close. */
static size_t class_end(struct str s, size_t i)
{
	i++;
	i += i < s.len && s.at[i] == '^';
	i += i < s.len && s.at[i] == ']';
	while (i < s.len && s.at[i] != ']') {
		struct str rest = str_skip(s, i);
		if (str_has_prefix(rest, STR("[:"))) {
			while (rest.len > 0 && !str_has_prefix(rest, STR(":]")))
				rest = str_skip(rest, 1);
			i = s.len - rest.len + 2;
			continue;
		}
		i += s.at[i] == '\\' ? 2 : 1;
	}
	return i < s.len ? i + 1 : 0;
}

/* Past the next part of a regular expression; 0: it is spoilt.  *ret_is_atom: it may be repeated;
 * *depth counts open parentheses. */
static size_t part_end(struct str s, size_t i, size_t *depth, bool *ret_is_atom)
{
	*ret_is_atom = true;
	switch (s.at[i]) {
	case '\\':
		return i + 1 < s.len ? i + 2 : 0;
	case '[':
		return class_end(s, i);
	case '(':
		++*depth;
		*ret_is_atom = false;
		return i + 1 < s.len && s.at[i + 1] == '?' ? i + 2 : i + 1;
	case ')':
		return (*depth)-- > 0 ? i + 1 : 0;
	case '|':
		*ret_is_atom = false;
		return i + 1;
	default:
		return i + 1;
	}
}

/* Brackets that close, repetitions of something. */
static bool is_regex(struct str s)
{
	size_t i = 0, depth = 0;
	bool has_atom = false;
	while (i < s.len) {
		if (memchr("*+?", s.at[i], 3)) {
			if (!has_atom)
				return false;
			i++;
			continue;
		}
		i = part_end(s, i, &depth, &has_atom);
		if (i == 0)
			return false;
	}
	return depth == 0;
}

static bool is_timestamp(struct str s)
{
	int64_t time_us;
	return time_parse(s, &time_us);
}

static const struct {
	const char *function;
	bool (*is_good)(struct str text);
} rows[] = {
	{"duration", is_duration},
	{"timestamp", is_timestamp},
	{"matches", is_regex},
};

static void check_part(struct cel_expr *e, void *data)
{
	cel_check_literals(data, e);
}

void cel_check_literals(struct cel *c, struct cel_expr *e)
{
	for (size_t i = 0; e->node == CEL_NODE_CALL && i < ARRAY_LEN(rows); i++) {
		const struct cel_expr *arg = e->count ? e->args[0] : NULL;
		if (str_is(e->name, rows[i].function) && arg && arg->node == CEL_NODE_LITERAL &&
		    arg->literal == CEL_STRING && !rows[i].is_good(arg->name))
			cel_fault(c, arg->at, "invalid %s argument", rows[i].function);
	}
	cel_each_part(e, check_part, c);
}
