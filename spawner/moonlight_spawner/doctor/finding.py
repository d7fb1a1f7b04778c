"""One check and what it found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..model.said import said_by
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


async def found_by(check: Check, site: MoonlightSite) -> Finding:
    """One that fails itself is a finding like another: the rest is wanted all the same."""
    try:
        return await check(site)
    except Exception as e:
        name = check.__name__.strip("_").replace("_", " ")
        fix = "This check could not be done here; the others count all the same."
        return Finding(name, False, f"{type(e).__name__}: {said_by(e)}", fix)
