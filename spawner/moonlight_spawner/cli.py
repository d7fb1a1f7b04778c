"""``moonlight-hpc``: the same manager as behind every other door, for a terminal."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import __version__
from .doctor import examine, examine_node
from .errors import InvalidRequest, MoonlightError
from .here_command import add_here_command
from .image_build.command import add_build_command
from .manager import SessionManager
from .session import Session, State, Way
from .settings import load_site
from .terminal import prepare

_SYMBOLS = {"waiting": "·", "running": "…", "done": "✓", "failed": "✗"}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; gives the exit status: 0 done, 1 refused or failed, 2 wrong usage."""
    if argv is None:
        prepare()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["agent"]:  # on the node: nothing of the rest is needed there
        from .agent.guardian import guard

        if arguments[1:] == ["--version"]:
            print(f"moonlight-hpc {__version__}")
            return 0
        if len(arguments) != 2:
            print("usage: moonlight-hpc agent SESSION_DIRECTORY", file=sys.stderr)
            return 2
        return guard(Path(arguments[1]))
    options = _parser().parse_args(arguments)
    options.arguments = arguments
    try:
        status = asyncio.run(_run(options))
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
    if options.command == _doctor:  # also where no manager can be made
        status = await _doctor(options)
        return status
    manager = SessionManager(load_site())
    try:
        status = await options.command(manager, manager.store.user, options)
        return status
    finally:
        await manager.close()


