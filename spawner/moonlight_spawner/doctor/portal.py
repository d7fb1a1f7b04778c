"""What a portal has to get right: eleven things, and that nothing of ours is in the way of its others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from ..site.options import MoonlightSite
from .cluster import for_many
from .examine import images
from .finding import Check, Finding, found_by
from .isolation import isolation
from .others import apis, services
from .places import directories
from .redis import redis
from .service import api, nginx, ports, processes
from .sharing import sharing


async def examine_portal(site: MoonlightSite, config: Path | None) -> list[Finding]:
    """All checks of the portal's machine. ``config``: the settings' file, where it is named."""
    own = asyncio.ensure_future(_service(site, config))
    alone: list[Check] = [
        services,
        apis,
        redis,
        images,
        for_many,
        _named(directories, config),
        sharing,
        isolation,
    ]
    found = await asyncio.gather(*(found_by(check, site) for check in alone))
    theirs, their_apis, keys, pictures, queue, places, shared, apart = found
    process, port, answers, front = await own
    return [
        *(theirs, port, their_apis, answers, keys, pictures, queue, front, places, process, shared),
        apart,
    ]


async def _service(site: MoonlightSite, config: Path | None) -> list[Finding]:
    """Our service from the inside out. What needs what is broken is not looked at: it would only say
    the same once more."""
    checks: dict[str, Check] = {
        "processes": _named(processes, config),
        "our ports": _named(ports, config),
        "our API": api,
        "nginx": nginx,
    }
    found: list[Finding] = []
    for name, check in checks.items():
        broken = next((one for one in found if not one.good), None)
        if broken:
            text = f"not looked at, because of: {broken.name}"
            found.append(Finding(name, True, text, broken.fix, odd=True))
        else:
            found.append(await found_by(check, site))
    return found


def _named(
    check: Callable[[MoonlightSite, Path | None], Awaitable[Finding]], config: Path | None
) -> Check:
    """The check of these settings; it keeps its name, for where it fails itself."""

    async def of_these(site: MoonlightSite) -> Finding:
        return await check(site, config)

    of_these.__name__ = check.__name__
    return of_these
