"""From the request for a session to its first picture in the browser."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser

from .desktops import Incumbent, session
from .jupyter import Jupyter, jupyter_server
from .page import DesktopPage, browser, open_page
from .report import Part

_OURS, _OURS_SLURM = "ours, local", "ours, Slurm"
#: A line of the agent's log that says where a step is; its time is to the millisecond.
_STEP = re.compile(r"(\S+ \S+) \S+ ([a-z]+): (running|done)\b")


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
    told: list[tuple[str, float]] = []

    def tell(what: str, at: float | None = None) -> None:
        told.append((what, (at or time.time()) - began))

    with open_page(chromium, "about:blank") as shown:
        shown.page.goto(f"{jupyter.url}/api/status?token={jupyter.token}")
        began = time.time()
        with session(jupyter) as made:
            tell("request accepted")
            shown.page.goto(jupyter.url + made["web_url"])
            shown.until(lambda: _desktop_frame(shown), "the session's page shows no desktop", 90)
            tell("the page opens the desktop")
            shown.wait_for_picture(None)
            tell("first picture")
            (log,) = jupyter.sessions_dir.glob(f"*/{made['session_id']}/agent.log")
            for what, at in steps(log.read_text("utf-8").splitlines()):
                tell(f"on the node: {what}", at)
    for what, seconds in sorted(told, key=lambda each: each[1]):
        part.measure(what, "s", False).add(name, seconds)


def steps(log: Iterable[str]) -> list[tuple[str, float]]:
    """What an agent's log says of its start: the step and whether it begins or is done, and when."""
    return [
        (f"{found[2]} {found[3]}", datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f").timestamp())
        for line in log
        if (found := _STEP.match(line))
    ]


def _desktop_frame(shown: DesktopPage) -> bool:
    """Find the frame with the desktop in the session's page."""
    for frame in shown.page.frames:
        if "/desktop/" in urlsplit(frame.url).path + "/":
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
