"""Output and input: nothing lost, nothing reordered, bounded memory, terminals, logs."""

import hashlib
import os
import signal
import threading
import time

import pytest

from firkin.engine.attach import STDERR, STDOUT, attach, relay
from firkin.engine.logs import logs
from firkin.engine.remove import remove
from firkin.engine.run import run
from firkin.errors import Conflict

BURST = 64 << 20


def test_a_burst_arrives_whole_and_in_order_also_in_the_log(engine):
    script = "seq 1 3000000"
    expected = hashlib.sha256()
    for start in range(1, 3000001, 100000):
        expected.update("".join(f"{n}\n" for n in range(start, start + 100000)).encode())
    assert engine.call(_digest, engine.options("sh", "-c", script, name="burst")) == expected.hexdigest()
    assert engine.call(_log_digest, "burst") == expected.hexdigest()
    engine.call(_remove, "burst")


def test_a_slow_reader_makes_the_container_wait_and_the_monitor_stays_small(engine):
    """The reader sleeps; the container's output must be held by nobody."""
    result = engine.call(_slow, engine.options("sh", "-c", f"head -c {BURST} /dev/zero", rm=True))
    assert result["length"] == BURST
    assert result["grown_kib"] < 4096


def test_standard_input_reaches_the_program_and_its_end_too(engine):
    data = os.urandom(3 << 20).hex().encode()
    code, digest = engine.call(_converse, engine.options("sha256sum", interactive=True, rm=True), data)
    assert code == 0
    assert digest.split()[0] == hashlib.sha256(data).hexdigest()


def test_a_program_that_echoes_much_does_not_deadlock(engine):
    data = b"0123456789abcdef" * (1 << 17)
    code, digest = engine.call(_converse_relay, engine.options("cat", interactive=True, rm=True), data)
    assert (code, digest) == (0, hashlib.sha256(data).hexdigest())


def test_a_terminal_has_one_stream_a_size_and_an_interrupt_key(engine):
    out = engine.call(_terminal, engine.options("sh", interactive=True, tty=True, rm=True))
    assert "33 101" in out["text"]
    assert "\r\n" in out["text"]
    assert out["exit_code"] == 130


def test_detaching_leaves_the_container_running_and_attaching_finds_it(engine):
    name, detached = engine.call(_detach, engine.options("cat", interactive=True, tty=True))
    assert detached
    assert engine.row(name)["state"] == "running"
    assert "again" in engine.call(_reattach, name)
    engine.call(_remove, name, force=True)
    name = engine.run_detached("true")
    engine.await_state(name, "exited")
    with pytest.raises(Conflict, match="start it"):
        engine.call(_attach, name)
    engine.call(_remove, name)


def test_output_of_children_that_outlive_the_first_process_is_kept(engine):
    code, out, _ = engine.run("sh", "-c", "(sleep 0.2; echo late) & echo early", rm=True)
    assert (code, out) == (0, "early\n")  # they end with process 1, as in docker
    code, out, _ = engine.run("sh", "-c", "(sleep 0.2; echo late) & echo early; wait", rm=True)
    assert (code, out) == (0, "early\nlate\n")


def test_logs_tail_since_timestamps_and_streams(engine):
    engine.run(
        "sh",
        "-c",
        "for i in 1 2 3; do echo out$i; echo err$i >&2; sleep 0.02; done; printf end",
        name="lines",
    )
    assert engine.call(_text, "lines", tail=1) == "end"
    assert engine.call(_text, "lines", tail=2, stderr=False) == "out3\nend"
    assert engine.call(_text, "lines", stdout=False) == "err1\nerr2\nerr3\n"
    assert engine.call(_text, "lines", tail=0) == ""
    assert engine.call(_text, "lines", tail=100).count("\n") == 6
    stamped = engine.call(_text, "lines", timestamps=True, stderr=False).splitlines()
    assert [line.split(" ", 1)[1] for line in stamped] == ["out1", "out2", "out3", "end"]
    assert all(len(line.split(" ")[0]) == 30 for line in stamped)
    moment = engine.call(_stamp, "lines", b"out2")
    assert engine.call(_text, "lines", since_ns=moment, stderr=False) == "out2\nout3\nend"
    assert engine.call(_text, "lines", until_ns=moment - 1, stderr=False) == "out1\n"
    engine.call(_remove, "lines")


