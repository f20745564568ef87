"""Can this kernel do what the bridge needs? A look that changes nothing, for the doctor."""

from __future__ import annotations

import errno

from firkin.errors import SyscallError
from firkin.network.dialogue import Dialogue
from firkin.wire import nft


def nftables_refusal() -> str:
    """Return why nf_tables cannot be used, in the kernel's words; "" when it can."""
    try:
        with Dialogue.netfilter() as dialogue:
            dialogue.get(nft.get_table("firkin_probe"))
    except SyscallError as error:
        if error.errno == errno.ENOENT:  # no such table: the kernel understood the question
            return ""
        return str(error)
    return ""
