"""The table's plan: what is asked of nf_tables, in which order."""

from __future__ import annotations

from firkin.network import firewall, ipv4, ruleset
from firkin.network.ipv4 import parse_subnet
from firkin.network.ports import PortBinding

SUBNET = parse_subnet("172.30.0.0/16")
ADDRESS = ipv4.parse("172.30.0.2")


def _binding(**changes) -> PortBinding:
    return PortBinding(
        **{"proto": "tcp", "host_ip": "0.0.0.0", "host_port": 8080, "container_port": 80, **changes}
    )


def test_a_port_of_all_addresses_is_an_element_of_any():
    item = firewall.element(_binding(), ADDRESS, "3f9c0a1b2c3d4e5f")
    assert (item.map, item.comment) == ("any", "3f9c0a1b2c3d")
    assert item.key.hex(" ") == "06 00 00 00 1f 90 00 00"
    assert item.data.hex(" ") == "ac 1e 00 02 00 50 00 00"


def test_a_port_of_one_address_is_an_element_of_exact():
    item = firewall.element(_binding(proto="udp", host_ip="127.0.0.1"), ADDRESS, "3f")
    assert item.map == "exact"
    assert item.key.hex(" ") == "11 00 00 00 7f 00 00 01 1f 90 00 00"


def test_the_plan_replaces_the_table_in_one_batch_and_ends_with_the_elements():
    item = firewall.element(_binding(), ADDRESS, "3f")
    names = [request.name.removeprefix("NFT_MSG_") for request in ruleset.plan("t", "fk1", SUBNET, [item])]
    assert names[:5] == ["NEWTABLE", "DELTABLE", "NEWTABLE", "NEWSET", "NEWSET"]
    assert names[5:10] == ["NEWCHAIN"] * 5
    assert set(names[10:-1]) == {"NEWRULE"}
    assert names[-1] == "NEWSETELEM"


def test_rules_do_not_depend_on_containers():
    def rules(items):
        return [r.body for r in ruleset.plan("t", "fk1", SUBNET, items) if r.name == "NFT_MSG_NEWRULE"]

    assert rules([]) == rules([firewall.element(_binding(), ADDRESS, "3f")])


def test_another_subnet_is_another_table():
    assert firewall.signature(SUBNET) != firewall.signature(parse_subnet("172.29.0.0/16"))
