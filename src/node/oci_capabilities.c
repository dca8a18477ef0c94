#include "node/oci_capabilities.h"

#include "base/mem.h"

/* In the kernel's order (include/uapi/linux/capability.h). */
static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

#define BIT(number) (1ull << (number))

const uint64_t capabilities_all = BIT(ARRAY_LEN(names)) - 1;
/* CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT
 * MKNOD AUDIT_WRITE SETFCAP */
const uint64_t capabilities_default = BIT(0) | BIT(1) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) |
				      BIT(8) | BIT(10) | BIT(13) | BIT(18) | BIT(27) | BIT(29) |
				      BIT(31);

const char *capability_name(int number)
{
	return number >= 0 && (size_t)number < ARRAY_LEN(names) ? names[number] : NULL;
}

int capability_number(struct str name)
{
	if (name.len > 4 && str_eq_nocase(str_n(name.at, 4), STR("CAP_")))
		name = str_skip(name, 4);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq_nocase(name, str_of(names[i] + 4)))
			return (int)i;
	}
	return -1;
}

static bool is_all(struct str name)
{
	return str_eq_nocase(name, STR("ALL"));
}

static bool list_has_all(const struct str *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_all(list[i]))
			return true;
	}
	return false;
}

static enum rc list_mask(const struct str *list, size_t count, uint64_t *ret_mask, struct err *err)
{
	*ret_mask = 0;
	for (size_t i = 0; i < count; i++) {
		int number = capability_number(list[i]);
		if (is_all(list[i]))
			continue;
		if (number < 0)
			return err_set(err, RC_INVALID, "unknown capability \"CAP_%.*s\"",
				       STR_FMT(list[i]));
		*ret_mask |= BIT(number);
	}
	return RC_OK;
}

enum rc capabilities_of(const struct runtime_security *security, uint64_t *ret_set, struct err *err)
{
	uint64_t add, drop, set = capabilities_default;
	const struct runtime_security *s = security;
	if (s->is_privileged) {
		*ret_set = capabilities_all;
		return RC_OK;
	}
	TRY(list_mask(s->capabilities_add, s->capability_add_count, &add, err));
	TRY(list_mask(s->capabilities_drop, s->capability_drop_count, &drop, err));
	if (list_has_all(s->capabilities_add, s->capability_add_count))
		set = capabilities_all;
	if (list_has_all(s->capabilities_drop, s->capability_drop_count))
		set = 0;
	*ret_set = (set | add) & ~drop;
	return RC_OK;
}
