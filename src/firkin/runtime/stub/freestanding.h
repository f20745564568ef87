/* A process without a C library: the entry point, system calls, and the argv protocol of both stubs.
 *
 *   argv[0]   "firkin-exec:S" or "firkin-exec:S:P:N:F", decimal numbers: S is the status pipe's descriptor; P a
 *             descriptor of a seccomp program of N instructions, to be loaded with flags F as late as can be
 *   argv[1]   the path to execute (no search in PATH)
 *   argv[2:]  what the program sees as its argv
 *
 * The pipe closes when the program's execve succeeds. When it fails, four bytes of errno (native order)
 * come through it and the exit code is 127 (no such file) or 126 (anything else). A seccomp program that the kernel
 * does not take (no_new_privs must be set) is told in the same way, as errno + FILTER_REFUSED.
 *
 * An image whose program, #! line or ELF interpreter is /proc/self/exe gets the stub itself. Then argv[0] is not ours
 * and the stub says so and ends; should an image forge argv[0], each round takes two arguments away, so it ends too.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
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

enum { STATUS, PROGRAM, INSTRUCTIONS, FLAGS, NUMBERS };
#define FILTER_REFUSED 0x10000

/* Read the numbers of argv[0], or end: we are not who the caller thinks we are. PROGRAM is -1 when there is none. */
static inline void orders(int numbers[NUMBERS], long argc, char **argv)
{
    static const char magic[] = "firkin-exec";
    static const char refusal[] = "firkin: /proc/self/exe cannot be a container's program\n";
    const char *at = argv[0];
    int given = 0;

    numbers[PROGRAM] = -1;
    if (argc >= 3) {
        for (const char *expected = magic; *expected && *at == *expected; expected++)
            at++;
        if (at - argv[0] == sizeof magic - 1)
            while (given < NUMBERS && at[0] == ':' && at[1] >= '0' && at[1] <= '9') {
                numbers[given] = 0;
                for (at++; *at >= '0' && *at <= '9'; at++)
                    numbers[given] = numbers[given] * 10 + (*at - '0');
                given++;
            }
        if (!*at && (given == 1 || given == NUMBERS))
            return;
    }
    sys(__NR_write, 2, (long)refusal, sizeof refusal - 1, 0, 0);
    leave(126);
}

/* Confine this process from here on. */
static inline void confine(const int numbers[NUMBERS])
{
    struct sock_filter program[BPF_MAXINSNS];
    struct sock_fprog whole = {.len = numbers[INSTRUCTIONS], .filter = program};
    long size = numbers[INSTRUCTIONS] * sizeof program[0], result = -EINVAL;

    if (size <= (long)sizeof program)
        result = sys(__NR_pread64, numbers[PROGRAM], (long)program, size, 0, 0);
    sys(__NR_close, numbers[PROGRAM], 0, 0, 0, 0);
    if (result >= 0)
        result = result == size ? sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, numbers[FLAGS], (long)&whole, 0, 0) : -EIO;
    if (result < 0)
        fail(numbers[STATUS], -result | FILTER_REFUSED);
}
