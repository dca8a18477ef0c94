#include <math.h>
#include <stdlib.h>

#include "codec/yaml-int.h"

#define NUMBER_MAX_CHARS 512u /* longer ones are taken as text */

static const struct {
	const char *text;
	struct yaml_scalar scalar;
} words[] = {
	{"", {.kind = YAML_NULL}},
	{"~", {.kind = YAML_NULL}},
	{"null", {.kind = YAML_NULL}},
	{"Null", {.kind = YAML_NULL}},
	{"NULL", {.kind = YAML_NULL}},
	{"y", {.kind = YAML_BOOL, .boolean = true}},
	{"Y", {.kind = YAML_BOOL, .boolean = true}},
	{"yes", {.kind = YAML_BOOL, .boolean = true}},
	{"Yes", {.kind = YAML_BOOL, .boolean = true}},
	{"YES", {.kind = YAML_BOOL, .boolean = true}},
	{"true", {.kind = YAML_BOOL, .boolean = true}},
	{"True", {.kind = YAML_BOOL, .boolean = true}},
	{"TRUE", {.kind = YAML_BOOL, .boolean = true}},
	{"on", {.kind = YAML_BOOL, .boolean = true}},
	{"On", {.kind = YAML_BOOL, .boolean = true}},
	{"ON", {.kind = YAML_BOOL, .boolean = true}},
	{"n", {.kind = YAML_BOOL}},
	{"N", {.kind = YAML_BOOL}},
	{"no", {.kind = YAML_BOOL}},
	{"No", {.kind = YAML_BOOL}},
	{"NO", {.kind = YAML_BOOL}},
	{"false", {.kind = YAML_BOOL}},
	{"False", {.kind = YAML_BOOL}},
	{"FALSE", {.kind = YAML_BOOL}},
	{"off", {.kind = YAML_BOOL}},
	{"Off", {.kind = YAML_BOOL}},
	{"OFF", {.kind = YAML_BOOL}},
	{".nan", {.kind = YAML_FLOAT, .number = NAN}},
	{".NaN", {.kind = YAML_FLOAT, .number = NAN}},
	{".NAN", {.kind = YAML_FLOAT, .number = NAN}},
	{".inf", {.kind = YAML_FLOAT, .number = INFINITY}},
	{".Inf", {.kind = YAML_FLOAT, .number = INFINITY}},
	{".INF", {.kind = YAML_FLOAT, .number = INFINITY}},
	{"+.inf", {.kind = YAML_FLOAT, .number = INFINITY}},
	{"+.Inf", {.kind = YAML_FLOAT, .number = INFINITY}},
	{"+.INF", {.kind = YAML_FLOAT, .number = INFINITY}},
	{"-.inf", {.kind = YAML_FLOAT, .number = -INFINITY}},
	{"-.Inf", {.kind = YAML_FLOAT, .number = -INFINITY}},
	{"-.INF", {.kind = YAML_FLOAT, .number = -INFINITY}},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const struct yaml_scalar text_scalar = {.kind = YAML_TEXT};

static size_t skip_digits(struct str *s)
{
	size_t len = 0;
	while (len < s->len && is_digit(s->at[len]))
		len++;
	*s = str_skip(*s, len);
	return len;
}

/* Takes min to max digits off the front. */
static bool take_number(struct str *s, size_t min, size_t max, int *ret_value)
{
	size_t len = 0;
	int value = 0;
	while (len < max && len < s->len && is_digit(s->at[len]))
		value = value * 10 + (s->at[len++] - '0');
	*s = str_skip(*s, len);
	*ret_value = value;
	return len >= min;
}

static bool take_char(struct str *s, const char *any_of)
{
	if (s->len == 0 || s->at[0] == '\0' || !strchr(any_of, s->at[0]))
		return false;
	*s = str_skip(*s, 1);
	return true;
}

static bool take_clock(struct str *s)
{
	int hour, minute, second;
	if (!take_number(s, 1, 2, &hour) || !take_char(s, ":") || !take_number(s, 1, 2, &minute) ||
	    !take_char(s, ":") || !take_number(s, 1, 2, &second))
		return false;
	if (take_char(s, ".,") && skip_digits(s) == 0)
		return false;
	return hour < 24 && minute < 60 && second < 60;
}

static bool take_zone(struct str *s)
{
	int hours, minutes;
	if (take_char(s, "Z"))
		return true;
	return take_char(s, "+-") && take_number(s, 2, 2, &hours) && take_char(s, ":") &&
	       take_number(s, 2, 2, &minutes) && hours <= 24 && minutes < 60;
}

static bool is_day(int year, int month, int day)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month >= 1 && month <= 12 && day >= 1 &&
	       day <= days[month - 1] + (month == 2 && is_leap);
}

