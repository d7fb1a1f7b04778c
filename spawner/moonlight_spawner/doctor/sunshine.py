"""Sunshine and its web client on a node. Those of an image are the image's own."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence

from ..agent.desktop.container import Node
from ..agent.hosts.sunshine.web_client import release_places, with_pages
from ..site.options import MoonlightSite
from .ask import answer, last_line
from .finding import SECONDS, Finding
from .needs import node_desktop

# Older ones know no `bind_address` and would listen on every address.
_OLDEST = (2026, 816)
_OLDEST_NAME = "v2026.816"
_VERSION = re.compile(r"Sunshine version: v?([0-9]+(?:\.[0-9]+)*)")
_INSTALL = f"Install {_OLDEST_NAME} or newer (docs/sunshine.md), or name it in `sunshine_command`."


async def sunshine(site: MoonlightSite) -> Finding:
    """Whether the node's own Sunshine can be used, if it is to be or could be."""
    name = "Sunshine"
    program = _found(site)
    if program is None:
        if _needed(site):
            return Finding(name, False, f"{_first(site.sunshine_command)} not found", _INSTALL)
        return Finding(name, True, f"not installed on the node itself: {_instead(site)}")
    with tempfile.TemporaryDirectory(prefix="moonlight-doctor-") as directory:
        # It writes a configuration wherever it looks for one, and an AppImage unpacks itself.
        places = [f"CONFIGURATION_DIRECTORY={directory}", f"TMPDIR={directory}"]
        places.append("APPIMAGE_EXTRACT_AND_RUN=1")
        command = [program, *site.sunshine_command[1:], "--version"]
        result = await answer(["env", *places, *command], SECONDS * 3)
    version = _VERSION.search(result.output + result.errors)
    if version is None:
        said = last_line(result.errors) or last_line(result.output) or result.ended
        return Finding(name, False, f"{program} does not tell its version: {said}", _INSTALL)
    text = f"v{version[1]} ({program})"
    if _numbers(version[1]) < _OLDEST:
        why = "is too old: it would listen on every address"
        return Finding(name, False, f"{text} {why}", _INSTALL)
    return Finding(name, True, text)


async def web_client(site: MoonlightSite) -> Finding:
    """Whether moonlight-web-stream is there with its pages, where Sunshine is."""
    name = "Sunshine's web client"
    if not _needed(site) and _found(site) is None:
        return Finding(name, True, f"not looked for on the node itself: {_instead(site)}")
    program = _which(site.moonlight_web_command)
    if program is None:
        fix = "Install moonlight-web-stream (docs/sunshine.md), or name it in "
        text = f"{_first(site.moonlight_web_command)} not found"
        return Finding(name, False, text, fix + "`moonlight_web_command`.")
    places = release_places(program, site.moonlight_web_directory)
    if place := with_pages(places):
        return Finding(name, True, f"{program}, its pages in {place / 'static'}")
    fix = "Name the directory of its release in the setting `moonlight_web_directory`."
    text = f"its pages (static/stream.html) are not in {' or '.join(map(str, places))}"
    return Finding(name, False, text, fix)


def _instead(site: MoonlightSite) -> str:
    """Who streams where the node has no Sunshine."""
    if not node_desktop(site):
        return "images bring theirs"
    if site.streaming_host == "selkies":
        return "selkies streams here"
    return (
        "`auto` streams its desktop by selkies and takes Sunshine in images only; who asks for "
        "Sunshine by name gets none here"
    )


def _needed(site: MoonlightSite) -> bool:
    return node_desktop(site) and site.streaming_host == "sunshine"


def _found(site: MoonlightSite) -> str | None:
    """Where desktops of the node would find it, None where there are none."""
    return _which(site.sunshine_command) if node_desktop(site) else None


def _which(command: Sequence[str]) -> str | None:
    return Node().which(_first(command), os.environ) if command else None


def _first(command: Sequence[str]) -> str:
    return command[0] if command else "an empty command"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
