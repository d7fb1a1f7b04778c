"""``moonlight-hpc here``: a desktop in the job that runs this command, for as long as that lasts."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from ..model.errors import FieldError, InvalidRequest, NotInJob, as_json, shorten
from ..model.session import Session, State, Way, job_named
from ..sessions.inside import become, find_job, go_to_its_node, on_its_node
from ..sessions.manager import SessionManager
from ..site.request import DOOR

_MAX_REQUEST_BYTES = 64 * 1024
_LOOK_SECONDS = 0.5


def add_commands(groups: Any) -> None:
    here: argparse.ArgumentParser = groups.add_parser(
        "here",
        help="(in a job) a desktop in this very job, until it ends",
        description="Runs a desktop in the job that runs this command, and ends with it. "
        "`exec moonlight-hpc here --own` is a whole job script. Outside a job, and without a batch "
        "system, the desktop runs on this machine.",
    )
    here.set_defaults(command=_here, error_as_json=as_json)
    here.add_argument(
        "--request",
        metavar="FILE",
        help="what to start, as JSON with the fields of the REST API; - is standard input",
    )
    here.add_argument(
        "--own",
        action="store_true",
        help="the job is there for the desktop alone: stopping that ends the job",
    )
    here.add_argument("--name", metavar="TEXT", help="what to call the desktop")
    here.add_argument("--door", default="here", metavar="NAME", help="what is told of its origin")
    # For jupyter-server-proxy: a page that starts the desktop and shows it, behind a Unix socket.
    here.add_argument("--socket", type=Path, help=argparse.SUPPRESS)
    here.add_argument("--json", action="store_true", help="print JSON, errors too")


async def _here(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    if options.socket:
        from ..proxied.server import serve

        return await serve(manager, user, options.socket)
    site = manager.site
    in_slurm = site.batch_system == "slurm"
    if in_slurm and job_named(os.environ) and not on_its_node(os.environ):
        options.then = partial(go_to_its_node, site, options.arguments)
        return 0
    door = _door(options.door)
    body = _named(_request(options.request), options.name)
    job = await find_job(site)
    if job:
        way = Way.OWNING if options.own else Way.GUEST
        session_id, start = await manager.create_inside(user, body, job, way, door)
        assert start  # without a request key it is always a new one
        _tell(options, await manager.get(user, session_id))
        options.then = partial(become, start.script, start.log)
        return 0
    if in_slurm:
        raise NotInJob(
            "This is no job of Slurm. Start a desktop in a job of its own by `moonlight-hpc session "
            "create`, or run this in a job, by srun or in a script for sbatch."
        )
    told = _told_to_end()  # before there is anything that an untimely signal would leave behind
    session, _ = await manager.create(user, body, door=door)
    _tell(options, session)
    return await _until_it_ends(manager, user, session, told)


def _told_to_end() -> asyncio.Event:
    """Set by TERM and Ctrl-C from now on, in place of the end of this process."""
    told = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signum, told.set)
    return told


async def _until_it_ends(
    manager: SessionManager, user: str, session: Session, told: asyncio.Event
) -> int:
    """Wait; a signal ends the session, as it would if it were this process."""
    stopped = False
    while session.live:
        if told.is_set() and not stopped:
            stopped = True
            await manager.stop(user, session.session_id)
        await asyncio.sleep(_LOOK_SECONDS)
        session = await manager.get(user, session.session_id)
    print(f"moonlight-hpc: {session.reason}", file=sys.stderr)
    return 1 if session.status is State.FAILED else 0


def _tell(options: argparse.Namespace, session: Session) -> None:
    text = session.model_dump_json() if options.json else f"Session {session.session_id}"
    print(text, flush=True)


def _door(name: str) -> str:
    if not DOOR.fullmatch(name):
        message = f"door is {shorten(name)!r}, but must be a word of small letters."
        raise InvalidRequest([FieldError("door", shorten(name), message)])
    return name


def _request(source: str | None) -> Any:
    if source is None:
        return {}
    try:
        stream = sys.stdin.buffer if source == "-" else Path(source).open("rb")
        with stream:
            data = stream.read(_MAX_REQUEST_BYTES + 1)
    except OSError as e:
        raise _wrong(f"The request cannot be read from {source}: {e.strerror}.") from e
    if len(data) > _MAX_REQUEST_BYTES:
        raise _wrong(f"The request has over {_MAX_REQUEST_BYTES} bytes.")
    try:
        return json.loads(data or b"{}")
    except (ValueError, RecursionError) as e:
        raise _wrong(f"The request is not JSON: {shorten(str(e), 120)}.") from e


def _named(body: Any, name: str | None) -> Any:
    """What is wrong with a request that is no object is told by its check."""
    return {**body, "name": name} if name is not None and isinstance(body, dict) else body


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest([FieldError("request", None, message)])
