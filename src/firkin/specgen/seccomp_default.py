"""The default seccomp policy: what a container may ask of the kernel, by purpose. Data, and a function that picks.

Equal in effect to the default profile of Docker Engine 28 (checked call by call in tests/kernel/confinement), with one
difference on purpose: AF_ALG sockets are refused too, as Docker does since 29 (CVE-2026-31431, "copy fail").

    allowed           everything in EVERYBODY, and what the container's capabilities bring (BY_CAPABILITY)
    refused (EPERM)   the rest: keyrings, kexec, swap, modules, namespaces, mounts, io_uring, userfaultfd, NUMA moves...
    ENOSYS            clone3, whose flags are in memory where no filter sees them: libc then uses clone; and calls
                      that are newer than this list (the compiler's doing)
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FILES = """
    access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
    fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl
    fcntl64 fdatasync flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd
    getdents getdents64 inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lchown32 link
    linkat listmount _llseek lseek lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open
    openat openat2 readahead readlink readlinkat rename renameat renameat2 rmdir stat stat64 statfs statfs64
    statmount statx symlink symlinkat sync sync_file_range syncfs truncate truncate64 umask unlink unlinkat utime
    utimensat utimensat_time64 utimes
"""
_XATTRS = """
    fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr
    lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat
"""
_TRANSFER = """
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
    eventfd2 io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect pipe
    pipe2 poll ppoll ppoll_time64 pread64 preadv preadv2 pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read
    readv select sendfile sendfile64 splice tee vmsplice write writev
"""
_SOCKETS = """
    accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64
    recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair
"""
_MEMORY = """
    brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap
    mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages
"""
_PROCESSES = """
    execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake
    get_robust_list get_thread_area getcpu getitimer getpgid getpgrp getpid getppid getpriority getrlimit getrusage
    getsid gettid ioprio_get ioprio_set kill nanosleep pause pidfd_open pidfd_send_signal prctl prlimit64
    process_mrelease restart_syscall rseq sched_get_priority_max sched_get_priority_min sched_getaffinity
    sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
    sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield set_robust_list set_thread_area
    set_tid_address setitimer setpgid setpriority setrlimit setsid tgkill times tkill ugetrlimit uretprobe vfork
    wait4 waitid waitpid
"""
_SIGNALS = """
    alarm rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
    rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd signalfd4 sigprocmask sigreturn
"""
_IDENTITY = """
    capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32
    getresuid getresuid32 getuid getuid32 landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp
    setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid
    setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32
"""
_TIME = """
    adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 gettimeofday time timer_create timer_delete timer_getoverrun
    timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
    timerfd_settime timerfd_settime64
"""
_SYSTEM_V_AND_POSIX_IPC = """
    ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
    mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
"""
_MACHINE = "getrandom sysinfo uname"

EVERYBODY = " ".join((
    _FILES, _XATTRS, _TRANSFER, _SOCKETS, _MEMORY, _PROCESSES, _SIGNALS, _IDENTITY, _TIME, _SYSTEM_V_AND_POSIX_IPC,
    _MACHINE,
))  # fmt: skip

BY_MACHINE = {
    "x86_64": "arch_prctl modify_ldt",
    "aarch64": "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2",
}
ARCHITECTURES = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
}

# Looking into other processes of the container. Before 4.8 a tracer could change a call after the filter had seen it.
TRACING = "process_vm_readv process_vm_writev ptrace"
TRACING_SINCE = (4, 8)

BY_CAPABILITY = {
    "CAP_BPF": "bpf",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_PERFMON": "perf_event_open",
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
        lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
        sethostname setns syslog umount umount2 unshare
    """,
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module finit_module init_module",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_TIME": "clock_settime clock_settime64 settimeofday stime",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYSLOG": "syslog",
}

# CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET: threads and processes yes, namespaces no.
NAMESPACE_FLAGS = 0x7E020000
AF_ALG, AF_VSOCK = 38, 40  # the kernel's crypto; the hypervisor, past all network namespaces
# PER_LINUX, PER_LINUX32, UNAME26 with either, and "what is it now?"
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)

_ENOSYS = 38
_EPERM = 1
_ALLOW = "SCMP_ACT_ALLOW"


def default_profile(caps: set[str], arch: str, kernel_version: tuple[int, int]) -> dict[str, Any]:
    """Return linux.seccomp for a container with ``caps`` (its bounding set) on ``arch`` (uname's machine)."""
    names = [
        EVERYBODY,
        BY_MACHINE.get(arch, ""),
        *(BY_CAPABILITY[c] for c in sorted(BY_CAPABILITY) if c in caps),
    ]
    if kernel_version >= TRACING_SINCE:
        names.append(TRACING)
    rules: list[dict[str, Any]] = [{"names": " ".join(names).split(), "action": _ALLOW}]
    rules += [_when("socket", op, value) for op, value in _SOCKET_FAMILIES]
    rules += [_when("personality", "EQ", value) for value in PERSONALITIES]
    if "CAP_SYS_ADMIN" not in caps:
        rules.append(_when("clone", "MASKED_EQ", NAMESPACE_FLAGS))
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "architectures": list(ARCHITECTURES.get(arch, ())),
        "syscalls": rules,
    }


_SOCKET_FAMILIES = (("LT", AF_ALG), ("EQ", AF_ALG + 1), ("GT", AF_VSOCK))


def _when(name: str, op: str, value: int) -> dict[str, Any]:
    """One call, allowed when its first argument compares so (MASKED_EQ: has none of the bits)."""
    compared = {"index": 0, "value": value, "op": f"SCMP_CMP_{op}"}
    if op == "MASKED_EQ":
        compared["valueTwo"] = 0
    return {"names": [name], "action": _ALLOW, "args": [compared]}
