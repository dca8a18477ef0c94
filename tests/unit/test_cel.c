/* The Common Expression Language: syntax, types and estimates, against upstream's words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec/cel.h"

#define NEVER_NOT                                                                                  \
	"'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
#define EXPR "{'[', '{', '(', '.', '-', '!', " NEVER_NOT
#define NEVER_DECLARED                                                                             \
	"a12345678901234567890123456789012345678901234567890123456789012345678901234567890123456"
#define SYNTAX " Syntax error: "

static const struct cel_field spec_fields[] = {
	{STR_INIT("replicas"), &cel_int},
	{STR_INIT("name"), &cel_string},
};
static const struct cel_type spec = {.kind = CEL_STRUCT,
				     .name = STR_INIT("Spec"),
				     .fields = spec_fields,
				     .field_count = ARRAY_LEN(spec_fields)};
static const struct cel_type names = {.kind = CEL_LIST, .of = {&cel_string}};
static const struct cel_type labels = {.kind = CEL_MAP, .of = {&cel_string, &cel_string}};
static const struct cel_type authorizer = {.kind = CEL_STRUCT,
					   .name = STR_INIT("kubernetes.authorization.Authorizer")};
static const struct cel_variable variables[] = {
	{STR_INIT("self"), &spec},   {STR_INIT("object"), &cel_dyn},
	{STR_INIT("names"), &names}, {STR_INIT("labels"), &labels},
	{STR_INIT("n"), &cel_int},   {STR_INIT("s"), &cel_string},
	{STR_INIT("b"), &cel_bool},  {STR_INIT("authorizer"), &authorizer},
};
static const struct cel_env env = {
	.variables = variables, .variable_count = ARRAY_LEN(variables), .has_bind = true};

/* Only the first lines of the faults, without "ERROR: <input>:". */
static struct str heads(struct arena *a, struct str text)
{
	CLEANUP_BUF out = BUF_INIT(1 << 20);
	struct str line, start = STR("ERROR: <input>:");
	for (bool more = true; more;) {
		more = str_cut(text, '\n', &line, &text);
		if (!str_has_prefix(line, start))
			continue;
		if (out.len)
			buf_add_char(&out, '\n');
		buf_add_str(&out, str_skip(line, start.len));
	}
	return arena_str(a, buf_str(&out));
}

/* "" for an expression that is good. */
static void expect_faults(const char *text, const char *want)
{
	CLEANUP_ARENA a = {};
	struct cel c;
	struct str got = STR("");
	if (!cel_compile(&c, &a, &env, str_of(text)))
		got = heads(&a, cel_faults_text(&c));
	if (!str_is(got, want))
		fail_msg("%s\nwant: %s\ngot:  %.*s", text, want, STR_FMT(got));
}

