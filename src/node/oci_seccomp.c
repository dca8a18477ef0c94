#include "node/oci_seccomp.h"

#include <errno.h>
#include <sched.h>

#include "base/mem.h"
#include "node/oci_capabilities.h"

/* Always allowed, by subject.  Names that the kernel or libseccomp does not know are skipped. */
static const char *const calls_always[] = {
	/* files */
	"access",
	"chdir",
	"chmod",
	"chown",
	"chown32",
	"close",
	"close_range",
	"copy_file_range",
	"creat",
	"dup",
	"dup2",
	"dup3",
	"faccessat",
	"faccessat2",
	"fadvise64",
	"fadvise64_64",
	"fallocate",
	"fchdir",
	"fchmod",
	"fchmodat",
	"fchmodat2",
	"fchown",
	"fchown32",
	"fchownat",
	"fcntl",
	"fcntl64",
	"fdatasync",
	"fgetxattr",
	"flistxattr",
	"flock",
	"fremovexattr",
	"fsetxattr",
	"fstat",
	"fstat64",
	"fstatat64",
	"fstatfs",
	"fstatfs64",
	"fsync",
	"ftruncate",
	"ftruncate64",
	"futimesat",
	"getcwd",
	"getdents",
	"getdents64",
	"getxattr",
	"getxattrat",
	"inotify_add_watch",
	"inotify_init",
	"inotify_init1",
	"inotify_rm_watch",
	"ioctl",
	"lchown",
	"lchown32",
	"lgetxattr",
	"link",
	"linkat",
	"listxattr",
	"listxattrat",
	"llistxattr",
	"_llseek",
	"lremovexattr",
	"lseek",
	"lsetxattr",
	"lstat",
	"lstat64",
	"mkdir",
	"mkdirat",
	"mknod",
	"mknodat",
	"name_to_handle_at",
	"newfstatat",
	"_newselect",
	"open",
	"openat",
	"openat2",
	"pipe",
	"pipe2",
	"pread64",
	"preadv",
	"preadv2",
	"pwrite64",
	"pwritev",
	"pwritev2",
	"read",
	"readahead",
	"readlink",
	"readlinkat",
	"readv",
	"removexattr",
	"removexattrat",
	"rename",
	"renameat",
	"renameat2",
	"rmdir",
	"sendfile",
	"sendfile64",
	"setxattr",
	"setxattrat",
	"splice",
	"stat",
	"stat64",
	"statfs",
	"statfs64",
	"statx",
	"symlink",
	"symlinkat",
	"sync",
	"sync_file_range",
	"syncfs",
	"tee",
	"truncate",
	"truncate64",
	"umask",
	"unlink",
	"unlinkat",
	"utime",
	"utimensat",
	"utimensat_time64",
	"utimes",
	"vmsplice",
	"write",
	"writev",
	"cachestat",
	/* waiting */
	"epoll_create",
	"epoll_create1",
	"epoll_ctl",
	"epoll_ctl_old",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_wait",
	"epoll_wait_old",
	"eventfd",
	"eventfd2",
	"io_cancel",
	"io_destroy",
	"io_getevents",
	"io_pgetevents",
	"io_pgetevents_time64",
	"io_setup",
	"io_submit",
	"poll",
	"ppoll",
	"ppoll_time64",
	"pselect6",
	"pselect6_time64",
	"select",
	"signalfd",
	"signalfd4",
	"timerfd_create",
	"timerfd_gettime",
	"timerfd_gettime64",
	"timerfd_settime",
	"timerfd_settime64",
	/* memory */
	"brk",
	"get_mempolicy_home_node",
	"madvise",
	"map_shadow_stack",
	"membarrier",
	"memfd_create",
	"memfd_secret",
	"mincore",
	"mlock",
	"mlock2",
	"mlockall",
	"mmap",
	"mmap2",
	"mprotect",
	"mremap",
	"mseal",
	"msync",
	"munlock",
	"munlockall",
	"munmap",
	"pkey_alloc",
	"pkey_free",
	"pkey_mprotect",
	"process_mrelease",
	"remap_file_pages",
	"set_thread_area",
	"get_thread_area",
	/* processes and threads */
	"alarm",
	"arch_prctl",
	"capget",
	"capset",
	"execve",
	"execveat",
	"exit",
	"exit_group",
	"fork",
	"futex",
	"futex_requeue",
	"futex_time64",
	"futex_wait",
	"futex_waitv",
	"futex_wake",
	"get_robust_list",
	"getcpu",
	"getegid",
	"getegid32",
	"geteuid",
	"geteuid32",
	"getgid",
	"getgid32",
	"getgroups",
	"getgroups32",
	"getitimer",
	"getpgid",
	"getpgrp",
	"getpid",
	"getppid",
	"getpriority",
	"getresgid",
	"getresgid32",
	"getresuid",
	"getresuid32",
	"getrlimit",
	"getrusage",
	"getsid",
	"gettid",
	"getuid",
	"getuid32",
	"ioprio_get",
	"ioprio_set",
	"kill",
	"landlock_add_rule",
	"landlock_create_ruleset",
	"landlock_restrict_self",
	"modify_ldt",
	"pause",
	"pidfd_open",
	"pidfd_send_signal",
	"prctl",
	"prlimit64",
	"restart_syscall",
	"rseq",
	"sched_get_priority_max",
	"sched_get_priority_min",
	"sched_getaffinity",
	"sched_getattr",
	"sched_getparam",
	"sched_getscheduler",
	"sched_rr_get_interval",
	"sched_rr_get_interval_time64",
	"sched_setaffinity",
	"sched_setattr",
	"sched_setparam",
	"sched_setscheduler",
	"sched_yield",
	"seccomp",
	"set_robust_list",
	"set_tid_address",
	"setfsgid",
	"setfsgid32",
	"setfsuid",
	"setfsuid32",
	"setgid",
	"setgid32",
	"setgroups",
	"setgroups32",
	"setitimer",
	"setpgid",
	"setpriority",
	"setregid",
	"setregid32",
	"setresgid",
	"setresgid32",
	"setresuid",
	"setresuid32",
	"setreuid",
	"setreuid32",
	"setrlimit",
	"setsid",
	"setuid",
	"setuid32",
	"sigaltstack",
	"sigprocmask",
	"sigreturn",
	"rt_sigaction",
	"rt_sigpending",
	"rt_sigprocmask",
	"rt_sigqueueinfo",
	"rt_sigreturn",
	"rt_sigsuspend",
	"rt_sigtimedwait",
	"rt_sigtimedwait_time64",
	"rt_tgsigqueueinfo",
	"tgkill",
	"tkill",
	"uname",
	"ugetrlimit",
	"vfork",
	"wait4",
	"waitid",
	"waitpid",
	"sysinfo",
	"times",
	/* sockets */
	"accept",
	"accept4",
	"bind",
	"connect",
	"getpeername",
	"getsockname",
	"getsockopt",
	"listen",
	"recv",
	"recvfrom",
	"recvmmsg",
	"recvmmsg_time64",
	"recvmsg",
	"send",
	"sendmmsg",
	"sendmsg",
	"sendto",
	"setsockopt",
	"shutdown",
	"socketcall",
	"socketpair",
	/* System V and POSIX IPC */
	"ipc",
	"mq_getsetattr",
	"mq_notify",
	"mq_open",
	"mq_timedreceive",
	"mq_timedreceive_time64",
	"mq_timedsend",
	"mq_timedsend_time64",
	"mq_unlink",
	"msgctl",
	"msgget",
	"msgrcv",
	"msgsnd",
	"semctl",
	"semget",
	"semop",
	"semtimedop",
	"semtimedop_time64",
	"shmat",
	"shmctl",
	"shmdt",
	"shmget",
	/* time and chance */
	"adjtimex",
	"clock_adjtime",
	"clock_adjtime64",
	"clock_getres",
	"clock_getres_time64",
	"clock_gettime",
	"clock_gettime64",
	"clock_nanosleep",
	"clock_nanosleep_time64",
	"getrandom",
	"gettimeofday",
	"nanosleep",
	"time",
	"timer_create",
	"timer_delete",
	"timer_getoverrun",
	"timer_gettime",
	"timer_gettime64",
	"timer_settime",
	"timer_settime64",
#if defined(__aarch64__)
	"arm_fadvise64_64",
	"arm_sync_file_range",
	"breakpoint",
	"cacheflush",
	"set_tls",
	"sync_file_range2",
#endif
	NULL,
};

