"""One line that says why: the cause, what proves it, what to do. Made once, shown by every face."""

from __future__ import annotations

from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self


class Cause(Record):
    """``code`` is for programs and never changes; the three sentences are for people (lower case, no full stop)."""

    code: str
    cause: str
    proof: str = ""
    fix: str = ""

    def line(self) -> str:
        """Return ``cause (proof); fix``."""
        proof = f" ({self.proof})" if self.proof else ""
        fix = f"; {self.fix}" if self.fix else ""
        return f"{self.cause}{proof}{fix}"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild what ``to_dict`` wrote; what is missing is empty."""
        return cls(**{name: str(data.get(name, "")) for name in cls._fields})
