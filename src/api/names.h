/* names: the grammars of names, labels, keys and ports, and upstream's words for what breaks them.
 *
 * A check fills a list of faults: constant sentences in upstream's order, none when the text is
 * good. Pure functions.  Source: apimachinery pkg/util/validation, pkg/api/validation/path. */
#ifndef SKEG_API_NAMES_H
#define SKEG_API_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define FAULTS_MAX 8

struct faults {
	const char *at[FAULTS_MAX];
	size_t count;
};

/* What a text may have to be. */
enum name_rule {
	NAME_NONE,		       /* anything */
	NAME_DNS_LABEL,		       /* RFC 1123 label, 63 */
	NAME_DNS_SUBDOMAIN,	       /* RFC 1123 subdomain, 253 */
	NAME_LONG,		       /* the same, its length in other words */
	NAME_DNS_SUBDOMAIN_UNDERSCORE, /* DNS search paths */
	NAME_DNS_1035,		       /* RFC 1035 label: starts with a letter */
	NAME_WILDCARD_SUBDOMAIN,       /* "*.example.com" */
	NAME_QUALIFIED,		       /* label and annotation keys: [subdomain/]name */
	NAME_LABEL_VALUE,
	NAME_ENV_VAR,	      /* printable ASCII but '=' */
	NAME_CONFIG_KEY,      /* keys of ConfigMap and Secret */
	NAME_PORT,	      /* IANA service name */
	NAME_PATH_SEGMENT,    /* RBAC names: no '/', no '%', not '.' or '..' */
	NAME_FULLY_QUALIFIED, /* a domain of two labels or more, 253 */
	NAME_DOMAIN_PREFIXED, /* "example.com/path" */
	NAME_HTTP_HEADER,
	NAME_PERCENT, /* "25%" */
	NAME_C_IDENTIFIER,
};

void name_check(struct faults *f, enum name_rule rule, struct str text);
bool name_is(enum name_rule rule, struct str text);

/* Names of objects: generateName is judged without its last '-', for it is a prefix. */
void name_check_prefix(struct faults *f, enum name_rule rule, struct str text);

/* Numbers of ports: 1 to 65535. */
#define PORT_RANGE_TEXT "must be between 1 and 65535, inclusive"
bool port_is_valid(int64_t port);

/* generateName: base cut to 58 bytes, then five letters out of random[5]. */
#define NAME_SUFFIX_LEN 5
[[nodiscard]] struct str name_generate(struct arena *a, struct str base,
				       const uint8_t random[NAME_SUFFIX_LEN]);

extern const char dns_subdomain_text[]; /* the sentences others append to their own */
extern const char dns_label_text[];

#endif
