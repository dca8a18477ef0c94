#include "api/gotext.h"

#include "codec/json.h"

#include <inttypes.h>

/* ---- base64 ---- */

struct base64_reader {
	struct str text;
	size_t at;
	int64_t corrupt_at; /* -1: sound so far */
};

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void skip_line_ends(struct base64_reader *r)
{
	while (r->at < r->text.len && (r->text.at[r->at] == '\n' || r->text.at[r->at] == '\r'))
		r->at++;
}

/* After a '=' that stands for digit number have of a group of four. */
static void read_padding(struct base64_reader *r, int have)
{
	if (have < 2) {
		r->corrupt_at = (int64_t)r->at - 1;
		return;
	}
	if (have == 2) {
		skip_line_ends(r);
		if (r->at == r->text.len) {
			r->corrupt_at = (int64_t)r->at;
			return;
		}
		if (r->text.at[r->at] != '=') {
			r->corrupt_at = (int64_t)r->at - 1;
			return;
		}
		r->at++;
	}
	skip_line_ends(r);
	if (r->at < r->text.len)
		r->corrupt_at = (int64_t)r->at;
}

/* The digits of one group, 0 at the end; corrupt_at tells what is wrong. */
static int read_group(struct base64_reader *r, uint8_t digits[4])
{
	int have = 0;
	while (have < 4) {
		if (r->at == r->text.len) {
			if (have)
				r->corrupt_at = (int64_t)r->at - have;
			return have;
		}
		char c = r->text.at[r->at++];
		int digit = base64_digit(c);
		if (digit >= 0) {
			digits[have++] = (uint8_t)digit;
			continue;
		}
		if (c == '\n' || c == '\r')
			continue;
		if (c == '=')
			read_padding(r, have);
		else
			r->corrupt_at = (int64_t)r->at - 1;
		return have;
	}
	return have;
}

enum rc gotext_base64(struct arena *a, struct str text, struct str *ret_bytes, struct err *err)
{
	struct base64_reader r = {.text = text, .corrupt_at = -1};
	char *bytes = arena_alloc(a, text.len / 4 * 3 + 4);
	size_t len = 0;
	for (int have = 4; have == 4;) {
		uint8_t d[4] = {};
		have = read_group(&r, d);
		if (r.corrupt_at >= 0)
			return err_set(err, RC_BAD_REQUEST,
				       "illegal base64 data at input byte %" PRId64, r.corrupt_at);
		if (have > 1)
			bytes[len++] = (char)(d[0] << 2 | d[1] >> 4);
		if (have > 2)
			bytes[len++] = (char)(d[1] << 4 | d[2] >> 2);
		if (have > 3)
			bytes[len++] = (char)(d[2] << 6 | d[3]);
	}
	*ret_bytes = str_n(bytes, len);
	return RC_OK;
}

/* ---- Quoting ---- */

/* time.ParseError quotes with its own, simpler rules. */
static void quote_time(struct buf *out, struct str text)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];
		if (c >= 0x80 || c < ' ') {
			buf_printf(out, "\\x%02x", c);
			continue;
		}
		if (c == '"' || c == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, (char)c);
	}
	buf_add_char(out, '"');
}

static bool quote_special(struct buf *out, unsigned char c)
{
	static const char letters[] = "abtnvfr"; /* from 7 on */
	if (c == '"' || c == '\\')
		buf_printf(out, "\\%c", c);
	else if (c >= 7 && c <= 13)
		buf_printf(out, "\\%c", letters[c - 7]);
	else if (c < ' ' || c == 0x7f)
		buf_printf(out, "\\x%02x", c);
	else
		return false;
	return true;
}

/* Bytes of the character that text begins with; 0 when it is none. */
static size_t character_len(struct str text)
{
	for (size_t len = 1; len <= 4 && len <= text.len; len++)
		if (utf8_is_valid(str_n(text.at, len)))
			return len;
	return 0;
}

/* Beyond ASCII: spaces, what formats, and what is no character, which Go does not print. */
static const struct {
	uint32_t from, to;
} unprintable[] = {
	{0x80, 0xa0},	    {0xad, 0xad},	 {0x600, 0x605},   {0x61c, 0x61c},
	{0x6dd, 0x6dd},	    {0x70f, 0x70f},	 {0x1680, 0x1680}, {0x180e, 0x180e},
	{0x2000, 0x200f},   {0x2028, 0x202f},	 {0x205f, 0x206f}, {0x3000, 0x3000},
	{0xd800, 0xf8ff},   {0xfeff, 0xfeff},	 {0xfff0, 0xfffb}, {0xfffe, 0xffff},
	{0xe0000, 0xe00ff}, {0xf0000, 0x10ffff},
};

static uint32_t character_code(const char *at, size_t len)
{
	static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = (unsigned char)at[0] & first_bits[len];
	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)at[i] & 0x3f);
	return code;
}

