"""The site's other services: whether they run, and answer, as they did before ours came."""

from __future__ import annotations

import asyncio

from ..model.said import said_by
from ..site.neighbours import Neighbour
from ..site.options import MoonlightSite
from .finding import Finding
from .isolation import neighbours
from .web import ask

_SECONDS = 5.0
_LISTED = (
    "List the site's other services in `portal_neighbours`, as deploy/moonlight_config.py does."
)


async def services(site: MoonlightSite) -> Finding:
    name = "portal's services"
    others = [other for other in neighbours(site) if other.port]
    if not others:
        return Finding(name, True, "none is listed with a port", _LISTED, odd=True)
    away = await _away(others)
    if not away:
        return Finding(name, True, ", ".join(f"{o.name} :{o.port}" for o in others))
    text = "; ".join(f"{o.name}, {o.address}:{o.port}: {why}" for o, why in away.items())
    fix = "Start it, or correct its port in `portal_neighbours`. Ours touches none of them: if it has "
    return Finding(name, False, text, fix + "ended since ours came, look into its own log.")


async def apis(site: MoonlightSite) -> Finding:
    """Of those that listen: the others are told by :func:`services`."""
    name = "portal's APIs"
    others = [other for other in neighbours(site) if other.url]
    if not others:
        return Finding(name, True, "none is listed with a url", _LISTED, odd=True)
    away = await _away([other for other in others if other.port])
    asked = [other for other in others if other not in away]
    wrong = dict(zip(asked, await asyncio.gather(*map(_wrong, asked)), strict=True))
    texts = [f"{other.name}, {other.url}: {why}" for other, why in wrong.items() if why]
    if texts:
        fix = "If what answers is ours, nginx leads too much to it: deploy/nginx/moonlight.conf has our "
        fix += (
            "paths, and the site's own locations stay beside it. Else look into that service's log."
        )
        return Finding(name, False, "; ".join(texts), fix)
    text = ", ".join(other.name for other in asked) + " answer" if asked else "none could be asked"
    left = (
        f"; not asked, because nothing listens: {', '.join(o.name for o in away)}" if away else ""
    )
    return Finding(name, True, text + left)


async def _away(others: list[Neighbour]) -> dict[Neighbour, str]:
    """Those that take no connection, and why."""
    whys = await asyncio.gather(*map(_closed, others))
    return {other: why for other, why in zip(others, whys, strict=True) if why}


async def _closed(other: Neighbour) -> str:
    try:
        connecting = asyncio.open_connection(other.address, other.port)
        _, writer = await asyncio.wait_for(connecting, _SECONDS)
    except asyncio.TimeoutError:
        return f"no answer within {_SECONDS:g} s"
    except OSError as e:
        return said_by(e)
    writer.close()
    return ""


async def _wrong(other: Neighbour) -> str:
    """Why its answer is none of a service that works: refusing strangers is."""
    try:
        reply = await ask(other.url)
    except LookupError as e:
        return str(e)
    if reply.refusal and "/moonlight" not in other.url:
        return f"our API answered it, with {reply}"
    return "" if reply.status < 400 or reply.status in (401, 403) else f"it answered {reply}"