/* 2001-2-3, 2001-02-03 4:05:06.7, 2001-02-03T04:05:06Z and the like. */
static bool is_time(struct str s)
{
	int year, month, day;
	if (!take_number(&s, 4, 4, &year) || !take_char(&s, "-") ||
	    !take_number(&s, 1, 2, &month) || !take_char(&s, "-") || !take_number(&s, 1, 2, &day) ||
	    !is_day(year, month, day))
		return false;
	if (s.len == 0)
		return true;
	if (take_char(&s, " "))
		return take_clock(&s) && s.len == 0;
	return take_char(&s, "Tt") && take_clock(&s) && take_zone(&s) && s.len == 0;
}

static int digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 36;
}

static int take_base(struct str *digits)
{
	static const struct {
		char letter;
		int base;
	} bases[] = {{'x', 16}, {'o', 8}, {'b', 2}};
	if (digits->len < 2 || digits->at[0] != '0')
		return 10;
	for (size_t i = 0; i < ARRAY_LEN(bases); i++)
		if ((digits->at[1] | 0x20) == bases[i].letter) {
			*digits = str_skip(*digits, 2);
			return bases[i].base;
		}
	*digits = str_skip(*digits, 1);
	return 8;
}

/* As Go's ParseInt with base 0, then ParseUint, whose values beyond int64 JSON has as doubles. */
static bool resolve_integer(struct str text, struct yaml_scalar *ret_scalar)
{
	bool is_negative = text.at[0] == '-', has_sign = is_negative || text.at[0] == '+';
	struct str digits = str_skip(text, has_sign);
	int base = take_base(&digits);
	uint64_t value = 0;
	for (size_t i = 0; i < digits.len; i++) {
		int digit = digit_value(digits.at[i]);
		if (digit >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			return false;
	}
	bool is_signed = value <= (uint64_t)INT64_MAX + is_negative;
	if (digits.len == 0 || (has_sign && !is_signed))
		return false;
	if (is_signed)
		*ret_scalar = (struct yaml_scalar){
			.kind = YAML_INT, .integer = (int64_t)(is_negative ? 0 - value : value)};
	else
		*ret_scalar = (struct yaml_scalar){.kind = YAML_FLOAT, .number = (double)value};
	return true;
}

/* [-+]? (.d+ | d+ (. d*)?) ([eE] [-+]? d+)? */
static bool is_float(struct str s)
{
	take_char(&s, "+-");
	size_t digits = skip_digits(&s);
	if (take_char(&s, "."))
		digits += skip_digits(&s);
	if (digits == 0)
		return false;
	if (take_char(&s, "eE")) {
		take_char(&s, "+-");
		digits = skip_digits(&s);
	}
	return digits > 0 && s.len == 0;
}

static bool resolve_float(const char *text, struct yaml_scalar *ret_scalar)
{
	double number = is_float(str_of(text)) ? strtod(text, NULL) : INFINITY;
	if (isinf(number))
		return false;
	*ret_scalar = (struct yaml_scalar){.kind = YAML_FLOAT, .number = number};
	return true;
}

static struct yaml_scalar resolve_number(struct str text)
{
	char plain[NUMBER_MAX_CHARS];
	size_t len = 0;
	struct yaml_scalar scalar;
	if (text.len >= sizeof(plain))
		return text_scalar;
	bool may_have_underscores = text.at[0] != '.';
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] != '_' || !may_have_underscores)
			plain[len++] = text.at[i];
	plain[len] = '\0';
	if (text.at[0] != '.' && resolve_integer(str_n(plain, len), &scalar))
		return scalar;
	return resolve_float(plain, &scalar) ? scalar : text_scalar;
}

struct yaml_scalar yaml_resolve(struct str text)
{
	char first = text.len ? text.at[0] : '~';
	if (strchr("yYnNtTfFoO~.+-", first) && text.len <= 5)
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (str_is(text, words[i].text))
				return words[i].scalar;
	if (!is_digit(first) && first != '+' && first != '-' && first != '.')
		return text_scalar;
	if (is_time(text))
		return (struct yaml_scalar){.kind = YAML_TIME};
	return resolve_number(text);
}

/* [-+]? d [d_]* (: [0-5]? d)+ (. [d_]*)? */
static bool is_base60(struct str s)
{
	int unused, groups = 0;
	take_char(&s, "+-");
	if (s.len == 0 || !is_digit(s.at[0]))
		return false;
	while (s.len && (is_digit(s.at[0]) || s.at[0] == '_'))
		s = str_skip(s, 1);
	for (; take_char(&s, ":"); groups++)
		if (!take_number(&s, 1, 2, &unused) || unused > 59)
			return false;
	if (groups && take_char(&s, "."))
		while (s.len && (is_digit(s.at[0]) || s.at[0] == '_'))
			s = str_skip(s, 1);
	return groups && s.len == 0;
}

bool yaml_is_ambiguous(struct str text)
{
	return yaml_resolve(text).kind != YAML_TEXT || is_base60(text);
}