static const char *const calls_ptrace[] = {"process_vm_readv", "process_vm_writev", "ptrace", NULL};

/* What a capability is for. */
static const struct {
	const char *capability;
	const char *calls[24];
} calls_capability[] = {
	{"CAP_DAC_READ_SEARCH", {"open_by_handle_at"}},
	{"CAP_SYS_ADMIN",
	 {"bpf",	   "clone",	    "clone3",	   "fanotify_init",   "fsconfig",
	  "fsmount",	   "fsopen",	    "fspick",	   "lookup_dcookie",  "mount",
	  "mount_setattr", "move_mount",    "open_tree",   "perf_event_open", "quotactl",
	  "quotactl_fd",   "setdomainname", "sethostname", "setns",	      "syslog",
	  "umount",	   "umount2",	    "unshare"}},
	{"CAP_SYS_BOOT", {"reboot"}},
	{"CAP_SYS_CHROOT", {"chroot"}},
	{"CAP_SYS_MODULE", {"delete_module", "finit_module", "init_module"}},
	{"CAP_SYS_PACCT", {"acct"}},
	{"CAP_SYS_PTRACE", {"kcmp", "pidfd_getfd", "process_madvise"}},
	{"CAP_SYS_RAWIO", {"ioperm", "iopl"}},
	{"CAP_SYS_TIME", {"clock_settime", "clock_settime64", "settimeofday", "stime"}},
	{"CAP_SYS_TTY_CONFIG", {"vhangup"}},
	{"CAP_SYS_NICE", {"get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"}},
	{"CAP_SYSLOG", {"syslog"}},
	{"CAP_BPF", {"bpf"}},
	{"CAP_PERFMON", {"perf_event_open"}},
};

