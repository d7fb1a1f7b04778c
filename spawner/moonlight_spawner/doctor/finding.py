"""One check and what it found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..site.options import MoonlightSite

SECONDS = 20.0


@dataclass(frozen=True)
class Finding:
    """One check. ``fix`` says what to do when it is not ``good``, or good and ``odd``: nothing stops
    because of that, and somebody should look at it."""

    name: str
    good: bool
    text: str
    fix: str = ""
    odd: bool = False

    @property
    def mark(self) -> str:
        return "✗" if not self.good else "!" if self.odd else "✓"


Check = Callable[[MoonlightSite], Awaitable[Finding]]
