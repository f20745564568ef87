"""Image + options + facts -> config.json (OCI runtime-spec 1.2), what Docker 28 gives for the same flags. Pure.

merge (image, options) ──> args, env, cwd ─┐
users (passwd, group)  ──> user, HOME ─────┤
caps  (held by caller) ──> capabilities ───┼──> process
spec_namespaces ──> namespaces, maps, sysctl ──┐
spec_mounts     ──> mounts                     ├──> linux
resources       ──> cgroup limits, devices ────┤
seccomp, masks  ───────────────────────────────┘
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.specgen.caps import choose
from firkin.specgen.merge import merge
from firkin.specgen.process import HOME_ANNOTATION, default_env, process
from firkin.specgen.resources import device_nodes, resources
from firkin.specgen.spec_mounts import root_propagation, spec_mounts, wants_init
from firkin.specgen.spec_namespaces import (
    hostname,
    id_mappings,
    namespaces,
    sysctls,
    time_offsets,
    wants_userns,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.oci.image import ImageConfig
    from firkin.specgen.facts import Facts
    from firkin.specgen.options import CreateOptions

OCI_VERSION = "1.2.0"
INIT_ANNOTATION = "org.firkin.init"  # "1": the runtime starts its reaper as process 1, the program below it

MASKED_PATHS = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def generate(options: CreateOptions, image: ImageConfig, facts: Facts) -> dict[str, Any]:
    """Return config.json. ``validate`` is not called here.

    Raises InvalidArgument (unknown user, nothing to run, ...), PermissionDenied (a capability that the caller lacks),
    Unsupported (this kernel cannot).
    """
    merged = merge(options, image)
    if not merged.args:
        raise InvalidArgument(
            "no command specified", hint="the image has no CMD: give the command after the image"
        )
    new_userns = wants_userns(options)
    name = hostname(options, facts)
    capabilities = choose(
        options.cap_add,
        options.cap_drop,
        privileged=options.privileged,
        held=facts.capabilities,
        last_cap=facts.last_cap,
    )
    args = list(merged.args)
    annotations = {**facts.annotations, **options.annotation}
    if wants_init(options):
        if facts.init_path:
            args[:0] = ["/sbin/docker-init", "--"]
        else:
            annotations[INIT_ANNOTATION] = "1"
    env = default_env(name, merged.env, tty=options.tty)
    spec: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": process(options, merged, facts, args=args, env=env, capabilities=capabilities),
        "root": {"path": facts.rootfs},
        "mounts": spec_mounts(options, merged.mounts, facts, new_userns=new_userns),
        "linux": _linux(options, facts, capabilities, new_userns=new_userns),
    }
    if spec["process"].pop("defaultHome"):
        annotations[HOME_ANNOTATION] = "passwd"
    if options.read_only:
        spec["root"]["readonly"] = True
    if options.uts != "host" and not options.uts.startswith("container:"):
        spec["hostname"] = name
        if options.domainname:
            spec["domainname"] = options.domainname
    propagation = root_propagation(merged.mounts)
    if propagation:
        spec["linux"]["rootfsPropagation"] = propagation
    if annotations:
        spec["annotations"] = annotations
    return spec


def _linux(
    options: CreateOptions, facts: Facts, capabilities: tuple[str, ...], *, new_userns: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "cgroupsPath": facts.cgroup_path,
        "namespaces": namespaces(options, facts),
        "resources": resources(options, facts),
    }
    devices = device_nodes(options, facts)
    if devices:
        found["devices"] = devices
    inside = facts.in_userns or "user" in facts.namespaces
    settings = sysctls(options, new_userns=new_userns, in_userns=inside)
    if settings:
        found["sysctl"] = settings
    if new_userns:
        found["uidMappings"], found["gidMappings"] = id_mappings(options, facts)
    if options.time_offset:
        found["timeOffsets"] = time_offsets(options)
    _hide(found, options, facts)
    profile = seccomp(options, facts, capabilities)
    if profile is not None:
        found["seccomp"] = profile
    if facts.mount_label:
        found["mountLabel"] = facts.mount_label
    return found


def _hide(found: dict[str, Any], options: CreateOptions, facts: Facts) -> None:
    masked: list[str] = []
    if not (options.privileged or options.security_opt.system_paths_unconfined):
        masked.extend(MASKED_PATHS)
        masked.extend(f"/sys/devices/system/cpu/cpu{n}/thermal_throttle" for n in facts.thermal_throttle)
        found["readonlyPaths"] = list(READONLY_PATHS)
    # The image "host" hides the host's secrets whatever the flags: --host-expose is the way to see one.
    masked.extend(facts.extra_masked)
    if masked:
        found["maskedPaths"] = masked


def seccomp(options: CreateOptions, facts: Facts, capabilities: tuple[str, ...]) -> dict[str, Any] | None:
    """Return linux.seccomp, None for unconfined. Raises Unsupported, InvalidArgument."""
    wish = options.security_opt.seccomp
    if wish == "unconfined" or (options.privileged and not wish):
        return None
    if wish and wish != "builtin":
        from firkin.specgen.seccomp_profile import load

        if not facts.seccomp_supported:
            from firkin.errors import Unsupported

            raise Unsupported(
                "seccomp is not enabled in your kernel, cannot run a custom seccomp profile",
                hint="use --security-opt seccomp=unconfined",
            )
        return load(wish, set(capabilities), facts.arch, facts.kernel)
    if not facts.seccomp_supported:
        return None
    if facts.seccomp is not None:
        return facts.seccomp
    from firkin.specgen.seccomp_default import default_profile

    return default_profile(set(capabilities), facts.arch, facts.kernel)
