"""Where a browser found this user's page last: what a terminal can tell of the way to it.

Between a browser and a Jupyter server there may be a Hub, a proxy, a path of its own or a tunnel. The
server knows of none of them but by the requests that came through, so it keeps what they say.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import ValidationError

from ..model.errors import MoonlightError
from ..model.files import read_shared, write_private
from ..model.session import Model
from ..processes.mark import ProcessMark, mark_of
from ..relay.upstream import all_listening_uids
from ..store.files import FileStore

log = logging.getLogger(__name__)

_NAME = "page.json"
_MOST_BYTES = 1 << 14


class PageAddress(Model):
    """``url`` ends with a slash. ``lasts``: it leads to the page also when ``server`` has ended, for
    a Hub starts it anew."""

    url: str
    server: ProcessMark
    lasts: bool = False


def hub_start(base_url: str, environ: Mapping[str, str]) -> str | None:
    """The page of the Hub that starts this very server again, of a user's several. Another server
    that was started from within has the Hub's variables, but not its place."""
    host, hub = environ.get("JUPYTERHUB_HOST", ""), environ.get("JUPYTERHUB_BASE_URL", "/")
    users = f"{hub}user/"
    if environ.get("JUPYTERHUB_SERVICE_PREFIX") != base_url or not base_url.startswith(users):
        return None  # a Hub's service is not its user's to start
    return f"{host}{hub}hub/spawn/{base_url.removeprefix(users).rstrip('/')}"


def everybodys(base_url: str, path: str, environ: Mapping[str, str]) -> str | None:
    """The Hub's address that leads whoever goes there to this path of his own server; None without a Hub."""
    if hub_start(base_url, environ) is None:
        return None
    host, hub = environ.get("JUPYTERHUB_HOST", ""), environ.get("JUPYTERHUB_BASE_URL", "/")
    return f"{host}{hub}hub/user-redirect/{path}"


def remember_page(store: FileStore, url: str, lasts: bool) -> None:
    """A browser has opened the page of this process there. What goes wrong is logged: it is no
    reason not to show a page."""
    try:
        address = PageAddress(url=url, server=mark_of(os.getpid()), lasts=lasts)
        write_private(store.root / _NAME, address.model_dump_json())
    except (OSError, MoonlightError) as e:
        log.warning("the address of the page cannot be kept: %s", e)


def remembered_page(store: FileStore) -> str | None:
    """The page's address, unless who served it has certainly ended for good."""
    try:
        text = read_shared(store.root / _NAME, _MOST_BYTES)
        address = PageAddress.model_validate_json(text) if text else None
    except (OSError, ValidationError) as e:
        log.warning("the address of the page cannot be read: %s", e)
        return None
    return address.url if address and (address.lasts or not address.server.gone()) else None


def is_own(url: str) -> bool:
    """Whether this user, and nobody else, listens on the port of this address on this machine."""
    where = urlsplit(url)
    port = where.port or (443 if where.scheme == "https" else 80)
    return all_listening_uids(port) == {os.geteuid()}
