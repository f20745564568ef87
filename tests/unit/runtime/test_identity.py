"""Capability sets, ids, the words of refusals: what needs no kernel."""

from __future__ import annotations

import errno
import os

import pytest

from firkin.errors import CannotRun, InvalidArgument, SyscallError, Unsupported
from firkin.linux import caps, nr
from firkin.oci import spec as oci
from firkin.runtime import channel, identity, idmap, program

BIT = {name: 1 << number for name, number in caps.NUMBERS.items()}


def test_sets_are_limited_to_what_is_available_and_warn():
    wanted = {
        "bounding": ["CAP_CHOWN", "CAP_BPF"],
        "permitted": ["CAP_CHOWN"],
        "effective": ["CAP_CHOWN", "CAP_KILL"],
    }
    sets, warnings = identity.capability_sets(wanted, BIT["CAP_CHOWN"] | BIT["CAP_KILL"])
    assert sets.bounding == BIT["CAP_CHOWN"]
    assert sets.effective == BIT["CAP_CHOWN"]
    assert warnings == ["capability CAP_BPF cannot be granted here and is left out"]


def test_ambient_needs_permitted_and_inheritable():
    everything = (1 << 41) - 1
    wanted = {name: ["CAP_CHOWN"] for name in ("bounding", "permitted", "inheritable")} | {
        "ambient": ["CAP_CHOWN", "CAP_KILL"]
    }
    assert identity.capability_sets(wanted, everything)[0].ambient == BIT["CAP_CHOWN"]
    assert identity.capability_sets({"ambient": ["CAP_CHOWN"]}, everything)[0].ambient == 0
    assert identity.capability_sets(None, everything)[0] == identity.CapabilitySets()


def test_names_and_masks():
    assert caps.names(BIT["CAP_CHOWN"] | BIT["CAP_CHECKPOINT_RESTORE"] | 1 << 45) == [
        "CAP_CHOWN", "CAP_CHECKPOINT_RESTORE", "CAP_45",
    ]  # fmt: skip
    assert caps.mask(["CAP_CHOWN", "CAP_X", "chown"]) == (1, ["CAP_X", "chown"])


def test_spec_and_kernel_agree_on_limits():
    assert set(identity.LIMITS) == set(oci.RLIMITS)


@pytest.mark.parametrize(("text", "nodes"), [("", set()), ("0", {0}), ("0-3,7", {0, 1, 2, 3, 7})])
def test_nodes(text, nodes):
    assert identity.parse_nodes(text) == nodes


@pytest.mark.parametrize("text", ["a", "1-", "0-9999", "-1", "1--2"])
def test_wrong_nodes(text):
    with pytest.raises(InvalidArgument):
        identity.parse_nodes(text)


def test_host_ids():
    maps = [{"containerID": 0, "hostID": 1000, "size": 1}, {"containerID": 1, "hostID": 100000, "size": 10}]
    assert [idmap.host_id(maps, inside) for inside in (0, 1, 10, 11)] == [1000, 100000, 100009, None]


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (errno.ENOENT, 127, "no such file or directory"),
        (errno.EACCES, 126, "permission denied"),
        (errno.ENOEXEC, 126, "exec format error"),
    ],
)
def test_words_and_codes(number, code, words):
    error = program.refused("/x", number)
    assert str(error) == f"exec /x: {words}"
    assert error.exit_code == code
    assert error.fields["errno"] == number


def test_find_along_the_path(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").write_text("")
    (tmp_path / "bin/tool").chmod(0o755)
    (tmp_path / "bin/data").write_text("")
    search = f"/nowhere:{tmp_path}/bin"
    assert program.find("tool", search) == f"{tmp_path}/bin/tool"
    for name in ("data", "missing", "", "bin"):
        with pytest.raises(CannotRun, match=r"executable file not found in \$PATH") as caught:
            program.find(name, search)
        assert caught.value.exit_code == 127


def test_home(monkeypatch, tmp_path):
    passwd = tmp_path / "passwd"
    passwd.write_bytes(b"short:line\nroot:x:0:0::/root:/bin/sh\n\xff:x:7:7::/h\xff:/bin/sh\nnone:x:8:8:::\n")
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, flags: real(passwd, flags))
    assert program.home_of(0) == "/root"
    assert os.fsencode(program.home_of(7)) == b"/h\xff"
    assert program.home_of(8) == program.home_of(9) == "/"


def test_errors_cross_the_channel_with_their_notes():
    from firkin.linux import fdpass

    ours, theirs = fdpass.pair()
    try:
        for original in (
            CannotRun("exec: x", exit_code=127, path="/x"),
            SyscallError(errno.EPERM, "mount", "/y"),
            InvalidArgument("no", field="a"),
        ):
            original.add_note("while testing")
            channel.report(theirs, original)
            with pytest.raises(type(original)) as caught:
                channel.listen(ours)
            assert str(caught.value) == str(original)
            assert caught.value.__notes__ == ["while testing"]
        os.write(theirs, (8).to_bytes(4, "little"))
        with pytest.raises(channel.ProgramFailed) as failed:
            channel.listen(ours)
        assert failed.value.errno == 8
        channel.say(theirs, channel.READY, theirs)
        word, fd = channel.listen(ours)
        assert word == channel.READY
        assert fd is not None
        os.close(fd)
    finally:
        os.close(theirs)
        assert channel.listen(ours) == (b"", None)
        os.close(ours)


def test_machines_without_numbers_are_refused():
    assert nr.column_of("x86_64", wide=True) == 0
    assert nr.column_of("aarch64", wide=True) == 1
    for machine, wide in (("riscv64", True), ("x86_64", False)):
        with pytest.raises(Unsupported, match=machine):
            nr.column_of(machine, wide)
