"""What hostile images and containers try, by the number of the bug that let others' succeed."""

from __future__ import annotations

import hashlib
import os
import sys
import textwrap
from pathlib import Path

import pytest
from box import enter, exec_spec, in_monitor, make_spec, read_all, run, run_exec, run_here, start

from firkin.linux import nr, process
from firkin.linux.libc import syscall
from firkin.oci.rootfs import OverlayRoot
from firkin.runtime.launch import mount_root

pytestmark = pytest.mark.needs_root

INTERPRETER = Path(os.path.realpath(sys.executable))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def interpreter_unchanged():
    before = digest(INTERPRETER)
    yield
    assert digest(INTERPRETER) == before


# --- CVE-2019-5736: the host's interpreter through /proc/self/exe ---------------------------------------------------


def hostile_image(root):
    (root / "bin/evil").symlink_to("/proc/self/exe")
    (root / "bin/script").write_text("#!/proc/self/exe\n")
    (root / "bin/script").chmod(0o755)
    return ["/proc/self/exe", "evil", "/bin/evil", "/bin/script", "/proc/1/exe", "/proc/thread-self/exe"]


def test_entrypoint_proc_self_exe_is_never_the_interpreter(root, interpreter_unchanged):
    for program in hostile_image(root):
        # An interpreter would print; the stub, called without its own protocol, ends or cannot be executed.
        box = run(make_spec(root, program, "-c", "print('interpreter')"))
        assert "interpreter" not in box.out, program
        assert box.code != 0, program


def test_exec_of_proc_self_exe_is_never_the_interpreter(root, interpreter_unchanged):
    programs = hostile_image(root)
    spec = make_spec(root, "sleep", "60")
    for box in run_exec(spec, *(exec_spec(spec, p, "-c", "print('interpreter')") for p in programs)):
        assert "interpreter" not in box.out
    (root / "bin/sh").unlink()
    (root / "bin/sh").symlink_to("/proc/self/exe")
    box = run_exec(spec, exec_spec(spec, "/bin/sh", "-c", "print('interpreter')"))[0]
    assert "interpreter" not in box.out


WATCHER = """
    import os, sys
    own = {os.getpid()}
    seen, tried = set(), 0
    print("watching", flush=True)
    while not os.path.exists("/tmp/stop"):
        for pid in os.listdir("/proc"):
            if not pid.isdigit() or int(pid) in own:
                continue
            tried += 1
            for what in ("exe", "root", "cwd", "fd/3", "fd/4", "fd/5", "fd/6", "fd/7"):
                try:
                    link = os.readlink(f"/proc/{pid}/{what}")
                except OSError:
                    continue
                if "python" in link or (what != "exe" and link not in ("/", "/dev/null") and ":" not in link):
                    seen.add(f"{what} {link}")
            try:
                fd = os.open(f"/proc/{pid}/exe", os.O_PATH)
                if "python" in os.readlink(f"/proc/self/fd/{fd}"):
                    seen.add("opened")
                os.close(fd)
            except OSError:
                pass
            try:
                open(f"/proc/{pid}/mem", "rb").close()
                if "python" in open(f"/proc/{pid}/cmdline").read():
                    seen.add("mem")
            except OSError:
                pass
    print("tried", tried > 0, sorted(seen), flush=True)
"""


@pytest.mark.needs_overlay
def test_a_watching_container_never_sees_the_interpreter_of_exec(tmp_path, interpreter_unchanged):
    for name in ("upper", "work", "mnt"):
        (tmp_path / name).mkdir()

    def monitor():
        target = str(tmp_path / "mnt")
        mount_root(
            OverlayRoot(lowers=("/",), upper=str(tmp_path / "upper"), work=str(tmp_path / "work")), target
        )
        (tmp_path / "mnt/tmp/stop").unlink(missing_ok=True)
        reader, writer = os.pipe()
        spec = make_spec(target, str(INTERPRETER), "-I", "-c", textwrap.dedent(WATCHER))
        init = start(spec, writer)
        os.close(writer)
        assert os.read(reader, 100) == b"watching\n"
        null = os.open("/dev/null", os.O_RDWR)
        for _ in range(25):
            launched = enter(init, spec, exec_spec(spec, "/bin/busybox", "true"), null)
            process.wait_pidfd(launched.pidfd)
        launched = enter(init, spec, exec_spec(spec, "/bin/busybox", "touch", "/tmp/stop"), null)
        process.wait_pidfd(launched.pidfd)
        out = read_all(reader)
        process.wait_pidfd(init.pidfd)
        return out

    assert in_monitor(monitor) == "tried True []\n"


