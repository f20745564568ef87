"""The process of `exec`."""

from __future__ import annotations

from typing import Any

import pytest

from firkin.errors import InvalidArgument
from firkin.oci.image import ImageConfig
from firkin.specgen.caps import DEFAULT, NAMES
from firkin.specgen.facts import Facts
from firkin.specgen.generate import generate
from firkin.specgen.options import CreateOptions, ExecOptions, Ulimit
from firkin.specgen.process import exec_process

FACTS = Facts(
    container_id="a" * 64,
    passwd=b"root:x:0:0::/root:\nweb:x:33:34::/var/www:\n",
    group=b"audio:x:29:web\n",
    seccomp={},
)


def container(**options: Any) -> dict[str, Any]:
    image = ImageConfig(cmd=("sh",), env=("PATH=/bin",), working_dir="/srv")
    return generate(CreateOptions(image="x", **options), image, FACTS)


def run(spec: dict[str, Any], **options: Any) -> dict[str, Any]:
    return exec_process(spec, ExecOptions(**{"command": ("id",), **options}), FACTS)


def test_it_takes_after_the_container() -> None:
    own = container(user="web", ulimit=(Ulimit(name="core", soft=0, hard=0),))
    found = run(own)
    assert found["args"] == ["id"]
    for name in ("user", "env", "cwd", "capabilities", "rlimits", "noNewPrivileges"):
        assert found[name] == own["process"][name]
    assert found["terminal"] is False
    assert found["oomScoreAdj"] == own["process"]["oomScoreAdj"]


def test_another_user_has_another_home_and_no_capabilities() -> None:
    found = run(container(), user="web")
    assert found["user"] == {"uid": 33, "gid": 34, "additionalGids": [34, 29]}
    assert found["env"] == ["PATH=/bin", "HOSTNAME=aaaaaaaaaaaa", "HOME=/var/www"]
    assert found["capabilities"] == {"bounding": list(DEFAULT)}
    back = run(container(user="web"), user="root")
    assert back["capabilities"]["effective"] == list(DEFAULT)
    assert back["env"][-1] == "HOME=/root"


def test_a_home_that_was_given_stays() -> None:
    assert "HOME=/root" in run(container(env=("HOME=/root",)), user="web")["env"]


def test_environment_directory_and_terminal() -> None:
    found = run(container(), env=("A=1", "PATH=/x", "HOSTNAME"), workdir="/tmp/../etc", tty=True)
    assert found["env"] == ["PATH=/x", "HOME=/root", "TERM=xterm", "A=1"]
    assert found["cwd"] == "/etc"
    assert found["terminal"] is True
    with pytest.raises(InvalidArgument, match="the working directory 'rel' is invalid"):
        run(container(), workdir="rel")


def test_privileged_is_all_that_the_caller_has() -> None:
    assert run(container(), privileged=True)["capabilities"]["effective"] == list(NAMES)


def test_the_containers_spec_is_left_alone() -> None:
    own = container()
    before = repr(own)
    run(own, user="web", env=("A=1",), tty=True)
    assert repr(own) == before


def test_nothing_to_run_and_unknown_users_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="no exec command specified"):
        run(container(), command=())
    with pytest.raises(InvalidArgument, match="unable to find user nobody"):
        run(container(), user="nobody")
