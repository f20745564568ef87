"""What `docker create` and `docker run` can say, parsed and typed; one value from the CLI and the SDK to the row.

Fields have docker's flag names in snake_case. Flags that only read something (--env-file, --label-file,
--no-healthcheck, --health-*, --log-driver, --log-opt) are resolved by the face into ``env``, ``label``,
``healthcheck`` and ``log``; --cidfile, --sig-proxy, --pull and the like steer the face and are kept for `inspect`.
Sizes are bytes, ``cpus`` billionths of a CPU, durations nanoseconds; 0, "" and () mean "not given" unless said
otherwise. ``to_dict`` and ``from_dict`` are the JSON of the container's row.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, ClassVar, Self


class Stored(Record):
    """A Record that can be read back from its JSON; ``NESTED`` names the fields that hold records."""

    NESTED: ClassVar[tuple[tuple[str, type[Stored]], ...]] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild what ``to_dict`` wrote. Raises InvalidArgument for a field that this version lacks."""
        nested = dict(cls.NESTED)
        values = {}
        for name, value in data.items():
            if name not in cls._fields:
                raise InvalidArgument(
                    f"{cls.__name__} has no field {name!r}", hint="was it written by a newer firkin?"
                )
            values[name] = _restore(value, nested.get(name))
        return cls(**values)


def _restore(value: Any, record: type[Stored] | None) -> Any:  # noqa: ANN401 - JSON is anything
    if isinstance(value, list | tuple):
        return tuple(_restore(item, record) for item in value)
    if record is not None and isinstance(value, dict):
        return record.from_dict(value)
    return value


class Mount(Stored):
    """One -v, --mount or image VOLUME. ``source`` is a host path, a volume's name, or "" (anonymous volume)."""

    type: str  # "bind", "volume", "tmpfs"
    target: str
    source: str = ""
    read_only: bool = False
    create_source: bool = False  # -v makes a missing source directory, --mount refuses
    consistency: str = ""
    propagation: str = ""  # "" is rprivate
    bind_recursive: str = ""  # "enabled" (the default), "disabled", "writable", "readonly"
    no_copy: bool = False  # volume: do not copy the image's content into a new one
    subpath: str = ""  # volume: a directory inside it
    labels: dict[str, str] = {}
    driver: str = ""
    driver_opts: dict[str, str] = {}
    tmpfs_size: int = 0
    tmpfs_mode: int | None = None
    tmpfs_options: str = ""  # further raw options
    relabel: str = ""  # SELinux "z" or "Z"
    from_image: bool = False  # an image's VOLUME, or --volume with a container path alone
    mode: str = ""  # the third field of -v as it was written, for `inspect`


class PortSpec(Stored):
    """One published port. ``host_port`` 0 is any free one; ``host_port_end`` > 0 is any free one of a range."""

    container_port: int
    proto: str = "tcp"  # "tcp", "udp", "sctp"
    host_ip: str = ""  # "" is all addresses
    host_port: int = 0
    host_port_end: int = 0


class DeviceMapping(Stored):
    """One --device."""

    path_on_host: str
    path_in_container: str
    permissions: str = "rwm"


class DeviceRule(Stored):
    """One --device-cgroup-rule; ``major``/``minor`` -1 is all."""

    type: str  # "a", "b", "c"
    major: int
    minor: int
    access: str


class Ulimit(Stored):
    """One --ulimit, name without RLIMIT_ and in lower case; -1 is unlimited."""

    name: str
    soft: int
    hard: int


class Throttle(Stored):
    """One --device-read-bps and its kin, or a weight of --blkio-weight-device."""

    path: str
    rate: int