# --- CVE-2024-21626: the host's directories through a leaked descriptor ------------------------------------------------


def leak_directories():
    """Open host directories and mark them inheritable, as a careless host program would."""
    return [os.dup2(os.open("/", os.O_RDONLY), number) for number in range(20, 30)]


def test_no_descriptor_of_the_host_reaches_the_container(root):
    def monitor():
        mount_root(str(root), str(root))
        leak_directories()
        return run_here(make_spec(root, "ls", "/proc/self/fd"), {})["out"].split()

    # 3 is ls's own, of the directory it lists
    assert in_monitor(monitor) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("through_link", [False, True])
def test_working_directory_through_a_descriptor(root, through_link):
    def monitor():
        mount_root(str(root), str(root))
        leak_directories()
        outs = []
        for number in range(3, 32):
            cwd = f"/proc/self/fd/{number}"
            if through_link:
                (root / f"cwd{number}").symlink_to(cwd)
                cwd = f"/cwd{number}"
            spec = make_spec(root, "sh", "-c", "pwd; ls -d ../../work ./work 2>&1")
            spec["process"]["cwd"] = cwd
            values = run_here(spec, {})
            outs.append(values.get("out", ""))
            assert "error" in values, values
            assert not values["left"]
        return outs

    assert not any(in_monitor(monitor))


def test_exec_working_directory_through_a_descriptor(root):
    (root / "link").symlink_to("/proc/self/fd/22")

    def monitor():
        mount_root(str(root), str(root))
        leak_directories()
        null = os.open("/dev/null", os.O_RDWR)
        spec = make_spec(root, "sleep", "60")
        init = start(spec, null)
        got = []
        for cwd in [*(f"/proc/self/fd/{number}" for number in range(3, 32)), "/link", "/proc/1/cwd/../../.."]:
            reader, writer = os.pipe()
            try:
                launched = enter(init, spec, exec_spec(spec, "ls", cwd=cwd), writer)
            except Exception as error:  # noqa: BLE001
                got.append(type(error).__name__)
                continue
            os.close(writer)
            got.append("work" in read_all(reader).split())
            process.wait_pidfd(launched.pidfd)
        process.pidfd_send_signal(init.pidfd, 9)
        return got

    got = in_monitor(monitor)
    assert True not in got
    assert got.count("CannotRun") == len(got) - 1  # the last one is the container's own root


# --- CVE-2021-30465, CVE-2019-19921, CVE-2023-27561: places that are not what they seem -----------------------------


def test_symlinks_in_mount_places_end_at_the_root(root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "abs").symlink_to(outside)
    (root / "up").symlink_to("../" * 20 + str(outside))
    source = tmp_path / "source"
    source.mkdir()
    spec = make_spec(root, "sh", "-c", "grep source /proc/self/mountinfo | wc -l")
    for place in ("/abs/a", "/up/b", "/../../../../c"):
        spec["mounts"].append(
            {"destination": place, "type": "bind", "source": str(source), "options": ["bind"]}
        )
    assert run(spec).out == "3\n"
    assert list(outside.iterdir()) == []
    assert (root / str(outside).lstrip("/") / "a").is_dir()


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_proc_and_sys_on_a_symlink_are_refused(root, name):
    (root / name).rmdir()
    (root / name).symlink_to("data")
    box = run(make_spec(root, "true"))
    assert box.error["kind"] == "InvalidArgument"
    assert "must be mounted on a real directory" in box.error["message"]
    assert box.left == []


@pytest.mark.parametrize(
    "place", ["/proc/self/attr", "/proc/sys/kernel", "/proc/1", "/proc", "/data/../proc/self"]
)
def test_nothing_is_bound_over_procfs(root, tmp_path, place):
    (tmp_path / "fake").mkdir()
    spec = make_spec(root, "true")
    spec["mounts"].append(
        {"destination": place, "type": "bind", "source": str(tmp_path / "fake"), "options": ["bind"]}
    )
    box = run(spec)
    assert box.error["kind"] == "InvalidArgument", box
    assert box.left == []


