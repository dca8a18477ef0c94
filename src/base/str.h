/* str: a slice of bytes that somebody else owns; not necessarily NUL-terminated.
 * An absent string is {NULL, 0}; an empty one has a non-NULL pointer.  Pure functions. */
#ifndef SKEG_BASE_STR_H
#define SKEG_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *at;
	size_t len;
};

/* For initialisers of literals, and for printf("%.*s", STR_FMT(s)). */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_INIT(literal)                                                                          \
	{                                                                                          \
		"" literal, sizeof(literal) - 1                                                    \
	}
#define STR_FMT(s) (int)(s).len, (s).at ? (s).at : ""

static inline struct str str_of(const char *s) /* NULL gives the absent string */
{
	return (struct str){s, s ? strlen(s) : 0};
}

static inline struct str str_n(const char *s, size_t len)
{
	return (struct str){s, len};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool str_is(struct str a, const char *b)
{
	return str_eq(a, str_of(b));
}

static inline bool str_has_prefix(struct str s, struct str prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0);
}

static inline bool str_has_suffix(struct str s, struct str suffix)
{
	return s.len >= suffix.len &&
	       (suffix.len == 0 || memcmp(s.at + s.len - suffix.len, suffix.at, suffix.len) == 0);
}

/* s without its first n bytes, at most all of them. */
static inline struct str str_skip(struct str s, size_t n)
{
	n = n < s.len ? n : s.len;
	return (struct str){s.at ? s.at + n : NULL, s.len - n};
}

int str_cmp(struct str a, struct str b);	/* bytewise, as strcmp */
bool str_eq_nocase(struct str a, struct str b); /* ASCII */
struct str str_trim(struct str s);		/* without ASCII white space at both ends */

/* Cuts at the first sep: *ret_head before it, *ret_tail after it.  Without sep: false, *ret_head is
 * all of s and *ret_tail absent. */
bool str_cut(struct str s, char sep, struct str *ret_head, struct str *ret_tail);
/* The same at the last sep; without sep: false, *ret_tail is all of s and *ret_head absent. */
bool str_cut_last(struct str s, char sep, struct str *ret_head, struct str *ret_tail);

/* Decimal digits with an optional '-'; false when s is anything else or out of range. */
bool str_to_i64(struct str s, int64_t *ret_value);

/* UTF-8: how many code points there are, and the first of them, at most that many. */
size_t str_code_points(struct str s);
struct str str_head(struct str s, size_t code_points);

uint64_t str_hash(struct str s); /* FNV-1a, the same in every process */

#endif
