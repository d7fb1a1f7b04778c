"""``moonlight-hpc``: the same manager as behind every other door, for a terminal."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from .. import __version__
from ..model.errors import InvalidRequest, MoonlightError
from .terminal import prepare

# In the order of the help. A command's module is loaded when the command is asked for, or the help.
_COMMANDS = ("session", "images", "doctor", "here", "ood", "report", "user-side", "serve")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; gives the exit status: 0 done, 1 refused or failed, 2 wrong usage."""
    if argv is None:
        prepare()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["agent"]:  # on the node: nothing of the rest is needed there
        from ..agent.guardian import guard

        if arguments[1:] == ["--version"]:
            print(f"moonlight-hpc {__version__}")
            return 0
        if arguments[1:2] == ["--measure"] and len(arguments) == 5:
            from ..agent.measure.here import run as measure

            return measure(*arguments[2:])
        if len(arguments) != 2:
            print("usage: moonlight-hpc agent SESSION_DIRECTORY", file=sys.stderr)
            return 2
        return guard(Path(arguments[1]))
    options = _parser(arguments).parse_args(arguments)
    options.arguments = arguments
    try:
        run = getattr(options, "run", asyncio.run)
        status = int(run(_run(options)))
        if then := getattr(options, "then", None):  # this process becomes another one
            then()
        return status
    except MoonlightError as e:
        print(f"moonlight-hpc: {e}", file=sys.stderr)
        if options.json and hasattr(options, "error_as_json"):
            print(json.dumps(options.error_as_json(e)))
        if isinstance(e, InvalidRequest):
            return 2
        return 1
    except ValueError as e:  # settings that cannot be read
        print(f"moonlight-hpc: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


async def _run(options: argparse.Namespace) -> int:
    status: int
    if getattr(options, "alone", False):
        status = await options.command(options)
        return status
    from ..sessions.manager import SessionManager
    from ..site.settings import load_site

    manager = SessionManager(load_site())
    try:
        status = await options.command(manager, manager.store.user, options)
        return status
    finally:
        await manager.close()


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="moonlight-hpc", description="GPU desktops on the cluster, in your browser."
    )
    parser.add_argument("--version", action="version", version=f"moonlight-hpc {__version__}")
    groups = parser.add_subparsers(required=True, metavar="COMMAND")
    asked = arguments[0] if arguments else ""
    if asked != "--version":
        for name in (asked,) if asked in _COMMANDS else _COMMANDS:
            import_module(f".{name.replace('-', '_')}", __package__).add_commands(groups)
    agent = groups.add_parser("agent", help="(on a node, in the job) run a session")
    agent.add_argument("directory")
    return parser
