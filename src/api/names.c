#include "api/names.h"

#include "base/err.h"

#define ALNUM "alphanumeric characters"
#define REGEX "regex used for validation is "
#define QUALIFIED_TEXT                                                                             \
	"must consist of " ALNUM ", '-', '_' or '.', and must start and end with an "              \
	"alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', " REGEX              \
	"'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define SUBDOMAIN_TEXT                                                                             \
	"a lowercase RFC 1123 subdomain must consist of lower case " ALNUM                         \
	", '-' or '.', and must start and end with an alphanumeric character (e.g. "               \
	"'example.com', " REGEX "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*"            \
	"[a-z0-9])?)*')"
#define TOO_LONG_253 "must be no more than 253 characters"
#define TOO_LONG_63  "must be no more than 63 characters"

const char dns_subdomain_text[] = SUBDOMAIN_TEXT;
const char dns_label_text[] =
	"a lowercase RFC 1123 label must consist of lower case " ALNUM
	" or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or "
	"'123-abc', " REGEX "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
static const char dns_1035_text[] =
	"a DNS-1035 label must consist of lower case " ALNUM
	" or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. "
	"'my-name',  or 'abc-123', " REGEX "'[a-z]([-a-z0-9]*[a-z0-9])?')";
static const char wildcard_text[] =
	"a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
	"which must consist of lower case " ALNUM
	", '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', " REGEX
	"'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
static const char label_value_text[] = "a valid label must be an empty string or consist of " ALNUM
				       ", '-', '_' or '.', and must start and end with an "
				       "alphanumeric character (e.g. 'MyValue',  "
				       "or 'my_value',  or '12345', " REGEX
				       "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
static const char config_key_text[] =
	"a valid config key must consist of " ALNUM
	", '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', " REGEX
	"'[-._a-zA-Z0-9]+')";
static const char http_path_text[] =
	"Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";

static void fault(struct faults *f, const char *text)
{
	if (f->count < FAULTS_MAX)
		f->at[f->count++] = text;
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
	return is_alpha(c) || is_digit(c);
}

static bool is_lower_alnum(char c)
{
	return is_lower(c) || is_digit(c);
}

/* [a-z0-9]([-a-z0-9]*[a-z0-9])? */
static bool is_dns_label(struct str s)
{
	if (s.len == 0 || !is_lower_alnum(s.at[0]) || !is_lower_alnum(s.at[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_lower_alnum(s.at[i]) && s.at[i] != '-')
			return false;
	return true;
}

static bool is_dns_subdomain(struct str s)
{
	struct str label, rest = s;
	bool more;
	do {
		more = str_cut(rest, '.', &label, &rest);
		if (!is_dns_label(label))
			return false;
	} while (more);
	return true;
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9] */
static bool is_qualified_part(struct str s)
{
	if (s.len == 0 || !is_alnum(s.at[0]) || !is_alnum(s.at[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.at[i]) && !strchr("-_.", s.at[i]))
			return false;
	return true;
}

static bool consists_of(struct str s, const char *more)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.at[i]) && (!s.at[i] || !strchr(more, s.at[i])))
			return false;
	return s.len > 0;
}

static void check_dns_label(struct faults *f, struct str s)
{
	if (s.len > 63)
		fault(f, TOO_LONG_63);
	if (is_dns_label(s))
		return;
	fault(f, is_dns_subdomain(s) ? "must not contain dots" : dns_label_text);
}

static void check_dns_subdomain(struct faults *f, struct str s)
{
	if (s.len > 253)
		fault(f, TOO_LONG_253);
	if (!is_dns_subdomain(s))
		fault(f, dns_subdomain_text);
}

/* Upstream's declarative rules count in bytes. */
static void check_long_name(struct faults *f, struct str s)
{
	if (s.len > 253)
		fault(f, "must be no more than 253 bytes");
	if (!is_dns_subdomain(s))
		fault(f, dns_subdomain_text);
}