def test_following_ends_with_the_container_and_sleeps_meanwhile(engine):
    script = "for i in $(seq 20); do echo $i; sleep 0.03; done"
    name = engine.run_detached("sh", "-c", script)
    text, cpu = engine.call(_follow, name)
    assert text.split() == [str(n) for n in range(1, 21)]
    assert cpu < 0.3
    engine.call(_remove, name)


def test_following_through_rotations_loses_nothing(engine):
    from firkin.specgen.options import LogConfig

    log = LogConfig(opts={"max-size": "20k", "max-file": "100"})
    script = "for i in $(seq 3000); do echo line $i; done"
    name = engine.run_detached("sh", "-c", "sleep 0.2; " + script, log=log)
    text, _ = engine.call(_follow, name)
    assert text == "".join(f"line {n}\n" for n in range(1, 3001))
    assert engine.call(_text, name) == text
    assert engine.call(_text, name, tail=2500) == "".join(f"line {n}\n" for n in range(501, 3001))
    engine.call(_remove, name)


def test_a_reader_that_dies_does_not_disturb_the_container(engine):
    child = engine.begin(_hang, engine.options("sh", "-c", "seq 1 200000; exit 4", name="unread"))
    row = None
    for _ in range(300):
        row = next((r for r in engine.rows() if r["name"] == "unread" and r["state"] == "running"), None)
        if row:
            break
        time.sleep(0.02)
    assert row
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(Exception, match="9"):
        child.result()
    assert engine.await_state("unread", "exited")["exit_code"] == 4
    assert engine.call(_text, "unread", tail=1) == "200000\n"
    engine.call(_remove, "unread")


