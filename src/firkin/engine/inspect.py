"""inspect: one container as docker's JSON (Engine API 1.48, ContainerInspect), from its row, its options, its image."""

from __future__ import annotations

from firkin import units
from firkin.engine import liveness, states
from firkin.engine.container import find
from firkin.engine.hostconfig import host_config
from firkin.specgen.merge import merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.engine.context import Context
    from firkin.engine.row import Container
    from firkin.specgen.merge import Merged
    from firkin.specgen.options import CreateOptions, HealthCheck


def inspect(ctx: Context, ref: str, *, size: bool = False) -> dict[str, Any]:
    """Return docker's JSON of a container; ``size`` adds SizeRw and SizeRootFs. Raises NotFound."""
    from firkin.oci.image import ImageConfig

    row = find(ctx, ref)
    options = row.create_options()
    merged = merge(options, ImageConfig.trusted(row.image_config))
    home, bundle = ctx.config.paths.container(row.id), ctx.config.paths.bundle(row.id)
    words = merged.args
    found: dict[str, Any] = {
        "Id": row.id,
        "Created": units.rfc3339(row.created_ns),
        "Path": words[0] if words else "",
        "Args": list(words[1:]),
        "State": state(row),
        "Image": row.image_id,
        "ResolvConfPath": f"{home}/resolv.conf",
        "HostnamePath": f"{home}/hostname",
        "HostsPath": f"{home}/hosts",
        "LogPath": f"{home}/log",
        "Name": f"/{row.name}",
        "RestartCount": 0,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": options.security_opt.apparmor,
        "ExecIDs": None,
        "HostConfig": host_config(options, merged),
        "GraphDriver": _graph_driver(row, home, bundle),
        "Mounts": [_mount(point) for point in row.opened("mounts") or ()],
        "Config": _config(row, options, merged),
        "NetworkSettings": _network(row, options, merged),
    }
    if size:
        from firkin.engine.listing import sizes

        found["SizeRw"], found["SizeRootFs"] = sizes(ctx, row)
    return found


def state(row: Container) -> dict[str, Any]:
    """Return State. ``Error`` is docker's one line; firkin's own fields are in ``Firkin``."""
    error = row.opened("error") or {}
    live = row.state in (states.RUNNING, states.PAUSED)
    running = live and liveness.running(row.pid, row.start_time)
    message = str(error.get("message", ""))
    if error.get("hint"):
        message = f"{message}; {error['hint']}"
    found: dict[str, Any] = {
        "Status": states.shown(row.state),
        "Running": live,
        "Paused": row.state == states.PAUSED,
        "Restarting": False,
        "OOMKilled": bool(row.oom),
        "Dead": False,
        "Pid": row.pid if running else 0,
        "ExitCode": row.exit_code,
        "Error": message,
        "StartedAt": units.rfc3339(row.started_ns),
        "FinishedAt": units.rfc3339(row.finished_ns if not live else 0),
    }
    ending = row.opened("ending")
    if ending or error:
        found["Firkin"] = {"Ending": ending, "StartError": error or None}
    return found


def _graph_driver(row: Container, home: str, bundle: str) -> dict[str, Any]:
    lowers = (row.opened("root") or {}).get("lowers") or []
    return {
        "Name": "overlay2",
        "Data": {
            "ID": row.id,
            "LowerDir": ":".join(lowers),
            "MergedDir": f"{bundle}/rootfs",
            "UpperDir": f"{home}/upper",
            "WorkDir": f"{home}/work",
        },
    }


def _mount(point: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in point.items() if key[0].isupper()}


def _config(row: Container, options: CreateOptions, merged: Merged) -> dict[str, Any]:
    wanted = options.attach or (() if options.detach else ("stdout", "stderr"))
    found: dict[str, Any] = {
        "Hostname": options.hostname or row.id[:12],
        "Domainname": options.domainname,
        "User": merged.user,
        "AttachStdin": "stdin" in wanted or (options.interactive and not options.detach),
        "AttachStdout": "stdout" in wanted,
        "AttachStderr": "stderr" in wanted,
        "Tty": options.tty,
        "OpenStdin": options.interactive,
        "StdinOnce": options.interactive and not options.detach,
        "Env": list(merged.env),
        "Cmd": list(merged.cmd) or None,
        "Image": row.image,
        "Volumes": {m.target: {} for m in merged.mounts if m.type == "volume" and not m.source} or None,
        "WorkingDir": merged.working_dir,
        "Entrypoint": list(merged.entrypoint) or None,
        "OnBuild": None,
        "Labels": merged.labels,
    }
    if merged.exposed_ports:
        found["ExposedPorts"] = {port: {} for port in merged.exposed_ports}
    if merged.stop_signal:
        found["StopSignal"] = merged.stop_signal
    if options.stop_timeout is not None:
        found["StopTimeout"] = options.stop_timeout
    if merged.healthcheck is not None:
        found["Healthcheck"] = _health(merged.healthcheck)
    return found


def _health(check: HealthCheck) -> dict[str, Any]:
    return {
        "Test": list(check.test),
        "Interval": check.interval,
        "Timeout": check.timeout,
        "StartPeriod": check.start_period,
        "StartInterval": check.start_interval,
        "Retries": check.retries,
    }


def _network(row: Container, options: CreateOptions, merged: Merged) -> dict[str, Any]:
    endpoint: dict[str, Any] = row.opened("endpoint") or {}
    mode = options.network
    address, gateway = endpoint.get("address", ""), endpoint.get("gateway", "")
    prefix, mac = endpoint.get("prefix", 0), endpoint.get("mac", "")
    networks = {}
    if not mode.startswith("container:"):
        networks[mode] = {
            "IPAMConfig": {"IPv4Address": options.ip} if options.ip else None,
            "Links": None,
            "Aliases": list(options.network_alias) or None,
            "MacAddress": mac,
            "DriverOpts": None,
            "GwPriority": 0,
            "NetworkID": mode if endpoint else "",
            "EndpointID": row.id if endpoint else "",
            "Gateway": gateway,
            "IPAddress": address,
            "IPPrefixLen": prefix,
            "IPv6Gateway": "",
            "GlobalIPv6Address": "",
            "GlobalIPv6PrefixLen": 0,
            "DNSNames": None,
        }
    return {
        "Bridge": "",
        "SandboxID": row.id if row.state in (states.RUNNING, states.PAUSED) else "",
        "SandboxKey": f"/proc/{row.pid}/ns/net" if row.pid else "",
        "Ports": _ports(endpoint, merged) if row.state in (states.RUNNING, states.PAUSED) else {},
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": row.id if endpoint else "",
        "Gateway": gateway,
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": address,
        "IPPrefixLen": prefix,
        "IPv6Gateway": "",
        "MacAddress": mac,
        "Networks": networks,
    }


def _ports(endpoint: dict[str, Any], merged: Merged) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(merged.exposed_ports)
    for binding in endpoint.get("ports") or ():
        key = f"{binding['container_port']}/{binding['proto']}"
        if found.get(key) is None:
            found[key] = []
        found[key].append({"HostIp": binding["host_ip"], "HostPort": str(binding["host_port"])})
    return found
