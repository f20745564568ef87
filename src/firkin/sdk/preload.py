"""All that the library's verbs import, imported at the first use of any.

CPython cannot import in the child of a fork what another thread was importing at that moment (the module's lock stays
taken for ever). So nothing is left to be imported late, and a fork waits until this is done (sdk/connection).
"""

# ruff: noqa: F401
from __future__ import annotations

import firkin.db.connection
import firkin.engine.attach
import firkin.engine.boot
import firkin.engine.create
import firkin.engine.diff
import firkin.engine.erase
import firkin.engine.exec
import firkin.engine.hostconfig
import firkin.engine.image_users
import firkin.engine.inspect
import firkin.engine.joins
import firkin.engine.kill
import firkin.engine.limits
import firkin.engine.listing
import firkin.engine.logs
import firkin.engine.mounts
import firkin.engine.owners
import firkin.engine.reconcile
import firkin.engine.remove
import firkin.engine.repair
import firkin.engine.run
import firkin.engine.settle
import firkin.engine.spawner
import firkin.engine.stop
import firkin.engine.tables
import firkin.engine.wait
import firkin.images.host
import firkin.images.resolve
import firkin.images.store
import firkin.network.bridge
import firkin.network.tables
import firkin.network.upkeep
import firkin.oci.image
import firkin.runtime.cgroup.api
import firkin.specgen.merge
import firkin.specgen.parse_limits
import firkin.specgen.parse_modes
import firkin.specgen.parse_mounts
import firkin.specgen.parse_ports
import firkin.storage.content
import firkin.storage.layers
import firkin.storage.scratch
import firkin.storage.snapshots
import firkin.storage.tables
import firkin.storage.volumes
import firkin.wire.json
