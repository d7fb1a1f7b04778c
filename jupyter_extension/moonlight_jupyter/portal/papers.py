"""What a portal's users have of a desktop that is shown to another: the owner's link, the guest's ticket.

Both are sealed by the service, so nobody can make one, and no service has to remember any. What opens
something at a gateway is in them and never seen by who has them.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from moonlight_spawner.model.session import Model, Moment, now
from moonlight_spawner.sessions.invited import LetIn
from pydantic import Field, ValidationError

from .identity import PortalUser
from .sealed import Sealed

#: What an invitation's text begins with.
BEGINS = "moonlight2."
_MOST_TEXT = 4096
#: Of a ticket, which goes in a header: as long as nginx takes one, with its name.
_MOST_TICKET = 7500
_WORD = r"^[A-Za-z0-9_-]{20,128}$"
_LONGEST = timedelta(days=8)  # more than any invitation lasts


class Invitation(Model):
    """An owner's word: who brings ``token`` to that session's gateway is its guest, if he is ``guest``; who
    has a login of the portal, where that is empty."""

    owner: str
    session_id: str
    id: str = Field(pattern=r"^[0-9a-f]{1,32}$")
    token: str = Field(pattern=_WORD, repr=False)
    guest: str
    until: Moment


class Made(Model):
    """What a gateway says of an invitation that it has made: its owner's word, like all that it says."""

    id: str = Field(pattern=r"^[0-9a-f]{1,32}$")
    token: str = Field(pattern=_WORD, repr=False)
    until: Moment


class Ticket(Model):
    """A guest's: by which login he is there, for whose session, and what opens that to him alone."""

    user: str
    login_until: float
    login_id: str | None
    kept: str | None = Field(repr=False)
    owner: str
    session_id: str
    bearer: str = Field(pattern=_WORD, repr=False)
    until: Moment

    def login(self) -> PortalUser:
        """No admin: whoever he is, a guest has a guest's rights."""
        return PortalUser(self.user, until=self.login_until, login_id=self.login_id, kept=self.kept)


class Papers:
    """Makes them and reads them; every service with the same keys takes them."""

    def __init__(self, key_file: Path):
        self._invitations = Sealed(key_file, b"moonlight-hpc invitation")
        self._tickets = Sealed(key_file, b"moonlight-hpc guest")

    def invitation(self, owner: str, session_id: str, made: Made, guest: str) -> str:
        until = min(made.until, now() + _LONGEST)
        said = Invitation(
            owner=owner,
            session_id=session_id,
            id=made.id,
            token=made.token,
            guest=guest,
            until=until,
        )
        return BEGINS + self._invitations.seal(said.model_dump(mode="json")).rstrip("=")

    def read_invitation(self, text: Any) -> Invitation | None:
        """What it says; None if it is none of this portal's. It may be over."""
        if not isinstance(text, str) or len(text) > _MOST_TEXT:
            return None
        # A link is taken, too, and what a mail has made of it.
        _, begun, word = "".join(text.split()).rpartition(BEGINS)
        try:
            return (
                Invitation.model_validate(self._invitations.read(_padded(word))) if begun else None
            )
        except (ValueError, ValidationError):
            return None

    def ticket(self, user: PortalUser, invited: Invitation, let: LetIn) -> tuple[str, Ticket]:
        """It may be a WebSocket's subprotocol.

        Raises
        ------
        ValueError
            It would be too long for one.
        """
        said = Ticket(
            user=user.username,
            login_until=user.until,
            login_id=user.login_id,
            kept=user.kept,
            owner=invited.owner,
            session_id=invited.session_id,
            bearer=let.bearer,
            until=min(let.until, invited.until),
        )
        word = self._tickets.seal(said.model_dump(mode="json")).rstrip("=")
        if len(word) > _MOST_TICKET:
            raise ValueError(f"a ticket of {len(word)} bytes")
        return word, said

    def read_ticket(self, word: str) -> Ticket | None:
        """Whose it is and for what; None if it does not count, or no more."""
        try:
            found = Ticket.model_validate(self._tickets.read(_padded(word[: _MOST_TICKET + 1])))
        except (ValueError, ValidationError):
            return None
        return found if found.until > now() else None


def _padded(word: str) -> str:
    return word + "=" * (-len(word) % 4)
