#include "api/quantity.h"

#include <stdio.h>

#include "base/mem.h"

#define NANO	   ((__int128)1000000000)
#define NANO_MAX   ((__int128)INT64_MAX * NANO)
#define DIGITS_MAX 64 /* of one text; more cannot be meant */

static const char wrong_format[] = "quantities must match the regular expression "
				   "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
static const char wrong_suffix[] = "unable to parse quantity's suffix";
static const char wrong_number[] = "unable to parse numeric part of quantity";

static const struct suffix {
	const char *text;
	enum quantity_form form;
	int exponent; /* of ten, or of two */
} suffixes[] = {
	{"", QUANTITY_DECIMAL, 0},   {"n", QUANTITY_DECIMAL, -9}, {"u", QUANTITY_DECIMAL, -6},
	{"m", QUANTITY_DECIMAL, -3}, {"k", QUANTITY_DECIMAL, 3},  {"M", QUANTITY_DECIMAL, 6},
	{"G", QUANTITY_DECIMAL, 9},  {"T", QUANTITY_DECIMAL, 12}, {"P", QUANTITY_DECIMAL, 15},
	{"E", QUANTITY_DECIMAL, 18}, {"Ki", QUANTITY_BINARY, 10}, {"Mi", QUANTITY_BINARY, 20},
	{"Gi", QUANTITY_BINARY, 30}, {"Ti", QUANTITY_BINARY, 40}, {"Pi", QUANTITY_BINARY, 50},
	{"Ei", QUANTITY_BINARY, 60},
};

struct parts {
	bool is_negative;
	struct str whole, fraction, suffix;
};

static struct str take_while(struct str *rest, const char *chars)
{
	size_t n = 0;
	while (n < rest->len && strchr(chars, rest->at[n]) && rest->at[n])
		n++;
	struct str head = str_n(rest->at, n);
	*rest = str_skip(*rest, n);
	return head;
}

/* Cuts the text as upstream's parseQuantityString; false when it has another shape. */
static bool parts_cut(struct str text, struct parts *ret_parts)
{
	struct parts p = {};
	struct str rest = text;
	if (rest.len > 0 && (rest.at[0] == '-' || rest.at[0] == '+')) {
		p.is_negative = rest.at[0] == '-';
		rest = str_skip(rest, 1);
	}
	p.whole = take_while(&rest, "0123456789");
	if (rest.len > 0 && rest.at[0] == '.') {
		rest = str_skip(rest, 1);
		p.fraction = take_while(&rest, "0123456789");
		if (p.whole.len + p.fraction.len == 0)
			return false;
	}
	const char *start = rest.at;
	take_while(&rest, "eEinumkKMGTP");
	if (rest.len > 0 && (rest.at[0] == '-' || rest.at[0] == '+'))
		rest = str_skip(rest, 1);
	take_while(&rest, "0123456789");
	p.suffix = str_n(start, (size_t)(rest.at - start));
	*ret_parts = p;
	return rest.len == 0;
}

static bool suffix_find(struct str text, struct suffix *ret_suffix)
{
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (str_is(text, suffixes[i].text)) {
			*ret_suffix = suffixes[i];
			return true;
		}
	if (text.len < 2 || (text.at[0] != 'e' && text.at[0] != 'E'))
		return false;
	struct str digits = str_skip(text, 1);
	if (digits.at[0] == '+')
		digits = str_skip(digits, 1);
	int64_t exponent;
	if (!str_to_i64(digits, &exponent))
		return false;
	exponent = MAX(-100, MIN(100, exponent));
	*ret_suffix = (struct suffix){"", QUANTITY_EXPONENT, (int)exponent};
	return true;
}

/* value := value * factor, saturated well above NANO_MAX. */
static __int128 times(__int128 value, __int128 factor)
{
	__int128 product;
	return __builtin_mul_overflow(value, factor, &product) ? NANO_MAX : product;
}

static __int128 power(int base, int exponent)
{
	__int128 value = 1;
	while (exponent-- > 0)
		value = times(value, base);
	return value;
}

/* Digits of whole and fraction as one number of nano units, what is below rounded up. */
static __int128 nano_of(const struct parts *p, struct suffix suffix)
{
	__int128 value = 0;
	size_t digits = p->whole.len + p->fraction.len;
	int shift = 9 - (int)p->fraction.len +
		    (suffix.form == QUANTITY_BINARY ? 0 : suffix.exponent);
	for (size_t i = 0; i < digits; i++) {
		char c = i < p->whole.len ? p->whole.at[i] : p->fraction.at[i - p->whole.len];
		if (__builtin_mul_overflow(value, (__int128)10, &value) ||
		    __builtin_add_overflow(value, (__int128)(c - '0'), &value))
			return NANO_MAX;
	}
	if (value == 0)
		return 0;
	if (suffix.form == QUANTITY_BINARY)
		value = times(value, power(2, suffix.exponent));
	if (shift >= 0)
		return times(value, power(10, MIN(shift, 37)));
	__int128 divisor = power(10, MIN(-shift, 37));
	return value / divisor + (value % divisor != 0);
}

