/* What the reader of CEL does at a syntax error.
 *
 * People read upstream's errors, so ours are found in the way of its generated parser:
 *
 * - At the start of a choice (reader_begin) and at a missing token (reader_take), a single token
 *   that is too much is reported as "extraneous" and dropped; a single one that is not there is
 *   "missing" and made up; anything else is "mismatched".
 * - A choice that needs more than one token and finds none of its forms reports "no viable
 *   alternative" with the text up to the token that did not fit.
 * - A rule with an error gives up and skips to a token that one of the rules above it can go on
 *   with.  Until a token has matched again, nothing more is reported.
 *
 * Source: the published description of ANTLR's default error strategy. */
#include "codec/cel-int.h"

enum cel_token_type reader_peek(const struct reader *r, size_t ahead)
{
	size_t i = r->next + ahead;
	return r->tokens[i < r->count ? i : r->count - 1].type;
}

bool reader_is_next(const struct reader *r, token_set set)
{
	return set >> reader_peek(r, 0) & 1;
}

struct cel_token reader_here(const struct reader *r)
{
	return r->tokens[r->next];
}

static struct cel_token reader_step(struct reader *r)
{
	struct cel_token token = reader_here(r);
	if (r->next + 1 < r->count)
		r->next++;
	return token;
}

struct str reader_text(const struct reader *r, struct cel_token token)
{
	return str_n(r->c->text.at + token.at, token.len);
}

/* ---- errors ---- */

static void add_token(struct buf *b, const struct reader *r, struct cel_token token)
{
	buf_add_char(b, '\'');
	if (token.type == CEL_TOKEN_EOF)
		buf_add_cstr(b, "<EOF>");
	else
		cel_add_shown(b, reader_text(r, token));
	buf_add_char(b, '\'');
}

static void add_set(struct buf *b, token_set set)
{
	static const char *const names[] = {
#define X(token, name) name,
		CEL_TOKEN_LIST(X)
#undef X
	};
	bool is_one = (set & (set - 1)) == 0, is_first = true;
	if (!is_one)
		buf_add_char(b, '{');
	for (size_t i = 0; i < CEL_TOKEN_COUNT; i++) {
		if (!(set >> i & 1))
			continue;
		buf_printf(b, "%s%s", is_first ? "" : ", ", names[i]);
		is_first = false;
	}
	if (!is_one)
		buf_add_char(b, '}');
}

/* Reports, unless an error before it has not been got over. */
static void report(struct reader *r, struct cel_token at, const struct buf *text)
{
	if (r->is_recovering || r->is_stopped)
		return;
	r->is_recovering = true;
	if (++r->reports > CEL_ERRORS_MAX) {
		cel_fault(r->c, at.at, "Syntax error: More than %d syntax errors", CEL_ERRORS_MAX);
		r->is_stopped = true;
		return;
	}
	cel_fault(r->c, at.at, "Syntax error: %s", text->data);
}

void reader_report(struct reader *r, const char *what, token_set expected)
{
	CLEANUP_BUF b = BUF_INIT(CEL_TEXT_MAX * 8);
	buf_printf(&b, "%s input ", what);
	add_token(&b, r, reader_here(r));
	buf_add_cstr(&b, " expecting ");
	add_set(&b, expected);
	report(r, reader_here(r), &b);
}

static void report_missing(struct reader *r, token_set expected)
{
	CLEANUP_BUF b = BUF_INIT(CEL_TEXT_MAX * 8);
	buf_add_cstr(&b, "missing ");
	add_set(&b, expected);
	buf_add_cstr(&b, " at ");
	add_token(&b, r, reader_here(r));
	report(r, reader_here(r), &b);
}

