"""What a user chose in the launch form, as the REST API's callers keep it and have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Call
from .process import Portal
from .sessions import current_user

PRESET = {"name": "Crash", "image": "desktop", "values": {"hours": "2"}}
CHOSEN = {"image": "desktop", "picture": None, "values": {}, "presets": [PRESET]}


async def test_what_is_kept_is_there_for_the_next_browser(
    api: Call, call: Call, sessions_dir: Path
) -> None:
    nothing = await api("GET", "/choices")
    assert (nothing.status, nothing.json["revision"], nothing.json["damaged"]) == (200, "", None)
    kept = await api("PUT", "/choices", revision="", choices=CHOSEN)
    assert kept.status == 200 and kept.json["choices"] == CHOSEN
    again = await api("GET", "/choices")
    assert again.json == kept.json
    known = {"If-None-Match": again.header("etag")}
    assert (await call("GET", "/api/moonlight/choices", headers=known)).status == 304
    assert (sessions_dir / current_user() / "choices.json").stat().st_mode & 0o777 == 0o600


async def test_who_has_not_seen_the_last_change_is_told_what_is_kept(api: Call) -> None:
    first = (await api("PUT", "/choices", revision="", choices={})).json
    second = (await api("PUT", "/choices", revision=first["revision"], choices=CHOSEN)).json
    late = await api("PUT", "/choices", revision=first["revision"], choices={"image": "gnome"})
    assert (late.status, late.code) == (409, "choices_changed")
    assert late.json["error"]["current"] == second == (await api("GET", "/choices")).json


async def test_a_damaged_file_is_told_and_launches_go_on(api: Call, sessions_dir: Path) -> None:
    await api("PUT", "/choices", revision="", choices={})
    file = sessions_dir / current_user() / "choices.json"
    file.write_text("{")
    found = (await api("GET", "/choices")).json
    assert found["damaged"] == str(file)
    kept = (await api("PUT", "/choices", revision=found["revision"], choices=CHOSEN)).json
    assert Path(kept["damaged"]).read_text() == "{"
    file.unlink()
    file.mkdir()
    for method, fields in (("GET", {}), ("PUT", {"revision": "", "choices": {}})):
        refused = await api(method, "/choices", **fields)
        assert (refused.status, refused.code) == (503, "choices_unavailable")
        assert str(file) in refused.json["message"]
    launched = await api("POST", "/sessions", image="host-desktop", hours=0.5)
    assert launched.status == 201


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"null", b"[]", b"7", b"[" * 60_000, b"\xff", b'{"revision": ""}'),
        json.dumps(
            {"revision": "", "choices": {"presets": [{**PRESET, "name": "\ud800"}]}}
        ).encode(),
        json.dumps({"revision": "", "choices": CHOSEN, "x": "x" * 70_000}).encode(),
    ],
    ids=lambda body: repr(body[:12]),
)
async def test_a_wrong_body_names_its_field_and_nothing_is_kept(api: Call, body: bytes) -> None:
    refused = await api("PUT", "/choices", body=body)
    assert (refused.status, refused.code) == (400, "invalid_request")
    assert refused.json["error"]["fields"][0]["field"]
    assert (await api("GET", "/choices")).json["revision"] == ""


def test_it_is_changed_by_our_page_alone_where_the_login_is_a_cookie(
    portal: Portal, desktop_dir: Path
) -> None:
    """A page of another site has no XSRF token."""
    path, wish = "api/moonlight/choices", {"revision": "", "choices": CHOSEN}
    with portal.browser() as browser:
        ours = {"X-XSRFToken": browser.cookies["_xsrf"]}
        evil = {**ours, "Origin": "https://evil.example"}
        for headers in ({}, {"X-XSRFToken": "x"}, evil):
            assert browser.put(path, json=wish, headers=headers).status_code in (403, 404)
        assert browser.get(path).json()["revision"] == ""
        assert browser.put(path, json=wish, headers=ours).json()["choices"] == CHOSEN
        file = desktop_dir / current_user() / "choices.json"
        file.unlink()
