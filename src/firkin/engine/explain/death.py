"""Why a container that ran has ended: from its exit record alone. Pure.

The record is what the monitor wrote first at death (exit.json):
    exit_code int, signal int, oom bool, oom_report {level, limit, peak, kills}, killed_by str, last_output str,
    monitor_lost bool
"""

from __future__ import annotations

from firkin import units
from firkin.engine.explain.cause import Cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SIGNALS = {
    1: ("SIGHUP", "its terminal or parent went away"), 2: ("SIGINT", "somebody pressed ctrl-c"),
    3: ("SIGQUIT", "somebody asked it to quit with a core dump"), 4: ("SIGILL", "it ran an instruction that this CPU lacks"),
    5: ("SIGTRAP", "it hit a breakpoint or a compiler's trap"), 6: ("SIGABRT", "it aborted itself (a failed assertion, a double free)"),
    7: ("SIGBUS", "it touched memory that a file no longer backs"), 8: ("SIGFPE", "it divided by zero"),
    9: ("SIGKILL", "somebody killed it"), 11: ("SIGSEGV", "it touched memory that is not its own"),
    13: ("SIGPIPE", "it wrote to a pipe that nobody reads"), 14: ("SIGALRM", "its own alarm went off"),
    15: ("SIGTERM", "somebody asked it to end"), 24: ("SIGXCPU", "it used up its CPU time limit (--ulimit cpu)"),
    25: ("SIGXFSZ", "it wrote past its file size limit (--ulimit fsize)"),
    31: ("SIGSYS", "it made a system call that its seccomp profile kills for"),
}  # fmt: skip
FIXES = {
    4: "run it on a newer CPU, or use a build for older ones", 11: "get a core dump (--ulimit core=-1) and look at it with a debugger",
    13: "check what reads its output", 24: "raise --ulimit cpu", 25: "raise --ulimit fsize",
    31: "find the call with strace, then allow it with --security-opt seccomp=FILE",
}  # fmt: skip
USUAL = {
    1: "a general error of the program", 2: "wrong usage: it did not understand its arguments",
    64: "wrong usage (EX_USAGE)", 65: "bad input data (EX_DATAERR)", 66: "an input file is missing (EX_NOINPUT)",
    69: "a service that it needs is not available (EX_UNAVAILABLE)", 70: "an internal error of the program (EX_SOFTWARE)",
    71: "the system refused something (EX_OSERR)", 73: "an output file cannot be made (EX_CANTCREAT)", 74: "input or output failed (EX_IOERR)",
    75: "a temporary failure: try again (EX_TEMPFAIL)", 77: "permission denied (EX_NOPERM)", 78: "wrong configuration (EX_CONFIG)",
    124: "timeout(1) ended it", 125: "a container or timeout tool inside it failed",
    126: "a shell inside it found a program that cannot be executed", 127: "a shell inside it did not find a program, or a shared library is missing",
    255: "an error that the program gave as -1",
}  # fmt: skip
# What the last words of a program say -> what is behind them. Looked for in the last line of its output.
LAST_WORDS = (
    ("error while loading shared libraries", "library-missing", "a shared library is missing in the image", "install the library in the image"),
    ("Read-only file system", "read-only", "it wrote to a read-only file system", "add --tmpfs or -v for that path, or drop --read-only"),
    ("No space left on device", "disk-full", "a file system is full", "free space, or enlarge the tmpfs (size=)"),
    ("Address already in use", "address-in-use", "another program listens on that address", "use another port"),
    ("Operation not permitted", "not-permitted", "the kernel refused an operation: a capability is missing or seccomp forbids it",
     "see which with strace, then --cap-add that capability or relax --security-opt seccomp="),
    ("Permission denied", "permission-denied", "file permissions or a missing capability stopped it", "check the file's owner and mode, the user (-u) and --cap-add"),
    ("Cannot allocate memory", "no-memory", "it got no more memory", "raise --memory"),
    ("Resource temporarily unavailable", "try-again", "a limit on processes or memory was reached", "raise --pids-limit or --ulimit nproc"),
    ("Too many open files", "too-many-files", "its limit of open files was reached", "raise --ulimit nofile"),
    ("No such file or directory", "file-missing", "a file that it needs is not there", "check the path and the mounts (-v)"),
)  # fmt: skip
NOT_EXECUTED = (
    "a program inside it may not be executed", "check the program's mode (chmod +x) and whether its mount has noexec (--tmpfs PATH:exec)",
)  # fmt: skip


