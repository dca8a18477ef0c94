#include "base/str.h"

int str_cmp(struct str a, struct str b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.at, b.at, common) : 0;
	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.at[i]) != lower(b.at[i]))
			return false;
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.len && is_space(s.at[0]))
		s = str_skip(s, 1);
	while (s.len && is_space(s.at[s.len - 1]))
		s.len--;
	return s;
}

static bool cut_at(struct str s, const char *hit, struct str *ret_head, struct str *ret_tail)
{
	size_t before = (size_t)(hit - s.at);
	*ret_head = str_n(s.at, before);
	*ret_tail = str_n(hit + 1, s.len - before - 1);
	return true;
}

bool str_cut(struct str s, char sep, struct str *ret_head, struct str *ret_tail)
{
	const char *hit = s.len ? memchr(s.at, sep, s.len) : NULL;
	if (hit)
		return cut_at(s, hit, ret_head, ret_tail);
	*ret_head = s;
	*ret_tail = (struct str){};
	return false;
}

bool str_cut_last(struct str s, char sep, struct str *ret_head, struct str *ret_tail)
{
	const char *hit = s.len ? memrchr(s.at, sep, s.len) : NULL;
	if (hit)
		return cut_at(s, hit, ret_head, ret_tail);
	*ret_tail = s;
	*ret_head = (struct str){};
	return false;
}

bool str_to_i64(struct str s, int64_t *ret_value)
{
	bool is_negative = s.len && s.at[0] == '-';
	struct str digits = str_skip(s, is_negative);
	if (digits.len == 0 || digits.len > 19)
		return false;
	int64_t value = 0;
	for (size_t i = 0; i < digits.len; i++) {
		char c = digits.at[i];
		if (c < '0' || c > '9')
			return false;
		/* Collected below zero, where the range is one larger. */
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, c - '0', &value))
			return false;
	}
	if (!is_negative && value == INT64_MIN)
		return false;
	*ret_value = is_negative ? value : -value;
	return true;
}

static bool begins_code_point(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

size_t str_code_points(struct str s)
{
	size_t count = 0;
	for (size_t i = 0; i < s.len; i++)
		count += begins_code_point(s.at[i]);
	return count;
}

struct str str_head(struct str s, size_t code_points)
{
	size_t len = 0;
	while (len < s.len && (!begins_code_point(s.at[len]) || code_points-- > 0))
		len++;
	return str_n(s.at, len);
}

uint64_t str_hash(struct str s)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (uint8_t)s.at[i]) * 0x100000001b3u;
	return hash;
}
