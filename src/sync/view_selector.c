#include "sync/view_selector.h"

#include "base/mem.h"

static const struct {
	const char *name;
	enum selector_op op;
} operators[] = {
	{"In", SELECTOR_IN},
	{"NotIn", SELECTOR_NOT_IN},
	{"Exists", SELECTOR_EXISTS},
	{"DoesNotExist", SELECTOR_NOT_EXISTS},
};

static bool operator_parse(struct str name, enum selector_op *ret_op)
{
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (str_is(name, operators[i].name)) {
			*ret_op = operators[i].op;
			return true;
		}
	return false;
}

static int compare(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static const struct str *values_sorted(struct arena *a, const struct str *values, size_t *count)
{
	struct str *sorted = arena_copy(a, values, *count * sizeof(*values));
	if (*count > 1)
		qsort(sorted, *count, sizeof(*sorted), compare);
	size_t kept = 0;
	for (size_t i = 0; i < *count; i++)
		if (kept == 0 || !str_eq(sorted[kept - 1], sorted[i]))
			sorted[kept++] = sorted[i];
	*count = kept;
	return sorted;
}

struct selector selector_from_view(struct arena *a, const struct label_selector *view)
{
	if (!view)
		return (struct selector){.is_nothing = true};
	size_t count = view->match_labels.count + view->match_expressions.count;
	struct selector_requirement *rows = ARENA_ARRAY(a, struct selector_requirement, count);
	size_t n = 0;
	for (uint32_t i = 0; i < view->match_labels.count; i++) {
		const struct str_pair *pair = &view->match_labels.at[i];
		rows[n++] = (struct selector_requirement){pair->key, SELECTOR_IN, &pair->value, 1};
	}
	for (uint32_t i = 0; i < view->match_expressions.count; i++) {
		const struct label_selector_requirement *e = &view->match_expressions.at[i];
		struct selector_requirement *row = &rows[n++];
		*row = (struct selector_requirement){.key = e->key, .count = e->values.count};
		if (!operator_parse(e->operator, & row->op))
			return (struct selector){.is_nothing = true};
		row->values = values_sorted(a, e->values.at, &row->count);
	}
	return (struct selector){.requirements = rows, .count = n};
}

struct selector selector_with(struct arena *a, const struct selector *s, struct str key,
			      enum selector_op op, struct str value)
{
	struct selector_requirement *rows =
		ARENA_ARRAY(a, struct selector_requirement, s->count + 1);
	if (s->count)
		memcpy(rows, s->requirements, s->count * sizeof(*rows));
	struct str *values = arena_copy(a, &value, sizeof(value));
	rows[s->count] = (struct selector_requirement){key, op, values, 1};
	return (struct selector){
		.requirements = rows, .count = s->count + 1, .is_nothing = s->is_nothing};
}

bool selector_is_everything(const struct selector *s)
{
	return s->count == 0 && !s->is_nothing;
}
