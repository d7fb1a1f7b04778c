"""Where a session's gateway is, with what opens it."""

from __future__ import annotations

import functools
import logging
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from ..model.records import OPENING_WORD
from ..model.session import End, Gateway
from ..model.trust import exchangeable
from ..processes.mark import this_machine
from ..relay.knock import knock
from ..relay.upstream import Target

log = logging.getLogger(__name__)

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


def near_target(gateway: Gateway, token: bytes) -> Target:
    """As :func:`gateway_target`, for the session's own user: where both are on one machine, by a socket.

    Never for a portal's service, which is another user.
    """
    return replace(gateway_target(gateway, token), near=_near(gateway))


def _near(gateway: Gateway) -> str | None:
    """The gateway's socket, if it is of this machine and nobody else can put another in its place."""
    if not gateway.socket or gateway.machine != _here():
        return None
    path = Path(gateway.socket)
    try:
        there, around = path.lstat(), path.parent.lstat()
    except (OSError, ValueError):  # ended, or another /tmp than the job's; or no path at all
        return None
    ours = stat.S_ISSOCK(there.st_mode) and there.st_uid == os.geteuid()
    private = stat.S_ISDIR(around.st_mode) and around.st_uid == os.geteuid()
    if not (ours and private) or around.st_mode & 0o077 or exchangeable(path.parent):
        log.warning("%s is not used: it is not yours alone", path)
        return None
    return str(path)


@functools.cache
def _here() -> str:
    return this_machine()


def token_of(target: Target) -> str:
    """What :func:`gateway_target` was given."""
    return dict(target.headers)[b"authorization"].removeprefix(_BEARER).decode("ascii")
