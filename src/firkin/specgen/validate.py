"""What contradicts itself or cannot be: docker's refusals, each with a way out. Pure.

``validate`` is for `create` and needs no image; what only the image or the kernel can tell, ``generate`` says. A
parser is imported where its flag is given: the plain container pays for none.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument, NotFound, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from firkin.specgen.facts import Facts
    from firkin.specgen.options import CreateOptions

MIN_MEMORY = 6 << 20
BILLION = 1_000_000_000
NETWORKS = ("bridge", "none", "host")
LOG_DRIVERS = (
    "",
    "firkin",
    "json-file",
    "local",
    "k8s-file",
    "none",
)  # one format; docker's and podman's names of it
_HOSTNAME_MAX = 64  # uname(2): __NEW_UTS_LEN


def _refuse(message: str, hint: str) -> None:
    raise InvalidArgument(message, hint=hint)


def validate(options: CreateOptions, facts: Facts | None = None) -> list[str]:
    """Refuse what is wrong with InvalidArgument; return docker's warnings for what is merely odd.

    ``facts`` adds what the host can tell (cpus, cgroup_version); it may be left out.
    """
    if options.name:
        from firkin.ids import check_name

        check_name(options.name)
    _identity(options)
    _life(options)
    _network(options)
    _files(options)
    _memory(options)
    _cpu(options, facts)
    _not_done(options)
    _others(options)
    return _warnings(options, facts)


def _identity(options: CreateOptions) -> None:
    if options.user:
        from firkin.specgen.parse_modes import parse_user

        parse_user(options.user)
    if options.workdir and not options.workdir.startswith("/"):
        _refuse(
            f"the working directory '{options.workdir}' is invalid, it needs to be an absolute path",
            "start it with '/'",
        )
    for what, text in (("hostname", options.hostname), ("domainname", options.domainname)):
        if text and (len(text.encode()) > _HOSTNAME_MAX or any(c.isspace() or c in "/\0" for c in text)):
            _refuse(f"invalid {what} format: {text}", "use at most 64 letters, digits, '-' and '.'")
    for text in (*options.command, *(options.entrypoint or ()), *options.env):
        if "\0" in text:
            _refuse("arguments and variables cannot contain NUL bytes", "remove them (execve(2))")
    for text in options.env:
        if not text.partition("=")[0]:
            _refuse(f"invalid environment variable: {text}", "write it like NAME=VALUE")
    if options.cap_add or options.cap_drop:
        from firkin.specgen.caps import normalize

        normalize((*options.cap_add, *options.cap_drop))


def _life(options: CreateOptions) -> None:
    policy = options.restart
    if options.rm and policy.name != "no":
        _refuse("conflicting options: cannot specify both --restart and --rm", "drop one of them")
    if policy.name not in ("no", "always", "unless-stopped", "on-failure"):
        _refuse(
            f"invalid restart policy: unknown policy '{policy.name}'",
            "use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
        )
    if policy.maximum_retry_count < 0:
        _refuse("invalid restart policy: maximum retry count cannot be negative", "use 0 or more")
    if policy.maximum_retry_count and policy.name != "on-failure":
        _refuse(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'",
            "use on-failure:MAX",
        )
    if options.stop_signal:
        from firkin.specgen.parse_modes import check_signal

        check_signal(options.stop_signal)
    if options.stop_timeout is not None and options.stop_timeout < -1:
        _refuse(f"invalid stop timeout: {options.stop_timeout}", "use seconds, or -1 to wait for ever")
    if options.detach and options.attach:
        _refuse("conflicting options: cannot specify both --attach and --detach", "drop one of them")


def _network(options: CreateOptions) -> None:
    for flag in ("pid", "uts", "ipc", "cgroupns", "userns"):
        mode = getattr(options, flag)
        if mode:
            from firkin.specgen.parse_modes import parse_mode

            parse_mode(flag, mode)
    if options.uts == "host" and options.hostname:
        _refuse("conflicting options: hostname and the UTS mode", "drop -h, or --uts host")
    if options.network.startswith("container:"):
        _shared_network(options)
    elif options.network not in NETWORKS:
        raise NotFound(
            f"network {options.network} not found",
            hint="there are bridge, none, host and container:NAME; networks with names are still to come",
        )
    if options.network == "host" and options.link:
        _refuse(
            "conflicting options: host type networking can't be used with links. This would result in undefined "
            "behavior",
            "drop --link",
        )
    if options.network in ("none", "host") or options.network.startswith("container:"):
        for flag, value in (("ip", options.ip), ("ip6", options.ip6)):
            if value:
                _refuse(
                    f"conflicting options: --{flag} and --network {options.network}",
                    "an address of its own needs a network of its own: --network bridge",
                )
    if options.network in ("bridge", "none", "host") and options.network_alias:
        _refuse("network-scoped aliases are only supported for user-defined networks", "drop --network-alias")


def _shared_network(options: CreateOptions) -> None:
    for name, given, flags in (
        ("hostname and the network mode", options.hostname, "-h"),
        ("dns and the network mode", options.dns, "--dns"),
        ("custom host-to-IP mapping and the network mode", options.add_host, "--add-host"),
        ("mac-address and the network mode", options.mac_address, "--mac-address"),
        (
            "port publishing and the container type network mode",
            options.publish or options.publish_all,
            "-p and -P: publish on the container that owns the network",
        ),
        ("port exposing and the container type network mode", options.expose, "--expose"),
        (
            "container type network can't be used with links. This would result in undefined behavior",
            options.link,
            "--link",
        ),
    ):
        if given:
            _refuse(f"conflicting options: {name}", f"drop {flags}")
    if options.network == "container:":
        _refuse("invalid container format container:<name|id>", "name the container: container:web")


def _files(options: CreateOptions) -> None:
    taken = set(options.tmpfs)
    for mount in options.volume + options.mount:
        if mount.target in taken:
            _refuse(f"Duplicate mount point: {mount.target}", "mount one thing at each place")
        taken.add(mount.target)
    for text in options.tmpfs.values():
        from firkin.specgen.spec_mounts import tmpfs_options

        tmpfs_options(text)
    if options.shm_size < 0:
        _refuse("SHM size can not be less than 0", "write it like 64m")
    for flag, value in (("storage-opt", options.storage_opt), ("volume-driver", options.volume_driver)):
        if value and value != "local":
            _refuse(f"--{flag} is not supported by this storage", "drop it")


def _memory(options: CreateOptions) -> None:
    memory, swap, reservation = options.memory, options.memory_swap, options.memory_reservation
    if memory < 0 or (memory and memory < MIN_MEMORY):
        _refuse("Minimum memory limit allowed is 6MB", "use -m 6m or more")
    if swap < -1:
        _refuse(f"invalid memory swap limit: {swap}", "use -1 for unlimited")
    if memory and 0 < swap < memory:
        _refuse(
            "Minimum memoryswap limit should be larger than memory limit, see usage",
            "--memory-swap is memory and swap together",
        )
    if not memory and swap > 0:
        _refuse("You should always set the Memory limit when using Memoryswap limit, see usage", "add -m")
    if reservation < 0 or 0 < reservation < MIN_MEMORY:
        _refuse("Minimum memory reservation allowed is 6MB", "use --memory-reservation 6m or more")
    if memory and memory < reservation:
        _refuse(
            "Minimum memory limit can not be less than memory reservation limit, see usage",
            "lower --memory-reservation",
        )
    swappiness = options.memory_swappiness
    if swappiness is not None and not -1 <= swappiness <= 100:
        _refuse(f"invalid value: {swappiness}, valid memory swappiness range is 0-100", "use 0 to 100")
    if not -1000 <= options.oom_score_adj <= 1000:
        _refuse(
            f"invalid value {options.oom_score_adj}, range for oom score adj is [-1000, 1000]",
            "use -1000 to 1000",
        )


def _cpu(options: CreateOptions, facts: Facts | None) -> None:
    if options.cpus and options.cpu_period:
        _refuse(
            "conflicting options: Nano CPUs and CPU Period cannot both be set", "drop --cpus or --cpu-period"
        )
    if options.cpus and options.cpu_quota:
        _refuse(
            "conflicting options: Nano CPUs and CPU Quota cannot both be set", "drop --cpus or --cpu-quota"
        )
    present = facts.cpus if facts else 0
    if options.cpus < 0 or (present and options.cpus > present * BILLION):
        many = present or 1
        _refuse(
            f"range of CPUs is from 0.01 to {many}.00, as there are only {many} CPUs available",
            f"use --cpus {many} or less",
        )
    if 0 < options.cpus < BILLION // 100:  # the kernel's least quota is 1 ms, of a period of 100 ms
        _refuse(f"range of CPUs is from 0.01 to {present or 1}.00", "use --cpus 0.01 or more")
    if options.cpu_period and not 1000 <= options.cpu_period <= 1_000_000:
        _refuse(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
            "use 1000 to 1000000",
        )
    if 0 < options.cpu_quota < 1000:
        _refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)", "use 1000 or more")
    if options.cpu_shares < 0:
        _refuse(f"invalid CPU shares: {options.cpu_shares}", "use 2 to 262144")
    if options.cpuset_cpus or options.cpuset_mems:
        from firkin.specgen.parse_limits import parse_cpuset

        parse_cpuset(options.cpuset_cpus, present)
        parse_cpuset(options.cpuset_mems)


def _not_done(options: CreateOptions) -> None:
    for flag, given, instead in (
        ("link", options.link, "reach the other container by its address: firkin inspect shows it"),
        ("ip6", options.ip6, "the bridge is IPv4 only: use --ip"),
        ("link-local-ip", options.link_local_ip, "leave it out"),
        ("cgroup-parent", options.cgroup_parent, "leave it out: all cgroups of an engine lie together"),
    ):
        if given:
            raise Unsupported(f"--{flag} is not supported", hint=instead)


def _others(options: CreateOptions) -> None:
    if options.blkio_weight and not 10 <= options.blkio_weight <= 1000:
        _refuse("range of blkio weight is from 10 to 1000", "use 10 to 1000, or 0 for none")
    if options.pids_limit is not None and options.pids_limit < -1:
        _refuse(f"invalid pids limit: {options.pids_limit}", "use -1 for unlimited")
    for name, value in options.sysctl.items():
        from firkin.specgen.parse_lines import parse_sysctl

        parse_sysctl(f"{name}={value}")
    if options.isolation not in ("", "default"):
        _refuse(f"invalid isolation '{options.isolation}' on linux", "use default")
    if options.gpus:
        _refuse(
            'could not select device driver "" with capabilities: [[gpu]]', "pass the nodes with --device"
        )
    if options.runtime not in ("", "firkin"):
        _refuse(f"unknown or invalid runtime name: {options.runtime}", "drop --runtime")
    if options.log.driver not in LOG_DRIVERS:
        _refuse(
            f"logger: no log driver named '{options.log.driver}' is registered",
            "use json-file, local or none",
        )
    for flag, text in options.log.opts.items():
        if options.log.driver == "none":
            _refuse("invalid logging opts for driver none", f"drop --log-opt {flag}={text}")
    if (options.uidmap or options.gidmap) and options.userns not in ("", "private"):
        _refuse(
            f"conflicting options: --uidmap or --gidmap and --userns {options.userns}", "drop one of them"
        )
    clocks: Sequence[str] = [offset.clock for offset in options.time_offset]
    if len(set(clocks)) != len(clocks):
        _refuse("--time-offset is given twice for one clock", "give monotonic and boottime once each")


def _warnings(options: CreateOptions, facts: Facts | None) -> list[str]:
    found = []
    if options.network == "host" and (options.publish or options.publish_all):
        found.append("Published ports are discarded when using host network mode")
    if options.oom_kill_disable and not options.memory:
        found.append(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the system "
            "running out of resources."
        )
    if facts is not None and facts.cgroup_version == 2:
        if options.oom_kill_disable:
            found.append("Your kernel does not support OomKillDisable. OomKillDisable discarded.")
        if options.memory_swappiness not in (None, -1):
            found.append(
                "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory "
                "swappiness discarded."
            )
    if options.restart.name != "no":
        found.append("Restart policies are kept and shown, but not acted on yet: what ends stays down")
    if options.healthcheck is not None and options.healthcheck.test not in ((), ("NONE",)):
        found.append("Health checks are kept and shown, but not run yet")
    if options.kernel_memory:
        found.append(
            "Specifying a kernel memory limit is deprecated and will be removed in a future release."
        )
    if facts is not None and options.memory and not facts.swap_limit and options.memory_swap != -1:
        found.append(
            "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without "
            "swap."
        )
    return found
