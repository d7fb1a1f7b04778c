"""Keys in Sunshine's place, which may not use the kernel's devices: by XTest, the key that has in the US
layout the symbol of the pressed one's code (docs/sunshine.md). That is the key itself.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from moonlight_spawner.agent.desktop.container import Node
from moonlight_spawner.agent.display import keyboard, xclient
from moonlight_spawner.agent.display.screen import Screen
from Xlib import X
from Xlib.ext import xtest

from tests.agent.sessions import AgentSession

from .layouts import Stroke

_SHIFT, _RIGHT_ALT, _F12 = 50, 108, 96
_HELD = ((), (_SHIFT,), (_RIGHT_ALT,), (_SHIFT, _RIGHT_ALT))


class UsersScreen(Screen):
    """That of a test's user: root may speak to it, too."""

    def connect_to(self, address: str) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(address)
        return connection


def screen_of(session: AgentSession) -> Screen:
    env = session.desktop_environment()
    cookie = Path(env["XAUTHORITY"]).read_bytes()[-16:]  # the only entry's (Xau(3))
    return UsersScreen(int(env["DISPLAY"].lstrip(":")), session.find("Xvfb"), cookie)


def press_as_sunshine(
    screen: Screen, env: dict[str, str], layout: str, keys: Iterable[Stroke]
) -> None:
    """Set the layout as for Sunshine, and press the keys; F12 is the last."""
    setting = keyboard.set_layout(layout, Node(), env, screen, keys=True)
    with ThreadPoolExecutor(1) as beside:  # the browser has an event loop here
        why = beside.submit(asyncio.run, setting).result()
    assert not why, why
    pressed = [*((stroke.keycode, stroke.level) for stroke in keys), (_F12, 0)]
    with xclient.connection(screen) as x:
        for keycode, level in pressed:
            for held in _HELD[level]:
                xtest.fake_input(x, X.KeyPress, held)
            xtest.fake_input(x, X.KeyPress, keycode)
            xtest.fake_input(x, X.KeyRelease, keycode)
            for held in reversed(_HELD[level]):
                xtest.fake_input(x, X.KeyRelease, held)
            x.sync()
