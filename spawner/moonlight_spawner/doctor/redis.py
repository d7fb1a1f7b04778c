"""The portal's Redis."""

from __future__ import annotations

from ..site.options import MoonlightSite
from .finding import Finding


async def redis(site: MoonlightSite) -> Finding:
    return Finding("Redis", True, "not used: one service keeps what it knows to itself")