def test_a_full_log_disk_costs_log_lines_and_not_the_container(engine, tmp_path):
    """The container's directory is a tmpfs of 64 kB that fills up."""
    name = engine.call(
        _create, engine.options("sh", "-c", "seq 1 100000; sleep 0.5; echo done; exit 3", name="full")
    )
    home = f"{engine.root}/containers/{name}"
    import subprocess

    subprocess.run(["mkdir", "-p", f"{home}/logs"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", f"{home}/logs"], check=True)
    try:
        os.symlink("logs/log", f"{home}/log")
        code, out, _ = engine.call(_start_attached, name)
        assert code == 3
        assert out.endswith("100000\ndone\n")
        assert "No space left" in engine.call(_text, name) or '"log_lost":0' not in engine.row(name)["ending"]
    finally:
        subprocess.run(["umount", f"{home}/logs"], check=True)
    engine.call(_remove, name)


def _create(ctx, options):
    from firkin.engine.create import create

    return create(ctx, options).id


def _start_attached(ctx, name):
    from firkin.engine.start import start

    started = start(ctx, name, streams=("stdout", "stderr"))
    out = b""
    while (found := started.client.frames()) is not None:
        out += b"".join(data for kind, data in found if kind == STDOUT)
        if not found:
            started.client.await_input()
    return started.client.exit["exit_code"], out.decode(), ""


def _digest(ctx, options):
    client = run(ctx, options).client
    digest = hashlib.sha256()
    while (found := client.frames()) is not None:
        for kind, data in found:
            if kind == STDOUT:
                digest.update(data)
        if not found:
            client.await_input()
    return digest.hexdigest()


def _log_digest(ctx, name):
    digest = hashlib.sha256()
    for _, data in logs(ctx, name):
        digest.update(data)
    return digest.hexdigest()


def _private(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_Dirty"))


def _slow(ctx, options):
    started = run(ctx, options)
    time.sleep(0.3)
    before = _private(started.monitor_pid)
    length, grown = 0, 0
    while (found := started.client.frames()) is not None:
        length += sum(len(data) for kind, data in found if kind == STDOUT)
        if length < 16 << 20:
            time.sleep(0.002)
            grown = max(grown, _private(started.monitor_pid) - before)
        if not found:
            started.client.await_input()
    return {"length": length, "grown_kib": grown}


def _converse(ctx, options, data):
    client = run(ctx, options).client
    out = b""
    client.send_stdin(data)
    client.close_stdin()
    while (found := client.frames()) is not None:
        out += b"".join(d for kind, d in found if kind == STDOUT)
        client.flush()
        if not found:
            time.sleep(0.001) if client.pending() else client.await_input()
    return client.exit["exit_code"], out.decode()


def _converse_relay(ctx, options, data):
    client = run(ctx, options).client
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    digest = hashlib.sha256()

    def feed():
        with os.fdopen(in_write, "wb") as stream:
            stream.write(data)

    def gather():
        while chunk := os.read(out_read, 1 << 16):
            digest.update(chunk)

    threads = [threading.Thread(target=feed), threading.Thread(target=gather)]
    for thread in threads:
        thread.start()
    ended = relay(client, stdin=in_read, stdout=out_write, stderr=None)
    os.close(out_write)
    for thread in threads:
        thread.join()
    return ended.exit_code, digest.hexdigest()


def _until(client, text, limit=10.0):
    out, end = b"", time.monotonic() + limit
    while text not in out:
        assert client.await_input(end - time.monotonic()), out
        found = client.frames()
        assert found is not None, out
        out += b"".join(data for kind, data in found if kind in (STDOUT, STDERR))
    return out


def _terminal(ctx, options):
    client = run(ctx, options).client
    client.resize(33, 101)
    client.send_stdin(b"stty size; echo re''ady\n")
    out = _until(client, b"ready\r\n")
    client.send_stdin(b"trap 'exit 130' INT; echo wai''ting; while :; do sleep 0.05; done\n")
    out += _until(client, b"waiting\r\n")
    client.send_stdin(b"\x03")
    while (found := client.frames()) is not None:
        out += b"".join(data for kind, data in found if kind == STDOUT)
        if not found:
            client.await_input()
    return {"text": out.decode(), "exit_code": client.exit["exit_code"]}


def _detach(ctx, options):
    started = run(ctx, options)
    read, write = os.pipe()
    os.write(write, b"hello\n\x10\x11")
    ended = relay(started.client, stdin=read, stdout=None, stderr=None, detach_keys=b"\x10\x11")
    return started.container.id, ended.detached


def _reattach(ctx, name):
    client = attach(ctx, name)
    client.send_stdin(b"ag''ain again\n")
    return _until(client, b"again").decode()


def _attach(ctx, name):
    attach(ctx, name)


def _hang(ctx, options):
    run(ctx, options)
    time.sleep(60)


def _text(ctx, name, **how):
    return b"".join(data for _, data in logs(ctx, name, **how)).decode()


def _stamp(ctx, name, text):
    from firkin.engine.logfile import read_forward

    fd = os.open(f"{ctx.config.paths.container(ctx_id(ctx, name))}/log", os.O_RDONLY)
    try:
        return next(frame.time_ns for _, frame in read_forward(fd) if text in frame.data)
    finally:
        os.close(fd)


def ctx_id(ctx, name):
    from firkin.engine.container import find

    return find(ctx, name).id


def _follow(ctx, name):
    start = time.process_time()
    text = b"".join(data for _, data in logs(ctx, name, follow=True)).decode()
    return text, time.process_time() - start


def _remove(ctx, ref, **how):
    remove(ctx, ref, **how)