static bool quote_unprintable(struct buf *out, uint32_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(unprintable); i++) {
		if (code < unprintable[i].from || code > unprintable[i].to)
			continue;
		buf_printf(out, code > 0xffff ? "\\U%08x" : "\\u%04x", code);
		return true;
	}
	return false;
}

static bool quote_character(struct buf *out, const char *at, size_t len)
{
	if (len == 1)
		return quote_special(out, (unsigned char)at[0]);
	return quote_unprintable(out, character_code(at, len));
}

void gotext_quote(struct buf *out, struct str text)
{
	buf_add_char(out, '"');
	while (text.len) {
		size_t len = character_len(text);
		if (len == 0)
			buf_printf(out, "\\x%02x", (unsigned char)text.at[0]);
		else if (!quote_character(out, text.at, len))
			buf_add_str(out, str_n(text.at, len));
		text = str_skip(text, MAX(len, (size_t)1));
	}
	buf_add_char(out, '"');
}

struct str gotext_quoted(struct arena *a, struct str text)
{
	CLEANUP_BUF quoted = BUF_INIT(text.len * 4 + 3);
	gotext_quote(&quoted, text);
	return arena_str(a, buf_str(&quoted));
}

/* ---- Numbers ---- */

/* A sign belongs to some numbers only; it is not looked at here. */
static const char *number_fault(struct str digits)
{
	for (size_t i = 0; i < digits.len; i++)
		if (digits.at[i] < '0' || digits.at[i] > '9')
			return "invalid syntax";
	return digits.len ? "value out of range" : "invalid syntax";
}

enum rc gotext_int(struct str text, int64_t *ret_value, struct err *err)
{
	CLEANUP_BUF quoted = BUF_INIT(ERR_TEXT_MAX);
	bool is_signed = text.len && (text.at[0] == '-' || text.at[0] == '+');
	struct str digits = str_skip(text, is_signed ? 1 : 0);
	if (digits.len && digits.at[0] != '-' &&
	    str_to_i64(is_signed && text.at[0] == '+' ? digits : text, ret_value))
		return RC_OK;
	gotext_quote(&quoted, text);
	return err_set(err, RC_BAD_REQUEST, "strconv.ParseInt: parsing %s: %s", quoted.data,
		       number_fault(digits));
}

struct str gotext_uint_fault(struct arena *a, struct str text)
{
	struct str quoted = gotext_quoted(a, text);
	return arena_printf(a, "Invalid value: %.*s: strconv.ParseUint: parsing %.*s: %s",
			    STR_FMT(quoted), STR_FMT(quoted), number_fault(text));
}

/* ---- Times ---- */

#define LAYOUT_SECONDS "2006-01-02T15:04:05Z07:00"
#define LAYOUT_MICROS  "2006-01-02T15:04:05.000000Z07:00"

struct clock {
	int year, month, day, hour, minute, second, micros, offset_minutes;
};

struct time_reader {
	struct str text, rest;
	const char *layout;
	struct err *err;
};

static enum rc cannot_parse(struct time_reader *r, struct str at, const char *as)
{
	CLEANUP_BUF text = BUF_INIT(ERR_TEXT_MAX * 4);
	buf_add_cstr(&text, "parsing time ");
	quote_time(&text, r->text);
	buf_printf(&text, " as \"%s\": cannot parse ", r->layout);
	quote_time(&text, at);
	buf_printf(&text, " as \"%s\"", as);
	return err_set(r->err, RC_BAD_REQUEST, "%s", text.data);
}

static enum rc out_of_range(struct time_reader *r, const char *what)
{
	CLEANUP_BUF text = BUF_INIT(ERR_TEXT_MAX * 4);
	buf_add_cstr(&text, "parsing time ");
	quote_time(&text, r->text);
	buf_printf(&text, ": %s out of range", what);
	return err_set(r->err, RC_BAD_REQUEST, "%s", text.data);
}

static bool is_digit(struct str s, size_t at)
{
	return at < s.len && s.at[at] >= '0' && s.at[at] <= '9';
}

/* count digits at the start of s. */
static bool digits(struct str s, size_t count, int *ret_number)
{
	int number = 0;
	for (size_t i = 0; i < count; i++) {
		if (!is_digit(s, i))
			return false;
		number = number * 10 + (s.at[i] - '0');
	}
	*ret_number = number;
	return true;
}

static enum rc read_literal(struct time_reader *r, const char *literal)
{
	if (!r->rest.len || r->rest.at[0] != literal[0])
		return cannot_parse(r, r->rest, literal);
	r->rest = str_skip(r->rest, 1);
	return RC_OK;
}

struct time_part {
	const char *before, *as, *name;
	size_t digits;
	int min, max;
	size_t offset;
};

