/* A process without a C library: the entry point, system calls, and the argv protocol of both stubs.
 *
 *   argv[0]   "firkin-exec:N"   N is the status pipe's descriptor, in decimal
 *   argv[1]   the path to execute (no search in PATH)
 *   argv[2:]  what the program sees as its argv
 *
 * The pipe closes when the program's execve succeeds. When it fails, four bytes of errno (native order)
 * come through it and the exit code is 127 (no such file) or 126 (anything else).
 *
 * An image whose program, #! line or ELF interpreter is /proc/self/exe gets the stub itself. Then argv[0] is not ours
 * and the stub says so and ends; should an image forge argv[0], each round takes two arguments away, so it ends too.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/signal.h>
#include <linux/types.h>
#include <asm/ioctls.h>
#include <asm/unistd.h>

#ifdef __x86_64__
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");

static inline long sys(long nr, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: mov x29, #0\n mov x30, #0\n mov x0, sp\n b begin\n");

static inline long sys(long nr, long a, long b, long c, long d, long e)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
#else
#error "no entry point for this machine"
#endif

static inline void leave(int code)
{
    for (;;)
        sys(__NR_exit_group, code, 0, 0, 0, 0);
}

/* Close the status pipe at the program's execve. A seccomp policy may refuse fcntl or even ioctl: then close it at
 * once, so that nobody waits; a failure is still told by the exit code. */
static inline void close_on_exec(int fd)
{
    if (sys(__NR_fcntl, fd, F_SETFD, FD_CLOEXEC, 0, 0) < 0 && sys(__NR_ioctl, fd, FIOCLEX, 0, 0, 0) < 0)
        sys(__NR_close, fd, 0, 0, 0, 0);
}

static inline void fail(int status, int error)
{
    sys(__NR_write, status, (long)&error, sizeof error, 0, 0);
    leave(error == ENOENT ? 127 : 126);
}

/* Return the status descriptor from argv[0], or end: we are not who the caller thinks we are. */
static inline int status_descriptor(long argc, char **argv)
{
    static const char magic[] = "firkin-exec:";
    static const char refusal[] = "firkin: /proc/self/exe cannot be a container's program\n";
    unsigned i = 0, fd = 0, digits = 0;

    if (argc >= 3) {
        while (magic[i] && argv[0][i] == magic[i])
            i++;
        if (!magic[i])
            for (; argv[0][i] >= '0' && argv[0][i] <= '9' && digits < 7; i++, digits++)
                fd = fd * 10 + (argv[0][i] - '0');
        if (digits && !argv[0][i])
            return fd;
    }
    sys(__NR_write, 2, (long)refusal, sizeof refusal - 1, 0, 0);
    leave(126);
    return -1;
}
