"""Docker's flag grammar, case by case."""

from __future__ import annotations

import pytest

from firkin.cli.create_flags import FLAGS
from firkin.cli.flags import BadFlag, HelpWanted, parse


def read(*argv: str, interspersed: bool = False) -> tuple[dict[str, object], list[str]]:
    return parse(FLAGS, argv, interspersed=interspersed)


@pytest.mark.parametrize(
    ("argv", "values", "words"),
    [
        ((), {}, []),
        (("-it", "x"), {"interactive": True, "tty": True}, ["x"]),
        (("-eFOO=1", "x"), {"env": ["FOO=1"]}, ["x"]),
        (("-e", "FOO=1", "-e=BAR=2", "x"), {"env": ["FOO=1", "BAR=2"]}, ["x"]),
        (("-iteFOO", "x"), {"interactive": True, "tty": True, "env": ["FOO"]}, ["x"]),
        (("--env=A=B=C", "--env", "D", "x"), {"env": ["A=B=C", "D"]}, ["x"]),
        (("--rm=false", "--init=T", "x"), {"rm": False, "init": True}, ["x"]),
        (("--rm", "false"), {"rm": True}, ["false"]),
        (("x", "-it", "--foo"), {}, ["x", "-it", "--foo"]),
        (("--", "-it"), {}, ["-it"]),
        (("-", "-it"), {}, ["-", "-it"]),
        (("--name", "--", "x"), {"name": "--"}, ["x"]),
        (("--name=", "x"), {"name": ""}, ["x"]),
        (("-u=0:0", "-w/", "x"), {"user": "0:0", "workdir": "/"}, ["x"]),
        (("-u=", "x"), {"user": "="}, ["x"]),
        (("-m", "64m", "--shm-size=1k"), {"memory": 64 << 20, "shm-size": 1024}, []),
        (("--memory-swap", "-1"), {"memory-swap": -1}, []),
        (("--cpu-shares", "0x10", "--pids-limit=-1"), {"cpu-shares": 16, "pids-limit": -1}, []),
        (("--health-interval=1m30s",), {"health-interval": 90_000_000_000}, []),
        (("--name", "a", "--name", "b"), {"name": "b"}, []),
        (("", "x"), {}, ["", "x"]),
    ],
)
def test_reads(argv: tuple[str, ...], values: dict[str, object], words: list[str]) -> None:
    assert read(*argv) == (values, words)


def test_interspersed_flags_may_follow_words_until_two_dashes() -> None:
    assert read("a", "--rm", "b", "--", "--rm", interspersed=True) == ({"rm": True}, ["a", "b", "--rm"])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--foo",), "unknown flag: --foo"),
        (("--foo=1",), "unknown flag: --foo"),
        (("-itZ",), "unknown shorthand flag: 'Z' in -itZ"),
        (("--env",), "flag needs an argument: --env"),
        (("-ie",), "flag needs an argument: 'e' in -ie"),
        (("---x",), "bad flag syntax: ---x"),
        (("--=x",), "bad flag syntax: --=x"),
        (("--rm=maybe",), 'invalid argument "maybe" for "--rm" flag: not a boolean, use true or false'),
        (("-c", "x"), 'invalid argument "x" for "-c, --cpu-shares" flag: not a whole number'),
        (
            ("--blkio-weight=-1",),
            'invalid argument "-1" for "--blkio-weight" flag: not a whole number from 0',
        ),
        (("--blkio-weight=70000",), 'invalid argument "70000" for "--blkio-weight" flag: value out of range'),
        (("-m", "x"), 'invalid argument "x" for "-m, --memory" flag: invalid size: \'x\''),
        (("--sysctl", "a"), 'invalid argument "a" for "--sysctl" flag: a must be formatted as key=value'),
    ],
)
def test_refuses(argv: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadFlag) as refused:
        read(*argv)
    assert str(refused.value).startswith(message)


def test_help_is_a_way_out_wherever_it_stands() -> None:
    for argv in (("--help",), ("--rm", "--help", "x")):
        with pytest.raises(HelpWanted):
            parse(FLAGS, argv)
    with pytest.raises(HelpWanted):
        parse((), ["-h"])


def test_a_reader_turns_each_text_into_a_value() -> None:
    readers = {"volume": "units:parse_size", "cpus": "specgen.parse_limits:parse_cpus"}
    assert parse(FLAGS, ["-v", "1k", "-v2k", "--cpus=1.5"], readers=readers) == (
        {"volume": [1024, 2048], "cpus": 1_500_000_000},
        [],
    )
    with pytest.raises(BadFlag, match='invalid argument "a" for "-v, --volume" flag: invalid size'):
        parse(FLAGS, ["-v", "a"], readers=readers)


def test_every_flag_table_is_well_formed() -> None:
    from firkin.cli import flags

    names = [row[0] for row in FLAGS]
    shorts = [row[1] for row in FLAGS if row[1]]
    assert len(set(names)) == len(names)
    assert len(set(shorts)) == len(shorts)
    assert all(row[2] in flags.SCALARS or row[2] in flags.LISTS for row in FLAGS)
