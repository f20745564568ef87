"""ROOT/containers/ID/{hosts,hostname,resolv.conf}: what docker binds over the image's own.

--network    hosts                     hostname        resolv.conf
bridge       own address               the container's the host's without loopback servers
none         localhost                 the container's the host's
host         the host's + --add-host   the host's      the host's
container:N  N's own files, bound again
"""

from __future__ import annotations

from firkin import atomic
from firkin.specgen.spec_namespaces import hostname as chosen_hostname

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.plan import StartPlan
    from firkin.specgen.facts import Facts
    from firkin.specgen.options import CreateOptions

NAMES = ("hosts", "hostname", "resolv.conf")


def write(folder: str, plan: StartPlan, options: CreateOptions, facts: Facts) -> None:
    """Write the three files into ``folder``. Raises InvalidArgument for a bad --add-host."""
    if plan.borrowed:
        return
    from firkin.network import hosts, resolv

    shared = options.network == "host"
    endpoint = plan.endpoint or {}
    name = chosen_hostname(options, facts)
    texts = {
        "hosts": hosts.contents(
            hostname=name,
            domainname=options.domainname,
            addresses=(endpoint["address"],) if endpoint else (),
            extra=options.add_host,
            gateway=endpoint.get("gateway", ""),
            host=(atomic.read_text("/etc/hosts") or "") if shared else None,
        ),
        "hostname": f"{name}\n",
        "resolv.conf": resolv.contents(
            resolv.read_host(),
            servers=options.dns,
            search=options.dns_search,
            options=options.dns_option,
            shared=shared or options.network == "none",
        ),
    }
    for file, text in texts.items():
        # Written in place, not renamed: a bind mount of an earlier run must not keep an old file alive.
        with open(f"{folder}/{file}", "wb", buffering=0) as stream:
            stream.write(text.encode())


def paths(folder: str, plan: StartPlan) -> dict[str, str]:
    """Return the path of each file for the mounts."""
    return plan.borrowed or {name: f"{folder}/{name}" for name in NAMES}
