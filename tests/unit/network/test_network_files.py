"""resolv.conf and hosts."""

from __future__ import annotations

import pytest

from firkin.errors import InvalidArgument
from firkin.network import hosts, resolv

HOST = """\
# by hand
nameserver 127.0.0.53
nameserver 192.0.2.53
nameserver 2001:db8::53
nameserver 198.51.100.53
domain old.example
search corp.example lan
options ndots:2 edns0
"""


def test_the_hosts_servers_that_can_be_reached_are_kept():
    assert resolv.contents(HOST) == (
        "nameserver 192.0.2.53\nnameserver 198.51.100.53\nsearch corp.example lan\noptions ndots:2 edns0\n"
    )


def test_dockers_servers_when_none_is_left():
    for text in ("", "nameserver 127.0.0.1\nnameserver ::1\n", "# nothing\nnameserver\n"):
        assert resolv.contents(text) == "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"


def test_each_option_replaces_the_hosts_own():
    assert resolv.contents(HOST, servers=["127.0.0.1"]).startswith("nameserver 127.0.0.1\nsearch corp")
    assert "search a.example b.example\n" in resolv.contents(HOST, search=["a.example", "b.example"])
    assert "search" not in resolv.contents(HOST, search=["."])
    assert resolv.contents(HOST, options=["timeout:1"]).endswith("options timeout:1\n")


def test_on_the_hosts_network_loopback_servers_stay():
    assert resolv.contents(HOST, shared=True).startswith(
        "nameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver 2001"
    )


def test_systemd_resolveds_upstreams_are_read_behind_its_stub(tmp_path, monkeypatch):
    stub, upstream = tmp_path / "stub", tmp_path / "upstream"
    stub.write_text("nameserver 127.0.0.53\noptions edns0\n")
    upstream.write_text("nameserver 192.0.2.1\n")
    monkeypatch.setattr(resolv, "HOST_FILE", str(stub))
    monkeypatch.setattr(resolv, "SYSTEMD_FILE", str(upstream))
    assert resolv.read_host() == "nameserver 192.0.2.1\n"
    upstream.unlink()
    assert resolv.read_host() == stub.read_text()
    stub.write_text("nameserver 127.0.0.53\nnameserver 192.0.2.2\n")
    assert "192.0.2.2" in resolv.read_host()
    stub.unlink()
    assert resolv.read_host() == ""
    assert resolv.servers_of("nameserver 1.1.1.1\n") == ("1.1.1.1",)


def test_hosts_of_a_container_on_the_bridge():
    text = hosts.contents(
        hostname="web",
        domainname="corp.example",
        addresses=["172.30.0.2"],
        extra=["db:192.0.2.5", "host:host-gateway", "six=[2001:db8::1]"],
        gateway="172.30.0.1",
    )
    assert text == (
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n"
        "ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
        "192.0.2.5\tdb\n172.30.0.1\thost\n2001:db8::1\tsix\n172.30.0.2\tweb.corp.example web\n"
    )


def test_hosts_without_a_network_and_on_the_hosts():
    assert hosts.contents(hostname="web").endswith("ip6-allrouters\n")
    assert hosts.contents(hostname="web", addresses=["172.30.0.2"]).endswith("172.30.0.2\tweb\n")
    assert hosts.contents(host="192.0.2.9 me", extra=["a:192.0.2.1"]) == "192.0.2.9 me\n192.0.2.1\ta\n"


@pytest.mark.parametrize(
    "item", ["", "name", "name:", ":192.0.2.1", "name:nonsense", "name:1.2.3", "name:host-gateway"]
)
def test_extra_hosts_that_are_wrong(item):
    with pytest.raises(InvalidArgument):
        hosts.parse_extra(item)
