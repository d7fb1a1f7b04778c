"""The list of sessions as programs ask for it: filters, pages, and only what is new."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .conftest import Call
from .sessions import Records, current_user


def ids(answer: Any) -> list[str]:
    return [session["session_id"] for session in answer.json["sessions"]]


def next_of(answer: Any, base: str) -> str:
    """The query of the next page; empty if there is none."""
    link = answer.header("link")
    if not link:
        return ""
    found = re.fullmatch(rf'<{base}api/moonlight/sessions\?(\S+)>; rel="next"', link)
    assert found, link
    return found[1]


async def test_filters(api: Call, records: Records) -> None:
    running, starting = records.add(), records.add("starting")
    for query, expected in (
        ("state=running", {running}),
        ("state=starting&state=running", {running, starting}),
        ("image=host-desktop&live=true", {running, starting}),
        ("image=other", set()),
        ("live=false", set()),
        ("door=cli", set()),
    ):
        answer = await api("GET", f"/sessions?{query}")
        assert set(ids(answer)) == expected, query
        assert answer.header("x-total-count") == str(len(expected))


async def test_pages(api: Call, records: Records, jp_base_url: str) -> None:
    made = {records.add() for _ in range(5)}
    whole = await api("GET", "/sessions")
    assert set(ids(whole)) == made and not whole.header("link")
    assert whole.json.keys() == {"sessions"} and whole.header("x-total-count") == "5"
    query, pages = "limit=2&live=true", []
    while query:
        answer = await api("GET", f"/sessions?{query}")
        pages.append(ids(answer))
        assert answer.header("x-total-count") == "5"
        query = next_of(answer, jp_base_url)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one for page in pages for one in page] == ids(whole)


async def test_wrong_and_unknown_parameters_are_named(api: Call, records: Records) -> None:
    session_id = records.add()
    answer = await api("GET", "/sessions?state=x&limit=0&live=maybe")
    assert answer.code == "invalid_request"
    assert [f["field"] for f in answer.json["error"]["fields"]] == ["state", "live", "limit"]
    for path, name in (
        ("/sessions?status=running", "status"),
        ("/sessions?Limit=1", "Limit"),
        (f"/sessions/{session_id}?live=true", "live"),
        (f"/sessions/{session_id}/logs?lines=3", "lines"),
        ("/images?user=root", "user"),
        ("/health?x=" + "y" * 5000, "x"),
        ("/site?" + "z" * 5000 + "=1", "z" * 60 + "…"),
    ):
        answer = await api("GET", path)
        assert (answer.status, answer.code) == (400, "invalid_request"), path
        assert [f["field"] for f in answer.json["error"]["fields"]] == [name]
        assert len(answer.body) < 600
    assert (await api("DELETE", f"/sessions/{session_id}?force=1")).status == 400
    assert (await api("GET", f"/sessions/{session_id}")).json["status"] == "running"


async def test_what_jupyter_itself_takes_is_not_unknown(
    call: Call, records: Records, jp_auth_header: dict[str, str]
) -> None:
    for _ in range(2):
        records.add()
    for query in ("1732812345678", "no_track_activity=1", "_xsrf=x"):
        assert (await call("GET", f"/api/moonlight/images?{query}")).status == 200, query
    token = jp_auth_header["Authorization"].split()[-1]
    answer = await call("GET", f"/api/moonlight/images?token={token}", login=False)
    assert answer.status == 200
    page = await call("GET", f"/api/moonlight/sessions?token={token}&limit=1", login=False)
    assert page.header("link") and token not in page.header("link")


async def test_ones_own_name_may_be_said_and_no_other(api: Call, records: Records) -> None:
    session_id = records.add()
    answer = await api("GET", f"/sessions?user={current_user()}")
    assert ids(answer) == [session_id] and "user=" not in answer.header("link")
    for name in ("nobody", "all", ""):
        assert (await api("GET", f"/sessions?user={name}")).status == 404


@pytest.mark.parametrize("path", ["/sessions", "/sessions/{}", "/images"])
async def test_what_has_not_changed_is_not_sent_again(
    call: Call, records: Records, path: str
) -> None:
    address = "/api/moonlight" + path.format(records.add())
    first = await call("GET", address)
    assert first.header("cache-control") == "private, no-cache"
    etag = first.header("etag")
    assert re.fullmatch('"[0-9a-f]+"', etag), "it is not a strong one"
    for known in (etag, f'"other", {etag}', f"W/{etag}"):  # nginx makes it weak where it compresses
        again = await call("GET", address, headers={"If-None-Match": known})
        assert (again.status, again.body, again.header("etag")) == (304, b"", etag)
        assert again.header("cache-control") == "private, no-cache"
    other = await call("GET", address, headers={"If-None-Match": '"other"'})
    assert (other.status, other.body) == (200, first.body)


async def test_what_has_changed_is_sent(call: Call, records: Records) -> None:
    session_id = records.add("starting")
    one, page = f"/api/moonlight/sessions/{session_id}", "/api/moonlight/sessions?limit=1"
    old = {path: (await call("GET", path)).header("etag") for path in (one, page)}
    records.say(session_id, "running")
    for path, etag in old.items():
        answer = await call("GET", path, headers={"If-None-Match": etag})
        assert answer.status == 200 and answer.header("etag") != etag
    # A page that is the same of a list that is longer now.
    old_page = await call("GET", "/api/moonlight/sessions?limit=1&offset=5")
    records.add()
    headers = {"If-None-Match": old_page.header("etag")}
    answer = await call("GET", "/api/moonlight/sessions?limit=1&offset=5", headers=headers)
    assert (answer.status, answer.header("x-total-count")) == (200, "2")


async def test_errors_are_not_kept_and_have_no_etag(call: Call) -> None:
    answer = await call("GET", "/api/moonlight/sessions/x", headers={"If-None-Match": "*"})
    assert answer.status == 404 and not answer.header("etag")


async def test_a_session_that_does_not_change_is_the_same_at_each_look(
    call: Call, records: Records
) -> None:
    """Its agent says again and again that it is there."""
    session_id = records.add()
    one = f"/api/moonlight/sessions/{session_id}"
    etag = (await call("GET", one)).header("etag")
    records.say(session_id, "running")
    assert (await call("GET", one, headers={"If-None-Match": etag})).status == 304