def test_files_that_only_inform_may_be_bound_over(root, tmp_path):
    (tmp_path / "uptime").write_text("1.00 1.00\n")
    spec = make_spec(root, "cat", "/proc/uptime")
    spec["mounts"].append(
        {
            "destination": "/proc/uptime",
            "type": "bind",
            "source": str(tmp_path / "uptime"),
            "options": ["bind"],
        }
    )
    assert run(spec).out == "1.00 1.00\n"


def test_a_mount_place_through_a_magic_link_is_refused(root, tmp_path):
    (root / "magic").symlink_to("/proc/self/root")
    spec = make_spec(root, "true")
    spec["mounts"].append({"destination": "/magic/data", "type": "tmpfs", "source": "tmpfs"})
    box = run(spec)
    assert box.error["errno"] == 40
    assert box.left == []


def test_sysctl_goes_to_procfs_and_not_into_the_image(root, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("safe")
    folder = root / "proc/sys/net/ipv4"
    folder.mkdir(parents=True)
    (folder / "ip_unprivileged_port_start").symlink_to(victim)
    spec = make_spec(root, "true")
    spec["mounts"] = [mount for mount in spec["mounts"] if mount["destination"] != "/proc"]
    spec["linux"]["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "0"}
    assert run(spec).code == 0
    assert victim.read_text() == "safe"


def test_places_that_change_while_the_container_starts(root, tmp_path):
    """A neighbour with the same volume swaps a directory for a symlink, over and over."""
    volume = tmp_path / "volume"
    (volume / "dir/sub").mkdir(parents=True)
    (volume / "link").symlink_to("/")
    source = tmp_path / "source"
    source.mkdir()
    outcomes = set()
    one, two = os.fsencode(volume / "dir"), os.fsencode(volume / "link")
    swapper = os.fork()
    if swapper == 0:
        try:
            while True:
                syscall("renameat2", nr.RENAMEAT2, -100, one, -100, two, 2)  # RENAME_EXCHANGE
        finally:
            os._exit(1)
    try:
        for _ in range(15):
            spec = make_spec(root, "sh", "-c", "grep -c source /proc/self/mountinfo; ls -d /bin/busybox")
            spec["mounts"] += [
                {"destination": "/vol", "type": "bind", "source": str(volume), "options": ["rbind"]},
                {"destination": "/vol/dir/sub", "type": "bind", "source": str(source), "options": ["rbind"]},
            ]
            box = run(spec)
            assert box.left == []
            if box.error is None:
                assert box.lines == ["1", "/bin/busybox"]
            outcomes.add(box.error is None)
        assert True in outcomes
    finally:
        os.kill(swapper, 9)
        os.waitpid(swapper, 0)
    assert str(source) not in Path("/proc/self/mountinfo").read_text()


# --- CVE-2025-31133, CVE-2025-52565: what is bound for masks and for the console ------------------------------------


def test_a_false_null_device_masks_nothing_wrongly(root):
    (root / "secret").write_text("secret\n")
    (root / "bait").write_text("bait\n")
    spec = make_spec(root, "sh", "-c", "cat /secret; echo over > /secret; cat /bait")
    spec["mounts"] = [mount for mount in spec["mounts"] if not mount["destination"].startswith("/dev")]
    spec["mounts"].append(
        {"destination": "/dev", "type": "bind", "source": str(root / "fakedev"), "options": ["bind"]}
    )
    (root / "fakedev").mkdir()
    (root / "fakedev/null").symlink_to("/bait")
    spec["linux"]["maskedPaths"] = ["/secret"]
    box = run(spec)
    assert box.out == "bait\n"


def test_a_false_terminal_multiplexer_is_refused(root):
    spec = make_spec(root, "true")
    spec["mounts"] = [mount for mount in spec["mounts"] if mount["destination"] not in ("/dev", "/dev/pts")]
    (root / "dev/pts").mkdir()
    (root / "dev/pts/ptmx").write_text("")
    spec["process"]["terminal"] = True
    box = run(spec)
    assert box.error["kind"] == "PermissionDenied"
    assert box.left == []


def test_masks_and_readonly_paths_stay_inside(root):
    (root / "out").symlink_to("../" * 20 + "etc/hostname")
    (root / "etc/hostname").write_text("inside\n")
    spec = make_spec(root, "cat", "/etc/hostname")
    spec["linux"]["maskedPaths"] = ["/out"]
    assert run(spec).out == ""
    assert Path("/etc/hostname").read_text()
