"""config.json -> steps, as values and as lines."""

from __future__ import annotations

import pytest

from firkin.errors import InvalidArgument
from firkin.linux import mount as m
from firkin.runtime.options import known_options, parse_options
from firkin.runtime.plan import DEFAULT_DEVICES, plan, plan_mount
from firkin.runtime.steps import (
    Console,
    Device,
    Freeze,
    Hostname,
    Link,
    Mask,
    Mount,
    Settle,
    Sysctl,
    WorkingDirectory,
)

SPEC = {
    "ociVersion": "1.2.0",
    "root": {"path": "/r", "readonly": True},
    "hostname": "box",
    "domainname": "example.org",
    "process": {"args": ["sh"], "cwd": "/work", "terminal": True},
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
        {"destination": "data", "source": "/srv", "options": ["rbind", "ro"]},
    ],
    "linux": {
        "namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "uts"}, {"type": "network", "path": "/proc/1/ns/net"}],
        "devices": [{"path": "/dev/fuse", "type": "u", "major": 10, "minor": 229}],
        "sysctl": {"net.ipv4.ip_forward": "1"},
        "maskedPaths": ["/proc/kcore"],
        "readonlyPaths": ["/proc/sys"],
        "rootfsPropagation": "slave",
    },
}  # fmt: skip


def test_order_of_steps():
    steps = plan(SPEC).steps
    kinds = [type(step) for step in steps]
    expected = [
        *[Mount] * 2, *[Device] * (len(DEFAULT_DEVICES) + 1), *[Link] * 6, Console, Sysctl, Freeze, Mask, Hostname,
        Hostname, WorkingDirectory,
    ]  # fmt: skip
    assert kinds == expected


def test_namespaces_and_root():
    made = plan(SPEC)
    assert made.new == ("mount", "pid", "uts")
    assert [str(join) for join in made.joins] == ["join network namespace /proc/1/ns/net"]
    assert made.joined("network")
    assert not made.joined("pid")
    assert made.root_readonly
    assert made.root_propagation == m.MS_SLAVE | m.MS_REC


def test_printed_one_step_a_line():
    lines = str(plan(SPEC)).splitlines()
    assert lines[0] == "unshare mount pid uts"
    assert "mount proc on /proc type proc (nosuid)" in lines
    assert "mount /srv on /data type bind (rbind,ro)" in lines
    assert "device /dev/null c 1:3 mode 0666 owner 0:0" in lines
    assert "link /dev/fd -> /proc/self/fd" in lines
    assert "sysctl net.ipv4.ip_forward = 1" in lines
    assert "mask /proc/kcore" in lines
    assert "read-only /proc/sys" in lines
    assert "hostname box" in lines
    assert lines[-1] == "pivot into the root, read-only"


def test_listed_device_replaces_the_default_one():
    spec = {"linux": {"namespaces": [{"type": "mount"}], "devices": [
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o20600, "uid": 5},
        {"path": "/dev/console", "type": "c", "major": 5, "minor": 1},
    ]}}  # fmt: skip
    devices = [step for step in plan(spec).steps if isinstance(step, Device)]
    assert [device.path for device in devices if device.number >= 0] == ["/dev/null"]
    assert devices[0].mode == 0o600
    assert len(devices) == len(DEFAULT_DEVICES)


def test_a_bound_dev_is_the_hosts_business():
    spec = {
        "mounts": [{"destination": "/dev/", "type": "bind", "source": "/dev"}],
        "linux": {"namespaces": [{"type": "mount"}]},
    }
    assert [type(step) for step in plan(spec).steps] == [Mount]


def test_a_readonly_dev_is_settled_at_the_end():
    spec = {
        "mounts": [{"destination": "/dev", "type": "tmpfs", "options": ["ro"]}],
        "linux": {"namespaces": [{"type": "mount"}]},
    }
    steps = plan(spec).steps
    assert steps[0].options.add == 0
    assert steps[-1] == Settle(path="/dev")


def test_mounts_without_a_mount_namespace_are_refused():
    with pytest.raises(InvalidArgument):
        plan({**SPEC, "linux": {"namespaces": []}})


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"destination": "/a", "type": "bind", "source": "/b"}, "bind"),
        ({"destination": "/a", "type": "none", "source": "/b", "options": ["bind"]}, "bind"),
        ({"destination": "/a", "type": "tmpfs"}, "filesystem"),
        ({"destination": "/a", "type": "cgroup"}, "cgroup"),
        ({"destination": "/a", "type": "cgroup2"}, "cgroup"),
        ({"destination": "/a", "options": ["remount", "ro"]}, "remount"),
    ],
)
def test_kinds_of_mounts(entry, kind):
    assert plan_mount(3, entry).kind == kind


