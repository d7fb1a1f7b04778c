"""Whether anything of ours is in the way of the site's other services, by the settings alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from ..site.images import IMAGE_PREFIX
from ..site.neighbours import Neighbour, Range, neighbour
from ..site.options import MoonlightSite
from .finding import Finding

_FIX = "Give ours others: {}. Or correct the neighbour in `portal_neighbours`."


def neighbours(site: MoonlightSite) -> list[Neighbour]:
    return [neighbour(entry) for entry in site.portal_neighbours]


async def isolation(site: MoonlightSite) -> Finding:
    """Ports, port ranges, directories, Redis prefixes, images' names and displays."""
    name = "isolation"
    others = neighbours(site)
    if not others:
        fix = "List the site's other services, as deploy/moonlight_config.py does."
        return Finding(name, True, "`portal_neighbours` names no other service", fix, odd=True)
    found = [overlap for other in others for overlap in _overlaps(site, other)]
    if not found:
        text = f"{len(others)} other services: no port, directory, Redis prefix, image name, "
        return Finding(name, True, text + "display or port range is theirs and ours")
    settings = sorted({setting for setting, _ in found})
    return Finding(
        name, False, "; ".join(text for _, text in found), _FIX.format(", ".join(settings))
    )


def _overlaps(site: MoonlightSite, other: Neighbour) -> Iterator[tuple[str, str]]:
    """Settings of ours, and in words what of it is the other's as well."""
    ours = {"portal_port": site.portal_port, "portal_signaling_port": site.portal_signaling_port}
    nodes, displays = Range(site.port_min, site.port_max), Range(site.display_min, site.display_max)
    theirs = [*([Range(other.port, other.port)] if other.port else []), *other.port_ranges]
    for setting, port in ours.items():
        if port and any(r.meets(Range(port, port)) for r in theirs):
            yield setting, f"port {port} is {other.name}'s"
    for ports in theirs:
        if ports.meets(nodes):
            yield "port_min and port_max", f"ports {nodes} meet {ports} of {other.name}"
    for shown in other.displays:
        if shown.meets(displays):
            text = f"displays :{displays.first} to :{displays.last} meet {shown} of {other.name}"
            yield "display_min and display_max", text
    for setting, mine in _directories(site):
        for directory in other.directories:
            if _within(mine, directory) or _within(directory, mine):
                yield setting, f"{mine} meets {directory} of {other.name}"
    for prefix in _common([site.portal_redis_prefix], other.redis_prefixes):
        yield "portal_redis_prefix", f"the keys {prefix}* are {other.name}'s, too"
    for prefix in _common([IMAGE_PREFIX], other.image_prefixes):
        yield "images_dir", f"images {prefix}*.sif are {other.name}'s, too"


def _directories(site: MoonlightSite) -> Iterator[tuple[str, str]]:
    """What we write to. Images lie beside those of others: what tells them apart is their names."""
    for setting in ("sessions_dir", "logs_dir", "sandboxes_dir", "portal_key_file"):
        path = getattr(site, setting)
        if path:
            yield setting, os.path.dirname(path) if setting.endswith("_file") else path


def _within(path: str, directory: str) -> bool:
    path, directory = os.path.realpath(path), os.path.realpath(directory)
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _common(ours: Iterable[str], theirs: Iterable[str]) -> list[str]:
    """The longer one of each pair of which one begins with the other."""
    return [
        max(mine, other, key=len)
        for mine in ours
        for other in theirs
        if mine.startswith(other) or other.startswith(mine)
    ]
