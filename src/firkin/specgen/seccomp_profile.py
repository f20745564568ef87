"""A seccomp profile in docker's form (default.json) -> linux.seccomp of the OCI runtime-spec.

Docker's form adds conditions that depend on the container and the machine; they are resolved here:

    "archMap"   [{"architecture": A, "subArchitectures": [...]}]     -> the machine's own
    "includes"  {"caps": [...], "arches": [...], "minKernel": "4.8"} -> the rule counts only when all hold
    "excludes"  {...}                                                -> the rule does not count when one holds
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# uname -m: docker's (Go's) name and seccomp's.
_ARCHES = {
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    "i686": ("386", "SCMP_ARCH_X86"),
    "armv7l": ("arm", "SCMP_ARCH_ARM"),
    "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
}
_HINT = "see docker's default.json for the form"
_KEPT = ("defaultAction", "defaultErrnoRet", "flags", "listenerPath", "listenerMetadata")


def load(text: str, caps: set[str], arch: str, kernel: tuple[int, int]) -> dict[str, Any]:
    """Return linux.seccomp for the profile ``text``. Raises InvalidArgument naming the place."""
    try:
        profile = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"decoding seccomp profile failed: {error}", hint=_HINT) from None
    if not isinstance(profile, dict):
        raise InvalidArgument("decoding seccomp profile failed: it is not an object", hint=_HINT)
    if profile.get("architectures") and profile.get("archMap"):
        raise InvalidArgument(
            "both 'architectures' and 'archMap' are specified in the seccomp profile, use either one",
            hint=_HINT,
        )
    if not isinstance(profile.get("defaultAction"), str):
        raise InvalidArgument("the seccomp profile has no defaultAction", hint=_HINT)
    found: dict[str, Any] = {name: profile[name] for name in _KEPT if profile.get(name)}
    name, own = _ARCHES.get(arch, (arch, ""))
    architectures = profile.get("architectures") or _mapped(profile, own)
    if architectures:
        found["architectures"] = architectures
    rules = []
    for place, rule in enumerate(_objects(profile, "syscalls")):
        rules.extend(_rule(rule, place, caps, name, kernel))
    if rules:
        found["syscalls"] = rules
    return found


def _objects(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise InvalidArgument(f"seccomp profile: {name} is not a list of objects", hint=_HINT)
    return value


def _strings(holder: dict[str, Any], name: str, where: str) -> list[str]:
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidArgument(f"seccomp profile: {where}.{name} is not a list of strings", hint=_HINT)
    return value


def _mapped(profile: dict[str, Any], own: str) -> list[str]:
    for entry in _objects(profile, "archMap"):
        if entry.get("architecture") == own:
            return [own, *_strings(entry, "subArchitectures", "archMap")]
    return []


def _rule(
    rule: dict[str, Any], place: int, caps: set[str], arch: str, kernel: tuple[int, int]
) -> list[dict[str, Any]]:
    where = f"syscalls[{place}]"
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    if not isinstance(includes, dict) or not isinstance(excludes, dict):
        raise InvalidArgument(f"seccomp profile: {where} has conditions that are no objects", hint=_HINT)
    if not _includes(includes, where, caps, arch, kernel) or _excludes(excludes, where, caps, arch, kernel):
        return []
    names = _strings(rule, "names", where)
    single = rule.get("name")
    if single:
        if names:
            raise InvalidArgument(
                "both 'name' and 'names' are specified in the seccomp profile, use either one", hint=_HINT
            )
        names = [single]
    if not names or not isinstance(rule.get("action"), str):
        raise InvalidArgument(f"seccomp profile: {where} lacks names or an action", hint=_HINT)
    found: dict[str, Any] = {"names": names, "action": rule["action"]}
    if rule.get("errnoRet") is not None:
        found["errnoRet"] = rule["errnoRet"]
    args = _objects(rule, "args")
    if args:
        found["args"] = args
    return [found]


def _includes(wanted: dict[str, Any], where: str, caps: set[str], arch: str, kernel: tuple[int, int]) -> bool:
    arches = _strings(wanted, "arches", where)
    return (
        (not arches or arch in arches)
        and caps.issuperset(_strings(wanted, "caps", where))
        and _kernel_holds(wanted, where, kernel, default=True)
    )


def _excludes(
    unwanted: dict[str, Any], where: str, caps: set[str], arch: str, kernel: tuple[int, int]
) -> bool:
    return (
        arch in _strings(unwanted, "arches", where)
        or not caps.isdisjoint(_strings(unwanted, "caps", where))
        or _kernel_holds(unwanted, where, kernel, default=False)
    )


def _kernel_holds(condition: dict[str, Any], where: str, kernel: tuple[int, int], *, default: bool) -> bool:
    text = condition.get("minKernel")
    if not text:
        return default
    parts = str(text).split(".")
    if len(parts) < 2 or not all(part.isascii() and part.isdigit() for part in parts[:2]):
        raise InvalidArgument(f"seccomp profile: {where}.minKernel is not like 4.8", hint=_HINT)
    return kernel >= (int(parts[0]), int(parts[1]))
