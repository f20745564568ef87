"""What a container sees, as sections of text that two engines can be compared by.

`PROBE` runs in both containers; `sections` takes its output apart and takes out what differs from run to run (ids,
addresses, dates); `differences` compares them but for `DOCUMENTED`, the one list of what may differ.
"""

from __future__ import annotations

import re

PROBE = r"""
s() { echo "@@ $1"; }
s id; id; umask
s status; grep -E '^(Umask|Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp|Seccomp_filters|Cpus_allowed_list|Mems_allowed_list|SigBlk|SigCgt|Threads|Speculation_Store_Bypass|SpeculationIndirectBranch):' /proc/self/status
s mountinfo; cat /proc/self/mountinfo
s dev; for d in /dev /dev/pts /dev/shm /dev/mqueue; do [ -d $d ] && { echo $d:; ls -lan $d | grep -v ^total; }; done
s limits; cat /proc/self/limits
s oom; cat /proc/self/oom_score_adj
s env; env | sort
s cwd; pwd; stat -c '%a %u %g' .
s hostname; hostname; cat /proc/sys/kernel/domainname; cat /etc/hostname
s hosts; cat /etc/hosts
s resolv; cat /etc/resolv.conf
s files; stat -c '%n %a %u %g' /etc/hosts /etc/hostname /etc/resolv.conf / /proc /sys /tmp /etc; ls -la / | awk '$1 != "total" { print $1, $3, $4, $NF }'
s fds; ls -l /proc/self/fd 2>/dev/null | awk '{ print $9, $10, $11 }'
s cgroup; cat /proc/self/cgroup
s masked; for p in /proc/asound /proc/acpi /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats /proc/sched_debug /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do
  if [ -d $p ]; then echo "$p dir $(ls -A $p | wc -l)"; elif [ -e $p ]; then echo "$p $(stat -c '%F %t:%T' $p) $(head -c 9 $p | wc -c)"; else echo "$p none"; fi; done
s readonly; for p in /proc/bus/x /proc/fs/x /proc/irq/x /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_default_ttl /sys/x /sys/kernel/x; do (echo 64 > $p) 2>&1 | sed "s|.*: |$p |"; done
s sysctl; sysctl net.ipv4.ip_unprivileged_port_start net.ipv4.ping_group_range kernel.shmmax kernel.msgmax fs.mqueue.msg_max net.core.somaxconn 2>&1
s net; ip -o addr | awk '{ print $2, $3, $4 }'; ip route
s ps; ps -o pid,user,comm
s cgroupfiles; cd /sys/fs/cgroup && for f in memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.swappiness cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.shares cpu/cpu.rt_runtime_us cpuset/cpuset.cpus cpuset/cpuset.mems pids/pids.max blkio/blkio.throttle.read_bps_device blkio/blkio.throttle.write_bps_device blkio/blkio.throttle.read_iops_device blkio/blkio.throttle.write_iops_device devices/devices.list; do [ -f $f ] && sed "s|^|$f |" $f; done; grep oom_kill_disable memory/memory.oom_control; ls | sed 's/^/cgroup /'
s end
"""

# section, a line of docker's, a line of firkin's ("" for none), and why. Patterns match whole lines.
DOCUMENTED = (
    ("mountinfo", r"/ (.*) \[master\] overlay .*", r"/ (.*) \[\] overlay .*",
     "dockerd's data root is a shared mount of its own, of which containers are slaves; ours is cut off altogether"),
    ("mountinfo", r"(\S+ root=HOME/.*) \[master\] (.*)", r"(\S+ root=HOME/.*) \[\] (.*)", "the same, for volumes and /etc/hosts"),
    ("mountinfo", "", r"/proc/interrupts .*", "masked since Docker 28"),
    ("mountinfo", "", r"/sys/devices/virtual/powercap .*", "masked since Docker 26.1 (where the machine has it)"),
    ("mountinfo", r"/sys/fs/cgroup root=/ rw(.*)", r"/sys/fs/cgroup root=/ ro(.*)",
     "runc 1.1 forgets to make v1's tmpfs read-only; runc 1.0 did, and so do we"),
    ("mountinfo", r"/sys/fs/cgroup/systemd .*", "", "we make no cgroup in a hierarchy without controller and show none"),
    ("cgroupfiles", "cgroup systemd", "", "the same"),
    ("cgroup", r"\d+:name=systemd:.*", r"\d+:name=systemd:.*", "the same"),
    ("cgroup", r"0::.*", r"0::.*", "a hybrid machine's cgroup2 side limits nothing: we make none there"),
    ("mountinfo", r"/sbin/docker-init .*", "", "our reaper is a sealed memory file"),
    ("ps", r"P root +docker-init", r"P root +firkin-init", "the same"),
    ("ps", r"P (\d+) +docker-init", r"P (\d+) +firkin-init", "the same"),
    ("hosts", r"fe00::0\tip6-localnet", r"fe00::\tip6-localnet", "as Docker 26 and later write it"),
    ("hosts", r"ff00::0\tip6-mcastprefix", r"ff00::\tip6-mcastprefix", "as Docker 26 and later write it"),
    ("net", "", r"lo inet6 ::1/128", "Docker 26 and later: IPv6 on lo whatever the network"),
    ("files", r"-rwxr-xr-x \S+ \S+ \.dockerenv", "", "we are not docker"),
)  # fmt: skip