async def _create(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    fields = ["image", "hours", "cpus", "memory_gb", "gpus", "resolution", "fps", "host"]
    fields += ["bitrate_kbps", "keyboard"]
    body = {f: getattr(options, f) for f in fields if getattr(options, f) is not None}
    session, _ = await manager.create(user, body, options.key, door="cli")
    _tell(options, f"Session {session.session_id}")
    if options.wait:
        session = await _wait(manager, user, session, options)
    _print(options, session)
    if options.wait:
        return 0 if session.status is State.RUNNING else 1
    return 1 if session.status is State.FAILED else 0


async def _list(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    sessions = [s for s in await manager.sessions(user) if options.all or s.live]
    if options.json:
        print(json.dumps([json.loads(s.model_dump_json()) for s in sessions], indent=2))
    elif not sessions:
        print("No sessions. Start one with: moonlight-hpc session create")
    for session in sessions if not options.json else ():
        print(_line(session))
    return 0


async def _stop(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    session = await manager.stop(user, options.session)
    notes = session.notes
    told: set[str] = set()
    while options.wait and session.live:
        if session.stale_reason and session.stale_code not in told:
            told.add(session.stale_code or "")
            _tell(options, session.stale_reason)
        await asyncio.sleep(0.5)
        session = await manager.get(user, options.session)
        notes = session.notes
    _print(options, session)
    for note in notes:
        _tell(options, note)
    return 0


async def _logs(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    for log in await manager.logs(user, options.session, options.tail):
        if options.log in (None, log.name):
            print(f"==> {log.name} ({log.size} bytes{', its end' if log.truncated else ''}) <==")
            print(log.text)
    return 0


async def _open(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    session = await manager.get(user, options.session)
    session = await _wait(manager, user, session, options)
    if session.status is not State.RUNNING or session.gateway is None:
        print(_line(session), file=sys.stderr)
        return 1
    pages = [
        url.rstrip("/") + f"/moonlight/sessions/{session.session_id}/" for url in _jupyter_servers()
    ]
    if not pages:
        print(
            "No Jupyter server of yours runs here. Start one with `jupyter lab`, then call this "
            f"again, or open the path /moonlight/sessions/{session.session_id}/ of your portal.",
            file=sys.stderr,
        )
        return 1
    print(pages[0])
    return 0


async def _images(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    images = manager.images.all()
    if options.json:
        print(json.dumps([i.model_dump() for i in images], indent=2))
        return 0
    for image in images:
        mark = "*" if image.default else " "
        state = "available" if image.available else f"not available: {image.unavailable_reason}"
        print(f"{mark} {image.id:24} {image.name:28} {state}")
    return 0


async def _doctor(options: argparse.Namespace) -> int:
    site = load_site()
    findings = await (examine_node(site) if options.node else examine(site))
    if options.json:
        print(json.dumps([vars(finding) for finding in findings], indent=2))
    for finding in findings if not options.json else ():
        print(f"{finding.mark} {finding.name}: {finding.text}")
        if finding.fix and (finding.odd or not finding.good):
            print(f"    → {finding.fix}")
    return 0 if all(finding.good for finding in findings) else 1


async def _wait(
    manager: SessionManager, user: str, session: Session, options: argparse.Namespace
) -> Session:
    """Until it runs or has ended, telling each change. One that is being ended ends: it has a reason."""
    told: set[str] = set()
    while session.live and session.status is not State.RUNNING:
        if session.queue:
            at_least = "at least " if session.queue.at_least else ""
            place = f" (place {at_least}{session.queue.position})" if session.queue.position else ""
            lines = [f"Waiting{place}: {session.queue.message}"]
        else:
            lines = [
                f"{_SYMBOLS[s.state.value]} {s.label}{': ' + s.detail if s.detail else ''}"
                for s in session.steps
                if s.state.value in ("done", "failed")
            ] or [session.reason]
        for line in lines:
            if line and line not in told:
                told.add(line)
                _tell(options, line)
        await asyncio.sleep(0.5)
        session = await manager.get(user, session.session_id)
    return session


def _jupyter_servers() -> list[str]:
    try:
        from jupyter_server.serverapp import list_running_servers
    except ImportError:
        return []
    return [str(server["url"]) for server in list_running_servers()]


def _tell(options: argparse.Namespace, text: str) -> None:
    if not getattr(options, "json", False):
        print(text, flush=True)


def _print(options: argparse.Namespace, session: Session) -> None:
    if options.json:
        # In ASCII: JSON is UTF-8, and a terminal may not be.
        print(json.dumps(json.loads(session.model_dump_json()), indent=2))
    else:
        print(_line(session))


def _line(session: Session) -> str:
    where = f" on {session.node}, display :{session.display_num}" if session.display_num else ""
    if session.way is not Way.JOB:
        where += f" ({session.way.value} of job {session.slurm_job_id})"
    why = f": {session.reason}" if session.reason else ""
    stale = f" (not confirmed since {session.stale_since:%H:%M} UTC)" if session.stale_since else ""
    return f"{session.session_id}  {session.image_name}  {session.status.value}{where}{why}{stale}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="moonlight-hpc", description="GPU desktops on the cluster, in your browser."
    )
    parser.add_argument("--version", action="version", version=f"moonlight-hpc {__version__}")
    groups = parser.add_subparsers(required=True, metavar="COMMAND")
    session = groups.add_parser("session", help="launch, list, stop and open desktops")
    commands = session.add_subparsers(required=True, metavar="ACTION")

    create = _command(commands, "create", _create, "launch a desktop")
    create.add_argument("--image", help="image id (see: moonlight-hpc images)")
    create.add_argument("--hours", type=float, help="length of the session")
    create.add_argument("--cpus", type=int)
    create.add_argument("--memory-gb", type=float)
    create.add_argument("--gpus", type=int)
    create.add_argument("--resolution", help="WIDTHxHEIGHT")
    create.add_argument("--fps", type=int)
    create.add_argument("--bitrate-kbps", type=int, help="highest bitrate of the picture")
    create.add_argument("--keyboard", help="keyboard layout, e.g. kr or de(nodeadkeys)")
    create.add_argument("--host", choices=["auto", "selkies", "sunshine"], help="what streams it")
    create.add_argument("--key", help="the same key twice gives one session")
    create.add_argument("--wait", action="store_true", help="until it runs, telling each step")

    listing = _command(commands, "list", _list, "list desktops")
    listing.add_argument("--all", action="store_true", help="ended ones too")

    for name, function, text in (
        ("stop", _stop, "end a desktop"),
        ("logs", _logs, "show the logs of a desktop"),
        ("open", _open, "print the address of a desktop, once it runs"),
    ):
        _command(commands, name, function, text).add_argument("session", metavar="SESSION")
    commands.choices["stop"].add_argument("--wait", action="store_true", help="until it has ended")
    commands.choices["logs"].add_argument("--tail", type=int, default=65536, metavar="BYTES")
    commands.choices["logs"].add_argument("--log", help="only this one")
    images = _command(groups, "images", _images, "list what can be launched, or build it")
    add_build_command(images.add_subparsers(metavar="[build]"))
    doctor = _command(groups, "doctor", _doctor, "look for what is wrong with an installation")
    doctor.add_argument(
        "--node", action="store_true", help="what a compute node needs; run it on one"
    )
    add_here_command(groups)
    agent = groups.add_parser("agent", help="(on a node, in the job) run a session")
    agent.add_argument("directory")
    return parser


def _command(commands: Any, name: str, function: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=function)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
