/* The last step before a container's program: /proc/self/exe is this stub, in a sealed memfd, and never
 * the host's interpreter (CVE-2019-5736). freestanding.h has the protocol. */
#include "freestanding.h"

void begin(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1);
    char **envp = argv + argc + 1;
    int numbers[NUMBERS];

    orders(numbers, argc, argv);
    close_on_exec(numbers[STATUS]);
    if (numbers[PROGRAM] >= 0)
        confine(numbers);
    fail(numbers[STATUS], -sys(__NR_execve, (long)argv[1], (long)(argv + 2), (long)envp, 0, 0));
}
