"""The host image for real: what is seen, what is hidden, and that nothing comes back."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_overlay]

FIRKIN = Path(__file__).resolve().parents[3] / "bin" / "firkin"


@pytest.fixture
def sandbox(home):
    """Run a shell line in a container of the host; return what it printed."""

    def run(script, *flags, before=""):
        environ = {**os.environ, "FIRKIN_ROOT": f"{home}/root", "FIRKIN_RUN_ROOT": f"{home}/run"}
        command = [str(FIRKIN), "run", "--rm", "--network", "none", *flags, "host", "sh", "-c", script]
        if before:
            command = ["unshare", "-m", "sh", "-c", f'{before}\nexec "$@"', "sh", *command]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    return run


def test_reads_the_hosts_files_and_keeps_its_changes_to_itself(sandbox, home):
    with open(f"{home}/file", "w", encoding="ascii") as stream:
        stream.write("host\n")
    out = sandbox(
        f"cat {home}/file; echo mine > {home}/file; cat {home}/file; rm -r {home}/file; mkdir /etc/firkin-test-x; echo $?"
    )
    assert out.split() == ["host", "mine", "0"]
    with open(f"{home}/file", encoding="ascii") as stream:
        assert stream.read() == "host\n"
    assert not os.path.exists("/etc/firkin-test-x")


def test_secrets_read_as_nothing_and_root_cannot_uncover_them(sandbox):
    assert os.path.getsize("/etc/shadow") > 0
    out = sandbox(
        "wc -c < /etc/shadow; umount /etc/shadow; mount -t tmpfs none /mnt; wc -c < /etc/shadow; mv /etc/shadow /x"
    )
    lines = out.splitlines()
    assert lines[0] == "0"
    assert "0" in lines[1:]
    assert (
        sum("must be superuser" in line or "denied" in line or "busy" in line.lower() for line in lines) >= 2
    )


def test_a_secret_can_be_exposed_and_is_still_copied_on_write(sandbox):
    size = os.path.getsize("/etc/shadow")
    out = sandbox(
        "wc -c < /etc/shadow; echo x > /etc/shadow; cat /etc/shadow", "--host-expose", "/etc/shadow"
    )
    assert out.split() == [str(size), "x"]
    assert os.path.getsize("/etc/shadow") == size


def test_what_is_not_masked_cannot_be_exposed(sandbox):
    out = sandbox("true", "--host-expose", "/etc/shadwo")
    assert "nothing is masked there; did you mean /etc/shadow?" in out


def test_firkins_own_state_is_an_empty_directory(sandbox, home):
    out = sandbox(
        f"ls -A {home}/root | wc -l; touch {home}/root/x 2>&1 | grep -c Read-only; ls -A /run | wc -l"
    )
    assert out.split() == ["0", "1", "0"]
    assert "never exposed" in sandbox("true", "--host-expose", f"{home}/root")


def test_another_file_system_is_seen_copied_on_write_and_a_tmpfs_is_not(sandbox, home):
    image = f"{home}/disk.img"
    with open(image, "wb") as stream:
        stream.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    os.makedirs(f"{home}/disk")
    os.makedirs(f"{home}/memory")
    before = f"""set -e
mount -o loop {image} {home}/disk
echo disk > {home}/disk/file
mkdir {home}/disk/etc
mount --bind /etc {home}/disk/etc
mount -t tmpfs none {home}/memory
echo memory > {home}/memory/file"""
    script = f"cat {home}/disk/file; echo mine > {home}/disk/file; cat {home}/disk/file; wc -c < {home}/disk/etc/shadow; ls {home}/memory"
    assert sandbox(script, before=before).split() == ["disk", "mine", "0"]
    again = sandbox(f"cat {home}/disk/file", before=f"mount -o loop {image} {home}/disk")
    assert again.split() == ["disk"], "the write did not reach the disk"


def test_the_built_in_image_has_a_shell_and_this_machines_architecture(sandbox):
    assert sandbox("uname -m; echo $PATH").split() == [
        os.uname().machine,
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]
