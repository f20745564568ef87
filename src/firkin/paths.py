"""Where everything lies: one state root, one run root, nothing elsewhere.

    ROOT  (/var/lib/firkin)                      RUN  (/run/firkin, gone after a boot)
    ├── engine.json      who this engine is      ├── containers/ID/
    ├── firkin.db        rows (SQLite, WAL)      │   ├── config.json   the OCI runtime configuration
    ├── blobs/sha256/HEX content by digest       │   ├── rootfs/       mount point, in the monitor's
    ├── layers/HEX/      unpacked, by diff id    │   │                 own mount namespace only
    │   └── diff/                                │   ├── killer        who sent the last signal
    ├── containers/ID/                           │   ├── state.json    pid, cgroups, namespaces
    │   ├── upper/ work/ the writable layer      │   └── attach.sock
    │   ├── log          output, framed          ├── locks/            one a file
    │   ├── exit.json    written first at death  └── swept             all was looked through since the boot
    │   └── hosts hostname resolv.conf
    ├── volumes/NAME/_data
    ├── cache/           may be deleted
    └── tmp/             half-made, swept

Two roots are two engines that do not see each other.
"""

from __future__ import annotations

from firkin.record import Record


class Paths(Record):
    """Absolute paths below the two roots; nothing here touches the disk."""

    root: str
    run_root: str

    @property
    def engine_json(self) -> str:
        return f"{self.root}/engine.json"

    @property
    def database(self) -> str:
        return f"{self.root}/firkin.db"

    @property
    def blobs(self) -> str:
        return f"{self.root}/blobs/sha256"

    @property
    def layers(self) -> str:
        return f"{self.root}/layers"

    @property
    def volumes(self) -> str:
        return f"{self.root}/volumes"

    @property
    def cache(self) -> str:
        return f"{self.root}/cache"

    @property
    def tmp(self) -> str:
        return f"{self.root}/tmp"  # noqa: S108 - our own, 0700

    @property
    def containers(self) -> str:
        return f"{self.root}/containers"

    @property
    def run_containers(self) -> str:
        return f"{self.run_root}/containers"

    @property
    def locks(self) -> str:
        return f"{self.run_root}/locks"

    def container(self, container_id: str) -> str:
        """The container's lasting directory."""
        return f"{self.root}/containers/{container_id}"

    def bundle(self, container_id: str) -> str:
        """The container's directory in the run root: config.json, rootfs/, sockets."""
        return f"{self.run_root}/containers/{container_id}"
