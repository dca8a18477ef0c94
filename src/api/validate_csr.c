/* CertificateSigningRequest: what is asked for, what was decided, what was signed. */
#include "api/gotext.h"
#include "api/validate-int.h"
#include "base/encode.h"

/* ---- PEM: just enough to tell what stands in it ---- */

struct pem {
	struct str type, headers, bytes;
};

/* Takes the first whole block from text; false: there is none. */
static bool pem_next(struct arena *a, struct str *text, struct pem *ret_block)
{
	static const char begin[] = "-----BEGIN ", dashes[] = "-----";
	const char *end = text->len ? text->at + text->len : NULL;
	const char *start = end ? memmem(text->at, text->len, begin, strlen(begin)) : NULL;
	if (!start)
		return false;
	const char *type = start + strlen(begin);
	const char *type_end = memmem(type, (size_t)(end - type), dashes, strlen(dashes));
	if (!type_end)
		return false;
	ret_block->type = str_n(type, (size_t)(type_end - type));
	const char *body = type_end + strlen(dashes);
	struct str last = arena_printf(a, "-----END %.*s-----", STR_FMT(ret_block->type));
	const char *stop = memmem(body, (size_t)(end - body), last.at, last.len);
	if (!stop)
		return false;
	const char *colon = memchr(body, ':', (size_t)(stop - body));
	ret_block->headers = colon ? str_n(body, (size_t)(stop - body)) : (struct str){};
	ret_block->bytes = (struct str){};
	*text = str_n(stop + last.len, (size_t)(end - stop) - last.len);
	return colon || gotext_base64(a, str_n(body, (size_t)(stop - body)), &ret_block->bytes,
				      NULL) == RC_OK;
}

struct der_head {
	unsigned class, tag;
	bool is_compound;
	size_t length, size; /* of the content, of the head itself */
};

/* One byte of tag: all that the outside of a certificate or a request needs. */
static bool der_head(struct str bytes, struct der_head *ret_head)
{
	const unsigned char *b = (const unsigned char *)bytes.at;
	if (bytes.len < 2)
		return false;
	*ret_head = (struct der_head){b[0] >> 6, b[0] & 31u, b[0] & 32u, b[1], 2};
	if (b[1] < 0x80)
		return true;
	size_t count = b[1] & 0x7fu;
	if (count == 0 || count > 4 || bytes.len < 2 + count)
		return false;
	ret_head->length = 0;
	for (size_t i = 0; i < count; i++)
		ret_head->length = ret_head->length << 8 | b[2 + i];
	ret_head->size += count;
	return true;
}

/* NULL, or what is wrong with the outer sequence, in the words of Go's asn1. */
static const char *der_fault(struct arena *a, struct str bytes)
{
	struct der_head head;
	if (bytes.len == 0)
		return "asn1: syntax error: sequence truncated";
	if (!der_head(bytes, &head))
		return "asn1: syntax error: truncated tag or length";
	if (head.class != 0 || head.tag != 16 || !head.is_compound)
		return arena_cstr(
			a, arena_printf(a,
					"asn1: structure error: tags don't match (16 vs {class:%u "
					"tag:%u length:%zu isCompound:%s}) {optional:false "
					"explicit:false application:false private:false "
					"defaultValue:<nil> tag:<nil> stringType:0 timeType:0 "
					"set:false omitEmpty:false} certificateRequest @%zu",
					head.class, head.tag, head.length,
					head.is_compound ? "true" : "false", head.size));
	if (head.length > bytes.len - head.size)
		return "asn1: syntax error: data truncated";
	if (head.length < bytes.len - head.size)
		return "asn1: syntax error: trailing data";
	return NULL;
}

/* ---- the request ---- */

static void check_request(struct check *v, const struct path *at, const struct json *value)
{
	struct str text, encoded = json_str(value);
	struct pem block;
	const char *fault = "PEM block type must be CERTIFICATE REQUEST";
	if (base64_decode(v->arena, encoded, &text) && pem_next(v->arena, &text, &block) &&
	    str_is(block.type, "CERTIFICATE REQUEST"))
		fault = der_fault(v->arena, block.bytes);
	if (fault)
		bad(v, at, value, "%s", fault);
}

#define USAGES                                                                                     \
	"any,cert sign,client auth,code signing,content commitment,crl sign,data encipherment,"    \
	"decipher only,digital signature,email protection,encipher only,ipsec end system,"         \
	"ipsec tunnel,ipsec user,key agreement,key encipherment,microsoft sgc,netscape sgc,"       \
	"ocsp signing,s/mime,server auth,signing,timestamping"

/* Only the first bad label is told of. */
static void check_signer_labels(struct check *v, const struct path *at, struct str text,
				enum name_rule rule)
{
	struct str label, rest = text;
	struct faults f = {};
	for (bool more = true; more && f.count == 0;) {
		more = str_cut(rest, '.', &label, &rest);
		name_check(&f, rule, label);
	}
	for (size_t i = 0; i < f.count; i++)
		bad_text(v, at, text, "validating label \"%.*s\": %s", STR_FMT(label), f.at[i]);
}

