"""The keyword arguments of ``run`` and ``create``, for type checkers and readers: the flags of ``firkin run``.

A text means what it means on the command line. Where Python has a better type it is taken as well: numbers for sizes
(bytes) and ``cpus``, dicts for names with values, lists for what may be given several times, and the typed records of
firkin.specgen.options for everything. None is "not given".
"""

from __future__ import annotations

from typing import TypedDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firkin.specgen import options

    Texts = str | Sequence[str]
    Pairs = Mapping[str, object] | Sequence[str]
    Size = int | str


class RunOptions(TypedDict, total=False):
    """One comment a group; sdk/options.py converts."""

    # the process
    name: str | None  # of the container; made up when missing
    entrypoint: Texts | None  # "" resets the image's
    env: Pairs | None  # {"A": "b"} or ["A=b"]; alias: environment
    environment: Pairs | None
    user: str | int | None  # "name", "uid", "user:group"
    workdir: str | None  # alias: working_dir
    working_dir: str | None
    group_add: Texts | None
    tty: bool
    interactive: bool  # a standard input that ``Container.stdin`` writes to; alias: stdin_open
    stdin_open: bool
    init: bool | None  # a reaper as pid 1
    stop_signal: str | None
    stop_timeout: int | None  # seconds
    ulimit: Sequence[str | options.Ulimit] | None  # ["nofile=1024:2048"]; alias: ulimits
    ulimits: Sequence[str | options.Ulimit] | None
    oom_score_adj: int
    rm: bool  # remove it as soon as it ends (then there are no logs to read); aliases: remove, auto_remove
    remove: bool
    auto_remove: bool
    restart: str | options.RestartPolicy | None
    healthcheck: options.HealthCheck | None
    log: options.LogConfig | None  # log=LogConfig(driver="none")
    label: Pairs | None  # alias: labels
    labels: Pairs | None
    annotation: Pairs | None  # alias: annotations
    annotations: Pairs | None
    platform: str | None
    runtime: str | None

    # files
    volume: Sequence[str | options.Mount] | None  # ["data:/data:ro", "/src:/src"]; alias: volumes
    volumes: Sequence[str | options.Mount] | None
    mount: Sequence[str | options.Mount] | None  # ["type=tmpfs,target=/x"]; alias: mounts
    mounts: Sequence[str | options.Mount] | None
    tmpfs: Mapping[str, str] | Texts | None  # {"/run": "size=1m"} or ["/run"]
    volume_driver: str | None
    volumes_from: Texts | None
    read_only: bool
    shm_size: Size | None  # 64 MiB
    storage_opt: Pairs | None
    host_expose: Texts | None  # masked paths of the image "host" to show

    # isolation
    privileged: bool
    cap_add: Texts | None
    cap_drop: Texts | None
    security_opt: Texts | options.SecurityOpt | None  # ["no-new-privileges", "seccomp=FILE"]
    device: Sequence[str | options.DeviceMapping] | None  # ["/dev/fuse"]; alias: devices
    devices: Sequence[str | options.DeviceMapping] | None
    device_cgroup_rule: Sequence[str | options.DeviceRule] | None
    gpus: str | None
    sysctl: Pairs | None  # alias: sysctls
    sysctls: Pairs | None
    cgroupns: str | None  # "host", "private"
    cgroup_parent: str | None
    ipc: str | None  # "private", "shareable", "none", "host", "container:NAME"; alias: ipc_mode
    ipc_mode: str | None
    pid: str | None  # "host", "container:NAME"; alias: pid_mode
    pid_mode: str | None
    uts: str | None
    userns: str | None  # "host", "auto", "container:NAME"; alias: userns_mode
    userns_mode: str | None
    uidmap: Sequence[str | options.IdMap] | None
    gidmap: Sequence[str | options.IdMap] | None
    time_offset: Sequence[str | options.TimeOffset] | None
    isolation: str | None

    # network
    network: str | None  # "bridge" (the default), "none", "host", "container:NAME"; alias: network_mode
    network_mode: str | None
    network_alias: Texts | None
    hostname: str | None
    domainname: str | None
    publish: (
        Mapping[str, object] | Sequence[str | options.PortSpec] | None
    )  # {"80/tcp": 8080}, ["8080:80"]; alias: ports
    ports: Mapping[str, object] | Sequence[str | options.PortSpec] | None
    publish_all: bool
    expose: Texts | None
    add_host: Texts | None  # ["name:address"]; alias: extra_hosts
    extra_hosts: Texts | None
    dns: Texts | None
    dns_option: Texts | None
    dns_search: Texts | None
    ip: str | None
    ip6: str | None
    link: Texts | None
    link_local_ip: Texts | None
    mac_address: str | None

    # limits
    memory: Size | None  # "64m" or bytes; alias: mem_limit
    mem_limit: Size | None
    memory_reservation: Size | None
    memory_swap: Size | None  # memory and swap together; -1 is unlimited
    memory_swappiness: int | None
    kernel_memory: Size | None
    oom_kill_disable: bool
    cpus: float | str | None  # 1.5
    cpu_shares: int
    cpu_period: int
    cpu_quota: int
    cpu_rt_period: int
    cpu_rt_runtime: int
    cpuset_cpus: str | None
    cpuset_mems: str | None
    pids_limit: int | None
    blkio_weight: int
    blkio_weight_device: Sequence[str | options.Throttle] | None
    device_read_bps: Sequence[str | options.Throttle] | None
    device_write_bps: Sequence[str | options.Throttle] | None
    device_read_iops: Sequence[str | options.Throttle] | None
    device_write_iops: Sequence[str | options.Throttle] | None