def explain_death(record: Mapping[str, Any]) -> Cause:
    """Return why it ended; for exit code 0 that it ended by itself."""
    code, signal = int(record.get("exit_code", 0)), int(record.get("signal", 0))
    if record.get("monitor_lost"):
        return Cause(code="monitor-killed", cause="its monitor was killed, and the kernel ended the container with it",
                     proof=f"the monitor (pid {record.get('monitor_pid', '?')}) is gone without an exit record",
                     fix="start it again; if nobody killed the monitor, look for the OOM killer in the host's dmesg")  # fmt: skip
    if record.get("rebooted"):
        return Cause(code="rebooted", cause="the machine was restarted while it ran",
                     proof="the boot id differs from the one it was started under", fix="start it again")  # fmt: skip
    if record.get("oom") and (signal == 9 or code in (137, 9)):
        return _oom(record, "the kernel's OOM killer ended it")
    if record.get("oom"):
        cause = _oom(record, "the kernel's OOM killer killed a process in it")
        return cause.replace(cause=f"{cause.cause}; then it exited with code {code}")
    if signal == 0 and 128 < code < 128 + 65 and code - 128 in SIGNALS:
        return _by_signal(code - 128, record, inside=True)
    if signal:
        return _by_signal(signal, record, inside=False)
    if code == 0:
        return Cause(code="ended", cause="it ended by itself, with exit code 0")
    return _by_code(code, str(record.get("last_output", "")))


def _oom(record: Mapping[str, Any], what: str) -> Cause:
    report = record.get("oom_report") or {}
    level, limit, peak = report.get("level", ""), int(report.get("limit") or 0), int(report.get("peak") or 0)
    proof = f"{report.get('kills', 1)} oom kill(s) at {level or 'its cgroup'}"
    if limit:
        proof += f", limit {units.iec_size(limit)}, peak {units.iec_size(peak)}"
        fix = f"give it more than {units.iec_size(limit)} (--memory), or make it use less"
    else:
        fix = "the machine itself ran out of memory: set --memory for what uses most, or add memory"
    return Cause(code="oom-killed", cause=what, proof=proof, fix=fix)


def _by_signal(signal: int, record: Mapping[str, Any], *, inside: bool) -> Cause:
    name, meaning = SIGNALS.get(signal, (f"signal {signal}", "a signal ended it"))
    by = str(record.get("killed_by", ""))
    proof = f"exit code {128 + signal}" if inside else f"wait status: signal {signal}"
    if by:
        return Cause(code="killed-by-firkin", cause=f"it ended by {name}, sent by {by}", proof=proof)
    fix = FIXES.get(signal, "")
    if signal == 9:
        fix = "not the OOM killer of its cgroup, not firkin: look for who sends SIGKILL (systemd, an operator, the host's OOM killer in dmesg)"
    return Cause(code=f"signal-{name.removeprefix('SIG').lower()}" if name.startswith("SIG") else "signal",
                 cause=f"{name} ended it: {meaning}", proof=proof, fix=fix)  # fmt: skip


def _words(line: str) -> str:
    return f"its last words: {line[:200]}"


def _by_code(code: int, last: str) -> Cause:
    usual = USUAL.get(code, "the program's own code: see its documentation")
    lines = [line.strip() for line in reversed(last.splitlines()) if line.strip()]
    for line in lines:
        for words, slug, meaning, fix in LAST_WORDS:
            if words.lower() in line.lower():
                if code == 126 and slug == "permission-denied":
                    meaning, fix = NOT_EXECUTED
                return Cause(code=slug, cause=f"exit code {code}: {meaning}", proof=_words(line), fix=fix)
    proof = _words(lines[0]) if lines else "it said nothing at the end"
    return Cause(code="exit-code", cause=f"exit code {code}: {usual}", proof=proof, fix="see firkin logs")
