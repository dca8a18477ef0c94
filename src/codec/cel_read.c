/* Tokens of CEL to a tree: operators; operands are in cel_member.c.  Each function is a rule of the
 * reference grammar; how it goes on after an error is in cel_recover.c.
 * Source: https://github.com/google/cel-go/blob/master/parser/gen/CEL.g4 */
#include "codec/cel-int.h"

#define CALC_SIGNS (T(STAR) | T(SLASH) | T(PERCENT) | T(PLUS) | T(MINUS))
#define RELATION_SIGNS                                                                             \
	(T(LESS) | T(LESS_EQUALS) | T(GREATER_EQUALS) | T(GREATER) | T(EQUALS) | T(NOT_EQUALS) |   \
	 T(IN))

static struct cel_expr *new_operation(struct reader *r, struct cel_token sign, const char *function,
				      struct cel_expr *left, struct cel_expr *right)
{
	if (!left || !right)
		return NULL;
	return cel_new_call(r->c, sign.at, str_of(function), 2, (struct cel_expr *[]){left, right});
}

static const char *function_of(enum cel_token_type sign)
{
	static const char *const names[CEL_TOKEN_COUNT] = {
		[CEL_TOKEN_EQUALS] = "_==_",	  [CEL_TOKEN_NOT_EQUALS] = "_!=_",
		[CEL_TOKEN_IN] = "@in",		  [CEL_TOKEN_LESS] = "_<_",
		[CEL_TOKEN_LESS_EQUALS] = "_<=_", [CEL_TOKEN_GREATER_EQUALS] = "_>=_",
		[CEL_TOKEN_GREATER] = "_>_",	  [CEL_TOKEN_AND] = "_&&_",
		[CEL_TOKEN_OR] = "_||_",	  [CEL_TOKEN_MINUS] = "_-_",
		[CEL_TOKEN_PLUS] = "_+_",	  [CEL_TOKEN_STAR] = "_*_",
		[CEL_TOKEN_SLASH] = "_/_",	  [CEL_TOKEN_PERCENT] = "_%_"};
	return names[sign];
}

/* One or more of the same sign; the reader stands at the first.  false: an error */
static bool read_signs(struct reader *r, token_set sign, size_t *ret_count, const struct follow *up)
{
	*ret_count = 0;
	do {
		reader_take_next(r);
		++*ret_count;
		if (!r->is_recovering && !reader_is_next(r, FIRST_ATOM | sign)) {
			reader_report(r, "extraneous", FIRST_ATOM | sign);
			reader_skip_to(r, FIRST_ATOM | sign | reader_recovery_set(up));
		}
		if (sign == T(MINUS) && reader_is_next(r, sign) &&
		    !((FIRST_ATOM | sign) >> reader_peek(r, 1) & 1)) {
			reader_refuse_forms(r, 1);
			return false;
		}
	} while (reader_is_next(r, sign));
	return true;
}

static struct cel_expr *read_negation(struct reader *r, token_set sign, const struct follow *up)
{
	size_t signs;
	uint32_t at = reader_here(r).at;
	if (!read_signs(r, sign, &signs, up))
		return NULL;
	struct cel_expr *e = cel_read_member(r, FOLLOW(0, true));
	if (!e || signs % 2 == 0)
		return e;
	return cel_new_call(r->c, at, sign == T(MINUS) ? STR("-_") : STR("!_"), 1, &e);
}

static struct cel_expr *read_unary_form(struct reader *r, const struct follow *up)
{
	if (!reader_begin(r, FIRST_EXPR))
		return NULL;
	if (reader_is_next(r, T(EXCLAM)))
		return read_negation(r, T(EXCLAM), up);
	if (!reader_is_next(r, T(MINUS)) || (T(INT) | T(FLOAT)) >> reader_peek(r, 1) & 1) {
		if (reader_is_next(r, FIRST_EXPR))
			return cel_read_member(r, FOLLOW(0, true));
		reader_refuse_forms(r, 0);
		return NULL;
	}
	if (FIRST_ATOM >> reader_peek(r, 1) & 1)
		return read_negation(r, T(MINUS), up);
	reader_refuse_forms(r, 1);
	return NULL;
}

static struct cel_expr *read_unary(struct reader *r, const struct follow *up)
{
	struct cel_expr *e = read_unary_form(r, up);
	if (!r->has_error)
		return e;
	reader_recover(r, 9, up);
	return NULL;
}

/* level 2: a factor; 1: a sum */
static struct cel_expr *read_calc(struct reader *r, int level, const struct follow *up)
{
	struct cel_expr *e = NULL;
	if (reader_enter(r, RULE_CALC))
		e = read_unary(r, FOLLOW(CALC_SIGNS, true));
	while (!r->is_stopped && reader_is_next(r, CALC_SIGNS)) {
		bool is_sum = reader_is_next(r, T(PLUS) | T(MINUS));
		if (level > (is_sum ? 1 : 2))
			break;
		struct cel_token sign = reader_take_next(r);
		struct cel_expr *right = read_calc(r, is_sum ? 2 : 3, FOLLOW(CALC_SIGNS, true));
		e = new_operation(r, sign, function_of(sign.type), e, right);
	}
	r->depth[RULE_CALC]--;
	return e;
}

