"""The two pages of who was invited: the one that his link leads to, and the one with the desktop."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path
from typing import Any

from ...relay import headers as h
from ...relay import languages
from ...relay import pages as plain
from ...relay.one_session import DESKTOP
from ...relay.replies import NO_STORE
from ...relay.viewer import policy
from .invitations import Invitation

JOIN = "/join"
JOIN_SCRIPT = "/join.js"
GUEST_SCRIPT = "/guest.js"
_AS_SAID = (b"x-content-type-options", b"nosniff")
SCRIPT_HEADERS: h.Headers = [(b"content-type", b"text/javascript"), _AS_SAID, *NO_STORE]

# As they are now: a session outlives an update of its program.
_HERE = Path(__file__).parent
_JOIN_SCRIPT = (_HERE / "join.js").read_bytes()
_GUEST_SCRIPT = (_HERE / "guest.js").read_bytes()
_GUEST = (_HERE / "guest.html").read_text("utf-8")


def headers() -> h.Headers:
    """Of both pages: nothing of another server's, and no address of theirs in any other's log."""
    return [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", policy().encode()),
        (b"referrer-policy", b"same-origin"),
        _AS_SAID,
        *NO_STORE,
    ]


def join_script() -> bytes:
    return _JOIN_SCRIPT


def guest_script() -> bytes:
    return _GUEST_SCRIPT


def join(language: str) -> bytes:
    """Where a link leads. What is behind its ``#`` no server has been sent; a script puts it into the
    form. Nobody joins without a press of the button, and what it says."""
    words = _words(language)
    form = (
        '<form method="post" action="join" hidden><input type="hidden" name="token">'
        f"<p><button autofocus>{html.escape(words['join'])}</button></p></form>"
        f'<p id="missing" hidden>{html.escape(words["missing"])}</p><script src="join.js"></script>'
    )
    return plain.html(
        "invited", language, words["node"].format(node=os.uname().nodename), form=form
    )


def guest(language: str, one: Invitation, page: str) -> bytes:
    """The desktop as this guest has it."""
    spoken = languages.spoken(language)
    words = _words(language)
    told = {name: words[name] for name in ("view", "control")}
    values: dict[str, Any] = {
        "language": spoken,
        "title": words["title"].format(node=os.uname().nodename),
        "until": words["until"],
        "time": one.until.isoformat(),
        "desktop": DESKTOP + page.lstrip("/"),
    }
    text = _GUEST
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", html.escape(str(value)))
    # "<" must not end the script element that holds this.
    return text.replace("{words}", json.dumps(told).replace("<", "\\u003c")).encode()


def _words(language: str) -> Any:
    return languages.words(languages.spoken(language))["sharing"]