def test_type_bind_without_option_is_recursive():
    assert plan_mount(0, {"destination": "/a", "type": "bind", "source": "/b"}).options.recursive
    assert not plan_mount(
        0, {"destination": "/a", "type": "bind", "source": "/b", "options": ["bind"]}
    ).options.recursive


def test_mount_label():
    labelled = plan_mount(0, {"destination": "/a", "type": "tmpfs"}, "label")
    assert labelled.options.data == ("context=label",)
    assert plan_mount(0, {"destination": "/a", "type": "proc"}, "label").options.data == ()


@pytest.mark.parametrize(
    ("words", "add", "remove"),
    [
        (["ro"], m.MOUNT_ATTR_RDONLY, 0),
        (["ro", "rw"], 0, m.MOUNT_ATTR_RDONLY),
        (["rw", "ro"], m.MOUNT_ATTR_RDONLY, 0),
        (["noatime"], m.MOUNT_ATTR_NOATIME, m.MOUNT_ATTR__ATIME),
        (["noatime", "relatime"], 0, m.MOUNT_ATTR__ATIME),
        (["noatime", "norelatime"], m.MOUNT_ATTR_NOATIME, m.MOUNT_ATTR__ATIME),
        (["strictatime", "nostrictatime"], 0, m.MOUNT_ATTR__ATIME),
        (["noatime", "nostrictatime"], m.MOUNT_ATTR_NOATIME, m.MOUNT_ATTR__ATIME),
        (["nosymfollow", "nodiratime"], m.MOUNT_ATTR_NOSYMFOLLOW | m.MOUNT_ATTR_NODIRATIME, 0),
        (["defaults", ""], 0, 0),
    ],
)
def test_attributes(words, add, remove):
    options = parse_options(words)
    assert (options.add, options.remove) == (add, remove)


def test_recursive_attributes():
    options = parse_options(["rro", "rnosuid", "rdev", "rnoatime"])
    assert options.tree_add == m.MOUNT_ATTR_RDONLY | m.MOUNT_ATTR_NOSUID | m.MOUNT_ATTR_NOATIME
    assert options.tree_remove & m.MOUNT_ATTR_NODEV
    assert options.add == 0


def test_superblock_flags_and_data():
    options = parse_options(["sync", "dirsync", "lazytime", "nolazytime", "size=1k,mode=700", "x"])
    assert options.superblock == m.MS_SYNCHRONOUS | m.MS_DIRSYNC
    assert options.parameters() == [
        ("size", "1k"),
        ("mode", "700"),
        ("x", None),
        ("sync", None),
        ("dirsync", None),
    ]
    assert not options.only_old()
    assert parse_options(["iversion"]).only_old()


def test_flags_for_the_old_call():
    options = parse_options(
        ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "sync", "nosymfollow"]
    )
    assert options.flags() == (
        m.MS_RDONLY | m.MS_NOSUID | m.MS_NODEV | m.MS_NOEXEC | m.MS_NOATIME | m.MS_NODIRATIME | m.MS_SYNCHRONOUS
        | m.MS_NOSYMFOLLOW
    )  # fmt: skip


def test_propagation_keeps_its_order():
    assert parse_options(["rslave", "shared"]).propagation == (m.MS_SLAVE | m.MS_REC, m.MS_SHARED)


SPEC_OPTIONS = """async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec
noiversion nolazytime norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared rslave runbindable
rw shared silent slave strictatime suid sync unbindable nosymfollow symfollow rro rrw rnosuid rsuid rnodev rdev rnoexec rexec
rnodiratime rdiratime rrelatime rnorelatime rnoatime ratime rstrictatime rnostrictatime rnosymfollow rsymfollow tmpcopyup
mand nomand idmap ridmap""".split()  # noqa: SIM905


def test_every_option_of_the_spec_is_known():
    assert set(SPEC_OPTIONS) <= set(known_options())
    for word in SPEC_OPTIONS:
        assert parse_options([word]).data == (), word
