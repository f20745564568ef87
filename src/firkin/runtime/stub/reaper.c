/* `--init`: process 1 of a container that forks the program, hands it every signal, buries every orphan, and ends
 * with the program's code (128+n for signal n). freestanding.h has the protocol.
 *
 *   reaper (pid 1, session leader)        program (own process group, the terminal's foreground group)
 *   block all signals
 *   clone ------------------------------> setpgid, TIOCSPGRP, unblock, execve
 *   close the descriptors above 2
 *   loop: sigwait -> SIGCHLD: wait4 all; anything else: kill(program, signal)
 */
#include "freestanding.h"
#include <linux/prctl.h>
#include <linux/wait.h>

typedef unsigned long mask; /* the kernel's sigset_t, 64 signals */
#define BIT(signal) (1UL << ((signal) - 1))

/* A fault of our own must kill us at once, and not be put off. */
#define FAULTS (BIT(SIGFPE) | BIT(SIGILL) | BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGABRT) | BIT(SIGTRAP) | BIT(SIGSYS))

static inline void become(int status, char **argv, char **envp, mask before)
{
    int group;

    sys(__NR_setpgid, 0, 0, 0, 0, 0);
    group = sys(__NR_getpid, 0, 0, 0, 0, 0);
    /* ^C must reach the program, not us. Without a terminal this fails, and that is right. SIGTTOU is blocked here. */
    sys(__NR_ioctl, 0, TIOCSPGRP, (long)&group, 0, 0);
    sys(__NR_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof(mask), 0);
    fail(status, -sys(__NR_execve, (long)argv[1], (long)(argv + 2), (long)envp, 0, 0));
}

/* Bury the dead; when the program is among them, end as it did. */
static inline void bury(int program)
{
    int how, dead;

    while ((dead = sys(__NR_wait4, -1, (long)&how, WNOHANG | __WALL, 0, 0)) > 0)
        if (dead == program)
            leave(how & 0x7f ? 128 + (how & 0x7f) : (how >> 8) & 0xff);
}

void begin(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1);
    char **envp = argv + argc + 1;
    int numbers[NUMBERS];
    mask wanted = ~FAULTS, before;
    int status, program, signal;

    orders(numbers, argc, argv);
    status = numbers[STATUS];
    close_on_exec(status);
    if (numbers[PROGRAM] >= 0)
        confine(numbers);
    sys(__NR_prctl, PR_SET_NAME, (long)"firkin-init", 0, 0, 0);
    sys(__NR_rt_sigprocmask, SIG_SETMASK, (long)&wanted, (long)&before, sizeof(mask), 0);
    if (sys(__NR_getpid, 0, 0, 0, 0, 0) != 1) /* --pid host: orphans still come to us */
        sys(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    program = sys(__NR_clone, SIGCHLD, 0, 0, 0, 0);
    if (program < 0)
        fail(status, -program);
    if (program == 0)
        become(status, argv, envp, before);
    if (sys(__NR_close_range, 3, ~0U, 0, 0, 0) < 0) /* what the program inherited is not ours to keep open */
        sys(__NR_close, status, 0, 0, 0, 0);
    for (;;) {
        signal = sys(__NR_rt_sigtimedwait, (long)&wanted, 0, 0, sizeof(mask), 0);
        if (signal > 0 && signal != SIGCHLD)
            sys(__NR_kill, program, signal, 0, 0, 0);
        bury(program);
    }
}
