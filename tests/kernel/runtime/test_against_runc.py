"""The same config.json given to Debian's runc and to firkin: what is seen inside must be the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
from box import CAPS, make_spec, run

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(not shutil.which("runc"), reason="this machine lacks Debian's runc"),
]


def run_runc(spec, bundle):
    """Run ``spec`` by runc; return its output. runc 1.1 needs a version that it knows, and a cgroup of ours."""
    theirs = json.loads(json.dumps(spec))
    theirs["ociVersion"] = "1.0.2"
    theirs["linux"]["cgroupsPath"] = "/firkin-test-runtime/runc"
    theirs["process"]["terminal"] = False
    (bundle / "config.json").write_text(json.dumps(theirs))
    name = "firkin-test-runtime"
    try:
        done = subprocess.run(
            ["runc", "--root", str(bundle / "runc"), "run", "--bundle", str(bundle), name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
        )  # fmt: skip
    finally:
        subprocess.run(
            ["runc", "--root", str(bundle / "runc"), "delete", "-f", name], capture_output=True, check=False
        )
        subprocess.run(
            "for d in /sys/fs/cgroup/*/firkin-test-runtime; do [ -d $d ] && rmdir $d; done; true",
            shell=True,
            check=True,
        )
    return done.stdout


def compare(root, tmp_path, script, change=lambda spec: None, clean=lambda text: text):
    spec = make_spec(root, "sh", "-c", script)
    change(spec)
    ours = run(spec)
    assert ours.error is None, ours
    theirs = run_runc(spec, tmp_path)
    assert clean(ours.out) == clean(theirs)


def mounts_of(text):
    """Reduce mountinfo to place, options, type, source, super options; numbers differ from run to run."""
    found = []
    for line in text.splitlines():
        front, _, back = line.partition(" - ")
        fields = front.split()
        found.append((fields[4], fields[5], [w.split(":")[0] for w in fields[6:]], *back.split()))
    # Newer runc limits the tmpfs that masks; Debian's does not. It leaves the tmpfs of a cgroup mount writable
    # though "ro" was asked for.
    found = [(m[0], m[1].replace("ro,", "rw,") if m[0] == "/sys/fs/cgroup" else m[1], *m[2:]) for m in found]
    return [(*m[:-1], re.sub(r",(size=4k|nr_inodes=1)", "", m[-1])) for m in found if m[0] != "/"]


def test_mounts(root, tmp_path):
    compare(root, tmp_path, "cat /proc/self/mountinfo", clean=mounts_of)


def test_mount_options(root, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (root / "t").mkdir(mode=0o751)

    def change(spec):
        for number, options in enumerate(
            (["bind", "ro"], ["rbind", "rprivate", "nosuid"], ["rbind", "rslave", "noexec", "nodev"], ["bind", "noatime"],
             ["rbind", "rro"], ["bind", "nodiratime"])
        ):  # fmt: skip
            spec["mounts"].append(
                {"destination": f"/m{number}", "type": "bind", "source": str(source), "options": options}
            )
        spec["mounts"].append(
            {"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["ro", "size=1m"]}
        )
        spec["mounts"].append(
            {"destination": "/u", "type": "tmpfs", "source": "none", "options": ["mode=0711", "nosuid"]}
        )

    compare(root, tmp_path, "cat /proc/self/mountinfo; stat -c '%a %n' /m* /t", change, lambda text: [
        mounts_of("\n".join(line for line in text.splitlines() if " - " in line)),
        [line for line in text.splitlines() if " - " not in line],
    ])  # fmt: skip


def status_lines(text):
    # Not SigIgn: runc passes on what its parent has ignored (make's signal 32, say), firkin resets all.
    wanted = ("Uid", "Gid", "Groups", "Cap", "NoNew", "Seccomp", "Umask", "SigBlk", "SigCgt")
    return [line for line in text.splitlines() if line.startswith(wanted)]


@pytest.mark.parametrize("user", [
    {"uid": 0, "gid": 0}, {"uid": 1000, "gid": 1000, "additionalGids": [5, 6]}, {"uid": 1000, "gid": 0, "umask": 0o77},
])  # fmt: skip
def test_status(root, tmp_path, user):
    def change(spec):
        spec["process"]["user"] = user
        spec["process"]["args"] = ["cat", "/proc/self/status"]

    compare(root, tmp_path, "", change, status_lines)


def test_status_with_ambient_capabilities_and_no_new_privileges(root, tmp_path):
    def change(spec):
        spec["process"]["user"] = {"uid": 1000, "gid": 1000}
        sets = ("bounding", "effective", "permitted", "inheritable", "ambient")
        spec["process"]["capabilities"] = dict.fromkeys(sets, CAPS[:3])
        spec["process"]["noNewPrivileges"] = True
        spec["process"]["args"] = ["cat", "/proc/self/status"]

    compare(root, tmp_path, "", change, status_lines)


def test_devices_links_limits_environment(root, tmp_path):
    def change(spec):
        spec["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
        spec["linux"]["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "uid": 3}]

    script = "cd /dev; stat -c '%n %F %a %u:%g %t:%T' *; ls -l fd stdin core ptmx 2>&1 | sed 's/.* [0-9:]* //'; env | sort; cat /proc/self/limits; ls /proc/self/fd"
    compare(root, tmp_path, script, change)


def test_user_namespace(root, tmp_path):
    from box import in_userns

    subprocess.run(["chown", "-hR", "100000:100000", str(root)], check=True)
    tmp_path.chmod(0o755)

    def change(spec):
        in_userns(spec)

    script = "cat /proc/self/uid_map; id; stat -c '%n %u:%g %a' /dev/[!m]* /proc/self /sys/class/net/lo; ls /sys/fs/cgroup"
    parents = [tmp_path.parent, tmp_path.parent.parent]
    modes = [p.stat().st_mode for p in parents]
    for p in parents:
        p.chmod(0o755)  # runc walks the path as the namespace's root
    try:
        compare(root, tmp_path, script, change)
    finally:
        for p, mode in zip(parents, modes, strict=True):
            p.chmod(mode)


@pytest.mark.parametrize("program", ["nope", "/nope", "/etc/passwd"])
def test_refusals_have_runcs_words(root, tmp_path, program):
    spec = make_spec(root, program)
    message = run(spec).error["message"]
    assert message in run_runc(spec, tmp_path).replace('\\"', '"')
