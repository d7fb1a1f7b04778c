"""WebSocket and WebRTC over a line with delay and loss, each in the same round of the same desktop.

For root, who makes the name spaces of node and user. The line between them is a program of the tests'
(`tests/support/link.py`), since few kernels of small machines have netem.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from playwright.sync_api import Frame

from tests.cluster.users import ensure_users, remove_users, unique_names
from tests.turn.far import Far, far

from .desktops import screen_program
from .jupyter import SIZE
from .page import DesktopPage, NoPicture
from .processes import Program
from .report import Part
from .websocket_client import percentile

_WEBSOCKET, _DIRECT, _TURN = "WebSocket", "WebRTC", "WebRTC by TURN"
#: Milliseconds there and back, and per cent of the packets that are lost each way.
_LINES = ((0, 0.0), (40, 0.0), (40, 1.0), (40, 3.0), (150, 0.0), (150, 1.0))
_TRIES, _LEAVING_MS = 10, 500
# In the page's own memory of this tab (agent/hosts/selkies.html): WebRTC was tried and did not come through.
_WITHOUT_WEBRTC = "sessionStorage.setItem('moonlight-webrtc-failed', '')"


def run(directory: Path, options: argparse.Namespace, say: Callable[[str], None]) -> Part:
    """Measure; ``directory`` takes logs."""
    part = Part("webrtc")
    if os.geteuid() != 0:
        part.left_out["webrtc"] = "It makes name spaces, which only root can."
        return part
    rounds, seconds, clicks = (1, 1.5, 4) if options.quick else (3, 3.0, 8)
    names = unique_names(1)
    try:
        user = ensure_users(names)[0]
        size = f"{SIZE[0]}x{SIZE[1]}"
        with far(user, directory, resolution=size) as one:
            for number in range(rounds):
                for trip, loss in _LINES:
                    for route in (_WEBSOCKET, _DIRECT, _TURN):
                        one.line.set(trip / 2, loss / 100, _ports(one, route))
                        visit = partial(
                            _visit, part, one, route, f"{trip} ms, {loss:g} %", directory
                        )
                        one.there(visit, seconds, clicks)
                say(f"webrtc: round {number + 1} of {rounds}")
    finally:
        remove_users(names)
    return part


def _ports(one: Far, route: str) -> list[int] | None:
    return [one.turn_port] if route == _TURN else None


def _visit(
    part: Part, one: Far, route: str, line: str, directory: Path, seconds: float, clicks: int
) -> None:
    with _shown(one, route) as shown:
        with _screen(one, "motion", directory):
            seen = shown.motion(seconds)
        fps = part.measure(f"{line} lost: frames shown", "1/s", True, base=_WEBSOCKET)
        fps.add(route, seen["fps"])
        gaps = part.measure(f"{line} lost: time between frames, p95", "ms", False, base=_WEBSOCKET)
        gaps.add(route, percentile(seen["gaps"], 95))
        with _screen(one, "click", directory):
            shown.until(lambda: not shown.probe("picture()"), "the screen is not of one colour")
            times = shown.clicks(clicks)
        for percent in (50, 95):
            name = f"{line} lost: click to picture, p{percent}"
            part.measure(name, "ms", False, base=_WEBSOCKET).add(route, percentile(times, percent))


@contextmanager
def _shown(one: Far, route: str) -> Iterator[DesktopPage]:
    page = one.context.new_page()
    try:
        page.set_viewport_size({"width": SIZE[0], "height": SIZE[1]})
        if route == _WEBSOCKET:
            page.add_init_script(_WITHOUT_WEBRTC)
        shown = DesktopPage(page)
        # The session has one transport, and the page before may not have left it yet.
        for _ in range(_TRIES):
            _open(shown, one.url)
            if shown.frame.evaluate("stream_client.transport") == _transport(route):
                break
            page.wait_for_timeout(_LEAVING_MS)
        else:
            raise NoPicture(f"the picture does not come by {route}")
        yield shown
    finally:
        page.close()


def _open(shown: DesktopPage, url: str) -> None:
    def client() -> Frame | None:
        return next((frame for frame in shown.page.frames if "core.html" in frame.url), None)

    shown.page.goto(url)
    shown.until(lambda: client() is not None, "there is no desktop")
    shown.frame = client() or shown.page.main_frame
    shown.wait_for_picture()


def _transport(route: str) -> str:
    return "websockets" if route == _WEBSOCKET else "webrtc"


def _screen(one: Far, mode: str, directory: Path) -> Program:
    env = one.session.desktop_environment()
    return screen_program(mode, directory, env["DISPLAY"], env["XAUTHORITY"])
