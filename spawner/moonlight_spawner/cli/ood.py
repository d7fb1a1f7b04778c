"""``moonlight-hpc ood``: the app's way into a portal, and what its jobs run."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..ood.check import DIRECTORY, check, hosts_here
from ..ood.install import install
from ..ood.portal import CONFIG, read_portal
from ..ood.wait import wait_until_open
from ..sessions.manager import SessionManager
from .findings import tell_findings


def add_commands(groups: Any) -> None:
    ood = groups.add_parser("ood", help="Open OnDemand: install its app, look at a portal")
    commands = ood.add_subparsers(required=True, metavar="ACTION")
    for name, function, text in (
        ("install", _install, "put the app into a directory of Open OnDemand's apps"),
        ("check", _check, "say what is missing before the app works here"),
    ):
        parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        parser.set_defaults(command=function)
        parser.add_argument(
            "directory",
            type=Path,
            nargs="?" if name == "check" else None,
            default=DIRECTORY,
            metavar="DIRECTORY",
            help=f"the app's, as a rule {DIRECTORY}",
        )
        parser.add_argument(
            "--config",
            type=Path,
            default=CONFIG,
            metavar="DIRECTORY",
            help=f"where Open OnDemand is configured, if not in {CONFIG}",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")
    commands.choices["check"].add_argument(
        "--host", action="append", metavar="NAME", help="a node's name, if Slurm does not tell them"
    )
    wait = commands.add_parser("wait", help="(in the app's job) until the desktop can be opened")
    wait.set_defaults(command=_wait, json=False)
    wait.add_argument("directory", type=Path)
    wait.add_argument("--pid", type=int, required=True, help="the process that becomes the session")
    wait.add_argument("--host", default="", help="how the portal calls this node")


async def _install(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    said = install(options.directory.absolute(), manager.site, read_portal(options.config))
    if options.json:
        print(json.dumps(said, indent=2))
    for line in said if not options.json else ():
        print(line)
    if not options.json:
        print(f"Now look at it all: moonlight-hpc ood check {options.directory}")
    return 0


async def _check(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    site = manager.site
    hosts = options.host or hosts_here(site)
    findings = check(options.directory.absolute(), site, read_portal(options.config), hosts)
    return tell_findings(findings, options.json)


async def _wait(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    directory = options.directory.absolute()
    opening = await wait_until_open(manager, user, directory, options.pid, options.host)
    for note in opening.notes:
        print(f"moonlight-hpc: {note}", file=sys.stderr)
    # The token, to the pipe or private file of the job's script, and never to a terminal or a log.
    print(opening.line())
    return 0
