"""The doctor on machines that lack things: what each costs, and how to get it."""

from __future__ import annotations

import pytest

from firkin.app import doctor
from firkin.paths import Paths

PATHS = Paths(root="/var/lib/firkin", run_root="/run/firkin")


def machine(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    monkeypatch.setattr(
        doctor, "_read", lambda path: files.get(path.replace(doctor.os.uname().release, "R"), "")
    )


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({"/proc/filesystems": "nodev\toverlay\n"}, "ok"),
        ({"/lib/modules/R/modules.dep": "kernel/fs/overlayfs/overlay.ko.xz:\n"}, "ok"),
        ({"/proc/filesystems": "\text4\n"}, "missing"),
    ],
)
def test_overlay_may_be_a_module_that_no_mount_has_loaded_yet(monkeypatch, files, status) -> None:
    machine(monkeypatch, files)
    assert doctor._overlay(PATHS).status == status


@pytest.mark.parametrize(("user", "status"), [("containers", "ok"), ("ann", "warning")])
def test_only_the_range_that_userns_auto_uses_counts(monkeypatch, user, status) -> None:
    machine(monkeypatch, dict.fromkeys(("/etc/subuid", "/etc/subgid"), f"{user}:100000:65536\n"))
    assert doctor._subids(PATHS).status == status


def test_zstd_is_needed_where_no_module_reads_it(monkeypatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    monkeypatch.setattr(doctor, "_importable", lambda _: False)
    found = doctor._packages(PATHS)
    assert (found.status, found.fix) == ("warning", "apt-get install nftables iproute2 zstd")
    assert "zstd layers are refused" in found.cost


def test_every_finding_that_is_not_ok_says_cost_and_fix() -> None:
    found = doctor.examine(PATHS)
    assert len(found) == len(doctor.CHECKS)
    assert [one.name for one in found if one.status != doctor.OK and not (one.cost and one.fix)] == []
