"""What `generate` cannot know without asking: the engine looks it up and fills it in.

Everything has a default that is right for a plain container, so that a caller names only what it found.
"""

from __future__ import annotations

from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.specgen.options import IdMap


class Device(Record):
    """A device node of the host, as stat showed it; ``path`` is the host's."""

    path: str
    type: str  # "c", "b", "p"
    major: int
    minor: int
    mode: int = 0o666  # permission bits alone
    uid: int = 0
    gid: int = 0


class Facts(Record):
    """See the fields; paths are absolute and the host's."""

    container_id: str
    rootfs: str = ""  # absolute, becomes root.path
    cgroup_path: str = ""  # relative to each hierarchy: "firkin/<engine>/<id>"

    # With --network host the host's name, with --network container:NAME the other's; else "".
    hostname: str = ""
    # Namespaces to join, by OCI type ("network", "ipc", "pid", "uts", "user", "cgroup"), for container:NAME and for
    # the network namespace that the network room made ("/proc/self/fd/N"). Absent: a new one.
    namespaces: dict[str, str] = {}
    network_in_userns: bool = False  # with a new user namespace: namespaces["network"] belongs to it
    in_userns: bool = False  # firkin itself runs in a user namespace (rootless)
    cgroup_version: int = 2  # what --cgroupns defaults to: 1 host, 2 private
    cgroup_writable: bool = False  # mount /sys/fs/cgroup rw all the same (delegation)

    # Files to bind at /etc/hosts, /etc/hostname, /etc/resolv.conf; "" none.
    hosts_path: str = ""
    hostname_path: str = ""
    resolv_conf_path: str = ""
    init_path: str = (
        ""  # host path of the --init reaper; it is bound at /sbin/docker-init. "" is: the runtime does it
    )
    shm_path: str = (
        ""  # the /dev/shm of another container (--ipc container:NAME) or of this one when shareable
    )

    volumes: dict[str, str] = {}  # mount target -> directory on the host, for each mount of type "volume"
    rro: bool = True  # mount_setattr works: read-only binds are recursive (kernel >= 5.12)

    # The image's own files, None when absent.
    passwd: bytes | None = None
    group: bytes | None = None

    # None: the caller has all that the kernel knows. Names as "CAP_CHOWN".
    capabilities: tuple[str, ...] | None = None
    last_cap: int = 40  # /proc/sys/kernel/cap_last_cap
    oom_score_adj: int = 0  # the caller's own
    cpus: int = 0  # of the host; 0 is unknown (no check)
    kernel: tuple[int, int] = (6, 1)
    arch: str = "x86_64"
    apparmor: bool = False  # the kernel has it on
    apparmor_profile: str = ""  # the default profile, if it is loaded
    process_label: str = ""  # SELinux, when it is on and --security-opt label=disable was not given
    mount_label: str = ""
    thermal_throttle: tuple[int, ...] = ()  # CPUs that have /sys/devices/system/cpu/cpuN/thermal_throttle
    swap_limit: bool = True  # the memory controller counts swap

    # --device: its path_on_host -> what it is (several for a directory).
    devices: dict[str, tuple[Device, ...]] = {}
    host_devices: tuple[Device, ...] = ()  # all of /dev, for --privileged
    device_numbers: dict[str, tuple[int, int]] = {}  # path -> major, minor: --device-read-bps and the like

    # --userns auto, container:NAME: the maps that were allocated or found.
    uid_maps: tuple[IdMap, ...] = ()
    gid_maps: tuple[IdMap, ...] = ()

    # The default profile in OCI form, e.g. cached by the engine; None: seccomp_default makes it.
    seccomp: dict[str, Any] | None = None
    seccomp_supported: bool = True

    # The image "host": further OCI mounts and masked paths.
    extra_mounts: tuple[dict[str, Any], ...] = ()
    extra_masked: tuple[str, ...] = ()
    annotations: dict[str, str] = {}
