/* Literals whose text has rules of its own: duration('1h'), timestamp('2020-…'), matches('a+').
 * They are checked where they stand as constants, so that a mistake is no surprise at run time. */
#include "base/timefmt.h"
#include "codec/cel-int.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t unit_len(struct str s)
{
	static const char *const units[] = {"ns", "us", "\xc2\xb5s", "\xce\xbcs",
					    "ms", "s",	"m",	     "h"};
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (str_has_prefix(s, str_of(units[i])))
			return strlen(units[i]);
	return 0;
}

/* As Go reads durations: "1h30m", "-1.5s", "0". */
static bool is_duration(struct str s)
{
	if (s.len > 0 && (s.at[0] == '-' || s.at[0] == '+'))
		s = str_skip(s, 1);
	if (str_is(s, "0"))
		return true;
	if (s.len == 0)
		return false;
	while (s.len > 0) {
		size_t i = 0, digits = 0;
		for (bool has_dot = false; i < s.len; i++) {
			if (is_digit(s.at[i]))
				digits++;
			else if (s.at[i] == '.' && !has_dot)
				has_dot = true;
			else
				break;
		}
		size_t unit = unit_len(str_skip(s, i));
		if (digits == 0 || unit == 0)
			return false;
		s = str_skip(s, i + unit);
	}
	return true;
}

/* Brackets that close, repetitions of something. */
static bool is_regex(struct str s)
{
	size_t open = 0;
	bool has_atom = false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		if (c == '\\') {
			if (++i >= s.len)
				return false;
			has_atom = true;
		} else if (c == '[') {
			size_t k = i + 1;
			k += k < s.len && s.at[k] == '^';
			k += k < s.len && s.at[k] == ']';
			while (k < s.len && s.at[k] != ']') {
				bool is_class = s.at[k] == '[' && k + 1 < s.len &&
						s.at[k + 1] == ':';
				k += s.at[k] == '\\' ? 2 : 1;
				while (is_class && k < s.len && s.at[k - 1] != ']')
					k++;
			}
			if (k >= s.len)
				return false;
			i = k;
			has_atom = true;
		} else if (c == '(') {
			open++;
			has_atom = false;
			if (i + 1 < s.len && s.at[i + 1] == '?')
				i++;
		} else if (c == ')') {
			if (open-- == 0)
				return false;
			has_atom = true;
		} else if (c == '|') {
			has_atom = false;
		} else if (c == '*' || c == '+' || c == '?') {
			if (!has_atom)
				return false;
		} else {
			has_atom = true;
		}
	}
	return open == 0;
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
