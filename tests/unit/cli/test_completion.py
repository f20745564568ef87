"""The scripts are well-formed, and bash really completes with them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from firkin.cli.completion import SHELLS


@pytest.mark.parametrize(("shell", "flag"), [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_the_shell_reads_it(shell: str, flag: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    ran = subprocess.run([program, flag], input=SHELLS[shell](), capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def complete(*words: str) -> list[str]:
    """Return what bash offers for the last of ``words``; firkin itself is a function that answers two questions."""
    quoted = " ".join(f"'{word}'" for word in ("firkin", *words))
    script = f"""
{SHELLS["bash"]()}
firkin() {{ case "$1 $2" in "ps -a") echo web; echo db ;; "images --format") echo busybox:latest ;; esac; }}
COMP_WORDS=({quoted}); COMP_CWORD={len(words)}
_firkin
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    ran = subprocess.run(["bash", "--norc"], input=script, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return ran.stdout.split()


def test_offers_commands_flags_and_names() -> None:
    assert {"run", "rm", "rmi"} <= set(complete("r"))
    assert "run" not in complete("container", "l")
    assert set(complete("container", "l")) == {"logs", "ls", "list"}
    assert set(complete("--root", "/x", "imag")) == {"image", "images"}
    assert complete("run", "--cap-a") == ["--cap-add"]
    assert complete("container", "run", "--cap-a") == ["--cap-add"]
    assert complete("stop", "w") == ["web"]
    assert complete("stop", "web", "d") == ["db"]
    assert complete("run", "--name", "x", "-it", "busy") == ["busybox:latest"]
    assert complete("container", "rm", "") == ["web", "db"]
    assert complete("--prof") == ["--profile", "--profile-json"]
    assert complete("completion", "z") == ["zsh"]


def test_what_follows_the_image_is_a_path(tmp_path: object) -> None:
    (tmp_path / "inside").touch()  # type: ignore[operator]
    assert complete("run", "busybox:latest", f"{tmp_path}/in") == [f"{tmp_path}/inside"]
    assert complete("exec", "web", f"{tmp_path}/in") == [f"{tmp_path}/inside"]
