#include "server/keys.h"

#include "base/encode.h"
#include "io/file.h"
#include "io/loop.h"

#define YEAR_S (365LL * 86400)

static char *path_of(struct arena *a, const char *folder, const char *name)
{
	return arena_cstr(a, arena_printf(a, "%s/tls/%s", folder, name));
}

static enum rc read_text(struct arena *a, const char *path, struct str *ret_text, struct err *err)
{
	return file_read(path, PKI_PEM_MAX, a, ret_text, err);
}

static bool exists(struct arena *a, const char *folder, const char *name)
{
	struct str text;
	return read_text(a, path_of(a, folder, name), &text, NULL) != RC_NOT_FOUND;
}

static enum rc save(struct arena *a, const char *folder, const char *name, struct str text,
		    struct err *err)
{
	return file_write(path_of(a, folder, name), text, 0600, err);
}

static enum rc read_pair(struct arena *a, const char *folder, const char *name,
			 struct pki_pair *ret_pair, struct err *err)
{
	char *cert = path_of(a, folder, arena_cstr(a, arena_printf(a, "%s.crt", name)));
	char *key = path_of(a, folder, arena_cstr(a, arena_printf(a, "%s.key", name)));
	TRY(read_text(a, cert, &ret_pair->cert_pem, err));
	return read_text(a, key, &ret_pair->key_pem, err);
}

static enum rc save_pair(struct arena *a, const char *folder, const char *name,
			 const struct pki_pair *pair, struct err *err)
{
	TRY(save(a, folder, arena_cstr(a, arena_printf(a, "%s.key", name)), pair->key_pem, err));
	return save(a, folder, arena_cstr(a, arena_printf(a, "%s.crt", name)), pair->cert_pem, err);
}

/* An authority is never made anew by itself: every certificate and kubeconfig rests on it. */
static enum rc check_ca(struct arena *a, const char *folder, const char *name,
			const struct pki_pair *ca, struct err *err)
{
	struct pki_cert cert;
	enum rc rc = pki_cert_parse(a, ca->cert_pem, &cert, err);
	if (rc == RC_OK)
		rc = pki_pair_check(ca, err);
	if (rc == RC_OK)
		return RC_OK;
	return err_wrap(err,
			"authority '%s/tls/%s.crt' and '.key' are damaged; restore both from a "
			"backup, or remove both (then every certificate and kubeconfig is made "
			"anew and nodes join again)",
			folder, name);
}

static enum rc half_ca(const char *folder, const char *name, struct err *err)
{
	return err_set(err, RC_INVALID,
		       "of '%s/tls/%s.crt' and '.key' one is missing; restore it from a backup, or "
		       "remove the other too (then every certificate and kubeconfig is made anew "
		       "and nodes join again)",
		       folder, name);
}

static enum rc open_ca(struct arena *a, const char *folder, const char *name,
		       struct pki_pair *ret_ca, struct err *err)
{
	enum rc rc = read_pair(a, folder, name, ret_ca, err);
	if (rc == RC_OK)
		return check_ca(a, folder, name, ret_ca, err);
	if (rc != RC_NOT_FOUND)
		return rc;
	if (exists(a, folder, arena_cstr(a, arena_printf(a, "%s.crt", name))) ||
	    exists(a, folder, arena_cstr(a, arena_printf(a, "%s.key", name))))
		return half_ca(folder, name, err);
	char common_name[64];
	snprintf(common_name, sizeof(common_name), "skeg-%s@%lld", name,
		 (long long)(world_wall_us() / 1000000));
	TRY(pki_ca_new(a, common_name, 10 * YEAR_S, ret_ca, err));
	return save_pair(a, folder, name, ret_ca, err);
}

static bool has_names(const struct pki_cert *cert, const struct str *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool is_there = false;
		for (size_t k = 0; k < cert->dns_name_count && !is_there; k++)
			is_there = str_eq(cert->dns_names[k], names[i]);
		for (size_t k = 0; k < cert->address_count && !is_there; k++)
			is_there = str_eq(cert->addresses[k], names[i]);
		if (!is_there)
			return false;
	}
	return true;
}

