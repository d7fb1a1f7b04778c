"""``moonlight-hpc session``: launch, list, stop and open desktops."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from ..model.errors import as_json
from ..model.session import Session, State, Way
from ..sessions.manager import SessionManager
from .command import add_command
from .measure import add_measure
from .page import find_page

_LAST_LOOKS = 300  # ten a second: a runner ends what is left within seconds, and writes its end
_SYMBOLS = {"waiting": "·", "running": "…", "done": "✓", "failed": "✗"}


def add_commands(groups: Any) -> None:
    session = groups.add_parser("session", help="launch, list, stop and open desktops")
    commands = session.add_subparsers(required=True, metavar="ACTION")

    create = add_command(commands, "create", _create, "launch a desktop")
    create.add_argument("--name", help="what you call it")
    create.add_argument("--image", help="image id (see: moonlight-hpc images)")
    create.add_argument("--hours", type=float, help="length of the session")
    create.add_argument("--cpus", type=int)
    create.add_argument("--memory-gb", type=float)
    create.add_argument("--gpus", type=int)
    create.add_argument(
        "--resolution", help="WIDTHxHEIGHT, fixed; without it the screen follows its window"
    )
    create.add_argument("--fps", type=int)
    create.add_argument("--bitrate-kbps", type=int, help="highest bitrate of the picture")
    create.add_argument("--keyboard", help="keyboard layout, e.g. kr or de(nodeadkeys)")
    create.add_argument("--host", choices=["auto", "selkies", "sunshine"], help="what streams it")
    create.add_argument(
        "--begin", metavar="WHEN", help="not before 2026-11-30T08:00:00+09:00, or now+2hours"
    )
    create.add_argument(
        "--mail", metavar="ADDRESS", nargs="?", const="", help="when it begins; without one: yours"
    )
    create.add_argument("--key", help="the same key twice gives one session")
    create.add_argument("--wait", action="store_true", help="until it runs, telling each step")

    listing = add_command(commands, "list", _list, "list desktops")
    listing.add_argument("--all", action="store_true", help="ended ones too")

    rename = add_command(commands, "rename", _rename, "call a desktop something")
    rename.add_argument("session", metavar="SESSION")
    rename.add_argument("name", metavar="NAME", help='"" takes its name away')

    delete = add_command(commands, "delete", _delete, "delete the records of ended desktops")
    which = delete.add_mutually_exclusive_group(required=True)
    which.add_argument("session", metavar="SESSION", nargs="?")
    which.add_argument("--ended", action="store_true", help="of all that have ended")

    for name, function, text in (
        ("stop", _stop, "end a desktop"),
        ("logs", _logs, "show the logs of a desktop"),
        ("open", _open, "print the address of a desktop, once it runs"),
    ):
        _of_one(add_command(commands, name, function, text))
    commands.choices["stop"].add_argument("--wait", action="store_true", help="until it has ended")
    commands.choices["logs"].add_argument("--tail", type=int, default=65536, metavar="BYTES")
    commands.choices["logs"].add_argument("--log", help="only this one")

    add_measure(commands)

    show = add_command(commands, "show", _show, "tell all that is known of a desktop")
    show.set_defaults(error_as_json=as_json)
    _of_one(show)
    show.add_argument(
        "--logs", type=int, default=0, metavar="BYTES", help="with the ends of its logs (JSON)"
    )


def _of_one(command: argparse.ArgumentParser) -> None:
    text = "id of the desktop's session, ml-…, as list and create print it"
    command.add_argument("session", metavar="SESSION", help=text)


async def _create(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    fields = ["image", "hours", "cpus", "memory_gb", "gpus", "resolution", "fps", "host"]
    fields += ["bitrate_kbps", "keyboard", "name", "begin"]
    body = {f: getattr(options, f) for f in fields if getattr(options, f) is not None}
    if options.mail is not None:
        body |= {"mail": True, "mail_to": options.mail}
    session, _ = await manager.create(user, body, options.key, door="cli")
    _tell(options, f"Session {session.session_id}")
    if options.wait:
        session = await _wait(manager, user, session, options)
    _print(options, session)
    if options.wait and session.status is State.RUNNING:
        _tell(options, f"Open it with: moonlight-hpc session open {session.session_id}")
        return 0
    if options.wait:
        return 1
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


async def _show(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    session = await manager.get(user, options.session)
    if not options.json:
        _print(options, session)
        return 0
    told = json.loads(session.model_dump_json())
    if options.logs > 0:
        logs = await manager.logs(user, session.session_id, options.logs)
        told["logs"] = {log.name: log.text for log in logs}
    print(json.dumps(told, indent=2))
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
    looks = _LAST_LOOKS if options.wait else 0
    while looks and not await manager.settled(session.session_id):
        looks -= 1
        await asyncio.sleep(0.1)
    _print(options, session)
    for note in notes:
        _tell(options, note)
    return 0


async def _rename(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    _print(options, await manager.rename(user, options.session, {"name": options.name}))
    return 0


async def _delete(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    deleted = await manager.forget(user, None if options.ended else options.session)
    if options.json:
        print(json.dumps({"deleted": deleted}, indent=2))
    for session_id in deleted:
        _tell(options, f"Deleted {session_id}")
    kept = [] if not options.ended else [s for s in await manager.sessions(user) if not s.live]
    for session in kept:
        which = session.session_id
        _tell(options, f"Kept {which}: `moonlight-hpc session delete {which}` says why.")
    if not deleted and not kept:
        _tell(options, "There is no ended session.")
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
    found = find_page(manager, session)
    if found.words:
        print(found.words, file=sys.stderr)
    if not found.url:
        return 1
    print(found.url)
    return 0


async def _wait(
    manager: SessionManager, user: str, session: Session, options: argparse.Namespace
) -> Session:
    """Until it runs or has ended, telling each change. One that is being ended ends: it has a reason.

    The last steps are done between two looks, and with them it runs. What else is to be known of it
    (no sound, settings that cannot be kept) is told then, too. One that runs already is not news.
    """
    told: set[str] = set()

    def tell(lines: list[str]) -> None:
        for line in lines:
            if line and line not in told:
                told.add(line)
                _tell(options, line)

    while session.live and session.status is not State.RUNNING:
        tell(_news(session))
        await asyncio.sleep(0.5)
        session = await manager.get(user, session.session_id)
        if session.status is State.RUNNING:
            tell([*_steps(session), *session.notes])
    return session


def _news(session: Session) -> list[str]:
    if session.queue:
        at_least = "at least " if session.queue.at_least else ""
        place = f" (place {at_least}{session.queue.position})" if session.queue.position else ""
        return [f"Waiting{place}: {session.queue.message}"]
    return _steps(session) or [session.reason]


def _steps(session: Session) -> list[str]:
    return [
        f"{_SYMBOLS[s.state.value]} {s.label}{': ' + s.detail if s.detail else ''}"
        for s in session.steps
        if s.state.value in ("done", "failed")
    ]


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
    image = session.image_name
    what = f"{session.name} ({image})" if session.name else image
    return f"{session.session_id}  {what}  {session.status.value}{where}{why}{stale}"
