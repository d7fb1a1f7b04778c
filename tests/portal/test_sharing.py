"""A desktop that one user of a portal shows to another: who gets in, and what for."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket
from moonlight_jupyter.portal.identity import PortalIdentity
from moonlight_jupyter.portal.papers import BEGINS, Papers, Ticket
from moonlight_jupyter.portal.sealed import Sealed
from moonlight_spawner.site.options import MoonlightSite

from tests.support.waiting import PATIENCE, wait_for

from .place import SLOWLY, Place
from .test_users import paths_of, refused_as

SESSIONS, GUEST = "/api/moonlight/sessions", "/api/moonlight/guest"


@pytest.fixture(scope="module")
def desktop(place: Place) -> Iterator[dict[str, Any]]:
    """One of alice's that runs."""
    with place.client(place.token(place.alice)) as client:
        one = f"{SESSIONS}/{client.post(SESSIONS, json={}).json()['session_id']}"
        running = lambda: client.get(one).json()["status"] == "running"  # noqa: E731
        wait_for(running, interval=SLOWLY)
        yield client.get(one).json()
        client.delete(one)
        wait_for(lambda: client.get(one).json()["ended_at"], interval=SLOWLY)


def invited(place: Place, desktop: dict[str, Any], **asked: Any) -> dict[str, Any]:
    with place.client(place.token(place.alice)) as client:
        made = client.post(
            f"{SESSIONS}/{desktop['session_id']}/sharing", json={"role": "view", **asked}
        )
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found


def brought(place: Place, token: str, invitation: Any) -> httpx.Response:
    with place.client(token) as client:
        return client.post(GUEST, json={"invitation": invitation})


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["error"]["code"])


def opened(place: Place, path: str, ticket: str, **more: Any) -> websocket.WebSocket:
    """As a frame of no origin does."""
    how: dict[str, Any] = {"sslopt": {"cert_reqs": ssl.CERT_NONE}, "origin": "null", **more}
    return websocket.create_connection(
        f"{place.origin.replace('http', 'ws', 1)}/moonlight/guest/{path}",
        subprotocols=["moonlight-page", f"moonlight-page.{ticket}"],
        timeout=PATIENCE,
        **how,
    )


def news(place: Place, ticket: str) -> Any:
    stream = opened(place, "news", ticket)
    try:
        return json.loads(stream.recv())
    finally:
        stream.shutdown()


def refused(place: Place, path: str, ticket: str) -> int:
    with pytest.raises(websocket.WebSocketBadStatusException) as e:
        opened(place, path, ticket)
    return int(e.value.status_code)


def test_an_invitation_by_name_counts_once_for_that_user(
    place: Place, desktop: dict[str, Any]
) -> None:
    alice, bob, session_id = str(place.alice), str(place.bob), desktop["session_id"]
    made = invited(place, desktop, user=bob)
    word = made["invitation"]
    assert made["user"] == made["name"] == bob and word.startswith(BEGINS) and "token" not in made
    of = {"session": session_id, "invitation": made["id"]}
    assert place.audited(action="invite", user=alice, guest=bob, role="view", result="done", **of)

    for other in (place.admin_token(), place.token(place.side.other), place.token(place.alice)):
        assert code(brought(place, other, word)) == (403, "invited_another")
    by = {"user": str(place.side.other), "owner": alice, "action": "join", **of}
    assert place.audited(result="refused", reason="invited_another", **by)
    link = f"  {place.origin}/moonlight/join/#{word[:80]}\n  {word[80:]}"  # as mails break it
    joined = brought(place, place.token(place.bob), link)
    assert joined.status_code == 200, joined.text
    assert joined.headers["cache-control"] == "no-store" and joined.json()["role"] == "view"
    assert place.audited(**(by | {"user": bob}), result="done", role="view")
    again = brought(place, place.token(place.bob), word)
    assert code(again) == (403, "no_invitation")
    assert place.audited(**(by | {"user": bob}), result="refused", reason="no_invitation")

    ticket = joined.json()["ticket"]
    assert news(place, ticket) == {"role": "view"}
    one = f"{SESSIONS}/{session_id}/sharing"
    with place.client(place.token(place.alice)) as owner:
        (shown,) = owner.get(one).json()["invitations"]
        assert shown["guest"] == bob and shown["joined_at"]
        stream = opened(place, "api/websockets", ticket)
        of_stream = {"user": bob, "owner": alice, "session": session_id}
        assert place.audited(action="stream_opened", **of_stream)
        wait_for(lambda: owner.get(one).json()["here"] == 1, interval=SLOWLY)
        listening = opened(place, "news", ticket)
        assert json.loads(listening.recv()) == {"role": "view"}
        assert owner.patch(f"{one}/{made['id']}", json={"role": "view"}).status_code == 200
        assert owner.delete(f"{one}/{made['id']}").json()["invitations"] == []
        assert json.loads(listening.recv()) == {"over": "share_ended"}
        ends(stream)
    assert place.audited(action="stream_closed", **of_stream)
    done = {"user": alice, "result": "done", **of}
    assert place.audited(action="change_invitation", role="view", **done)
    assert place.audited(action="end_invitation", **done)
    assert news(place, ticket) == {"over": "no_invitation"}
    assert refused(place, "api/websockets", ticket) == 403
    text = place.log.read_text()
    assert word not in text and ticket not in text and "Traceback" not in text


