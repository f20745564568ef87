"""The process of config.json and of exec: who, with which environment, capabilities and limits."""

from __future__ import annotations

from firkin.errors import InvalidArgument, PermissionDenied, Unsupported
from firkin.specgen.caps import available
from firkin.specgen.merge import replace_env
from firkin.specgen.resources import rlimits
from firkin.specgen.users import additional, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from firkin.specgen.facts import Facts
    from firkin.specgen.merge import Merged
    from firkin.specgen.options import CreateOptions, ExecOptions

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TERM = "TERM=xterm"
HOME_ANNOTATION = (
    "org.firkin.home"  # "passwd": HOME came from the passwd file, an exec as another user has its own
)
_OOM_RANGE = (-1000, 1000)


def default_env(hostname: str, env: Sequence[str], *, tty: bool) -> list[str]:
    """Return PATH, HOSTNAME, TERM (with a terminal), then what image and options say."""
    base = [PATH, f"HOSTNAME={hostname}"]
    if tty:
        base.append(TERM)
    return replace_env(base, env)


def process(
    options: CreateOptions,
    merged: Merged,
    facts: Facts,
    *,
    args: list[str],
    env: list[str],
    capabilities: tuple[str, ...],
) -> dict[str, Any]:
    """Return ``process``; its key "defaultHome" says that HOME is the passwd file's and is for the caller to take."""
    user = _user(merged.user, options.group_add, facts)
    home = user.pop("home")
    default_home = _add_home(env, home)
    found: dict[str, Any] = {
        "terminal": options.tty,
        "user": user,
        "args": args,
        "env": env,
        "cwd": working_dir(merged.working_dir),
        "capabilities": capability_sets(capabilities, user["uid"]),
        "noNewPrivileges": bool(options.security_opt.no_new_privileges),
        "oomScoreAdj": _oom_score(options.oom_score_adj, facts),
        "defaultHome": default_home,
    }
    if options.ulimit:
        found["rlimits"] = rlimits(options.ulimit)
    profile = apparmor(options.security_opt.apparmor, facts, privileged=options.privileged)
    if profile:
        found["apparmorProfile"] = profile
    if facts.process_label:
        found["selinuxLabel"] = facts.process_label
    return found


def _user(text: str, group_add: Sequence[str], facts: Facts) -> dict[str, Any]:
    """Return process.user and "home". The gid comes first among the additional ones (docker's CVE-2022-36109)."""
    user = resolve(text, facts.passwd, facts.group)
    gids = [user.gid, *user.groups, *additional(group_add, facts.group)]
    return {"uid": user.uid, "gid": user.gid, "additionalGids": gids, "home": user.home}


def _add_home(env: list[str], home: str) -> bool:
    if any(text.startswith("HOME=") for text in env):
        return False
    env.append(f"HOME={home}")
    return True


def working_dir(text: str) -> str:
    """Return the absolute, normalised directory; an image's relative one counts from /."""
    if not text or text == "/":
        return "/"
    import posixpath

    # WORKDIR may say "..": nothing above the root.
    return "/" + posixpath.normpath(f"/{text}").lstrip("/")


def capability_sets(names: Sequence[str], uid: int) -> dict[str, list[str]]:
    """Return process.capabilities; a user other than root has none to use, as after an execve(2)."""
    if uid != 0:
        return {"bounding": list(names)}
    return {"bounding": list(names), "effective": list(names), "permitted": list(names)}


def _oom_score(wish: int, facts: Facts) -> int:
    least = facts.oom_score_adj
    if wish >= least or facts.capabilities is None or "CAP_SYS_RESOURCE" in facts.capabilities:
        return wish
    # proc(5): without CAP_SYS_RESOURCE the value can only be raised.
    if wish == 0:
        return least
    raise PermissionDenied(
        f"cannot lower the OOM score to {wish}: firkin lacks CAP_SYS_RESOURCE",
        hint=f"use --oom-score-adj {least} or more",
    )


def apparmor(wish: str, facts: Facts, *, privileged: bool) -> str:
    """Return process.apparmorProfile, "" for none."""
    if facts.apparmor:
        return wish or ("unconfined" if privileged else facts.apparmor_profile)
    if wish and wish != "unconfined":
        raise Unsupported(
            f"cannot apply AppArmor profile {wish}: AppArmor is not enabled in this kernel",
            hint="drop --security-opt apparmor",
        )
    return ""


def exec_process(
    container_spec: dict[str, Any], options: ExecOptions, facts: Facts, group_add: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the process of `exec`: the container's own with what ``options`` change.

    ``facts`` needs passwd, group and capabilities. Raises InvalidArgument.
    """
    if not options.command:
        raise InvalidArgument("no exec command specified", hint="give the command after the container")
    own = container_spec["process"]
    found = {name: value for name, value in own.items() if name != "consoleSize"}
    env = list(own.get("env", ()))
    from_passwd = container_spec.get("annotations", {}).get(HOME_ANNOTATION) == "passwd"
    if from_passwd and options.user:
        env = [text for text in env if not text.startswith("HOME=")]
    if options.tty and not any(text.startswith("TERM=") for text in env):
        env.append(TERM)
    env = replace_env(env, options.env)
    bounding = own.get("capabilities", {}).get("bounding", [])
    if options.privileged:
        bounding = available(facts.capabilities, facts.last_cap)
    user = dict(own["user"])
    if options.user:
        user = _user(options.user, group_add, facts)
        _add_home(env, user.pop("home"))
    found.update(
        terminal=options.tty,
        user=user,
        args=list(options.command),
        env=env,
        cwd=exec_cwd(options.workdir, own.get("cwd", "/")),
        capabilities=capability_sets(bounding, user["uid"]),
    )
    if options.privileged and "apparmorProfile" in found and facts.apparmor:
        found["apparmorProfile"] = "unconfined"
    return found


def exec_cwd(wish: str, own: str) -> str:
    """Return the directory of an exec; runc wants it absolute."""
    if wish and not wish.startswith("/"):
        raise InvalidArgument(
            f"the working directory '{wish}' is invalid, it needs to be an absolute path",
            hint="start it with '/'",
        )
    return working_dir(wish) if wish else own
