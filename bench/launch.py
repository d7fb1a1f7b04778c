"""From the request for a session to its first picture in the browser."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser

from .desktops import Incumbent, session
from .jupyter import Jupyter, jupyter_server
from .page import DesktopPage, browser, open_page
from .report import Part

_OURS, _OURS_SLURM = "ours, local", "ours, Slurm"


def run(directory: Path, options: argparse.Namespace, say: Callable[[str], None]) -> Part:
    """Measure; ``directory`` takes logs and records."""
    rounds = 1 if options.quick else 5
    part = Part("launch")
    ways: dict[str, Mapping[str, str]] = {_OURS: {}}
    if options.slurm:
        ways[_OURS_SLURM] = {"MOONLIGHT_HPC_SCHEDULER": "slurm"}
    with browser() as chromium:
        for number in range(rounds):
            for name, env in ways.items():
                own = directory / f"{name.split()[-1]}{number}"
                own.mkdir()
                with jupyter_server(own, env) as jupyter:
                    _launch(part, chromium, jupyter, name)
            own = directory / f"incumbent{number}"
            own.mkdir()
            part.with_peer(Incumbent.NAME, partial(_visit_incumbent, part, chromium, own))
            say(f"launch: round {number + 1} of {rounds}")
    return part


def _launch(part: Part, chromium: Browser, jupyter: Jupyter, name: str) -> None:
    with open_page(chromium, "about:blank") as shown:
        shown.page.goto(f"{jupyter.url}/api/status?token={jupyter.token}")
        began = time.monotonic()
        with session(jupyter) as made:
            accepted = time.monotonic() - began
            shown.page.goto(jupyter.url + made["web_url"])
            shown.until(lambda: _desktop_frame(shown), "the session's page shows no desktop", 90)
            opened = time.monotonic() - began
            shown.wait_for_picture(None)
            taken = time.monotonic() - began
    part.measure("request accepted", "s", False).add(name, accepted)
    part.measure("the page opens the desktop", "s", False).add(name, opened)
    part.measure("first picture", "s", False).add(name, taken)


def _desktop_frame(shown: DesktopPage) -> bool:
    """Find the frame with the desktop in the session's page."""
    for frame in shown.page.frames:
        if frame.url.rstrip("/").endswith("/desktop"):
            shown.frame = frame
            return True
    return False


def _visit_incumbent(part: Part, chromium: Browser, directory: Path) -> None:
    incumbent = Incumbent(directory)
    incumbent.require()
    with jupyter_server(directory, incumbent.env) as jupyter:
        with open_page(chromium, f"{jupyter.url}/api/status?token={jupyter.token}") as shown:
            began = time.monotonic()
            shown.page.goto(incumbent.url(jupyter))
            shown.wait_for_picture(None)
            part.measure("first picture", "s", False).add(incumbent.NAME, time.monotonic() - began)
