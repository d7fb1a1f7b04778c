"""What a user chose in the launch form, kept on his side: with the next browser it is there again."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from moonlight_spawner.model.errors import FieldError, InvalidRequest, shorten
from moonlight_spawner.model.texts import json_of
from tornado.web import authenticated

from .base import MoonlightAPIHandler

_MOST_BODY_BYTES = 64 * 1024


class ChoicesHandler(MoonlightAPIHandler):
    """``GET`` and ``PUT /api/moonlight/choices``"""

    @authenticated
    @authorized
    async def get(self) -> None:
        self.finish((await self.manager.choices(self.user)).model_dump(mode="json"))

    @authenticated
    @authorized
    async def put(self) -> None:
        kept = await self.manager.keep_choices(self.user, self._wish())
        self.finish(kept.model_dump(mode="json"))

    def _wish(self) -> Any:
        if len(self.body) > _MOST_BODY_BYTES:
            message = (
                f"The request has {len(self.body)} bytes; at most {_MOST_BODY_BYTES} are taken."
            )
            raise InvalidRequest([FieldError("body", None, message)])
        try:
            return json_of(self.body)
        except ValueError as e:
            message = f"The request is not JSON: {shorten(str(e), 120)}."
            raise InvalidRequest([FieldError("body", None, message)]) from e


HANDLERS = [("/api/moonlight/choices", ChoicesHandler)]