/* _?[a-z0-9]([-_a-z0-9]*[a-z0-9])? for each label */
static bool is_underscore_label(struct str s)
{
	if (s.len > 0 && s.at[0] == '_')
		s = str_skip(s, 1);
	if (s.len == 0 || !is_lower_alnum(s.at[0]) || !is_lower_alnum(s.at[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_lower_alnum(s.at[i]) && s.at[i] != '-' && s.at[i] != '_')
			return false;
	return true;
}

static void check_dns_underscore(struct faults *f, struct str s)
{
	struct str label, rest = s;
	bool is_good = true;
	if (s.len > 253)
		fault(f, TOO_LONG_253);
	for (bool more = true; more;) {
		more = str_cut(rest, '.', &label, &rest);
		is_good = is_good && is_underscore_label(label);
	}
	if (!is_good)
		fault(f, "a lowercase RFC 1123 subdomain must consist of lower case " ALNUM
			 ", '_', '-' or '.', and must start and end with an alphanumeric character "
			 "(e.g. "
			 "'example.com', " REGEX "'_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]"
			 "([-_a-z0-9]*[a-z0-9])?)*')");
}

static void check_dns_1035(struct faults *f, struct str s)
{
	if (s.len > 63)
		fault(f, TOO_LONG_63);
	if (!is_dns_label(s) || !is_lower(s.at[0]))
		fault(f, dns_1035_text);
}

static void check_wildcard(struct faults *f, struct str s)
{
	if (s.len > 253)
		fault(f, TOO_LONG_253);
	if (!str_has_prefix(s, STR("*.")) || !is_dns_subdomain(str_skip(s, 2)))
		fault(f, wildcard_text);
}

static void check_qualified(struct faults *f, struct str s)
{
	struct str prefix, name;
	if (str_cut(s, '/', &prefix, &name)) {
		if (name.len > 0 && memchr(name.at, '/', name.len)) {
			fault(f, "a valid label key " QUALIFIED_TEXT
				 " with an optional DNS subdomain prefix "
				 "and '/' (e.g. 'example.com/MyName')");
			return;
		}
		if (prefix.len == 0)
			fault(f, "prefix part must be non-empty");
		else if (prefix.len > 253)
			fault(f, "prefix part must be no more than 253 bytes");
		if (prefix.len > 0 && !is_dns_subdomain(prefix))
			fault(f, "prefix part " SUBDOMAIN_TEXT);
	} else {
		name = s;
	}
	if (name.len == 0)
		fault(f, "name part must be non-empty");
	else if (name.len > 63)
		fault(f, "name part must be no more than 63 bytes");
	if (!is_qualified_part(name))
		fault(f, "name part " QUALIFIED_TEXT);
}

static void check_label_value(struct faults *f, struct str s)
{
	if (s.len > 63)
		fault(f, "must be no more than 63 bytes");
	if (s.len > 0 && !is_qualified_part(s))
		fault(f, label_value_text);
}

static void check_env_var(struct faults *f, struct str s)
{
	bool is_good = s.len > 0;
	for (size_t i = 0; i < s.len; i++)
		is_good = is_good && s.at[i] >= ' ' && s.at[i] <= '~' && s.at[i] != '=';
	if (!is_good)
		fault(f, "a valid environment variable name must consist only of printable ASCII "
			 "characters other than '='");
}

static void check_dots(struct faults *f, struct str s)
{
	if (str_is(s, "."))
		fault(f, "must not be '.'");
	else if (str_is(s, ".."))
		fault(f, "must not be '..'");
	else if (str_has_prefix(s, STR("..")))
		fault(f, "must not start with '..'");
}

static void check_config_key(struct faults *f, struct str s)
{
	if (s.len > 253)
		fault(f, TOO_LONG_253);
	if (!consists_of(s, "-._"))
		fault(f, config_key_text);
	check_dots(f, s);
}

static bool has_letter(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_lower(s.at[i]))
			return true;
	return false;
}

static bool has_pair(struct str s, char c)
{
	for (size_t i = 1; i < s.len; i++)
		if (s.at[i] == c && s.at[i - 1] == c)
			return true;
	return false;
}

static void check_port_name(struct faults *f, struct str s)
{
	bool is_plain = s.len > 0;
	for (size_t i = 0; i < s.len; i++)
		is_plain = is_plain && (is_lower_alnum(s.at[i]) || s.at[i] == '-');
	if (s.len > 15)
		fault(f, "must be no more than 15 characters");
	if (!is_plain)
		fault(f, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
	if (!has_letter(s))
		fault(f, "must contain at least one letter (a-z)");
	if (has_pair(s, '-'))
		fault(f, "must not contain consecutive hyphens");
	if (s.len > 0 && (s.at[0] == '-' || s.at[s.len - 1] == '-'))
		fault(f, "must not begin or end with a hyphen");
}

static void check_path_segment(struct faults *f, struct str s)
{
	if (str_is(s, "."))
		fault(f, "may not be '.'");
	if (str_is(s, ".."))
		fault(f, "may not be '..'");
	if (s.len > 0 && memchr(s.at, '/', s.len))
		fault(f, "may not contain '/'");
	if (s.len > 0 && memchr(s.at, '%', s.len))
		fault(f, "may not contain '%'");
}

static void check_fully_qualified(struct faults *f, struct str s)
{
	if (s.len == 0) {
		fault(f, "");
		return;
	}
	check_dns_subdomain(f, s);
	if (f->count == 0 && !memchr(s.at, '.', s.len))
		fault(f, "should be a domain with at least two segments separated by dots");
}

static void check_domain_prefixed(struct faults *f, struct str s)
{
	struct str domain, path;
	if (s.len == 0) {
		fault(f, "must not be empty");
		return;
	}
	if (!str_cut(s, '/', &domain, &path) || domain.len == 0 || path.len == 0) {
		fault(f, "must be a domain-prefixed path (such as \"acme.io/foo\")");
		return;
	}
	check_dns_subdomain(f, domain);
	if (!consists_of(path, "/-._~%!$&'()*+,;=:"))
		fault(f, http_path_text);
}

static void check_http_header(struct faults *f, struct str s)
{
	if (!consists_of(s, "-"))
		fault(f, "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. "
			 "'X-Header-Name', " REGEX "'[-A-Za-z0-9]+')");
}

static void check_percent(struct faults *f, struct str s)
{
	bool is_good = s.len > 1 && s.at[s.len - 1] == '%';
	for (size_t i = 0; i + 1 < s.len; i++)
		is_good = is_good && is_digit(s.at[i]);
	if (!is_good)
		fault(f,
		      "a valid percent string must be a numeric string followed by an ending '%' "
		      "(e.g. '1%',  or '93%', " REGEX "'[0-9]+%')");
}

static void check_c_identifier(struct faults *f, struct str s)
{
	bool is_good = s.len > 0 && (is_alpha(s.at[0]) || s.at[0] == '_');
	for (size_t i = 0; i < s.len; i++)
		is_good = is_good && (is_alnum(s.at[i]) || s.at[i] == '_');
	if (!is_good)
		fault(f, "a valid C identifier must start with alphabetic character or '_', "
			 "followed by "
			 "a string of alphanumeric characters or '_' (e.g. 'my_name',  or "
			 "'MY_NAME',  or "
			 "'MyName', " REGEX "'[A-Za-z_][A-Za-z0-9_]*')");
}

static void check_nothing(struct faults *f, struct str s)
{
}

static void (*const checks[])(struct faults *f, struct str s) = {
	[NAME_NONE] = check_nothing,
	[NAME_DNS_LABEL] = check_dns_label,
	[NAME_DNS_SUBDOMAIN] = check_dns_subdomain,
	[NAME_LONG] = check_long_name,
	[NAME_DNS_SUBDOMAIN_UNDERSCORE] = check_dns_underscore,
	[NAME_DNS_1035] = check_dns_1035,
	[NAME_WILDCARD_SUBDOMAIN] = check_wildcard,
	[NAME_QUALIFIED] = check_qualified,
	[NAME_LABEL_VALUE] = check_label_value,
	[NAME_ENV_VAR] = check_env_var,
	[NAME_CONFIG_KEY] = check_config_key,
	[NAME_PORT] = check_port_name,
	[NAME_PATH_SEGMENT] = check_path_segment,
	[NAME_FULLY_QUALIFIED] = check_fully_qualified,
	[NAME_DOMAIN_PREFIXED] = check_domain_prefixed,
	[NAME_HTTP_HEADER] = check_http_header,
	[NAME_PERCENT] = check_percent,
	[NAME_C_IDENTIFIER] = check_c_identifier,
};

void name_check(struct faults *f, enum name_rule rule, struct str text)
{
	ASSERT(rule < ARRAY_LEN(checks));
	f->count = 0;
	checks[rule](f, text);
}

bool name_is(enum name_rule rule, struct str text)
{
	struct faults f;
	name_check(&f, rule, text);
	return f.count == 0;
}

void name_check_prefix(struct faults *f, enum name_rule rule, struct str text)
{
	char masked[256];
	if (rule == NAME_PATH_SEGMENT || text.len < 2 || text.at[text.len - 1] != '-' ||
	    text.len > sizeof(masked)) {
		name_check(f, rule, text);
		return;
	}
	memcpy(masked, text.at, text.len - 1);
	masked[text.len - 2] = 'a';
	name_check(f, rule, str_n(masked, text.len - 1));
}

bool port_is_valid(int64_t port)
{
	return port >= 1 && port <= 65535;
}

struct str name_generate(struct arena *a, struct str base, const uint8_t random[NAME_SUFFIX_LEN])
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	char suffix[NAME_SUFFIX_LEN];
	for (size_t i = 0; i < NAME_SUFFIX_LEN; i++)
		suffix[i] = letters[random[i] % (sizeof(letters) - 1)];
	base.len = MIN(base.len, 63u - NAME_SUFFIX_LEN);
	return arena_printf(a, "%.*s%.*s", STR_FMT(base), NAME_SUFFIX_LEN, suffix);
}