static struct cel_expr *read_relation(struct reader *r, bool is_right, const struct follow *up)
{
	struct cel_expr *e = NULL;
	if (reader_enter(r, RULE_RELATION))
		e = read_calc(r, 1, FOLLOW(RELATION_SIGNS, true));
	while (!r->is_stopped && !is_right && reader_is_next(r, RELATION_SIGNS)) {
		struct cel_token sign = reader_take_next(r);
		struct cel_expr *right = read_relation(r, true, FOLLOW(RELATION_SIGNS, true));
		e = new_operation(r, sign, function_of(sign.type), e, right);
	}
	r->depth[RULE_RELATION]--;
	return e;
}

struct terms {
	struct cel_expr **at;
	struct cel_token *signs; /* before the term of the same index; the first has none */
	size_t count, cap, sign_cap;
	bool is_broken;
};

static void add_term(struct reader *r, struct terms *s, struct cel_token sign, struct cel_expr *e)
{
	s->at = arena_grow(r->c->arena, s->at, s->count, &s->cap, sizeof(*s->at));
	s->signs = arena_grow(r->c->arena, s->signs, s->count, &s->sign_cap, sizeof(*s->signs));
	s->at[s->count] = e;
	s->signs[s->count++] = sign;
	s->is_broken |= !e;
}

/* Long chains become a balanced tree, as upstream's do; low and high count the signs. */
static struct cel_expr *balance(struct reader *r, const struct terms *s, size_t low, size_t high)
{
	size_t middle = (low + high + 1) / 2;
	struct cel_token sign = s->signs[middle + 1];
	struct cel_expr *left = middle == low ? s->at[low] : balance(r, s, low, middle - 1);
	struct cel_expr *right = middle == high ? s->at[middle + 1]
						: balance(r, s, middle + 1, high);
	return new_operation(r, sign, function_of(sign.type), left, right);
}

static struct cel_expr *chain_of(struct reader *r, const struct terms *s)
{
	if (s->is_broken)
		return NULL;
	return s->count == 1 ? s->at[0] : balance(r, s, 0, s->count - 2);
}

static struct cel_expr *read_and(struct reader *r, const struct follow *up)
{
	struct terms s = {};
	struct cel_token sign = {};
	do {
		if (s.count)
			sign = reader_take_next(r);
		add_term(r, &s, sign, read_relation(r, false, FOLLOW(T(AND), true)));
	} while (!r->is_stopped && reader_is_next(r, T(AND)));
	return chain_of(r, &s);
}

static struct cel_expr *read_or(struct reader *r, const struct follow *up)
{
	struct terms s = {};
	struct cel_token sign = {};
	do {
		if (s.count)
			sign = reader_take_next(r);
		add_term(r, &s, sign, read_and(r, FOLLOW(T(OR), true)));
	} while (!r->is_stopped && reader_is_next(r, T(OR)));
	return chain_of(r, &s);
}

static struct cel_expr *read_choice(struct reader *r, struct cel_expr *condition,
				    const struct follow *up)
{
	struct cel_token colon, question = reader_take_next(r);
	struct cel_expr *yes = read_or(r, FOLLOW(T(COLON), false));
	if (!reader_take(r, T(COLON), FIRST_EXPR, false, up, &colon)) {
		reader_recover(r, 10, up);
		return NULL;
	}
	struct cel_expr *no = cel_read_expr(r, FOLLOW(0, true));
	if (!condition || !yes || !no)
		return NULL;
	return cel_new_call(r->c, question.at, STR("_?_:_"), 3,
			    (struct cel_expr *[]){condition, yes, no});
}

struct cel_expr *cel_read_expr(struct reader *r, const struct follow *up)
{
	struct cel_expr *e = NULL;
	if (reader_enter(r, RULE_EXPR) && !r->is_stopped)
		e = read_or(r, FOLLOW(T(QUESTION), true));
	if (!r->is_stopped && reader_is_next(r, T(QUESTION)))
		e = read_choice(r, e, up);
	r->depth[RULE_EXPR]--;
	return e;
}

struct cel_expr *cel_read(struct cel *c)
{
	struct reader r = {.c = c, .last_error = -1};
	struct cel_token end;
	r.tokens = cel_lex(c, &r.count);
	struct cel_expr *e =
		cel_read_expr(&r, &(struct follow){.set = T(EOF), .may_end = false, .up = NULL});
	if (!r.is_stopped && !reader_take(&r, T(EOF), 0, false, NULL, &end))
		reader_recover(&r, 11, NULL);
	return e;
}
