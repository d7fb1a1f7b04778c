"""Where a browser finds a desktop, as far as a terminal can know it."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..model.session import Session
from ..sessions.manager import SessionManager
from ..sessions.page_address import is_own, remembered_page

_ANSWER_SECONDS = 5.0
_AT_ITS_DOOR = {
    "ood": "It was started on an Open OnDemand portal: open it there, from its card among “My "
    "Interactive Sessions”.",
    "proxy": "It was started from a JupyterLab without our page: open it there, by *Moonlight Desktop* "
    "in the launcher.",
}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Found:
    """An address, empty if none is known; and a sentence on who can use it, or why there is none."""

    url: str = ""
    words: str = ""


def find_page(manager: SessionManager, session: Session) -> Found:
    """The page of a desktop.

    Where a browser found the user's page last is the surest: then the site's portal, then a Jupyter
    server of his on this machine.
    """
    path = f"moonlight/sessions/{session.session_id}/"
    if page := remembered_page(manager.store):
        return Found(f"{page}sessions/{session.session_id}/")
    site = manager.site
    if site.portal_url:
        return Found(f"{site.portal_url}{site.portal_base_url}{path}")
    found = [_of_server(server, path) for server in _jupyter_servers() if _is_ours(server)]
    if found:
        return next((one for one in found if one.url), found[0])
    return Found(
        words=_AT_ITS_DOOR.get(session.door)
        or "No browser has opened your page yet, and no Jupyter server of yours runs here. Start "
        f"one with `jupyter lab`, then call this again, or open the path /{path} of your portal."
    )


def _of_server(server: dict[str, Any], path: str) -> Found:
    env = _environment(int(server["pid"]))
    if env.get("JUPYTERHUB_SERVICE_PREFIX") == server["base_url"]:
        # Its own address is for the Hub's proxy; a browser comes by the Hub's.
        if public := env.get("JUPYTERHUB_PUBLIC_URL"):
            return Found(f"{public.rstrip('/')}/{path}")
        return Found(
            words=f"Open the path {server['base_url']}{path} of your JupyterHub, whose address its "
            "server here does not know. When you have opened your page once, this command prints it."
        )
    url = f"{str(server['url']).rstrip('/')}/{path}"
    where = urlsplit(url)
    if where.hostname not in _LOOPBACK:
        return Found(url)
    return Found(
        url,
        f"This address is for a browser on this machine. From another one begin with: ssh -L "
        f"{where.port}:127.0.0.1:{where.port} HOST. When you have opened your page once, this command "
        "prints the address that you came by.",
    )


def _is_ours(server: dict[str, Any]) -> bool:
    """Whether it answers with our page; one that wants a password first may."""
    url = str(server["url"])
    if not url.startswith(("http://", "https://")):
        return False  # a Unix socket
    # It gets the server's token, and its address goes to a browser: the port may be another user's by now.
    if not is_own(url):
        return False
    request = urllib.request.Request(f"{url.rstrip('/')}/api/moonlight/site")  # noqa: S310
    if token := server.get("token"):
        request.add_header("Authorization", f"token {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_ANSWER_SECONDS):
            return True
    except urllib.error.HTTPError as e:
        return e.code != 404
    except OSError:
        return False


def _jupyter_servers() -> list[dict[str, Any]]:
    try:
        from jupyter_server.serverapp import list_running_servers
    except ImportError:
        return []
    return list(list_running_servers())


def _environment(pid: int) -> dict[str, str]:
    """What a process of this user's was started with; nothing if that cannot be read."""
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace")
    except OSError:
        return {}
    return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)