static void check_signer_name(struct check *v, const struct path *at, struct str name)
{
	struct str domain, path = {};
	if (name.len == 0) {
		required(v, at, "%s", "");
		return;
	}
	if (!str_cut(name, '/', &domain, &path) ||
	    (path.len > 0 && memchr(path.at, '/', path.len))) {
		bad_text(v, at, name,
			 "must be a fully qualified domain and path of the form "
			 "'example.com/signer-name'");
		return;
	}
	if (domain.len > 253)
		too_long(v, at, 253);
	check_signer_labels(v, at, domain, NAME_DNS_LABEL);
	if (domain.len == 0 || !memchr(domain.at, '.', domain.len))
		bad_text(v, at, domain,
			 "should be a domain with at least two segments separated by dots");
	check_signer_labels(v, at, path, NAME_DNS_SUBDOMAIN);
	if (name.len > 571)
		too_long(v, at, 571);
	if (str_is(name, "kubernetes.io/legacy-unknown"))
		bad_text(v, at, name, "the legacy signerName is not allowed via this API version");
}

void csr_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *usages = GET(spec, "usages");
	const struct json *seconds = GET(spec, "expirationSeconds");
	const struct path *at = ROOT("spec");
	check_request(v, MEMBER(at, "request"), GET(spec, "request"));
	if (json_count(usages) == 0)
		required(v, MEMBER(at, "usages"), "%s", "");
	FOR_ITEMS(i, usage, usages)
	{
		check_enum(v, ITEM(MEMBER(at, "usages"), i), json_str(usage), USAGES);
		if (is_repeated(v, usages, i))
			duplicate_value(v, ITEM(MEMBER(at, "usages"), i), usage);
	}
	check_signer_name(v, MEMBER(at, "signerName"), TEXT(spec, "signerName"));
	if (seconds && json_i64(seconds) < 600)
		bad(v, MEMBER(at, "expirationSeconds"), seconds,
		    "may not specify a duration less than 600 seconds (10 minutes)");
}

void csr_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
}

/* ---- what was decided and signed ---- */

static void check_csr_conditions(struct check *v, const struct path *at,
				 const struct json *conditions)
{
	bool is_approved = false, is_denied = false;
	FOR_ITEMS(i, condition, conditions)
	{
		const struct path *here = ITEM(at, i);
		struct str type = TEXT(condition, "type");
		bool approves = str_is(type, "Approved"), denies = str_is(type, "Denied");
		check_required(v, MEMBER(here, "type"), type);
		check_required_enum(v, MEMBER(here, "status"), TEXT(condition, "status"),
				    text_in(type, "Approved,Denied,Failed") ? "True"
									    : "False,True,Unknown");
		if ((approves && is_denied) || (denies && is_approved))
			bad_text(v, at, type,
				 "Approved and Denied conditions are mutually exclusive");
		is_approved |= approves;
		is_denied |= denies;
		if (is_text_repeated(v, conditions, i, "type"))
			duplicate(v, MEMBER(here, "type"), type);
	}
}

/* NULL: it may be the certificate. */
static const char *certificate_fault(struct check *v, struct str encoded)
{
	struct str text;
	struct pem block;
	size_t count = 0;
	if (!base64_decode(v->arena, encoded, &text))
		text = (struct str){};
	for (; pem_next(v->arena, &text, &block); count++) {
		if (!str_is(block.type, "CERTIFICATE"))
			return arena_cstr(v->arena,
					  arena_printf(v->arena,
						       "only CERTIFICATE PEM blocks are allowed, "
						       "found \"%.*s\"",
						       STR_FMT(block.type)));
		if (block.headers.len > 0)
			return "no PEM block headers are permitted";
		if (der_fault(v->arena, block.bytes))
			return "x509: malformed certificate";
	}
	return count ? NULL : "must contain at least one CERTIFICATE PEM block";
}

static struct json *conditions_of(struct check *v, const struct json *status, const char *type)
{
	struct json *found = json_array(v->arena);
	FOR_ITEMS(i, condition, GET(status, "conditions"))
	{
		if (str_is(TEXT(condition, "type"), type))
			json_append(v->arena, found, (struct json *)condition);
	}
	return found;
}

/* Verdicts are given once, and only by who approves. */
static void check_verdicts(struct check *v, const struct path *at, const struct json *was,
			   const struct json *is, bool may_approve)
{
	static const char *const lasting[] = {"Approved", "Denied", "Failed"};
	for (size_t i = 0; i < ARRAY_LEN(lasting); i++) {
		if (json_count(conditions_of(v, was, lasting[i])) > 0 &&
		    json_count(conditions_of(v, is, lasting[i])) == 0)
			forbidden(v, at, "updates may not remove a condition of type \"%s\"",
				  lasting[i]);
	}
	for (size_t k = 0; !may_approve && k < ARRAY_LEN(lasting) - 1; k++) {
		const struct json *before = conditions_of(v, was, lasting[k]);
		const struct json *now = conditions_of(v, is, lasting[k]);
		if (json_count(now) > json_count(before))
			forbidden(v, at, "updates may not add a condition of type \"%s\"",
				  lasting[k]);
	}
}

void csr_part_rules(struct check *v, const struct json *old, const struct json *tree,
		    const char *subresource)
{
	const struct json *status = GET(tree, "status"), *was = GET(old, "status");
	const struct path *at = ROOT("status"), *conditions_at = MEMBER(at, "conditions");
	const struct path *certificate_at = MEMBER(at, "certificate");
	struct str certificate = TEXT(status, "certificate"), had = TEXT(was, "certificate");
	check_csr_conditions(v, conditions_at, GET(status, "conditions"));
	const char *fault = certificate.len > 0 ? certificate_fault(v, certificate) : NULL;
	if (fault)
		bad_text(v, certificate_at, STR("<certificate data>"), "%s", fault);
	check_verdicts(v, conditions_at, was, status, !strcmp(subresource, "approval"));
	if (had.len > 0 && !str_eq(had, certificate))
		forbidden(v, certificate_at, "updates may not modify existing certificate content");
}
