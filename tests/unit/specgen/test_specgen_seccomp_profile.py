"""docker's profile form -> OCI."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firkin.errors import InvalidArgument
from firkin.specgen.seccomp_profile import load

PROFILE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
    ],
    "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]},
         "args": [{"index": 0, "value": 5, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["modify_ldt"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64"]}},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"arches": ["arm64"]}},
    ],
}  # fmt: skip


def names(caps: set[str], arch: str = "x86_64", kernel: tuple[int, int] = (6, 1)) -> list[str]:
    found = load(json.dumps(PROFILE), caps, arch, kernel)
    return [name for rule in found["syscalls"] for name in rule["names"]]


def test_conditions_are_resolved() -> None:
    assert names(set()) == ["read", "ptrace", "clone", "modify_ldt", "clone3"]
    assert names({"CAP_SYS_ADMIN"}) == ["read", "ptrace", "mount", "modify_ldt", "clone3"]
    assert names(set(), kernel=(4, 7)) == ["read", "clone", "modify_ldt", "clone3"]
    assert names(set(), arch="aarch64") == ["read", "ptrace", "clone"]


def test_the_rest_is_kept() -> None:
    found = load(json.dumps(PROFILE), set(), "x86_64", (6, 1))
    assert found["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    assert (found["defaultAction"], found["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)
    assert found["syscalls"][2]["args"] == PROFILE["syscalls"][3]["args"]
    assert found["syscalls"][4] == {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    oci = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    }
    assert load(json.dumps(oci), set(), "x86_64", (6, 1)) == oci
    old = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "mkdir", "action": "SCMP_ACT_ERRNO"}]}
    assert load(json.dumps(old), set(), "x86_64", (6, 1))["syscalls"][0]["names"] == ["mkdir"]


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("{", "decoding seccomp profile failed"),
        ([], "it is not an object"),
        ({}, "no defaultAction"),
        ({"defaultAction": "a", "syscalls": {}}, "syscalls is not a list of objects"),
        ({"defaultAction": "a", "syscalls": [{"action": "a"}]}, "syscalls[0] lacks names"),
        ({"defaultAction": "a", "syscalls": [{"names": [1], "action": "a"}]}, "syscalls[0].names"),
        ({"defaultAction": "a", "syscalls": [{"name": "x", "names": ["y"], "action": "a"}]}, "both 'name' and 'names'"),
        ({"defaultAction": "a", "syscalls": [{"names": ["y"], "action": "a", "includes": {"minKernel": "x"}}]},
         "minKernel"),
        ({"defaultAction": "a", "architectures": ["x"], "archMap": [{}]}, "both 'architectures' and 'archMap'"),
    ],
)  # fmt: skip
def test_a_damaged_profile_is_refused_with_the_place(profile: Any, words: str) -> None:
    text = profile if isinstance(profile, str) else json.dumps(profile)
    with pytest.raises(InvalidArgument) as caught:
        load(text, set(), "x86_64", (6, 1))
    assert words in caught.value.message
