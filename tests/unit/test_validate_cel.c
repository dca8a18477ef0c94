/* Expressions in schemas of CustomResourceDefinitions: types, bounds and costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/validate-cel.h"

/* Tables write ' where JSON has ". */
static struct json *parse(struct arena *a, const char *text)
{
	struct json *tree;
	char *copy = arena_cstr(a, str_of(text));
	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	if (json_parse(a, str_of(copy), &tree, NULL, NULL) != RC_OK)
		fail_msg("%s", text);
	return tree;
}

static void costs_are_upstreams(void **state)
{
	static const struct {
		const char *schema, *rule;
		uint64_t cost;
	} rows[] = {
		{"{'type':'array','items':{'type':'number'}}", "self.all(x, true)", 4718591},
		{"{'type':'array','items':{'type':'number'},'maxItems':10}", "self.all(x, true)",
		 32},
		{"{'type':'array','items':{'type':'string'}}", "self.all(x, true)", 3145727},
		{"{'type':'array','items':{'type':'string'},'maxItems':20}", "self.all(x, true)",
		 62},
		{"{'type':'array','items':{'type':'boolean'}}", "self.all(x, true)", 1887437},
		{"{'type':'array','items':{'type':'boolean'},'maxItems':5}", "self.all(x, true)",
		 17},
		{"{'type':'array','items':{'type':'array','items':{'type':'number'}}}",
		 "self.all(x, true)", 3145727},
		{"{'type':'array','items':{'type':'array','items':{'type':'number'}},'maxItems':100}",
		 "self.all(x, true)", 302},
		{"{'type':'array','items':{'type':'object','required':['required'],'properties':{'required':{'type':'string'},'optional':{'type':'string'}}}}",
		 "self.all(x, true)", 555128},
		{"{'type':'array','items':{'type':'object','required':['required'],'properties':{'required':{'type':'string'},'optional':{'type':'string'}}},'maxItems':50}",
		 "self.all(x, true)", 152},
		{"{'type':'object','additionalProperties':{'type':'number'}}", "self.all(x, true)",
		 1348169},
		{"{'type':'object','additionalProperties':{'type':'number'},'maxProperties':10}",
		 "self.all(x, true)", 32},
		{"{'type':'object','additionalProperties':{'type':'string'}}", "self.all(x, true)",
		 1179647},
		{"{'type':'object','additionalProperties':{'type':'string'},'maxProperties':3}",
		 "self.all(x, true)", 11},
		{"{'type':'object','additionalProperties':{'type':'boolean'}}", "self.all(x, true)",
		 943718},
		{"{'type':'object','additionalProperties':{'type':'boolean'},'maxProperties':100}",
		 "self.all(x, true)", 302},
		{"{'type':'string'}", "self.contains('test')", 314574},
		{"{'type':'string','maxLength':10}", "self.contains('test')", 5},
		{"{'type':'string'}", "self.startsWith('test')", 2},
		{"{'type':'string','maxLength':15}", "self.startsWith('test')", 2},
		{"{'type':'string'}", "size(self + \"hello\") > size(\"hello\")", 314578},
		{"{'type':'string','maxLength':4}", "size(self + \"hello\") > size(\"hello\")", 7},
		{"{'type':'array','items':{'type':'number'}}", "self[1] == 0.0", 2},
		{"{'type':'array','items':{'type':'number'},'maxItems':5000}", "self[1] == 0.0", 2},
		{"{'type':'array','items':{'type':'string'}}", "self[1] == self[1]", 314577},
		{"{'type':'array','items':{'type':'string'},'maxItems':8}", "self[1] == self[1]",
		 314577},
		{"{'type':'array','items':{'type':'number'},'maxItems':10}",
		 "self.all(x, self.all(y, true))", 352},
		{"{'type':'array','items':{'type':'number'},'maxItems':10}",
		 "self.all(x, self.all(y, self.all(z, true)))", 3552},
		{"{'type':'string'}", "self.matches(\"x\")", 314574},
		{"{'type':'string','maxLength':50}", "self.matches(\"x\")", 22},
		{"{'type':'string'}", "\"\".matches(\"(((((((((())))))))))[0-9]\")", 7},
		{"{'type':'string','maxLength':10}", "\"\".matches(\"(((((((((())))))))))[0-9]\")",
		 7},
		{"{'type':'string'}", "self.matches(\"\")", 1},
		{"{'type':'string','maxLength':100}", "self.matches(\"\")", 1},
		{"{'type':'object','additionalProperties':{'type':'string'}}",
		 "self.all(x, x.contains(self[x]))", 2752507},
		{"{'type':'object','additionalProperties':{'type':'string','maxLength':10},'maxProperties':10}",
		 "self.all(x, x.contains(self[x]))", 72},
		{"{'type':'object','additionalProperties':{'type':'number'}}", "self[\"x\"] == 0.0",
		 2},
		{"{'type':'object','additionalProperties':{'type':'number'},'maxProperties':0}",
		 "self[\"x\"] == 0.0", 2},
		{"{'type':'string'}", "self == \"x\"", 2},
		{"{'type':'string','maxLength':0}", "self == \"x\"", 1},
		{"{'type':'string','format':'byte'}", "self == b\"x\"", 2},
		{"{'type':'string','format':'byte','maxLength':0}", "self == b\"x\"", 1},
		{"{'type':'array','items':{'type':'number'}}", "self.all(x, x == 0.0)", 6291454},
		{"{'type':'array','items':{'type':'number'},'maxItems':6291456}",
		 "self.all(x, x == 0.0)", 25165826},
		{"{'type':'array','items':{'type':'object','additionalProperties':{'type':'object','required':['required'],'properties':{'required':{'type':'string'},'optional':{'type':'string'}}}}}",
		 "self.all(x, x[\"y\"].required == \"z\")", 7340027},
		{"{'type':'array','items':{'type':'object','additionalProperties':{'type':'object','required':['required'],'properties':{'required':{'type':'string'},'optional':{'type':'string'}}},'maxProperties':10},'maxItems':10}",
		 "self.all(x, x[\"y\"].required == \"z\")", 72},
		{"{'type':'array','items':{'type':'object','additionalProperties':{'type':'object','required':['required'],'properties':{'required':{'type':'string'},'optional':{'type':'string'}}}}}",
		 "self.all(x, x[\"y\"].required == \"z\")", 7340027},
		{"{'type':'array','items':{'type':'object','additionalProperties':{'type':'object','required':['required'],'properties':{'required':{'type':'string'},'optional':{'type':'string'}}},'maxProperties':10}}",
		 "self.all(x, x[\"y\"].required == \"z\")", 7340027},
		{"{'type':'array','items':{'x-kubernetes-int-or-string':true}}",
		 "self.all(x, true)", 4718591},
		{"{'type':'array','items':{'x-kubernetes-int-or-string':true},'maxItems':10}",
		 "self.all(x, true)", 32},
		{"{'type':'array','items':{'x-kubernetes-int-or-string':true}}", "self[0] == 5", 3},
		{"{'type':'array','items':{'x-kubernetes-int-or-string':true},'maxItems':10}",
		 "self[0] == 5", 3},
		{"{'type':'array','items':{'type':'boolean'}}", "self[0] == false", 2},
		{"{'type':'array','items':{'type':'boolean'},'maxItems':25}", "self[0] == false",
		 2},
		{"{'type':'array','items':{'type':'object','required':['required'],'properties':{'required':{'type':'string'},'optional':{'type':'string'}}}}",
		 "self[0] == null", 2},
		{"{'type':'array','items':{'type':'object','required':['required'],'properties':{'required':{'type':'string'},'optional':{'type':'string'}}},'maxItems':422}",
		 "self[0] == null", 2},
		{"{'type':'array','items':{'type':'array','items':{'type':'number'}}}",
		 "self[0][0] == -1.0", 3},
		{"{'type':'array','items':{'type':'array','items':{'type':'number'}},'maxItems':51}",
		 "self[0][0] == -1.0", 3},
		{"{'type':'array','items':{'type':'object','additionalProperties':{'type':'number'}}}",
		 "self.all(x, x.y == 25.2)", 6291452},
		{"{'type':'array','items':{'type':'object','additionalProperties':{'type':'number'}},'maxItems':12}",
		 "self.all(x, x.y == 25.2)", 74},
		{"{'type':'array','items':{'type':'object','additionalProperties':{'type':'number'}}}",
		 "self[0].x > 2.0", 4},
		{"{'type':'array','items':{'type':'object','additionalProperties':{'type':'number'}},'maxItems':3000}",
		 "self[0].x > 2.0", 4},
		{"{'type':'array','items':{'type':'string','format':'duration'}}",
		 "self.all(x, true)", 2359295},
		{"{'type':'array','items':{'type':'string','format':'duration'},'maxItems':5}",
		 "self.all(x, true)", 17},
		{"{'type':'array','items':{'type':'string','format':'duration'}}",
		 "self[0].getHours() == 2", 4},
		{"{'type':'array','items':{'type':'string','format':'duration'},'maxItems':525}",
		 "self[0].getHours() == 2", 4},
		{"{'type':'array','items':{'type':'string','format':'date'}}", "self.all(x, true)",
		 725936},
		{"{'type':'array','items':{'type':'string','format':'date'},'maxItems':15}",
		 "self.all(x, true)", 47},
		{"{'type':'array','items':{'type':'string','format':'date-time'}}",
		 "self.all(x, true)", 428963},
		{"{'type':'array','items':{'type':'string','format':'date-time'},'maxItems':25}",
		 "self.all(x, true)", 77},
		{"{'type':'array','items':{'type':'string','format':'date-time'}}",
		 "self[2].getMinutes() == 45", 4},
		{"{'type':'array','items':{'type':'string','format':'date-time'},'maxItems':99}",
		 "self[2].getMinutes() == 45", 4},
		{"{'type':'object','additionalProperties':{'x-kubernetes-int-or-string':true}}",
		 "self.all(x, true)", 1348169},
		{"{'type':'object','additionalProperties':{'x-kubernetes-int-or-string':true},'maxProperties':15}",
		 "self.all(x, true)", 47},
		{"{'type':'object','additionalProperties':{'type':'string','format':'duration'}}",
		 "self.all(x, true)", 1048577},
		{"{'type':'object','additionalProperties':{'type':'string','format':'duration'},'maxProperties':5}",
		 "self.all(x, true)", 17},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct check v = {.arena = &a};
		struct cel c;
		struct cel_variable self = {STR("self"),
					    schema_cel_type(&v, parse(&a, rows[i].schema), false)};
		struct cel_env env = {.variables = &self, .variable_count = 1};
		if (!cel_compile(&c, &a, &env, str_of(rows[i].rule)))
			fail_msg("%s: %s", rows[i].rule, cel_faults_text(&c).at);
		uint64_t cost = cel_cost_max(&c);
		if (cost != rows[i].cost)
			fail_msg("%s %s: %llu, want %llu", rows[i].schema, rows[i].rule,
				 (unsigned long long)cost, (unsigned long long)rows[i].cost);
	}
}