static void syntax_errors_are_upstreams(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"", "1:0:" SYNTAX "mismatched input '<EOF>' expecting " EXPR},
		{"  ", "1:3:" SYNTAX "mismatched input '<EOF>' expecting " EXPR},
		{"(", "1:2:" SYNTAX "mismatched input '<EOF>' expecting " EXPR},
		{"(n", "1:3:" SYNTAX "missing ')' at '<EOF>'"},
		{"n)", "1:2:" SYNTAX "extraneous input ')' expecting <EOF>"},
		{"n n", "1:3:" SYNTAX "extraneous input 'n' expecting <EOF>"},
		{"n n n", "1:3:" SYNTAX "mismatched input 'n' expecting <EOF>"},
		{"self.(", "1:6:" SYNTAX "no viable alternative at input '.('"},
		{"self.", "1:6:" SYNTAX "no viable alternative at input '.'"},
		{"self . (", "1:8:" SYNTAX "no viable alternative at input '. ('"},
		{"self.true", "1:6:" SYNTAX "mismatched input 'true' expecting IDENTIFIER"},
		{"1 + $", "1:5:" SYNTAX "token recognition error at: '$'\n"
			  "1:6:" SYNTAX "mismatched input '<EOF>' expecting " EXPR},
		{"~ Bad ~", "1:1:" SYNTAX "token recognition error at: '~'\n"
			    "1:7:" SYNTAX "token recognition error at: '~'"},
		{"n = 1", "1:3:" SYNTAX "token recognition error at: '= '\n"
			  "1:5:" SYNTAX "extraneous input '1' expecting <EOF>"},
		{"b & b", "1:3:" SYNTAX "token recognition error at: '& '\n"
			  "1:5:" SYNTAX "extraneous input 'b' expecting <EOF>"},
		{"*@a | b", "1:1:" SYNTAX "extraneous input '*' expecting " EXPR "\n"
			    "1:2:" SYNTAX "token recognition error at: '@'\n"
			    "1:5:" SYNTAX "token recognition error at: '| '\n"
			    "1:7:" SYNTAX "extraneous input 'b' expecting <EOF>"},
		{"1 + +", "1:5:" SYNTAX "mismatched input '+' expecting " EXPR "\n"
			  "1:6:" SYNTAX "mismatched input '<EOF>' expecting " EXPR},
		{"\"\\xFh\"", "1:1:" SYNTAX "token recognition error at: '\"\\xFh'\n"
			      "1:6:" SYNTAX "token recognition error at: '\"'\n"
			      "1:7:" SYNTAX "mismatched input '<EOF>' expecting " EXPR},
		{"'abc", "1:1:" SYNTAX "token recognition error at: ''abc'\n"
			 "1:5:" SYNTAX "mismatched input '<EOF>' expecting " EXPR},
		{"in", "1:1:" SYNTAX "mismatched input 'in' expecting " EXPR "\n"
		       "1:3:" SYNTAX "mismatched input '<EOF>' expecting " EXPR},
		{"--", "1:3:" SYNTAX "no viable alternative at input '-'\n"
		       "1:3:" SYNTAX "mismatched input '<EOF>' expecting " EXPR},
		{"?", "1:1:" SYNTAX "mismatched input '?' expecting " EXPR "\n"
		      "1:2:" SYNTAX "mismatched input '<EOF>' expecting " EXPR},
		{"a ? b ((?))", "1:9:" SYNTAX "mismatched input '?' expecting " EXPR "\n"
				"1:10:" SYNTAX "mismatched input ')' expecting " EXPR "\n"
				"1:12:" SYNTAX "mismatched input '<EOF>' expecting ':'"},
		{"func{{a}}", "1:6:" SYNTAX "extraneous input '{' expecting "
			      "{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}\n"
			      "1:8:" SYNTAX "mismatched input '}' expecting ':'\n"
			      "1:9:" SYNTAX "extraneous input '}' expecting <EOF>"},
		{"msg{:a}", "1:5:" SYNTAX "extraneous input ':' expecting "
			    "{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}\n"
			    "1:7:" SYNTAX "mismatched input '}' expecting ':'"},
		{"{:a}", "1:2:" SYNTAX "extraneous input ':' expecting {'[', '{', '}', '(', '.', "
			 "',', '-', '!', '?', " NEVER_NOT "\n"
			 "1:4:" SYNTAX "mismatched input '}' expecting ':'"},
		{"ind[a{b}]", "1:8:" SYNTAX "mismatched input '}' expecting ':'"},
		{"x{.", "1:3:" SYNTAX "mismatched input '.' expecting "
			"{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}"},
		{"x{?.", "1:4:" SYNTAX "mismatched input '.' expecting {IDENTIFIER, "
			 "ESC_IDENTIFIER}"},
		{"[1, 2", "1:6:" SYNTAX "mismatched input '<EOF>' expecting {']', ','}"},
		{"[1 2]", "1:4:" SYNTAX "extraneous input '2' expecting {']', ','}"},
		{"size(", "1:6:" SYNTAX "mismatched input '<EOF>' expecting {'[', '{', '(', ')', "
			  "'.', '-', '!', " NEVER_NOT},
		{"size(n", "1:7:" SYNTAX "missing ')' at '<EOF>'"},
		{"n == ", "1:6:" SYNTAX "mismatched input '<EOF>' expecting " EXPR},
		{"n == 1 &&", "1:10:" SYNTAX "mismatched input '<EOF>' expecting " EXPR},
		{"b ? 1", "1:6:" SYNTAX "mismatched input '<EOF>' expecting ':'"},
		{"b ?\n 1", "2:3:" SYNTAX "mismatched input '<EOF>' expecting ':'"},
		{"while", "1:1: reserved identifier: while"},
		{"if(n)", "1:1: reserved identifier: if"},
		{"has(n)", "1:5: invalid argument to has() macro"},
		{"[1].all(2, 3)", "1:9: argument must be a simple name"},
		{"[1].exists(a.b, true)", "1:13: argument must be a simple name"},
		{"[1].map(2, 3)", "1:9: argument is not an identifier"},
		{"99999999999999999999", "1:1: invalid int literal"},
		{"99999999999999999999u", "1:1: invalid uint literal"},
		{"'\\udead' == s", "1:1: invalid unicode code point"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_faults(rows[i].text, rows[i].want);
}

