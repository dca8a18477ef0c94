/* Options that several commands share: parsed, given on to another process, and judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/api_options.h"

struct values {
	const char *own;
	struct api_options api;
};

static const struct option own_options[] = {
	{"own", 0, OPTION_TEXT, offsetof(struct values, own), "TEXT", ""},
};
static const struct values defaults = {.api = API_OPTIONS_DEFAULTS};
static const struct command command = {
	.name = "test",
	.options = own_options,
	.option_count = ARRAY_LEN(own_options),
	.shared = &api_option_set,
	.shared_offset = offsetof(struct values, api),
	.values_size = sizeof(struct values),
	.defaults = &defaults,
};

static enum rc parse(struct command_line *line, struct values *values, struct text_list *args)
{
	*values = defaults;
	line->command = &command;
	line->values = values;
	return command_parse(line, (int)args->count, (char **)args->at, NULL);
}

static void set_as_given(void **state)
{
	const char *words[] = {"--own=a",
			       "--oidc-issuer-url",
			       "https://b",
			       "--anonymous-auth=false",
			       "--oidc-required-claim=c=d",
			       "--oidc-required-claim=e=f",
			       "--audit-log-maxage=7"};
	struct text_list args = {words, ARRAY_LEN(words), ARRAY_LEN(words)};
	struct command_line line = {};
	struct values v;
	assert_int_equal(parse(&line, &v, &args), RC_OK);
	assert_string_equal(v.own, "a");
	assert_string_equal(v.api.oidc.issuer_url, "https://b");
	assert_false(v.api.allows_anonymous);
	assert_int_equal(v.api.required_claims.count, 2);
	assert_string_equal(v.api.required_claims.at[1], "e=f");
	assert_int_equal(v.api.audit_max_days, 7);
	arena_done(&line.arena);
}

/* What is given on and parsed again is the same. */
static void given_on(void **state)
{
	const char *words[] = {"--oidc-client-id=x", "--api-audiences=a", "--api-audiences=b",
			       "--sandbox=false", "--audit-log-path=-"};
	struct text_list args = {words, ARRAY_LEN(words), ARRAY_LEN(words)}, on = {}, again = {};
	struct command_line line = {}, next = {};
	struct values v, w;
	assert_int_equal(parse(&line, &v, &args), RC_OK);
	option_set_args(&line.arena, &api_option_set, &v.api, &on);
	assert_int_equal(parse(&next, &w, &on), RC_OK);
	option_set_args(&line.arena, &api_option_set, &w.api, &again);
	assert_int_equal(on.count, again.count);
	for (size_t i = 0; i < on.count; i++)
		assert_string_equal(on.at[i], again.at[i]);
	assert_false(w.api.has_sandbox);
	assert_int_equal(w.api.audiences.count, 2);
	arena_done(&line.arena);
	arena_done(&next.arena);
}

static void judged(void **state)
{
	static const struct {
		const char *words[3];
		const char *wrong; /* NULL: fine */
	} rows[] = {
		{{"--anonymous-auth=false"}, NULL},
		{{"--oidc-issuer-url=https://a", "--oidc-client-id=b"}, NULL},
		{{"--oidc-client-id=b"}, "must be specified together"},
		{{"--oidc-issuer-url=http://a", "--oidc-client-id=b"}, "scheme must be https"},
		{{"--oidc-issuer-url=https://u@a", "--oidc-client-id=b"}, "username or password"},
		{{"--oidc-issuer-url=https://a#f", "--oidc-client-id=b"}, "fragment"},
		{{"--oidc-issuer-url=https://a", "--oidc-client-id=b", "--oidc-signing-algs=none"},
		 "unsupported signing alg"},
		{{"--service-account-issuer=a:b"}, "was not a valid URL"},
		{{"--service-account-max-token-expiration=59m"}, "between 1 hour"},
		{{"--service-account-max-token-expiration=1h"}, NULL},
		{{"--cluster-signing-duration=never"}, "is not a duration"},
		{{"--audit-log-path=-", "--audit-policy-file=/nonexistent"}, "/nonexistent"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct text_list args = {(const char **)rows[i].words, 0, ARRAY_LEN(rows[i].words)};
		struct command_line line = {};
		struct values v;
		struct err err = {};
		while (args.count < args.cap && args.at[args.count])
			args.count++;
		assert_int_equal(parse(&line, &v, &args), RC_OK);
		enum rc rc = api_options_check(&v.api, &err);
		if (rows[i].wrong ? rc == RC_OK || !strstr(err.text, rows[i].wrong) : rc != RC_OK)
			fail_msg("%s: %s", rows[i].words[0], err.text);
		arena_done(&line.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_as_given),
		cmocka_unit_test(given_on),
		cmocka_unit_test(judged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
