#include "base/duration.h"

#include <ctype.h>
#include <math.h>

#include "base/mem.h"

static const struct {
	const char *unit;
	double seconds;
} units[] = {
	{"h", 3600},  {"ms", 1e-3},	   {"m", 60},		{"s", 1},
	{"us", 1e-6}, {"\xc2\xb5s", 1e-6}, {"\xce\xbcs", 1e-6}, {"ns", 1e-9},
};

/* Digits with an optional fraction; cuts them off. */
static bool take_number(struct str *text, double *ret_number)
{
	double value = 0, scale = 1;
	size_t digits = 0, at = 0;
	bool is_fraction = false;
	for (; at < text->len; at++) {
		char c = text->at[at];
		if (c == '.' && !is_fraction) {
			is_fraction = true;
			continue;
		}
		if (!isdigit((unsigned char)c))
			break;
		digits++;
		scale *= is_fraction ? 0.1 : 1;
		value = is_fraction ? value + (c - '0') * scale : value * 10 + (c - '0');
	}
	*text = str_skip(*text, at);
	*ret_number = value;
	return digits > 0;
}

static bool take_unit(struct str *text, double *ret_seconds)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!str_has_prefix(*text, str_of(units[i].unit)))
			continue;
		*text = str_skip(*text, strlen(units[i].unit));
		*ret_seconds = units[i].seconds;
		return true;
	}
	return false;
}

static bool parse(struct str text, double *ret_seconds)
{
	double sum = 0, number, unit;
	*ret_seconds = 0;
	if (text.len == 0 || str_is(text, "0"))
		return text.len > 0;
	while (text.len) {
		if (!take_number(&text, &number) || !take_unit(&text, &unit))
			return false;
		sum += number * unit;
		if (sum > (double)DURATION_MAX_S)
			return false;
	}
	*ret_seconds = sum;
	return true;
}

bool duration_parse(struct str text, int64_t *ret_seconds)
{
	double seconds;
	if (!parse(text, &seconds))
		return false;
	*ret_seconds = (int64_t)ceil(seconds - 1e-9);
	return true;
}

bool duration_parse_ms(struct str text, int64_t *ret_ms)
{
	double seconds;
	if (!parse(text, &seconds))
		return false;
	*ret_ms = (int64_t)ceil(seconds * 1000 - 1e-6);
	return true;
}
