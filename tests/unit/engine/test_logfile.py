"""The framed log: what is written comes back, torn ends are cut, full disks are survived."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from firkin.engine import logfile
from firkin.engine.logfile import LogWriter, read_backward, read_forward


def frames_of(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        forward = [(f.stream, f.data) for _, f in read_forward(fd)]
        backward = [(f.stream, f.data) for _, f in read_backward(fd, os.fstat(fd).st_size)]
    finally:
        os.close(fd)
    return forward, backward


@settings(max_examples=30, deadline=None)
@given(chunks=st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(min_size=1, max_size=300)), max_size=30))
def test_frames_come_back_in_order_both_ways(tmp_path_factory, chunks):
    path = str(tmp_path_factory.mktemp("log") / "log")
    writer = LogWriter(path)
    for stream, data in chunks:
        writer.write(stream, data)
    writer.close()
    forward, backward = frames_of(path)
    assert forward == chunks
    assert backward == chunks[::-1]


def test_frames_larger_than_a_read_come_back(tmp_path):
    path = str(tmp_path / "log")
    writer = LogWriter(path)
    big = os.urandom(700_000)
    for data in (b"a", big, b"b", big):
        writer.write(1, data)
    writer.close()
    forward, backward = frames_of(path)
    assert [d for _, d in forward] == [b"a", big, b"b", big]
    assert backward == forward[::-1]


def test_a_torn_last_frame_is_not_read_and_is_cut_before_the_next(tmp_path):
    path = str(tmp_path / "log")
    writer = LogWriter(path)
    writer.write(1, b"whole")
    writer.write(2, b"torn by a crash")
    writer.close()
    for cut in range(1, 15 + logfile.OVERHEAD):
        size = logfile.OVERHEAD * 2 + len(b"whole") + len(b"torn by a crash")
        copy = str(tmp_path / f"copy{cut}")
        with open(path, "rb") as source, open(copy, "wb") as target:
            target.write(source.read()[: size - cut])
        assert frames_of(copy)[0] == [(1, b"whole")]
        again = LogWriter(copy)
        again.write(1, b"next")
        again.close()
        forward, backward = frames_of(copy)
        assert forward == [(1, b"whole"), (1, b"next")] == backward[::-1]


def test_zeros_after_a_power_cut_end_the_log(tmp_path):
    path = str(tmp_path / "log")
    writer = LogWriter(path)
    writer.write(1, b"whole")
    writer.close()
    with open(path, "ab") as stream:
        stream.write(bytes(5000))
    assert frames_of(path)[0] == [(1, b"whole")]
    again = LogWriter(path)
    again.write(1, b"next")
    again.close()
    assert frames_of(path)[0] == [(1, b"whole"), (1, b"next")]


def test_a_full_disk_loses_output_but_says_how_much(tmp_path):
    path = str(tmp_path / "log")
    writer = LogWriter(path)
    writer.write(1, b"before")
    good = writer.fd
    writer.fd = os.open("/dev/full", os.O_RDWR)
    writer.write(1, b"12345")
    writer.write(2, b"678")
    assert writer.lost == 8
    os.close(writer.fd)
    writer.fd = good
    writer.write(1, b"after")
    writer.close()
    assert frames_of(path)[0] == [(1, b"before"), (0, b"8 28"), (1, b"after")]


def test_rotation_keeps_the_newest_files(tmp_path):
    path = str(tmp_path / "log")
    writer = LogWriter(path, max_size=200, max_files=3)
    for number in range(40):
        writer.write(1, b"%040d" % number)
    writer.close()
    names = sorted(os.listdir(tmp_path))
    assert names == ["log", "log.1", "log.2"]
    read = [int(d) for name in ("log.2", "log.1", "log") for _, d in frames_of(tmp_path / name)[0]]
    assert read == list(range(read[0], 40))
    assert len(read) >= 6