def ends(stream: websocket.WebSocket) -> None:
    with pytest.raises((websocket.WebSocketException, OSError)):
        while True:
            if stream.recv_data()[0] == websocket.ABNF.OPCODE_CLOSE:
                raise websocket.WebSocketConnectionClosedException


def test_a_guest_has_no_more_of_the_session_than_any_other_user(
    place: Place, desktop: dict[str, Any]
) -> None:
    word = invited(place, desktop)["invitation"]
    ticket = brought(place, place.token(place.bob), word).json()["ticket"]
    assert news(place, ticket) == {"role": "view"}
    for token in (place.token(place.bob), place.admin_token()):
        with place.client(token) as client:
            for method, path in paths_of(desktop):
                answer = client.request(method, path)
                assert answer.status_code == refused_as(method, path), (method, path)
    # His ticket opens two addresses, and no other by any spelling.
    shown = {"Sec-WebSocket-Protocol": f"moonlight-page, moonlight-page.{ticket}"}
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "x" * 22 + "=="}
    for path in (
        *("/moonlight/guest/control/status", "/moonlight/guest/desktop/", "/moonlight/guest/x"),
        *("/moonlight/guest/news/../control/sharing", "/moonlight/guest/api%2fwebsockets/x"),
        *("/moonlight/guest/news/", "/moonlight/guest/src/%2e%2e/client.html"),
        f"{desktop['stream_url']}api/websockets",
        f"/moonlight/signaling?session={desktop['session_id']}",
    ):
        with place.client() as client:
            answer = client.get(path, headers={**shown, **upgrade, **key})
            assert answer.status_code in (403, 404), (path, answer.status_code)
            for method in ("POST", "PUT", "DELETE"):
                answer = client.request(method, path, headers=shown)
                assert answer.status_code in (403, 404, 405), (method, path, answer.status_code)
    for login in (ticket, word):
        with place.client(login) as client:
            assert client.get(SESSIONS).status_code == 401
    with place.client(cookies={"moonlight-login": ticket}) as client:
        assert client.get(SESSIONS).status_code == 401
    for path in ("news", "api/websockets"):
        with place.client(place.token(place.bob)) as client:
            assert client.get(f"/moonlight/guest/{path}").status_code == 426
    with place.client(place.token(place.alice)) as client:
        client.delete(f"{SESSIONS}/{desktop['session_id']}/sharing")


def test_what_this_portal_has_not_written_opens_nothing(
    place: Place, desktop: dict[str, Any], tmp_path: Path
) -> None:
    word = invited(place, desktop)["invitation"]
    bob = place.token(place.bob)
    foreign = Papers(tmp_path / "key")
    others = Sealed(tmp_path / "key", b"moonlight-hpc invitation")
    forged = BEGINS + others.seal({"owner": str(place.alice)}).rstrip("=")
    for text in (word[:-4], word[:40] + "A" + word[41:], forged, "x", "", None, 7, word * 20):
        assert code(brought(place, bob, text)) == (400, "invalid_request"), text
    with place.client() as client:
        assert client.post(GUEST, json={"invitation": word}).status_code == 403, "no login"
    ticket = brought(place, bob, word).json()["ticket"]
    said = Ticket(
        user=str(place.bob),
        login_until=time.time() + 600,
        login_id=None,
        kept=None,
        owner=str(place.alice),
        session_id=desktop["session_id"],
        bearer="t" * 43,
        until="2100-01-01T00:00:00Z",
    )
    made_up = foreign._tickets.seal(said.model_dump(mode="json")).rstrip("=")
    for wrong in ("", "x", ticket[:-4], made_up, word.removeprefix(BEGINS)):
        assert news(place, wrong) == {"over": "no_invitation"}
        assert refused(place, "api/websockets", wrong) == 403
    # Another user who has logged in in the same browser has nothing of it.
    with place.client(place.admin_token()) as client:
        client.post("/api/moonlight/login")
        cookie = "; ".join({f"{one.name}={one.value}" for one in client.cookies.jar})
    stream = opened(place, "news", ticket, cookie=cookie)
    assert json.loads(stream.recv()) == {"over": "no_invitation"}
    stream.shutdown()
    assert news(place, ticket) == {"role": "view"}
    with place.client(place.token(place.alice)) as client:
        one = f"{SESSIONS}/{desktop['session_id']}/sharing"
        for wrong in ("nobody-of-that-name", "root", 7, ["x"], "x\0", str(place.bob).upper()):
            asked = client.post(one, json={"role": "view", "user": wrong})
            assert code(asked) == (400, "unknown_user"), wrong
            assert asked.json()["error"]["fields"][0]["field"] == "user"
        assert code(client.post(one, json={"role": "all"})) == (400, "invalid_invitation")
        assert code(client.post(one, content=b"{")) == (400, "invalid_request")
        assert client.delete(one).json()["invitations"] == []


