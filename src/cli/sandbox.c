#include "cli/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* Names that this kernel or machine has not are passed over. */
static const char *const allowed[] = {
	/* files */
	"access",
	"chmod",
	"chown",
	"close",
	"close_range",
	"copy_file_range",
	"dup",
	"dup2",
	"dup3",
	"faccessat",
	"faccessat2",
	"fadvise64",
	"fallocate",
	"fchmod",
	"fchmodat",
	"fchown",
	"fchownat",
	"fcntl",
	"fdatasync",
	"flock",
	"fstat",
	"fstatfs",
	"fsync",
	"ftruncate",
	"getcwd",
	"getdents",
	"getdents64",
	"inotify_add_watch",
	"inotify_init1",
	"inotify_rm_watch",
	"ioctl",
	"link",
	"linkat",
	"lseek",
	"lstat",
	"mkdir",
	"mkdirat",
	"newfstatat",
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
	"rename",
	"renameat",
	"renameat2",
	"rmdir",
	"sendfile",
	"stat",
	"statfs",
	"statx",
	"symlink",
	"symlinkat",
	"sync_file_range",
	"truncate",
	"umask",
	"unlink",
	"unlinkat",
	"utime",
	"utimensat",
	"utimes",
	"write",
	"writev",
	/* memory */
	"brk",
	"madvise",
	"membarrier",
	"mincore",
	"mmap",
	"mprotect",
	"mremap",
	"msync",
	"munmap",
	/* threads and signals; clone has a rule of its own */
	"arch_prctl",
	"exit",
	"exit_group",
	"futex",
	"futex_waitv",
	"get_robust_list",
	"getpid",
	"getppid",
	"gettid",
	"prctl",
	"restart_syscall",
	"rseq",
	"rt_sigaction",
	"rt_sigpending",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigtimedwait",
	"sched_getaffinity",
	"sched_getparam",
	"sched_getscheduler",
	"sched_yield",
	"set_robust_list",
	"set_tid_address",
	"sigaltstack",
	"signalfd4",
	"tgkill",
	/* time and chance */
	"clock_getres",
	"clock_gettime",
	"clock_nanosleep",
	"getrandom",
	"gettimeofday",
	"nanosleep",
	"time",
	"timerfd_create",
	"timerfd_gettime",
	"timerfd_settime",
	"times",
	/* waiting */
	"epoll_create",
	"epoll_create1",
	"epoll_ctl",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_wait",
	"eventfd",
	"eventfd2",
	"poll",
	"ppoll",
	"pselect6",
	"select",
	/* sockets; socket has a rule of its own */
	"accept",
	"accept4",
	"bind",
	"connect",
	"getpeername",
	"getsockname",
	"getsockopt",
	"listen",
	"recvfrom",
	"recvmmsg",
	"recvmsg",
	"sendmmsg",
	"sendmsg",
	"sendto",
	"setsockopt",
	"shutdown",
	"socketpair",
	/* about ourselves */
	"capget",
	"getegid",
	"geteuid",
	"getgid",
	"getgroups",
	"getpriority",
	"getresgid",
	"getresuid",
	"getrlimit",
	"getrusage",
	"getuid",
	"prlimit64",
	"sysinfo",
	"uname",
};

static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

#define NEW_NAMESPACES                                                                             \
	((unsigned long)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |             \
			 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET))

static int add_rules(scmp_filter_ctx filter)
{
	int failed = 0;
	for (size_t i = 0; i < ARRAY_LEN(allowed) && !failed; i++) {
		int number = seccomp_syscall_resolve_name(allowed[i]);
		if (number != __NR_SCMP_ERROR)
			failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(families) && !failed; i++)
		failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	if (!failed)
		failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
					  SCMP_A0(SCMP_CMP_MASKED_EQ, NEW_NAMESPACES, 0));
	return failed;
}

static enum rc filter_calls(struct err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (!filter)
		return err_set(err, RC_INTERNAL, "sandbox: no memory for the filter");
	int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
	if (!failed)
		failed = add_rules(filter);
	if (!failed)
		failed = seccomp_load(filter); /* sets no-new-privileges too */
	seccomp_release(filter);
	return failed ? err_sys(err, RC_UNAVAILABLE, -failed,
				"sandbox: the kernel does not take the filter of system calls "
				"(--sandbox=false does without)")
		      : RC_OK;
}

/* Not root: there is nothing to give up but what the process was given. */
static enum rc drop_capabilities(bool binds_low_ports, struct err *err)
{
	capng_get_caps_process();
	bool has_set = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) > 0;
	bool keeps = binds_low_ports &&
		     capng_have_capability(CAPNG_PERMITTED, CAP_NET_BIND_SERVICE) > 0;
	capng_clear(CAPNG_SELECT_BOTH);
	if (keeps)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_BIND_SERVICE);
	if (capng_apply(has_set ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) == 0)
		return RC_OK;
	return err_set(err, RC_UNAVAILABLE,
		       "sandbox: capabilities cannot be given up (--sandbox=false does without)");
}

enum rc sandbox_enter(bool binds_low_ports, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_sys(err, RC_UNAVAILABLE, errno, "sandbox: no-new-privileges");
	TRY(drop_capabilities(binds_low_ports, err));
	return filter_calls(err);
}