static enum rc read_part(struct time_reader *r, const struct time_part *p, struct clock *c)
{
	int number;
	size_t used = p->digits;
	if (p->before)
		TRY(read_literal(r, p->before));
	if (!digits(r->rest, p->digits, &number)) {
		used = 1; /* of hours one digit is enough */
		if (p->as[0] != '1' || !digits(r->rest, 1, &number))
			return cannot_parse(r, r->rest, p->as);
	}
	r->rest = str_skip(r->rest, used);
	if (p->name && (number < p->min || number > p->max))
		return out_of_range(r, p->name);
	*(int *)((char *)c + p->offset) = number;
	return RC_OK;
}

/* A fraction where the layout has none; Go allows it. */
static void read_fraction(struct time_reader *r)
{
	if (r->rest.len < 2 || (r->rest.at[0] != '.' && r->rest.at[0] != ',') ||
	    !is_digit(r->rest, 1))
		return;
	size_t n = 2;
	while (is_digit(r->rest, n))
		n++;
	r->rest = str_skip(r->rest, n);
}

static enum rc read_micros(struct time_reader *r, struct clock *c)
{
	bool is_point = r->rest.len >= 7 && (r->rest.at[0] == '.' || r->rest.at[0] == ',');
	if (!is_point || !digits(str_skip(r->rest, 1), 6, &c->micros))
		return cannot_parse(r, r->rest, ".000000");
	r->rest = str_skip(r->rest, 7);
	return RC_OK;
}

static enum rc read_zone(struct time_reader *r, struct clock *c)
{
	int hours, minutes;
	struct str s = r->rest;
	if (s.len && s.at[0] == 'Z') {
		r->rest = str_skip(s, 1);
		return RC_OK;
	}
	if (s.len < 6 || s.at[3] != ':' || !digits(str_skip(s, 1), 2, &hours) ||
	    !digits(str_skip(s, 4), 2, &minutes))
		return cannot_parse(r, s, "Z07:00");
	r->rest = str_skip(s, 6);
	if (hours > 24)
		return out_of_range(r, "time zone offset hour");
	if (minutes > 60)
		return out_of_range(r, "time zone offset minute");
	if (s.at[0] != '+' && s.at[0] != '-')
		return cannot_parse(r, s, "Z07:00");
	c->offset_minutes = (s.at[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
	return RC_OK;
}

static enum rc read_end(struct time_reader *r, const struct clock *c)
{
	static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);
	int last = month_days[c->month - 1] + (c->month == 2 && is_leap);
	if (r->rest.len) {
		CLEANUP_BUF text = BUF_INIT(ERR_TEXT_MAX * 4);
		buf_add_cstr(&text, "parsing time ");
		quote_time(&text, r->text);
		buf_add_cstr(&text, ": extra text: ");
		quote_time(&text, r->rest);
		return err_set(r->err, RC_BAD_REQUEST, "%s", text.data);
	}
	return c->day < 1 || c->day > last ? out_of_range(r, "day") : RC_OK;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's days_from_civil). */
static int64_t days_since_epoch(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

#define ZERO_TIME_US	   (INT64_C(-62135596800) * 1000000) /* 0001-01-01T00:00:00Z */
#define YEAR_0_SECONDS	   INT64_C(-62167219200)
#define YEAR_10000_SECONDS INT64_C(253402300800)

enum rc gotext_time(struct str text, bool is_micro, int64_t *ret_time_us, bool *ret_is_zero,
		    struct err *err)
{
	static const struct time_part parts[] = {
		{NULL, "2006", NULL, 4, 0, 9999, offsetof(struct clock, year)},
		{"-", "01", "month", 2, 1, 12, offsetof(struct clock, month)},
		{"-", "02", NULL, 2, 0, 99, offsetof(struct clock, day)},
		{"T", "15", "hour", 2, 0, 23, offsetof(struct clock, hour)},
		{":", "04", "minute", 2, 0, 59, offsetof(struct clock, minute)},
		{":", "05", "second", 2, 0, 59, offsetof(struct clock, second)},
	};
	struct time_reader r = {text, text, is_micro ? LAYOUT_MICROS : LAYOUT_SECONDS, err};
	struct clock c = {};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		TRY(read_part(&r, &parts[i], &c));
	if (is_micro)
		TRY(read_micros(&r, &c));
	else
		read_fraction(&r);
	TRY(read_zone(&r, &c));
	TRY(read_end(&r, &c));
	int64_t minutes = days_since_epoch(c.year, c.month, c.day) * 1440 + c.hour * 60 + c.minute -
			  c.offset_minutes;
	int64_t seconds = minutes * 60 + c.second;
	if (seconds < YEAR_0_SECONDS || seconds >= YEAR_10000_SECONDS)
		return out_of_range(&r, "year"); /* the offset leads out of what text can say */
	*ret_time_us = seconds * 1000000 + c.micros;
	*ret_is_zero = *ret_time_us == ZERO_TIME_US;
	return RC_OK;
}
