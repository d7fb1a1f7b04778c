"""The page with the viewer, which is one at every door: its settings put in, its files, its policy.

It is built once and lies with the Jupyter extension, in the same distribution. That is found here and not
imported: a node needs none of Jupyter to show one desktop.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import framing
from . import headers as h
from .replies import NO_STORE

#: Where the page's files are, for who serves it beside one session.
FILES = "moonlight/static/"
_PLACE = "/__moonlight_base__/"
_SETTINGS = "__MOONLIGHT_CONFIG__"
_KINDS = {".js": b"text/javascript; charset=utf-8", ".css": b"text/css; charset=utf-8"}
# Their names hold a hash of their content.
_KEEP: h.Headers = [(b"cache-control", b"private, max-age=31536000, immutable")]
_AS_SAID = (b"x-content-type-options", b"nosniff")


def policy(sockets: str = "", frames: str = framing.POLICY) -> str:
    """What the page may load: nothing but this server's. ``sockets`` are more places for WebSockets,
    ``frames`` says who may show it in one."""
    return (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        f"frame-src 'self'; connect-src 'self'{sockets}; object-src 'none'; base-uri 'none'; "
        f"form-action 'self'; {frames}"
    )


def filled(index: str, files: str, settings: Mapping[str, Any]) -> str:
    """The page as a browser gets it; ``files`` is the address of its files."""
    # "<" must not end the script element that holds this.
    text = json.dumps(settings).replace("<", "\\u003c")
    return index.replace(_PLACE, files).replace(_SETTINGS, text)


class Viewer:
    """The page and its files as they are now, in memory: a session outlives an update of its program,
    which takes them away.

    Parameters
    ----------
    static
        Where it was built to, None: as it is installed.
    """

    def __init__(self, static: Path | None = None):
        static = static or _installed()
        index = static / "index.html" if static else None
        self._index = index.read_text("utf-8") if index and index.is_file() else ""
        self._files: dict[str, tuple[bytes, bytes]] = {}
        if self.built and static:
            for path in static.rglob("*"):
                if kind := _KINDS.get(path.suffix):
                    name = f"/{FILES}{path.relative_to(static).as_posix()}"
                    self._files[name] = kind, path.read_bytes()

    @property
    def built(self) -> bool:
        return bool(self._index)

    def page(self, settings: Mapping[str, Any]) -> bytes:
        """It, told these settings (``config.ts`` of its sources); its files are named relative to its
        own address, which only the browser knows."""
        return filled(self._index, FILES, settings).encode()

    def headers(self) -> h.Headers:
        """Of the page."""
        kind = (b"content-type", b"text/html; charset=utf-8")
        return [kind, (b"content-security-policy", policy().encode()), _AS_SAID, *NO_STORE]

    def file(self, path: str) -> tuple[h.Headers, bytes] | None:
        """One of its files: only what was there is asked for by name, so no path leads elsewhere."""
        if found := self._files.get(path):
            return [(b"content-type", found[0]), _AS_SAID, *_KEEP], found[1]
        return None


def _installed() -> Path | None:
    spec = find_spec("moonlight_jupyter")
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) / "static" if places else None
