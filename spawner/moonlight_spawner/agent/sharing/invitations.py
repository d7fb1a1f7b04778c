"""The invitations to one desktop: made, changed and ended by its owner, each for one guest.

They are in memory and end with the session at the latest. The token of an invitation counts once: it
is exchanged for a cookie, so a link that was read on the way, or passed on, opens nothing any more.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from ...model.names import session_name
from ...model.session import now

log = logging.getLogger(__name__)

ROLES = ("view", "control")
MAX_INVITATIONS = 16
MAX_MINUTES = 7 * 24 * 60
_USUAL_MINUTES = 60

Answer = tuple[int, Any]


class Invitation:
    """One guest, or one who has not come yet.

    ``changed`` is called whenever ``role`` or ``over`` has another value.
    """

    def __init__(self, name: str, role: str, until: datetime, token: str):
        self.id = secrets.token_hex(4)
        self.name = name
        #: Who has come, where a portal knows that and says so.
        self.guest: str | None = None
        self.role = role
        self.until = until
        self.joined_at: datetime | None = None
        #: Why it has ended, as a page's name (:mod:`...relay.pages`); empty while it has not.
        self.over = ""
        #: His streams that are open.
        self.here = 0
        #: His connections that are busy, those streams among them.
        self.open = 0
        self.cookie = secrets.token_urlsafe(32)
        #: What his page has and no other (:mod:`...relay.gate`).
        self.page = secrets.token_urlsafe(32)
        self.changed: set[Callable[[], None]] = set()
        self.timer: asyncio.TimerHandle | None = None
        self._digest = hashlib.sha256(token.encode()).digest()

    def is_for(self, token: str) -> bool:
        shown = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        return hmac.compare_digest(shown, self._digest)

    @property
    def controls(self) -> bool:
        return self.role == "control" and not self.over

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "guest": self.guest,
            "role": self.role,
            "until": self.until.isoformat(),
            "joined_at": self.joined_at.isoformat() if self.joined_at else None,
            "here": self.here > 0,
        }

    def tell(self) -> None:
        for hear in list(self.changed):
            hear()


class Invitations:
    """Those that count.

    Parameters
    ----------
    most
        What the site lets an owner give: ``off``, ``view`` or ``control``.
    counted
        Told how many guests look on, whenever that has changed.
    """

    def __init__(self, most: str, counted: Callable[[int], None] = lambda here: None):
        self.most = most
        self._counted = counted
        self._all: dict[str, Invitation] = {}

    @property
    def here(self) -> int:
        """How many guests look at the desktop now."""
        return sum(one.here > 0 for one in self._all.values())

    def __iter__(self) -> Iterator[Invitation]:
        return iter(list(self._all.values()))

    def join(self, token: str, where: str) -> Invitation | None:
        """The invitation whose token this is; it counts once. ``where`` is for the log."""
        for one in self._all.values():
            if one.joined_at is None and one.is_for(token):
                one.joined_at = now()
                known = one.id, one.name, one.role
                log.info("sharing: invitation %s (%r, %s) joined from %s", *known, where)
                return one
        return None

    async def control(self, method: str, path: str, body: Any) -> Answer:
        """``GET``, ``POST`` and ``DELETE /sharing``; ``PUT``, ``PATCH`` and ``DELETE /sharing/<id>``."""
        if self.most == "off":
            return 403, {"message": "Desktops are not shared here.", "code": "sharing_off"}
        which = path.removeprefix("/sharing").lstrip("/")
        if which and which not in self._all:
            message = "There is no such invitation any more."
            return 404, {"message": message, "code": "no_invitation"}
        if method == "GET" and not which:
            return 200, self.as_json()
        if method == "POST" and not which:
            return self._make(body)
        if method == "PUT" and which:
            return self._say_who(self._all[which], body)
        if method == "PATCH" and which:
            return self._change(self._all[which], body)
        if method == "DELETE":
            for one in [self._all[which]] if which else self:
                self.end(one, "share_ended")
            return 200, self.as_json()
        message = "Invitations are listed, made, changed and ended."
        return 405, {"message": message, "code": "method_not_allowed"}

    def as_json(self) -> dict[str, Any]:
        return {
            "most": self.most,
            "here": self.here,
            "invitations": [one.as_json() for one in self],
        }

    def streams(self, one: Invitation, by: int) -> None:
        """So many more of his streams are open."""
        before = self.here
        one.here += by
        if self.here != before:
            self._counted(self.here)

    def end(self, one: Invitation, why: str) -> None:
        """What of it is open is closed at once."""
        if self._all.pop(one.id, None) is None:
            return
        if one.timer:
            one.timer.cancel()
        log.info("sharing: invitation %s (%r) ended: %s", one.id, one.name, why)
        one.over = why
        if one.here:
            self._counted(self.here)
        one.tell()

    def _make(self, body: Any) -> Answer:
        asked = body if isinstance(body, dict) else {}
        role, wrong = self._role(asked)
        name = ""
        try:
            name = session_name(asked.get("name", ""))
        except (TypeError, ValueError) as e:
            wrong["name"] = f"The name {e}."
        minutes = asked.get("minutes", _USUAL_MINUTES)
        if type(minutes) is not int or not 1 <= minutes <= MAX_MINUTES:
            wrong["minutes"] = f"A number from 1 to {MAX_MINUTES}."
        if wrong:
            return _wrong(wrong)
        if len(self._all) >= MAX_INVITATIONS:
            message = f"There are {MAX_INVITATIONS} invitations; end one first."
            return 409, {"message": message, "code": "too_many_invitations"}
        token = secrets.token_urlsafe(32)
        one = Invitation(name, role, now() + timedelta(minutes=minutes), token)
        self._all[one.id] = one
        later = asyncio.get_running_loop().call_later
        one.timer = later(60 * minutes, lambda: self.end(one, "share_time_up"))
        log.info("sharing: invitation %s (%r, %s) until %s", one.id, one.name, role, one.until)
        return 201, {**one.as_json(), "token": token}

    def _say_who(self, one: Invitation, body: Any) -> Answer:
        """Who has come: the word of the portal, which has his login."""
        try:
            one.guest = session_name(body["guest"]) or None
        except (TypeError, KeyError, ValueError) as e:
            return _wrong({"guest": f"The name {e}."})
        log.info("sharing: invitation %s (%r) is %r's", one.id, one.name, one.guest)
        return 200, one.as_json()

    def _change(self, one: Invitation, body: Any) -> Answer:
        role, wrong = self._role(body if isinstance(body, dict) else {})
        if wrong:
            return _wrong(wrong)
        if role != one.role:
            one.role = role
            log.info("sharing: invitation %s (%r) has %s now", one.id, one.name, role)
            one.tell()
        return 200, one.as_json()

    def _role(self, asked: dict[str, Any]) -> tuple[str, dict[str, str]]:
        role, allowed = asked.get("role"), ROLES[: ROLES.index(self.most) + 1]
        if role in allowed:
            return str(role), {}
        return "", {"role": f"One of: {', '.join(allowed)}."}


def _wrong(fields: dict[str, str]) -> Answer:
    named = [{"field": name, "message": text} for name, text in fields.items()]
    message = "The invitation cannot be like that: " + " ".join(fields.values())
    return 400, {"message": message, "code": "invalid_invitation", "fields": named}