enum rc quantity_parse(struct str text, struct quantity *ret_quantity, struct err *err)
{
	struct parts p;
	struct suffix suffix;
	if (text.len == 0 || !parts_cut(text, &p))
		return err_set(err, RC_BAD_REQUEST, "%s", wrong_format);
	if (!suffix_find(p.suffix, &suffix))
		return err_set(err, RC_BAD_REQUEST, "%s", wrong_suffix);
	if (p.whole.len + p.fraction.len > DIGITS_MAX)
		return err_set(err, RC_BAD_REQUEST, "%s", wrong_number);
	struct quantity q = {.nano = nano_of(&p, suffix), .form = suffix.form};
	q.nano = MIN(q.nano, NANO_MAX);
	if (q.form == QUANTITY_BINARY && q.nano < NANO)
		q.form = QUANTITY_DECIMAL;
	if (p.is_negative)
		q.nano = -q.nano;
	*ret_quantity = q;
	return RC_OK;
}

/* Decimal digits of a number that may need more than 64 bits. */
static size_t digits_write(__int128 value, char *out)
{
	char reversed[48];
	size_t n = 0, len = 0;
	bool is_negative = value < 0;
	unsigned __int128 rest = is_negative ? -(unsigned __int128)value : (unsigned __int128)value;
	do {
		reversed[n++] = (char)('0' + (int)(rest % 10));
		rest /= 10;
	} while (rest);
	if (is_negative)
		out[len++] = '-';
	while (n > 0)
		out[len++] = reversed[--n];
	out[len] = '\0';
	return len;
}

static const char *suffix_text(enum quantity_form form, int exponent)
{
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (suffixes[i].form == form && suffixes[i].exponent == exponent)
			return suffixes[i].text;
	return "";
}

static size_t format_binary(__int128 units, char *out)
{
	int exponent = 0;
	while (exponent < 60 && units % 1024 == 0) {
		units /= 1024;
		exponent += 10;
	}
	size_t len = digits_write(units, out);
	const char *suffix = exponent ? suffix_text(QUANTITY_BINARY, exponent) : "";
	return len + (size_t)snprintf(out + len, QUANTITY_TEXT_MAX - len, "%s", suffix);
}

static size_t format_decimal(__int128 nano, enum quantity_form form, char *out)
{
	int exponent = -9;
	while (exponent < 18 && nano % 1000 == 0) {
		nano /= 1000;
		exponent += 3;
	}
	size_t len = digits_write(nano, out);
	if (form == QUANTITY_DECIMAL)
		return len + (size_t)snprintf(out + len, QUANTITY_TEXT_MAX - len, "%s",
					      suffix_text(form, exponent));
	if (exponent == 0)
		return len;
	return len + (size_t)snprintf(out + len, QUANTITY_TEXT_MAX - len, "e%d", exponent);
}

size_t quantity_format(struct quantity q, char out[QUANTITY_TEXT_MAX])
{
	if (q.nano == 0) {
		memcpy(out, "0", 2);
		return 1;
	}
	bool is_small = q.nano > -1024 * NANO && q.nano < 1024 * NANO;
	if (q.form == QUANTITY_BINARY && !is_small && q.nano % NANO == 0)
		return format_binary(q.nano / NANO, out);
	return format_decimal(q.nano, q.form == QUANTITY_BINARY ? QUANTITY_DECIMAL : q.form, out);
}

struct quantity quantity_of(int64_t units, enum quantity_form form)
{
	return (struct quantity){.nano = units * NANO, .form = form};
}

struct quantity quantity_of_milli(int64_t milli, enum quantity_form form)
{
	return (struct quantity){.nano = milli * (NANO / 1000), .form = form};
}

static __int128 divide_up(__int128 value, __int128 divisor)
{
	__int128 rest = value % divisor;
	return value / divisor + (rest > 0) - (rest < 0);
}

static int64_t saturated(__int128 value)
{
	return value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

int64_t quantity_value(struct quantity q)
{
	return saturated(divide_up(q.nano, NANO));
}

int64_t quantity_milli(struct quantity q)
{
	return saturated(divide_up(q.nano, NANO / 1000));
}

int64_t quantity_text_value(struct str text)
{
	struct quantity q;
	return quantity_parse(text, &q, NULL) == RC_OK ? quantity_value(q) : 0;
}

int64_t quantity_text_milli(struct str text)
{
	struct quantity q;
	return quantity_parse(text, &q, NULL) == RC_OK ? quantity_milli(q) : 0;
}

struct quantity quantity_round_milli(struct quantity q)
{
	q.nano = divide_up(q.nano, NANO / 1000) * (NANO / 1000);
	return q;
}

bool quantity_is_whole(struct quantity q)
{
	return q.nano % NANO == 0;
}

int quantity_sign(struct quantity q)
{
	return (q.nano > 0) - (q.nano < 0);
}

int quantity_cmp(struct quantity a, struct quantity b)
{
	return (a.nano > b.nano) - (a.nano < b.nano);
}

struct quantity quantity_add(struct quantity a, struct quantity b)
{
	if (a.nano == 0)
		a.form = b.form;
	a.nano += b.nano;
	return a;
}

struct quantity quantity_sub(struct quantity a, struct quantity b)
{
	if (a.nano == 0)
		a.form = b.form;
	a.nano -= b.nano;
	return a;
}
