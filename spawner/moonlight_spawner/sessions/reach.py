"""Where a session's gateway is, with what opens it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..model.records import OPENING_WORD
from ..model.session import End, Gateway
from ..relay.knock import knock
from ..relay.upstream import Target

TOKEN = re.compile(OPENING_WORD)
_BEARER = b"Bearer "


@dataclass(frozen=True)
class Reach:
    """Where a session's gateway is, with its token: never for a browser. Or how it ended."""

    target: Target | None
    end: End | None


def gateway_target(gateway: Gateway, token: bytes, away: bool = False) -> Target:
    """``away``: somebody else says where it is, and not on this machine."""
    return Target(
        addresses=tuple(gateway.hosts),
        port=gateway.port,
        certificate=gateway.certificate,
        headers=[(b"authorization", _BEARER + token)],
        name=knock(token),
        away=away,
    )


def token_of(target: Target) -> str:
    """What :func:`gateway_target` was given."""
    return dict(target.headers)[b"authorization"].removeprefix(_BEARER).decode("ascii")
