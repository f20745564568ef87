"""Mount options, bind mounts and where they may go."""

from __future__ import annotations

import os
import subprocess

import pytest
from box import in_monitor, in_userns, make_spec, run, start

from firkin.linux import mount as m
from firkin.linux import process
from firkin.runtime.launch import mount_root

pytestmark = pytest.mark.needs_root

SHOW = "grep ' /data ' /proc/self/mountinfo"


@pytest.fixture
def shared(tmp_path):
    folder = tmp_path / "shared"
    (folder / "below").mkdir(parents=True)
    (folder / "file").write_text("from the host\n")
    return folder


def bind(source, *options, to="/data", **more):
    return {"destination": to, "type": "bind", "source": str(source), "options": list(options), **more}


def with_mount(root, mount, *args):
    spec = make_spec(root, *args)
    spec["mounts"].append(mount)
    return spec


def mount_options(box, place="/data"):
    line = next(line for line in box.lines if f" {place} " in line)
    return set(line.split()[5].split(","))


def test_bind_reads_and_writes(root, shared):
    box = run(with_mount(root, bind(shared, "rbind"), "sh", "-c", "cat /data/file; echo new > /data/made"))
    assert box.out == "from the host\n"
    assert (shared / "made").read_text() == "new\n"


def test_bind_of_a_file_onto_a_missing_place(root, shared):
    box = run(
        with_mount(root, bind(shared / "file", "bind", "ro", to="/new/deep/place"), "cat", "/new/deep/place")
    )
    assert box.out == "from the host\n"
    assert (root / "new/deep/place").read_text() == ""


def test_relative_source_is_below_the_bundle(root, shared):
    spec = with_mount(root, bind("shared/file", "bind", to="/f"), "cat", "/f")
    assert run(spec, bundle=str(shared.parent)).out == "from the host\n"


@pytest.mark.parametrize(
    ("options", "present", "absent"),
    [
        (["bind", "ro"], {"ro", "relatime"}, {"rw"}),
        (["bind", "ro", "rw"], {"rw"}, {"ro"}),
        (["bind", "nosuid", "nodev", "noexec"], {"nosuid", "nodev", "noexec"}, set()),
        (["bind", "noexec", "exec", "suid", "dev"], {"rw"}, {"noexec", "nosuid", "nodev"}),
        (["bind", "noatime"], {"noatime"}, {"relatime"}),
        (["bind", "nodiratime"], {"nodiratime", "relatime"}, set()),
        (["bind", "strictatime"], {"rw"}, {"relatime", "noatime"}),
        (["bind", "noatime", "atime"], {"relatime"}, {"noatime"}),
        (["bind", "nosymfollow"], {"nosymfollow"}, set()),
    ],
)
def test_bind_attributes(root, shared, options, present, absent):
    box = run(with_mount(root, bind(shared, *options), "sh", "-c", SHOW))
    found = mount_options(box)
    assert present <= found
    assert not absent & found


def nested(root, shared, *options):
    """Run with a tmpfs mounted below the source; return the options of /data and /data/below."""

    def monitor():
        m.mount("tmpfs", str(shared / "below"), "tmpfs")
        mount_root(str(root), str(root))
        reader, writer = os.pipe()
        spec = with_mount(
            root, bind(shared, *options), "sh", "-c", "grep ' /data' /proc/self/mountinfo; true"
        )
        launched = start(spec, writer)
        os.close(writer)
        out = os.read(reader, 10000).decode()
        process.wait_pidfd(launched.pidfd)
        return [[line.split()[4], line.split()[5]] for line in out.splitlines()]

    return {place: set(options.split(",")) for place, options in in_monitor(monitor)}


def test_ro_is_for_the_top_and_rro_for_the_tree(root, shared):
    top = nested(root, shared, "rbind", "ro")
    assert "ro" in top["/data"]
    assert "rw" in top["/data/below"]
    tree = nested(root, shared, "rbind", "rro")
    assert "ro" in tree["/data"]
    assert "ro" in tree["/data/below"]


