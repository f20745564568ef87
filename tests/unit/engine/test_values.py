"""The engine's small pure parts."""

import pytest

from firkin import ids
from firkin.engine import frames, names, states
from firkin.engine.attach import DetachKeys
from firkin.engine.filters import _port
from firkin.engine.logfile import Frame
from firkin.engine.loglines import Lines
from firkin.engine.portlist import ports_text
from firkin.engine.row import Container
from firkin.engine.signals import number_of
from firkin.engine.userns import choose, size_of
from firkin.errors import Conflict, InvalidArgument, ResourceExhausted


def container(**changes):
    values = {"id": "ab" * 32, "name": "web", "image": "i", "image_id": "x", "options": "{}", "image_config": "{}",
              "created_ns": 1, "state": states.RUNNING}  # fmt: skip
    return Container(**{**values, **changes})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("KILL", 9),
        ("sigterm", 15),
        ("SIGUSR1", 10),
        (9, 9),
        ("64", 64),
        ("RTMIN+3", 37),
        ("SIGRTMAX-1", 63),
        ("CLD", 17),
    ],
)
def test_signals(text, number):
    assert number_of(text) == number


@pytest.mark.parametrize(
    "text", ["", "NOSUCH", 0, 65, "-1", "_DFL", "RTMIN-1", "RTMAX+1", "RTMIN+x", "SIGSIGKILL"]
)
def test_signals_that_are_none(text):
    with pytest.raises(InvalidArgument):
        number_of(text)


def test_states_refuse_with_a_way_out():
    states.check("exec", container())
    with pytest.raises(Conflict, match="rm -f web"):
        states.check("remove", container())
    with pytest.raises(Conflict, match="firkin start web"):
        states.check("exec", container(state=states.EXITED))
    assert states.shown(states.STARTING) == states.CREATED


def test_frames_survive_any_cut():
    whole = (
        frames.pack(1, b"abc") + frames.pack(2) + frames.pack_json(3, {"a": [1]}) + frames.pack_size(24, 80)
    )
    expected = [(1, b"abc"), (2, b""), (3, b'{"a":[1]}'), (frames.RESIZE, b"\x18\0P\0")]
    for step in range(1, len(whole) + 1):
        unpacker = frames.Unpacker()
        found = []
        for at in range(0, len(whole), step):
            found += unpacker.feed(whole[at : at + step])
        assert found == expected
        assert not unpacker.partial()
    assert frames.unpack_size(b"\x18\0P\0") == (24, 80)
    with pytest.raises(ValueError, match="bytes"):
        frames.Unpacker().feed(b"\1\xff\xff\xff\xff")


def test_detach_keys():
    keys = DetachKeys(b"\x10\x11")
    assert keys.feed(b"ab\x10") == (b"ab", False)
    assert keys.feed(b"c") == (b"\x10c", False)
    assert keys.feed(b"\x10\x10\x11rest") == (b"\x10", True)
    assert DetachKeys(b"").feed(b"\x10\x11") == (b"\x10\x11", False)


def test_names_are_valid_and_get_a_number_when_taken():
    for value in range(0, 1 << 32, 99991 * 7):
        assert ids.check_name(names.generate(value.to_bytes(4, "little")))
    assert names.generate(b"\1\2\3\4", 3)[-1].isdigit()


def test_ports_as_ps_shows_them():
    def bound(inside, outside, proto="tcp", ip="0.0.0.0"):
        return {"proto": proto, "host_ip": ip, "host_port": outside, "container_port": inside}

    assert ports_text([bound(80, 8080)], ["80/tcp", "443/tcp"]) == "443/tcp, 0.0.0.0:8080->80/tcp"
    moved = "0.0.0.0:1080->80/tcp, 0.0.0.0:1081->81/tcp"
    assert ports_text([bound(n, n + 1000) for n in (80, 81)], []) == moved
    assert (
        ports_text([bound(n, n) for n in (80, 81, 82, 90)], [])
        == "0.0.0.0:80-82->80-82/tcp, 0.0.0.0:90->90/tcp"
    )
    assert ports_text([bound(53, 53), bound(53, 53, "udp")], []) == "0.0.0.0:53->53/tcp, 0.0.0.0:53->53/udp"
    assert ports_text([], ["8000/tcp", "8001/tcp", "9/udp"]) == "9/udp, 8000-8001/tcp"
    assert ports_text([], []) == ""
    assert _port("80-90/udp") == (80, 90, "udp")


def test_prefixes_of_log_lines():
    lines = Lines(True, "a=b")
    first = Frame(1_700_000_000_000_000_001, 1, b"one\ntw")
    stamp = b"2023-11-14T22:13:20.000000001Z a=b "
    assert lines.shaped(first) == stamp + b"one\n" + stamp + b"tw"
    assert lines.shaped(Frame(first.time_ns, 2, b"err\n")) == stamp + b"err\n"
    assert lines.shaped(Frame(first.time_ns, 1, b"o\n")) == b"o\n"
    assert Lines(False, None).shaped(first) == first.data


def test_ranges_of_user_namespaces():
    pool = [(100, 100), (1000, 50)]
    assert choose(pool, [], 60) == 100
    assert choose(pool, [(100, 60)], 40) == 160
    assert choose(pool, [(100, 60)], 45) == 1000
    assert choose(pool, [(120, 10), (150, 10)], 20) == 100
    with pytest.raises(ResourceExhausted):
        choose(pool, [(100, 100), (1000, 50)], 1)
    assert (size_of("auto"), size_of("auto:size=7")) == (65536, 7)
    with pytest.raises(InvalidArgument):
        size_of("auto:size=0")
