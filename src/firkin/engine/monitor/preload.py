"""Modules that a monitor imports late, named here so that they can be had early: when nobody waits for them.

    start   before the plan arrives, while the starter looks things up
    end     while the program's process makes its mounts, on the other processor
    all     once, in a spawner, for all its monitors

It is about time only: what is not loaded by then is imported where it is needed.
"""

from __future__ import annotations


def start() -> None:
    """What the usual start needs: files of /etc, the default seccomp policy."""
    import firkin.network.hosts
    import firkin.network.resolv
    import firkin.runtime.seccomp.cache
    import firkin.runtime.seccomp.profile
    import firkin.specgen.seccomp_default  # noqa: F401


def end(*, rm: bool, heir: bool) -> None:
    """What the end needs: rows, and with ``rm`` the removal of directories, if there is no ``heir`` to see to them."""
    import firkin.engine.erase
    import firkin.storage.unsynced

    if heir:
        return
    import firkin.db.connection
    import firkin.engine.ends

    if rm:
        import firkin.storage.snapshots
        import firkin.storage.tree  # noqa: F401


def everything() -> None:
    """All of it and the bridge; nothing is opened that a fork would inherit."""
    import firkin.network.bridge
    import firkin.storage.layers  # noqa: F401

    start()
    end(rm=True, heir=False)
