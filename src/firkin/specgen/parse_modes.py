"""Words with a meaning: namespaces' modes, --security-opt, --restart, --user, --uidmap, --add-host, addresses, ...

Each returns the value for its field of CreateOptions or raises InvalidArgument with docker's text.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.specgen.options import HealthCheck, IdMap, RestartPolicy, SecurityOpt, TimeOffset
from firkin.specgen.parse_limits import BILLION, parse_int
from firkin.specgen.parse_mounts import parse_bool
from firkin.specgen.parse_ports import is_ip
from firkin.units import parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_ID = (1 << 32) - 2
MODES = {  # flag: (words, takes container:NAME, docker's name of it)
    "pid": (("", "private", "host"), True, "PID mode"),
    "uts": (("", "private", "host"), True, "UTS mode"),
    "ipc": (("", "none", "private", "shareable", "host"), True, "IPC mode"),
    "cgroupns": (("", "private", "host"), False, "CGROUP mode"),
    "userns": (("", "private", "host"), True, "USER mode"),
}


def parse_mode(flag: str, text: str) -> str:
    """Return the mode of --pid, --uts, --ipc, --cgroupns or --userns (``auto[:size=N]`` too)."""
    words, container, name = MODES[flag]
    if text in words or (container and text.startswith("container:") and len(text) > 10):
        return text
    if flag == "userns" and (text == "auto" or text.startswith("auto:")):
        userns_size(text)
        return text
    choices = ", ".join(word for word in words if word)
    auto = ", auto[:size=N]" if flag == "userns" else ""
    hint = f"use {choices}{auto}{' or container:NAME' if container else ''}"
    raise InvalidArgument(f"--{flag}: invalid {name}", hint=hint)


def userns_size(text: str) -> int | None:
    """Return N of ``auto:size=N``, None for ``auto``."""
    _, colon, wish = text.partition(":")
    if not colon:
        return None
    key, _, amount = wish.partition("=")
    size = parse_int(amount, 1, MAX_ID)
    if key != "size" or size is None:
        raise InvalidArgument(f'invalid userns mode "{text}"', hint="write it like auto:size=65536")
    return size


def parse_id_map(text: str) -> IdMap:
    """Return podman's ``CONTAINER_ID:HOST_ID:SIZE`` (size 1 when left out)."""
    numbers = [parse_int(part, 0, MAX_ID) for part in text.split(":")]
    if len(numbers) == 2:
        numbers.append(1)
    if len(numbers) == 3:
        inside, outside, size = numbers
        if inside is not None and outside is not None and size and max(inside, outside) + size - 1 <= MAX_ID:
            return IdMap(container_id=inside, host_id=outside, size=size)
    raise InvalidArgument(f'invalid ID map "{text}"', hint="write it like 0:100000:65536")


def parse_security_opts(texts: Sequence[str], read_profile: Callable[[str], str]) -> SecurityOpt:
    """Return all --security-opt as one; ``read_profile`` gives the text of seccomp=FILE and may raise OSError."""
    plain: dict[str, object] = {}
    labels: list[str] = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            key, equals, value = text.partition(":")
        if not equals and key != "no-new-privileges":
            raise InvalidArgument(
                f'Invalid --security-opt: "{text}"', hint="write it like no-new-privileges=true"
            )
        if key in ("no-new-privileges", "writable-cgroups"):
            flag = parse_bool(value) if equals else True
            if flag is None:
                raise InvalidArgument(
                    f'invalid --security-opt 2: "{text}"', hint="the value is true or false"
                )
            plain[key.replace("-", "_")] = flag
        elif key == "label":
            labels.append(value)
        elif key == "apparmor":
            plain["apparmor"] = value
        elif key == "seccomp":
            plain["seccomp"] = value if value in ("unconfined", "builtin") else _profile(value, read_profile)
        elif key == "systempaths" and value == "unconfined":
            plain["system_paths_unconfined"] = True
        else:
            raise InvalidArgument(
                f'invalid --security-opt 2: "{text}"',
                hint="use no-new-privileges, seccomp, apparmor, label or systempaths=unconfined",
            )
    return SecurityOpt(label=tuple(labels), **plain)  # type: ignore[arg-type]


