#include "net/cni_config.h"

#include "io/file.h"

#define DEFAULT_MTU	1500
#define OLDEST_VERSION	"0.3.0"
#define BUILTIN_VERSION "1.0.0"

static const char *const conf_suffixes[] = {".conflist", ".conf", ".json"};

/* --- the built-in list --- */

static struct json *one_range(struct arena *a, struct ipnet cidr)
{
	char text[IPNET_TEXT_MAX];
	struct json *range = json_object(a), *set = json_array(a);
	ipnet_format(ipnet_masked(cidr), text);
	json_set(a, range, STR("subnet"), json_printf(a, "%s", text));
	json_append(a, set, range);
	return set;
}

static struct json *one_route(struct arena *a, unsigned family)
{
	struct json *route = json_object(a);
	json_set(a, route, STR("dst"), json_cstring(a, family == IP_V6 ? "::/0" : "0.0.0.0/0"));
	return route;
}

static struct json *host_local(struct arena *a, const struct cni_config *config)
{
	struct json *ipam = json_object(a), *ranges = json_array(a), *routes = json_array(a);
	for (size_t i = 0; i < config->pod_cidr_count; i++) {
		json_append(a, ranges, one_range(a, config->pod_cidrs[i]));
		json_append(a, routes, one_route(a, config->pod_cidrs[i].addr.family));
	}
	json_set(a, ipam, STR("type"), json_cstring(a, "host-local"));
	json_set(a, ipam, STR("dataDir"), json_printf(a, "%s/cni/leases", config->data_folder));
	json_set(a, ipam, STR("ranges"), ranges);
	json_set(a, ipam, STR("routes"), routes);
	return ipam;
}

static struct json *builtin_list(struct arena *a, const struct cni_config *config)
{
	struct json *list = json_object(a), *plugins = json_array(a), *ptp = json_object(a);
	json_set(a, ptp, STR("type"), json_cstring(a, "ptp"));
	json_set(a, ptp, STR("ipMasq"), json_bool(a, false));
	json_set(a, ptp, STR("mtu"), json_int(a, config->mtu ? config->mtu : DEFAULT_MTU));
	json_set(a, ptp, STR("ipam"), host_local(a, config));
	json_append(a, plugins, ptp);
	json_set(a, list, STR("cniVersion"), json_cstring(a, BUILTIN_VERSION));
	json_set(a, list, STR("name"), json_cstring(a, "skeg"));
	json_set(a, list, STR("plugins"), plugins);
	return list;
}

/* --- a list from the folder --- */

static bool is_conf_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(conf_suffixes); i++)
		if (name[0] != '.' && str_has_suffix(str_of(name), str_of(conf_suffixes[i])))
			return true;
	return false;
}

/* The absent string when there is none: the folder comes with the network plugin that fills it. */
static enum rc first_conf(struct arena *a, const char *folder, struct str *ret_path,
			  struct err *err)
{
	const char **names;
	size_t count, i = 0;
	*ret_path = (struct str){};
	enum rc rc = dir_list(folder, a, &names, &count, err);
	if (rc != RC_OK)
		return rc == RC_NOT_FOUND ? RC_OK : rc;
	while (i < count && !is_conf_name(names[i]))
		i++;
	if (i < count)
		*ret_path = arena_printf(a, "%s/%s", folder, names[i]);
	return RC_OK;
}

static struct json *wrap_single(struct arena *a, struct json *plugin)
{
	struct json *list = json_object(a), *plugins = json_array(a);
	json_append(a, plugins, plugin);
	json_set(a, list, STR("cniVersion"),
		 json_string(a, json_str(json_get(plugin, STR("cniVersion")))));
	json_set(a, list, STR("name"), json_string(a, json_str(json_get(plugin, STR("name")))));
	json_set(a, list, STR("plugins"), plugins);
	return list;
}

static bool is_version_known(struct str version)
{
	return version.len >= sizeof(OLDEST_VERSION) - 1 &&
	       str_cmp(version, STR(OLDEST_VERSION)) >= 0;
}

static bool is_plugin_name(struct str type)
{
	return type.len > 0 && type.at[0] != '.' && !memchr(type.at, '/', type.len) &&
	       !memchr(type.at, 0, type.len);
}

static enum rc check_list(const struct json *list, struct str path, struct err *err)
{
	const struct json *plugins = json_get(list, STR("plugins"));
	size_t count = json_count(plugins);
	if (!is_version_known(json_str(json_get(list, STR("cniVersion")))))
		return err_set(err, RC_INVALID,
			       "%.*s: cniVersion: must be " OLDEST_VERSION " or later",
			       STR_FMT(path));
	if (json_str(json_get(list, STR("name"))).len == 0)
		return err_set(err, RC_INVALID, "%.*s: name: must be given", STR_FMT(path));
	if (!plugins || plugins->type != JSON_ARRAY || count == 0 || count > CNI_MAX_PLUGINS)
		return err_set(err, RC_INVALID, "%.*s: plugins: must hold 1 to %d plugins",
			       STR_FMT(path), CNI_MAX_PLUGINS);
	for (size_t i = 0; i < count; i++)
		if (!is_plugin_name(json_str(json_get(json_at(plugins, i), STR("type")))))
			return err_set(err, RC_INVALID,
				       "%.*s: plugins[%zu].type: must be the file name of a plugin",
				       STR_FMT(path), i);
	return RC_OK;
}

enum rc cni_config_load(struct arena *a, const struct cni_config *config, struct json **ret_list,
			struct err *err)
{
	struct str path = {}, text;
	struct json *list;
	if (config->conf_folder)
		TRY(first_conf(a, config->conf_folder, &path, err));
	if (!path.at) {
		*ret_list = builtin_list(a, config);
		return RC_OK;
	}
	TRY(file_read(path.at, CNI_CONF_MAX_BYTES, a, &text, err));
	if (json_parse(a, text, &list, NULL, err) != RC_OK)
		return err_wrap(err, "%.*s", STR_FMT(path));
	if (list->type == JSON_OBJECT && !json_get(list, STR("plugins")))
		list = wrap_single(a, list);
	TRY(check_list(list, path, err));
	*ret_list = list;
	return RC_OK;
}
