"""In a job of Open OnDemand's, beside the session: waits until the desktop can be opened.

Open OnDemand shows a session as running as soon as its job has written ``connection.yml``, and asks
no port; so the job waits here before it writes that. What it waits for is told in ``progress.json`` for
the card.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model.errors import MoonlightError
from ..model.files import read_shared, write_private
from ..model.session import Session, State
from ..model.texts import json_of
from ..processes.mark import runs
from ..relay.upstream import Target, UpstreamError, call
from ..sessions.control import control
from ..sessions.manager import SessionManager
from ..sessions.reach import token_of

_LOOK_SECONDS = 0.3
# A session that runs has its gateway; this is for an agent that has just been killed, say.
_ANSWER_SECONDS = 30.0
_CONNECT_SECONDS = 3.0
_LOG_BYTES = 3000


class NotOpened(MoonlightError):
    """The desktop cannot be opened; the text says why. It is the end of the job."""

    code = "not_opened"


@dataclass(frozen=True)
class Opening:
    """Where the session's gateway listens and what it lets in; ``native`` is for Moonlight clients."""

    port: int
    token: str
    session_id: str
    native: tuple[str, int] | None
    notes: tuple[str, ...] = ()

    def line(self) -> str:
        """For ``read`` of a shell: words that hold no space, the last two may be missing."""
        words = [str(self.port), self.token, self.session_id, *map(str, self.native or ())]
        return " ".join(words)


async def wait_until_open(
    manager: SessionManager, user: str, directory: Path, pid: int, host: str
) -> Opening:
    """Until the gateway of the session that process ``pid`` becomes answers.

    ``directory`` is the job's, with ``session.json``: what ``moonlight-hpc here`` has said.

    Raises
    ------
    NotOpened
        It was not started, or has ended meanwhile.
    """
    session_id = await _begun(directory, pid)
    told = ""
    silent = 0.0
    while True:
        running = runs(pid)  # before the look: what it says last it says before it ends
        session = await manager.get(user, session_id)
        text = session.model_dump_json()
        if text != told:
            told = text
            with contextlib.suppress(OSError):  # a full disk shall not keep a desktop from opening
                write_private(directory / "progress.json", text)
        if not session.live:
            raise NotOpened(await _why(manager, user, session))
        why = "its gateway is not open yet"
        if session.status is State.RUNNING:
            target = manager.reach(user, session_id).target
            why = await _answers(target) if target else why
            if target and not why:
                return await _opening(session, target, host)
        if session.status is State.RUNNING or not running:
            silent += _LOOK_SECONDS
        if silent > _ANSWER_SECONDS:
            raise NotOpened(
                f"The desktop cannot be opened: {why}. " + await _logs(manager, session)
            )
        await asyncio.sleep(_LOOK_SECONDS)


async def _begun(directory: Path, pid: int) -> str:
    """The session's id, once it is on record."""
    while True:
        running = runs(pid)
        said = _read(directory / "session.json")
        if isinstance(said.get("session_id"), str):
            return str(said["session_id"])
        if said.get("message"):
            raise NotOpened(str(said["message"]))
        if not running:
            raise NotOpened("The desktop's program ended before it began. The lines above say why.")
        await asyncio.sleep(_LOOK_SECONDS)


def _read(path: Path) -> dict[str, Any]:
    """What is in it by now; empty until it is whole."""
    try:
        said = json_of(read_shared(path) or b"{}")
    except ValueError:
        return {}
    except OSError as e:
        raise NotOpened(f"{path} cannot be read: {e.strerror}.") from e
    return said if isinstance(said, dict) else {}


async def _answers(target: Target) -> str:
    """Why the gateway does not answer as it will to a browser; empty if it does."""
    try:
        status, body = await call(target, "GET", "/healthz", list(target.headers))
        state = json_of(body).get("status") if status == 200 else f"status {status}"
    except (UpstreamError, ValueError, AttributeError) as e:
        return str(e)
    return "" if state == "ok" else f"its stream is not ready ({state})"


async def _opening(session: Session, target: Target, host: str) -> Opening:
    native = None
    if session.host == "sunshine":
        try:
            status, said = await control(target, "GET", "/native")
            if status == 200 and said.get("available") and said.get("address"):
                native = (str(said["address"]), int(said["port"]))
        except (UpstreamError, ValueError, KeyError, AttributeError, TypeError):
            pass  # the browser's way is there all the same
    notes = () if await _reached(host, target.port) else (_unreached(host, target),)
    return Opening(target.port, token_of(target), session.session_id, native, notes)


async def _reached(host: str, port: int) -> bool:
    """Whether the portal's name for this node leads to the gateway, seen from here."""
    if not host:
        return True
    try:
        opening = asyncio.open_connection(host, port)
        _, writer = await asyncio.wait_for(opening, _CONNECT_SECONDS)
    except (OSError, asyncio.TimeoutError, UnicodeError):
        return False
    writer.close()
    return True


def _unreached(host: str, target: Target) -> str:
    return (
        f"The gateway listens at {target}, but {host}, by which the portal calls this node, does not "
        "lead there from here. If the desktop cannot be opened, look at the setting gateway_address "
        "and at set_host of the cluster in Open OnDemand."
    )


async def _why(manager: SessionManager, user: str, session: Session) -> str:
    reason = session.reason or f"The session is {session.status.value}."
    if session.status is not State.FAILED:
        return reason
    return f"{reason}\n{await _logs(manager, session)}"


async def _logs(manager: SessionManager, session: Session) -> str:
    """The end of what the agent said, for the job's own log."""
    for log in await manager.logs(session.user, session.session_id, _LOG_BYTES):
        if log.name == "agent" and log.text.strip():
            return f"The end of its log:\n{log.text.rstrip()}"
    return "It left no log."
