/* CEL: making nodes, and faults with the line they are in. */
#include "codec/cel-int.h"

struct cel_expr *cel_new(struct cel *c, enum cel_node node, uint32_t at)
{
	struct cel_expr *e = ARENA_NEW(c->arena, struct cel_expr);
	e->node = node;
	e->at = at;
	return e;
}

struct cel_expr *cel_new_call(struct cel *c, uint32_t at, struct str function, size_t count,
			      struct cel_expr *const *args)
{
	struct cel_expr *e = cel_new(c, CEL_NODE_CALL, at);
	e->name = function;
	e->count = count;
	e->args = count ? arena_copy(c->arena, args, count * sizeof(*args)) : NULL;
	return e;
}

void cel_fault(struct cel *c, int64_t at, const char *fmt, ...)
{
	va_list ap;
	if (++c->fault_total > CEL_ERRORS_MAX)
		return;
	va_start(ap, fmt);
	struct str text = arena_vprintf(c->arena, fmt, ap);
	va_end(ap);
	c->faults =
		arena_grow(c->arena, c->faults, c->fault_count, &c->fault_cap, sizeof(*c->faults));
	c->faults[c->fault_count++] = (struct cel_fault){at, text};
}

void cel_add_shown(struct buf *b, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (c == '\n' || c == '\r' || c == '\t')
			buf_printf(b, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
		else
			buf_add_char(b, c);
	}
}

void cel_each_part(const struct cel_expr *e, void (*visit)(struct cel_expr *part, void *data),
		   void *data)
{
	struct cel_expr *const single[] = {e->target,	 e->range, e->init,
					   e->condition, e->step,  e->result};
	for (size_t i = 0; i < ARRAY_LEN(single); i++)
		if (single[i])
			visit(single[i], data);
	for (size_t i = 0; i < e->count; i++) {
		if (e->args && e->args[i])
			visit(e->args[i], data);
		if (e->values && e->values[i])
			visit(e->values[i], data);
	}
}

/* ---- faults as text ---- */

static bool is_start(unsigned char byte)
{
	return (byte & 0xc0) != 0x80;
}

/* The line with the byte, without its end; its number; where the byte is in it. */
static struct str line_of(struct str text, size_t at, size_t *ret_number, size_t *ret_offset)
{
	size_t start = 0, number = 1;
	for (size_t i = 0; i < at && i < text.len; i++)
		if (text.at[i] == '\n') {
			start = i + 1;
			number++;
		}
	struct str line = str_skip(text, start);
	const char *end = line.len ? memchr(line.at, '\n', line.len) : NULL;
	if (end)
		line.len = (size_t)(end - line.at);
	*ret_number = number;
	*ret_offset = at - start;
	return line;
}

static void add_marker(struct buf *b, struct str line, size_t offset)
{
	size_t i = 0;
	buf_add_cstr(b, "\n | ");
	for (; i < offset && i < line.len; i++) {
		if (!is_start((unsigned char)line.at[i]))
			continue;
		buf_add_cstr(b, (unsigned char)line.at[i] < 0x80 ? "." : "\xef\xbc\x8e");
	}
	bool is_wide = i < line.len && (unsigned char)line.at[i] >= 0x80;
	buf_add_cstr(b, is_wide ? "\xef\xbc\xbe" : "^");
}

static void add_snippet(struct buf *b, struct str line)
{
	size_t shown = 0;
	buf_add_cstr(b, "\n | ");
	for (size_t i = 0; i < line.len; i++) {
		if (is_start((unsigned char)line.at[i]) && ++shown > CEL_SNIPPET_MAX)
			return;
		buf_add_char(b, line.at[i] == '\t' ? ' ' : line.at[i]);
	}
}

static void add_fault(struct buf *b, const struct cel *c, const struct cel_fault *fault)
{
	size_t number, offset;
	if (fault->at < 0) {
		buf_printf(b, "ERROR: <input>:-1:0: %.*s", STR_FMT(fault->text));
		return;
	}
	struct str line = line_of(c->text, (size_t)fault->at, &number, &offset);
	size_t column = str_code_points(str_n(line.at, offset < line.len ? offset : line.len));
	buf_printf(b, "ERROR: <input>:%zu:%zu: %.*s", number, c->text.len ? column + 1 : 0,
		   STR_FMT(fault->text));
	if (c->text.len == 0)
		return;
	add_snippet(b, line);
	add_marker(b, line, offset);
}

/* In the order of the text; stable. */
static void sort_faults(struct cel *c)
{
	for (size_t i = 1; i < c->fault_count; i++) {
		struct cel_fault fault = c->faults[i];
		size_t k = i;
		for (; k > 0 && c->faults[k - 1].at > fault.at; k--)
			c->faults[k] = c->faults[k - 1];
		c->faults[k] = fault;
	}
}

struct str cel_faults_text(struct cel *c)
{
	CLEANUP_BUF b = BUF_INIT((size_t)16 << 20);
	sort_faults(c);
	for (size_t i = 0; i < c->fault_count; i++) {
		if (i)
			buf_add_char(&b, '\n');
		add_fault(&b, c, &c->faults[i]);
	}
	if (c->fault_total > c->fault_count)
		buf_printf(&b, "\n%zu more errors were truncated", c->fault_total - c->fault_count);
	return arena_str(c->arena, buf_str(&b));
}

/* ---- in and out ---- */

struct visit {
	struct cel_expr *e;
	size_t level;
};

struct visits {
	struct arena *arena;
	struct visit *at;
	size_t count, cap, level;
};

static void add_visit(struct cel_expr *e, void *data)
{
	struct visits *s = data;
	s->at = arena_grow(s->arena, s->at, s->count, &s->cap, sizeof(*s->at));
	s->at[s->count++] = (struct visit){e, s->level};
}

/* What walks the tree after this may use the stack. */
static bool is_too_high(struct cel *c)
{
	struct visits s = {.arena = c->arena, .level = 1};
	add_visit(c->root, &s);
	while (s.count > 0) {
		struct visit next = s.at[--s.count];
		if (next.level > CEL_LEVELS_MAX)
			return true;
		s.level = next.level + 1;
		cel_each_part(next.e, add_visit, &s);
	}
	return false;
}

bool cel_parse(struct cel *c, struct arena *a, const struct cel_env *env, struct str text)
{
	*c = (struct cel){.arena = a, .env = env, .text = text.at ? text : STR("")};
	size_t size = str_code_points(c->text);
	if (size > CEL_TEXT_MAX) {
		cel_fault(c, -1, "expression code point size exceeds limit: size: %zu, limit %d",
			  size, CEL_TEXT_MAX);
		return false;
	}
	c->root = cel_read(c);
	if (c->fault_count == 0 && is_too_high(c))
		cel_fault(c, -1, "expression nests more than %d levels", CEL_LEVELS_MAX);
	return c->fault_count == 0;
}

bool cel_compile(struct cel *c, struct arena *a, const struct cel_env *env, struct str text)
{
	if (!cel_parse(c, a, env, text))
		return false;
	cel_check(c);
	if (c->fault_count == 0)
		cel_check_literals(c, c->root);
	return c->fault_count == 0;
}