def test_a_guest_is_out_with_his_logout(place: Place, desktop: dict[str, Any]) -> None:
    word = invited(place, desktop)["invitation"]
    token = place.token(place.bob)
    with place.client() as client:
        client.post("/api/moonlight/login", headers={"Authorization": f"Bearer {token}"})
        assert client.post(GUEST, json={"invitation": word}).status_code == 403, "no XSRF value"
        proof = {"X-XSRFToken": client.cookies["_xsrf"]}
        joined = client.post(GUEST, json={"invitation": word}, headers=proof)
        assert joined.status_code == 200, joined.text
        ticket = joined.json()["ticket"]
        streams = [opened(place, path, ticket) for path in ("news", "api/websockets")]
        assert json.loads(streams[0].recv()) == {"role": "view"}
        assert client.post("/api/moonlight/logout", headers=proof).status_code == 204
    for stream in streams:
        ends(stream)
    assert news(place, ticket) == {"over": "login_over"}
    assert refused(place, "api/websockets", ticket) == 403
    who = {"user": str(place.bob), "owner": str(place.alice), "session": desktop["session_id"]}
    assert len(place.audited(action="guest_out", reason="login_over", **who)) >= 2


def test_a_guest_is_out_with_his_token(place: Place, desktop: dict[str, Any]) -> None:
    word, token = invited(place, desktop)["invitation"], place.token(place.bob)
    ticket = brought(place, token, word).json()["ticket"]
    assert news(place, ticket) == {"role": "view"}
    place.issuer.withdrawn.add(token)
    assert news(place, ticket) == {"over": "login_over"}
    assert refused(place, "api/websockets", ticket) == 403


def test_a_login_ends_by_itself_for_who_has_something_open(tmp_path: Path) -> None:
    site = MoonlightSite(
        portal_key_file=str(tmp_path / "key"), portal_jwks_url="http://127.0.0.1:1"
    )
    identity = PortalIdentity(site)
    user = Ticket(
        user="nobody",
        login_until=time.time() + 0.2,
        login_id=None,
        kept=None,
        owner="",
        session_id="",
        bearer="t" * 43,
        until="2100-01-01T00:00:00Z",
    ).login()
    identity._accounts._known[user.username] = (time.monotonic() + PATIENCE, "")

    async def until_over() -> None:
        await asyncio.wait_for(identity.until_over(user), PATIENCE)

    asyncio.run(until_over())
    assert user.until <= time.time() and not identity._told_of_end


def test_where_nothing_is_shared_nothing_opens(
    place: Place, desktop: dict[str, Any], tmp_path: Path
) -> None:
    """By the site's setting, and where the service has no client of selkies' to show a guest."""
    word = invited(place, desktop)["invitation"]
    ticket = brought(place, place.token(place.bob), word).json()["ticket"]
    spare = invited(place, desktop)["invitation"]
    hollow = place.config.parent / "hollow"
    (hollow / "selkies").mkdir(parents=True)
    (hollow / "selkies/__init__.py").touch()
    without = {"first": f"import sys\nsys.path.insert(0, {str(hollow)!r})\n"}
    for how, answer in (
        ({"sharing": "off"}, (403, "sharing_off")),
        (without, (409, "no_client")),
    ):
        with place.beside(**how) as other:  # type: ignore[arg-type]
            assert code(brought(other, other.token(other.bob), spare)) == answer
            assert news(other, ticket) == {"over": "no_invitation"}
            assert refused(other, "api/websockets", ticket) == 403
            with other.client(other.token(other.alice)) as client:
                one = f"{SESSIONS}/{desktop['session_id']}/sharing"
                assert code(client.post(one, json={"role": "view"})) == answer
                assert '"sharing"' not in client.get("/moonlight/").text
                assert client.delete(one).status_code == 200, "what there is can be ended"
    with place.client(place.token(place.alice)) as client:
        page = client.get("/moonlight/").text
    assert '"sharing": "control"' in page and f'"{place.origin}/moonlight/join/"' in page


def test_who_follows_a_link_and_is_not_logged_in_is_led_there_and_back(place: Place) -> None:
    with place.client() as client:
        page = client.get("/moonlight/join/", headers={"Accept-Language": "ko"})
        assert page.status_code == 200 and "로그인" in page.text
        assert "next=" in page.text and "%2Fmoonlight%2Fjoin%2F" in page.text
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "location" not in page.headers, "what is behind the # would go with it"
        script = client.get("/moonlight/guest/arrive.js")
        assert script.status_code == 200 and script.headers["x-content-type-options"] == "nosniff"
