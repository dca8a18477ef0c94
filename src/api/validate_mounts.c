/* Where containers mount volumes, and which they take as devices. */
#include "api/validate-int.h"

static void check_propagation(struct check *v, const struct path *at, const struct json *mount,
			      const struct json *container)
{
	const struct json *mode = GET(mount, "mountPropagation");
	if (!mode)
		return;
	check_enum(v, at, json_str(mode), "Bidirectional,HostToContainer,None");
	if (str_is(json_str(mode), "Bidirectional") &&
	    !IS(GET(container, "securityContext"), "privileged"))
		forbidden(v, at,
			  "Bidirectional mount propagation is available only to privileged "
			  "containers");
}

static void check_recursive(struct check *v, const struct path *at, const struct json *mount)
{
	const struct json *mode = GET(mount, "recursiveReadOnly");
	const struct json *propagation = GET(mount, "mountPropagation");
	if (!mode)
		return;
	check_enum(v, at, json_str(mode), "Disabled,Enabled,IfPossible");
	if (!text_in(json_str(mode), "Enabled,IfPossible"))
		return;
	if (!IS(mount, "readOnly"))
		forbidden(v, at, "may only be specified when readOnly is true");
	if (propagation && !str_is(json_str(propagation), "None"))
		forbidden(v, at,
			  "may only be specified when mountPropagation is None or not specified");
}

static void check_mount(struct check *v, const struct path *at, const struct path *list_at,
			const struct json *mount, const struct json *container)
{
	struct str sub = TEXT(mount, "subPath"), expr = TEXT(mount, "subPathExpr");
	const struct json *devices = GET(container, "volumeDevices");
	if (item_named(devices, "name", TEXT(mount, "name")))
		bad_text(v, MEMBER(at, "name"), TEXT(mount, "name"),
			 "must not already exist in volumeDevices");
	if (item_named(devices, "devicePath", TEXT(mount, "mountPath")))
		bad_text(v, MEMBER(at, "mountPath"), TEXT(mount, "mountPath"),
			 "must not already exist as a path in volumeDevices");
	if (sub.len > 0)
		check_descending_path(v, MEMBER(list_at, "subPath"), sub);
	if (expr.len > 0 && sub.len > 0)
		bad_text(v, MEMBER(at, "subPathExpr"), expr,
			 "subPathExpr and subPath are mutually exclusive");
	if (expr.len > 0)
		check_descending_path(v, MEMBER(list_at, "subPathExpr"), expr);
	check_propagation(v, MEMBER(list_at, "mountPropagation"), mount, container);
	check_recursive(v, MEMBER(list_at, "recursiveReadOnly"), mount);
}

void check_mounts(struct check *v, const struct path *at, const struct json *container,
		  const struct pod_check *pod)
{
	const struct json *list = GET(container, "volumeMounts");
	FOR_ITEMS(i, mount, list)
	{
		const struct path *here = ITEM(at, i);
		struct str name = TEXT(mount, "name"), path = TEXT(mount, "mountPath");
		check_required(v, MEMBER(here, "name"), name);
		if (!item_named(pod->volumes, "name", name))
			not_found(v, MEMBER(here, "name"), name, "%s", "");
		check_required(v, MEMBER(here, "mountPath"), path);
		if (is_text_repeated(v, list, i, "mountPath"))
			bad_text(v, MEMBER(here, "mountPath"), path, "must be unique");
		check_mount(v, here, at, mount, container);
	}
}

static void check_device_path(struct check *v, const struct path *at, const struct json *list,
			      size_t i)
{
	struct str path = TEXT(json_at(list, i), "devicePath"), part, rest = path;
	check_required(v, at, path);
	if (path.len > 0 && is_text_repeated(v, list, i, "devicePath"))
		bad_text(v, at, path, "must be unique");
	for (bool more = path.len > 0; more;) {
		more = str_cut(rest, '/', &part, &rest);
		if (!str_is(part, ".."))
			continue;
		bad_text(v, at, path, "can not contain backsteps ('..')");
		break;
	}
}

void check_devices(struct check *v, const struct path *at, const struct json *container,
		   const struct pod_check *pod)
{
	const struct json *list = GET(container, "volumeDevices");
	const struct json *mounts = GET(container, "volumeMounts");
	FOR_ITEMS(i, device, list)
	{
		const struct path *here = ITEM(at, i), *name_at = MEMBER(here, "name");
		struct str name = TEXT(device, "name"), path = TEXT(device, "devicePath");
		const struct json *volume = item_named(pod->volumes, "name", name);
		check_required(v, name_at, name);
		if (name.len > 0 && is_text_repeated(v, list, i, "name"))
			bad_text(v, name_at, name, "must be unique");
		if (volume && !GET(volume, "persistentVolumeClaim") && !GET(volume, "ephemeral"))
			bad_text(v, name_at, name,
				 "can only use volume source type of PersistentVolumeClaim or "
				 "Ephemeral "
				 "for block mode");
		if (!volume)
			not_found(v, name_at, name, "%s", "");
		check_device_path(v, MEMBER(here, "devicePath"), list, i);
		if (item_named(mounts, "name", name))
			bad_text(v, name_at, name, "must not already exist in volumeMounts");
		if (item_named(mounts, "mountPath", path))
			bad_text(v, MEMBER(here, "devicePath"), path,
				 "must not already exist as a path in volumeMounts");
	}
}