static bool is_fresh(struct arena *a, const struct pki_pair *pair, const struct pki_pair *ca,
		     const struct pki_subject *subject)
{
	struct pki_cert cert;
	return pki_cert_parse(a, pair->cert_pem, &cert, NULL) == RC_OK &&
	       pki_renewal_us(&cert) > world_wall_us() &&
	       has_names(&cert, subject->alt_names, subject->alt_name_count) &&
	       pki_pair_check(pair, NULL) == RC_OK &&
	       pki_cert_verify(pair->cert_pem, ca->cert_pem, NULL) == RC_OK;
}

static enum rc open_issued(struct arena *a, const char *folder, const char *name,
			   const struct pki_pair *ca, const struct pki_subject *subject,
			   struct pki_pair *ret_pair, struct err *err)
{
	enum rc rc = read_pair(a, folder, name, ret_pair, err);
	if (rc == RC_OK && is_fresh(a, ret_pair, ca, subject))
		return RC_OK;
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return rc;
	TRY(pki_issue(a, ca, subject, ret_pair, err));
	return save_pair(a, folder, name, ret_pair, err);
}

static enum rc open_all_issued(struct cluster_keys *k, struct err *err)
{
	static const struct str masters = STR_INIT("system:masters");
	const struct pki_subject serving = {.common_name = STR("skeg"),
					    .alt_names = k->names,
					    .alt_name_count = k->name_count,
					    .for_server = true,
					    .validity_s = k->life_s};
	const struct pki_subject admin = {.common_name = STR("admin"),
					  .organizations = &masters,
					  .organization_count = 1,
					  .for_client = true,
					  .validity_s = k->life_s};
	const struct pki_subject kubelet = {.common_name = STR("kube-apiserver-kubelet-client"),
					    .organizations = &masters,
					    .organization_count = 1,
					    .for_client = true,
					    .validity_s = k->life_s};
	TRY(open_issued(&k->arena, k->folder, "serving", &k->server_ca, &serving, &k->serving,
			err));
	TRY(open_issued(&k->arena, k->folder, "admin", &k->client_ca, &admin, &k->admin, err));
	return open_issued(&k->arena, k->folder, "kubelet-client", &k->client_ca, &kubelet,
			   &k->kubelet_client, err);
}

enum rc keys_renew(struct cluster_keys *k, struct err *err)
{
	return open_all_issued(k, err);
}

int64_t keys_renewal_us(const struct cluster_keys *k)
{
	const struct pki_pair *const issued[] = {&k->serving, &k->admin, &k->kubelet_client};
	int64_t first_us = INT64_MAX;
	CLEANUP_ARENA a = {};
	for (size_t i = 0; i < ARRAY_LEN(issued); i++) {
		struct pki_cert cert;
		if (pki_cert_parse(&a, issued[i]->cert_pem, &cert, NULL) == RC_OK)
			first_us = MIN(first_us, pki_renewal_us(&cert));
	}
	return first_us;
}

static enum rc open_account_key(struct cluster_keys *k, const char *folder, struct err *err)
{
	char *path = path_of(&k->arena, folder, "service-account.key");
	enum rc rc = read_text(&k->arena, path, &k->service_account_key_pem, err);
	if (rc == RC_NOT_FOUND) {
		TRY(pki_key_new(&k->arena, &k->service_account_key_pem, err));
		rc = save(&k->arena, folder, "service-account.key", k->service_account_key_pem,
			  err);
	}
	TRY(rc);
	struct str public_pem;
	rc = pki_public_key(&k->arena, k->service_account_key_pem, &public_pem, err);
	if (rc == RC_OK)
		rc = pki_jwk(&k->arena, public_pem, &k->jwk, err);
	if (rc == RC_OK)
		rc = pki_key_load(k->service_account_key_pem, &k->service_account_key, err);
	if (rc != RC_OK)
		return err_wrap(err,
				"'%s' is damaged; restore it from a backup, or remove it (then "
				"every service account token becomes invalid)",
				path);
	return RC_OK;
}

static struct str random_hex(struct arena *a)
{
	unsigned char random[16];
	CLEANUP_BUF hex = BUF_INIT(64);
	world_random(random, sizeof(random));
	hex_add(&hex, str_n((char *)random, sizeof(random)));
	return arena_str(a, buf_str(&hex));
}