static void schemas_are_types(void **state)
{
	static const struct {
		const char *schema, *expression, *type;
	} rows[] = {
		{"{'type':'string'}", "self", "string"},
		{"{'type':'string','format':'date-time'}", "self", "google.protobuf.Timestamp"},
		{"{'type':'string','format':'duration'}", "self", "google.protobuf.Duration"},
		{"{'type':'string','format':'byte'}", "self", "bytes"},
		{"{'type':'number'}", "self", "double"},
		{"{'x-kubernetes-int-or-string':true}", "self", "dyn"},
		{"{'type':'object','properties':{'a-b':{'type':'integer'}}}", "self.a__dash__b",
		 "int"},
		{"{'type':'object','properties':{'a.b/c':{'type':'integer'}}}",
		 "self.a__dot__b__slash__c", "int"},
		{"{'type':'object','properties':{'namespace':{'type':'string'}}}",
		 "self.__namespace__", "string"},
		{"{'type':'object','properties':{'a':{'type':'array','items':{'type':'string'}}}}",
		 "self.a", "list(string)"},
		{"{'type':'object','additionalProperties':{'type':'boolean'}}", "self",
		 "map(string, bool)"},
		{"{'type':'object'}", "self.metadata.name + self.kind", "string"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct check v = {.arena = &a};
		struct cel c;
		struct cel_variable self = {STR("self"),
					    schema_cel_type(&v, parse(&a, rows[i].schema), true)};
		struct cel_env env = {.variables = &self, .variable_count = 1};
		if (!cel_compile(&c, &a, &env, str_of(rows[i].expression)))
			fail_msg("%s: %s", rows[i].expression, cel_faults_text(&c).at);
		struct str type = cel_type_text(&a, c.root->type);
		assert_string_equal(type.at, rows[i].type);
	}
}

/* Six rules of 100,000 bytes: the sixth is not compiled. */
static void expressions_have_a_total(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF schema = BUF_INIT(1 << 20);
	struct field_errors errors = {.arena = &a};
	struct check v = {.errors = &errors, .arena = &a};
	buf_add_cstr(&schema, "{'type':'object','x-kubernetes-validations':[");
	for (int i = 0; i < 8; i++)
		buf_printf(&schema, "%s{'rule':'true%99996s'}", i ? "," : "", "");
	buf_add_cstr(&schema, "]}");
	check_schema_rules(&v, NULL, parse(&a, schema.data));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.items[0].path.at, "x-kubernetes-validations[5].rule");
	assert_true(str_has_prefix(errors.items[0].detail, STR("all expressions of an object")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(costs_are_upstreams),
		cmocka_unit_test(schemas_are_types),
		cmocka_unit_test(expressions_have_a_total),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