class HealthCheck(Stored):
    """How to probe. ``test`` is ("NONE",), ("CMD", ...), ("CMD-SHELL", text) or () to inherit the image's."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class LogConfig(Stored):
    driver: str = ""  # "" is the engine's own
    opts: dict[str, str] = {}


class RestartPolicy(Stored):
    name: str = "no"  # "no", "always", "unless-stopped", "on-failure"
    maximum_retry_count: int = 0


class IdMap(Stored):
    """``size`` ids of the container from ``container_id`` are ``host_id`` and following outside."""

    container_id: int
    host_id: int
    size: int


class SecurityOpt(Stored):
    """All --security-opt together. ``seccomp``: "", "builtin", "unconfined" or the JSON text of a profile."""

    no_new_privileges: bool | None = None
    seccomp: str = ""
    apparmor: str = ""
    label: tuple[str, ...] = ()
    system_paths_unconfined: bool = False
    writable_cgroups: bool | None = None

    def texts(self) -> list[str]:
        """Return them as `docker inspect` shows HostConfig.SecurityOpt."""
        found = [f"label={text}" for text in self.label]
        if self.apparmor:
            found.append(f"apparmor={self.apparmor}")
        if self.seccomp:
            found.append(f"seccomp={self.seccomp}")
        if self.no_new_privileges is not None:
            found.append(f"no-new-privileges={'true' if self.no_new_privileges else 'false'}")
        if self.writable_cgroups is not None:
            found.append(f"writable-cgroups={'true' if self.writable_cgroups else 'false'}")
        return found


class TimeOffset(Stored):
    """--time-offset: what a time namespace adds to a clock."""

    clock: str  # "monotonic" or "boottime"
    seconds: int
    nanoseconds: int = 0


class CreateOptions(Stored):
    """Everything `docker create` and `docker run` can say."""

    image: str
    command: tuple[str, ...] = ()
    name: str = ""
    platform: str = ""
    pull: str = "missing"
    quiet: bool = False
    runtime: str = ""

    # the process
    entrypoint: tuple[str, ...] | None = None  # () is --entrypoint "": the image's is reset
    env: tuple[str, ...] = ()  # "NAME=VALUE"; "NAME" alone takes the image's away
    user: str = ""
    workdir: str = ""
    group_add: tuple[str, ...] = ()
    tty: bool = False
    interactive: bool = False
    init: bool | None = None
    stop_signal: str = ""
    stop_timeout: int | None = None
    ulimit: tuple[Ulimit, ...] = ()
    oom_score_adj: int = 0

    # the face
    attach: tuple[str, ...] = ()  # "stdin", "stdout", "stderr"
    detach: bool = False
    detach_keys: str = ""
    sig_proxy: bool = True
    cidfile: str = ""
    rm: bool = False
    restart: RestartPolicy = RestartPolicy()
    healthcheck: HealthCheck | None = None
    log: LogConfig = LogConfig()
    label: dict[str, str] = {}
    annotation: dict[str, str] = {}

    # files
    volume: tuple[Mount, ...] = ()  # -v
    mount: tuple[Mount, ...] = ()  # --mount
    tmpfs: dict[str, str] = {}  # path -> options
    volume_driver: str = ""
    volumes_from: tuple[str, ...] = ()
    read_only: bool = False
    shm_size: int = 0  # 0 is 64 MiB
    storage_opt: dict[str, str] = {}
    host_expose: tuple[str, ...] = ()  # firkin's: show these masked paths of the image "host"

    # isolation
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: SecurityOpt = SecurityOpt()
    device: tuple[DeviceMapping, ...] = ()
    device_cgroup_rule: tuple[DeviceRule, ...] = ()
    gpus: str = ""
    sysctl: dict[str, str] = {}
    cgroupns: str = ""  # "", "host", "private"
    cgroup_parent: str = ""
    ipc: str = ""  # "", "none", "private", "shareable", "host", "container:NAME"
    pid: str = ""  # "", "private", "host", "container:NAME"
    uts: str = ""  # "", "private", "host", "container:NAME"
    userns: str = ""  # "", "host", "private", "auto[:size=N]", "container:NAME"
    uidmap: tuple[IdMap, ...] = ()
    gidmap: tuple[IdMap, ...] = ()
    time_offset: tuple[TimeOffset, ...] = ()  # firkin's: a time namespace
    isolation: str = ""

    # network
    network: str = "bridge"  # "bridge", "none", "host", "container:NAME", or a network's name
    network_alias: tuple[str, ...] = ()
    hostname: str = ""
    domainname: str = ""
    publish: tuple[PortSpec, ...] = ()
    publish_all: bool = False
    expose: tuple[str, ...] = ()  # "80/tcp"
    add_host: tuple[str, ...] = ()  # "name:address"; address may be "host-gateway"
    dns: tuple[str, ...] = ()
    dns_option: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    ip: str = ""
    ip6: str = ""
    link: tuple[str, ...] = ()
    link_local_ip: tuple[str, ...] = ()
    mac_address: str = ""

    # limits
    memory: int = 0
    memory_reservation: int = 0
    memory_swap: int = 0  # memory + swap; -1 is unlimited
    memory_swappiness: int | None = None  # 0 to 100; None and -1 are the kernel's default
    kernel_memory: int = 0
    oom_kill_disable: bool = False
    cpus: int = 0  # billionths
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_rt_period: int = 0
    cpu_rt_runtime: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids_limit: int | None = None  # None, 0 and -1 are unlimited
    blkio_weight: int = 0
    blkio_weight_device: tuple[Throttle, ...] = ()
    device_read_bps: tuple[Throttle, ...] = ()
    device_write_bps: tuple[Throttle, ...] = ()
    device_read_iops: tuple[Throttle, ...] = ()
    device_write_iops: tuple[Throttle, ...] = ()

    NESTED: ClassVar[tuple[tuple[str, type[Stored]], ...]] = (
        ("ulimit", Ulimit), ("restart", RestartPolicy), ("healthcheck", HealthCheck), ("log", LogConfig),
        ("volume", Mount), ("mount", Mount), ("security_opt", SecurityOpt), ("device", DeviceMapping),
        ("device_cgroup_rule", DeviceRule), ("uidmap", IdMap), ("gidmap", IdMap), ("time_offset", TimeOffset),
        ("publish", PortSpec), ("blkio_weight_device", Throttle), ("device_read_bps", Throttle),
        ("device_write_bps", Throttle), ("device_read_iops", Throttle), ("device_write_iops", Throttle),
    )  # fmt: skip


class ExecOptions(Stored):
    """What `docker exec` can say about the process."""

    command: tuple[str, ...]
    env: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    tty: bool = False
    interactive: bool = False
    detach: bool = False
    detach_keys: str = ""
    privileged: bool = False
