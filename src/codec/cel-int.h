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

/* With "\\n" for the end of a line and the like, as syntax errors show the text. */
void cel_add_shown(struct buf *b, struct str text);

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

/* ---- the reader (cel_recover.c) ---- */

typedef uint64_t token_set;

/* What may come after a rule in the rule that called it. */
struct follow {
	token_set set;
	bool may_end; /* the calling rule can end there */
	const struct follow *up;
};

enum rule { RULE_EXPR, RULE_RELATION, RULE_CALC, RULE_COUNT };

struct reader {
	struct cel *c;
	struct cel_token *tokens;
	size_t count, next;
	bool is_recovering, is_stopped;
	bool has_error; /* of the rule that runs */
	ptrdiff_t last_error;
	uint64_t last_states;
	unsigned attempts, reports, depth[RULE_COUNT];
};

#define T(token) ((token_set)1 << CEL_TOKEN_##token)

#define FIRST_ATOM                                                                                 \
	(T(LBRACKET) | T(LBRACE) | T(LPAREN) | T(DOT) | T(MINUS) | T(TRUE) | T(FALSE) | T(NULL) |  \
	 T(FLOAT) | T(INT) | T(UINT) | T(STRING) | T(BYTES) | T(IDENT))
#define FIRST_EXPR	     (FIRST_ATOM | T(EXCLAM))
#define FOLLOW(tokens, ends) (&(struct follow){(tokens), (ends), up})

/* Tokens from the next one on; behind the last one is nothing but the last one. */
enum cel_token_type reader_peek(const struct reader *r, size_t ahead);
bool reader_is_next(const struct reader *r, token_set set);
struct cel_token reader_here(const struct reader *r);
struct str reader_text(const struct reader *r, struct cel_token token);
/* Takes the next token, whatever it is; errors are reported again. */
struct cel_token reader_take_next(struct reader *r);

/* At the start of a choice whose forms begin with the set.  false: the rule has an error. */
bool reader_begin(struct reader *r, token_set set);
/* One token of the rule; after it may come `after`, or the end of the rule.  false: an error. */
bool reader_take(struct reader *r, token_set one, token_set after, bool may_end,
		 const struct follow *up, struct cel_token *ret_token);
/* None of the forms fits: the error names the text from here to the token that is ahead. */
void reader_refuse_forms(struct reader *r, size_t ahead);
/* "<what> input 'x' expecting {…}" */
void reader_report(struct reader *r, const char *what, token_set expected);
/* The end of a rule that had an error; state (0 to 63) tells the places in the grammar apart. */
void reader_recover(struct reader *r, unsigned state, const struct follow *up);
token_set reader_recovery_set(const struct follow *up);
void reader_skip_to(struct reader *r, token_set set);
/* Counts how deep the rule nests; false: too deep, and reading stops.  The rule counts down. */
bool reader_enter(struct reader *r, enum rule rule);

/* ---- rules (cel_read.c, cel_member.c) ---- */

[[nodiscard]] struct cel_expr *cel_read_expr(struct reader *r, const struct follow *up);
/* An operand of operators. */
[[nodiscard]] struct cel_expr *cel_read_member(struct reader *r, const struct follow *up);

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

/* ---- the checker (cel_check.c, cel_unify.c, cel_overload.c) ---- */

/* A change of what is known of a variable. */
struct binding {
	uint64_t variable;
	const struct cel_type *before;
};

struct scope {
	struct str name;
	const struct cel_type *type;
	const struct scope *up;
};

struct checker {
	struct cel *c;
	struct binding *bindings;
	size_t binding_count, binding_cap;
	const struct cel_type **known; /* by number of the variable; NULL: nothing */
	size_t variable_count, known_cap;
	const struct scope *scope;
};

const struct cel_type *checker_new_variable(struct checker *k);
void checker_undo(struct checker *k, size_t binding_count);
/* With what is known of its variables; is_final: the others become dyn. */
const struct cel_type *checker_substitute(struct checker *k, const struct cel_type *t,
					  bool is_final);
/* Counts down the parts of a type, with what is known of its variables; false: too many. */
bool checker_has_at_most(const struct checker *k, const struct cel_type *t, size_t *parts);
/* May a value of one type stand where the other is wanted?  Binds variables, also when not. */
bool checker_fits(struct checker *k, const struct cel_type *to, const struct cel_type *from);
/* The same; binds nothing when not. */
bool checker_is_assignable(struct checker *k, const struct cel_type *to,
			   const struct cel_type *from);
const struct cel_type *cel_more_general(const struct cel_type *a, const struct cel_type *b);

bool cel_has_function(struct str name);
/* Gives a call its overloads and type; its arguments and the target, if any, have theirs. */
void checker_resolve(struct checker *k, struct cel_expr *call, const struct cel_expr *target);

void cel_check(struct cel *c);
/* Literals of durations, times and regular expressions that cannot be read. */
void cel_check_literals(struct cel *c, struct cel_expr *e);

/* Calls visit for each direct part of e. */
void cel_each_part(const struct cel_expr *e, void (*visit)(struct cel_expr *part, void *data),
		   void *data);

/* ---- costs (cel_cost.c, cel_size.c, cel_estimate.c) ---- */

typedef struct cel_size range; /* of sizes or of costs */

struct cost_local {
	struct str name;
	const struct cel_type *bound;
	struct cel_size size, key_size, value_size;
	bool has_size, has_entries, entries_are_list;
	const struct cost_local *up;
};

struct coster {
	struct cel *c;
	const struct cost_local *locals;
};

struct entry_sizes {
	range key, value;
	bool are_list;
};

struct cost_estimate {
	range cost, size;
	bool has_size;
};

struct cost_call {
	struct coster *k;
	struct cel_expr *e;
	const char *id; /* of the overload */
	range args;	/* what they cost together */
	range *arg_costs;
};

/* Sums and products stop at the largest number. */
uint64_t cost_plus(uint64_t x, uint64_t y);
range range_fixed(uint64_t value);
range range_add(range a, range b);
range range_multiply(range a, range b);
range range_scale(range a, double factor);
range range_both(range a, range b); /* the smaller minimum, the larger maximum */
extern const range range_unknown;

const struct cost_local *coster_local(const struct coster *k, const struct cel_expr *e);
/* The declared type that e, its part (0: keys, 1: values or items) or its field is reached through.
 */
const struct cel_type *coster_bound(const struct coster *k, const struct cel_expr *e);
const struct cel_type *coster_part_bound(const struct coster *k, const struct cel_type *of,
					 size_t i);
const struct cel_type *coster_field_bound(const struct coster *k, const struct cel_type *of,
					  struct str field);
void cel_set_size(struct cel_expr *e, range size);
bool coster_find_size(struct coster *k, struct cel_expr *e, range *ret_size);
range coster_size(struct coster *k, struct cel_expr *e);		   /* unknown: any */
range coster_item_size(const struct coster *k, const struct cel_expr *of); /* of a declared list */
void cel_set_entries(struct cel_expr *e, struct entry_sizes entries);
bool coster_find_entries(const struct coster *k, const struct cel_expr *e, struct entry_sizes *ret);
bool coster_join_entries(const struct coster *k, const struct cel_expr *a, const struct cel_expr *b,
			 struct entry_sizes *ret);

/* What the overload costs, its arguments included. */
struct cost_estimate cost_estimate(const struct cost_call *call);

#endif
