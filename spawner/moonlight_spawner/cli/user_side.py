"""``moonlight-hpc user-side``: what the portal's service may have done as a user, by sudo.

One JSON request on standard input, one JSON answer on standard output (:mod:`..portal.protocol`). The
manager is the one of every door; the settings are the site's alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..model.account import account
from ..model.errors import (
    ChoicesChanged,
    FieldError,
    InvalidRequest,
    MoonlightError,
    NotFound,
    UserSideFailed,
)
from ..model.records import Callback, SessionRecord
from ..model.session import Session
from ..portal import protocol
from ..portal.callback import token_of
from ..sessions import reach
from ..sessions.manager import SessionManager
from ..site.options import MoonlightSite
from ..site.settings import load_site_alone

# Until the settings are read, which say how long an answer may take.
_FIRST_SECONDS = 60.0
# What was begun behind an answer, such as a submission: as long as a slow Slurm is given.
_AFTERWARDS_SECONDS = 60.0
# What sudo gives: our rule leaves nothing of the service's. Slurm's are for a site whose PAM sets them.
_KEPT = ("PATH", "TZ", "SLURM_CONF", "SLURM_CONF_SERVER", "KRB5CCNAME", "KRB5_CONFIG")
_CHANGES = (
    protocol.Create,
    protocol.Stop,
    protocol.Rename,
    protocol.Forget,
    protocol.Reap,
    protocol.KeepChoices,
)


def add_commands(groups: Any) -> None:
    side: argparse.ArgumentParser = groups.add_parser(
        "user-side",
        help="(for the portal) do one thing as this user",
        description="Reads one JSON request on standard input and answers in JSON. The portal's "
        "service runs this as its users, by sudo: see deploy/sudoers/moonlight-hpc.",
    )
    side.set_defaults(command=_user_side, alone=True, json=False)
    side.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the site's settings, if not in /etc/moonlight-hpc; nobody else's are read",
    )


async def _user_side(options: argparse.Namespace) -> int:
    _end_within(_FIRST_SECONDS)
    # The answer alone goes out: what settings print, or a program started here, is a word for the log.
    out = os.dup(1)
    os.set_inheritable(out, False)
    os.dup2(2, 1)
    _use_own_environment()
    try:
        request = protocol.read_request(_read_line())
        site = load_site_alone(options.config)
        await _serve(request, site, out)
    except MoonlightError as e:
        _write(out, protocol.error_line(e))
    except ValueError as e:  # settings that cannot be read
        _write(out, protocol.error_line(UserSideFailed(f"The portal's settings are wrong: {e}")))
    except BaseException as e:  # SystemExit is what a file of settings may do
        last = traceback.extract_tb(e.__traceback__)[-1]
        print(f"{type(e).__name__} in {last.filename}:{last.lineno}: {e}", file=sys.stderr)
        failure = UserSideFailed("Something failed at your side of the portal; its log says what.")
        _write(out, protocol.error_line(failure))
    return 0


async def _serve(request: protocol.Request, site: MoonlightSite, out: int) -> None:
    """Answer, then wait for what goes on behind the answer."""
    changes = isinstance(request, _CHANGES)
    _end_within(site.user_side_seconds + (_AFTERWARDS_SECONDS if changes else 0.0))
    if changes:
        # What has begun to change something is finished, though nobody waits for the answer. A
        # function, not SIG_IGN, which would be the job's too.
        for signum in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda *_: None)
    manager = SessionManager(site)
    try:
        _write(out, protocol.as_line(await _answer(manager, request)))
        await manager.settle()
    finally:
        await manager.close()


async def _answer(manager: SessionManager, request: protocol.Request) -> dict[str, Any]:
    user = manager.store.user
    if isinstance(request, protocol.Create):
        session, created = await manager.create(
            user,
            request.body,
            request.key,
            request.door,
            _callback(request.callback),
            request.turn,
        )
        record = _record(manager, user, session.session_id)
        return {"session": _as_json(session), "created": created, "record": record}
    if isinstance(request, protocol.Look):
        if request.session_id is not None:
            return {"session": _as_json(await manager.get(user, request.session_id))}
        return {"sessions": [_as_json(session) for session in await manager.sessions(user)]}
    if isinstance(request, protocol.Stop):
        session = await manager.stop(user, request.session_id, request.why)
        record = _record(manager, user, session.session_id)
        return {"session": _as_json(session), "record": record}
    if isinstance(request, protocol.Rename):
        session = await manager.rename(user, request.session_id, request.body)
        record = _record(manager, user, session.session_id)
        return {"session": _as_json(session), "record": record}
    if isinstance(request, protocol.Forget):
        return {"session_ids": await manager.forget(user, request.session_id)}
    if isinstance(request, protocol.Logs):
        logs = await manager.logs(user, request.session_id, request.tail)
        return {"logs": [vars(log) for log in logs]}
    if isinstance(request, protocol.ReachFor):
        return _reached(manager, user, request.session_id)
    if isinstance(request, protocol.Images):
        return {"images": [image.model_dump() for image in manager.images.all()]}
    if isinstance(request, protocol.Records):
        return {"records": await _records(manager, user, request.session_id)}
    if isinstance(request, protocol.LookAtChoices):
        return {"kept": (await manager.choices(user)).model_dump(mode="json")}
    if isinstance(request, protocol.KeepChoices):
        try:
            kept = await manager.keep_choices(user, request.body)
        except ChoicesChanged as e:
            return {"kept": e.current, "changed": True}
        return {"kept": kept.model_dump(mode="json")}
    return {"session_ids": await manager.reap(user)}


def _callback(given: protocol.CallbackFor | None) -> Callable[[str], Callback] | None:
    """What a new session's agent is told of the service."""
    if given is None:
        return None
    return lambda session_id: Callback(
        url=given.url + session_id, token=token_of(given.seed, session_id), ca=given.ca
    )