static void snippets_show_the_place(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"self.foo == 1", "ERROR: <input>:1:5: undefined field 'foo'\n"
				  " | self.foo == 1\n | ....^"},
		{"'\xc3\xa4\xc3\xb6' + foo",
		 "ERROR: <input>:1:8: undeclared reference to 'foo' (in container '')\n"
		 " | '\xc3\xa4\xc3\xb6' + foo\n"
		 " | .\xef\xbc\x8e\xef\xbc\x8e....^"},
		{"n ==\n\tfoo", "ERROR: <input>:2:2: undeclared reference to 'foo' (in container "
				"'')\n |  foo\n | .^"},
		{"", "ERROR: <input>:1:0: Syntax error: mismatched input '<EOF>' expecting " EXPR},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct cel c;
		assert_false(cel_compile(&c, &a, &env, str_of(rows[i].text)));
		assert_string_equal(cel_faults_text(&c).at, rows[i].want);
	}
}

static void type_errors_are_upstreams(void **state)
{
#define UNDECLARED(name)     " undeclared reference to '" name "' (in container '')"
#define NO_OVERLOAD(f, args) " found no matching overload for '" f "' applied to '" args "'"
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"foo == 1", "1:1:" UNDECLARED("foo")},
		{"foo.bar", "1:1:" UNDECLARED("foo")},
		{"foo(1)", "1:4:" UNDECLARED("foo")},
		{"s.foo(1)", "1:6:" UNDECLARED("foo")},
		{"'a' / 2 == 1", "1:5:" NO_OVERLOAD("_/_", "(string, int)")},
		{"n + 'a'", "1:3:" NO_OVERLOAD("_+_", "(int, string)")},
		{"n == 'a'", "1:3:" NO_OVERLOAD("_==_", "(int, string)")},
		{"n && b", "1:3:" NO_OVERLOAD("_&&_", "(int, bool)")},
		{"!n", "1:1:" NO_OVERLOAD("!_", "(int)")},
		{"-s", "1:1:" NO_OVERLOAD("-_", "(string)")},
		{"size(n)", "1:5:" NO_OVERLOAD("size", "(int)")},
		{"n.size()", "1:7:" NO_OVERLOAD("size", "int.()")},
		{"s.matches(1)", "1:10:" NO_OVERLOAD("matches", "string.(int)")},
		{"s.startsWith()", "1:13:" NO_OVERLOAD("startsWith", "string.()")},
		{"names[s]", "1:6:" NO_OVERLOAD("_[_]", "(list(string), string)")},
		{"labels[1]", "1:7:" NO_OVERLOAD("_[_]", "(map(string, string), int)")},
		{"n in names", "1:3:" NO_OVERLOAD("@in", "(int, list(string))")},
		{"n ? 1 : 2", "1:3:" NO_OVERLOAD("_?_:_", "(int, int, int)")},
		{"b ? 1 : s", "1:3:" NO_OVERLOAD("_?_:_", "(bool, int, string)")},
		{"s == null", "1:3:" NO_OVERLOAD("_==_", "(string, null)")},
		{"self.foo", "1:5: undefined field 'foo'"},
		{"has(self.foo)", "1:4: undefined field 'foo'"},
		{"n.foo", "1:2: type 'int' does not support field selection"},
		{"names.foo", "1:6: type 'list(string)' does not support field selection"},
		{"n.all(x, true)", "1:1: expression of type 'int' cannot be range of a "
				   "comprehension (must be list, map, or dynamic)"},
		{"names.all(x, x)", "1:10:" NO_OVERLOAD("_&&_", "(bool, string)")},
		{"names.exists(x, x == 1)", "1:19:" NO_OVERLOAD("_==_", "(string, int)")},
		{"names.filter(x, 1)", "1:13:" NO_OVERLOAD("_?_:_", "(int, list(string), "
								    "list(string))")},
		{"[1, 'a']", "1:5: expected type 'int' but found 'string'"},
		{"{'a': 1, 'b': s}", "1:15: expected type 'int' but found 'string'"},
		{"foo == bar", "1:1:" UNDECLARED("foo") "\n1:8:" UNDECLARED("bar")},
		{"Foo{a: 1}", "1:4:" UNDECLARED("Foo")},
		{"duration('1 hour')", "1:10: invalid duration argument"},
		{"duration('-')", "1:10: invalid duration argument"},
		{"duration('3000000h')", "1:10: invalid duration argument"},
		{"timestamp('yesterday')", "1:11: invalid timestamp argument"},
		{"s.matches('a(')", "1:11: invalid matches argument"},
		{"s.matches('[a')", "1:11: invalid matches argument"},
		{"s.matches('a)')", "1:11: invalid matches argument"},
		{"s.matches('a\\\\')", "1:11: invalid matches argument"},
		{"s.matches('*a')", "1:11: invalid matches argument"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_faults(rows[i].text, rows[i].want);
}

