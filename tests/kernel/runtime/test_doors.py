"""linux/: the doors that launch and storage go through."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

import pytest
from box import in_monitor

from firkin.errors import InvalidArgument, SyscallError
from firkin.linux import caps, ns, path, process, tty
from firkin.linux import mount as m

pytestmark = pytest.mark.needs_root


@pytest.fixture
def folder(tmp_path):
    fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def name_of(fd):
    name = os.readlink(path.proc_fd(fd))
    os.close(fd)
    return name


def test_directories_are_made_inside(folder, tmp_path):
    assert name_of(path.mkdir_in_root(folder, "/a/b/c")) == f"{tmp_path}/a/b/c"
    assert name_of(path.mkdir_in_root(folder, "a//./b/c/")) == f"{tmp_path}/a/b/c"
    assert name_of(path.mkdir_in_root(folder, "../../a/b")) == f"{tmp_path}/a/b"
    assert name_of(path.mkdir_in_root(folder, "/")) == str(tmp_path)


def test_dangling_links_are_followed_inside(folder, tmp_path):
    (tmp_path / "abs").symlink_to("/x/y")
    (tmp_path / "rel").symlink_to("../../z")
    (tmp_path / "file").symlink_to("/made/by/link")
    assert name_of(path.mkdir_in_root(folder, "abs/deep")) == f"{tmp_path}/x/y/deep"
    assert name_of(path.mkdir_in_root(folder, "rel/deep")) == f"{tmp_path}/z/deep"
    assert name_of(path.create_in_root(folder, "file")) == f"{tmp_path}/made/by/link"


@pytest.mark.parametrize(
    ("name", "number"),
    [("loop/x", errno.ELOOP), ("missing/../x", errno.ENOENT), ("f/x", errno.ENOTDIR), ("f", errno.ENOTDIR)],
)
def test_what_cannot_be_a_directory(folder, tmp_path, name, number):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "f").write_text("")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(SyscallError) as caught:
        path.mkdir_in_root(folder, name)
    assert caught.value.errno == number
    assert len(os.listdir("/proc/self/fd")) == before


def test_magic_links_are_refused():
    root = os.open("/", os.O_PATH)
    for name in ("/proc/self/root", "/proc/self/cwd/x", "/proc/self/fd/0", "/proc/self/exe"):
        with pytest.raises(SyscallError) as caught:
            path.open_in_root(root, name)
        assert caught.value.errno == errno.ELOOP
    os.close(root)


def test_files_are_made_once(folder, tmp_path):
    os.close(path.create_in_root(folder, "/a/file", 0o600))
    (tmp_path / "a/file").write_text("kept")
    os.close(path.create_in_root(folder, "/a/file"))
    assert (tmp_path / "a/file").read_text() == "kept"
    os.close(path.create_in_root(folder, "/a"))  # the directory that is there
    with pytest.raises(SyscallError):
        path.create_in_root(folder, "b/..")


def test_xattrs_are_of_the_link_itself(folder, tmp_path):
    (tmp_path / "target").write_text("")
    (tmp_path / "link").symlink_to("target")
    path.set_xattr_at(folder, "link", "trusted.test", b"1")
    assert path.get_xattr_at(folder, "link", "trusted.test") == b"1"
    assert "trusted.test" in path.list_xattrs_at(folder, "link")
    assert path.list_xattrs_at(folder, "target") == []


def test_clone_and_wait():
    pid, pidfd = process.clone3(0)
    if pid == 0:
        os._exit(7)
    assert process.wait_pidfd(pidfd) == 7
    assert not process.pidfd_send_signal(pidfd, 9)
    os.close(pidfd)
    pid, pidfd = process.clone3(ns.CLONE_NEWPID | ns.CLONE_NEWUSER)
    if pid == 0:
        process.reset_signals()
        while True:
            signal.pause()
    assert process.pidfd_send_signal(pidfd, 9)
    assert process.wait_pidfd(pidfd) == 137
    os.close(pidfd)


def test_signal_handlers_do_not_run_in_the_child():
    ran = []
    old = signal.signal(signal.SIGUSR1, lambda *_: ran.append(os.getpid()))
    try:
        pid, pidfd = process.clone3(0)
        if pid == 0:
            os.kill(os.getpid(), signal.SIGUSR1)
            process.reset_signals()
            os._exit(0)
        assert process.wait_pidfd(pidfd) == 128 + signal.SIGUSR1
        os.close(pidfd)
        assert ran == []
        assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.signal(signal.SIGUSR1, old)


def test_start_time_of_a_process_with_an_awkward_name():
    pid, pidfd = process.clone3(0)
    if pid == 0:
        process.set_name("a) R 1 (b")
        time.sleep(30)
        os._exit(0)
    try:
        assert process.start_time(pid) >= process.start_time(os.getpid())
    finally:
        process.pidfd_send_signal(pidfd, 9)
        process.wait_pidfd(pidfd)
        os.close(pidfd)


def test_close_range_and_what_stands_in_for_it():
    def monitor():
        answers = []
        for close in (process.close_range, process._close_each):
            os.dup2(0, 200)
            os.set_inheritable(200, True)
            close(150, 250, process.CLOSE_RANGE_CLOEXEC)
            answers.append(os.get_inheritable(200))
            close(150, 250, 0)
            try:
                os.fstat(200)
                answers.append("open")
            except OSError:
                answers.append("closed")
        return answers

    assert in_monitor(monitor) == [False, "closed", False, "closed"]


def test_attributes_the_old_way(tmp_path):
    def monitor():
        m.mount("tmpfs", str(tmp_path), "tmpfs", m.MS_NOSUID)
        fd = os.open(tmp_path, os.O_PATH)
        m._set_the_old_way(
            fd, m.MOUNT_ATTR_RDONLY | m.MOUNT_ATTR_NOATIME, m.MOUNT_ATTR__ATIME, m.MS_SHARED, False
        )
        line = next(
            line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f" {tmp_path} " in line
        )
        return line.split()[5:7]

    options, propagation = in_monitor(monitor)
    assert set(options.split(",")) == {"ro", "nosuid", "noatime"}
    assert propagation.startswith("shared:")


def test_terminals():
    master, slave = tty.open_host_pair()
    tty.set_size(master, 11, 22)
    assert tty.get_size(slave) == (11, 22)
    os.close(master)
    os.close(slave)


def test_capabilities_are_what_the_kernel_says():
    status = dict(
        line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line
    )
    assert caps.get() == tuple(int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh"))
    assert caps.last() == int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert caps.in_bounding_set(0) == bool(int(status["CapBnd"], 16) & 1)
    assert caps.in_bounding_set(63) is None


def test_namespace_files_are_checked():
    os.close(ns.open_namespace("/proc/self/ns/net", "network"))
    with pytest.raises(InvalidArgument, match="is a network namespace, not a pid namespace"):
        ns.open_namespace("/proc/self/ns/net", "pid")
    with pytest.raises(InvalidArgument, match="is not a namespace"):
        ns.open_namespace("/etc/passwd", "pid")


def test_the_death_of_the_monitor_is_the_containers(root):
    from box import make_spec, start

    from firkin.runtime.launch import mount_root

    reader, writer = os.pipe()

    def monitor():
        mount_root(str(root), str(root))
        null = os.open("/dev/null", os.O_RDWR)
        launched = start(make_spec(root, "sleep", "60"), null)
        os.write(writer, b"%d" % launched.pid)
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(AssertionError):
        in_monitor(monitor)
    pid = int(os.read(reader, 20))
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            break
        if state in "ZX":
            break
        time.sleep(0.01)
    else:
        pytest.fail("the container outlived its monitor")
