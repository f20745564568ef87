"""Mount propagation of -v and --mount, from a mount namespace that has a shared mount, and from one that has none."""

from __future__ import annotations

import subprocess

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from e2e.isolation.conftest import Pair
    from e2e.target import Target

pytestmark = pytest.mark.needs_root

# host side: a shared tmpfs S; the container gets it, somebody mounts below, both sides tell what they see
SCRIPT = r"""
mount -t tmpfs shared {S} && mount --make-shared {S} && mkdir {S}/from-host {S}/from-inside
mkfifo {S}/go
{RUN} --cap-add SYS_ADMIN --security-opt seccomp=unconfined -v {S}:/s:{HOW} busybox sh -c '
  mount -t tmpfs i /s/from-inside; echo inside > /s/from-inside/mark; cat /s/go; cat /s/from-host/mark 2>&1 | sed s/.*://' &
sleep 0.1; n=0; while [ $n -lt 100 ] && ! grep -q . {S}/from-inside/mark 2>/dev/null; do n=$((n + 10)); sleep 0.05; done
mount -t tmpfs h {S}/from-host; echo host > {S}/from-host/mark
echo > {S}/go; wait
cat {S}/from-inside/mark 2>&1 | sed s/.*://
"""


@pytest.mark.parametrize(
    ("how", "inside", "outside"),
    [("rshared", "host", "inside"), ("rslave", "host", " No such file or directory"),
     ("rprivate", " No such file or directory", " No such file or directory")],
)  # fmt: skip
def test_mounts_go_where_the_propagation_says(
    firkin: Target, tmp_path: Path, how: str, inside: str, outside: str
) -> None:
    run = " ".join(firkin.argv("run", "--rm", "--network", "none"))
    script = SCRIPT.format(S=tmp_path, RUN=run, HOW=how)
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    lines = [line for line in ran.stdout.splitlines() if line]
    assert lines == [inside, outside], (ran.stdout, ran.stderr)


@pytest.mark.parametrize("how", ["shared", "rshared", "slave", "rslave"])
def test_a_source_that_does_not_propagate_is_refused(pair: Pair, tmp_path: Path, how: str) -> None:
    kind = "a shared mount" if how.endswith("shared") else "a shared or slave mount"
    # the same for both: neither the machine's root nor that of dockerd's namespace is shared here
    made = subprocess.run(["unshare", "-m", *pair.firkin.argv("run", "--rm", "-v", f"{tmp_path}:/s:{how}", "busybox", "true")],
                          capture_output=True, text=True)  # fmt: skip
    theirs = pair.reference.run("run", "--rm", "-v", f"{tmp_path}:/s:{how}", "busybox", "true")
    assert (made.returncode, theirs.returncode) == (125, 125)
    for said in (made.stderr, theirs.stderr):
        assert f"path {tmp_path} is mounted on / but it is not {kind}" in said