static bool is_one_word(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] > '~')
			return false;
	return true;
}

static enum rc open_admin_token(struct cluster_keys *k, const char *folder, struct err *err)
{
	enum rc rc = read_text(&k->arena, path_of(&k->arena, folder, "admin.token"),
			       &k->admin_token, err);
	if (rc == RC_NOT_FOUND) {
		k->admin_token = random_hex(&k->arena);
		rc = save(&k->arena, folder, "admin.token", k->admin_token, err);
	}
	TRY(rc);
	k->admin_token = str_trim(k->admin_token);
	if (k->admin_token.len < 16 || !is_one_word(k->admin_token))
		return err_set(err, RC_INVALID,
			       "admin.token in '%s/tls' is not one word of at least 16 characters; "
			       "remove the file to get a new one",
			       folder);
	return RC_OK;
}

static enum rc open_join_token(struct cluster_keys *k, const char *folder, struct err *err)
{
	char *path = arena_cstr(&k->arena, arena_printf(&k->arena, "%s/token", folder));
	struct str hash, text, secret;
	TRY(pki_cert_hash(&k->arena, k->server_ca.cert_pem, &hash, err));
	enum rc rc = read_text(&k->arena, path, &text, err);
	if (rc == RC_NOT_FOUND) {
		struct str hex = random_hex(&k->arena);
		text = arena_printf(&k->arena, "K10%.*s::node:%.*s\n", STR_FMT(hash), STR_FMT(hex));
		rc = file_write(path, text, 0600, err);
	}
	TRY(rc);
	k->join_token = str_trim(text);
	if (!str_cut_last(k->join_token, ':', &text, &secret))
		return err_set(err, RC_INVALID,
			       "join token in '%s' is not of the form K10<hash>::node:<secret>; "
			       "remove the file to get a new one",
			       path);
	k->join_secret = secret;
	return RC_OK;
}

static enum rc make_folder(const char *data_folder, const char *tls, struct err *err)
{
	struct err detail;
	if (dir_make(tls, 0700, &detail) == RC_OK)
		return RC_OK;
	return err_set(err, RC_UNAVAILABLE,
		       "cannot use data folder '%s': %s; give another folder with --data-dir or "
		       "make this one usable",
		       data_folder, detail.text);
}

static void take_settings(struct cluster_keys *k, const char *data_folder,
			  const struct str *serving_names, size_t count, int64_t life_s)
{
	struct str *names = ARENA_ARRAY(&k->arena, struct str, count + 1);
	for (size_t i = 0; i < count; i++)
		names[i] = arena_str(&k->arena, serving_names[i]);
	k->names = names;
	k->name_count = count;
	k->folder = arena_cstr(&k->arena, str_of(data_folder));
	k->life_s = life_s;
}

enum rc keys_open(const char *data_folder, const struct str *serving_names, size_t count,
		  int64_t life_s, struct cluster_keys **ret_keys, struct err *err)
{
	struct cluster_keys *k = NEW(struct cluster_keys);
	take_settings(k, data_folder, serving_names, count, life_s);
	char *tls = arena_cstr(&k->arena, arena_printf(&k->arena, "%s/tls", data_folder));
	enum rc rc = make_folder(data_folder, tls, err);
	if (rc == RC_OK)
		rc = open_ca(&k->arena, data_folder, "server-ca", &k->server_ca, err);
	if (rc == RC_OK)
		rc = open_ca(&k->arena, data_folder, "client-ca", &k->client_ca, err);
	if (rc == RC_OK)
		rc = open_all_issued(k, err);
	if (rc == RC_OK)
		rc = open_account_key(k, data_folder, err);
	if (rc == RC_OK)
		rc = open_admin_token(k, data_folder, err);
	if (rc == RC_OK)
		rc = open_join_token(k, data_folder, err);
	if (rc != RC_OK) {
		keys_free(k);
		return err_wrap(err, "keys");
	}
	*ret_keys = k;
	return RC_OK;
}

void keys_free(struct cluster_keys *keys)
{
	if (!keys)
		return;
	pki_key_free(keys->service_account_key);
	arena_done(&keys->arena);
	free(keys);
}
