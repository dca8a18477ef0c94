#include "server/request_header.h"

#include "base/encode.h"
#include "http/pki.h"
#include "io/file.h"
#include "server/authenticate.h"
#include "server/route.h"

#define LIST_MAX 32

struct text_set {
	const char *at[LIST_MAX];
	size_t count;
};

struct request_headers {
	struct arena arena;
	struct str ca_pem;
	struct text_set authorities; /* SHA-256 of their DER, hex */
	struct text_set names, users, uids, groups, extras;
};

static enum rc split(struct arena *a, const char *option, const char *text, bool is_header,
		     struct text_set *ret_set, struct err *err)
{
	struct str rest = str_of(text), one;
	while (rest.len) {
		str_cut(rest, ',', &one, &rest);
		one = str_trim(one);
		if (one.len == 0)
			continue;
		if (ret_set->count == LIST_MAX)
			return err_set(err, RC_INVALID,
				       "--%s has more than %d entries: leave some out", option,
				       LIST_MAX);
		char *copy = arena_cstr(a, one);
		for (char *c = copy; is_header && *c; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c - 'A' + 'a');
		ret_set->at[ret_set->count++] = copy;
	}
	return RC_OK;
}

static bool has(const struct text_set *set, struct str text)
{
	for (size_t i = 0; i < set->count; i++)
		if (str_is(text, set->at[i]))
			return true;
	return false;
}

static enum rc read_authorities(struct request_headers *h, const char *path, struct err *err)
{
	struct str block, hash;
	TRY(file_read(path, PKI_PEM_MAX, &h->arena, &h->ca_pem, err));
	for (size_t i = 0; pki_pem_block(h->ca_pem, "CERTIFICATE", i, &block); i++) {
		if (i == LIST_MAX)
			return err_set(err, RC_INVALID,
				       "%s has more than %d authorities: leave some out", path,
				       LIST_MAX);
		TRY(pki_cert_hash(&h->arena, arena_printf(&h->arena, "%.*s\n", STR_FMT(block)),
				  &hash, err));
		h->authorities.at[h->authorities.count++] = hash.at;
	}
	if (h->authorities.count == 0)
		return err_set(err, RC_INVALID,
			       "--requestheader-client-ca-file: %s holds no certificate", path);
	return RC_OK;
}

static enum rc take_options(struct request_headers *h, const struct request_header_options *o,
			    struct err *err)
{
	const struct {
		const char *option, *text;
		bool is_header;
		struct text_set *set;
	} rows[] = {
		{"requestheader-allowed-names", o->allowed_names, false, &h->names},
		{"requestheader-username-headers", o->username_headers, true, &h->users},
		{"requestheader-uid-headers", o->uid_headers, true, &h->uids},
		{"requestheader-group-headers", o->group_headers, true, &h->groups},
		{"requestheader-extra-headers-prefix", o->extra_prefixes, true, &h->extras},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		TRY(split(&h->arena, rows[i].option, rows[i].text, rows[i].is_header, rows[i].set,
			  err));
	return read_authorities(h, o->client_ca_file, err);
}

enum rc request_headers_new(const struct request_header_options *options,
			    struct request_headers **ret_headers, struct err *err)
{
	*ret_headers = NULL;
	if (!options->client_ca_file)
		return RC_OK;
	struct request_headers *h = NEW(struct request_headers);
	enum rc rc = take_options(h, options, err);
	if (rc != RC_OK) {
		request_headers_free(h);
		return rc;
	}
	*ret_headers = h;
	return RC_OK;
}

void request_headers_free(struct request_headers *h)
{
	if (!h)
		return;
	arena_done(&h->arena);
	free(h);
}

struct str request_headers_authority(const struct request_headers *h)
{
	return h ? h->ca_pem : STR("");
}

bool request_headers_is_proxy(const struct request_headers *h, const struct tls_identity *id)
{
	CLEANUP_BUF hex = BUF_INIT(128);
	if (!h || !id->is_verified)
		return false;
	hex_add(&hex, str_n((const char *)id->authority_sha256, sizeof(id->authority_sha256)));
	return has(&h->authorities, buf_str(&hex));
}

bool request_headers_has(const struct request_headers *h, struct str name)
{
	if (!h)
		return false;
	for (size_t i = 0; i < h->extras.count; i++)
		if (str_has_prefix(name, str_of(h->extras.at[i])))
			return true;
	return has(&h->users, name) || has(&h->uids, name) || has(&h->groups, name);
}

/* ---- the user ---- */

static struct str first_of(const struct request *r, const struct text_set *names)
{
	for (size_t i = 0; i < names->count; i++) {
		struct str value = http_header(r->exchange, names->at[i]);
		if (value.len)
			return value;
	}
	return (struct str){};
}

static void take_groups(const struct request_headers *h, struct request *r)
{
	for (size_t i = 0; i < h->groups.count; i++) {
		struct str value;
		size_t at = 0;
		while (http_header_next(r->exchange, h->groups.at[i], &at, &value))
			user_add_group(&r->user, value);
	}
	if (!user_is_in(&r->user, STR("system:authenticated")))
		user_add_group(&r->user, STR("system:authenticated"));
}

static void take_extra(const struct request_headers *h, struct request *r)
{
	size_t count;
	const struct http_header *headers = http_headers(r->exchange, &count);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < h->extras.count; k++) {
			struct str prefix = str_of(h->extras.at[k]);
			if (str_has_prefix(headers[i].name, prefix))
				user_add_extra(&r->arena, &r->user,
					       percent_decode(&r->arena,
							      str_skip(headers[i].name, prefix.len),
							      false),
					       headers[i].value);
		}
}

enum header_user request_headers_take(const struct request_headers *h, struct request *r,
				      const struct tls_identity *id)
{
	if (!request_headers_is_proxy(h, id))
		return HEADER_NONE;
	if (h->names.count && !has(&h->names, id->common_name))
		return HEADER_REFUSED;
	struct str name = first_of(r, &h->users);
	if (name.len == 0)
		return HEADER_NONE;
	r->user = (struct user){.name = name, .uid = first_of(r, &h->uids)};
	take_groups(h, r);
	take_extra(h, r);
	return HEADER_TAKEN;
}
