"""What the viewer asks behind jupyter-server-proxy (:class:`..relay.one_session.OneSession`): of this
door's one desktop, and of another in its place."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from ..model.errors import MoonlightError, as_json
from ..model.session import Session
from ..relay.one_session import DESKTOP, NOTHING, as_refused, refused
from ..relay.upstream import UpstreamError
from ..sessions.control import control
from ..sessions.manager import SessionManager
from ..site.request import limits

_LOG_BYTES = 65536
_ONE = re.compile(r"sessions/([^/]+)(/clipboard|/keep|/logs)?")
_OF_NODE = ("/clipboard", "/keep")
_STATUS = {"not_found": 404, "invalid_request": 400, "scheduler_unavailable": 503}


class ProxiedSessions:
    """Asks the manager.

    Parameters
    ----------
    current
        The door's desktop, None if it has none.
    launch
        Gives the desktop that is there, or else a new one as it is asked for.
    """

    def __init__(
        self,
        manager: SessionManager,
        user: str,
        current: Callable[[], Awaitable[Session | None]],
        launch: Callable[[Any], Awaitable[Session]],
    ):
        self._manager = manager
        self._user = user
        self._current = current
        self._launch = launch

    async def ask(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        try:
            return await self._answer(method, path, body)
        except MoonlightError as e:
            return _STATUS.get(e.code, 409), as_json(e)
        except UpstreamError as e:
            return 502, refused("node_away", f"The session's node cannot be asked: {e}.")

    async def _answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if (method, path) == ("GET", "sessions"):
            session = await self._current()
            return 200, {"sessions": [_as_json(session)] if session else []}
        if (method, path) == ("POST", "sessions"):
            return 201, _as_json(await self._launch(body))
        if (method, path) == ("GET", "site"):
            return 200, {"limits": limits(self._manager.site)}
        one = _ONE.fullmatch(path)
        if one and one[2] in _OF_NODE:
            return await self._node(method, one[1], one[2], body)
        if one and one[2] == "/logs" and method == "GET":
            logs = await self._manager.logs(self._user, one[1], _LOG_BYTES)
            return 200, {"logs": [vars(log) for log in logs]}
        if one and not one[2] and method == "GET":
            return 200, _as_json(await self._manager.get(self._user, one[1]))
        if one and not one[2] and method == "DELETE":
            session = await self._manager.stop(self._user, one[1])
            return 202 if session.live else 200, _as_json(session)
        return NOTHING

    async def _node(self, method: str, session_id: str, path: str, body: Any) -> tuple[int, Any]:
        reach = self._manager.reach(self._user, session_id)
        if reach.target is None:
            message = "The desktop does not run, so it cannot be asked."
            return 409, refused("not_running", message)
        status, answer = await control(reach.target, method, path, body)
        return status, as_refused(status, answer)


def _as_json(session: Session) -> dict[str, Any]:
    """With its address beside the page."""
    return {**session.model_dump(mode="json"), "web_url": None, "stream_url": DESKTOP}