static void types_are_found(void **state)
{
	static const struct {
		const char *text, *type;
	} rows[] = {
		{"1", "int"},
		{"-1", "int"},
		{"0x1F", "int"},
		{"1u", "uint"},
		{"1.5", "double"},
		{".5e3", "double"},
		{"'a'", "string"},
		{"r'\\d'", "string"},
		{"'''a'b'''", "string"},
		{"b'a'", "bytes"},
		{"true", "bool"},
		{"null", "null_type"},
		{"[]", "list(dyn)"},
		{"[1, 2]", "list(int)"},
		{"[1, 2,]", "list(int)"},
		{"[[1]]", "list(list(int))"},
		{"{}", "map(dyn, dyn)"},
		{"{'a': 1}", "map(string, int)"},
		{"{'a': 1,}", "map(string, int)"},
		{"object", "dyn"},
		{"object.a.b[0]", "dyn"},
		{"object.a == 1", "bool"},
		{"object.a + 1", "int"},
		{"self.replicas", "int"},
		{"self.replicas > 1 && self.name != ''", "bool"},
		{"has(self.name)", "bool"},
		{"has(object.a.b)", "bool"},
		{"labels.a", "string"},
		{"labels['a']", "string"},
		{"labels[?'a']", "optional_type(string)"},
		{"labels.?a", "optional_type(string)"},
		{"labels.?a.orValue('')", "string"},
		{"labels[?'a'].hasValue()", "bool"},
		{"object.?a.?b.orValue(1)", "dyn"},
		{"optional.of(1)", "optional_type(int)"},
		{"optional.none()", "optional_type(dyn)"},
		{"labels[?'a'].optMap(v, size(v))", "optional_type(int)"},
		{"labels[?'a'].optFlatMap(v, optional.of(1))", "optional_type(int)"},
		{"[?labels[?'a']]", "list(string)"},
		{"names[0]", "string"},
		{"size(names) + names.size()", "int"},
		{"names.all(x, x == 'a')", "bool"},
		{"names.exists(x, x.size() > 1)", "bool"},
		{"names.exists_one(x, x == 'a')", "bool"},
		{"names.map(x, size(x))", "list(int)"},
		{"names.map(x, x != '', size(x))", "list(int)"},
		{"names.filter(x, x != '')", "list(string)"},
		{"names.all(i, x, i >= 0 && x != '')", "bool"},
		{"names.transformList(i, x, i)", "list(int)"},
		{"labels.all(k, k != '')", "bool"},
		{"labels.all(k, v, k != v)", "bool"},
		{"labels.transformMap(k, v, size(v))", "map(string, int)"},
		{"cel.bind(x, n + 1, x * x)", "int"},
		{"'a' in labels", "bool"},
		{"n in [1, 2]", "bool"},
		{"n == 1 ? 'a' : 'b'", "string"},
		{"type(n)", "type(int)"},
		{"type(n) == int", "bool"},
		{"type(object) == string", "bool"},
		{"string(n) + s", "string"},
		{"int('1') < 2.0", "bool"},
		{"1 < 2u", "bool"},
		{"dyn(1) == 'a'", "bool"},
		{"duration('1h30m') > duration('1s')", "bool"},
		{"duration('-1.5\xce\xbcs') > duration('2000000h')", "bool"},
		{"'\\u00e4\\U0001F600' + '\\'' + r' \\' + \"\"\"a\n\"\"\"", "string"},
		{"timestamp('2020-01-02T03:04:05Z').getFullYear()", "int"},
		{"timestamp('2020-01-02T03:04:05Z') - duration('1h')", "google.protobuf.Timestamp"},
		{"s.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')", "bool"},
		{"s.matches('[[:alpha:]\\\\]]+?(?:a|b)*[^]a]$')", "bool"},
		{"s.split(',').join(';')", "string"},
		{"s.lowerAscii().replace('a', 'b').trim()", "string"},
		{"'%d'.format([1])", "string"},
		{"s.find('[0-9]+')", "string"},
		{"s.findAll('[0-9]+', 2)", "list(string)"},
		{"[1, 2].sum() + [3].max()", "int"},
		{"names.isSorted()", "bool"},
		{"names.indexOf('a')", "int"},
		{"sets.contains([1], [1])", "bool"},
		{"url(s).getHost()", "string"},
		{"isURL(s)", "bool"},
		{"quantity('1Gi').isLessThan(quantity('2Gi'))", "bool"},
		{"quantity('1').add(1)", "kubernetes.Quantity"},
		{"ip('::1').family() == 6", "bool"},
		{"ip.isCanonical('::1')", "bool"},
		{"cidr('10.0.0.0/8').containsIP('10.0.0.1')", "bool"},
		{"string(cidr('10.0.0.0/8').masked())", "string"},
		{"format.dns1123Label().validate(s)", "optional_type(list(string))"},
		{"semver('1.2.3').major()", "int"},
		{"authorizer.group('').resource('pods').check('get').allowed()", "bool"},
		{"authorizer.path('/healthz').check('get').reason()", "string"},
		{"labels.`a.b/c`", "string"},
		{"// nothing\n1", "int"},
		{"b || b || b || b", "bool"},
		{".n", "int"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct cel c;
		if (!cel_compile(&c, &a, &env, str_of(rows[i].text)))
			fail_msg("%s: %s", rows[i].text, cel_faults_text(&c).at);
		struct str type = cel_type_text(&a, c.root->type);
		if (!str_is(type, rows[i].type))
			fail_msg("%s: %s, want %s", rows[i].text, type.at, rows[i].type);
	}
}

/* A list of at most 10 strings of at most 20 code points. */
static const struct cel_type text_20 = {.kind = CEL_STRING, .max_elements = 20, .has_max = true};
static const struct cel_type list_10 = {
	.kind = CEL_LIST, .of = {&text_20}, .max_elements = 10, .has_max = true};

static void estimates_are_upstreams(void **state)
{
	static const struct {
		const char *text;
		const struct cel_type *type;
		uint64_t cost;
	} rows[] = {
		{"true", &cel_int, 0},
		{"self", &cel_bool, 1},
		{"self + 1", &cel_int, 2},
		{"self == 'abc'", &text_20, 2},
		{"self == 'abcdefghijkl'", &text_20, 3},
		{"self + self", &text_20, 6},
		{"self.contains('abcdefghijk')", &text_20, 5},
		{"self.matches('[a-z]+')", &text_20, 7},
		{"self.startsWith('abcdefghijk')", &text_20, 3},
		{"size(self) == 0", &list_10, 3},
		{"'a' in self", &list_10, 11},
		{"self.all(x, true)", &list_10, 32},
		{"self.all(x, x == 'a')", &list_10, 52},
		{"[1, 2, 3]", &cel_int, 10},
		{"{'a': 1}", &cel_int, 30},
		{"self.lowerAscii().size()", &text_20, 4},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct cel c;
		struct cel_variable self = {STR("self"), rows[i].type};
		struct cel_env one = {.variables = &self, .variable_count = 1};
		assert_true(cel_compile(&c, &a, &one, str_of(rows[i].text)));
		if (cel_cost_max(&c) != rows[i].cost)
			fail_msg("%s: %llu, want %llu", rows[i].text,
				 (unsigned long long)cel_cost_max(&c),
				 (unsigned long long)rows[i].cost);
	}
}

static void fill(struct buf *b, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buf_add_cstr(b, text);
}

static void limits_are_kept(void **state)
{
	static const struct {
		const char *open, *middle, *close;
		size_t times;
		const char *want;
	} rows[] = {
		{"(", "1", ")", 200, ""},
		{"(", "1", ")", 300, "-1:0: expression recursion limit exceeded: 250"},
		{"1+", "1", "", 900, ""},
		{"1+", "1", "", 2000, "-1:0: expression nests more than 1000 levels"},
		{"true&&", "true", "", 5000, ""},
		{"!", "true", "", 5000, ""},
		{"          ", "1", "", 20000,
		 "-1:0: expression code point size exceeds limit: size: 200001, limit 100000"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF text = BUF_INIT(1 << 20);
		fill(&text, rows[i].open, rows[i].times);
		fill(&text, rows[i].middle, 1);
		fill(&text, rows[i].close, rows[i].times);
		expect_faults(text.data, rows[i].want);
	}
}

/* Each of these once took more time and memory than there is. */
static void growth_is_bounded(void **state)
{
	static const struct {
		const char *start, *step;
		size_t times;
		const char *want;
	} rows[] = {
		{"object", "." NEVER_DECLARED, 900, ""},
		{"[1]", ".map(a, {a: a})", 8, ""},
		{"[1]", ".map(a, {a: a})", 15, "1:132: type has more than 1000 parts"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF text = BUF_INIT(1 << 20);
		buf_add_cstr(&text, rows[i].start);
		fill(&text, rows[i].step, rows[i].times);
		expect_faults(text.data, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syntax_errors_are_upstreams),
		cmocka_unit_test(snippets_show_the_place),
		cmocka_unit_test(type_errors_are_upstreams),
		cmocka_unit_test(types_are_found),
		cmocka_unit_test(estimates_are_upstreams),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(growth_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
