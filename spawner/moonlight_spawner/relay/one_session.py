"""The viewer at a door that has one session: its page, its files, and what that page asks.

It asks what it asks a server of all of a user's sessions, at the same paths below its own address, so
the page need not know where it is.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from . import gate
from .incoming import Incoming, Request
from .replies import NO_STORE
from .viewer import Viewer

API = "/api/moonlight/"
#: Where the host's own page is, which stands in a frame of ours; relative to our page.
DESKTOP = "./desktop/"
_JSON = [(b"content-type", b"application/json"), *NO_STORE]

#: Method, path below :data:`API` and body (None: there was none, or no JSON); status and answer.
Ask = Callable[[str, str, Any], Awaitable[tuple[int, Any]]]


class OneSession:
    """Answers what belongs to the viewer; who may ask has been decided before.

    Parameters
    ----------
    most
        Bytes of the longest body that is taken.
    """

    def __init__(self, viewer: Viewer, ask: Ask, most: int):
        self._viewer = viewer
        self._ask = ask
        self._most = most

    @property
    def built(self) -> bool:
        return self._viewer.built

    async def page(
        self, incoming: Incoming, request: Request, settings: Mapping[str, Any], token: str = ""
    ) -> None:
        """The page, with its token where that is needed (:mod:`.gate`)."""
        page = self._viewer.page(settings)
        if token:
            page = gate.with_token(page, "/", token)
        await incoming.answer(
            200, self._viewer.headers(), page if request.method != "HEAD" else b""
        )

    async def answer(self, incoming: Incoming, request: Request) -> bool:
        """Answer for a file or a question; False if it is neither."""
        if request.path.startswith(API):
            await self._question(incoming, request)
            return True
        found = self._viewer.file(request.path) if request.method in ("GET", "HEAD") else None
        if found:
            headers, data = found
            await incoming.answer(200, headers, data if request.method == "GET" else b"")
        return found is not None

    async def _question(self, incoming: Incoming, request: Request) -> None:
        data = await incoming.short_body(self._most)
        if data is None:
            status, answer = 413, refused("too_large", "The request is too large.")
        else:
            try:
                body = json.loads(data or b"null")
            except (ValueError, RecursionError):
                body = None
            status, answer = await self._ask(request.method, request.path[len(API) :], body)
        await incoming.answer(status, _JSON, json.dumps(answer).encode())


def refused(code: str, message: str, fields: Any = None) -> dict[str, Any]:
    """A refusal as the REST API says it."""
    error = {"code": code, **({"fields": fields} if fields else {})}
    return {"message": message, "error": error}


def as_refused(status: int, answer: Any) -> Any:
    """What a node's agent says (:mod:`..agent.gateway`), in that form if it is a refusal."""
    if status < 400:
        return answer
    return refused(answer.get("code", "not_found"), answer.get("message", ""), answer.get("fields"))


NOTHING = 404, refused("not_found", "There is nothing at this address.")