def _profile(path: str, read_profile: Callable[[str], str]) -> str:
    import json

    if path.startswith("{"):  # the API's form: the profile itself
        text = path
        path = "<inline>"
    else:
        try:
            text = read_profile(path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InvalidArgument(
                f"opening seccomp profile ({path}) failed: open {path}: {reason}",
                hint="give a file, builtin or unconfined",
            ) from error
    try:
        profile = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(
            f"compacting json for seccomp profile ({path}) failed: {error}",
            hint="the profile is a JSON object",
        ) from None
    if not isinstance(profile, dict):
        raise InvalidArgument(
            f"seccomp profile ({path}) is not a JSON object", hint="see docker's default.json"
        )
    return json.dumps(profile, separators=(",", ":"))


def parse_restart(text: str) -> RestartPolicy:
    """Return the policy of ``no``, ``always``, ``unless-stopped`` or ``on-failure[:MAX]``."""
    name, colon, count = text.partition(":")
    hint = "write it like no, always, unless-stopped or on-failure:3"
    if not name:
        if colon:
            raise InvalidArgument("invalid restart policy format: no policy provided before colon", hint=hint)
        return RestartPolicy()
    maximum = parse_int(count, -(1 << 31), (1 << 31) - 1) if colon else 0
    if maximum is None:
        raise InvalidArgument(
            "invalid restart policy format: maximum retry count must be an integer", hint=hint
        )
    if name not in ("no", "always", "unless-stopped", "on-failure"):
        raise InvalidArgument(
            f"invalid restart policy: unknown policy '{name}'",
            hint="use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
        )
    if maximum and name != "on-failure":
        raise InvalidArgument(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'", hint=hint
        )
    if maximum < 0:
        raise InvalidArgument("invalid restart policy: maximum retry count cannot be negative", hint=hint)
    return RestartPolicy(name=name, maximum_retry_count=maximum)


def parse_user(text: str) -> str:
    """Return ``user[:group]`` if it is one (looked up in the image at the start)."""
    user, colon, group = text.partition(":")
    if ":" in group or (colon and not user and not group) or any(c in text for c in "\n\0"):
        raise InvalidArgument(f"invalid user: '{text}'", hint="write it like name, name:group or 1000:1000")
    return text


def parse_add_host(text: str) -> str:
    """Return ``name:address`` for ``name:address`` or ``name=address`` (IPv6 with or without brackets)."""
    name, separator, address = text.partition("=")
    if not separator or ":" in name:
        name, separator, address = text.partition(":")
    if not separator or not name or not address:
        raise InvalidArgument(f'bad format for add-host: "{text}"', hint="write it like name:192.0.2.1")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if address != "host-gateway" and not is_ip(address):
        raise InvalidArgument(
            f'invalid IP address in add-host: "{address}"', hint="write it like name:192.0.2.1"
        )
    return f"{name}:{address}"


def parse_ip(text: str) -> str:
    """Return the address of --dns, --ip and --ip6."""
    bare = text.strip()
    if not is_ip(bare):
        raise InvalidArgument(
            f"IP address is not correctly formatted: {text}", hint="write it like 192.0.2.1"
        )
    return bare


def parse_dns_search(text: str) -> str:
    """Return a search domain; ``.`` is none at all."""
    bare = text.strip(" ")
    if bare == ".":
        return bare
    labels = bare.removesuffix(".").split(".")
    valid = bare and len(bare) <= 255 and any(any(c.isalpha() for c in label) for label in labels)
    for label in labels:
        word = label.replace("-", "").replace("_", "")
        if (
            not (0 < len(label) <= 63 and word.isascii() and word.isalnum())
            or label[0] == "-"
            or label[-1] == "-"
        ):
            valid = False
    if not valid:
        raise InvalidArgument(f"{text} is not a valid domain", hint="write it like example.org")
    return bare


def parse_mac(text: str) -> str:
    """Return ``92:d0:c6:0a:29:33`` in lower case."""
    parts = text.strip().replace("-", ":").lower().split(":")
    if len(parts) != 6 or any(len(p) != 2 or p.strip("0123456789abcdef") for p in parts):
        raise InvalidArgument(f"{text} is not a valid mac address", hint="write it like 92:d0:c6:0a:29:33")
    return ":".join(parts)


def parse_attach(text: str) -> str:
    """Return ``stdin``, ``stdout`` or ``stderr``."""
    word = text.lower()
    if word not in ("stdin", "stdout", "stderr"):
        raise InvalidArgument("valid streams are STDIN, STDOUT and STDERR", hint="use -a stdout")
    return word


def parse_swappiness(number: int) -> int | None:
    """Return 0 to 100, None for -1."""
    if number == -1:
        return None
    if not 0 <= number <= 100:
        raise InvalidArgument(
            f"invalid value: {number}. Valid memory swappiness range is 0-100", hint="use 0 to 100"
        )
    return number


def parse_shm_size(text: str) -> int:
    """Return bytes of --shm-size; 0 is the default, as docker has it."""
    return parse_size(text)


def make_healthcheck(
    *,
    cmd: str = "",
    interval: int = 0,
    timeout: int = 0,
    start_period: int = 0,
    start_interval: int = 0,
    retries: int = 0,
    disable: bool = False,
) -> HealthCheck | None:
    """Return what --health-* and --no-healthcheck say together, None when nothing (durations in nanoseconds)."""
    amounts = {"interval": interval, "timeout": timeout, "start-period": start_period,
               "start-interval": start_interval, "retries": retries}  # fmt: skip
    if disable:
        if cmd or any(amounts.values()):
            raise InvalidArgument(
                "--no-healthcheck conflicts with --health-* options", hint="drop one of them"
            )
        return HealthCheck(test=("NONE",))
    if not cmd and not any(amounts.values()):
        return None
    for name, amount in amounts.items():
        if amount < 0:
            raise InvalidArgument(f"--health-{name} cannot be negative", hint="use 0 or more")
        if name != "retries" and 0 < amount < 1_000_000:
            raise InvalidArgument(f"--health-{name} cannot be less than 1ms", hint="use 0 or at least 1ms")
    return HealthCheck(
        test=("CMD-SHELL", cmd) if cmd else (),
        interval=interval,
        timeout=timeout,
        start_period=start_period,
        start_interval=start_interval,
        retries=retries,
    )


def parse_time_offset(text: str) -> TimeOffset:
    """Return ``monotonic=SECONDS`` or ``boottime=SECONDS``, with a fraction and a sign if need be.

    time_namespaces(7): nanoseconds are from 0 up, so -1.5 s is -2 s and 500,000,000 ns.
    """
    clock, equals, amount = text.partition("=")
    whole, _, fraction = amount.partition(".")
    sign = -1 if whole.startswith("-") else 1
    seconds = parse_int(whole, -(1 << 40), 1 << 40)
    valid = not fraction or (fraction.isascii() and fraction.isdigit() and len(fraction) <= 9)
    if clock not in ("monotonic", "boottime") or not equals or seconds is None or not valid:
        raise InvalidArgument(
            f'invalid time offset "{text}"', hint="write it like boottime=86400 or monotonic=-3.5"
        )
    total = seconds * BILLION + sign * int(fraction.ljust(9, "0") if fraction else 0)
    whole_seconds, nanoseconds = divmod(total, BILLION)
    return TimeOffset(clock=clock, seconds=whole_seconds, nanoseconds=nanoseconds)


def check_signal(text: str) -> int:
    """Return the number of ``SIGTERM``, ``term``, ``15``, ``SIGRTMIN+3``. Raises InvalidArgument with docker's text."""
    import _signal  # type: ignore[import-not-found] # the C module: no enum is built

    name = text.upper().removeprefix("SIG")
    number = parse_int(name, 1, 64)
    if number is None:
        base, sign, offset = name.partition("+")
        if not sign:
            base, sign, offset = name.partition("-")
        steps = parse_int(offset, 0, 30) if sign else 0
        start = getattr(_signal, f"SIG{base}", None) if base.isalnum() else None
        if (
            isinstance(start, int)
            and steps is not None
            and (not sign or (base, sign) in (("RTMIN", "+"), ("RTMAX", "-")))
        ):
            number = start + steps if sign != "-" else start - steps
    if number is None:
        raise InvalidArgument(f"invalid signal: {text}", hint="kill -l lists them")
    return number
