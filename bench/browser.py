"""What a user sees: frames a second and the time from a click to its effect, in a real browser.

The same desktop by three ways (direct, ours, jupyter-server-proxy) and beside it the incumbent,
jupyter-remote-desktop-proxy with TigerVNC and noVNC. Only one page is open at a time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser

from .desktops import PEERS, Desktop, Incumbent, sent_bytes, three_ways
from .jupyter import SIZE, Jupyter, jupyter_server
from .page import DesktopPage, browser, harness_floor, open_page
from .processes import CpuMeter
from .report import Aim, Part
from .websocket_client import percentile

_FRAMES = [Aim("ours", "direct", 0.95)]
_CLICKS = [Aim("ours", "direct", 1.15)]


def run(directory: Path, options: argparse.Namespace, say: Callable[[str], None]) -> Part:
    """Measure; ``directory`` takes logs and records."""
    rounds, seconds, clicks = (1, 1.5, 5) if options.quick else (8, 3.0, 12)
    part = Part("browser")
    incumbent = part.with_peer(Incumbent.NAME, lambda: Incumbent(directory))
    env = incumbent.env if incumbent else {}
    with jupyter_server(directory, env) as jupyter, browser() as chromium:
        _add_clicks(part, "harness floor", harness_floor(chromium, clicks))
        with three_ways(jupyter, directory) as desktops:
            if incumbent:
                first = partial(_first_visit, chromium, jupyter, incumbent)
                if desktop := part.with_peer(incumbent.NAME, first):
                    desktops.append(desktop)
            for number in range(rounds):
                turn = number % len(desktops)
                for desktop in desktops[turn:] + desktops[:turn]:
                    visit = partial(_visit, part, chromium, desktop, directory, seconds, clicks)
                    if desktop.name in PEERS:
                        part.with_peer(desktop.name, visit)
                    else:
                        visit()
                say(f"browser: round {number + 1} of {rounds}")
    return part


def _first_visit(chromium: Browser, jupyter: Jupyter, incumbent: Incumbent) -> Desktop:
    incumbent.require()
    with open_page(chromium, incumbent.url(jupyter), jupyter) as shown:
        shown.wait_for_picture(None)
    return incumbent.desktop(jupyter)


def _visit(
    part: Part, chromium: Browser, desktop: Desktop, directory: Path, seconds: float, clicks: int
) -> None:
    with open_page(chromium, desktop.url, desktop.login) as shown:
        shown.wait_for_picture(None)
        _fit(shown)
        with desktop.screen("motion", directory):
            shown.motion(0.5)
            began, before = time.monotonic(), sent_bytes(desktop.port)
            with CpuMeter(desktop.relays) as relays, CpuMeter(desktop.servers) as servers:
                seen = shown.motion(seconds)
            sent = sent_bytes(desktop.port) - before
            taken = time.monotonic() - began
        name = desktop.name
        part.measure("motion, frames shown", "1/s", True, _FRAMES).add(name, seen["fps"])
        gaps = part.measure("motion, time between frames, p95", "ms", False)
        gaps.add(name, percentile(seen["gaps"], 95))
        part.measure("motion, traffic", "kB/s", False).add(name, sent / taken / 1e3)
        cpu = part.measure("motion, CPU of X and streaming server", "% of a core", False)
        cpu.add(name, servers.percent)
        if desktop.relays:
            cpu = part.measure("motion, CPU of the relays", "% of a core", False)
            cpu.add(name, relays.percent)
        with desktop.screen("click", directory):
            shown.until(lambda: not shown.probe("picture()"), "the screen is not of one colour")
            _add_clicks(part, name, shown.clicks(clicks))


def _fit(shown: DesktopPage) -> None:
    """Some pages have a bar above the desktop: let the desktop itself have the wanted size."""
    above = round(shown.probe("box()")["y"])
    shown.page.set_viewport_size({"width": SIZE[0], "height": SIZE[1] + above})
    shown.wait_for_picture()


def _add_clicks(part: Part, name: str, times: list[float]) -> None:
    for percent in (50, 95):
        measure = part.measure(f"click to picture, p{percent}", "ms", False, _CLICKS)
        measure.add(name, percentile(times, percent))