def test_bind_leaves_out_what_is_mounted_below_and_rbind_takes_it(root, shared):
    assert set(nested(root, shared, "bind")) == {"/data"}
    assert set(nested(root, shared, "rbind", "rnosuid", "rnoatime")) == {"/data", "/data/below"}
    assert "nosuid" in nested(root, shared, "rbind", "rnosuid")["/data/below"]


@pytest.mark.parametrize(
    ("option", "field"),
    [("rshared", "shared:"), ("rprivate", ""), ("runbindable", "unbindable"), ("slave", "")],
)
def test_propagation(root, shared, option, field):
    line = run(with_mount(root, bind(shared, "rbind", option), "sh", "-c", SHOW)).lines[0]
    between = line.split(" - ")[0].split()[6:]
    assert any(word.startswith(field) for word in between) if field else not between


def test_tmpfs_options(root):
    mount = {
        "destination": "/data",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["noexec", "size=64k", "mode=700", "ro"],
    }
    box = run(with_mount(root, mount, "sh", "-c", f"{SHOW}; stat -c %a /data; touch /data/x"))
    assert {"ro", "noexec", "relatime"} <= mount_options(box)
    assert "size=64k" in box.lines[0]
    assert box.lines[1] == "700"
    assert "Read-only" in box.lines[2]


def test_tmpfs_takes_the_mode_of_its_place(root):
    (root / "data").chmod(0o1711)
    mount = {"destination": "/data", "type": "tmpfs", "source": "tmpfs"}
    assert run(with_mount(root, mount, "stat", "-c", "%a", "/data")).out == "1711\n"


def test_tmpfs_on_a_new_place_is_for_everybody(root):
    mount = {"destination": "/made", "type": "tmpfs", "source": "tmpfs"}
    assert run(with_mount(root, mount, "stat", "-c", "%a", "/made")).out == "1777\n"


def test_a_readonly_dev_has_its_devices(root):
    spec = make_spec(root, "sh", "-c", "touch /dev/x; stat -c %t:%T /dev/null; touch /dev/shm/y && echo yes")
    spec["mounts"][1]["options"].append("ro")
    assert run(spec).lines == ["touch: /dev/x: Read-only file system", "1:3", "yes"]


