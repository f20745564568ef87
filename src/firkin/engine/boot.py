"""Which boot of the machine this is."""

from __future__ import annotations

import os


def boot_id() -> str:
    """Return the kernel's random id of this boot (proc_sys_kernel(5))."""
    fd = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 64).decode().strip()
    finally:
        os.close(fd)
