"""The image `host`: what must not be read, and that nothing that is written reaches the host."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from firkin.images.host import secrets

pytestmark = pytest.mark.needs_root


def test_secrets_show_nothing(firkin) -> None:
    key = Path("/root/.ssh")
    made = not key.exists()
    if made:
        key.mkdir(mode=0o700)
        (key / "id_test").write_text("SECRET\n")
    try:
        known = list(secrets())
        assert {"/etc/shadow", "/root/.ssh"} <= set(known)
        script = (
            "for p in "
            + " ".join(known)
            + '; do [ -d $p ] && [ -n "$(ls -A $p 2>/dev/null)" ] && echo $p; [ -f $p ] && echo $p; [ -c $p ] && [ -n "$(cat $p)" ] && echo $p; done; echo looked'
        )
        assert firkin.out("run", "--rm", "--network", "none", "host", "sh", "-c", script) == "looked"
        others = {
            "umount": "umount /etc/shadow || umount -l /root/.ssh", "remove": "rm -rf /root/.ssh || rm -f /etc/shadow",
            "rename": "mv /root/.ssh /root/x || mv /etc/shadow /etc/x", "rename the home": """python3 -c 'import os; os.rename("/root", "/x")' && ls /x/.ssh | grep .""",
            "link": "ln /etc/shadow /etc/y", "by process 1": "[ -n \"$(cat /proc/1/root/etc/shadow)\" ]",
            "by exec of another": "[ -n \"$(cat /proc/self/cwd/etc/shadow)\" ]",
            "bind elsewhere": "mount -o bind / /mnt && cat /mnt/etc/shadow",
            "the disk": f"mknod /tmp/d b {os.major(os.stat('/').st_dev)} {os.minor(os.stat('/').st_dev)} && head -c 1 /tmp/d",
        }  # fmt: skip
        assert firkin.denied(["--network", "none"], others, image="host") == []
    finally:
        if made:
            (key / "id_test").unlink()
            key.rmdir()


def test_firkins_state_is_hidden(firkin) -> None:
    places = [f"{firkin.home}/root", f"{firkin.home}/run", "/var/lib/firkin", "/run/firkin"]
    script = (
        "for p in "
        + " ".join(places)
        + '; do [ -n "$(ls -A $p 2>/dev/null)" ] && echo seen $p; done; ls /run; cat /proc/mounts | grep -c upperdir'
    )
    told = firkin.out("run", "--rm", "--network", "none", "host", "sh", "-c", script).splitlines()
    assert not [line for line in told if line.startswith("seen")], told
    for flags in (("--host-expose", f"{firkin.home}/root"), ("--host-expose", "/")):
        assert firkin.run("run", "--rm", *flags, "host", "true").returncode == 125


def test_nothing_written_reaches_the_host(firkin) -> None:
    mark = f"firkin-attack-{uuid.uuid4().hex}"
    script = (f"awk '{{ print $5 }}' /proc/self/mountinfo | while read m; do touch $m/{mark} 2>/dev/null && echo $m; done; "
              f"for d in / /etc /usr/bin /root /home /var/lib /boot /tmp; do touch $d/{mark} 2>/dev/null && echo $d; done; "
              "echo broken >> /etc/passwd; rm -rf /usr/share/doc; chmod 777 /etc; mv /etc/hostname /etc/h2 2>/dev/null; true")  # fmt: skip
    before = Path("/etc/passwd").read_bytes(), os.stat("/etc").st_mode, Path("/usr/share/doc").exists()
    written = firkin.out("run", "--rm", "--network", "none", "host", "sh", "-c", script).split()
    assert "/" in written
    assert "/etc" in written
    for place in written:
        assert not os.path.lexists(f"{place}/{mark}"), place
    assert (
        Path("/etc/passwd").read_bytes(),
        os.stat("/etc").st_mode,
        Path("/usr/share/doc").exists(),
    ) == before