async def _records(
    manager: SessionManager, user: str, session_id: str | None
) -> list[dict[str, Any]]:
    """Brought up to date by a look at them; as many as an answer holds, the live ones first."""
    if session_id is not None:
        sessions = [await manager.get(user, session_id)]
    else:
        sessions = sorted(await manager.sessions(user), key=lambda session: not session.live)
    records: list[dict[str, Any]] = []
    size = 0
    for session in sessions[: protocol.MOST_RECORDS]:
        if record := _record(manager, user, session.session_id):
            records.append(record)
            size += len(protocol.as_line(record))
        if size > protocol.MOST_RECORDS_BYTES:
            records.pop()
            break
    return records


def _reached(manager: SessionManager, user: str, session_id: str) -> dict[str, Any]:
    way = manager.reach(user, session_id)
    answer = protocol.Reached(end=way.end)
    if target := way.target:
        gateway = {"hosts": target.addresses, "port": target.port}
        gateway["certificate"] = target.certificate or ""
        answer = protocol.Reached.model_validate(
            {"gateway": gateway, "token": reach.token_of(target)}
        )
    found: dict[str, Any] = json.loads(answer.model_dump_json())
    return found


def _record(manager: SessionManager, user: str, session_id: str) -> dict[str, Any] | None:
    try:
        return _as_json(manager.record(user, session_id))
    except NotFound:  # forgotten meanwhile
        return None


def _as_json(said: Session | SessionRecord) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(said.model_dump_json())
    return data


def _read_line() -> bytes:
    """
    Raises
    ------
    InvalidRequest
    """
    data = b""
    while b"\n" not in data:
        more = os.read(0, protocol.MOST_REQUEST_BYTES + 1 - len(data))
        if not more:
            break
        data += more
        if len(data) > protocol.MOST_REQUEST_BYTES:
            message = f"The request has over {protocol.MOST_REQUEST_BYTES} bytes."
            raise InvalidRequest([FieldError("request", None, message)])
    return data.partition(b"\n")[0]


def _write(out: int, line: bytes) -> None:
    with contextlib.suppress(OSError):
        with open(out, "wb", closefd=False) as stream:
            stream.write(line)


def _use_own_environment() -> None:
    """The account's, whatever the caller had: nobody's variables steer what runs in the site's name."""
    user = account()
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(
        kept | {"HOME": user.home, "USER": user.login, "LOGNAME": user.login, "SHELL": user.shell}
    )
    os.chdir("/")


def _end_within(seconds: float) -> None:
    """The kernel ends this process then, also where it hangs (setitimer(2))."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
