"""The way from one user's server to another user's desktop: an invitation's text, and what it leads to.

Both ends are each other's adversaries. The text is whatever somebody has sent: it says where a gateway is,
and this server goes there only if that may be a node of the site's, tells it the invitation's token
only if it shows the certificate that the text names, and believes of its answer what has its form. Of the
gateway nothing is shown but the stream, by a client that is this server's own.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import ipaddress
import json
import re
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field, ValidationError

from ..model.errors import FieldError, InvalidRequest, MoonlightError
from ..model.session import Model, Moment
from ..model.texts import json_of
from ..relay.upstream import Target, call, fingerprint
from .control import Reading
from .nodes import no_nodes_address

#: What an invitation's text begins with; it grows with what is behind it.
BEGINS = "moonlight1."
_MOST_TEXT, _MOST_HOSTS = 4096, 8
_WORD = r"^[A-Za-z0-9_-]{20,128}\Z"
# A greeting that names no session: its gateway has no secret with who is invited yet.
_NAME = "guest.session"
_SECONDS = 15.0


class NotInvited(MoonlightError):
    """The gateway does not take the invitation, or is none."""

    code = "no_invitation"


class Way(Model):
    """Where a gateway is, and the SHA-256 of its certificate."""

    hosts: list[str] = Field(min_length=1, max_length=_MOST_HOSTS)
    port: int = Field(ge=1024, lt=65536)
    pin: str = Field(pattern=r"^[0-9a-f]{64}$")


class LetIn(Model):
    """Who has been let in at a gateway: what shows that, what he may do at first, and until when."""

    bearer: str = Field(pattern=r"^[A-Za-z0-9_-]{20,128}$", repr=False)
    role: str = Field(pattern="^(view|control)$")
    until: Moment


class Invited(LetIn):
    """The same, and where that is."""

    way: Way


@dataclass(frozen=True)
class Nodes:
    """Where this site's servers go for other users' desktops.

    ``patterns`` are names, addresses and networks of nodes; without any, every address will do that a
    node can have. ``local``: sessions are processes of this very machine.
    """

    patterns: tuple[str, ...]
    local: bool

    def of(self, hosts: Iterable[str]) -> list[str]:
        return [h for h in hosts if not no_nodes_address(h, self.local) and self._is_named(h)]

    def _is_named(self, host: str) -> bool:
        return not self.patterns or any(_fits(host, pattern) for pattern in self.patterns)


def text_of(target: Target, token: str) -> str:
    """What the owner hands to his guest: where the gateway of ``target`` is, and not what opens it."""
    assert target.certificate
    pin = fingerprint(target.certificate).hex()
    said = [target.addresses[:_MOST_HOSTS], target.port, pin, token]
    data = json.dumps(said, separators=(",", ":")).encode()
    return BEGINS + base64.urlsafe_b64encode(data).decode().rstrip("=")


def read(text: Any, nodes: Nodes) -> tuple[Way, str]:
    """Where it leads, and its token.

    Raises
    ------
    InvalidRequest
    """
    if not isinstance(text, str) or len(text) > _MOST_TEXT:
        raise _wrong("invitation must be the text that you were sent.")
    # A link is taken, too, and what a mail has made of it.
    _, begun, rest = "".join(text.split()).rpartition(BEGINS)
    try:
        if not begun:
            raise ValueError
        said = json_of(base64.urlsafe_b64decode(rest + "=" * (-len(rest) % 4)))
        hosts, port, pin, token = said
        way = Way(hosts=hosts, port=port, pin=pin)
        if not isinstance(token, str) or not re.match(_WORD, token):
            raise ValueError
    except (ValueError, TypeError, binascii.Error, ValidationError) as e:
        message = "invitation is no whole invitation: copy all of the text that you were sent."
        raise _wrong(message) from e
    return checked(way, nodes), token


def checked(way: Way, nodes: Nodes) -> Way:
    """As far as it leads to nodes.

    Raises
    ------
    InvalidRequest
        It leads to none.
    """
    hosts = nodes.of(way.hosts)
    if not hosts:
        raise _wrong("invitation leads to no node of this site.")
    return way.model_copy(update={"hosts": hosts})


def target_of(way: Way, nodes: Nodes, bearer: str = "") -> Target:
    return Target(
        addresses=tuple(way.hosts),
        port=way.port,
        pin=bytes.fromhex(way.pin),
        headers=[(b"authorization", b"Bearer " + bearer.encode())] if bearer else [],
        name=_NAME,
        away=not nodes.local,
    )


async def join(way: Way, token: str, nodes: Nodes) -> Invited:
    """Exchange the token, which counts once.

    Raises
    ------
    NotInvited
        It counts no more.
    UpstreamError
        Nobody is there who shows that certificate, or he answers with something else.
    """
    let = await let_in(target_of(way, nodes), token)
    return Invited(way=way, bearer=let.bearer, role=let.role, until=let.until)


def as_guest(target: Target, bearer: str = "") -> Target:
    """The gateway of an owner's ``target`` for one of his guests: nothing of the owner's goes with it."""
    shown = [(b"authorization", b"Bearer " + bearer.encode())] if bearer else []
    return replace(target, headers=shown, name=_NAME, near=None)


async def let_in(target: Target, token: str, reading: Reading = nullcontext) -> LetIn:
    """Exchange the token at a gateway that is known; as :func:`join`."""
    headers, body = [(b"accept", b"application/json")], f"token={token}".encode()
    status, answer = await call(target, "POST", "/join", headers, body, _SECONDS)
    if status == 200:
        try:
            with reading():
                said = json_of(answer)
                return LetIn(bearer=said["bearer"], role=said["role"], until=said["until"])
        except (ValueError, TypeError, KeyError):
            pass  # what a gateway says that is none, or of a version without such guests
    raise NotInvited(
        "The invitation counts no more, or the desktop has ended. Ask for another one."
    )


def _fits(host: str, pattern: str) -> bool:
    try:
        network = ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return fnmatch.fnmatchcase(host.lower().rstrip("."), pattern.lower())
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address) in network


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest([FieldError("invitation", None, message)])
