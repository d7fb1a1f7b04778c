"""The page on which a native client's PIN is typed, for doors whose own pages cannot ask the node.

It has the page's token in its form (:mod:`moonlight_spawner.relay.gate`), so that no other user's page
behind the same portal can pair a client of its own; so it is given to somebody who goes there, and to
nobody else.
"""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from ...relay import languages, pages

PATH = "/native"
MAX_FORM_BYTES = 4096

Control = Callable[[str, str, Any], Awaitable[tuple[int, Any]]]


def fields_of(body: bytes) -> dict[str, str]:
    """A form as it was sent; empty if it is none."""
    try:
        read = parse_qs(body.decode("ascii"), max_num_fields=8)
    except ValueError:
        return {}
    return {name: values[0] for name, values in read.items()}


async def pair(control: Control, fields: dict[str, str]) -> tuple[int, Any]:
    """Hand a PIN on: status and what the host says (:mod:`..hosts.sunshine.native`)."""
    body = {"pin": fields.get("pin", ""), "name": fields.get("name", "").strip()}
    return await control("POST", "/native/pin", body)


async def page(
    control: Control, token: str, language: str, outcome: tuple[int, Any] | None = None
) -> tuple[int, bytes]:
    """Status and the page, after ``outcome`` of a PIN if there was one."""
    status, where = await control("GET", "/native", None)
    if status != 200:
        return status, pages.html("pairing_off", language, str(where.get("message", "")))
    words = languages.words(languages.spoken(language))["pairing"]
    status, detail = 200, words["where"].format(address=where["address"], port=where["port"])
    if names := ", ".join(client["name"] for client in where["clients"]):
        detail += " " + words["clients"].format(names=names)
    if outcome:
        status, said = outcome
        paired = words["paired"].format(name=said.get("name", "")) if status == 200 else ""
        detail = f"{paired or said.get('message', '')} {detail}"
    form = (
        f'<form method="post" action="native"><input type="hidden" name="page" value="{token}">'
        f'<p><label>{words["pin"]} <input name="pin" required inputmode="numeric" '
        'autocomplete="off" pattern="[0-9]{4}" maxlength="4" size="6" autofocus></label></p>'
        f'<p><label>{words["name"]} <input name="name" value="Moonlight" maxlength="40"></label></p>'
        f"<p><button>{html.escape(words['pair'])}</button></p></form>"
    )
    return status, pages.html("pairing", language, detail, form=form)
