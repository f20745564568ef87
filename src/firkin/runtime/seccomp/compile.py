"""linux.seccomp -> a classic BPF program (seccomp_filter.rst), as small and quick as the profile allows.

    A = arch                                                struct seccomp_data { int nr; u32 arch; u64 ip, args[6]; }
    x86_64?  -> A = nr; x32 numbers? -> tree of x32         an x32 call has x86_64's audit number and bit 30 set
             -> tree of x86_64
    i386?    -> A = nr -> tree of i386
    else     -> KILL                                        a call through an ABI that the profile does not list

A tree is a balanced search over runs of numbers that end alike, so that a call costs some 7 comparisons where
libseccomp's list costs hundreds. Its leaves are a verdict, or a chain of comparisons of arguments.

    number above all that the rules know -> ENOSYS, so that a libc tries the older call instead of giving up
    (runc does the same: a profile cannot mean calls that its author did not know)
"""

from __future__ import annotations

import _struct

from firkin.errors import InvalidArgument
from firkin.linux import seccomp as kernel
from firkin.record import Record
from firkin.runtime.seccomp import abi as abis
from firkin.runtime.seccomp.profile import Comparison, Profile, Rule, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_LD, _JA, _RET, _AND = 0x20, 0x05, 0x06, 0x54
_JEQ, _JGT, _JGE = 0x15, 0x25, 0x35
_NR, _ARCH, _ARGS = 0, 4, 16
_ENOSYS = 38
_TOP = 1 << 32
_MOST = 4096  # BPF_MAXINSNS

_pack = _struct.Struct("<HBBI").pack


class Outcome(Record):
    """What becomes of a call: the first alternative whose comparisons all hold, else ``otherwise``."""

    otherwise: int
    alternatives: tuple[tuple[tuple[Comparison, ...], int], ...] = ()


def compile_filter(seccomp: Mapping[str, Any], machine: str) -> bytes:
    """Return the program for ``linux.install``; ``machine`` is uname's. Pure.

    Names that the tables do not have are skipped, as libseccomp skips them: the kernel may not have them either.
    Raises InvalidArgument (a wrong profile, or one too big for the kernel), Unsupported (no tables for the machine).
    """
    profile = read(seccomp)
    blocks: dict[int, list[bytes]] = {}
    audits: dict[int, list[abis.Abi]] = {}
    for abi in abis.chosen(profile.architectures, machine):
        audits.setdefault(abi.audit, []).append(abi)
    for audit, sharers in audits.items():
        blocks[audit] = _load(_NR) + _numbers(profile, sharers)
    program = [*_load(_ARCH), *_dispatch(blocks)]
    if len(program) > _MOST:
        raise InvalidArgument(
            f"the seccomp profile needs {len(program)} instructions, the kernel takes {_MOST}",
            hint="use fewer comparisons of arguments",
        )
    return b"".join(program)


def _insn(code: int, k: int, jt: int = 0, jf: int = 0) -> bytes:
    return _pack(code, jt, jf, k)


def _load(offset: int) -> list[bytes]:
    return [_insn(_LD, offset)]


def _return(verdict: int) -> list[bytes]:
    return [_insn(_RET, verdict)]


def _dispatch(blocks: dict[int, list[bytes]]) -> list[bytes]:
    program: list[bytes] = []
    for audit, block in blocks.items():
        # Not this one: jump over the block. The distance may not fit a byte, and does fit JA's 32 bits.
        program += [_insn(_JEQ, audit, 1, 0), _insn(_JA, len(block)), *block]
    return program + _return(kernel.RET_KILL_PROCESS)


def _numbers(profile: Profile, sharers: list[abis.Abi]) -> list[bytes]:
    """One tree for the ABIs that share an audit number; one that the profile does not list is killed."""
    runs: list[tuple[int, Outcome]] = []
    widths: dict[int, bool] = {}
    killed = Outcome(otherwise=kernel.RET_KILL_PROCESS)
    x32 = sharers[0].audit == abis.ABIS["SCMP_ARCH_X32"].audit
    for abi in sharers:
        end = abis.X32_BIT if x32 and not abi.base else _TOP
        own = _runs(profile, abi, end)
        widths.update(dict.fromkeys((start for start, _ in own), abi.wide))
        runs += own
    if x32 and len(sharers) == 1:
        # A tracer that skips a call makes its number -1, and that must not kill.
        runs += [(abis.X32_BIT, killed), (_TOP - 1, Outcome(otherwise=profile.default))]
        widths.update({abis.X32_BIT: True, _TOP - 1: True})
    return _tree(runs, widths)