/* None of the forms fits: the tokens from here to the one that is `ahead` of it. */
void reader_refuse_forms(struct reader *r, size_t ahead)
{
	CLEANUP_BUF b = BUF_INIT(CEL_TEXT_MAX * 8);
	size_t i = r->next + ahead < r->count ? r->next + ahead : r->count - 1;
	struct cel_token first = reader_here(r), last = r->tokens[i];
	struct str word = reader_text(r, last);
	size_t end = last.type == CEL_TOKEN_EOF && i > r->next
			     ? r->tokens[i - 1].at + r->tokens[i - 1].len
			     : last.at + last.len;
	bool is_reserved = i == r->next + 1 && first.type == CEL_TOKEN_DOT &&
			   first.at + 1 == last.at &&
			   (T(TRUE) | T(FALSE) | T(NULL)) >> last.type & 1;
	if (is_reserved) {
		buf_printf(&b, "mismatched input '%.*s' expecting IDENTIFIER", STR_FMT(word));
	} else {
		buf_add_cstr(&b, "no viable alternative at input '");
		if (first.type == CEL_TOKEN_EOF)
			buf_add_cstr(&b, "<EOF>");
		else
			cel_add_shown(&b, str_n(r->c->text.at + first.at, end - first.at));
		buf_add_char(&b, '\'');
	}
	report(r, last, &b);
	r->has_error = true;
}

/* ---- going on ---- */

static token_set expected(token_set set, bool may_end, const struct follow *up)
{
	while (may_end && up) {
		set |= up->set;
		may_end = up->may_end;
		up = up->up;
	}
	return may_end ? set | T(EOF) : set;
}

void reader_skip_to(struct reader *r, token_set set)
{
	while (reader_peek(r, 0) != CEL_TOKEN_EOF && !reader_is_next(r, set))
		reader_step(r);
}

token_set reader_recovery_set(const struct follow *up)
{
	token_set set = 0;
	for (; up; up = up->up)
		set |= up->set;
	return set;
}

static void count_attempt(struct reader *r)
{
	if (r->attempts++ != CEL_RECOVER_MAX || r->is_stopped)
		return;
	cel_fault(r->c, reader_here(r).at,
		  "Syntax error: error recovery attempt limit exceeded: %d", CEL_RECOVER_MAX);
	r->is_stopped = true;
}

/* The end of a rule that had an error; state tells the places in the grammar apart. */
void reader_recover(struct reader *r, unsigned state, const struct follow *up)
{
	r->has_error = false;
	count_attempt(r);
	if (r->last_error == (ptrdiff_t)r->next && (r->last_states >> state & 1))
		reader_step(r);
	r->last_error = (ptrdiff_t)r->next;
	r->last_states |= (uint64_t)1 << state;
	reader_skip_to(r, reader_recovery_set(up));
}

static void note_match(struct reader *r)
{
	r->is_recovering = false;
	r->last_states = 0;
	r->last_error = -1;
}

struct cel_token reader_take_next(struct reader *r)
{
	note_match(r);
	return reader_step(r);
}

static bool drop_one(struct reader *r, token_set set)
{
	if (!(set >> reader_peek(r, 1) & 1) || r->next + 1 >= r->count)
		return false;
	reader_report(r, "extraneous", set);
	reader_step(r);
	note_match(r);
	return true;
}

/* At the start of a choice.  false: the rule has an error. */
bool reader_begin(struct reader *r, token_set set)
{
	if (r->is_recovering || reader_is_next(r, set) || drop_one(r, set))
		return true;
	reader_report(r, "mismatched", set);
	r->has_error = true;
	return false;
}

/* One token; after it may come `after`, or the end of the rule. */
bool reader_take(struct reader *r, token_set one, token_set after, bool may_end,
		 const struct follow *up, struct cel_token *ret_token)
{
	*ret_token = reader_here(r);
	if (reader_is_next(r, one)) {
		reader_take_next(r);
		return true;
	}
	count_attempt(r);
	if (drop_one(r, one)) {
		*ret_token = reader_step(r);
		return true;
	}
	if (one != T(EOF) && reader_is_next(r, expected(after, may_end, up))) {
		report_missing(r, one);
		ret_token->len = 0;
		return true;
	}
	reader_report(r, "mismatched", one);
	r->has_error = true;
	return false;
}

bool reader_enter(struct reader *r, enum rule rule)
{
	if (++r->depth[rule] <= CEL_DEPTH_MAX)
		return true;
	if (!r->is_stopped)
		cel_fault(r->c, -1, "expression recursion limit exceeded: %d", CEL_DEPTH_MAX);
	r->is_stopped = true;
	r->next = r->count - 1;
	return false;
}
