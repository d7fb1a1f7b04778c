"""Sessions as JSON, each written once: most of a long list is what it was at the last look."""

from __future__ import annotations

import json
import weakref

from moonlight_spawner.model.session import Session

# By the object, for as long as somebody has it: what is known of a session is never changed where it is
# kept, another look makes another one.
_written: dict[int, tuple[weakref.ref[Session], str, str]] = {}


def written(session: Session, base_url: str) -> str:
    """A session with its addresses below ``base_url``; nobody may change it any more."""
    key = id(session)
    kept = _written.get(key)
    if kept and kept[0]() is session and kept[1] == base_url:
        return kept[2]
    page = f"{base_url}moonlight/sessions/{session.session_id}/"
    addresses = json.dumps({"web_url": page, "stream_url": page + "desktop/"})
    # As tornado writes JSON: nothing in it ends a script that it might be put into.
    text = f"{session.model_dump_json()[:-1]}, {addresses[1:]}".replace("</", "<\\/")
    _written[key] = weakref.ref(session, lambda _: _written.pop(key, None)), base_url, text
    return text