def sections(output: str, home: str) -> dict[str, list[str]]:
    """Return name -> lines. ``home`` is the engine's directory."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in output.replace("\r\n", "\n").splitlines():
        if line.startswith("@@ "):
            lines = found.setdefault(line[3:], [])
        else:
            lines.append(line)
    return {name: _normal(name, lines, home) for name, lines in found.items()}


def _normal(name: str, lines: list[str], home: str) -> list[str]:
    if name == "mountinfo":
        return sorted(_mount(line, home) for line in lines)
    text = "\n".join(lines)
    text = re.sub(r"[0-9a-f]{64}", "ID", text)
    text = re.sub(r"\b[0-9a-f]{12}\b", "ID", text)
    text = re.sub(r"\b(172|10|192)\.\d+\.\d+\.\d+", "IP", text)
    if name == "dev":
        text = re.sub(r"\w{3} +\d+ +\d\d:\d\d|\w{3} +\d+ +\d{4}", "DATE", text)
        text = re.sub(r" +\d+ DATE (\.\.?)\n", r" SIZE DATE \1\n", text + "\n")
        text = re.sub(r"136, +\d+", "136, N", text)
    if name == "fds":
        text = re.sub(r"\[\d+\]", "[N]", text)
        text = re.sub(r"(/dev/pts/)\d+", r"\1N", text)
    if name == "cgroup":
        text = re.sub(r":/.+/ID$", ":/PARENT/ID", text, flags=re.M)
    if name == "ps":
        text = re.sub(r"^ *\d+", "P", text, flags=re.M)
    out = [re.sub(r" +", " ", line).rstrip() for line in text.split("\n")]
    return sorted(out) if name in ("cgroupfiles", "env") else out


def _mount(line: str, home: str) -> str:
    """Say `place root=... options [propagation] type source superoptions`."""
    left, _, right = line.partition(" - ")
    words, (kind, source, options) = left.split(" "), right.split(" ")
    root = re.sub(r"[0-9a-f]{64}", "ID", words[3].replace(home, "HOME"))
    root = re.sub(r"^HOME/(data|root)/", "HOME/", root)
    if kind == "cgroup":
        root = re.sub(r"^/.+/ID$", "/PARENT/ID", root)
    if kind == "overlay":
        options = "..."
    if kind == "tmpfs" and source == "tmpfs" and words[5].startswith("ro,relatime"):
        options = "ro"  # a mask: ours is one page
    propagation = " ".join(re.sub(r":\d+", "", word) for word in words[6:])
    return f"{words[4]} root={root} {words[5]} [{propagation}] {kind} {source} {options}"


def differences(docker: dict[str, list[str]], firkin: dict[str, list[str]]) -> list[str]:
    """Return the lines that differ and are not documented."""
    out = []
    for name in sorted(docker.keys() | firkin.keys()):
        theirs, ours = list(docker.get(name, ["(no section)"])), list(firkin.get(name, ["(no section)"]))
        if len(theirs) == len(ours) and theirs == ours:
            continue
        theirs_only, ours_only = _without(theirs, ours), _without(ours, theirs)
        for section, their_line, our_line, _why in DOCUMENTED:
            if section == name:
                theirs_only, ours_only = _excuse(theirs_only, ours_only, their_line, our_line)
        out += [f"{name}: docker: {line}" for line in theirs_only]
        out += [f"{name}: firkin: {line}" for line in ours_only]
    return out


def _without(lines: list[str], others: list[str]) -> list[str]:
    rest = list(others)
    left = []
    for line in lines:
        if line in rest:
            rest.remove(line)
        else:
            left.append(line)
    return left


def _excuse(
    theirs: list[str], ours: list[str], their_line: str, our_line: str
) -> tuple[list[str], list[str]]:
    """Take out pairs of lines that a documented difference explains; what its groups capture must be the same."""
    if not their_line or not our_line:
        pattern = re.compile(their_line or our_line)
        keep = [line for line in (theirs if their_line else ours) if not pattern.fullmatch(line)]
        return (keep, ours) if their_line else (theirs, keep)
    for line in list(theirs):
        matched = re.fullmatch(their_line, line)
        for other in list(ours) if matched else ():
            also = re.fullmatch(our_line, other)
            if matched and also and matched.groups() == also.groups():
                theirs.remove(line)
                ours.remove(other)
                break
    return theirs, ours