def _runs(profile: Profile, abi: abis.Abi, end: int) -> list[tuple[int, Outcome]]:
    """Return (first number, outcome) in ascending order, neighbours that end alike merged."""
    outcomes = _outcomes(profile, abi)
    default = Outcome(otherwise=profile.default)
    beyond = default
    if outcomes and profile.default not in (kernel.RET_ALLOW, kernel.RET_LOG):
        beyond = Outcome(otherwise=kernel.RET_ERRNO | _ENOSYS)
    first_row = [number for number in outcomes if number < abi.base + abi.apart]
    newest = max(first_row, default=_TOP)
    runs: list[tuple[int, Outcome]] = []
    expected = abi.base

    def add(start: int, outcome: Outcome) -> None:
        if not runs or runs[-1][1] != outcome:
            runs.append((start, outcome))

    for number, outcome in sorted(outcomes.items()):
        if number > expected:
            add(expected, beyond if expected > newest else default)
        add(number, outcome)
        expected = number + 1
    if expected < end:
        add(expected, beyond)
    return runs


def _outcomes(profile: Profile, abi: abis.Abi) -> dict[int, Outcome]:
    """Fold the rules: one without comparisons beats those with; otherwise the earlier one wins."""
    table = abis.numbers(abi)
    found: dict[int, Outcome] = {}
    for rule in profile.rules:
        for name in rule.names:
            for number, comparisons in _calls(rule, name, abi, table):
                outcome = found.get(number, Outcome(otherwise=profile.default))
                if not comparisons:
                    if number not in found or outcome.alternatives:
                        found[number] = Outcome(otherwise=rule.action)
                elif number not in found or outcome.alternatives:
                    more = (*outcome.alternatives, (comparisons, rule.action))
                    found[number] = outcome.replace(alternatives=more)
    return found


def _calls(
    rule: Rule, name: str, abi: abis.Abi, table: dict[str, int]
) -> list[tuple[int, tuple[Comparison, ...]]]:
    calls = []
    if name in table:
        calls.append((table[name], rule.comparisons))
    if name in abi.multiplexed and not rule.comparisons:  # the multiplexer has the call's arguments in memory
        multiplexer, which = abi.multiplexed[name]
        calls.append((table[multiplexer], (Comparison(index=0, operator="EQ", value=which),)))
    return calls


def _tree(runs: list[tuple[int, Outcome]], widths: dict[int, bool]) -> list[bytes]:
    """A balanced search: A >= first number of the right half? Every path ends in a return."""
    if len(runs) == 1:
        start, outcome = runs[0]
        return _leaf(outcome, wide=widths[start])
    middle = len(runs) // 2
    left, right = _tree(runs[:middle], widths), _tree(runs[middle:], widths)
    if len(left) <= 255:
        return [_insn(_JGE, runs[middle][0], len(left), 0), *left, *right]
    return [_insn(_JGE, runs[middle][0], 0, 1), _insn(_JA, len(left)), *left, *right]


def _leaf(outcome: Outcome, *, wide: bool) -> list[bytes]:
    program: list[bytes] = []
    for comparisons, verdict in outcome.alternatives:
        program += _chain(comparisons, verdict, wide=wide)
    return program + _return(outcome.otherwise)


def _chain(comparisons: tuple[Comparison, ...], verdict: int, *, wide: bool) -> list[bytes]:
    """Comparisons that must all hold, then the verdict; a failure jumps behind it."""
    program = _return(verdict)
    for comparison in reversed(comparisons):
        program = _compare(comparison, len(program), wide=wide) + program
    if len(program) > 255:
        raise InvalidArgument("linux.seccomp: too many comparisons in one rule")
    return program


def _compare(comparison: Comparison, rest: int, *, wide: bool) -> list[bytes]:
    """Fall through when it holds, else jump over ``rest`` more instructions.

    Arguments are 64 bits wide in memory, compared as two words, high first (both machines are little-endian). A 32-bit
    ABI's high words are not the caller's: only the low one counts.
    """
    offset = _ARGS + 8 * comparison.index
    operator, value, mask = comparison.operator, comparison.value, comparison.mask
    low, low_mask = value & 0xFFFFFFFF, mask & 0xFFFFFFFF
    masked = low_mask != 0xFFFFFFFF

    # The last word: holds -> 0, fails -> rest.
    code, flip = {
        "EQ": (_JEQ, False), "MASKED_EQ": (_JEQ, False), "NE": (_JEQ, True), "GT": (_JGT, False),
        "GE": (_JGE, False), "LT": (_JGE, True), "LE": (_JGT, True),
    }[operator]  # fmt: skip
    last = _load(offset)
    if masked:
        last.append(_insn(_AND, low_mask))
    last.append(_insn(code, low, *((rest, 0) if flip else (0, rest))))
    if not wide:
        return last

    high, high_mask = value >> 32, mask >> 32
    first = _load(offset + 4)
    if high_mask != 0xFFFFFFFF:
        first.append(_insn(_AND, high_mask))
    fails, holds = len(last) + rest, len(last)
    if operator in ("EQ", "MASKED_EQ"):
        return [*first, _insn(_JEQ, high, 0, fails), *last]
    if operator == "NE":
        return [*first, _insn(_JEQ, high, 0, holds), *last]
    if operator in ("GT", "GE"):
        return [*first, _insn(_JGT, high, holds + 1, 0), _insn(_JEQ, high, 0, fails), *last]
    return [*first, _insn(_JGT, high, fails + 1, 0), _insn(_JEQ, high, 0, holds), *last]
