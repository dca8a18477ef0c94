#include "codec/json-int.h"

/* Eight bytes at a time: a byte of the result has its high bit set where the test holds; a borrow
 * may mark bytes after a true hit as well, never before the first one (little endian order is made
 * by counting from the low end), so the first mark is exact. */
#define EACH(byte)     (0x0101010101010101u * (uint64_t)(byte))
#define IS_ZERO(word)  (((word)-EACH(1)) & ~(word))
#define IS_BYTE(w, b)  IS_ZERO((w) ^ EACH(b))
#define IS_BELOW(w, b) (((w)-EACH(b)) & ~(w))

static uint64_t load_word(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

static bool is_special(char c, bool is_html)
{
	unsigned char byte = (unsigned char)c;
	return byte < 0x20 || byte >= 0x80 || c == '"' || c == '\\' ||
	       (is_html && (c == '<' || c == '>' || c == '&'));
}

const char *text_scan_plain(const char *at, const char *end, bool is_html)
{
	for (; end - at >= 8; at += 8) {
		uint64_t word = load_word(at);
		uint64_t hits = word | IS_BELOW(word, 0x20) | IS_BYTE(word, '"') |
				IS_BYTE(word, '\\');
		if (is_html)
			hits |= IS_BYTE(word, '<') | IS_BYTE(word, '>') | IS_BYTE(word, '&');
		hits &= EACH(0x80);
		if (hits)
			return at + (__builtin_ctzll(hits) >> 3);
	}
	while (at < end && !is_special(*at, is_html))
		at++;
	return at;
}

static bool is_tail(char c)
{
	return ((unsigned char)c & 0xc0u) == 0x80u;
}

/* The second byte's range for the leads that have an own one (RFC 3629 §4). */
static bool is_second(unsigned char lead, char c)
{
	unsigned char second = (unsigned char)c;
	switch (lead) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return is_tail(c);
	}
}

size_t utf8_length(const char *at, const char *end)
{
	if (at >= end)
		return 0;
	unsigned char lead = (unsigned char)*at;
	if (lead < 0x80)
		return 1;
	size_t len = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
	if (len == 0 || (size_t)(end - at) < len || !is_second(lead, at[1]))
		return 0;
	for (size_t i = 2; i < len; i++)
		if (!is_tail(at[i]))
			return 0;
	return len;
}

char *utf8_put(char *to, uint32_t code)
{
	if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
		*to++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*to++ = (char)(0xe0 | code >> 12);
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	} else {
		*to++ = (char)(0xf0 | code >> 18);
		*to++ = (char)(0x80 | (code >> 12 & 0x3f));
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	}
	return to;
}

bool utf8_is_valid(struct str text)
{
	const char *at = text.at ? text.at : "", *end = at + text.len;
	while (at < end) {
		size_t len = utf8_length(at, end);
		if (len == 0)
			return false;
		at += len;
	}
	return true;
}
