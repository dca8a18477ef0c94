/* cel-int: what the parts of the CEL compiler share. */
#ifndef SKEG_CODEC_CEL_INT_H
#define SKEG_CODEC_CEL_INT_H

#include "codec/cel.h"

/* Words and order of the tokens are those of the reference grammar, as error texts list them.
 * name, as error texts print it */
#define CEL_TOKEN_LIST(X)                                                                          \
	X(EOF, "<EOF>")                                                                            \
	X(EQUALS, "'=='")                                                                          \
	X(NOT_EQUALS, "'!='")                                                                      \
	X(IN, "'in'")                                                                              \
	X(LESS, "'<'")                                                                             \
	X(LESS_EQUALS, "'<='")                                                                     \
	X(GREATER_EQUALS, "'>='")                                                                  \
	X(GREATER, "'>'")                                                                          \
	X(AND, "'&&'")                                                                             \
	X(OR, "'||'")                                                                              \
	X(LBRACKET, "'['")                                                                         \
	X(RBRACKET, "']'")                                                                         \
	X(LBRACE, "'{'")                                                                           \
	X(RBRACE, "'}'")                                                                           \
	X(LPAREN, "'('")                                                                           \
	X(RPAREN, "')'")                                                                           \
	X(DOT, "'.'")                                                                              \
	X(COMMA, "','")                                                                            \
	X(MINUS, "'-'")                                                                            \
	X(EXCLAM, "'!'")                                                                           \
	X(QUESTION, "'?'")                                                                         \
	X(COLON, "':'")                                                                            \
	X(PLUS, "'+'")                                                                             \
	X(STAR, "'*'")                                                                             \
	X(SLASH, "'/'")                                                                            \
	X(PERCENT, "'%'")                                                                          \
	X(TRUE, "'true'")                                                                          \
	X(FALSE, "'false'")                                                                        \
	X(NULL, "'null'")                                                                          \
	X(FLOAT, "NUM_FLOAT")                                                                      \
	X(INT, "NUM_INT")                                                                          \
	X(UINT, "NUM_UINT")                                                                        \
	X(STRING, "STRING")                                                                        \
	X(BYTES, "BYTES")                                                                          \
	X(IDENT, "IDENTIFIER")                                                                     \
	X(QUOTED_IDENT, "ESC_IDENTIFIER")

enum cel_token_type {
#define X(token, name) CEL_TOKEN_##token,
	CEL_TOKEN_LIST(X)
#undef X
		CEL_TOKEN_COUNT,
};

struct cel_token {
	enum cel_token_type type;
	uint32_t at, len;
};

/* All tokens, the last one EOF; what is none is reported. */
[[nodiscard]] struct cel_token *cel_lex(struct cel *c, size_t *ret_count);

[[gnu::format(printf, 3, 4)]] void cel_fault(struct cel *c, int64_t at, const char *fmt, ...);

/* Tokens to a tree; NULL where there is none. */
[[nodiscard]] struct cel_expr *cel_read(struct cel *c);

/* The content of a string or bytes literal; false: it has no such content (*ret_why). */
[[nodiscard]] bool cel_unquote(struct arena *a, struct str literal, bool is_bytes,
			       struct str *ret_text, const char **ret_why);

[[nodiscard]] struct cel_expr *cel_new(struct cel *c, enum cel_node node, uint32_t at);
[[nodiscard]] struct cel_expr *cel_new_call(struct cel *c, uint32_t at, struct str function,
					    size_t count, struct cel_expr *const *args);
/* A call's expansion when it is a macro, else the call; reports what is wrong with its arguments.
 */
[[nodiscard]] struct cel_expr *cel_macro(struct cel *c, struct cel_expr *call);

/* ---- functions (cel_library.c) ---- */

struct cel_overload {
	const char *function, *id;
	const char *signature; /* "string.(string) bool": target, arguments, result */
};

extern const struct cel_overload cel_overloads[];

/* ---- types (cel_type.c) ---- */
bool cel_is_dyn(const struct cel_type *type); /* or an error */
/* As error texts print it: "null", "list(int)". */
void cel_type_show(struct buf *b, const struct cel_type *type, bool is_for_fault);
const struct cel_type *cel_type_new(struct arena *a, enum cel_kind kind, struct str name,
				    const struct cel_type *first, const struct cel_type *second);

void cel_check(struct cel *c);
/* Literals of durations, times and regular expressions that cannot be read. */
void cel_check_literals(struct cel *c, struct cel_expr *e);

/* Calls visit for each direct part of e. */
void cel_each_part(const struct cel_expr *e, void (*visit)(struct cel_expr *part, void *data),
		   void *data);

#endif
