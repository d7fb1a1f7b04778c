"""Whether a page that sent a request is one of ours."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from .headers import Headers, get

_PORTS = {"http": 80, "https": 443}


def is_own(origin: str, hosts: Iterable[str], secure: bool | None) -> bool:
    """Whether ``origin`` is a page of one of these hosts.

    Parameters
    ----------
    origin
        The header of that name; ``null`` and everything that is no address are foreign.
    hosts
        Names by which browsers know us, with their ports where these are no usual ones.
    secure
        Whether browsers come by https; None where that is not known: a proxy may end TLS before us
        and say nothing of it. A page that came by http may be anybody's who sits on the way, so where
        https is known it is foreign. A page that came by https is taken in any case.
    """
    try:
        page = urlsplit(origin)
        host, port = page.hostname, page.port
    except ValueError:
        return False
    usual = _PORTS.get(page.scheme)
    if not host or usual is None or page.netloc.rpartition("@")[1] or page.path:
        return False
    if secure and page.scheme != "https":
        return False
    return any(_named(name, usual) == (host, port or usual) for name in hosts)


def comes_by_https(headers: Headers, tls: bool) -> bool | None:
    """Whether the browser's own hop is https: as the outermost proxy says, else what is seen here.

    Only what a proxy says of https counts: one further inside, without TLS, says http of its own
    hop (configurable-http-proxy does).
    """
    for name in (b"x-forwarded-proto", b"x-scheme"):
        if get(headers, name).partition(",")[0].strip().lower() == "https":
            return True
    return True if tls else None


def _named(name: str, usual: int) -> tuple[str | None, int]:
    try:
        where = urlsplit(f"//{name.strip()}")
        return where.hostname, where.port or usual
    except ValueError:
        return None, 0
