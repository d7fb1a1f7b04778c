"""The keyboard layout of the session's X server.

Hosts type in two ways. selkies types symbols and finds the key for each: it needs a layout that has
them. Sunshine is told which *key* was pressed, and presses the key that has its symbol in the US
layout (libvirtualhid's XTest back end, measured): so there the US layout has to be the first
group, by which keys are found, and the layout that was asked for the group in force.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from ...processes.child import output_of
from ...processes.environment import find_in_system
from ..desktop.container import Container, Node
from . import xclient
from .screen import Screen

_LAYOUT = re.compile(r"([a-z]{2,8})(?:\(([A-Za-z0-9_-]{1,32})\))?", re.ASCII)
DEFAULT = "us"  # what an X server starts with
# The keys of a number pad are digits without NumLock, which is off in an X server of ours and
# which no client's key press switches on.
_NUMBER_PAD = ["-option", "numpad:mac"]


async def set_layout(
    layout: str,
    container: Container,
    env: Mapping[str, str],
    screen: Screen,
    keys: bool = False,
) -> str:
    """Set an XKB layout such as ``kr`` or ``de(nodeadkeys)``; why not, empty if it is set.

    ``keys`` is whether the host presses keys (Sunshine) and does not type symbols. The program of
    the image does it where the node has none.
    """
    match = _LAYOUT.fullmatch(layout)
    if match is None:
        return f"{layout} is no layout"
    name, variant = match[1], match[2] or ""
    second = keys and layout != DEFAULT
    words = ["setxkbmap", *(_NUMBER_PAD if keys else [])]
    if second:
        words += ["-layout", f"{DEFAULT},{name}", "-variant", f",{variant}"]
    elif layout != DEFAULT:
        words += ["-layout", name, "-variant", variant]
    elif not keys:
        return ""
    own = find_in_system(words[0])
    where = Node() if own or isinstance(container, Node) else container
    if own and isinstance(where, Node):
        words[0] = own
    if await output_of(where.argv(words, env), env) is None:
        return "setxkbmap is not installed or does not know it"
    group = 1 if second else 0
    if not await asyncio.to_thread(xclient.lock_keyboard_group, screen, group):
        return "the X server would not switch to it"
    return ""