def test_tmpcopyup(root):
    (root / "data/sub").mkdir()
    (root / "data/sub/file").write_text("content")
    os.symlink("sub/file", root / "data/link")
    os.chown(root / "data/sub/file", 7, 8)
    (root / "data/sub/file").chmod(0o4751)
    os.utime(root / "data/sub/file", ns=(5, 10**18 + 7))
    mount = {"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "ro"]}
    script = "cat /data/link; stat -c ' %a %u:%g %Y' /data/sub/file; touch /data/x"
    box = run(with_mount(root, mount, "sh", "-c", script))
    assert box.lines[0] == "content 4751 7:8 1000000000"
    assert "Read-only" in box.lines[1]


def test_remount(root):
    mount = {
        "destination": "/dev/shm",
        "type": "tmpfs",
        "source": "shm",
        "options": ["remount", "size=1m", "noexec"],
    }
    box = run(with_mount(root, mount, "sh", "-c", "grep ' /dev/shm ' /proc/self/mountinfo"))
    assert "size=1024k" in box.out


def test_mount_that_only_the_old_call_can_say(root):
    mount = {
        "destination": "/data",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["iversion", "silent", "nodev", "rshared"],
    }
    box = run(with_mount(root, mount, "sh", "-c", SHOW))
    assert "nodev" in mount_options(box)
    assert "shared:" in box.lines[0]


def test_unknown_data_names_the_mount_and_the_option(root):
    mount = {"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["no-such-option=1"]}
    box = run(with_mount(root, mount, "true"))
    assert box.error["kind"] == "SyscallError"
    assert any("Unknown parameter 'no-such-option'" in note for note in box.notes)
    assert any("while mounting /data, mounts[7] of config.json" in note for note in box.notes)
    assert box.left == []


def test_missing_source(root):
    box = run(with_mount(root, bind("/no/such/place", "bind"), "true"))
    assert box.error["errno"] == 2
    assert box.error["path"] == "/no/such/place"
    assert any("mounts[7]" in note for note in box.notes)
    assert box.left == []


def test_a_directory_does_not_go_onto_a_file(root, shared):
    box = run(with_mount(root, bind(shared, "bind", to="/etc/passwd"), "true"))
    assert box.error["errno"] == 20
    assert any("directory cannot be mounted onto a file" in note for note in box.notes)


def test_id_mapped_mount(root, shared):
    os.chown(shared / "file", 5000, 5000)
    maps = [{"containerID": 5000, "hostID": 0, "size": 1}]
    own = bind(shared, "bind", "idmap", uidMappings=maps, gidMappings=maps)
    box = run(with_mount(root, own, "stat", "-c", "%u:%g", "/data/file"))
    assert box.out == "0:0\n", box


def test_id_mapped_mount_in_a_user_namespace(mapped, shared):
    spec = in_userns(with_mount(mapped, bind(shared, "bind", "idmap"), "stat", "-c", "%u", "/data/file"))
    assert run(spec).out == "0\n"


def test_idmap_without_mappings_is_an_error(root, shared):
    box = run(with_mount(root, bind(shared, "bind", "idmap"), "true"))
    assert box.error["kind"] == "InvalidArgument"


def test_propagation_of_the_root(root):
    spec = make_spec(root, "sh", "-c", "grep ' / / ' /proc/self/mountinfo")
    for propagation, word in (("shared", "shared:"), ("private", ""), ("unbindable", "unbindable")):
        spec["linux"]["rootfsPropagation"] = propagation

        def monitor(spec=spec):
            mount_root(str(root), str(root))
            reader, writer = os.pipe()
            launched = start(
                {**spec, "process": {**spec["process"], "args": ["cat", "/proc/self/mountinfo"]}}, writer
            )
            os.close(writer)
            out = os.read(reader, 10000).decode()
            process.wait_pidfd(launched.pidfd)
            return out.splitlines()[0]

        between = in_monitor(monitor).split(" - ")[0].split()[6:]
        assert any(w.startswith(word) for w in between) if word else not between


def test_mount_events_reach_the_container_only_with_rslave(root, shared):
    def monitor(option):
        m.mount(str(shared), str(shared), None, m.MS_BIND)
        m.mount(None, str(shared), None, m.MS_SHARED)
        mount_root(str(root), str(root))
        reader, writer = os.pipe()
        wait_read, wait_write = os.pipe()
        spec = with_mount(root, bind(shared, "rbind", option), "sh", "-c", "read x; ls /data/below")
        from firkin.runtime.launch import Stdio, launch

        launched = launch(
            spec, container_id="firkin-test-runtime", bundle="/tmp", cgroup=None, parent_death_signal=9,
            stdio=Stdio(stdin=wait_read, stdout=writer, stderr=writer),
        )  # fmt: skip
        os.close(writer)
        m.mount("tmpfs", str(shared / "below"), "tmpfs")
        (shared / "below/late").write_text("")
        os.write(wait_write, b"go\n")
        out = os.read(reader, 1000).decode()
        process.wait_pidfd(launched.pidfd)
        return out

    assert in_monitor(monitor, "rslave") == "late\n"
    assert in_monitor(monitor, "rprivate") == ""


def test_host_keeps_its_mounts(root):
    before = subprocess.run(["cat", "/proc/self/mountinfo"], capture_output=True, check=True).stdout
    run(make_spec(root, "true"))
    assert subprocess.run(["cat", "/proc/self/mountinfo"], capture_output=True, check=True).stdout == before