#define CLONE_NAMESPACES                                                                           \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

/* personality(2): Linux, the two of 32 bits, and the query. */
static const int64_t personalities[] = {0x0, 0x0008, 0x20000, 0x20008, 0xffffffff};

static struct json *rule_new(struct arena *a, struct json *rules, const char *action)
{
	struct json *rule = json_object(a);
	json_set(a, rule, STR("names"), json_array(a));
	json_set_str(a, rule, STR("action"), str_of(action));
	json_append(a, rules, rule);
	return rule;
}

static void rule_names(struct arena *a, struct json *rule, const char *const *names, size_t most)
{
	struct json *list = json_get(rule, STR("names"));
	for (size_t i = 0; i < most && names[i]; i++)
		json_append(a, list, json_cstring(a, names[i]));
}

static void rule_argument(struct arena *a, struct json *rule, int index, const char *op,
			  int64_t value, int64_t value_two)
{
	struct json *arguments = json_array(a), *argument = json_object(a);
	json_set(a, argument, STR("index"), json_int(a, index));
	json_set(a, argument, STR("value"), json_int(a, value));
	if (value_two >= 0)
		json_set(a, argument, STR("valueTwo"), json_int(a, value_two));
	json_set_str(a, argument, STR("op"), str_of(op));
	json_append(a, arguments, argument);
	json_set(a, rule, STR("args"), arguments);
}

static void rule_one(struct arena *a, struct json *rules, const char *name, int index,
		     const char *op, int64_t value, int64_t value_two)
{
	struct json *rule = rule_new(a, rules, "SCMP_ACT_ALLOW");
	rule_names(a, rule, &name, 1);
	rule_argument(a, rule, index, op, value, value_two);
}

static void capability_rules(struct arena *a, struct json *rules, uint64_t capabilities)
{
	for (size_t i = 0; i < ARRAY_LEN(calls_capability); i++) {
		int number = capability_number(str_of(calls_capability[i].capability));
		ASSERT(number >= 0);
		if (capabilities & 1ull << number)
			rule_names(a, rule_new(a, rules, "SCMP_ACT_ALLOW"),
				   calls_capability[i].calls, ARRAY_LEN(calls_capability[i].calls));
	}
}

static void clone_rules(struct arena *a, struct json *rules, uint64_t capabilities)
{
	const char *clone3 = "clone3";
	if (capabilities & 1ull << capability_number(STR("CAP_SYS_ADMIN")))
		return;
	rule_one(a, rules, "clone", 0, "SCMP_CMP_MASKED_EQ", CLONE_NAMESPACES, 0);
	struct json *rule = rule_new(a, rules, "SCMP_ACT_ERRNO");
	rule_names(a, rule, &clone3, 1);
	json_set(a, rule, STR("errnoRet"), json_int(a, ENOSYS));
}

static struct json *architectures(struct arena *a)
{
#if defined(__aarch64__)
	static const char *const names[] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
	static const char *const names[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#endif
	struct json *list = json_array(a);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		json_append(a, list, json_cstring(a, names[i]));
	return list;
}

struct json *oci_seccomp_default(struct arena *a, uint64_t capabilities)
{
	struct json *profile = json_object(a), *rules = json_array(a);
	json_set_str(a, profile, STR("defaultAction"), STR("SCMP_ACT_ERRNO"));
	json_set(a, profile, STR("defaultErrnoRet"), json_int(a, EPERM));
	json_set(a, profile, STR("architectures"), architectures(a));
	json_set(a, profile, STR("syscalls"), rules);
	struct json *always = rule_new(a, rules, "SCMP_ACT_ALLOW");
	rule_names(a, always, calls_always, ARRAY_LEN(calls_always));
	/* Safe since Linux 4.8, which checks rights anew after each stop. */
	rule_names(a, always, calls_ptrace, ARRAY_LEN(calls_ptrace));
	/* Any family but AF_VSOCK (40), through which the host of a virtual machine is reached. */
	rule_one(a, rules, "socket", 0, "SCMP_CMP_NE", 40, -1);
	for (size_t i = 0; i < ARRAY_LEN(personalities); i++)
		rule_one(a, rules, "personality", 0, "SCMP_CMP_EQ", personalities[i], -1);
	clone_rules(a, rules, capabilities);
	capability_rules(a, rules, capabilities);
	return profile;
}

enum rc oci_seccomp_parse(struct arena *a, struct str text, struct json **ret_profile,
			  struct err *err)
{
	if (json_parse(a, text, ret_profile, NULL, err) != RC_OK)
		return err_wrap(err, "seccomp profile");
	if (json_path_str(*ret_profile, "defaultAction").len == 0)
		return err_set(err, RC_INVALID, "seccomp profile: defaultAction is missing");
	return RC_OK;
}
